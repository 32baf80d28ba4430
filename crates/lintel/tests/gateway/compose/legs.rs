//! What a leg of a composition can be, beside a request for JSON: calls of gRPC, answered by grpcio
//! for Python.

use std::path::Path;

use lintel_testkit::{Answer, Client, Origin, Reply, until};
use serde_json::{Value, json};

use crate::support::{Gateway, Peer, text, with_routes};

fn protos() -> String {
    text(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/protos"))
}

/// A route `/home` that composes, of services with what is said of them.
pub(crate) fn yaml(services: &[(&str, &str, &str)], compose: &str) -> String {
    let services: Vec<String> = services
        .iter()
        .map(|(name, url, more)| format!("{name}: {{ endpoints: [\"{url}\"]{more} }}"))
        .collect();
    with_routes(&format!(
        "services: {{ {} }}\n\
         routes:\n  home:\n    match: {{ path: /home }}\n    timeout: 10s\n    policies: {{ access_log: {{}} }}\n    \
         to:\n      compose:\n{compose}",
        services.join(", ")
    ))
}

pub(crate) fn value(reply: &Reply) -> Value {
    serde_json::from_str(&reply.text()).unwrap_or_else(|error| panic!("{error}: {}", reply.text()))
}

struct Library {
    server: Peer,
    gateway: Gateway,
}

impl Library {
    /// A composition whose legs may ask `library`, and `other`.
    fn start(other: &str, compose: &str) -> Self {
        let server = Peer::start("library_server.py", &[&protos()]);
        let known = format!(
            ", protocol: grpc, descriptors: [\"{}/library.proto\"]",
            protos()
        );
        Self::knowing(server, &known, other, compose)
    }

    fn knowing(server: Peer, known: &str, other: &str, compose: &str) -> Self {
        let url = format!("http://127.0.0.1:{}", server.port());
        let services = [("library", &*url, known), ("other", other, "")];
        let gateway = Gateway::start(&yaml(&services, compose));
        Self { server, gateway }
    }

    fn client(&self) -> Client {
        self.gateway.client()
    }

    fn get(&self, target: &str) -> Reply {
        self.client().get(target)
    }
}

const BOOK: &str = "grpc: library.v1.Library/GetBook";

#[test]
fn a_leg_calls_a_method() {
    let other =
        Origin::saying("{\"shelf\":\"1\",\"kinds\":[\"NOVEL\",2],\"isbn\":9007199254740993}");
    let compose = format!(
        "        legs:\n          \
           where: {{ service: other, get: /where }}\n          \
           book: {{ service: library, {BOOK}, message: {{ name: \"shelves/${{legs.where.body.shelf}}/books/2\", isbn: \"${{legs.where.body.isbn}}\" }} }}\n          \
           list: {{ service: library, grpc: library.v1.Library/ListBooks, message: {{ parent: \"${{request.query[\\\"shelf\\\"]}}\", page_size: 1, kinds: \"${{legs.where.body.kinds}}\" }} }}\n          \
           made: {{ service: library, grpc: library.v1.Library/CreateBook, body: '{{ parent: .where.shelf, book: {{ title: .book.title, labels: {{ a: \"ü\" }} }} }}', json: {{ proto_names: true, defaults: true }} }}\n          \
           packed: {{ service: library, {BOOK}, message: {{ name: shelves/gzip/books/1 }} }}\n          \
           each: {{ service: library, {BOOK}, for_each: '[7, \"8\"]', message: {{ isbn: \"${{item}}\" }} }}\n          \
           nothing: {{ service: library, {BOOK} }}\n"
    );
    let library = Library::start(&other.url(), &compose);
    let reply = library.get("/home");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let got = value(&reply);
    assert_eq!(
        got["book"],
        json!({"name": "shelves/1/books/2", "title": "T", "isbn": "9007199254740993", "kind": "NOVEL", "labels": {"a": "b"}, "published": "1970-01-01T00:00:01Z"})
    );
    assert_eq!(
        got["list"],
        json!({"books": [{"title": "/0"}], "nextPageToken": "NOVEL,ATLAS"})
    );
    assert_eq!(got["made"]["name"], "1/books/1");
    assert_eq!(got["made"]["labels"], json!({"a": "ü"}));
    assert_eq!(got["made"]["authors"], json!([]));
    assert_eq!(got["packed"]["title"], "T");
    assert_eq!(
        (&got["each"][0]["isbn"], &got["each"][1]["isbn"]),
        (&json!("7"), &json!("8"))
    );
    assert_eq!(got["nothing"]["title"], "T");
    let shelf = value(&library.get("/home?shelf=s"));
    assert_eq!(shelf["list"]["books"], json!([{"title": "s/0"}]));
    let log = until("it is logged", || {
        library.gateway.stdout().lines().next().map(str::to_owned)
    });
    let line: Value = serde_json::from_str(&log).unwrap();
    let book = &line["legs"][0];
    assert_eq!(
        (&book["leg"], &book["status"]),
        (&json!("book"), &json!(200))
    );
}

#[test]
fn codes_become_reasons_or_values() {
    let failing = |name: &str, shelf: &str, more: &str| {
        format!(
            "          {name}: {{ service: library, {BOOK}, message: {{ name: shelves/{shelf}/books/10000 }}, {more} }}\n"
        )
    };
    let compose = [
        "        legs:\n".to_owned(),
        failing("null", "missing", "expect: { 404: 1, NOT_FOUND: null }"),
        failing("by_number", "missing", "expect: { 404: [] }"),
        failing(
            "other",
            "missing",
            "expect: { ABORTED: null }, optional: true",
        ),
        failing("broken", "broken", "fallback: 7"),
        failing("slow", "slow", "timeout: 300ms, optional: true"),
        failing("huge", "large", "max_body: 5000B, optional: true"),
        "        status: legs.null.status\n".to_owned(),
    ]
    .concat();
    let library = Library::start(&Origin::nobody(), &compose);
    let reply = library.get("/home");
    assert_eq!(reply.status, 404, "{}", reply.text());
    assert_eq!(
        value(&reply),
        json!({"broken": 7, "by_number": [], "huge": null, "null": null, "other": null, "slow": null})
    );
    assert_eq!(
        reply.header("x-partial"),
        Some("broken=status, huge=too_large, other=status, slow=timeout")
    );
    // The call that took too long was given up.
    library.server.until_said("cancelled");
    let log = until("it is logged", || {
        library.gateway.stdout().lines().next().map(str::to_owned)
    });
    assert!(log.contains("the call ended with not_found"), "{log}");
    assert!(log.contains("the call ended with internal"), "{log}");
}

#[test]
fn the_service_is_told_the_deadline_and_what_is_to_go_along() {
    let shown = |name: &str, shelf: &str, more: &str| {
        format!(
            "          {name}: {{ service: library, {BOOK}, message: {{ name: shelves/{shelf}/books/1 }}, {more} }}\n"
        )
    };
    let compose = [
        "        forward: [X-Tenant]\n        legs:\n".to_owned(),
        shown("late", "deadline", "timeout: 2s"),
        shown("route", "deadline", ""),
        shown("told", "metadata", "headers: { X-Own: \"${request.method}\" }"),
        shown("one", "metadata", "forward: [Accept-Language]"),
        "        headers: { X-First: \"${legs.told.headers[\\\"x-first\\\"]}\", X-Last: \"${legs.told.headers[\\\"x-last\\\"]}\" }\n".to_owned(),
    ]
    .concat();
    let library = Library::start(&Origin::nobody(), &compose);
    let request = "GET /home HTTP/1.1\r\nHost: a\r\nX-Tenant: t\r\nAccept-Language: de\r\nCookie: a=b\r\ngrpc-timeout: 1S\r\n\r\n";
    let reply = library.client().send(request).reply();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let got = value(&reply);
    let left = |leg: &str| got[leg]["isbn"].as_str().unwrap().parse::<i64>().unwrap();
    assert!((1..=2_000).contains(&left("late")), "{got}");
    assert!((2_001..=10_000).contains(&left("route")), "{got}");
    let told = |leg: &str| got[leg]["authors"].to_string();
    assert!(told("told").contains("\"x-tenant=t\""), "{got}");
    assert!(told("told").contains("\"x-own=GET\""), "{got}");
    assert!(told("told").contains("\"traceparent=00-"), "{got}");
    assert!(!told("told").contains("cookie"), "{got}");
    assert!(!told("told").contains("accept-language"), "{got}");
    assert!(told("one").contains("\"accept-language=de\""), "{got}");
    assert!(!told("one").contains("x-tenant"), "{got}");
    assert_eq!(
        (reply.header("x-first"), reply.header("x-last")),
        (Some("one"), Some("two"))
    );
}

#[test]
fn a_required_leg_that_fails_cancels_calls() {
    let origin = Origin::start(|_| {
        Answer::script(|stream| {
            // Answered when the call has begun: see below.
            let _ = std::io::copy(stream, &mut std::io::sink());
        })
    });
    let compose = format!(
        "        legs:\n          slow: {{ service: library, {BOOK}, message: {{ name: shelves/slow/books/1 }} }}\n          \
         fails: {{ service: other, get: /, timeout: 700ms }}\n        error: {{ json: {{ error: gone }} }}\n"
    );
    let library = Library::start(&origin.url(), &compose);
    let reply = library.get("/home");
    assert_eq!(
        (reply.status, &*reply.text()),
        (503, "{\"error\":\"gone\"}")
    );
    library.server.until_said("cancelled");
}

#[test]
fn what_is_no_answer_of_grpc_is_told_so() {
    let web = Origin::saying("{}");
    let compose = format!(
        "        legs:\n          book: {{ service: web, {BOOK}, optional: true }}\n          filter: {{ service: web, {BOOK}, body: '{{ nome: 1 }}', optional: true }}\n          absent: {{ service: web, {BOOK}, message: {{ name: \"${{claims.sub}}\" }}, optional: true }}\n"
    );
    // Over HTTP/1.1, which this origin speaks; calls are as good there as long as nobody looks.
    let known = format!(
        ", protocol: grpc, descriptors: [\"{}/library.proto\"]",
        protos()
    );
    let gateway = Gateway::start(&yaml(&[("web", &web.url(), &known)], &compose));
    let reply = gateway.get("/home");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let partial = reply.header("x-partial").unwrap();
    assert!(partial.contains("filter=unfit"), "{partial}");
    assert!(partial.contains("absent=no_value"), "{partial}");
    assert!(partial.contains("book=unreachable"), "{partial}");
}

#[test]
fn a_service_with_reflection_says_what_its_methods_are() {
    let server = Peer::start("library_server.py", &[&protos(), "0", "v1"]);
    let compose = format!(
        "        legs:\n          book: {{ service: library, {BOOK}, message: {{ name: shelves/1/books/1 }}, optional: true }}\n          \
         wrong: {{ service: library, grpc: library.v1.Library/GetBok, optional: true }}\n"
    );
    let known = ", protocol: grpc, reflection: {}";
    let library = Library::knowing(server, known, &Origin::nobody(), &compose);
    let partial = until("the methods are known", || {
        let reply = library.get("/home");
        let partial = reply.header("x-partial").unwrap().to_owned();
        (!partial.contains("book=")).then_some((partial, value(&reply)))
    });
    assert_eq!(partial.0, "wrong=unavailable");
    assert_eq!(partial.1["book"]["title"], "T");
    let fault = "leg `wrong`: `grpc`: the service has no method `library.v1.Library/GetBok`";
    library.gateway.until_logged(fault);
}
