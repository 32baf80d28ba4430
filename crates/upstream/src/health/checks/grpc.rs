//! Checks by gRPC's health protocol (`grpc.health.v1`, gRPC's `doc/health-checking.md`). Its two
//! messages have one field each, so they are written and read here by hand.

use ::http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use bytes::{BufMut, Bytes, BytesMut};

use super::probe;
use crate::service::{Endpoint, HostRule, Service};

/// `HealthCheckResponse.ServingStatus.SERVING`.
const SERVING: u64 = 1;

/// Whether the endpoint says that a service is serving: why not.
pub(super) async fn check(
    service: &Service,
    endpoint: &Endpoint,
    name: &str,
) -> Result<(), String> {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = Method::POST;
    head.uri = Uri::from_static("/grpc.health.v1.Health/Check");
    let host = match &service.spec().host {
        HostRule::Fixed(host) => host,
        HostRule::Preserve | HostRule::Endpoint => endpoint.host(),
    };
    head.headers.insert(header::HOST, host.clone());
    head.headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    head.headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static("lintel-health-check"),
    );
    let reply = probe::ask(service, endpoint, &head, request(name)).await?;
    if !reply.status.is_success() {
        return Err(format!("it answered with {}", reply.status.as_u16()));
    }
    let code = |headers: &HeaderMap| {
        let code = headers.get("grpc-status")?.to_str().ok()?;
        code.parse::<u32>().ok()
    };
    let trailers = reply.trailers.as_ref().and_then(code);
    match trailers.or_else(|| code(&reply.headers)) {
        Some(0) => {}
        Some(5) => return Err(format!("it knows no service `{name}` (grpc-status 5)")),
        Some(12) => return Err("it has no health service (grpc-status 12)".to_owned()),
        Some(code) => return Err(format!("it answered with grpc-status {code}")),
        None => return Err("its answer has no grpc-status".to_owned()),
    }
    match serving_status(&reply.body) {
        Some(SERVING) => Ok(()),
        Some(0) => Err("it does not know how it is (UNKNOWN)".to_owned()),
        Some(2) => Err("it is not serving (NOT_SERVING)".to_owned()),
        Some(3) => Err(format!("it knows no service `{name}` (SERVICE_UNKNOWN)")),
        Some(other) => Err(format!("its serving status is {other}")),
        None => Err("its answer is no HealthCheckResponse".to_owned()),
    }
}

/// A length-prefixed `HealthCheckRequest { service: 1 = name }`.
fn request(name: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !name.is_empty() {
        message.put_u8(1 << 3 | 2);
        varint(name.len() as u64, &mut message);
        message.put_slice(name.as_bytes());
    }
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(&message);
    framed.freeze()
}

fn varint(mut number: u64, out: &mut BytesMut) {
    while number >= 0x80 {
        out.put_u8((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.put_u8((number & 0x7f) as u8);
}

/// `status: 1` of a length-prefixed `HealthCheckResponse`. Absent is 0 (proto3). Fields that are not
/// known are skipped.
fn serving_status(framed: &[u8]) -> Option<u64> {
    let (prefix, rest) = framed.split_at_checked(5)?;
    let (compressed, len) = prefix.split_first()?;
    let len = u32::from_be_bytes(len.try_into().ok()?);
    if *compressed != 0 {
        return None;
    }
    let mut message = rest.get(..usize::try_from(len).ok()?)?;
    let mut status = 0;
    while !message.is_empty() {
        let key = read_varint(&mut message)?;
        match key & 7 {
            0 => {
                let value = read_varint(&mut message)?;
                if key >> 3 == 1 {
                    status = value;
                }
            }
            1 => message = message.get(8..)?,
            2 => {
                let len = usize::try_from(read_varint(&mut message)?).ok()?;
                message = message.get(len..)?;
            }
            5 => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn read_varint(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_as_protobuf_has_them() {
        assert_eq!(&request("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&request("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        assert_eq!(serving_status(&[0, 0, 0, 0, 2, 8, 1]), Some(1));
        assert_eq!(serving_status(&[0, 0, 0, 0, 0]), Some(0));
        // An unknown field before it.
        assert_eq!(
            serving_status(&[0, 0, 0, 0, 6, 0x12, 2, 1, 1, 8, 2]),
            Some(2)
        );
        for bad in [
            &[][..],
            &[1, 0, 0, 0, 2, 8, 1],
            &[0, 0, 0, 0, 9, 8, 1],
            &[0, 0, 0, 0, 1, 8],
        ] {
            assert_eq!(serving_status(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_panics(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = serving_status(&bytes);
        }

        #[test]
        fn lengths_survive(number in any::<u64>()) {
            let mut bytes = BytesMut::new();
            varint(number, &mut bytes);
            prop_assert_eq!(read_varint(&mut &bytes[..]), Some(number));
        }
    }
}
