//! The event loop of the load generator.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustls::ClientConfig;

use super::connection::Connection;
use super::http2::Outcome;
use super::report::Report;
use super::request::Requests;
use super::{Length, Pace, Plan, tls};

/// Without an answer for so long, a run has failed.
const STALLED: Duration = Duration::from_secs(20);
/// With so many errors, a run has failed.
const TOO_MANY_ERRORS: u64 = 50_000;

/// The edges of the measured window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    Begin,
    End,
}

/// Open connections that stay as they are until dropped.
#[derive(Debug)]
pub(crate) struct Held {
    _slots: Vec<Slot>,
    /// How many are open.
    pub(crate) open: usize,
}

/// Runs a plan; `at` is called at both edges of the measured window, on this thread.
///
/// # Errors
/// No answer for 20 s, or errors without end. Single errors are counted in the report.
pub(crate) fn run(plan: &Plan, at: &mut dyn FnMut(Edge)) -> Result<Report> {
    let mut engine = Engine::new(plan)?;
    engine.run(at)?;
    Ok(engine.report)
}

/// Runs a plan and keeps its connections.
///
/// # Errors
/// As for [`run`].
pub(crate) fn hold(plan: &Plan) -> Result<(Report, Held)> {
    let mut engine = Engine::new(plan)?;
    engine.run(&mut |_| {})?;
    let open = engine
        .slots
        .iter()
        .filter(|slot| slot.connection.as_ref().is_some_and(|c| c.open))
        .count();
    Ok((
        engine.report,
        Held {
            _slots: engine.slots,
            open,
        },
    ))
}

#[derive(Debug, Default)]
struct Slot {
    connection: Option<Connection>,
    /// Requests that wait for the connection to open or to have room.
    pending: VecDeque<Instant>,
}

struct Engine<'p> {
    plan: &'p Plan,
    epoll: OwnedFd,
    tls: Vec<Arc<ClientConfig>>,
    requests: Requests,
    slots: Vec<Slot>,
    /// Slots with room for one more request; one entry for each stream.
    idle: VecDeque<usize>,
    report: Report,
    buffer: Vec<u8>,
    outcomes: Vec<Outcome>,
    begun: Instant,
    issued: u64,
    in_flight: usize,
    measuring: bool,
    last_answer: Instant,
}

impl<'p> Engine<'p> {
    fn new(plan: &'p Plan) -> Result<Self> {
        // The kernel may otherwise add 50 µs to every wait.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
        let now = Instant::now();
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            tls: tls::configs(plan)?,
            requests: Requests::new(plan),
            slots: (0..plan.connections).map(|_| Slot::default()).collect(),
            idle: (0..plan.streams)
                .flat_map(|_| 0..plan.connections)
                .collect(),
            report: Report::new()?,
            buffer: vec![0; 64 << 10],
            outcomes: Vec::new(),
            begun: now,
            issued: 0,
            in_flight: 0,
            measuring: false,
            last_answer: now,
            plan,
        })
    }

    fn run(&mut self, at: &mut dyn FnMut(Edge)) -> Result<()> {
        let mut events = Vec::with_capacity(256);
        self.begun = Instant::now();
        self.last_answer = self.begun;
        let measured_from = self.begun + self.plan.warmup;
        let mut started = measured_from;
        loop {
            let now = Instant::now();
            if !self.measuring && now >= measured_from {
                self.measuring = true;
                self.report.restart();
                at(Edge::Begin);
                started = Instant::now();
            }
            if self.measuring && self.over(now, started) {
                break;
            }
            ensure!(
                now - self.last_answer < STALLED,
                "no answer for {STALLED:?} ({})",
                self.first_error()
            );
            ensure!(
                self.report.errors < TOO_MANY_ERRORS,
                "too many errors ({})",
                self.first_error()
            );
            self.dispatch(now);
            let wake = self.next_wake(now, measured_from, started);
            events.clear();
            match epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                Some(&wake),
            ) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                self.on_event(usize::try_from(event.data.u64())?, event.flags);
                self.dispatch(Instant::now());
            }
        }
        self.report.elapsed = started.elapsed();
        at(Edge::End);
        self.charge_outstanding(started);
        Ok(())
    }

    fn over(&self, now: Instant, started: Instant) -> bool {
        match self.plan.length {
            Length::Time(time) => now >= started + time,
            Length::Requests(count) => self.issued >= count && self.in_flight == 0,
        }
    }

    fn first_error(&self) -> &str {
        self.report
            .first_error
            .as_deref()
            .unwrap_or("no error seen")
    }

    /// How long to wait for events at most.
    fn next_wake(&self, now: Instant, measured_from: Instant, started: Instant) -> Timespec {
        let mut wake = now + Duration::from_secs(1);
        if !self.measuring {
            wake = wake.min(measured_from);
        } else if let Length::Time(time) = self.plan.length {
            wake = wake.min(started + time);
        }
        if let Pace::Fixed(_) = self.plan.pace
            && !self.idle.is_empty()
        {
            wake = wake.min(self.due(self.issued));
        }
        let wait = wake.saturating_duration_since(now);
        Timespec {
            tv_sec: wait.as_secs().cast_signed(),
            tv_nsec: wait.subsec_nanos().into(),
        }
    }

    /// When the request of this number is due.
    fn due(&self, number: u64) -> Instant {
        match self.plan.pace {
            Pace::Closed => self.begun,
            Pace::Fixed(rate) => self.begun + Duration::from_secs_f64(number as f64 / rate),
        }
    }

    /// Issues every request that is due and has a free connection.
    fn dispatch(&mut self, now: Instant) {
        while self.in_flight < self.plan.in_flight {
            if matches!(self.plan.length, Length::Requests(count) if self.issued >= count) {
                return;
            }
            let due = match self.plan.pace {
                Pace::Closed => now,
                Pace::Fixed(_) => self.due(self.issued),
            };
            if due > now {
                return;
            }
            let Some(slot) = self.idle.pop_front() else {
                return;
            };
            self.issued += 1;
            self.in_flight += 1;
            if let Some(slot) = self.slots.get_mut(slot) {
                slot.pending.push_back(due);
            }
            self.pump(slot);
        }
    }

    /// Opens the slot's connection where it has none, hands it what waits, and writes.
    fn pump(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        if slot.connection.is_none() {
            if !slot.pending.is_empty()
                && let Err(error) = self.open(index)
            {
                self.lose(index, &error);
            }
            return;
        }
        if let Some(connection) = slot
            .connection
            .as_mut()
            .filter(|connection| connection.open)
        {
            let mut begun = connection.has_output();
            while let Some(due) = slot.pending.front() {
                if !connection.begin(&mut self.requests, *due) {
                    break;
                }
                slot.pending.pop_front();
                begun = true;
            }
            if begun && let Err(error) = self.write(index) {
                self.lose(index, &error);
            }
        }
    }

    fn open(&mut self, index: usize) -> Result<()> {
        let tls = self.tls.get(index % self.tls.len().max(1));
        let connection = Connection::connect(self.plan.target, tls, self.plan.protocol)?;
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(
            &self.epoll,
            &connection.transport,
            data,
            epoll::EventFlags::IN | epoll::EventFlags::OUT,
        )?;
        self.report.connects += 1;
        if let Some(slot) = self.slots.get_mut(index) {
            slot.connection = Some(connection);
        }
        Ok(())
    }

    /// Writes, and asks for writability where the socket is full.
    fn write(&mut self, index: usize) -> Result<()> {
        let Some(connection) = self
            .slots
            .get_mut(index)
            .and_then(|slot| slot.connection.as_mut())
        else {
            return Ok(());
        };
        let waited = connection.blocked;
        connection.write(&self.requests)?;
        if connection.blocked != waited {
            let mut flags = epoll::EventFlags::IN;
            flags.set(epoll::EventFlags::OUT, connection.blocked);
            epoll::modify(
                &self.epoll,
                &connection.transport,
                epoll::EventData::new_u64(index as u64),
                flags,
            )?;
        }
        Ok(())
    }

    fn on_event(&mut self, index: usize, flags: epoll::EventFlags) {
        if let Err(error) = self.advance(index, flags) {
            self.lose(index, &error);
        }
    }

    fn advance(&mut self, index: usize, flags: epoll::EventFlags) -> Result<()> {
        let Some(connection) = self
            .slots
            .get_mut(index)
            .and_then(|slot| slot.connection.as_mut())
        else {
            return Ok(());
        };
        let was_open = connection.open;
        if !was_open {
            connection.transport.connected()?;
        }
        if flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR)
        {
            self.read(index)?;
        }
        let Some(connection) = self
            .slots
            .get_mut(index)
            .and_then(|slot| slot.connection.as_mut())
        else {
            return Ok(());
        };
        if !was_open || flags.contains(epoll::EventFlags::OUT) {
            let waits = connection.blocked;
            if waits || !was_open {
                self.write(index)?;
            }
        }
        if let Some(connection) = self
            .slots
            .get_mut(index)
            .and_then(|slot| slot.connection.as_mut())
            && !was_open
            && connection.transport.ready()
        {
            connection.open = true;
            self.report.resumed += u64::from(connection.transport.resumed());
        }
        self.pump(index);
        Ok(())
    }

    /// Reads what there is and settles what ended with it.
    fn read(&mut self, index: usize) -> Result<()> {
        let Some(connection) = self
            .slots
            .get_mut(index)
            .and_then(|slot| slot.connection.as_mut())
        else {
            return Ok(());
        };
        let mut result = Ok(());
        loop {
            match connection.read(&mut self.buffer, &mut self.outcomes) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        let closing = connection.closing;
        let drained = connection.drained();
        let mut outcomes = std::mem::take(&mut self.outcomes);
        for outcome in outcomes.drain(..) {
            match outcome {
                Outcome::Done(due) => self.done(index, due, closing && self.plan.streams == 1),
                Outcome::Failed(due, text) => {
                    self.fail(index, due, &text);
                }
                Outcome::Refused(due) => self.repeat(index, due),
            }
        }
        self.outcomes = outcomes;
        if drained {
            bail!("connection drained");
        }
        result
    }

    /// Counts an answer. A slot whose connection is about to close is free again once it is closed.
    fn done(&mut self, index: usize, due: Instant, closing: bool) {
        let now = Instant::now();
        self.last_answer = now;
        self.report.completed += 1;
        self.report.record(now.saturating_duration_since(due));
        self.in_flight -= 1;
        if !closing {
            self.idle.push_back(index);
        }
    }

    fn fail(&mut self, index: usize, _due: Instant, error: &dyn std::fmt::Display) {
        self.report.error(error);
        self.in_flight -= 1;
        self.idle.push_back(index);
    }

    fn repeat(&mut self, index: usize, due: Instant) {
        self.report.retried += 1;
        if let Some(slot) = self.slots.get_mut(index) {
            slot.pending.push_back(due);
        }
    }

    /// Ends a slot's connection for a reason: its unanswered requests are repeated or have failed.
    fn lose(&mut self, index: usize, error: &anyhow::Error) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let Some(mut connection) = slot.connection.take() else {
            // Could not even connect.
            for due in std::mem::take(&mut slot.pending) {
                self.fail(index, due, error);
            }
            return;
        };
        let unanswered = connection.take_unanswered();
        if !connection.open {
            for due in std::mem::take(&mut slot.pending) {
                self.fail(index, due, error);
            }
        }
        if connection.closing && self.plan.streams == 1 {
            self.idle.push_back(index);
        }
        let repeatable = connection.repeatable();
        drop(connection);
        for due in unanswered {
            if repeatable {
                self.repeat(index, due);
            } else {
                self.fail(index, due, error);
            }
        }
        if self
            .slots
            .get(index)
            .is_some_and(|slot| !slot.pending.is_empty())
        {
            self.pump(index);
        }
    }

    /// A request that is still unanswered when a fixed-rate run ends took at least until now. Leaving them out would
    /// flatter a proxy that stalls.
    fn charge_outstanding(&mut self, started: Instant) {
        let Pace::Fixed(rate) = self.plan.pace else {
            return;
        };
        let Length::Time(time) = self.plan.length else {
            return;
        };
        let end = started + time;
        let late = self.slots.iter().flat_map(|slot| {
            let unanswered = slot.connection.iter().flat_map(Connection::unanswered);
            slot.pending.iter().copied().chain(unanswered)
        });
        let mut late: Vec<Instant> = late.collect();
        let last = (end.saturating_duration_since(self.begun).as_secs_f64() * rate) as u64;
        late.extend((self.issued..last).map(|number| self.due(number)));
        for due in late {
            // One that was due just now says nothing yet.
            let waited = end.saturating_duration_since(due);
            if waited > Duration::from_millis(1) {
                self.report.record(waited);
            }
        }
    }
}
