//! What a policy is.

use std::path::PathBuf;

use http::Response;
use lintel_http::Body;
use lintel_kernel::{Ending, Exchange, Fault, Flow};
use serde::de::DeserializeOwned;

/// One cross-cutting rule, built from its part of a route's configuration and shared by all
/// workers.
///
/// Hooks are synchronous and must neither block nor wait. They run on the request path: what can
/// be computed at load is computed in [`build`](Self::build).
pub trait Policy: Sized + Send + Sync {
    /// What the operator writes under the policy's key.
    type Config: DeserializeOwned + schemars::JsonSchema;

    /// Builds the policy.
    ///
    /// # Errors
    /// Every mistake in the configuration, each with its path below the policy's key.
    fn build(config: &Self::Config, context: &Context) -> Result<Self, Vec<Fault>>;

    /// Sees a request on its way in.
    fn on_request(&self, _exchange: &mut Exchange, _body: &mut Body) -> Flow<Response<Body>> {
        Flow::Next
    }

    /// Sees the answer on its way out; also answers that the gateway made itself.
    fn on_response(&self, _exchange: &mut Exchange, _response: &mut Response<Body>) {}

    /// Sees the end of the request, whatever way it ended.
    fn on_end(&self, _exchange: &Exchange, _ending: &Ending) {}
}

/// What a policy may use while it is built.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The folder that relative paths in the configuration start from.
    pub folder: PathBuf,
    /// Names of the path parameters that every match of the route has, for checking expressions;
    /// `None` where the route is not known yet.
    pub params: Option<Vec<String>>,
}

/// A policy's setting on a route: its configuration, or `off` to drop one inherited from
/// `defaults`.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Setting<T> {
    /// Switched off on this route.
    Off(Off),
    /// The policy's configuration.
    On(T),
}

/// The word `off`.
#[derive(Debug, Clone, Copy, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Off {
    /// Switched off.
    Off,
}
