//! Noticing that a peer is gone (RFC 9113 §6.7).

use std::{task::Context, time::Duration};

use h2::{Ping, PingPong};
use tokio::time::Instant;

/// Sends a PING to a peer that has not been heard of for a while, and waits for its answer.
pub struct KeepAlive {
    pings: PingPong,
    interval: Duration,
    timeout: Duration,
    heard: Instant,
    sent: Option<Instant>,
}

impl KeepAlive {
    /// A PING after `interval` of silence; its answer may take `timeout`.
    pub fn new(pings: PingPong, interval: Duration, timeout: Duration) -> Self {
        Self {
            pings,
            interval,
            timeout,
            heard: Instant::now(),
            sent: None,
        }
    }

    /// Takes note of what has come. Something has if `heard`. To be called whenever the connection
    /// was polled.
    pub fn listen(&mut self, cx: &mut Context<'_>, heard: bool) {
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
    pub fn due(&self) -> Instant {
        match self.sent {
            Some(sent) => sent + self.timeout,
            None => self.heard + self.interval,
        }
    }

    /// Does what is due. False if the peer has not answered in time.
    pub fn act(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
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
