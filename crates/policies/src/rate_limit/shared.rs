//! Limits that all replicas count together.

use std::sync::Arc;

use lintel_kernel::{Allowance, Exchange, Rejection};
use lintel_state::{
    limit::{Refused, Rule, Table},
    store::{Ask, Meaning, Redis, Reply},
};
use smallvec::SmallVec;

use super::{
    config::OnStoreFailure,
    decide::{self, Asked, Exceeded, seconds},
    reject::STORE_AWAY,
};

/// Where and how a limit is counted for all replicas.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) store: Arc<Redis>,
    pub(super) meaning: Meaning,
    /// What its keys begin with.
    pub(super) key: String,
    /// This replica's share, for when the store does not answer.
    pub(super) alone: Rule,
    pub(super) on_failure: OnStoreFailure,
}

/// Why a request is refused.
pub(super) enum Refusal<'a> {
    Exceeded(Exceeded<'a>),
    StoreAway,
}

/// The limits of a request that are counted here, and those that are counted in stores.
pub(super) fn parted<'a>(
    asked: SmallVec<[Asked<'a>; 4]>,
) -> (SmallVec<[Asked<'a>; 4]>, SmallVec<[Asked<'a>; 4]>) {
    asked
        .into_iter()
        .partition(|one| one.limit.shared.is_none())
}

/// Asks the stores, one after the other where there are several. What is counted in one is not given
/// back when the next refuses.
pub(super) async fn ask<'a>(
    table: &Table,
    mut asked: SmallVec<[Asked<'a>; 4]>,
    exchange: &Exchange,
) -> Result<Option<Allowance>, Refusal<'a>> {
    let mut tightest: Option<Allowance> = None;
    while let Some(store) = store_of(&asked) {
        let same = |one: &Asked<'_>| {
            let shared = one.limit.shared.as_ref();
            shared.is_some_and(|shared| Arc::ptr_eq(&shared.store, &store))
        };
        let (here, later) = asked.into_iter().partition(same);
        asked = later;
        let left = ask_one(table, &store, here, exchange).await?;
        let tighter =
            left.filter(|left| tightest.is_none_or(|other| left.remaining < other.remaining));
        tightest = tighter.or(tightest);
    }
    Ok(tightest)
}

fn store_of(asked: &[Asked<'_>]) -> Option<Arc<Redis>> {
    let shared = asked.first()?.limit.shared.as_ref()?;
    Some(Arc::clone(&shared.store))
}

async fn ask_one<'a>(
    table: &Table,
    store: &Redis,
    asked: SmallVec<[Asked<'a>; 4]>,
    exchange: &Exchange,
) -> Result<Option<Allowance>, Refusal<'a>> {
    if !store.answers() {
        return alone(table, &asked);
    }
    let asks: Vec<Ask> = asked.iter().filter_map(|one| one.ask(exchange)).collect();
    match store.spend(&asks).await {
        Err(_away) => alone(table, &asked),
        Ok(Reply::Refused {
            index,
            remaining,
            after,
        }) => match asked.get(index) {
            None => alone(table, &asked),
            Some(one) => {
                one.limit.counted.refused.inc();
                Err(Refusal::Exceeded(Exceeded {
                    limit: one.limit,
                    index: one.index,
                    refused: Refused { remaining, after },
                }))
            }
        },
        Ok(Reply::Admitted(counted)) => {
            let mut tightest: Option<Allowance> = None;
            for (one, counted) in asked.iter().zip(counted) {
                let Some(remaining) = counted.remaining else {
                    one.limit.counted.dry_run.inc();
                    continue;
                };
                one.limit.counted.admitted.inc();
                if tightest.is_none_or(|other| remaining < other.remaining) {
                    tightest = Some(Allowance {
                        limit: one.index,
                        reset: seconds(counted.reset),
                        remaining,
                    });
                }
            }
            Ok(tightest)
        }
    }
}

/// What holds without the store.
fn alone<'a>(table: &Table, asked: &[Asked<'a>]) -> Result<Option<Allowance>, Refusal<'a>> {
    let rule = |one: &Asked<'_>| one.limit.shared.as_ref().map(|shared| shared.on_failure);
    let denied = |one: &Asked<'_>| rule(one) == Some(OnStoreFailure::Deny) && !one.limit.dry_run;
    if asked.iter().any(denied) {
        return Err(Refusal::StoreAway);
    }
    let counted: SmallVec<[Asked<'a>; 4]> = asked
        .iter()
        .filter(|one| rule(one) == Some(OnStoreFailure::Local))
        .cloned()
        .collect();
    decide::local(table, &counted, table.now()).map_err(Refusal::Exceeded)
}

impl Asked<'_> {
    fn ask(&self, exchange: &Exchange) -> Option<Ask> {
        let shared = self.limit.shared.as_ref()?;
        Some(Ask {
            key: self.limit.shared_key(&shared.key, exchange),
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
