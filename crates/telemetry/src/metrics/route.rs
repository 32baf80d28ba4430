//! What is counted for a route.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use http::Method;
use rustc_hash::FxHashMap;

use super::{
    ServiceMetrics,
    block::{Block, Registration, RequestSeries, RouteCells},
    cell::Counter,
    family::OVERFLOW,
    interner::{Held, Named},
    label::MethodLabel,
    worker::Common,
};

/// The metrics of one route in one worker. Belongs to the worker's thread.
pub struct RouteMetrics(Held<RouteState>);

pub(crate) struct RouteState {
    pub(crate) block: Arc<Block<RouteCells>>,
    pub(crate) requests: RefCell<FxHashMap<RequestKey, Arc<RequestSeries>>>,
    common: Rc<Common>,
}

/// Service, method and status in one word.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RequestKey(u64);

impl RequestKey {
    /// Where label sets beyond the budget go.
    const OVERFLOW: Self = Self(u64::MAX);

    fn new(service: u32, method: MethodLabel, status: u16) -> Self {
        Self(u64::from(service) << 32 | (method as u64) << 16 | u64::from(status))
    }
}

impl RouteMetrics {
    /// Counts one finished request: `requests_total`, `request_duration_seconds` and
    /// `overhead_seconds`. `service` is the one that answered or was tried last, and
    /// `overhead` is there as far as it is known.
    pub fn record(
        &self,
        service: Option<&ServiceMetrics>,
        method: &Method,
        status: u16,
        total: Duration,
        overhead: Option<Duration>,
    ) {
        let state = &*self.0.0;
        let method = MethodLabel::of(method);
        let key = RequestKey::new(service.map_or(0, ServiceMetrics::index), method, status);
        let known = state.requests.borrow().get(&key).map(|known| {
            known.count.inc();
        });
        if known.is_none() {
            state.count_new(key, service, method, status);
        }
        state.block.cells.duration.record(total);
        if let Some(overhead) = overhead {
            state.common.overhead.record(overhead);
        }
    }

    /// Counts a refusal by a policy or step, with the stable code the client saw.
    pub fn reject(&self, by: &'static str, code: &'static str) {
        self.0.0.common.reject(by, code);
    }
}

impl Named for RouteMetrics {
    type State = RouteState;

    fn new(held: Held<RouteState>) -> Self {
        Self(held)
    }
}

impl RouteState {
    pub(crate) fn register(name: &Arc<str>, common: &Rc<Common>) -> Self {
        let block = Block::new(name);
        common.register(Registration::Route(block.clone()));
        Self {
            block,
            requests: RefCell::default(),
            common: common.clone(),
        }
    }

    #[cold]
    fn count_new(
        &self,
        key: RequestKey,
        service: Option<&ServiceMetrics>,
        method: MethodLabel,
        status: u16,
    ) {
        let mut requests = self.requests.borrow_mut();
        let (key, service, method, status) = if self.common.admit() {
            let service = service.map_or_else(|| Arc::from(""), |known| known.name().clone());
            (key, service, method, status)
        } else {
            let overflow = Arc::from(OVERFLOW);
            (RequestKey::OVERFLOW, overflow, MethodLabel::Other, 0)
        };
        let series = requests.entry(key).or_insert_with(|| {
            let made = Arc::new(RequestSeries {
                route: self.block.name.clone(),
                service,
                method,
                status,
                count: Counter::default(),
            });
            self.common.register(Registration::Request(made.clone()));
            made
        });
        series.count.inc();
    }
}
