use lintel_kernel::json::is_plain;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::value::{Member, check, member};

fn path(text: &str) -> Vec<String> {
    text.split('.').map(str::to_owned).collect()
}

#[test]
fn json_is_told_from_what_is_none() {
    for sound in [
        "null",
        " [1, 2.5e3] ",
        "{\"a\":{\"b\":\"\\u00e9\"}}",
        "\"x\"",
        "-0",
    ] {
        assert_eq!(check(sound.as_bytes()), Ok(()), "{sound}");
    }
    for broken in [
        "",
        " ",
        "nul",
        "{",
        "[1,]",
        "{\"a\"}",
        "1 2",
        "'a'",
        "01",
        "\"\u{1}\"",
        "NaN",
        "{a:1}",
    ] {
        assert!(check(broken.as_bytes()).is_err(), "{broken}");
    }
    assert!(check(b"\"\xff\"").is_err());
    assert_eq!(check(b"").unwrap_err(), "it is empty");
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    assert_eq!(check(&nested(127)), Ok(()));
    assert!(check(&nested(128)).is_err());
    // One that would overflow a stack.
    assert!(check(&nested(1 << 20)).is_err());
    assert!(check(&vec![b'['; 1 << 20]).is_err());
}

#[test]
fn members_are_found_where_they_lie() {
    let text = br#"{"a":{"b":7,"a":[1]},"c":null,"a":{"b":8},"d":"x"}"#;
    assert_eq!(member(text, &path("a.b")), Member::There(json!(8)));
    assert_eq!(member(text, &path("a.x")), Member::Absent);
    assert_eq!(member(text, &path("c.b")), Member::Absent);
    assert_eq!(member(text, &path("c")), Member::There(Value::Null));
    assert_eq!(member(text, &path("d.b")), Member::Unfit);
    assert_eq!(member(b"[{\"a\":1}]", &path("a")), Member::Unfit);
    assert_eq!(member(b"{\"a\":1}", &[]), Member::There(json!({ "a": 1 })));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-c\"\\\\é\n]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_member_is_what_a_tree_has(value in any_json(), names in prop::collection::vec("[ab]", 0..4)) {
        let text = value.to_string();
        prop_assert_eq!(check(text.as_bytes()), Ok(()));
        let mut at = Some(&value);
        let mut fit = true;
        for name in &names {
            at = match at {
                Some(Value::Object(members)) => members.get(name),
                Some(Value::Null) | None => None,
                Some(_) => { fit = false; None }
            };
            if !fit { break; }
        }
        let expected = match (fit, at) {
            (false, _) => Member::Unfit,
            (true, None) => Member::Absent,
            (true, Some(found)) => Member::There(found.clone()),
        };
        prop_assert_eq!(member(text.as_bytes(), &names), expected);
    }

    #[test]
    fn what_services_send_is_plain(value in any_json()) {
        prop_assert!(is_plain(value.to_string().as_bytes()));
        let spread = serde_json::to_string_pretty(&value).unwrap();
        prop_assert!(is_plain(spread.as_bytes()));
    }

    #[test]
    fn nothing_is_plain_that_serde_does_not_read(
        value in any_json(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut text = value.to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if is_plain(&text) {
            prop_assert!(serde_json::from_slice::<Value>(&text).is_ok());
        }
    }

    #[test]
    fn the_same_texts_are_json_as_for_serde(text in "[\\[\\]{}:,\"a0\\.e\\- tru\\\\]{0,12}") {
        let ours = check(text.as_bytes()).is_ok();
        prop_assert_eq!(ours, serde_json::from_str::<Value>(&text).is_ok());
    }
}
