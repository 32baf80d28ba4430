#![doc = include_str!("README.md")]

mod callers;
mod config;
mod decide;
mod fields;
mod limit;
mod reject;
mod settle;
mod shared;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::Response;
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow};
use lintel_state::limit::Table;

pub use callers::Callers;
pub use config::{Algorithm, Config, Cost, LimitConfig, OnStoreFailure, Per, Prefix};
use limit::Limit;
use shared::{Begun, Parts, Refusal};

use crate::{
    Context, Policy, Wait,
    consumers::{Outside, Seen},
};

/// Holds callers to so many requests in a time.
pub struct RateLimit {
    /// Those of the route, then those of the defaults.
    limits: Vec<Limit>,
    callers: Arc<Callers>,
    outside: Option<Arc<Outside>>,
    table: Arc<Table>,
}

impl Policy for RateLimit {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        Ok(Self {
            limits: config::build(config, context)?,
            callers: Arc::clone(&context.callers),
            outside: context.outside.clone(),
            table: context.table(),
        })
    }

    fn merge(own: Option<&Config>, inherited: &Config) -> Config {
        let inherited = inherited.iter().map(LimitConfig::inherited);
        let own = own.into_iter().flatten().cloned();
        own.chain(inherited).collect()
    }

    fn describe(&self) -> Vec<String> {
        let own = self.limits.iter().map(Limit::to_string);
        own.chain(self.callers.0.describe()).collect()
    }

    /// The limits that are counted here, first: what they refuse need not be asked elsewhere.
    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        let seen = self.seen(exchange);
        let asked = decide::asked(&self.table, self.of(&seen, exchange), exchange);
        let begun = if asked.iter().all(|one| one.limit.shared.is_none()) {
            let decided = decide::local(&self.table, &asked, self.table.now());
            decided.map(Begun::Admitted).map_err(Refusal::Exceeded)
        } else {
            Parts::of(asked).begin(&self.table, exchange)
        };
        let (flow, allowance) = match begun {
            Ok(Begun::Admitted(left)) => (Flow::Next, left),
            Ok(Begun::Wait(left)) => (Flow::Wait, left),
            Err(refusal) => (Flow::Refuse(refusal.rejection()), refusal.allowance()),
        };
        exchange.detour.allowance = allowance;
        flow
    }

    /// Then those that replicas count together.
    async fn resume(
        &self,
        exchange: &mut Exchange,
        _: &mut Body,
        _: &Wait<'_>,
    ) -> Flow<Response<Body>> {
        let seen = self.seen(exchange);
        let asked = decide::asked(&self.table, self.of(&seen, exchange), exchange);
        match Parts::of(asked).settle(&self.table, exchange).await {
            Ok(left) => {
                let known = exchange.detour.allowance;
                let tighter =
                    left.filter(|left| known.is_none_or(|known| left.remaining < known.remaining));
                exchange.detour.allowance = tighter.or(known);
                Flow::Next
            }
            Err(refusal) => {
                let (rejection, allowance) = (refusal.rejection(), refusal.allowance());
                exchange.detour.allowance = allowance;
                Flow::Refuse(rejection)
            }
        }
    }

    fn on_response(&self, exchange: &mut Exchange, response: &mut Response<Body>) {
        let Some(allowance) = exchange.detour.allowance else {
            return;
        };
        let seen = self.seen(exchange);
        let limit = self.of(&seen, exchange).nth(usize::from(allowance.limit));
        if let Some(limit) = limit {
            let beside = exchange.detour.quota.is_some();
            limit.tell(&allowance, beside, response.headers_mut());
        }
    }
}

impl RateLimit {
    /// Consumers and plans from outside, where that matters.
    fn seen(&self, exchange: &Exchange) -> Seen {
        Outside::of(self.outside.as_ref(), exchange.consumer())
    }

    /// The limits of a request, the most specific first: of the consumer, of its plan, of the route,
    /// of the defaults. If those from outside change while it waits, a request may count by the old ones
    /// here and by the new ones in a store, once.
    fn of<'a>(
        &'a self,
        seen: &'a Seen,
        exchange: &Exchange,
    ) -> impl Iterator<Item = &'a Limit> + use<'a> {
        let caller = self
            .callers
            .0
            .of(exchange.consumer(), seen, |layer| &layer.limits.0);
        caller.chain(&self.limits)
    }
}
