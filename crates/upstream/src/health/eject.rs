//! Ejecting an endpoint, and the limit to it.

use std::time::Duration;

use super::{moment::Moment, rules::Eject};
use crate::service::{Endpoint, EndpointSet};

/// Ejects an endpoint of a set, unless too many are. For how long.
///
/// Workers that do this at the same time see each other's ejections: each sets its own first, then
/// counts, and takes it back where there are too many. So there never are for longer than that, and
/// an endpoint that is let off for it is ejected at its next failure.
pub(crate) fn eject(
    endpoint: &Endpoint,
    set: &EndpointSet,
    now: Moment,
    rules: &Eject,
) -> Option<Duration> {
    let in_use = || {
        let all = set.endpoints().iter().zip(set.weights().each());
        all.filter(|(_, weight)| **weight > 0)
    };
    let ejected = || in_use().filter(|(one, _)| one.health.is_ejected()).count();
    let allowed = rules.allowance(in_use().count());
    if ejected() >= allowed {
        return None;
    }
    let lasts = endpoint.health.eject(now, rules)?;
    if ejected() > allowed {
        endpoint.health.pardon();
        return None;
    }
    Some(lasts)
}
