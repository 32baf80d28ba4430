mod issuer;

use std::{collections::BTreeMap, sync::Arc};

use lintel_jose::Rules;
use lintel_kernel::{ByteSize, Duration, Fault, Secret, config};

use issuer::{IssuerConfig, Keyed};

use super::{
    Jwt,
    key_source::KeySource,
    reject::NAME,
    verifier::{Settings, Trusted, Verifier},
};
use crate::{
    Context,
    bearer::Challenges,
    challenge,
    credential::Place,
    described,
    forward::Forward,
    issuer::{AlgorithmName, Fetch},
};

/// Which tokens are believed, and what the upstream is told of them. The keys come from exactly
/// one of `jwks`, `discovery`, `keys`, `public_key` and `secret`; or from that of each of `issuers`.
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

    /// A JWK Set (RFC 7517): the URL where the issuer publishes it, or its JSON text, as a file
    /// holds it. A URL is fetched in the background and kept fresh (`fetch`); when a file changes,
    /// its keys are taken over by a reload.
    #[serde(default)]
    #[schemars(example = &"https://auth.example.com/.well-known/jwks.json")]
    #[schemars(example = &"${file.jwks.json}")]
    pub jwks: Option<String>,

    /// The issuer, as the URL below which it publishes where its keys are
    /// (`.well-known/openid-configuration`, or RFC 8414's `.well-known/oauth-authorization-server`).
    /// What it says of itself must match. Tokens must be of this issuer, unless `issuer` says
    /// otherwise.
    #[serde(default)]
    #[schemars(example = &"https://auth.example.com/")]
    pub discovery: Option<String>,

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

    /// How keys are fetched that come from a URL.
    #[serde(default)]
    pub fetch: Fetch,

    /// Several issuers, in place of one: a token is checked by the keys of the issuer that its
    /// claim `iss` names, and by no others. What else is set holds for all of them.
    #[serde(default)]
    pub issuers: Vec<IssuerConfig>,

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

impl Config {
    pub(super) fn build(&self, context: &Context) -> Result<Jwt, Vec<Fault>> {
        let mut faults = Vec::new();
        let issuers = self.trusted(context).map_err(|found| faults.extend(found));
        let places = Place::bearer(&self.from)
            .map_err(|found| faults.extend(found))
            .ok();
        let forward = Forward::build(&self.forward, context);
        let forward = forward.map_err(|found| faults.extend(found)).ok();
        let challenges = Challenges::new(NAME, &self.realm, self.resource_metadata.as_deref());
        if challenges.is_none() {
            faults.push(challenge::unquotable("realm"));
        }
        match (issuers, places, forward, challenges) {
            (Ok(issuers), Some(places), Some(forward), Some(challenges)) if faults.is_empty() => {
                Ok(Jwt {
                    places,
                    verifier: Verifier::shared(Settings {
                        issuers,
                        consumers: context.claimed(self.consumer_claim.as_ref()),
                        memory: self.cache.as_usize(),
                        revoked: Arc::clone(&context.revoked),
                    }),
                    challenges,
                    forward,
                    keep_token: self.keep_token,
                })
            }
            _ => Err(faults),
        }
    }

    fn trusted(&self, context: &Context) -> Result<Vec<Trusted>, Vec<Fault>> {
        if self.issuers.is_empty() {
            let keyed = self.keyed();
            let keys = keyed.keys(context).map_err(|fault| vec![fault])?;
            let name = keyed.name().map(str::to_owned);
            return Ok(vec![self.trust(name, &self.audience, keys)]);
        }
        let mut faults = self.contradictions();
        let mut built: Vec<Trusted> = Vec::new();
        for (index, issuer) in self.issuers.iter().enumerate() {
            let under = |fault: Fault| fault.under(index.to_string()).under("issuers");
            let keyed = issuer.keyed(&self.fetch);
            let Some(name) = keyed.name() else {
                let fault = Fault::new("this issuer has no name to know its tokens by");
                faults.push(under(
                    fault.with_hint("add `issuer`: what stands in their claim `iss`"),
                ));
                continue;
            };
            // Otherwise a public key could be taken for the secret of the same issuer's tokens.
            if built
                .iter()
                .any(|known| known.name.as_deref() == Some(name))
            {
                let fault = Fault::new(format!("the issuer `{name}` is here twice"));
                faults.push(under(
                    fault.with_hint("keep one of them; a JWK Set may hold many keys"),
                ));
                continue;
            }
            let own = !issuer.audience.is_empty();
            let audience = if own {
                &issuer.audience
            } else {
                &self.audience
            };
            match keyed.keys(context) {
                Ok(keys) => built.push(self.trust(Some(name.to_owned()), audience, keys)),
                Err(fault) => faults.push(under(fault)),
            }
        }
        if faults.is_empty() {
            Ok(built)
        } else {
            Err(faults)
        }
    }

    /// What belongs to one issuer and can't stand beside several.
    fn contradictions(&self) -> Vec<Fault> {
        let given = [
            ("issuer", self.issuer.is_some()),
            ("algorithms", !self.algorithms.is_empty()),
            ("jwks", self.jwks.is_some()),
            ("discovery", self.discovery.is_some()),
            ("keys", self.keys.is_some()),
            ("public_key", self.public_key.is_some()),
            ("secret", self.secret.is_some()),
        ];
        let given = given.iter().filter(|(_, is)| *is);
        given
            .map(|(key, _)| {
                Fault::new(format!("`{key}` can't stand beside `issuers`"))
                    .with_hint("move it to the issuer that it belongs to")
                    .under(*key)
            })
            .collect()
    }

    fn keyed(&self) -> Keyed<'_> {
        Keyed {
            issuer: self.issuer.as_deref(),
            algorithms: &self.algorithms,
            jwks: self.jwks.as_deref(),
            discovery: self.discovery.as_deref(),
            keys: self.keys.as_deref(),
            public_key: self.public_key.as_deref(),
            secret: self.secret.as_ref(),
            fetch: &self.fetch,
        }
    }

    fn trust(&self, name: Option<String>, audience: &[String], keys: KeySource) -> Trusted {
        Trusted {
            rules: Rules {
                issuers: name.iter().cloned().collect(),
                audiences: audience.to_vec(),
                kind: self.kind.clone(),
                required: self.required.clone(),
                leeway: self.leeway.to_std(),
                max_lifetime: self.max_lifetime.map(Duration::to_std),
                allow_eternal: self.allow_eternal,
            },
            name,
            keys,
            scope_claim: self.scope_claim.clone(),
        }
    }
}
