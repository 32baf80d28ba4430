//! A try that gets company while it is slow: the first good answer counts, the others are given up.

use std::{cell::Cell, future::poll_fn, pin::Pin, task::Poll, time::Duration};

use http::{HeaderMap, StatusCode, request::Parts};
use tokio::time::Instant;

use super::{
    failure::Failure,
    send::{Answer, Call, Tried},
    trial::Trial,
    tries::{Allowed, Content, Terms, Tries},
};
use crate::{
    retry::{After, Hedge, Retry},
    service::Lookup,
};

/// What became of a request that was sent to several endpoints at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hedged {
    /// The first try was answered after all.
    Lost,
    /// A later one was.
    Won,
}

impl Hedged {
    /// The word for it in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Won => "won",
        }
    }
}

/// What tries that run side by side know of each other.
pub(crate) struct Race {
    /// Endpoints that have taken part.
    pub(crate) tried: Cell<Tried>,
    over: Cell<bool>,
}

impl Race {
    pub(crate) fn add(&self, slot: usize) {
        let mut tried = self.tried.get();
        tried.add(slot);
        self.tried.set(tried);
    }

    /// Whether it has been won.
    pub(crate) const fn is_over(&self) -> bool {
        self.over.get()
    }
}

type Sending<'r> = Pin<Box<dyn Future<Output = Result<Answer, Failure>> + 'r>>;

/// One of the tries.
struct Runner<'r> {
    sending: Sending<'r>,
    _place: Option<Allowed>,
    hedge: bool,
}

/// The tries of a race, and what has come of them.
struct Field<'r> {
    runners: Vec<Runner<'r>>,
    /// When another joins.
    due: Option<Instant>,
    /// The best of what was not good.
    best: Option<Result<Answer, Failure>>,
    attempts: u8,
    joined: bool,
}

impl Tries<'_> {
    /// A try, joined by others at other endpoints while there is no good answer. Dropping the
    /// future gives up all of them.
    pub(super) async fn race(
        &mut self,
        trial: Trial<'_>,
        hedge: &Hedge,
    ) -> Result<Answer, Failure> {
        let terms = self.terms;
        let race = Race {
            tried: Cell::new(self.tried),
            over: Cell::new(false),
        };
        let began = terms.pools.clock().now();
        let after = terms.patience(hedge, began);
        // The first try changes its head; those that join it need what came in.
        let spare = after.map(|_| self.head.clone());
        self.begun = self.begun.saturating_add(1);
        let first = terms.call(self.head, self.body.take(), self.tried);
        let mut field = Field::new(terms.run(first, trial, &race));
        field.due = due(after, began).filter(|_| self.hedges < hedge.attempts);
        let mut sent = loop {
            if let Some((index, sent)) = field.next(&terms).await {
                match field.ended(index, sent, &terms) {
                    Some(sent) => break sent,
                    None => continue,
                }
            }
            field.due = None;
            if self.body.is_waiting() {
                // Nobody is slow but the client.
                field.due = due(after, Instant::now());
                continue;
            }
            let join = |head| terms.join(&race, head, &self.body);
            if let Some(runner) = spare.as_ref().and_then(join) {
                field.join(runner);
                self.hedges = self.hedges.saturating_add(1);
                let more = self.hedges < hedge.attempts;
                field.due = due(after, terms.pools.clock().now()).filter(|_| more);
            }
        };
        race.over.set(true);
        let attempts = field.give_up();
        terms.learn(hedge, &sent, began);
        let (tried, count) = match &mut sent {
            Ok(answer) => (&mut answer.tried, &mut answer.attempts),
            Err(failure) => (&mut failure.tried, &mut failure.attempts),
        };
        (*tried, *count) = (race.tried.get(), attempts);
        sent
    }
}

fn due(after: Option<Duration>, from: Instant) -> Option<Instant> {
    from.checked_add(after?)
}

impl<'r> Field<'r> {
    fn new(sending: Sending<'r>) -> Self {
        let first = Runner {
            sending,
            _place: None,
            hedge: false,
        };
        Self {
            runners: vec![first],
            due: None,
            best: None,
            attempts: 0,
            joined: false,
        }
    }

    fn join(&mut self, runner: Runner<'r>) {
        self.joined = true;
        self.runners.push(runner);
    }

    /// Runs all of them until one has ended, which is told, or until another is to join.
    async fn next(&mut self, terms: &Terms<'_>) -> Option<(usize, Result<Answer, Failure>)> {
        poll_fn(|cx| {
            for (index, runner) in self.runners.iter_mut().enumerate() {
                if let Poll::Ready(sent) = runner.sending.as_mut().poll(cx) {
                    return Poll::Ready(Some((index, sent)));
                }
            }
            match self.due {
                Some(due) => terms.timer.poll_deadline(cx, due).map(|()| None),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// One has ended. What counts, if that is known now.
    fn ended(
        &mut self,
        index: usize,
        sent: Result<Answer, Failure>,
        terms: &Terms<'_>,
    ) -> Option<Result<Answer, Failure>> {
        let runner = self.runners.swap_remove(index);
        let attempts = match &sent {
            Ok(answer) => answer.attempts,
            Err(failure) => failure.attempts,
        };
        self.attempts = self.attempts.saturating_add(attempts);
        let good = terms.is_good(&sent);
        let won = good && runner.hedge;
        if won {
            terms.pools.service(terms.service).metrics.hedge_won();
        }
        // An answer, however bad, says more than none.
        if good || sent.is_ok() || !matches!(self.best, Some(Ok(_))) {
            self.best = Some(sent);
        }
        if !good && !self.runners.is_empty() {
            return None;
        }
        let mut counts = self.best.take()?;
        if let Ok(answer) = &mut counts {
            let hedged = if won { Hedged::Won } else { Hedged::Lost };
            answer.hedged = self.joined.then_some(hedged);
        }
        Some(counts)
    }

    /// Ends those that still run. How many tries there were.
    fn give_up(self) -> u8 {
        let left = u8::try_from(self.runners.len()).unwrap_or(u8::MAX);
        self.attempts.saturating_add(left)
    }
}

/// Interim answers are those of the first try: another's would contradict them.
fn unheard(_status: StatusCode, _headers: HeaderMap) {}

impl<'a> Terms<'a> {
    /// How long a try is waited for.
    fn patience(&self, hedge: &Hedge, now: Instant) -> Option<Duration> {
        match hedge.after {
            After::Time(time) => Some(time),
            After::Quantile(share) => {
                let local = self.pools.service(self.service);
                local.quantile(share, now)
            }
        }
    }

    /// Counts how long the request took, from its first try to the answer that counted: what took
    /// long enough to be hedged goes on being counted as long, so that the quantile does not sink
    /// because of what is done with it.
    fn learn(&self, hedge: &Hedge, sent: &Result<Answer, Failure>, began: Instant) {
        if let (After::Quantile(_), Ok(answer)) = (hedge.after, sent) {
            let took = answer.head_at.saturating_duration_since(began);
            let local = self.pools.service(self.service);
            local.took(took, answer.head_at);
        }
    }

    /// Runs one try to its end.
    fn run<'r>(self, call: Call<'r>, trial: Trial<'r>, race: &'r Race) -> Sending<'r>
    where
        'a: 'r,
    {
        Box::pin(async move {
            let sending = self.pools.send_once(self.service, call, &trial, Some(race));
            let sent = sending.await;
            trial.end(&sent, self.hurried);
            sent
        })
    }

    /// Whether there is nothing about it that would have it tried again.
    fn is_good(&self, sent: &Result<Answer, Failure>) -> bool {
        let Ok(answer) = sent else { return false };
        let (status, headers) = (answer.response.status(), answer.response.headers());
        let again = |retry: &Retry| retry.on.of_answer(status, headers).is_some();
        !self.retry.is_some_and(again)
    }

    /// One more try, at an endpoint that has not been asked, if there is one and the limits allow.
    fn join<'r>(&self, race: &'r Race, head: &Parts, body: &Content) -> Option<Runner<'r>>
    where
        'a: 'r,
    {
        let retry = self.retry?;
        let local = self.pools.service(self.service);
        let view = local.view(self.service, self.pools);
        if matches!(view.set.lookup, Lookup::Sessions(_)) {
            // A session would move to an endpoint that does not know it.
            return None;
        }
        let tried = race.tried.get();
        local.pick_other(&view, &tried, self.key, self.pools)?;
        let body = body.beside()?;
        let allowed = self.allow(retry, Duration::ZERO)?;
        let trial = Trial::begin(self.pools, self.service, self.guard).ok()?;
        local.metrics.hedged();
        let (mut head, terms) = (head.clone(), *self);
        let sending = Box::pin(async move {
            let call = Call {
                interim: &unheard,
                ..terms.call(&mut head, body, tried)
            };
            terms.run(call, trial, race).await
        });
        Some(Runner {
            sending,
            _place: Some(allowed),
            hedge: true,
        })
    }
}
