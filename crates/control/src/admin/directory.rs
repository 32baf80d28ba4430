//! Consumers and plans that are kept outside the configuration.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use lintel_config::directory::{Directory, Entry, Kind, Unchanged};
use lintel_state::store::NotChanged;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Gateway;

type Shared = State<Arc<Gateway>>;

/// Entries of one page, where nothing else is asked for, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;
/// How often a change is begun anew that another came before.
const TRIES: usize = 5;

/// Which part of a list is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    after: Option<String>,
    limit: Option<usize>,
}

pub(super) fn routes() -> Router<Arc<Gateway>> {
    let kind = |kind: Kind| {
        let section = kind.section();
        let one = get(move |state: Shared, Path(name): Path<String>| async move {
            entry(&state.0, kind, &name)
        })
        .put(
            move |state: Shared, Path(name): Path<String>, headers: HeaderMap, body: String| async move {
                change(&state.0, kind, &name, &headers, Some(&body)).await
            },
        )
        .delete(
            move |state: Shared, Path(name): Path<String>, headers: HeaderMap| async move {
                change(&state.0, kind, &name, &headers, None).await
            },
        );
        Router::new()
            .route(
                &format!("/{section}"),
                get(move |state: Shared, part: Query<Part>| async move {
                    entries(&state.0, kind, &part.0)
                }),
            )
            .route(&format!("/{section}/{{name}}"), one)
    };
    kind(Kind::Consumer)
        .merge(kind(Kind::Plan))
        .route("/consumers/{name}/keys", post(add_key))
        .route(
            "/consumers/{name}/keys/{id}",
            axum::routing::delete(remove_key),
        )
}

/// How it is with all of them, for `/config/status`.
pub(super) fn status(gateway: &Gateway) -> Option<Value> {
    let built = gateway.built();
    let status = built.directory()?.status();
    let refused = status.faults.iter();
    let refused = refused.map(|(entry, why)| json!({ "entry": entry, "why": why }));
    Some(json!({
        "source": status.source,
        "consumers": status.consumers,
        "plans": status.plans,
        "refused": status.refused,
        "faults": refused.collect::<Value>(),
        "last_success": status.heard,
        "last_error": status.failing,
    }))
}

fn entries(gateway: &Gateway, kind: Kind, part: &Part) -> Response {
    with(gateway, |directory| {
        let most = part.limit.unwrap_or(PAGE).min(LARGEST_PAGE);
        let entries = directory.entries(kind, part.after.as_deref(), most);
        let next = entries.last().filter(|_| entries.len() == most);
        let next = next.map(|last| last.name.to_string());
        let shown: Vec<Value> = entries.iter().map(view).collect();
        Json(json!({ kind.section(): shown, "next": next })).into_response()
    })
}

fn entry(gateway: &Gateway, kind: Kind, name: &str) -> Response {
    with(gateway, |directory| match directory.entry(kind, name) {
        Some(entry) => tagged(StatusCode::OK, entry.number, view(&entry)),
        None => unknown(kind),
    })
}

async fn change(
    gateway: &Gateway,
    kind: Kind,
    name: &str,
    headers: &HeaderMap,
    text: Option<&str>,
) -> Response {
    let built = gateway.built();
    let Some(directory) = built.directory() else {
        return none();
    };
    let Ok(expected) = expected(headers) else {
        let text = "`If-Match` is the `ETag` of an answer, such as `\"7\"`\n";
        return (StatusCode::BAD_REQUEST, text).into_response();
    };
    let known = directory.entry(kind, name).is_some();
    match directory.change(kind, name, text, expected).await {
        Ok(number) => {
            let what = if text.is_some() { "put" } else { "removed" };
            tracing::info!(
                kind = kind.noun(),
                name,
                number,
                "{what} through the admin API"
            );
            match (text, known) {
                (None, _) => StatusCode::NO_CONTENT.into_response(),
                (Some(_), true) => done(directory, kind, name, number, StatusCode::OK),
                (Some(_), false) => done(directory, kind, name, number, StatusCode::CREATED),
            }
        }
        Err(why) => refused(kind, why),
    }
}

async fn add_key(state: Shared, Path(name): Path<String>, body: String) -> Response {
    let key: Value = match serde_json::from_str(&body) {
        Ok(key @ Value::Object(_)) => key,
        _ => {
            let text = "send what `lintel keys new --json` prints but the key itself, such as `{\"sha256\": \"…\", \"id\": \"acme-2027\"}`\n";
            return (StatusCode::BAD_REQUEST, text).into_response();
        }
    };
    amend(&state.0, &name, StatusCode::CREATED, |keys| {
        keys.push(key.clone());
        true
    })
    .await
}

async fn remove_key(state: Shared, Path((name, id)): Path<(String, String)>) -> Response {
    amend(&state.0, &name, StatusCode::OK, |keys| {
        let before = keys.len();
        keys.retain(|key| !is_called(key, &id));
        keys.len() < before
    })
    .await
}

/// By its id, or as the log calls one without: the first digits of its hash, or its prefix.
fn is_called(key: &Value, id: &str) -> bool {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    match (text("id"), text("sha256"), text("prefix")) {
        (Some(own), _, _) => own == id,
        (None, Some(digest), _) => id.len() >= 8 && digest.starts_with(id),
        (None, None, Some(prefix)) => prefix == id,
        _ => false,
    }
}

/// Changes the keys of a consumer, and nothing that somebody else changes at the same time.
async fn amend(
    gateway: &Gateway,
    name: &str,
    good: StatusCode,
    edit: impl Fn(&mut Vec<Value>) -> bool,
) -> Response {
    let built = gateway.built();
    let Some(directory) = built.directory() else {
        return none();
    };
    for _ in 0..TRIES {
        let Some((number, mut value)) = directory.written(Kind::Consumer, name) else {
            return unknown(Kind::Consumer);
        };
        let keys = value.as_object_mut();
        let keys = keys.map(|map| map.entry("api_keys").or_insert_with(|| json!([])));
        let Some(keys) = keys.and_then(Value::as_array_mut) else {
            return unknown(Kind::Consumer);
        };
        if !edit(keys) {
            let text = "the consumer has no such key; `GET /consumers/NAME` shows its keys\n";
            return (StatusCode::NOT_FOUND, text).into_response();
        }
        let text = value.to_string();
        let changed = directory.change(Kind::Consumer, name, Some(&text), Some(number));
        match changed.await {
            Ok(number) => {
                tracing::info!(
                    consumer = name,
                    number,
                    "its keys were changed through the admin API"
                );
                return done(directory, Kind::Consumer, name, number, good);
            }
            Err(Unchanged::Store(NotChanged::Other)) => {}
            Err(why) => return refused(Kind::Consumer, why),
        }
    }
    refused(Kind::Consumer, Unchanged::Store(NotChanged::Other))
}

fn with(gateway: &Gateway, work: impl FnOnce(&Directory) -> Response) -> Response {
    let built = gateway.built();
    built.directory().map_or_else(none, work)
}

/// The number that `If-Match` demands (RFC 9110 §13.1.1), or that there be none (`If-None-Match: *`).
fn expected(headers: &HeaderMap) -> Result<Option<u64>, ()> {
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|value| value == "*")
    {
        return Ok(Some(0));
    }
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let number = value.to_str().map_err(|_| ())?.trim().trim_matches('"');
    number.parse().map(Some).map_err(|_| ())
}

fn view(entry: &Entry) -> Value {
    json!({ "name": entry.name, "number": entry.number, "value": entry.value })
}

fn done(
    directory: &Directory,
    kind: Kind,
    name: &str,
    number: u64,
    status: StatusCode,
) -> Response {
    let shown = directory.entry(kind, name).as_ref().map(view);
    tagged(
        status,
        number,
        shown.unwrap_or_else(|| json!({ "name": name, "number": number })),
    )
}

fn tagged(status: StatusCode, number: u64, body: Value) -> Response {
    (
        status,
        [(header::ETAG, format!("\"{number}\""))],
        Json(body),
    )
        .into_response()
}

fn refused(kind: Kind, why: Unchanged) -> Response {
    let (status, text) = match why {
        Unchanged::Wrong(text) => (StatusCode::UNPROCESSABLE_ENTITY, text),
        Unchanged::File => (
            StatusCode::CONFLICT,
            "consumers and plans are kept in a file; change them there".to_owned(),
        ),
        Unchanged::Store(NotChanged::Full) => (
            StatusCode::INSUFFICIENT_STORAGE,
            "there is no room: raise `directory.max_entries`".to_owned(),
        ),
        Unchanged::Store(NotChanged::Other) => (
            StatusCode::PRECONDITION_FAILED,
            format!(
                "somebody else has changed the {} before; look at it again",
                kind.noun()
            ),
        ),
        Unchanged::Store(NotChanged::Unknown) => return unknown(kind),
        Unchanged::Store(NotChanged::Away) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store does not answer, or not in time: look whether it has changed".to_owned(),
        ),
    };
    (status, format!("{}\n", text.trim_end())).into_response()
}

fn unknown(kind: Kind) -> Response {
    let text = format!("the directory has no such {}\n", kind.noun());
    (StatusCode::NOT_FOUND, text).into_response()
}

fn none() -> Response {
    let text = "consumers and plans are written in the configuration; change them there, or add `directory: { store: NAME }`\n";
    (StatusCode::CONFLICT, text).into_response()
}
