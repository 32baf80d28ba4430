#![doc = include_str!("README.md")]

mod config;

use std::sync::Arc;

use lintel_kernel::{Ending, Exchange, Fault, wall};
use lintel_telemetry::{
    Record, Sink,
    access_log::{Format as LineFormat, Target},
};

pub use config::{Config, Format};

use crate::{Context, Policy};

/// Writes one line for every request.
pub struct AccessLog {
    format: LineFormat,
    /// None where the policy is only checked.
    sink: Option<Arc<Sink>>,
}

impl Policy for AccessLog {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        let target = config.target(&context.folder);
        if context.dry {
            return Ok(Self {
                format: config.format(),
                sink: None,
            });
        }
        let sink = Sink::open(&target).map_err(|error| {
            let place = match &target {
                Target::File(path) => path.display().to_string(),
                _ => config.to.clone(),
            };
            vec![
                Fault::new(format!("`{place}` can't be opened for writing: {error}"))
                    .with_hint(
                        "name a file in a folder that exists and may be written to, or `stdout`",
                    )
                    .under("to"),
            ]
        })?;
        Ok(Self {
            format: config.format(),
            sink: Some(sink),
        })
    }

    fn on_end(&self, exchange: &Exchange, ending: &Ending) {
        if let Some(sink) = &self.sink {
            let time = wall::time_at(exchange.received + ending.duration);
            sink.write(self.format, &Record::of(exchange, ending, time));
        }
    }
}
