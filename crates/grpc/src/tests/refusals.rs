//! What is passed over, what is refused, and what is told of it.

use super::{decode, encode, round};
use crate::json::Unknown;

#[test]
fn what_is_not_known_can_be_passed_over() {
    let ignored = |text: &str| {
        encode(text, Unknown::Ignore)
            .and_then(|bytes| decode(&bytes))
            .unwrap()
    };
    for text in [
        r#"{"unknown": [{"a": [null, true, 1.5e3, "x\n"]}, {}]}"#,
        r#"{"optionalColour": "GREEN", "mapColour": {"a": "GREEN"}, "repeatedColour": ["GREEN"]}"#,
        r#"{"optionalInner": {"other": 1}}"#,
    ] {
        let expected = if text.contains("Inner") {
            r#"{"optionalInner":{}}"#
        } else {
            "{}"
        };
        assert_eq!(ignored(text), expected, "{text}");
    }
    assert_eq!(
        ignored(
            r#"{"any": {"@type": "type.googleapis.com/google.protobuf.Duration", "x": 1, "value": "1s"}}"#
        ),
        r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}}"#
    );
    assert!(encode(r#"{"unknown": [}"#, Unknown::Ignore).is_err());
}

#[test]
fn tells_where_a_text_does_not_fit() {
    let told = |text: &str| encode(text, Unknown::Refuse).unwrap_err();
    for (text, expected) in [
        (
            r#"{"optionalInner": {"a": "x"}}"#,
            "`/optionalInner/a`: an integer is expected.",
        ),
        (
            r#"{"repeatedInner": [{}, {"a": true}]}"#,
            "`/repeatedInner/1/a`: an integer is expected, and a boolean is there.",
        ),
        (
            r#"{"mapInner": {"a/b~": {"b": 1}}}"#,
            "`/mapInner/a~1b~0/b`: there is no such field in `lintel.test.All.Inner`.",
        ),
        (
            r#"{"any": {"@type": "x/google.protobuf.Duration", "value": "1"}}"#,
            "`/any/value`: a number of seconds such as `1.5s` is expected.",
        ),
        (
            "{\n  \"a\" 1}",
            "Line 2, column 7: a colon is expected, and a number is there.",
        ),
        (
            "[]",
            "Line 1, column 1: an object is expected, and an array is there.",
        ),
    ] {
        assert_eq!(told(text), expected, "{text}");
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize, open: &str, close: &str, inner: &str| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    for (open, close, inner) in [
        (r#"{"recursive":"#, "}", "{}"),
        (r#"{"unknown":"#, "}", "1"),
        (r#"{"any":{"@type":"x/lintel.test.All","any":"#, "}}", "{}"),
    ] {
        assert!(
            encode(&nested(100_000, open, close, inner), Unknown::Ignore).is_err(),
            "{open}"
        );
    }
    let value = |depth| format!(r#"{{"value": {}}}"#, nested(depth, "[", "]", ""));
    assert!(round(&value(99)).is_ok());
    assert!(round(&value(100_000)).is_err());
    assert!(round(&nested(99, r#"{"recursive":"#, "}", "{}")).is_ok());
    // Each level would be read once for each above it.
    let late = nested(
        20,
        r#"{"any":{"any":"#,
        r#","@type":"x/lintel.test.All"}}"#,
        "{}",
    );
    assert!(
        encode(&late, Unknown::Refuse)
            .unwrap_err()
            .contains("`@type`")
    );
    // On the wire as well.
    let mut wire = Vec::new();
    for _ in 0..5_000 {
        let mut outer = vec![0xda, 0x01];
        crate::wire::bytes(&mut outer, &wire);
        wire = outer;
    }
    assert!(decode(&wire).unwrap_err().contains("too deep"));
}
