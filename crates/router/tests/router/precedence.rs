//! Every line of the documented precedence, every fall-through, and 405.

use super::common::{Route, answer, exact, expect, regex, request, route, router};
use lintel_router::ValueMatch;

#[test]
fn exact_host_beats_longer_wildcard_beats_shorter_beats_any() {
    let router = router(vec![
        route("exact").host("a.b.example.com"),
        route("long").host("*.b.example.com"),
        route("short").host("*.example.com"),
        route("any"),
    ]);
    expect(
        &router,
        &[
            ("GET a.b.example.com/", "exact"),
            ("GET c.b.example.com/", "long"),
            ("GET d.c.b.example.com/", "long"),
            ("GET b.example.com/", "short"),
            ("GET x.example.com/", "short"),
            ("GET x.y.example.com/", "short"),
            ("GET example.com/", "any"),
            ("GET .example.com/", "any"),
            ("GET xexample.com/", "any"),
            ("GET example.com.evil/", "any"),
            ("GET a.b.example.com./", "exact"),
            ("GET x.example.com./", "short"),
            ("GET /", "any"),
        ],
    );
}

#[test]
fn a_port_in_a_host_pattern_is_ignored() {
    let router = router(vec![
        route("v4").host("127.0.0.1:8080"),
        route("v6").host("[::1]:8080"),
    ]);
    expect(
        &router,
        &[
            ("GET 127.0.0.1/", "v4"),
            ("GET [::1]/", "v6"),
            ("GET [::2]/", "404"),
        ],
    );
}

#[test]
fn a_path_without_a_host_loses_to_any_path_with_one() {
    let router = router(vec![
        route("path").path("/orders"),
        route("host").host("a.example"),
    ]);
    expect(
        &router,
        &[
            ("GET a.example/orders", "host"),
            ("GET b.example/orders", "path"),
        ],
    );
}

#[test]
fn paths_are_compared_segment_by_segment() {
    let router = router(vec![
        route("root").path("/"),
        route("exact").path("/users/me"),
        route("param").path("/users/{id}"),
        route("prefix").path("/users/*"),
        route("left").path("/users/{id}/orders"),
        route("deep").path("/users/me/{what..}"),
        route("first").path("/{kind}/me"),
        route("regex").path("~/u.*"),
        route("longer").path("~/user.*"),
        route("none"),
    ]);
    expect(
        &router,
        &[
            ("GET h/", "root"),
            ("GET h/users/me", "exact"),
            ("GET h/users/7", "param id=7"),
            ("GET h/users", "prefix"),
            ("GET h/users/", "prefix"),
            ("GET h/users/7/", "prefix"),
            ("GET h/users/7/orders", "left id=7"),
            ("GET h/users/me/orders", "deep what=orders"),
            ("GET h/users/me/a/b", "deep what=a/b"),
            ("GET h/users/me/", "deep what="),
            ("GET h/users/7/bills", "prefix"),
            ("GET h/things/me", "first kind=things"),
            ("GET h/usersx", "longer"),
            ("GET h/us", "regex"),
            ("GET h/x", "none"),
            ("OPTIONS h*", "none"),
        ],
    );
}

#[test]
fn what_each_path_pattern_takes() {
    let cases = [
        ("/orders", "/orders", true),
        ("/orders", "/orders/", false),
        ("/orders", "/Orders", false),
        ("/orders/", "/orders/", true),
        ("/orders/", "/orders", false),
        ("/orders/*", "/orders", true),
        ("/orders/*", "/orders/", true),
        ("/orders/*", "/orders/1/2", true),
        ("/orders/*", "/ordersx", false),
        ("/*", "/", true),
        ("/*", "/a/b", true),
        ("/{id}", "/", false),
        ("/{id}", "/a", true),
        ("/{id}", "/a/", false),
        ("/{id}/", "/a/", true),
        ("/{a}/{b}", "/a//", false),
        ("/files/{rest..}", "/files", true),
        ("/files/{rest..}", "/files/", true),
        ("/files/{rest..}", "/filesx", false),
        ("/café", "/caf%C3%A9", true),
        ("/caf%c3%a9", "/caf%C3%A9", true),
        ("/%7Eme/%41", "/~me/A", true),
        ("/a b", "/a%20b", true),
        ("~^/v[0-9]+/.*$", "/v1/x", true),
        ("~/v[0-9]+", "/v12", true),
        ("~/v[0-9]+", "/v12/", false),
        ("~/v[0-9]+", "/x/v12", false),
        ("~/a|/b", "/b", true),
        ("~/a|/b", "/bc", false),
        ("~(?m)^/a$", "/a\n/b", false),
        ("~(?i)/ORDERS", "/orders", true),
    ];
    for (pattern, path, wanted) in cases {
        let router = router(vec![route("r").path(pattern)]);
        let mut request = request("GET h/");
        request.path = path.to_owned();
        assert_eq!(
            answer(&router, &request).starts_with('r'),
            wanted,
            "{pattern} on {path}"
        );
    }
}

#[test]
fn named_groups_of_regular_expressions_are_captured() {
    let router = router(vec![
        route("onepass").path("~/v(?<version>[0-9]+)/(?<rest>.*)"),
        route("nfa").path("~/n/(?<a>.*)-(?<b>.*)(?<c>!)?"),
    ]);
    expect(
        &router,
        &[
            ("GET h/v12/a/b", "onepass version=12 rest=a/b"),
            ("GET h/n/x-y-z", "nfa a=x-y b=z"),
        ],
    );
}

#[test]
fn many_parameters_are_all_captured() {
    let router = router(vec![route("r").path("/{a}/{b}/{c}/{d}/{e}/{f..}")]);
    expect(
        &router,
        &[("GET h/1/2/3/4/5/6/7", "r a=1 b=2 c=3 d=4 e=5 f=6/7")],
    );
}

#[test]
fn each_route_of_a_place_has_its_own_parameter_names() {
    let router = router(vec![
        route("get").path("/u/{id}").methods("GET"),
        route("put").path("/u/{name}").methods("PUT"),
    ]);
    expect(
        &router,
        &[("GET h/u/1", "get id=1"), ("PUT h/u/1", "put name=1")],
    );
}

#[test]
fn more_conditions_go_first_and_failing_ones_fall_through() {
    let router = router(vec![
        route("bare").path("/o/{id}"),
        route("get").path("/o/{id}").methods("GET"),
        route("tenant")
            .path("/o/{id}")
            .methods("GET")
            .header("x-tenant", exact("acme")),
        route("debug")
            .path("/o/{id}")
            .methods("GET")
            .header("x-tenant", exact("acme"))
            .query("debug", ValueMatch::Present),
        route("prefix")
            .path("/o/*")
            .header("x-tenant", exact("acme")),
    ]);
    expect(
        &router,
        &[("POST h/o/1", "bare id=1"), ("GET h/o/1", "get id=1")],
    );
    let acme = |line: &str| answer(&router, &request(line).header("x-tenant", "acme"));
    assert_eq!(acme("GET h/o/1"), "tenant id=1");
    assert_eq!(acme("GET h/o/1?x&debug"), "debug id=1");
    assert_eq!(acme("POST h/o/1"), "bare id=1");
    assert_eq!(acme("POST h/o/1/2"), "prefix");
}

#[test]
fn conditions_fall_through_to_less_specific_paths_and_hosts() {
    let router = router(vec![
        route("exact").host("a.b.c").path("/x/y").methods("PUT"),
        route("param").host("a.b.c").path("/x/{p}").methods("POST"),
        route("tail").host("a.b.c").path("/{p}/*").methods("PATCH"),
        route("regex")
            .host("a.b.c")
            .path("~/x/.*")
            .methods("DELETE"),
        route("pathless").host("a.b.c").methods("OPTIONS"),
        route("wildcard").host("*.c").path("/x/y").methods("TRACE"),
        route("any").path("/x/{q}").methods("PURGE"),
    ]);
    expect(
        &router,
        &[
            ("PUT a.b.c/x/y", "exact"),
            ("POST a.b.c/x/y", "param p=y"),
            ("PATCH a.b.c/x/y", "tail p=x"),
            ("DELETE a.b.c/x/y", "regex"),
            ("OPTIONS a.b.c/x/y", "pathless"),
            ("TRACE a.b.c/x/y", "wildcard"),
            ("PURGE a.b.c/x/y", "any q=y"),
            (
                "LOCK a.b.c/x/y",
                "405 POST, PUT, PATCH, DELETE, OPTIONS, TRACE, PURGE",
            ),
            ("GET b.c/x/z", "405 PURGE"),
            ("GET b.c/z", "404"),
        ],
    );
}

#[test]
fn get_implies_head_and_a_named_head_beats_it() {
    let router = router(vec![
        route("get").path("/a").methods("GET"),
        route("get2").path("/b").methods("GET"),
        route("head").path("/b").methods("HEAD POST"),
    ]);
    expect(
        &router,
        &[
            ("HEAD h/a", "get"),
            ("HEAD h/b", "head"),
            ("GET h/b", "get2"),
            ("POST h/a", "405 GET, HEAD"),
            ("PUT h/b", "405 GET, HEAD, POST"),
        ],
    );
}

#[test]
fn allow_counts_only_routes_whose_other_conditions_hold() {
    let router = router(vec![
        route("get").path("/a").methods("GET"),
        route("put")
            .path("/a")
            .methods("PUT")
            .header("x-k", exact("1")),
        route("other").path("/a").methods("PATCH").listener(7),
    ]);
    expect(&router, &[("POST h/a", "405 GET, HEAD")]);
    assert_eq!(
        answer(&router, &request("POST h/a").header("x-k", "1")),
        "405 GET, HEAD, PUT"
    );
    assert_eq!(
        answer(&router, &request("POST h/a").listener(7)),
        "405 GET, HEAD, PATCH"
    );
}

#[test]
fn a_method_that_fails_together_with_a_header_is_404() {
    let router = router(vec![
        route("r")
            .path("/a")
            .methods("PUT")
            .header("x-k", exact("1")),
    ]);
    expect(&router, &[("GET h/a", "404"), ("PUT h/a", "404")]);
}

#[test]
fn listeners_hide_routes() {
    let router = router(vec![
        route("one").path("/a").listener(1),
        route("two").path("/a").listener(2).listener(3),
        route("all").path("/b"),
    ]);
    let on = |listener, line: &str| answer(&router, &request(line).listener(listener));
    assert_eq!(on(1, "GET h/a"), "one");
    assert_eq!(on(2, "GET h/a"), "two");
    assert_eq!(on(3, "GET h/a"), "two");
    assert_eq!(on(4, "GET h/a"), "404");
    assert_eq!(on(4, "GET h/b"), "all");
}

fn one(value: ValueMatch) -> (lintel_router::Router, lintel_router::Router) {
    let header = |r: Route, v| r.path("/a").header("x-k", v);
    let query = |r: Route, v| r.path("/a").query("k y", v);
    (
        router(vec![header(route("r"), value.clone())]),
        router(vec![query(route("r"), value)]),
    )
}

#[test]
fn values_of_headers_and_parameters() {
    let listed = || ValueMatch::OneOf(vec!["1".into(), "2".into()]);
    let cases = [
        (exact("a&b"), "a&b", true),
        (exact("a"), "A", false),
        (exact("a"), "ab", false),
        (exact("ab"), "a", false),
        (exact(""), "", true),
        (listed(), "2", true),
        (listed(), "3", false),
        (ValueMatch::Prefix("v1".into()), "v1.2", true),
        (ValueMatch::Prefix("v1".into()), "v", false),
        (regex("v[0-9]"), "v1", true),
        (regex("v[0-9]"), "v12", false),
        (regex("a+b"), "aab", true),
        (ValueMatch::Present, "", true),
        (ValueMatch::Absent, "", false),
    ];
    for (wanted, value, holds) in cases {
        let (header, query) = one(wanted.clone());
        let line = request("GET h/a").header("x-k", value);
        assert_eq!(
            answer(&header, &line) == "r",
            holds,
            "header {wanted} {value}"
        );
        let escaped: String = value.bytes().map(|b| format!("%{b:02x}")).collect();
        let line = request(&format!("GET h/a?x=1&k+%79={escaped}&k+y=other"));
        assert_eq!(
            answer(&query, &line) == "r",
            holds,
            "query {wanted} {value}"
        );
    }
    let (header, query) = one(ValueMatch::Absent);
    expect(&header, &[("GET h/a", "r")]);
    expect(
        &query,
        &[
            ("GET h/a", "r"),
            ("GET h/a?", "r"),
            ("GET h/a?ky", "r"),
            ("GET h/a?k%20y", "404"),
        ],
    );
}

#[test]
fn a_parameter_counts_with_its_first_value_and_odd_escapes_are_literal() {
    let router = router(vec![route("r").path("/a").query("k", exact("1 %+%z"))]);
    expect(
        &router,
        &[
            ("GET h/a?k=1+%%2B%z", "r"),
            ("GET h/a?&&k=1+%%2b%z&k=2", "r"),
            ("GET h/a?k=2&k=1+%%2B%z", "404"),
            ("GET h/a?k", "404"),
        ],
    );
}

#[test]
fn several_lines_of_a_header_are_one_value() {
    for value in [
        exact("a, b"),
        ValueMatch::Prefix("a, ".into()),
        regex("a, b"),
    ] {
        let (router, _) = one(value);
        let both = request("GET h/a").header("x-k", "a").header("x-k", "b");
        assert_eq!(answer(&router, &both), "r");
        let one = request("GET h/a").header("x-k", "a");
        assert_eq!(answer(&router, &one), "404");
    }
    let (router, _) = one(exact("a"));
    let both = request("GET h/a").header("x-k", "a").header("x-k", "b");
    assert_eq!(answer(&router, &both), "404");
}

#[test]
fn a_place_with_many_tenants_finds_each_and_keeps_the_order() {
    let tenants = (0..500).map(|i| {
        let name: &'static str = format!("t{i}").leak();
        route(name).path("/a").header("x-tenant", exact(name))
    });
    let mut routes: Vec<Route> = tenants.collect();
    routes.push(
        route("prefix")
            .path("/a")
            .header("x-tenant", ValueMatch::Prefix("t7".into()))
            .methods("PUT"),
    );
    routes.push(route("rest").path("/a"));
    let router = router(routes);
    let as_tenant =
        |tenant: &str, line: &str| answer(&router, &request(line).header("x-tenant", tenant));
    assert_eq!(as_tenant("t7", "GET h/a"), "t7");
    assert_eq!(as_tenant("t7", "PUT h/a"), "prefix");
    assert_eq!(as_tenant("t499", "GET h/a"), "t499");
    assert_eq!(as_tenant("t500", "GET h/a"), "rest");
    assert_eq!(as_tenant("t4999", "GET h/a"), "rest");
    expect(&router, &[("GET h/a", "rest")]);
}

#[test]
fn a_thousand_regular_expressions_match_in_order() {
    let routes = (0..1000).map(|i| {
        let name: &'static str = format!("r{i:04}").leak();
        route(name).path(&format!("~/v[0-9]/s{i:04}/.*"))
    });
    let router = router(routes.chain([route("short").path("~/v1/.*")]).collect());
    expect(
        &router,
        &[
            ("GET h/v1/s0000/x", "r0000"),
            ("GET h/v9/s0999/", "r0999"),
            ("GET h/v1/s1000/", "short"),
            ("GET h/v2/s1000/", "404"),
        ],
    );
}

#[test]
fn expressions_that_explode_together_are_matched_apart() {
    let routes = (0..24).map(|i| {
        let name: &'static str = format!("r{i:02}").leak();
        route(name).path(&format!("~/.*/f{i:02}/.*"))
    });
    let router = router(routes.collect());
    expect(
        &router,
        &[
            ("GET h/x/f07/y", "r07"),
            ("GET h/x/f23/f22/y", "r22"),
            ("GET h/x/f24/y", "404"),
        ],
    );
}
