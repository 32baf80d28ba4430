//! One worker's view of one service.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, Weak},
};

use lintel_telemetry::metrics::ServiceMetrics;

use super::{pool::Pool, pools::Pools, send::Tried};
use crate::{
    balance::{Balancer, Candidates, Weights},
    service::{EndpointSet, Service},
};

/// Made when the worker first sends to the service.
pub(crate) struct WorkerService {
    service: Weak<Service>,
    pub(crate) metrics: Rc<ServiceMetrics>,
    balancer: RefCell<Balancer>,
    view: RefCell<Rc<View>>,
}

/// A set of endpoints with this worker's connections to each.
pub(crate) struct View {
    version: u64,
    pub(crate) set: Arc<EndpointSet>,
    pub(crate) pools: Box<[Rc<Pool>]>,
}

/// What a request may choose from.
struct Choice<'a> {
    view: &'a View,
    tried: &'a Tried,
}

impl WorkerService {
    pub(crate) fn new(service: &Arc<Service>, pools: &Pools) -> Rc<Self> {
        let metrics = pools.metrics().service(service.name());
        let view = View::new(service, pools, &metrics);
        Rc::new(Self {
            service: Arc::downgrade(service),
            metrics,
            balancer: RefCell::new(Balancer::new(service.spec().balance, pools.worker())),
            view: RefCell::new(Rc::new(view)),
        })
    }

    pub(crate) fn is_of(&self, service: &Arc<Service>) -> bool {
        std::ptr::eq(self.service.as_ptr(), Arc::as_ptr(service))
    }

    pub(crate) fn service(&self) -> Option<Arc<Service>> {
        self.service.upgrade()
    }

    /// The endpoints as they are now. Costs one load of a shared number while they don't change.
    pub(crate) fn view(&self, service: &Arc<Service>, pools: &Pools) -> Rc<View> {
        let known = Rc::clone(&self.view.borrow());
        if known.version == service.members.version() {
            return known;
        }
        let fresh = Rc::new(View::new(service, pools, &self.metrics));
        *self.view.borrow_mut() = Rc::clone(&fresh);
        fresh
    }

    /// Chooses an endpoint.
    pub(crate) fn pick(&self, view: &View, tried: &Tried, key: Option<u64>) -> Option<usize> {
        self.balancer
            .borrow_mut()
            .pick(&Choice { view, tried }, key)
    }

    /// Chooses one that was not tried yet.
    pub(crate) fn pick_other(&self, view: &View, tried: &Tried) -> Option<usize> {
        self.balancer
            .borrow_mut()
            .pick_other(&Choice { view, tried })
    }
}

impl View {
    fn new(service: &Arc<Service>, pools: &Pools, metrics: &Rc<ServiceMetrics>) -> Self {
        // The version is read first: a set that is newer than its version is looked at once more
        // than needed, never once less.
        let version = service.members.version();
        let set = service.members.set();
        let pools = set
            .endpoints()
            .iter()
            .map(|endpoint| pools.pool(service, endpoint, metrics))
            .collect();
        Self {
            version,
            set,
            pools,
        }
    }
}

impl Candidates for Choice<'_> {
    fn weights(&self) -> &Weights {
        self.view.set.weights()
    }

    fn load(&self, index: usize) -> u32 {
        self.view
            .pools
            .get(index)
            .map_or(0, |pool| pool.load.in_flight.value())
    }

    fn usable(&self, index: usize) -> bool {
        if self.tried.is_empty() {
            return true;
        }
        self.view
            .set
            .endpoints()
            .get(index)
            .is_some_and(|endpoint| !self.tried.contains(endpoint.slot()))
    }
}
