//! What one worker keeps of the services it sends to. Nothing here is shared with another thread
//! but [`shelf`].

mod acquire;
mod awaited;
mod clock;
pub(crate) mod connect;
mod exchange;
mod failure;
pub(crate) mod http2;
mod lease;
mod observe;
mod patience;
mod pool;
mod pools;
mod race;
mod report;
mod send;
mod service;
pub(crate) mod shelf;
#[cfg(test)]
mod tests;
mod trial;
mod tries;
pub(crate) mod upload;

pub use self::{
    failure::Failure,
    pools::Pools,
    race::Hedged,
    send::{Answer, Call, Rules, Tried, Tunnel},
};
