//! Endpoints that do much worse than the others of their service.

use std::time::Duration;

use super::rules::{LatencyOutlier, SuccessRate};
use crate::service::Tally;

/// Endpoints with too few good answers, by index, with their share of good ones in tenths of a per
/// cent: below `mean - factor * stdev` over all endpoints with enough requests (Envoy, "Success
/// rate").
pub(crate) fn by_success(tallies: &[Tally], rule: &SuccessRate) -> Vec<(usize, u32)> {
    let rates = enough(tallies, rule.min_requests, |tally| {
        ratio(tally.good, tally.good + tally.bad)
    });
    if rates.len() < rule.min_endpoints.max(2) {
        return Vec::new();
    }
    let count = f64::from(u32::try_from(rates.len()).unwrap_or(u32::MAX));
    let mean = rates.iter().map(|(_, rate)| rate).sum::<f64>() / count;
    let squares = rates.iter().map(|(_, rate)| (rate - mean).powi(2));
    let deviation = (squares.sum::<f64>() / count).sqrt();
    let threshold = rule.factor.mul_add(-deviation, mean);
    let worse = rates.into_iter().filter(|(_, rate)| *rate < threshold);
    worse
        .map(|(index, rate)| (index, whole(rate * 1_000.0)))
        .collect()
}

/// Endpoints that are too slow, by index, with their mean latency in milliseconds: above `factor`
/// times the median of all endpoints with enough requests.
///
/// The median rather than the mean, so that one very slow endpoint does not hide the next.
pub(crate) fn by_latency(tallies: &[Tally], rule: &LatencyOutlier) -> Vec<(usize, u32)> {
    let means = enough(tallies, rule.min_requests, |tally| {
        ratio(tally.micros, tally.timed)
    });
    if means.len() < rule.min_endpoints.max(2) {
        return Vec::new();
    }
    let mut sorted: Vec<f64> = means.iter().map(|(_, mean)| *mean).collect();
    sorted.sort_by(f64::total_cmp);
    // The lower of the two in the middle: of two endpoints, the faster is the measure.
    let median = sorted.get((sorted.len() - 1) / 2).copied().unwrap_or(0.0);
    let floor = micros(rule.at_least);
    let slower = means
        .into_iter()
        .filter(|(_, mean)| *mean > (median * rule.factor).max(floor));
    slower
        .map(|(index, mean)| (index, whole(mean / 1_000.0)))
        .collect()
}

fn enough(tallies: &[Tally], least: u64, of: impl Fn(&Tally) -> f64) -> Vec<(usize, f64)> {
    let busy = tallies
        .iter()
        .enumerate()
        .filter(|(_, tally)| tally.good + tally.bad >= least.max(1));
    busy.map(|(index, tally)| (index, of(tally))).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of an interval")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, which is all the same for people"
)]
fn whole(number: f64) -> u32 {
    number.round() as u32
}
