#![doc = include_str!("README.md")]

mod config;
mod counted;
mod grpc;
mod memory;
mod messages;
mod names;
mod plain;
mod reject;
mod runtime;
#[cfg(test)]
mod tests;

use http::{HeaderName, Response};
use lintel_http::Body;
use lintel_kernel::{
    Exchange, Fault, Flow,
    expr::{Expr, Scope},
};

pub use config::Config;
use counted::Counted;
use memory::Remembered;
use runtime::{Check, Undecided};

use crate::{Context, Policy, ServiceRef, Wait, forward, verdict};

/// Asks a service whether a request may pass.
pub struct ExtAuthz {
    check: Check,
    when: Option<Expr>,
    /// Fields that only the service may set.
    forged: Vec<HeaderName>,
    cache: Option<Remembered>,
    counted: Counted,
}

impl Policy for ExtAuthz {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        config.build(context)
    }

    fn services(config: &Config) -> Vec<ServiceRef<'_>> {
        config.services()
    }

    fn describe(&self) -> Vec<String> {
        let mut lines = self.check.describe();
        lines.extend(self.cache.as_ref().map(ToString::to_string));
        lines
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        forward::remove_alike(&mut exchange.request.headers, || self.forged.iter());
        let concerns = |when: &Expr| when.holds(Scope::request(exchange));
        if self.check.backend.is_rehearsed() || !self.when.as_ref().is_none_or(concerns) {
            return Flow::Next;
        }
        let Some(cache) = &self.cache else {
            return Flow::Wait;
        };
        let Some(known) = cache.find(&cache.key(exchange)) else {
            return Flow::Wait;
        };
        match known.allows() {
            true => self.counted.cached_allowed.inc(),
            false => self.counted.cached_denied.inc(),
        }
        known.apply(reject::NAME, exchange)
    }

    async fn resume(
        &self,
        exchange: &mut Exchange,
        body: &mut Body,
        wait: &Wait<'_>,
    ) -> Flow<Response<Body>> {
        let verdict = match self.check.ask(exchange, body, wait).await {
            Ok(verdict) => verdict,
            Err(undecided) => return self.undecided(exchange, undecided),
        };
        match verdict.allows() {
            true => self.counted.allowed.inc(),
            false => self.counted.denied.inc(),
        }
        if let Some(cache) = &self.cache {
            // By what the service was asked about, before its answer changes any of it.
            cache.keep(cache.key(exchange), &verdict);
        }
        verdict.apply(reject::NAME, exchange)
    }

    fn on_response(&self, exchange: &mut Exchange, response: &mut Response<Body>) {
        verdict::finish(reject::NAME, exchange, response.headers_mut());
    }
}

impl ExtAuthz {
    fn undecided(&self, exchange: &mut Exchange, undecided: Undecided) -> Flow<Response<Body>> {
        let why = match undecided {
            Undecided::TooLarge => {
                self.counted.body_too_large.inc();
                return Flow::Refuse(reject::BODY_TOO_LARGE);
            }
            Undecided::Body(rejection) => return Flow::Refuse(rejection),
            Undecided::Failed(why) => why,
        };
        match why.timeout {
            true => self.counted.timeout.inc(),
            false => self.counted.error.inc(),
        }
        let refusal = self.check.without(exchange, &why);
        refusal.map_or(Flow::Next, Flow::Refuse)
    }
}
