//! The circuit breaker (Nygard, "Release It!", 2007): a service that fails too often, or answers
//! too slowly, gets no requests for a while, then a few to see whether it is better.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::tally::{BUCKETS, Tally};

/// How much longer than `open_for` a breaker stays open at most, having opened again and again.
const LONGEST: u32 = 16;

/// When a breaker opens, and how it closes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerSpec {
    /// Opens when at least this share of the tries failed, from 0.0 to 1.0.
    pub errors: Option<f64>,
    /// Opens when at least this share of the tries took longer than a time.
    pub slow: Option<Slow>,
    /// What tries are looked at: those of the last so long.
    pub window: Duration,
    /// With fewer tries than this in the window, nothing is concluded.
    pub min_requests: u32,
    /// How long it stays open. Doubles each time that it opens again before it has closed, up to
    /// 16 times as long.
    pub open_for: Duration,
    /// Requests let through half open; it closes when all of them have been answered well.
    pub probes: u32,
}

/// What counts as slow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slow {
    /// The head of the answer took longer than this.
    pub over: Duration,
    /// The share at which the breaker opens, from 0.0 to 1.0.
    pub share: f64,
}

/// How a try looks to the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
}

/// What a breaker does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// They pass.
    Closed,
    /// They are refused.
    Open,
    /// A few pass, to see how it is.
    HalfOpen,
}

/// Leave for one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// The breaker was closed.
    Pass,
    /// It was half open; since when tells this half-open time from another.
    Probe(u64),
}

/// The state is one word, so that every transition is one step that one thread makes:
/// 2 bits of state, 10 bits of probes under way, 10 bits of probes answered well, 42 bits of
/// milliseconds: until when it is open, or since when it is half open.
pub(crate) struct Breaker {
    since: Instant,
    window: Duration,
    word: AtomicU64,
    /// Openings since it was last closed.
    openings: AtomicU32,
    all: Tally,
    bad: Tally,
    slow: Tally,
}

const TIME_BITS: u32 = 42;
const COUNT_BITS: u32 = 10;
const LATEST: u64 = (1 << TIME_BITS) - 1;
const COUNT: u64 = (1 << COUNT_BITS) - 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    state: BreakerState,
    under_way: u64,
    well: u64,
    time: u64,
}

impl Breaker {
    pub(crate) fn new(window: Duration) -> Self {
        Self {
            since: Instant::now(),
            window,
            word: AtomicU64::new(0),
            openings: AtomicU32::new(0),
            all: Tally::default(),
            bad: Tally::default(),
            slow: Tally::default(),
        }
    }

    /// The window that it was made for.
    pub(crate) const fn window(&self) -> Duration {
        self.window
    }

    pub(crate) fn state(&self) -> BreakerState {
        self.read().state
    }

    /// Whether a try may be made now; if not, how long it will not. The second is the state that
    /// this call has brought about.
    pub(crate) fn admit(
        &self,
        spec: &BreakerSpec,
        now: Instant,
    ) -> (Result<Leave, Duration>, Option<BreakerState>) {
        let time = self.millis(now);
        loop {
            let word = self.read();
            match word.state {
                BreakerState::Closed => return (Ok(Leave::Pass), None),
                BreakerState::Open if time < word.time => {
                    return (Err(Duration::from_millis(word.time - time)), None);
                }
                BreakerState::Open => {
                    let probing = Word {
                        state: BreakerState::HalfOpen,
                        under_way: 1,
                        well: 0,
                        time,
                    };
                    if self.replace(word, probing) {
                        return (Ok(Leave::Probe(time)), Some(BreakerState::HalfOpen));
                    }
                }
                BreakerState::HalfOpen if word.under_way + word.well >= u64::from(spec.probes) => {
                    return (Err(spec.open_for), None);
                }
                BreakerState::HalfOpen => {
                    let under_way = word.under_way + 1;
                    if self.replace(word, Word { under_way, ..word }) {
                        return (Ok(Leave::Probe(word.time)), None);
                    }
                }
            }
        }
    }

    /// How a try went that was admitted. The state that this call has brought about, if any.
    pub(crate) fn record(
        &self,
        spec: &BreakerSpec,
        leave: Leave,
        verdict: Verdict,
        took: Duration,
        now: Instant,
    ) -> Option<BreakerState> {
        let slow = spec.slow.is_some_and(|slow| took > slow.over);
        match leave {
            Leave::Pass => self.record_passed(spec, verdict, slow, now),
            Leave::Probe(since) => {
                let verdict = if slow { Verdict::Bad } else { verdict };
                self.record_probe(spec, since, Some(verdict), now)
            }
        }
    }

    /// A try that was admitted says nothing: the client left, or its own deadline passed.
    pub(crate) fn forget(&self, spec: &BreakerSpec, leave: Leave, now: Instant) {
        if let Leave::Probe(since) = leave {
            self.record_probe(spec, since, None, now);
        }
    }

    fn record_passed(
        &self,
        spec: &BreakerSpec,
        verdict: Verdict,
        slow: bool,
        now: Instant,
    ) -> Option<BreakerState> {
        let word = self.read();
        if word.state != BreakerState::Closed {
            // Begun before it opened: what it would say has been said.
            return None;
        }
        let tick = self.tick(now);
        self.all.add(tick);
        if slow {
            self.slow.add(tick);
        }
        if verdict == Verdict::Bad {
            self.bad.add(tick);
        }
        if !slow && verdict == Verdict::Good {
            return None;
        }
        if !self.is_too_much(spec, tick) {
            return None;
        }
        self.open(spec, word, now)
    }

    fn is_too_much(&self, spec: &BreakerSpec, tick: u32) -> bool {
        let all = self.all.sum(tick);
        let over = |count: u64, share: f64| count as f64 >= share * all as f64;
        all >= u64::from(spec.min_requests.max(1))
            && (spec
                .errors
                .is_some_and(|share| over(self.bad.sum(tick), share))
                || spec
                    .slow
                    .is_some_and(|slow| over(self.slow.sum(tick), slow.share)))
    }

    fn record_probe(
        &self,
        spec: &BreakerSpec,
        since: u64,
        verdict: Option<Verdict>,
        now: Instant,
    ) -> Option<BreakerState> {
        loop {
            let word = self.read();
            if word.state != BreakerState::HalfOpen || word.time != since {
                return None;
            }
            if verdict == Some(Verdict::Bad) {
                match self.open(spec, word, now) {
                    Some(opened) => return Some(opened),
                    None => continue,
                }
            }
            let next = Word {
                under_way: word.under_way.saturating_sub(1),
                well: word.well + u64::from(verdict.is_some()),
                ..word
            };
            let closes = next.well >= u64::from(spec.probes.max(1));
            if closes {
                self.clear();
            }
            let next = if closes { Word::CLOSED } else { next };
            if self.replace(word, next) {
                if closes {
                    self.openings.store(0, Ordering::Relaxed);
                }
                return closes.then_some(BreakerState::Closed);
            }
        }
    }

    fn open(&self, spec: &BreakerSpec, word: Word, now: Instant) -> Option<BreakerState> {
        let before = self.openings.load(Ordering::Relaxed);
        let factor = 2_u32.saturating_pow(before).min(LONGEST);
        let rest = spec.open_for.saturating_mul(factor).as_millis();
        let rest = u64::try_from(rest).unwrap_or(u64::MAX);
        let opened = Word {
            state: BreakerState::Open,
            under_way: 0,
            well: 0,
            time: self.millis(now).saturating_add(rest).min(LATEST),
        };
        if !self.replace(word, opened) {
            return None;
        }
        self.openings.fetch_add(1, Ordering::Relaxed);
        Some(BreakerState::Open)
    }

    /// Tries before it opened have no say in when it opens next.
    fn clear(&self) {
        for tally in [&self.all, &self.bad, &self.slow] {
            tally.clear();
        }
    }

    fn read(&self) -> Word {
        Word::unpack(self.word.load(Ordering::Acquire))
    }

    fn replace(&self, old: Word, new: Word) -> bool {
        self.word
            .compare_exchange(old.pack(), new.pack(), Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    fn millis(&self, at: Instant) -> u64 {
        let millis = at.saturating_duration_since(self.since).as_millis();
        u64::try_from(millis).unwrap_or(u64::MAX) & LATEST
    }

    fn tick(&self, now: Instant) -> u32 {
        let bucket = (self.window / BUCKETS).as_millis().max(1);
        let millis = now.saturating_duration_since(self.since).as_millis();
        u32::try_from(millis / bucket).unwrap_or(u32::MAX)
    }
}

impl BreakerState {
    /// The name in metrics and the admin interface.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl BreakerState {
    /// How much it refuses: 0 nothing, 1 all but a few, 2 everything. The value in metrics.
    pub const fn level(self) -> i64 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

impl Word {
    const CLOSED: Self = Self {
        state: BreakerState::Closed,
        under_way: 0,
        well: 0,
        time: 0,
    };

    const fn pack(self) -> u64 {
        let state = self.state as u64;
        (state << (TIME_BITS + 2 * COUNT_BITS))
            | ((self.under_way & COUNT) << (TIME_BITS + COUNT_BITS))
            | ((self.well & COUNT) << TIME_BITS)
            | self.time
    }

    const fn unpack(word: u64) -> Self {
        Self {
            state: match word >> (TIME_BITS + 2 * COUNT_BITS) {
                0 => BreakerState::Closed,
                1 => BreakerState::Open,
                _ => BreakerState::HalfOpen,
            },
            under_way: (word >> (TIME_BITS + COUNT_BITS)) & COUNT,
            well: (word >> TIME_BITS) & COUNT,
            time: word & LATEST,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const SPEC: BreakerSpec = BreakerSpec {
        errors: Some(0.5),
        slow: Some(Slow {
            over: Duration::from_millis(100),
            share: 0.8,
        }),
        window: Duration::from_secs(10),
        min_requests: 4,
        open_for: Duration::from_secs(5),
        probes: 2,
    };

    struct Driven {
        breaker: Breaker,
        now: Instant,
    }

    impl Driven {
        fn new() -> Self {
            let breaker = Breaker::new(SPEC.window);
            let now = breaker.since;
            Self { breaker, now }
        }

        fn pass(&mut self, millis: u64) {
            self.now += Duration::from_millis(millis);
        }

        fn admit(&self) -> Result<Leave, Duration> {
            self.breaker.admit(&SPEC, self.now).0
        }

        fn record(&self, leave: Leave, verdict: Verdict, millis: u64) -> Option<BreakerState> {
            let took = Duration::from_millis(millis);
            self.breaker.record(&SPEC, leave, verdict, took, self.now)
        }

        fn run(&self, verdict: Verdict, count: usize) -> Vec<BreakerState> {
            (0..count)
                .filter_map(|_| self.record(self.admit().ok()?, verdict, 1))
                .collect()
        }

        fn opened() -> Self {
            let driven = Self::new();
            assert_eq!(driven.run(Verdict::Bad, 4), [BreakerState::Open]);
            driven
        }
    }

    #[test]
    fn opens_at_the_share_and_not_before_there_is_enough_to_go_by() {
        let driven = Driven::new();
        assert!(driven.run(Verdict::Bad, 3).is_empty());
        assert_eq!(driven.run(Verdict::Bad, 1), [BreakerState::Open]);
        let driven = Driven::new();
        assert!(driven.run(Verdict::Good, 10).is_empty());
        assert!(driven.run(Verdict::Bad, 9).is_empty());
        assert_eq!(driven.run(Verdict::Bad, 1), [BreakerState::Open]);
    }

    #[test]
    fn old_failures_are_forgotten() {
        let mut driven = Driven::new();
        driven.run(Verdict::Bad, 3);
        driven.pass(10_000);
        assert!(driven.run(Verdict::Bad, 3).is_empty());
        assert_eq!(driven.breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn slow_answers_open_it() {
        let driven = Driven::new();
        let mut states = (0..4).map(|_| driven.record(Leave::Pass, Verdict::Good, 101));
        assert!(states.by_ref().take(3).all(|state| state.is_none()));
        assert_eq!(states.next().unwrap(), Some(BreakerState::Open));
    }

    #[test]
    fn an_open_one_says_for_how_long() {
        let mut driven = Driven::opened();
        assert_eq!(driven.admit(), Err(Duration::from_secs(5)));
        driven.pass(4_000);
        assert_eq!(driven.admit(), Err(Duration::from_secs(1)));
        // What was on its way when it opened changes nothing.
        assert_eq!(driven.record(Leave::Pass, Verdict::Good, 1), None);
        assert_eq!(driven.record(Leave::Pass, Verdict::Bad, 1), None);
    }

    #[test]
    fn probes_are_limited_and_close_it() {
        let mut driven = Driven::opened();
        driven.pass(5_000);
        let (first, turned) = driven.breaker.admit(&SPEC, driven.now);
        assert_eq!(turned, Some(BreakerState::HalfOpen));
        let second = driven.admit();
        assert!(driven.admit().is_err());
        assert_eq!(driven.record(first.unwrap(), Verdict::Good, 1), None);
        assert!(driven.admit().is_err());
        let closed = driven.record(second.unwrap(), Verdict::Good, 1);
        assert_eq!(closed, Some(BreakerState::Closed));
        // It begins with nothing to hold against the service.
        assert!(driven.run(Verdict::Bad, 3).is_empty());
    }

    #[test]
    fn a_failed_probe_opens_it_for_longer() {
        let mut driven = Driven::opened();
        for secs in [5, 10, 20, 40, 80, 80, 80] {
            assert_eq!(driven.admit(), Err(Duration::from_secs(secs)));
            driven.pass(secs * 1_000);
            let probe = driven.admit().unwrap();
            let late = driven.admit().unwrap();
            assert_eq!(
                driven.record(probe, Verdict::Bad, 1),
                Some(BreakerState::Open)
            );
            assert_eq!(driven.record(late, Verdict::Good, 1), None);
        }
    }

    #[test]
    fn a_slow_probe_is_a_failed_one_and_a_cancelled_one_is_none() {
        let mut driven = Driven::opened();
        driven.pass(5_000);
        for _ in 0..5 {
            let probe = driven.admit().unwrap();
            driven.breaker.forget(&SPEC, probe, driven.now);
        }
        let probe = driven.admit().unwrap();
        assert_eq!(
            driven.record(probe, Verdict::Good, 200),
            Some(BreakerState::Open)
        );
    }

    #[test]
    fn of_many_threads_one_makes_each_transition() {
        let breaker = Breaker::new(SPEC.window);
        let now = breaker.since;
        let opened = AtomicU32::new(0);
        let probes = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let state =
                            breaker.record(&SPEC, Leave::Pass, Verdict::Bad, Duration::ZERO, now);
                        opened.fetch_add(u32::from(state.is_some()), Ordering::Relaxed);
                    }
                });
            }
        });
        let later = now + SPEC.open_for;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let admitted = breaker.admit(&SPEC, later).0.is_ok();
                        probes.fetch_add(u32::from(admitted), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!((opened.into_inner(), probes.into_inner()), (1, SPEC.probes));
    }

    #[test]
    fn words_are_what_they_were() {
        let word = Word {
            state: BreakerState::HalfOpen,
            under_way: 1023,
            well: 7,
            time: (1 << TIME_BITS) - 1,
        };
        assert_eq!(Word::unpack(word.pack()), word);
        assert_eq!(Word::CLOSED.pack(), 0);
    }
}
