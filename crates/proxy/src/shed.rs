//! Load shedding: while the gateway itself is short of something, it refuses the least important
//! requests first, right after their route is known and before anything is done for them.
//!
//! Each worker decides by itself, from the pressure that its main task measures ten times a second;
//! a request only reads the outcome.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    time::Duration,
};

use http::StatusCode;
pub use lintel_kernel::Priority;
use lintel_kernel::Rejection;
use lintel_telemetry::{
    WorkerMetrics,
    metrics::family::{PRESSURE, SHED},
};

use crate::active::Active;

/// What the gateway may be short of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Time of a worker's core: how late its event loop is.
    QueueDelay,
    /// Memory of the process.
    Memory,
    /// File descriptors of the process.
    Files,
    /// Open client connections.
    Connections,
}

impl Signal {
    const ALL: [Self; 4] = [
        Self::QueueDelay,
        Self::Memory,
        Self::Files,
        Self::Connections,
    ];

    /// The name in configuration, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueDelay => "queue_delay",
            Self::Memory => "memory",
            Self::Files => "files",
            Self::Connections => "connections",
        }
    }
}

/// When requests are refused. Pressure is a share of a limit; 1.0 is all of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Overload {
    /// The pressure from which requests are refused, by priority, in the order of
    /// [`Priority::ALL`].
    pub from: [f64; 3],
    /// How far the pressure must fall below that until they are served again.
    pub recover: f64,
    /// The lateness that counts as all of a worker's time.
    pub queue_delay: Duration,
    /// Bytes of resident memory; without it what the machine or the control group allows.
    pub memory: Option<u64>,
    /// File descriptors; without it what the process may open.
    pub files: Option<u64>,
    /// Open client connections over all listeners; without it they do not count.
    pub connections: Option<u64>,
}

/// What was measured. A limit of 0 is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// How late the worker's event loop is.
    pub queue_delay: Duration,
    /// Resident bytes of the process, and how many there may be.
    pub memory: (u64, u64),
    /// Open file descriptors, and how many there may be.
    pub files: (u64, u64),
    /// Open client connections of all workers.
    pub connections: u64,
}

impl Overload {
    /// The pressure of each signal.
    fn pressures(&self, readings: &Readings) -> [(Signal, f64); 4] {
        let share = |value: u64, limit: u64| match limit {
            0 => 0.0,
            limit => value as f64 / limit as f64,
        };
        let late = readings.queue_delay.as_secs_f64();
        let (memory, files) = (readings.memory, readings.files);
        Signal::ALL.map(|signal| {
            let pressure = match signal {
                Signal::QueueDelay => late / self.queue_delay.as_secs_f64().max(1e-9),
                Signal::Memory => share(memory.0, self.memory.unwrap_or(memory.1)),
                Signal::Files => share(files.0, self.files.unwrap_or(files.1)),
                Signal::Connections => share(readings.connections, self.connections.unwrap_or(0)),
            };
            (signal, pressure)
        })
    }
}

/// Decides which priorities are refused, from one measurement to the next.
#[derive(Debug, Default)]
pub struct Controller {
    /// How many of [`Priority::ALL`] are refused.
    refused: usize,
    /// Measurements in a row that would let a priority back in.
    calm: u32,
}

/// Measurements of calm before a priority is served again: a second.
const CALM: u32 = 10;

impl Controller {
    /// Takes a measurement and returns how many priorities are refused now. More are refused at
    /// once; each is served again only after a second of less pressure, one after the other.
    pub fn observe(&mut self, overload: &Overload, pressure: f64) -> usize {
        let wanted = overload
            .from
            .iter()
            .filter(|from| pressure >= **from)
            .count();
        if wanted > self.refused {
            self.refused = wanted;
            self.calm = 0;
            return self.refused;
        }
        let last = self.refused.checked_sub(1);
        let Some(from) = last.and_then(|last| overload.from.get(last)) else {
            return self.refused;
        };
        self.calm = if pressure < from - overload.recover {
            self.calm + 1
        } else {
            0
        };
        if self.calm >= CALM {
            self.refused -= 1;
            self.calm = 0;
        }
        self.refused
    }
}

/// A worker's part.
pub(crate) struct Shed {
    controller: RefCell<Controller>,
    /// The last latenesses: a single late round is no shortage.
    late: RefCell<VecDeque<Duration>>,
    refused: Cell<usize>,
    signal: Cell<Signal>,
}

/// Rounds of which the least late one counts (as CoDel takes the minimum of an interval, RFC 8289
/// §3.2): 300 ms.
const ROUNDS: usize = 3;

impl Default for Shed {
    fn default() -> Self {
        Self {
            controller: RefCell::default(),
            late: RefCell::default(),
            refused: Cell::new(0),
            signal: Cell::new(Signal::QueueDelay),
        }
    }
}

impl Shed {
    /// Takes what worker `index` has measured. `None` where nothing is to be refused.
    pub(crate) fn observe(
        &self,
        overload: Option<&Overload>,
        readings: Readings,
        index: usize,
        metrics: &WorkerMetrics,
    ) {
        let Some(overload) = overload else {
            *self.controller.borrow_mut() = Controller::default();
            return self.refused.set(0);
        };
        let queue_delay = self.least_late(readings.queue_delay);
        let readings = Readings {
            queue_delay,
            ..readings
        };
        let pressures = overload.pressures(&readings);
        let worker = index.to_string();
        let mut highest = (Signal::QueueDelay, 0.0);
        for (signal, pressure) in pressures {
            if pressure > highest.1 {
                highest = (signal, pressure);
            }
            let own = signal == Signal::QueueDelay;
            if own || index == 0 {
                let labels = [signal.name(), if own { &*worker } else { "" }];
                metrics
                    .gauge(&PRESSURE, &labels)
                    .set((pressure * 100.0).min(1e6) as i64);
            }
        }
        let refused = self.controller.borrow_mut().observe(overload, highest.1);
        let before = self.refused.replace(refused);
        if refused > before {
            self.signal.set(highest.0);
        }
        // What all workers see alike is told by one of them.
        if refused != before && (index == 0 || self.signal.get() == Signal::QueueDelay) {
            tell(refused, before, self.signal.get(), highest.1, index);
        }
    }

    fn least_late(&self, late: Duration) -> Duration {
        let mut rounds = self.late.borrow_mut();
        rounds.push_back(late);
        if rounds.len() > ROUNDS {
            rounds.pop_front();
        }
        match rounds.len() {
            ROUNDS => rounds.iter().min().copied().unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }

    /// Refuses a request of this priority, if its turn has come.
    pub(crate) fn admit(&self, active: &Active, priority: Priority) -> Result<(), Rejection> {
        if priority as usize >= self.refused.get() {
            return Ok(());
        }
        let signal = self.signal.get();
        let labels = [priority.name(), signal.name()];
        active
            .local
            .count(&SHED, [priority as u32, signal as u32, 0], &labels);
        Err(OVERLOADED)
    }
}

const OVERLOADED: Rejection = Rejection::new(
    "shed",
    StatusCode::SERVICE_UNAVAILABLE,
    "overloaded",
    "The gateway is overloaded; try again later.",
)
.with_retry_after(Duration::from_secs(2));

fn tell(refused: usize, before: usize, signal: Signal, pressure: f64, worker: usize) {
    let names: Vec<_> = Priority::ALL
        .iter()
        .take(refused)
        .map(|p| p.name())
        .collect();
    let (refusing, percent) = (names.join(","), (pressure * 100.0) as i64);
    let signal = signal.name();
    if refused > before {
        tracing::warn!(
            worker,
            signal,
            percent,
            refusing,
            "overloaded: requests are refused"
        );
    } else {
        tracing::info!(worker, signal, percent, refusing, "less overloaded");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overload() -> Overload {
        Overload {
            from: [0.8, 0.9, 1.0],
            recover: 0.05,
            queue_delay: Duration::from_secs(1),
            memory: Some(1000),
            files: None,
            connections: None,
        }
    }

    /// What is refused after each of these pressures.
    fn run(controller: &mut Controller, pressures: impl IntoIterator<Item = f64>) -> Vec<usize> {
        let overload = overload();
        let pressures = pressures.into_iter();
        pressures
            .map(|pressure| controller.observe(&overload, pressure))
            .collect()
    }

    #[test]
    fn the_least_important_go_first_and_at_once() {
        let refused = run(&mut Controller::default(), [0.79, 0.8, 0.95, 1.2]);
        assert_eq!(refused, [0, 1, 2, 3]);
        assert_eq!(run(&mut Controller::default(), [5.0]), [3]);
    }

    #[test]
    fn pressure_around_a_threshold_does_not_flap() {
        let mut controller = Controller::default();
        run(&mut controller, [0.8]);
        let wobbling = (0..1_000).map(|round| if round % 2 == 0 { 0.76 } else { 0.81 });
        assert!(
            run(&mut controller, wobbling)
                .iter()
                .all(|refused| *refused == 1)
        );
    }

    #[test]
    fn each_priority_comes_back_after_a_second_of_calm() {
        let mut controller = Controller::default();
        run(&mut controller, [1.0]);
        let mut expected = vec![3; 9];
        expected.extend([2; 10]);
        expected.extend([1; 10]);
        expected.push(0);
        assert_eq!(run(&mut controller, [0.1; 30]), expected);
    }

    #[test]
    fn one_disturbance_begins_the_second_anew() {
        let mut controller = Controller::default();
        run(&mut controller, [0.8]);
        run(&mut controller, [0.1; 9]);
        run(&mut controller, [0.79]);
        assert_eq!(run(&mut controller, [0.1; 10]).last(), Some(&0));
    }

    #[test]
    fn a_closed_loop_settles() {
        // Half of the load is best effort; without it the pressure is 0.5, with it 1.0.
        let overload = Overload {
            recover: 0.05,
            ..overload()
        };
        let (mut controller, mut refused, mut changes) = (Controller::default(), 0, 0);
        for _ in 0..600 {
            let pressure = if refused > 0 { 0.5 } else { 0.85 };
            let now = controller.observe(&overload, pressure);
            changes += u32::from(now != refused);
            refused = now;
        }
        // Probed about once a second, and never more of it refused than needed.
        assert!(refused <= 1 && changes <= 120, "{changes}");
    }

    #[test]
    fn an_unknown_limit_is_no_pressure() {
        let readings = Readings {
            memory: (900, 0),
            files: (10, 0),
            connections: 1_000_000,
            ..Readings::default()
        };
        let shares = overload()
            .pressures(&readings)
            .map(|(_, pressure)| pressure);
        assert_eq!(shares, [0.0, 0.9, 0.0, 0.0]);
    }

    #[test]
    fn one_late_round_is_no_shortage() {
        let shed = Shed::default();
        let late = [5, 0, 5, 5, 5].map(|seconds| shed.least_late(Duration::from_secs(seconds)));
        assert_eq!(late.map(|late| late.as_secs()), [0, 0, 0, 0, 5]);
    }
}
