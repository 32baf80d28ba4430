//! The life of an HTTP/2 connection: its beginning, idle times, the last request, draining.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use h2::{
    Reason,
    server::{Connection, Handshake},
};
use lintel_http::h2::KeepAlive;
use lintel_http1::Timer;
use tokio::time::Instant;

use super::{Io, Session, accept::accept, refusals};

/// How long the client of a connection that has no stream left may take to answer a GOAWAY.
const GOODBYE: Duration = Duration::from_secs(5);

/// Runs a connection to its end.
pub(super) async fn drive(
    handshake: Handshake<Io, Bytes>,
    session: &Rc<Session>,
) -> Result<(), h2::Error> {
    let closing = session.held.listener.closing.clone();
    let mut asked = pin!(closing.asked());
    let mut life = Life {
        phase: Phase::Greeting(handshake),
        session: Rc::clone(session),
        timer: Timer::new(),
        ending: false,
        greeted: false,
        deadline: None,
    };
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(ended) = life.poll_phase(cx) {
                return Poll::Ready(ended);
            }
            if !life.ending && (life.is_at_last_request() || asked.as_mut().poll(cx).is_ready()) {
                life.end();
            } else {
                match ready!(life.poll_deadlines(cx)) {
                    Next::GoOn => {}
                    Next::Over => return Poll::Ready(Ok(())),
                }
            }
        }
    })
    .await
}

struct Life {
    phase: Phase,
    session: Rc<Session>,
    timer: Timer,
    /// GOAWAY was sent, or will be once the connection has begun.
    ending: bool,
    /// The client has sent its preface and first frame.
    greeted: bool,
    /// When a connection without streams is given up.
    deadline: Option<Instant>,
}

enum Phase {
    Greeting(Handshake<Io, Bytes>),
    Serving(Connection<Io, Bytes>, Option<KeepAlive>),
}

enum Next {
    GoOn,
    Over,
}

impl Life {
    /// Takes what has come and sends what is to go. Ready at the end of the connection.
    fn poll_phase(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        if let Phase::Greeting(handshake) = &mut self.phase {
            let mut connection = ready!(Pin::new(handshake).poll(cx))?;
            if self.ending {
                connection.graceful_shutdown();
            }
            let limits = &self.session.held.spec.h2;
            let keep_alive =
                limits
                    .keep_alive_interval
                    .zip(connection.ping_pong())
                    .map(|(interval, pings)| {
                        KeepAlive::new(pings, interval, limits.keep_alive_timeout)
                    });
            self.phase = Phase::Serving(connection, keep_alive);
        }
        if let Phase::Serving(connection, keep_alive) = &mut self.phase {
            while let Poll::Ready(stream) = connection.poll_accept(cx) {
                let Some(stream) = stream else {
                    return Poll::Ready(Ok(()));
                };
                let (request, respond) = stream?;
                accept(&self.session, request, respond);
            }
            let heard = self.session.traffic.take_heard();
            if heard && !self.greeted {
                self.greeted = true;
                self.deadline = None;
            }
            if let Some(keep_alive) = keep_alive {
                keep_alive.listen(cx, heard);
            }
            refusals::record(&self.session);
        }
        Poll::Pending
    }

    fn is_at_last_request(&self) -> bool {
        let most = self.session.held.spec.http1.max_requests;
        most != u32::MAX && self.session.streams.begun() >= most
    }

    /// Sends GOAWAY: streams that are open are finished, no further ones are taken.
    fn end(&mut self) {
        self.ending = true;
        self.deadline = None;
        if let Phase::Serving(connection, _) = &mut self.phase {
            connection.graceful_shutdown();
        }
    }

    fn poll_deadlines(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let give_up = self.give_up(cx);
        let ping = match &self.phase {
            Phase::Serving(_, Some(keep_alive)) => Some(keep_alive.due()),
            _ => None,
        };
        let due = match (give_up, ping) {
            (Some(give_up), Some(ping)) => give_up.min(ping),
            (Some(due), None) | (None, Some(due)) => due,
            (None, None) => return Poll::Pending,
        };
        ready!(self.timer.poll_deadline(cx, due));
        let now = Instant::now();
        if let Phase::Serving(connection, Some(keep_alive)) = &mut self.phase
            && !keep_alive.act(cx, now)
        {
            connection.abrupt_shutdown(Reason::NO_ERROR);
            // There may be nobody to take it.
            let _ = connection.poll_closed(cx);
            return Poll::Ready(Next::Over);
        }
        if give_up.is_none_or(|give_up| give_up > now) {
            return Poll::Ready(Next::GoOn);
        }
        self.deadline = None;
        // With progress, the rest of an answer is still on its way out.
        if !self.session.traffic.take_progress() {
            if self.ending || !self.greeted {
                return Poll::Ready(Next::Over);
            }
            self.end();
        }
        Poll::Ready(Next::GoOn)
    }

    /// When the connection is given up, if no stream is open.
    fn give_up(&mut self, cx: &Context<'_>) -> Option<Instant> {
        if !self.session.streams.poll_idle(cx) {
            self.deadline = None;
            return None;
        }
        let options = &self.session.held.spec.http1;
        let allowed = match (self.ending, self.greeted) {
            (true, _) => GOODBYE,
            (false, true) => options.idle_timeout,
            (false, false) => options.header_timeout,
        };
        let deadline = *self
            .deadline
            .get_or_insert_with(|| Instant::now() + allowed);
        Some(deadline)
    }
}
