//! Limits that all replicas count together.

use std::sync::Arc;

use lintel_kernel::{Allowance, Exchange, Rejection};
use lintel_state::{
    limit::{Table, stock::Found},
    store::{Ask, Lease, Meaning, Redis},
};
use smallvec::SmallVec;

use super::{
    config::OnStoreFailure,
    decide::{self, Asked, Exceeded},
    reject::STORE_AWAY,
};

/// Where and how a limit is counted for all replicas.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) store: Arc<Redis>,
    pub(super) meaning: Meaning,
    /// What tells it from other limits there.
    pub(super) key: String,
    /// Where some of it is taken ahead of need.
    pub(super) lease: Option<Lease>,
    pub(super) on_failure: OnStoreFailure,
}

/// Why a request is refused.
pub(super) enum Refusal<'a> {
    Exceeded(Exceeded<'a>),
    StoreAway,
}

/// The limits of a request by where they are counted.
pub(super) struct Parts<'a> {
    pub(super) here: SmallVec<[Asked<'a>; 4]>,
    pub(super) leased: SmallVec<[(&'a Lease, Asked<'a>); 2]>,
    pub(super) stored: SmallVec<[Asked<'a>; 4]>,
}

/// How far a request comes without a wait.
pub(super) enum Begun {
    Admitted(Option<Allowance>),
    /// A store is to be asked. What is counted here is spent.
    Wait(Option<Allowance>),
}

impl<'a> Parts<'a> {
    pub(super) fn of(asked: SmallVec<[Asked<'a>; 4]>) -> Self {
        let mut parts = Self {
            here: SmallVec::new(),
            leased: SmallVec::new(),
            stored: SmallVec::new(),
        };
        for one in asked {
            match &one.limit.shared {
                None => parts.here.push(one),
                Some(shared) => match &shared.lease {
                    Some(lease) => parts.leased.push((lease, one)),
                    None => parts.stored.push(one),
                },
            }
        }
        parts
    }

    /// Decides as far as is known here: first what a store is known to refuse, for that costs nothing,
    /// then the limits that are counted here. What they refuse need not be asked elsewhere.
    pub(super) fn begin(&self, table: &Table, exchange: &Exchange) -> Result<Begun, Refusal<'a>> {
        let mut waits = !self.stored.is_empty();
        for (lease, one) in &self.leased {
            match lease.look(one.key, one.cost) {
                Found::Enough { .. } => {}
                Found::Ask => waits = true,
                Found::None(_) if one.limit.dry_run => {}
                Found::None(after) => {
                    // Counts; another worker may have got some meanwhile.
                    if matches!(lease.take(one.key, one.cost), Found::Enough { .. }) {
                        lease.put_back(one.key, one.cost);
                    }
                    return Err(Refusal::Exceeded(one.refused(0, Some(after))));
                }
            }
        }
        let here = decide::local(table, &self.here, table.now()).map_err(Refusal::Exceeded)?;
        if waits {
            return Ok(Begun::Wait(here));
        }
        match self.take(exchange) {
            Ok(true) => Ok(Begun::Admitted(here)),
            Ok(false) => Ok(Begun::Wait(here)),
            Err(exceeded) => {
                decide::give_back(table, &self.here, table.now());
                Err(Refusal::Exceeded(exceeded))
            }
        }
    }

    /// Takes of all leases, or of none where one must be asked for: another worker was faster.
    fn take(&self, exchange: &Exchange) -> Result<bool, Exceeded<'a>> {
        for (at, (lease, one)) in self.leased.iter().enumerate() {
            let missing = match lease.take(one.key, one.cost) {
                Found::Enough { low } => {
                    if low && let Some(ask) = one.ask(exchange) {
                        lease.ask_ahead(one.key, ask);
                    }
                    continue;
                }
                Found::None(_) if one.limit.dry_run => {
                    one.limit.counted.dry_run.inc();
                    continue;
                }
                Found::None(after) => Err(one.refused(0, Some(after))),
                Found::Ask => Ok(false),
            };
            for (lease, one) in self.leased.iter().take(at) {
                lease.put_back(one.key, one.cost);
            }
            return missing;
        }
        for (_, one) in &self.leased {
            one.limit.counted.admitted.inc();
        }
        Ok(true)
    }
}

impl<'a> Asked<'a> {
    /// What the store is asked.
    pub(super) fn ask(&self, exchange: &Exchange) -> Option<Ask> {
        let shared = self.limit.shared.as_ref()?;
        Some(Ask {
            key: self.limit.shared_key(shared, exchange),
            meaning: shared.meaning,
            count: self.limit.rate.count,
            per: self.limit.rate.per,
            most: self.limit.rule.most(),
            cost: self.cost,
            dry_run: self.limit.dry_run,
        })
    }
}

impl Refusal<'_> {
    pub(super) fn rejection(&self) -> Rejection {
        match self {
            Self::Exceeded(exceeded) => exceeded.rejection(),
            Self::StoreAway => STORE_AWAY,
        }
    }

    /// What the caller is told of the limit.
    pub(super) fn allowance(&self) -> Option<Allowance> {
        match self {
            Self::Exceeded(exceeded) => Some(exceeded.allowance()),
            Self::StoreAway => None,
        }
    }
}
