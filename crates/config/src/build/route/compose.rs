//! Compositions.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use lintel_compose::{
    Ask, Body, Does, Each, Expected, Fill, FillFault, FilterFault, Instead, Leg, Plan, Reads,
    Sends, Statuses, mentioned, query::OperationKind,
};
use lintel_grpc::status;
use lintel_kernel::{
    Fault,
    expr::{Expr, LegPart, Template},
};
use lintel_proxy::compose::{Compose, Copies, CopiesSpec, Rpc, Samples, Terms};
use serde_json::Value;

use super::{coalesced, rpc};
use crate::{
    build::page,
    loaded::Loaded,
    model,
    text::{FieldName, Filter, LegStatus, LegTemplate, LegValue},
};

/// GraphQL over HTTP, "Legacy watershed": the media type of today, or that of before.
const GRAPHQL: HeaderValue =
    HeaderValue::from_static("application/graphql-response+json, application/json;q=0.9");

/// The composition of a route; `before` is that of the configuration before, `find` has the index of
/// a service.
pub(super) fn build(
    loaded: &Loaded,
    compose: &model::Compose,
    before: Option<&Compose>,
    find: impl Fn(&str) -> Result<usize, Fault>,
) -> Result<Compose, Fault> {
    let names = names(compose);
    let mut methods = rpc::Known::new(loaded);
    let (mut legs, mut calls) = (Vec::new(), Vec::new());
    for (name, leg) in &compose.legs {
        let under = |fault: Fault| fault.under(name.as_str()).under("legs");
        let rpc = methods.rpc(leg).map_err(under)?;
        legs.push(self::leg(name.as_str(), leg, rpc.as_ref(), &names).map_err(under)?);
        let service = leg.service.as_ref();
        let service = service.map(|service| find(service.as_str())).transpose();
        let service = service.map_err(|fault| under(fault.under("service")))?;
        calls.push(service.map(|service| Terms {
            service,
            timeout: leg.timeout.map(lintel_kernel::Duration::to_std),
            max_body: leg.most(),
            forward: fields(leg.forward.as_ref().unwrap_or(&compose.forward)),
            copies: copies(compose, name.as_str(), leg, before),
            accept: leg.graphql.as_ref().map(|_| GRAPHQL),
            rpc,
        }));
    }
    relate(&mut legs, &calls);
    let plan = Plan::new(legs, body(compose, &names)?, compose.max_body.as_usize());
    let plan = plan.map_err(|circle| Fault::new(circular(&circle, &names)).under("legs"))?;
    let status = compose.status.as_ref().map(|status| status.compile());
    let status = status
        .transpose()
        .map_err(|error| Fault::from(error).under("status"))?;
    let made = templates(&compose.headers).map_err(|fault| fault.under("headers"))?;
    let coalesce = compose.coalesce.as_ref().map(|same| {
        let exprs = status
            .iter()
            .chain(made.iter().flat_map(|(_, made)| made.exprs()));
        coalesced::build(compose, same, &plan, exprs)
    });
    let error = compose.error.as_ref().map(|error| {
        let page = page::respond(&error.respond());
        page.map_err(|fault| fault.under("error"))
    });
    Ok(Compose {
        plan: answering(plan, compose),
        calls,
        status,
        headers: made,
        coalesce: coalesce
            .transpose()
            .map_err(|fault| fault.under("coalesce"))?,
        error: error.transpose()?,
        samples: Samples::default(),
        partial: compose.header.0.clone(),
        sent: reads_sent(compose).then(|| compose.max_request.as_usize()),
    })
}

/// What makes the answer.
fn body(compose: &model::Compose, names: &[&str]) -> Result<Body, Fault> {
    match &compose.body {
        Some(filter) => self::filter(filter, names).map_err(|fault| fault.under("body")),
        None => Ok(Body::all(names.iter().copied())),
    }
}

/// The same plan with what the answer is to be like.
fn answering(plan: Plan, compose: &model::Compose) -> Plan {
    let plan = plan.with_errors(compose.errors.as_deref().map(Arc::from));
    let streamed = streamed(compose, &plan);
    plan.with_streamed(streamed)
}

/// Finds the legs that may make the same call.
fn relate(legs: &mut [Leg], calls: &[Option<Terms>]) {
    let kin: Vec<Option<usize>> = (0..legs.len())
        .map(|place| {
            let (leg, terms) = (legs.get(place)?, calls.get(place)?.as_ref()?);
            let alike = |other: &Option<Terms>| other.as_ref() == Some(terms);
            let mut others = legs.iter().zip(calls).enumerate();
            let any = others
                .any(|(at, (other, call))| at != place && alike(call) && leg.may_ask_like(other));
            any.then(|| calls.iter().position(alike))?
        })
        .collect();
    for (leg, kin) in legs.iter_mut().zip(kin) {
        leg.kin = kin;
    }
}

/// The leg whose answer can stream: it is all of the answer, and nobody needs it whole.
fn streamed(compose: &model::Compose, plan: &Plan) -> Option<usize> {
    let index = plan.body().only()?;
    let leg = plan.legs().get(index)?;
    let (name, declared) = compose.legs.iter().nth(index)?;
    let whole = declared.max_body.is_some()
        || declared.for_each.is_some()
        || declared.grpc.is_some()
        || declared.graphql.is_some()
        || declared.value.is_some()
        // Another leg, or request, may be answered by the same call; or this one by an older answer.
        || leg.kin.is_some()
        || compose.coalesce.is_some()
        || declared.last_good.is_some()
        // Failures are listed within the body.
        || compose.errors.is_some();
    let awaited = plan.legs().iter().any(|leg| leg.after.contains(&index));
    let templates = compose
        .headers
        .values()
        .filter_map(|text| text.compile().ok());
    let status = compose
        .status
        .as_ref()
        .and_then(|status| status.compile().ok());
    let of_body = |expr: &Expr| {
        let mut read = expr.legs().into_iter();
        read.any(|leg| leg.name == name.as_str() && matches!(leg.part, LegPart::Body(_)))
    };
    let read =
        status.iter().any(of_body) || templates.into_iter().any(|text| text.exprs().any(of_body));
    (!whole && !awaited && !read).then_some(index)
}

/// Whether anything reads the client's body.
fn reads_sent(compose: &model::Compose) -> bool {
    let legs = compose.legs.values();
    let mut filters = legs
        .clone()
        .flat_map(|leg| leg.body.iter().chain(&leg.for_each))
        .chain(&compose.body);
    let templates = legs.clone().flat_map(texts).chain(compose.headers.values());
    let mut templates = templates.filter_map(|text| text.compile().ok());
    let conditions = legs.clone().filter_map(|leg| leg.when.as_ref());
    let mut exprs = conditions
        .chain(&compose.status)
        .filter_map(|expr| expr.compile().ok());
    let mut values = legs
        .flat_map(|leg| leg.values())
        .filter_map(|(_, value)| value.compile().ok());
    filters.any(|filter| {
        filter
            .compile(&names(compose))
            .is_ok_and(|body| body.reads_sent())
    }) || templates.any(|text| text.exprs().any(Expr::reads_body))
        || exprs.any(|expr| expr.reads_body())
        || values.any(|value| value.exprs().into_iter().any(Expr::reads_body))
}

/// The names of the legs, in their order.
pub(crate) fn names(compose: &model::Compose) -> Vec<&str> {
    compose.legs.keys().map(|name| name.as_str()).collect()
}

/// Legs that wait for each other, in words.
pub(crate) fn circular(circle: &[usize], names: &[&str]) -> String {
    let names: Vec<String> = circle
        .iter()
        .filter_map(|leg| names.get(*leg))
        .map(|name| format!("`{name}`"))
        .collect();
    match names.as_slice() {
        [only, _] => format!("leg {only} waits for itself"),
        names => format!("legs wait for each other: {}", names.join(" for ")),
    }
}

/// The legs that a leg waits for, as far as they exist.
pub(crate) fn waits(leg: &model::Leg, names: &[&str]) -> Vec<usize> {
    let mut after: Vec<usize> = Vec::new();
    let mut wait = |name: &str| {
        let index = names.iter().position(|known| *known == name);
        if let Some(index) = index.filter(|index| !after.contains(index)) {
            after.push(index);
        }
    };
    leg.after.iter().for_each(|name| wait(name.as_str()));
    if let Some(when) = leg.when.as_ref().and_then(|when| when.compile().ok()) {
        when.legs().iter().for_each(|read| wait(&read.name));
    }
    for text in texts(leg) {
        let template = text.compile().ok();
        let exprs = template.iter().flat_map(Template::exprs);
        exprs.flat_map(Expr::legs).for_each(|read| wait(&read.name));
    }
    for (_, value) in leg.values() {
        let filled = value.compile().ok();
        let exprs = filled.iter().flat_map(|filled| filled.exprs());
        exprs.flat_map(Expr::legs).for_each(|read| wait(&read.name));
    }
    for filter in leg.body.iter().chain(&leg.for_each) {
        mentioned(filter.source(), names)
            .into_iter()
            .for_each(&mut wait);
    }
    after
}

/// All texts of a leg that may read others.
fn texts(leg: &model::Leg) -> impl Iterator<Item = &LegTemplate> {
    let targets = leg.targets().into_iter().map(|(_, _, target)| target);
    let headers = leg.headers.values();
    let path = leg.graphql.iter().map(|query| &query.path);
    targets.chain(path).chain(leg.query.values()).chain(headers)
}

fn leg(name: &str, leg: &model::Leg, rpc: Option<&Rpc>, names: &[&str]) -> Result<Leg, Fault> {
    let does = match &leg.value {
        Some(value) => Does::Value(json(value)),
        None => Does::Ask(Box::new(ask(leg, rpc, names)?)),
    };
    let when = leg.when.as_ref().map(|when| when.compile());
    let fallback = leg.fallback.as_ref();
    let fallback = match leg.is_optional() {
        true => Some(fallback.map_or(json(&Value::Null), json)),
        false => None,
    };
    Ok(Leg {
        name: name.into(),
        does,
        after: waits(leg, names),
        when: when
            .transpose()
            .map_err(|error| Fault::from(error).under("when"))?,
        fallback,
        last_good: leg.last_good.is_some(),
        kin: None,
    })
}

/// The last good answers of a leg. They live on while the leg is the same.
fn copies(
    compose: &model::Compose,
    name: &str,
    leg: &model::Leg,
    before: Option<&Compose>,
) -> Option<Arc<Copies>> {
    let kept = leg.last_good.as_ref()?;
    let spec = CopiesSpec {
        of: format!("{:?} {leg:?}", compose.forward),
        max_age: kept.max_age.to_std(),
        max_size: kept.max_size.as_usize(),
    };
    let before = before.and_then(|before| {
        let terms = before.calls.get(before.plan.find(name)?)?.as_ref()?;
        terms.copies.as_ref()
    });
    Some(Copies::build(spec, before))
}

fn ask(leg: &model::Leg, rpc: Option<&Rpc>, names: &[&str]) -> Result<Ask, Fault> {
    let targets = leg.targets();
    let target = targets.first();
    let (key, method, target) = match (target, &leg.grpc, &leg.graphql) {
        (Some((key, method, target)), ..) => (*key, method.clone(), target.compile()),
        (None, Some(rpc), _) => ("grpc", Method::POST, Ok(Template::literal_text(rpc.path()))),
        (None, None, Some(query)) => ("graphql", Method::POST, query.path.compile()),
        (None, None, None) => ("get", Method::GET, Template::parse("/")),
    };
    let mut query = Vec::with_capacity(leg.query.len());
    for (name, value) in &leg.query {
        let value = value.compile();
        let value = value.map_err(|error| Fault::from(error).under(name).under("query"))?;
        query.push((name.clone(), value));
    }
    let expect = leg.expect.iter().map(|(statuses, value)| Expected {
        statuses: match statuses {
            LegStatus::Http(range) => Statuses::Http(range.range()),
            LegStatus::Grpc(number) => Statuses::Grpc(status::code_of(*number)),
        },
        instead: match value {
            Value::String(word) if word == "body" => Instead::Body,
            value => Instead::Value(json(value)),
        },
    });
    let each = leg.for_each.as_ref().map(|over| {
        let over = filter(over, names).map_err(|fault| fault.under("for_each"))?;
        Ok::<_, Fault>(Each {
            over,
            max: leg.max_items as usize,
            parallel: leg.parallel as usize,
            batch: leg.batch.map(|batch| batch as usize),
            missing: leg.missing.as_ref().map(json),
        })
    });
    let harmless = match (rpc, &leg.grpc, &leg.graphql) {
        (Some(rpc), Some(call), _) => rpc::is_harmless(rpc, &call.path()),
        (_, _, Some(query)) => {
            let asked = query.asked();
            asked.is_some_and(|operation| operation.kind == OperationKind::Query)
        }
        _ => method.is_safe(),
    };
    Ok(Ask {
        method,
        harmless,
        reads: match &leg.graphql {
            Some(query) => Reads::Graphql {
                partial: query.partial,
            },
            None => Reads::Json,
        },
        each: each.transpose()?,
        target: target.map_err(|error| Fault::from(error).under(key))?,
        query,
        headers: templates(&leg.headers).map_err(|fault| fault.under("headers"))?,
        sends: sends(leg, names)?,
        expect: expect.collect(),
    })
}

fn sends(leg: &model::Leg, names: &[&str]) -> Result<Option<Sends>, Fault> {
    if let Some(body) = &leg.body {
        let body = filter(body, names).map_err(|fault| fault.under("body"))?;
        return Ok(Some(Sends::Filter(body)));
    }
    if let Some(query) = &leg.graphql {
        return question(query).map(|fill| Some(Sends::Fill(fill)));
    }
    let message = leg.message.as_ref();
    let message = message.map(|message| filled(message).map_err(|fault| fault.under("message")));
    Ok(message.transpose()?.map(Sends::Fill))
}

/// What is sent to ask a query (GraphQL over HTTP, "Request").
fn question(query: &model::LegQuery) -> Result<Fill, Fault> {
    let mut variables = Vec::with_capacity(query.variables.len());
    for (name, value) in &query.variables {
        let value = filled(value);
        let value = value.map_err(|fault| fault.under(name).under("variables").under("graphql"))?;
        variables.push((name.as_str(), value));
    }
    let mut members = vec![("query", Fill::fixed(&query.query.source().into()))];
    if let Some(name) = &query.operation {
        members.push(("operationName", Fill::fixed(&name.as_str().into())));
    }
    if !variables.is_empty() {
        members.push(("variables", Fill::object(variables)));
    }
    Ok(Fill::object(members))
}

fn filled(value: &LegValue) -> Result<Fill, Fault> {
    value.compile().map_err(|FillFault { path, error }| {
        let steps = path.into_iter().rev();
        steps.fold(Fault::from(error), |fault, step| fault.under(step))
    })
}

fn json(value: &Value) -> Bytes {
    value.to_string().into()
}

fn filter(filter: &Filter, names: &[&str]) -> Result<Body, Fault> {
    let compiled = filter.compile(names);
    compiled.map_err(|FilterFault { message, offset }| Fault::new(message).at(Some(offset)))
}

fn fields(names: &[FieldName]) -> Vec<HeaderName> {
    names.iter().map(|name| name.0.clone()).collect()
}

fn templates(
    fields: &model::Table<FieldName, LegTemplate>,
) -> Result<Vec<(HeaderName, Template)>, Fault> {
    let compiled = fields.iter().map(|(name, value)| {
        let value = value.compile();
        let value = value.map_err(|error| Fault::from(error).under(name.to_string()))?;
        Ok((name.0.clone(), value))
    });
    compiled.collect()
}
