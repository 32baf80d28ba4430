//! Finding the frames of a connection on their way in and out: every frame begins with nine bytes that
//! tell its length, kind, flags and stream (RFC 9113 §4.1).

use std::{io, rc::Rc};

use lintel_http::h2::PREFACE;
use lintel_http1::Observer;

use super::traffic::Traffic;

pub(super) const DATA: u8 = 0x0;
pub(super) const HEADERS: u8 = 0x1;
pub(super) const PRIORITY: u8 = 0x2;
pub(super) const RST_STREAM: u8 = 0x3;
pub(super) const SETTINGS: u8 = 0x4;
pub(super) const PING: u8 = 0x6;
pub(super) const GOAWAY: u8 = 0x7;
pub(super) const CONTINUATION: u8 = 0x9;

/// What a frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) length: u32,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    /// Of RST_STREAM (RFC 9113 §6.4); 0 of all others.
    pub(super) code: u32,
}

/// Finds the frames in a byte stream that comes in pieces.
#[derive(Default)]
struct Scanner {
    /// Bytes of a payload, or of the preface, that are still to come.
    skip: usize,
    /// The beginning of a frame, with the code of RST_STREAM.
    head: [u8; HEAD + CODE],
    have: usize,
}

const HEAD: usize = 9;
const CODE: usize = 4;

impl Scanner {
    fn after_preface() -> Self {
        Self {
            skip: PREFACE.len(),
            ..Self::default()
        }
    }

    fn feed(&mut self, mut bytes: &[u8], mut found: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            self.collect(&mut bytes, HEAD);
            if self.has_code() {
                self.collect(&mut bytes, HEAD + CODE);
            }
            if self.is_complete() {
                found(self.frame());
            }
        }
    }

    /// Takes bytes until there are `wanted`.
    fn collect(&mut self, bytes: &mut &[u8], wanted: usize) {
        let missing = wanted.saturating_sub(self.have);
        for (to, from) in self
            .head
            .iter_mut()
            .skip(self.have)
            .zip(bytes.iter())
            .take(missing)
        {
            *to = *from;
        }
        let taken = missing.min(bytes.len());
        self.have += taken;
        *bytes = bytes.get(taken..).unwrap_or_default();
    }

    fn has_code(&self) -> bool {
        self.have >= HEAD && matches!(self.head, [0, 0, 4, RST_STREAM, ..])
    }

    fn is_complete(&self) -> bool {
        self.have == if self.has_code() { HEAD + CODE } else { HEAD }
    }

    fn frame(&mut self) -> Frame {
        let [high, middle, low, kind, flags, a, b, c, d, code @ ..] = self.head;
        let length = u32::from_be_bytes([0, high, middle, low]);
        let has_code = self.has_code();
        self.have = 0;
        self.skip = length as usize - if has_code { CODE } else { 0 };
        Frame {
            length,
            kind,
            flags,
            // The first bit means nothing.
            stream: u32::from_be_bytes([a, b, c, d]) & (u32::MAX >> 1),
            code: if has_code {
                u32::from_be_bytes(code)
            } else {
                0
            },
        }
    }
}

/// Counts the frames of a connection. Reading fails once the client has sent too many.
pub(super) struct Frames {
    traffic: Rc<Traffic>,
    incoming: Scanner,
    outgoing: Scanner,
}

impl Frames {
    pub(super) fn new(traffic: Rc<Traffic>) -> Self {
        Self {
            traffic,
            incoming: Scanner::after_preface(),
            outgoing: Scanner::default(),
        }
    }
}

impl Observer for Frames {
    fn read(&mut self, bytes: &[u8]) -> io::Result<()> {
        let traffic = &self.traffic;
        self.incoming.feed(bytes, |frame| traffic.received(frame));
        match traffic.flood() {
            None => Ok(()),
            Some(name) => Err(io::Error::other(name)),
        }
    }

    fn written(&mut self, bytes: &[u8]) {
        let traffic = &self.traffic;
        self.outgoing.feed(bytes, |frame| traffic.sent(frame));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap_or(u32::MAX).to_be_bytes();
        let mut bytes = length.get(1..).unwrap_or_default().to_vec();
        bytes.extend([kind, flags, 0x80, 0, 0, 1]);
        bytes.resize(9 + payload, 0xff);
        bytes
    }

    #[test]
    fn frames_are_found_however_the_bytes_come() {
        let mut bytes = PREFACE.to_vec();
        bytes.extend(frame(SETTINGS, 0, 12));
        bytes.extend(frame(DATA, 1, 0));
        bytes.extend(frame(PING, 0, 8));
        bytes.extend(frame(RST_STREAM, 0, 4));
        bytes.extend(frame(DATA, 0, 70_000));
        bytes.extend(frame(RST_STREAM, 0, 5));
        bytes.extend(frame(PING, 1, 8));
        let expected = [
            (SETTINGS, 12, 0),
            (DATA, 0, 0),
            (PING, 8, 0),
            (RST_STREAM, 4, u32::MAX),
            (DATA, 70_000, 0),
            (RST_STREAM, 5, 0),
            (PING, 8, 0),
        ];
        for piece in [1, 2, 8, 9, 10, 24, 33, 4096, bytes.len()] {
            let mut scanner = Scanner::after_preface();
            let mut found = Vec::new();
            for part in bytes.chunks(piece) {
                scanner.feed(part, |frame| {
                    assert_eq!(frame.stream, 1);
                    found.push((frame.kind, frame.length as usize, frame.code));
                });
            }
            assert_eq!(found, expected, "in pieces of {piece}");
        }
    }
}
