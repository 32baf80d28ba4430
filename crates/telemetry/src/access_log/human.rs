//! The line for people:
//!
//! ```text
//! 2026-01-31T12:34:56.789Z 203.0.113.7 "GET api.example.com/orders/7 HTTP/1.1" 200 1532B 12.345ms upstream=11.900ms overhead=0.045ms route=orders service=orders endpoint=10.0.0.7:8080 id=… agent="curl/8.5.0"
//! ```

use lintel_kernel::exchange::Outcome;

use super::Record;
use crate::encode::{self, human, integer, millis, timestamp};

pub(super) fn encode(out: &mut Vec<u8>, record: &Record<'_>) {
    timestamp(out, record.time);
    out.push(b' ');
    encode::ip(out, record.client);
    out.extend_from_slice(b" \"");
    human::quoted(out, record.method.as_bytes());
    out.push(b' ');
    human::quoted(out, record.host);
    human::quoted(out, record.target);
    out.push(b' ');
    out.extend_from_slice(record.protocol_name().as_bytes());
    out.extend_from_slice(b"\" ");
    integer(out, u64::from(record.status));
    out.push(b' ');
    integer(out, record.bytes_out);
    out.extend_from_slice(b"B ");
    millis(out, record.duration);
    out.extend_from_slice(b"ms");
    if let Some(upstream) = record.upstream_duration {
        out.extend_from_slice(b" upstream=");
        millis(out, upstream);
        out.extend_from_slice(b"ms");
    }
    if let Some(overhead) = record.overhead {
        out.extend_from_slice(b" overhead=");
        millis(out, overhead);
        out.extend_from_slice(b"ms");
    }
    facts(out, record);
    out.push(b'\n');
}

fn facts(out: &mut Vec<u8>, record: &Record<'_>) {
    if record.outcome != Outcome::Complete {
        pair(out, " outcome=", record.outcome.name());
    }
    if let Some((by, code)) = record.refused {
        pair(out, " refused_by=", by);
        pair(out, " code=", code);
    }
    if !record.cause.is_empty() {
        out.extend_from_slice(b" cause=\"");
        human::quoted(out, record.cause.as_bytes());
        out.push(b'"');
    }
    pair(out, " consumer=", record.consumer);
    pair(out, " auth=", record.auth);
    pair(out, " credential=", record.credential);
    pair(out, " route=", record.route);
    pair(out, " service=", record.service);
    if let Some(endpoint) = record.endpoint {
        out.extend_from_slice(b" endpoint=");
        encode::socket(out, endpoint);
    }
    if record.attempts > 1 {
        out.extend_from_slice(b" attempts=");
        integer(out, u64::from(record.attempts));
    }
    pair(out, " variant=", record.variant);
    pair(out, " fallback=", record.fallback);
    pair(out, " hedge=", record.hedge);
    record
        .faults
        .names()
        .for_each(|fault| pair(out, " fault=", fault));
    for (leg, _) in &record.legs {
        pair(out, " leg=", &leg.leg);
        pair(out, ":", leg.result);
        out.push(b':');
        millis(out, leg.took);
        out.extend_from_slice(b"ms");
    }
    pair(out, " tls=", record.tls);
    pair(out, " id=", record.request_id);
    if let Some(agent) = record.user_agent {
        out.extend_from_slice(b" agent=\"");
        human::quoted(out, agent);
        out.push(b'"');
    }
}

/// A name from the configuration under its key, unless it is empty.
fn pair(out: &mut Vec<u8>, key: &str, value: &str) {
    if !value.is_empty() {
        out.extend_from_slice(key.as_bytes());
        human::quoted(out, value.as_bytes());
    }
}
