//! Any text as the JSON of a message: what it makes is a message, and comes back as the same. Any
//! bytes as a message: what they make is JSON.

use lintel_grpc::{
    descriptors,
    json::{self, Style, Unknown},
    schema::Schema,
};

const TYPES: &str = r#"
syntax = "proto3";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
enum E { ZERO = 0; ONE = 1; }
message M {
  string s = 1;
  M m = 2;
  int64 i = 3;
  repeated uint32 l = 4;
  map<int32, M> p = 5;
  oneof o { bool b = 6; E e = 7; bytes y = 8; }
  double d = 9;
  google.protobuf.Any any = 10;
  google.protobuf.Duration duration = 11;
  google.protobuf.FieldMask mask = 12;
  google.protobuf.Value value = 13;
  google.protobuf.Timestamp time = 14;
  google.protobuf.StringValue text = 15;
  map<string, E> q = 16;
  repeated sint64 z = 17 [packed = false];
}
"#;

thread_local! {
    static SCHEMA: Schema = Schema::new(&descriptors::parse(&[("m.proto", TYPES)]).unwrap());
}

pub(crate) fn run(input: &[u8]) {
    SCHEMA.with(|schema| {
        let id = schema.find("M").unwrap();
        let mut shown = Vec::new();
        if json::decode(schema, id, input, Style::default(), &mut shown).is_ok() {
            std::str::from_utf8(&shown).expect("JSON is UTF-8");
        }
        let Ok(text) = std::str::from_utf8(input) else {
            return;
        };
        for unknown in [Unknown::Refuse, Unknown::Ignore] {
            let mut message = Vec::new();
            if json::encode(schema, id, text, unknown, &mut message).is_err() {
                continue;
            }
            let mut shown = Vec::new();
            json::decode(schema, id, &message, Style::default(), &mut shown)
                .expect("what was read is a message");
            let shown = String::from_utf8(shown).unwrap();
            let mut again = Vec::new();
            json::encode(schema, id, &shown, Unknown::Refuse, &mut again)
                .unwrap_or_else(|error| panic!("{shown}: {error}"));
            let mut last = Vec::new();
            json::decode(schema, id, &again, Style::default(), &mut last).unwrap();
            assert_eq!(shown.as_bytes(), last);
        }
    });
}
