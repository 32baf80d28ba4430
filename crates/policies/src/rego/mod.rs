#![doc = include_str!("README.md")]

mod config;
mod decision;
#[cfg(feature = "rego")]
mod engine;
#[cfg(all(test, feature = "rego"))]
mod tests;
#[cfg(any(test, not(feature = "rego")))]
mod without;

use std::sync::Arc;

use http::{HeaderName, Response};
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow};

pub use config::Config;
use decision::Decision;
#[cfg(feature = "rego")]
use engine::Engine;
#[cfg(not(feature = "rego"))]
use without::Engine;

use crate::{
    Context, Policy, forward,
    judged::{Failed, Judged},
    verdict,
};

/// Lets requests pass that policies in the language Rego allow.
pub struct Rego {
    // Boxed: a route has a place for it, whether it uses it or not.
    engine: Box<Engine>,
    /// Fields that only decisions may set.
    forged: Vec<HeaderName>,
    query: String,
    judged: Judged,
}

/// Its name, as refusals carry it.
const NAME: &str = "rego";

impl Policy for Rego {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        config.build(context)
    }

    fn describe(&self) -> Vec<String> {
        let mut lines = vec![format!("lets pass what {} allows", self.query)];
        lines.extend(self.judged.describe());
        lines
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        forward::remove_alike(&mut exchange.request.headers, || self.forged.iter());
        let Decision { verdict, reason } = match self.decide(exchange) {
            Ok(decision) => decision,
            Err(why) => {
                let refusal = self.judged.failed(exchange, &why);
                return refusal.map_or(Flow::Next, Flow::Refuse);
            }
        };
        if verdict.allows() {
            self.judged.allowed();
        } else if !self.judged.denied(exchange, &reason) {
            return Flow::Next;
        }
        Arc::new(verdict).apply(NAME, exchange)
    }

    fn on_response(&self, exchange: &mut Exchange, response: &mut Response<Body>) {
        verdict::finish(NAME, exchange, response.headers_mut());
    }
}

impl Rego {
    fn decide(&self, exchange: &Exchange) -> Result<Decision, Failed> {
        let value = self.engine.evaluate(exchange)?;
        let decision = Decision::read(value.as_ref(), &self.forged);
        decision.map_err(|cause| Failed::new("decision_invalid", cause))
    }
}
