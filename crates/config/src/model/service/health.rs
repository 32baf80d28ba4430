use lintel_kernel::{Duration, config};
use serde::Serialize;

use crate::text::{FieldValue, MethodName, Regex, RequestPath, StatusRange};

/// Checks of every endpoint, made once by each replica, each on a connection of its own (with TLS
/// where the endpoint has it).
#[config]
pub struct Health {
    /// What is asked.
    #[serde(default = "http")]
    pub kind: HealthKind,

    /// The path that is asked for, with `kind: http`.
    #[serde(default)]
    #[schemars(example = &"/healthz")]
    pub path: Option<RequestPath>,

    /// The method, with `kind: http`. Default: `GET`.
    #[serde(default)]
    pub method: Option<MethodName>,

    /// The `Host`, with `kind: http`. Default: that of the endpoint's URL, or the service's `host`
    /// where that is fixed.
    #[serde(default)]
    pub host: Option<FieldValue>,

    /// Good statuses, with `kind: http`. Default: `2xx`.
    #[serde(default)]
    #[schemars(length(min = 1), example = ["2xx"])]
    pub status: Option<Vec<StatusRange>>,

    /// A text that the body must hold in its first 64 KiB, with `kind: http`.
    #[serde(default)]
    pub body_contains: Option<String>,

    /// A regular expression that must match somewhere in the first 64 KiB of the body, with
    /// `kind: http`.
    #[serde(default)]
    pub body_matches: Option<Regex>,

    /// The gRPC service that is asked about, with `kind: grpc`. Default: the server as a whole.
    #[serde(default)]
    #[schemars(example = &"orders.v1.Orders")]
    pub service: Option<String>,

    /// From the end of one check to the begin of the next, give or take a tenth.
    #[serde(default = "interval")]
    pub interval: Duration,

    /// The same while an endpoint is new, or about to change from healthy to unhealthy or back.
    #[serde(default = "first_interval")]
    pub first_interval: Duration,

    /// How long a check may take, to the end of the answer's body or of its first 64 KiB.
    #[serde(default = "timeout")]
    pub timeout: Duration,

    /// Checks in a row that must pass until an unhealthy endpoint is healthy. The first check of an
    /// endpoint counts by itself.
    #[serde(default = "two")]
    #[schemars(range(min = 1))]
    pub healthy_after: u32,

    /// Checks in a row that must fail until a healthy endpoint is unhealthy. The first check of an
    /// endpoint counts by itself.
    #[serde(default = "three")]
    #[schemars(range(min = 1))]
    pub unhealthy_after: u32,

    /// What an endpoint that comes is until its first check. Where all are unchecked, as at the
    /// start, requests go to all (see `failover`).
    #[serde(default = "unhealthy")]
    pub initial: InitialHealth,
}

/// What a check asks.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum HealthKind {
    /// A request, and a good status.
    Http,
    /// A connection.
    Tcp,
    /// gRPC's health protocol, `grpc.health.v1.Health/Check`.
    Grpc,
}

/// What an endpoint is before its first check.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum InitialHealth {
    /// It gets no requests.
    Unhealthy,
    /// It gets its part.
    Healthy,
}

const fn http() -> HealthKind {
    HealthKind::Http
}

const fn interval() -> Duration {
    Duration::from_secs(10)
}

const fn first_interval() -> Duration {
    Duration::from_secs(1)
}

const fn timeout() -> Duration {
    Duration::from_secs(2)
}

const fn two() -> u32 {
    2
}

const fn three() -> u32 {
    3
}

const fn unhealthy() -> InitialHealth {
    InitialHealth::Unhealthy
}
