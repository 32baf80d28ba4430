//! Six services behind one answer, three of REST and three of gRPC: each in turn is slow, down, wrong
//! and huge. Whatever happens, the answer is the one that the route says, everything is counted, and no
//! call is left behind.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use lintel_testkit::{Answer, Origin, Reply, until};
use serde_json::{Value, json};

use crate::{
    compose::legs::{value, yaml},
    support::{Gateway, Peer, text},
};

/// The legs, whether they are required, and whether they are of gRPC.
const LEGS: [(&str, bool, bool); 6] = [
    ("profile", true, false),
    ("orders", false, false),
    ("messages", false, false),
    ("balance", true, true),
    ("offers", false, true),
    ("points", false, true),
];

/// What a service of REST does, and what its leg comes to.
const REST: [(&str, &str); 8] = [
    ("slow", "timeout"),
    ("stalls", "timeout"),
    ("reset", "unreachable"),
    ("half", "unreachable"),
    ("html", "not_json"),
    ("status", "status"),
    ("huge", "too_large"),
    ("endless", "too_large"),
];

/// The same of gRPC, by the words of the server.
const RPC: [(&str, &str); 10] = [
    ("waiting", "timeout"),
    ("reset", "unreachable"),
    ("html", "not_grpc"),
    ("down", "not_grpc"),
    ("cut", "not_grpc"),
    ("two", "not_grpc"),
    ("garbage", "not_grpc"),
    ("huge", "too_large"),
    ("bomb", "too_large"),
    ("odd", "status"),
];

/// How a leg is treated that is at fault.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// It is waited for, as are all others.
    Any,
    /// It is not waited for very long.
    Slow,
    /// Nobody answers for it.
    Down,
}

/// The faults after which nothing comes.
const SLOW: [&str; 3] = ["slow", "stalls", "waiting"];

struct Scene {
    rest: Origin,
    rpc: Vec<Peer>,
    /// Calls that were begun and left without an answer, until the gateway gave them up.
    given_up: Arc<AtomicUsize>,
}

impl Scene {
    fn new() -> Self {
        let given_up = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&given_up);
        let rest = Origin::start(move |seen| {
            let (leg, fault) = seen.target[1..].split_once('/').unwrap();
            faulty(leg, fault, Arc::clone(&counter))
        });
        let rpc = (0..3).map(|_| Peer::start("hostile_grpc_server.py", &[]));
        Self {
            rest,
            rpc: rpc.collect(),
            given_up,
        }
    }

    /// A gateway in front of all, one of which is at fault.
    fn gateway(&self, faulty: &str, trouble: Trouble) -> Gateway {
        let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/protos");
        let known = format!(
            ", protocol: grpc, descriptors: [\"{}/library.proto\"]",
            text(protos)
        );
        let mut rpc = self.rpc.iter();
        let mut services = Vec::new();
        let mut compose = "        legs:\n".to_owned();
        for (leg, required, is_rpc) in LEGS {
            let url = match is_rpc {
                true => format!("http://127.0.0.1:{}", rpc.next().unwrap().port()),
                false => self.rest.url(),
            };
            let (url, timeout) = match trouble {
                Trouble::Down if leg == faulty => (Origin::nobody(), "10s"),
                Trouble::Slow if leg == faulty => (url, "500ms"),
                _ => (url, "10s"),
            };
            services.push((leg, url, if is_rpc { known.as_str() } else { "" }));
            let fault = format!("${{request.query[\\\"{leg}\\\"]}}");
            let asks = match is_rpc {
                true => format!(
                    "grpc: library.v1.Library/GetBook, message: {{ name: \"shelves/{fault}/books/1\" }}"
                ),
                false => format!("get: \"/{leg}/{fault}\""),
            };
            compose += &format!(
                "          {leg}: {{ service: {leg}, {asks}, timeout: {timeout}, max_body: 64KiB, optional: {} }}\n",
                !required
            );
        }
        compose += "        error: { json: { error: home_unavailable } }\n";
        let services: Vec<_> = services
            .iter()
            .map(|(name, url, more)| (*name, &**url, *more))
            .collect();
        Gateway::start(&yaml(&services, &compose))
    }
}

fn faulty(leg: &str, fault: &str, given_up: Arc<AtomicUsize>) -> Answer {
    let stay = move |stream: &mut std::net::TcpStream| {
        let _ = std::io::copy(stream, &mut std::io::sink());
        given_up.fetch_add(1, Ordering::SeqCst);
    };
    let begun = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"half\":";
    match fault {
        "fine" => Answer::ok(format!("{{\"leg\":\"{leg}\"}}")),
        "slow" => Answer::script(stay),
        "stalls" => Answer::script(move |stream| {
            let _ = std::io::Write::write_all(stream, begun.as_bytes());
            stay(stream);
        }),
        "reset" => Answer::bytes_then_close(""),
        "half" => Answer::bytes_then_close(begun),
        "html" => Answer::ok("<h1>10.0.0.7</h1>"),
        "status" => Answer::new(500, &[], "{\"secret\":1}"),
        "huge" => Answer::ok(vec![b' '; 2 << 20]),
        "endless" => Answer::script(|stream| {
            let _ = std::io::Write::write_all(stream, b"HTTP/1.1 200 OK\r\n\r\n[");
            while std::io::Write::write_all(stream, &[b' '; 4096]).is_ok() {}
        }),
        other => panic!("there is no fault `{other}`"),
    }
}

fn ask(gateway: &Gateway, faulty: &str, fault: &str) -> Reply {
    let query = LEGS.map(|(leg, ..)| {
        let fault = if leg == faulty { fault } else { "fine" };
        format!("{leg}={fault}")
    });
    gateway.get(&format!("/home?{}", query.join("&")))
}

/// The answer that the route says.
fn check(gateway: &Gateway, reply: &Reply, (faulty, reason, fault): (&str, &str, &str)) {
    let what = || {
        let log = gateway.stdout();
        format!(
            "{faulty} {fault}: {}\n{}",
            reply.text(),
            log.lines().last().unwrap_or_default()
        )
    };
    let (_, required, _) = LEGS.iter().find(|(leg, ..)| *leg == faulty).unwrap();
    if *required {
        assert_eq!(reply.status, 503, "{}", what());
        assert_eq!(
            reply.text(),
            "{\"error\":\"home_unavailable\"}",
            "{}",
            what()
        );
        return;
    }
    assert_eq!(reply.status, 200, "{}", what());
    let partial = format!("{faulty}={reason}");
    assert_eq!(reply.header("x-partial"), Some(&*partial), "{}", what());
    let expected: BTreeMap<&str, Value> = LEGS
        .iter()
        .map(|(leg, _, rpc)| {
            let value = match (*leg == faulty, rpc) {
                (true, _) => Value::Null,
                (false, true) => json!({"title": "T"}),
                (false, false) => json!({"leg": leg}),
            };
            (*leg, value)
        })
        .collect();
    assert_eq!(value(reply), json!(expected), "{}", what());
}

/// The sum of the samples of a metric whose labels have all of these.
fn sum(metrics: &str, name: &str, labels: &[&str]) -> u64 {
    let samples = metrics.lines().filter_map(|line| line.strip_prefix(name));
    let samples = samples.filter(|rest| labels.iter().all(|label| rest.contains(label)));
    samples
        .map(|rest| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64)
        .sum()
}

#[test]
fn each_leg_in_turn_fails_in_every_way() {
    let scene = Scene::new();
    let mut left = 0;
    for (leg, required, rpc) in LEGS {
        let all: &[(&str, &str)] = if rpc { &RPC } else { &REST };
        let (slow, others): (Vec<_>, Vec<_>) = all
            .iter()
            .copied()
            .partition(|(fault, _)| SLOW.contains(fault));
        for (trouble, faults) in [(Trouble::Slow, &slow), (Trouble::Any, &others)] {
            let gateway = scene.gateway(leg, trouble);
            for (fault, reason) in faults {
                let reply = ask(&gateway, leg, fault);
                check(&gateway, &reply, (leg, reason, fault));
            }
            // And it goes on as if nothing had been.
            let well = u64::from(trouble == Trouble::Any);
            for _ in 0..well {
                let well = ask(&gateway, leg, "fine");
                assert_eq!(
                    (well.status, well.header("x-partial")),
                    (200, None),
                    "{leg}"
                );
            }
            all_is_counted(&gateway, (leg, required), faults, well);
            nothing_is_left(&gateway);
        }
        left += if rpc { 0 } else { slow.len() };
    }
    until("all calls that were not answered are given up", || {
        (scene.given_up.load(Ordering::SeqCst) == left).then_some(())
    });
    for peer in &scene.rpc {
        peer.until_said("given up");
    }
}

#[test]
fn each_leg_in_turn_is_down() {
    let scene = Scene::new();
    for (leg, ..) in LEGS {
        let gateway = scene.gateway(leg, Trouble::Down);
        let reply = ask(&gateway, leg, "fine");
        check(&gateway, &reply, (leg, "unreachable", "down"));
        nothing_is_left(&gateway);
    }
}

/// After these faults of a leg, and some requests without any.
fn all_is_counted(
    gateway: &Gateway,
    (faulty, required): (&str, bool),
    faults: &[(&str, &str)],
    well: u64,
) {
    let metrics = gateway.ask("/metrics").text();
    let failed = faults.len() as u64;
    let answers = |result: &str| {
        let result = format!("result=\"{result}\"");
        sum(&metrics, "lintel_compose_answers_total{", &[&result])
    };
    let told = match required {
        true => ("failed", "partial"),
        false => ("partial", "failed"),
    };
    let counted = (answers("whole"), answers(told.0), answers(told.1));
    assert_eq!(counted, (well, failed, 0), "{faulty}");
    for (leg, ..) in LEGS {
        let label = format!("leg=\"{leg}\"");
        let of = |result: &str| {
            let result = format!("result=\"{result}\"");
            sum(&metrics, "lintel_compose_legs_total{", &[&label, &result])
        };
        let all = sum(&metrics, "lintel_compose_legs_total{", &[&label]);
        assert_eq!(
            all,
            failed + well,
            "{faulty}: every request counts `{leg}` once"
        );
        if leg != faulty {
            // Given up where the required one has failed before.
            let log = gateway.stdout();
            assert_eq!(
                of("answered") + of("cancelled"),
                all,
                "{faulty}: {leg}: {log}"
            );
            assert!(required || of("cancelled") == 0, "{faulty}: {leg}");
            continue;
        }
        assert_eq!(of("answered"), well, "{faulty}");
        for (_, reason) in faults {
            let expected = faults.iter().filter(|(_, other)| other == reason).count();
            assert_eq!(of(reason), expected as u64, "{faulty}: {reason}");
        }
    }
}

/// No request is under way at any service.
fn nothing_is_left(gateway: &Gateway) {
    until("no call is open", || {
        let metrics = gateway.ask("/metrics").text();
        (sum(&metrics, "lintel_upstream_requests_active{", &[]) == 0).then_some(())
    });
}
