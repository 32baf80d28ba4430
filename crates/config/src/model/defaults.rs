use lintel_kernel::{Duration, config};

use super::RoutePolicies;
use crate::text::{FieldValue, TemplateText};

/// What every route inherits.
#[config]
#[derive(Default)]
pub struct Defaults {
    /// How long a route's requests may take until the head of the answer has arrived. Default
    /// `30s`.
    #[serde(default)]
    pub timeout: Option<Duration>,

    /// Policies of every route. A route that names the same policy replaces it as a whole, or
    /// switches it off.
    #[serde(default)]
    pub policies: RoutePolicies,
}

impl Defaults {
    /// The timeout of a route that neither has its own nor inherits one.
    pub const TIMEOUT: Duration = Duration::from_secs(30);
}

/// The body of an answer that the gateway itself makes.
#[config]
pub struct ErrorPage {
    /// The media type of the body.
    #[serde(default = "error_type")]
    pub content_type: FieldValue,

    /// The body, with `${…}`. Useful here: `response.status`, `error.code`, `error.detail` and
    /// `request.id`. In JSON and HTML bodies values are escaped.
    #[schemars(example = &"<h1>${response.status}</h1><p>${error.detail}</p>")]
    pub body: TemplateText,
}

#[expect(
    clippy::expect_used,
    reason = "a constant that parses; a test reads it"
)]
fn error_type() -> FieldValue {
    "text/html; charset=utf-8"
        .parse()
        .expect("a valid field value")
}
