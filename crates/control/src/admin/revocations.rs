//! What is revoked.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use lintel_config::{Revocations, model::Revocation};
use lintel_state::{
    revoked::Entry,
    store::{Kept, NotKept},
};
use serde_json::{Value, json};

use crate::Gateway;

type Shared = State<Arc<Gateway>>;

pub(super) fn routes() -> Router<Arc<Gateway>> {
    Router::new().route("/revocations", get(all).post(revoke).delete(restore))
}

async fn all(State(gateway): Shared) -> Json<Value> {
    let built = gateway.built();
    let revocations = built.revocations();
    let (written, shared) = revocations.revoked().entries();
    let view = |entries: Vec<Entry>| entries.iter().map(Revocation::from).collect::<Vec<_>>();
    let store = revocations.shared();
    let (heard, failing) = store.map(|store| store.status()).unwrap_or_default();
    Json(json!({
        "written": view(written),
        "stored": view(shared),
        "store": store.map(|store| store.terms().store.name()),
        "last_success": heard,
        "last_error": failing,
    }))
}

async fn revoke(State(gateway): Shared, body: String) -> Response {
    let entry: Revocation = match serde_json::from_str(&body) {
        Ok(entry) => entry,
        Err(error) => {
            let text = format!(
                "{error}\nsend `{{\"jti\": \"b7f1c2d0\"}}` or `{{\"sub\": \"ada\"}}` as the body\n"
            );
            return (StatusCode::BAD_REQUEST, text).into_response();
        }
    };
    let built = gateway.built();
    let revocations = built.revocations();
    let entry = match meant(&entry, revocations) {
        Ok(entry) => entry,
        Err(response) => return response,
    };
    let Some(store) = revocations.shared() else {
        return no_store();
    };
    match store.add(entry.clone()).await {
        Ok(kept) => {
            let stored = kept == Kept::Stored;
            let status = match stored {
                true => StatusCode::CREATED,
                false => StatusCode::ACCEPTED,
            };
            tracing::info!(entry = entry.name(), stored, "revoked");
            let shown = json!({ "revoked": Revocation::from(&entry), "stored": stored });
            (status, Json(shown)).into_response()
        }
        Err(why) => refused(why),
    }
}

async fn restore(State(gateway): Shared, Query(named): Query<Revocation>) -> Response {
    let built = gateway.built();
    let revocations = built.revocations();
    let entry = match meant(&named, revocations) {
        Ok(entry) => entry,
        Err(response) => return response,
    };
    let Some(store) = revocations.shared() else {
        return no_store();
    };
    match store.remove(entry.clone()).await {
        Ok(true) => {
            tracing::info!(entry = entry.name(), "a revocation was taken back");
            StatusCode::NO_CONTENT.into_response()
        }
        Ok(false) => (
            StatusCode::NOT_FOUND,
            "the store has no such entry; one with `iss` is another than one without\n",
        )
            .into_response(),
        Err(why) => refused(why),
    }
}

#[expect(
    clippy::result_large_err,
    reason = "once for each request to the admin API"
)]
fn meant(entry: &Revocation, revocations: &Revocations) -> Result<Entry, Response> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    let until = now.saturating_add(revocations.keep().as_secs());
    entry.entry(Some(now), until).map_err(|fault| {
        let hint = fault.hint.unwrap_or_default();
        (
            StatusCode::BAD_REQUEST,
            format!("{}: {hint}\n", fault.message),
        )
            .into_response()
    })
}

fn refused(why: NotKept) -> Response {
    match why {
        NotKept::Full => (
            StatusCode::INSUFFICIENT_STORAGE,
            "the list is full: raise `revocations.max_entries`, or give entries a nearer `until`\n",
        ),
        NotKept::Away => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store does not answer; nothing has changed\n",
        ),
    }
    .into_response()
}

fn no_store() -> Response {
    (
        StatusCode::CONFLICT,
        "what is revoked is written in the configuration; change it there, or add `revocations: { store: NAME }`\n",
    )
        .into_response()
}
