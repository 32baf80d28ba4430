use lintel_kernel::config;

use super::Table;
use crate::text::{FieldName, MethodName, Name, TestUrl};

/// A request and what should become of it.
#[config]
pub struct Expectation {
    /// What the expectation is called in reports. Default: its method and URL.
    #[serde(default)]
    pub name: Option<String>,
    /// The request.
    #[schemars(example = serde_json::json!({ "url": "/orders/7" }))]
    pub request: SampleRequest,
    /// What should become of it.
    #[schemars(example = serde_json::json!({ "route": "orders" }))]
    pub expect: ExpectedAnswer,
}

/// A request that is tried.
#[config]
pub struct SampleRequest {
    /// The method.
    #[serde(default = "get")]
    pub method: MethodName,
    /// A path, or a URL.
    pub url: TestUrl,
    /// Its header fields.
    #[serde(default)]
    pub headers: Table<FieldName, String>,
    /// The listener it comes in by. Default: any that has a matching route.
    #[serde(default)]
    pub listener: Option<Name>,
}

const fn get() -> MethodName {
    MethodName(http::Method::GET)
}

/// What should become of a request. What is left out is not looked at.
#[config]
#[derive(Default)]
pub struct ExpectedAnswer {
    /// The route it matches.
    #[serde(default)]
    pub route: Option<Name>,
    /// A service it may go to.
    #[serde(default)]
    pub service: Option<Name>,
    /// The status, where the gateway itself answers: `respond`, `redirect`, 404 for no route, 405
    /// for the wrong method.
    #[serde(default)]
    #[schemars(range(min = 100, max = 599))]
    pub status: Option<u16>,
    /// Header fields of that answer.
    #[serde(default)]
    pub headers: Table<FieldName, String>,
}
