//! Whether all quotas of a request admit it.

use lintel_kernel::{Allowance, Exchange, Rejection};
use lintel_state::ledger::Period;
use smallvec::SmallVec;

use super::{reject, runtime::Quota};
use crate::ask::tighter;

/// A quota that a request is counted by.
pub(super) struct Asked<'a> {
    /// Which of the request's quotas.
    pub(super) index: u16,
    pub(super) quota: &'a Quota,
    pub(super) period: Period,
    pub(super) cost: u64,
    /// Seconds until the period ends; 1 at least.
    pub(super) left: u32,
}

/// A quota that is used up.
pub(super) struct Exceeded<'a> {
    pub(super) quota: &'a Quota,
    index: u16,
    left: u32,
    remaining: u64,
}

/// The quotas that are about a request.
pub(super) fn asked<'a>(
    quotas: impl Iterator<Item = &'a Quota>,
    exchange: &Exchange,
    now: u64,
) -> SmallVec<[Asked<'a>; 2]> {
    let applying = (0u16..)
        .zip(quotas)
        .filter(|(_, quota)| quota.selector.applies(exchange));
    let asked = applying.map(|(index, quota)| {
        let period = quota.calendar.period(now);
        let left = period.end.saturating_sub(now).max(1);
        Asked {
            index,
            quota,
            period,
            cost: quota.cost.of(exchange),
            left: u32::try_from(left).unwrap_or(u32::MAX - 1),
        }
    });
    asked.filter(|one| one.cost > 0).collect()
}

/// Counts a request by those quotas that are counted here: by all of them or by none.
pub(super) fn here<'a>(
    asked: &[Asked<'a>],
    exchange: &Exchange,
) -> Result<Option<Allowance>, Exceeded<'a>> {
    let mut tightest = None;
    let own = || asked.iter().filter(|one| one.quota.shared.is_none());
    for (done, one) in own().enumerate() {
        let account = one.quota.account(exchange);
        match account.add(0, one.period, one.cost, one.quota.most) {
            Ok(change) => {
                one.quota.note(change, exchange);
                tightest = tighter(tightest, Some(one.allowance(change.after)));
            }
            Err(used) => {
                own().take(done).for_each(|other| other.give_back(exchange));
                one.quota.counted.refused.inc();
                return Err(one.exceeded(used));
            }
        }
    }
    Ok(tightest)
}

/// Gives back what was counted here of a request that is refused elsewhere.
pub(super) fn give_back(asked: &[Asked<'_>], exchange: &Exchange) {
    let own = asked.iter().filter(|one| one.quota.shared.is_none());
    own.for_each(|one| one.give_back(exchange));
}

impl<'a> Asked<'a> {
    pub(super) const fn allowance(&self, used: u64) -> Allowance {
        Allowance {
            limit: self.index,
            reset: self.left,
            remaining: self.quota.allotment.count.saturating_sub(used),
        }
    }

    pub(super) const fn exceeded(&self, used: u64) -> Exceeded<'a> {
        Exceeded {
            quota: self.quota,
            index: self.index,
            left: self.left,
            remaining: self.quota.allotment.count.saturating_sub(used),
        }
    }

    fn give_back(&self, exchange: &Exchange) {
        let account = self.quota.account(exchange);
        account.take_back(0, self.period, self.cost);
    }
}

impl Exceeded<'_> {
    /// Seconds until the period ends.
    pub(super) const fn left(&self) -> u32 {
        self.left
    }

    pub(super) fn rejection(&self) -> Rejection {
        reject::used_up(&self.quota.name, self.left)
    }

    /// What the refused caller is told.
    pub(super) const fn allowance(&self) -> Allowance {
        Allowance {
            limit: self.index,
            reset: self.left,
            remaining: self.remaining,
        }
    }
}
