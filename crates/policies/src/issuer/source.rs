//! What is fetched, and how.

use std::{fmt, path::PathBuf, time::Duration};

use lintel_jose::Algorithm;
use lintel_kernel::Fault;

use super::url::Url;

/// Where an issuer's keys come from, and on which terms. Equal sources are fetched once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Source {
    pub(crate) from: From,
    /// What the keys may serve for.
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) terms: Terms,
}

/// What is asked first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum From {
    /// A JWK Set.
    Jwks(Url),
    /// The metadata of an issuer, which tell where its JWK Set is (OpenID Connect Discovery 1.0 §4,
    /// RFC 8414 §3). What is tried second is for issuers that have no OpenID Connect.
    Discovery {
        first: Url,
        second: Option<Url>,
        /// What the metadata must name as their `issuer` (RFC 8414 §3.3).
        issuer: String,
    },
}

/// How, and how often.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Terms {
    /// Trust anchors in PEM form; none for those of the system.
    pub(crate) ca: Option<PathBuf>,
    /// Whether discovered URLs may be plain `http:`.
    pub(crate) plaintext: bool,
    /// For everything that one refresh takes.
    pub(crate) timeout: Duration,
    /// Bounds of the time between refreshes.
    pub(crate) min_age: Duration,
    pub(crate) max_age: Duration,
    /// The shortest time between refreshes that tokens cause.
    pub(crate) cooldown: Duration,
    /// How long keys are used that can't be refreshed; none for ever.
    pub(crate) max_stale: Option<Duration>,
}

impl From {
    /// Where an issuer says where its keys and endpoints are, as the one that its tokens name. Its path goes before the well-known part for OpenID
    /// Connect (Discovery 1.0 §4.1) and after it for OAuth (RFC 8414 §3.1).
    ///
    /// # Errors
    /// It is no URL that something can be fetched from.
    pub(crate) fn discovery(issuer: &str, name: &str, plaintext: bool) -> Result<Self, Fault> {
        let bare = issuer.strip_suffix('/').unwrap_or(issuer);
        if issuer.contains("/.well-known/") || issuer.contains(['?', '#']) {
            return Err(
                Fault::new("the issuer's own URL is needed here, as its tokens name it")
                    .with_hint("write what comes before `/.well-known/…`"),
            );
        }
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
        Ok(Self::Discovery {
            first,
            second: Url::parse(&second, plaintext).ok(),
            issuer: name.to_owned(),
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.from {
            From::Jwks(url) => url.fmt(f),
            From::Discovery { first, .. } => first.fmt(f),
        }
    }
}
