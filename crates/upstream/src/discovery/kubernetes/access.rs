//! How the API server is reached.

use std::{env, path::PathBuf, sync::Arc};

use lintel_kernel::Secret;
use lintel_tls::{ClientSettings, Roots};

use super::{
    super::{Readers, file},
    kubeconfig,
};
use crate::client::Server;

/// Where pods find what they need to talk to the API server
/// (<https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/>).
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// How the API server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// From a pod, as its service account.
    Pod(Pod),
    /// As a kubeconfig says.
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Which of its contexts; none for its current one.
        context: Option<Arc<str>>,
    },
}

/// What a pod is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Host and port of the API server; none outside of pods.
    pub server: Option<(Arc<str>, u16)>,
    /// The folder with the service account's token, namespace and CA.
    pub account: PathBuf,
}

impl Pod {
    /// The pod that this process runs in.
    pub fn of_environment() -> Self {
        let host = env::var("KUBERNETES_SERVICE_HOST").ok();
        let port = env::var("KUBERNETES_SERVICE_PORT").ok();
        let port = port.and_then(|port| port.parse().ok());
        Self {
            server: host
                .filter(|host| !host.is_empty())
                .map(|host| (host.into(), port.unwrap_or(443))),
            account: ACCOUNT.into(),
        }
    }
}

/// An API server, and as whom it is asked.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) server: Server,
    /// What stands before the paths of the API; no `/` at its end.
    pub(super) base: String,
    pub(super) token: Option<Secret>,
    /// The namespace where none is configured.
    pub(super) namespace: Arc<str>,
    /// Whose credentials these are, for messages.
    pub(super) who: String,
}

impl Access {
    pub(super) async fn open(&self, readers: Readers) -> Result<Opened, String> {
        match self {
            Self::Pod(pod) => of_pod(pod).await,
            Self::Kubeconfig { path, context } => {
                let text = file::read(path.clone()).await?;
                let value = (readers.yaml)(path, &text)?;
                kubeconfig::open(path, context.as_deref(), value).await
            }
        }
    }
}

async fn of_pod(pod: &Pod) -> Result<Opened, String> {
    let (host, port) = pod.server.clone().ok_or(
        "this process is in no pod of Kubernetes (KUBERNETES_SERVICE_HOST is not set): name a `kubeconfig`",
    )?;
    let token = file::read(pod.account.join("token"))
        .await
        .map_err(|error| {
            format!(
                "{error} (is `automountServiceAccountToken` off in the pod or its service account?)"
            )
        })?;
    let namespace = file::read(pod.account.join("namespace")).await;
    Ok(Opened {
        server: Server {
            host,
            port,
            tls: Some(ClientSettings {
                roots: Roots::File(pod.account.join("ca.crt")),
                ..ClientSettings::default()
            }),
        },
        base: String::new(),
        token: Some(Secret::new(token)),
        namespace: namespace.map_or_else(|_| "default".into(), |text| text.trim().into()),
        who: "the pod's service account".to_owned(),
    })
}
