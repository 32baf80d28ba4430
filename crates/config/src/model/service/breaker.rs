use lintel_kernel::config;
use serde::Serialize;

/// When a service counts as full. Counted by each replica.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct Breaker {
    /// Connections open at a time to all its endpoints.
    #[schemars(range(min = 1))]
    pub connections: u32,
    /// Requests that may wait for a connection.
    pub pending: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            connections: 1_024,
            pending: 1_024,
        }
    }
}
