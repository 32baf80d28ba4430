//! Compositions: one answer of several calls.

mod answer;
mod call;
mod coalesce;
mod copies;
mod dispatch;
mod record;
mod rpc;
mod samples;
mod sent;
mod stream;

use std::{sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue};
use lintel_compose::Plan;
use lintel_kernel::expr::{Expr, Template};

use crate::snapshot::Page;
pub use coalesce::Coalesce;
pub(crate) use coalesce::Flights;
pub use copies::{Copies, CopiesSpec};
pub(crate) use dispatch::dispatch;
pub use rpc::{Methods, Rpc};
pub use samples::{Sample, Samples};

/// What a route composes.
pub struct Compose {
    /// Its legs, and what becomes of them.
    pub plan: Plan,
    /// How each leg is called; none where it is not.
    pub calls: Vec<Option<Terms>>,
    /// The status of the answer.
    pub status: Option<Expr>,
    /// Fields of the answer. One whose value is absent is left out.
    pub headers: Vec<(HeaderName, Template)>,
    /// What is answered when a required leg fails.
    pub error: Option<Page>,
    /// Which requests share a run, if any do.
    pub coalesce: Option<Coalesce>,
    /// Requests that are kept to be looked at.
    pub samples: Samples,
    /// The field that tells which legs failed.
    pub partial: HeaderName,
    /// How large the client's body may be, in bytes, where something reads it.
    pub sent: Option<usize>,
}

/// How a leg is called.
#[derive(Debug)]
pub struct Terms {
    /// The service, by its index.
    pub service: usize,
    /// How long it may take until all of its answer is there.
    pub timeout: Option<Duration>,
    /// The largest body of its answer, in bytes.
    pub max_body: usize,
    /// Fields of the client's request that go along.
    pub forward: Vec<HeaderName>,
    /// Its last good answers, where they are kept.
    pub copies: Option<Arc<Copies>>,
    /// What it accepts in place of JSON.
    pub accept: Option<HeaderValue>,
    /// How a method of gRPC is called, where it is one.
    pub rpc: Option<Rpc>,
}

impl PartialEq for Terms {
    fn eq(&self, other: &Self) -> bool {
        let spec = |terms: &Self| terms.copies.as_ref().map(|copies| copies.spec().clone());
        let own = (self.service, self.timeout, self.max_body, &self.forward);
        own == (other.service, other.timeout, other.max_body, &other.forward)
            && (&self.accept, &self.rpc) == (&other.accept, &other.rpc)
            && spec(self) == spec(other)
    }
}

impl Eq for Terms {}

pub(crate) const STEP: &str = "compose";

const JSON: HeaderValue = HeaderValue::from_static("application/json");
