//! The rate-limit service that Envoy asks (`envoy.service.ratelimit.v3`), counting in Redis as Envoy's own does.
//!
//! Envoy's reference service is written in Go and is in none of the registries that this benchmark installs from. This one does
//! the same for one limit: a counter for each descriptor and second, by `INCRBY` and `EXPIRE` in one round trip.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use prost::Message;
use redis::aio::MultiplexedConnection;

use super::grpc;

/// What each descriptor may do in a second.
const LIMIT: u32 = 1_000_000;
/// The flag and the length before a message (gRPC over HTTP/2, "Length-Prefixed-Message").
const PREFIX: usize = 5;

#[derive(Clone, PartialEq, Message)]
struct RateLimitRequest {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(message, repeated, tag = "2")]
    descriptors: Vec<Descriptor>,
    #[prost(uint32, tag = "3")]
    hits_addend: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Descriptor {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct RateLimitResponse {
    #[prost(enumeration = "Code", tag = "1")]
    overall_code: i32,
    #[prost(message, repeated, tag = "2")]
    statuses: Vec<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(enumeration = "Code", tag = "1")]
    code: i32,
    #[prost(message, optional, tag = "2")]
    current_limit: Option<Limit>,
    #[prost(uint32, tag = "3")]
    limit_remaining: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Limit {
    #[prost(uint32, tag = "1")]
    requests_per_unit: u32,
    /// 1 is a second.
    #[prost(int32, tag = "2")]
    unit: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
enum Code {
    Unknown = 0,
    Ok = 1,
    OverLimit = 2,
}

/// Serves on a port of loopback, counting in the Redis on another, until it fails.
///
/// # Errors
/// The port is taken, or Redis is not there.
pub(crate) fn serve(port: u16, redis: u16) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    grpc::run(async move {
        let store = redis::Client::open(("127.0.0.1", redis))?;
        let store = store.get_multiplexed_async_connection().await?;
        let service = async move |message: Bytes| {
            let request = read(message)?;
            let counts = count(store.clone(), &request).await?;
            Ok(written(&answer(&counts)))
        };
        grpc::serve(listener, service).await
    })
}

fn read(mut message: Bytes) -> Result<RateLimitRequest> {
    ensure!(message.len() >= PREFIX, "no message");
    message.advance(PREFIX);
    Ok(RateLimitRequest::decode(message)?)
}

fn written(response: &RateLimitResponse) -> Bytes {
    let length = response.encoded_len();
    let mut message = BytesMut::with_capacity(PREFIX + length);
    message.put_u8(0);
    message.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    message.extend_from_slice(&response.encode_to_vec());
    message.freeze()
}

/// Counts a request, and says how many there have been in this second for each of its descriptors.
async fn count(mut store: MultiplexedConnection, request: &RateLimitRequest) -> Result<Vec<u32>> {
    let second = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mut pipeline = redis::pipe();
    for descriptor in &request.descriptors {
        let key = key(&request.domain, descriptor, second);
        pipeline
            .cmd("INCRBY")
            .arg(&key)
            .arg(request.hits_addend.max(1));
        pipeline.cmd("EXPIRE").arg(&key).arg(1).ignore();
    }
    let counts = pipeline.query_async(&mut store).await;
    counts.context("Redis does not count")
}

/// As the reference service names them: the domain, each key and value, and where the window begins.
fn key(domain: &str, descriptor: &Descriptor, second: u64) -> String {
    let entries = descriptor.entries.iter();
    let entries = entries.flat_map(|entry| [entry.key.as_str(), "_", entry.value.as_str(), "_"]);
    let entries: String = entries.collect();
    format!("{domain}_{entries}{second}")
}

fn answer(counts: &[u32]) -> RateLimitResponse {
    let code = |count: u32| match count <= LIMIT {
        true => Code::Ok,
        false => Code::OverLimit,
    };
    let statuses = counts.iter().map(|&count| Status {
        code: code(count).into(),
        current_limit: Some(Limit {
            requests_per_unit: LIMIT,
            unit: 1,
        }),
        limit_remaining: LIMIT.saturating_sub(count),
    });
    RateLimitResponse {
        overall_code: code(counts.iter().copied().max().unwrap_or(0)).into(),
        statuses: statuses.collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Descriptor, Entry, LIMIT, answer, key, read, written};
    use bytes::Bytes;

    #[test]
    fn a_question_of_envoys_is_read_and_named() {
        // As Envoy writes it: domain `bench`, one descriptor with `remote_address` = `127.0.0.1`.
        let question =
            b"\0\0\0\0\x26\x0a\x05bench\x12\x1d\x0a\x1b\x0a\x0eremote_address\x12\x09127.0.0.1";
        let request = read(Bytes::from_static(question)).unwrap();
        let entry = Entry {
            key: "remote_address".to_owned(),
            value: "127.0.0.1".to_owned(),
        };
        let entries = vec![entry];
        assert_eq!(request.descriptors, [Descriptor { entries }]);
        assert_eq!(
            key(&request.domain, &request.descriptors[0], 17),
            "bench_remote_address_127.0.0.1_17"
        );
    }

    #[test]
    fn one_more_than_the_limit_is_over_it() {
        let codes = |count: u32| {
            let response = answer(&[1, count]);
            (response.overall_code, response.statuses[1].limit_remaining)
        };
        assert_eq!(codes(LIMIT), (1, 0));
        assert_eq!(codes(LIMIT + 1), (2, 0));
        assert_eq!(codes(1), (1, LIMIT - 1));
        // overall_code: OK; a status each of code, limit and what is left.
        assert!(
            written(&answer(&[1])).starts_with(b"\0\0\0\0\x12\x08\x01\x12\x0e\x08\x01\x12\x06")
        );
    }
}
