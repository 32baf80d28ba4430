#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use proptest::prelude::*;

use super::*;

fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    encode(&mut out);
    String::from_utf8(out).unwrap()
}

/// What a client can send: any bytes, and more often the ones that matter.
fn client_bytes() -> impl Strategy<Value = Vec<u8>> {
    let hostile = "[\"\\\\\r\n\t\u{0}\u{1b}\u{7f}\u{9b}é\u{2028}\u{202e}\u{2066}𝄞a]{0,40}";
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        hostile.prop_map(String::into_bytes),
        "[ -~]{0,200}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn a_json_string_reads_back(text in client_bytes()) {
        let out = encoded(|out| json::string(out, &text));
        let read: String = serde_json::from_str(&out).unwrap();
        prop_assert_eq!(read, String::from_utf8_lossy(&text));
        prop_assert!(!out.chars().any(is_hostile), "{:?}", out);
    }

    #[test]
    fn quoted_text_stays_in_its_quotes(text in client_bytes()) {
        let out = encoded(|out| human::quoted(out, &text));
        prop_assert!(!out.chars().any(is_hostile), "{:?}", out);
        let unescaped = out.replace("\\\\", "").replace("\\\"", "");
        prop_assert!(!unescaped.contains('"'));
    }

    #[test]
    fn quoted_text_is_unambiguous(a in client_bytes(), b in client_bytes()) {
        let (quoted_a, quoted_b) =
            (encoded(|out| human::quoted(out, &a)), encoded(|out| human::quoted(out, &b)));
        prop_assert_eq!(a == b, quoted_a == quoted_b);
    }

    #[test]
    fn timestamps_are_those_of_the_calendar(millis in 0u64..253_402_300_800_000) {
        let out = encoded(|out| timestamp(out, UNIX_EPOCH + Duration::from_millis(millis)));
        let expected = jiff::Timestamp::from_millisecond(millis.cast_signed()).unwrap();
        prop_assert_eq!(out, format!("{expected:.3}"));
    }

    #[test]
    fn addresses_are_the_standard_ones(ip in any::<IpAddr>(), port in any::<u16>()) {
        let canonical = ip.to_canonical();
        prop_assert_eq!(encoded(|out| super::ip(out, ip)), canonical.to_string());
        let expected = SocketAddr::new(canonical, port).to_string();
        prop_assert_eq!(encoded(|out| socket(out, SocketAddr::new(ip, port))), expected);
    }

    #[test]
    fn numbers_are_those_of_the_standard_library(wide in any::<u128>(), small in any::<u64>()) {
        prop_assert_eq!(encoded(|out| hex128(out, wide)), format!("{wide:032x}"));
        prop_assert_eq!(encoded(|out| hex64(out, small)), format!("{small:016x}"));
        prop_assert_eq!(encoded(|out| integer(out, small)), small.to_string());
        let time = Duration::from_micros(small);
        let expected = format!("{}.{:03}", small / 1000, small % 1000);
        prop_assert_eq!(encoded(|out| millis(out, time)), expected);
    }
}

#[test]
fn an_ipv4_client_of_a_dual_stack_listener_is_an_ipv4_client() {
    let mapped: IpAddr = "::ffff:203.0.113.7".parse().unwrap();
    assert_eq!(encoded(|out| ip(out, mapped)), "203.0.113.7");
}

#[test]
fn times_outside_four_digit_years_are_the_nearest_inside() {
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(5);
    assert_eq!(
        encoded(|out| timestamp(out, before)),
        "1970-01-01T00:00:00.000Z"
    );
    let after = UNIX_EPOCH + Duration::from_secs(253_402_300_800);
    assert_eq!(
        encoded(|out| timestamp(out, after)),
        "9999-12-31T23:59:59.000Z"
    );
}

#[test]
fn long_texts_are_cut() {
    let text = vec![b'a'; LONGEST_TEXT + 1];
    let out = encoded(|out| json::string(out, &text));
    let read: String = serde_json::from_str(&out).unwrap();
    assert_eq!(read, format!("{}…", "a".repeat(LONGEST_TEXT)));
    let whole = vec![b'a'; LONGEST_TEXT];
    assert!(!encoded(|out| json::string(out, &whole)).contains('…'));
}

#[test]
fn every_byte_that_needs_an_escape_is_seen_at_every_place() {
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    for len in 1..=40 {
        for place in 0..len {
            for byte in 0..=u8::MAX {
                let mut text = vec![b'~'; len];
                text[place] = byte;
                assert_eq!(
                    super::is_plain(&text),
                    plain(byte),
                    "{byte} at {place} of {len}"
                );
            }
        }
    }
    assert!(super::is_plain(b""));
}
