//! What is counted of endpoints, on the control side.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use lintel_telemetry::{
    Catalogue,
    metrics::{
        SharedGauge,
        family::{ENDPOINT_HEALTHY, UPSTREAM_EJECTIONS, UPSTREAM_HEALTH_CHECKS},
    },
};

use super::story::Reason;
use crate::service::Endpoint;

/// The metrics of one service's endpoints. Series of endpoints end with them.
pub(crate) struct HealthMetrics {
    catalogue: Arc<Catalogue>,
    service: Arc<str>,
    healthy: Mutex<HashMap<Box<str>, SharedGauge>>,
}

impl HealthMetrics {
    pub(crate) fn new(catalogue: &Arc<Catalogue>, service: &Arc<str>) -> Arc<Self> {
        Arc::new(Self {
            catalogue: Arc::clone(catalogue),
            service: Arc::clone(service),
            healthy: Mutex::default(),
        })
    }

    pub(crate) fn checked(&self, passed: bool) {
        let result = if passed { "passed" } else { "failed" };
        let labels = [&*self.service, result];
        self.catalogue
            .counter(&UPSTREAM_HEALTH_CHECKS, &labels)
            .inc();
    }

    pub(crate) fn ejected(&self, reason: Reason) {
        let labels = [&*self.service, reason.label()];
        self.catalogue.counter(&UPSTREAM_EJECTIONS, &labels).inc();
    }

    /// Shows whether an endpoint is fit for requests.
    pub(crate) fn show(&self, endpoint: &Endpoint) {
        let mut healthy = self.healthy.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = endpoint.identity();
        let gauge = healthy.entry(identity.into()).or_insert_with(|| {
            self.catalogue
                .gauge(&ENDPOINT_HEALTHY, &[&self.service, identity])
        });
        gauge.set(i64::from(endpoint.health.is_available()));
    }

    /// Keeps the series of these endpoints alone.
    pub(crate) fn retain(&self, endpoints: &[Arc<Endpoint>]) {
        let mut healthy = self.healthy.lock().unwrap_or_else(PoisonError::into_inner);
        healthy.retain(|identity, _| {
            let known = endpoints.iter().any(|one| one.identity() == &**identity);
            if !known {
                self.catalogue
                    .forget(&ENDPOINT_HEALTHY, &[&self.service, identity]);
            }
            known
        });
    }
}
