//! One answer of several calls: what a route's `compose` does, without the calls themselves.
//!
//! A [`Plan`] says which legs there are, what each asks, and which wait for which. [`run`] begins a
//! leg as soon as those it waits for are done, gives the making of calls to a [`Caller`], and stops
//! at the first required leg that fails. What the legs bring is JSON text ([`value`]); a [`Body`]
//! makes the answer of it: by splicing the texts where the filter is plain, by jq where it is not.

pub mod body;
mod caller;
mod each;
mod fill;
pub mod graph;
mod graphql;
mod jq;
mod last;
mod leg;
mod plan;
pub mod query;
mod reason;
mod run;
mod shape;
pub mod value;

#[cfg(test)]
mod tests;

pub use body::{Body, FilterFault, mentioned};
pub use caller::{CallEnd, Caller, Calling, Missed, Reply};
pub use each::Each;
pub use fill::{Fill, FillFault};
pub use leg::{Ask, Does, Expected, Instead, Leg, Reads, Request, Sends, Statuses};
pub use plan::Plan;
pub use reason::Reason;
pub use run::{Outcome, Results, run};
