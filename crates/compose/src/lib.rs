//! One answer of several calls: what a route's `compose` does, without the calls themselves.
//!
//! A [`Plan`] says which legs there are, what each asks, and which wait for which. [`run`] begins a
//! leg as soon as those it waits for are done, gives the making of calls to a [`Caller`], and stops
//! at the first required leg that fails. What the legs bring is JSON text ([`value`]); a [`Body`]
//! makes the answer of it: by splicing the texts where the filter is plain, by jq where it is not.

pub mod body;
mod each;
pub mod graph;
mod jq;
mod leg;
mod plan;
mod reason;
mod run;
mod shape;
mod sound;
pub mod value;

#[cfg(test)]
mod tests;

pub use body::{Body, FilterFault, mentioned};
pub use each::Each;
pub use leg::{Ask, Does, Expected, Instead, Leg, Request};
pub use plan::Plan;
pub use reason::Reason;
pub use run::{Caller, Calling, Missed, Outcome, Reply, Results, run};
