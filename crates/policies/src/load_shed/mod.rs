#![doc = include_str!("README.md")]

mod config;
mod reject;
mod shed;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::Response;
use lintel_http::Body;
use lintel_kernel::{Ending, Exchange, Fault, Flow, Outcome};
use lintel_state::limit::Table;

pub use config::{Config, Scope};
use shed::Shedding;

use crate::{Context, Policy};

/// Holds requests back from services that do not answer well.
pub struct LoadShed {
    /// `None` where requests are sent to no service.
    shedding: Option<Shedding>,
    table: Arc<Table>,
}

impl Policy for LoadShed {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        Ok(Self {
            shedding: config::build(config, context)?,
            table: context.table(),
        })
    }

    fn describe(&self) -> Vec<String> {
        self.shedding.iter().map(Shedding::to_string).collect()
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        let Some(shedding) = &self.shedding else {
            return Flow::Next;
        };
        let (now, chance) = (self.table.now(), fastrand::f64());
        match shedding.refuses(&self.table, exchange, now, chance) {
            true => Flow::Refuse(shedding.rejection()),
            false => Flow::Next,
        }
    }

    fn held_back(&self) -> Option<[f64; 3]> {
        let shedding = self.shedding.as_ref()?;
        shedding.share(&self.table, self.table.now())
    }

    fn on_response(&self, exchange: &mut Exchange, response: &mut Response<Body>) {
        let (Some(shedding), Some(noted)) = (&self.shedding, exchange.detour.learns) else {
            return;
        };
        let (status, headers) = (response.status().as_u16(), response.headers());
        let good = shedding.bad.judge(exchange, status, headers);
        if good == Some(true) && exchange.grpc && !headers.contains_key("grpc-status") {
            // What became of the call is told behind its answer.
            return;
        }
        exchange.detour.learns = None;
        if let Some(good) = good {
            shedding.learn(&self.table, noted, self.table.now(), good);
        }
    }

    /// Clients that go away before there is an answer tell something only where they had to wait; those
    /// that leave a call whose answer has begun tell nothing.
    fn on_end(&self, exchange: &Exchange, ending: &Ending) {
        let (Some(shedding), Some(noted)) = (&self.shedding, exchange.detour.learns) else {
            return;
        };
        let begun = exchange.grpc && exchange.status == 200;
        let asked = exchange.service.is_some() || exchange.legs.is_some();
        let good = match ending.outcome {
            _ if !asked => return,
            Outcome::Complete if begun => shedding.bad.is_good_call(exchange.detour.call_status),
            Outcome::UpstreamAborted | Outcome::Timeout if begun => false,
            Outcome::ClientGone if !begun && shedding.bad.is_slow(ending.duration) => false,
            _ => return,
        };
        shedding.learn(&self.table, noted, self.table.now(), good);
    }
}
