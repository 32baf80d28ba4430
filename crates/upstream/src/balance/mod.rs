//! Choosing an endpoint. One algorithm a file, each pure: given what can be chosen from, it names
//! one.

mod least_request;
mod round_robin;
#[cfg(test)]
mod tests;
mod weights;

pub use self::{least_request::LeastRequest, round_robin::RoundRobin, weights::Weights};
use crate::service::Balance;

/// What can be chosen from: endpoints `0..weights().len()`.
pub trait Candidates {
    /// Their weights. Endpoints of weight 0 are never chosen.
    fn weights(&self) -> &Weights;
    /// Requests on their way to an endpoint.
    fn load(&self, index: usize) -> u32;
    /// Whether an endpoint may be chosen now: not yet tried by this request, not ejected.
    fn usable(&self, index: usize) -> bool;
}

/// The algorithm of one service, with its state on one worker.
#[derive(Debug)]
pub enum Balancer {
    /// In turn, by weight.
    RoundRobin(RoundRobin),
    /// The less busy of two.
    LeastRequest(LeastRequest),
}

impl Balancer {
    /// The algorithm by name. `worker` keeps workers out of step, so that they don't all begin
    /// with the same endpoint.
    pub fn new(balance: Balance, worker: usize) -> Self {
        match balance {
            Balance::RoundRobin => Self::RoundRobin(RoundRobin::new(worker)),
            Balance::LeastRequest => Self::LeastRequest(LeastRequest::new()),
        }
    }

    /// Chooses one of the usable endpoints; none if there is none.
    ///
    /// `key` is the hash that requests have in common which should meet the same endpoint; the
    /// algorithms here have no use for it.
    pub fn pick(&mut self, from: &impl Candidates, key: Option<u64>) -> Option<usize> {
        let _only_hashing_algorithms_use_it = key;
        match self {
            Self::RoundRobin(algorithm) => algorithm.pick(from),
            Self::LeastRequest(algorithm) => algorithm.pick(from),
        }
    }
}
