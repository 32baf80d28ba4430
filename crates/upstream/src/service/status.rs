//! Endpoints as people see them.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    endpoint::{Endpoint, Placement},
    load::Load,
};
use crate::health::{Moment, Transition, Turn};

/// An endpoint as shown by the admin interface and `lintel explain`.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointStatus {
    /// What the admin interface knows it by: stable as long as it is written and reached the same.
    /// Empty while a name is unresolved.
    pub id: String,
    /// As configured: `http://orders.svc:8080`.
    pub endpoint: String,
    /// Where connections go: addresses, or the path of a socket. Empty while a name is unresolved.
    pub addresses: Vec<String>,
    /// Its part of the service's traffic, relative to the others' weights here.
    pub weight: u32,
    /// Its weight in the configuration, where the operator has given it another one.
    pub configured_weight: Option<u32>,
    /// Whether it is asked first.
    pub priority: u8,
    /// The zone it is in.
    pub zone: Option<Arc<str>>,
    /// The part of the traffic that goes to it now, from 0 to 1.
    pub share: f64,
    /// What it is able to do.
    pub state: EndpointState,
    /// When that began, as far as anything has happened.
    pub since: Option<SystemTime>,
    /// How long its answers take, as peak EWMA; the mean over workers.
    pub latency: Option<Duration>,
    /// What happened to it, oldest first.
    pub history: Vec<Transition>,
    /// Requests that are on their way, over all workers.
    pub in_flight: u32,
    /// Connections kept for the next request, over all workers.
    pub idle: u32,
}

/// What an endpoint is able to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointState {
    /// Takes requests.
    Ready,
    /// Takes no new ones: its weight is 0.
    Drained,
    /// It gets none until its first check has passed.
    Unchecked,
    /// Checks fail: why.
    Unhealthy(String),
    /// It gets none for a while: why.
    Ejected(String),
    /// It was ejected, and is tried with few requests.
    OnTrial,
    /// Its name is being resolved for the first time.
    Resolving,
    /// Its name has no address: why.
    Unresolved(String),
}

impl fmt::Display for EndpointState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::Drained => f.write_str("drained"),
            Self::Unchecked => f.write_str("unchecked"),
            Self::Unhealthy(why) => write!(f, "unhealthy: {why}"),
            Self::Ejected(why) => write!(f, "ejected: {why}"),
            Self::OnTrial => f.write_str("on trial"),
            Self::Resolving => f.write_str("resolving"),
            Self::Unresolved(why) => write!(f, "unresolved: {why}"),
        }
    }
}

impl Endpoint {
    pub(crate) fn status(&self, placement: &Placement, share: f64) -> EndpointStatus {
        let loads = self.loads();
        let shelved = u32::try_from(self.shelf.len()).unwrap_or(u32::MAX);
        let history = self.health.story();
        EndpointStatus {
            id: self.id(),
            endpoint: self.spec().to_string(),
            addresses: self.target().names(),
            weight: placement.weight,
            configured_weight: self
                .ordered(placement.configured)
                .map(|_| placement.configured),
            priority: placement.priority,
            zone: placement.zone.clone(),
            share,
            state: self.state(placement.weight, &history),
            since: history.last().map(|last| last.at),
            latency: mean_latency(&loads),
            history,
            in_flight: loads.iter().map(|load| load.in_flight.value()).sum(),
            idle: loads.iter().map(|load| load.idle.value()).sum::<u32>() + shelved,
        }
    }

    fn state(&self, weight: u32, history: &[Transition]) -> EndpointState {
        let last = |fits: fn(&Turn) -> bool| {
            let turn = history.iter().rev().find(|one| fits(&one.turn));
            turn.map(|one| &one.turn)
        };
        if weight == 0 {
            EndpointState::Drained
        } else if self.health.is_failing() {
            let why = match last(|turn| matches!(turn, Turn::Unhealthy(_))) {
                Some(Turn::Unhealthy(why)) => why.to_string(),
                _ => String::new(),
            };
            EndpointState::Unhealthy(why)
        } else if self.health.is_ejected() {
            let why = match last(|turn| matches!(turn, Turn::Ejected { .. })) {
                Some(Turn::Ejected { reason, .. }) => reason.to_string(),
                _ => String::new(),
            };
            EndpointState::Ejected(why)
        } else if self.health.is_unchecked() {
            EndpointState::Unchecked
        } else if self.health.is_on_trial() {
            EndpointState::OnTrial
        } else {
            EndpointState::Ready
        }
    }
}

fn mean_latency(loads: &[Arc<Load>]) -> Option<Duration> {
    let now = Moment::now();
    let known: Vec<f64> = loads
        .iter()
        .map(|load| load.results.latency(now))
        .filter(|seconds| *seconds > 0.0)
        .collect();
    let count = u32::try_from(known.len()).ok().filter(|count| *count > 0)?;
    Some(Duration::from_secs_f64(
        known.iter().sum::<f64>() / f64::from(count),
    ))
}
