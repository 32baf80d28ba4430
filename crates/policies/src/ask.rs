//! What stores are asked of the limits of one request: all questions at once, and what some admit where
//! another refuses is undone.

use std::{future::poll_fn, pin::Pin, sync::Arc, task::Poll};

use lintel_kernel::Allowance;
use lintel_state::store::{Ask, Redis};
use smallvec::SmallVec;

/// What one script may be asked about: limits in one store and, in a cluster, in one slot of it.
pub(crate) struct Group<T> {
    pub(crate) store: Arc<Redis>,
    slot: u16,
    /// Whose limits they are, in the order of the questions.
    pub(crate) asked: Vec<T>,
    pub(crate) asks: Vec<Ask>,
}

/// Puts questions into as few groups as there can be.
pub(crate) fn grouped<'s, T>(
    questions: impl Iterator<Item = (&'s Arc<Redis>, T, Ask)>,
) -> SmallVec<[Group<T>; 2]> {
    let mut groups: SmallVec<[Group<T>; 2]> = SmallVec::new();
    for (store, one, ask) in questions {
        let slot = store.slot(&ask.key);
        let known = groups
            .iter_mut()
            .find(|known| known.slot == slot && Arc::ptr_eq(&known.store, store));
        match known {
            Some(known) => {
                known.asked.push(one);
                known.asks.push(ask);
            }
            None => groups.push(Group {
                store: Arc::clone(store),
                slot,
                asked: vec![one],
                asks: vec![ask],
            }),
        }
    }
    groups
}

/// What comes of one question: what is left, and what was spent; or why the request is refused.
pub(crate) type Outcome<S, R> = Result<(Option<Allowance>, S), R>;

/// Waits for the outcomes of all questions at once. What is left of the limit of which least is; or the
/// refusal that lasts longest, and what the others have spent.
pub(crate) async fn all<F, S, R, L: PartialOrd>(
    asking: impl Iterator<Item = F>,
    length: impl Fn(&R) -> L,
) -> Result<Option<Allowance>, (R, SmallVec<[S; 2]>)>
where
    F: Future<Output = Outcome<S, R>>,
{
    let mut asking: SmallVec<[_; 2]> = asking.map(Box::pin).collect();
    let (mut tightest, mut spent, mut refused) = (None, SmallVec::new(), None);
    for outcome in join(&mut asking).await {
        match outcome {
            Ok((left, what)) => {
                spent.push(what);
                tightest = tighter(tightest, left);
            }
            Err(refusal) => {
                if refused
                    .as_ref()
                    .is_none_or(|other| length(&refusal) > length(other))
                {
                    refused = Some(refusal);
                }
            }
        }
    }
    match refused {
        None => Ok(tightest),
        Some(refusal) => Err((refusal, spent)),
    }
}

/// The one of which less is left.
pub(crate) fn tighter(one: Option<Allowance>, other: Option<Allowance>) -> Option<Allowance> {
    match (one, other) {
        (Some(one), Some(other)) if other.remaining < one.remaining => Some(other),
        (one, other) => one.or(other),
    }
}

async fn join<F: Future>(asking: &mut [Pin<Box<F>>]) -> SmallVec<[F::Output; 2]> {
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
