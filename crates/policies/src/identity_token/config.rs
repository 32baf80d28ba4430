use std::sync::Arc;

use http::{HeaderName, header};
use lintel_jose::Signer;
use lintel_kernel::{Duration, Fault, Secret, config};

use super::{
    IdentityToken,
    keys::{Keyring, Source},
    mint::{Mint, Settings},
};
use crate::Context;

/// What the token says, who may rely on it, and what signs it.
#[config]
#[schemars(rename = "IdentityToken")]
pub struct Config {
    /// Who the gateway is: the claim `iss`. Services must hold tokens to it.
    #[schemars(length(min = 1), example = &"https://gateway.example.com/")]
    pub issuer: String,

    /// Whom the tokens are for: the claim `aud`. Default: the names of the services that the route
    /// sends requests to, its fallback and its mirror among them.
    #[serde(default)]
    #[schemars(extend("uniqueItems" = true), example = ["orders"])]
    pub audience: Vec<String>,

    /// The header field that holds the token. What clients send under this name is always removed.
    /// In `Authorization` it follows the word `Bearer`.
    #[serde(default = "header")]
    pub header: String,

    /// How long a token is valid: 10 seconds to an hour. None is valid for longer than the caller's
    /// own token.
    #[serde(default = "lifetime")]
    pub lifetime: Duration,

    /// Claims of the caller's own token (or certificate) that are copied, by name.
    #[serde(default)]
    #[schemars(extend("uniqueItems" = true), example = ["tenant"])]
    pub claims: Vec<String>,

    /// Private Ed25519 keys in PEM form, as `openssl genpkey -algorithm ed25519` writes them. The
    /// first one signs, all are published. Default: a key that is made at the start and rotated;
    /// several replicas need keys that they share, or `rotate` where services fetch those of each.
    #[serde(default)]
    #[schemars(example = ["${file.identity.pem}"])]
    pub keys: Vec<Secret>,

    /// How long a key signs that was made here: at least ten minutes, and no less than `lifetime`.
    /// The next one is published as long before it signs, and the last one for as long as its tokens
    /// are valid. Default: `24h`.
    #[serde(default)]
    pub rotate: Option<Duration>,
}

fn header() -> String {
    "X-Identity-Token".to_owned()
}

const fn lifetime() -> Duration {
    Duration::from_secs(60)
}

/// Claims that the gateway itself makes.
pub(super) const OWN: [&str; 12] = [
    "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "auth", "auth_iss", "consumer", "plan",
    "scope",
];
const LIFETIMES: std::ops::RangeInclusive<u64> = 10..=3600;
const OFTEN: Duration = Duration::from_secs(600);
const USUAL: Duration = Duration::from_secs(86_400);
const MAKE: &str = "`openssl genpkey -algorithm ed25519 -out identity.pem` makes one; write `keys: [\"${file.identity.pem}\"]`";

impl Config {
    pub(super) fn build(&self, context: &Context) -> Result<IdentityToken, Vec<Fault>> {
        let mut faults = Vec::new();
        let name = self.name().map_err(|fault| faults.push(fault)).ok();
        let source = self.source(context).map_err(|found| faults.extend(found));
        faults.extend(self.wrong());
        let (Some(name), Ok(source), true) = (name, source, faults.is_empty()) else {
            return Err(faults);
        };
        let keys = Keyring::of(source).map_err(|error| {
            let fault = Fault::new(format!("no key can be made: {error}"));
            vec![fault.with_hint(MAKE)]
        })?;
        let audience = self.audience(context);
        let mint = audience.map(|audience| {
            Mint::shared(Settings {
                issuer: self.issuer.as_str().into(),
                audience,
                lifetime: self.lifetime.to_std().as_secs(),
                claims: self.claims.clone(),
                scheme: if name == header::AUTHORIZATION {
                    "Bearer "
                } else {
                    ""
                },
                keys,
            })
        });
        Ok(IdentityToken { name, mint })
    }

    /// `None` on a route that sends nothing anywhere.
    fn audience(&self, context: &Context) -> Option<Vec<Arc<str>>> {
        if !self.audience.is_empty() {
            return Some(
                self.audience
                    .iter()
                    .map(|one| one.as_str().into())
                    .collect(),
            );
        }
        let services = context.targets.as_deref()?;
        (!services.is_empty()).then(|| services.to_vec())
    }

    fn name(&self) -> Result<HeaderName, Fault> {
        self.header.parse().map_err(|_| {
            Fault::new(format!("`{}` is not a header name", self.header))
                .with_hint("use letters, digits and dashes, such as `X-Identity-Token`")
                .under("header")
        })
    }

    fn source(&self, context: &Context) -> Result<Source, Vec<Fault>> {
        if self.keys.is_empty() {
            let replicas = context.replicas.count();
            // By what is written: that more of them come while this one runs is no mistake of a reload.
            if context.dry && self.rotate.is_none() && replicas > 1 {
                let fault = Fault::new(format!(
                    "each of the {replicas} replicas would make a key of its own, which the others do not publish"
                ));
                return Err(vec![fault.with_hint(MAKE)]);
            }
            let rotate = self.rotate.unwrap_or(USUAL);
            return Ok(Source::Made {
                rotate: rotate.to_std(),
            });
        }
        let (mut signers, mut faults) = (Vec::<Signer>::new(), Vec::new());
        for (index, pem) in self.keys.iter().enumerate() {
            let under = |fault: Fault| fault.discreet().under(index.to_string()).under("keys");
            match Signer::from_pem(pem.expose().as_bytes()) {
                Err(error) => faults.push(under(Fault::new(error.to_string()).with_hint(MAKE))),
                Ok(signer) if signers.iter().any(|known| known.id() == signer.id()) => faults.push(
                    under(Fault::new("this key is here twice").with_hint("keep one of them")),
                ),
                Ok(signer) => signers.push(signer),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let first = signers.remove(0);
        Ok(Source::Given(first, signers))
    }

    fn wrong(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut wrong = |key: &str, message: String, hint: &str| {
            faults.push(Fault::new(message).with_hint(hint).under(key));
        };
        if self.issuer.trim().is_empty() {
            wrong(
                "issuer",
                "tokens of nobody can't be held to their issuer".to_owned(),
                "write a name or a URL of this gateway, such as `https://gateway.example.com/`",
            );
        }
        if !LIFETIMES.contains(&self.lifetime.to_std().as_secs()) {
            wrong(
                "lifetime",
                format!("a token can't be valid for {}", self.lifetime),
                "write a time from `10s` to `1h`",
            );
        }
        match self.rotate {
            Some(_) if !self.keys.is_empty() => wrong(
                "rotate",
                "keys that are given are not rotated".to_owned(),
                "remove `rotate`; to change keys, add one to `keys`, and put it first once services know it",
            ),
            Some(rotate) if rotate < OFTEN || rotate < self.lifetime => wrong(
                "rotate",
                format!("a key can't be replaced every {rotate}"),
                "write at least `10m`, and no less than `lifetime`",
            ),
            _ => {}
        }
        for (index, claim) in self.claims.iter().enumerate() {
            if OWN.contains(&claim.as_str()) {
                let fault = Fault::new(format!("`{claim}` is a claim of the gateway's own"))
                    .with_hint("remove it: it can't be copied")
                    .under(index.to_string());
                faults.push(fault.under("claims"));
            }
        }
        faults
    }
}
