//! Checks: what the gateway itself asks of an endpoint, from time to time.
//!
//! Made by the control side, once for the whole process. Each check has a connection of its own, so
//! that it also finds out whether connections can be made.

mod grpc;
mod http;
mod probe;
mod rules;
mod tally;

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time};

pub use self::probe::Reply;
pub(crate) use self::probe::ask_one;
pub use self::rules::{BodyTest, Check, HttpProbe, Pattern, Probe};
pub(crate) use self::tally::Tally;
use super::{metrics::HealthMetrics, moment::Moment, story::Turn};
use crate::{
    service::{Endpoint, Service},
    worker::connect::{self, Offer},
};

/// Checks under way at a time, over all services.
static UNDER_WAY: Semaphore = Semaphore::const_new(256);

/// Checks an endpoint again and again.
pub(crate) async fn keep_checking(
    service: Arc<Service>,
    endpoint: Arc<Endpoint>,
    check: Check,
    metrics: Arc<HealthMetrics>,
) {
    let mut tally = Tally::new(check.healthy_after, check.unhealthy_after);
    loop {
        let outcome = examine(&service, &endpoint, &check).await;
        metrics.checked(outcome.is_ok());
        if let Some(healthy) = tally.count(outcome.is_ok()) {
            turn(&service, &endpoint, healthy, outcome.err(), &metrics);
        }
        let pause = if tally.is_settled() {
            check.interval
        } else {
            check.first_interval.min(check.interval)
        };
        time::sleep(jitter(pause)).await;
    }
}

/// One check: why it failed.
pub(crate) async fn examine(
    service: &Service,
    endpoint: &Endpoint,
    check: &Check,
) -> Result<(), String> {
    let Ok(_permit) = UNDER_WAY.acquire().await else {
        return Err("checks have ended".to_owned());
    };
    let asked = async {
        match &check.probe {
            Probe::Tcp => connect::connect(service, endpoint, Offer::Any)
                .await
                .map(drop)
                .map_err(|error| error.text),
            Probe::Http(probe) => http::check(service, endpoint, probe).await,
            Probe::Grpc(name) => grpc::check(service, endpoint, name).await,
        }
    };
    match time::timeout(check.timeout, Box::pin(asked)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("no answer within {} ms", check.timeout.as_millis())),
    }
}

fn turn(
    service: &Service,
    endpoint: &Endpoint,
    healthy: bool,
    why: Option<String>,
    metrics: &HealthMetrics,
) {
    let back = healthy && endpoint.health.is_failing();
    let news = if healthy {
        endpoint.health.passes(Moment::now())
    } else {
        endpoint.health.fails()
    };
    if !news {
        return;
    }
    // It was down and is back: what its requests met with before is no reason to wait any longer.
    let pardoned = (service.spec().eject.as_ref()).filter(|_| back && endpoint.health.is_ejected());
    if let Some(rules) = pardoned {
        endpoint.health.begin_trial(Moment::now(), rules.trial);
    }
    service.members.checked();
    metrics.show(endpoint);
    let (name, spec) = (&**service.name(), endpoint.spec());
    let addresses = endpoint.target().names().join(" ");
    match why {
        None => {
            tracing::info!(service = name, endpoint = %spec, address = addresses, "the endpoint is healthy: its checks pass");
            endpoint.health.note(Turn::Healthy);
            if pardoned.is_some() {
                endpoint.health.note(Turn::OnTrial);
            }
        }
        Some(why) => {
            tracing::warn!(service = name, endpoint = %spec, address = addresses, why, "the endpoint is unhealthy: its checks fail");
            endpoint.health.note(Turn::Unhealthy(why.into()));
        }
    }
}

/// Up to a tenth more or less, so that endpoints are not all checked at the same moment for ever.
fn jitter(pause: Duration) -> Duration {
    pause.mul_f64(fastrand::f64().mul_add(0.2, 0.9))
}
