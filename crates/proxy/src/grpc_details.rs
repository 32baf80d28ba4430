//! When a gRPC caller may come back: `google.rpc.RetryInfo` in `grpc-status-details-bin`.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use http::HeaderValue;
use lintel_kernel::GrpcCode;

/// A `google.rpc.Status` (google/rpc/status.proto) that holds a `RetryInfo`
/// (google/rpc/error_details.proto), as a `-bin` header field: base64, padding left out.
pub(crate) fn retry_info(code: GrpcCode, message: &str, after: Duration) -> HeaderValue {
    let mut delay = Vec::new();
    number(&mut delay, 1, after.as_secs());
    number(&mut delay, 2, u64::from(after.subsec_nanos()));
    let mut info = Vec::new();
    bytes(&mut info, 1, &delay);
    let mut any = Vec::new();
    bytes(&mut any, 1, b"type.googleapis.com/google.rpc.RetryInfo");
    bytes(&mut any, 2, &info);
    let mut status = Vec::new();
    number(&mut status, 1, code as u64);
    bytes(&mut status, 2, message.as_bytes());
    bytes(&mut status, 3, &any);
    // The alphabet of base64 is valid in a field.
    HeaderValue::try_from(STANDARD_NO_PAD.encode(status)).unwrap_or(HeaderValue::from_static(""))
}

/// A field that is a number; one that is 0 is left out, as proto3 has it.
fn number(out: &mut Vec<u8>, field: u8, value: u64) {
    if value != 0 {
        out.push(field << 3);
        varint(out, value);
    }
}

/// A field that is bytes, a text or a message.
fn bytes(out: &mut Vec<u8>, field: u8, value: &[u8]) {
    out.push((field << 3) | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// As protoc encodes
    /// `code: 8 message: "no" details { type_url: "…RetryInfo" value: { retry_delay { seconds: 300 nanos: 5 } } }`.
    #[test]
    fn is_what_other_implementations_read() {
        let value = retry_info(GrpcCode::ResourceExhausted, "no", Duration::new(300, 5));
        let status = STANDARD_NO_PAD.decode(value.as_bytes()).unwrap();
        let mut expected =
            b"\x08\x08\x12\x02no\x1a\x33\x0a\x28type.googleapis.com/google.rpc.RetryInfo".to_vec();
        expected.extend_from_slice(b"\x12\x07\x0a\x05\x08\xac\x02\x10\x05");
        assert_eq!(status, expected);
    }
}
