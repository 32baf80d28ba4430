use std::collections::BTreeMap;

use lintel_kernel::{Fault, config, expr::Expr};

use super::{
    Cedar, Engine, NAME,
    asked::{Asked, Entity},
};
use crate::{Context, described, judged::Judged};

/// Policies in Cedar, and what they are asked: whether a principal may do an action with a resource.
#[config]
#[schemars(rename = "Cedar")]
pub struct Config {
    /// The policies: a name for each text, by which messages call it, and the text. A policy in it is
    /// called by its annotation `@id`, or else by its place.
    #[schemars(length(min = 1))]
    #[schemars(example = serde_json::json!({ "orders.cedar": "${file.orders.cedar}" }))]
    pub policies: BTreeMap<String, String>,

    /// What there is: the text of a list of entities in JSON.
    #[serde(default)]
    #[schemars(example = &"${file.entities.json}")]
    pub entities: Option<String>,

    /// What there can be: a schema in Cedar's language, or in JSON. Policies, entities and requests
    /// must fit it. Without one, a policy that reads what is not there is passed over.
    #[serde(default)]
    #[schemars(example = &"${file.orders.cedarschema}")]
    pub schema: Option<String>,

    /// Who asks.
    pub principal: EntityConfig,

    /// What is to be done.
    #[serde(default)]
    pub action: ActionConfig,

    /// What it is to be done with.
    pub resource: EntityConfig,

    /// What else policies know of the request, under `context`: names, and the expressions that give
    /// their values. What has no value is not there. `client.ip` is an `ipaddr`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, described::Expression>")]
    #[schemars(example = serde_json::json!({ "tenant": "claims.tenant", "source": "client.ip" }))]
    pub context: BTreeMap<String, String>,

    /// Whether requests pass that would be refused: they are only counted and logged.
    #[serde(default)]
    pub dry_run: bool,
}

/// An entity that is made from the request.
#[config]
#[schemars(rename = "CedarEntity")]
pub struct EntityConfig {
    /// Its type.
    #[serde(rename = "type")]
    #[schemars(example = &"User")]
    pub kind: String,
    /// Its id: an expression. A request for which it has no value is refused.
    #[schemars(with = "described::Expression", example = &"claims.sub")]
    pub id: String,
    /// What it is in: types, and the expressions that give one id or a list of them.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, described::Expression>")]
    #[schemars(example = serde_json::json!({ "Group": "claims.groups" }))]
    pub parents: BTreeMap<String, String>,
    /// Its attributes: names, and the expressions that give their values. With these or `parents`,
    /// what `entities` says of the entity does not count.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, described::Expression>")]
    #[schemars(example = serde_json::json!({ "department": "claims.department" }))]
    pub attributes: BTreeMap<String, String>,
}

/// The action that is asked about.
#[config]
#[schemars(rename = "CedarAction")]
pub struct ActionConfig {
    /// Its type.
    #[serde(rename = "type", default = "action")]
    pub kind: String,
    /// Its id: an expression.
    #[serde(default = "method")]
    #[schemars(with = "described::Expression")]
    pub id: String,
}

impl Default for ActionConfig {
    fn default() -> Self {
        Self {
            kind: action(),
            id: method(),
        }
    }
}

fn action() -> String {
    "Action".to_owned()
}

fn method() -> String {
    "request.method".to_owned()
}

impl Config {
    pub(super) fn build(&self, context: &Context) -> Result<Cedar, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut entity = |key: &str, config: &EntityConfig| {
            let built = config.build(context);
            built.map_err(|found| faults.extend(under(found, key))).ok()
        };
        let principal = entity("principal", &self.principal);
        let resource = entity("resource", &self.resource);
        let action = self.action.entity();
        let action = entity("action", &action);
        let told = expressions(&self.context, context);
        let told = told
            .map_err(|found| faults.extend(under(found, "context")))
            .ok();
        let engine = Engine::build(self).map_err(|found| faults.extend(found));
        match (principal, action, resource, told, engine) {
            (Some(principal), Some(action), Some(resource), Some(context_of), Ok(engine))
                if faults.is_empty() =>
            {
                Ok(Cedar {
                    engine: Box::new(engine),
                    asked: Box::new(Asked {
                        principal,
                        action,
                        resource,
                        context: context_of,
                    }),
                    judged: Judged::new(NAME, context.route.as_deref().unwrap_or(""), self.dry_run),
                })
            }
            _ => Err(faults),
        }
    }
}

impl ActionConfig {
    fn entity(&self) -> EntityConfig {
        EntityConfig {
            kind: self.kind.clone(),
            id: self.id.clone(),
            parents: BTreeMap::new(),
            attributes: BTreeMap::new(),
        }
    }
}

impl EntityConfig {
    fn build(&self, context: &Context) -> Result<Entity, Vec<Fault>> {
        let mut faults = Vec::new();
        let id = context.request_expression(&self.id);
        let id = id.map_err(|fault| faults.push(fault.under("id"))).ok();
        let mut all = |key: &str, texts: &BTreeMap<String, String>| {
            let built = expressions(texts, context);
            built.map_err(|found| faults.extend(under(found, key))).ok()
        };
        let parents = all("parents", &self.parents);
        let attributes = all("attributes", &self.attributes);
        match (id, parents, attributes) {
            (Some(id), Some(parents), Some(attributes)) => Ok(Entity {
                id,
                parents,
                attributes,
            }),
            _ => Err(faults),
        }
    }
}

/// Expressions by name.
fn expressions(
    texts: &BTreeMap<String, String>,
    context: &Context,
) -> Result<Vec<(String, Expr)>, Vec<Fault>> {
    let (mut built, mut faults) = (Vec::new(), Vec::new());
    for (name, text) in texts {
        match context.request_expression(text) {
            Ok(expr) => built.push((name.clone(), expr)),
            Err(fault) => faults.push(fault.under(name)),
        }
    }
    if faults.is_empty() {
        Ok(built)
    } else {
        Err(faults)
    }
}

fn under(faults: Vec<Fault>, key: &str) -> impl Iterator<Item = Fault> {
    faults.into_iter().map(move |fault| fault.under(key))
}
