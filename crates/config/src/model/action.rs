use lintel_kernel::{Duration, config};

use super::{Compose, Named, Table, ToGrpc};
use crate::text::{CookieName, ExprText, FieldName, FieldValue, Name, TemplateText};

/// Where a request goes: the name of a service, or one action.
#[config(untagged)]
pub enum To {
    /// To the service of this name.
    Service(Name),
    /// One action.
    Action(Action),
}

/// What is done with a request.
#[config]
pub enum Action {
    /// Sends it to a service.
    Service(Name),
    /// Spreads requests over services by weight.
    Split(Box<Split>),
    /// Makes a call of a gRPC service of it, and JSON of what comes back.
    Grpc(Box<ToGrpc>),
    /// Makes one answer of several calls.
    Compose(Box<Compose>),
    /// Answers it at once.
    Respond(Respond),
    /// Sends the client elsewhere.
    Redirect(Redirect),
}

/// A service that a request may go to.
pub type ToService = Name;

/// The share of a service in a split.
pub type Weight = u32;

/// Spreads requests over services by weight.
#[config]
pub struct Split {
    /// Weights by service. `{ v1: 95, v2: 5 }` sends one request in twenty to `v2`. 0 is allowed,
    /// but not for all.
    #[schemars(extend("minProperties" = 1))]
    pub services: Named<Weight>,

    /// What requests stick by: those with the same value of this expression go to the same service,
    /// on every replica, as long as the weights stay. When they change, only as many move as the
    /// change says. A request without a value goes by `cookie`, or else by chance.
    #[serde(default)]
    #[schemars(example = &"request.cookies[\"uid\"]")]
    pub sticky: Option<ExprText>,

    /// A cookie that the gateway gives to clients whose requests have no value of `sticky`, so that
    /// they stick all the same. It holds a random number.
    #[serde(default)]
    pub cookie: Option<CohortCookie>,

    /// Lets testers choose the service by its name, even one with weight 0. A name that is not in
    /// the split counts as none.
    #[serde(default, rename = "override")]
    pub selection: Option<VariantOverride>,

    /// A header field that tells which service was chosen: the service, and the client. One that the
    /// client sends is replaced.
    #[serde(default)]
    #[schemars(example = &"X-Variant")]
    pub header: Option<FieldName>,

    /// The name of the experiment. Splits of the same name, services and weights send the same user
    /// to the same service; those of different names are independent. Default: the route's name.
    #[serde(default)]
    pub experiment: Option<Name>,
}

/// A cookie by which a client is known again.
#[config]
pub struct CohortCookie {
    /// Its name.
    pub name: CookieName,

    /// How long the client keeps it.
    #[serde(default = "thirty_days")]
    pub ttl: Duration,
}

const fn thirty_days() -> Duration {
    Duration::from_secs(30 * 86_400)
}

/// How testers choose a service. Everybody who knows the names can, unless `when` says otherwise.
#[config]
pub struct VariantOverride {
    /// By a header field with the name of the service.
    #[serde(default)]
    #[schemars(example = &"X-Use-Variant")]
    pub header: Option<FieldName>,

    /// By a cookie with the name of the service.
    #[serde(default)]
    pub cookie: Option<CookieName>,

    /// Who may choose: a condition.
    #[serde(default)]
    #[schemars(example = &"client.ip.startsWith(\"10.\")")]
    pub when: Option<ExprText>,
}

/// Answers a request at once. At most one of `body`, `json` and `template`.
#[config]
pub struct Respond {
    /// The status.
    #[serde(default = "ok")]
    #[schemars(range(min = 200, max = 599))]
    pub status: u16,

    /// The body as it is; `text/plain` unless `headers` says otherwise.
    #[serde(default)]
    pub body: Option<String>,

    /// The body as a value that is written as `application/json`.
    #[serde(default)]
    pub json: Option<serde_json::Value>,

    /// The body with `${…}`; `text/plain` unless `headers` says otherwise.
    #[serde(default)]
    #[schemars(example = &"hello ${client.ip}")]
    pub template: Option<TemplateText>,

    /// Header fields of the answer.
    #[serde(default)]
    pub headers: Table<FieldName, TemplateText>,
}

const fn ok() -> u16 {
    200
}

/// Sends the client elsewhere.
#[config]
pub struct Redirect {
    /// The new URL, or a path on the same host, with `${…}`.
    #[schemars(example = &"https://${request.host}${request.target}")]
    pub to: TemplateText,

    /// The status: 301, 302, 303, 307 or 308. 307 and 308 keep the method; 301 and 308 are
    /// remembered by clients.
    #[serde(default = "temporary")]
    pub status: u16,

    /// The `Cache-Control` of the answer.
    #[serde(default)]
    #[schemars(example = &"max-age=3600")]
    pub cache_control: Option<FieldValue>,
}

const fn temporary() -> u16 {
    307
}
