use std::collections::BTreeMap;

use http::Method;
use lintel_kernel::{Fault, config};
use serde_json::Value;

use super::runtime::{Claim, Rules};
use crate::{Context, challenge, described};

/// What callers must be allowed to. Everything that is given must hold.
#[config]
#[derive(Default)]
#[schemars(rename = "Authorize")]
pub struct Config {
    /// Scopes that must all have been granted.
    #[serde(default)]
    #[schemars(example = ["orders:read"])]
    pub scopes: Vec<String>,
    /// Scopes of which one must have been granted.
    #[serde(default)]
    pub any_scope: Vec<String>,
    /// Groups of which the caller must be in one: those of the consumer, and those in the claim
    /// `groups`.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Consumers of which the caller must be one.
    #[serde(default)]
    pub consumers: Vec<String>,
    /// Plans of which the caller must be on one.
    #[serde(default)]
    pub plans: Vec<String>,
    /// Claims and the values of which each must have one. A claim that is a list must contain one.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "tenant": ["acme", "umbrella"] }))]
    pub claims: BTreeMap<String, OneOf>,
    /// A condition that must hold.
    #[serde(default)]
    #[schemars(with = "Option<described::Expression>")]
    pub condition: Option<String>,
    /// The URL of the metadata that tell callers where to get tokens with more scopes (RFC 9728), for
    /// 403.
    #[serde(default)]
    pub resource_metadata: Option<String>,
    /// Other demands for some methods; they take the place of those above.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "POST": { "scopes": ["orders:write"] } }))]
    pub methods: BTreeMap<String, MethodConfig>,
}

/// What callers must be allowed to for one method. Everything that is given must hold.
#[config]
#[derive(Default)]
#[schemars(rename = "AuthorizeMethod")]
pub struct MethodConfig {
    /// Scopes that must all have been granted.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Scopes of which one must have been granted.
    #[serde(default)]
    pub any_scope: Vec<String>,
    /// Groups of which the caller must be in one.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Consumers of which the caller must be one.
    #[serde(default)]
    pub consumers: Vec<String>,
    /// Plans of which the caller must be on one.
    #[serde(default)]
    pub plans: Vec<String>,
    /// Claims and the values of which each must have one.
    #[serde(default)]
    pub claims: BTreeMap<String, OneOf>,
    /// A condition that must hold.
    #[serde(default)]
    #[schemars(with = "Option<described::Expression>")]
    pub condition: Option<String>,
}

/// A value, or a list of values of which one will do.
#[config(untagged)]
pub enum OneOf {
    /// One of these.
    Many(Vec<Value>),
    /// This one.
    One(Value),
}

impl Config {
    pub(super) fn build(&self, context: &Context) -> Result<super::Authorize, Vec<Fault>> {
        let mut faults = Vec::new();
        let metadata = self.resource_metadata.as_deref().map(challenge::quoted);
        if metadata == Some(None) {
            faults.push(challenge::unquotable("resource_metadata"));
        }
        let usual = MethodConfig {
            scopes: self.scopes.clone(),
            any_scope: self.any_scope.clone(),
            groups: self.groups.clone(),
            consumers: self.consumers.clone(),
            plans: self.plans.clone(),
            claims: self.claims.clone(),
            condition: self.condition.clone(),
        };
        let usual = usual
            .build(context)
            .map_err(|fault| faults.push(fault))
            .ok();
        let mut by_method = Vec::new();
        for (name, demands) in &self.methods {
            match method(name).and_then(|method| Ok((method, demands.build(context)?))) {
                Ok(built) => by_method.push(built),
                Err(fault) => faults.push(fault.under(name).under("methods")),
            }
        }
        match usual {
            Some(usual) if faults.is_empty() => {
                if usual.demands_nothing() && by_method.is_empty() {
                    return Err(vec![Fault::new("nothing is demanded of callers").with_hint(
                        "add `scopes`, `any_scope`, `groups`, `consumers`, `plans`, `claims` or `condition`",
                    )]);
                }
                Ok(super::Authorize {
                    usual,
                    by_method,
                    metadata: metadata.flatten(),
                })
            }
            _ => Err(faults),
        }
    }
}

impl MethodConfig {
    fn build(&self, context: &Context) -> Result<Rules, Fault> {
        let condition = self.condition.as_ref().map(|text| {
            context
                .request_expression(text)
                .map_err(|fault| fault.under("condition"))
        });
        let claims = self.claims.iter().map(|(name, values)| {
            let values = match values {
                OneOf::Many(values) => values.clone(),
                OneOf::One(value) => vec![value.clone()],
            };
            let plain =
                |value: &Value| !matches!(value, Value::Array(_) | Value::Object(_) | Value::Null);
            if values.is_empty() || !values.iter().all(plain) {
                return Err(
                    Fault::new("a claim is compared with texts, numbers and truth values")
                        .with_hint("write a value or a list of them; for more, write a `condition`")
                        .under(name)
                        .under("claims"),
                );
            }
            let path = name.split('.').map(str::to_owned).collect();
            Ok(Claim {
                name: name.clone(),
                path,
                values,
            })
        });
        Ok(Rules {
            scopes: self.scopes.clone(),
            any_scope: self.any_scope.clone(),
            groups: self.groups.clone(),
            consumers: self.consumers.clone(),
            plans: self.plans.clone(),
            claims: claims.collect::<Result<_, _>>()?,
            condition: condition.transpose()?,
        })
    }
}

fn method(name: &str) -> Result<Method, Fault> {
    let shout = name
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    let method = Method::from_bytes(name.as_bytes()).ok().filter(|_| shout);
    method.ok_or_else(|| {
        Fault::new(format!("`{name}` is not a method"))
            .with_hint("write it in capitals, such as `POST`")
    })
}
