//! What is logged and counted of the legs of a request.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use lintel_compose::{Leg, Outcome, Results};
use lintel_kernel::{LegRecord, LegRecords};
use lintel_telemetry::metrics::family::{
    COMPOSE_ANSWERS, COMPOSE_COALESCED, COMPOSE_LAST_GOOD, COMPOSE_LEG_DURATION, COMPOSE_LEGS,
};

use super::{Compose, Sample, answer::Answered};
use crate::active::Active;

pub(super) fn record(
    active: &mut Active,
    compose: &Compose,
    results: &Results<'_>,
    spans: &[(usize, u64)],
) {
    let mut records = LegRecords::default();
    for (index, leg) in compose.plan.legs().iter().enumerate() {
        let mut record = match (results.outcome(index), results.given_up(index)) {
            (Some(outcome), _) => done(leg, outcome),
            (None, Some(took)) => LegRecord {
                took,
                ..blank(leg, "cancelled")
            },
            (None, None) => continue,
        };
        let terms = compose.calls.get(index).and_then(Option::as_ref);
        record.service = terms.and_then(|terms| u32::try_from(terms.service).ok());
        let span = spans.iter().find(|(called, _)| *called == index);
        record.span_id = span.map_or(0, |(_, span)| *span);
        count(active, index, &record);
        records.0.push(record);
    }
    let attempts = records.0.iter().map(|record| record.attempts);
    active.exchange.attempts = attempts.fold(0, u8::saturating_add);
    active.exchange.legs = Some(Box::new(records));
}

/// Keeps the request to be looked at, now and then.
pub(super) fn sample(active: &Active, compose: &Compose, answered: &Answered, took: Duration) {
    compose.samples.offer(|| Sample {
        at: SystemTime::now(),
        request_id: active.exchange.id.as_str().to_owned(),
        result: answered.result().1,
        took,
        legs: active.exchange.legs.as_deref().cloned().unwrap_or_default(),
    });
}

/// Counts what came of a request.
pub(super) fn count_answer(active: &Active, answered: &Answered) {
    let (result, word) = answered.result();
    let route = active.exchange.route.unwrap_or(u32::MAX);
    let labels = [active.exchange.route_name(), word];
    active
        .local
        .count(&COMPOSE_ANSWERS, [route, result, 0], &labels);
}

/// Counts a request that waits for another one.
pub(super) fn joined(active: &Active) {
    let route = active.exchange.route.unwrap_or(u32::MAX);
    let labels = [active.exchange.route_name()];
    active
        .local
        .count(&COMPOSE_COALESCED, [route, 0, 0], &labels);
}

fn count(active: &Active, index: usize, record: &LegRecord) {
    let route = active.exchange.route.unwrap_or(u32::MAX);
    let name = active.exchange.route_name();
    let number = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
    let result = RESULTS.iter().position(|known| *known == record.result);
    let result = result.map_or(u32::MAX, number);
    let labels = [name, &record.leg, record.result];
    let key = [route, number(index), result];
    active.local.count(&COMPOSE_LEGS, key, &labels);
    if record.last_good.is_some() {
        let key = [route, number(index), 0];
        active
            .local
            .count(&COMPOSE_LAST_GOOD, key, &[name, &*record.leg]);
    }
    if record.span_id != 0 {
        let labels = [name, &*record.leg];
        let key = [route, number(index), 0];
        let local = &active.local;
        local.time(&COMPOSE_LEG_DURATION, key, &labels, record.took);
    }
}

const RESULTS: [&str; 16] = [
    "answered",
    "skipped",
    "cancelled",
    "timeout",
    "status",
    "unreachable",
    "unavailable",
    "too_large",
    "not_json",
    "no_value",
    "dependency",
    "too_many",
    "filter",
    "unfit",
    "not_grpc",
    "graphql_errors",
];

fn done(leg: &Leg, outcome: &Outcome) -> LegRecord {
    let result = match (outcome.error, outcome.skipped) {
        (Some(reason), _) => reason.code(),
        (None, true) => "skipped",
        (None, false) => "answered",
    };
    LegRecord {
        status: outcome.status.unwrap_or_default(),
        began: outcome.began,
        took: outcome.took,
        endpoint: outcome.endpoint,
        attempts: outcome.attempts,
        last_good: outcome.last_good,
        cause: outcome.cause.as_deref().map(Box::from),
        ..blank(leg, result)
    }
}

fn blank(leg: &Leg, result: &'static str) -> LegRecord {
    LegRecord {
        leg: Arc::clone(&leg.name),
        service: None,
        span_id: 0,
        result,
        status: 0,
        began: Default::default(),
        took: Default::default(),
        endpoint: None,
        attempts: 0,
        last_good: None,
        cause: None,
    }
}
