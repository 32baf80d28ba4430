//! Quotas that all replicas count together.

use std::{sync::Arc, time::Duration};

use lintel_kernel::{Allowance, Exchange, Rejection};
use lintel_state::{
    ledger::Change,
    store::{Ask, Meaning, Redis, Reply, Unavailable},
};

use super::{
    config::OnStoreFailure,
    decide::{Asked, Exceeded},
    reject::STORE_AWAY,
};
use crate::ask::{self, Group, tighter};

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

/// What a store has counted of a request.
type Spent = Option<(Arc<Redis>, Vec<Ask>)>;

type Outcome<'a> = ask::Outcome<Spent, Refusal<'a>>;

/// Asks the stores, all at once, and gives back what one admits where another refuses.
pub(super) async fn ask<'a>(
    asked: &[Asked<'a>],
    exchange: &Exchange,
) -> Result<Option<Allowance>, Refusal<'a>> {
    let questions = asked.iter().filter_map(|one| {
        let Shared { store, .. } = one.quota.shared.as_ref()?;
        Some((store, one, one.ask(store, exchange)))
    });
    let groups = ask::grouped(questions).into_iter();
    let asking = groups.map(|group| settle(group, exchange));
    ask::all(asking, Refusal::length)
        .await
        .map_err(|(refusal, spent)| {
            for (store, asks) in spent.into_iter().flatten() {
                store.give_back(asks);
            }
            refusal
        })
}

/// What follows from what a store says.
async fn settle<'a>(group: Group<&Asked<'a>>, exchange: &Exchange) -> Outcome<'a> {
    let Group {
        store, asked, asks, ..
    } = group;
    match store.spend(&asks).await {
        Err(Unavailable) => alone(&asked),
        Ok(Reply::Refused {
            index, remaining, ..
        }) => match asked.get(index) {
            None => alone(&asked),
            Some(one) => {
                one.quota.counted.refused.inc();
                let used = one.most().saturating_sub(remaining);
                Err(Refusal::Exceeded(one.exceeded(used)))
            }
        },
        Ok(Reply::Admitted(counted)) => {
            let mut tightest = None;
            for (one, counted) in asked.iter().zip(counted) {
                let after = one.most().saturating_sub(counted.remaining.unwrap_or(0));
                let before = after.saturating_sub(one.cost);
                one.quota.note(Change { before, after }, exchange);
                tightest = tighter(tightest, Some(one.allowance(after)));
            }
            Ok((tightest, Some((store, asks))))
        }
    }
}

/// What holds without the store.
fn alone<'a>(asked: &[&Asked<'_>]) -> Outcome<'a> {
    let denied = |one: &&Asked<'_>| {
        let shared = one.quota.shared.as_ref();
        let deny = shared.is_some_and(|shared| shared.on_failure == OnStoreFailure::Deny);
        deny && !one.quota.dry_run
    };
    if asked.iter().any(denied) {
        return Err(Refusal::StoreAway);
    }
    Ok((None, None))
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

    /// The one that lasts longest is told.
    const fn length(&self) -> u32 {
        match self {
            Self::Exceeded(exceeded) => exceeded.left(),
            Self::StoreAway => 0,
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
