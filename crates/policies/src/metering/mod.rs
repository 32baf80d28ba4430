#![doc = include_str!("README.md")]

mod config;
mod runtime;
#[cfg(test)]
mod tests;
mod usage;

use lintel_kernel::{Ending, Exchange, Fault};
use lintel_upstream::Control;

pub use config::Config;
use runtime::Meter;
pub use usage::{Row, Usage, time};

use crate::{Context, Policy, keep};

/// Counts who has used what, for bills.
pub struct Metering {
    meter: Meter,
}

impl Policy for Metering {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        let meter = config.build(context)?;
        Ok(Self { meter })
    }

    fn start(&self, control: &Control) {
        keep::start(self.meter.book(), control);
    }

    /// When the last byte has left, whatever way it ended.
    fn on_end(&self, exchange: &Exchange, ending: &Ending) {
        self.meter.count(exchange, ending);
    }
}
