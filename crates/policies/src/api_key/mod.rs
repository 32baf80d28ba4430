#![doc = include_str!("README.md")]

mod config;
mod reject;
#[cfg(test)]
mod tests;
mod verify;

use std::{borrow::Cow, rc::Rc};

use http::{HeaderValue, Response};
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow, Identity};

pub use config::Config;
use reject::Refusals;
use verify::Verdict;

use crate::{
    Context, Policy, Wait,
    consumers::Roll,
    credential::{Found, Source as Place},
    forward::Forward,
};

/// Knows consumers by a key that they send along.
pub struct ApiKey {
    places: Vec<Place>,
    roll: Roll,
    refusals: Refusals,
    forward: Forward,
    keep_key: bool,
}

impl Policy for ApiKey {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        config.build(context)
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        self.forward.remove_forged(&mut exchange.request.headers);
        if exchange.identity.is_some() {
            self.strip(exchange);
            return Flow::Next;
        }
        let verdict = match self.presented(exchange) {
            Found::Nothing => return Flow::Next,
            Found::Unclear => Verdict::Wrong("credential_unclear".into()),
            Found::One(key) => verify::at_once(&self.roll.view(), &key, verify::now(exchange)),
        };
        self.decide(exchange, verdict)
    }

    async fn resume(
        &self,
        exchange: &mut Exchange,
        _: &mut Body,
        _: &Wait<'_>,
    ) -> Flow<Response<Body>> {
        let Found::One(key) = self.presented(exchange) else {
            return Flow::Next;
        };
        let verdict = verify::computed(&self.roll.view(), &key, verify::now(exchange)).await;
        self.decide(exchange, verdict)
    }

    fn challenge(&self) -> Option<HeaderValue> {
        Some(self.refusals.missing.clone())
    }
}

impl ApiKey {
    /// The key in the first place that has one.
    fn presented<'a>(&self, exchange: &'a Exchange) -> Found<'a> {
        let mut places = self.places.iter().map(|place| place.find(exchange));
        let found = places.find(|found| *found != Found::Nothing);
        found.unwrap_or(Found::Nothing)
    }

    fn decide(&self, exchange: &mut Exchange, verdict: Verdict) -> Flow<Response<Body>> {
        let identity = match verdict {
            Verdict::Right(identity) => identity,
            Verdict::Unknown => return Flow::Wait,
            Verdict::Busy => return Flow::Refuse(reject::BUSY),
            Verdict::Wrong(cause) => return self.refuse(exchange, cause),
        };
        self.admit(exchange, identity);
        Flow::Next
    }

    fn admit(&self, exchange: &mut Exchange, identity: Rc<Identity>) {
        exchange.identity = Some(identity);
        self.strip(exchange);
        self.forward.set(exchange);
    }

    fn refuse(&self, exchange: &mut Exchange, cause: Cow<'static, str>) -> Flow<Response<Body>> {
        for place in &self.places {
            place.mask(exchange);
        }
        exchange.cause = Some(cause.into());
        Flow::Refuse(self.refusals.invalid())
    }

    /// Takes keys away from every place, so that no copy of one goes on.
    fn strip(&self, exchange: &mut Exchange) {
        for place in &self.places {
            place.mask(exchange);
            if !self.keep_key {
                place.strip(exchange);
            }
        }
    }
}
