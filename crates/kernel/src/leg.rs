//! What is recorded of the legs of a composition.

use std::{net::SocketAddr, sync::Arc, time::Duration};

/// The legs of one request.
#[derive(Clone, Debug, Default)]
pub struct LegRecords(pub Vec<LegRecord>);

/// One leg of a request.
#[derive(Clone, Debug)]
pub struct LegRecord {
    /// Its name.
    pub leg: Arc<str>,
    /// Index of the service that it asked; see [`Names`](crate::Names).
    pub service: Option<u32>,
    /// Its span in the request's trace: what the service sees as its parent. 0 where it was not
    /// called.
    pub span_id: u64,
    /// What became of it: `answered`, `skipped`, `cancelled`, or the reason of its failure.
    pub result: &'static str,
    /// Status of its answer; 0 if there was none.
    pub status: u16,
    /// From the beginning of the composition to that of the leg.
    pub began: Duration,
    /// How long it took.
    pub took: Duration,
    /// Who answered, or was tried last.
    pub endpoint: Option<SocketAddr>,
    /// Tries sent upstream.
    pub attempts: u8,
    /// How old its last good answer is, where that stands in its place.
    pub last_good: Option<Duration>,
    /// Why it failed, in words for the operator; never for the client.
    pub cause: Option<Box<str>>,
}
