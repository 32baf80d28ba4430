#![doc = include_str!("README.md")]

mod config;
mod enter;
mod limit;
mod reject;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::Response;
use lintel_http::Body;
use lintel_kernel::{Ending, Exchange, Fault, Flow};
use lintel_state::in_flight::InFlight;

pub use config::{Config, LimitConfig, QueueConfig};
use enter::{AWAITED, Stop, hold};
use limit::Limit;

use crate::{Context, Policy, Wait};

/// Holds callers to so many requests at once.
pub struct Concurrency {
    /// Those of the route, then those of the defaults.
    limits: Vec<Limit>,
    table: Arc<InFlight>,
}

impl Policy for Concurrency {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        let table = context.in_flight();
        let limits = config::build(config, context)?;
        if !context.dry && limits.iter().any(|limit| limit.bounds.queue > 0) {
            table.with_lines();
        }
        Ok(Self { limits, table })
    }

    fn merge(own: Option<&Config>, inherited: &Config) -> Config {
        let inherited = inherited.iter().map(LimitConfig::inherited);
        let own = own.into_iter().flatten().cloned();
        own.chain(inherited).collect()
    }

    fn describe(&self) -> Vec<String> {
        self.limits.iter().map(Limit::to_string).collect()
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        match self.enter(exchange, 0) {
            Ok(()) => Flow::Next,
            Err(Stop::Wait(index)) => {
                hold(exchange, index, AWAITED);
                Flow::Wait
            }
            Err(Stop::Refuse(rejection)) => Flow::Refuse(rejection),
        }
    }

    /// Waits for one limit after the other, in their order; what the request has it keeps meanwhile.
    /// That all requests take them in the same order keeps them from waiting for each other.
    async fn resume(
        &self,
        exchange: &mut Exchange,
        _: &mut Body,
        wait: &Wait<'_>,
    ) -> Flow<Response<Body>> {
        let mut awaited = exchange.held.pop().map(|held| usize::from(held.limit));
        while let Some(index) = awaited {
            let Some(limit) = self.limits.get(index) else {
                break;
            };
            if let Err(rejection) = self.wait_for(limit, index, exchange, wait).await {
                self.give_back(exchange);
                exchange.held.clear();
                return Flow::Refuse(rejection);
            }
            awaited = match self.enter(exchange, index + 1) {
                Ok(()) => None,
                Err(Stop::Wait(next)) => Some(next),
                Err(Stop::Refuse(rejection)) => return Flow::Refuse(rejection),
            };
        }
        Flow::Next
    }

    /// However it ended: answered, refused further on, given up by the client, broken by a panic.
    fn on_end(&self, exchange: &Exchange, _: &Ending) {
        self.give_back(exchange);
    }
}
