//! One issuer: where its keys come from, and what they may do.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration as StdDuration};

use lintel_jose::{Algorithm, Key, Keys};
use lintel_kernel::{Duration, Fault, Secret, config};

use crate::{
    Context,
    jwt::{
        issuer::{From as Asked, Issuer, Source, Terms, Url},
        key_source::{Fetched, Given, KeySource},
    },
};

/// An issuer among several. Its keys come from exactly one of `jwks`, `discovery`, `keys`,
/// `public_key` and `secret`.
#[config]
#[schemars(rename = "JwtIssuer")]
pub struct IssuerConfig {
    /// Who issues the tokens: their claim `iss`. Needed, unless `discovery` names it.
    #[serde(default)]
    #[schemars(example = &"https://partner.example.org")]
    pub issuer: Option<String>,

    /// Whom this issuer's tokens are for, in place of the `audience` of all.
    #[serde(default)]
    pub audience: Vec<String>,

    /// Signature algorithms that are accepted of this issuer. Default: `RS256`, `PS256`, `ES256`
    /// and `EdDSA`; with `secret`, `HS256`.
    #[serde(default)]
    pub algorithms: Vec<AlgorithmName>,

    /// A JWK Set (RFC 7517): the URL where the issuer publishes it, or its JSON text.
    #[serde(default)]
    #[schemars(example = &"https://partner.example.org/jwks.json")]
    pub jwks: Option<String>,

    /// The issuer, as the URL below which it publishes where its keys are.
    #[serde(default)]
    pub discovery: Option<String>,

    /// The keys of a JWK Set, written out.
    #[serde(default)]
    pub keys: Option<Vec<BTreeMap<String, serde_json::Value>>>,

    /// One public key in PEM form.
    #[serde(default)]
    pub public_key: Option<String>,

    /// The secret that issuer and gateway share.
    #[serde(default)]
    pub secret: Option<Secret>,

    /// How this issuer's keys are fetched, in place of the `fetch` of all.
    #[serde(default)]
    pub fetch: Option<Fetch>,
}

/// How keys are fetched. They are refreshed ahead of the end of their age, and when a token names a
/// key that is not known. When the issuer does not answer, the last good keys stay in use.
#[config]
#[schemars(rename = "JwtFetch")]
pub struct Fetch {
    /// A PEM file of the CAs that may vouch for the issuer's server, in place of the system's. Read
    /// at each refresh.
    #[serde(default)]
    #[schemars(with = "Option<String>", example = &"certs/ca.pem")]
    pub ca: Option<PathBuf>,

    /// Whether keys may come over plain `http:`, where anybody on the way can replace them. From
    /// loopback they always may.
    #[serde(default)]
    pub plaintext: bool,

    /// For one refresh, discovery included.
    #[serde(default = "timeout")]
    pub timeout: Duration,

    /// The shortest time between refreshes, however short-lived the issuer says that its keys are.
    #[serde(default = "min_age")]
    pub min_age: Duration,

    /// The longest time between refreshes, however long-lived the issuer says that its keys are
    /// (`Cache-Control: max-age`). Where it says nothing, ten minutes.
    #[serde(default = "max_age")]
    pub max_age: Duration,

    /// How long after a refresh a token with an unknown key may cause the next one. Made-up keys
    /// cause no more than this.
    #[serde(default = "cooldown")]
    pub cooldown: Duration,

    /// What becomes of a request whose token names an unknown key, while keys are being fetched.
    #[serde(default)]
    pub unknown_key: UnknownKey,

    /// How long such a request waits at most.
    #[serde(default = "wait")]
    pub wait: Duration,

    /// How long keys are used that can't be refreshed. After that requests are refused with 503.
    /// Without it the last good keys are used for as long as the issuer is away, so that its outage
    /// is not yours.
    #[serde(default)]
    #[schemars(example = &"24h")]
    pub max_stale: Option<Duration>,
}

/// What becomes of a request whose token names an unknown key.
#[config]
#[derive(Copy, Default, PartialEq, Eq)]
#[schemars(rename = "JwtUnknownKey")]
pub enum UnknownKey {
    /// It waits until keys are fetched.
    #[default]
    Wait,
    /// It is refused; keys are fetched for the next.
    Refuse,
}

const fn timeout() -> Duration {
    Duration::from_secs(5)
}

const fn min_age() -> Duration {
    Duration::from_secs(60)
}

const fn max_age() -> Duration {
    Duration::from_secs(3600)
}

const fn cooldown() -> Duration {
    Duration::from_secs(30)
}

const fn wait() -> Duration {
    Duration::from_secs(2)
}

impl Default for Fetch {
    fn default() -> Self {
        Self {
            ca: None,
            plaintext: false,
            timeout: timeout(),
            min_age: min_age(),
            max_age: max_age(),
            cooldown: cooldown(),
            unknown_key: UnknownKey::default(),
            wait: wait(),
            max_stale: None,
        }
    }
}

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[schemars(rename = "JwtAlgorithm")]
#[allow(missing_docs)] // the names are those of RFC 7518 and RFC 8037
pub enum AlgorithmName {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    #[allow(clippy::upper_case_acronyms)]
    EdDSA,
    HS256,
    HS384,
    HS512,
}

impl From<AlgorithmName> for Algorithm {
    fn from(name: AlgorithmName) -> Self {
        match name {
            AlgorithmName::RS256 => Self::Rs256,
            AlgorithmName::RS384 => Self::Rs384,
            AlgorithmName::RS512 => Self::Rs512,
            AlgorithmName::PS256 => Self::Ps256,
            AlgorithmName::PS384 => Self::Ps384,
            AlgorithmName::PS512 => Self::Ps512,
            AlgorithmName::ES256 => Self::Es256,
            AlgorithmName::ES384 => Self::Es384,
            AlgorithmName::ES512 => Self::Es512,
            AlgorithmName::EdDSA => Self::EdDsa,
            AlgorithmName::HS256 => Self::Hs256,
            AlgorithmName::HS384 => Self::Hs384,
            AlgorithmName::HS512 => Self::Hs512,
        }
    }
}

impl IssuerConfig {
    pub(super) fn keyed<'a>(&'a self, shared: &'a Fetch) -> Keyed<'a> {
        Keyed {
            issuer: self.issuer.as_deref(),
            algorithms: &self.algorithms,
            jwks: self.jwks.as_deref(),
            discovery: self.discovery.as_deref(),
            keys: self.keys.as_deref(),
            public_key: self.public_key.as_deref(),
            secret: self.secret.as_ref(),
            fetch: self.fetch.as_ref().unwrap_or(shared),
        }
    }
}

/// What is written of one issuer, wherever it is written.
pub(super) struct Keyed<'a> {
    pub(super) issuer: Option<&'a str>,
    pub(super) algorithms: &'a [AlgorithmName],
    pub(super) jwks: Option<&'a str>,
    pub(super) discovery: Option<&'a str>,
    pub(super) keys: Option<&'a [BTreeMap<String, serde_json::Value>]>,
    pub(super) public_key: Option<&'a str>,
    pub(super) secret: Option<&'a Secret>,
    pub(super) fetch: &'a Fetch,
}

impl Keyed<'_> {
    /// The claim `iss` of its tokens.
    pub(super) fn name(&self) -> Option<&str> {
        self.issuer.or(self.discovery)
    }

    /// Its keys, or where to fetch them.
    pub(super) fn keys(&self, context: &Context) -> Result<KeySource, Fault> {
        let algorithms = self.algorithms()?;
        self.only_one()?;
        let under = |key: &'static str| move |fault: Fault| fault.under(key);
        if let Some(url) = self.jwks.filter(|text| is_url(text)) {
            let url = Url::parse(url, self.fetch.plaintext).map_err(under("jwks"))?;
            return self.fetched(Asked::Jwks(url), algorithms, context);
        }
        if let Some(issuer) = self.discovery {
            let asked = self.discovered(issuer).map_err(under("discovery"))?;
            return self.fetched(asked, algorithms, context);
        }
        let (key, text, keys) = self.given(&algorithms);
        let keys = keys.map_err(|fault| fault.under(key))?;
        Ok(KeySource::Given(Given {
            text: text.into(),
            algorithms,
            keys: Arc::new(keys),
        }))
    }

    fn only_one(&self) -> Result<(), Fault> {
        let given = [
            ("jwks", self.jwks.is_some()),
            ("discovery", self.discovery.is_some()),
            ("keys", self.keys.is_some()),
            ("public_key", self.public_key.is_some()),
            ("secret", self.secret.is_some()),
        ];
        let given: Vec<&str> = given
            .iter()
            .filter(|(_, is)| *is)
            .map(|(key, _)| *key)
            .collect();
        match given.as_slice() {
            [_] => Ok(()),
            [] => Err(Fault::new("nothing says which keys verify the tokens")
                .with_hint("add `jwks`, `discovery`, `keys`, `public_key` or `secret`")),
            [_, second, ..] => Err(Fault::new(format!(
                "`{}` can't be combined",
                given.join("` and `")
            ))
            .with_hint("keep one of them")
            .under(*second)),
        }
    }

    /// Where an issuer says where its keys are. Its path goes before the well-known part for OpenID
    /// Connect (Discovery 1.0 §4.1) and after it for OAuth (RFC 8414 §3.1).
    fn discovered(&self, issuer: &str) -> Result<Asked, Fault> {
        let bare = issuer.strip_suffix('/').unwrap_or(issuer);
        if issuer.contains("/.well-known/") || issuer.contains(['?', '#']) {
            return Err(
                Fault::new("the issuer's own URL is needed here, as its tokens name it")
                    .with_hint("write what comes before `/.well-known/…`"),
            );
        }
        let plaintext = self.fetch.plaintext;
        let first = Url::parse(
            &format!("{bare}/.well-known/openid-configuration"),
            plaintext,
        )?;
        let host_ends = bare
            .find("://")
            .and_then(|at| Some(at + 3 + bare.get(at + 3..)?.find('/')?));
        let (origin, path) = bare
            .split_at_checked(host_ends.unwrap_or(bare.len()))
            .unwrap_or((bare, ""));
        let second = format!("{origin}/.well-known/oauth-authorization-server{path}");
        Ok(Asked::Discovery {
            first,
            second: Url::parse(&second, plaintext).ok(),
            issuer: self.issuer.unwrap_or(issuer).to_owned(),
        })
    }

    fn fetched(
        &self,
        from: Asked,
        algorithms: Vec<Algorithm>,
        context: &Context,
    ) -> Result<KeySource, Fault> {
        if self.secret.is_some() || algorithms.iter().any(|one| one.is_symmetric()) {
            return Err(Fault::new("what is published can't be a secret").under("algorithms"));
        }
        let terms = self
            .fetch
            .terms(context)
            .map_err(|fault| fault.under("fetch"))?;
        let patience = match self.fetch.unknown_key {
            UnknownKey::Wait => self.fetch.wait.to_std(),
            UnknownKey::Refuse => StdDuration::ZERO,
        };
        let issuer = Issuer::of(Source {
            from,
            algorithms,
            terms,
        });
        Ok(KeySource::Fetched(Fetched { issuer, patience }))
    }

    fn algorithms(&self) -> Result<Vec<Algorithm>, Fault> {
        let named: Vec<Algorithm> = self.algorithms.iter().map(|name| (*name).into()).collect();
        let secret = self.secret.is_some();
        if named.is_empty() {
            return Ok(if secret {
                vec![Algorithm::Hs256]
            } else {
                vec![
                    Algorithm::Rs256,
                    Algorithm::Ps256,
                    Algorithm::Es256,
                    Algorithm::EdDsa,
                ]
            });
        }
        match named
            .iter()
            .position(|algorithm| algorithm.is_symmetric() != secret)
        {
            None => Ok(named),
            Some(at) => {
                let fault = if secret {
                    Fault::new("a secret serves HS256, HS384 and HS512 alone")
                        .with_hint("remove the others, or give the public key instead of `secret`")
                } else {
                    Fault::new("HS256, HS384 and HS512 need a secret that issuer and gateway share")
                        .with_hint("write `secret: ${env.TOKEN_SECRET}`, or name an algorithm with public keys")
                };
                Err(fault.under(at.to_string()).under("algorithms"))
            }
        }
    }

    /// The key in the configuration, the text and what was made of it.
    fn given(&self, algorithms: &[Algorithm]) -> (&'static str, Vec<u8>, Result<Keys, Fault>) {
        let set = |text: &[u8]| Keys::from_jwks(text, algorithms).map(|(keys, _)| keys);
        let (key, text, keys) = if let Some(text) = self.jwks {
            ("jwks", text.as_bytes().to_vec(), set(text.as_bytes()))
        } else if let Some(pem) = self.public_key {
            let key = Key::from_pem(pem.as_bytes(), algorithms).map(Keys::one);
            ("public_key", pem.as_bytes().to_vec(), key)
        } else if let Some(secret) = self.secret {
            let secret = secret.expose().as_bytes();
            let key = Key::from_secret(secret, algorithms).map(Keys::one);
            ("secret", secret.to_vec(), key)
        } else {
            let written = serde_json::json!({ "keys": self.keys });
            let text = written.to_string().into_bytes();
            let keys = set(&text);
            ("keys", text, keys)
        };
        let keys = keys.map_err(|error| Fault::new(error.to_string()));
        (key, text, keys)
    }
}

impl Fetch {
    fn terms(&self, context: &Context) -> Result<Terms, Fault> {
        let positive = |key: &'static str, time: Duration| {
            if time.to_std().is_zero() {
                return Err(Fault::new(format!("`{key}` can't be zero")).under(key));
            }
            Ok(time.to_std())
        };
        let (min_age, max_age) = (positive("min_age", self.min_age)?, self.max_age.to_std());
        if min_age > max_age {
            return Err(Fault::new("`min_age` is longer than `max_age`").under("min_age"));
        }
        let ca = self.ca.as_ref().map(|ca| context.folder.join(ca));
        if let Some(ca) = ca.as_ref().filter(|ca| !context.dry && !ca.is_file()) {
            let fault = Fault::new(format!("there is no file `{}`", ca.display()));
            return Err(fault.under("ca"));
        }
        Ok(Terms {
            ca,
            plaintext: self.plaintext,
            timeout: positive("timeout", self.timeout)?,
            min_age,
            max_age,
            cooldown: positive("cooldown", self.cooldown)?,
            max_stale: self.max_stale.map(Duration::to_std),
        })
    }
}

fn is_url(text: &str) -> bool {
    text.starts_with("https:") || text.starts_with("http:")
}
