#![doc = include_str!("README.md")]

mod config;
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
use lintel_kernel::{Exchange, Fault, Flow};

pub use config::Config;
use reject::Challenges;
use verifier::Verifier;

use crate::{
    Context, Policy,
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

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        self.forward.remove_forged(&mut exchange.request.headers);
        if exchange.identity.is_some() {
            return Flow::Next;
        }
        let mut places = self
            .places
            .iter()
            .map(|place| (place, place.find(exchange)));
        let Some((place, found)) = places.find(|(_, found)| *found != Found::Nothing) else {
            return Flow::Next;
        };
        let verified = match found {
            Found::One(token) => self.verifier.verify(&token, now()),
            Found::Nothing | Found::Unclear => {
                return Flow::Refuse(self.challenges.invalid("credential_unclear"));
            }
        };
        match verified {
            Ok(identity) => exchange.identity = Some(identity),
            Err(refusal) => return Flow::Refuse(self.challenges.refused(&refusal)),
        }
        if !self.keep_token {
            place.strip(exchange);
        }
        self.forward.set(exchange);
        Flow::Next
    }

    fn challenge(&self) -> Option<HeaderValue> {
        Some(self.challenges.missing.clone())
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}
