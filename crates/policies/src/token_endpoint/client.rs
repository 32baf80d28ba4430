//! How a client says who it is.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use http::header::AUTHORIZATION;
use lintel_jose::ClientKey;
use lintel_kernel::{Fault, Secret, config};
use lintel_upstream::client::Connection;
use serde_json::{Value, json};

use crate::form::basic;

/// How the gateway proves to the token endpoint that it is the client (RFC 6749 §2.3).
#[config]
#[derive(Copy, PartialEq, Eq)]
#[schemars(rename = "ClientAuthentication")]
pub enum Authentication {
    /// By `Authorization: Basic` (`client_secret_basic`).
    Basic,
    /// By the secret in the form (`client_secret_post`).
    Post,
    /// By a short-lived token that `client_key` signs (RFC 7523 §2.2): no secret goes over the wire.
    PrivateKeyJwt,
    /// Not at all: a public client, which PKCE alone protects.
    None,
}

/// A private key that proves who the client is; the authorization server has its public half.
#[config]
#[derive(PartialEq, Eq)]
#[schemars(rename = "ClientKey")]
pub struct KeyConfig {
    /// The private key in PEM form, not encrypted: RSA (it signs `RS256`), P-256 (`ES256`), P-384
    /// (`ES384`) or Ed25519 (`EdDSA`). `openssl genpkey -algorithm EC -pkeyopt
    /// ec_paramgen_curve:P-256` makes one.
    #[schemars(example = &"${file.client.key}")]
    pub pem: Secret,

    /// What the server calls the key (`kid`), where it knows several.
    #[serde(default)]
    pub id: Option<String>,

    /// Whom the proof is for (`aud`). Default: the URL of the token endpoint; some servers want their
    /// issuer's.
    #[serde(default)]
    #[schemars(example = &"https://auth.example.com/")]
    pub audience: Option<String>,
}

/// What is written of a client.
#[derive(Clone, Copy)]
pub(crate) struct Written<'a> {
    pub(crate) id: &'a str,
    pub(crate) secret: Option<&'a Secret>,
    pub(crate) key: Option<&'a KeyConfig>,
    pub(crate) by: Option<Authentication>,
}

/// A client that is registered at an issuer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Client {
    id: String,
    proof: Proof,
}

#[derive(Clone, Debug)]
enum Proof {
    None,
    Basic(Secret),
    Post(Secret),
    Key(KeyConfig, Arc<ClientKey>),
}

/// Seconds that a proof is good for.
const PROOF_LIFE: u64 = 60;
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Client {
    /// Without `by`, a client with a key proves it by that, and one with a secret says it by `Basic`, as
    /// every server must understand.
    ///
    /// # Errors
    /// What is given does not fit together.
    pub(crate) fn build(written: Written<'_>) -> Result<Self, Fault> {
        if written.id.is_empty() {
            return Err(Fault::new("a client has an id")
                .with_hint("write the one that the provider gave out")
                .under("client_id"));
        }
        Ok(Self {
            id: written.id.to_owned(),
            proof: written.proof()?,
        })
    }

    /// Adds what says who asks, at the endpoint of this URL.
    pub(super) fn identify(
        &self,
        connection: &mut Connection,
        form: &mut Vec<(&'static str, String)>,
        url: &str,
    ) -> Result<(), String> {
        match &self.proof {
            Proof::Basic(secret) => {
                connection.secret(AUTHORIZATION, &basic(&self.id, secret))?;
            }
            Proof::Post(secret) => {
                form.push(("client_id", self.id.clone()));
                form.push(("client_secret", secret.expose().to_owned()));
            }
            Proof::Key(config, key) => {
                form.push(("client_id", self.id.clone()));
                form.push(("client_assertion_type", ASSERTION.to_owned()));
                form.push(("client_assertion", self.assertion(config, key, url)?));
            }
            Proof::None => form.push(("client_id", self.id.clone())),
        }
        Ok(())
    }

    /// RFC 7523 §3, OpenID Connect Core 1.0 §9: good for a minute, and once.
    fn assertion(&self, config: &KeyConfig, key: &ClientKey, url: &str) -> Result<String, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_secs());
        let number: String = std::iter::repeat_with(fastrand::alphanumeric)
            .take(24)
            .collect();
        let claims = json!({
            "iss": self.id,
            "sub": self.id,
            "aud": config.audience.as_deref().unwrap_or(url),
            "iat": now,
            "exp": now + PROOF_LIFE,
            "jti": number,
        });
        let Value::Object(claims) = claims else {
            return Err("no claims".to_owned());
        };
        let signed = key.sign(config.id.as_deref(), &claims);
        signed.map_err(|error| error.to_string())
    }
}

impl Written<'_> {
    fn proof(&self) -> Result<Proof, Fault> {
        let wrong = |text: &str, hint: &str| {
            let fault = Fault::new(text).with_hint(hint);
            Err(fault.under("client_authentication"))
        };
        let by = self.by.unwrap_or(match (self.key, self.secret) {
            (Some(_), _) => Authentication::PrivateKeyJwt,
            (None, Some(_)) => Authentication::Basic,
            (None, None) => Authentication::None,
        });
        match (by, self.secret, self.key) {
            (Authentication::None, Some(_), _) => wrong(
                "a public client has no secret",
                "remove `client_authentication: none`, or the secret",
            ),
            (Authentication::Basic | Authentication::Post, None, _) => wrong(
                "there is no secret to prove it by",
                "add `client_secret: ${file.client.secret}`",
            ),
            (Authentication::PrivateKeyJwt, _, None) => wrong(
                "there is no key to prove it by",
                "add `client_key: { pem: \"${file.client.key}\" }`",
            ),
            (Authentication::PrivateKeyJwt, Some(_), Some(_)) => Err(Fault::new(
                "a client that proves who it is by a key needs no secret",
            )
            .with_hint("remove `client_secret`, or `client_key`")
            .under("client_secret")),
            (Authentication::Basic | Authentication::Post | Authentication::None, _, Some(_)) => {
                Err(Fault::new("`client_key` is for `private_key_jwt` alone")
                    .with_hint("remove it, or write `client_authentication: private_key_jwt`")
                    .under("client_key"))
            }
            (Authentication::PrivateKeyJwt, None, Some(config)) => {
                let key = ClientKey::from_pem(config.pem.expose().as_bytes());
                let key = key.map_err(|error| {
                    Fault::new(error.to_string())
                        .discreet()
                        .with_hint("make one with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`; `openssl pkcs8 -topk8 -nocrypt` brings older forms into this one")
                        .under("pem")
                        .under("client_key")
                })?;
                Ok(Proof::Key(config.clone(), Arc::new(key)))
            }
            (Authentication::Basic, Some(secret), None) => Ok(Proof::Basic(trimmed(secret)?)),
            (Authentication::Post, Some(secret), None) => Ok(Proof::Post(trimmed(secret)?)),
            (Authentication::None, None, None) => Ok(Proof::None),
        }
    }
}

/// Files end in a line break that is not meant.
fn trimmed(secret: &Secret) -> Result<Secret, Fault> {
    match secret.expose().trim() {
        "" => Err(Fault::new("the secret is empty")
            .with_hint("put the one into it that the provider gave out")
            .under("client_secret")),
        secret => Ok(Secret::new(secret)),
    }
}

impl PartialEq for Proof {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Basic(own), Self::Basic(other)) | (Self::Post(own), Self::Post(other)) => {
                own == other
            }
            // The key is made of this.
            (Self::Key(own, _), Self::Key(other, _)) => own == other,
            _ => false,
        }
    }
}
