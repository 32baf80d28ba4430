//! The API of Kubernetes, as far as it is needed here.

use std::time::Duration;

use http::{Method, StatusCode, header::AUTHORIZATION};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    super::watcher::Session,
    Ended, KubernetesSource, State,
    access::Opened,
    news::news,
    slices::{Slice, Slices},
};
use crate::client::{Connection, Refusal};

/// Slices in one answer; a slice has at most 1,000 endpoints, and 100 if nobody changes that.
const PAGE: u32 = 500;
const LIST_TIMEOUT: Duration = Duration::from_secs(30);
/// The server ends a watch after this and up to twice as long: what the clients of Kubernetes ask
/// for themselves (`minWatchTimeout` in client-go's reflector).
const SHORTEST_WATCH: Duration = Duration::from_secs(300);
/// After the time that it was asked to end at, a watch that goes on is dead.
const GRACE: Duration = Duration::from_secs(30);
/// A watch that ends earlier and has brought nothing is none to go on with (client-go's "very short
/// watch").
const SHORT_WATCH: Duration = Duration::from_secs(1);

/// A connection to the API server.
pub(super) struct Api {
    connection: Connection,
    opened: Opened,
    /// Path and query of the service's slices.
    target: String,
}

impl Api {
    /// Tokens and certificates are read anew for each connection: they are replaced every hour or so.
    pub(super) async fn connect(
        source: &KubernetesSource,
        session: &Session,
    ) -> Result<Self, String> {
        let opened = source.access.open(session.readers).await?;
        let mut connection = opened.server.connect().await?;
        if let Some(token) = &opened.token {
            connection.secret(AUTHORIZATION, &format!("Bearer {}", token.expose().trim()))?;
        }
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let namespace = source.namespace.as_ref().unwrap_or(&opened.namespace);
        let target = format!(
            "{}/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?labelSelector={}",
            opened.base,
            encoded(&format!("kubernetes.io/service-name={}", source.service)),
        );
        Ok(Self {
            connection,
            opened,
            target,
        })
    }

    /// The newest state, and not one from the server's cache: that may be older than what is known
    /// already.
    pub(super) async fn list(&mut self) -> Result<State, String> {
        let mut state = State {
            slices: Slices::default(),
            version: String::new(),
        };
        let mut next = String::new();
        loop {
            let target = format!("{}&limit={PAGE}{next}", self.target);
            let answer = self.connection.get(&target, LIST_TIMEOUT).await?;
            let page: Page = answer.json().map_err(|refusal| self.explain(refusal))?;
            for slice in page.items.unwrap_or_default() {
                state.slices.put(slice);
            }
            state.version = page.metadata.resource_version;
            if page.metadata.next.is_empty() {
                break;
            }
            let token = utf8_percent_encode(&page.metadata.next, NON_ALPHANUMERIC);
            next = format!("&continue={token}");
        }
        if state.version.is_empty() {
            return Err("the list has no `resourceVersion`; is this Kubernetes?".to_owned());
        }
        Ok(state)
    }

    pub(super) async fn watch(
        &mut self,
        state: &mut State,
        source: &KubernetesSource,
        session: &Session,
    ) -> Result<Ended, String> {
        let begun = Instant::now();
        let limit = SHORTEST_WATCH.mul_f64(1.0 + fastrand::f64());
        let target = format!(
            "{}&watch=1&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}",
            self.target,
            limit.as_secs(),
            utf8_percent_encode(&state.version, NON_ALPHANUMERIC)
        );
        let lines = match self.connection.lines(Method::GET, &target, None).await {
            Ok(lines) => lines,
            Err(refusal) if refusal.status == Some(StatusCode::GONE) => return Ok(Ended::Expired),
            Err(refusal) => return Err(self.explain(refusal)),
        };
        session.alive();
        let before = state.version.clone();
        let ended = news(lines, state, begun + limit + GRACE, |slices| {
            session.found(slices.entries(source, session.scheme));
        });
        let ended = ended.await?;
        let barren = begun.elapsed() < SHORT_WATCH && state.version == before;
        Ok(if barren { Ended::Expired } else { ended })
    }

    /// What a refusal means here.
    fn explain(&self, refusal: Refusal) -> String {
        let Refusal { status, text } = refusal;
        match status {
            Some(StatusCode::UNAUTHORIZED) => {
                format!("{text} (the API server does not take {})", self.opened.who)
            }
            Some(StatusCode::FORBIDDEN) => format!(
                "{text} (a Role must allow `list` and `watch` of `endpointslices` in the API group \
                 `discovery.k8s.io` to {}, and a RoleBinding give it)",
                self.opened.who
            ),
            Some(StatusCode::NOT_FOUND) => format!(
                "{text} (`discovery.k8s.io/v1` is in Kubernetes 1.21 and newer; is this its API server?)"
            ),
            _ => text,
        }
    }
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMetadata,
    items: Option<Vec<Slice>>,
}

#[derive(Default, Deserialize)]
struct PageMetadata {
    #[serde(rename = "resourceVersion", default)]
    resource_version: String,
    #[serde(rename = "continue", default)]
    next: String,
}
