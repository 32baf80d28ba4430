//! What a run shows.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::client::{Outcome, Sample};
use super::faults::{Fault, Kind};
use super::origin::Mode;
use super::scene::Scene;
use crate::proxies::Proxy;
use crate::table::figure;

/// Without a request for so long, an endpoint is taken out.
const OUT: Duration = Duration::from_secs(1);

/// Everything that was seen of one fault at one proxy.
#[derive(Debug)]
pub(super) struct Run {
    /// Requests to the service that fails, and to its neighbour.
    pub(super) samples: Vec<Sample>,
    pub(super) neighbour: Vec<Sample>,
    pub(super) begun: Instant,
    pub(super) fault: Instant,
    pub(super) over: Instant,
    pub(super) end: Instant,
    /// The proxy's count of failed connections, as it was looked at.
    pub(super) failures: Vec<(Instant, f64)>,
}

/// The columns of the table.
pub(super) const COLUMNS: &[&str] = &[
    "fault",
    "proxy",
    "requests",
    "errors",
    "of which",
    "out after s",
    "back after s",
    "tries/request",
    "p99 ms",
    "neighbour's errors",
    "its p99 ms, before",
    "during",
];

impl Run {
    /// A row of the table.
    pub(super) fn row(&self, fault: Fault, proxy: Proxy, scene: &Scene) -> Vec<String> {
        let during = |samples: &[Sample]| within(samples, self.fault, self.over);
        let asked = during(&self.samples);
        let bad = self
            .samples
            .iter()
            .filter(|one| one.outcome != Outcome::Good);
        let mut kinds = BTreeMap::<Outcome, usize>::new();
        for one in bad.clone() {
            *kinds.entry(one.outcome).or_default() += 1;
        }
        let strange = self
            .neighbour
            .iter()
            .filter(|one| one.outcome != Outcome::Good);
        vec![
            fault.title.to_owned(),
            proxy.name().to_owned(),
            self.samples.len().to_string(),
            bad.count().to_string(),
            shown(&kinds),
            self.out_after(fault, scene),
            self.back_after(fault, scene),
            figure(self.tries(scene) / asked.len() as f64),
            figure(p99(&asked)),
            strange.count().to_string(),
            figure(p99(&within(&self.neighbour, self.begun, self.fault))),
            figure(p99(&during(&self.neighbour))),
        ]
    }

    /// From the fault to the last request before the endpoint is let alone.
    fn out_after(&self, fault: Fault, scene: &Scene) -> String {
        let Kind::One(mode) = fault.kind else {
            return "–".to_owned();
        };
        let mut tries: Vec<Instant> = match mode {
            Mode::Refuse => self.refused().collect(),
            _ => {
                let seen = scene.first().seen(self.fault, self.over);
                seen.iter()
                    .filter(|seen| !seen.check)
                    .map(|seen| seen.at)
                    .collect()
            }
        };
        tries.push(self.over);
        let mut last = self.fault;
        for at in tries {
            if at.duration_since(last) >= OUT {
                return figure(last.duration_since(self.fault).as_secs_f64());
            }
            last = at;
        }
        "never".to_owned()
    }

    /// From the end of the fault to the first request to the endpoint, or to the last one that fails
    /// where all of them did.
    fn back_after(&self, fault: Fault, scene: &Scene) -> String {
        match fault.kind {
            Kind::One(_) | Kind::Flap => {
                let seen = scene.first().seen(self.over, self.end);
                let first = seen.iter().find(|seen| !seen.check);
                first.map_or_else(
                    || "never".to_owned(),
                    |first| figure(first.at.duration_since(self.over).as_secs_f64()),
                )
            }
            Kind::All | Kind::Name(_) => {
                let after = within(&self.samples, self.over, self.end);
                let bad = after.iter().filter(|one| one.outcome != Outcome::Good);
                let last = bad.map(|one| one.at).max();
                let good = after.iter().any(|one| one.outcome == Outcome::Good);
                match last {
                    _ if !good => "never".to_owned(),
                    None => "0".to_owned(),
                    Some(last) => figure(last.duration_since(self.over).as_secs_f64()),
                }
            }
        }
    }

    /// Tries during the fault: requests that arrived, and connections that could not be made.
    fn tries(&self, scene: &Scene) -> f64 {
        let arrived = scene.endpoints.iter().map(|endpoint| {
            let seen = endpoint.seen(self.fault, self.over);
            seen.iter().filter(|seen| !seen.check).count()
        });
        let known = |until: Instant| {
            let before = self.failures.iter().filter(|(at, _)| *at <= until);
            before.map(|(_, count)| *count).fold(0.0, f64::max)
        };
        let refused = known(self.over + Duration::from_millis(500)) - known(self.fault);
        arrived.sum::<usize>() as f64 + refused
    }

    /// When the proxy had counted more failed connections than before.
    fn refused(&self) -> impl Iterator<Item = Instant> {
        let pairs = self.failures.iter().zip(self.failures.iter().skip(1));
        let more = pairs.filter(|((_, before), (_, after))| after > before);
        more.map(|(_, (at, _))| *at)
            .filter(|at| (self.fault..self.over).contains(at))
    }
}

fn within(samples: &[Sample], from: Instant, to: Instant) -> Vec<Sample> {
    let fits = |sample: &&Sample| (from..to).contains(&sample.at);
    samples.iter().filter(fits).copied().collect()
}

/// The 99th percentile of latencies in milliseconds.
fn p99(samples: &[Sample]) -> f64 {
    let mut latencies: Vec<Duration> = samples.iter().map(|one| one.took).collect();
    latencies.sort_unstable();
    let place = (latencies.len() * 99).div_ceil(100).saturating_sub(1);
    let found = latencies.get(place);
    found.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1_000.0)
}

fn shown(kinds: &BTreeMap<Outcome, usize>) -> String {
    let each = kinds.iter().map(|(kind, count)| {
        let kind = match kind {
            Outcome::Good => "200".to_owned(),
            Outcome::Status(status) => status.to_string(),
            Outcome::Broken => "broken".to_owned(),
            Outcome::Silence => "silence".to_owned(),
        };
        format!("{count} × {kind}")
    });
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_99th_of_a_hundred() {
        let at = Instant::now();
        let sample = |ms| Sample {
            at,
            took: Duration::from_millis(ms),
            outcome: Outcome::Good,
        };
        let samples: Vec<Sample> = (1..=100).rev().map(sample).collect();
        assert!((p99(&samples) - 99.0).abs() < 1e-9);
        assert!(p99(&[]).is_nan());
    }
}
