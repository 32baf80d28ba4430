//! Request ids and W3C trace context.

use std::fmt;

use http::HeaderValue;

/// The id of one request: made here, or accepted from a trusted peer.
///
/// Accepted ids are 1 to 128 visible ASCII characters; anything else is replaced, so that an id can
/// be logged and sent on without escaping.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// A new random id: 128 bits in 32 hexadecimal digits.
    pub fn random() -> Self {
        let text = hex128(fastrand::u128(1..));
        // 32 hexadecimal digits are always a valid field value.
        let value = HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("0"));
        Self(unique(value))
    }

    /// Accepts a peer's id if it is fit to be passed on.
    pub fn accept(value: &HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes();
        let fit = (1..=128).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
        fit.then(|| Self(unique(value.clone())))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or("")
    }

    /// The id as a field value.
    pub fn to_header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The trace a request belongs to: W3C Trace Context, `traceparent` version 00.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// 16-byte trace id; never zero.
    pub trace_id: u128,
    /// The caller's span, or 0 where the trace begins here.
    pub parent_id: u64,
    /// The gateway's own span; what the upstream sees as its parent.
    pub span_id: u64,
    /// Whether the trace is sampled (flag bit 0).
    pub sampled: bool,
}

impl Trace {
    /// A trace that begins here.
    pub fn begin(sampled: bool) -> Self {
        Self {
            trace_id: fastrand::u128(1..),
            parent_id: 0,
            span_id: fastrand::u64(1..),
            sampled,
        }
    }

    /// Continues the caller's trace, or nothing if the field is malformed (Trace Context §3.2: a
    /// malformed `traceparent` is ignored and a new trace begins).
    pub fn resume(value: &[u8]) -> Option<Self> {
        let (version, rest) = field(value, 2)?;
        let (trace_id, rest) = field(rest, 32)?;
        let (parent, rest) = field(rest, 16)?;
        let flags = rest.get(..2)?;
        // Version 00 has exactly these four fields; later versions may append more after a dash.
        let tail = rest.get(2..)?;
        let version = hex(version)?;
        if version == 0xff
            || (version == 0 && !tail.is_empty())
            || !(tail.is_empty() || tail.starts_with(b"-"))
        {
            return None;
        }
        let (trace_id, parent_id) = (hex(trace_id)?, hex(parent)? as u64);
        let flags = hex(flags)?;
        (trace_id != 0 && parent_id != 0).then(|| Self {
            trace_id,
            parent_id,
            span_id: fastrand::u64(1..),
            sampled: flags & 1 == 1,
        })
    }

    /// The `traceparent` for the upstream: 55 bytes.
    pub fn to_header(self) -> HeaderValue {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        if let Some(place) = text.get_mut(3..35) {
            hex_digits(&self.trace_id.to_be_bytes(), place);
        }
        if let Some(place) = text.get_mut(36..52) {
            hex_digits(&self.span_id.to_be_bytes(), place);
        }
        if let Some(last) = text.last_mut() {
            *last = b'0' + u8::from(self.sampled);
        }
        // Hexadecimal digits and dashes are always a valid field value.
        unique(HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("")))
    }
}

/// Marks a value that never comes again, so that HTTP/2 keeps it out of its table of fields (a literal
/// never indexed, RFC 7541 §6.2.3). There it would push out values that do come again, and each later
/// one of its name would be compared with all that are still there.
fn unique(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

fn field(bytes: &[u8], len: usize) -> Option<(&[u8], &[u8])> {
    let (head, rest) = bytes.split_at_checked(len)?;
    Some((head, rest.strip_prefix(b"-")?))
}

fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0u128, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u128::from(digit))
    })
}

/// The 32 lower-case hexadecimal digits of a number.
pub fn hex128(value: u128) -> [u8; 32] {
    let mut text = [0; 32];
    hex_digits(&value.to_be_bytes(), &mut text);
    text
}

/// Two lower-case digits for each byte. Without branches, so that the compiler does sixteen at a
/// time.
fn hex_digits(bytes: &[u8], text: &mut [u8]) {
    let digit = |nibble: u8| nibble + b'0' + u8::from(nibble > 9) * (b'a' - b'9' - 1);
    let (pairs, _) = text.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 0xf)];
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn continues_a_valid_parent() {
        let header = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = Trace::resume(header).unwrap();
        assert_eq!(trace.parent_id, 0x00f0_67aa_0ba9_02b7);
        assert!(trace.sampled);
        let sent = trace.to_header();
        let sent = sent.to_str().unwrap();
        assert!(sent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
        assert_eq!(
            Trace::resume(sent.as_bytes()).unwrap().parent_id,
            trace.span_id
        );
    }

    #[test]
    fn refuses_malformed_parents() {
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
        ] {
            assert_eq!(Trace::resume(bad.as_bytes()), None, "{bad}");
        }
        assert!(
            Trace::resume(b"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later")
                .is_some()
        );
    }

    #[test]
    fn accepts_only_fit_request_ids() {
        assert!(RequestId::accept(&HeaderValue::from_static("abc-1")).is_some());
        assert!(RequestId::accept(&HeaderValue::from_static("a b")).is_none());
        assert!(RequestId::accept(&HeaderValue::from_static("")).is_none());
        assert_eq!(RequestId::random().as_str().len(), 32);
    }

    #[test]
    fn values_that_never_come_again_stay_out_of_tables() {
        let accepted = RequestId::accept(&HeaderValue::from_static("abc-1")).unwrap();
        assert!(accepted.to_header().is_sensitive());
        assert!(RequestId::random().to_header().is_sensitive());
        assert!(Trace::begin(false).to_header().is_sensitive());
    }
}
