//! The same raw bytes sent to Lintel, NGINX and HAProxy, each in front of a recording origin.
//!
//! Every case is followed by a sentinel request on the same connection, so that a proxy that loses
//! its place shows it. What the origins saw is compared: Lintel may see less (it is stricter), and
//! must not see more than the others or anything else, unless `expected.txt` gives the reason. The
//! cases are the codec's own (`crates/http1/tests/codec/cases`) and mutations of them from a fixed seed;
//! `LINTEL_MUTATIONS` sets how many.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    dead_code,
    unused_imports
)]

#[path = "../../../http1/tests/codec/cases/mod.rs"]
mod cases;
mod expected;
mod inputs;
mod origin;
mod proxies;
#[path = "../gateway/support/mod.rs"]
mod support;

use std::{
    collections::BTreeMap,
    env,
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Mutex,
    thread,
};

use expected::{Expected, Found, Verdict};
use inputs::Input;
use lintel_testkit::PATIENCE;
use origin::{Recorder, Request};
use proxies::{LANES, Proxy};

const SENTINEL: &[u8] = b"GET /sentinel HTTP/1.1\r\nHost: sentinel\r\nConnection: close\r\n\r\n";

/// What came of one case at one proxy.
#[derive(Debug, Clone, Default)]
struct Outcome {
    /// The requests that the origin got whole, the sentinel left out.
    requests: Vec<Request>,
    /// What the proxy sent to the client.
    answer: String,
}

#[test]
fn lintel_forwards_nothing_that_others_refuse_and_nothing_differently() {
    let mutations = env::var("LINTEL_MUTATIONS").map_or(600, |count| count.parse().unwrap());
    let inputs = inputs::all(mutations);
    let proxies = [Proxy::lintel(), Proxy::nginx(), Proxy::haproxy()];
    let [lintel, others @ ..] = &thread::scope(|scope| {
        let runs = proxies
            .each_ref()
            .map(|proxy| scope.spawn(|| run(proxy, &inputs)));
        runs.map(|run| run.join().unwrap())
    });
    assert_well_formed(&proxies[0]);
    let expected = Expected::read();
    let (mut counts, mut unexpected) = (BTreeMap::new(), Vec::new());
    for (other, proxy) in others.iter().zip(&proxies[1..]) {
        for (input, (ours, theirs)) in inputs.iter().zip(lintel.iter().zip(other)) {
            let verdict = Verdict::of(&ours.requests, &theirs.requests);
            *counts.entry((proxy.name, verdict)).or_insert(0_usize) += 1;
            let proxy = proxy.name;
            let found = Found {
                verdict,
                proxy,
                input,
                ours,
                theirs,
            };
            if !expected.allows(&found) {
                unexpected.push(report(&found));
            }
        }
    }
    eprintln!("{} cases: {counts:?}", inputs.len());
    assert!(
        unexpected.is_empty(),
        "{} unexpected:\n{}",
        unexpected.len(),
        unexpected.join("\n")
    );
}

/// Every request that the origins got by way of Lintel was one of those that it counted: it bears
/// the marks of a request that was forwarded, once, and is valid by itself.
fn assert_well_formed(lintel: &Proxy) {
    for lane in &lintel.lanes {
        let broken = lane.origin.broken();
        assert!(
            broken.is_empty(),
            "lintel sent invalid requests: {broken:#?}"
        );
        let late = lane.origin.take();
        assert!(
            late.is_empty(),
            "after their connections had ended: {late:#?}"
        );
    }
}

/// Runs all cases, each lane a part of them, and returns the outcomes in the order of the cases.
fn run(proxy: &Proxy, inputs: &[Input]) -> Vec<Outcome> {
    let outcomes = Mutex::new(vec![Outcome::default(); inputs.len()]);
    thread::scope(|scope| {
        for (number, lane) in proxy.lanes.iter().enumerate() {
            let outcomes = &outcomes;
            scope.spawn(move || {
                for (place, input) in inputs.iter().enumerate().skip(number).step_by(LANES) {
                    let outcome = exchange(lane.address, &lane.origin, &input.bytes, proxy.marks);
                    outcomes.lock().unwrap()[place] = outcome;
                }
            });
        }
    });
    outcomes.into_inner().unwrap()
}

/// Sends a case and the sentinel, and reads until the proxy closes.
fn exchange(address: SocketAddr, origin: &Recorder, bytes: &[u8], marks: bool) -> Outcome {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A proxy that has refused already may have closed.
    let _ = stream.write_all(&[bytes, SENTINEL].concat());
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("the proxy never closes"),
        // Closed, with or without a reset.
        _ => {}
    }
    let mut requests = origin.take();
    for request in requests.iter().filter(|_| marks) {
        assert_eq!(
            request.ids,
            1,
            "not forwarded as a request: {request:?} of {:?}",
            text(bytes)
        );
    }
    requests.retain(|request| request.target != "/sentinel");
    Outcome {
        requests,
        answer: text(&answer),
    }
}

fn report(found: &Found<'_>) -> String {
    let Found {
        verdict,
        proxy,
        input,
        ours,
        theirs,
    } = found;
    format!(
        "{verdict} | {proxy} | {}\n    bytes: {:?}\n    lintel: {:?}\n    {proxy}: {:?}\n    \
         lintel said: {:.300?}\n    {proxy} said: {:.120?}",
        input.name,
        text(&input.bytes),
        ours.requests,
        theirs.requests,
        ours.answer,
        theirs.answer,
    )
}

fn text(bytes: &[u8]) -> String {
    // One character a byte, so that nothing is lost.
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
