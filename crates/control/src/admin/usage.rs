//! What was metered.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use lintel_policies::metering::{Row, Usage};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Gateway;

/// The hours that are asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    from: Option<String>,
    to: Option<String>,
}

pub(super) async fn usage(
    State(gateway): State<Arc<Gateway>>,
    Query(range): Query<Range>,
    headers: HeaderMap,
) -> Response {
    let time = |text: &Option<String>, default| match text {
        None => Some(default),
        Some(text) => lintel_policies::metering::time(text),
    };
    let (Some(from), Some(to)) = (time(&range.from, 0), time(&range.to, u64::MAX)) else {
        let hint = "write days or times in UTC: `/usage?from=2026-11-01&to=2026-12-01T12:00:00Z`\n";
        return (StatusCode::BAD_REQUEST, hint).into_response();
    };
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let as_json = accept.is_some_and(|accept| accept.contains("application/json"));
    // Years of hours take a while.
    let shown = tokio::task::spawn_blocking(move || {
        let built = gateway.built();
        let usage = Usage::of(built.usage(), from, to);
        if as_json {
            let rows: Vec<Value> = usage.rows().iter().map(view).collect();
            Json(rows).into_response()
        } else {
            (
                [(header::CONTENT_TYPE, "text/csv; charset=utf-8")],
                usage.csv(),
            )
                .into_response()
        }
    });
    let failed = || StatusCode::INTERNAL_SERVER_ERROR.into_response();
    shown.await.unwrap_or_else(|_| failed())
}

fn view(row: &Row) -> Value {
    json!({
        "hour": row.hour,
        "caller": row.caller,
        "route": row.route,
        "status": row.class,
        "requests": row.requests,
        "bytes_in": row.received,
        "bytes_out": row.sent,
    })
}
