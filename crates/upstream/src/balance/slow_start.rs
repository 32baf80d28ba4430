//! Slow start: an endpoint that has just come gets its traffic little by little, so that its caches
//! and its runtime can warm up.

use std::time::Duration;

/// What it begins with (Envoy's `min_weight_percent`).
const BEGIN: f64 = 0.1;

/// The part of its weight that an endpoint has so long after it came, from 0.1 to 1: growing with
/// time, in a line.
pub fn ramp(since: Duration, window: Duration) -> f64 {
    if since >= window {
        return 1.0;
    }
    (since.as_secs_f64() / window.as_secs_f64()).max(BEGIN)
}
