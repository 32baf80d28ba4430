//! Metrics: counted by workers without locks or atomic read-modify-writes, summed by the scrape.
//!
//! Each worker owns its cells ([`WorkerMetrics`]) and tells the process-wide [`Catalogue`] of new
//! ones through a channel. A scrape reads the cells where they are; it never makes a worker wait.
//! The control threads count through [`SharedCounter`] and [`SharedGauge`].

mod block;
mod catalogue;
mod cell;
mod docs;
mod exposition;
pub mod family;
mod handle;
mod interner;
mod label;
mod life;
mod listener;
mod policy;
mod process;
mod procfs;
mod registry;
mod render;
mod route;
mod service;
mod shared;
mod worker;

#[cfg(test)]
mod tests;

pub use catalogue::{Catalogue, DEFAULT_BUDGET};
pub use cell::{Bounds, FINITE_BUCKETS};
pub use docs::markdown;
pub use family::{Family, Kind};
pub use handle::{WorkerCounter, WorkerGauge, WorkerHistogram};
pub use label::{AttemptOutcome, MethodLabel, PoolSource, RetryReason};
pub use life::RETIRE_AFTER;
pub use listener::{ClientConnection, ListenerMetrics};
pub use policy::{PolicyCounter, PolicyGauge};
pub use process::ProcessMetrics;
pub use render::{OPENMETRICS, PROMETHEUS_TEXT};
pub use route::RouteMetrics;
pub use service::{ServiceMetrics, UpstreamConnection, UpstreamRequest};
pub use shared::{SharedCounter, SharedGauge};
pub use worker::WorkerMetrics;
