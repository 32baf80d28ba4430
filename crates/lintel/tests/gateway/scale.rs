//! Many reloads of many routes while requests, tunnels and streams go on.
//!
//! In full, 5,000 routes and 200 reloads, with `LINTEL_FULL=1`; else a tenth of the routes and a
//! fifth of the reloads.

use std::{
    env,
    fmt::Write as _,
    io::Write as _,
    sync::{Arc, Condvar, Mutex},
};

use lintel_testkit::{Answer, Client, Origin, Seen, until};
use serde_json::Value;

use crate::support::{Gateway, Load, with_routes};

/// What memory may differ by between a quarter of the reloads and all of them.
const ALLOWED_KIB: u64 = 16 * 1024;
const TUNNELS: usize = 20;
const STREAMS: usize = 20;

#[test]
fn reloads_of_many_routes_fail_no_request_close_no_stream_and_leave_nothing_behind() {
    let (routes, reloads) = match env::var_os("LINTEL_FULL") {
        Some(_) => (5_000, 200),
        None => (500, 40),
    };
    let rounds = Arc::new(Rounds::default());
    let origin = origin(&rounds);
    let gateway = Gateway::start_unwatched(&configuration(&origin, routes, 0));
    let mut held = Held::open(&gateway);
    let load = Load::start(gateway.public());
    let mut early = None;
    for reload in 1..=reloads {
        gateway.write(&configuration(&origin, routes, reload));
        assert_eq!(gateway.reload().status.code(), Some(0));
        load.until_answered(4);
        rounds.next();
        held.assert_alive(reload);
        if reload == reloads / 4 {
            early = Some(Figures::of(&gateway));
        }
    }
    assert_eq!(load.stop(), [""; 0]);
    held.assert_one_snapshot_each(&gateway);
    let (early, late) = (early.unwrap(), Figures::of(&gateway));
    eprintln!(
        "after a quarter of {reloads} reloads of {routes} routes {early:?}, after all {late:?}"
    );
    assert!(
        late.resident < early.resident + ALLOWED_KIB,
        "{early:?} {late:?}"
    );
    assert_eq!(late.threads, early.threads);
    drop(held);
    rounds.end();
    let status =
        || -> Value { serde_json::from_slice(&gateway.ask("/config/status").body).unwrap() };
    until("no old generation is held any more", || {
        let alive = status()["generations_alive"].as_array().unwrap().len();
        (alive == 1).then_some(())
    });
}

/// Tunnels and streams that were opened at the start.
struct Held {
    tunnels: Vec<Client>,
    streams: Vec<Client>,
}

impl Held {
    fn open(gateway: &Gateway) -> Self {
        let tunnels = (0..TUNNELS).map(|_| {
            let mut client = gateway.client();
            client.send(
                "GET /tunnel HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            );
            assert_eq!(client.reply().status, 101);
            client
        });
        let streams = (0..STREAMS).map(|_| {
            let mut client = gateway.client();
            // To HTTP/1.0, so that no chunk begins in the middle of an event.
            client.send("GET /stream HTTP/1.0\r\nHost: test\r\n\r\n");
            assert_eq!(client.head().unwrap().0, 200);
            client
        });
        Self {
            tunnels: tunnels.collect(),
            streams: streams.collect(),
        }
    }

    /// Every tunnel echoes, every stream has brought the event of this round.
    fn assert_alive(&mut self, round: usize) {
        for tunnel in &mut self.tunnels {
            assert_eq!(tunnel.send("are you there").bytes(13), b"are you there");
        }
        for stream in &mut self.streams {
            stream.bytes_until(&format!("data: {round}\n\n"));
        }
    }

    /// The tunnels and streams hold the first configuration, and nothing holds those between it and
    /// the last.
    fn assert_one_snapshot_each(&self, gateway: &Gateway) {
        until("only the first and the last configuration are held", || {
            let status: Value =
                serde_json::from_slice(&gateway.ask("/config/status").body).unwrap();
            (status["generations_alive"].as_array().unwrap().len() <= 2).then_some(())
        });
    }
}

#[derive(Debug)]
struct Figures {
    /// KiB.
    resident: u64,
    threads: u64,
    #[expect(
        dead_code,
        reason = "shown, not compared: kept connections come and go"
    )]
    descriptors: usize,
}

impl Figures {
    fn of(gateway: &Gateway) -> Self {
        Self {
            resident: gateway.kib("VmRSS"),
            threads: gateway.kib("Threads"),
            descriptors: gateway.descriptors(),
        }
    }
}

/// How many reloads there were, for whoever waits for the next.
#[derive(Default)]
struct Rounds {
    count: Mutex<Option<usize>>,
    changed: Condvar,
}

impl Rounds {
    fn next(&self) {
        let mut count = self.count.lock().unwrap();
        *count = Some(count.unwrap_or(0) + 1);
        self.changed.notify_all();
    }

    fn end(&self) {
        *self.count.lock().unwrap() = Some(usize::MAX);
        self.changed.notify_all();
    }

    /// The round after this one; `None` when there is no further one.
    fn after(&self, round: usize) -> Option<usize> {
        let count = self.count.lock().unwrap();
        let count = self
            .changed
            .wait_while(count, |count| count.unwrap_or(0) <= round)
            .unwrap();
        count.filter(|count| *count != usize::MAX)
    }
}

/// `/tunnel` echoes, `/stream` sends an event in every round, all else is `ok`.
fn origin(rounds: &Arc<Rounds>) -> Origin {
    let rounds = Arc::clone(rounds);
    Origin::start(move |seen: &Seen| match seen.target.as_str() {
        "/tunnel" => Answer::echo_tunnel("websocket"),
        "/stream" => events(Arc::clone(&rounds)),
        _ => Answer::ok("ok"),
    })
}

fn events(rounds: Arc<Rounds>) -> Answer {
    Answer::script(move |stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let mut round = 0;
        while let Some(next) = rounds.after(round) {
            round = next;
            if write!(stream, "data: {round}\n\n").is_err() {
                return;
            }
        }
    })
}

/// So many routes, each of them other than in the round before.
fn configuration(origin: &Origin, routes: usize, round: usize) -> String {
    let mut yaml = format!(
        "services: {{ origin: {{ endpoints: [\"{}\"], timeout: {{ idle: 10m }} }} }}\n\
         routes:\n  all: {{ match: {{ path: \"/*\" }}, to: origin }}\n",
        origin.url()
    );
    for number in 0..routes {
        writeln!(
            yaml,
            "  r{number}: {{ match: {{ path: \"/api/r{number}/*\" }}, timeout: {}s, to: origin }}",
            1 + round % 100
        )
        .unwrap();
    }
    with_routes(&yaml)
}
