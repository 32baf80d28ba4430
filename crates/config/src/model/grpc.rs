use lintel_kernel::{ByteSize, Duration, config};

use super::Table;
use crate::text::{MethodName, Name, Origin, RequestPath, RpcName, RpcPath};

/// Puts REST in front of a gRPC service: requests with JSON become calls, and what comes back
/// becomes JSON. Calls that are gRPC already pass as they are.
#[config]
pub struct ToGrpc {
    /// The service. Its `descriptors` say what its methods are.
    pub service: Name,

    /// What the service speaks. With `json` it is the other way round: callers speak gRPC, the
    /// service gets the requests that the annotations of its `descriptors` say, and what it answers
    /// becomes the messages of the call. Requests that are not gRPC pass as they are.
    #[serde(default)]
    pub speaks: GrpcSpeaks,

    /// The services of the descriptors whose methods are reached, by their full names. Default: all.
    #[serde(default)]
    #[schemars(example = ["acme.users.v1.Users"])]
    pub expose: Vec<RpcName>,

    /// How methods are reached, by their full names, in place of their annotation
    /// `google.api.http`; for those that have none, or another than is wanted.
    #[serde(default)]
    pub bind: Table<RpcName, Vec<GrpcBinding>>,

    /// What becomes of fields and parameters that a message does not have, and of enum values that
    /// an enum does not have.
    #[serde(default)]
    pub unknown: UnknownNames,

    /// How answers are written.
    #[serde(default)]
    pub json: GrpcJson,

    /// Largest message of an answer. A larger one is answered with 502.
    #[serde(default = "four_mebibytes")]
    pub max_message: ByteSize,

    /// Takes gRPC-Web, binary and text, as browsers speak it. With it alone the service needs no
    /// `descriptors`.
    #[serde(default)]
    pub web: bool,

    /// Takes WebSockets (`{}` with what is usual) at the paths of methods with streams: a message is a
    /// JSON text, in both directions. Default: no.
    #[serde(default)]
    pub websocket: Option<GrpcWebSocket>,

    /// A path, one that the route matches, where an OpenAPI document of the methods can be fetched.
    /// Default: nowhere.
    #[serde(default)]
    #[schemars(example = &"/v1/openapi.json")]
    pub openapi: Option<RequestPath>,
}

const fn four_mebibytes() -> ByteSize {
    // What gRPC's own implementations take.
    ByteSize::bytes(4 << 20)
}

/// WebSockets for streams of a gRPC service.
#[config]
#[serde(default)]
pub struct GrpcWebSocket {
    /// Whose pages may open one: origins such as `https://app.example.com`, or `*` for all. Requests
    /// without `Origin` come from no page, and may. Default: pages of the host that is asked.
    #[schemars(length(min = 1), example = ["https://app.example.com"])]
    pub origins: Vec<Origin>,

    /// Largest message of a client.
    pub max_message: ByteSize,

    /// How long a call may last; the service is told. Default: as long as both sides say something
    /// (`limits.tunnel_idle` of the listener).
    pub max_duration: Option<Duration>,
}

impl Default for GrpcWebSocket {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            max_message: ByteSize::bytes(1 << 20),
            max_duration: None,
        }
    }
}

/// One way to a method of a gRPC service.
#[config]
pub struct GrpcBinding {
    /// The method of the request.
    pub method: MethodName,

    /// The path, with fields of the method's message in it: `/v1/users/{id}`. `{name=shelves/*}`
    /// takes several segments, `{name=files/**}` all that are left; `:verb` may end it.
    pub path: RpcPath,

    /// Where the body goes: `*` for the message itself, or the name of one of its fields. What
    /// neither path nor body take is taken from the query. Default: there is no body.
    #[serde(default)]
    #[schemars(example = &"*")]
    pub body: Option<String>,

    /// The field of the answer's message that is the body of the answer. Default: the message
    /// itself.
    #[serde(default)]
    pub response_body: Option<String>,
}

/// What a service speaks that gRPC callers reach.
#[config]
#[derive(Copy, Default, PartialEq, Eq, serde::Serialize)]
pub enum GrpcSpeaks {
    /// gRPC.
    #[default]
    Grpc,
    /// JSON over HTTP.
    Json,
}

/// What becomes of names that are not known.
#[config]
#[derive(Copy, Default, PartialEq, Eq, serde::Serialize)]
pub enum UnknownNames {
    /// The request is answered with 400.
    #[default]
    Refuse,
    /// They are left out.
    Ignore,
}

/// How messages are written as JSON. Default: as protobuf's own mapping has it.
#[config]
#[derive(Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(default)]
pub struct GrpcJson {
    /// Writes fields that have their default value, too: `0`, `""`, `false`, `[]`.
    pub defaults: bool,

    /// Calls fields as the `.proto` file does, `page_size`, and not `pageSize`.
    pub proto_names: bool,

    /// Writes values of enums as numbers.
    pub enum_numbers: bool,
}
