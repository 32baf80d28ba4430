//! What the admin API shows of a running gateway, as JSON.

use lintel_proxy::snapshot::Action;
use serde_json::{Map, Value, json};

use crate::Gateway;

pub(super) fn routes(gateway: &Gateway) -> Value {
    let (loaded, built) = (gateway.loaded(), gateway.built());
    let snapshot = &built.generation.snapshot;
    let effective = loaded.redacted();
    let shown = snapshot.routes.iter().map(|route| {
        let action = match &route.action {
            Action::Service(index) => {
                json!({ "service": snapshot.services.get(*index).map(|service| service.name()) })
            }
            Action::Split(split) => {
                let shares = split.shares().filter_map(|(index, weight)| {
                    let service = snapshot.services.get(index)?;
                    Some((service.name().to_string(), Value::from(weight)))
                });
                json!({
                    "split": shares.collect::<Map<_, _>>(),
                    "sticky": split.sticky().map(lintel_kernel::expr::Expr::source),
                    "cookie": split.cookie(),
                })
            }
            Action::Grpc(grpc) => {
                let grpc = grpc.current();
                let bindings = grpc.transcoder.bindings().iter();
                json!({
                    "service": snapshot.services.get(grpc.service).map(|service| service.name()),
                    "known": grpc.known,
                    "grpc": bindings.map(|binding| json!({
                        "method": binding.verb.as_ref().map(http::Method::as_str),
                        "path": binding.template.to_string(),
                        "calls": binding.method.name,
                        "client_streaming": binding.method.client_streaming,
                        "server_streaming": binding.method.server_streaming,
                    })).collect::<Vec<_>>(),
                })
            }
            Action::Compose(to) => json!({ "compose": crate::compose::plan(snapshot, to) }),
            Action::Respond(page) => json!({ "respond": page.status.as_u16() }),
            Action::Redirect(redirect) => json!({ "redirect": redirect.status.as_u16() }),
        };
        let matches = effective
            .pointer(&format!("/routes/{}/match", route.name))
            .cloned()
            .unwrap_or_default();
        let value = json!({
            "match": matches,
            "group": route.group.as_ref().map(|group| &group.name),
            "owner": route.group.as_ref().and_then(|group| group.owner.as_ref()),
            "policies": route.chain.names().collect::<Vec<_>>(),
            "timeout_ms": route.timeout.as_millis(),
            "to": action,
            "guard": route.terms.guard.as_ref().map(|guard| super::services::limits(&guard.status())),
            "fallback": route.fallback.is_some(),
            "mirror": route.mirror.as_ref().and_then(|mirror| {
                Some(snapshot.services.get(mirror.service)?.name())
            }),
        });
        (route.name.to_string(), value)
    });
    Value::Object(shown.collect::<Map<_, _>>())
}

pub(super) fn listeners(gateway: &Gateway) -> Value {
    let mut shown = Map::new();
    for (name, address) in gateway.server().addresses() {
        let list = shown.entry(name.to_string()).or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.push(json!(address.to_string()));
        }
    }
    Value::Object(shown)
}

pub(super) fn workers(gateway: &Gateway) -> Value {
    let workers = gateway.server().status().into_iter();
    let shown: Vec<Value> = workers
        .map(|worker| {
            json!({
                "worker": worker.worker,
                "connections": worker.connections,
                "requests": worker.active,
                "generation": worker.generation,
                "responsive": worker.responsive,
            })
        })
        .collect();
    json!(shown)
}
