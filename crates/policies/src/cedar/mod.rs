#![doc = include_str!("README.md")]

mod asked;
mod config;
#[cfg(feature = "cedar")]
mod engine;
#[cfg(all(test, feature = "cedar"))]
mod tests;
#[cfg(any(test, not(feature = "cedar")))]
mod without;

use http::{Response, StatusCode};
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow};

use asked::Asked;
pub use config::Config;
#[cfg(feature = "cedar")]
use engine::Engine;
#[cfg(not(feature = "cedar"))]
use without::Engine;

use crate::{Context, Policy, judged::Judged, verdict};

/// Lets requests pass that policies in the language Cedar permit.
pub struct Cedar {
    // Boxed: a route has a place for it, whether it uses it or not.
    engine: Box<Engine>,
    asked: Box<Asked>,
    judged: Judged,
}

/// Its name, as refusals carry it.
const NAME: &str = "cedar";

impl Policy for Cedar {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        config.build(context)
    }

    fn describe(&self) -> Vec<String> {
        let mut lines = vec![self.asked.describe()];
        lines.extend(self.judged.describe());
        lines
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        match self.engine.decide(&self.asked, exchange) {
            Ok(()) => self.judged.allowed(),
            Err(reason) if self.judged.denied(exchange, &reason) => {
                return Flow::Refuse(verdict::refusal(NAME, StatusCode::FORBIDDEN, ""));
            }
            Err(_) => {}
        }
        Flow::Next
    }
}
