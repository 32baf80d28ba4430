#![doc = include_str!("README.md")]

mod config;
mod cut;
mod runtime;
mod slow;
#[cfg(test)]
mod tests;

use http::{Response, header};
use http_body::Body as _;
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Faults, Flow, expr::Scope};
use tokio::time::Instant;

pub use config::Config;
use cut::Cut;
use runtime::Drill;
use slow::Slow;

use crate::{Context, Policy, Wait};

/// Delays, refuses, slows down or breaks off some requests, to see what becomes of them.
pub struct FaultInjection {
    drill: Drill,
}

impl Policy for FaultInjection {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        let drill = config.build(context)?;
        Ok(Self { drill })
    }

    fn on_request(&self, exchange: &mut Exchange, _body: &mut Body) -> Flow<Response<Body>> {
        let faults = self.drill.draw(Scope::request(exchange), fastrand::f64);
        exchange.detour.faults = faults;
        if faults.contains(Faults::DELAY) {
            return Flow::Wait;
        }
        self.drill.refuse(faults)
    }

    async fn resume(
        &self,
        exchange: &mut Exchange,
        _body: &mut Body,
        wait: &Wait<'_>,
    ) -> Flow<Response<Body>> {
        wait.until(Instant::now() + self.drill.delay(fastrand::f64()))
            .await;
        self.drill.refuse(exchange.detour.faults)
    }

    fn on_response(&self, exchange: &mut Exchange, response: &mut Response<Body>) {
        let faults = exchange.detour.faults;
        if let Some(rate) = self.drill.bandwidth(faults) {
            change_body(response, |body| Body::boxed(Slow::new(body, rate)));
        }
        if let Some(after) = self.drill.reset(faults) {
            if response.body().size_hint().exact() == Some(0) {
                // An answer that is complete with its head could not be broken off.
                response.headers_mut().remove(header::CONTENT_LENGTH);
            }
            change_body(response, |body| Body::boxed(Cut::new(body, after)));
        }
    }
}

fn change_body(response: &mut Response<Body>, change: impl FnOnce(Body) -> Body) {
    let body = std::mem::replace(response.body_mut(), Body::empty());
    *response.body_mut() = change(body);
}
