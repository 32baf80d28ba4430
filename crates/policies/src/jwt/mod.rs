#![doc = include_str!("README.md")]

mod config;
mod key_source;
mod reject;
mod remembered;
#[cfg(test)]
mod tests;
mod verifier;

use std::{
    rc::Rc,
    sync::Arc,
    time::{Instant, UNIX_EPOCH},
};

use http::{HeaderValue, Response};
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow, Identity, Rejection, wall::time_at};
use lintel_upstream::Control;

pub use config::Config;
use verifier::{Unverified, Verifier};

use crate::{
    Context, Policy, Wait,
    bearer::Challenges,
    credential::{Found, Source as Place, first},
    forward::Forward,
    issuer::Issuer,
    revocation::REVOKED,
};

/// Believes callers that bring a signed token of a trusted issuer.
pub struct Jwt {
    places: Vec<Place>,
    verifier: Arc<Verifier>,
    challenges: Challenges,
    forward: Forward,
    keep_token: bool,
}

impl Policy for Jwt {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        config.build(context)
    }

    fn start(&self, control: &Control) {
        for issuer in self.verifier.fetched() {
            issuer.start(control);
        }
    }

    fn issuers(&self) -> Vec<Arc<Issuer>> {
        self.verifier.fetched().map(Arc::clone).collect()
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        self.forward.remove_forged(&mut exchange.request.headers);
        if exchange.identity.is_some() {
            return Flow::Next;
        }
        let verified = match first(&self.places, exchange) {
            None => return Flow::Next,
            Some(Found::One(token)) => {
                match self.verifier.verify(&token, seconds(exchange.received)) {
                    Err(Unverified::Keys(keys, _)) if keys.ask() => return Flow::Wait,
                    verified => verified.map_err(|unverified| self.refusal(&unverified)),
                }
            }
            Some(_) => Err(self.challenges.invalid("credential_unclear")),
        };
        self.decide(exchange, verified)
    }

    async fn resume(
        &self,
        exchange: &mut Exchange,
        _: &mut Body,
        wait: &Wait<'_>,
    ) -> Flow<Response<Body>> {
        let Some(Found::One(token)) = first(&self.places, exchange) else {
            return Flow::Next;
        };
        if let Err(Unverified::Keys(keys, _)) =
            self.verifier.verify(&token, seconds(exchange.received))
        {
            keys.arrival(wait).await;
        }
        let verified = self.verifier.verify(&token, seconds(Instant::now()));
        let verified = verified.map_err(|unverified| self.refusal(&unverified));
        self.decide(exchange, verified)
    }

    fn challenge(&self) -> Option<HeaderValue> {
        Some(self.challenges.missing.clone())
    }
}

impl Jwt {
    /// Logs see no token, and services none that they are not meant to: nor one in a place that was
    /// not looked at because another had one.
    fn decide(
        &self,
        exchange: &mut Exchange,
        verified: Result<Rc<Identity>, Rejection>,
    ) -> Flow<Response<Body>> {
        for place in &self.places {
            place.mask(exchange);
        }
        match verified {
            Ok(identity) => exchange.identity = Some(identity),
            Err(rejection) => return Flow::Refuse(rejection),
        }
        if !self.keep_token {
            for place in &self.places {
                place.strip(exchange);
            }
        }
        self.forward.set(exchange);
        Flow::Next
    }

    fn refusal(&self, unverified: &Unverified<'_>) -> Rejection {
        match unverified {
            Unverified::Refused(refusal) | Unverified::Keys(_, Some(refusal)) => {
                self.challenges.invalid(refusal.code())
            }
            Unverified::Keys(_, None) => reject::NO_KEYS,
            Unverified::Revoked => self.challenges.invalid(REVOKED),
        }
    }
}

/// A moment in seconds since 1970.
fn seconds(moment: Instant) -> u64 {
    let since = time_at(moment).duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
