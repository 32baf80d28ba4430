//! Reads what an operator has written.

use std::collections::BTreeMap;

use cedar_policy::{
    Authorizer, Entities, EntityTypeName, PolicyId, PolicySet, Schema, ValidationMode, Validator,
};
use lintel_kernel::Fault;

use super::{Engine, Types, faults};
use crate::cedar::config::{Config, EntityConfig};

/// With entities that are made for each request, the others are copied for it.
const COPIED: usize = 100;

/// Reads policies, entities and schema.
pub(super) fn engine(config: &Config) -> Result<Engine, Vec<Fault>> {
    let mut found = Vec::new();
    let schema = match config.schema.as_deref().map(schema).transpose() {
        Ok(schema) => schema,
        // Without it, there is more that seems wrong than is.
        Err(fault) => return Err(vec![fault.under("schema")]),
    };
    let policies = policies(&config.policies, schema.as_ref());
    let policies = policies.map_err(|faults| found.extend(faults));
    let entities = entities(config, schema.as_ref());
    let entities = entities.map_err(|fault| found.push(fault.under("entities")));
    let mut types = |key: &str, own: &str, parents: Vec<&String>| {
        let types = types(own, parents).map_err(|fault| fault.under(key));
        types.map_err(|fault| found.push(fault))
    };
    let keys = |entity: &'_ EntityConfig| entity.parents.keys().cloned().collect::<Vec<_>>();
    let (of_principal, of_resource) = (keys(&config.principal), keys(&config.resource));
    let principal = types(
        "principal",
        &config.principal.kind,
        of_principal.iter().collect(),
    );
    let action = types("action", &config.action.kind, Vec::new());
    let resource = types(
        "resource",
        &config.resource.kind,
        of_resource.iter().collect(),
    );
    let (Ok(policies), Ok(entities), Ok(principal), Ok(action), Ok(resource)) =
        (policies, entities, principal, action, resource)
    else {
        return Err(found);
    };
    if let Some(schema) = &schema {
        let known: Vec<_> = schema.principals().collect();
        found.extend(declared(&principal.own, &known, "principal"));
        let known: Vec<_> = schema.resources().collect();
        found.extend(declared(&resource.own, &known, "resource"));
    }
    match found.is_empty() {
        true => Ok(Engine {
            authorizer: Authorizer::new(),
            policies,
            entities,
            schema,
            principal,
            action,
            resource,
        }),
        false => Err(found),
    }
}

fn schema(text: &str) -> Result<Schema, Fault> {
    if text.trim_start().starts_with('{') {
        return Schema::from_json_str(text)
            .map_err(|error| faults::located("schema", text, &error));
    }
    // What is no schema may be anything, a secret even.
    if !["entity", "action", "namespace"]
        .iter()
        .any(|word| text.contains(word))
    {
        let fault = Fault::new("this is no schema: it declares no entity and no action");
        let hint = "write the text of a schema, or `${file.NAME}` for that of a file";
        return Err(fault.with_hint(hint).discreet());
    }
    let read = Schema::from_cedarschema_str(text);
    let (schema, _) = read.map_err(|error| faults::located("schema", text, &error))?;
    Ok(schema)
}

/// All policies of all texts, by the name of their text and their own.
fn policies(
    texts: &BTreeMap<String, String>,
    schema: Option<&Schema>,
) -> Result<PolicySet, Vec<Fault>> {
    let (mut all, mut found) = (PolicySet::new(), Vec::new());
    for (name, text) in texts {
        let at = |fault: Fault| fault.under(name).under("policies");
        if !faults::is_policy(text) {
            found.push(at(faults::no_policy()));
            continue;
        }
        let read: PolicySet = match text.parse() {
            Ok(read) => read,
            Err(errors) => {
                let errors: cedar_policy::ParseErrors = errors;
                let each = errors
                    .iter()
                    .map(|error| faults::located(name, text, error));
                found.extend(each.map(at));
                continue;
            }
        };
        if read.num_of_templates() > 0 {
            let fault = Fault::new(format!("{name}: a template is no policy"));
            let hint = "write `principal` or `resource` in place of `?principal` and `?resource`";
            found.push(at(fault.with_hint(hint).discreet()));
        }
        for policy in read.policies() {
            let own = policy
                .annotation("id")
                .unwrap_or_else(|| policy.id().as_ref());
            let id = format!("{name}/{own}");
            if all.add(policy.new_id(PolicyId::new(&id))).is_err() {
                let fault = Fault::new(format!("{name}: two policies are called `{own}`"));
                found.push(at(fault
                    .with_hint("give each an `@id` of its own")
                    .discreet()));
            }
        }
    }
    if texts.is_empty() {
        let fault = Fault::new("there is no policy");
        let hint = "write `policies: { orders.cedar: \"${file.orders.cedar}\" }`";
        found.push(fault.with_hint(hint).under("policies"));
    }
    if let (Some(schema), true) = (schema, found.is_empty()) {
        found.extend(unfit(&all, texts, schema));
    }
    match found.is_empty() {
        true => Ok(all),
        false => Err(found),
    }
}

/// What of the policies does not fit the schema.
fn unfit(all: &PolicySet, texts: &BTreeMap<String, String>, schema: &Schema) -> Vec<Fault> {
    let result = Validator::new(schema.clone()).validate(all, ValidationMode::Strict);
    let each = result.validation_errors().filter_map(|error| {
        let id: &str = error.policy_id().as_ref();
        let of = |name: &&String| {
            let own = id.strip_prefix(name.as_str());
            own.is_some_and(|own| own.starts_with('/'))
        };
        // The longest: a name may hold the mark, too.
        let name = texts.keys().filter(of).max_by_key(|name| name.len())?;
        let text = texts.get(name)?;
        let fault = faults::located(name, text, error);
        Some(fault.under(name).under("policies"))
    });
    each.collect()
}

fn entities(config: &Config, schema: Option<&Schema>) -> Result<Entities, Fault> {
    let wrong = |error: cedar_policy::entities_errors::EntitiesError| {
        faults::located("entities", config.entities.as_deref().unwrap_or(""), &error)
    };
    let entities = match (config.entities.as_deref(), schema) {
        (Some(text), _) if !text.trim_start().starts_with('[') => {
            let fault = Fault::new("this is no list of entities in JSON");
            let hint = "write the text of one, or `${file.NAME}` for that of a file";
            return Err(fault.with_hint(hint).discreet());
        }
        (Some(text), schema) => Entities::from_json_str(text, schema).map_err(wrong)?,
        (None, Some(schema)) => schema.action_entities().map_err(wrong)?,
        (None, None) => Entities::empty(),
    };
    let mut asked = [&config.principal, &config.resource].into_iter();
    let made = asked.any(|entity| !entity.parents.is_empty() || !entity.attributes.is_empty());
    if made && entities.len() > COPIED {
        let fault = Fault::new(format!(
            "these are {} entities, and for each request they are copied to put one of its own among them",
            entities.len()
        ));
        let hint = format!(
            "leave {COPIED} at most, or leave out `parents` and `attributes` and put the principals here"
        );
        return Err(fault.with_hint(hint).discreet());
    }
    Ok(entities)
}

fn types(own: &str, parents: Vec<&String>) -> Result<Types, Fault> {
    let named = |text: &str| -> Result<EntityTypeName, Fault> {
        text.parse().map_err(|_| {
            Fault::new(format!("`{text}` is not the name of a type"))
                .with_hint("write a name such as `User` or `Shop::User`")
        })
    };
    let parents = parents.into_iter();
    let parents =
        parents.map(|name| named(name).map_err(|fault| fault.under(name).under("parents")));
    Ok(Types {
        own: named(own).map_err(|fault| fault.under("type"))?,
        parents: parents.collect::<Result<_, _>>()?,
    })
}

/// The mistake of a type that the schema does not have in this place.
fn declared(own: &EntityTypeName, known: &[&EntityTypeName], key: &str) -> Option<Fault> {
    if known.contains(&own) {
        return None;
    }
    let mut names: Vec<String> = known.iter().map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    let fault = Fault::new(format!(
        "the schema has no action with a {key} of type `{own}`"
    ));
    let hint = format!("its {key}s are of `{}`", names.join("`, `"));
    Some(fault.with_hint(hint).under("type").under(key))
}
