//! Quotas: what everybody has used of them, and the operator's word on it.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use lintel_policies::quota::{NoCount, Quota};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Gateway;

type Shared = State<Arc<Gateway>>;

/// Stands for the key of a quota that all requests share.
const ALL: &str = "*";

/// What is to become of a count: one of the two.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Change {
    /// What is used from now on.
    Used(u64),
    /// How much more is used; less where it is negative.
    Add(i64),
}

pub(super) fn routes() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/quotas", get(all))
        .route("/quotas/{quota}", get(one))
        .route("/quotas/{quota}/{key}", get(entry).patch(change))
}

async fn all(State(gateway): Shared) -> Json<Value> {
    let shown = tokio::task::spawn_blocking(move || {
        let quotas = known(&gateway).into_values();
        Value::Array(quotas.map(|quota| view(&quota)).collect())
    });
    Json(shown.await.unwrap_or_default())
}

async fn one(State(gateway): Shared, Path(id): Path<String>) -> Response {
    match known(&gateway).remove(&id) {
        Some(quota) => Json(view(&quota)).into_response(),
        None => not_found("there is no quota of this name"),
    }
}

async fn entry(State(gateway): Shared, Path((id, key)): Path<(String, String)>) -> Response {
    match known(&gateway).remove(&id) {
        Some(quota) => answer(&quota, &key, quota.used(inner(&key), now()).await),
        None => not_found("there is no quota of this name"),
    }
}

async fn change(
    State(gateway): Shared,
    Path((id, key)): Path<(String, String)>,
    body: String,
) -> Response {
    let Some(quota) = known(&gateway).remove(&id) else {
        return not_found("there is no quota of this name");
    };
    let change = match serde_json::from_str(&body) {
        Ok(change) => change,
        Err(_) => {
            return (
                StatusCode::BAD_REQUEST,
                "send `{\"used\": 500}` or `{\"add\": -100}` as the body\n",
            )
                .into_response();
        }
    };
    let own = inner(&key);
    let done = match change {
        Change::Used(used) => quota.set(own, now(), used).await,
        Change::Add(more) => quota.add(own, now(), more).await,
    };
    if done.is_ok() {
        tracing::info!(
            quota = quota.id(),
            key,
            change = body,
            "a count was changed"
        );
    }
    answer(&quota, &key, done)
}

/// The quotas of the configuration that serves, by what they are called.
fn known(gateway: &Gateway) -> BTreeMap<String, Arc<Quota>> {
    let built = gateway.built();
    let routes = built.generation.snapshot.routes.iter();
    let quotas = routes.flat_map(|route| route.chain.quotas());
    quotas.map(|quota| (quota.id().to_owned(), quota)).collect()
}

fn view(quota: &Quota) -> Value {
    let (now, limit) = (now(), quota.allotment());
    let period = quota.period(now);
    let mut shown = json!({
        "quota": quota.id(),
        "limit": limit.count,
        "per": limit.per.name(),
        "time_zone": quota.time_zone(),
        "period": { "start": period.start, "end": period.end },
        "store": quota.store(),
    });
    if let (None, Some(shown)) = (quota.store(), shown.as_object_mut()) {
        let entries = quota.entries(now);
        let entries = entries
            .iter()
            .map(|(key, used)| json!({ "key": outer(key), "used": used }));
        shown.insert("used".to_owned(), entries.collect());
    }
    shown
}

fn answer(quota: &Quota, key: &str, used: Result<u64, NoCount>) -> Response {
    let limit = quota.allotment().count;
    match used {
        Ok(used) => Json(json!({
            "quota": quota.id(),
            "key": key,
            "used": used,
            "limit": limit,
            "left": limit.saturating_sub(used),
            "period_end": quota.period(now()).end,
        }))
        .into_response(),
        Err(why @ NoCount::Unknown) => not_found(&why.to_string()),
        Err(why @ NoCount::StoreAway(_)) => {
            (StatusCode::BAD_GATEWAY, format!("{why}\n")).into_response()
        }
    }
}

fn inner(key: &str) -> &str {
    if key == ALL { "" } else { key }
}

fn outer(key: &str) -> &str {
    if key.is_empty() { ALL } else { key }
}

fn not_found(why: &str) -> Response {
    (StatusCode::NOT_FOUND, format!("{why}\n")).into_response()
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
