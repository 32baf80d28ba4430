//! How a client says who it is.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::header::AUTHORIZATION;
use lintel_kernel::{Fault, Secret, config};
use lintel_upstream::client::Connection;

use super::form::escaped;

/// How the gateway proves to the token endpoint that it is the client (RFC 6749 §2.3).
#[config]
#[derive(Copy, PartialEq, Eq)]
#[schemars(rename = "ClientAuthentication")]
pub enum Authentication {
    /// By `Authorization: Basic` (`client_secret_basic`).
    Basic,
    /// By the secret in the form (`client_secret_post`).
    Post,
    /// Not at all: a public client, which PKCE alone protects.
    None,
}

/// A client that is registered at an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) id: String,
    secret: Option<Secret>,
    by: Authentication,
}

impl Client {
    /// Without `by`, a client with a secret says it by `Basic`, as every server must understand.
    ///
    /// # Errors
    /// What is given does not fit together.
    pub(crate) fn build(
        id: &str,
        secret: Option<&Secret>,
        by: Option<Authentication>,
    ) -> Result<Self, Fault> {
        if id.is_empty() {
            return Err(Fault::new("a client has an id")
                .with_hint("write the one that the provider gave out")
                .under("client_id"));
        }
        let by = by.unwrap_or(if secret.is_some() {
            Authentication::Basic
        } else {
            Authentication::None
        });
        match (by, secret) {
            (Authentication::None, Some(_)) => Err(Fault::new("a public client has no secret")
                .with_hint("remove `client_authentication: none`, or the secret")
                .under("client_authentication")),
            (Authentication::Basic | Authentication::Post, None) => {
                Err(Fault::new("there is no secret to prove it by")
                    .with_hint("add `client_secret: ${file.client.secret}`")
                    .under("client_authentication"))
            }
            (_, Some(secret)) if secret.expose().trim().is_empty() => {
                Err(Fault::new("the secret is empty")
                    .with_hint("put the one into it that the provider gave out")
                    .under("client_secret"))
            }
            _ => Ok(Self {
                id: id.to_owned(),
                // Files end in a line break that is not meant.
                secret: secret.map(|secret| Secret::new(secret.expose().trim())),
                by,
            }),
        }
    }

    /// Adds what says who asks.
    pub(super) fn identify(
        &self,
        connection: &mut Connection,
        form: &mut Vec<(&'static str, String)>,
    ) -> Result<(), String> {
        match (self.by, &self.secret) {
            (Authentication::Basic, Some(secret)) => {
                // Both are escaped before they are put together (RFC 6749 §2.3.1).
                let pair = format!("{}:{}", escaped(&self.id), escaped(secret.expose()));
                let value = format!("Basic {}", STANDARD.encode(pair));
                connection.secret(AUTHORIZATION, &value)?;
            }
            (Authentication::Post, Some(secret)) => {
                form.push(("client_id", self.id.clone()));
                form.push(("client_secret", secret.expose().to_owned()));
            }
            _ => form.push(("client_id", self.id.clone())),
        }
        Ok(())
    }
}
