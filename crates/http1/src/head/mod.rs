//! Heads: parsing with all the strictness of RFC 9112, and writing.

mod connection;
mod fields;
mod host;
mod line;
mod request;
mod response;
mod write;

pub(crate) use fields::content_length;
pub use line::RequestLine;
pub(crate) use request::{ParseStop, RequestHead, parse_request};
pub(crate) use response::{ResponseFlaw, ResponseHead, parse_response};
pub(crate) use write::{
    Outgoing, encode_fields, encode_interim, encode_request_line, encode_status_line,
    is_forbidden_trailer,
};

/// Limits of one head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadLimits {
    /// Bytes of the whole head, start line and terminating empty line included.
    pub(crate) bytes: usize,
    /// Header fields.
    pub(crate) fields: usize,
    /// Bytes of the request target.
    pub(crate) target: usize,
}

/// Progress of an incomplete head, so that a head which comes byte by byte is tokenised twice and not once per byte.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Scan {
    seen: usize,
}

impl Scan {
    /// Whether `buffer` may hold a whole head now. Called after each read; remembers how far it has looked.
    fn may_be_complete(&mut self, buffer: &[u8]) -> bool {
        if self.seen == 0 {
            return true;
        }
        let from = self.seen.saturating_sub(3);
        self.seen = buffer.len();
        let Some(fresh) = buffer.get(from..) else {
            return true;
        };
        memchr::memchr_iter(b'\n', fresh).any(|at| {
            let rest = fresh.get(at + 1..).unwrap_or_default();
            rest.starts_with(b"\n") || rest.starts_with(b"\r\n")
        })
    }

    fn partial(&mut self, buffer: &[u8]) {
        self.seen = buffer.len();
    }

    fn reset(&mut self) {
        self.seen = 0;
    }
}

/// Most header fields the tokeniser has room for, whatever the options say.
pub(crate) const MAX_FIELDS: usize = 256;

#[cfg(test)]
mod tests;
