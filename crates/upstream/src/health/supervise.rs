//! The control side of a service's health: checks, the end of ejections, outliers, and the record
//! of it all.

use std::{collections::HashMap, sync::Arc, time::Duration};

use lintel_kernel::beside::Beside;
use lintel_telemetry::{Catalogue, metrics::family::ENDPOINT_HEALTHY};
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{self, Instant},
};

use super::{
    checks,
    eject::eject,
    metrics::HealthMetrics,
    moment::Moment,
    news::Event,
    outlier,
    rules::Eject,
    story::{Reason, Turn},
};
use crate::service::{Endpoint, EndpointSet, Service, Tally};

/// Checks use the same codecs as the workers, which keep to one thread.
static HEALTH: Beside = Beside::new("lintel-health");

/// Looks after the endpoints of a service, once for all workers; stops on drop.
///
/// A service that changes in a reload keeps the state of its endpoints: start the new one, then
/// drop the old.
pub struct Supervision {
    service: Arc<Service>,
    _stop: oneshot::Sender<()>,
}

impl Supervision {
    /// Starts it, on a thread for this that the process has one of.
    pub fn start(service: &Arc<Service>, catalogue: &Arc<Catalogue>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (own, catalogue) = (Arc::clone(service), Arc::clone(catalogue));
        let running = HEALTH.run(move || async move {
            let mut stopped = stopped;
            tokio::select! {
                // Also when the other end is dropped.
                _ = &mut stopped => {}
                () = supervise(&own, &catalogue) => {}
            }
        });
        if !running {
            tracing::error!("endpoints can't be supervised: there is no thread for it");
        }
        Self {
            service: Arc::clone(service),
            _stop: stop,
        }
    }

    /// Ends the series of endpoints that the service's next version does not have, or of all where
    /// there is none.
    pub fn succeeded_by(self, next: Option<&Arc<Service>>, catalogue: &Catalogue) {
        let next = next.map(|next| next.endpoints());
        let stays = |endpoint: &Endpoint| {
            let mut others = next.iter().flat_map(|next| next.endpoints());
            others.any(|other| other.identity() == endpoint.identity())
        };
        for endpoint in self.service.endpoints().endpoints() {
            if !stays(endpoint) {
                let labels = [&**self.service.name(), endpoint.identity()];
                catalogue.forget(&ENDPOINT_HEALTHY, &labels);
            }
        }
    }

    /// The service it looks after.
    pub const fn service(&self) -> &Arc<Service> {
        &self.service
    }
}

/// Never ends by itself.
pub(crate) async fn supervise(service: &Arc<Service>, catalogue: &Arc<Catalogue>) {
    let mut ward = Ward::new(service, catalogue);
    let mut news = service.members.news.listen();
    ward.begin();
    loop {
        let changed = service.members.changed();
        let mut changed = std::pin::pin!(changed);
        changed.as_mut().enable();
        let set = service.members.set();
        ward.follow(&set);
        let due = ward.work(&set, Instant::now());
        tokio::select! {
            event = news.recv() => match event {
                Some(event) => ward.note(event),
                // Somebody else listens now, and will soon stop this.
                None => std::future::pending().await,
            },
            () = changed => {}
            () = sleep_until(due) => {}
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

struct Ward<'a> {
    service: &'a Arc<Service>,
    metrics: Arc<HealthMetrics>,
    checks: HashMap<usize, Checking>,
    /// Sums at the end of the last interval, by slot.
    sums: HashMap<usize, Tally>,
    /// When the interval is over that goes on.
    interval: Option<Instant>,
}

/// A task that checks an endpoint; ends when dropped.
struct Checking(JoinHandle<()>);

impl Drop for Checking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<'a> Ward<'a> {
    fn new(service: &'a Arc<Service>, catalogue: &Arc<Catalogue>) -> Self {
        Self {
            service,
            metrics: HealthMetrics::new(catalogue, service.name()),
            checks: HashMap::new(),
            sums: HashMap::new(),
            interval: None,
        }
    }

    /// Forgets what nobody will care for any more, now that the configuration has changed.
    fn begin(&self) {
        let spec = self.service.spec();
        for endpoint in self.service.members.set().endpoints() {
            if spec.check.is_none() {
                endpoint.health.forget_checks();
            }
            if spec.eject.is_none() {
                endpoint.health.forget_ejections();
            }
        }
        self.service.members.touch();
    }

    /// Checks the endpoints of this set, and no others.
    fn follow(&mut self, set: &EndpointSet) {
        let there = |slot: &usize| set.endpoints().iter().any(|one| one.slot() == *slot);
        self.checks.retain(|slot, _| there(slot));
        self.sums.retain(|slot, _| there(slot));
        self.metrics.retain(set.endpoints());
        for endpoint in set.endpoints() {
            self.metrics.show(endpoint);
            let Some(check) = &self.service.spec().check else {
                continue;
            };
            self.checks.entry(endpoint.slot()).or_insert_with(|| {
                let checking = checks::keep_checking(
                    Arc::clone(self.service),
                    Arc::clone(endpoint),
                    check.clone(),
                    Arc::clone(&self.metrics),
                );
                Checking(tokio::task::spawn_local(checking))
            });
        }
    }

    /// Does what is due. When there will be more to do, if nothing happens before.
    fn work(&mut self, set: &EndpointSet, now: Instant) -> Option<Instant> {
        let rules = self.service.spec().eject.as_ref()?;
        let moment = Moment::of(now);
        let mut due: Option<Instant> = None;
        for endpoint in set.endpoints() {
            let Some(until) = endpoint.health.ejected_until() else {
                continue;
            };
            if until <= moment {
                self.release(endpoint, moment, rules);
            } else {
                let end = now + moment.until(until);
                due = Some(due.map_or(end, |due| due.min(end)));
            }
        }
        let counts = rules.success_rate.is_some() || rules.latency.is_some();
        let record = || set.endpoints().iter().any(|one| one.health.has_record());
        if !counts && !record() {
            self.interval = None;
            return due;
        }
        let end = *self.interval.get_or_insert(now + rules.interval);
        let end = if end <= now {
            self.judge(set, now, rules);
            let next = now + rules.interval;
            self.interval = Some(next);
            next
        } else {
            end
        };
        Some(due.map_or(end, |due| due.min(end)))
    }

    fn release(&self, endpoint: &Arc<Endpoint>, now: Moment, rules: &Eject) {
        endpoint.health.begin_trial(now, rules.trial);
        self.service.members.touch();
        endpoint.health.note(Turn::OnTrial);
        self.metrics.show(endpoint);
        tracing::info!(
            service = &**self.service.name(),
            endpoint = %endpoint.spec(),
            "the endpoint's ejection is over, it is on trial"
        );
    }

    /// The end of an interval: ejects who does much worse than the others, and forgets old
    /// ejections.
    fn judge(&mut self, set: &EndpointSet, now: Instant, rules: &Eject) {
        let moment = Moment::of(now);
        let mut tallies = Vec::with_capacity(set.endpoints().len());
        for endpoint in set.endpoints() {
            if endpoint.health.age(moment) >= rules.interval {
                endpoint.health.forgive();
            }
            let sum = endpoint.tally();
            let before = self.sums.insert(endpoint.slot(), sum).unwrap_or_default();
            tallies.push(if endpoint.health.is_available() {
                sum.since(before)
            } else {
                // What is left of it says nothing.
                Tally::default()
            });
        }
        let bad = rules
            .success_rate
            .iter()
            .flat_map(|rule| outlier::by_success(&tallies, rule))
            .map(|(index, tenths)| (index, Reason::SuccessRate(tenths)));
        let slow = rules
            .latency
            .iter()
            .flat_map(|rule| outlier::by_latency(&tallies, rule))
            .map(|(index, millis)| (index, Reason::Latency(millis)));
        for (index, reason) in bad.chain(slow) {
            let Some(endpoint) = set.endpoints().get(index) else {
                continue;
            };
            if let Some(lasts) = eject(endpoint, set, moment, rules) {
                self.service.members.touch();
                self.ejected(endpoint, reason, lasts);
            }
        }
    }

    fn note(&self, event: Event) {
        match event {
            Event::Ejected {
                endpoint,
                reason,
                lasts,
            } => self.ejected(&endpoint, reason, lasts),
            Event::Trusted(endpoint) => {
                endpoint.health.note(Turn::Trusted);
                tracing::info!(
                    service = &**self.service.name(),
                    endpoint = %endpoint.spec(),
                    "the endpoint is trusted again after its trial"
                );
            }
        }
    }

    fn ejected(&self, endpoint: &Endpoint, reason: Reason, lasts: Duration) {
        tracing::warn!(
            service = &**self.service.name(),
            endpoint = %endpoint.spec(),
            seconds = lasts.as_secs_f64(),
            why = %reason,
            "the endpoint is ejected"
        );
        endpoint.health.note(Turn::Ejected {
            reason,
            seconds: lasts.as_secs(),
        });
        self.metrics.ejected(reason);
        self.metrics.show(endpoint);
    }
}
