//! The admin API: health, metrics, what is configured, reload.
//!
//! Runs on the control runtime; nothing it does can hold up a worker.

mod callers;
mod compositions;
mod directory;
mod identity;
mod issuers;
mod listen;
mod quotas;
mod revocations;
mod services;
mod status;
mod usage;
mod view;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use lintel_telemetry::{access_log, log, metrics};
use serde_json::{Value, json};

use callers::Callers;
pub use listen::{Admin, AdminError};

use crate::{Gateway, Reloaded};

type Shared = State<Arc<Gateway>>;

/// The admin API of a gateway. Health checks and public keys are open to all, the rest to those callers.
fn app(gateway: Arc<Gateway>, callers: Callers) -> Router {
    let open = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(status::readyz))
        .route("/.well-known/jwks.json", get(identity::keys));
    let guarded = Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics_page))
        .route("/config", get(config))
        .route("/config/status", get(status::config))
        .route("/config/reload", post(reload))
        .route("/routes", get(routes))
        .route("/listeners", get(listeners))
        .route("/workers", get(workers))
        .route(
            "/log/level",
            get(|| async { log::level() + "\n" }).put(set_level),
        )
        .route("/log/reopen", post(reopen))
        .route("/issuers", get(issuers::all))
        .route("/issuers/refresh", post(issuers::refresh))
        .route("/usage", get(usage::usage))
        .merge(compositions::routes())
        .merge(services::routes())
        .merge(quotas::routes())
        .merge(revocations::routes())
        .merge(directory::routes())
        .layer(middleware::from_fn_with_state(
            Arc::new(callers),
            callers::admit,
        ));
    open.merge(guarded).with_state(gateway)
}

async fn index() -> &'static str {
    include_str!("index.txt")
}

async fn metrics_page(State(gateway): Shared, headers: HeaderMap) -> Response {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let openmetrics = accept.contains("application/openmetrics-text");
    let media = if openmetrics {
        metrics::OPENMETRICS
    } else {
        metrics::PROMETHEUS_TEXT
    };
    gateway
        .catalogue()
        .process()
        .config_generations(gateway.server().generations().len() as u64);
    let rendered = tokio::task::spawn_blocking(move || {
        let mut out = Vec::new();
        gateway.measure();
        gateway.catalogue().render(&mut out, openmetrics);
        out
    });
    match rendered.await {
        Ok(page) => ([(header::CONTENT_TYPE, media)], page).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn config(State(gateway): Shared, headers: HeaderMap) -> Response {
    let redacted = gateway.loaded().redacted();
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    if accept.contains("application/json") {
        return Json(redacted).into_response();
    }
    (
        [(header::CONTENT_TYPE, "application/yaml")],
        lintel_config::to_yaml(&redacted),
    )
        .into_response()
}

async fn reload(State(gateway): Shared) -> Response {
    let reloaded = tokio::task::spawn_blocking(move || gateway.reload("admin")).await;
    match reloaded {
        Ok(Reloaded::Applied { generation }) => {
            Json(json!({ "outcome": "applied", "generation": generation })).into_response()
        }
        Ok(Reloaded::Unchanged) => Json(json!({ "outcome": "unchanged" })).into_response(),
        Ok(Reloaded::Refused { report }) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            Json(json!({ "outcome": "refused", "report": report })),
        )
            .into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn routes(State(gateway): Shared) -> Json<Value> {
    Json(view::routes(&gateway))
}

async fn listeners(State(gateway): Shared) -> Json<Value> {
    Json(view::listeners(&gateway))
}

async fn workers(State(gateway): Shared) -> Json<Value> {
    let shown = tokio::task::spawn_blocking(move || view::workers(&gateway)).await;
    Json(shown.unwrap_or_default())
}

async fn set_level(body: String) -> Response {
    match log::set_level(body.trim()) {
        Ok(()) => (StatusCode::OK, log::level() + "\n").into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

async fn reopen() -> StatusCode {
    access_log::reopen_all();
    StatusCode::NO_CONTENT
}
