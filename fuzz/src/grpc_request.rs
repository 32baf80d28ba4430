//! Any text as the target of a request, and any as its body: what they make is a message, and the request
//! that it would make makes the same one.

use lintel_grpc::{
    Binding, Lookup, Rule, Transcoder, descriptors,
    json::{self, Style, Unknown},
};

const METHODS: &str = r#"
syntax = "proto3";
import "google/protobuf/wrappers.proto";
service S { rpc Call(M) returns (M); }
enum E { ZERO = 0; ONE = 1; }
message M {
  string a = 1;
  M b = 2;
  int64 c = 3;
  repeated string d = 4;
  map<string, string> e = 5;
  oneof o { bool f = 6; bytes g = 7; }
  E h = 8;
  repeated M i = 9;
  google.protobuf.StringValue j = 10;
  double k = 11;
}
"#;

fn rule(method: &str, path: &str, body: Option<&str>) -> Rule {
    Rule {
        method: method.to_owned(),
        path: path.to_owned(),
        body: body.map(str::to_owned),
        response_body: None,
    }
}

thread_local! {
    static TRANSCODER: Transcoder = {
        let pool = descriptors::parse(&[("m.proto", METHODS)]).unwrap();
        let rules = vec![
            rule("GET", "/one/{a}", None),
            rule("GET", "/two/{b.a=x/*}/{c}:verb", None),
            rule("GET", "/rest/{a=**}", None),
            rule("GET", "/query", None),
            rule("POST", "/all/{c}", Some("*")),
            rule("POST", "/field/{h}", Some("b")),
            rule("POST", "/list", Some("d")),
        ];
        Transcoder::new(&pool, &[], &[("S.Call", rules)]).unwrap_or_else(|_| panic!("the rules are fine"))
    };
}

pub(crate) fn run(input: &[u8]) {
    let Some((target, body)) = crate::two_texts(input) else {
        return;
    };
    TRANSCODER.with(|transcoder| {
        for verb in [http::Method::GET, http::Method::POST] {
            let (path, _) = target.split_once('?').unwrap_or((target, ""));
            let Lookup::Found(binding) = transcoder.find(&verb, path) else {
                continue;
            };
            let Some(message) = message(transcoder, binding, target, body.as_bytes()) else {
                continue;
            };
            let schema = transcoder.schema();
            let said = shown(transcoder, &message);
            let style = Style::default();
            // What does not fit the path is told, and never sent.
            let Ok(request) = binding.request_of(schema, &message, style) else {
                continue;
            };
            assert_eq!(request.verb, verb);
            let uri: Result<http::Uri, _> = request.target.parse();
            assert!(uri.is_ok(), "{} is no target", request.target);
            let body = request.body.unwrap_or_default();
            let again = self::message(transcoder, binding, &request.target, &body);
            let again = again.unwrap_or_else(|| panic!("{} makes no message", request.target));
            assert_eq!(said, shown(transcoder, &again), "{}", request.target);
        }
    });
}

fn message(
    transcoder: &Transcoder,
    binding: &Binding,
    target: &str,
    body: &[u8],
) -> Option<Vec<u8>> {
    let schema = transcoder.schema();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut out = Vec::new();
    binding
        .write_body(schema, body, Unknown::Refuse, &mut out)
        .ok()?;
    binding
        .write_query(schema, query, Unknown::Refuse, &mut out)
        .ok()?;
    binding.write_path(schema, path, &mut out).ok()?;
    Some(out)
}

fn shown(transcoder: &Transcoder, message: &[u8]) -> String {
    let schema = transcoder.schema();
    let id = schema.find("M").unwrap();
    let mut out = Vec::new();
    json::decode(schema, id, message, Style::default(), &mut out).expect("it is a message");
    String::from_utf8(out).expect("JSON is UTF-8")
}
