//! The plan of a composition, for people and for programs.

use std::fmt::Write as _;

use lintel_compose::{Ask, Does, Instead, Leg, Statuses};
use lintel_grpc::status;
use lintel_proxy::{
    Snapshot,
    compose::{Coalesce, Compose, Terms},
};
use serde_json::{Value, json};

/// The plan as JSON.
pub(crate) fn plan(snapshot: &Snapshot, compose: &Compose) -> Value {
    let legs = compose.plan.legs();
    let stages = compose.plan.stages();
    let stage = |leg: usize| stages.iter().position(|stage| stage.contains(&leg));
    let shown = legs.iter().enumerate().map(|(index, leg)| {
        let terms = compose.calls.get(index).and_then(Option::as_ref);
        let after = leg.after.iter().filter_map(|other| legs.get(*other));
        json!({
            "leg": leg.name,
            "stage": stage(index),
            "after": after.map(|leg| &*leg.name).collect::<Vec<_>>(),
            "required": leg.is_required(),
            "service": terms.map(|terms| service(snapshot, terms)),
            "method": ask(leg).map(|ask| ask.method.as_str()),
            "target": ask(leg).map(|ask| ask.target.source()),
            "grpc": terms.is_some_and(|terms| terms.rpc.is_some()),
            "timeout_ms": terms.and_then(|terms| terms.timeout).map(|timeout| timeout.as_millis()),
            "when": leg.when.as_ref().map(lintel_kernel::expr::Expr::source),
            "last_good_ms": terms.and_then(|terms| terms.copies.as_ref())
                .map(|copies| copies.spec().max_age.as_millis()),
            "fallback": leg.fallback.as_deref().map(parsed),
        })
    });
    let body = compose.plan.body();
    json!({
        "legs": shown.collect::<Vec<_>>(),
        "body": body.source(),
        "interpreted": !body.is_plain(),
        "streamed": compose.plan.streamed().is_some(),
        "error": compose.error.as_ref().map(|page| page.status.as_u16()),
    })
}

/// The plan for `lintel explain`: adds it to the text.
pub(crate) fn explained(snapshot: &Snapshot, compose: &Compose, text: &mut String) -> Value {
    text.push_str(&self::text(snapshot, compose));
    plan(snapshot, compose)
}

fn text(snapshot: &Snapshot, compose: &Compose) -> String {
    let legs = compose.plan.legs();
    let mut text = String::new();
    for (stage, of_stage) in compose.plan.stages().iter().enumerate() {
        let mut begin = match stage {
            0 => "first".to_owned(),
            stage => format!("then {stage}"),
        };
        for index in of_stage {
            let Some(leg) = legs.get(*index) else {
                continue;
            };
            let terms = compose.calls.get(*index).and_then(Option::as_ref);
            let does = match (ask(leg), terms) {
                (Some(ask), Some(terms)) => {
                    let (service, target) = (service(snapshot, terms), ask.target.source());
                    match &terms.rpc {
                        Some(_) => format!("gRPC {} of {service}", target.trim_start_matches('/')),
                        None => format!("{} {target} of {service}", ask.method),
                    }
                }
                _ => "a fixed value".to_owned(),
            };
            // Writing to a String can't fail.
            let _ = writeln!(
                text,
                "{begin:<9} {}: {does}{}",
                leg.name,
                facts(legs, leg, terms)
            );
            begin.clear();
        }
    }
    let made = match compose.plan.body().source() {
        Some(filter) if compose.plan.streamed().is_some() => format!("{filter} (as it streams in)"),
        Some(filter) if compose.plan.body().is_plain() => format!("{filter} (spliced)"),
        Some(filter) => format!("{filter} (by jq)"),
        None => "an object of all legs".to_owned(),
    };
    let _ = writeln!(text, "answer    {made}");
    if let Some(coalesce) = &compose.coalesce {
        let by: Vec<&str> = coalesce
            .by
            .iter()
            .map(lintel_kernel::expr::Expr::source)
            .collect();
        let _ = writeln!(
            text,
            "          shared by requests that are the same in {}",
            words(coalesce, &by)
        );
    }
    if let Some(page) = &compose.error {
        let status = page.status.as_u16();
        let _ = writeln!(text, "          {status} if a required leg fails");
    }
    text
}

/// What a leg does, in a few words.
pub(crate) fn does(snapshot: &Snapshot, compose: &Compose, leg: usize) -> String {
    let terms = compose.calls.get(leg).and_then(Option::as_ref);
    match (compose.plan.legs().get(leg).and_then(ask), terms) {
        (Some(ask), Some(terms)) => {
            let service = service(snapshot, terms);
            format!("{service}: {} {}", ask.method, ask.target.source())
        }
        _ => "a fixed value".to_owned(),
    }
}

fn words(coalesce: &Coalesce, by: &[&str]) -> String {
    let mut words: Vec<&str> = Vec::new();
    let more = [
        (coalesce.whole, "all that the client sends"),
        (coalesce.target, "host, path and query"),
        (coalesce.caller, "the caller"),
    ];
    words.extend(more.into_iter().filter_map(|(is, word)| is.then_some(word)));
    words.extend(coalesce.fields.iter().map(http::HeaderName::as_str));
    words.extend(by);
    words.join(", ")
}

fn facts(legs: &[Leg], leg: &Leg, terms: Option<&Terms>) -> String {
    let mut text = match &leg.fallback {
        None => ", required".to_owned(),
        Some(value) => format!(", or else {}", String::from_utf8_lossy(value)),
    };
    if let Some(timeout) = terms.and_then(|terms| terms.timeout) {
        let _ = write!(text, ", {} ms", timeout.as_millis());
    }
    if let Some(copies) = terms.and_then(|terms| terms.copies.as_ref()) {
        let age = lintel_kernel::Duration::from(copies.spec().max_age);
        let _ = write!(text, ", its last good answer for {age}");
    }
    if let Some(each) = ask(leg).and_then(|ask| ask.each.as_ref()) {
        let _ = write!(
            text,
            ", for each of {}",
            each.over.source().unwrap_or_default()
        );
        if let Some(batch) = each.batch {
            let _ = write!(text, " by {batch}");
        }
    }
    if let Some(when) = &leg.when {
        let _ = write!(text, ", when {}", when.source());
    }
    for expected in ask(leg).iter().flat_map(|ask| &ask.expect) {
        let _ = match &expected.statuses {
            Statuses::Http(range) if range.start() == range.end() => {
                write!(text, ", {}", range.start())
            }
            Statuses::Http(range) => write!(text, ", {}-{}", range.start(), range.end()),
            Statuses::Grpc(code) => write!(text, ", {}", status::name(*code).to_ascii_uppercase()),
        };
        let _ = match &expected.instead {
            Instead::Body => write!(text, " is fine"),
            Instead::Value(value) => write!(text, " means {}", String::from_utf8_lossy(value)),
        };
    }
    let after = leg.after.iter().filter_map(|other| legs.get(*other));
    let after: Vec<&str> = after.map(|leg| &*leg.name).collect();
    if !after.is_empty() {
        let _ = write!(text, ", after {}", after.join(" and "));
    }
    text
}

fn ask(leg: &Leg) -> Option<&Ask> {
    match &leg.does {
        Does::Ask(ask) => Some(ask),
        Does::Value(_) => None,
    }
}

fn service<'s>(snapshot: &'s Snapshot, terms: &Terms) -> &'s str {
    let service = snapshot.services.get(terms.service);
    service.map_or("", |service| service.name())
}

fn parsed(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_default()
}
