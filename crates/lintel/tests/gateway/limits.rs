//! Limits of whole gateways: one alone, and several that count together in a real Redis.

use std::thread;

use lintel_testkit::{Origin, Redis, until};

use crate::support::Gateway;

fn configuration(origin: &Origin, redis: u16, replicas: usize, limits: &str) -> String {
    format!(
        r#"
version: 1
workers: 2
replicas: {replicas}
listeners: {{ public: {{ bind: 127.0.0.1:0 }} }}
admin: {{ bind: 127.0.0.1:0 }}
stores: {{ shared: {{ redis: {{ url: "redis://127.0.0.1:{redis}", timeout: 10s }} }} }}
services: {{ orders: {{ endpoints: ["{}"] }} }}
routes:
  orders:
    match: {{ path: /* }}
    policies:
      rate_limit: [{limits}]
    to: orders
"#,
        origin.url()
    )
}

/// How many of so many requests, over some connections at once, each gateway admits.
fn admitted(gateways: &[Gateway], each: usize) -> usize {
    thread::scope(|scope| {
        let clients = gateways
            .iter()
            .flat_map(|gateway| [gateway, gateway])
            .map(|gateway| {
                scope.spawn(move || {
                    let mut client = gateway.client();
                    let replies = (0..each / 2).map(|_| client.get("/orders/7"));
                    replies.filter(|reply| reply.status == 200).count()
                })
            });
        let clients: Vec<_> = clients.collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .sum()
    })
}

#[test]
fn one_gateway_counts_all_its_workers_together() {
    let origin = Origin::saying("fine");
    let limits = "{ name: all, rate: 40/h }";
    let gateway = Gateway::start(&configuration(&origin, 1, 1, limits));
    let gateways = [gateway];
    assert_eq!(admitted(&gateways, 100), 40);
    let [gateway] = gateways;
    let reply = gateway.get("/orders/7");
    assert_eq!(reply.status, 429);
    assert!(
        reply.text().contains(r#""violated-policies":["all"]"#),
        "{}",
        reply.text()
    );
    let retry: u64 = reply.fields.first("retry-after").unwrap().parse().unwrap();
    assert!((1..=90).contains(&retry), "{retry}");
    let metrics = gateway.ask("/metrics").text();
    for line in [
        r#"lintel_rate_limit_requests_total{scope="routes.orders",limit="all",outcome="admitted"} 40"#,
        r#"lintel_rate_limit_requests_total{scope="routes.orders",limit="all",outcome="refused"} 61"#,
        "lintel_rate_limit_keys 1",
    ] {
        assert!(metrics.contains(line), "{line}:\n{metrics}");
    }
    // What is spent stays spent where the limit did not change.
    let changed = configuration(&origin, 1, 1, limits).replace("/* }", "/* , methods: [GET] }");
    gateway.write(&changed);
    gateway.until_logged("the new configuration serves");
    assert_eq!(gateway.get("/orders/7").status, 429);
}

/// Beside the figures in docs/guides/rate-limits.md, which `LINTEL_FULL=1` and `--no-capture` print.
#[test]
fn replicas_count_together() {
    let origin = Origin::saying("fine");
    let full = std::env::var_os("LINTEL_FULL").is_some();
    let fleets: &[usize] = if full { &[1, 3, 10] } else { &[3] };
    for &replicas in fleets {
        let mut redis = Redis::start();
        let limits = "{ rate: 90/h, store: shared }";
        let yaml = configuration(&origin, redis.port, replicas, limits);
        let gateways: Vec<_> = (0..replicas).map(|_| Gateway::start(&yaml)).collect();
        let together = admitted(&gateways, 100);
        assert_eq!(together, 90, "{replicas} replicas");
        // One round trip a request; a worker's first one may load the script.
        let (asked, calls) = (100 * replicas as u64, redis.calls());
        assert!(
            (asked..=asked + 4 * replicas as u64).contains(&calls),
            "{calls}"
        );

        redis.kill();
        // Each goes by its share, and an hour's tokens of the time that this takes.
        let alone = admitted(&gateways, 200);
        let share = 90 / replicas * replicas;
        assert!((share..=share + 2 * replicas).contains(&alone), "{alone}");
        for gateway in &gateways {
            let said = gateway.log().matches("the store does not answer").count();
            assert_eq!(said, 1, "{}", gateway.log());
        }
        eprintln!("{replicas} replicas: {together} of 90 together in {calls} calls, {alone} alone");
    }
}

#[test]
fn what_is_refused_here_does_not_reach_the_store() {
    let origin = Origin::saying("fine");
    let redis = Redis::start();
    let limits = "{ rate: 20/h }, { rate: 10/h, store: shared }";
    let gateway = [Gateway::start(&configuration(
        &origin, redis.port, 1, limits,
    ))];
    assert_eq!(admitted(&gateway, 100), 10);
    // A request that the store refuses is given back here, so all of them are let through to it.
    let calls = redis.calls();
    assert!((100..=104).contains(&calls), "{calls}");
    let limits = "{ rate: 5/h }, { rate: 10/min, store: shared }";
    let gateway = [Gateway::start(&configuration(
        &origin, redis.port, 1, limits,
    ))];
    assert_eq!(admitted(&gateway, 100), 5);
    let more = redis.calls() - calls;
    assert!((5..=9).contains(&more), "{more}");
}

/// Replicas that take some ahead of need: no more than the limit, few round trips, and what the store
/// does not answer goes by the rule.
#[test]
fn leases_keep_to_the_limit() {
    let origin = Origin::saying("fine");
    let mut redis = Redis::start();
    let limits = "{ rate: 2000/h, store: shared, lease: 40 }";
    let yaml = configuration(&origin, redis.port, 3, limits);
    let gateways: Vec<_> = (0..3).map(|_| Gateway::start(&yaml)).collect();
    let asked = 3_000;
    let together = admitted(&gateways, asked / 3);
    let calls = redis.calls();
    // What is held at the end and not asked for is missing; an hour's tokens come meanwhile.
    assert!((1_800..=2_010).contains(&together), "{together}");
    assert!(calls <= 300, "{calls} round trips");

    redis.kill();
    // What the store has refused stays refused for as long as it said, then each goes by its share.
    let (mut alone, share) = (0, 2_000 / 3 * 3);
    until("each goes by its share", || {
        alone += admitted(&gateways, 400);
        (alone >= share).then_some(())
    });
    assert!(alone <= share + 3 * 40 + 30, "{alone}");
}

/// What one store admits goes back where another refuses.
#[test]
fn a_request_that_one_store_refuses_spends_nothing_in_the_other() {
    let origin = Origin::saying("fine");
    let (one, two) = (Redis::start(), Redis::start());
    let limits = "{ rate: 50/h, store: shared }, { rate: 10/h, store: other, per: request.path }";
    let stores = format!(
        "stores: {{ other: {{ redis: {{ url: \"redis://127.0.0.1:{}\", timeout: 10s }} }}, ",
        two.port
    );
    let yaml = configuration(&origin, one.port, 1, limits).replace("stores: { ", &stores);
    let gateway = Gateway::start(&yaml);
    let admitted = |who: &str| {
        let mut client = gateway.client();
        let replies = (0..60).map(|_| client.get(who).status);
        replies.filter(|status| *status == 200).count()
    };
    assert_eq!(admitted("/a"), 10);
    // Forty are left of fifty, and each caller has ten; what was given back may be a moment late.
    let others: usize = ["/b", "/c", "/d"].iter().map(|who| admitted(who)).sum();
    assert_eq!(others, 30);
    until("the last ten are there", || {
        (admitted("/e") > 0).then_some(())
    });
}

#[test]
fn without_a_store_the_limit_says_what_holds() {
    let origin = Origin::saying("fine");
    for (rule, admits, status) in [("allow", 20, 200), ("deny", 0, 503)] {
        let limits = format!("{{ rate: 5/h, store: shared, on_store_failure: {rule} }}");
        let gateway = [Gateway::start(&configuration(&origin, 1, 1, &limits))];
        assert_eq!(admitted(&gateway, 20), admits);
        assert_eq!(gateway[0].get("/").status, status);
    }
}
