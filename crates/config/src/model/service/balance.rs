use lintel_kernel::config;
use serde::Serialize;

/// How requests are spread over endpoints.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum Balance {
    /// In turn, by weight.
    RoundRobin,
    /// To the endpoint of two picked at random that has fewer requests open for its weight.
    LeastRequest,
}
