//! The load generator: one thread, one epoll loop, minimal HTTP/1 and HTTP/2 clients.
//!
//! A closed loop keeps every connection busy (throughput and CPU per request). A fixed rate sends on a schedule and
//! measures each latency from the moment its request was due, whether or not a connection was free by then, so a stall
//! of the proxy is charged with every request that it delayed (no coordinated omission).

mod connection;
mod engine;
mod http1;
mod http2;
mod report;
mod request;
mod tls;
mod transport;

use std::net::SocketAddr;
use std::time::Duration;

pub(crate) use engine::{hold, run};
pub(crate) use report::Report;
pub(crate) use request::Work;

/// What is sent where, how fast and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) target: SocketAddr,
    /// Connections; each is opened when its first request is due and reopened when it was closed.
    pub(crate) connections: usize,
    /// Requests in flight on one connection; more than one needs HTTP/2.
    pub(crate) streams: usize,
    pub(crate) protocol: Protocol,
    pub(crate) security: Security,
    pub(crate) work: Work,
    /// Close after each answer, so that every request pays for its connection.
    pub(crate) fresh_connections: bool,
    pub(crate) pace: Pace,
    /// Not measured.
    pub(crate) warmup: Duration,
    pub(crate) length: Length,
    /// Upper bound of requests in flight over all connections.
    pub(crate) in_flight: usize,
}

impl Plan {
    /// 64 keep-alive HTTP/1 connections in a closed loop.
    pub(crate) fn http1(target: SocketAddr, work: Work) -> Self {
        Self {
            target,
            connections: 64,
            streams: 1,
            protocol: Protocol::Http1,
            security: Security::Plain,
            work,
            fresh_connections: false,
            pace: Pace::Closed,
            warmup: Duration::from_millis(500),
            length: Length::Time(Duration::from_secs(3)),
            in_flight: usize::MAX,
        }
    }

    /// 16 HTTP/2 connections with 4 streams each in a closed loop.
    pub(crate) fn http2(target: SocketAddr, work: Work) -> Self {
        Self {
            connections: 16,
            streams: 4,
            protocol: Protocol::Http2,
            ..Self::http1(target, work)
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    Plain,
    /// TLS 1.3, every handshake a full one.
    Full,
    /// TLS 1.3, tickets of earlier connections are used.
    Resumed,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    Closed,
    /// Requests per second.
    Fixed(f64),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Length {
    Time(Duration),
    Requests(u64),
}
