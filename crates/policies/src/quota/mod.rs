#![doc = include_str!("README.md")]

mod account;
mod callers;
mod config;
mod decide;
mod fields;
mod period;
mod reject;
mod runtime;
mod shared;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Instant};

use http::Response;
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow, wall::time_at};
use lintel_state::ledger::Book;
use lintel_upstream::Control;

pub use account::NoCount;
pub use callers::Callers;
pub use config::{Config, OnStoreFailure, Overage, QuotaConfig};
pub use runtime::Quota;

use crate::{Context, Policy, Wait, ask::tighter, consumers::Outside, keep};

/// Holds callers to so many requests in each hour, day, week or month of the calendar.
pub struct Quotas {
    /// Those of the route, then those of the defaults.
    quotas: Vec<Arc<Quota>>,
    callers: Arc<Callers>,
    outside: Option<Arc<Outside>>,
    book: Arc<Book<1>>,
}

impl Policy for Quotas {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        Ok(Self {
            quotas: config::build(config, context)?,
            callers: Arc::clone(&context.quotas),
            outside: context.outside.clone(),
            book: context.book(),
        })
    }

    fn merge(own: Option<&Config>, inherited: &Config) -> Config {
        let inherited = inherited.quotas().map(|quota| quota.inherited());
        let own = own.into_iter().flat_map(Config::quotas);
        Config::Many(own.chain(inherited).collect())
    }

    fn describe(&self) -> Vec<String> {
        let own = self.quotas.iter().map(|quota| quota.to_string());
        own.chain(self.callers.0.describe()).collect()
    }

    fn start(&self, control: &Control) {
        keep::start(&self.book, control);
    }

    fn quotas(&self) -> Vec<Arc<Quota>> {
        let own = self.quotas.iter().chain(self.callers.0.all());
        let mut all: Vec<Arc<Quota>> = own.cloned().collect();
        if let Some(outside) = &self.outside {
            all.extend(outside.layers().quotas().cloned());
        }
        all
    }

    /// The quotas that are counted here, first: what they refuse need not be asked elsewhere.
    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        let now = seconds(exchange.received);
        let seen = self.seen(exchange);
        let asked = decide::asked(self.of(&seen, exchange), exchange, now);
        match decide::here(&asked, exchange) {
            Ok(allowance) => {
                exchange.detour.quota = allowance;
                if asked.iter().any(|one| one.quota.shared.is_some()) {
                    Flow::Wait
                } else {
                    Flow::Next
                }
            }
            Err(exceeded) => {
                let (rejection, allowance) = (exceeded.rejection(), exceeded.allowance());
                exchange.detour.quota = Some(allowance);
                Flow::Refuse(rejection)
            }
        }
    }

    /// Then those that replicas count together.
    async fn resume(
        &self,
        exchange: &mut Exchange,
        _: &mut Body,
        _: &Wait<'_>,
    ) -> Flow<Response<Body>> {
        let now = seconds(exchange.received);
        let seen = self.seen(exchange);
        let asked = decide::asked(self.of(&seen, exchange), exchange, now);
        match shared::ask(&asked, exchange).await {
            Ok(left) => {
                exchange.detour.quota = tighter(exchange.detour.quota, left);
                Flow::Next
            }
            Err(refusal) => {
                decide::give_back(&asked, exchange);
                let (rejection, allowance) = (refusal.rejection(), refusal.allowance());
                exchange.detour.quota = allowance;
                Flow::Refuse(rejection)
            }
        }
    }

    fn on_response(&self, exchange: &mut Exchange, response: &mut Response<Body>) {
        let Some(allowance) = exchange.detour.quota else {
            return;
        };
        let seen = self.seen(exchange);
        let quota = self.of(&seen, exchange).nth(usize::from(allowance.limit));
        if let Some(quota) = quota {
            let now = seconds(exchange.received);
            quota.tell(&allowance, now, response.headers_mut());
        }
    }
}

/// Seconds since 1970 at a moment that is about now.
fn seconds(moment: Instant) -> u64 {
    let since = time_at(moment).duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
