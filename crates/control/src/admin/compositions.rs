//! Compositions: their plans, and requests that were seen.

use std::{sync::Arc, time::SystemTime};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use lintel_kernel::LegRecord;
use lintel_proxy::{
    Snapshot,
    compose::{Compose, Sample},
    snapshot::Action,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Gateway, compose, picture};

type Shared = State<Arc<Gateway>>;

pub(super) fn routes() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/routes/{route}/compose", get(plan))
        .route("/routes/{route}/compose.svg", get(drawn))
}

/// Which of the requests is drawn.
#[derive(Deserialize)]
struct Choice {
    /// 0 for the last one.
    #[serde(default)]
    sample: usize,
}

fn found<R>(
    gateway: &Gateway,
    name: &str,
    show: impl FnOnce(&Snapshot, &Compose) -> R,
) -> Result<R, (StatusCode, &'static str)> {
    let built = gateway.built();
    let snapshot = &built.generation.snapshot;
    let mut routes = snapshot.routes.iter();
    match routes
        .find(|route| &*route.name == name)
        .map(|route| &route.action)
    {
        Some(Action::Compose(compose)) => Ok(show(snapshot, compose)),
        Some(_) => Err((StatusCode::NOT_FOUND, "this route does not compose\n")),
        None => Err((StatusCode::NOT_FOUND, "there is no route of this name\n")),
    }
}

async fn plan(State(gateway): Shared, Path(route): Path<String>) -> Response {
    let shown = found(&gateway, &route, |snapshot, compose| {
        let mut plan = compose::plan(snapshot, compose);
        let samples: Vec<Value> = compose.samples.last().iter().map(sample).collect();
        if let Some(plan) = plan.as_object_mut() {
            plan.insert("samples".to_owned(), samples.into());
        }
        Json(plan)
    });
    shown.into_response()
}

async fn drawn(
    State(gateway): Shared,
    Path(route): Path<String>,
    Query(Choice { sample }): Query<Choice>,
) -> Response {
    let drawn = found(&gateway, &route, |snapshot, compose| {
        let samples = compose.samples.last();
        picture::draw(snapshot, &route, compose, samples.get(sample))
    });
    let kind = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'",
        ),
    ];
    drawn.map(|svg| (kind, svg)).into_response()
}

fn sample(sample: &Sample) -> Value {
    let at = sample.at.duration_since(SystemTime::UNIX_EPOCH);
    json!({
        "request_id": sample.request_id,
        "at": at.unwrap_or_default().as_secs(),
        "result": sample.result,
        "took_ms": sample.took.as_secs_f64() * 1000.0,
        "legs": sample.legs.0.iter().map(leg).collect::<Vec<_>>(),
    })
}

fn leg(leg: &LegRecord) -> Value {
    json!({
        "leg": leg.leg,
        "result": leg.result,
        "status": Some(leg.status).filter(|status| *status > 0),
        "at_ms": leg.began.as_secs_f64() * 1000.0,
        "took_ms": leg.took.as_secs_f64() * 1000.0,
        "endpoint": leg.endpoint,
        "attempts": leg.attempts,
        "last_good_age": leg.last_good.map(|age| age.as_secs()),
        "cause": leg.cause,
    })
}
