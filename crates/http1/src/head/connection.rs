//! `Connection` and the fields that go with it (RFC 9110 §7.6.1, RFC 9112 §9).

use http::{HeaderMap, HeaderName, HeaderValue, header};
use smallvec::SmallVec;

use crate::error::Refusal;

/// What the `Connection` fields of a message say.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
    /// Names of further fields that are meant for this connection only.
    listed: SmallVec<[HeaderName; 1]>,
}

/// Most connection options in one message; more is nobody's honest use and would cost a map look-up each.
const MAX_LISTED: usize = 32;

impl Options {
    /// Takes in one `Connection` field line.
    pub(super) fn add(&mut self, value: &[u8]) -> Result<(), Refusal> {
        for option in value
            .split(|byte| *byte == b',')
            .map(|option| option.trim_ascii())
        {
            if option.is_empty() {
                continue;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else {
                let name = HeaderName::from_bytes(option)
                    .map_err(|_| Refusal::bad("malformed Connection", "RFC 9110 §7.6.1"))?;
                if self.listed.len() == MAX_LISTED {
                    return Err(Refusal::bad(
                        "too many connection options",
                        "RFC 9110 §7.6.1",
                    ));
                }
                self.listed.push(name);
            }
        }
        Ok(())
    }

    /// Removes every field that is named in `Connection` (RFC 9110 §7.6.1), except those that say where a message goes, how long
    /// it is or what it is: a peer must not be able to have those removed on the way to the next hop.
    pub(super) fn remove_listed(&self, headers: &mut HeaderMap) {
        for name in self.listed.iter().filter(|name| !is_essential(name)) {
            headers.remove(name);
        }
    }

    /// The names to keep out of the trailer section too; `None` in the usual case.
    pub(crate) fn take_listed(&mut self) -> Option<Box<[HeaderName]>> {
        if self.listed.is_empty() {
            return None;
        }
        Some(std::mem::take(&mut self.listed).into_iter().collect())
    }
}

fn is_essential(name: &HeaderName) -> bool {
    [
        header::HOST,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::CONTENT_RANGE,
        header::CACHE_CONTROL,
    ]
    .contains(name)
}

/// Whether a comma-separated list has this token, parameters ignored.
pub(super) fn has_token(value: &[u8], token: &[u8]) -> bool {
    value
        .split(|byte| *byte == b',')
        .filter_map(|element| element.split(|byte| *byte == b';').next())
        .any(|element| element.trim_ascii().eq_ignore_ascii_case(token))
}

/// Adds one `Upgrade` line to those before. `h2c` is dropped: RFC 9113 §3.1 has removed that upgrade, and it has been used to
/// tunnel past proxies.
pub(super) fn upgrade(before: Option<HeaderValue>, value: HeaderValue) -> Option<HeaderValue> {
    if before.is_none() && !has_token(value.as_bytes(), b"h2c") {
        return if value.is_empty() { None } else { Some(value) };
    }
    let mut joined = before
        .map(|before| before.as_bytes().to_vec())
        .unwrap_or_default();
    for protocol in value
        .as_bytes()
        .split(|byte| *byte == b',')
        .map(|protocol| protocol.trim_ascii())
    {
        if protocol.is_empty() || protocol.eq_ignore_ascii_case(b"h2c") {
            continue;
        }
        if !joined.is_empty() {
            joined.extend_from_slice(b", ");
        }
        joined.extend_from_slice(protocol);
    }
    if joined.is_empty() {
        None
    } else {
        HeaderValue::from_bytes(&joined).ok()
    }
}

/// `timeout` of a `Keep-Alive` field, in seconds.
pub(super) fn timeout_parameter(value: &[u8]) -> Option<u32> {
    value.split(|byte| *byte == b',').find_map(|parameter| {
        let (name, number) = std::str::from_utf8(parameter).ok()?.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("timeout") {
            number.trim().parse().ok()
        } else {
            None
        }
    })
}

/// `token = 1*tchar` (RFC 9110 §5.6.2).
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}
