use lintel_kernel::{Share, config};
use serde::Serialize;

/// W3C trace context (`traceparent`, `tracestate`). It is always passed on.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct Tracing {
    /// Whose trace context is continued; for anybody else a new trace begins.
    pub accept_from: Peers,
    /// The share of traces beginning here that are marked as sampled. A continued trace keeps its
    /// mark.
    pub sample: Share,
}

impl Default for Tracing {
    fn default() -> Self {
        Self {
            accept_from: Peers::Anyone,
            sample: Share::percent(100),
        }
    }
}

/// A group of peers.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum Peers {
    /// Every client.
    Anyone,
    /// Addresses in the listener's `trusted_proxies`.
    Trusted,
    /// Nobody.
    Nobody,
}
