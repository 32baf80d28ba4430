//! Endpoints from Kubernetes: the EndpointSlices of a service, listed once and then watched
//! (<https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes>).

mod access;
mod api;
mod kubeconfig;
mod news;
mod slices;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use tokio::time;

pub use self::access::{Access, Pod};
use self::{api::Api, slices::Slices};
use super::watcher::Session;
use crate::service::Addresses;

/// A service in Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesSource {
    /// How the API server is reached.
    pub access: Access,
    /// The namespace; none for the pod's own, or that of the kubeconfig's context.
    pub namespace: Option<Arc<str>>,
    /// The name of the service.
    pub service: Arc<str>,
    /// Which of the pods' ports; none if there is only one.
    pub port: Option<PortRef>,
    /// Which addresses of pods that have several.
    pub addresses: Addresses,
}

/// A port of pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortRef {
    /// By its name in the service. Pods may differ in its number.
    Name(Arc<str>),
    /// By its number, at the pods (`targetPort`).
    Number(u16),
}

impl fmt::Display for KubernetesSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("kubernetes ")?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.service)
    }
}

/// Lists the slices, then watches from there on. A watch that ends is followed by another that goes
/// on where it stopped; returns when that is no longer possible, and the next session lists again.
pub(super) async fn follow(source: &KubernetesSource, session: &Session) -> Result<(), String> {
    let mut api = Api::connect(source, session).await?;
    let mut state = api.list().await?;
    session.found(state.slices.entries(source, session.scheme));
    loop {
        match api.watch(&mut state, source, session).await? {
            Ended::Expired => return Ok(()),
            Ended::Over => {}
            // Whoever watches a server that restarts shall not come back to it at once together.
            Ended::Broken => time::sleep(Duration::from_secs(1).mul_f64(fastrand::f64())).await,
        }
        api = Api::connect(source, session).await?;
    }
}

/// What the server has said, and as of when.
struct State {
    slices: Slices,
    version: String,
}

/// Why a watch is over.
enum Ended {
    /// The server has ended it, as it does now and then.
    Over,
    /// The connection has.
    Broken,
    /// What happened in between is no longer known there.
    Expired,
}
