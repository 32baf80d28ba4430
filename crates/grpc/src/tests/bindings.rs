use http::Method;
use serde_json::json;

use crate::{
    BadRequest, Lookup, Rule, Transcoder, descriptors,
    json::{Style, Unknown},
};

const LIBRARY: &str = r#"
syntax = "proto3";
package library.v1;
import "google/api/annotations.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

service Library {
  rpc GetBook(Request) returns (Request) {
    option (google.api.http) = {
      get: "/v1/{name=shelves/*/books/*}"
      additional_bindings { get: "/v1/books/{id}" }
      additional_bindings { get: "/v1/books/by/{book.title}/{book.year}" response_body: "book" }
    };
  }
  rpc CreateBook(Request) returns (Request) {
    option (google.api.http) = { post: "/v1/{name=shelves/*}/books" body: "book" };
  }
  rpc Update(Request) returns (Request) {
    option (google.api.http) = { patch: "/v1/books/{id}" body: "*" };
  }
  rpc Archive(Request) returns (Request) {
    option (google.api.http) = { post: "/v1/{name=shelves/**}:archive" body: "*" };
  }
  rpc Tags(Request) returns (Request) {
    option (google.api.http) = { put: "/v1/tags" body: "tags" response_body: "tags" };
  }
  rpc Custom(Request) returns (Request) {
    option (google.api.http) = { custom { kind: "REPORT" path: "/v1/report" } };
  }
  rpc Any(Request) returns (Request) {
    option (google.api.http) = { custom { kind: "*" path: "/v1/any" } };
  }
  rpc Unbound(Request) returns (Request);
}

enum Kind { UNKNOWN = 0; NOVEL = 1; }

message Request {
  string name = 1;
  int64 id = 2;
  Book book = 3;
  repeated string tags = 4;
  repeated int32 numbers = 5;
  Kind kind = 6;
  google.protobuf.Timestamp since = 7;
  google.protobuf.BoolValue flag = 8;
  map<string, string> labels = 9;
  bytes blob = 10;
  oneof choice { string a = 11; string b = 12; }
  repeated Kind kinds = 13;
  optional int32 page_size = 14;
}

message Book {
  string title = 1;
  int32 year = 2;
  Author author = 3;
}

message Author { string full_name = 1; Author mentor = 2; }
"#;

pub(super) fn transcoder() -> Transcoder {
    let pool = descriptors::parse(&[("library.proto", LIBRARY)]).unwrap();
    Transcoder::new(&pool, &[], &[]).unwrap()
}

/// The message of a request as JSON, with the method that it goes to; or what the client is told.
fn request(method: &str, target: &str, body: &str) -> Result<(String, serde_json::Value), String> {
    let transcoder = transcoder();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let Lookup::Found(binding) = transcoder.find(&method, path) else {
        return Err("not found".to_owned());
    };
    let schema = transcoder.schema();
    let mut message = Vec::new();
    binding
        .write_body(schema, body.as_bytes(), Unknown::Refuse, &mut message)
        .and_then(|()| binding.write_query(schema, query, Unknown::Refuse, &mut message))
        .and_then(|()| binding.write_path(schema, path, &mut message))
        .map_err(|error| error.detail())?;
    let mut json = Vec::new();
    crate::json::decode(
        schema,
        binding.method.input,
        &message,
        Style::default(),
        &mut json,
    )
    .unwrap();
    let name = binding.method.name.rsplit('.').next().unwrap().to_owned();
    Ok((name, serde_json::from_slice(&json).unwrap()))
}

#[test]
fn requests_make_messages() {
    for (method, target, body, name, expected) in [
        (
            "GET",
            "/v1/shelves/1/books/2",
            "",
            "GetBook",
            json!({"name": "shelves/1/books/2"}),
        ),
        ("HEAD", "/v1/books/42", "", "GetBook", json!({"id": "42"})),
        (
            "GET",
            "/v1/books/by/a%2Fb%20c/1999",
            "",
            "GetBook",
            json!({"book": {"title": "a/b c", "year": 1999}}),
        ),
        // A slash that is encoded stays so where slashes are what holds the segments apart.
        (
            "GET",
            "/v1/shelves/a%2Fb%20c/books/%2f",
            "",
            "GetBook",
            json!({"name": "shelves/a%2Fb c/books/%2f"}),
        ),
        (
            "GET",
            "/v1/books/7?book.author.full_name=A+B&book.author=",
            "",
            "",
            json!(null),
        ),
        (
            "GET",
            "/v1/books/7?book.author.fullName=A+B%26C&tags=x&tags=&tags=z",
            "",
            "GetBook",
            json!({"id": "7", "book": {"author": {"fullName": "A B&C"}}, "tags": ["x", "", "z"]}),
        ),
        (
            "GET",
            "/v1/books/7?numbers=1&numbers=-2&kind=NOVEL&kinds=1&kinds=UNKNOWN&flag=false&since=1970-01-01T00:00:00Z&blob=-_",
            "",
            "GetBook",
            json!({"id": "7", "numbers": [1, -2], "kind": "NOVEL", "kinds": ["NOVEL", "UNKNOWN"], "flag": false, "since": "1970-01-01T00:00:00Z", "blob": "+w=="}),
        ),
        (
            "GET",
            "/v1/books/7?page_size=0&&a=",
            "",
            "GetBook",
            json!({"id": "7", "pageSize": 0, "a": ""}),
        ),
        (
            "POST",
            "/v1/shelves/1/books?tags=x",
            r#"{"title": "T", "author": {"fullName": "N"}}"#,
            "CreateBook",
            json!({"name": "shelves/1", "tags": ["x"], "book": {"title": "T", "author": {"fullName": "N"}}}),
        ),
        (
            "POST",
            "/v1/shelves/1/books",
            " ",
            "CreateBook",
            json!({"name": "shelves/1"}),
        ),
        // The path goes before the body.
        (
            "PATCH",
            "/v1/books/7",
            r#"{"id": 8, "tags": ["x"]}"#,
            "Update",
            json!({"id": "7", "tags": ["x"]}),
        ),
        ("PATCH", "/v1/books/0", r#"{"id": 8}"#, "Update", json!({})),
        (
            "POST",
            "/v1/shelves/a/b/c:archive",
            "{}",
            "Archive",
            json!({"name": "shelves/a/b/c"}),
        ),
        (
            "POST",
            "/v1/shelves/:archive",
            "{}",
            "Archive",
            json!({"name": "shelves/"}),
        ),
        (
            "PUT",
            "/v1/tags",
            r#"["a", "b"]"#,
            "Tags",
            json!({"tags": ["a", "b"]}),
        ),
        ("REPORT", "/v1/report", "", "Custom", json!({})),
        ("DELETE", "/v1/any", "", "Any", json!({})),
        ("GET", "/v1/any", "", "Any", json!({})),
    ] {
        let result = request(method, target, body);
        if name.is_empty() {
            result.unwrap_err();
        } else {
            assert_eq!(result, Ok((name.to_owned(), expected)), "{method} {target}");
        }
    }
}

#[test]
fn what_does_not_fit_is_told() {
    for (method, target, body, expected) in [
        (
            "GET",
            "/v1/books/x",
            "",
            "Parameter `id`: an integer is expected.",
        ),
        (
            "GET",
            "/v1/books/7?nothing=1",
            "",
            "Parameter `nothing`: there is no such parameter.",
        ),
        (
            "GET",
            "/v1/books/7?id=8",
            "",
            "Parameter `id`: this belongs into the path.",
        ),
        (
            "GET",
            "/v1/books/7?kind=POEM",
            "",
            "Parameter `kind`: the enum has no value of this name.",
        ),
        (
            "GET",
            "/v1/books/7?book=1",
            "",
            "Parameter `book`: its field holds more than a parameter can say.",
        ),
        (
            "GET",
            "/v1/books/7?labels=1",
            "",
            "Parameter `labels`: its field holds more than a parameter can say.",
        ),
        (
            "GET",
            "/v1/books/7?book.year=1&book.year=2",
            "",
            "Parameter `book.year`: it is there twice.",
        ),
        (
            "GET",
            "/v1/books/7?a=1&b=2",
            "",
            "Parameter `b`: another parameter of the same oneof is there already.",
        ),
        (
            "GET",
            "/v1/books/7?tags=%ff",
            "",
            "Parameter `tags`: the text is not UTF-8.",
        ),
        (
            "GET",
            "/v1/books/7?tags.x=1",
            "",
            "Parameter `tags.x`: there is no such parameter.",
        ),
        (
            "GET",
            "/v1/books/7?flag=1",
            "",
            "Parameter `flag`: `true` or `false` is expected.",
        ),
        ("GET", "/v1/books/7", "{}", "This method takes no body."),
        (
            "GET",
            "/v1/books/by/%ff/1",
            "",
            "Parameter `book.title`: the text is not UTF-8.",
        ),
        (
            "PATCH",
            "/v1/books/7?tags=x",
            "{}",
            "Parameter `tags`: this belongs into the body.",
        ),
        (
            "POST",
            "/v1/shelves/1/books?book.title=x",
            "{}",
            "Parameter `book.title`: this belongs into the body.",
        ),
        (
            "POST",
            "/v1/shelves/1/books",
            r#"{"year": "x"}"#,
            "Body: `/year`: an integer is expected.",
        ),
        (
            "POST",
            "/v1/shelves/1/books",
            r#"{"name": "x"}"#,
            "Body: `/name`: there is no such field in `library.v1.Book`.",
        ),
        (
            "PUT",
            "/v1/tags",
            r#"["a", 1]"#,
            "Body: `/1`: a string is expected, and a number is there.",
        ),
        (
            "PATCH",
            "/v1/books/7",
            "{",
            "Body: Line 1, column 2: a string is expected, and the text ends.",
        ),
    ] {
        assert_eq!(
            request(method, target, body),
            Err(expected.to_owned()),
            "{method} {target}"
        );
    }
    let deep = |levels| {
        let names = "mentor.".repeat(levels);
        request(
            "GET",
            &format!("/v1/books/7?book.author.{names}full_name=x"),
            "",
        )
    };
    assert!(deep(29).is_ok());
    assert!(deep(10_000).is_err());
    let many = format!("/v1/books/7?{}", "tags=x&".repeat(1_001));
    assert!(
        request("GET", &many, "")
            .unwrap_err()
            .contains("at most 1000")
    );
    let transcoder = transcoder();
    let Lookup::Found(binding) = transcoder.find(&Method::PATCH, "/v1/books/1") else {
        panic!()
    };
    let refused = binding.write_body(
        transcoder.schema(),
        b"{\"name\": \"\xff\"}",
        Unknown::Refuse,
        &mut Vec::new(),
    );
    assert!(matches!(refused, Err(BadRequest::Body { .. })));
}

#[test]
fn other_methods_are_told() {
    let transcoder = transcoder();
    let allowed = |method: Method, path: &str| match transcoder.find(&method, path) {
        Lookup::MethodNotAllowed(allowed) => Some(
            allowed
                .into_iter()
                .map(Method::to_string)
                .collect::<Vec<_>>(),
        ),
        _ => None,
    };
    assert_eq!(
        allowed(Method::DELETE, "/v1/books/7"),
        Some(vec!["GET".to_owned(), "PATCH".to_owned()])
    );
    assert_eq!(allowed(Method::GET, "/v1/books"), None);
    assert!(matches!(
        transcoder.find(&Method::GET, "/v2"),
        Lookup::NotFound
    ));
}

#[test]
fn answers_may_be_a_field() {
    let transcoder = transcoder();
    let schema = transcoder.schema();
    let mut message = Vec::new();
    let Lookup::Found(binding) = transcoder.find(&Method::PUT, "/v1/tags") else {
        panic!()
    };
    let answer = |message: &[u8]| {
        let mut out = Vec::new();
        binding
            .write_answer(schema, message, Style::default(), &mut out)
            .unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(answer(&message), "[]");
    binding
        .write_body(schema, br#"["a"]"#, Unknown::Refuse, &mut message)
        .unwrap();
    assert_eq!(answer(&message), r#"["a"]"#);
    let Lookup::Found(binding) = transcoder.find(&Method::GET, "/v1/books/by/a/1") else {
        panic!()
    };
    let mut out = Vec::new();
    binding
        .write_answer(schema, &message, Style::default(), &mut out)
        .unwrap();
    assert_eq!(out, b"null");
}

#[test]
fn methods_are_bound_by_hand() {
    let pool = descriptors::parse(&[("library.proto", LIBRARY)]).unwrap();
    let rule = |method: &str, path: &str, body: Option<&str>| Rule {
        method: method.to_owned(),
        path: path.to_owned(),
        body: body.map(str::to_owned),
        response_body: None,
    };
    let bind = |name: &'static str, rule| Transcoder::new(&pool, &[], &[(name, vec![rule])]);
    let bound = bind(
        "library.v1.Library.Unbound",
        rule("GET", "/unbound/{id}", None),
    )
    .unwrap();
    assert!(matches!(
        bound.find(&Method::GET, "/unbound/1"),
        Lookup::Found(_)
    ));
    let fault = |name, rule| bind(name, rule).unwrap_err().remove(0).message;
    let unbound = "library.v1.Library.Unbound";
    for (name, rule, expected) in [
        (
            "library.v1.Library.Nothing",
            rule("GET", "/x", None),
            "the descriptors have no method `library.v1.Library.Nothing`",
        ),
        (
            unbound,
            rule("GET", "/{nothing}", None),
            "`nothing`: `library.v1.Request` has no field `nothing`",
        ),
        (
            unbound,
            rule("GET", "/{name.x}", None),
            "`name.x`: the field before `x` is not a message",
        ),
        (
            unbound,
            rule("GET", "/{tags}", None),
            "`tags` can't be a part of a path: it does not hold one simple value",
        ),
        (
            unbound,
            rule("GET", "/{book}", None),
            "`book` can't be a part of a path: it does not hold one simple value",
        ),
        (
            unbound,
            rule("POST", "/x", Some("nothing")),
            "`body: nothing`: `library.v1.Request` has no such field",
        ),
        (
            unbound,
            rule("GE T", "/x", None),
            "`GE T` is not an HTTP method",
        ),
        (
            unbound,
            rule("GET", "x", None),
            "a path begins with `/`: `x`, at character 1",
        ),
        (
            unbound,
            rule("GET", "/v1/books/{name}", None),
            "GET /v1/books/{name} leads to `library.v1.Library.GetBook` already",
        ),
    ] {
        assert_eq!(fault(name, rule), expected);
    }
    let missing = Transcoder::new(&pool, &["library.v1.Shop"], &[]).unwrap_err();
    assert_eq!(
        missing[0].message,
        "the descriptors have no service `library.v1.Shop`"
    );
}

#[test]
fn methods_are_called_whatever_their_annotations_say() {
    let text = r#"
        syntax = "proto3";
        package t;
        import "google/api/annotations.proto";
        service S {
          rpc Read(M) returns (M) { option idempotency_level = NO_SIDE_EFFECTS; }
          rpc Put(M) returns (M) { option idempotency_level = IDEMPOTENT; }
          rpc Watch(M) returns (stream M) { option (google.api.http) = { get: "/{nobody}" }; }
        }
        message M { int32 a = 1; }
    "#;
    let pool = descriptors::parse(&[("t.proto", text)]).unwrap();
    assert!(Transcoder::new(&pool, &[], &[]).is_err());
    let known = Transcoder::callable(&pool);
    let mut paths: Vec<&str> = known.calls().collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/t.S/Put", "/t.S/Read", "/t.S/Watch"]);
    let method = |name: &str| known.method_at(&format!("/t.S/{name}")).unwrap();
    assert!(method("Read").harmless && !method("Put").harmless);
    assert!(method("Watch").server_streaming);
    assert!(known.bindings().is_empty() && known.method_at("/t.S/Nothing").is_none());
}
