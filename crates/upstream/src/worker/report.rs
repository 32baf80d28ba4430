//! How the bodies of answers go, told to the health of their endpoint.

use std::{
    cell::RefCell,
    sync::{Arc, Weak},
};

use tokio::time::Instant;

use super::observe;
use crate::service::{Endpoint, Load, Service};

/// Tells the health of an endpoint how the bodies of its answers go.
///
/// The head of an answer has been counted when its body breaks off, so that an endpoint that always
/// breaks off looks good at every head. Broken bodies are a run of their own, which a whole body
/// ends and a head does not.
pub(crate) struct Reporter {
    service: RefCell<Weak<Service>>,
    endpoint: Weak<Endpoint>,
    load: Arc<Load>,
}

impl Reporter {
    pub(crate) fn new(service: &Arc<Service>, endpoint: &Arc<Endpoint>, load: &Arc<Load>) -> Self {
        Self {
            service: RefCell::new(Arc::downgrade(service)),
            endpoint: Arc::downgrade(endpoint),
            load: Arc::clone(load),
        }
    }

    /// Goes by another configuration of the service from now on.
    pub(crate) fn configure(&self, service: &Arc<Service>) {
        *self.service.borrow_mut() = Arc::downgrade(service);
    }

    /// An answer was whole.
    pub(crate) fn whole(&self) {
        if let Some(endpoint) = self.endpoint.upgrade() {
            endpoint.health.answered_wholly();
        }
    }

    /// The body of an answer broke off, or nothing more of it came in time.
    pub(crate) fn broke_off(&self) {
        let service = self.service.borrow().upgrade();
        if let (Some(service), Some(endpoint)) = (service, self.endpoint.upgrade()) {
            observe::broke_off(&service, &endpoint, &self.load, Instant::now());
        }
    }
}
