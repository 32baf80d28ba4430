use std::sync::Arc;

use lintel_kernel::{ByteSize, Duration, Fault, Secret, config};

use super::{
    TokenExchange,
    exchanger::{Exchanger, Settings},
};
use crate::{
    Context, Issuer,
    credential::Place,
    issuer::{AlgorithmName, Fetch, From as Asked, Source as IssuerSource, Url},
    token_endpoint::{self, Authentication, Client, ClientKeyConfig, TokenEndpoint, Written},
};

/// Where callers' tokens are exchanged, and for what (RFC 8693).
#[config]
#[schemars(rename = "TokenExchange")]
pub struct Config {
    /// The authorization server, as the URL below which it publishes its metadata; they name its token
    /// endpoint.
    #[serde(default)]
    #[schemars(example = &"https://auth.example.com/")]
    pub provider: Option<String>,

    /// The URL of the token endpoint, in place of `provider`.
    #[serde(default)]
    #[schemars(example = &"https://auth.example.com/oauth2/token")]
    pub endpoint: Option<String>,

    /// The id under which the gateway is registered there.
    pub client_id: String,

    /// The secret that was given out with it.
    #[serde(default)]
    #[schemars(example = &"${file.client.secret}")]
    pub client_secret: Option<Secret>,

    /// The key by which the gateway proves who it is, in place of a secret.
    #[serde(default)]
    pub client_key: Option<ClientKeyConfig>,

    /// How the gateway proves who it is. Default: `private_key_jwt` with a key, `basic` with a secret.
    #[serde(default)]
    pub client_authentication: Option<Authentication>,

    /// Whom the new token is for, as the server calls them.
    #[serde(default)]
    #[schemars(example = ["orders"])]
    pub audience: Vec<String>,

    /// The same by the URLs of services (RFC 8707).
    #[serde(default)]
    #[schemars(example = ["https://orders.internal.example.com/"])]
    pub resource: Vec<String>,

    /// What the new token may do. Without it the server decides.
    #[serde(default)]
    #[schemars(example = ["orders:read"])]
    pub scopes: Vec<String>,

    /// What kind of token callers bring.
    #[serde(default)]
    pub subject_token_type: TokenKind,

    /// What kind of token is wanted. Without it the server decides.
    #[serde(default)]
    pub requested_token_type: Option<TokenKind>,

    /// Where the caller's token is looked for; the first place that has one counts. It is taken away
    /// from all of them. Default: `Authorization` with the scheme `Bearer`.
    #[serde(default)]
    pub from: Vec<Place>,

    /// For an answer of the token endpoint.
    #[serde(default = "timeout")]
    pub timeout: Duration,

    /// What becomes of a request while no token is to be had because the server does not answer, or
    /// refuses the gateway itself.
    #[serde(default)]
    pub on_failure: OnFailure,

    /// How long before its end a token is not used any more; half of its life at most.
    #[serde(default = "ahead")]
    pub ahead: Duration,

    /// Memory for tokens, in each worker.
    #[serde(default = "cache")]
    pub cache: ByteSize,

    /// How the server is reached: `ca` and `plaintext` hold for the token endpoint too.
    #[serde(default)]
    pub fetch: Fetch,
}

/// A kind of token (RFC 8693 §3).
#[config]
#[derive(Copy, Default, PartialEq, Eq)]
#[schemars(rename = "ExchangedTokenKind")]
pub enum TokenKind {
    /// An access token of the same server.
    #[default]
    AccessToken,
    /// A JWT, of whomever.
    Jwt,
    /// An ID token of OpenID Connect.
    IdToken,
}

/// What becomes of requests without a token.
#[config]
#[derive(Copy, Default, PartialEq, Eq)]
#[schemars(rename = "TokenExchangeOnFailure")]
pub enum OnFailure {
    /// They are refused with 503.
    #[default]
    Deny,
    /// They go on without any token.
    Allow,
}

const fn timeout() -> Duration {
    Duration::from_secs(5)
}

const fn ahead() -> Duration {
    Duration::from_secs(10)
}

const fn cache() -> ByteSize {
    ByteSize::bytes(8 << 20)
}

impl Config {
    pub(super) fn build(&self, context: &Context) -> Result<TokenExchange, Vec<Fault>> {
        let mut faults = Vec::new();
        let server = self.server(context).map_err(|fault| faults.push(fault));
        let client = Client::build(Written {
            id: &self.client_id,
            secret: self.client_secret.as_ref(),
            key: self.client_key.as_ref(),
            by: self.client_authentication,
        });
        let client = client.map_err(|fault| faults.push(fault));
        let places = Place::bearer(&self.from).map_err(|found| faults.extend(found));
        faults.extend(self.wanted().err());
        if self.timeout.is_zero() {
            let fault = Fault::new("`timeout` can't be zero");
            let fault = fault.with_hint("write a time such as `5s`");
            faults.push(fault.under("timeout"));
        }
        match (server, client, places) {
            (Ok((issuer, url)), Ok(client), Ok(places)) if faults.is_empty() => {
                let endpoint = TokenEndpoint::shared(token_endpoint::Settings {
                    issuer: issuer.clone(),
                    url,
                    ca: self.fetch.ca(context),
                    client,
                    timeout: self.timeout.to_std(),
                });
                Ok(TokenExchange {
                    places,
                    exchanger: Exchanger::shared(Settings {
                        endpoint,
                        form: self.form(),
                        ahead: self.ahead.to_std().as_secs(),
                        memory: self.cache.as_usize(),
                    }),
                    issuer,
                    optional: self.on_failure == OnFailure::Allow,
                    rehearsed: context.dry,
                })
            }
            _ => Err(faults),
        }
    }

    fn server(&self, context: &Context) -> Result<(Option<Arc<Issuer>>, Option<Url>), Fault> {
        match (&self.provider, &self.endpoint) {
            (None, Some(url)) => {
                let url = Url::parse(url, self.fetch.plaintext);
                Ok((None, Some(url.map_err(|fault| fault.under("endpoint"))?)))
            }
            (Some(provider), None) => {
                let from = Asked::discovery(provider, provider, self.fetch.plaintext);
                let from = from.map_err(|fault| fault.under("provider"))?;
                let terms = self.fetch.terms(context);
                let issuer = Issuer::of(IssuerSource {
                    from,
                    algorithms: AlgorithmName::USUAL.to_vec(),
                    terms: terms.map_err(|fault| fault.under("fetch"))?,
                });
                Ok((Some(issuer), None))
            }
            (Some(_), Some(_)) => Err(Fault::new("`provider` and `endpoint` can't be combined")
                .with_hint("keep one of them")
                .under("endpoint")),
            (None, None) => Err(Fault::new("nothing says where tokens are exchanged").discreet().with_hint(
                "add `provider: https://auth.example.com/`, or `endpoint` with the URL of its token endpoint",
            )),
        }
    }

    /// A token for nobody in particular is no better than the caller's.
    fn wanted(&self) -> Result<(), Fault> {
        if self.audience.is_empty() && self.resource.is_empty() && self.scopes.is_empty() {
            return Err(Fault::new("nothing says what the new token is for")
                .discreet()
                .with_hint("add `audience: [orders]`, `resource` or `scopes`"));
        }
        for (key, all) in [
            ("audience", &self.audience),
            ("resource", &self.resource),
            ("scopes", &self.scopes),
        ] {
            let odd = |text: &String| text.is_empty() || text.contains(char::is_whitespace);
            if let Some(at) = all.iter().position(odd) {
                return Err(Fault::new("it is empty, or has spaces in it")
                    .with_hint("write each by itself: `[orders:read, orders:write]`")
                    .under(at.to_string())
                    .under(key));
            }
        }
        Ok(())
    }

    /// RFC 8693 §2.1, but for the token itself.
    fn form(&self) -> Vec<(&'static str, String)> {
        let mut form = vec![("subject_token_type", self.subject_token_type.urn())];
        let wanted = self.requested_token_type;
        form.extend(wanted.map(|kind| ("requested_token_type", kind.urn())));
        let audience = self.audience.iter();
        form.extend(audience.map(|whom| ("audience", whom.clone())));
        let resource = self.resource.iter();
        form.extend(resource.map(|whom| ("resource", whom.clone())));
        if !self.scopes.is_empty() {
            form.push(("scope", self.scopes.join(" ")));
        }
        form
    }
}

impl TokenKind {
    fn urn(self) -> String {
        let kind = match self {
            Self::AccessToken => "access_token",
            Self::Jwt => "jwt",
            Self::IdToken => "id_token",
        };
        format!("urn:ietf:params:oauth:token-type:{kind}")
    }
}
