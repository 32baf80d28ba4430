#![doc = include_str!("README.md")]

mod config;
mod issuer;
mod key_source;
mod reject;
#[cfg(test)]
mod tests;
mod verifier;

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use http::{HeaderValue, Response};
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow, Rejection};
use lintel_upstream::Control;

pub use config::Config;
pub use issuer::{Issuer, IssuerStatus};
use reject::Challenges;
use verifier::{Unverified, Verifier};

use crate::{
    Context, Policy, Wait,
    credential::{Found, Source as Place},
    forward::Forward,
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
        let Some((place, found)) = self.find(exchange) else {
            return Flow::Next;
        };
        let Found::One(token) = found else {
            return Flow::Refuse(self.challenges.invalid("credential_unclear"));
        };
        let identity = match self.verifier.verify(&token, now()) {
            Ok(identity) => identity,
            Err(Unverified::Keys(keys, _)) if keys.ask() => return Flow::Wait,
            Err(unverified) => return Flow::Refuse(self.refusal(&unverified)),
        };
        exchange.identity = Some(identity);
        self.pass(place, exchange);
        Flow::Next
    }

    async fn resume(
        &self,
        exchange: &mut Exchange,
        _: &mut Body,
        wait: &Wait<'_>,
    ) -> Flow<Response<Body>> {
        let Some((place, Found::One(token))) = self.find(exchange) else {
            return Flow::Next;
        };
        if let Err(Unverified::Keys(keys, _)) = self.verifier.verify(&token, now()) {
            keys.arrival(wait).await;
        }
        let identity = match self.verifier.verify(&token, now()) {
            Ok(identity) => identity,
            Err(unverified) => return Flow::Refuse(self.refusal(&unverified)),
        };
        exchange.identity = Some(identity);
        self.pass(place, exchange);
        Flow::Next
    }

    fn challenge(&self) -> Option<HeaderValue> {
        Some(self.challenges.missing.clone())
    }
}

impl Jwt {
    /// What the first place holds that holds something.
    fn find<'a>(&self, exchange: &'a Exchange) -> Option<(&Place, Found<'a>)> {
        let mut places = self
            .places
            .iter()
            .map(|place| (place, place.find(exchange)));
        places.find(|(_, found)| *found != Found::Nothing)
    }

    fn refusal(&self, unverified: &Unverified<'_>) -> Rejection {
        match unverified {
            Unverified::Refused(refusal) | Unverified::Keys(_, Some(refusal)) => {
                self.challenges.refused(refusal)
            }
            Unverified::Keys(_, None) => reject::NO_KEYS,
        }
    }

    /// What goes on of a request whose token was believed.
    fn pass(&self, place: &Place, exchange: &mut Exchange) {
        if !self.keep_token {
            place.strip(exchange);
        }
        self.forward.set(exchange);
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}
