//! The JSON line.

use super::Record;
use crate::encode::{self, hex64, hex128, integer, json, millis, timestamp};

/// Room for a usual line, so that it grows at most once.
const USUAL_LINE: usize = 1024;

pub(super) fn encode(out: &mut Vec<u8>, record: &Record<'_>) {
    out.reserve(USUAL_LINE);
    request(out, record);
    answer(out, record);
    measures(out, record);
    out.extend_from_slice(b"}\n");
}

/// Who asked, and for what.
fn request(out: &mut Vec<u8>, record: &Record<'_>) {
    out.extend_from_slice(b"{\"time\":\"");
    timestamp(out, record.time);
    out.push(b'"');
    text(out, b",\"request_id\":", record.request_id.as_bytes());
    if record.trace_id != 0 {
        out.extend_from_slice(b",\"trace_id\":\"");
        hex128(out, record.trace_id);
        out.push(b'"');
    }
    if record.span_id != 0 {
        out.extend_from_slice(b",\"span_id\":\"");
        hex64(out, record.span_id);
        out.push(b'"');
    }
    out.extend_from_slice(b",\"client\":\"");
    encode::ip(out, record.client);
    out.push(b'"');
    text(out, b",\"listener\":", record.listener.as_bytes());
    out.extend_from_slice(b",\"protocol\":\"");
    out.extend_from_slice(record.protocol_name().as_bytes());
    out.push(b'"');
    text(out, b",\"tls\":", record.tls.as_bytes());
    text(out, b",\"method\":", record.method.as_bytes());
    text(out, b",\"host\":", record.host);
    text(out, b",\"target\":", record.target);
    text(
        out,
        b",\"user_agent\":",
        record.user_agent.unwrap_or_default(),
    );
}

/// What became of it.
fn answer(out: &mut Vec<u8>, record: &Record<'_>) {
    out.extend_from_slice(b",\"status\":");
    integer(out, u64::from(record.status));
    out.extend_from_slice(b",\"outcome\":\"");
    out.extend_from_slice(record.outcome.name().as_bytes());
    out.push(b'"');
    if let Some((by, code)) = record.refused {
        text(out, b",\"refused_by\":", by.as_bytes());
        text(out, b",\"code\":", code.as_bytes());
    }
    text(out, b",\"cause\":", record.cause.as_bytes());
    text(out, b",\"consumer\":", record.consumer.as_bytes());
    text(out, b",\"auth\":", record.auth.as_bytes());
    text(out, b",\"credential\":", record.credential.as_bytes());
    text(out, b",\"route\":", record.route.as_bytes());
    text(out, b",\"service\":", record.service.as_bytes());
    if let Some(endpoint) = record.endpoint {
        out.extend_from_slice(b",\"endpoint\":\"");
        encode::socket(out, endpoint);
        out.push(b'"');
    }
    out.extend_from_slice(b",\"attempts\":");
    integer(out, u64::from(record.attempts));
    text(out, b",\"variant\":", record.variant.as_bytes());
    text(out, b",\"fallback\":", record.fallback.as_bytes());
    text(out, b",\"hedge\":", record.hedge.as_bytes());
    if !record.faults.is_empty() {
        out.extend_from_slice(b",\"faults\":[");
        for (place, fault) in record.faults.names().enumerate() {
            out.extend_from_slice(if place == 0 { b"\"" } else { b",\"" });
            out.extend_from_slice(fault.as_bytes());
            out.push(b'"');
        }
        out.push(b']');
    }
    if record.coalesced {
        out.extend_from_slice(b",\"coalesced\":true");
    }
    if !record.legs.is_empty() {
        legs(out, record);
    }
}

fn legs(out: &mut Vec<u8>, record: &Record<'_>) {
    out.extend_from_slice(b",\"legs\":[");
    for (place, (leg, service)) in record.legs.iter().enumerate() {
        out.extend_from_slice(if place == 0 { b"{" } else { b",{" });
        out.extend_from_slice(b"\"leg\":");
        json::string(out, leg.leg.as_bytes());
        text(out, b",\"result\":", leg.result.as_bytes());
        text(out, b",\"service\":", service.as_bytes());
        if leg.span_id != 0 {
            out.extend_from_slice(b",\"span_id\":\"");
            hex64(out, leg.span_id);
            out.push(b'"');
        }
        if leg.status != 0 {
            out.extend_from_slice(b",\"status\":");
            integer(out, u64::from(leg.status));
        }
        if let Some(endpoint) = leg.endpoint {
            out.extend_from_slice(b",\"endpoint\":\"");
            encode::socket(out, endpoint);
            out.push(b'"');
        }
        if leg.attempts > 0 {
            out.extend_from_slice(b",\"attempts\":");
            integer(out, u64::from(leg.attempts));
        }
        out.extend_from_slice(b",\"at_ms\":");
        millis(out, leg.began);
        out.extend_from_slice(b",\"duration_ms\":");
        millis(out, leg.took);
        if let Some(age) = leg.last_good {
            out.extend_from_slice(b",\"last_good\":");
            integer(out, age.as_secs());
        }
        text(
            out,
            b",\"cause\":",
            leg.cause.as_deref().unwrap_or_default().as_bytes(),
        );
        out.push(b'}');
    }
    out.push(b']');
}

fn measures(out: &mut Vec<u8>, record: &Record<'_>) {
    out.extend_from_slice(b",\"bytes_in\":");
    integer(out, record.bytes_in);
    out.extend_from_slice(b",\"bytes_out\":");
    integer(out, record.bytes_out);
    out.extend_from_slice(b",\"duration_ms\":");
    millis(out, record.duration);
    if let Some(upstream) = record.upstream_duration {
        out.extend_from_slice(b",\"upstream_ms\":");
        millis(out, upstream);
    }
    if let Some(overhead) = record.overhead {
        out.extend_from_slice(b",\"overhead_ms\":");
        millis(out, overhead);
    }
}

/// A text under its key, unless it is empty.
fn text(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    if !value.is_empty() {
        out.extend_from_slice(key);
        json::string(out, value);
    }
}
