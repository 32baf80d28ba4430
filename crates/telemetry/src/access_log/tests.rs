#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    rc::Rc,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use http::{Request, Version};
use lintel_kernel::{
    Exchange, Names,
    exchange::{Ending, Faults, Outcome, Refused},
    testing,
    trace::Trace,
};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn record() -> Record<'static> {
    Record {
        time: UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
        request_id: "r-1",
        trace_id: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
        span_id: 0x00f0_67aa_0ba9_02b7,
        client: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
        listener: "public",
        protocol: Version::HTTP_2,
        tls: "TLSv1.3",
        method: "GET",
        host: b"api.example.com",
        target: b"/orders/7?x=1",
        user_agent: Some(b"curl/8.5.0"),
        status: 200,
        outcome: Outcome::Complete,
        refused: None,
        cause: "",
        consumer: "",
        auth: "",
        credential: "",
        route: "orders",
        service: "shop",
        endpoint: Some(([10, 0, 0, 7], 8080).into()),
        attempts: 1,
        variant: "",
        hedge: "",
        coalesced: false,
        fallback: "",
        faults: Faults::default(),
        legs: Vec::new(),
        bytes_in: 12,
        bytes_out: 1532,
        duration: Duration::from_micros(12_345),
        upstream_duration: Some(Duration::from_micros(11_900)),
        overhead: Some(Duration::from_micros(45)),
    }
}

fn line(format: Format, record: &Record<'_>) -> String {
    let mut out = Vec::new();
    format.encode(&mut out, record);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_json_line() {
    let expected = concat!(
        r#"{"time":"2023-11-14T22:13:20.123Z","request_id":"r-1","#,
        r#""trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","#,
        r#""client":"203.0.113.7","listener":"public","protocol":"HTTP/2","tls":"TLSv1.3","#,
        r#""method":"GET","host":"api.example.com","target":"/orders/7?x=1","#,
        r#""user_agent":"curl/8.5.0","status":200,"outcome":"complete","route":"orders","#,
        r#""service":"shop","endpoint":"10.0.0.7:8080","attempts":1,"bytes_in":12,"#,
        r#""bytes_out":1532,"duration_ms":12.345,"upstream_ms":11.900,"overhead_ms":0.045}"#,
        "\n"
    );
    assert_eq!(line(Format::Json, &record()), expected);
}

#[test]
fn a_human_line() {
    let expected = concat!(
        r#"2023-11-14T22:13:20.123Z 203.0.113.7 "GET api.example.com/orders/7?x=1 HTTP/2" 200 "#,
        "1532B 12.345ms upstream=11.900ms overhead=0.045ms route=orders service=shop ",
        "endpoint=10.0.0.7:8080 tls=TLSv1.3 id=r-1 agent=\"curl/8.5.0\"\n"
    );
    assert_eq!(line(Format::Human, &record()), expected);
}

#[test]
fn a_refusal_without_route() {
    let refused = Record {
        trace_id: 0,
        span_id: 0,
        client: IpAddr::V6(Ipv6Addr::LOCALHOST),
        protocol: Version::HTTP_10,
        tls: "",
        user_agent: None,
        status: 429,
        outcome: Outcome::ClientGone,
        refused: Some(("rate_limit", "too_many_requests")),
        cause: "no \"route\" to host",
        consumer: "",
        auth: "",
        credential: "",
        route: "",
        service: "",
        endpoint: None,
        attempts: 0,
        upstream_duration: None,
        ..record()
    };
    let json: Value = serde_json::from_str(&line(Format::Json, &refused)).unwrap();
    for absent in [
        "trace_id",
        "tls",
        "user_agent",
        "route",
        "service",
        "endpoint",
        "upstream_ms",
    ] {
        assert_eq!(json.get(absent), None, "{absent}");
    }
    assert_eq!(json["refused_by"], "rate_limit");
    assert_eq!(json["code"], "too_many_requests");
    assert_eq!(json["cause"], "no \"route\" to host");
    assert_eq!(json["outcome"], "client_gone");
    assert_eq!(json["client"], "::1");
    assert_eq!(json["protocol"], "HTTP/1.0");
    let human = line(Format::Human, &refused);
    assert!(human.contains(" 429 1532B 12.345ms overhead=0.045ms outcome=client_gone "));
    assert!(human.ends_with(
        "refused_by=rate_limit code=too_many_requests cause=\"no \\\"route\\\" to host\" id=r-1\n"
    ));
}

#[test]
fn detours_are_told() {
    let mut faults = Faults::DELAY;
    faults.insert(Faults::RESET);
    let detoured = Record {
        variant: "shop_v2",
        fallback: "timeout",
        hedge: "won",
        coalesced: true,
        faults,
        ..record()
    };
    let json: Value = serde_json::from_str(&line(Format::Json, &detoured)).unwrap();
    assert_eq!(json["variant"], "shop_v2");
    assert_eq!(json["fallback"], "timeout");
    assert_eq!(json["hedge"], "won");
    assert_eq!(json["coalesced"], true);
    assert_eq!(json["faults"], serde_json::json!(["delay", "reset"]));
    let human = line(Format::Human, &detoured);
    assert!(
        human.contains(" variant=shop_v2 fallback=timeout hedge=won fault=delay fault=reset tls=")
    );
    let plain: Value = serde_json::from_str(&line(Format::Json, &record())).unwrap();
    for absent in ["variant", "fallback", "hedge", "coalesced", "faults"] {
        assert_eq!(plain.get(absent), None, "{absent}");
    }
}

#[test]
fn a_client_cannot_forge_a_line() {
    let forged = Record {
        target: b"/x\r\n2023-11-14T22:13:20.123Z 10.0.0.1 \"GET / HTTP/1.1\" 200",
        user_agent: Some(b"\x1b]0;owned\x07\x1b[2J\xc2\x9b31m"),
        ..record()
    };
    for format in [Format::Human, Format::Json] {
        let line = line(format, &forged);
        assert_eq!(line.matches('\n').count(), 1);
        let steering = line.trim_end().chars().filter(|c| c.is_control());
        assert_eq!(steering.count(), 0, "{line}");
    }
    let human = line(Format::Human, &forged);
    assert!(human.contains(r#"/x\r\n2023-11-14T22:13:20.123Z 10.0.0.1 \"GET / HTTP/1.1\" 200 "#));
    assert!(human.contains(r"\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m"));
}

proptest! {
    #[test]
    fn whatever_a_client_sends_is_read_back(
        host in prop::collection::vec(any::<u8>(), 1..80),
        target in prop::collection::vec(any::<u8>(), 1..300),
        agent in prop::collection::vec(any::<u8>(), 1..300),
        status in any::<u16>(),
        bytes_out in any::<u64>(),
        micros in any::<u64>(),
    ) {
        let record = Record {
            host: &host,
            target: &target,
            user_agent: Some(&agent),
            status,
            bytes_out,
            duration: Duration::from_micros(micros),
            ..record()
        };
        let line = line(Format::Json, &record);
        prop_assert_eq!(line.find('\n'), Some(line.len() - 1));
        let read: Value = serde_json::from_str(&line).unwrap();
        for (key, sent) in [("host", &host), ("target", &target), ("user_agent", &agent)] {
            prop_assert_eq!(read[key].as_str().unwrap(), String::from_utf8_lossy(sent));
        }
        prop_assert_eq!(read["status"].as_u64(), Some(u64::from(status)));
        prop_assert_eq!(read["bytes_out"].as_u64(), Some(bytes_out));
        prop_assert!(read["duration_ms"].is_f64());
    }
}

struct OneOfEach;

impl Names for OneOfEach {
    fn listener(&self, _: u16) -> &str {
        "public"
    }
    fn route(&self, _: u32) -> &str {
        "orders"
    }
    fn params(&self, _: u32) -> &[Arc<str>] {
        &[]
    }
    fn service(&self, _: u32) -> &str {
        "shop"
    }
}

#[test]
fn a_record_of_an_exchange() {
    let request = Request::post("/internal/7").header("user-agent", "curl/8.5.0");
    let exchange = Exchange {
        names: Rc::new(OneOfEach),
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        trace: Trace::begin(true),
        host: smallvec::SmallVec::from_slice(b"api.example.com"),
        target: "/orders/7?x=1".parse().unwrap(),
        route: Some(3),
        service: Some(5),
        attempts: 2,
        upstream_time: Duration::from_millis(9),
        refused: Some(Refused {
            by: "dispatch",
            code: "upstream_timeout",
            detail: "The service did not answer in time.".into(),
        }),
        cause: Some("nothing within 2s".into()),
        status: 504,
        ..testing::exchange(request)
    };
    let ending = Ending {
        outcome: Outcome::Timeout,
        bytes_in: 1,
        bytes_out: 2,
        duration: Duration::from_millis(10),
        overhead: Some(Duration::from_millis(1)),
    };
    let record = Record::of(&exchange, &ending, UNIX_EPOCH);
    let read: Value = serde_json::from_str(&line(Format::Json, &record)).unwrap();
    let expected = [
        ("method", "POST"),
        ("target", "/orders/7?x=1"),
        ("host", "api.example.com"),
        ("route", "orders"),
        ("service", "shop"),
        ("listener", "public"),
        ("refused_by", "dispatch"),
        ("cause", "nothing within 2s"),
        ("code", "upstream_timeout"),
        ("outcome", "timeout"),
        ("user_agent", "curl/8.5.0"),
        ("request_id", exchange.id.as_str()),
    ];
    for (key, value) in expected {
        assert_eq!(read[key], value, "{key}");
    }
    assert_eq!(read["status"], 504);
    assert_eq!(read["attempts"], 2);
    assert_eq!(read["upstream_ms"], 9.0);
    assert!(read.get("tls").is_none());
}
