//! REST in front of a gRPC service that others wrote: grpcio for Python, with messages by protoc.

use std::path::{Path, PathBuf};

use lintel_testkit::{Client, Origin, Reply, until};
use serde_json::{Value, json};

use crate::support::{Gateway, Peer, with_routes};

struct Library {
    server: Peer,
    gateway: Gateway,
}

fn protos() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/protos")
}

fn configuration(url: &str, more: &str) -> String {
    let file = protos().join("library.proto");
    with_routes(&format!(
        "services: {{ library: {{ endpoints: [\"{url}\"], protocol: grpc, descriptors: [\"{}\"] }} }}\n\
         routes:\n  library:\n    match: {{ path: \"/*\" }}\n    timeout: 5s\n    \
         policies: {{ access_log: {{ to: stdout }} }}\n    \
         to: {{ grpc: {{ service: library, max_message: 1MiB, {more} }} }}",
        file.display()
    ))
}

impl Library {
    fn start() -> Self {
        Self::with("")
    }

    fn with(more: &str) -> Self {
        let server = Peer::start("library_server.py", &[&protos().display().to_string()]);
        let url = format!("http://127.0.0.1:{}", server.port());
        let gateway = Gateway::start(&configuration(&url, more));
        Self { server, gateway }
    }

    fn client(&self) -> Client {
        self.gateway.client()
    }

    fn get(&self, target: &str) -> Reply {
        self.client().get(target)
    }

    fn send(&self, method: &str, target: &str, body: &str) -> Reply {
        let length = body.len();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        self.client().send(head).reply()
    }
}

fn value(reply: &Reply) -> Value {
    serde_json::from_str(&reply.text()).unwrap_or_else(|error| panic!("{error}: {}", reply.text()))
}

fn is(reply: &Reply, status: u16, media: &str) -> Value {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some(media));
    value(reply)
}

fn answer(reply: &Reply) -> Value {
    is(reply, 200, "application/json")
}

fn problem(reply: &Reply, status: u16) -> Value {
    is(reply, status, "application/problem+json")
}

#[test]
fn requests_become_calls() {
    let library = Library::start();
    let book = json!({"name": "shelves/1/books/2", "title": "T", "kind": "NOVEL", "labels": {"a": "b"}, "published": "1970-01-01T00:00:01Z"});
    assert_eq!(answer(&library.get("/v1/shelves/1/books/2")), book);
    let head = library
        .client()
        .send("HEAD /v1/shelves/1/books/2 HTTP/1.1\r\nHost: test\r\n\r\n")
        .reply_to_head();
    assert_eq!((head.status, head.text()), (200, String::new()));
    let isbn = answer(&library.get("/v1/isbn/9223372036854775807"));
    assert_eq!(isbn["isbn"], "9223372036854775807");
    assert_eq!(
        answer(&library.get("/v1/shelves/1/books?pageSize=2&kinds=NOVEL&kinds=2")),
        json!({"books": [{"title": "shelves/1/0"}, {"title": "shelves/1/1"}], "nextPageToken": "NOVEL,ATLAS"})
    );
    assert_eq!(
        answer(&library.send(
            "POST",
            "/v1/shelves/1/books",
            r#"{"title": "Ü", "authors": ["A", "B"]}"#
        )),
        json!({"name": "shelves/1/books/1", "title": "Ü", "authors": ["A", "B"]})
    );
    assert_eq!(
        answer(&library.send(
            "PATCH",
            "/v1/shelves/1/books/2?updateMask=title,publishedAt",
            r#"{"isbn": 5}"#
        )),
        json!({"name": "shelves/1/books/2", "title": "title,published_at", "isbn": "5"})
    );
    let cover = library.get("/v1/shelves/1/books/2/cover");
    assert_eq!(cover.header("content-type"), Some("image/svg+xml"));
    assert_eq!(cover.text(), "<svg/>");
    assert_eq!(
        answer(&library.get("/v1/shelves/gzip/books/2"))["title"],
        "T"
    );
}

#[test]
fn what_does_not_fit_is_refused_before_the_service_hears_of_it() {
    let library = Library::start();
    let told = |reply: &Reply, status| {
        problem(reply, status)["detail"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        told(
            &library.send("POST", "/v1/shelves/1/books", r#"{"authors": ["A", 1]}"#),
            400
        ),
        "Body: `/authors/1`: a string is expected, and a number is there."
    );
    assert_eq!(
        told(&library.get("/v1/shelves/1/books?page_size=many"), 400),
        "Parameter `page_size`: an integer is expected."
    );
    assert_eq!(
        told(&library.get("/v1/nothing"), 404),
        "There is nothing at this path."
    );
    let other = library.send("DELETE", "/v1/shelves/1/books/2", "");
    problem(&other, 405);
    assert_eq!(other.header("allow"), Some("GET, PATCH"));
    let xml = "POST /v1/shelves/1/books HTTP/1.1\r\nHost: test\r\nContent-Type: text/xml\r\nContent-Length: 4\r\n\r\n<a/>";
    problem(&library.client().send(xml).reply(), 415);
    let chunked = "POST /v1/shelves/1/books HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n\
                   9\r\n{\"title\":\r\n4\r\n\"T\"}\r\n0\r\n\r\n";
    assert_eq!(
        answer(&library.client().send(chunked).reply())["title"],
        "T"
    );
    let waiting = "POST /v1/shelves/1/books HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    let mut client = library.client();
    assert_eq!(client.send(waiting).head().unwrap().0, 100);
    assert_eq!(client.send("{}").reply().status, 200);
}

#[test]
fn unknown_names_may_be_passed_over() {
    let library = Library::with(
        "unknown: ignore, json: { defaults: true, proto_names: true, enum_numbers: true }",
    );
    let book = library.send(
        "POST",
        "/v1/shelves/1/books?utm=1",
        r#"{"nothing": [1, {}], "kind": "POEM"}"#,
    );
    assert_eq!(
        answer(&book),
        json!({"name": "shelves/1/books/1", "title": "", "authors": [], "isbn": "0", "kind": 0, "labels": {}})
    );
}

#[test]
fn errors_become_problem_details() {
    let library = Library::start();
    let missing = problem(&library.get("/v1/shelves/missing/books/2"), 404);
    assert_eq!(missing["detail"], "no bücher, 100%");
    assert_eq!(missing["code"], "not_found");
    assert_eq!(missing["grpc_status"], 5);
    assert_eq!(
        missing["details"],
        json!([
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "NO_BOOK", "domain": "library", "metadata": {"shelf": "missing"}},
            {"@type": "type.googleapis.com/nobody.Knows", "value": "AQI="},
        ])
    );
    let broken = problem(&library.get("/v1/shelves/broken/books/2"), 500);
    assert_eq!(broken["code"], "internal");
    assert_eq!(broken.get("details"), None);
    // Larger than what the route takes.
    assert_eq!(
        answer(&library.get("/v1/shelves/large/books/1000000"))["title"]
            .as_str()
            .unwrap()
            .len(),
        1_000_000
    );
    assert_eq!(
        problem(&library.get("/v1/shelves/large/books/1100000"), 502)["code"],
        "invalid_answer"
    );
    until("the cause is logged", || {
        let logged = library.gateway.stdout();
        logged
            .contains("a message is larger than the limit")
            .then_some(())
    });
}

#[test]
fn metadata_passes_both_ways() {
    let library = Library::start();
    let request = "GET /v1/shelves/metadata/books/2 HTTP/1.1\r\nHost: test\r\nX-Tenant: acme\r\nX-Data-Bin: AP8\r\n\
                   Grpc-Timeout: 1n\r\nGrpc-Encoding: none\r\nAccept: */*\r\nAccept-Encoding: br\r\nTE: gzip\r\n\
                   Authorization: Bearer t\r\nGrpc-Metadata-Authorization: forged\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n";
    let reply = library.client().send(request).reply();
    let seen = answer(&reply)["authors"].to_string();
    for there in [
        "x-tenant=acme",
        r"x-data-bin=b'\\x00\\xff'",
        "authorization=Bearer t",
        "traceparent=",
    ] {
        assert!(seen.contains(there), "{there}: {seen}");
    }
    for absent in ["accept", "forged", "grpc-", "x-hop", "x-request-deadline"] {
        assert!(!seen.contains(absent), "{absent}: {seen}");
    }
    assert_eq!(reply.header("x-first"), Some("one"));
    assert_eq!(reply.header("x-bin"), Some("AP8"));
    assert_eq!(reply.header("x-last"), Some("two"));
    assert_eq!(reply.header("grpc-status"), None);
}

#[test]
fn the_service_learns_how_long_is_left() {
    let library = Library::start();
    let left: i64 = answer(&library.get("/v1/shelves/deadline/books/2"))["isbn"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=5_000).contains(&left), "{left}");
    let late = library.gateway.client().get("/v1/shelves/slow/books/2");
    assert_eq!(problem(&late, 504)["status"], 504);
    library.server.until_said("cancelled");
}

#[test]
fn a_client_that_leaves_ends_its_call() {
    let library = Library::start();
    let mut client = library.client();
    client.request("GET", "/v1/shelves/slow/books/2");
    library.server.until_said("waiting");
    drop(client);
    library.server.until_said("cancelled");
}

fn stream(library: &Library, target: &str, accept: &str) -> Reply {
    let request = format!("GET {target} HTTP/1.1\r\nHost: test\r\nAccept: {accept}\r\n\r\n");
    library.client().send(request).reply()
}

#[test]
fn streams_of_the_service_take_the_form_that_the_client_likes() {
    let library = Library::start();
    let target = "/v1/shelves/1/books:watch?count=2";
    let array = stream(&library, target, "application/json");
    assert_eq!(
        answer(&array),
        json!([{"title": "book\n0"}, {"title": "book\n1"}])
    );
    let lines = stream(&library, target, "application/x-ndjson");
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(
        lines.text(),
        "{\"title\":\"book\\n0\"}\n{\"title\":\"book\\n1\"}\n"
    );
    let events = stream(&library, target, "text/event-stream");
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    assert_eq!(
        events.text(),
        "data: {\"title\":\"book\\n0\"}\n\ndata: {\"title\":\"book\\n1\"}\n\n"
    );
    assert_eq!(
        answer(&stream(&library, "/v1/shelves/1/books:watch", "*/*")),
        json!([])
    );
    let missing = stream(
        &library,
        "/v1/shelves/missing/books:watch",
        "text/event-stream",
    );
    assert_eq!(problem(&missing, 404)["detail"], "no shelf");
}

#[test]
fn a_stream_that_fails_says_so_and_breaks_off() {
    let library = Library::start();
    let mut client = library.client();
    client.send("GET /v1/shelves/failing/books:watch?count=1 HTTP/1.1\r\nHost: test\r\nAccept: application/x-ndjson\r\n\r\n");
    assert_eq!(client.head().unwrap().0, 200);
    let seen = client.bytes_until("}]}}\n\r\n");
    assert!(
        seen.contains("\"detail\":\"gone\"") && seen.contains("\"reason\":\"NO_BOOK\""),
        "{seen}"
    );
    assert!(client.is_closed());
    // An array that is not complete is not closed.
    let mut client = library.client();
    client.send("GET /v1/shelves/failing/books:watch?count=1 HTTP/1.1\r\nHost: test\r\n\r\n");
    assert!(!client.reply().complete);
}

#[test]
fn messages_of_a_stream_come_when_they_are_sent() {
    let library = Library::start();
    let mut client = library.client();
    client.send("GET /v1/shelves/endless/books:watch?count=2 HTTP/1.1\r\nHost: test\r\nAccept: text/event-stream\r\n\r\n");
    client.bytes_until("book\\n1\"}\n\n");
    library.server.until_said("waiting");
    drop(client);
    library.server.until_said("cancelled");
}

#[test]
fn streams_of_the_client_are_lines() {
    let library = Library::start();
    let lines = "{\"title\": \"a\"}\n\n{\"title\":\n{\"title\": \"b\"}";
    let refused = library.send("POST", "/v1/shelves/7/books:import", lines);
    assert_eq!(
        problem(&refused, 400)["detail"],
        "Line 3 of the body: Body: `/title`: a string is expected, and the text ends."
    );
    library.server.until_said("broken off");
    let lines = "{\"title\": \"a\"}\r\n\n  \n{}\n{\"title\": \"b\"}";
    assert_eq!(
        answer(&library.send("POST", "/v1/shelves/7/books:import", lines)),
        json!({"books": 3, "titles": ["a", "", "b"], "parent": "shelves/7"})
    );
    let both = library.send(
        "POST",
        "/v1/books:check",
        "{\"title\": \"a\"}\n{\"title\": \"b\"}\n",
    );
    assert_eq!(answer(&both), json!([{"title": "a"}, {"title": "b"}]));
}

#[test]
fn callers_that_speak_grpc_pass_as_they_are() {
    let library = Library::start();
    let port = library.gateway.public().port().to_string();
    Peer::run("grpc_client.py", &["library", &port]);
}

#[test]
fn an_answer_that_is_not_grpc_is_a_bad_gateway() {
    let origin = Origin::saying("{}");
    let url = origin.url();
    let gateway = Gateway::start(&configuration(&url, ""));
    // The origin speaks HTTP/1.1 alone.
    let reply = gateway.client().get("/v1/shelves/1/books/2");
    assert!(matches!(problem(&reply, 502)["status"], Value::Number(_)));
    let down = Gateway::start(&configuration(&Origin::nobody(), ""));
    problem(&down.client().get("/v1/shelves/1/books/2"), 502);
}

#[test]
fn grpc_web_is_grpc_for_the_service() {
    let server = Peer::start("grpc_server.py", &[]);
    let gateway = Gateway::start(&with_routes(&format!(
        "services: {{ probe: {{ endpoints: [\"http://127.0.0.1:{}\"], protocol: grpc }} }}\n\
         routes: {{ probe: {{ match: {{ path: \"/*\" }}, timeout: 5s, to: {{ grpc: {{ service: probe, web: true }} }} }} }}",
        server.port()
    )));
    Peer::run(
        "grpc_web_client.py",
        &[&gateway.public().port().to_string()],
    );
}

#[test]
fn what_is_exposed_can_be_fetched() {
    let library = Library::with("openapi: /v1/openapi.json");
    let document = answer(&library.get("/v1/openapi.json"));
    assert_eq!(document["openapi"], "3.1.0");
    let get = &document["paths"]["/v1/shelves/{shelves}/books/{books}"]["get"];
    assert_eq!(get["operationId"], "GetBook_get_v1_name_shelves_books");
    assert_eq!(get["parameters"][0]["name"], "shelves");
    let book = json!({"$ref": "#/components/schemas/library.v1.Book"});
    assert_eq!(
        get["responses"]["200"]["content"]["application/json"]["schema"],
        book
    );
    let list = &document["paths"]["/v1/shelves/{shelves}/books"];
    let names: Vec<&Value> = list["get"]["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["shelves", "pageSize", "pageToken", "kinds"]);
    assert_eq!(
        list["post"]["requestBody"]["content"]["application/json"]["schema"],
        book
    );
    let properties = &document["components"]["schemas"]["library.v1.Book"]["properties"];
    assert_eq!(
        properties["isbn"],
        json!({"type": "string", "format": "int64"})
    );
    assert_eq!(
        properties["kind"]["enum"],
        json!(["KIND_UNSPECIFIED", "NOVEL", "ATLAS"])
    );
    assert_eq!(properties["published"]["format"], "date-time");
    assert!(document["paths"]["/v1/books:check"]["post"]["requestBody"]["content"]["application/x-ndjson"].is_object());
}

#[test]
fn whatever_a_service_answers_the_client_gets_a_status() {
    let server = Peer::start("hostile_grpc_server.py", &[]);
    let url = format!("http://127.0.0.1:{}", server.port());
    let yaml = configuration(&url, "").replace("timeout: 5s", "timeout: 1s");
    let gateway = Gateway::start(&yaml);
    for (shelf, status) in [
        ("fine", 200),
        ("html", 502),
        ("down", 503),
        ("nothing", 502),
        ("garbage", 502),
        ("text", 502),
        ("flag", 502),
        ("huge", 502),
        ("cut", 502),
        ("two", 502),
        ("none", 502),
        ("unending", 502),
        ("encoding", 502),
        ("unnamed", 502),
        ("bomb", 502),
        ("odd", 500),
        ("reset", 502),
        ("waiting", 504),
        // The gateway is as it was.
        ("fine", 200),
    ] {
        let reply = gateway
            .client()
            .get(&format!("/v1/shelves/{shelf}/books/1"));
        assert_eq!(reply.status, status, "{shelf}: {}", reply.text());
        assert!(
            !reply.text().contains("10.0.0.7"),
            "{shelf}: {}",
            reply.text()
        );
        value(&reply);
    }
}

#[test]
fn a_fallback_gets_what_the_client_sent() {
    let another = Origin::saying("{}");
    let yaml = configuration(&Origin::nobody(), "").replace(
        "services: {",
        &format!(
            "services: {{ another: {{ endpoints: [\"{}\"] }},",
            another.url()
        ),
    );
    let yaml = format!("{yaml}\n    fallback: {{ service: another }}\n");
    let gateway = Gateway::start(&yaml);
    let request = "POST /v1/shelves/1/books?x HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
                   Content-Length: 13\r\n\r\n{\"title\":\"T\"}";
    let refused = gateway.client().send(request).reply();
    assert_eq!(refused.status, 400, "{}", refused.text());
    let request = request.replace("?x", "");
    assert_eq!(gateway.client().send(request).reply().status, 200);
    let seen = another.only();
    assert_eq!(
        (&*seen.method, &*seen.target),
        ("POST", "/v1/shelves/1/books")
    );
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.body, b"{\"title\":\"T\"}");
}
