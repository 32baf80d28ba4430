#![doc = include_str!("README.md")]

mod config;
mod exchanger;
mod fed;
mod reject;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::{HeaderValue, Response, header};
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow};
use lintel_upstream::Control;

pub use config::Config;
use exchanger::{Exchanger, now};
pub(crate) use fed::without_token;

use crate::{
    Context, Issuer, Policy, Wait,
    credential::{Found, Source, first},
    token_endpoint::Failure,
};

const NAME: &str = "token_exchange";

/// Exchanges callers' tokens for ones that services are meant to see.
pub struct TokenExchange {
    places: Vec<Source>,
    exchanger: Arc<Exchanger>,
    issuer: Option<Arc<Issuer>>,
    /// Whether requests go on, without a token, while there is none to be had.
    optional: bool,
    rehearsed: bool,
}

impl Policy for TokenExchange {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        config.build(context)
    }

    fn describe(&self) -> Vec<String> {
        vec![self.exchanger.to_string()]
    }

    fn start(&self, control: &Control) {
        if let Some(issuer) = &self.issuer {
            issuer.start(control);
        }
        self.exchanger.start(control);
    }

    fn issuers(&self) -> Vec<Arc<Issuer>> {
        self.issuer.iter().map(Arc::clone).collect()
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        match first(&self.places, exchange) {
            None => Flow::Next,
            Some(Found::One(_)) if self.rehearsed => self.go_on(exchange, None),
            Some(Found::One(token)) => match self.exchanger.known(&token, now()) {
                Some(field) => self.go_on(exchange, Some(field)),
                None => Flow::Wait,
            },
            Some(_) => {
                self.take_away(exchange);
                Flow::Refuse(reject::REFUSED.with_cause("credential_unclear"))
            }
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
        let ends = exchange.identity.as_ref();
        let ends = ends.and_then(|identity| identity.claims.get("exp")?.as_u64());
        match self.exchanger.ask(&token, ends, wait).await {
            Ok(field) => self.go_on(exchange, Some(field)),
            Err(failure) => self.failed(exchange, &failure),
        }
    }

    fn needs_identity(&self) -> bool {
        true
    }
}

impl TokenExchange {
    /// The caller's own token never goes on, whatever becomes of it.
    fn take_away(&self, exchange: &mut Exchange) {
        for place in &self.places {
            place.mask(exchange);
            place.strip(exchange);
        }
    }

    fn go_on(&self, exchange: &mut Exchange, field: Option<HeaderValue>) -> Flow<Response<Body>> {
        self.take_away(exchange);
        if let Some(field) = field {
            let headers = &mut exchange.request.headers;
            headers.insert(header::AUTHORIZATION, field);
        }
        Flow::Next
    }

    fn failed(&self, exchange: &mut Exchange, failure: &Failure) -> Flow<Response<Body>> {
        let about_token = match failure {
            Failure::Refused { code, .. } => reject::is_about_token(code),
            Failure::Unavailable(_) => false,
        };
        exchange.cause = Some(failure.to_string().into());
        if about_token {
            self.take_away(exchange);
            return Flow::Refuse(reject::REFUSED);
        }
        if self.optional {
            return self.go_on(exchange, None);
        }
        self.take_away(exchange);
        Flow::Refuse(reject::UNAVAILABLE)
    }
}
