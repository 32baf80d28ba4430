use lintel_kernel::config;
use serde::Serialize;

use super::{Table, ValueCondition};
use crate::text::{FieldName, FieldValue, IpAddress, MethodName, Name, RpcCode, TestUrl};

/// A request and what should become of it.
#[config]
pub struct Expectation {
    /// What the expectation is called in reports. Default: its method and URL.
    #[serde(default)]
    pub name: Option<String>,
    /// The request.
    #[schemars(example = serde_json::json!({ "url": "/orders/7" }))]
    pub request: SampleRequest,
    /// What the service answers, if the request gets there.
    #[serde(default)]
    pub answer: SampleAnswer,
    /// What should become of it.
    #[schemars(example = serde_json::json!({ "route": "orders" }))]
    pub expect: Expected,
}

/// A request that is tried.
#[config]
pub struct SampleRequest {
    /// The method.
    #[serde(default = "get")]
    pub method: MethodName,
    /// A path, or a URL. The host of a URL is sent as `Host` unless `headers` has another; `https`
    /// chooses among the listeners with TLS, `http` among those without.
    pub url: TestUrl,
    /// Its header fields.
    #[serde(default)]
    pub headers: Table<FieldName, FieldValue>,
    /// Its body.
    #[serde(default)]
    pub body: Option<String>,
    /// The address it comes from: that of the connection, or of its PROXY protocol header. What
    /// proxies in front say goes into `headers`, and is believed as the listener's
    /// `trusted_proxies` say.
    #[serde(default)]
    pub client_ip: IpAddress,
    /// The listener it comes in by. Default: the first, in the order of their names, on which a
    /// route matches.
    #[serde(default)]
    pub listener: Option<Name>,
}

const fn get() -> MethodName {
    MethodName(http::Method::GET)
}

/// What the stand-in for a service answers.
#[config]
#[derive(Serialize)]
#[serde(default)]
pub struct SampleAnswer {
    /// The status.
    #[schemars(range(min = 200, max = 599))]
    pub status: u16,
    /// Its header fields.
    pub headers: Table<FieldName, FieldValue>,
    /// Its body. The answer to a gRPC call that the gateway made (`to: { grpc: … }`) is written as
    /// JSON: one message, or one a line where the method answers with a stream.
    pub body: String,
    /// How such a call ends. Default: `ok`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc: Option<SampleStatus>,
}

/// The status that a gRPC call ends with.
#[config]
#[derive(Serialize)]
pub struct SampleStatus {
    /// The code.
    pub status: RpcCode,
    /// What is said of it.
    #[serde(default)]
    pub message: String,
}

impl Default for SampleAnswer {
    fn default() -> Self {
        Self {
            status: 200,
            headers: Table::default(),
            body: String::new(),
            grpc: None,
        }
    }
}

/// What should become of a request. What is left out is not looked at.
#[config]
#[derive(Default)]
#[serde(default)]
pub struct Expected {
    /// The route it matches.
    pub route: Option<Name>,
    /// The service it goes to; of a split by weights alone, one it may go to.
    pub service: Option<Name>,
    /// The status of the answer: that of `answer` where the request is forwarded, the gateway's own
    /// where it is not, such as 404 for no route and 405 for the wrong method.
    #[schemars(range(min = 100, max = 599))]
    pub status: Option<u16>,
    /// Header fields of the answer: a value, or a test. Several lines of one name count as one value,
    /// joined by `, `.
    pub headers: Table<FieldName, ValueCondition>,
    /// The body of the answer: a text, or a test.
    pub body: Option<ValueCondition>,
    /// What the service gets. Fails if the request is not forwarded.
    pub upstream: Option<ExpectedRequest>,
}

impl Expected {
    /// Whether nothing is looked at.
    pub fn is_empty(&self) -> bool {
        self.route.is_none()
            && self.service.is_none()
            && self.status.is_none()
            && self.headers.is_empty()
            && self.body.is_none()
            && self.upstream.is_none()
    }
}

/// What a service gets. What is left out is not looked at.
#[config]
#[derive(Default)]
#[serde(default)]
pub struct ExpectedRequest {
    /// Its method.
    pub method: Option<MethodName>,
    /// Its path, with the query if it has one.
    #[schemars(example = &"/orders/7?full=1")]
    pub path: Option<String>,
    /// Its header fields: a value, or a test.
    pub headers: Table<FieldName, ValueCondition>,
    /// Its body: a text, or a test. A gRPC call that the gateway made is held against its messages
    /// as JSON, one a line.
    pub body: Option<ValueCondition>,
}
