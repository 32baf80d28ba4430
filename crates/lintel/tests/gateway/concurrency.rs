//! Limits of what is under way at once, by a whole gateway: whatever way a request ends, its place is
//! free again.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use lintel_testkit::{Answer, Origin, until};

use crate::support::{Gateway, Peer};

/// A door that requests wait at.
#[derive(Default)]
struct Door(Mutex<bool>, Condvar);

impl Door {
    fn pass(&self) {
        let mut open = self.0.lock().unwrap();
        while !*open {
            open = self.1.wait(open).unwrap();
        }
    }

    fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
}

/// An origin where `/hold` is answered when the door is opened.
fn holding(door: &Arc<Door>) -> Origin {
    let door = Arc::clone(door);
    Origin::start(move |seen| match seen.target.as_str() {
        "/hold" => {
            door.pass();
            Answer::ok("held")
        }
        "/tunnel" => Answer::echo_tunnel("websocket"),
        _ => Answer::ok("fine"),
    })
}

fn configuration(origin: &Origin, limit: &str) -> String {
    format!(
        r#"
version: 1
workers: 2
listeners: {{ public: {{ bind: 127.0.0.1:0, protocols: [http1, h2c] }} }}
admin: {{ bind: 127.0.0.1:0 }}
services: {{ origin: {{ endpoints: ["{}"] }} }}
routes:
  slow:
    match: {{ path: /late }}
    timeout: 100ms
    policies: {{ concurrency: [{limit}], rewrite: {{ path: /hold }} }}
    to: origin
  all:
    match: {{ path: /* }}
    policies: {{ concurrency: [{limit}] }}
    to: origin
"#,
        origin.url()
    )
}

/// A gauge of the route `all`.
fn gauge(gateway: &Gateway, name: &str) -> Option<i64> {
    let before = format!(r#"lintel_concurrency_{name}{{scope="routes.all",limit="all"}} "#);
    let page = gateway.ask("/metrics").text();
    let value = page.lines().find_map(|line| line.strip_prefix(&before))?;
    value.parse().ok()
}

fn until_gauge(gateway: &Gateway, name: &str, value: i64) {
    until(&format!("{name} is {value}"), || {
        (gauge(gateway, name) == Some(value)).then_some(())
    });
}

/// Sends a request for a path and leaves the answer unread.
fn ask(gateway: &Gateway, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.public()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    stream
}

#[test]
fn a_place_is_free_again_whatever_way_a_request_ends() {
    let door = Arc::default();
    let origin = holding(&door);
    let gateway = Gateway::start(&configuration(&origin, "{ name: all, max: 2 }"));

    // Clients that go away while the service thinks.
    let held = [ask(&gateway, "/hold"), ask(&gateway, "/hold")];
    until_gauge(&gateway, "in_flight", 2);
    let refused = gateway.get("/next");
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(
        refused.text().contains(r#""code":"concurrency_limited""#),
        "{}",
        refused.text()
    );
    drop(held);
    until_gauge(&gateway, "in_flight", 0);

    // Streams of HTTP/2 that are reset.
    let port = gateway.public().port().to_string();
    Peer::run("http2_client.py", &["cancels", &port]);
    until_gauge(&gateway, "in_flight", 0);

    // Timeouts; each has its own limit, of two at once.
    for _ in 0..3 {
        assert_eq!(gateway.get("/late").status, 504);
    }

    // A tunnel holds its place until it is closed.
    let mut tunnel = TcpStream::connect(gateway.public()).unwrap();
    let head =
        "GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    tunnel.write_all(head.as_bytes()).unwrap();
    let mut status = [0; 12];
    tunnel.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 101");
    until_gauge(&gateway, "in_flight", 1);
    tunnel.shutdown(Shutdown::Both).unwrap();
    until_gauge(&gateway, "in_flight", 0);

    // Refused and complete ones.
    for _ in 0..5 {
        assert_eq!(gateway.get("/next").status, 200);
    }
    until_gauge(&gateway, "in_flight", 0);
    door.open();
}

#[test]
fn those_who_wait_come_in_when_there_is_a_place() {
    let door = Arc::default();
    let origin = holding(&door);
    let limit = "{ name: all, max: 1, queue: { size: 4, timeout: 60s } }";
    let gateway = Gateway::start(&configuration(&origin, limit));
    let first = ask(&gateway, "/hold");
    until_gauge(&gateway, "in_flight", 1);
    let gone = [ask(&gateway, "/a"), ask(&gateway, "/b")];
    until_gauge(&gateway, "queued", 2);
    let waits = [ask(&gateway, "/c"), ask(&gateway, "/d")];
    until_gauge(&gateway, "queued", 4);
    assert_eq!(gateway.get("/full").status, 503);
    // Clients that go away while they wait.
    drop(gone);
    until_gauge(&gateway, "queued", 2);

    // A reload finds them in line and leaves them there; the new number holds for whoever comes.
    let wider = configuration(
        &origin,
        "{ name: all, max: 2, queue: { size: 4, timeout: 60s } }",
    );
    gateway.write(&wider);
    gateway.until_logged("the new configuration serves");
    assert_eq!(gauge(&gateway, "queued"), Some(2));

    door.open();
    for mut stream in [first].into_iter().chain(waits) {
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
    }
    until_gauge(&gateway, "in_flight", 0);
    let asked: Vec<String> = origin
        .seen()
        .iter()
        .map(|seen| seen.target.clone())
        .collect();
    assert!(
        !asked.iter().any(|path| path == "/a" || path == "/b"),
        "{asked:?}"
    );
}

/// Many clients of two workers: all are served, and never more than the limit at once.
#[test]
fn workers_share_the_limit_and_the_line() {
    let (inside, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let origin = Origin::start({
        let (inside, most) = (Arc::clone(&inside), Arc::clone(&most));
        move |_| {
            most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
            thread::yield_now();
            inside.fetch_sub(1, SeqCst);
            Answer::ok("fine")
        }
    });
    let limit = "{ name: all, max: 3, queue: { size: 100, timeout: 60s } }";
    let gateway = Gateway::start(&configuration(&origin, limit));
    thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                let mut client = gateway.client();
                for _ in 0..50 {
                    assert_eq!(client.get("/next").status, 200);
                }
            });
        }
    });
    assert!((1..=3).contains(&most.load(SeqCst)), "{most:?}");
    until_gauge(&gateway, "in_flight", 0);
    assert_eq!(gauge(&gateway, "queued"), Some(0));
}
