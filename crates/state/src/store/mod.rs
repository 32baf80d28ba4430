//! State that replicas share.
//!
//! - [`Redis`]: Redis or Valkey, one server, one that Sentinels watch over, or a cluster: one connection
//!   a worker and server, on which requests are pipelined, a timeout, and a breaker.
//! - [`Ask`] and [`Reply`]: limits that are counted there, all of a request's in one script.
//! - [`Lease`]: limits of which each replica takes some ahead of need.
//! - [`Total`]: what the control side makes of one count.
//! - [`Replicas`]: how many there are.
//! - [`Records`]: named texts.
//! - [`Revocations`]: what is [revoked](crate::revoked), for all of them.

mod address;
mod ask;
mod breaker;
mod cluster;
mod dial;
mod lease;
mod node;
mod paged;
mod polled;
mod records;
mod redis;
mod replicas;
mod revocations;
mod run;
mod script;
mod scripts;
mod sentinel;
mod slots;
mod total;

pub use self::{
    address::{Address, NoAddress},
    ask::{Ask, Counted, Meaning, Reply},
    dial::Login,
    lease::{Lease, Leased},
    records::{Changed, News, NotChanged, Record, RecordTerms, Records},
    redis::{At, Redis, Settings, Unavailable},
    replicas::{Census, PATIENCE, Replicas},
    revocations::{Kept, NotKept, Revocations, Terms},
    total::Total,
};
