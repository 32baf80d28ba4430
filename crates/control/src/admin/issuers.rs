//! Issuers of tokens whose keys are fetched.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{Json, extract::State};
use lintel_policies::{Issuer, IssuerStatus};
use serde_json::{Value, json};

use tokio::{task::JoinSet, time::timeout};

use crate::Gateway;

/// How long a refresh that was asked for is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// All of them, with the routes that believe them. An issuer that is fetched on different terms
/// stands here once for each.
pub(super) async fn all(State(gateway): State<Arc<Gateway>>) -> Json<Value> {
    Json(shown(&gateway))
}

fn shown(gateway: &Gateway) -> Value {
    let built = gateway.built();
    let mut issuers: BTreeMap<(String, *const Issuer), (IssuerStatus, Vec<&str>)> = BTreeMap::new();
    for route in &built.generation.snapshot.routes {
        for issuer in route.chain.issuers() {
            let status = issuer.status();
            let place = (status.source.clone(), Arc::as_ptr(&issuer));
            let (_, routes) = issuers.entry(place).or_insert((status, Vec::new()));
            routes.push(&route.name);
        }
    }
    let shown = issuers
        .values()
        .map(|(issuer, routes)| view(issuer, routes));
    Value::Array(shown.collect())
}

/// Fetches the keys of all of them at once, and shows what came of it.
pub(super) async fn refresh(State(gateway): State<Arc<Gateway>>) -> Json<Value> {
    let built = gateway.built();
    let routes = built.generation.snapshot.routes.iter();
    let mut issuers: Vec<Arc<Issuer>> = routes.flat_map(|route| route.chain.issuers()).collect();
    issuers.sort_by_key(Arc::as_ptr);
    issuers.dedup_by_key(|issuer| Arc::as_ptr(issuer));
    let mut refreshing = JoinSet::new();
    for issuer in issuers {
        refreshing.spawn(async move { issuer.refresh().await });
    }
    // Whatever is not done by then goes on.
    let all = async { while refreshing.join_next().await.is_some() {} };
    let _ = timeout(PATIENCE, all).await;
    Json(shown(&gateway))
}

fn view(issuer: &IssuerStatus, routes: &[&str]) -> Value {
    let keys = issuer.keys.iter();
    let keys = keys.map(|(id, algorithms)| json!({ "kid": id, "algorithms": algorithms }));
    json!({
        "source": issuer.source,
        "routes": routes,
        "keys": keys.collect::<Vec<_>>(),
        "left_out": issuer.left_out,
        "last_success": issuer.fetched.map(seconds),
        "next_refresh": issuer.next.map(seconds),
        "last_error": issuer.failing.as_ref().map(|(error, _)| error),
        "failing_since": issuer.failing.as_ref().map(|(_, since)| seconds(*since)),
        "withdrawn": issuer.withdrawn,
    })
}

/// Seconds since 1970.
fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
