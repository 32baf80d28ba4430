//! When a slow try gets company.

use std::time::Duration;

/// Hedged requests (Dean and Barroso, "The Tail at Scale", CACM 2013): where an answer takes long,
/// the request is sent to another endpoint as well, and the first good answer counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hedge {
    /// How long a try is waited for.
    pub after: After,
    /// Further tries for one request, each so much after the last; at least 1.
    pub attempts: u8,
}

/// How long a try is waited for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum After {
    /// So long.
    Time(Duration),
    /// As long as this share of the service's answers has taken lately, from 0.0 to 1.0, as each
    /// worker sees it. While little is known, for ever.
    Quantile(f64),
}
