use lintel_kernel::{ByteSize, Duration, config};

use super::Respond;
use crate::text::{Cause, FieldName, Name};

/// What is answered when the service of a route can't answer: exactly one of `service` and
/// `respond`.
#[config]
pub struct Fallback {
    /// What counts as no answer: `unreachable` (no connection, a broken one, no valid answer),
    /// `unavailable` (no endpoint, or its limits leave no room), `timeout`, and statuses of answers
    /// such as `503` or `5xx`. Default: the three words.
    #[serde(default = "failures")]
    #[schemars(length(min = 1))]
    pub on: Vec<Cause>,

    /// Another service that gets the request, if its body is still there to be sent.
    #[serde(default)]
    #[schemars(example = &"orders-readonly")]
    pub service: Option<Name>,

    /// An answer of the gateway's own.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "json": [] }))]
    pub respond: Option<Respond>,

    /// How long the other service may take, counted from the failure.
    #[serde(default = "five_seconds")]
    pub timeout: Duration,

    /// Bodies of requests up to this size are kept for the other service. A larger one is lost with
    /// the first try, unless that failed before anything of it was sent.
    #[serde(default = "max_body")]
    pub max_body: ByteSize,

    /// The header field that tells the client, with the reason: `unreachable`, `unavailable`,
    /// `timeout` or `status`.
    #[serde(default = "header")]
    pub header: FieldName,
}

fn failures() -> Vec<Cause> {
    vec![Cause::Unreachable, Cause::Unavailable, Cause::Timeout]
}

const fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

const fn max_body() -> ByteSize {
    ByteSize::bytes(64 * 1024)
}

fn header() -> FieldName {
    FieldName(http::HeaderName::from_static("x-fallback"))
}
