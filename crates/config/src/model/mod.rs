//! The configuration as types: one file a section.
//!
//! These types are the language. Their doc comments are the reference documentation and the JSON
//! Schema; what they accept is what the gateway accepts. A [`Model`] that comes out of
//! [`load`](crate::load) has passed every check, so code that builds from it need not check again.

mod action;
mod admin;
mod compose;
mod defaults;
mod directory;
mod expectation;
mod fallback;
mod gateway;
mod group;
mod grpc;
mod limits;
mod listener;
mod log;
mod mirror;
mod overload;
mod plan;
mod rate_limits;
mod replicas;
mod revocations;
mod route;
mod service;
mod state;
mod store;
mod table;
mod tls;
mod tracing;

pub use action::{
    Action, CohortCookie, Redirect, Respond, Split, To, ToService, VariantOverride, Weight,
};
pub use admin::Admin;
pub use compose::{Coalesce, Compose, ComposeError, Leg, LegQuery};
pub use defaults::{Defaults, ErrorPage};
pub use directory::Directory;
pub use expectation::{
    Expectation, Expected, ExpectedRequest, SampleAnswer, SampleRequest, SampleStatus,
};
pub use fallback::Fallback;
pub use gateway::Model;
pub use group::Group;
pub use grpc::{GrpcBinding, GrpcJson, GrpcSpeaks, GrpcWebSocket, ToGrpc, UnknownNames};
pub use limits::{BodyLimit, Http2Limits, Limits, Unlimited};
pub(crate) use limits::{LARGEST_HEAD, SMALLEST_HEAD};
pub use lintel_policies::{ConsumerConfig, RoutePolicies};
pub use listener::{
    Check, DotSegments, EncodedSlash, ForwardMode, Forwarding, HalfClose, Listener, PathMode,
    PathRules, Protocol, ProxyProtocol, RequestIdRules,
};
pub use log::{Log, LogFormat, LogLevel};
pub use mirror::{Compare, Mirror};
pub use overload::{Overload, Priority};
pub use plan::Plan;
pub use rate_limits::RateLimits;
pub use replicas::{CountedReplicas, Replicas};
pub use revocations::{Revocation, Revocations};
pub use route::{Match, Route, ValueCondition, ValueTest};
pub use service::{
    AdaptiveLimit, AddressFamily, Backoff, Balance, Breaker, BudgetSetting, Discover,
    DiscoverConsul, DiscoverEtcd, DiscoverFile, DiscoverKubernetes, DiscoverScheme, DiscoverSrv,
    Eject, EtcdUser, Failover, HashBalance, HashTable, Health, HealthKind, InitialHealth,
    KeepAlive, KeyedBalance, LatencyOutlier, PlainBalance, Reflection, Resolve, Retry, RetryBudget,
    RouteBreaker, SameSite, Service, ServiceProtocol, ServiceTimeout, SlowAnswers, StickyBalance,
    SuccessRate, Target, TimeoutSetting, WeightedEndpoint,
};
pub use state::State;
pub use store::{RedisStore, Sentinel, Store};
pub use table::{Named, OneOrMany, Table};
pub use tls::{Certificate, ClientAuth, ClientAuthMode, ListenerTls, TlsVersion, UpstreamTls};

pub use tracing::{Peers, Tracing};
