//! Whether somebody may do what they ask for.

use lintel_kernel::{
    Exchange, Identity,
    expr::{Expr, Scope},
};
use serde_json::Value;

/// Demands that must all be met.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) scopes: Vec<String>,
    pub(super) any_scope: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) consumers: Vec<String>,
    pub(super) plans: Vec<String>,
    pub(super) claims: Vec<Claim>,
    pub(super) condition: Option<Expr>,
}

/// A claim and the values that will do. A name with dots is looked up as it is and then as a path.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) name: String,
    pub(super) path: Vec<String>,
    pub(super) values: Vec<Value>,
}

/// The demand that is not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unmet {
    Scope,
    Group,
    Consumer,
    Plan,
    Claim,
    Condition,
}

impl Rules {
    pub(super) fn demands_nothing(&self) -> bool {
        !self.needs_identity() && self.condition.is_none()
    }

    /// Whether it can only be met by somebody who is known.
    pub(super) fn needs_identity(&self) -> bool {
        let lists = [
            &self.scopes,
            &self.any_scope,
            &self.groups,
            &self.consumers,
            &self.plans,
        ];
        lists.iter().any(|list| !list.is_empty()) || !self.claims.is_empty()
    }

    /// The scopes to name in a refusal (RFC 6750 §3).
    pub(super) fn wanted_scopes(&self) -> String {
        let all: Vec<&str> = self
            .scopes
            .iter()
            .chain(&self.any_scope)
            .map(String::as_str)
            .collect();
        all.join(" ")
    }

    /// The first demand that is not met.
    pub(super) fn check(&self, exchange: &Exchange) -> Result<(), Unmet> {
        let nobody = Identity::default();
        let who = exchange.identity.as_deref().unwrap_or(&nobody);
        let consumer = who.consumer.as_deref();
        let granted = |scope: &String| who.has_scope(scope);
        demand(self.scopes.iter().all(granted), Unmet::Scope)?;
        demand(any(&self.any_scope, granted), Unmet::Scope)?;
        demand(any(&self.groups, |group| is_in(who, group)), Unmet::Group)?;
        let is_named = |name: &String| consumer.is_some_and(|own| *own.name == **name);
        demand(any(&self.consumers, is_named), Unmet::Consumer)?;
        let is_on = |plan: &String| {
            consumer
                .and_then(|own| own.plan.as_deref())
                .is_some_and(|own| own == plan)
        };
        demand(any(&self.plans, is_on), Unmet::Plan)?;
        demand(
            self.claims.iter().all(|claim| claim.holds(who)),
            Unmet::Claim,
        )?;
        let holds = |expr: &Expr| expr.holds(Scope::request(exchange));
        demand(self.condition.as_ref().is_none_or(holds), Unmet::Condition)
    }
}

impl Claim {
    fn holds(&self, who: &Identity) -> bool {
        let found = who.claims.get(&self.name).or_else(|| who.claim(&self.path));
        match found {
            Some(Value::Array(own)) => own.iter().any(|value| self.values.contains(value)),
            Some(value) => self.values.contains(value),
            None => false,
        }
    }
}

impl Unmet {
    /// A stable word for the log.
    pub(super) const fn cause(self) -> &'static str {
        match self {
            Self::Scope => "scope_missing",
            Self::Group => "group_missing",
            Self::Consumer => "consumer_not_listed",
            Self::Plan => "plan_not_listed",
            Self::Claim => "claim_mismatch",
            Self::Condition => "condition_false",
        }
    }
}

fn demand(met: bool, unmet: Unmet) -> Result<(), Unmet> {
    if met { Ok(()) } else { Err(unmet) }
}

/// Whether one of a list will do; an empty list demands nothing.
fn any<T>(list: &[T], will_do: impl Fn(&T) -> bool) -> bool {
    list.is_empty() || list.iter().any(will_do)
}

fn is_in(who: &Identity, group: &str) -> bool {
    let own = who
        .consumer
        .as_deref()
        .map_or(&[][..], |consumer| &consumer.groups);
    let claimed = who.claims.get("groups").and_then(Value::as_array);
    own.iter().any(|own| &**own == group)
        || claimed.is_some_and(|all| all.iter().any(|own| own.as_str() == Some(group)))
}
