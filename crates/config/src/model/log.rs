use lintel_kernel::config;
use serde::Serialize;

use crate::text::LogTarget;

/// The gateway's own log.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct Log {
    /// The least severe level that is written. Can be changed while the gateway runs.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
    /// Where lines go.
    pub to: LogTarget,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            format: LogFormat::Human,
            to: LogTarget::Stderr,
        }
    }
}

/// How much is logged.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum LogLevel {
    /// Only what needs a person.
    Error,
    /// Also what may need one.
    Warn,
    /// Also what changed: starts, reloads, endpoints.
    Info,
    /// Also what helps to find a mistake in the configuration.
    Debug,
    /// Everything; slow.
    Trace,
}

/// How a line of the log looks.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// One line for human eyes.
    Human,
}
