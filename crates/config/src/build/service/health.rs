//! Checks and ejection of endpoints.

use http::{HeaderValue, Method, uri::PathAndQuery};
use lintel_kernel::Fault;
use lintel_policies::Setting;
use lintel_upstream::health::{
    BodyTest, Check, Eject, HttpProbe, LatencyOutlier, Pattern, Probe, SuccessRate,
};

use crate::model::{self, HealthKind, InitialHealth};

pub(super) fn check(health: &model::Health) -> Result<Check, Fault> {
    Ok(Check {
        probe: match health.kind {
            HealthKind::Tcp => Probe::Tcp,
            HealthKind::Grpc => Probe::Grpc(health.service.as_deref().unwrap_or("").into()),
            HealthKind::Http => Probe::Http(http(health)?),
        },
        interval: health.interval.to_std(),
        first_interval: health.first_interval.to_std(),
        timeout: health.timeout.to_std(),
        healthy_after: health.healthy_after,
        unhealthy_after: health.unhealthy_after,
        before_use: health.initial == InitialHealth::Unhealthy,
    })
}

fn http(health: &model::Health) -> Result<HttpProbe, Fault> {
    let statuses = health.status.as_deref();
    let body = match (&health.body_contains, &health.body_matches) {
        (_, Some(regex)) => {
            let pattern = Pattern::new(&regex.to_string())
                .map_err(|error| Fault::new(error.to_string()).under("body_matches"))?;
            Some(BodyTest::Matches(pattern))
        }
        (Some(text), None) => Some(BodyTest::Contains(text.as_str().into())),
        (None, None) => None,
    };
    Ok(HttpProbe {
        method: health
            .method
            .as_ref()
            .map_or(Method::GET, |method| method.0.clone()),
        path: health
            .path
            .as_ref()
            .map_or(PathAndQuery::from_static("/"), |path| path.0.clone()),
        host: health.host.as_ref().map(|host| HeaderValue::clone(&host.0)),
        statuses: statuses.map_or_else(
            || vec![200..=299],
            |statuses| statuses.iter().map(|status| status.range()).collect(),
        ),
        body,
    })
}

pub(super) fn eject(eject: Option<&Setting<model::Eject>>) -> Option<Eject> {
    let default = model::Eject::default();
    let eject = match eject {
        None => &default,
        Some(Setting::On(eject)) => eject,
        Some(Setting::Off(_)) => return None,
    };
    Some(Eject {
        consecutive_failures: eject.consecutive_failures,
        consecutive_gateway_errors: eject.consecutive_gateway_errors,
        consecutive_5xx: eject.consecutive_5xx,
        success_rate: eject.success_rate.as_ref().map(|rule| SuccessRate {
            factor: f64::from(rule.deviations),
            min_endpoints: rule.min_endpoints as usize,
            min_requests: rule.min_requests.into(),
        }),
        latency: eject.latency.as_ref().map(|rule| LatencyOutlier {
            factor: f64::from(rule.times),
            at_least: rule.at_least.to_std(),
            min_endpoints: rule.min_endpoints as usize,
            min_requests: rule.min_requests.into(),
        }),
        interval: eject.interval.to_std(),
        base: eject.base.to_std(),
        max: eject.max_for.to_std(),
        max_ejected: eject.max_ejected.fraction(),
        trial: eject.trial,
    })
}
