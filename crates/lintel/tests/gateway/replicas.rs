//! Replicas that come and go while they share limits.

use lintel_testkit::{Origin, Redis, until};

use crate::support::Gateway;

/// Limits of 120 an hour: one divided among replicas, one counted in the store.
fn configuration(origin: &Origin, redis: &Redis) -> String {
    format!(
        r#"
version: 1
workers: 2
replicas: {{ store: shared, heartbeat: 200ms, assumed: 4 }}
listeners: {{ public: {{ bind: 127.0.0.1:0 }} }}
admin: {{ bind: 127.0.0.1:0 }}
stores: {{ shared: {{ redis: {{ url: "redis://127.0.0.1:{}", timeout: 10s, prefix: edge }} }} }}
services: {{ orders: {{ endpoints: ["{}"] }} }}
routes:
  divided:
    match: {{ path: /divided }}
    policies: {{ rate_limit: [{{ rate: 120/h, across_replicas: true }}] }}
    to: orders
  together:
    match: {{ path: /together }}
    policies: {{ rate_limit: [{{ rate: 120/h, store: shared }}] }}
    to: orders
"#,
        redis.port,
        origin.url()
    )
}

fn admitted(gateway: &Gateway, path: &str) -> usize {
    let mut client = gateway.client();
    let replies = (0..150).map(|_| client.get(path).status);
    replies.filter(|status| *status == 200).count()
}

pub(crate) fn until_counted(gateways: &[&Gateway], number: usize) {
    let line = format!("lintel_replicas {number}\n");
    until(&format!("{number} replicas are counted"), || {
        let mut metrics = gateways
            .iter()
            .map(|gateway| gateway.ask("/metrics").text());
        metrics.all(|metrics| metrics.contains(&line)).then_some(())
    });
}

/// At most a few of an hour's tokens come while the test runs.
fn about(number: usize, admitted: usize) {
    let most = number + 3;
    assert!(
        (number..=most).contains(&admitted),
        "{admitted} of {number}"
    );
}

#[test]
fn limits_are_divided_by_those_that_are_there() {
    let origin = Origin::saying("fine");
    let mut redis = Redis::start();
    let yaml = configuration(&origin, &redis);
    let [one, mut two, three] = [(); 3].map(|()| Gateway::start(&yaml));
    until_counted(&[&one, &two, &three], 3);
    for gateway in [&one, &two, &three] {
        about(40, admitted(gateway, "/divided"));
    }

    // One ends as it should, and is missed at once; one is gone without a word.
    two.signal(libc::SIGTERM);
    assert!(two.exit().success());
    let left = redis.ask(&["zcard", "edge:replicas"]);
    assert_eq!(left, "2");
    drop(three);
    until_counted(&[&one], 1);
    // What it has spent stays spent: its 40 were 120 of 120.
    about(0, admitted(&one, "/divided"));

    let four = Gateway::start(&yaml);
    until_counted(&[&one, &four], 2);
    about(60, admitted(&four, "/divided"));

    // Without the store the last known number holds, and a limit that was counted there is divided.
    redis.kill();
    one.until_logged("replicas can't be counted");
    for gateway in [&one, &four] {
        about(60, admitted(gateway, "/together"));
    }
    until_counted(&[&one, &four], 2);
}

/// A reload that changes nothing about replicas goes on counting; one that writes a number stops.
#[test]
fn a_reload_may_stop_counting() {
    let origin = Origin::saying("fine");
    let redis = Redis::start();
    let yaml = configuration(&origin, &redis);
    let gateway = Gateway::start(&yaml);
    until_counted(&[&gateway], 1);
    redis.ask(&["zadd", "edge:replicas", "99999999999999", "other"]);
    until_counted(&[&gateway], 2);
    gateway.write(&yaml.replace("120/h", "100/h"));
    gateway.until_logged("the new configuration serves");
    until_counted(&[&gateway], 2);
    let fixed = "replicas: { store: shared, heartbeat: 200ms, assumed: 4 }";
    gateway.write(&yaml.replace(fixed, "replicas: 5"));
    until_counted(&[&gateway], 5);
    about(24, admitted(&gateway, "/divided"));
}
