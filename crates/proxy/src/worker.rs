//! What one worker thread keeps: the configuration it serves, its connection pools, its counters.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use lintel_kernel::{Exchange, Names};
use lintel_telemetry::{
    ListenerMetrics, RouteMetrics, ServiceMetrics, WorkerMetrics,
    metrics::{Family, WorkerCounter, WorkerHistogram},
};
use lintel_upstream::Pools;
use rustc_hash::FxHashMap;

use crate::{
    compose::Flights,
    shed::{Readings, Shed},
    snapshot::{ListenerRules, Route, Snapshot},
};

/// One worker's state. Never leaves its thread.
pub struct Worker {
    local: RefCell<Rc<Local>>,
    /// Connections to upstreams.
    pub pools: Rc<Pools>,
    /// This worker's counters.
    pub metrics: WorkerMetrics,
    active: Cell<usize>,
    pub(crate) shed: Shed,
}

/// A snapshot as one worker sees it, with its counters looked up once for each name.
///
/// A request holds it to its end; cloning it touches no memory that another core writes.
pub struct Local {
    /// The shared configuration.
    pub snapshot: Arc<Snapshot>,
    metrics: WorkerMetrics,
    routes: RefCell<FxHashMap<u32, Rc<RouteMetrics>>>,
    services: RefCell<FxHashMap<u32, Rc<ServiceMetrics>>>,
    listeners: RefCell<FxHashMap<u16, Rc<ListenerMetrics>>>,
    counters: RefCell<FxHashMap<CounterKey, WorkerCounter>>,
    times: RefCell<FxHashMap<CounterKey, WorkerHistogram>>,
    mirrored: RefCell<FxHashMap<u32, Rc<Cell<u32>>>>,
    /// Runs of compositions that several requests wait for.
    pub(crate) flights: Flights,
}

/// The family's name, and what stands for each of its labels.
type CounterKey = (&'static str, [u32; 3]);

/// The index that stands for "no route matched" in the metrics.
pub(crate) const NO_ROUTE: u32 = u32::MAX;

impl Worker {
    /// A worker that serves the given snapshot.
    pub fn new(snapshot: Arc<Snapshot>, pools: Rc<Pools>, metrics: WorkerMetrics) -> Rc<Self> {
        let local = RefCell::new(Rc::new(Local::new(snapshot, metrics.clone())));
        Rc::new(Self {
            local,
            pools,
            metrics,
            active: Cell::new(0),
            shed: Shed::default(),
        })
    }

    /// The configuration that new requests run on.
    pub fn local(&self) -> Rc<Local> {
        Rc::clone(&self.local.borrow())
    }

    /// Serves another snapshot from the next request on. Requests in flight keep theirs.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        let local = Rc::new(Local::new(snapshot, self.metrics.clone()));
        // The old one is dropped after the borrow has ended: its drop may run policy code.
        let _old = self.local.replace(local);
    }

    /// Requests that are being served, tunnels included.
    pub fn active(&self) -> usize {
        self.active.get()
    }

    /// Takes what this worker, the one with this index, has measured of itself and the process. To
    /// be called about every 100 ms.
    pub fn observe(&self, index: usize, readings: Readings) {
        let local = self.local();
        let overload = local.snapshot.overload.as_ref();
        self.shed.observe(overload, readings, index, &self.metrics);
    }

    pub(crate) fn begin(&self) {
        self.active.set(self.active.get() + 1);
    }

    pub(crate) fn end(&self) {
        self.active.set(self.active.get().saturating_sub(1));
    }
}

impl Local {
    /// The route that a request matched.
    pub(crate) fn route_of(&self, exchange: &Exchange) -> Option<&Route> {
        self.snapshot.routes.get(exchange.route? as usize)
    }

    fn new(snapshot: Arc<Snapshot>, metrics: WorkerMetrics) -> Self {
        Self {
            snapshot,
            metrics,
            routes: RefCell::default(),
            services: RefCell::default(),
            listeners: RefCell::default(),
            counters: RefCell::default(),
            times: RefCell::default(),
            mirrored: RefCell::default(),
            flights: Flights::default(),
        }
    }

    /// Rules of a listener, if this configuration still has it.
    pub fn listener_rules(&self, id: u16) -> Option<&Arc<ListenerRules>> {
        self.snapshot.listeners.get(&id)
    }

    /// Counters of a route; `NO_ROUTE` for requests that matched none.
    pub fn route_metrics(&self, route: u32) -> Rc<RouteMetrics> {
        let name = if route == NO_ROUTE {
            ""
        } else {
            self.route(route)
        };
        cached(&self.routes, route, || self.metrics.route(name))
    }

    /// Counters of a service.
    pub fn service_metrics(&self, service: u32) -> Rc<ServiceMetrics> {
        cached(&self.services, service, || {
            self.metrics.service(self.service(service))
        })
    }

    /// Counters of a listener.
    pub fn listener_metrics(&self, listener: u16) -> Rc<ListenerMetrics> {
        cached(&self.listeners, listener, || {
            self.metrics.listener(self.listener(listener))
        })
    }

    /// How many requests of a route are on their way to its shadow.
    pub(crate) fn mirrored(&self, route: u32) -> Rc<Cell<u32>> {
        cached(&self.mirrored, route, Rc::default)
    }

    /// Adds one to a counter that only some requests move. `key` must tell its labels apart within
    /// this configuration.
    pub(crate) fn count(&self, family: &'static Family, key: [u32; 3], labels: &[&str]) {
        let mut counters = self.counters.borrow_mut();
        counters
            .entry((family.name, key))
            .or_insert_with(|| self.metrics.counter(family, labels))
            .inc();
    }

    /// Records a time that only some requests take, on the same terms.
    pub(crate) fn time(
        &self,
        family: &'static Family,
        key: [u32; 3],
        labels: &[&str],
        time: Duration,
    ) {
        let mut times = self.times.borrow_mut();
        times
            .entry((family.name, key))
            .or_insert_with(|| self.metrics.histogram(family, labels))
            .record(time);
    }
}

fn cached<K: Copy + Eq + std::hash::Hash, V>(
    cache: &RefCell<FxHashMap<K, Rc<V>>>,
    key: K,
    make: impl FnOnce() -> Rc<V>,
) -> Rc<V> {
    if let Some(known) = cache.borrow().get(&key) {
        return Rc::clone(known);
    }
    let made = make();
    cache.borrow_mut().insert(key, Rc::clone(&made));
    made
}

impl Names for Local {
    fn listener(&self, index: u16) -> &str {
        self.snapshot
            .listeners
            .get(&index)
            .map_or("", |rules| &rules.name)
    }

    fn route(&self, index: u32) -> &str {
        self.snapshot
            .routes
            .get(index as usize)
            .map_or("", |route| &route.name)
    }

    fn params(&self, names: u32) -> &[Arc<str>] {
        self.snapshot.router.param_names(names)
    }

    fn service(&self, index: u32) -> &str {
        self.snapshot
            .services
            .get(index as usize)
            .map_or("", |service| service.name())
    }
}
