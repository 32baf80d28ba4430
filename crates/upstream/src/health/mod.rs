//! Which endpoints are fit for requests.
//!
//! Two sources say so: requests themselves (in the workers: an endpoint that fails
//! again and again is *ejected* for a while, then *on trial*), and checks that the control side
//! makes. An endpoint's `Health` is shared by all workers through atomics, and outlives reloads.
//! What it means for the traffic is worked out by [`Plan`](crate::balance::Plan).

pub(crate) mod checks;
mod eject;
mod metrics;
mod moment;
mod news;
mod outlier;
mod passive;
mod rules;
mod state;
mod story;
mod supervise;
#[cfg(test)]
mod tests;

pub use self::checks::Reply;
pub(crate) use self::{
    checks::ask_one,
    eject::eject,
    moment::Moment,
    news::{Event, News},
    passive::Verdict,
    state::{Counted, Health},
};
pub use self::{
    checks::{BodyTest, Check, HttpProbe, Pattern, Probe},
    rules::{Eject, LatencyOutlier, SuccessRate},
    story::{Reason, Transition, Turn},
    supervise::Supervision,
};
