//! What breakers and load shedding do, as metrics show it. Asked at each scrape: a breaker turns on the request
//! path, where nobody should have to tell.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use lintel_kernel::Priority;
use lintel_proxy::Snapshot;
use lintel_telemetry::{
    Catalogue,
    metrics::{
        Family,
        family::{LOAD_SHED_SHARE, ROUTE_BREAKER_STATE, UPSTREAM_BREAKER_STATE},
    },
};
use lintel_upstream::guard::GuardStatus;

/// What is shown: the breakers of services and those of routes, and the routes that shed load.
#[derive(Default)]
pub(crate) struct Breakers([Mutex<HashSet<Arc<str>>>; 3]);

impl Breakers {
    /// Shows the breakers of a configuration as they are now, and no others.
    pub(crate) fn show(&self, snapshot: &Snapshot, catalogue: &Catalogue) {
        let [of_services, of_routes, of_shedding] = &self.0;
        let services = snapshot.services.iter().filter_map(|service| {
            service.spec().guard.breaker?;
            Some((service.name(), service.guard_status()))
        });
        let routes = snapshot.routes.iter().filter_map(|route| {
            let guard = route.terms.guard.as_ref()?;
            guard.spec().breaker?;
            Some((guard.name(), guard.status()))
        });
        shedding(of_shedding, snapshot, catalogue);
        one(of_services, services, &UPSTREAM_BREAKER_STATE, catalogue);
        one(of_routes, routes, &ROUTE_BREAKER_STATE, catalogue);
    }
}

fn one<'a>(
    shown: &Mutex<HashSet<Arc<str>>>,
    breakers: impl Iterator<Item = (&'a Arc<str>, GuardStatus)>,
    family: &'static Family,
    catalogue: &Catalogue,
) {
    let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
    let mut gone = std::mem::take(&mut *shown);
    for (name, status) in breakers {
        catalogue.gauge(family, &[name]).set(status.breaker.level());
        gone.remove(name);
        shown.insert(Arc::clone(name));
    }
    for name in gone {
        catalogue.forget(family, &[&name]);
    }
}

/// What load shedding holds back.
fn shedding(shown: &Mutex<HashSet<Arc<str>>>, snapshot: &Snapshot, catalogue: &Catalogue) {
    let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
    let mut gone = std::mem::take(&mut *shown);
    for route in &snapshot.routes {
        let Some(shares) = route.chain.held_back() else {
            continue;
        };
        for (priority, share) in Priority::ALL.into_iter().zip(shares) {
            let gauge = catalogue.gauge(&LOAD_SHED_SHARE, &[&route.name, priority.name()]);
            gauge.set((share * 100.0).round() as i64);
        }
        gone.remove(&route.name);
        shown.insert(Arc::clone(&route.name));
    }
    for name in gone {
        for priority in Priority::ALL {
            catalogue.forget(&LOAD_SHED_SHARE, &[&name, priority.name()]);
        }
    }
}
