//! How the gateway is.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};

use super::directory;
use crate::Gateway;

type Shared = State<Arc<Gateway>>;

/// Whether new traffic may be sent here.
pub(super) async fn readyz(State(gateway): Shared) -> (StatusCode, &'static str) {
    if gateway.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

/// Which configuration serves, why a newer one does not, and how it is with the consumers.
pub(super) async fn config(State(gateway): Shared) -> Json<Value> {
    let report = serde_json::to_value(gateway.status().report()).unwrap_or_default();
    let mut report = report;
    if let Some(map) = report.as_object_mut() {
        map.insert("path".to_owned(), json!(gateway.path()));
        map.insert(
            "generations_alive".to_owned(),
            json!(gateway.server().generations()),
        );
        if let Some(directory) = directory::status(&gateway) {
            map.insert("directory".to_owned(), directory);
        }
    }
    Json(report)
}
