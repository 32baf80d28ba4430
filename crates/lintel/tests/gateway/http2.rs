//! HTTP/2 against a client and a server made with h2 for Python, and against curl: interim answers,
//! bodies that are waited for, hostile clients, GOAWAY.

use std::io::{BufRead as _, BufReader, Write as _};

use lintel_testkit::{Answer, Origin, until};
use serde_json::Value;

use crate::support::{Gateway, Peer, curl, on_listener, to_origin, with_routes};

/// A gateway in front of the server made with h2.
fn before_http2() -> (Peer, Gateway) {
    let server = Peer::start("http2_server.py", &[]);
    let gateway = Gateway::start_unwatched(&with_routes(&format!(
        "services: {{ origin: {{ endpoints: [\"http://127.0.0.1:{}\"], protocol: h2 }} }}\n\
         routes: {{ all: {{ match: {{ path: \"/*\" }}, to: origin }} }}",
        server.port()
    )));
    (server, gateway)
}

/// A gateway in front of an HTTP/1.1 origin that does the same as that server.
fn before_http1() -> (Origin, Gateway) {
    let origin = Origin::start(|seen| match seen.target.as_str() {
        "/hints" => Answer::bytes_then_close(
            "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n\
             HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n0 bytes",
        ),
        _ => Answer::ok(format!("{} bytes", seen.body.len())),
    });
    let gateway = Gateway::start_unwatched(&to_origin(&origin, ""));
    (origin, gateway)
}

fn run(scenario: &str, gateway: &Gateway) {
    let port = gateway.public().port().to_string();
    Peer::run("http2_client.py", &[scenario, &port]);
}

/// What curl sees of a path: all heads and the body.
fn seen_by_curl(version: &str, gateway: &Gateway, path: &str) -> String {
    let url = format!("http://{}{path}", gateway.public());
    curl(&["--include", version, &url]).to_lowercase()
}

#[test]
fn early_hints_reach_clients_of_either_version() {
    let (_origin, http1) = before_http1();
    let (_server, http2) = before_http2();
    for gateway in [&http1, &http2] {
        run("hints", gateway);
        for (version, name) in [
            ("--http2-prior-knowledge", "http/2"),
            ("--http1.1", "http/1.1"),
        ] {
            let said = seen_by_curl(version, gateway, "/hints");
            let hint = format!("{name} 103");
            assert!(said.starts_with(&hint), "{said}");
            let (hints, answer) = said.split_once("\r\n\r\n").unwrap();
            assert!(hints.contains("link: </style.css>; rel=preload"), "{said}");
            assert!(answer.starts_with(&format!("{name} 200")), "{said}");
            assert!(answer.ends_with("0 bytes"), "{said}");
        }
    }
}

#[test]
fn a_body_waits_for_the_server_that_asks_for_it() {
    let (server, gateway) = before_http2();
    run("asked_to_continue", &gateway);
    server.until_said("100 sent");
    run("refused", &gateway);
}

#[test]
fn a_body_over_http1_waits_for_an_http2_server() {
    let (_server, gateway) = before_http2();
    let mut client = BufReader::new(std::net::TcpStream::connect(gateway.public()).unwrap());
    let head =
        "POST /continue HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    client.get_mut().write_all(head.as_bytes()).unwrap();
    let mut line = String::new();
    client.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    client.get_mut().write_all(b"hello").unwrap();
    let mut answer = client.lines().map(Result::unwrap);
    let status = answer.find(|line| !line.is_empty()).unwrap();
    assert_eq!(status, "HTTP/1.1 200 OK");
}

/// Whoever floods or sends nonsense harms nobody else, and is in the access log with the reason.
#[test]
fn hostile_clients_are_stopped_and_logged() {
    let gateway = Gateway::start(&with_routes(
        "defaults: { policies: { access_log: { format: json, to: stdout } } }\n\
         routes: { all: { match: { path: \"/*\" }, to: { respond: { body: own } } } }",
    ));
    let cases = [
        ("huge_head", "headers_too_large", 431),
        ("malformed_head", "bad_request", 400),
        ("pings", "h2_ping_flood", 400),
        ("settings", "h2_settings_flood", 400),
    ];
    for (scenario, code, status) in cases {
        run(scenario, &gateway);
        let line = until(&format!("{code} is logged"), || {
            let text = gateway.stdout();
            text.lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .find(|line| line.to_string().contains(code))
        });
        assert_eq!(line["status"], status, "{line}");
        assert_eq!(line["client"], "127.0.0.1", "{line}");
    }
    for scenario in ["rapid_resets", "wrong_length"] {
        run(scenario, &gateway);
    }
    let said = seen_by_curl("--http2-prior-knowledge", &gateway, "/");
    assert!(said.ends_with("own"), "{said}");
}

#[test]
fn requests_up_to_the_goaway_are_answered_under_load() {
    let origin = Origin::saying("hello");
    let yaml = on_listener(
        &to_origin(&origin, ""),
        "limits: { requests_per_connection: 20 }",
    );
    let gateway = Gateway::start_unwatched(&yaml);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| run("goaway", &gateway));
        }
    });
}
