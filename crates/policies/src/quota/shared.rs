//! Quotas that all replicas count together.

use std::{sync::Arc, time::Duration};

use lintel_kernel::{Allowance, Exchange, Rejection};
use lintel_state::{
    ledger::Change,
    store::{Ask, Meaning, Redis, Reply},
};
use smallvec::SmallVec;

use super::{
    config::OnStoreFailure,
    decide::{Asked, Exceeded, tighter},
    reject::STORE_AWAY,
};

/// Where a quota is counted for all replicas.
pub(super) struct Shared {
    pub(super) store: Arc<Redis>,
    pub(super) on_failure: OnStoreFailure,
}

/// Why a request is refused.
pub(super) enum Refusal<'a> {
    Exceeded(Exceeded<'a>),
    StoreAway,
}

/// The most that the store counts exactly: whole numbers of a double.
const MOST: u64 = 1 << 53;

/// Quotas that one script may be asked about: of one store and, in a cluster, of one slot.
struct Group<'g, 'a> {
    store: &'g Arc<Redis>,
    slot: u16,
    asked: SmallVec<[&'g Asked<'a>; 2]>,
    asks: Vec<Ask>,
}

/// Asks the stores, in one round trip each; in a cluster, in one for each slot. What was admitted
/// before another refuses is given back.
pub(super) async fn ask<'a>(
    asked: &[Asked<'a>],
    exchange: &Exchange,
) -> Result<Option<Allowance>, Refusal<'a>> {
    let mut tightest = None;
    let mut spent: SmallVec<[(&Arc<Redis>, Vec<Ask>); 2]> = SmallVec::new();
    for group in groups(asked, exchange) {
        let reply = group.store.spend(&group.asks).await.ok();
        let counted = matches!(reply, Some(Reply::Admitted(_)));
        match group.settle(reply, exchange) {
            Ok(allowance) => tightest = tighter(tightest, allowance),
            Err(refusal) => {
                for (store, asks) in spent {
                    store.give_back(asks);
                }
                return Err(refusal);
            }
        }
        if counted {
            spent.push((group.store, group.asks));
        }
    }
    Ok(tightest)
}

fn groups<'g, 'a>(asked: &'g [Asked<'a>], exchange: &Exchange) -> SmallVec<[Group<'g, 'a>; 2]> {
    let mut groups: SmallVec<[Group<'g, 'a>; 2]> = SmallVec::new();
    for one in asked {
        let Some(Shared { store, .. }) = &one.quota.shared else {
            continue;
        };
        let ask = one.ask(store, exchange);
        let slot = store.slot(&ask.key);
        let known = groups
            .iter_mut()
            .find(|known| known.slot == slot && Arc::ptr_eq(known.store, store));
        match known {
            Some(known) => {
                known.asked.push(one);
                known.asks.push(ask);
            }
            None => groups.push(Group {
                store,
                slot,
                asked: [one].into_iter().collect(),
                asks: vec![ask],
            }),
        }
    }
    groups
}

impl<'a> Group<'_, 'a> {
    /// What follows from what the store says.
    fn settle(
        &self,
        reply: Option<Reply>,
        exchange: &Exchange,
    ) -> Result<Option<Allowance>, Refusal<'a>> {
        match reply {
            None => alone(&self.asked),
            Some(Reply::Refused {
                index, remaining, ..
            }) => match self.asked.get(index) {
                None => alone(&self.asked),
                Some(one) => {
                    one.quota.counted.refused.inc();
                    let used = one.most().saturating_sub(remaining);
                    Err(Refusal::Exceeded(one.exceeded(used)))
                }
            },
            Some(Reply::Admitted(counted)) => {
                let mut tightest = None;
                for (one, counted) in self.asked.iter().zip(counted) {
                    let after = one.most().saturating_sub(counted.remaining.unwrap_or(0));
                    let before = after.saturating_sub(one.cost);
                    one.quota.note(Change { before, after }, exchange);
                    tightest = tighter(tightest, Some(one.allowance(after)));
                }
                Ok(tightest)
            }
        }
    }
}

/// What holds without the store.
fn alone<'a>(asked: &[&Asked<'_>]) -> Result<Option<Allowance>, Refusal<'a>> {
    let denied = |one: &&Asked<'_>| {
        let shared = one.quota.shared.as_ref();
        let deny = shared.is_some_and(|shared| shared.on_failure == OnStoreFailure::Deny);
        deny && !one.quota.dry_run
    };
    if asked.iter().any(denied) {
        return Err(Refusal::StoreAway);
    }
    Ok(None)
}

impl Asked<'_> {
    fn most(&self) -> u64 {
        self.quota.most.min(MOST)
    }

    fn ask(&self, store: &Redis, exchange: &Exchange) -> Ask {
        Ask {
            key: self.quota.shared_key(store.prefix(), exchange, self.period),
            meaning: Meaning::Total,
            count: self.quota.allotment.count,
            per: Duration::from_secs(self.left.into()),
            most: self.most(),
            cost: self.cost,
            dry_run: false,
        }
    }
}

impl Refusal<'_> {
    pub(super) fn rejection(&self) -> Rejection {
        match self {
            Self::Exceeded(exceeded) => exceeded.rejection(),
            Self::StoreAway => STORE_AWAY,
        }
    }

    /// What the caller is told of the quota.
    pub(super) const fn allowance(&self) -> Option<Allowance> {
        match self {
            Self::Exceeded(exceeded) => Some(exceeded.allowance()),
            Self::StoreAway => None,
        }
    }
}
