//! What a client may send, and what is known of what it did.
//!
//! h2 does not say how many control frames a client sends, nor which requests it refuses itself: both
//! are read off the frames.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    time::Instant,
};

use super::{
    frames::{CONTINUATION, DATA, Frame, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS},
    refusals::Refusal,
};
use crate::spec::FloodLimits;

/// `ACK` of PING and SETTINGS, `END_STREAM` of DATA (RFC 9113 §6).
const ACK_OR_END: u8 = 0x1;

/// RFC 9113 §7. No fault of the client: it may not know the limit of streams yet.
const REFUSED_STREAM: u32 = 0x7;

/// Requests on their way through h2 that are kept track of. After a GOAWAY, h2 passes requests over
/// without a word.
const MAX_ARRIVED: usize = 1024;

/// What was seen of a connection's frames.
pub(super) struct Traffic {
    limits: FloodLimits,
    counts: Cell<Counts>,
    flood: Cell<Option<&'static str>>,
    heard: Cell<bool>,
    answered: Cell<bool>,
    /// The last stream that the client has opened.
    newest: Cell<u32>,
    /// Streams that the client has opened and h2 not yet handed out.
    arrived: RefCell<VecDeque<u32>>,
    refusals: RefCell<Vec<Refusal>>,
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
            heard: Cell::new(false),
            answered: Cell::new(false),
            newest: Cell::new(0),
            arrived: RefCell::new(VecDeque::new()),
            refusals: RefCell::new(Vec::new()),
        }
    }

    /// What the client has sent too much of, if anything.
    pub(super) const fn flood(&self) -> Option<&'static str> {
        self.flood.get()
    }

    /// Whether a frame has come since this was last asked.
    pub(super) const fn take_heard(&self) -> bool {
        self.heard.replace(false)
    }

    /// Whether a piece of an answer was sent since this was last asked.
    pub(super) const fn take_progress(&self) -> bool {
        self.answered.replace(false)
    }

    /// h2 has handed out the request on a stream.
    pub(super) fn accepted(&self, stream: u32) {
        self.forget(stream);
    }

    /// How requests were refused since this was last asked.
    pub(super) fn take_refusals(&self) -> Vec<Refusal> {
        self.refusals.take()
    }

    /// Forgets a stream that has arrived. False if it is not known as such.
    fn forget(&self, stream: u32) -> bool {
        let mut arrived = self.arrived.borrow_mut();
        let place = arrived.iter().position(|arrived| *arrived == stream);
        place.and_then(|place| arrived.remove(place)).is_some()
    }

    /// A stream was opened, if it is one that was not there before.
    fn opened(&self, stream: u32) {
        if stream > self.newest.get() {
            self.newest.set(stream);
            let mut arrived = self.arrived.borrow_mut();
            if arrived.len() == MAX_ARRIVED {
                arrived.pop_front();
            }
            arrived.push_back(stream);
        }
    }

    /// A frame that h2 sends on a stream before it has handed out its request refuses it.
    fn refused(&self, frame: Frame) {
        if self.arrived.borrow().is_empty() || !self.forget(frame.stream) {
            return;
        }
        let refusal = match frame.kind {
            HEADERS => Refusal::Answered,
            _ if frame.code == REFUSED_STREAM => return,
            _ => Refusal::Reset,
        };
        self.refusals.borrow_mut().push(refusal);
    }

    pub(super) fn sent(&self, frame: Frame) {
        if matches!(frame.kind, HEADERS | RST_STREAM) {
            self.refused(frame);
        }
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

    pub(super) fn received(&self, frame: Frame) {
        self.heard.set(true);
        let flag = frame.flags & ACK_OR_END != 0;
        let mut counts = self.counts.get();
        let limits = &self.limits;
        let credit = counts.credit;
        let (count, limit, name) = match frame.kind {
            HEADERS => return self.opened(frame.stream),
            CONTINUATION | GOAWAY => return,
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

#[cfg(test)]
mod tests {
    use super::*;

    const fn frame(kind: u8, flags: u8, length: u32) -> Frame {
        Frame {
            length,
            kind,
            flags,
            stream: 1,
            code: 0,
        }
    }

    #[test]
    fn floods_are_noticed_and_answers_allow_more() {
        let limits = FloodLimits {
            pings: 3,
            ..FloodLimits::default()
        };
        let ping = frame(PING, 0, 8);
        let traffic = Traffic::new(limits);
        traffic.sent(frame(DATA, 0, 10));
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
        (0..100).for_each(|_| traffic.received(frame(SETTINGS, 0, 0)));
        assert_eq!(traffic.flood(), None);
    }

    #[test]
    fn work_is_no_flood() {
        let traffic = Traffic::new(FloodLimits::default());
        for _ in 0..100_000 {
            traffic.received(frame(HEADERS, 4, 100));
            traffic.received(frame(DATA, 0, 100));
            traffic.received(frame(DATA, ACK_OR_END, 0));
            traffic.received(frame(PING, ACK_OR_END, 8));
        }
        assert_eq!(traffic.flood(), None);
    }

    fn on(stream: u32, kind: u8, code: u32) -> Frame {
        Frame {
            stream,
            code,
            ..frame(kind, 4, 4)
        }
    }

    #[test]
    fn what_h2_answers_or_resets_unasked_is_noticed_once() {
        let traffic = Traffic::new(FloodLimits::default());
        for stream in [1, 3, 5, 7, 9] {
            traffic.received(on(stream, HEADERS, 0));
        }
        traffic.accepted(1);
        traffic.accepted(7);
        for frame in [
            on(1, HEADERS, 0),
            on(1, RST_STREAM, 2),
            on(3, RST_STREAM, 1),
            on(5, HEADERS, 0),
            on(5, RST_STREAM, 1),
            on(7, RST_STREAM, 1),
            on(9, RST_STREAM, REFUSED_STREAM),
        ] {
            traffic.sent(frame);
        }
        assert_eq!(traffic.take_refusals(), [Refusal::Reset, Refusal::Answered]);
        assert!(traffic.arrived.borrow().is_empty());
        // Trailers open no stream.
        traffic.received(on(7, HEADERS, 0));
        assert!(traffic.arrived.borrow().is_empty());
    }
}
