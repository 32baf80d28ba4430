//! Sending a request as often as the rules for trying again allow.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderValue, StatusCode, request::Parts};
use http_body::Body as _;
use lintel_http::Body;
use lintel_http1::Timer;
use lintel_telemetry::metrics::RetryReason;
use tokio::time::Instant;

use super::{
    failure::{Cause, Failure, code},
    patience::Late,
    pools::Pools,
    send::{Answer, Call, Rules, Tried},
    trial::Trial,
};
use crate::{
    deadline::Deadline,
    guard::{BreakerState, Entered, Guard, GuardSpec, Guarded},
    retry::{Hedge, Recording, Retry, retry_after},
    service::Service,
};

/// No try is begun with less time than this before the deadline, unless a try never has more.
const LEAST_TIME: Duration = Duration::from_millis(10);

/// When to come back where as many requests are under way as may be: nobody knows, but it is not
/// long.
const SOON: Duration = Duration::from_secs(1);

/// What is read of an answer that nobody gets, so that its connection can be used again. Answers of
/// a service in trouble are short; of a longer one it is cheaper to close the connection.
const DISCARDED: u64 = 16 * 1024;

impl Pools {
    /// Sends a request to a service and waits for the head of the answer.
    ///
    /// What is safe for every request is done for every request: a connection that was used before
    /// and dies before the first byte of an answer is replaced once, if nothing of the body was
    /// taken and the method is idempotent (RFC 9110 §9.2.2) or the upstream said that it did not
    /// process the request; an endpoint that can't be connected to is given up for another one,
    /// once, unless nobody answered the last try there either. Beyond that a request is tried again by the rules of the route or the service, as long
    /// as the service's budget and the deadline allow.
    ///
    /// # Errors
    ///
    /// A [`Failure`] with the body, if nothing was taken from it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes an HTTP/1 connection and resets an HTTP/2 stream.
    pub fn send<'a>(
        &'a self,
        service: &'a Arc<Service>,
        call: Call<'a>,
    ) -> impl Future<Output = Result<Answer, Failure>> + use<'a> {
        // Made outside of the future, which would hold the call a second time.
        let mut tries = Tries::new(self, service, call);
        async move {
            let mut place = match tries.enter() {
                Ok(place) => place,
                Err(cause) => return Err(tries.refused(cause)),
            };
            loop {
                let trial = match Trial::begin(self, service, tries.terms.guard) {
                    Ok(trial) => trial,
                    Err(cause) => return Err(tries.refused(cause)),
                };
                let mut sent = match tries.hedge {
                    Some(hedge) => Box::pin(tries.race(trial, hedge)).await,
                    None => {
                        let sent = self.send_once(service, tries.call(), &trial, None).await;
                        trial.end(&sent, tries.terms.hurried);
                        sent
                    }
                };
                let Some(again) = tries.again(&sent) else {
                    tries.finish(&mut sent, &mut place);
                    return sent;
                };
                let unwanted = tries.prepare(sent);
                Box::pin(pause(tries.terms.timer, again, unwanted)).await;
                self.clock().refresh();
            }
        }
    }
}

/// A request between its tries.
pub(super) struct Tries<'a> {
    pub(super) terms: Terms<'a>,
    /// It may be sent again even if the upstream may have acted on it.
    repeatable: bool,
    /// When a try gets company, if ever.
    pub(super) hedge: Option<&'a Hedge>,
    /// Tries that were company.
    pub(super) hedges: u8,
    pub(super) head: &'a mut Parts,
    pub(super) body: Content,
    pub(super) tried: Tried,
    pub(super) begun: u8,
    /// Tries that other tries were made of.
    attempts: u8,
    /// The places of a try after the first.
    retrying: Option<Allowed>,
}

/// What all tries of a request have in common.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) pools: &'a Pools,
    pub(super) service: &'a Arc<Service>,
    pub(super) retry: Option<&'a Retry>,
    pub(super) deadline: Option<Instant>,
    upgrade: Option<&'a HeaderValue>,
    expect_continue: bool,
    te_trailers: bool,
    pub(super) timer: &'a Timer,
    pub(super) interim: &'a dyn Fn(StatusCode, HeaderMap),
    pub(super) key: Option<u64>,
    pub(super) guard: Option<&'a Arc<Guarded>>,
    pub(super) hurried: bool,
    told: Option<Deadline>,
}

/// Leave for a try after the first, and its places among those of the service and of the route.
pub(super) struct Allowed {
    _places: [Option<Entered>; 2],
}

/// The body of a request, as far as another try can have it.
pub(super) enum Content {
    None,
    /// Can be had again as long as nothing was taken from it.
    Once(Option<Body>),
    Kept(Recording),
}

impl<'a> Tries<'a> {
    fn new(pools: &'a Pools, service: &'a Arc<Service>, call: Call<'a>) -> Self {
        let now = pools.clock().refresh();
        let spec = service.spec();
        let own = spec.timeouts.request.map(|limit| now + limit);
        let retry = match call.retry {
            Rules::Service => spec.retry.as_ref(),
            Rules::Route(retry) => Some(retry),
            Rules::Nobody => None,
        };
        let several = retry.filter(|retry| retry.several());
        let repeatable =
            several.is_some_and(|retry| retry.may_repeat(&call.head.method, &call.head.headers));
        if several.is_some() {
            service.guard.budget.deposit(now);
        }
        let plain = call.upgrade.is_none() && !call.expect_continue;
        Self {
            repeatable,
            hedge: several
                .and_then(|retry| retry.hedge.as_ref())
                .filter(|_| repeatable && plain),
            hedges: 0,
            head: call.head,
            body: Content::new(call.body, several, repeatable),
            tried: call.tried,
            begun: 0,
            attempts: 0,
            retrying: None,
            terms: Terms {
                pools,
                service,
                retry,
                deadline: earlier(call.deadline, own),
                upgrade: call.upgrade,
                expect_continue: call.expect_continue,
                te_trailers: call.te_trailers,
                timer: call.timer,
                interim: call.interim,
                key: call.key,
                guard: call.guard,
                hurried: call.hurried,
                told: call.told,
            },
        }
    }

    /// The next try.
    fn call(&mut self) -> Call<'_> {
        self.begun = self.begun.saturating_add(1);
        let body = self.body.take();
        self.terms.call(self.head, body, self.tried)
    }

    /// Whether there is to be another try, and how long before it. Takes it from the budget.
    fn again(&mut self, sent: &Result<Answer, Failure>) -> Option<Duration> {
        let retry = self
            .terms
            .retry
            .filter(|retry| self.begun < retry.attempts)?;
        let (reason, asked) = match sent {
            Ok(answer) => self.answer_reason(retry, answer)?,
            Err(failure) => (self.failure_reason(retry, failure)?, None),
        };
        if asked.is_some_and(|asked| asked > retry.retry_after) {
            return None;
        }
        let jittered = retry.backoff.pause(self.begun - 1, fastrand::f64());
        let pause = asked.map_or(jittered, |asked| asked.max(jittered));
        // Given back before another is taken: this request's own try does not stand in its way.
        self.retrying = None;
        self.retrying = Some(self.terms.allow(retry, pause)?);
        let terms = &self.terms;
        terms.pools.service(terms.service).metrics.retried(reason);
        Some(pause)
    }

    fn answer_reason(
        &self,
        retry: &Retry,
        answer: &Answer,
    ) -> Option<(RetryReason, Option<Duration>)> {
        if !self.repeatable || answer.upgraded.is_some() || !self.body.is_there(None) {
            return None;
        }
        let headers = answer.response.headers();
        let reason = retry.on.of_answer(answer.response.status(), headers)?;
        Some((reason, retry_after(headers, SystemTime::now())))
    }

    fn failure_reason(&self, retry: &Retry, failure: &Failure) -> Option<RetryReason> {
        let allowed = self.repeatable || failure.facts.retryable;
        if !allowed || !self.body.is_there(failure.body.as_ref()) {
            return None;
        }
        retry.on.of_failure(failure.facts)
    }

    /// Takes over from a try what the next one needs; what is left is the answer's body.
    fn prepare(&mut self, sent: Result<Answer, Failure>) -> Body {
        let (tried, attempts, unwanted) = match sent {
            Ok(answer) => (answer.tried, answer.attempts, answer.response.into_body()),
            Err(failure) => {
                if let (Content::Once(body), Some(untouched)) = (&mut self.body, failure.body) {
                    *body = Some(untouched);
                }
                (failure.tried, failure.attempts, Body::empty())
            }
        };
        self.tried = tried;
        self.attempts = self.attempts.saturating_add(attempts);
        unwanted
    }

    /// A place for the request, where the service has only so many.
    fn enter(&self) -> Result<Option<Entered>, Cause> {
        if self
            .terms
            .deadline
            .is_some_and(|deadline| deadline <= self.terms.pools.clock().now())
        {
            return Err(Cause::late(Late::Deadline));
        }
        let service = self.terms.service;
        let entered = service.guard.enter(&service.spec().guard);
        entered.map_err(|limit| {
            Cause::unavailable(
                code::CONCURRENCY_FULL,
                format!("{limit} requests are under way, as many as may be"),
                SOON,
            )
        })
    }

    /// Nothing is sent, or nothing more.
    fn refused(&mut self, cause: Cause) -> Failure {
        Failure {
            facts: cause.facts,
            code: cause.code,
            cause: cause.text,
            endpoint: None,
            tried: self.tried,
            attempts: self.attempts,
            body: self.body.untouched(),
            retry_after: cause.retry_after,
        }
    }

    /// Adds the tries before to what the last one says.
    fn finish(&self, sent: &mut Result<Answer, Failure>, place: &mut Option<Entered>) {
        let attempts = match sent {
            Ok(answer) => {
                answer.place = place.take();
                &mut answer.attempts
            }
            Err(failure) => &mut failure.attempts,
        };
        *attempts = attempts.saturating_add(self.attempts);
    }
}

impl<'a> Terms<'a> {
    /// A try that begins now.
    pub(super) fn call<'c>(self, head: &'c mut Parts, body: Body, tried: Tried) -> Call<'c>
    where
        'a: 'c,
    {
        let per_try = self.retry.and_then(|retry| retry.per_try);
        let now = self.pools.clock().now();
        let per_try = per_try.map(|limit| now + limit);
        if let Some(told) = self.told {
            told.write(&mut head.headers, now);
        }
        Call {
            head,
            body,
            upgrade: self.upgrade,
            expect_continue: self.expect_continue,
            te_trailers: self.te_trailers,
            deadline: earlier(self.deadline, per_try),
            timer: self.timer,
            interim: self.interim,
            key: self.key,
            tried,
            retry: Rules::Nobody,
            guard: None,
            hurried: self.hurried,
            told: None,
        }
    }

    /// Whether a try after the first may be begun after a pause. Takes it from the budget.
    pub(super) fn allow(&self, retry: &Retry, pause: Duration) -> Option<Allowed> {
        let now = self.pools.clock().refresh();
        let least = retry
            .per_try
            .map_or(LEAST_TIME, |limit| limit.min(LEAST_TIME));
        if self
            .deadline
            .is_some_and(|deadline| now + pause + least > deadline)
        {
            return None;
        }
        let of_service = self.retrying(&self.service.guard, &self.service.spec().guard)?;
        let of_route = match self.guard {
            Some(route) => self.retrying(&route.guard, &route.spec)?,
            None => None,
        };
        if !self.service.guard.budget.withdraw(&retry.budget, now) {
            let local = self.pools.service(self.service);
            local.metrics.retry_budget_exhausted();
            return None;
        }
        Some(Allowed {
            _places: [of_service, of_route],
        })
    }

    /// A place among the tries after the first, where they are counted; none at all where there is
    /// no room for another, or no time for one.
    #[expect(
        clippy::option_option,
        reason = "whether it may be made, and whether it needs a place"
    )]
    fn retrying(&self, guard: &Guard, spec: &GuardSpec) -> Option<Option<Entered>> {
        if guard.breaker.state() != BreakerState::Closed {
            return None;
        }
        match spec.retries {
            Some(limit) => guard.retries.enter(limit).map(Some),
            None => Some(None),
        }
    }
}

impl Content {
    fn new(body: Body, retry: Option<&Retry>, repeatable: bool) -> Self {
        if body.is_end_stream() {
            return Self::None;
        }
        let keep = retry.filter(|retry| {
            (repeatable || retry.on.refused_stream) && body.size_hint().lower() <= retry.body
        });
        match keep {
            Some(retry) => Self::Kept(Recording::new(body, retry.body)),
            None => Self::Once(Some(body)),
        }
    }

    pub(super) fn take(&mut self) -> Body {
        self.untouched().unwrap_or_else(Body::empty)
    }

    /// The body, if it can still be had.
    fn untouched(&mut self) -> Option<Body> {
        match self {
            Self::None => Some(Body::empty()),
            Self::Once(body) => body.take(),
            Self::Kept(recording) => recording.body(),
        }
    }

    /// The body for a try beside others; none if it can't be had.
    pub(super) fn beside(&self) -> Option<Body> {
        match self {
            Self::None => Some(Body::empty()),
            Self::Once(_) => None,
            Self::Kept(recording) => recording.beside(),
        }
    }

    /// Whether the client is still to send some of it.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self, Self::Kept(recording) if recording.is_starved())
    }

    /// Whether another try can have it, given what the last one left untouched.
    fn is_there(&self, untouched: Option<&Body>) -> bool {
        match self {
            Self::None => true,
            Self::Once(_) => untouched.is_some(),
            Self::Kept(recording) => recording.is_whole(),
        }
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// Waits before another try. Reads meanwhile what is left of an answer that nobody gets: its
/// connection is used again if that is little and there in time, and closed if not.
async fn pause(timer: &Timer, pause: Duration, unwanted: Body) {
    let until = Instant::now() + pause;
    let mut unwanted = Some(unwanted);
    let mut left = DISCARDED;
    poll_fn(|cx| {
        while let Some(body) = &mut unwanted {
            match Pin::new(body).poll_frame(cx) {
                Poll::Pending => break,
                Poll::Ready(Some(Ok(frame))) => {
                    let len = frame.data_ref().map_or(0, |data| data.len() as u64);
                    match left.checked_sub(len) {
                        Some(rest) => left = rest,
                        None => unwanted = None,
                    }
                }
                Poll::Ready(Some(Err(_)) | None) => unwanted = None,
            }
        }
        if pause.is_zero() {
            return Poll::Ready(());
        }
        timer.poll_deadline(cx, until)
    })
    .await;
}
