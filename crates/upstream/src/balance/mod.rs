//! Choosing an endpoint. One algorithm a file, each pure: given what can be chosen from, it names
//! one.
//!
//! Who can be chosen from, and for how much, is a [`Plan`]: weights after health, priorities, zones
//! and slow start have been taken into account. It is made anew when one of these changes, so that
//! a request has no more to do than to pick by weight.

mod bounded;
mod draw;
mod hashing;
mod latency;
mod least_request;
mod maglev;
mod peak_ewma;
mod plan;
mod random;
mod ring;
mod round_robin;
mod sessions;
mod slow_start;
#[cfg(test)]
mod tests;
mod weights;

pub use self::{
    bounded::Bound,
    draw::Draw,
    hashing::Table,
    latency::{DECAY, PeakEwma},
    maglev::Maglev,
    plan::{Plan, Rules, Standing},
    ring::Ring,
    round_robin::RoundRobin,
    sessions::Sessions,
    slow_start::ramp,
    weights::Weights,
};
use crate::service::Balance;

/// What can be chosen from: endpoints `0..plan().len()`.
pub trait Candidates {
    /// Who gets how much. Endpoints of weight 0 are never chosen.
    fn plan(&self) -> &Plan;
    /// Requests on their way to an endpoint.
    fn load(&self, index: usize) -> u32;
    /// Whether an endpoint may be chosen for this request: not tried yet, and not one that is being
    /// probed by another request.
    fn usable(&self, index: usize) -> bool;
    /// Seconds that its answers take; 0 where that is not known.
    fn latency(&self, index: usize) -> f64;
    /// The order in which keys prefer the endpoints, where the service is balanced by a hash.
    fn table(&self) -> Option<&Table>;
    /// The endpoint that a session belongs to, if it may still serve it.
    fn session(&self, session: u64) -> Option<usize>;
}

/// The algorithm of one service, with its state on one worker.
#[derive(Debug)]
pub struct Balancer {
    algorithm: Algorithm,
    /// For second tries, and for algorithms that leave something to chance.
    draw: Draw,
}

#[derive(Debug)]
enum Algorithm {
    RoundRobin(RoundRobin),
    Random,
    LeastRequest,
    PeakEwma,
    Hash { headroom: Option<f64> },
    Sticky,
}

impl Balancer {
    /// The algorithm by name. `worker` keeps workers out of step, so that they don't all begin
    /// with the same endpoint.
    pub fn new(balance: &Balance, worker: usize) -> Self {
        Self::with(balance, worker, Draw::new())
    }

    fn with(balance: &Balance, worker: usize, draw: Draw) -> Self {
        let algorithm = match balance {
            Balance::RoundRobin => Algorithm::RoundRobin(RoundRobin::new(worker)),
            Balance::Random => Algorithm::Random,
            Balance::LeastRequest => Algorithm::LeastRequest,
            Balance::PeakEwma => Algorithm::PeakEwma,
            Balance::Hash(hashing) => Algorithm::Hash {
                headroom: hashing.headroom,
            },
            Balance::Sticky(_) => Algorithm::Sticky,
        };
        Self { algorithm, draw }
    }

    /// Chooses one of the usable endpoints; none if there is none.
    ///
    /// `key` is what requests have in common which should meet the same endpoint: the hash of a
    /// value, or a session. Without one the hashing algorithms choose the less busy of two.
    pub fn pick(&mut self, from: &impl Candidates, key: Option<u64>) -> Option<usize> {
        match (&mut self.algorithm, key) {
            (Algorithm::RoundRobin(algorithm), _) => algorithm.pick(from),
            (Algorithm::Random, _) => random::pick(&mut self.draw, from),
            (Algorithm::PeakEwma, _) => peak_ewma::pick(&mut self.draw, from),
            (Algorithm::Hash { headroom }, Some(key)) => match from.table() {
                Some(table) => hashing::pick(table, *headroom, key, &mut self.draw, from),
                None => least_request::pick(&mut self.draw, from),
            },
            (Algorithm::Sticky, Some(session)) => from
                .session(session)
                .or_else(|| least_request::pick(&mut self.draw, from)),
            (Algorithm::LeastRequest | Algorithm::Hash { .. } | Algorithm::Sticky, _) => {
                least_request::pick(&mut self.draw, from)
            }
        }
    }

    /// Chooses for another try, in place of an endpoint that is not usable any more.
    ///
    /// Leaves the turns of round robin alone: if these second choices took turns as well, of two
    /// endpoints the dead one would be the first choice of every request. A key goes on to the
    /// next endpoint in its order.
    pub fn pick_other(&mut self, from: &impl Candidates, key: Option<u64>) -> Option<usize> {
        match self.algorithm {
            Algorithm::RoundRobin(_) => least_request::pick(&mut self.draw, from),
            _ => self.pick(from, key),
        }
    }
}
