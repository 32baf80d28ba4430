//! Why a request goes where it goes: `lintel explain`.

use std::fmt::Write as _;

use http::{HeaderMap, Method, Uri};
use lintel_config::Built;
use lintel_http::path;
use lintel_proxy::{
    Snapshot,
    fallback::Instead,
    grpc::Grpc,
    shed::Priority,
    snapshot::{Action, Route},
    split::Split,
};
use lintel_router::{Candidate, Query, Verdict};
use lintel_server::ListenerSpec;
use serde_json::{Value, json};

use crate::compose;

/// A request to be explained.
#[derive(Debug, Clone)]
pub struct Question {
    /// Its method.
    pub method: Method,
    /// Its URL, or just a path.
    pub url: Uri,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Name of the listener it comes in on; the first one by default.
    pub listener: Option<String>,
}

/// The explanation of one request.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// For programs.
    pub json: Value,
    /// For people.
    pub text: String,
    /// Whether a route takes it.
    pub matched: bool,
    /// Every route that takes its host and path, in order of precedence.
    pub candidates: Vec<Candidate>,
}

/// Explains what a configuration does with a request.
pub fn explain(built: &Built, question: &Question) -> Explanation {
    let mut text = String::new();
    let listener = listener(built, question);
    let host = host(question);
    let raw = question.url.path();
    let rules = listener
        .map(|spec| spec.rules.path.clone())
        .unwrap_or_default();
    let canonical = match path::canonical(raw, &rules) {
        Ok(path) => path.into_owned(),
        Err(error) => {
            let _ = writeln!(text, "refused with 400 before routing: {}", error.code());
            let json = json!({ "refused": { "status": 400, "code": error.code() } });
            return Explanation {
                json,
                text,
                matched: false,
                candidates: Vec::new(),
            };
        }
    };
    if canonical != raw {
        let _ = writeln!(text, "path      {raw} is read as {canonical}");
    }
    let query = Query {
        listener: listener.map_or(u16::MAX, |spec| spec.id),
        host: &host,
        path: &canonical,
        query: question.url.query(),
        method: &question.method,
        headers: &question.headers,
    };
    let candidates = built.generation.snapshot.router.explain(&query);
    let mut shown = Vec::new();
    let mut winner = None;
    for candidate in &candidates {
        let sentence = candidate.to_string();
        let won = matches!(candidate.verdict, Verdict::Won { .. });
        let _ = writeln!(text, "{} {sentence}", if won { "→" } else { " " });
        shown.push(json!({ "route": candidate.name, "won": won, "why": sentence }));
        if won {
            winner = Some(candidate.route);
        }
    }
    let outcome = describe(built, winner, &mut text);
    let json = json!({ "path": canonical, "host": host, "candidates": shown, "outcome": outcome });
    Explanation {
        json,
        text,
        matched: winner.is_some(),
        candidates,
    }
}

fn listener<'a>(built: &'a Built, question: &Question) -> Option<&'a ListenerSpec> {
    let mut specs = built.generation.listeners.iter();
    match &question.listener {
        Some(name) => specs.find(|spec| *spec.name == **name),
        None => specs.next(),
    }
    .map(|spec| &**spec)
}

fn host(question: &Question) -> String {
    let named = question
        .headers
        .get(http::header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = question.url.host().or(named).unwrap_or("");
    let without_port = if host.starts_with('[') {
        host
    } else {
        host.split(':').next().unwrap_or(host)
    };
    without_port.trim_end_matches('.').to_ascii_lowercase()
}

fn describe(built: &Built, winner: Option<usize>, text: &mut String) -> Value {
    let snapshot = &built.generation.snapshot;
    let Some(route) = winner.and_then(|index| snapshot.routes.get(index)) else {
        text.push_str("no route takes it: 404, or 405 if only the method is wrong\n");
        return json!({ "route": null });
    };
    let chain: Vec<&str> = route.chain.names().collect();
    let _ = writeln!(text, "route     {}", route.name);
    let belongs = belongs(route, text);
    let listed = match chain.is_empty() {
        true => "none".to_owned(),
        false => chain.join(" → "),
    };
    let _ = writeln!(text, "policies  {listed}");
    let mut shown = serde_json::Map::new();
    let mut show = |key: &str, value: Value| shown.insert(key.to_owned(), value);
    show("route", json!(route.name));
    show("group", belongs);
    show("policies", json!(chain));
    let (rules, beside) = (rules(route, text), beside(snapshot, route, text));
    let (key, how) = match &route.action {
        Action::Service(index) => ("services", services(snapshot, [(*index, 1)], text)),
        Action::Split(split) => {
            terms(split, text);
            ("services", services(snapshot, split.shares(), text))
        }
        Action::Grpc(grpc) => {
            let shares = calls(&grpc.current(), text);
            ("services", services(snapshot, shares, text))
        }
        Action::Compose(to) => ("compose", compose::explained(snapshot, to, text)),
        Action::Respond(page) => {
            let _ = writeln!(text, "answers   {} by itself", page.status.as_u16());
            show("respond", json!(page.status.as_u16()));
            return shown.into();
        }
        Action::Redirect(redirect) => {
            let _ = writeln!(text, "redirects with {}", redirect.status.as_u16());
            show("redirect", json!(redirect.status.as_u16()));
            return shown.into();
        }
    };
    show("rules", rules);
    show("timeout_ms", json!(route.timeout.as_millis()));
    show(key, how);
    show("beside", beside);
    shown.into()
}

/// The services that get requests, each with its share, and their endpoints.
fn services(
    snapshot: &Snapshot,
    shares: impl IntoIterator<Item = (usize, u32)>,
    text: &mut String,
) -> Value {
    let shares: Vec<(usize, u32)> = shares.into_iter().collect();
    let total: u64 = shares.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let mut found = Vec::new();
    for (index, weight) in shares {
        let Some(service) = snapshot.services.get(index) else {
            continue;
        };
        let share = u64::from(weight) * 100 / total.max(1);
        let _ = writeln!(text, "service   {} ({share}% of requests)", service.name());
        let mut endpoints = Vec::new();
        for endpoint in service.status() {
            let _ = writeln!(
                text,
                "  endpoint {} weight {}, {:.0}% of them now ({})",
                endpoint.endpoint,
                endpoint.weight,
                endpoint.share * 100.0,
                endpoint.state
            );
            endpoints.push(json!({ "endpoint": endpoint.endpoint, "weight": endpoint.weight, "priority": endpoint.priority, "zone": endpoint.zone, "share": endpoint.share, "state": endpoint.state.to_string() }));
        }
        found.push(json!({ "service": service.name(), "share": share, "endpoints": endpoints }));
    }
    json!(found)
}

/// The group of a route.
fn belongs(route: &Route, text: &mut String) -> Value {
    let Some(group) = &route.group else {
        return Value::Null;
    };
    let _ = match &group.owner {
        Some(owner) => writeln!(text, "group     {}, of {owner}", group.name),
        None => writeln!(text, "group     {}", group.name),
    };
    json!({ "name": group.name, "owner": group.owner })
}

/// What the policies of a route say of themselves.
fn rules(route: &Route, text: &mut String) -> Value {
    let mut all = serde_json::Map::new();
    for (policy, lines) in route.chain.descriptions() {
        for line in &lines {
            let _ = writeln!(text, "  {policy} {line}");
        }
        if !lines.is_empty() {
            all.insert(policy.to_owned(), json!(lines));
        }
    }
    Value::Object(all)
}

/// The ways to the methods of a gRPC service.
fn calls(grpc: &Grpc, text: &mut String) -> [(usize, u32); 1] {
    if !grpc.known {
        let _ = writeln!(
            text,
            "calls     what the service says that it has (`reflection`)"
        );
    }
    for (at, binding) in grpc.transcoder.bindings().iter().enumerate() {
        let verb = binding.verb.as_ref().map_or("any", http::Method::as_str);
        let begin = if at == 0 { "calls" } else { "" };
        let (path, method) = (&binding.template, &binding.method.name);
        let _ = match grpc.rest {
            true => writeln!(text, "{begin:<9} {method} → {verb} {path}"),
            false => writeln!(text, "{begin:<9} {verb} {path} → {method}"),
        };
    }
    [(grpc.service, 1)]
}

/// What a split goes by, beside weights.
fn terms(split: &Split, text: &mut String) {
    if let Some(selection) = split.selection() {
        let header = selection
            .header
            .as_ref()
            .map(|name| format!("header {name}"));
        let cookie = selection
            .cookie
            .as_ref()
            .map(|name| format!("cookie {name}"));
        let by: Vec<String> = header.into_iter().chain(cookie).collect();
        let when = selection.when.as_ref();
        let when = when.map_or_else(String::new, |when| format!(" when {}", when.source()));
        let _ = writeln!(text, "override  by {}{when}", by.join(", then "));
    }
    let sticky = split.sticky().map(|sticky| sticky.source().to_owned());
    let cookie = split
        .cookie()
        .map(|name| format!("cookie {name} of the gateway's own"));
    let by: Vec<String> = sticky.into_iter().chain(cookie).collect();
    if !by.is_empty() {
        let _ = writeln!(text, "sticks    by {}", by.join(", else "));
    }
}

/// The fallback and the mirror of a route.
fn beside(snapshot: &Snapshot, route: &Route, text: &mut String) -> Value {
    let name = |index: usize| {
        snapshot
            .services
            .get(index)
            .map_or("", |service| service.name())
    };
    if route.priority != Priority::Default {
        let _ = writeln!(text, "priority  {}", route.priority.name());
    }
    let fallback = route.fallback.as_ref().map(|fallback| match &fallback.to {
        Instead::Service(index) => format!("service {}", name(*index)),
        Instead::Respond(page) => format!("answer with {}", page.status.as_u16()),
    });
    if let Some(fallback) = &fallback {
        let _ = writeln!(text, "fallback  {fallback}");
    }
    let mirror = route.mirror.as_ref().map(|mirror| name(mirror.service));
    if let (Some(service), Some(mirror)) = (mirror, &route.mirror) {
        let share = mirror.share * 100.0;
        let _ = writeln!(text, "mirror    {service} ({share}% of requests)");
    }
    json!({ "priority": route.priority.name(), "fallback": fallback, "mirror": mirror })
}
