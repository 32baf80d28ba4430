//! A request as a question to the policies.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Context, Entities, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};
use lintel_kernel::{
    Exchange,
    expr::{Expr, Scope},
};
use serde_json::Value;

use super::{Engine, Types};
use crate::cedar::asked::{Asked, Entity};

/// The question, and all entities where some are made from the request.
///
/// # Errors
/// There is nothing to ask, or it does not fit the schema.
pub(super) fn of(
    engine: &Engine,
    asked: &Asked,
    exchange: &Exchange,
) -> Result<(Request, Option<Entities>), String> {
    let uid = |types: &Types, entity: &Entity, what: &str| {
        let id = entity.id.text(Scope::request(exchange));
        let id =
            id.ok_or_else(|| format!("there is no {what}: {} has no value", entity.id.source()))?;
        Ok::<_, String>(named(&types.own, &id))
    };
    let principal = uid(&engine.principal, &asked.principal, "principal")?;
    let action = uid(&engine.action, &asked.action, "action")?;
    let resource = uid(&engine.resource, &asked.resource, "resource")?;
    let mut made = Vec::new();
    for (uid, types, entity) in [
        (&principal, &engine.principal, &asked.principal),
        (&resource, &engine.resource, &asked.resource),
    ] {
        if !entity.parents.is_empty() || !entity.attributes.is_empty() {
            made.push(entity_of(uid, types, entity, exchange)?);
        }
    }
    let schema = engine.schema.as_ref();
    let entities = if made.is_empty() {
        None
    } else {
        let all = engine.entities.clone().upsert_entities(made, schema);
        Some(all.map_err(|error| format!("what the request says does not fit: {error}"))?)
    };
    let context = Context::from_pairs(values(&asked.context, exchange)?)
        .map_err(|error| format!("what the request says does not fit: {error}"))?;
    let request = Request::new(principal, action, resource, context, schema);
    let request = request.map_err(|error| format!("what is asked does not fit: {error}"))?;
    Ok((request, entities))
}

fn named(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn entity_of(
    uid: &EntityUid,
    types: &Types,
    entity: &Entity,
    exchange: &Exchange,
) -> Result<cedar_policy::Entity, String> {
    let mut parents = HashSet::new();
    for (kind, (_, expr)) in types.parents.iter().zip(&entity.parents) {
        match expr.json(Scope::request(exchange)) {
            Some(Value::String(id)) => {
                parents.insert(named(kind, &id));
            }
            Some(Value::Array(ids)) => {
                let ids = ids.iter().filter_map(Value::as_str);
                parents.extend(ids.map(|id| named(kind, id)));
            }
            _ => {}
        }
    }
    let attributes: HashMap<_, _> = values(&entity.attributes, exchange)?.into_iter().collect();
    cedar_policy::Entity::new(uid.clone(), attributes, parents)
        .map_err(|error| format!("what the request says does not fit: {error}"))
}

/// The values of expressions; what has none is not there.
fn values(
    all: &[(String, Expr)],
    exchange: &Exchange,
) -> Result<Vec<(String, RestrictedExpression)>, String> {
    let mut values = Vec::new();
    for (name, expr) in all {
        let scope = Scope::request(exchange);
        let value = match (expr.source(), expr.json(scope)) {
            (_, None | Some(Value::Null)) => continue,
            ("client.ip", Some(Value::String(ip))) => Some(RestrictedExpression::new_ip(ip)),
            (_, Some(value)) => expression(&value),
        };
        let value =
            value.ok_or_else(|| format!("{} has a value that Cedar can't have", expr.source()))?;
        values.push((name.clone(), value));
    }
    Ok(values)
}

/// A value of JSON. Nothing in it is taken for an entity or a call, whatever its members are called:
/// it may come from a caller. `None` where Cedar has no such value.
fn expression(value: &Value) -> Option<RestrictedExpression> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => RestrictedExpression::new_bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => RestrictedExpression::new_long(number),
            None => decimal(&number.to_string())?,
        },
        Value::String(text) => RestrictedExpression::new_string(text.clone()),
        Value::Array(values) => {
            let values = values.iter().filter(|value| !value.is_null());
            let values: Option<Vec<_>> = values.map(expression).collect();
            RestrictedExpression::new_set(values?)
        }
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let members: Option<Vec<_>> = members
                .map(|(name, value)| Some((name.clone(), expression(value)?)))
                .collect();
            RestrictedExpression::new_record(members?).ok()?
        }
    })
}

/// A number with one to four digits behind the point, which is all that Cedar knows.
fn decimal(text: &str) -> Option<RestrictedExpression> {
    let (whole, fraction) = text.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = digits(whole.trim_start_matches('-')) && digits(fraction) && fraction.len() <= 4;
    fits.then(|| RestrictedExpression::new_decimal(text))
}
