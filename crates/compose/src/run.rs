//! Running the legs: each as soon as it can, all in the task of the request.

use std::{
    future::poll_fn,
    net::SocketAddr,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use lintel_kernel::{
    Exchange,
    expr::{Legs, Scope},
};
use serde_json::Value;
use smallvec::SmallVec;

use crate::{
    Caller, Calling, Does, Leg, Missed, Plan, Reason, Reply, Request,
    each::Planned,
    jq,
    value::{self, Member},
};

/// What became of a leg.
#[derive(Debug)]
pub struct Outcome {
    /// Its value: JSON text. That of the fallback where it failed or was skipped.
    pub value: Bytes,
    /// Why it failed.
    pub error: Option<Reason>,
    /// How old the answer is that stands in its place.
    pub last_good: Option<Duration>,
    /// Whether its condition did not hold.
    pub skipped: bool,
    /// The status of the answer.
    pub status: Option<u16>,
    /// The fields of the answer.
    pub headers: HeaderMap,
    /// From the beginning of the composition to that of the leg.
    pub began: Duration,
    /// How long it took.
    pub took: Duration,
    /// Who answered, or was tried last.
    pub endpoint: Option<SocketAddr>,
    /// How many tries there were.
    pub attempts: u8,
    /// Why it failed, in words for the operator.
    pub cause: Option<String>,
}

/// What the legs have brought.
pub struct Results<'p> {
    pub(crate) plan: &'p Plan,
    outcomes: Vec<Option<Outcome>>,
    /// When each began.
    pub(crate) begun: Vec<Option<Instant>>,
    since: Instant,
    /// Bytes that all have brought.
    size: usize,
    failed: Option<usize>,
    /// Calls whose answers others may want.
    shared: Vec<Shared>,
    /// What the answers of legs depend on whose last good one is kept.
    keys: Vec<(usize, Vec<u8>)>,
    /// The JSON that the client sent.
    sent: Bytes,
}

/// A call that may answer several legs.
struct Shared {
    leg: usize,
    kin: usize,
    method: Method,
    target: Uri,
    body: Bytes,
    answer: Option<Result<Reply, Missed>>,
    /// Legs that wait for it.
    also: Vec<usize>,
}

/// Legs that few compositions have more of.
type Calls<'c> = SmallVec<[(usize, Calling<'c>); 8]>;

/// Runs the legs of a plan, until all are done or a required one has failed; the others are given up
/// then.
///
/// # Cancel safety
/// Dropping the future gives up all calls.
pub async fn run<'p>(plan: &'p Plan, exchange: &Exchange, caller: &impl Caller) -> Results<'p> {
    let mut results = Results::new(plan, caller.sent());
    let mut calls = Calls::new();
    loop {
        results.begin(exchange, caller, &mut calls);
        if results.failed.is_some() || calls.is_empty() {
            return results;
        }
        poll_fn(|cx| results.poll(&mut calls, caller, cx)).await;
    }
}

/// Whether a call is made for a leg alone.
enum Sharing {
    /// It is.
    No,
    /// Another one is under way.
    Later,
    /// Another one has this answer.
    Now(Result<Reply, Missed>),
}

/// What a leg begins with.
pub(crate) enum Start {
    Call(Request),
    /// Several calls, for the elements of a list.
    Calls(Planned),
    /// It needs no call.
    Done(Outcome),
}

impl<'p> Results<'p> {
    fn new(plan: &'p Plan, sent: Bytes) -> Self {
        let legs = plan.legs().len();
        Self {
            plan,
            outcomes: (0..legs).map(|_| None).collect(),
            begun: vec![None; legs],
            since: Instant::now(),
            size: 0,
            failed: None,
            shared: Vec::new(),
            keys: Vec::new(),
            sent,
        }
    }

    /// Begins every leg that waits for nothing any more.
    fn begin<'c>(&mut self, exchange: &Exchange, caller: &'c impl Caller, calls: &mut Calls<'c>)
    where
        'p: 'c,
    {
        let plan = self.plan;
        let mut again = true;
        // What needs no call is done at once, and others may have waited for it.
        while std::mem::take(&mut again) {
            for (index, leg) in plan.legs().iter().enumerate() {
                let waits = leg.after.iter().any(|other| self.outcome(*other).is_none());
                let Some(begun @ None) = self.begun.get_mut(index) else {
                    continue;
                };
                if waits || self.failed.is_some() || plan.streamed() == Some(index) {
                    continue;
                }
                *begun = Some(Instant::now());
                match self.start(leg, exchange) {
                    Start::Call(request) => {
                        self.note(index, leg, caller, [&request]);
                        match self.share(index, leg, &request) {
                            Sharing::No => calls.push((index, caller.call(index, request))),
                            Sharing::Later => {}
                            Sharing::Now(answer) => {
                                self.answered(index, caller, answer);
                                again = true;
                            }
                        }
                    }
                    Start::Calls(planned) => {
                        if let Does::Ask(ask) = &leg.does
                            && let Some(each) = &ask.each
                        {
                            self.note(index, leg, caller, planned.requests());
                            let max = plan.max_body();
                            calls.push((index, each.run(caller, (index, ask), planned, max)));
                        }
                    }
                    Start::Done(outcome) => {
                        self.settle(index, outcome);
                        again = true;
                    }
                }
            }
        }
    }

    /// Notes what the answer of a leg depends on, where the last good one is kept.
    fn note<'r>(
        &mut self,
        index: usize,
        leg: &Leg,
        caller: &impl Caller,
        requests: impl IntoIterator<Item = &'r Request>,
    ) {
        if leg.last_good {
            let mut key = Vec::new();
            for request in requests {
                caller.add_key(index, request, &mut key);
            }
            self.keys.push((index, key));
        }
    }

    /// Keeps what a leg has brought, or lets what it brought last stand in its place.
    fn look_back(&self, index: usize, caller: &impl Caller, outcome: &mut Outcome) {
        let key = self.keys.iter().find(|(leg, _)| *leg == index);
        let Some((_, key)) = key else {
            return;
        };
        match outcome.error {
            None => caller.keep(index, key, &outcome.value),
            Some(reason) if reason.is_outage(outcome.status) => {
                if let Some((value, age)) = caller.last_good(index, key) {
                    (outcome.value, outcome.last_good) = (value, Some(age));
                }
            }
            Some(Reason::Status) => caller.forget(index, key),
            Some(_) => {}
        }
    }

    /// Whether the answer to another leg will do.
    fn share(&mut self, index: usize, leg: &Leg, request: &Request) -> Sharing {
        let (Some(kin), Does::Ask(ask)) = (leg.kin, &leg.does) else {
            return Sharing::No;
        };
        if !ask.is_shared() {
            return Sharing::No;
        }
        let same = |shared: &&mut Shared| {
            let alike = shared.kin == kin && shared.method == request.method;
            alike && shared.target == request.target && shared.body == request.body
        };
        if let Some(shared) = self.shared.iter_mut().find(same) {
            return match &shared.answer {
                Some(answer) => Sharing::Now(answer.clone()),
                None => {
                    shared.also.push(index);
                    Sharing::Later
                }
            };
        }
        self.shared.push(Shared {
            leg: index,
            kin,
            method: request.method.clone(),
            target: request.target.clone(),
            body: request.body.clone(),
            answer: None,
            also: Vec::new(),
        });
        Sharing::No
    }

    pub(crate) fn start(&self, leg: &Leg, exchange: &Exchange) -> Start {
        let scope = Scope::among(exchange, self);
        if leg.when.as_ref().is_some_and(|when| !when.holds(scope)) {
            return Start::Done(Outcome {
                skipped: true,
                ..Outcome::of(leg.instead())
            });
        }
        let ask = match &leg.does {
            Does::Ask(ask) => ask,
            Does::Value(value) => return Start::Done(Outcome::of(value.clone())),
        };
        let started = match &ask.each {
            Some(each) => each.plan(ask, exchange, self).map(Start::Calls),
            None => ask.request(scope, self, value::NULL).map(Start::Call),
        };
        match started {
            Ok(start) => start,
            Err((Reason::NoValue, cause)) if leg.after.iter().any(|other| self.lacks(*other)) => {
                Start::Done(Outcome::lost(leg, Reason::Dependency, cause))
            }
            Err((reason, cause)) => Start::Done(Outcome::lost(leg, reason, cause)),
        }
    }

    /// Whether a leg has not brought a value of its own.
    fn lacks(&self, leg: usize) -> bool {
        let outcome = self.outcome(leg);
        outcome.is_some_and(|outcome| outcome.error.is_some() || outcome.skipped)
    }

    /// Ready once a call is done; all that are done are taken.
    fn poll(
        &mut self,
        calls: &mut Calls<'_>,
        caller: &impl Caller,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut done = SmallVec::<[(usize, Result<Reply, Missed>); 8]>::new();
        calls.retain(|(leg, call)| match call.as_mut().poll(cx) {
            Poll::Ready(answer) => {
                done.push((*leg, answer));
                false
            }
            Poll::Pending => true,
        });
        if done.is_empty() {
            return Poll::Pending;
        }
        for (leg, answer) in done {
            self.answered(leg, caller, answer);
        }
        Poll::Ready(())
    }

    pub(crate) fn answered(
        &mut self,
        index: usize,
        caller: &impl Caller,
        answer: Result<Reply, Missed>,
    ) {
        let mut shared = self.shared.iter_mut();
        if let Some(shared) = shared.find(|shared| shared.leg == index) {
            shared.answer = Some(answer.clone());
            for other in std::mem::take(&mut shared.also) {
                self.answered(other, caller, answer.clone());
            }
        }
        let Some(leg) = self.plan.legs().get(index) else {
            return;
        };
        let mut outcome = match answer {
            Err(missed) => Outcome {
                endpoint: missed.endpoint,
                attempts: missed.attempts,
                ..Outcome::lost(leg, missed.reason, missed.cause)
            },
            Ok(reply) => {
                self.size = self.size.saturating_add(reply.body.len());
                Outcome {
                    status: Some(reply.status.as_u16()),
                    endpoint: reply.endpoint,
                    attempts: reply.attempts,
                    ..match self.judge(leg, &reply) {
                        Ok(value) => Outcome {
                            headers: reply.headers,
                            ..Outcome::of(value)
                        },
                        Err((reason, cause)) => Outcome::lost(leg, reason, cause),
                    }
                }
            }
        };
        if leg.last_good {
            self.look_back(index, caller, &mut outcome);
        }
        self.settle(index, outcome);
    }

    fn judge(&self, leg: &Leg, reply: &Reply) -> Result<Bytes, (Reason, String)> {
        if self.size > self.plan.max_body() {
            let cause = format!("all legs have more than {} bytes", self.plan.max_body());
            return Err((Reason::TooLarge, cause));
        }
        match &leg.does {
            // What came for each element was judged by itself.
            Does::Ask(ask) if ask.each.is_some() => Ok(reply.body.clone()),
            Does::Ask(ask) => ask.judge(reply),
            Does::Value(value) => Ok(value.clone()),
        }
    }

    pub(crate) fn settle(&mut self, index: usize, mut outcome: Outcome) {
        let Some(leg) = self.plan.legs().get(index) else {
            return;
        };
        if let Some(begun) = self.begun.get(index).copied().flatten() {
            outcome.began = begun.saturating_duration_since(self.since);
            outcome.took = begun.elapsed();
        }
        let lost = outcome.error.is_some() && outcome.last_good.is_none();
        if lost && leg.is_required() {
            self.failed.get_or_insert(index);
        }
        if let Some(place) = self.outcomes.get_mut(index) {
            *place = Some(outcome);
        }
    }

    /// The required leg that failed.
    pub const fn failed(&self) -> Option<usize> {
        self.failed
    }

    /// What became of a leg; nothing yet where it is not done.
    pub fn outcome(&self, leg: usize) -> Option<&Outcome> {
        self.outcomes.get(leg).and_then(Option::as_ref)
    }

    /// How long ago a leg began that is not done.
    pub fn given_up(&self, leg: usize) -> Option<Duration> {
        let begun = self.begun.get(leg).copied().flatten();
        begun
            .filter(|_| self.outcome(leg).is_none())
            .map(|begun| begun.elapsed())
    }

    /// Legs that failed, with the reason.
    pub fn errors(&self) -> impl Iterator<Item = (&'p str, Reason)> {
        let legs = self.plan.legs().iter().enumerate();
        legs.filter_map(|(index, leg)| Some((&*leg.name, self.outcome(index)?.error?)))
    }

    /// How old what stands in the place of a leg is, where its last good answer does.
    pub fn last_good(&self, leg: &str) -> Option<Duration> {
        self.outcome(self.plan.find(leg)?)?.last_good
    }

    /// The names of the legs.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'p str> {
        self.plan.legs().iter().map(|leg| &*leg.name)
    }

    /// The text of a leg's value; `null` where it is not done.
    pub fn text(&self, leg: usize) -> &[u8] {
        let outcome = self.outcome(leg);
        outcome.map_or(value::NULL, |outcome| &outcome.value)
    }

    /// The JSON that the client sent.
    pub(crate) fn sent_text(&self) -> &[u8] {
        &self.sent
    }

    /// The body of the answer: JSON text.
    ///
    /// # Errors
    /// The filter fails; in words for the operator.
    pub fn body(&self) -> Result<Vec<u8>, String> {
        let mut out = Vec::with_capacity(self.size + 256);
        self.plan.body().write(self, value::NULL, &mut out)?;
        if let Some(name) = self.plan.errors() {
            self.list_errors(name, &mut out);
        }
        Ok(out)
    }

    /// Adds `"_errors": [{"leg": "recs", "code": "timeout"}]` to an object.
    fn list_errors(&self, name: &str, out: &mut Vec<u8>) {
        let mut errors = self.errors().peekable();
        let text = out.trim_ascii();
        let Some(inside) = text
            .strip_prefix(b"{")
            .and_then(|text| text.strip_suffix(b"}"))
        else {
            return;
        };
        if errors.peek().is_none() {
            return;
        }
        let empty = inside.trim_ascii().is_empty();
        // The last brace, and what white space follows it.
        out.truncate(out.trim_ascii_end().len().saturating_sub(1));
        if !empty {
            out.push(b',');
        }
        jq::string(name.as_bytes(), out);
        out.extend_from_slice(b":[");
        for (place, (leg, reason)) in errors.enumerate() {
            out.extend_from_slice(if place > 0 {
                b",{\"leg\":"
            } else {
                b"{\"leg\":"
            });
            jq::string(leg.as_bytes(), out);
            out.extend_from_slice(b",\"code\":");
            jq::string(reason.code().as_bytes(), out);
            if let Some(age) = self.last_good(leg) {
                out.extend_from_slice(b",\"last_good\":");
                out.extend_from_slice(itoa::Buffer::new().format(age.as_secs()).as_bytes());
            }
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
    }
}

impl Outcome {
    pub(crate) fn of(value: Bytes) -> Self {
        Self {
            value,
            error: None,
            last_good: None,
            skipped: false,
            status: None,
            headers: HeaderMap::new(),
            began: Duration::ZERO,
            took: Duration::ZERO,
            endpoint: None,
            attempts: 0,
            cause: None,
        }
    }

    pub(crate) fn lost(leg: &Leg, reason: Reason, cause: String) -> Self {
        Self {
            error: Some(reason),
            cause: Some(cause),
            ..Self::of(leg.instead())
        }
    }
}

impl Leg {
    /// What stands in its place.
    pub(crate) fn instead(&self) -> Bytes {
        let fallback = self.fallback.clone();
        fallback.unwrap_or(Bytes::from_static(value::NULL))
    }
}

impl Legs for Results<'_> {
    fn status(&self, leg: &str) -> Option<u16> {
        self.outcome(self.plan.find(leg)?)?.status
    }

    fn error(&self, leg: &str) -> Option<&'static str> {
        self.outcome(self.plan.find(leg)?)?.error.map(Reason::code)
    }

    fn header(&self, leg: &str, name: &HeaderName) -> Option<&HeaderValue> {
        self.outcome(self.plan.find(leg)?)?.headers.get(name)
    }

    fn sent(&self, path: &[String]) -> Option<Value> {
        match value::member(&self.sent, path) {
            Member::There(value) => Some(value).filter(|value| !value.is_null()),
            Member::Absent | Member::Unfit => None,
        }
    }

    fn member(&self, leg: &str, path: &[String]) -> Option<Value> {
        let outcome = self.outcome(self.plan.find(leg)?)?;
        match value::member(&outcome.value, path) {
            Member::There(value) => Some(value),
            Member::Absent | Member::Unfit => None,
        }
    }
}
