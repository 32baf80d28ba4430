//! Services: the state of their endpoints, and the operator's word on their weights.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use lintel_upstream::{
    Service,
    discovery::SourceStatus,
    guard::{GuardStatus, WINDOW_SECS},
    service::{EndpointStatus, OrderError},
};
use serde_json::{Map, Value, json};

use crate::Gateway;

type Shared = State<Arc<Gateway>>;

pub(super) fn routes() -> Router<Arc<Gateway>> {
    let weight = put(set_weight).delete(configured_weight);
    let drain = post(drain).delete(configured_weight);
    Router::new()
        .route("/services", get(all))
        .route("/services/{service}", get(one))
        .route("/services/{service}/endpoints/{id}/weight", weight)
        .route("/services/{service}/endpoints/{id}/drain", drain)
}

async fn all(State(gateway): Shared) -> Json<Value> {
    let built = gateway.built();
    let services = built.generation.snapshot.services.iter();
    let shown = services.map(|service| (service.name().to_string(), view(service)));
    Json(Value::Object(shown.collect::<Map<_, _>>()))
}

async fn one(State(gateway): Shared, Path(name): Path<String>) -> Response {
    match gateway.service(&name) {
        Some(service) => Json(view(&service)).into_response(),
        None => not_found("there is no service of this name"),
    }
}

async fn set_weight(
    State(gateway): Shared,
    Path((service, id)): Path<(String, String)>,
    body: String,
) -> Response {
    match body.trim().parse() {
        Ok(weight) => order(&gateway, &service, &id, Some(weight)),
        Err(_) => (
            StatusCode::BAD_REQUEST,
            "send the weight, a whole number, as the body\n",
        )
            .into_response(),
    }
}

async fn drain(State(gateway): Shared, Path((service, id)): Path<(String, String)>) -> Response {
    order(&gateway, &service, &id, Some(0))
}

async fn configured_weight(
    State(gateway): Shared,
    Path((service, id)): Path<(String, String)>,
) -> Response {
    order(&gateway, &service, &id, None)
}

fn order(gateway: &Gateway, name: &str, id: &str, weight: Option<u32>) -> Response {
    let Some(service) = gateway.service(name) else {
        return not_found("there is no service of this name");
    };
    match service.set_weight(id, weight) {
        Ok(()) => {
            let status = service.status();
            let endpoint = status.iter().find(|endpoint| endpoint.id == id);
            Json(endpoint.map_or(Value::Null, endpoint_view)).into_response()
        }
        Err(error @ OrderError::Unknown) => not_found(&error.to_string()),
        Err(error @ OrderError::TooLarge) => {
            (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
        }
        Err(error @ OrderError::Last) => {
            (StatusCode::CONFLICT, format!("{error}\n")).into_response()
        }
    }
}

fn not_found(why: &str) -> Response {
    (StatusCode::NOT_FOUND, format!("{why}\n")).into_response()
}

fn view(service: &Service) -> Value {
    let endpoints: Vec<Value> = service.status().iter().map(endpoint_view).collect();
    let mut shown = json!({ "endpoints": endpoints, "guard": guard(&service.guard_status()) });
    if let (Some(status), Some(shown)) = (service.source_status(), shown.as_object_mut()) {
        shown.insert("discovery".to_owned(), source(&status));
    }
    shown
}

/// How the source of a service's endpoints does.
fn source(status: &SourceStatus) -> Value {
    json!({
        "source": status.source,
        "endpoints": status.endpoints,
        "last_success": status.last_success.map(seconds),
        "last_error": status.failing.as_ref().map(|failing| &failing.error),
        "stale_since": status.failing.as_ref().map(|failing| seconds(failing.since)),
        "notes": status.notes,
    })
}

/// What holds requests to a service back, or may.
fn guard(status: &GuardStatus) -> Value {
    let mut shown = limits(status);
    if let Some(shown) = shown.as_object_mut() {
        let budget = json!({
            "window_seconds": WINDOW_SECS,
            "requests": status.budget_requests,
            "retries": status.budget_retries,
        });
        shown.insert("retry_budget".to_owned(), budget);
    }
    shown
}

/// What services and routes have of it.
pub(super) fn limits(status: &GuardStatus) -> Value {
    json!({
        "breaker": status.breaker.name(),
        "requests": status.requests,
        "request_limit": status.limit,
    })
}

fn endpoint_view(endpoint: &EndpointStatus) -> Value {
    let history: Vec<Value> = endpoint
        .history
        .iter()
        .map(|one| json!({ "at": seconds(one.at), "what": one.turn.to_string() }))
        .collect();
    json!({
        "id": endpoint.id,
        "endpoint": endpoint.endpoint,
        "addresses": endpoint.addresses,
        "weight": endpoint.weight,
        "configured_weight": endpoint.configured_weight,
        "priority": endpoint.priority,
        "zone": endpoint.zone,
        "share": (endpoint.share * 1e4).round() / 1e4,
        "state": endpoint.state.to_string(),
        "since": endpoint.since.map(seconds),
        "in_flight": endpoint.in_flight,
        "idle_connections": endpoint.idle,
        "latency_ms": endpoint.latency.map(|latency| (latency.as_secs_f64() * 1e5).round() / 1e2),
        "history": history,
    })
}

/// Seconds since 1970.
fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
