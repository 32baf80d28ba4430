//! What stores say of a request.

use std::{future::poll_fn, pin::Pin, sync::Arc, task::Poll};

use lintel_kernel::{Allowance, Exchange};
use lintel_state::{
    limit::{Key, Table},
    store::{Ask, Counted, Lease, Leased, Redis, Reply, Unavailable},
};
use smallvec::SmallVec;

use super::{
    config::OnStoreFailure,
    decide::{self, Asked, seconds},
    shared::{Parts, Refusal},
};

/// Limits that one question decides.
enum Group<'a> {
    /// One that is taken ahead of need.
    Leased(&'a Lease, Asked<'a>),
    /// Those that are counted in one store; where that is a cluster, in one slot of it.
    Stored(Arc<Redis>, u16, Vec<(Asked<'a>, Ask)>),
}

/// What is undone where another group refuses.
enum Spent<'a> {
    Leased(&'a Lease, Key, u64),
    Stored(Arc<Redis>, Vec<Ask>),
    Here(Vec<Asked<'a>>),
}

type Outcome<'a> = Result<(Option<Allowance>, Spent<'a>), Refusal<'a>>;

impl<'a> Parts<'a> {
    /// Asks the stores, all at once, and gives back what one admits where another refuses: at once here,
    /// in passing elsewhere.
    pub(super) async fn settle(
        self,
        table: &Table,
        exchange: &Exchange,
    ) -> Result<Option<Allowance>, Refusal<'a>> {
        let (here, groups) = self.grouped(exchange);
        let asking = groups.into_iter();
        let mut asking: SmallVec<[_; 2]> = asking
            .map(|group| Box::pin(group.settle(table, exchange)))
            .collect();
        let outcomes = all(&mut asking).await;
        let (mut tightest, mut spent, mut refused): (Option<Allowance>, _, Option<Refusal<'a>>) =
            (None, SmallVec::<[Spent<'a>; 2]>::new(), None);
        for outcome in outcomes {
            match outcome {
                Ok((left, what)) => {
                    spent.push(what);
                    tightest = tighter(tightest, left);
                }
                Err(refusal) => {
                    let longer = refused
                        .as_ref()
                        .is_none_or(|other| refusal.length() > other.length());
                    if longer {
                        refused = Some(refusal);
                    }
                }
            }
        }
        match refused {
            None => Ok(tightest),
            Some(refusal) => {
                for what in spent {
                    what.undo(table);
                }
                decide::give_back(table, &here, table.now());
                Err(refusal)
            }
        }
    }

    /// What is counted here, and what each store is asked.
    fn grouped(self, exchange: &Exchange) -> (SmallVec<[Asked<'a>; 4]>, SmallVec<[Group<'a>; 2]>) {
        let leased = self.leased.into_iter();
        let mut groups: SmallVec<[Group<'a>; 2]> = leased
            .map(|(lease, one)| Group::Leased(lease, one))
            .collect();
        for one in self.stored {
            let (Some(shared), Some(ask)) = (&one.limit.shared, one.ask(exchange)) else {
                continue;
            };
            let (store, slot) = (&shared.store, shared.store.slot(&ask.key));
            let known = groups.iter_mut().find_map(|group| match group {
                Group::Stored(other, place, asked)
                    if Arc::ptr_eq(other, store) && *place == slot =>
                {
                    Some(asked)
                }
                _ => None,
            });
            match known {
                Some(asked) => asked.push((one, ask)),
                None => groups.push(Group::Stored(Arc::clone(store), slot, vec![(one, ask)])),
            }
        }
        (self.here, groups)
    }
}

impl<'a> Group<'a> {
    async fn settle(self, table: &Table, exchange: &Exchange) -> Outcome<'a> {
        match self {
            Self::Leased(lease, one) => leased(lease, one, table, exchange).await,
            Self::Stored(store, _, asked) => stored(store, asked, table).await,
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

async fn stored<'a>(store: Arc<Redis>, asked: Vec<(Asked<'a>, Ask)>, table: &Table) -> Outcome<'a> {
    let (asked, asks): (Vec<Asked<'a>>, Vec<Ask>) = asked.into_iter().unzip();
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

fn tighter(one: Option<Allowance>, other: Option<Allowance>) -> Option<Allowance> {
    match (one, other) {
        (Some(one), Some(other)) if one.remaining <= other.remaining => Some(one),
        (one, None) => one,
        (_, other) => other,
    }
}

/// Waits for all of them at once.
async fn all<F: Future>(asking: &mut [Pin<Box<F>>]) -> SmallVec<[F::Output; 2]> {
    let mut answers: SmallVec<[Option<F::Output>; 2]> = asking.iter().map(|_| None).collect();
    poll_fn(|cx| {
        let mut pending = false;
        for (asking, answer) in asking.iter_mut().zip(&mut answers) {
            if answer.is_none() {
                match asking.as_mut().poll(cx) {
                    Poll::Ready(ready) => *answer = Some(ready),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    answers.into_iter().flatten().collect()
}
