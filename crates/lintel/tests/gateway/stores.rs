//! Stores that fail, move and forget under the load of whole gateways: every request is answered, and
//! none waits for longer than the store may take.

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    thread,
    time::Duration,
};

use lintel_testkit::{Cluster, Origin, Redis, Sentinel, until};

use crate::{
    replicas::until_counted,
    support::{Gateway, Load},
};

/// How long a store may take, and what a busy machine may add to that for a whole request.
const TIMEOUT: &str = "timeout: 2s";
const PATIENT: Duration = Duration::from_secs(10);

/// Two routes whose limits are counted in a store: one of loads, which is never reached, and one that is.
fn configuration(origin: &Origin, store: &str, counted: &str) -> String {
    format!(
        r#"
version: 1
workers: 2
replicas: {{ store: shared, heartbeat: 200ms, assumed: 2 }}
listeners: {{ public: {{ bind: 127.0.0.1:0, limits: {{ requests_per_connection: 1000000 }} }} }}
admin: {{ bind: 127.0.0.1:0 }}
stores: {{ shared: {{ redis: {{ {store}, {TIMEOUT} }} }} }}
services: {{ orders: {{ endpoints: ["{}"] }} }}
routes:
  load:
    match: {{ path: /load }}
    policies:
      rate_limit:
        - {{ name: divided, rate: 9000000/s, across_replicas: true }}
        - {{ name: together, rate: 9000000/s, store: shared }}
    to: orders
  counted:
    match: {{ path: /counted }}
    policies:
      rate_limit: [{{ name: all, rate: {counted}, store: shared, on_store_failure: deny }}]
    to: orders
"#,
        origin.url()
    )
}

/// Ends loads. Nothing has failed, and nobody had to wait.
fn calm(loads: impl IntoIterator<Item = Load>) {
    for load in loads {
        let slowest = load.slowest();
        assert!(slowest < PATIENT, "{slowest:?}");
        assert_eq!(load.stop(), [""; 0]);
    }
}

#[test]
fn a_master_fails_over() {
    let mut master = Redis::start();
    let replica = Redis::start_with(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    let sentinel = Sentinel::start(&master);
    sentinel.until_ready();
    let origin = Origin::saying("fine");
    let watched = format!(
        "sentinel: {{ master: main, addresses: [\"127.0.0.1:{}\"] }}",
        sentinel.port
    );
    let yaml = configuration(&origin, &watched, "40/d");
    let gateways = [(); 2].map(|()| Gateway::start(&yaml));
    until_counted(&[&gateways[0], &gateways[1]], 2);
    for _ in 0..10 {
        for gateway in &gateways {
            assert_eq!(gateway.get("/counted").status, 200);
        }
    }
    let loads = gateways
        .each_ref()
        .map(|gateway| Load::start(gateway.public()));
    assert_eq!(master.ask(&["wait", "1", "5000"]), "1");
    master.kill();
    loads.iter().for_each(|load| load.until_answered(50));

    // Without a master the limit can't be counted; from then on it is again, from where it was.
    let mut admitted = 20;
    until("the replica counts on", || {
        let mut clients = gateways.each_ref().map(Gateway::client);
        let statuses = clients
            .each_mut()
            .map(|client| client.get("/counted").status);
        admitted += statuses.iter().filter(|status| **status == 200).count();
        assert!(
            statuses
                .iter()
                .all(|status| matches!(status, 200 | 429 | 503))
        );
        (statuses == [429, 429]).then_some(())
    });
    assert_eq!(admitted, 40);
    assert!(replica.ask(&["role"]).starts_with("master"));
    loads.iter().for_each(|load| load.until_answered(50));
    calm(loads);
}

/// A slot of the cluster moves from node to node while its limit is counted: no count is lost, and
/// nobody is refused for that.
#[test]
fn a_slot_moves() {
    let cluster = Cluster::start();
    let origin = Origin::saying("fine");
    let seed = format!("cluster: [\"127.0.0.1:{}\"]", cluster.nodes[0].port);
    let yaml = configuration(&origin, &seed, "4000/d");
    let gateways = [(); 2].map(|()| Gateway::start(&yaml));
    let loads = gateways
        .each_ref()
        .map(|gateway| Load::start(gateway.public()));
    let admitted = AtomicUsize::new(0);
    thread::scope(|scope| {
        for gateway in gateways.iter().chain(&gateways) {
            let admitted = &admitted;
            scope.spawn(move || {
                let mut client = gateway.client();
                loop {
                    match client.get("/counted").status {
                        200 => admitted.fetch_add(1, SeqCst),
                        429 => break,
                        other => panic!("{other}"),
                    };
                }
            });
        }
        let further = |more: usize| {
            let goal = admitted.load(SeqCst) + more;
            until("requests go on", || {
                (admitted.load(SeqCst) >= goal).then_some(())
            });
        };
        further(100);
        let keys = cluster
            .nodes
            .iter()
            .map(|node| node.ask(&["keys", "*counted*"]));
        let key = keys.into_iter().find(|keys| !keys.is_empty()).unwrap();
        let moving = cluster.begin_to_move(&key);
        further(100);
        moving.keys();
        further(100);
        moving.end();
        further(100);
    });
    // A token comes every twenty seconds or so.
    let admitted = admitted.into_inner();
    assert!((4_000..=4_005).contains(&admitted), "{admitted}");
    calm(loads);
}

/// Counts are forgotten, replicas come and go, and the store is away for a while.
#[test]
fn nothing_stays_as_it_is() {
    let mut redis = Redis::start();
    let origin = Origin::saying("fine");
    let url = format!("url: \"redis://127.0.0.1:{}\"", redis.port);
    let yaml = configuration(&origin, &url, "40/d");
    let [one, mut two] = [(); 2].map(|()| Gateway::start(&yaml));
    let [kept, ending] = [&one, &two].map(|gateway| Load::start(gateway.public()));
    until_counted(&[&one, &two], 2);

    for _ in 0..5 {
        redis.ask(&["flushall"]);
        redis.ask(&["script", "flush"]);
        kept.until_answered(20);
        ending.until_answered(20);
    }
    let three = Gateway::start(&yaml);
    let further = Load::start(three.public());
    until_counted(&[&one, &three], 3);
    ending.may_end();
    two.signal(libc::SIGTERM);
    let slowest = ending.slowest();
    assert_eq!(ending.join(), [""; 0]);
    assert!(slowest < PATIENT, "{slowest:?}");
    assert!(two.exit().success());
    until_counted(&[&one, &three], 2);

    redis.kill();
    let loads = [kept, further];
    one.until_logged("the store does not answer");
    loads.iter().for_each(|load| load.until_answered(100));
    redis.restart();
    until("the store is asked again", || {
        let statuses = [&one, &three].map(|gateway| gateway.get("/counted").status);
        (statuses == [200, 200]).then_some(())
    });
    loads.iter().for_each(|load| load.until_answered(100));
    calm(loads);
}
