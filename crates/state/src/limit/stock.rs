//! What of a limit is held here ahead of need.

use std::time::Duration;

/// Tokens of a limit that were taken from a store and not spent yet, in one word of state, 0 for a key
/// never seen:
///
/// | bits | |
/// |---|---|
/// | 40 | a time: until when the tokens are held, or until when the store has none |
/// | 4 | pace: how many are asked for at once, as a power of two |
/// | 1 | whether the store has none |
/// | 1 | whether more are being asked for, or there is no use in that |
/// | 1 | whether the store had none, and has not given as many as it was asked for since |
/// | 17 | tokens held; where the store has none, requests refused since |
///
/// Times are milliseconds since 2026, so they last until 2060.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stock {
    time: u64,
    pace: u32,
    none: bool,
    asking: bool,
    strained: bool,
    number: u64,
}

/// What a request finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Found {
    /// There was enough, and it is spent.
    Enough {
        /// Whether more should be asked for now, so that nobody has to wait.
        low: bool,
    },
    /// The store has none, for so long at least.
    None(Duration),
    /// The store is to be asked.
    #[default]
    Ask,
}

/// What the store is to be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// As many are taken, if there are.
    pub most: u64,
    /// What was held too long, and goes back.
    pub back: u64,
}

/// How long tokens are held that nobody spends.
pub const HOLD: Duration = Duration::from_secs(1);
/// While the store has none, it is asked again by one request in so many, once it may have some; where
/// little may be held, by one in [`EAGERNESS`] times as many as that ...
pub const PATIENCE: u64 = 64;
/// ... so that what comes meanwhile finds room in a burst of as many ...
pub const EAGERNESS: u64 = 4;
/// ... or after this time, whichever is first.
pub const PAUSE: Duration = Duration::from_millis(500);
/// The most tokens that can be held.
pub const MOST: u64 = (1 << 17) - 1;

/// 2026-01-01T00:00:00Z, in milliseconds since 1970.
const EPOCH: u64 = 1_767_225_600_000;
const LATEST: u64 = (1 << 40) - 1;
/// The largest batch is 2^15.
const FASTEST: u32 = 15;

impl Stock {
    /// Reads a state.
    pub const fn read(state: u64) -> Self {
        Self {
            time: state >> 24,
            pace: (state >> 20 & 0xf) as u32,
            none: state >> 19 & 1 == 1,
            asking: state >> 18 & 1 == 1,
            strained: state >> 17 & 1 == 1,
            number: state & MOST,
        }
    }

    /// The state.
    pub const fn state(self) -> u64 {
        self.time << 24
            | (self.pace as u64) << 20
            | (self.none as u64) << 19
            | (self.asking as u64) << 18
            | (self.strained as u64) << 17
            | self.number
    }

    /// From when on it is worth nothing, in nanoseconds since 1970.
    pub fn idle_from(self) -> u64 {
        // A little longer, so that what was held too long is found and goes back.
        let pause = millis(HOLD + PAUSE);
        (EPOCH + self.time + pause).saturating_mul(1_000_000)
    }

    /// Takes `cost` if it is there. `size` is the most that may be held.
    pub fn take(&mut self, now: u64, cost: u64, size: u64) -> Found {
        let now = moment(now);
        if self.none {
            return self.refuse(now, size);
        }
        // What an exhausted limit has given is used up. To ask for each token of those that come now
        // would be a round trip for each: they are left to add up.
        if self.strained && self.asking && self.number == 0 {
            (self.none, self.time) = (true, now);
            return self.refuse(now, size);
        }
        if now >= self.time || self.number < cost {
            return Found::Ask;
        }
        self.number -= cost;
        let low = !self.asking && 2 * self.number < self.batch(size);
        self.asking |= low;
        Found::Enough { low }
    }

    /// What [`take`](Self::take) would find.
    pub fn look(mut self, now: u64, cost: u64, size: u64) -> Found {
        self.take(now, cost, size)
    }

    fn refuse(&mut self, now: u64, size: u64) -> Found {
        let waited = now.saturating_sub(self.time);
        let patience = size.saturating_mul(EAGERNESS).min(PATIENCE);
        if now >= self.time && (self.number >= patience || waited >= millis(PAUSE)) {
            // The others are refused until it is known what came of this.
            self.time = (now + millis(PAUSE)).min(LATEST);
            self.number = 0;
            return Found::Ask;
        }
        self.number = (self.number + 1).min(MOST);
        let after = self.time.saturating_sub(now).max(1);
        Found::None(Duration::from_millis(after))
    }

    /// What to ask the store for, to spend `cost` at once. A stock that was used up quickly asks for
    /// twice as many, one that was not used up in its time for half.
    pub fn want(&mut self, now: u64, cost: u64, size: u64) -> Want {
        let now = moment(now);
        let lapsed = !self.none && now >= self.time;
        let back = if lapsed { self.number } else { 0 };
        if self.time > 0 && !self.none {
            let left = self.time.saturating_sub(now);
            if lapsed && 2 * back >= self.batch(size) {
                self.pace = self.pace.saturating_sub(1);
            } else if left > millis(HOLD) * 3 / 4 {
                self.pace = (self.pace + 1).min(FASTEST);
            }
        }
        if lapsed {
            self.number = 0;
        }
        let held = if self.none { 0 } else { self.number };
        let most = self.batch(size).min(size.saturating_sub(held)).max(cost);
        Want { most, back }
    }

    /// The store has given so many, `cost` of which are spent at once. How many are too many to hold.
    pub fn fill(&mut self, now: u64, given: u64, cost: u64, size: u64) -> u64 {
        let now = moment(now);
        let held = if self.none || now >= self.time {
            0
        } else {
            self.number
        };
        let all = held + given.saturating_sub(cost);
        self.number = all.min(size).min(MOST);
        self.time = (now + millis(HOLD)).min(LATEST);
        (self.none, self.asking) = (false, false);
        all - self.number
    }

    /// The store has given `given` of the `most` that it was asked for. Where those are fewer, it is not
    /// asked again before they are used up.
    pub const fn given(&mut self, given: u64, most: u64) {
        self.asking = given < most;
        self.strained &= self.asking;
    }

    /// The store has none, for so long.
    pub fn empty(&mut self, now: u64, after: Duration) {
        let now = moment(now);
        (self.asking, self.strained) = (false, true);
        // What is held is spent first.
        if !self.none && self.number > 0 && now < self.time {
            return;
        }
        self.time = now.saturating_add(millis(after).max(1)).min(LATEST);
        (self.none, self.number) = (true, 0);
    }

    /// The store has not answered. That it had none does not hold for ever.
    pub const fn unanswered(&mut self) {
        (self.asking, self.strained) = (false, false);
        if self.none {
            (self.none, self.number, self.time) = (false, 0, 0);
        }
    }

    /// What was spent and then not used is there again.
    pub fn put_back(&mut self, now: u64, cost: u64, size: u64) {
        let asking = self.asking;
        let until = (!self.none && moment(now) < self.time).then_some(self.time);
        self.fill(now, cost, 0, size);
        self.asking = asking;
        self.time = until.unwrap_or(self.time);
    }

    /// Takes what was held too long.
    pub fn lapse(&mut self, now: u64) -> u64 {
        if self.none || moment(now) < self.time {
            return 0;
        }
        std::mem::take(&mut self.number)
    }

    /// How many are asked for at once.
    fn batch(self, size: u64) -> u64 {
        (1 << self.pace).min(size)
    }
}

/// Milliseconds since 2026 of a time in nanoseconds since 1970.
fn moment(now: u64) -> u64 {
    (now / 1_000_000).saturating_sub(EPOCH).min(LATEST)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = (EPOCH + 27_000_000_000) * 1_000_000;
    const MILLI: u64 = 1_000_000;

    #[test]
    fn every_state_is_read_as_it_was_written() {
        for state in [0, 1, MOST, 1 << 17, 1 << 18, 1 << 19, 0xf << 20, u64::MAX] {
            assert_eq!(Stock::read(state).state(), state);
        }
    }

    #[test]
    fn a_key_that_is_asked_of_much_holds_more() {
        let mut stock = Stock::read(0);
        let (mut asks, mut most) = (0, 0);
        for turn in 0..1_000 {
            let now = NOW + turn * MILLI;
            if let Found::Ask | Found::Enough { low: true } = stock.take(now, 1, 64) {
                let want = stock.want(now, 1, 64);
                asks += 1;
                most = most.max(want.most);
                assert_eq!(want.back, 0);
                stock.fill(now, want.most, 1, 64);
            }
        }
        // What is held is not asked for again.
        assert!((33..=64).contains(&most), "{most}");
        assert!(asks < 50, "{asks}");
        // What is not used in its time goes back, and less is asked for.
        let later = NOW + 5_000 * MILLI;
        let held = stock.number;
        assert_eq!(stock.take(later, 1, 64), Found::Ask);
        assert_eq!(stock.want(later, 1, 64).back, held);
    }

    #[test]
    fn refusals_are_remembered() {
        let mut stock = Stock::read(0);
        assert_eq!(stock.take(NOW, 1, 8), Found::Ask);
        stock.empty(NOW, Duration::from_millis(10));
        let found = stock.take(NOW + 4 * MILLI, 1, 8);
        assert_eq!(found, Found::None(Duration::from_millis(6)));
        // The store may have some again; one request in many asks, the others do not wait for it.
        let later = NOW + 10 * MILLI;
        let asked = (0..100).filter(|_| stock.take(later, 1, 8) == Found::Ask);
        assert_eq!(asked.count(), 1);
        stock.empty(later, Duration::from_millis(10));
        assert_eq!(
            stock.take(later + 600 * MILLI, 1, 8),
            Found::Ask,
            "nor is it forgotten"
        );
        assert_eq!(stock.fill(later + 601 * MILLI, 4, 1, 8), 0);
        assert_eq!(
            stock.take(later + 602 * MILLI, 3, 8),
            Found::Enough { low: true }
        );
        stock.put_back(later + 602 * MILLI, 2, 8);
        assert_eq!(stock.number, 2);
    }

    /// A store that makes a token every 5 ms, asked of every half millisecond: ten times as much as there
    /// is, by one replica.
    #[test]
    fn an_exhausted_limit_costs_few_questions() {
        let (mut stock, mut tokens, mut asks, mut admitted) = (Stock::read(0), 200, 0, 0);
        for turn in 0..20_000_u64 {
            let now = NOW + turn * MILLI / 2;
            tokens = (tokens + u64::from(turn % 10 == 9)).min(200);
            match stock.take(now, 1, 20) {
                Found::None(_) => {}
                Found::Enough { low: false } => admitted += 1,
                found => {
                    asks += 1;
                    let ahead = found == Found::Enough { low: true };
                    let need = u64::from(!ahead);
                    admitted += 1;
                    let want = stock.want(now, 1, 20);
                    // As the script of the store decides it.
                    let take = want.most.min(need.max(tokens / 2));
                    if take == 0 || take > tokens {
                        stock.empty(now, Duration::from_millis(5));
                        admitted -= need;
                        continue;
                    }
                    tokens -= take;
                    assert_eq!(stock.fill(now, take, need, 20), 0);
                    stock.given(take, want.most);
                }
            }
        }
        // All but what is still there: in the store, or held.
        let held = if stock.none { 0 } else { stock.number };
        assert_eq!(admitted + tokens + held, 2_200);
        assert!(admitted >= 2_150, "{admitted}");
        assert!(asks <= 400, "{asks} questions for 20,000 requests");
    }

    proptest! {
        /// Whatever happens in whatever order: nobody spends what the store has not given, no more is
        /// held than may be, and what is not spent is held, went back or has lapsed.
        #[test]
        fn nothing_is_made_up(
            size in 1..200u64,
            steps in prop::collection::vec((0..6u8, 0..50u64, 0..1_600u64), 1..300),
        ) {
            let (mut stock, mut now) = (Stock::read(0), NOW);
            let (mut given, mut gone) = (0, 0);
            for (step, number, pause) in steps {
                now += pause * MILLI;
                let before = if stock.none { 0 } else { stock.number };
                match step {
                    0 => if let Found::Enough { .. } = stock.take(now, number, size) { gone += number },
                    1 => {
                        let want = stock.want(now, number, size);
                        gone += want.back;
                        prop_assert!(want.most <= size.max(number));
                    }
                    2 => {
                        let cost = number.min(7);
                        let lapsed = if stock.none || moment(now) >= stock.time { before } else { 0 };
                        let surplus = stock.fill(now, number, cost, size);
                        stock.given(number, number + pause % 2);
                        given += number;
                        gone += number.min(cost) + surplus + lapsed;
                    }
                    3 => {
                        let lapsed = !stock.none && moment(now) >= stock.time;
                        stock.empty(now, Duration::from_millis(number));
                        if lapsed { gone += before }
                    }
                    4 => gone += stock.lapse(now),
                    _ => stock.unanswered(),
                }
                let held = if stock.none { 0 } else { stock.number };
                prop_assert!(held <= size);
                prop_assert_eq!(given, gone + held, "step {}", step);
                stock = Stock::read(stock.state());
            }
        }
    }
}
