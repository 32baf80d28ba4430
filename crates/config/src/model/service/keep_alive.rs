use lintel_kernel::{Duration, config};
use serde::Serialize;

/// Connections that are kept for the next request.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct KeepAlive {
    /// How long one is kept. Stay below what the upstream keeps it for.
    pub idle: Duration,
    /// How many each worker keeps to one endpoint; 0 for none. More, where more were in use at
    /// once, are closed after a second without use.
    pub max_idle: u32,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            max_idle: 128,
        }
    }
}
