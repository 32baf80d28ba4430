//! One issuer: where its keys come from, and what they may do.

use std::{collections::BTreeMap, sync::Arc};

use lintel_jose::{Algorithm, Key, Keys};
use lintel_kernel::{Fault, Secret, config};

use crate::{
    Context,
    issuer::{AlgorithmName, Fetch, From as Asked, Issuer, Source, Url},
    jwt::key_source::{Fetched, Given, KeySource},
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
            let name = self.issuer.unwrap_or(issuer);
            let asked = Asked::discovery(issuer, name, self.fetch.plaintext);
            let asked = asked.map_err(under("discovery"))?;
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
        let patience = self.fetch.patience();
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
                AlgorithmName::USUAL.to_vec()
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

fn is_url(text: &str) -> bool {
    text.starts_with("https:") || text.starts_with("http:")
}
