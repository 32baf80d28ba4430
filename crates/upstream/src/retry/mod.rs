//! When a request is tried again.

mod backoff;
mod condition;
mod hedge;
mod latencies;
mod replay;

use std::time::Duration;

use http::{HeaderMap, HeaderName, Method};

pub use self::{
    backoff::{Backoff, retry_after},
    condition::Conditions,
    hedge::{After, Hedge},
};
pub(crate) use self::{latencies::Latencies, replay::Recording};
use crate::guard::BudgetSpec;

/// A request that carries this field is safe to repeat: the service recognises the repetition
/// (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Rules for trying again.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Tries in all, the first included.
    pub attempts: u8,
    /// What is tried again.
    pub on: Conditions,
    /// Methods that may be repeated although the upstream may have acted on them. Whatever the
    /// method, a request is repeated that certainly was not acted on, or that carries an
    /// `Idempotency-Key`.
    pub methods: Methods,
    /// How long one try may take until the head of its answer.
    pub per_try: Option<Duration>,
    /// Pauses between tries.
    pub backoff: Backoff,
    /// The longest `Retry-After` that is waited for. An answer that asks for more is passed on.
    pub retry_after: Duration,
    /// Bytes of a body that are kept for another try. A request with a longer one is not repeated.
    pub body: u64,
    /// What retries may cost.
    pub budget: BudgetSpec,
    /// When a try is not waited for any longer before another is begun beside it.
    pub hedge: Option<Hedge>,
}

/// Which methods may be repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Methods {
    /// The idempotent ones (RFC 9110 §9.2.2).
    #[default]
    Idempotent,
    /// These.
    Only(Box<[Method]>),
}

impl Default for Retry {
    fn default() -> Self {
        let mut on = Conditions::default();
        (on.connect_failure, on.reset, on.refused_stream) = (true, true, true);
        for status in [502, 503, 504] {
            on.add_status(status);
        }
        Self {
            attempts: 2,
            on,
            methods: Methods::default(),
            per_try: None,
            backoff: Backoff::default(),
            retry_after: Duration::from_secs(1),
            body: 64 * 1024,
            budget: BudgetSpec::default(),
            hedge: None,
        }
    }
}

impl Retry {
    /// Whether a request may be sent more than once at all.
    pub(crate) const fn several(&self) -> bool {
        self.attempts > 1 || self.hedge.is_some()
    }

    /// Whether a request may be sent again although the upstream may have acted on it.
    pub(crate) fn may_repeat(&self, method: &Method, headers: &HeaderMap) -> bool {
        let listed = match &self.methods {
            Methods::Idempotent => method.is_idempotent(),
            Methods::Only(methods) => methods.contains(method),
        };
        listed || headers.contains_key(IDEMPOTENCY_KEY)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_may_be_repeated() {
        let (by_default, none) = (Retry::default(), HeaderMap::new());
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
            assert!(by_default.may_repeat(&method, &none), "{method}");
        }
        for method in [Method::POST, Method::PATCH] {
            assert!(!by_default.may_repeat(&method, &none), "{method}");
            let key = HeaderMap::from_iter([(IDEMPOTENCY_KEY, "7".parse().unwrap())]);
            assert!(by_default.may_repeat(&method, &key), "{method}");
        }
        let consent = Retry {
            methods: Methods::Only(Box::new([Method::POST])),
            ..Retry::default()
        };
        assert!(consent.may_repeat(&Method::POST, &none));
        assert!(!consent.may_repeat(&Method::GET, &none));
    }
}
