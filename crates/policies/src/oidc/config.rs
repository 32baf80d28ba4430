use std::collections::BTreeMap;

use lintel_kernel::{ByteSize, Duration, Secret, config};

use crate::{
    described,
    issuer::{AlgorithmName, Fetch},
    token_endpoint::{Authentication, ClientKeyConfig},
};

/// At which provider people log in, and what becomes of it. A login ends in a session that the
/// browser keeps in an encrypted cookie; the gateway keeps nothing, so that any replica with the
/// same keys knows it.
#[config]
#[schemars(rename = "Oidc")]
pub struct Config {
    /// The provider, as the URL below which it publishes its metadata
    /// (`.well-known/openid-configuration`), and as its tokens name it in `iss`.
    #[schemars(example = &"https://login.example.com/realms/main")]
    pub provider: String,

    /// The id under which the gateway is registered there.
    #[schemars(example = &"shop")]
    pub client_id: String,

    /// The secret that was given out with it. A public client has none.
    #[serde(default)]
    #[schemars(example = &"${file.client.secret}")]
    pub client_secret: Option<Secret>,

    /// The key by which the gateway proves who it is, in place of a secret.
    #[serde(default)]
    pub client_key: Option<ClientKeyConfig>,

    /// How the gateway proves who it is. Default: `private_key_jwt` with a key, `basic` with a secret,
    /// `none` without either.
    #[serde(default)]
    pub client_authentication: Option<Authentication>,

    /// Where the provider sends browsers back to, exactly as it is registered there. Its origin is
    /// that of the site; its path must be one that this policy sees: below that of the route, or of
    /// a route of its own with the same policy.
    #[schemars(example = &"https://shop.example.com/oauth2/callback")]
    pub redirect_uri: String,

    /// Secrets of at least 32 characters, the same on all replicas. The first encrypts cookies, all
    /// decrypt: to rotate, put a new one first, and remove the old one after the `lifetime` of
    /// sessions. `openssl rand -base64 32` makes one. Who knows one can be anybody.
    #[schemars(example = ["${file.cookies.key}"])]
    pub cookie_keys: Vec<Secret>,

    /// What is asked for. `openid` is always; many providers give a refresh token only for
    /// `offline_access`.
    #[serde(default)]
    #[schemars(example = ["openid", "profile", "offline_access"])]
    pub scopes: Vec<String>,

    /// More parameters of the request for a login, such as `prompt` or `acr_values`.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "acr_values": "urn:example:mfa" }))]
    pub parameters: BTreeMap<String, String>,

    /// Where the provider's endpoints are, in place of what its metadata say.
    #[serde(default)]
    pub endpoints: GivenEndpoints,

    /// Signature algorithms of ID tokens. Default: `RS256`, `PS256`, `ES256` and `EdDSA`. Secrets
    /// (`HS256` and so on) are not taken.
    #[serde(default)]
    pub algorithms: Vec<AlgorithmName>,

    /// How metadata and keys are fetched.
    #[serde(default)]
    pub fetch: Fetch,

    /// For an answer of the token endpoint.
    #[serde(default = "timeout")]
    pub timeout: Duration,

    /// How far the clocks of provider and gateway may disagree.
    #[serde(default = "leeway")]
    pub leeway: Duration,

    /// How the session is kept.
    #[serde(default)]
    pub session: SessionConfig,

    /// How logins begin.
    #[serde(default)]
    pub login: LoginConfig,

    /// How sessions are ended.
    #[serde(default)]
    pub logout: LogoutConfig,

    /// Header fields that tell the upstream who is logged in: names, and the expressions that give
    /// their values. What clients send under these names is always removed.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, described::Expression>")]
    #[schemars(example = serde_json::json!({ "X-User-Id": "claims.sub" }))]
    pub forward: BTreeMap<String, String>,

    /// Whether the upstream gets the access token, in `Authorization`. It then is kept in the cookie,
    /// and a session without a refresh token ends with it.
    #[serde(default)]
    pub forward_access_token: bool,

    /// The claim that holds scopes, as a text with spaces between them or a list. Default: what the
    /// token endpoint says was granted.
    #[serde(default)]
    pub scope_claim: Option<String>,

    /// The claim that names the declared consumer, such as `sub`.
    #[serde(default)]
    pub consumer_claim: Option<String>,

    /// What the login is for, as a 401 tells programs.
    #[serde(default = "realm")]
    pub realm: String,

    /// Memory for decrypted sessions, in each worker.
    #[serde(default = "cache")]
    pub cache: ByteSize,
}

/// Endpoints of a provider. With all of `authorization`, `token` and `jwks` no metadata are fetched.
#[config]
#[derive(Default)]
#[schemars(rename = "OidcEndpoints")]
pub struct GivenEndpoints {
    /// Where browsers are sent for a login.
    #[serde(default)]
    pub authorization: Option<String>,

    /// Where the gateway gets tokens.
    #[serde(default)]
    pub token: Option<String>,

    /// Where the provider's keys are.
    #[serde(default)]
    pub jwks: Option<String>,

    /// Where browsers are sent for a logout.
    #[serde(default)]
    pub end_session: Option<String>,
}

/// How a session is kept.
#[config]
#[schemars(rename = "OidcSession")]
pub struct SessionConfig {
    /// The name of its cookie. With the prefix `__Host-` browsers take it from this very host alone,
    /// and over TLS.
    #[serde(default = "cookie")]
    pub cookie: String,

    /// Whether the cookie may go over plain http. For development alone; the name then has no prefix.
    #[serde(default)]
    pub insecure: bool,

    /// From the login to the end of the session, however often its tokens are refreshed.
    #[serde(default = "lifetime")]
    pub lifetime: Duration,

    /// Whether a refresh token is used, if the provider gives one. The provider can then end the
    /// session at each refresh; otherwise it lasts for its `lifetime`.
    #[serde(default = "yes")]
    pub refresh: bool,

    /// How long before the end of the tokens they are refreshed.
    #[serde(default = "ahead")]
    pub refresh_ahead: Duration,
}

/// How logins begin.
#[config]
#[schemars(rename = "OidcLogin")]
pub struct LoginConfig {
    /// Whether people who open a page without a session are sent to the provider at once. Otherwise
    /// they get 401 like programs, unless another policy lets them pass, such as `anonymous`.
    #[serde(default = "yes")]
    pub redirect: bool,

    /// A path that begins a login; `?return_to=/page` says where it leads. Default: `login` beside
    /// the path of `redirect_uri`.
    #[serde(default)]
    pub path: Option<String>,

    /// How long a login may take.
    #[serde(default = "login_timeout")]
    pub timeout: Duration,
}

/// How sessions are ended. A page of the site links or posts to the path; links from other sites get
/// a page that asks, and their forms are refused.
#[config]
#[schemars(rename = "OidcLogout")]
pub struct LogoutConfig {
    /// A path that ends the session. Default: `logout` beside the path of `redirect_uri`.
    #[serde(default)]
    pub path: Option<String>,

    /// Whether the session at the provider is ended too, if it has an endpoint for that.
    #[serde(default = "yes")]
    pub at_provider: bool,

    /// The path where it ends. As an absolute URL of the site it must be registered at the provider.
    #[serde(default = "start_page")]
    pub to: String,
}

const fn timeout() -> Duration {
    Duration::from_secs(5)
}

const fn leeway() -> Duration {
    Duration::from_secs(5)
}

fn cookie() -> String {
    "__Host-lintel".to_owned()
}

const fn lifetime() -> Duration {
    Duration::from_secs(8 * 3600)
}

const fn ahead() -> Duration {
    Duration::from_secs(30)
}

const fn login_timeout() -> Duration {
    Duration::from_secs(600)
}

const fn yes() -> bool {
    true
}

fn start_page() -> String {
    "/".to_owned()
}

fn realm() -> String {
    "site".to_owned()
}

const fn cache() -> ByteSize {
    ByteSize::bytes(8 << 20)
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            cookie: cookie(),
            insecure: false,
            lifetime: lifetime(),
            refresh: true,
            refresh_ahead: ahead(),
        }
    }
}

impl Default for LoginConfig {
    fn default() -> Self {
        Self {
            redirect: true,
            path: None,
            timeout: login_timeout(),
        }
    }
}

impl Default for LogoutConfig {
    fn default() -> Self {
        Self {
            path: None,
            at_provider: true,
            to: start_page(),
        }
    }
}
