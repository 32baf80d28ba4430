//! Counting frames on their way in and out.
//!
//! h2 does not say how many control frames a client sends, so they are read off the byte stream:
//! every frame begins with nine bytes that tell its length, kind and flags (RFC 9113 §4.1).

use std::{cell::Cell, io, rc::Rc, time::Instant};

use lintel_http::h2::PREFACE;
use lintel_http1::Observer;

use crate::spec::FloodLimits;

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const PRIORITY: u8 = 0x2;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
const CONTINUATION: u8 = 0x9;

/// `ACK` of PING and SETTINGS, `END_STREAM` of DATA (RFC 9113 §6).
const ACK_OR_END: u8 = 0x1;

/// What was seen of a connection's frames.
pub(super) struct Traffic {
    limits: FloodLimits,
    counts: Cell<Counts>,
    flood: Cell<Option<&'static str>>,
    greeted: Cell<bool>,
    answered: Cell<bool>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    since: Option<Instant>,
    /// Answers and pieces of answers sent.
    credit: u32,
    pings: u32,
    settings: u32,
    resets: u32,
    priorities: u32,
    empty_data: u32,
    others: u32,
}

impl Traffic {
    pub(super) const fn new(limits: FloodLimits) -> Self {
        Self {
            limits,
            counts: Cell::new(Counts {
                since: None,
                credit: 0,
                pings: 0,
                settings: 0,
                resets: 0,
                priorities: 0,
                empty_data: 0,
                others: 0,
            }),
            flood: Cell::new(None),
            greeted: Cell::new(false),
            answered: Cell::new(false),
        }
    }

    /// What the client has sent too much of, if anything.
    pub(super) const fn flood(&self) -> Option<&'static str> {
        self.flood.get()
    }

    /// Whether the client has sent its preface and first frame.
    pub(super) const fn is_greeted(&self) -> bool {
        self.greeted.get()
    }

    /// Whether a piece of an answer was sent since this was last asked.
    pub(super) const fn take_progress(&self) -> bool {
        self.answered.replace(false)
    }

    fn sent(&self, frame: Frame) {
        let is_answer = match frame.kind {
            HEADERS => true,
            DATA => frame.length > 0,
            _ => false,
        };
        if is_answer {
            self.answered.set(true);
            let mut counts = self.counts.get();
            counts.credit = counts.credit.saturating_add(1);
            self.counts.set(counts);
        }
    }

    fn received(&self, frame: Frame) {
        self.greeted.set(true);
        let flag = frame.flags & ACK_OR_END != 0;
        let mut counts = self.counts.get();
        let limits = &self.limits;
        let credit = counts.credit;
        let (count, limit, name) = match frame.kind {
            HEADERS | CONTINUATION | GOAWAY => return,
            DATA if frame.length > 0 || flag => return,
            PING | SETTINGS if flag => return,
            DATA => (
                &mut counts.empty_data,
                limits.empty_data,
                "h2_empty_data_flood",
            ),
            SETTINGS => (&mut counts.settings, limits.settings, "h2_settings_flood"),
            PING => (
                &mut counts.pings,
                limits.pings.saturating_add(credit),
                "h2_ping_flood",
            ),
            RST_STREAM => (
                &mut counts.resets,
                limits.resets.saturating_add(credit),
                "h2_reset_flood",
            ),
            PRIORITY => (
                &mut counts.priorities,
                limits.priorities.saturating_add(credit),
                "h2_priority_flood",
            ),
            _ => (
                &mut counts.others,
                limits.others.saturating_add(credit),
                "h2_frame_flood",
            ),
        };
        *count = count.saturating_add(1);
        if *count <= limit {
            // The clock is read only where the interval begins and where it may end.
            counts.since.get_or_insert_with(Instant::now);
            self.counts.set(counts);
        } else if counts
            .since
            .is_some_and(|since| since.elapsed() >= limits.interval)
        {
            self.counts.set(Counts {
                since: Some(Instant::now()),
                ..Counts::default()
            });
        } else {
            self.flood.set(Some(name));
        }
    }
}

/// The first nine bytes of a frame, without its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    length: u32,
    kind: u8,
    flags: u8,
}

/// Finds the frames in a byte stream that comes in pieces.
#[derive(Default)]
struct Scanner {
    /// Bytes of a payload, or of the preface, that are still to come.
    skip: usize,
    head: [u8; 9],
    have: usize,
}

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
            for (to, from) in self.head.iter_mut().skip(self.have).zip(bytes) {
                *to = *from;
            }
            let taken = (self.head.len() - self.have).min(bytes.len());
            self.have += taken;
            bytes = bytes.get(taken..).unwrap_or_default();
            if self.have == self.head.len() {
                self.have = 0;
                let [high, middle, low, kind, flags, ..] = self.head;
                let length = u32::from_be_bytes([0, high, middle, low]);
                self.skip = length as usize;
                found(Frame {
                    length,
                    kind,
                    flags,
                });
            }
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
        bytes.extend([kind, flags, 0, 0, 0, 1]);
        bytes.resize(9 + payload, 0xff);
        bytes
    }

    #[test]
    fn frames_are_found_however_the_bytes_come() {
        let mut bytes = PREFACE.to_vec();
        bytes.extend(frame(SETTINGS, 0, 12));
        bytes.extend(frame(DATA, 1, 0));
        bytes.extend(frame(PING, 0, 8));
        bytes.extend(frame(DATA, 0, 70_000));
        bytes.extend(frame(PING, 1, 8));
        let expected = [
            (SETTINGS, 12),
            (DATA, 0),
            (PING, 8),
            (DATA, 70_000),
            (PING, 8),
        ];
        for piece in [1, 2, 8, 9, 10, 24, 33, 4096, bytes.len()] {
            let mut scanner = Scanner::after_preface();
            let mut found = Vec::new();
            for part in bytes.chunks(piece) {
                scanner.feed(part, |frame| {
                    found.push((frame.kind, frame.length as usize))
                });
            }
            assert_eq!(found, expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn floods_are_noticed_and_answers_allow_more() {
        let limits = FloodLimits {
            pings: 3,
            ..FloodLimits::default()
        };
        let ping = Frame {
            length: 8,
            kind: PING,
            flags: 0,
        };
        let traffic = Traffic::new(limits);
        traffic.sent(Frame {
            length: 10,
            kind: DATA,
            flags: 0,
        });
        (0..4).for_each(|_| traffic.received(ping));
        assert_eq!(traffic.flood(), None);
        traffic.received(ping);
        assert_eq!(traffic.flood(), Some("h2_ping_flood"));
    }

    #[test]
    fn an_interval_that_has_passed_counts_no_more() {
        let limits = FloodLimits {
            settings: 1,
            interval: std::time::Duration::ZERO,
            ..FloodLimits::default()
        };
        let traffic = Traffic::new(limits);
        (0..100).for_each(|_| {
            traffic.received(Frame {
                length: 0,
                kind: SETTINGS,
                flags: 0,
            })
        });
        assert_eq!(traffic.flood(), None);
    }

    #[test]
    fn work_is_no_flood() {
        let traffic = Traffic::new(FloodLimits::default());
        for _ in 0..100_000 {
            traffic.received(Frame {
                length: 100,
                kind: HEADERS,
                flags: 4,
            });
            traffic.received(Frame {
                length: 100,
                kind: DATA,
                flags: 0,
            });
            traffic.received(Frame {
                length: 0,
                kind: DATA,
                flags: ACK_OR_END,
            });
            traffic.received(Frame {
                length: 8,
                kind: PING,
                flags: ACK_OR_END,
            });
        }
        assert_eq!(traffic.flood(), None);
    }
}
