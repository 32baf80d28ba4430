//! What keeps a service from being overrun, and its neighbours from being pulled down with it:
//! counts over all workers that any of them may change and none has to wait for. They outlive the
//! configuration that they were made under. Nothing queues here: what does not fit is refused.

mod breaker;
mod budget;
mod concurrency;
mod gradient;
mod guarded;
mod state;
mod tally;

pub(crate) use self::{
    breaker::{Breaker, Leave, Verdict},
    budget::Budget,
    state::Guard,
};
pub use self::{
    breaker::{BreakerSpec, BreakerState, Slow},
    budget::{BudgetSpec, WINDOW_SECS},
    concurrency::{Bulkhead, Entered},
    gradient::AdaptiveSpec,
    guarded::Guarded,
    state::{GuardSpec, GuardStatus},
};
