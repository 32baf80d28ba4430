#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use lintel_http::{Body, http1::Timer};
use lintel_kernel::{Exchange, Faults, Flow, expr::Scope};
use tokio::time::Instant;

use super::{Config, cut::Cut, runtime::Drill, slow::Slow};
use crate::{Chain, Context, Depth, RoutePolicies, Wait, testing};

fn exchange() -> Exchange {
    testing::exchange("/", &[("x-drill", "on")])
}

fn drill(json: &str) -> Drill {
    let config: Config = serde_json::from_str(json).unwrap();
    config.build(&Context::default()).ok().unwrap()
}

#[test]
fn each_fault_hits_its_own_share() {
    let drill = drill(r#"{"delay": {"time": "1s", "share": "20%"}, "abort": {"share": "50%"}}"#);
    let exchange = exchange();
    let draw = |numbers: [f64; 2]| {
        let mut numbers = numbers.into_iter();
        let faults = drill.draw(Scope::request(&exchange), || numbers.next().unwrap());
        faults.names().collect::<Vec<_>>()
    };
    assert_eq!(draw([0.19, 0.49]), ["delay", "abort"]);
    assert_eq!(draw([0.2, 0.49]), ["abort"]);
    assert_eq!(draw([0.2, 0.5]), [""; 0]);
}

#[test]
fn a_condition_picks_requests() {
    let exchange = exchange();
    for (value, hit) in [("on", true), ("off", false)] {
        let json =
            format!(r#"{{"when": "request.headers[\"x-drill\"] == \"{value}\"", "reset": {{}}}}"#);
        let faults = drill(&json).draw(Scope::request(&exchange), || 0.99);
        assert_eq!(faults.contains(Faults::RESET), hit);
    }
}

#[test]
fn delays_are_within_their_range() {
    let drill = drill(r#"{"delay": {"time": "100ms", "up_to": "300ms"}}"#);
    let delays = [0.0, 0.5, 1.0].map(|random| drill.delay(random).as_millis());
    assert_eq!(delays, [100, 200, 300]);
}

#[test]
fn mistakes_are_faults() {
    for (json, path) in [
        ("{}", ""),
        (r#"{"delay": {"time": "2s", "up_to": "1s"}}"#, "delay.up_to"),
        (r#"{"bandwidth": {"rate": "0B"}}"#, "bandwidth.rate"),
        (r#"{"when": "response.status", "reset": {}}"#, "when"),
    ] {
        let config: Config = serde_json::from_str(json).unwrap();
        let faults = config.build(&Context::default()).err().unwrap();
        assert_eq!(faults.len(), 1, "{json}");
        assert_eq!(faults[0].path.join("."), path, "{json}");
    }
}

fn chain(json: &str) -> Chain {
    let policies: RoutePolicies = serde_json::from_str(json).unwrap();
    Chain::build(&policies, &Context::default()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_chain_waits_and_goes_on() {
    let chain = chain(
        r#"{"fault": {"delay": {"time": "3s"}}, "rewrite": {"add_prefix": "/after"}, "headers": {}}"#,
    );
    let (mut exchange, mut body, mut depth) = (exchange(), Body::empty(), Depth::default());
    let flow = chain.on_request(&mut depth, &mut exchange, &mut body);
    assert!(matches!(flow, Flow::Wait));
    assert_eq!(exchange.request.uri.path(), "/");
    let (begun, timer, pools) = (Instant::now(), Timer::new(), testing::pools());
    let wait = Wait {
        timer: &timer,
        deadline: begun + Duration::from_secs(30),
        pools: &pools,
    };
    let flow = chain
        .resume(&mut depth, &mut exchange, &mut body, &wait)
        .await;
    assert!(matches!(flow, Flow::Next));
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
    assert_eq!(exchange.request.uri.path(), "/after/");
    let mut whole = Depth::default();
    let fresh = chain_depth(&chain, &mut whole);
    assert_eq!((depth, fresh), (whole, true));
}

/// How deep the chain is: as far as a request comes that nothing holds up.
fn chain_depth(chain: &Chain, depth: &mut Depth) -> bool {
    let (mut exchange, mut body) = (exchange(), Body::empty());
    matches!(
        chain.on_request(depth, &mut exchange, &mut body),
        Flow::Wait
    ) && matches!(
        chain.on_request(depth, &mut exchange, &mut body),
        Flow::Next
    )
}

#[tokio::test(start_paused = true)]
async fn a_request_may_wait_and_be_refused() {
    let chain = chain(r#"{"fault": {"delay": {"time": "1s"}, "abort": {"status": 500}}}"#);
    let (mut exchange, mut body, mut depth) = (exchange(), Body::empty(), Depth::default());
    let flow = chain.on_request(&mut depth, &mut exchange, &mut body);
    assert!(matches!(flow, Flow::Wait));
    let (timer, pools) = (Timer::new(), testing::pools());
    let wait = Wait {
        timer: &timer,
        deadline: Instant::now() + Duration::from_secs(30),
        pools: &pools,
    };
    let Flow::Refuse(rejection) = chain
        .resume(&mut depth, &mut exchange, &mut body, &wait)
        .await
    else {
        unreachable!("every request is refused");
    };
    assert_eq!(
        (rejection.status.as_u16(), rejection.code),
        (500, "fault_injected")
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_takes_its_time_and_is_whole() {
    let text = Bytes::from(vec![b'x'; 10_000]);
    let begun = Instant::now();
    let slow = Slow::new(Body::from(text.clone()), 1_000);
    assert_eq!(slow.size_hint().exact(), Some(10_000));
    let whole = slow.collect().await.unwrap().to_bytes();
    assert_eq!(whole, text);
    let took = begun.elapsed().as_millis();
    assert!((9_900..10_300).contains(&took), "{took} ms");
}

#[tokio::test]
async fn a_cut_answer_breaks_off() {
    for (body, after, through) in [("0123456789", 4, 4), ("0123", 10, 4), ("", 0, 0)] {
        let mut cut = Cut::new(Body::from(Bytes::from_static(body.as_bytes())), after);
        assert!(!cut.is_end_stream());
        let mut came = 0;
        let error = loop {
            match cut.frame().await.unwrap() {
                Ok(frame) => came += frame.into_data().unwrap().len(),
                Err(error) => break error,
            }
        };
        assert_eq!(came, through, "{body:?} {after}");
        assert!(error.cause.contains("fault injection"));
    }
}
