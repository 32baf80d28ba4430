//! Chunked transfer coding (RFC 9112 §7.1).

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName};

use crate::error::{BodyError, Violation};
use crate::head::is_forbidden_trailer;
use crate::name::Names;

/// Bytes of chunk extensions in one body; they carry nothing that is passed on (RFC 9112 §7.1.1).
const MAX_EXTENSION_BYTES: u32 = 16 * 1024;
/// Bytes of one trailer section.
const MAX_TRAILER_BYTES: usize = 16 * 1024;
/// Fields of one trailer section.
const MAX_TRAILERS: usize = 64;
/// Digits of a chunk size; 2^60 bytes are enough for everybody and can't overflow.
const MAX_SIZE_DIGITS: u8 = 15;

/// Decoder of one chunked body. Consumes as it goes, so no byte is looked at twice.
#[derive(Debug)]
pub(crate) struct Chunked {
    step: Step,
    extension_bytes: u32,
    /// Fields that `Connection` names: they are removed from trailers too (RFC 9110 §7.6.1).
    listed: Option<Box<[HeaderName]>>,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Size {
        size: u64,
        digits: u8,
    },
    /// White space after the size: an extension must follow.
    Blank(u64),
    Extension(u64),
    SizeLf(u64),
    Data(u64),
    DataCr,
    DataLf,
    Trailers {
        scanned: usize,
    },
    Done,
}

/// What the front of the buffer held.
#[derive(Debug)]
pub(crate) enum Decoded {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
    /// More bytes are needed.
    Starved,
}

const BAD_SIZE: Violation = Violation {
    reason: "malformed chunk size",
    section: "RFC 9112 §7.1",
};
const BAD_EXTENSION: Violation = Violation {
    reason: "malformed chunk extension",
    section: "RFC 9112 §7.1.1",
};
const LONG_EXTENSION: Violation = Violation {
    reason: "chunk extensions too long",
    section: "RFC 9112 §7.1.1",
};
const BAD_END: Violation = Violation {
    reason: "chunk not ended by CRLF",
    section: "RFC 9112 §7.1",
};
const BAD_TRAILERS: Violation = Violation {
    reason: "malformed trailer section",
    section: "RFC 9112 §7.1.2",
};
const LONG_TRAILERS: Violation = Violation {
    reason: "trailer section too large",
    section: "RFC 9112 §7.1.2",
};

impl Chunked {
    pub(crate) fn new(listed: Option<Box<[HeaderName]>>) -> Self {
        Self {
            step: Step::Size { size: 0, digits: 0 },
            extension_bytes: 0,
            listed,
        }
    }

    /// Takes the next piece off the front of `buffer`.
    pub(crate) fn decode(&mut self, buffer: &mut BytesMut) -> Result<Decoded, BodyError> {
        loop {
            match self.step {
                Step::Data(left) => {
                    if buffer.is_empty() {
                        return Ok(Decoded::Starved);
                    }
                    let taken = usize::try_from(left)
                        .unwrap_or(usize::MAX)
                        .min(buffer.len());
                    let left = left - taken as u64;
                    self.step = if left == 0 {
                        Step::DataCr
                    } else {
                        Step::Data(left)
                    };
                    return Ok(Decoded::Data(buffer.split_to(taken).freeze()));
                }
                Step::Trailers { scanned } => return self.trailers(buffer, scanned),
                Step::Done => return Ok(Decoded::End),
                _ => {}
            }
            let Some(byte) = buffer.first().copied() else {
                return Ok(Decoded::Starved);
            };
            self.step = self.framing(byte).map_err(BodyError::Malformed)?;
            // The first byte of a trailer section is not part of the size line that ends before it.
            buffer.advance(1);
        }
    }

    /// One byte of a chunk's framing.
    fn framing(&mut self, byte: u8) -> Result<Step, Violation> {
        Ok(match (self.step, byte) {
            (Step::Size { size, digits }, _) if byte.is_ascii_hexdigit() => {
                if digits == MAX_SIZE_DIGITS {
                    return Err(BAD_SIZE);
                }
                let digit = (byte as char).to_digit(16).unwrap_or_default();
                Step::Size {
                    size: (size << 4) | u64::from(digit),
                    digits: digits + 1,
                }
            }
            (Step::Size { digits: 0, .. }, _) => return Err(BAD_SIZE),
            (Step::Size { size, .. } | Step::Extension(size), b'\r') => Step::SizeLf(size),
            (Step::Size { size, .. } | Step::Blank(size), b';') => self.extension(size)?,
            (Step::Size { size, .. } | Step::Blank(size), b' ' | b'\t') => {
                self.extension(size)?;
                Step::Blank(size)
            }
            (Step::Size { .. }, _) => return Err(BAD_SIZE),
            (Step::Extension(size), b'\t' | b' '..=b'~' | 0x80..) => self.extension(size)?,
            (Step::Blank(_) | Step::Extension(_), _) => return Err(BAD_EXTENSION),
            (Step::SizeLf(0), b'\n') => Step::Trailers { scanned: 0 },
            (Step::SizeLf(size), b'\n') => Step::Data(size),
            (Step::DataCr, b'\r') => Step::DataLf,
            (Step::DataLf, b'\n') => Step::Size { size: 0, digits: 0 },
            (Step::SizeLf(_), _) => return Err(BAD_SIZE),
            _ => return Err(BAD_END),
        })
    }

    fn extension(&mut self, size: u64) -> Result<Step, Violation> {
        self.extension_bytes += 1;
        if self.extension_bytes > MAX_EXTENSION_BYTES {
            Err(LONG_EXTENSION)
        } else {
            Ok(Step::Extension(size))
        }
    }

    fn trailers(&mut self, buffer: &mut BytesMut, scanned: usize) -> Result<Decoded, BodyError> {
        match buffer.as_ref() {
            [b'\r', b'\n', ..] => {
                buffer.advance(2);
                self.step = Step::Done;
                return Ok(Decoded::End);
            }
            [] | [b'\r'] => return Ok(Decoded::Starved),
            _ => {}
        }
        let from = scanned.saturating_sub(3);
        let end = buffer
            .get(from..)
            .and_then(|fresh| memchr::memmem::find(fresh, b"\r\n\r\n"))
            .map(|at| from + at + 4);
        let Some(end) = end else {
            if buffer.len() > MAX_TRAILER_BYTES {
                return Err(BodyError::Malformed(LONG_TRAILERS));
            }
            self.step = Step::Trailers {
                scanned: buffer.len(),
            };
            return Ok(Decoded::Starved);
        };
        if end > MAX_TRAILER_BYTES {
            return Err(BodyError::Malformed(LONG_TRAILERS));
        }
        let section = buffer.split_to(end);
        self.step = Step::Done;
        let fields = self
            .parse_trailers(&section)
            .map_err(BodyError::Malformed)?;
        Ok(if fields.is_empty() {
            Decoded::End
        } else {
            Decoded::Trailers(fields)
        })
    }

    fn parse_trailers(&self, section: &[u8]) -> Result<HeaderMap, Violation> {
        let mut slots = [httparse::EMPTY_HEADER; MAX_TRAILERS];
        let fields = match httparse::parse_headers(section, &mut slots) {
            Ok(httparse::Status::Complete((len, fields))) if len == section.len() => fields,
            Err(httparse::Error::TooManyHeaders) => return Err(LONG_TRAILERS),
            _ => return Err(BAD_TRAILERS),
        };
        // The tokeniser takes a bare LF for a line end, RFC 9112 §2.2 doesn't have to.
        let bare_lf = memchr::memchr_iter(b'\n', section)
            .any(|at| at == 0 || section.get(at - 1) != Some(&b'\r'));
        if bare_lf {
            return Err(BAD_TRAILERS);
        }
        let mut names = Names::take();
        let mut map = HeaderMap::new();
        for field in fields {
            let (name, _) = names.resolve(field.name.as_bytes()).ok_or(BAD_TRAILERS)?;
            let listed = self
                .listed
                .as_ref()
                .is_some_and(|listed| listed.contains(&name));
            if !listed && !is_forbidden_trailer(&name) {
                map.append(
                    name,
                    http::HeaderValue::from_bytes(field.value).map_err(|_| BAD_TRAILERS)?,
                );
            }
        }
        Ok(map)
    }

    /// Takes the end of the body if all of it follows the data that was just returned, so that the last frame is known to be the
    /// last when it is passed on.
    pub(crate) fn take_plain_end(&mut self, buffer: &mut BytesMut) {
        const PLAIN_END: &[u8] = b"\r\n0\r\n\r\n";
        if matches!(self.step, Step::DataCr) && buffer.starts_with(PLAIN_END) {
            buffer.advance(PLAIN_END.len());
            self.step = Step::Done;
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.step, Step::Done)
    }
}
