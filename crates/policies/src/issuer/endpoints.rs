//! Where an issuer is asked for tokens, by its own metadata.

use serde::Deserialize;

use super::{source::Terms, url::Url};

/// The members of interest of an issuer's metadata (RFC 8414 §2, OpenID Connect Discovery 1.0 §3,
/// RP-Initiated Logout 1.0 §2.1).
#[derive(Deserialize)]
pub(super) struct Metadata {
    pub(super) issuer: String,
    pub(super) jwks_uri: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Endpoints of an issuer. One that it has not, or that can't be used, is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Endpoints {
    /// Where browsers are sent for a login.
    pub(crate) authorization: Option<Url>,
    /// Where codes are exchanged for tokens.
    pub(crate) token: Option<Url>,
    /// Where browsers are sent for a logout.
    pub(crate) end_session: Option<Url>,
    /// Whether its answers to browsers always name it in `iss` (RFC 9207 §3).
    pub(crate) names_itself: bool,
}

impl Endpoints {
    /// Those of the metadata that came from `source`. What would leave TLS is left out.
    pub(super) fn of(metadata: &Metadata, source: &Url, terms: &Terms) -> Self {
        let usable = |text: &Option<String>| {
            let url = Url::parse(text.as_deref()?, terms.plaintext).ok()?;
            (url.is_secure() || !source.is_secure()).then_some(url)
        };
        Self {
            authorization: usable(&metadata.authorization_endpoint),
            token: usable(&metadata.token_endpoint),
            end_session: usable(&metadata.end_session_endpoint),
            names_itself: metadata.authorization_response_iss_parameter_supported,
        }
    }
}
