#![doc = include_str!("README.md")]

mod config;
mod reject;
#[cfg(test)]
mod tests;
mod verify;

use http::{HeaderValue, Response, header};
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow};

pub use config::Config;
use reject::Challenge;
use verify::{Book, Credentials, Verdict};

use crate::{Context, Policy, Wait, credential::Found, forward::Forward};

/// Knows callers by name and password.
pub struct BasicAuth {
    book: Book,
    challenge: Challenge,
    forward: Forward,
    keep_credentials: bool,
}

impl Policy for BasicAuth {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        config.build(context)
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        self.forward.remove_forged(&mut exchange.request.headers);
        if exchange.identity.is_some() {
            return Flow::Next;
        }
        let verdict = match verify::SOURCE.find(exchange) {
            Found::Nothing => return Flow::Next,
            Found::Unclear => Verdict::Wrong("credential_unclear".into()),
            Found::One(text) => match Credentials::decode(&text) {
                Some(credentials) => self.book.at_once(&credentials),
                None => Verdict::Wrong("credential_malformed".into()),
            },
        };
        self.decide(exchange, verdict)
    }

    async fn resume(
        &self,
        exchange: &mut Exchange,
        _: &mut Body,
        _: &Wait<'_>,
    ) -> Flow<Response<Body>> {
        let credentials = match verify::SOURCE.find(exchange) {
            Found::One(text) => Credentials::decode(&text),
            Found::Nothing | Found::Unclear => None,
        };
        let verdict = match credentials {
            Some(credentials) => self.book.computed(&credentials).await,
            None => Verdict::Wrong("credential_malformed".into()),
        };
        self.decide(exchange, verdict)
    }

    fn challenge(&self) -> Option<HeaderValue> {
        Some(self.challenge.0.clone())
    }
}

impl BasicAuth {
    fn decide(&self, exchange: &mut Exchange, verdict: Verdict) -> Flow<Response<Body>> {
        match verdict {
            Verdict::Right(identity) => exchange.identity = Some(identity),
            Verdict::Unknown => return Flow::Wait,
            Verdict::Busy => return Flow::Refuse(reject::BUSY),
            Verdict::Wrong(cause) => {
                exchange.cause = Some(cause.into());
                return Flow::Refuse(self.challenge.invalid());
            }
        }
        if !self.keep_credentials {
            exchange.request.headers.remove(header::AUTHORIZATION);
        }
        self.forward.set(exchange);
        Flow::Next
    }
}
