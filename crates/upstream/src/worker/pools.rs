//! All upstream connections of one worker.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, Weak},
};

use lintel_telemetry::{ServiceMetrics, WorkerMetrics};
use tokio::time::Instant;

use super::{clock::Clock, pool::Pool, service::WorkerService};
use crate::service::{Endpoint, Service};

/// The upstream side of one worker: its view of every service it has sent to, and its connections.
///
/// Nothing is kept for a service that this worker was never asked to send to.
pub struct Pools {
    worker: usize,
    metrics: WorkerMetrics,
    clock: Rc<Clock>,
    /// By [`Service::slot`].
    services: RefCell<Vec<Option<Rc<WorkerService>>>>,
    /// By the endpoint's slot.
    pools: RefCell<Vec<Option<Known>>>,
}

struct Known {
    endpoint: Weak<Endpoint>,
    pool: Rc<Pool>,
}

impl Pools {
    /// The pools of the worker with this index, counting with these metrics.
    pub fn new(worker: usize, metrics: WorkerMetrics) -> Rc<Self> {
        Rc::new(Self {
            worker,
            metrics,
            clock: Rc::new(Clock::new()),
            services: RefCell::default(),
            pools: RefCell::default(),
        })
    }

    /// Housekeeping, to be called about every 100 ms: closes connections that are dead or idle for
    /// too long, offers those that are not needed to the other workers, and lets go of services and
    /// endpoints that are no longer configured.
    pub fn tick(&self, now: Instant) {
        self.clock.set(now);
        let services: Vec<_> = self.services.borrow().iter().flatten().cloned().collect();
        for service in services {
            if let Some(live) = service.service() {
                service.tick(&live, self);
            }
        }
        for entry in self.services.borrow_mut().iter_mut() {
            if entry
                .as_ref()
                .is_some_and(|service| service.service().is_none())
            {
                *entry = None;
            }
        }
        for entry in self.pools.borrow_mut().iter_mut() {
            if let Some(known) = entry {
                known.pool.tick(now);
                if known.pool.is_over() {
                    *entry = None;
                }
            }
        }
    }

    /// Closes all idle connections, for the end of the worker.
    pub fn close_idle(&self) {
        for known in self.pools.borrow().iter().flatten() {
            known.pool.retire();
        }
    }

    pub(crate) const fn worker(&self) -> usize {
        self.worker
    }

    pub(crate) const fn metrics(&self) -> &WorkerMetrics {
        &self.metrics
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn service(&self, service: &Arc<Service>) -> Rc<WorkerService> {
        let slot = service.slot();
        if let Some(Some(known)) = self.services.borrow().get(slot)
            && known.is_of(service)
        {
            return Rc::clone(known);
        }
        let fresh = WorkerService::new(service, self);
        put(&mut self.services.borrow_mut(), slot, Rc::clone(&fresh));
        fresh
    }

    /// This worker's connections to an endpoint; they outlive the configuration that they were
    /// made under.
    pub(crate) fn pool(
        &self,
        service: &Arc<Service>,
        endpoint: &Arc<Endpoint>,
        metrics: &Rc<ServiceMetrics>,
    ) -> Rc<Pool> {
        let slot = endpoint.slot();
        if let Some(Some(known)) = self.pools.borrow().get(slot)
            && std::ptr::eq(known.endpoint.as_ptr(), Arc::as_ptr(endpoint))
        {
            known.pool.configure(service);
            return Rc::clone(&known.pool);
        }
        let pool = Pool::new(
            service,
            endpoint,
            self.worker,
            Rc::clone(metrics),
            Rc::clone(&self.clock),
        );
        let known = Known {
            endpoint: Arc::downgrade(endpoint),
            pool: Rc::clone(&pool),
        };
        if let Some(replaced) = put(&mut self.pools.borrow_mut(), slot, known) {
            replaced.pool.retire();
        }
        pool
    }
}

fn put<T>(table: &mut Vec<Option<T>>, slot: usize, value: T) -> Option<T> {
    if table.len() <= slot {
        table.resize_with(slot + 1, || None);
    }
    table.get_mut(slot)?.replace(value)
}
