//! What patterns are refused, with which place and which hint; and that no text makes a parser fail.

use super::common::{request, route, router};
use lintel_router::{
    HostPattern, Outcome, PathPattern, PatternError, RouteSpec, Router, ValueRegex,
};
use proptest::prelude::*;

fn refused<T: std::fmt::Debug>(text: &str, parsed: Result<T, PatternError>, at: usize, part: &str) {
    let error = parsed.expect_err(text);
    assert_eq!(error.offset, at, "{text}: {error}");
    assert!(error.to_string().contains(part), "{text}: {error}");
}

#[test]
fn hosts_that_are_refused() {
    let cases = [
        ("", 0, "write `*` for any host"),
        ("https://a.b", 5, "only the host name"),
        ("a..b", 2, "empty"),
        (".a", 0, "empty"),
        ("a.*.b", 2, "beginning"),
        ("*a.b", 0, "write `*.example.com`"),
        ("*.", 2, "empty"),
        ("a/b", 1, "path"),
        ("münchen.de", 1, "xn--"),
        ("a.bücher.de", 3, "xn--"),
        ("a b", 1, "' '"),
        ("a:99999", 2, "port"),
        ("a:", 2, "port"),
        ("a:8o", 2, "port"),
        (":80", 0, "before the port is empty"),
        ("::1", 0, "write `[::1]`"),
        ("[::1", 4, "end it with `]`"),
        ("[zz]", 1, "not an IPv6"),
        ("[::1]80", 7, "port"),
        ("[::1]:x", 6, "port"),
    ];
    for (text, at, part) in cases {
        refused(text, HostPattern::parse(text), at, part);
    }
    let long = format!("{}.com", "a".repeat(64));
    refused(&long, HostPattern::parse(&long), 0, "63");
    let long = "a.".repeat(140);
    refused(&long, HostPattern::parse(&long), 253, "253");
}

#[test]
fn hosts_in_their_canonical_form() {
    let cases = [
        ("API.Example.com", "api.example.com"),
        ("api.example.com.", "api.example.com"),
        ("api.example.com:443", "api.example.com"),
        ("*.Example.com:80", "*.example.com"),
        ("*", "*"),
        ("*:8080", "*"),
        ("[2001:DB8:0::1]:80", "[2001:db8::1]"),
        ("xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("_srv.a_b", "_srv.a_b"),
    ];
    for (text, canonical) in cases {
        let parsed = HostPattern::parse(text).unwrap();
        assert_eq!(parsed.to_string(), canonical);
        assert_eq!(HostPattern::parse(canonical).unwrap(), parsed);
    }
}

#[test]
fn paths_that_are_refused() {
    let cases = [
        ("", 0, "begins with `/`"),
        ("orders", 0, "write `/orders`"),
        ("/a//b", 3, "write one `/`"),
        ("/a/./b", 3, "canonical"),
        ("/a/..", 3, "canonical"),
        ("/a/%2e%2E/b", 3, "canonical"),
        ("/a?x=1", 2, "`query`"),
        ("/a#b", 2, "fragments"),
        ("/a\\b", 2, "'\\\\'"),
        ("/a\tb", 2, "'\\t'"),
        ("/a%zz", 2, "%25"),
        ("/a%2", 2, "%25"),
        ("/a/*/b", 3, "only at the end"),
        ("/orders*", 7, "write `orders/*`"),
        ("/a/**", 3, "everything below"),
        ("/a/{id", 3, "whole segment"),
        ("/a/{id}x", 3, "whole segment"),
        ("/a/x{id}", 4, "whole segment"),
        ("/a/id}", 5, "whole segment"),
        ("/a/{}", 4, "letter"),
        ("/a/{1}", 4, "letter"),
        ("/a/{*rest}", 4, "{rest..}"),
        ("/a/{rest*}", 4, "{rest..}"),
        ("/a/{..}", 4, "{rest..}"),
        ("/a/{rest..}/b", 3, "only at the end"),
        ("/{id}/{id}", 7, "twice"),
        ("/{id}/{id..}", 7, "twice"),
        ("/a/:id", 3, "write `{id}`"),
        ("~/a(", 3, "unclosed group"),
        ("~/a(?=b)", 3, "look"),
        ("~/(a)\\1", 5, "backreferences"),
        ("~v1/.*", 1, "write for example `~/v1/.*`"),
        ("~", 1, "matches no path"),
        ("~/\\bx", 1, "(?-u:\\b)"),
    ];
    for (text, at, part) in cases {
        refused(text, PathPattern::parse(text), at, part);
    }
    let deep = "/a".repeat(65);
    refused(&deep, PathPattern::parse(&deep), 129, "64 segments");
    assert!(PathPattern::parse(&"/a".repeat(64)).is_ok());
}

#[test]
fn expressions_that_explode_are_refused() {
    for bomb in [
        "/.*a.{24}",
        "/(a{1000}){1000}",
        "/((a{200}){200}){200}",
        "/\\w{2000}",
        "/(.*a){30}b.{30}",
        "/(?:(?:(?:(?:[^x]{40}){40}){40}){40}){40}",
    ] {
        refused(bomb, PathPattern::parse(&format!("~{bomb}")), 1, "too big");
        refused(bomb, ValueRegex::parse(bomb), 0, "too big");
    }
    let long = "a".repeat(5000);
    refused(&long, ValueRegex::parse(&long), 4096, "4096");
    let nested = format!("/{}a{}", "(".repeat(1000), ")".repeat(1000));
    refused(&nested, ValueRegex::parse(&nested), 250, "nest");
}

/// Expressions that take exponential or quadratic time in a backtracking engine: here one look-up per byte, so a
/// path of 1 MiB is an instant. A test that hangs has failed.
#[test]
fn hostile_paths_match_in_linear_time() {
    for text in [
        "/(a*)*b",
        "/(a|a)*b",
        "/(a|aa)+b",
        "/(.*)(.*)(.*)x",
        "/(?<n>a*)*b",
    ] {
        let router = router(vec![route("r").path(&format!("~{text}"))]);
        let mut hostile = request("GET h/");
        hostile.path = format!("/{}", "a".repeat(1 << 20));
        assert_eq!(router.find(&hostile.as_query()), Outcome::NotFound);
    }
}

#[test]
fn shapes_are_compared_without_names() {
    let same = |a, b| {
        PathPattern::parse(a)
            .unwrap()
            .same_shape(&PathPattern::parse(b).unwrap())
    };
    assert!(same("/a/{x}/*", "/a/{y}/{rest..}"));
    assert!(same("/%7e", "/~"));
    assert!(!same("/a/{x}", "/a/x"));
    assert!(!same("/a", "/a/*"));
    assert!(same("~/a", "~/a") && !same("~/a", "~^/a"));
}

/// Text that is near to what the parsers know.
fn near() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(
        &[
            "/", "*", "{", "}", "..", ".", "~", "a", "id", "%", "%2f", "%4", ":", "[", "]", "::1",
            "é", "?", "\\", "(", ")", "+", "|", "^", "$", "{2}", "\0", " ",
        ][..],
    );
    prop::collection::vec(pieces, 0..12).prop_map(|list| list.concat())
}

/// Parses, and where that works builds and matches: the same that the fuzz target does.
fn exercise(text: &str) -> Result<(), TestCaseError> {
    let errors = [
        HostPattern::parse(text).err(),
        PathPattern::parse(text).err(),
        ValueRegex::parse(text).err(),
    ];
    for error in errors.into_iter().flatten() {
        prop_assert!(error.offset <= text.len(), "{error}");
        prop_assert!(text.is_char_boundary(error.offset), "{error}");
    }
    if let Ok(host) = HostPattern::parse(text) {
        prop_assert_eq!(HostPattern::parse(&host.to_string()), Ok(host));
    }
    if let Ok(path) = PathPattern::parse(text) {
        let mut spec = RouteSpec::new("r");
        spec.paths.push(path);
        let router = Router::build(vec![spec]).unwrap();
        let mut probe = request("GET h/");
        probe.path = text.to_owned();
        router.explain(&probe.as_query());
    }
    Ok(())
}

/// A template with its parameters filled in.
fn filled() -> impl Strategy<Value = (String, String, Vec<(String, String)>)> {
    let value = "[a-z0-9._~!$&'()+,;=:@-]{1,8}";
    let segment = ("[b-y]{1,5}", any::<bool>(), value);
    let tail = prop::option::of(prop::collection::vec(value, 0..3));
    (prop::collection::vec(segment, 0..6), tail).prop_map(|(segments, tail)| {
        let (mut template, mut path, mut params) = (String::new(), String::new(), Vec::new());
        for (i, (name, param, value)) in segments.into_iter().enumerate() {
            let (pattern, segment) = if param {
                (format!("{{{name}{i}}}"), value.clone())
            } else {
                (name.clone(), name.clone())
            };
            template += &format!("/{pattern}");
            path += &format!("/{segment}");
            if param {
                params.push((format!("{name}{i}"), value));
            }
        }
        if let Some(rest) = tail {
            template += "/{rest..}";
            path += &format!("/{}", rest.join("/"));
            params.push(("rest".to_owned(), rest.join("/")));
        }
        if template.is_empty() {
            (template, path) = ("/".to_owned(), "/".to_owned());
        }
        (template, path, params)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_a_parser_fail(text in prop_oneof![3 => near(), 1 => ".{0,40}"]) {
        exercise(&text)?;
    }

    #[test]
    fn a_template_takes_what_it_was_filled_with((template, path, params) in filled()) {
        let router = router(vec![route("r").path(&template)]);
        let mut filled = request("GET h/");
        filled.path = path.clone();
        let Outcome::Matched { params: found, .. } = router.find(&filled.as_query()) else {
            panic!("{template} does not take {path}");
        };
        let found: Vec<(String, String)> =
            found.iter(&router, &path).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        prop_assert_eq!(found, params);
    }

    #[test]
    fn a_literal_pattern_takes_its_own_escaped_form(text in "[a-zA-Z0-9 é%|\"<>~-]{1,12}") {
        let escaped: String = text.bytes().map(|b| format!("%{b:02x}")).collect();
        let raw = text.replace('%', "%25");
        prop_assume!(!raw.starts_with(':'));
        let (a, b) = (PathPattern::parse(&format!("/{escaped}")), PathPattern::parse(&format!("/{raw}")));
        prop_assert!(a.unwrap().same_shape(&b.unwrap()));
    }
}
