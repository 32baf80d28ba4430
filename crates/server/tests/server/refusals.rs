//! What HTTP/2's own layer refuses: no more than it must, and not without a record.

use crate::support::{Gateway, Origin, Raw, frames::*, spec, wait_for};

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const PROTOCOL_ERROR: u32 = 1;
const FRAME_SIZE_ERROR: u32 = 6;

/// RFC 7541 Appendix A: `:method: POST`, `:scheme: http`, `:path: /`; `:authority: a.test` by literal.
const POST: &[u8] = &[
    0x83, 0x86, 0x84, 0x41, 6, b'a', b'.', b't', b'e', b's', b't',
];

fn start() -> (Origin, Gateway) {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    (origin, gateway)
}

/// A field by literals without indexing (RFC 7541 §6.2.2).
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut block = vec![0x00, u8::try_from(name.len()).unwrap()];
    block.extend(name.as_bytes());
    match u8::try_from(value.len()) {
        Ok(length) if length < 127 => block.push(length),
        // RFC 7541 §5.1.
        _ => {
            let mut rest = value.len() - 127;
            block.push(127);
            while rest >= 128 {
                block.push(u8::try_from(rest % 128).unwrap() | 128);
                rest /= 128;
            }
            block.push(u8::try_from(rest).unwrap());
        }
    }
    block.extend(value.as_bytes());
    block
}

/// Whatever was refused, the connection goes on.
fn goes_on(raw: &mut Raw, stream: u32) {
    raw.request(stream, "GET", "/hello", true);
    let data = raw.find(DATA).unwrap();
    assert_eq!((data.stream, &*data.payload), (stream, &b"hello"[..]));
}

fn is_recorded(gateway: &Gateway, reason: &str, status: u16) {
    gateway.await_metric("lintel_malformed_requests_total", reason, 1.0);
    gateway.await_metric(
        "lintel_requests_total",
        &format!("status=\"{status}\""),
        1.0,
    );
    gateway.await_metric("lintel_rejections_total", reason, 1.0);
}

#[test]
fn a_malformed_head_resets_its_stream_and_is_recorded() {
    let (_origin, gateway) = start();
    let mut raw = Raw::connect(gateway.address("public"), &[]);
    let block = [POST, &field("connection", "close")].concat();
    raw.send(HEADERS, END_HEADERS | END_STREAM, 1, &block);
    let reset = raw.find(RST_STREAM).unwrap();
    assert_eq!((reset.stream, reset.code()), (1, PROTOCOL_ERROR));
    is_recorded(&gateway, "bad_request", 400);
    goes_on(&mut raw, 3);
}

#[test]
fn a_header_list_that_is_too_large_is_answered_431_and_recorded() {
    let (_origin, gateway) = start();
    let mut raw = Raw::connect(gateway.address("public"), &[]);
    raw.send(HEADERS, END_STREAM, 1, POST);
    let large = field("a", &"b".repeat(14_000));
    for count in 1..=5 {
        let flags = if count == 5 { END_HEADERS } else { 0 };
        raw.send(CONTINUATION, flags, 1, &large);
    }
    let head = raw.find(HEADERS).unwrap();
    // RFC 7541 §6.2: `:status` has index 8, and 431 is not in the static table.
    assert_eq!((head.stream, head.flags & END_STREAM), (1, END_STREAM));
    is_recorded(&gateway, "headers_too_large", 431);
    goes_on(&mut raw, 3);
}

#[test]
fn two_lengths_are_refused() {
    let (_origin, gateway) = start();
    let mut raw = Raw::connect(gateway.address("public"), &[]);
    let block = [
        POST,
        &field("content-length", "5"),
        &field("content-length", "5"),
    ]
    .concat();
    raw.send(HEADERS, END_HEADERS, 1, &block);
    raw.send(DATA, END_STREAM, 1, b"hello");
    let problem = String::from_utf8(raw.find(DATA).unwrap().payload).unwrap();
    assert!(problem.contains("length_conflict"), "{problem}");
    is_recorded(&gateway, "length_conflict", 400);
}

#[test]
fn a_body_that_is_not_as_long_as_it_says_resets_its_stream() {
    let (_origin, gateway) = start();
    for body in [&b"four"[..], b"longer"] {
        let mut raw = Raw::connect(gateway.address("public"), &[]);
        let block = [POST, &field("content-length", "5")].concat();
        raw.send(HEADERS, END_HEADERS, 1, &block);
        raw.send(DATA, END_STREAM, 1, body);
        let reset = raw.find(RST_STREAM).unwrap();
        assert_eq!((reset.stream, reset.code()), (1, PROTOCOL_ERROR));
        goes_on(&mut raw, 3);
    }
    wait_for("the end of the requests", || {
        let status = gateway.server.status();
        status.iter().all(|worker| worker.active == 0)
    });
}

/// Ends the connection for what `send` sends; `reason` and the code of the GOAWAY say why.
fn ends(send: impl Fn(&mut Raw), code: u32, reason: &str) {
    let (_origin, gateway) = start();
    let mut raw = Raw::connect(gateway.address("public"), &[]);
    send(&mut raw);
    assert_eq!(raw.find(GOAWAY).unwrap().code(), code, "{reason}");
    is_recorded(&gateway, reason, 400);
    assert_eq!(gateway.connect("public").get("/hello").status, 200);
}

#[test]
fn what_breaks_a_connection_is_recorded() {
    ends(
        |raw| {
            raw.send(DATA, 0, 1, &[0; 20_000]);
        },
        FRAME_SIZE_ERROR,
        "h2_frame_size_error",
    );
    ends(
        |raw| {
            raw.send(DATA, 0, 1, b"on a stream that nobody opened");
        },
        PROTOCOL_ERROR,
        "h2_protocol_error",
    );
    ends(
        // An index beyond both tables (RFC 7541 §2.3.3).
        |raw| {
            raw.send(HEADERS, END_HEADERS, 1, &[0xfe]);
        },
        PROTOCOL_ERROR,
        "h2_protocol_error",
    );
}

/// h2 makes a connection error of what RFC 9113 §5.1 calls a stream error.
#[test]
fn data_after_the_end_of_a_request_cancels_it() {
    let (origin, gateway) = start();
    let mut raw = Raw::connect(gateway.address("public"), &[]);
    raw.request(1, "GET", "/held", true);
    wait_for("the request", || origin.held() == 1);
    raw.send(DATA, END_STREAM, 1, b"more");
    assert!(raw.find(GOAWAY).is_some());
    wait_for("the end of the request", || {
        let status = gateway.server.status();
        status.iter().all(|worker| worker.active == 0)
    });
    assert_eq!(gateway.connect("public").get("/hello").status, 200);
}
