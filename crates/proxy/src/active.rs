//! The record of a request while it lasts. However the request ends — answered, refused, given up
//! by the client, broken by a panic — dropping the record counts and logs it, exactly once.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    time::{Duration, Instant},
};

use http::{Method, StatusCode};
use lintel_kernel::{Ending, Exchange, Outcome};
use lintel_telemetry::metrics::family::FAULTS_INJECTED;

use lintel_upstream::{deadline::Deadline, guard::Entered};

use crate::worker::{Local, NO_ROUTE, Worker};

/// A request that is being served.
pub(crate) struct Active {
    /// What is known of it.
    pub(crate) exchange: Exchange,
    /// The configuration it runs on.
    pub(crate) local: Rc<Local>,
    worker: Rc<Worker>,
    outcome: Outcome,
    /// Bytes of request body passed on; shared with the body on its way upstream.
    pub(crate) bytes_in: Rc<Cell<u64>>,
    /// Bytes of response body sent.
    pub(crate) bytes_out: u64,
    overhead: Option<Duration>,
    method: Method,
    /// The request's places in the limits of its route and of its service.
    pub(crate) places: [Option<Entered>; 2],
    /// What the client said of how long it waits.
    pub(crate) told: Option<Deadline>,
}

const DEFAULT_TUNNEL_IDLE: Duration = Duration::from_secs(3600);

/// The status recorded where the client left before there was an answer (NGINX's 499).
const CLIENT_GONE: u16 = 499;

impl Active {
    /// Begins the record of a request.
    pub(crate) fn begin(worker: &Rc<Worker>, local: Rc<Local>, exchange: Exchange) -> Box<Self> {
        worker.begin();
        let record = Self {
            method: exchange.request.method.clone(),
            exchange,
            local,
            worker: Rc::clone(worker),
            outcome: Outcome::ClientGone,
            bytes_in: Rc::default(),
            bytes_out: 0,
            overhead: None,
            places: [None, None],
            told: None,
        };
        Box::write(Box::new_uninit(), record)
    }

    /// The worker that serves it.
    pub(crate) const fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    /// The method the client sent.
    pub(crate) const fn method(&self) -> &Method {
        &self.method
    }

    /// Notes that the head of the answer goes to the client now.
    pub(crate) fn answered(&mut self, status: StatusCode, now: Instant) {
        self.exchange.status = status.as_u16();
        let until_head = now.saturating_duration_since(self.exchange.received);
        self.overhead = Some(until_head.saturating_sub(self.exchange.upstream_time));
    }

    /// Notes how it ends.
    pub(crate) const fn ended(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// How long a tunnel may be silent.
    pub(crate) fn tunnel_idle(&self) -> Duration {
        let rules = self.local.listener_rules(self.exchange.listener);
        rules.map_or(DEFAULT_TUNNEL_IDLE, |rules| rules.tunnel_idle)
    }

    /// Serving it panicked: the client is told 500, or sees its answer break off.
    fn panicked(&mut self) {
        self.outcome = Outcome::Panic;
        if self.exchange.status == 0 {
            self.exchange.status = StatusCode::INTERNAL_SERVER_ERROR.as_u16();
        }
        tracing::error!(
            route = self.exchange.route_name(),
            request_id = self.exchange.id.as_str(),
            "the request was ended by a panic"
        );
    }

    fn record(&mut self) {
        let duration = Instant::now().saturating_duration_since(self.exchange.received);
        if std::thread::panicking() {
            self.panicked();
        } else if self.exchange.status == 0 {
            self.exchange.status = CLIENT_GONE;
        }
        let ending = Ending {
            outcome: self.outcome,
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out,
            duration,
            // Of a request whose client left before its answer, nobody knows who it waited for.
            overhead: self.overhead.or_else(|| {
                let known = self.exchange.status != CLIENT_GONE;
                known.then(|| duration.saturating_sub(self.exchange.upstream_time))
            }),
        };
        let exchange = &self.exchange;
        let metrics = self.local.route_metrics(exchange.route.unwrap_or(NO_ROUTE));
        let service = exchange
            .service
            .map(|service| self.local.service_metrics(service));
        metrics.record(
            service.as_deref(),
            &self.method,
            exchange.status,
            ending.duration,
            ending.overhead,
        );
        for (number, fault) in exchange.detour.faults.iter() {
            let key = [exchange.route.unwrap_or(NO_ROUTE), u32::from(number), 0];
            let labels = [exchange.route_name(), fault];
            self.local.count(&FAULTS_INJECTED, key, &labels);
        }
        if let Some(refused) = &exchange.refused {
            metrics.reject(refused.by, refused.code);
        }
        if let Some(route) = self.local.route_of(exchange) {
            route.chain.on_end(exchange, &ending);
        } else {
            self.local.snapshot.unmatched.on_end(exchange, &ending);
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A second panic that left this function would end the process.
            let _ = catch_unwind(AssertUnwindSafe(|| self.record()));
        } else {
            self.record();
        }
        lintel_http::http1::recycle_headers(std::mem::take(&mut self.exchange.request.headers));
        self.worker.end();
    }
}
