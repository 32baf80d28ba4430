use std::{collections::BTreeMap, sync::Arc};

use lintel_jose::{Algorithm, Key, Keys, Rules};
use lintel_kernel::{ByteSize, Duration, Fault, Secret, config};

use super::{
    Jwt,
    key_source::KeySource,
    reject::Challenges,
    verifier::{Settings, Verifier},
};
use crate::{Context, credential::Place, described, forward::Forward};

/// Which tokens are believed, and what the upstream is told of them. The keys come from exactly
/// one of `jwks`, `keys`, `public_key` and `secret`.
#[config]
#[schemars(rename = "Jwt")]
pub struct Config {
    /// Who issues the tokens: their claim `iss`. Without it any issuer that has the keys will do.
    #[serde(default)]
    #[schemars(example = &"https://auth.example.com/")]
    pub issuer: Option<String>,

    /// Whom the tokens are for: one of these must be in their claim `aud`. Without it tokens that
    /// were made for other services are accepted too.
    #[serde(default)]
    #[schemars(example = ["api.example.com"])]
    pub audience: Vec<String>,

    /// Signature algorithms that are accepted. Default: `RS256`, `PS256`, `ES256` and `EdDSA`; with
    /// `secret`, `HS256`. Secrets and public keys don't mix.
    #[serde(default)]
    pub algorithms: Vec<AlgorithmName>,

    /// A JWK Set (RFC 7517) as JSON text, as a file holds it. When the file changes, its keys are
    /// taken over by a reload.
    #[serde(default)]
    #[schemars(example = &"${file.jwks.json}")]
    pub jwks: Option<String>,

    /// The keys of a JWK Set, written out.
    #[serde(default)]
    pub keys: Option<Vec<BTreeMap<String, serde_json::Value>>>,

    /// One public key in PEM form (`-----BEGIN PUBLIC KEY-----`).
    #[serde(default)]
    #[schemars(example = &"${file.issuer.pem}")]
    pub public_key: Option<String>,

    /// The secret that issuer and gateway share, for HS256, HS384 and HS512. At least as long as
    /// the hash: 32, 48 or 64 bytes. Whoever knows it can make tokens.
    #[serde(default)]
    #[schemars(example = &"${env.TOKEN_SECRET}")]
    pub secret: Option<Secret>,

    /// Where tokens are looked for; the first place that has one counts. Default: `Authorization`
    /// with the scheme `Bearer`.
    #[serde(default)]
    pub from: Vec<Place>,

    /// How far the clocks of issuer and gateway may disagree.
    #[serde(default = "leeway")]
    pub leeway: Duration,

    /// The longest time from a token's `iat` to its `exp`. Without it a token may be as lasting as
    /// its issuer likes.
    #[serde(default)]
    #[schemars(example = &"1h")]
    pub max_lifetime: Option<Duration>,

    /// Whether tokens without `exp` are accepted. They can never be taken back.
    #[serde(default)]
    pub allow_eternal: bool,

    /// The `typ` that tokens must have, such as `at+jwt` for access tokens (RFC 9068). Without it
    /// any type is accepted.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,

    /// Claims that must be there.
    #[serde(default)]
    #[schemars(example = ["sub"])]
    pub required: Vec<String>,

    /// The claim that holds scopes, as a text with spaces between them or a list. Default: `scope`,
    /// or else `scp`.
    #[serde(default)]
    pub scope_claim: Option<String>,

    /// The claim that names the declared consumer, such as `sub` or `client_id`. A token whose claim
    /// names none is still believed; `authorize` may demand a consumer or a plan.
    #[serde(default)]
    #[schemars(example = &"client_id")]
    pub consumer_claim: Option<String>,

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

    /// Memory for verified tokens, in each worker. A token found there costs no signature check.
    #[serde(default = "cache")]
    pub cache: ByteSize,
}

const fn leeway() -> Duration {
    Duration::from_secs(5)
}

fn realm() -> String {
    "api".to_owned()
}

const fn cache() -> ByteSize {
    ByteSize::bytes(8 << 20)
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

impl Config {
    pub(super) fn build(&self, context: &Context) -> Result<Jwt, Vec<Fault>> {
        let mut faults = Vec::new();
        let keys = self.keys().map_err(|fault| faults.push(fault)).ok();
        let places = self.places().map_err(|found| faults.extend(found)).ok();
        let forward = Forward::build(&self.forward, context);
        let forward = forward.map_err(|found| faults.extend(found)).ok();
        let challenges = Challenges::new(&self.realm, self.resource_metadata.as_deref());
        if challenges.is_none() {
            faults.push(
                Fault::new("a challenge can't hold quotes, backslashes or characters beyond ASCII")
                    .under("realm"),
            );
        }
        match (keys, places, forward, challenges) {
            (Some(keys), Some(places), Some(forward), Some(challenges)) if faults.is_empty() => {
                Ok(Jwt {
                    places,
                    verifier: Verifier::shared(self.settings(keys, context)),
                    challenges,
                    forward,
                    keep_token: self.keep_token,
                })
            }
            _ => Err(faults),
        }
    }

    fn settings(&self, keys: KeySource, context: &Context) -> Settings {
        Settings {
            rules: Rules {
                issuers: self.issuer.iter().cloned().collect(),
                audiences: self.audience.clone(),
                kind: self.kind.clone(),
                required: self.required.clone(),
                leeway: self.leeway.to_std(),
                max_lifetime: self.max_lifetime.map(Duration::to_std),
                allow_eternal: self.allow_eternal,
            },
            keys,
            scope_claim: self.scope_claim.clone(),
            consumers: self
                .consumer_claim
                .clone()
                .map(|claim| (claim, Arc::clone(&context.consumers.tokens))),
            memory: self.cache.as_usize(),
        }
    }

    fn places(&self) -> Result<Vec<crate::credential::Source>, Vec<Fault>> {
        let usual = [Place::Header("Authorization".to_owned())];
        let places = if self.from.is_empty() {
            &usual[..]
        } else {
            &self.from
        };
        let (mut built, mut faults) = (Vec::new(), Vec::new());
        for (index, place) in places.iter().enumerate() {
            match place.build("Bearer") {
                Ok(place) => built.push(place),
                Err(fault) => faults.push(fault.under(index.to_string()).under("from")),
            }
        }
        if faults.is_empty() {
            Ok(built)
        } else {
            Err(faults)
        }
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

    fn keys(&self) -> Result<KeySource, Fault> {
        let algorithms = self.algorithms()?;
        let given = [
            ("jwks", self.jwks.is_some()),
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
            [_] => {}
            [] => {
                return Err(Fault::new("nothing says which keys verify the tokens")
                    .with_hint("add `jwks`, `keys`, `public_key` or `secret`"));
            }
            [_, second, ..] => {
                return Err(
                    Fault::new(format!("`{}` can't be combined", given.join("` and `")))
                        .with_hint("keep one of them")
                        .under(*second),
                );
            }
        }
        let (key, text, keys) = self.read(&algorithms);
        let keys = keys.map_err(|fault| fault.under(key))?;
        Ok(KeySource {
            text: text.into(),
            algorithms,
            keys: Arc::new(keys),
        })
    }

    /// The key in the configuration, the text and what was made of it.
    fn read(&self, algorithms: &[Algorithm]) -> (&'static str, Vec<u8>, Result<Keys, Fault>) {
        let set = |text: &[u8]| Keys::from_jwks(text, algorithms).map(|(keys, _)| keys);
        let (key, text, keys) = if let Some(text) = &self.jwks {
            if text.starts_with("http") {
                let fault = Fault::new("keys can't be fetched from a URL yet")
                    .with_hint("write `jwks: ${file.jwks.json}`, and fetch that file from the URL");
                return ("jwks", Vec::new(), Err(fault));
            }
            ("jwks", text.clone().into_bytes(), set(text.as_bytes()))
        } else if let Some(pem) = &self.public_key {
            let key = Key::from_pem(pem.as_bytes(), algorithms).map(Keys::one);
            ("public_key", pem.clone().into_bytes(), key)
        } else if let Some(secret) = &self.secret {
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
