//! Noticing that a client is gone (RFC 9113 §6.7).

use std::{task::Context, time::Duration};

use h2::{Ping, PingPong};
use tokio::time::Instant;

use crate::spec::H2Limits;

/// Sends a PING to a client that has not been heard of for a while, and waits for its answer.
pub(super) struct KeepAlive {
    pings: PingPong,
    interval: Duration,
    timeout: Duration,
    heard: Instant,
    sent: Option<Instant>,
}

impl KeepAlive {
    /// None if the listener does without.
    pub(super) fn new(pings: Option<PingPong>, limits: &H2Limits) -> Option<Self> {
        Some(Self {
            pings: pings?,
            interval: limits.keep_alive_interval?,
            timeout: limits.keep_alive_timeout,
            heard: Instant::now(),
            sent: None,
        })
    }

    /// Takes note of what has come. Something has if `heard`.
    pub(super) fn listen(&mut self, cx: &mut Context<'_>, heard: bool) {
        if self.sent.is_some() {
            if self.pings.poll_pong(cx).is_ready() {
                self.sent = None;
                self.heard = Instant::now();
            }
        } else if heard {
            self.heard = Instant::now();
        }
    }

    /// When there is something to do next.
    pub(super) fn due(&self) -> Instant {
        match self.sent {
            Some(sent) => sent + self.timeout,
            None => self.heard + self.interval,
        }
    }

    /// Does what is due. False if the client has not answered in time.
    pub(super) fn act(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.due() > now {
            return true;
        }
        if self.sent.is_some() {
            return false;
        }
        // Fails only if the connection does.
        let _ = self.pings.send_ping(Ping::opaque());
        self.sent = Some(now);
        self.listen(cx, false);
        true
    }
}
