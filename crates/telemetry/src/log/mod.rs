//! What the process itself has to say: `tracing` events as lines of JSON or text.
//!
//! Lines go through a [sink](crate::sink) like the access log's, so that logging never waits. The
//! level can be changed while the process runs.

mod layer;
mod level;
mod once_per;
mod panic;

#[cfg(test)]
mod tests;

use std::{error, fmt, io, sync::OnceLock};

use tracing_subscriber::{
    Registry, filter::Targets, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _,
};

pub use level::LevelError;
pub use once_per::OncePer;
pub use panic::install_panic_hook;

use crate::{
    access_log::Format,
    sink::{Sink, Target},
};
use layer::Lines;

/// How the process logs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Shape of the lines.
    pub format: Format,
    /// Level, or levels by module: `info`, `info,lintel_upstream=debug`.
    pub level: String,
    /// Where the lines go.
    pub target: Target,
}

impl Default for Options {
    /// Text on standard error, from `info` on.
    fn default() -> Self {
        Self {
            format: Format::Human,
            level: "info".to_owned(),
            target: Target::Stderr,
        }
    }
}

static FILTER: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Sets up the process log. Once for the process.
///
/// # Errors
///
/// The level is not one, the target cannot be opened, or a log was set up before.
pub fn init(options: &Options) -> Result<(), InitError> {
    let targets = level::parse(&options.level).map_err(InitError::Level)?;
    let sink = Sink::open(&options.target).map_err(|source| InitError::Open {
        target: options.target.clone(),
        source,
    })?;
    let (filter, handle) = reload::Layer::new(targets);
    tracing_subscriber::registry()
        .with(filter)
        .with(Lines::new(sink.clone(), options.format))
        .try_init()
        .map_err(|_| InitError::Repeated)?;
    sink.carries_process_log();
    FILTER.set(handle).map_err(|_| InitError::Repeated)
}

/// Changes the level from now on: `debug`, or `info,lintel_upstream=debug`.
///
/// # Errors
///
/// The text names no level, or no log was set up. Nothing is changed then.
pub fn set_level(levels: &str) -> Result<(), LevelError> {
    let targets = level::parse(levels)?;
    FILTER
        .get()
        .and_then(|filter| filter.reload(targets).ok())
        .ok_or(LevelError::NoLog)
}

/// The level in force, in the form that [`set_level`] takes; `off` if no log was set up.
pub fn level() -> String {
    FILTER
        .get()
        .and_then(|filter| filter.with_current(level::print).ok())
        .unwrap_or_else(|| "off".to_owned())
}

/// Why the process log could not be set up.
#[derive(Debug)]
pub enum InitError {
    /// The level is not one.
    Level(LevelError),
    /// The target cannot be opened.
    Open {
        /// Where lines were to go.
        target: Target,
        /// The system's reason.
        source: io::Error,
    },
    /// It is set up already.
    Repeated,
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(error) => error.fmt(f),
            Self::Open { target, source } => write!(f, "cannot log to {target}: {source}"),
            Self::Repeated => f.write_str("the process log is set up already"),
        }
    }
}

impl error::Error for InitError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Level(error) => Some(error),
            Self::Open { source, .. } => Some(source),
            Self::Repeated => None,
        }
    }
}
