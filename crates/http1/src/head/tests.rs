#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use bytes::BytesMut;
use http::HeaderName;
use proptest::prelude::*;

use super::{HeadLimits, Scan, parse_request};
use crate::name::Names;

const LIMITS: HeadLimits = HeadLimits {
    bytes: 65_536,
    fields: 100,
    target: 8192,
};

/// The memory of names never changes what a name is, whatever was seen before it in the same slot.
#[test]
fn remembered_names_are_parsed_names() {
    let names = prop::collection::vec("[a-zA-Z0-9-]{1,40}", 1..60);
    proptest!(|(names in names)| {
        let mut memory = Names::take();
        for name in names.iter().chain(&names) {
            let parsed = HeaderName::from_bytes(name.as_bytes()).unwrap();
            prop_assert_eq!(memory.resolve(name.as_bytes()).unwrap().0, parsed);
        }
    });
}

/// Names that agree in length and in their first and last eight bytes.
#[test]
fn remembered_names_are_told_apart() {
    let mut memory = Names::take();
    for name in [
        "aaaaaaaa-b-cccccccc",
        "aaaaaaaa-x-cccccccc",
        "aaaaaaaa-b-cccccccc",
    ] {
        assert_eq!(memory.resolve(name.as_bytes()).unwrap().0.as_str(), name);
    }
    assert!(memory.resolve(b"a b").is_none() && memory.resolve(b"").is_none());
}

/// A head that comes byte by byte is tokenised when it is complete and not at every byte.
#[test]
fn dribbled_heads_are_parsed_once() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
    let (mut buffer, mut scan) = (BytesMut::new(), Scan::default());
    let mut looked = 0;
    for (at, byte) in head.iter().enumerate() {
        buffer.extend_from_slice(&[*byte]);
        looked += usize::from(scan.clone().may_be_complete(&buffer));
        let parsed = parse_request(&mut buffer, &mut scan, &LIMITS).unwrap();
        assert_eq!(parsed.is_some(), at + 1 == head.len());
    }
    assert_eq!(looked, 2, "the first byte, and the last");
}

/// Values are slices of what was received, not copies.
#[test]
fn values_are_not_copied() {
    let mut buffer = BytesMut::from(&b"GET / HTTP/1.1\r\nHost: a\r\nX: some value\r\n\r\nrest"[..]);
    let at = buffer.as_ptr().addr();
    let head = parse_request(&mut buffer, &mut Scan::default(), &LIMITS)
        .unwrap()
        .unwrap();
    let value = head.fields.headers.get("x").unwrap();
    assert_eq!(value.as_bytes().as_ptr().addr(), at + 28);
    assert_eq!(&buffer[..], b"rest");
}
