//! Whether all limits of a request admit it.

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
    rule: &'a Rule,
    key: Key,
    pub(super) cost: u64,
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
        .filter(|(_, limit)| limit.applies(exchange));
    let asked = applying.map(|(index, limit)| Asked {
        index,
        limit,
        rule: limit
            .shared
            .as_ref()
            .map_or(&limit.rule, |shared| &shared.alone),
        key: limit.key(table, exchange),
        cost: limit.price(exchange),
    });
    asked.filter(|one| one.cost > 0).collect()
}

/// Gives back what was spent of limits that admitted a request which another refuses. Dry runs are
/// left alone: whether they were spent of is not known any more.
pub(super) fn give_back(table: &Table, asked: &[Asked<'_>], now: u64) {
    for one in asked.iter().filter(|one| !one.limit.dry_run) {
        table.refund(one.key, one.rule, now, one.cost);
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
                    table.refund(other.key, other.rule, now, other.cost);
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
        let looked = table.look(one.key, one.rule, now, one.cost);
        looked.err().map(|refused| one.exceeded(refused))
    });
    exceeded.max_by_key(|exceeded| (exceeded.refused.after.is_none(), exceeded.refused.after))
}

fn spend(table: &Table, one: &Asked<'_>, now: u64) -> Result<Left, Refused> {
    let spent = table.spend(one.key, one.rule, now, one.cost);
    if spent.added != 0 {
        one.limit.counted.keys.add(spent.added.into());
    }
    if spent.displaced != 0 {
        one.limit.counted.displaced.add(spent.displaced.into());
    }
    spent.outcome
}

impl<'a> Asked<'a> {
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
pub(super) fn seconds(time: std::time::Duration) -> u32 {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}
