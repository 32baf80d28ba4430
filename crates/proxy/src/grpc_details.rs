//! When a gRPC caller may come back, and what is used up: `google.rpc.RetryInfo` and `QuotaFailure` in
//! `grpc-status-details-bin`.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use http::HeaderValue;
use lintel_kernel::GrpcCode;

/// A `google.rpc.Status` (google/rpc/status.proto) that holds a `RetryInfo`, and a `QuotaFailure` where
/// a limit is named (google/rpc/error_details.proto), as a `-bin` header field: base64, padding left out.
pub(crate) fn retry_info(
    code: GrpcCode,
    message: &str,
    after: Duration,
    violated: Option<&str>,
) -> HeaderValue {
    let mut delay = Vec::new();
    number(&mut delay, 1, after.as_secs());
    number(&mut delay, 2, u64::from(after.subsec_nanos()));
    let mut info = Vec::new();
    bytes(&mut info, 1, &delay);
    let mut status = Vec::new();
    number(&mut status, 1, code as u64);
    bytes(&mut status, 2, message.as_bytes());
    detail(&mut status, "RetryInfo", &info);
    if let Some(limit) = violated {
        let (mut violation, mut failure) = (Vec::new(), Vec::new());
        bytes(&mut violation, 1, limit.as_bytes());
        bytes(&mut violation, 2, message.as_bytes());
        bytes(&mut failure, 1, &violation);
        detail(&mut status, "QuotaFailure", &failure);
    }
    // The alphabet of base64 is valid in a field.
    HeaderValue::try_from(STANDARD_NO_PAD.encode(status)).unwrap_or(HeaderValue::from_static(""))
}

/// One of the details: an `Any` of a message of `google.rpc`.
fn detail(status: &mut Vec<u8>, name: &str, message: &[u8]) {
    let mut any = Vec::new();
    let kind = format!("type.googleapis.com/google.rpc.{name}");
    bytes(&mut any, 1, kind.as_bytes());
    bytes(&mut any, 2, message);
    bytes(status, 3, &any);
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
        let value = retry_info(
            GrpcCode::ResourceExhausted,
            "no",
            Duration::new(300, 5),
            None,
        );
        let status = STANDARD_NO_PAD.decode(value.as_bytes()).unwrap();
        let mut expected =
            b"\x08\x08\x12\x02no\x1a\x33\x0a\x28type.googleapis.com/google.rpc.RetryInfo".to_vec();
        expected.extend_from_slice(b"\x12\x07\x0a\x05\x08\xac\x02\x10\x05");
        assert_eq!(status, expected);
        // And `details { type_url: "…QuotaFailure" value: { violations { subject: "m" description: "no" } } }`.
        let after = Duration::new(300, 5);
        let value = retry_info(GrpcCode::ResourceExhausted, "no", after, Some("m"));
        let status = STANDARD_NO_PAD.decode(value.as_bytes()).unwrap();
        expected.extend_from_slice(b"\x1a\x38\x0a\x2btype.googleapis.com/google.rpc.QuotaFailure");
        expected.extend_from_slice(b"\x12\x09\x0a\x07\x0a\x01m\x12\x02no");
        assert_eq!(status, expected);
    }
}
