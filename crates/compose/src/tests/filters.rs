use proptest::prelude::*;
use serde_json::Value;

use super::fake::{Comes, Fake, fixed, get, plan, text};
use crate::{Body, Plan, body::mentioned, shape::Shape};

const LEGS: [&str; 3] = ["a", "b", "c"];

fn index(name: &str) -> Option<usize> {
    LEGS.iter().position(|known| *known == name)
}

fn legs() -> Vec<crate::Leg> {
    vec![
        fixed("a", "{\"x\": {\"y\": 7}, \"z\": \"é\\n\"}"),
        fixed("b", "[1, 2.50, null]"),
        fixed("c", "null"),
    ]
}

fn made(filter: &str) -> Result<String, String> {
    let plan = plan(legs(), Some(filter));
    let results = Fake::default().finish(&plan, "/");
    let body = results.body()?;
    Ok(String::from_utf8(body).unwrap())
}

#[test]
fn plain_filters_are_spliced() {
    for (filter, expected) in [
        (".a", "{\"x\": {\"y\": 7}, \"z\": \"é\\n\"}"),
        ("{b, n: .c}", "{\"b\":[1, 2.50, null],\"n\":null}"),
        (
            " { \"k\" : .a.x , q: [ 1, \"s\", true, {} , [] ] } ",
            "{\"k\":{\"y\":7},\"q\":[1,\"s\",true,{},[]]}",
        ),
        (
            "{ m: .a.x.y, o: .c.x.y, p: .a.none }",
            "{\"m\":7,\"o\":null,\"p\":null}",
        ),
    ] {
        assert!(Body::parse(filter, &LEGS).unwrap().is_plain(), "{filter}");
        assert_eq!(made(filter).as_deref(), Ok(expected), "{filter}");
    }
    assert_eq!(
        made("{ m: .b.x }"),
        Err("there is no `.x` in it".to_owned())
    );
}

#[test]
fn other_filters_go_to_jq() {
    for (filter, expected) in [
        (".a.x.y + 1", "8"),
        ("{ n: (.b | length), a: .a.x }", "{\"n\":3,\"a\":{\"y\":7}}"),
        ("[.b[] | select(. != null) | . * 2]", "[2,5.0]"),
        ("$legs.a.error // \"none\"", "\"none\""),
        ("\"<\\(.a.z)>\"", "\"<é\\n>\""),
        ("{ \"k\\u0041\": 1 }", "{\"kA\":1}"),
        ("\"[1]\" | fromjson", "[1]"),
        (".a.z | test(\"^é\")", "true"),
        (
            "[0/0, 1e1000, -1e1000] | map(isinfinite)",
            "[false,true,true]",
        ),
        ("[0/0]", "[null]"),
    ] {
        assert!(!Body::parse(filter, &LEGS).unwrap().is_plain(), "{filter}");
        assert_eq!(made(filter).as_deref(), Ok(expected), "{filter}");
    }
    for (filter, fault) in [
        ("empty", "no value"),
        (".b[]", "several values"),
        ("(.b.x)", "cannot index"),
        ("error(\"mine\")", "mine"),
        ("{(.b): 1}", "no string"),
        ("\"[\" * 200 | fromjson", "fromjson"),
    ] {
        let error = made(filter).unwrap_err();
        assert!(error.contains(fault), "{filter}: {error}");
    }
}

#[test]
fn mistakes_show_their_place() {
    for (filter, place, message) in [
        ("{ a: .a, d: .d }", 12, "there is no leg `d`"),
        ("{ a, d }", 5, "there is no leg `d`"),
        (".a | lenght", 5, "there is no filter `lenght`"),
        (".a + $x", 5, "there is no variable `$x`"),
        ("{ a: ", 5, "closing brace"),
        (".a | ", 5, "expected"),
        ("env", 0, "there is no filter `env`"),
        (".a | halt", 5, "there is no filter `halt`"),
        ("input", 0, "there is no filter `input`"),
        ("$ENV.PATH", 0, "there is no variable `$ENV`"),
    ] {
        let fault = Body::parse(filter, &LEGS).err().unwrap();
        assert!(fault.message.contains(message), "{filter}: {fault:?}");
        assert_eq!(fault.offset, place, "{filter}: {fault:?}");
    }
}

#[test]
fn what_a_filter_may_read_is_known() {
    let names = ["profile", "orders", "order"];
    assert_eq!(mentioned("[.orders[].id]", &names), ["orders"]);
    assert_eq!(mentioned("{profile}", &names), ["profile"]);
    assert_eq!(mentioned("$legs.order.status", &names), ["order"]);
    assert_eq!(mentioned(".[\"profile\"]", &names), ["profile"]);
    assert!(mentioned("\"x\"", &names).is_empty());
    // The name of a member is none of a leg.
    assert!(mentioned("{ profile: 1, orders: $request.body.orders }", &names).is_empty());
    assert_eq!(mentioned("{ orders: [.profile.id] }", &names), ["profile"]);
}

#[test]
fn statuses_and_errors_can_be_told() {
    let plan = plan(
        vec![get("a", "/a"), get("b", "/b").or_else("0")],
        Some("{ a: $legs.a.status, b: $legs.b.error, v: $legs.b.body }"),
    );
    let fake = Fake::new(vec![
        Comes::Answer(201, "{}"),
        Comes::Lost(crate::Reason::Timeout),
    ]);
    let results = fake.finish(&plan, "/");
    assert_eq!(text(&results), "{\"a\":201,\"b\":\"timeout\",\"v\":0}");
}

#[test]
fn failures_are_listed_in_objects() {
    for (leg, expected) in [
        (
            "{\"a\": 1} ",
            "{\"a\": 1,\"_errors\":[{\"leg\":\"b\",\"code\":\"status\"}]}",
        ),
        (
            " { } ",
            " {\u{20}\"_errors\":[{\"leg\":\"b\",\"code\":\"status\"}]}",
        ),
        ("[1]", "[1]"),
    ] {
        let legs = vec![fixed("a", leg), get("b", "/").or_else("null")];
        let plan: Plan = plan(legs, Some(".a")).with_errors(Some("_errors".into()));
        let fake = Fake::new(vec![Comes::Answer(200, "1"), Comes::Answer(500, "1")]);
        assert_eq!(text(&fake.finish(&plan, "/")), expected);
    }
}

/// Filters of the plain kind.
fn plain() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "\\.[abc]",
        "\\.[abc]\\.[xyz]",
        "\\.a\\.x\\.[xyz]",
        Just("null".to_owned()),
        Just("12".to_owned()),
        "\"[a-z é]{0,3}\"",
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let pair = ("[a-e]", inner.clone()).prop_map(|(name, value)| format!("{name} : {value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(|all| format!("[{}]", all.join(", "))),
            prop::collection::vec(pair, 0..3).prop_map(|all| format!("{{{}}}", all.join(" ,"))),
        ]
    })
}

proptest! {
    #[test]
    fn splicing_and_jq_make_the_same(filter in plain()) {
        // Names that stand twice in an object are left to jq.
        if let Some(shape) = Shape::parse(&filter, index) {
            prop_assert!(shape.is_ok());
            let spliced = made(&filter);
            // Brackets around it make it a filter for jq.
            let by_jq = made(&format!("({filter})"));
            prop_assert_eq!(spliced.is_ok(), by_jq.is_ok(), "{:?} {:?}", spliced, by_jq);
            if let (Ok(spliced), Ok(by_jq)) = (spliced, by_jq) {
                let [one, two]: [Value; 2] =
                    [&spliced, &by_jq].map(|text| serde_json::from_str(text).unwrap());
                prop_assert_eq!(one, two);
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(filter in "[.abc{}\\[\\]:,\"1 |$()\\\\x]{0,16}") {
        if let Ok(body) = Body::parse(&filter, &LEGS) {
            prop_assert_eq!(body.source(), Some(&*filter));
        }
    }
}
