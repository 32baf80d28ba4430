use lintel_kernel::config;

use super::{Named, Table};
use crate::text::{FieldName, FieldValue, Name, TemplateText};

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
    Split(Split),
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
