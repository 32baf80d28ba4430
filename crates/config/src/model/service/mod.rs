mod balance;
mod breaker;
mod keep_alive;
mod protocol;
mod resolve;
mod retry;
mod target;
mod timeout;

use lintel_kernel::config;

pub use self::{
    balance::Balance,
    breaker::{AdaptiveLimit, Breaker, SlowAnswers},
    keep_alive::KeepAlive,
    protocol::ServiceProtocol,
    resolve::{AddressFamily, Resolve},
    retry::{Backoff, BudgetSetting, Retry, RetryBudget},
    target::{Target, WeightedEndpoint},
    timeout::{ServiceTimeout, TimeoutSetting},
};
use super::UpstreamTls;
use crate::text::HostRule;

/// Something that requests are sent to.
#[config]
pub struct Service {
    /// Where it runs: URLs, or URLs with a weight. A name that has several addresses is several
    /// endpoints.
    #[schemars(length(min = 1), example = ["http://10.0.0.7:8080"])]
    pub endpoints: Vec<Target>,

    /// The version of HTTP it speaks.
    #[serde(default = "auto")]
    pub protocol: ServiceProtocol,

    /// How requests are spread over its endpoints.
    #[serde(default = "round_robin")]
    pub balance: Balance,

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
    Balance::RoundRobin
}
