//! A worker's side of the catalogue.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{Arc, mpsc::Sender},
};

use rustc_hash::FxHashMap;

use super::{
    ListenerMetrics, RouteMetrics, ServiceMetrics,
    block::{self, Registration, Series},
    catalogue::Catalogue,
    cell::Histogram,
    exposition,
    family::{Family, Kind, METRICS_OVERFLOW, OVERHEAD_BOUNDS, REJECTIONS},
    handle::{Handle, WorkerCounter, WorkerGauge, WorkerHistogram},
    interner::Interner,
    life::Life,
    policy,
};

/// One worker's metrics: the only writer of its cells. Cheap to clone within the worker.
#[derive(Clone)]
pub struct WorkerMetrics(pub(super) Rc<Tables>);

pub(super) struct Tables {
    routes: Interner<RouteMetrics>,
    services: Interner<ServiceMetrics>,
    listeners: Interner<ListenerMetrics>,
    named: RefCell<FxHashMap<SeriesKey, Arc<Series>>>,
    common: Rc<Common>,
}

/// A family's name and the label text of one of its series.
type SeriesKey = (&'static str, Box<[u8]>);

/// What all handles of one worker share.
pub(crate) struct Common {
    catalogue: Arc<Catalogue>,
    news: Sender<Registration>,
    pub(crate) overhead: Arc<Histogram>,
    pub(crate) rejections: StaticSeries,
    overflowed: Arc<Series>,
    /// Label sets this worker has, and how many it may have.
    used: Cell<usize>,
    budget: usize,
    next_service: Cell<u32>,
}

impl WorkerMetrics {
    pub(crate) fn new(
        catalogue: Arc<Catalogue>,
        news: Sender<Registration>,
        budget: usize,
    ) -> Self {
        let overhead = Arc::new(Histogram::new(&OVERHEAD_BOUNDS));
        let overflowed = series(&METRICS_OVERFLOW, &[], None);
        let common = Common {
            overhead: overhead.clone(),
            rejections: StaticSeries::default(),
            overflowed: overflowed.clone(),
            used: Cell::new(0),
            budget,
            next_service: Cell::new(1),
            catalogue,
            news,
        };
        common.register(Registration::Overhead(overhead));
        common.register(Registration::Series(overflowed));
        common.catalogue.worker_started();
        let tables = Rc::new(Tables {
            routes: Interner::default(),
            services: Interner::default(),
            listeners: Interner::default(),
            named: RefCell::default(),
            common: Rc::new(common),
        });
        policy::settle(&tables);
        Self(tables)
    }

    /// The metrics of a route; `""` for requests that no route matched. Ask when its first request
    /// comes and keep the handle with the route: a route never asked for costs nothing. The same
    /// name gives the same series across reloads, and is forgotten [an hour](super::RETIRE_AFTER)
    /// after its last handle was dropped.
    pub fn route(&self, route: &str) -> Rc<RouteMetrics> {
        self.0.routes.get(route, &self.0.common)
    }

    /// The metrics of a service, on the same terms.
    pub fn service(&self, service: &str) -> Rc<ServiceMetrics> {
        self.0.services.get(service, &self.0.common)
    }

    /// The metrics of a listener, on the same terms.
    pub fn listener(&self, listener: &str) -> Rc<ListenerMetrics> {
        self.0.listeners.get(listener, &self.0.common)
    }

    /// Counts a refusal by a policy or step.
    pub fn reject(&self, by: &'static str, code: &'static str) {
        self.0.common.reject(by, code);
    }

    /// A worker's own counter of any family, for policies that own metrics. `values` are the
    /// label values in the family's order. Lives as long as the worker. Does nothing if the family
    /// is not a counter.
    pub fn counter(&self, family: &'static Family, values: &[&str]) -> WorkerCounter {
        WorkerCounter(Handle::new(self.named(family, values)))
    }

    /// A worker's own gauge, on the same terms; the scrape adds up all workers.
    pub fn gauge(&self, family: &'static Family, values: &[&str]) -> WorkerGauge {
        WorkerGauge(Handle::new(self.named(family, values)))
    }

    /// A worker's own histogram, on the same terms.
    pub fn histogram(&self, family: &'static Family, values: &[&str]) -> WorkerHistogram {
        WorkerHistogram(Handle::new(self.named(family, values)))
    }

    pub(super) fn named(&self, family: &'static Family, values: &[&str]) -> Arc<Series> {
        let mut named = self.0.named.borrow_mut();
        let common = &self.0.common;
        let key = (family.name, exposition::labels(family, values));
        if let Some(known) = named.get(&key) {
            return known.clone();
        }
        let key = if common.admit() {
            key
        } else {
            (family.name, exposition::overflow_labels(family))
        };
        named
            .entry(key)
            .or_insert_with_key(|(_, labels)| {
                let series = Arc::new(Series {
                    family,
                    labels: labels.clone(),
                    cell: block::Cell::new(family.kind),
                    owner: None,
                });
                common.register(Registration::Series(series.clone()));
                series
            })
            .clone()
    }
}

impl Drop for Common {
    fn drop(&mut self) {
        self.catalogue.worker_stopped();
    }
}

impl Common {
    pub(crate) fn register(&self, news: Registration) {
        // Fails only when the catalogue is gone, and then nobody reads the cells.
        let _ = self.news.send(news);
    }

    /// Charges one label set to the budget; `false`, and counted, if it is spent.
    pub(crate) fn admit(&self) -> bool {
        let used = self.used.get();
        let fits = used < self.budget;
        if fits {
            self.used.set(used + 1);
        } else if let Some(counter) = self.overflowed.cell.counter() {
            counter.inc();
        }
        fits
    }

    pub(crate) fn reject(&self, by: &'static str, code: &'static str) {
        self.rejections
            .inc(self, &REJECTIONS, None, None, &[by, code]);
    }

    /// What the catalogue has retired gives its share of the budget back.
    pub(crate) fn release(&self, weight: usize) {
        self.used.set(self.used.get().saturating_sub(weight));
    }

    pub(crate) fn retirements(&self) -> u64 {
        self.catalogue.retirements()
    }

    pub(crate) fn service_index(&self) -> u32 {
        let index = self.next_service.get();
        self.next_service.set(index.wrapping_add(1).max(1));
        index
    }
}

/// Counters whose labels are all static texts (codes of refusals, reasons of failures), save for
/// the name of their owner.
#[derive(Default)]
pub(crate) struct StaticSeries(RefCell<FxHashMap<StaticKey, Arc<Series>>>);

/// Family and label values by address and length: comparing addresses costs a tenth of comparing
/// texts. The same text at two addresses makes two cells, which the scrape adds up.
#[derive(PartialEq, Eq, Hash)]
struct StaticKey([usize; 7]);

impl StaticKey {
    fn new(family: &'static Family, values: &[&'static str; 3]) -> Self {
        let at = |text: &str| text.as_ptr().addr();
        let [a, b, c] = values;
        let family = std::ptr::from_ref(family).addr();
        Self([family, at(a), a.len(), at(b), b.len(), at(c), c.len()])
    }
}

impl StaticSeries {
    pub(crate) fn inc(
        &self,
        common: &Common,
        family: &'static Family,
        owner: Option<&Arc<Life>>,
        name: Option<&str>,
        values: &[&'static str],
    ) {
        let mut key = [""; 3];
        for (slot, value) in key.iter_mut().zip(values) {
            *slot = value;
        }
        let mut known = self.0.borrow_mut();
        let found = known
            .entry(StaticKey::new(family, &key))
            .or_insert_with(|| {
                let all: Vec<&str> = name.into_iter().chain(values.iter().copied()).collect();
                let made = series(family, &all, owner.cloned());
                common.register(Registration::Series(made.clone()));
                made
            });
        if let Some(counter) = found.cell.counter() {
            counter.inc();
        }
    }
}

fn series(family: &'static Family, values: &[&str], owner: Option<Arc<Life>>) -> Arc<Series> {
    debug_assert!(matches!(family.kind, Kind::Counter));
    Arc::new(Series {
        family,
        labels: exposition::labels(family, values),
        cell: block::Cell::new(family.kind),
        owner,
    })
}
