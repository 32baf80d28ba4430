//! What holds for every input.

use std::path::PathBuf;

use lintel_config::{Diagnostic, Loaded, Loader, Report, Style, diff, schema, to_yaml};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::snapshots;

/// A configuration that uses every part of the language.
const SAMPLE: &str = include_str!("../files/sample.yaml");

fn load(text: &str) -> Result<Loaded, Report> {
    Loader::new()
        .environment([("TOKEN", "t0k3n")])
        .without_files()
        .load_texts([(PathBuf::from("gateway.yaml"), text)])
}

fn spans_lie_in_their_file(text: &str, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        for label in diagnostic.primary.iter().chain(&diagnostic.secondary) {
            let range = label.span.range();
            assert!(
                text.get(range.clone()).is_some(),
                "{range:?} in {text:?}: {diagnostic:?}"
            );
        }
    }
}

/// Neither reading nor rendering may fail, whatever the text.
fn survives(text: &str) {
    let (diagnostics, report) = match load(text) {
        Ok(loaded) => (loaded.warnings.clone(), loaded.warning_report()),
        Err(report) => (report.diagnostics().to_vec(), report),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    spans_lie_in_their_file(text, &diagnostics);
    let _ = report.render(&Style::terminal(80, true));
    let _ = report.to_json();
}

#[test]
fn the_sample_is_valid() {
    let loaded = load(SAMPLE).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(loaded.model.routes.len(), 11);
    let codes: Vec<&str> = loaded.warnings.iter().map(|warning| warning.code).collect();
    assert!(codes.is_empty(), "{:?}", loaded.warning_report());
}

#[test]
fn the_sample_uses_every_key() {
    fn keys(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    out.push(key.clone());
                    keys(value, out);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| keys(item, out)),
            _ => {}
        }
    }
    fn known(schema: &Value, out: &mut Vec<String>) {
        match schema {
            Value::Object(map) => {
                if let Some(Value::Object(properties)) = map.get("properties") {
                    out.extend(properties.keys().cloned());
                }
                map.values().for_each(|value| known(value, out));
            }
            Value::Array(items) => items.iter().for_each(|item| known(item, out)),
            _ => {}
        }
    }
    let (mut used, mut all) = (Vec::new(), Vec::new());
    keys(&load(SAMPLE).unwrap().redacted(), &mut used);
    known(schema(), &mut all);
    all.retain(|key| !used.contains(key));
    all.sort();
    all.dedup();
    assert_eq!(
        all,
        Vec::<String>::new(),
        "keys that the sample does not use"
    );
}

#[test]
fn a_valid_configuration_round_trips() {
    let first = load(
        &SAMPLE
            .replace("${env.TOKEN}", "'***'")
            .replace("redis://:s3cret@redis", "***"),
    )
    .unwrap();
    let text = to_yaml(&first.redacted());
    // What was made unreadable is too short for a secret, and no URL.
    let secret = "a-secret-of-at-least-thirty-two-bytes";
    let readable = text.replace("secret: \"***\"", &format!("secret: {secret}"));
    let hash = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    let readable = readable
        .replace("argon2: \"***\"", &format!("argon2: {hash}"))
        .replace(" hash: \"***\"", &format!(" hash: {hash}"))
        .replace("users: \"***\"", &format!("users: ada:{hash}"));
    let readable = readable.replace("url: \"***\"", "url: redis://redis");
    let pem = r#"- "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----""#;
    let readable = readable.replace("- \"***\"", pem);
    let key = format!("pem: {}", pem.trim_start_matches("- "));
    let readable = readable.replace("pem: \"***\"", &key);
    let second = load(&readable).unwrap_or_else(|report| panic!("{report}\n{text}"));
    assert_eq!(format!("{:?}", first.model), format!("{:?}", second.model));
    assert_eq!(
        to_yaml(&second.redacted()),
        text,
        "nothing is left to fill in"
    );
}

#[test]
fn the_version_is_that_of_the_content() {
    let first = load(SAMPLE).unwrap();
    let same = load(&format!("# a comment\n{SAMPLE}")).unwrap();
    let other = load(&SAMPLE.replace("drain_timeout: 20s", "drain_timeout: 21s")).unwrap();
    assert_eq!(first.version, same.version);
    let [ordered, turned] =
        ["a: 1, b: { c: 2, d: [3] }", "b: { d: [3], c: 2 }, a: 1"].map(|json| {
            let respond = format!("to: {{ respond: {{ json: {{ {json} }} }} }}");
            let listeners = "version: 1\nlisteners: { a: { bind: 0.0.0.0:80 } }";
            let text = format!("{listeners}\nroutes: {{ a: {{ match: {{}}, {respond} }} }}");
            load(&text).unwrap_or_else(|report| panic!("{report}"))
        });
    assert_eq!(ordered.version, turned.version);
    assert_ne!(first.version, other.version);
    assert_eq!(diff(&first, &same), []);
}

#[test]
fn a_diff_names_items_and_fields() {
    let before = load(SAMPLE).unwrap();
    let text = SAMPLE
        .replace("  spare:", "  other:")
        .replace("drain_timeout: 20s", "drain_timeout: 21s")
        .replace("connect: 500ms", "connect: 600ms")
        .replace("token: ${env.TOKEN}", "token: ${env.TOKEN}x");
    let after = load(&text).unwrap_or_else(|report| panic!("{report}"));
    let changes: Vec<String> = diff(&before, &after)
        .iter()
        .map(|change| {
            let fields: Vec<String> = change
                .fields
                .iter()
                .map(|field| format!("{}: {:?} → {:?}", field.path, field.before, field.after))
                .collect();
            format!("{:?} {} [{}]", change.kind, change.item, fields.join(", "))
        })
        .collect();
    snapshots().bind(|| insta::assert_snapshot!(changes.join("\n")));
}

#[test]
fn places_of_values_are_found() {
    let loaded = load(SAMPLE).unwrap();
    let text = |span: lintel_config::Span| &SAMPLE[span.range()];
    assert_eq!(
        text(loaded.span_of("services.orders.endpoints[1].weight")),
        "2"
    );
    assert_eq!(text(loaded.locate(&["routes", "orders", "to"])), "orders");
    assert_eq!(text(loaded.locate_key(&["routes", "orders", "to"])), "to");
    // What is not written is found at the nearest thing above it.
    assert_eq!(text(loaded.locate(&["routes", "old", "timeout"])), "old");
    assert_eq!(text(loaded.locate(&["nowhere"])), "version");
}

#[test]
fn a_dollar_in_a_secret_is_a_dollar() {
    let text = SAMPLE.replace(
        "set: { X-Order: \"${path.id}\", X-Key: \"${env.TOKEN}\" }",
        "set: { X-Key: \"${env.TOKEN} ${client.ip}\" }",
    );
    assert_ne!(text, SAMPLE);
    let loaded = Loader::new()
        .environment([("TOKEN", "pa$$${client.ip}$w0rd")])
        .without_files()
        .load_texts([(PathBuf::from("gateway.yaml"), text.as_str())])
        .unwrap_or_else(|report| panic!("{report}"));
    let policies = format!("{:?}", loaded.model.routes["orders"].policies.headers);
    // Doubled, so that evaluating it gives back what was in the environment.
    assert!(
        policies.contains("pa$$$$$${client.ip}$$w0rd ${client.ip}"),
        "{policies}"
    );
}

/// Every text of a value, with the JSON pointer that leads to it.
fn texts(value: &Value, path: &str, out: &mut Vec<String>) {
    match value {
        Value::String(_) => out.push(path.to_owned()),
        Value::Object(map) => {
            for (key, value) in map {
                texts(
                    value,
                    &format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")),
                    out,
                );
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                texts(item, &format!("{path}/{at}"), out);
            }
        }
        _ => {}
    }
}

/// Ways to write a secret into a value; the last has something of an expression beside it.
const REFERENCES: [&str; 4] = [
    "${env.SECRET}",
    "http://${env.SECRET}:80",
    "/${env.SECRET}/*",
    "${env.MIXED}",
];

/// Ways to write a login into a value, where it does not belong.
const LOGINS: [&str; 4] = [
    "redis://ada:zq9-s3cr3t-zq9@10.0.0.7:6379",
    "https://:zq9/s3cr3t@host/path",
    ":zq9-s3cr3t@redis:6379",
    "ada:zq9-s3cr3t@[fd00::7]:6379",
];

/// In every place where the sample has a text: one way after the other, or all with `LINTEL_FULL=1`.
#[test]
fn no_secret_is_shown_wherever_it_stands() {
    let full = std::env::var_os("LINTEL_FULL").is_some();
    let before = load(SAMPLE).unwrap();
    let mut places = Vec::new();
    texts(&before.redacted(), "", &mut places);
    assert!(places.len() > 80, "{}", places.len());
    for (at, place) in places.iter().enumerate() {
        for (way, reference) in REFERENCES.iter().chain(&LOGINS).enumerate() {
            if full || at % REFERENCES.len() == way % REFERENCES.len() {
                no_secret_is_shown(&before, place, reference);
            }
        }
    }
}

fn no_secret_is_shown(before: &Loaded, place: &str, reference: &str) {
    let mut value = before.redacted();
    *value.pointer_mut(place).unwrap() = json!(reference);
    let text = to_yaml(&value);
    let loader = Loader::new()
        .environment([
            ("SECRET", "zq9-s3cr3t-zq9"),
            ("MIXED", "/zq9-s3cr3t-zq9${client.ip} {}:$"),
        ])
        .without_files();
    let shown = match loader.load_texts([(PathBuf::from("gateway.yaml"), text.as_str())]) {
        Ok(loaded) => format!(
            "{}{}{loaded:?}{:?}{}",
            loaded.warning_report().to_json(),
            loaded.warning_report(),
            diff(before, &loaded),
            loaded.redacted(),
        ),
        Err(report) => format!("{report}{}", report.to_json()),
    };
    assert!(!shown.contains("zq9"), "{place}: {reference}: {shown}");
}

#[test]
fn ten_thousand_routes_take_no_quadratic_time() {
    // A guard against accidents and no benchmark: quadratic work would take minutes.
    let mut text = String::from(
        "version: 1\nlisteners: { public: { bind: 0.0.0.0:80 } }\nservices: { a: { endpoints: [http://a] } }\nroutes:\n",
    );
    for at in 0..10_000 {
        text.push_str(&format!(
            "  route_{at}: {{ match: {{ host: h{at}.example, path: /a/{at}/* }}, to: a }}\n"
        ));
    }
    let loaded = load(&text).unwrap();
    assert_eq!(loaded.model.routes.len(), 10_000);
    assert_eq!(loaded.warnings, []);
}

#[test]
fn alias_bombs_and_deep_nests_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let items = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    let deep = format!("a: {}{}", "[".repeat(5_000), "]".repeat(5_000));
    let mut chain = String::from("a0: &a0 [[[[[[[[[[x]]]]]]]]]]\n");
    for level in 1..500 {
        chain.push_str(&format!(
            "a{level}: &a{level} [[[[[[*a{}]]]]]]\n",
            level - 1
        ));
    }
    let own = "a: &a [*a]";
    for (text, code) in [
        (bomb.as_str(), "too-large"),
        (&deep, "too-large"),
        (&chain, "too-large"),
        (own, "yaml-alias"),
    ] {
        let report = load(text).expect_err("refused");
        assert!(
            report.diagnostics().iter().any(|d| d.code == code),
            "{report}"
        );
    }
}

/// Bits of the language, put together at random.
fn fragment() -> impl Strategy<Value = String> {
    let words = prop_oneof![
        "[a-z_]{1,8}",
        Just("routes".to_owned()),
        Just("match".to_owned()),
        Just("to".to_owned()),
        Just("bind".to_owned()),
        Just("${env.TOKEN}".to_owned()),
        Just("${env.X:-y}".to_owned()),
        Just("<<".to_owned()),
        Just("&a".to_owned()),
        Just("*a".to_owned()),
        Just("!t".to_owned()),
        Just("\"".to_owned()),
        Just("'".to_owned()),
        Just("---".to_owned()),
        Just("|".to_owned()),
        Just("\u{e9}\u{1f600}".to_owned()),
        Just("\t".to_owned()),
    ];
    let glue = prop_oneof![
        Just(": "),
        Just("\n"),
        Just("\n  "),
        Just("\n    "),
        Just(", "),
        Just("{ "),
        Just(" }"),
        Just("["),
        Just("]"),
        Just("- "),
        Just(" "),
        Just("# "),
        Just("\r\n"),
    ];
    prop::collection::vec((words, glue), 0..40)
        .prop_map(|parts| parts.into_iter().map(|(word, glue)| word + glue).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn no_yaml_makes_it_panic(text in fragment()) {
        survives(&text);
    }

    #[test]
    fn no_damage_to_a_valid_file_makes_it_panic(
        at in 0..SAMPLE.len(),
        len in 0usize..12,
        put in "[ -~\\n\u{e9}]{0,6}",
    ) {
        let (mut start, mut end) = (at, (at + len).min(SAMPLE.len()));
        while !SAMPLE.is_char_boundary(start) { start -= 1; }
        while !SAMPLE.is_char_boundary(end) { end += 1; }
        survives(&format!("{}{put}{}", &SAMPLE[..start], &SAMPLE[end..]));
    }

    #[test]
    fn texts_survive_being_written_and_read(text in any::<String>()) {
        // What looks like a login is hidden.
        let text = text.replace(['\u{0}', '@'], "");
        let yaml = format!(
            "{}\n{}",
            "version: 1\nlisteners: { a: { bind: 0.0.0.0:80 } }",
            to_yaml(&json!({ "routes": { "a": { "match": {}, "to": { "respond": { "body": text } } } } })),
        );
        let loaded = load(&yaml).unwrap_or_else(|report| panic!("{report}"));
        prop_assert_eq!(&loaded.redacted()["routes"]["a"]["to"]["respond"]["body"], &json!(text));
    }
}
