//! One worker's view of one service.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, Weak},
    time::Duration,
};

use lintel_telemetry::metrics::ServiceMetrics;
use tokio::time::Instant;

use super::{pool::Pool, pools::Pools, send::Tried};
use crate::{
    balance::{Balancer, Candidates, Plan, Table},
    health::Moment,
    retry::Latencies,
    service::{EndpointSet, Lookup, Service},
};

/// Made when the worker first sends to the service.
pub(crate) struct WorkerService {
    service: Weak<Service>,
    pub(crate) metrics: Rc<ServiceMetrics>,
    balancer: RefCell<Balancer>,
    view: RefCell<Rc<View>>,
    /// How long requests take that may be hedged by it.
    latencies: RefCell<Option<Box<Latencies>>>,
}

/// A set of endpoints with this worker's connections to each.
pub(crate) struct View {
    version: u64,
    pub(crate) set: Arc<EndpointSet>,
    pub(crate) pools: Box<[Rc<Pool>]>,
    plan: Plan,
}

/// What a request may choose from.
struct Choice<'a> {
    view: &'a View,
    tried: &'a Tried,
    now: Instant,
    /// Endpoints on trial get one request at a time from each worker.
    probe_gently: bool,
}

impl WorkerService {
    pub(crate) fn new(service: &Arc<Service>, pools: &Pools) -> Rc<Self> {
        let metrics = pools.metrics().service(service.name());
        let view = View::new(service, pools, &metrics);
        Rc::new(Self {
            service: Arc::downgrade(service),
            metrics,
            balancer: RefCell::new(Balancer::new(&service.spec().balance, pools.worker())),
            view: RefCell::new(Rc::new(view)),
            latencies: RefCell::default(),
        })
    }

    /// How long this share of the requests takes at most; none while little is known.
    pub(crate) fn quantile(&self, share: f64, now: Instant) -> Option<Duration> {
        self.latencies.borrow_mut().as_mut()?.quantile(share, now)
    }

    /// A request took so long.
    pub(crate) fn took(&self, took: Duration, now: Instant) {
        let mut latencies = self.latencies.borrow_mut();
        let known = latencies.get_or_insert_with(|| Box::new(Latencies::new(now)));
        known.add(took, now);
    }

    pub(crate) fn is_of(&self, service: &Arc<Service>) -> bool {
        std::ptr::eq(self.service.as_ptr(), Arc::as_ptr(service))
    }

    pub(crate) fn service(&self) -> Option<Arc<Service>> {
        self.service.upgrade()
    }

    /// Looks at what changes with time alone.
    pub(crate) fn tick(&self, service: &Arc<Service>, pools: &Pools) {
        let known = self.view(service, pools);
        if known.plan.is_ramping() {
            *self.view.borrow_mut() = Rc::new(View::new(service, pools, &self.metrics));
        }
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
    pub(crate) fn pick(
        &self,
        view: &View,
        tried: &Tried,
        key: Option<u64>,
        pools: &Pools,
    ) -> Option<usize> {
        let mut balancer = self.balancer.borrow_mut();
        Choice::new(view, tried, pools).choose(|from| balancer.pick(from, key))
    }

    /// The session that begins where a request without one, or with another, was answered by this
    /// endpoint. None where the service has no sessions, or it is the request's own.
    pub(crate) fn session(&self, view: &View, index: usize, key: Option<u64>) -> Option<u64> {
        let Lookup::Sessions(sessions) = &view.set.lookup else {
            return None;
        };
        sessions.number(index).filter(|number| Some(*number) != key)
    }

    /// Chooses one that was not tried yet.
    pub(crate) fn pick_other(
        &self,
        view: &View,
        tried: &Tried,
        key: Option<u64>,
        pools: &Pools,
    ) -> Option<usize> {
        let mut balancer = self.balancer.borrow_mut();
        Choice::new(view, tried, pools).choose(|from| balancer.pick_other(from, key))
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
        let plan = service.plan(&set, Moment::now());
        Self {
            version,
            set,
            pools,
            plan,
        }
    }
}

impl View {
    /// How long the slowest of the endpoints takes, as far as that is known.
    pub(crate) fn slowest(&self, now: Instant) -> Duration {
        let now = Moment::of(now);
        let known = self.pools.iter().map(|pool| pool.load.results.latency(now));
        Duration::from_secs_f64(known.fold(0.0, f64::max))
    }
}

impl<'a> Choice<'a> {
    fn new(view: &'a View, tried: &'a Tried, pools: &Pools) -> Self {
        Self {
            view,
            tried,
            now: pools.clock().now(),
            probe_gently: view.plan.has_probes(),
        }
    }

    /// Where only endpoints on trial are left, they get what comes.
    fn choose(mut self, mut pick: impl FnMut(&Self) -> Option<usize>) -> Option<usize> {
        let chosen = pick(&self);
        if chosen.is_none() && self.probe_gently {
            self.probe_gently = false;
            return pick(&self);
        }
        chosen
    }
}

impl Candidates for Choice<'_> {
    fn plan(&self) -> &Plan {
        &self.view.plan
    }

    fn load(&self, index: usize) -> u32 {
        self.view
            .pools
            .get(index)
            .map_or(0, |pool| pool.load.in_flight.value())
    }

    fn latency(&self, index: usize) -> f64 {
        let pool = self.view.pools.get(index);
        pool.map_or(0.0, |pool| pool.load.results.latency(Moment::of(self.now)))
    }

    fn table(&self) -> Option<&Table> {
        match &self.view.set.lookup {
            Lookup::Hash(table) => Some(table),
            Lookup::None | Lookup::Sessions(_) => None,
        }
    }

    /// Sessions stay at an endpoint that is drained, so that they can end there.
    fn session(&self, session: u64) -> Option<usize> {
        let Lookup::Sessions(sessions) = &self.view.set.lookup else {
            return None;
        };
        let index = sessions.find(session)?;
        let endpoint = self.view.set.endpoints().get(index)?;
        let may = endpoint.health.is_available() || self.view.plan.share(index) > 0.0;
        (may && !self.tried.contains(endpoint.slot())).then_some(index)
    }

    fn usable(&self, index: usize) -> bool {
        if self.probe_gently && self.view.plan.is_probing(index) && self.load(index) > 0 {
            return false;
        }
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
