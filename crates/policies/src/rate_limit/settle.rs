//! What stores say of a request.

use std::sync::Arc;

use lintel_kernel::{Allowance, Exchange};
use lintel_state::{
    limit::{Key, Table},
    store::{Ask, Counted, Lease, Leased, Redis, Reply, Unavailable},
};

use super::{
    config::OnStoreFailure,
    decide::{self, Asked, seconds},
    shared::{Parts, Refusal},
};
use crate::ask::{self, Group, tighter};

/// Limits that one question decides.
enum Question<'a> {
    /// One that is taken ahead of need.
    Leased(&'a Lease, Asked<'a>),
    /// Those that are counted in one store.
    Stored(Group<Asked<'a>>),
}

/// What is undone where another question is refused.
enum Spent<'a> {
    Leased(&'a Lease, Key, u64),
    Stored(Arc<Redis>, Vec<Ask>),
    Here(Vec<Asked<'a>>),
}

type Outcome<'a> = ask::Outcome<Spent<'a>, Refusal<'a>>;

impl<'a> Parts<'a> {
    /// Asks the stores, all at once, and gives back what one admits where another refuses: at once here,
    /// in passing elsewhere.
    pub(super) async fn settle(
        self,
        table: &Table,
        exchange: &Exchange,
    ) -> Result<Option<Allowance>, Refusal<'a>> {
        let stored = self.stored.into_iter().filter_map(|one| {
            let shared = one.limit.shared.as_ref()?;
            let ask = one.ask(exchange)?;
            Some((&shared.store, one, ask))
        });
        let leased = self.leased.into_iter();
        let leased = leased.map(|(lease, one)| Question::Leased(lease, one));
        let stored = ask::grouped(stored).into_iter().map(Question::Stored);
        let asking = leased.chain(stored);
        let asking = asking.map(|question| question.settle(table, exchange));
        ask::all(asking, Refusal::length)
            .await
            .map_err(|(refusal, spent)| {
                for what in spent {
                    what.undo(table);
                }
                decide::give_back(table, &self.here, table.now());
                refusal
            })
    }
}

impl<'a> Question<'a> {
    async fn settle(self, table: &Table, exchange: &Exchange) -> Outcome<'a> {
        match self {
            Self::Leased(lease, one) => leased(lease, one, table, exchange).await,
            Self::Stored(group) => stored(group, table).await,
        }
    }
}

async fn leased<'a>(
    lease: &'a Lease,
    one: Asked<'a>,
    table: &Table,
    exchange: &Exchange,
) -> Outcome<'a> {
    let (key, cost) = (one.key, one.cost);
    let answer = match one.ask(exchange) {
        Some(ask) => lease.ask(key, &ask).await,
        None => Err(Unavailable),
    };
    match answer {
        Err(Unavailable) => alone(table, vec![one]),
        Ok(Leased::Refused { .. }) if one.limit.dry_run => {
            one.limit.counted.dry_run.inc();
            Ok((None, Spent::Here(Vec::new())))
        }
        Ok(Leased::Refused { remaining, after }) => {
            Err(Refusal::Exceeded(one.refused(remaining, after)))
        }
        Ok(Leased::Admitted(counted)) => {
            one.limit.counted.admitted.inc();
            let left = counted.and_then(|counted| one.left(counted));
            Ok((left, Spent::Leased(lease, key, cost)))
        }
    }
}

async fn stored<'a>(group: Group<Asked<'a>>, table: &Table) -> Outcome<'a> {
    let Group {
        store, asked, asks, ..
    } = group;
    match store.spend(&asks).await {
        Err(Unavailable) => alone(table, asked),
        Ok(Reply::Refused {
            index,
            remaining,
            after,
        }) => match asked.get(index) {
            None => alone(table, asked),
            Some(one) => Err(Refusal::Exceeded(one.refused(remaining, after))),
        },
        Ok(Reply::Admitted(counted)) => {
            let (mut tightest, mut spent) = (None, Vec::with_capacity(asks.len()));
            for ((one, counted), ask) in asked.iter().zip(counted).zip(asks) {
                if counted.remaining.is_none() {
                    one.limit.counted.dry_run.inc();
                    continue;
                }
                one.limit.counted.admitted.inc();
                spent.push(ask);
                tightest = tighter(tightest, one.left(counted));
            }
            Ok((tightest, Spent::Stored(store, spent)))
        }
    }
}

/// What holds without the store.
fn alone<'a>(table: &Table, asked: Vec<Asked<'a>>) -> Outcome<'a> {
    let rule = |one: &Asked<'_>| one.limit.shared.as_ref().map(|shared| shared.on_failure);
    let denied = |one: &Asked<'_>| rule(one) == Some(OnStoreFailure::Deny) && !one.limit.dry_run;
    if asked.iter().any(denied) {
        return Err(Refusal::StoreAway);
    }
    let asked = asked.into_iter();
    let counted: Vec<Asked<'a>> = asked
        .filter(|one| rule(one) == Some(OnStoreFailure::Local))
        .collect();
    let left = decide::local(table, &counted, table.now()).map_err(Refusal::Exceeded)?;
    Ok((left, Spent::Here(counted)))
}

impl Spent<'_> {
    fn undo(self, table: &Table) {
        match self {
            Self::Leased(lease, key, cost) => lease.put_back(key, cost),
            Self::Stored(store, asks) if !asks.is_empty() => store.give_back(asks),
            Self::Stored(..) => {}
            Self::Here(asked) => decide::give_back(table, &asked, table.now()),
        }
    }
}

impl Asked<'_> {
    fn left(&self, counted: Counted) -> Option<Allowance> {
        Some(Allowance {
            limit: self.index,
            reset: seconds(counted.reset),
            remaining: counted.remaining?,
        })
    }
}

impl Refusal<'_> {
    /// The one that lasts longest is told.
    fn length(&self) -> (bool, bool, Option<std::time::Duration>) {
        match self {
            Self::Exceeded(exceeded) => {
                let after = exceeded.refused.after;
                (true, after.is_none(), after)
            }
            Self::StoreAway => (false, false, None),
        }
    }
}
