//! State that replicas share.
//!
//! - [`Redis`]: Redis or Valkey: one connection a worker, on which requests are pipelined, a timeout,
//!   and a breaker.
//! - [`Ask`] and [`Reply`]: limits that are counted there, all of a request's in one script.

mod ask;
mod breaker;
mod redis;

pub use self::{
    ask::{Ask, Counted, Meaning, Reply},
    redis::{Redis, Settings, Unavailable},
};
