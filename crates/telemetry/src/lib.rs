//! What the gateway tells its operators: metrics, the access log and the process log.
//!
//! - [`metrics`]: counters owned by one worker each, summed when Prometheus scrapes.
//! - [`access_log`]: one line a request, formatted by the worker, written by a thread of its own.
//! - [`log`]: what the process itself has to say, through `tracing`.
//! - [`sink`]: the non-blocking writer behind both logs.
//!
//! Nothing here ever makes a worker wait: not a scrape, not a full disk, not a stuck pipe.

mod encode;

pub mod access_log;
pub mod log;
pub mod metrics;
pub mod sink;

pub use access_log::Record;
pub use metrics::{Catalogue, ListenerMetrics, RouteMetrics, ServiceMetrics, WorkerMetrics};
pub use sink::{Sink, Target};
