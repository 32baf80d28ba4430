//! The header section of a head: field lines to a `HeaderMap` and the facts that the codec needs.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use smallvec::SmallVec;

use super::connection::{self, Options};
use super::host;
use crate::buffer;
use crate::error::Refusal;
use crate::name::{Class, Names};

/// Where name and value of one field line are in the head.
#[derive(Clone, Copy)]
pub(super) struct Span {
    name: u32,
    name_len: u32,
    value: u32,
    value_len: u32,
}

/// Spans of all field lines; heads with up to 32 of them don't allocate.
pub(super) type Spans = SmallVec<[Span; 32]>;

/// `Transfer-Encoding` of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// No such field.
    Absent,
    /// Exactly one final `chunked`.
    Chunked,
}

/// A header section after hygiene: the end-to-end fields and the facts of the others.
#[derive(Debug)]
pub(crate) struct Fields {
    /// End-to-end fields; no hop-by-hop field is among them.
    pub(crate) headers: HeaderMap,
    pub(crate) content_length: Option<u64>,
    pub(crate) transfer: Transfer,
    pub(crate) connection: Options,
    /// The protocols of `Upgrade`, `h2c` left out.
    pub(crate) upgrade: Option<HeaderValue>,
    pub(crate) te_trailers: bool,
    /// `Some(true)`: `100-continue`; `Some(false)`: an expectation nobody knows.
    pub(crate) expect: Option<bool>,
    /// `Host` field lines.
    pub(crate) hosts: u32,
    /// The last of them names a host.
    pub(crate) host_valid: bool,
    trailer: bool,
    /// Seconds of `Keep-Alive: timeout=N`.
    pub(crate) keep_alive_timeout: Option<u32>,
}

/// Checks what the tokeniser leaves open (every line ends in CRLF, RFC 9112 §2.2) and notes where the fields are.
pub(super) fn locate(
    head: &[u8],
    tokens: &[httparse::Header<'_>],
    spans: &mut Spans,
) -> Result<(), Refusal> {
    const BARE_LF: Refusal = Refusal::bad("line not ended by CRLF", "RFC 9112 §2.2");
    let base = head.as_ptr().addr();
    for token in tokens {
        let name = token.name.as_ptr().addr().wrapping_sub(base);
        if name < 2 || head.get(name - 2..name) != Some(b"\r\n") {
            return Err(BARE_LF);
        }
        // Heads are bounded far below 4 GiB; an empty value may point anywhere.
        let value = if token.value.is_empty() {
            0
        } else {
            token.value.as_ptr().addr().wrapping_sub(base)
        };
        spans.push(Span {
            name: name as u32,
            name_len: token.name.len() as u32,
            value: value as u32,
            value_len: token.value.len() as u32,
        });
    }
    if head.ends_with(b"\r\n\r\n") {
        Ok(())
    } else {
        Err(BARE_LF)
    }
}

impl Fields {
    /// Builds the map from a head and the spans found by [`locate`] in the same bytes.
    pub(super) fn build(head: &Bytes, spans: &[Span]) -> Result<Self, Refusal> {
        let mut fields = Self {
            headers: buffer::take_headers(),
            content_length: None,
            transfer: Transfer::Absent,
            connection: Options::default(),
            upgrade: None,
            te_trailers: false,
            expect: None,
            hosts: 0,
            host_valid: false,
            trailer: false,
            keep_alive_timeout: None,
        };
        let mut names = Names::take();
        for span in spans {
            let raw = slice(head, span.name, span.name_len);
            let (name, class) = names
                .resolve(raw)
                .ok_or(Refusal::bad("malformed field name", "RFC 9110 §5.1"))?;
            let value = value_of(head, *span);
            if class == Class::Plain {
                fields.headers.append(name, value);
            } else {
                fields.special(class, name, value)?;
            }
        }
        fields.connection.remove_listed(&mut fields.headers);
        if fields.trailer && fields.transfer == Transfer::Absent {
            // Without chunks there is no trailer section that the field could announce (RFC 9110 §6.6.2).
            fields.headers.remove(http::header::TRAILER);
        }
        Ok(fields)
    }

    fn special(
        &mut self,
        class: Class,
        name: HeaderName,
        value: HeaderValue,
    ) -> Result<(), Refusal> {
        match class {
            Class::Host => {
                self.hosts += 1;
                self.host_valid = host::is_valid(value.as_bytes());
                self.headers.append(name, value);
            }
            Class::ContentLength => {
                if self.content_length.is_some() {
                    return Err(Refusal::bad(
                        "more than one Content-Length",
                        "RFC 9112 §6.3",
                    ));
                }
                self.content_length = Some(content_length(value.as_bytes())?);
                self.headers.append(name, value);
            }
            Class::TransferEncoding => {
                if self.transfer == Transfer::Chunked {
                    return Err(Refusal::bad(
                        "more than one Transfer-Encoding",
                        "RFC 9112 §6.1",
                    ));
                }
                self.transfer = transfer_encoding(value.as_bytes())?;
            }
            Class::Connection => self.connection.add(value.as_bytes())?,
            Class::Te => self.te_trailers |= connection::has_token(value.as_bytes(), b"trailers"),
            Class::Upgrade => self.upgrade = connection::upgrade(self.upgrade.take(), value),
            Class::Expect => {
                let known = value.as_bytes().eq_ignore_ascii_case(b"100-continue");
                self.expect = Some(known && self.expect != Some(false));
            }
            Class::KeepAlive => {
                self.keep_alive_timeout = connection::timeout_parameter(value.as_bytes())
            }
            Class::Trailer | Class::Plain => {
                self.trailer = true;
                self.headers.append(name, value);
            }
            Class::Dropped => {}
        }
        Ok(())
    }

    /// TE and CL in one message is the classic smuggling shape: refused, not resolved (RFC 9112 §6.1, §6.3).
    pub(super) fn check_framing(&self, version_1_0: bool) -> Result<(), Refusal> {
        if self.transfer == Transfer::Absent {
            return Ok(());
        }
        if self.content_length.is_some() {
            return Err(Refusal::bad(
                "both Transfer-Encoding and Content-Length",
                "RFC 9112 §6.3",
            ));
        }
        if version_1_0 {
            return Err(Refusal::bad(
                "Transfer-Encoding in HTTP/1.0",
                "RFC 9112 §6.1",
            ));
        }
        Ok(())
    }
}

/// The value of one field as a slice of the head.
#[expect(
    unsafe_code,
    reason = "the only unchecked construction in the crate, see SAFETY"
)]
fn value_of(head: &Bytes, span: Span) -> HeaderValue {
    let start = span.value as usize;
    let end = start + span.value_len as usize;
    if span.value_len == 0 || end > head.len() {
        return HeaderValue::from_static("");
    }
    // SAFETY: the span was produced by httparse on the same bytes. httparse only yields values whose bytes are HTAB, 0x20–0x7E or
    // 0x80–0xFF, which are exactly those that `HeaderValue::from_bytes` accepts; debug builds of `http` check it again.
    unsafe { HeaderValue::from_maybe_shared_unchecked(head.slice(start..end)) }
}

fn slice(head: &[u8], start: u32, len: u32) -> &[u8] {
    head.get(start as usize..start as usize + len as usize)
        .unwrap_or_default()
}

/// `Content-Length = 1*DIGIT` (RFC 9110 §8.6): no sign, no list, no white space, no overflow.
pub(crate) fn content_length(value: &[u8]) -> Result<u64, Refusal> {
    const BAD: Refusal = Refusal::bad("malformed Content-Length", "RFC 9110 §8.6");
    if value.is_empty() || value.len() > 19 {
        return Err(BAD);
    }
    value.iter().try_fold(0_u64, |sum, byte| match byte {
        b'0'..=b'9' => sum
            .checked_mul(10)
            .and_then(|sum| sum.checked_add(u64::from(byte - b'0')))
            .ok_or(BAD),
        _ => Err(BAD),
    })
}

/// Accepts a single `chunked` and nothing else (RFC 9112 §6.1, §6.3).
fn transfer_encoding(value: &[u8]) -> Result<Transfer, Refusal> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(Transfer::Chunked);
    }
    let mut codings = value
        .split(|byte| *byte == b',')
        .map(|coding| coding.trim_ascii());
    let last = codings.next_back().unwrap_or_default();
    let unknown_only = last.eq_ignore_ascii_case(b"chunked")
        && codings
            .all(|coding| !coding.eq_ignore_ascii_case(b"chunked") && connection::is_token(coding));
    if unknown_only {
        return Err(Refusal::new(
            StatusCode::NOT_IMPLEMENTED,
            "unknown transfer coding",
            "RFC 9112 §6.1",
        ));
    }
    Err(Refusal::bad(
        "Transfer-Encoding is not a single final chunked",
        "RFC 9112 §6.3",
    ))
}
