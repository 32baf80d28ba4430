//! What is measured.

mod compose;
mod faults;
mod idle;
mod jobs;
mod reload;
mod scrape;
mod services;
mod soak;
mod traffic;

use anyhow::Result;

use crate::driver::Bench;
use crate::table::Table;

pub(crate) use jobs::work;
pub(crate) use traffic::plain_rate;

/// One row of the list: everything the command line and the driver need to know.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// Part of a run that does not name its scenarios.
    pub(crate) default: bool,
    pub(crate) run: fn(&mut Bench, &Scenario) -> Result<Table>,
}

impl Scenario {
    const fn new(
        id: &'static str,
        title: &'static str,
        run: fn(&mut Bench, &Self) -> Result<Table>,
    ) -> Self {
        Self {
            id,
            title,
            default: true,
            run,
        }
    }
}

/// In the order they run.
pub(crate) static ALL: &[Scenario] = &[
    Scenario::new("plain", "HTTP/1.1 keep-alive", traffic::plain),
    Scenario::new("tls", "HTTP/1.1 keep-alive over TLS 1.3", traffic::tls),
    Scenario::new(
        "connect",
        "A new connection for each request",
        traffic::connect,
    ),
    Scenario::new(
        "handshake-full",
        "A full TLS 1.3 handshake for each request",
        traffic::handshake_full,
    ),
    Scenario::new(
        "handshake-resumed",
        "A resumed TLS 1.3 handshake for each request",
        traffic::handshake_resumed,
    ),
    Scenario::new("h2", "HTTP/2 in (TLS), HTTP/1.1 out", traffic::h2),
    Scenario::new("grpc", "gRPC unary, HTTP/2 in and out", traffic::grpc),
    Scenario::new("download", "1 MiB answers", traffic::download),
    Scenario::new("upload", "1 MiB requests", traffic::upload),
    Scenario::new("routes", "Many routes", traffic::routes),
    Scenario::new("limit", "A limit of rates", jobs::limit),
    Scenario::new(
        "limit-shared",
        "A limit of rates for all replicas",
        jobs::limit_shared,
    ),
    Scenario::new("token", "A signed token", jobs::token),
    Scenario::new(
        "gateway",
        "The gateway job: token, limit, identity, log",
        jobs::gateway,
    ),
    Scenario::new("keys", "One of 100,000 API keys", jobs::keys),
    Scenario::new(
        "transcode",
        "REST in front of a gRPC service",
        jobs::transcode,
    ),
    Scenario::new("compose", "Six calls, one answer", compose::cost),
    Scenario::new(
        "compose-mixed",
        "Three calls of REST and three of gRPC, one answer",
        compose::mixed,
    ),
    Scenario::new(
        "round-trips",
        "Six calls, one answer: how long a client waits",
        compose::waits,
    ),
    Scenario::new(
        "compose-faults",
        "Six calls, one answer: when one of them fails",
        faults::run,
    ),
    Scenario::new("idle", "Idle keep-alive connections", idle::plain),
    Scenario::new(
        "idle-tls",
        "Idle keep-alive connections over TLS 1.3",
        idle::tls,
    ),
    Scenario::new(
        "services",
        "Memory after start, and of idle services",
        services::run,
    ),
    Scenario::new("reload", "Latency while reloading in a loop", reload::run),
    Scenario::new("scrape", "Scraping the metrics of many routes", scrape::run),
    Scenario {
        default: false,
        ..Scenario::new("soak", "Memory over ten million requests", soak::run)
    },
];

/// The sections of the results, in their order.
pub(crate) fn titles() -> Vec<&'static str> {
    let all = ALL.iter().map(|known| known.title);
    all.chain([crate::campaign::TITLE]).collect()
}
