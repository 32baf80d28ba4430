//! What the router says about routes and requests: errors, warnings, explanations.

use super::common::{self, Request, Route, exact, regex, request, route, router};
use lintel_router::{BuildError, Rank, Reason, Router, ValueMatch, Verdict, Warning};

fn errors(routes: Vec<Route>) -> Vec<BuildError> {
    Router::build(routes.into_iter().map(|r| r.0).collect()).expect_err("the routes tie")
}

fn warnings(routes: Vec<Route>) -> Vec<String> {
    router(routes)
        .warnings()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn all_ambiguities_are_reported_at_once() {
    let errors = errors(vec![
        route("b").host("x.example").path("/o/{id}"),
        route("a").host("x.example").path("/o/{name}"),
        route("c").path("/p").path("/q").methods("GET"),
        route("d").path("/q").path("/p").methods("GET PUT"),
        route("same").path("/1"),
        route("same").path("/2"),
        route("fine").path("/o/*"),
    ]);
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "two routes are named `same`",
            "routes `a` and `b` tie: both match host `x.example` and /o/{name} with conditions of equal number that one request can meet",
            "routes `c` and `d` tie: both match host `*` and /p with conditions of equal number that one request can meet, and in 1 more place",
        ]
    );
    assert!(errors[1].hint().contains("give `a` or `b` another method"));
    assert!(errors[0].hint().contains("rename"));
}

#[test]
fn conditions_that_exclude_each_other_do_not_tie() {
    let with = |name, value| route(name).path("/a").header("x-k", value);
    let apart: Vec<(ValueMatch, ValueMatch)> = vec![
        (exact("1"), exact("2")),
        (exact("1"), ValueMatch::Absent),
        (ValueMatch::Present, ValueMatch::Absent),
        (
            ValueMatch::Prefix("a".into()),
            ValueMatch::Prefix("b".into()),
        ),
        (ValueMatch::Prefix("a".into()), exact("ba")),
        (regex("v1\\..*"), regex("v2\\..*")),
        (regex("[0-9]+"), ValueMatch::Prefix("x".into())),
        (
            regex("[0-9]+"),
            ValueMatch::OneOf(vec!["a".into(), "b".into()]),
        ),
    ];
    for (a, b) in apart {
        let shown = format!("{a} / {b}");
        let built = Router::build(vec![with("a", a).0, with("b", b).0]);
        assert!(built.is_ok(), "{shown}");
    }
    let together: Vec<(ValueMatch, ValueMatch)> = vec![
        (exact("1"), ValueMatch::OneOf(vec!["0".into(), "1".into()])),
        (exact("1"), ValueMatch::Present),
        (
            ValueMatch::Prefix("a".into()),
            ValueMatch::Prefix("ab".into()),
        ),
        (ValueMatch::Prefix("a".into()), exact("ab")),
        (regex("v.*"), regex(".*2")),
        (regex("[0-9]+"), ValueMatch::Prefix("1".into())),
        (ValueMatch::Absent, ValueMatch::Absent),
    ];
    for (a, b) in together {
        let shown = format!("{a} / {b}");
        assert_eq!(errors(vec![with("a", a), with("b", b)]).len(), 1, "{shown}");
    }
    let different = vec![
        with("a", exact("1")),
        route("b").path("/a").header("x-other", exact("1")),
    ];
    assert_eq!(
        errors(different).len(),
        1,
        "one request can have both headers"
    );
}

#[test]
fn a_flood_of_ambiguities_is_cut() {
    let routes = (0..60)
        .map(|i| route(&format!("r{i:02}")).path("/a"))
        .collect();
    let errors = errors(routes);
    assert_eq!(errors.len(), 1001);
    assert_eq!(
        errors[1000],
        BuildError::MoreAmbiguities {
            omitted: 60 * 59 / 2 - 1000
        }
    );
}

#[test]
fn a_sound_set_of_routes_has_no_warnings() {
    let sound = vec![
        route("users").path("/users/*").methods("GET"),
        route("user").path("/users/{id}"),
        route("regex").path("~/v[0-9]+/.*"),
        route("acme")
            .path("/users/*")
            .header("x-tenant", exact("acme"))
            .methods("POST"),
        route("narrow").host("a.example").path("/*"),
        route("rest"),
    ];
    assert_eq!(warnings(sound), [""; 0]);
}

#[test]
fn hidden_routes_are_found() {
    let hidden_by_prefix = vec![
        route("orders").path("/orders/*"),
        route("number").path("~/orders/[0-9]+"),
    ];
    assert_eq!(
        warnings(hidden_by_prefix),
        ["route `number` can never match: its requests are taken by `orders`"]
    );
    let hidden_by_root = vec![
        route("all").path("/*"),
        route("none"),
        route("regex").path("~/.*x"),
    ];
    assert_eq!(
        warnings(hidden_by_root),
        [
            "route `none` can never match: its requests are taken by `all`",
            "route `regex` can never match: its requests are taken by `all`",
        ]
    );
    let hidden_by_param = vec![
        route("p").path("/a/{x}/b"),
        route("regex").path("~/a/[a-z]+/b"),
    ];
    assert_eq!(warnings(hidden_by_param).len(), 1);
    let hidden_by_regex = vec![
        route("wide").path("~/(a|b|c|d)/.*"),
        route("in").path("~/a/x.*"),
    ];
    assert_eq!(warnings(hidden_by_regex).len(), 1);
    let hidden_by_conditions = vec![
        route("two")
            .path("/a")
            .header("x-k", ValueMatch::Present)
            .header("x-k", ValueMatch::Prefix("v".into())),
        route("one").path("/a").header("x-k", exact("v1")),
    ];
    assert_eq!(
        warnings(hidden_by_conditions),
        ["route `one` can never match: its requests are taken by `two`"]
    );
}

#[test]
fn what_is_only_partly_hidden_is_not_called_unreachable() {
    let reachable = [
        // The shortest path is taken by the other route; a longer one leaves it for good.
        vec![route("a").path("/a"), route("r").path("~/a|/bcd")],
        vec![
            route("two")
                .path("/a")
                .header("x-k", ValueMatch::Present)
                .header("x-k", ValueMatch::Prefix("a".into())),
            route("r").path("/a").header("x-k", regex("a|bcd")),
        ],
        vec![
            route("orders").path("/orders/{id}"),
            route("r").path("~/orders/.*"),
        ],
        vec![
            route("orders").path("/orders/*").methods("GET"),
            route("r").path("~/orders/[0-9]+"),
        ],
        vec![
            route("orders").path("/orders/*").listener(1),
            route("r").path("~/orders/[0-9]+"),
        ],
        vec![
            route("orders").host("a.b").path("/orders/*"),
            route("r").path("~/orders/[0-9]+"),
        ],
        vec![route("x").path("/*").header("x-k", exact("1")), route("r")],
    ];
    for routes in reachable {
        assert_eq!(warnings(routes), [""; 0]);
    }
    let one_of_two = vec![
        route("o").path("/o/*"),
        route("r").path("~/o/[0-9]+").path("~/p/[0-9]+"),
    ];
    assert_eq!(
        warnings(one_of_two),
        ["route `r` can never match by host `*` and ~/o/[0-9]+: `o` takes those requests"]
    );
}

#[test]
fn contradictions_and_repetitions_are_found() {
    let contradiction = route("r")
        .path("/a")
        .header("x-k", exact("1"))
        .header("x-k", ValueMatch::Absent);
    assert_eq!(
        warnings(vec![contradiction]),
        ["route `r` can never match: its own conditions contradict each other"]
    );
    let nothing = route("r")
        .path("/a")
        .query("q", ValueMatch::OneOf(Vec::new()));
    assert_eq!(warnings(vec![nothing]).len(), 1);
    let twice = route("r")
        .host("A.b")
        .host("a.b:80")
        .path("/a/*")
        .path("/a/{rest..}");
    assert_eq!(
        warnings(vec![twice]),
        [
            "route `r` already has what `a.b` says",
            "route `r` already has what `/a/{rest..}` says"
        ]
    );
}

#[test]
fn expressions_that_only_their_names_put_in_order_are_found() {
    let routes = vec![
        route("b").path("~/[ab]x?"),
        route("a").path("~/[bc]y?"),
        route("c").path("~/[zZ]y?"),
    ];
    let router = router(routes);
    assert_eq!(
        router.warnings(),
        [Warning::RegexOrder {
            first: "a".into(),
            second: "b".into(),
            example: "/b".into()
        }]
    );
    common::expect(&router, &[("GET h/b", "a"), ("GET h/a", "b")]);
}

fn verdicts(router: &Router, request: &Request) -> Vec<(String, Verdict)> {
    router
        .explain(&request.as_query())
        .into_iter()
        .map(|c| (c.name.to_string(), c.verdict))
        .collect()
}

#[test]
fn every_candidate_is_explained_in_order() {
    let router = router(vec![
        route("put")
            .host("a.b")
            .path("/x/{id}")
            .methods("PUT")
            .header("x-k", exact("1"))
            .listener(7),
        route("more")
            .host("a.b")
            .path("/x/{id}")
            .query("q", exact("a b")),
        route("won").host("a.b").path("/x/{id}").host("*.b"),
        route("head").host("a.b").path("/x/*"),
        route("regex").host("a.b").path("~/x/1"),
        route("host").host("*.b").path("/x/1"),
        route("elsewhere").path("/y"),
    ]);
    let found = verdicts(&router, &request("GET a.b/x/1?q=c+d"));
    let outranked = |because| Verdict::Outranked {
        by: "won".into(),
        because,
    };
    let failed = |reasons| Verdict::Failed { reasons };
    let method = Reason::Method {
        method: "GET".into(),
        wanted: "PUT".into(),
    };
    let header = Reason::Header {
        name: http::HeaderName::from_static("x-k"),
        wanted: "is `1`".into(),
        found: None,
    };
    let parameter = Reason::Parameter {
        name: "q".into(),
        wanted: "is `a b`".into(),
        found: Some("c d".into()),
    };
    let listener = Reason::Listener { listener: 0 };
    let wanted = [
        ("put", failed(vec![listener, method, header])),
        ("more", failed(vec![parameter])),
        (
            "won",
            Verdict::Won {
                params: vec![("id".into(), "1".into())],
            },
        ),
        ("head", outranked(Rank::Path)),
        ("regex", outranked(Rank::PathKind)),
        ("host", outranked(Rank::Host)),
    ];
    let wanted: Vec<(String, Verdict)> =
        wanted.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
    assert_eq!(found, wanted);
}

#[test]
fn each_line_of_the_precedence_is_named() {
    let router = router(vec![
        route("get").path("/a").methods("GET"),
        route("head").path("/a").methods("HEAD"),
        route("bare").path("/a"),
        route("long").path("~/bb?"),
        route("short").path("~/b"),
        route("tie").path("~/b{1}").query("q", ValueMatch::Absent),
        route("x1").path("~/[c]"),
        route("x2").path("~/c{1}"),
        route("y1").path("~/[c]x?"),
    ]);
    let lost = |line: &str| -> Vec<(String, Rank)> {
        let rank = |(name, verdict)| match verdict {
            Verdict::Outranked { because, .. } => Some((name, because)),
            _ => None,
        };
        verdicts(&router, &request(line))
            .into_iter()
            .filter_map(rank)
            .collect()
    };
    assert_eq!(
        lost("HEAD h/a"),
        [
            ("get".to_owned(), Rank::Head),
            ("bare".to_owned(), Rank::Conditions)
        ]
    );
    assert_eq!(
        lost("GET h/b"),
        [
            ("long".to_owned(), Rank::RegexLength),
            ("short".to_owned(), Rank::RegexLength)
        ]
    );
    assert_eq!(
        lost("GET h/c"),
        [
            ("x2".to_owned(), Rank::RegexLength),
            ("x1".to_owned(), Rank::RegexLength)
        ]
    );
}

#[test]
fn explanations_read_as_sentences() {
    let router = router(vec![
        route("get")
            .host("*.b")
            .path("/x/{id}")
            .methods("GET PUT")
            .query("q", ValueMatch::Present),
        route("won").path("/x/{id}"),
        route("rest"),
    ]);
    let lines: Vec<String> = router
        .explain(&request("POST a.b/x/1").as_query())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        lines,
        [
            "`get` (host `*.b`, /x/{id}) does not match: the method is POST, and the route takes GET, HEAD, PUT; \
             the route wants that query parameter `q` is present, and the request has none",
            "`won` (host `*`, /x/{id}) takes the request",
            "`rest` (host `*`, any path) goes after `won`, which has the more specific kind of path",
        ]
    );
}
