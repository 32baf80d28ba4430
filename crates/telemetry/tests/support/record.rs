//! A request as the access log is told of it, of usual size.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, UNIX_EPOCH},
};

use http::Version;
use lintel_kernel::exchange::Outcome;
use lintel_telemetry::Record;

pub(crate) fn record() -> Record<'static> {
    Record {
        time: UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
        request_id: "5f1d9b6c0a7e4d3f8b2c1a0987654321",
        trace_id: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
        span_id: 0x00f0_67aa_0ba9_02b7,
        client: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 77)),
        listener: "public",
        protocol: Version::HTTP_11,
        tls: "TLSv1.3",
        method: "GET",
        host: b"api.example.com",
        target: b"/orders/1234567?include=items,customer&limit=50",
        user_agent: Some(b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        status: 200,
        outcome: Outcome::Complete,
        refused: None,
        cause: "",
        consumer: "",
        auth: "",
        credential: "",
        route: "orders",
        service: "orders",
        endpoint: Some(([10, 0, 0, 7], 8080).into()),
        attempts: 1,
        variant: "",
        fallback: "",
        hedge: "",
        coalesced: false,
        faults: Default::default(),
        legs: Vec::new(),
        bytes_in: 0,
        bytes_out: 15_321,
        duration: Duration::from_micros(12_345),
        upstream_duration: Some(Duration::from_micros(12_001)),
        overhead: Some(Duration::from_micros(45)),
    }
}
