//! What goes into a base, and what does not.

use proptest::prelude::*;

use super::Owned;
use crate::{Signature, Unfit, signatures};

fn signed(request: Owned, input: &str) -> (Owned, Option<Signature>) {
    let request = request
        .with("Signature-Input", &format!("sig={input}"))
        .with("Signature", "sig=:AAAA:");
    let found = signatures(&request.message())
        .ok()
        .map(|mut all| all.remove(0));
    (request, found)
}

fn line(request: Owned, component: &str) -> Result<String, Unfit> {
    let (request, found) = signed(request, &format!("({component})"));
    let base = found.unwrap().base(&request.message())?;
    let (line, rest) = base.split_once('\n').unwrap();
    assert_eq!(rest, format!("\"@signature-params\": ({component})"));
    let (identifier, value) = line.split_once(": ").unwrap();
    assert_eq!(identifier, component);
    Ok(value.to_owned())
}

/// The examples of RFC 9421 §2.
#[test]
fn components_have_the_values_of_the_rfc() {
    let fields = [
        ("X-OWS-Header", "  Leading and trailing whitespace.  "),
        ("Cache-Control", "max-age=60"),
        ("Cache-Control", "   must-revalidate"),
        ("X-Empty-Header", ""),
        ("Priority", " u=1,   i;  x=1"),
        ("Want-Content-Digest", "sha-512=3,   sha-256=(10 1);a=?0"),
    ];
    for (component, value) in [
        (r#""x-ows-header""#, "Leading and trailing whitespace."),
        (r#""cache-control""#, "max-age=60, must-revalidate"),
        (
            r#""cache-control";bs"#,
            ":bWF4LWFnZT02MA==:, :bXVzdC1yZXZhbGlkYXRl:",
        ),
        (r#""x-empty-header""#, ""),
        (r#""priority";sf"#, "u=1, i;x=1"),
        (r#""priority";key="i""#, "?1;x=1"),
        (r#""priority";key="u""#, "1"),
        (r#""want-content-digest";key="sha-256""#, "(10 1);a=?0"),
        (r#""@method""#, "POST"),
        (
            r#""@target-uri""#,
            "https://www.example.com/path?param=value",
        ),
        (r#""@authority""#, "www.example.com"),
        (r#""@scheme""#, "https"),
        (r#""@request-target""#, "/path?param=value"),
        (r#""@path""#, "/path"),
        (r#""@query""#, "?param=value"),
    ] {
        let request = Owned::new("POST", "www.EXAMPLE.com:443", "/path?param=value", &fields);
        assert_eq!(
            line(request, component).as_deref(),
            Ok(value),
            "{component}"
        );
    }
    let plain = || Owned {
        secure: false,
        ..Owned::new("GET", "example.com:8080", "/", &[])
    };
    assert_eq!(line(plain(), r#""@query""#).unwrap(), "?");
    assert_eq!(
        line(plain(), r#""@target-uri""#).unwrap(),
        "http://example.com:8080/"
    );
}

#[test]
fn parameters_of_the_query_are_decoded_and_encoded_again() {
    let target = "/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something&qux=&baz=batman&two=1&two=2&flag";
    for (name, value) in [
        ("var", Some("this%20is%20a%20big%0Amultiline%20value")),
        ("bar", Some("with%20plus%20whitespace")),
        ("fa%C3%A7ade%22%3A%20", Some("something")),
        ("qux", Some("")),
        ("baz", Some("batman")),
        ("flag", Some("")),
        ("two", None),
        ("none", None),
    ] {
        let request = Owned::new("GET", "www.example.com", target, &[]);
        let found = line(request, &format!("\"@query-param\";name=\"{name}\""));
        assert_eq!(found.ok().as_deref(), value, "{name}");
    }
}

#[test]
fn what_cannot_be_covered_is_refused() {
    let fields = [("X-A", "1"), ("Priority", "=")];
    for component in [
        r#""@status""#,
        r#""@query-param""#,
        r#""@query-param";name="a";x"#,
        r#""@path";req"#,
        r#""x-a";tr"#,
        r#""x-a";req"#,
        r#""x-a";sf"#,
        r#""x-a";sf;bs"#,
        r#""x-a";key="a";bs"#,
        r#""x-a";bs=1"#,
        r#""X-A""#,
        r#""x a""#,
        r#""""#,
        r#""x-none""#,
        r#""x-none";bs"#,
        r#""priority";sf"#,
        r#""priority";key="u""#,
    ] {
        let request = Owned::new("GET", "a", "/?a=1", &fields);
        assert!(line(request, component).is_err(), "{component}");
    }
    let (request, found) = signed(
        Owned::new("GET", "a", "/", &fields),
        r#"("x-a" "@path" "x-a")"#,
    );
    let twice = found.unwrap().base(&request.message());
    assert_eq!(twice, Err(Unfit::Repeated("\"x-a\"".into())));
}

#[test]
fn a_component_is_covered_as_a_whole_or_not_at_all() {
    for (input, covered, open) in [
        (
            r#"("@path")"#,
            &["@path"][..],
            &["@query", "@method", "@authority"][..],
        ),
        (
            r#"("@target-uri")"#,
            &["@path", "@query", "@authority", "@scheme"],
            &["@method", "content-digest"],
        ),
        (
            r#"("@request-target")"#,
            &["@path", "@query"],
            &["@authority", "@target-uri"],
        ),
        (
            r#"("@query-param";name="a")"#,
            &[],
            &["@query", "@query-param"],
        ),
        (
            r#"("content-digest";key="sha-256" "date";bs)"#,
            &["date"],
            &["content-digest"],
        ),
    ] {
        let (_, found) = signed(Owned::new("GET", "a", "/", &[]), input);
        let found = found.unwrap();
        assert!(covered.iter().all(|name| found.covers(name)), "{input}");
        assert!(!open.iter().any(|name| found.covers(name)), "{input}");
    }
}

#[test]
fn malformed_signatures_are_refused() {
    let read = |input: Option<&str>, signature: Option<&str>| {
        let fields: Vec<_> = [("Signature-Input", input), ("Signature", signature)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        let request = Owned::new("GET", "a", "/", &fields);
        signatures(&request.message()).map(|all| all.len())
    };
    assert_eq!(read(None, None), Ok(0));
    assert_eq!(read(Some("a=()"), Some("a=:AA==:")), Ok(1));
    assert_eq!(read(Some("a=(), b=()"), Some("b=:AA==:, a=:AA==:")), Ok(2));
    let long = format!("a=(){}", ";b".repeat(10_000));
    let many = format!("a=({})", "\"a\" ".repeat(65));
    for (input, signature) in [
        (None, Some("a=:AA==:")),
        (Some("a=()"), None),
        (Some("a=()"), Some("b=:AA==:")),
        (Some("a=()"), Some("a=:AA==:, b=:AA==:")),
        (Some("a=()"), Some("a=x")),
        (Some("a=()"), Some("a")),
        (Some("a=()"), Some("a=(:AA==:)")),
        (Some("a=\"x\""), Some("a=:AA==:")),
        (Some("a=(x)"), Some("a=:AA==:")),
        (Some("a=(1)"), Some("a=:AA==:")),
        (Some("a=();created=x"), Some("a=:AA==:")),
        (Some("a=();created=-1"), Some("a=:AA==:")),
        (Some("a=();created=1.5"), Some("a=:AA==:")),
        (Some("a=();keyid=x"), Some("a=:AA==:")),
        (Some("a=();nonce=:AA==:"), Some("a=:AA==:")),
        (Some("a=("), Some("a=:AA==:")),
        (Some(&long), Some("a=:AA==:")),
        (Some(&many), Some("a=:AA==:")),
    ] {
        assert!(read(input, signature).is_err(), "{input:?} {signature:?}");
    }
}

proptest! {
    /// No two requests that differ in what is covered have the same base.
    #[test]
    fn bases_tell_requests_apart(
        paths in prop::array::uniform2("/[a-b/]{0,2}"),
        queries in prop::array::uniform2("[a&=]{0,3}"),
        values in prop::array::uniform2("[ab,\": ]{0,6}"),
    ) {
        let base = |at: usize| {
            let target = format!("{}?{}", paths[at], queries[at]);
            let request = Owned::new("GET", "a", &target, &[("x-a", &values[at])]);
            let (request, found) = signed(request, r#"("@path" "@query" "x-a")"#);
            found.unwrap().base(&request.message()).unwrap()
        };
        let same = paths[0] == paths[1] && queries[0] == queries[1] && values[0].trim() == values[1].trim();
        prop_assert_eq!(base(0) == base(1), same);
    }

    /// Whatever is sent, nothing panics.
    #[test]
    fn any_text_is_read(input in "[ -~]{0,60}", signature in "[ -~]{0,20}", target in "/[!-~&&[^#\"<>`{}\\\\^|]]{0,20}") {
        prop_assume!(target.parse::<http::uri::PathAndQuery>().is_ok());
        let request = Owned::new("GET", "a", &target, &[("Signature-Input", &input), ("Signature", &signature)]);
        if let Ok(all) = signatures(&request.message()) {
            for one in all {
                let _ = one.base(&request.message());
            }
        }
    }
}
