#![doc = include_str!("README.md")]

mod answer;
mod client;
mod config;
mod counted;
mod flight;
mod introspector;
mod reject;
#[cfg(test)]
mod tests;

use std::{rc::Rc, sync::Arc};

use http::{HeaderValue, Response};
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow, Identity};
use lintel_state::revoked::Revoked;

use answer::Known;
pub use config::Config;
use counted::Counted;
use introspector::{Introspector, LONGEST};

use crate::{
    Context, Policy, ServiceRef, Wait,
    bearer::Challenges,
    credential::{Found, Source, first},
    forward::Forward,
    revocation::{REVOKED, is_revoked},
};

const NAME: &str = "oauth2_introspection";

/// Believes callers whose token an authorization server calls active.
pub struct Introspection {
    introspector: Introspector,
    places: Vec<Source>,
    challenges: Challenges,
    forward: Forward,
    keep_token: bool,
    counted: Counted,
    revoked: Arc<Revoked>,
}

impl Policy for Introspection {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        config.build(context)
    }

    fn services(config: &Config) -> Vec<ServiceRef<'_>> {
        config.services()
    }

    fn describe(&self) -> Vec<String> {
        self.introspector.describe()
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        self.forward.remove_forged(&mut exchange.request.headers);
        if exchange.identity.is_some() {
            return Flow::Next;
        }
        let token = match first(&self.places, exchange) {
            None | Some(Found::Nothing) => return Flow::Next,
            Some(Found::One(token)) if token.len() <= LONGEST => token,
            Some(Found::One(_)) => {
                return self.decided(exchange, &Known::Refused("token_too_large"));
            }
            Some(Found::Unclear) => {
                return self.decided(exchange, &Known::Refused("credential_unclear"));
            }
        };
        if self.introspector.backend.is_rehearsed() {
            let somebody = Identity {
                method: NAME,
                ..Identity::default()
            };
            return self.decided(exchange, &Known::Active(Rc::new(somebody)));
        }
        match self.introspector.known(&token) {
            Some(known) => {
                self.counted.known(&known);
                self.decided(exchange, &known)
            }
            None => Flow::Wait,
        }
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
        let flight = self.introspector.ask(exchange, &token, wait);
        match flight.answer().await {
            Ok(known) => {
                self.counted.asked(&known);
                self.decided(exchange, &known)
            }
            Err(why) => {
                self.mask(exchange);
                self.counted.unanswered(why.timeout);
                let service = self.introspector.backend.name();
                Flow::Refuse(reject::unanswered(exchange, service, &why))
            }
        }
    }

    fn challenge(&self) -> Option<HeaderValue> {
        Some(self.challenges.missing.clone())
    }
}

impl Introspection {
    /// Logs see no token, and services none that they are not meant to: nor one in a place that was
    /// not looked at because another had one.
    fn decided(&self, exchange: &mut Exchange, known: &Known) -> Flow<Response<Body>> {
        self.mask(exchange);
        let identity = match known {
            Known::Active(identity) if is_revoked(&self.revoked, identity) => {
                return Flow::Refuse(self.challenges.invalid(REVOKED));
            }
            Known::Active(identity) => self.introspector.who(identity),
            Known::Refused(cause) => return Flow::Refuse(self.challenges.invalid(cause)),
        };
        exchange.identity = Some(identity);
        if !self.keep_token {
            for place in &self.places {
                place.strip(exchange);
            }
        }
        self.forward.set(exchange);
        Flow::Next
    }

    fn mask(&self, exchange: &mut Exchange) {
        for place in &self.places {
            place.mask(exchange);
        }
    }
}
