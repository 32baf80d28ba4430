//! Compositions.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, Method};
use lintel_compose::{Ask, Body, Does, Each, Expected, FilterFault, Instead, Leg, Plan, mentioned};
use lintel_kernel::{
    Fault,
    expr::{Expr, Template},
};
use lintel_proxy::compose::{Compose, Copies, CopiesSpec, Samples, Terms};
use serde_json::Value;

use super::coalesced;
use crate::{
    build::page,
    model,
    text::{FieldName, Filter, LegTemplate},
};

/// The composition of a route; `before` is that of the configuration before, `find` has the index of
/// a service.
pub(super) fn build(
    compose: &model::Compose,
    before: Option<&Compose>,
    find: impl Fn(&str) -> Result<usize, Fault>,
) -> Result<Compose, Fault> {
    let names = names(compose);
    let (mut legs, mut calls) = (Vec::new(), Vec::new());
    for (name, leg) in &compose.legs {
        let under = |fault: Fault| fault.under(name.as_str()).under("legs");
        legs.push(self::leg(name.as_str(), leg, &names).map_err(under)?);
        let service = leg.service.as_ref();
        let service = service.map(|service| find(service.as_str())).transpose();
        let service = service.map_err(|fault| under(fault.under("service")))?;
        calls.push(service.map(|service| Terms {
            service,
            timeout: leg.timeout.map(lintel_kernel::Duration::to_std),
            max_body: leg.max_body.as_usize(),
            forward: fields(leg.forward.as_ref().unwrap_or(&compose.forward)),
            copies: copies(compose, name.as_str(), leg, before),
        }));
    }
    relate(&mut legs, &calls);
    let body = match &compose.body {
        Some(filter) => self::filter(filter, &names).map_err(|fault| fault.under("body"))?,
        None => Body::all(names.iter().copied()),
    };
    let plan = Plan::new(legs, body, compose.max_body.as_usize());
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
        plan: plan.with_errors(compose.errors.as_deref().map(Arc::from)),
        calls,
        status,
        headers: made,
        coalesce: coalesce
            .transpose()
            .map_err(|fault| fault.under("coalesce"))?,
        error: error.transpose()?,
        samples: Samples::default(),
        partial: compose.header.0.clone(),
    })
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
    targets.chain(leg.query.values()).chain(headers)
}

fn leg(name: &str, leg: &model::Leg, names: &[&str]) -> Result<Leg, Fault> {
    let does = match &leg.value {
        Some(value) => Does::Value(json(value)),
        None => Does::Ask(Box::new(ask(leg, names)?)),
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

fn ask(leg: &model::Leg, names: &[&str]) -> Result<Ask, Fault> {
    let targets = leg.targets();
    let target = targets.first();
    let (key, method, target) = match target {
        Some((key, method, target)) => (*key, method.clone(), target.compile()),
        None => ("get", Method::GET, Template::parse("/")),
    };
    let mut query = Vec::with_capacity(leg.query.len());
    for (name, value) in &leg.query {
        let value = value.compile();
        let value = value.map_err(|error| Fault::from(error).under(name).under("query"))?;
        query.push((name.clone(), value));
    }
    let body = leg.body.as_ref().map(|body| filter(body, names));
    let expect = leg.expect.iter().map(|(statuses, value)| Expected {
        statuses: statuses.range(),
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
    Ok(Ask {
        method,
        each: each.transpose()?,
        target: target.map_err(|error| Fault::from(error).under(key))?,
        query,
        headers: templates(&leg.headers).map_err(|fault| fault.under("headers"))?,
        body: body.transpose().map_err(|fault| fault.under("body"))?,
        expect: expect.collect(),
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
