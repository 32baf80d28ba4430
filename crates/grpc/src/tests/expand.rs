//! The other way round: requests made of messages lead back to the same messages.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::bindings::transcoder;
use crate::{
    Binding, Lookup, RestRequest, Transcoder,
    json::{self, Style, Unknown},
};

fn message(transcoder: &Transcoder, binding: &Binding, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let (schema, input) = (transcoder.schema(), binding.method.input);
    json::encode(schema, input, &value.to_string(), Unknown::Refuse, &mut out).unwrap();
    out
}

fn shown(transcoder: &Transcoder, binding: &Binding, message: &[u8]) -> Value {
    let mut out = Vec::new();
    let (schema, input) = (transcoder.schema(), binding.method.input);
    json::decode(schema, input, message, Style::default(), &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

fn request(method: &str, value: &Value) -> Result<RestRequest, String> {
    let transcoder = transcoder();
    let path = format!("/library.v1.Library/{method}");
    let binding = transcoder.binding_of(&path).unwrap();
    let message = message(&transcoder, binding, value);
    binding.request_of(transcoder.schema(), &message, Style::default())
}

/// What a request says, as the message of a call.
fn back(transcoder: &Transcoder, request: &RestRequest) -> (String, Value) {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    let Lookup::Found(binding) = transcoder.find(&request.verb, path) else {
        panic!("{request:?} leads nowhere");
    };
    let schema = transcoder.schema();
    let body = request.body.as_deref().unwrap_or_default();
    let mut out = Vec::new();
    binding
        .write_body(schema, body, Unknown::Refuse, &mut out)
        .unwrap();
    binding
        .write_query(schema, query, Unknown::Refuse, &mut out)
        .unwrap();
    binding.write_path(schema, path, &mut out).unwrap();
    (
        binding.method.name.to_string(),
        shown(transcoder, binding, &out),
    )
}

#[test]
fn a_message_becomes_the_request_of_its_binding() {
    let said = |method: &str, value: Value| {
        let request = request(method, &value).unwrap();
        let body = request.body.map(|body| String::from_utf8(body).unwrap());
        format!(
            "{} {} {}",
            request.verb,
            request.target,
            body.unwrap_or_default()
        )
    };
    let book = json!({"name": "shelves/1/books/a b", "tags": ["x", "y&z"], "kind": "NOVEL", "pageSize": 0, "since": "1970-01-01T00:00:00Z"});
    assert_eq!(
        said("GetBook", book),
        "GET /v1/shelves/1/books/a%20b?tags=x&tags=y%26z&kind=NOVEL&since=1970-01-01T00%3A00%3A00Z&pageSize=0 "
    );
    assert_eq!(
        said(
            "CreateBook",
            json!({"name": "shelves/ü", "book": {"title": "T"}, "id": 7})
        ),
        "POST /v1/shelves/%C3%BC/books?id=7 {\"title\":\"T\"}"
    );
    // What is not said has its default.
    assert_eq!(
        said("Update", json!({"tags": ["a"]})),
        "PATCH /v1/books/0 {\"tags\":[\"a\"]}"
    );
    assert_eq!(
        said(
            "Archive",
            json!({"name": "shelves/1/2/3", "labels": {"a": "b"}})
        ),
        "POST /v1/shelves/1/2/3:archive {\"labels\":{\"a\":\"b\"}}"
    );
    assert_eq!(said("Tags", json!({"tags": ["a"]})), "PUT /v1/tags [\"a\"]");
}

#[test]
fn a_field_that_would_lead_elsewhere_is_refused() {
    for name in [
        "",
        "shelves/1/books",
        "shelves/1/books/",
        "shelves//books/2",
        "shelves/../books/2",
        "shelves/1/books/.",
        "shelves/1/books/2/3",
        "other/1/books/2",
    ] {
        let refused = request("GetBook", &json!({ "name": name })).unwrap_err();
        assert_eq!(refused, "`name` does not fit the path.", "{name}");
    }
    let many = request("Archive", &json!({"name": "shelves/a//b"})).unwrap_err();
    assert_eq!(many, "`name` does not fit the path.");
}

proptest! {
    /// Whatever is in it.
    #[test]
    fn requests_lead_back(
        part in "[^/]{1,12}",
        id: i64,
        title in proptest::option::of(".{1,10}"),
        tags: Vec<String>,
        numbers: Vec<i32>,
        size: Option<i32>,
        flag: Option<bool>,
        blob: Vec<u8>,
    ) {
        prop_assume!(part != "." && part != "..");
        use base64::Engine as _;
        let mut value = json!({
            "name": format!("shelves/1/books/{part}"), "id": id.to_string(), "tags": tags, "numbers": numbers,
            "blob": base64::engine::general_purpose::STANDARD.encode(blob),
        });
        if let Some(title) = title {
            value["book"] = json!({ "title": title });
        }
        if let Some(size) = size {
            value["pageSize"] = json!(size);
        }
        if let Some(flag) = flag {
            value["flag"] = json!(flag);
        }
        let transcoder = transcoder();
        for method in ["GetBook", "Update", "CreateBook", "Archive"] {
            let mut value = value.clone();
            if method == "CreateBook" {
                value["name"] = json!(format!("shelves/{part}"));
                // A parameter can't say a part of a body's field that is not there.
                value["book"] = json!({ "title": "T" });
            }
            let path = format!("/library.v1.Library/{method}");
            let binding = transcoder.binding_of(&path).unwrap();
            let message = message(&transcoder, binding, &value);
            let request = binding.request_of(transcoder.schema(), &message, Style::default()).unwrap();
            let (name, found) = back(&transcoder, &request);
            prop_assert_eq!(name, format!("library.v1.Library.{}", method));
            prop_assert_eq!(found, shown(&transcoder, binding, &message), "{:?}", request);
        }
    }
}
