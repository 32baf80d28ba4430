use lintel_kernel::{Duration, Secret, Share, config};
use serde::Serialize;

use crate::text::{CookieName, ExprText};

/// How requests are spread over endpoints: a word, or a map for what needs a key.
#[config(untagged)]
#[derive(Serialize)]
pub enum Balance {
    /// Without a key.
    Plain(PlainBalance),
    /// By a key.
    // Only the default is ever serialised, for the schema.
    #[serde(skip_serializing)]
    Keyed(KeyedBalance),
}

/// How requests are spread over endpoints.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum PlainBalance {
    /// In turn, by weight.
    RoundRobin,
    /// At random, by weight.
    Random,
    /// To the endpoint of two picked at random that has fewer requests open for its weight.
    LeastRequest,
    /// To the endpoint of two picked at random that is expected to answer sooner, by its latency
    /// and the requests open.
    PeakEwma,
}

/// How requests that belong together find the same endpoint.
#[config]
pub enum KeyedBalance {
    /// Requests with the same key go to the same endpoint, as long as it is healthy.
    Hash(HashBalance),
    /// A client stays at the endpoint that it met first, by a cookie that the gateway sets.
    Sticky(StickyBalance),
}

/// Consistent hashing: requests with the same key go to the same endpoint, on every replica. Where
/// an endpoint comes or goes, only its share of the keys moves.
#[config]
pub struct HashBalance {
    /// What is hashed: an expression such as `client.ip`, `request.headers["x-user"]` or
    /// `request.cookies["uid"]`. Requests without a value are balanced by `least_request`.
    pub key: ExprText,

    /// How keys are laid out.
    #[serde(default = "maglev")]
    pub table: HashTable,

    /// How far above its share of the requests in flight an endpoint may go before it passes
    /// requests on to the next one for their key (bounded load; counted by each worker for itself).
    /// Default: no bound.
    #[serde(default)]
    pub headroom: Option<Share>,
}

const fn maglev() -> HashTable {
    HashTable::Maglev
}

/// How keys are laid out.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum HashTable {
    /// A Maglev table: shares are even to within 1 %.
    Maglev,
    /// A ring as ketama's: shares differ by some 10 %, and a change moves no key that it need not.
    Ring,
}

/// Sessions by a cookie. It names the endpoint by a number that does not tell its address. Clients
/// without the cookie are balanced by `least_request`, and so are those whose endpoint is not
/// healthy; an endpoint that is drained keeps the clients it has.
#[config]
pub struct StickyBalance {
    /// The cookie's name. Each service needs its own.
    pub cookie: CookieName,

    /// How long the client keeps it. Default: as long as the browser runs.
    #[serde(default)]
    pub ttl: Option<Duration>,

    /// The paths that it is sent for.
    #[serde(default = "root")]
    #[schemars(extend("pattern" = r"^/[^;\x00-\x20\x7f]*$"))]
    pub path: String,

    /// Whether it is sent over TLS only. Default: if the request that it is set for came over TLS.
    #[serde(default)]
    pub secure: Option<bool>,

    /// Whether it is hidden from scripts.
    #[serde(default = "yes")]
    pub http_only: bool,

    /// Whether it is sent along from other sites.
    #[serde(default = "lax")]
    pub same_site: SameSite,

    /// Makes the number impossible to work out from an address that is guessed; the same for all
    /// replicas. Default: derived from the service's name.
    #[serde(default)]
    pub secret: Option<Secret>,
}

fn root() -> String {
    "/".to_owned()
}

const fn yes() -> bool {
    true
}

const fn lax() -> SameSite {
    SameSite::Lax
}

/// Whether a cookie is sent along from other sites.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum SameSite {
    /// Never.
    Strict,
    /// When the user follows a link.
    Lax,
    /// Always; needs `secure`.
    None,
}
