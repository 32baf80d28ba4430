#![doc = include_str!("README.md")]

mod config;
mod runtime;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use http::{Response, StatusCode};
use ipnet::IpNet;
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow, Phase, Rejection};
use tokio::time::Instant;

pub use config::Config;
use runtime::{Seen, Table};

use crate::{Context, Policy, REGISTRY, Wait};

/// Holds off clients whose credentials keep failing.
pub struct FailedAuth {
    table: Arc<Table>,
    exempt: Vec<IpNet>,
    slow_down: Duration,
}

/// However many attempts have failed, a request waits no longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

const BANNED: Rejection = Rejection::new(
    "failed_auth",
    StatusCode::TOO_MANY_REQUESTS,
    "too_many_failures",
    "Too many credentials from this address were wrong.",
);

impl Policy for FailedAuth {
    type Config = Config;

    fn build(config: &Config, _: &Context) -> Result<Self, Vec<Fault>> {
        config.build()
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        if self.is_exempt(exchange) {
            return Flow::Next;
        }
        match self.seen(exchange) {
            Seen::Banned(left) => Flow::Refuse(BANNED.with_retry_after(left)),
            Seen::Failures(1..) if !self.slow_down.is_zero() => Flow::Wait,
            Seen::Failures(_) => Flow::Next,
        }
    }

    async fn resume(
        &self,
        exchange: &mut Exchange,
        _: &mut Body,
        wait: &Wait<'_>,
    ) -> Flow<Response<Body>> {
        if let Seen::Failures(failures) = self.seen(exchange) {
            let time = self.slow_down.saturating_mul(failures).min(LONGEST_WAIT);
            wait.until(Instant::now() + time).await;
        }
        // Others may have failed meanwhile.
        match self.seen(exchange) {
            Seen::Banned(left) => Flow::Refuse(BANNED.with_retry_after(left)),
            Seen::Failures(_) => Flow::Next,
        }
    }

    fn on_response(&self, exchange: &mut Exchange, _: &mut Response<Body>) {
        if has_failed(exchange) && !self.is_exempt(exchange) {
            let client = runtime::network(exchange.client);
            self.table.fail(client, runtime::seconds(exchange.received));
        }
    }
}

impl FailedAuth {
    fn seen(&self, exchange: &Exchange) -> Seen {
        let client = runtime::network(exchange.client);
        self.table.seen(client, runtime::seconds(exchange.received))
    }

    fn is_exempt(&self, exchange: &Exchange) -> bool {
        let client = exchange.client.to_canonical();
        self.exempt.iter().any(|network| network.contains(&client))
    }
}

/// Codes of refusals that mean: a credential was there and was wrong. `login_unknown` is an answer to a
/// login that nobody began: whoever forges one guesses.
const WRONG: [&str; 6] = [
    "invalid_certificate",
    "invalid_credentials",
    "invalid_key",
    "invalid_signature",
    "invalid_token",
    "login_unknown",
];

/// Whether a credential was there and was wrong. That none was there is no failure: browsers and
/// scanners do so all day.
fn has_failed(exchange: &Exchange) -> bool {
    let Some(refused) = &exchange.refused else {
        return false;
    };
    let mut all = REGISTRY.iter();
    WRONG.contains(&refused.code)
        && all.any(|entry| entry.name == refused.by && entry.phase == Phase::Authenticate)
}
