mod balance;
mod breaker;
mod discover;
mod eject;
mod failover;
mod health;
mod keep_alive;
mod protocol;
mod reflection;
mod resolve;
mod retry;
mod target;
mod timeout;

use lintel_kernel::{Duration, config};
use lintel_policies::Setting;

pub use self::{
    balance::{
        Balance, HashBalance, HashTable, KeyedBalance, PlainBalance, SameSite, StickyBalance,
    },
    breaker::{AdaptiveLimit, Breaker, RouteBreaker, SlowAnswers},
    discover::{
        Discover, DiscoverConsul, DiscoverEtcd, DiscoverFile, DiscoverKubernetes, DiscoverScheme,
        DiscoverSrv, EtcdUser,
    },
    eject::{Eject, LatencyOutlier, SuccessRate},
    failover::Failover,
    health::{Health, HealthKind, InitialHealth},
    keep_alive::KeepAlive,
    protocol::ServiceProtocol,
    reflection::Reflection,
    resolve::{AddressFamily, Resolve},
    retry::{Backoff, BudgetSetting, Retry, RetryBudget},
    target::{Target, WeightedEndpoint},
    timeout::{ServiceTimeout, TimeoutSetting},
};
use super::UpstreamTls;
use crate::text::{FilePath, HostRule};

/// Something that requests are sent to.
#[config]
pub struct Service {
    /// Where it runs: URLs, or URLs with weight, priority and zone. A name that has several
    /// addresses is several endpoints. Needed unless they are discovered; with both, all of them are used.
    #[serde(default)]
    #[schemars(length(min = 1), example = ["http://10.0.0.7:8080"])]
    pub endpoints: Vec<Target>,

    /// Where endpoints come from that are not known when this is written.
    #[serde(default)]
    pub discover: Option<Discover>,

    /// The version of HTTP it speaks.
    #[serde(default = "auto")]
    pub protocol: ServiceProtocol,

    /// What the methods of a gRPC service are, for `to: { grpc: … }`: `.proto` files, which are
    /// compiled here, or descriptor sets (`protoc --include_imports --descriptor_set_out`). What a
    /// `.proto` file imports is looked for beside it and in the folders above it; `google/api`,
    /// `google/rpc` and `google/protobuf` are at hand.
    #[serde(default)]
    #[schemars(example = ["protos/users.proto"])]
    pub descriptors: Vec<FilePath>,

    /// Lets a gRPC service say itself what its methods are (gRPC Server Reflection, `v1` or
    /// `v1alpha`), in place of `descriptors`; `{}` with what is usual. The gateway asks when it
    /// starts, on every reload and from time to time, never while a request waits. Until the service
    /// has answered for the first time, routes that need to know are answered 503.
    #[serde(default)]
    pub reflection: Option<Reflection>,

    /// How requests are spread over its endpoints.
    #[serde(default = "round_robin")]
    pub balance: Balance,

    /// How long an endpoint that is new or was out takes to get its full part, beginning with a
    /// tenth. Without effect on `balance: { hash: … }` and on sticky sessions that exist.
    #[serde(default)]
    pub slow_start: Duration,

    /// When endpoints of another priority or zone take over.
    #[serde(default)]
    pub failover: Failover,

    /// Checks that decide which endpoints get requests. Default: none.
    #[serde(default)]
    pub health: Option<Health>,

    /// When an endpoint is left out for a while because of what requests to it meet with; `off`
    /// for never. On by default, for endpoints that don't answer at all or answer 502, 503 or 504.
    #[serde(default)]
    pub eject: Option<Setting<Eject>>,

    /// How long it may take: each step by itself, or one duration for the whole request.
    #[serde(default)]
    pub timeout: TimeoutSetting,

    /// When a request is tried again. Without it a request is sent once; only an endpoint that
    /// can't be connected to is passed over for another.
    #[serde(default)]
    pub retry: Option<Retry>,

    /// TLS towards `https` endpoints. Without it they are verified by the system's authorities.
    #[serde(default)]
    pub tls: Option<UpstreamTls>,

    /// Connections that are kept for the next request.
    #[serde(default)]
    pub keep_alive: KeepAlive,

    /// The `Host` it sees: `preserve` for what the client sent, `endpoint` for the host of the
    /// endpoint's URL, or a host.
    #[serde(default)]
    pub host: HostRule,

    /// How the names of its endpoints are looked up.
    #[serde(default)]
    pub resolve: Resolve,

    /// When it counts as full or as failing. Requests beyond are answered with 503.
    #[serde(default)]
    pub breaker: Breaker,
}

const fn auto() -> ServiceProtocol {
    ServiceProtocol::Auto
}

const fn round_robin() -> Balance {
    Balance::Plain(PlainBalance::RoundRobin)
}
