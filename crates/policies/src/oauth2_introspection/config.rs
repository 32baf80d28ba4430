use std::{collections::BTreeMap, sync::Arc};

use http::{Uri, uri::PathAndQuery};
use lintel_jose::Rules;
use lintel_kernel::{ByteSize, Duration, Fault, Secret, config};

use super::{
    Introspection, NAME,
    answer::Demands,
    client::Client,
    counted::Counted,
    introspector::{Introspector, Settings},
};
use crate::{
    Backend, Context, ServiceRef, bearer::Challenges, credential::Place, described,
    forward::Forward,
};

/// Whom tokens are shown to, which of them are believed, and what the upstream is told of them.
#[config]
#[schemars(rename = "OAuth2Introspection")]
pub struct Config {
    /// The authorization server: the name of a service under `services`. It has its own connections,
    /// health checks, retries and breaker there; tokens go there, so give it an `https` endpoint.
    pub service: String,

    /// The path of its introspection endpoint (RFC 7662), as its metadata name it
    /// (`introspection_endpoint`).
    #[schemars(example = &"/oauth2/introspect")]
    pub path: String,

    /// How the gateway identifies itself there. Without it, by the client certificate of the service
    /// or not at all.
    #[serde(default)]
    pub client: Option<ClientConfig>,

    /// How long a whole answer may take, within the timeout of the route.
    #[serde(default = "timeout")]
    pub timeout: Duration,

    /// Who has to have issued the token: what the answer says in `iss`. Without it anybody whom the
    /// server vouches for.
    #[serde(default)]
    #[schemars(example = &"https://auth.example.com/")]
    pub issuer: Option<String>,

    /// Whom the token has to be for: one of these must be in `aud` of the answer. Without it tokens
    /// that were made for other services are accepted too.
    #[serde(default)]
    #[schemars(example = ["api.example.com"])]
    pub audience: Vec<String>,

    /// What must be there of the answer.
    #[serde(default)]
    #[schemars(example = ["sub"])]
    pub required: Vec<String>,

    /// How far the clocks of server and gateway may disagree.
    #[serde(default = "leeway")]
    pub leeway: Duration,

    /// What of the answer holds scopes, as a text with spaces between them or a list. Default:
    /// `scope`.
    #[serde(default)]
    pub scope_claim: Option<String>,

    /// What of the answer names the declared consumer, such as `client_id` or `sub`. A token that
    /// names none is still believed; `authorize` may demand a consumer or a plan.
    #[serde(default)]
    #[schemars(example = &"client_id")]
    pub consumer_claim: Option<String>,

    /// Where tokens are looked for; the first place that has one counts. Default: `Authorization`
    /// with the scheme `Bearer`.
    #[serde(default)]
    pub from: Vec<Place>,

    /// How long what was said is believed without asking again.
    #[serde(default)]
    pub cache: CacheConfig,

    /// Header fields that tell the upstream who is calling: names, and the expressions that give
    /// their values. What clients send under these names is always removed.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, described::Expression>")]
    #[schemars(example = serde_json::json!({ "X-User-Id": "claims.sub" }))]
    pub forward: BTreeMap<String, String>,

    /// Whether the upstream gets the token too. Without it the token ends here, so that no service
    /// can use it in the caller's name.
    #[serde(default)]
    pub keep_token: bool,

    /// What the token is for, as a 401 tells callers.
    #[serde(default = "realm")]
    pub realm: String,

    /// The URL of the metadata that tell callers where to get tokens (RFC 9728), for 401.
    #[serde(default)]
    pub resource_metadata: Option<String>,

    /// The largest answer that is read.
    #[serde(default = "max_answer")]
    pub max_answer: ByteSize,
}

/// The gateway's own credentials at the authorization server.
#[config]
#[schemars(rename = "OAuth2IntrospectionClient")]
pub struct ClientConfig {
    /// Its client id.
    pub id: String,
    /// Its client secret.
    #[schemars(example = &"${env.INTROSPECTION_SECRET}")]
    pub secret: Secret,
    /// How they are sent.
    #[serde(default)]
    pub auth: Auth,
}

/// How client credentials are sent (RFC 6749 §2.3.1).
#[config]
#[derive(Copy, Default, PartialEq, Eq)]
#[schemars(rename = "OAuth2ClientAuth")]
pub enum Auth {
    /// In `Authorization`: `client_secret_basic`.
    #[default]
    Basic,
    /// In the body: `client_secret_post`.
    Post,
}

/// How long what was said of tokens is believed.
#[config]
#[derive(PartialEq, Eq)]
#[schemars(rename = "OAuth2IntrospectionCache")]
pub struct CacheConfig {
    /// How long a good token passes without asking again; no longer than its `exp` says. A token that
    /// is revoked goes on to pass that long. `0s` asks for each request.
    #[serde(default = "ttl")]
    pub ttl: Duration,
    /// How long a bad token is refused without asking again.
    #[serde(default = "negative_ttl")]
    pub negative_ttl: Duration,
    /// Memory for it, in each worker.
    #[serde(default = "memory")]
    pub memory: ByteSize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            ttl: ttl(),
            negative_ttl: negative_ttl(),
            memory: memory(),
        }
    }
}

const fn timeout() -> Duration {
    Duration::from_secs(2)
}

const fn leeway() -> Duration {
    Duration::from_secs(5)
}

const fn ttl() -> Duration {
    Duration::from_secs(60)
}

const fn negative_ttl() -> Duration {
    Duration::from_secs(10)
}

const fn memory() -> ByteSize {
    ByteSize::bytes(8 << 20)
}

const fn max_answer() -> ByteSize {
    ByteSize::bytes(64 << 10)
}

fn realm() -> String {
    "api".to_owned()
}

impl Config {
    pub(super) fn services(&self) -> Vec<ServiceRef<'_>> {
        vec![ServiceRef {
            path: vec!["service"],
            name: &self.service,
        }]
    }

    pub(super) fn build(&self, context: &Context) -> Result<Introspection, Vec<Fault>> {
        let mut faults = Vec::new();
        let backend = self.backend(context).map_err(|fault| faults.push(fault));
        let path = self.target().map_err(|fault| faults.push(fault));
        let places = Place::bearer(&self.from).map_err(|found| faults.extend(found));
        let forward = Forward::build(&self.forward, context);
        let forward = forward.map_err(|found| faults.extend(found));
        let challenges = Challenges::new(NAME, &self.realm, self.resource_metadata.as_deref());
        if challenges.is_none() {
            faults.push(crate::challenge::unquotable("realm"));
        }
        if self.timeout.is_zero() {
            let fault = Fault::new("no server answers in no time at all");
            faults.push(
                fault
                    .with_hint("write a time, such as `2s`")
                    .under("timeout"),
            );
        }
        match (backend, path, places, forward, challenges) {
            (Ok(backend), Ok(path), Ok(places), Ok(forward), Some(challenges))
                if faults.is_empty() =>
            {
                Ok(Introspection {
                    introspector: Introspector::new(backend, self.settings(path, context)),
                    places,
                    challenges,
                    forward,
                    keep_token: self.keep_token,
                    counted: Counted::new(context.route.as_deref().unwrap_or("")),
                    revoked: Arc::clone(&context.revoked),
                })
            }
            _ => Err(faults),
        }
    }

    fn backend(&self, context: &Context) -> Result<Backend, Fault> {
        let (timeout, most) = (self.timeout.to_std(), self.max_answer.as_usize());
        Backend::build(context, &self.service, timeout, most)
            .map_err(|fault| fault.under("service"))
    }

    fn target(&self) -> Result<Uri, Fault> {
        let path: Option<PathAndQuery> = self.path.parse().ok();
        let path = path.filter(|_| self.path.starts_with('/'));
        path.map(Uri::from).ok_or_else(|| {
            Fault::new(format!("`{}` is not a path", self.path))
                .with_hint("a path begins with `/`, such as `/oauth2/introspect`; the server's address belongs to the service")
                .under("path")
        })
    }

    fn settings(&self, path: Uri, context: &Context) -> Settings {
        Settings {
            service: self.service.clone(),
            path,
            client: self.client.as_ref().map(|client| Client {
                id: client.id.clone(),
                secret: client.secret.clone(),
                in_body: client.auth == Auth::Post,
            }),
            demands: Demands {
                rules: Rules {
                    issuers: self.issuer.iter().cloned().collect(),
                    audiences: self.audience.clone(),
                    required: self.required.clone(),
                    leeway: self.leeway.to_std(),
                    // Whether it is still good, the server says.
                    allow_eternal: true,
                    ..Rules::default()
                },
                scope_claim: self.scope_claim.clone(),
                consumers: context.claimed(self.consumer_claim.as_ref()),
            },
            ttl: self.cache.ttl.to_std(),
            negative_ttl: self.cache.negative_ttl.to_std(),
            memory: self.cache.memory.as_usize(),
        }
    }
}
