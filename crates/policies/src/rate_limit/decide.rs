//! Whether all limits of a request admit it.

use std::time::Duration;

use lintel_kernel::{Allowance, Exchange};
use lintel_state::limit::{Key, Left, Refused, Rule, Table};
use smallvec::SmallVec;

use super::limit::Limit;

/// A limit that a request is counted by.
#[derive(Clone)]
pub(super) struct Asked<'a> {
    /// Which of the request's limits.
    pub(super) index: u16,
    pub(super) limit: &'a Limit,
    /// What it means here: the limit itself, or this replica's share of it.
    rule: Rule,
    pub(super) key: Key,
    pub(super) cost: u64,
    /// What the cost is under that rule.
    weight: u64,
    /// How many replicas share it, if it is counted here.
    replicas: u32,
}

/// A limit that is used up.
pub(super) struct Exceeded<'a> {
    pub(super) limit: &'a Limit,
    pub(super) refused: Refused,
    pub(super) index: u16,
}

/// The limits that are about a request.
pub(super) fn asked<'a>(
    table: &Table,
    limits: impl Iterator<Item = &'a Limit>,
    exchange: &Exchange,
) -> SmallVec<[Asked<'a>; 4]> {
    let applying = (0u16..)
        .zip(limits)
        .filter(|(_, limit)| limit.selector.applies(exchange));
    let asked = applying.filter_map(|(index, limit)| {
        let cost = limit.cost.of(exchange);
        if cost == 0 {
            return None;
        }
        let replicas = limit.replicas.as_ref().map_or(1, |known| known.count());
        let (rule, weight) = limit.rule.share(replicas, cost);
        Some(Asked {
            index,
            limit,
            rule,
            key: limit.key(table, exchange),
            cost,
            weight,
            replicas,
        })
    });
    asked.collect()
}

/// Gives back what was spent of limits that admitted a request which another refuses. Dry runs are
/// left alone: whether they were spent of is not known any more.
pub(super) fn give_back(table: &Table, asked: &[Asked<'_>], now: u64) {
    for one in asked.iter().filter(|one| !one.limit.dry_run) {
        table.refund(one.key, &one.rule, now, one.weight);
    }
}

/// Spends of all limits or of none.
///
/// All are looked at before any is spent of, so that a request that is refused takes nothing from
/// the others even for a moment. What another worker spends in between shows when it is this one's
/// turn to spend; then it gives back.
pub(super) fn local<'a>(
    table: &Table,
    asked: &[Asked<'a>],
    now: u64,
) -> Result<Option<Allowance>, Exceeded<'a>> {
    if asked.len() > 1
        && let Some(exceeded) = look(table, asked, now)
    {
        exceeded.limit.counted.refused.inc();
        return Err(exceeded);
    }
    let mut spent: SmallVec<[&Asked<'_>; 4]> = SmallVec::new();
    let mut tightest: Option<(u16, Left)> = None;
    for one in asked {
        match spend(table, one, now) {
            Ok(left) => {
                spent.push(one);
                if tightest.is_none_or(|(_, other)| left.remaining < other.remaining) {
                    tightest = Some((one.index, left));
                }
            }
            Err(_) if one.limit.dry_run => one.limit.counted.dry_run.inc(),
            Err(refused) => {
                for other in spent {
                    table.refund(other.key, &other.rule, now, other.weight);
                }
                let exceeded = one.exceeded(refused);
                exceeded.limit.counted.refused.inc();
                return Err(exceeded);
            }
        }
    }
    for one in spent {
        one.limit.counted.admitted.inc();
    }
    Ok(tightest.map(|(limit, left)| Allowance {
        limit,
        reset: seconds(left.reset),
        remaining: left.remaining,
    }))
}

/// The limit that refuses for longest.
fn look<'a>(table: &Table, asked: &[Asked<'a>], now: u64) -> Option<Exceeded<'a>> {
    let enforced = asked.iter().filter(|one| !one.limit.dry_run);
    let exceeded = enforced.filter_map(|one| {
        let looked = table.look(one.key, &one.rule, now, one.weight);
        looked.err().map(|refused| one.exceeded(one.share(refused)))
    });
    exceeded.max_by_key(|exceeded| (exceeded.refused.after.is_none(), exceeded.refused.after))
}

fn spend(table: &Table, one: &Asked<'_>, now: u64) -> Result<Left, Refused> {
    let spent = table.spend(one.key, &one.rule, now, one.weight);
    if spent.added != 0 {
        one.limit.counted.keys.add(spent.added.into());
    }
    if spent.displaced != 0 {
        one.limit.counted.displaced.add(spent.displaced.into());
    }
    match spent.outcome {
        Ok(left) => Ok(Left {
            remaining: left.remaining / u64::from(one.replicas.max(1)),
            ..left
        }),
        Err(refused) => Err(one.share(refused)),
    }
}

impl<'a> Asked<'a> {
    /// The refusal of a store, which counts.
    pub(super) fn refused(&self, remaining: u64, after: Option<Duration>) -> Exceeded<'a> {
        self.limit.counted.refused.inc();
        self.exceeded(Refused { remaining, after })
    }

    /// What is left to this replica.
    fn share(&self, refused: Refused) -> Refused {
        Refused {
            remaining: refused.remaining / u64::from(self.replicas.max(1)),
            ..refused
        }
    }

    fn exceeded(&self, refused: Refused) -> Exceeded<'a> {
        Exceeded {
            limit: self.limit,
            refused,
            index: self.index,
        }
    }
}

impl Exceeded<'_> {
    /// What the refused caller is told.
    pub(super) fn allowance(&self) -> Allowance {
        Allowance {
            limit: self.index,
            reset: self.refused.after.map_or(u32::MAX, seconds),
            remaining: self.refused.remaining,
        }
    }
}

/// Whole seconds, rounded up: whoever waits as long has waited long enough.
pub(super) fn seconds(time: Duration) -> u32 {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}
