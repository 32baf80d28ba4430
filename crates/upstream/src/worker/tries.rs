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
    send::{Answer, Call, Tried},
    trial::Trial,
};
use crate::{
    deadline::Deadline,
    guard::{BreakerState, Entered},
    retry::{Recording, Retry, retry_after},
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
    /// once. Beyond that a request is tried again by the rules of the route or the service, as long
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
                let trial = match Trial::begin(self, service) {
                    Ok(trial) => trial,
                    Err(cause) => return Err(tries.refused(cause)),
                };
                let mut sent = self.send_once(service, tries.call()).await;
                trial.end(&sent, tries.hurried);
                let Some(again) = tries.again(&sent) else {
                    tries.finish(&mut sent, &mut place);
                    return sent;
                };
                let unwanted = tries.prepare(sent);
                Box::pin(pause(tries.timer, again, unwanted)).await;
                self.clock().refresh();
            }
        }
    }
}

/// A request between its tries.
struct Tries<'a> {
    pools: &'a Pools,
    service: &'a Arc<Service>,
    retry: Option<&'a Retry>,
    /// It may be sent again even if the upstream may have acted on it.
    repeatable: bool,
    deadline: Option<Instant>,
    head: &'a mut Parts,
    body: Content,
    upgrade: Option<&'a HeaderValue>,
    expect_continue: bool,
    te_trailers: bool,
    timer: &'a Timer,
    interim: &'a dyn Fn(StatusCode, HeaderMap),
    key: Option<u64>,
    tried: Tried,
    begun: u8,
    /// Tries that other tries were made of.
    attempts: u8,
    hurried: bool,
    told: Option<Deadline>,
    /// The place of a try after the first.
    retrying: Option<Entered>,
}

/// The body of a request, as far as another try can have it.
enum Content {
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
        let retry = call.retry.or(spec.retry.as_ref());
        let several = retry.filter(|retry| retry.attempts > 1);
        let repeatable =
            several.is_some_and(|retry| retry.may_repeat(&call.head.method, &call.head.headers));
        if several.is_some() {
            service.guard.budget.deposit(now);
        }
        Self {
            pools,
            service,
            retry,
            repeatable,
            deadline: earlier(call.deadline, own),
            head: call.head,
            body: Content::new(call.body, several, repeatable),
            upgrade: call.upgrade,
            expect_continue: call.expect_continue,
            te_trailers: call.te_trailers,
            timer: call.timer,
            interim: call.interim,
            key: call.key,
            tried: call.tried,
            begun: 0,
            attempts: 0,
            hurried: call.hurried,
            told: call.told,
            retrying: None,
        }
    }

    /// The next try.
    fn call(&mut self) -> Call<'_> {
        self.begun = self.begun.saturating_add(1);
        let per_try = self.retry.and_then(|retry| retry.per_try);
        let now = self.pools.clock().now();
        let per_try = per_try.map(|limit| now + limit);
        if let Some(told) = self.told {
            told.write(&mut self.head.headers, now);
        }
        Call {
            head: self.head,
            body: self.body.take(),
            upgrade: self.upgrade,
            expect_continue: self.expect_continue,
            te_trailers: self.te_trailers,
            deadline: earlier(self.deadline, per_try),
            timer: self.timer,
            interim: self.interim,
            key: self.key,
            tried: self.tried,
            retry: None,
            hurried: self.hurried,
            told: None,
        }
    }

    /// Whether there is to be another try, and how long before it. Takes it from the budget.
    fn again(&mut self, sent: &Result<Answer, Failure>) -> Option<Duration> {
        let retry = self.retry.filter(|retry| self.begun < retry.attempts)?;
        let (reason, asked) = match sent {
            Ok(answer) => self.answer_reason(retry, answer)?,
            Err(failure) => (self.failure_reason(retry, failure)?, None),
        };
        if asked.is_some_and(|asked| asked > retry.retry_after) {
            return None;
        }
        let jittered = retry.backoff.pause(self.begun - 1, fastrand::f64());
        let pause = asked.map_or(jittered, |asked| asked.max(jittered));
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
        if self.service.guard.breaker.state() != BreakerState::Closed {
            return None;
        }
        // Given back before another is taken: this request's own try does not stand in its way.
        self.retrying = None;
        if let Some(limit) = self.service.spec().guard.retries {
            self.retrying = Some(self.service.guard.retries.enter(limit)?);
        }
        let local = self.pools.service(self.service);
        if !self.service.guard.budget.withdraw(&retry.budget, now) {
            local.metrics.retry_budget_exhausted();
            return None;
        }
        local.metrics.retried(reason);
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
            .deadline
            .is_some_and(|deadline| deadline <= self.pools.clock().now())
        {
            return Err(Cause::late(Late::Deadline));
        }
        let entered = self.service.guard.enter(&self.service.spec().guard);
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

    fn take(&mut self) -> Body {
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
