//! A match allocates nothing. One test in this binary: the counter is global.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "router/common.rs"]
mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::{exact, regex, request, route, router};
use lintel_router::{Outcome, ValueMatch};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system allocator unchanged; the counter is a thread-local without destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_match_allocates_nothing() {
    let mut routes = vec![
        route("exact").host("api.example.com").path("/health"),
        route("prefix")
            .host("*.example.com")
            .path("/orders/*")
            .methods("GET POST"),
        route("params").path("/u/{a}/{b}/{c}/{d}"),
        route("header")
            .path("/h")
            .header("x-t", exact("1"))
            .header("x-p", regex("[0-9]+")),
        route("query")
            .path("/q")
            .query("a b", ValueMatch::OneOf(vec!["x".into(), "y z".into()])),
        route("regex").path("~/v[0-9]+/.*"),
        route("listener").path("/l").listener(3),
    ];
    for i in 0..50 {
        let name: &'static str = format!("tenant{i}").leak();
        routes.push(route(name).path("/t").header("x-tenant", exact(name)));
    }
    let router = router(routes);
    let cases = [
        (request("GET api.example.com/health"), "exact"),
        (request("GET a.b.example.com/orders/1/2"), "prefix"),
        (request("GET h/u/1/2/3/4"), "params a=1 b=2 c=3 d=4"),
        (
            request("GET h/h").header("x-t", "1").header("x-p", "42"),
            "header",
        ),
        (request("GET h/q?z&a+b=y%20z"), "query"),
        (request("GET h/v1/x"), "regex"),
        (request("GET h/l").listener(3), "listener"),
        (request("GET h/t").header("x-tenant", "tenant7"), "tenant7"),
        (
            request("GET h/t")
                .header("x-tenant", "tenant")
                .header("x-tenant", "7"),
            "404",
        ),
        (request("GET h/nothing/here"), "404"),
        (request("PUT x.example.com/orders"), "405 GET, HEAD, POST"),
    ];
    for (case, wanted) in &cases {
        assert_eq!(common::answer(&router, case), *wanted);
        let query = case.as_query();
        let before = COUNT.get();
        let outcome = router.find(&query);
        let value = match &outcome {
            Outcome::Matched { params, .. } => params.get(&router, query.path, "d"),
            _ => None,
        };
        assert_eq!(COUNT.get() - before, 0, "{wanted}");
        assert_eq!(value, wanted.contains("d=4").then_some("4"), "{wanted}");
    }
}
