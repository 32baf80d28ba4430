//! How much is held back, and what that is learned from.

use std::{fmt, num::NonZeroU64, time::Duration};

use http::HeaderMap;
use lintel_kernel::{
    Exchange, Priority,
    expr::{Expr, Scope},
};
use lintel_state::limit::{Change, Key, Recent, Table};
use lintel_telemetry::metrics::{PolicyCounter, family::LOAD_SHED_REQUESTS};

use crate::per::Selector;

/// How requests are held back on a route.
#[derive(Debug)]
pub(super) struct Shedding {
    /// Tells what it learns from all else in the table, through reloads.
    pub(super) id: u64,
    /// Whom requests are held back from, for people.
    pub(super) about: Box<str>,
    pub(super) selector: Selector,
    pub(super) priority: Option<Expr>,
    /// How important requests are of which `priority` says nothing.
    pub(super) usual: Priority,
    pub(super) bounds: Bounds,
    pub(super) bad: Bad,
    pub(super) window: Duration,
    pub(super) dry_run: bool,
    pub(super) counted: Counted,
}

/// How much is held back of what came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    /// How many requests there may be for each that is answered well.
    pub(super) multiplier: f64,
    /// With fewer requests nothing is held back.
    pub(super) at_least: f64,
    /// The most that is held back, as a share.
    pub(super) most: f64,
}

/// What came lately.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Lately {
    /// Requests by priority, in the order of [`Priority::ALL`]: those that were answered and those that
    /// were held back.
    pub(super) requests: [f64; 3],
    /// Those that were answered well.
    pub(super) good: f64,
}

/// Which answers say that it is too much.
#[derive(Debug)]
pub(super) struct Bad {
    pub(super) statuses: Box<[u16]>,
    pub(super) slow: Option<Duration>,
}

/// What became of requests, by priority.
#[derive(Debug)]
pub(super) struct Counted {
    admitted: [PolicyCounter; 3],
    refused: [PolicyCounter; 3],
    dry_run: [PolicyCounter; 3],
}

/// The number of the key by which good answers are counted, after those of the priorities.
const GOOD: u64 = 3;
/// What of the number in the exchange says whom the request counts for; the rest is 1 more than its
/// priority.
const WHOM: u64 = !3;
/// gRPC statuses that say: too much.
const GRPC: [u8; 3] = [4, 8, 14];

impl Bounds {
    /// The share of each priority that is held back now, the least important first.
    ///
    /// Of all requests, those held back included, so many are let through that they are `multiplier`
    /// times what was answered well ("Handling Overload", Site Reliability Engineering, 2016, "Client-Side
    /// Throttling"; there the probability is spread over all requests alike).
    pub(super) fn refused(&self, lately: &Lately) -> [f64; 3] {
        let all: f64 = lately.requests.iter().sum();
        if all < self.at_least {
            return [0.0; 3];
        }
        let excess = self.multiplier.mul_add(-lately.good, all);
        let mut excess = excess.clamp(0.0, self.most * all);
        lately.requests.map(|requests| {
            let refused = excess.min(requests);
            excess -= refused;
            if requests > 0.0 {
                refused / requests
            } else {
                0.0
            }
        })
    }
}

impl Shedding {
    /// Whether a request is to be held back, of which `chance` decides, from 0.0 to 1.0. What is learned
    /// from, if it is about the request at all, is noted in the exchange.
    pub(super) fn refuses(
        &self,
        table: &Table,
        exchange: &mut Exchange,
        now: u64,
        chance: f64,
    ) -> bool {
        if !self.selector.applies(exchange) {
            return false;
        }
        let priority = self.priority(exchange);
        let whom = self.whom(table, exchange);
        let shares = self.bounds.refused(&self.lately(table, whom, now));
        let share = shares.get(priority as usize).copied().unwrap_or(0.0);
        let refused = chance < share;
        self.counted.note(priority, refused, self.dry_run);
        if refused && !self.dry_run {
            self.count(table, Key::numbered(whom, priority as u64), now);
            return true;
        }
        exchange.detour.learns = NonZeroU64::new(whom | (priority as u64 + 1));
        false
    }

    /// A request is answered that was not held back.
    pub(super) fn learn(&self, table: &Table, noted: NonZeroU64, now: u64, good: bool) {
        let (whom, priority) = (noted.get() & WHOM, (noted.get() & !WHOM) - 1);
        self.count(table, Key::numbered(whom, priority), now);
        if good {
            self.count(table, Key::numbered(whom, GOOD), now);
        }
    }

    /// What is held back now, of each priority, as a share; nothing where it differs from one caller to
    /// the next.
    pub(super) fn share(&self, table: &Table, now: u64) -> Option<[f64; 3]> {
        if !self.selector.is_for_all() {
            return None;
        }
        let whom = table.key().number(self.id).finish().word() & WHOM;
        Some(self.bounds.refused(&self.lately(table, whom, now)))
    }

    fn lately(&self, table: &Table, whom: u64, now: u64) -> Lately {
        let recent = Recent::new(self.window);
        let count = |number| recent.count(table.state(Key::numbered(whom, number)), now);
        Lately {
            requests: Priority::ALL.map(|priority| count(priority as u64)),
            good: count(GOOD),
        }
    }

    /// Whom a request counts for; the last two bits are free for its priority.
    fn whom(&self, table: &Table, exchange: &Exchange) -> u64 {
        let key = table.key().number(self.id);
        self.selector.key(key, exchange).finish().word() & WHOM
    }

    fn priority(&self, exchange: &Exchange) -> Priority {
        let text = self.priority.as_ref();
        let text = text.and_then(|expr| expr.text(Scope::request(exchange)));
        let known = text.and_then(|text| {
            let mut all = Priority::ALL.into_iter();
            all.find(|priority| priority.name() == text)
        });
        known.unwrap_or(self.usual)
    }

    fn count(&self, table: &Table, key: Key, now: u64) {
        let recent = Recent::new(self.window);
        table.update(key, now, |state| Change::To {
            state: recent.add(state, now),
            idle_from: recent.idle_from(now),
            result: (),
        });
    }
}

impl Bad {
    /// Whether the answer to a request is a good one; `None` where it says nothing of the service.
    pub(super) fn judge(
        &self,
        exchange: &Exchange,
        status: u16,
        headers: &HeaderMap,
    ) -> Option<bool> {
        // Answered by another policy, or by the gateway itself.
        if exchange.service.is_none() && exchange.legs.is_none() {
            return None;
        }
        let late = self.slow.is_some_and(|slow| exchange.upstream_time > slow);
        let grpc = headers.get("grpc-status");
        let grpc = grpc.and_then(|code| code.to_str().ok()?.parse().ok());
        let grpc = !self.is_good_call(grpc);
        // A fallback answers only where the service did not.
        let refused = exchange.refused.is_some() && status >= 500;
        let unanswered = refused || exchange.detour.fallback.is_some();
        Some(!(late || grpc || unanswered || self.statuses.contains(&status)))
    }

    /// Whether a gRPC status, if there is one, does not say that it is too much.
    pub(super) fn is_good_call(&self, status: Option<u8>) -> bool {
        !status.is_some_and(|status| GRPC.contains(&status))
    }

    /// Whether a client that has waited for so long in vain says that it is too much.
    pub(super) fn is_slow(&self, waited: Duration) -> bool {
        self.slow.is_some_and(|slow| waited > slow)
    }
}

impl Counted {
    pub(super) fn new(route: &str) -> Self {
        let outcome = |word: &str| {
            Priority::ALL.map(|priority| {
                PolicyCounter::new(&LOAD_SHED_REQUESTS, &[route, priority.name(), word])
            })
        };
        Self {
            admitted: outcome("admitted"),
            refused: outcome("refused"),
            dry_run: outcome("dry_run"),
        }
    }

    fn note(&self, priority: Priority, refused: bool, dry_run: bool) {
        let counters = match (refused, dry_run) {
            (false, _) => &self.admitted,
            (true, false) => &self.refused,
            (true, true) => &self.dry_run,
        };
        if let Some(counter) = counters.get(priority as usize) {
            counter.inc();
        }
    }
}

impl fmt::Display for Shedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({:.3} requests for each good answer, up to {:.1}% refused, ",
            self.about,
            self.bounds.multiplier,
            self.bounds.most * 100.0
        )?;
        if self.dry_run {
            f.write_str("dry run, ")?;
        }
        write!(f, "over {:?})", self.window)
    }
}
