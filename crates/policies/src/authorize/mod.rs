#![doc = include_str!("README.md")]

mod config;
mod runtime;
#[cfg(test)]
mod tests;

use http::{HeaderValue, Method, Response, StatusCode, header};
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow, Rejection};

pub use config::Config;
use runtime::{Rules, Unmet};

use crate::{Context, Policy};

/// Lets callers pass that may do what they ask for.
pub struct Authorize {
    usual: Rules,
    by_method: Vec<(Method, Rules)>,
    /// The URL of the resource's metadata, quoted.
    metadata: Option<String>,
}

const FORBIDDEN: Rejection = Rejection::new(
    "authorize",
    StatusCode::FORBIDDEN,
    "forbidden",
    "The caller may not do this.",
);

const INSUFFICIENT_SCOPE: Rejection = Rejection::new(
    "authorize",
    StatusCode::FORBIDDEN,
    "insufficient_scope",
    "The credentials were not granted the scope that this needs.",
);

impl Policy for Authorize {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        config.build(context)
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        let method = &exchange.request.method;
        let own = self.by_method.iter().find(|(own, _)| own == method);
        let rules = own.map_or(&self.usual, |(_, rules)| rules);
        match rules.check(exchange) {
            Ok(()) => Flow::Next,
            Err(Unmet::Scope) => Flow::Refuse(self.insufficient_scope(rules)),
            Err(unmet) => Flow::Refuse(FORBIDDEN.with_cause(unmet.cause())),
        }
    }

    fn needs_identity(&self) -> bool {
        let mut all = self.by_method.iter().map(|(_, rules)| rules);
        self.usual.needs_identity() || all.any(Rules::needs_identity)
    }
}

impl Authorize {
    /// RFC 6750 §3.1: the answer may name the scope that would do; RFC 9728 §5.1: and where the
    /// resource says how to get it.
    fn insufficient_scope(&self, rules: &Rules) -> Rejection {
        let refusal = INSUFFICIENT_SCOPE.with_cause(Unmet::Scope.cause());
        let scopes = rules.wanted_scopes();
        let mut text = format!("Bearer error=\"insufficient_scope\", scope=\"{scopes}\"");
        if let Some(metadata) = &self.metadata {
            text.push_str(", resource_metadata=");
            text.push_str(metadata);
        }
        match HeaderValue::from_str(&text) {
            Ok(value) => refusal.with_header(header::WWW_AUTHENTICATE, value),
            Err(_) => refusal,
        }
    }
}
