//! The policies, as cedar-policy runs them. There are no loops in Cedar: a decision takes as long as
//! the policies are.

mod faults;
mod load;
mod request;

use std::time::Duration;

use cedar_policy::{
    Authorizer, Decision, Effect, Entities, EntityTypeName, PolicySet, Response, Schema,
};
use lintel_kernel::{Exchange, Fault};
use lintel_telemetry::log::OncePer;

use super::{asked::Asked, config::Config};

/// Policies that were read, and what they are evaluated with.
pub(super) struct Engine {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    schema: Option<Schema>,
    principal: Types,
    action: Types,
    resource: Types,
}

/// Types of an entity that is made from the request, and of what it is in.
pub(super) struct Types {
    own: EntityTypeName,
    parents: Vec<EntityTypeName>,
}

impl Engine {
    /// Reads policies, entities and schema.
    ///
    /// # Errors
    /// The mistakes in them, each at its key.
    pub(super) fn build(config: &Config) -> Result<Self, Vec<Fault>> {
        load::engine(config)
    }

    /// Whether the policies permit a request.
    ///
    /// # Errors
    /// They do not, for this reason.
    pub(super) fn decide(&self, asked: &Asked, exchange: &Exchange) -> Result<(), String> {
        let (request, made) = request::of(self, asked, exchange)?;
        let entities = made.as_ref().unwrap_or(&self.entities);
        let response = self
            .authorizer
            .is_authorized(&request, &self.policies, entities);
        for error in response.diagnostics().errors() {
            static FAILED: OncePer = OncePer::new(Duration::from_secs(10));
            if let Some(suppressed) = FAILED.pass() {
                tracing::warn!(
                    route = exchange.route_name(),
                    request_id = exchange.id.as_str(),
                    cause = %error,
                    suppressed,
                    "a policy in Cedar could not be evaluated, and did not count"
                );
            }
        }
        match response.decision() {
            Decision::Allow => Ok(()),
            Decision::Deny => Err(self.reason(&response)),
        }
    }

    /// Which policies forbid it, or that none permits it.
    fn reason(&self, response: &Response) -> String {
        let mut forbidding: Vec<&str> = response
            .diagnostics()
            .reason()
            .filter(|id| {
                self.policies.policy(id).map(cedar_policy::Policy::effect) == Some(Effect::Forbid)
            })
            .map(AsRef::as_ref)
            .collect();
        forbidding.sort_unstable();
        if forbidding.is_empty() {
            "no policy permits it".to_owned()
        } else {
            format!("forbidden by {}", forbidding.join(", "))
        }
    }
}
