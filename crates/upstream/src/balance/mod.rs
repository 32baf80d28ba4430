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
pub struct Balancer {
    algorithm: Algorithm,
    /// For second tries.
    other: LeastRequest,
}

#[derive(Debug)]
enum Algorithm {
    RoundRobin(RoundRobin),
    LeastRequest,
}

impl Balancer {
    /// The algorithm by name. `worker` keeps workers out of step, so that they don't all begin
    /// with the same endpoint.
    pub fn new(balance: Balance, worker: usize) -> Self {
        Self::with(balance, worker, LeastRequest::new())
    }

    fn with(balance: Balance, worker: usize, other: LeastRequest) -> Self {
        let algorithm = match balance {
            Balance::RoundRobin => Algorithm::RoundRobin(RoundRobin::new(worker)),
            Balance::LeastRequest => Algorithm::LeastRequest,
        };
        Self { algorithm, other }
    }

    /// Chooses one of the usable endpoints; none if there is none.
    ///
    /// `key` is the hash that requests have in common which should meet the same endpoint; the
    /// algorithms here have no use for it.
    pub fn pick(&mut self, from: &impl Candidates, key: Option<u64>) -> Option<usize> {
        let _only_hashing_algorithms_use_it = key;
        match &mut self.algorithm {
            Algorithm::RoundRobin(algorithm) => algorithm.pick(from),
            Algorithm::LeastRequest => self.other.pick(from),
        }
    }

    /// Chooses for another try, in place of an endpoint that is not usable any more.
    ///
    /// Leaves the turns of the algorithm alone: if these second choices took turns as well, of two
    /// endpoints the dead one would be the first choice of every request.
    pub fn pick_other(&mut self, from: &impl Candidates) -> Option<usize> {
        self.other.pick(from)
    }
}
