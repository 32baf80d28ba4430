//! One try: a request on a connection, up to the head of the answer.

use std::{cell::Cell, pin::pin, rc::Rc, sync::Arc, time::Duration};

use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header, request::Parts,
};
use http_body::Body as _;
use lintel_http::{Body, body::Lease, h2::Incoming};
use lintel_http1::{
    Timer,
    client::{self, Conn, SendOptions},
};
use lintel_kernel::{Facts, Kind, Side};
use lintel_telemetry::metrics::{AttemptOutcome, PoolSource, ServiceMetrics};
use lintel_tls::Stream;
use tokio::time::Instant;

use super::{
    awaited::{Awaited, is_awaited},
    failure::{Cause, code},
    http2::{self, Multiplexed, NoAnswer},
    observe,
    patience::{Late, Patience},
    pool::Pool,
    race::Race,
    send::{Replay, Sent, Tunnel},
    service::View,
    trial::Trial,
    upload::{Progress, Upload},
};
use crate::{
    health::{Moment, Verdict},
    service::{Endpoint, Place, Service},
};

/// How long an upstream may take to ask for a body or to answer without it, before the body is sent
/// unasked: not every server knows `Expect` (RFC 9110 §10.1.1). What curl allows as well.
const CONTINUE_TIMEOUT: Duration = Duration::from_secs(1);

/// What all kinds of connection need to know of a try.
pub(crate) struct Attempt<'a> {
    pub(crate) service: &'a Arc<Service>,
    pub(crate) endpoint: &'a Arc<Endpoint>,
    pub(crate) pool: &'a Rc<Pool>,
    pub(crate) metrics: &'a Rc<ServiceMetrics>,
    pub(crate) timer: &'a Timer,
    pub(crate) deadline: Option<Instant>,
    /// The deadline is the client's own, and sooner than the service's.
    pub(crate) hurried: bool,
    pub(crate) upgrade: Option<&'a HeaderValue>,
    pub(crate) expect_continue: bool,
    pub(crate) te_trailers: bool,
    pub(crate) interim: &'a dyn Fn(StatusCode, HeaderMap),
    pub(crate) view: &'a View,
    pub(crate) trial: &'a Trial<'a>,
    pub(crate) race: Option<&'a Race>,
}

/// A try without an answer.
pub(crate) struct Lost {
    pub(crate) cause: Cause,
    /// The body, if nothing was taken from it.
    pub(crate) body: Option<Body>,
    pub(crate) replay: Replay,
}

/// Counts a try as cancelled if it is dropped before its end.
struct Counted<'a> {
    attempt: &'a Attempt<'a>,
    begun: Instant,
    outcome: Cell<AttemptOutcome>,
}

impl Attempt<'_> {
    pub(crate) async fn over_http1(
        &self,
        head: &Parts,
        body: Body,
        conn: Conn<Stream>,
        lease: Lease,
        source: PoolSource,
    ) -> Result<Sent, Lost> {
        self.metrics.connection_from(source);
        let begun = self.pool.now();
        let counted = Counted::new(self, begun);
        let body = Upload::new(body);
        let mut patience = self.patience(body.progress(), begun);
        let recycle = Rc::<Pool>::clone(self.pool);
        let sent = {
            let exchange = pin!(conn.send(head, body, self.http1_options(), self.interim, recycle));
            patience.wait(exchange).await
        };
        match sent {
            Ok(Ok(sent)) => {
                counted.answered(&sent.response, sent.received_at);
                let (response, upgraded) = match sent.upgraded {
                    Some(io) => (sent.response.map(Body::from), Some(Tunnel { io, lease })),
                    None => {
                        if sent.response.body().is_end_stream() {
                            self.pool.reporter.whole();
                        }
                        let body = |body| Body::from(body).with_lease(lease);
                        (sent.response.map(body), None)
                    }
                };
                Ok(Sent {
                    response,
                    upgraded,
                    head_at: sent.received_at,
                })
            }
            Ok(Err(error)) => {
                let reused = !matches!(source, PoolSource::Dial);
                let untouched = error.untouched_body.map(Upload::into_body);
                let dead = matches!(
                    error.failure,
                    client::Failure::Closed | client::Failure::Write(_) | client::Failure::Read(_)
                );
                let replay = if reused && dead && !error.response_started {
                    Replay::IfIdempotent
                } else {
                    Replay::Never
                };
                let cause = Cause::http1(error.failure);
                counted.lost(cause.outcome(), replay);
                Err(Lost {
                    cause,
                    body: untouched,
                    replay,
                })
            }
            Err(late) => {
                counted.late(late);
                Err(Lost {
                    cause: Cause::late(late),
                    body: None,
                    replay: Replay::Never,
                })
            }
        }
    }

    pub(crate) async fn over_http2(
        &self,
        head: &Parts,
        body: Body,
        connection: Rc<Multiplexed>,
        lease: Lease,
        waiting: Option<Place>,
    ) -> Result<Sent, Lost> {
        let reused = connection.is_used();
        self.metrics.connection_from(if reused {
            PoolSource::Own
        } else {
            PoolSource::Dial
        });
        let begun = self.pool.now();
        let counted = Counted::new(self, begun);
        let upload = Upload::new(body);
        let progress = upload.progress();
        let request = self.http2_request(head, upload).map_err(|lost| *lost)?;
        let mut patience = self.patience(progress.clone(), begun);
        let sent = {
            let exchange = http2::exchange(connection.sender(), request, self.http2_terms());
            patience.wait(pin!(exchange)).await
        };
        drop(waiting);
        match sent {
            Ok(Ok(response)) => Ok(self.streamed(&counted, response, lease)),
            Ok(Err(why)) => {
                let lost = lost_stream(why, progress.as_deref(), reused);
                counted.lost(lost.cause.outcome(), lost.replay);
                Err(lost)
            }
            Err(late) => {
                counted.late(late);
                Err(Lost {
                    cause: Cause::late(late),
                    body: None,
                    replay: Replay::Never,
                })
            }
        }
    }

    /// The head of an answer over HTTP/2.
    fn streamed(
        &self,
        counted: &Counted<'_>,
        response: Response<Option<Incoming>>,
        lease: Lease,
    ) -> Sent {
        let head_at = Instant::now();
        let awaited = if is_awaited(&response) {
            Some(counted.suspended(head_at))
        } else {
            counted.answered(&response, head_at);
            None
        };
        // Whoever awaits the status hears of a body that breaks off.
        let lease = if awaited.is_some() {
            lease.silent()
        } else {
            lease
        };
        let response = response.map(|body| match (body, awaited) {
            (Some(body), Some(awaited)) => {
                Body::from(body.watched(move |polled| awaited.see(polled)))
            }
            (Some(body), None) => Body::from(body),
            (None, awaited) => {
                if let Some(awaited) = awaited {
                    awaited.ended(&HeaderMap::new());
                }
                Body::empty()
            }
        });
        Sent {
            response: response.map(|body| body.with_lease(lease)),
            upgraded: None,
            head_at,
        }
    }

    fn http2_request(&self, head: &Parts, upload: Upload) -> Result<Request<Upload>, Box<Lost>> {
        let request = http2::request(head, self.endpoint, self.te_trailers, upload);
        let mut request = request.map_err(|(why, upload)| {
            let facts = Facts::new(Kind::Protocol, Side::Client);
            Box::new(Lost {
                cause: Cause::new(facts, code::REQUEST_BODY, why),
                body: Some(upload.into_body()),
                replay: Replay::Never,
            })
        })?;
        if self.expect_continue {
            let expectation = HeaderValue::from_static("100-continue");
            request.headers_mut().insert(header::EXPECT, expectation);
        }
        Ok(request)
    }

    fn http2_terms(&self) -> http2::Terms<'_> {
        http2::Terms {
            timer: self.timer,
            idle: self.service.spec().timeouts.idle,
            expect_continue: self.expect_continue.then_some(CONTINUE_TIMEOUT),
            interim: self.interim,
        }
    }

    fn http1_options(&self) -> SendOptions<'_> {
        SendOptions {
            upgrade: self.upgrade,
            expect_continue: self.expect_continue.then_some(CONTINUE_TIMEOUT),
            te_trailers: self.te_trailers,
            ..SendOptions::new(&self.service.http1, self.timer)
        }
    }

    fn patience(&self, progress: Option<Rc<Progress>>, begun: Instant) -> Patience<'_> {
        let first_byte = self.service.spec().timeouts.first_byte;
        Patience {
            timer: self.timer,
            first_byte,
            deadline: self.deadline,
            due: begun + first_byte,
            progress,
        }
    }
}

/// Why there was no answer over HTTP/2, and what may be done about it.
fn lost_stream(why: NoAnswer, progress: Option<&Progress>, reused: bool) -> Lost {
    if let Some((facts, text)) = progress.and_then(Progress::failure) {
        return Lost {
            cause: Cause::request_body(facts, text),
            body: None,
            replay: Replay::Never,
        };
    }
    let (cause, unprocessed) = match why {
        NoAnswer::Unsent(error, unsent) => {
            let (mut cause, _) = http2::sort(&error);
            cause.facts = cause.facts.retryable();
            return Lost {
                cause,
                body: Some(unsent.into_body()),
                replay: Replay::Always,
            };
        }
        NoAnswer::Lost(error) => http2::sort(&error),
        NoAnswer::TooManyInterim => {
            let text = "too many interim responses".to_owned();
            (http2::bad_response(text), false)
        }
    };
    // A body that was handed over is gone, even if nothing was taken from it; no body can be had
    // again at any time.
    let body = progress.is_none().then(Body::empty);
    let replay = match (unprocessed, reused && cause.code == code::RESET) {
        (true, _) => Replay::Always,
        (false, true) => Replay::IfIdempotent,
        (false, false) => Replay::Never,
    };
    Lost {
        cause,
        body,
        replay,
    }
}

impl<'a> Counted<'a> {
    const fn new(attempt: &'a Attempt<'a>, begun: Instant) -> Self {
        Self {
            attempt,
            begun,
            outcome: Cell::new(AttemptOutcome::Cancelled),
        }
    }

    fn answered<B>(&self, response: &Response<B>, at: Instant) {
        let status = response.status();
        self.outcome.set(if status.is_server_error() {
            AttemptOutcome::ServerError
        } else {
            AttemptOutcome::Answered
        });
        let took = at - self.begun;
        self.attempt.metrics.answered(took);
        let http2 = response.version() == Version::HTTP_2;
        let verdict = observe::verdict(status, response.headers(), http2);
        self.observe(verdict, at);
    }

    /// There is an answer, and how it went comes at its end.
    fn suspended(&self, at: Instant) -> Awaited {
        let attempt = self.attempt;
        let took = at - self.begun;
        self.outcome.set(AttemptOutcome::Answered);
        attempt.metrics.answered(took);
        attempt.pool.load.results.time(took, took, Moment::of(at));
        Awaited {
            service: Arc::clone(attempt.service),
            endpoint: Arc::clone(attempt.endpoint),
            pool: Rc::clone(attempt.pool),
            suspense: attempt.trial.suspend(at),
        }
    }

    /// There is no answer. That a connection had grown stale says nothing about the endpoint.
    fn lost(&self, outcome: AttemptOutcome, replay: Replay) {
        self.outcome.set(outcome);
        if replay == Replay::Never
            && let Some(verdict) = observe::failure(outcome)
        {
            self.observe(verdict, Instant::now());
        }
    }

    /// There was no answer in time. That the client wanted it sooner than the service must says
    /// nothing about the endpoint.
    fn late(&self, late: Late) {
        if matches!(late, Late::Deadline) && self.attempt.hurried {
            self.outcome.set(AttemptOutcome::Timeout);
        } else {
            self.lost(AttemptOutcome::Timeout, Replay::Never);
        }
    }

    fn observe(&self, verdict: Verdict, now: Instant) {
        let attempt = self.attempt;
        let seen = (attempt.view, &*attempt.pool.load);
        let took = now - self.begun;
        observe::observe(attempt.service, attempt.endpoint, seen, verdict, took, now);
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let (attempt, outcome) = (self.attempt, self.outcome.get());
        attempt.metrics.attempt(outcome);
        if outcome == AttemptOutcome::Cancelled && attempt.race.is_some_and(Race::is_over) {
            // Another endpoint was faster: this one takes longer than so.
            let now = Instant::now();
            let results = &attempt.pool.load.results;
            results.at_least(now - self.begun, Moment::of(now));
        }
    }
}
