//! Quotas of whole gateways: over restarts and hand-over, by the admin API, and in a real Redis.

use std::{collections::BTreeMap, fs};

use lintel_testkit::{Client, Origin, Redis, Reply, until};
use serde_json::Value;

use crate::support::{Gateway, lintel};

fn configuration(origin: &Origin, folder: &str, quota: &str) -> String {
    format!(
        r#"
version: 1
workers: 2
listeners: {{ public: {{ bind: 127.0.0.1:0 }} }}
admin: {{ bind: 127.0.0.1:0 }}
state: {{ folder: "{folder}" }}
services: {{ orders: {{ endpoints: ["{}"] }} }}
routes:
  orders:
    match: {{ path: /* }}
    policies: {{ quota: [{quota}] }}
    to: orders
"#,
        origin.url()
    )
}

/// GET as a tenant.
fn get(gateway: &Gateway, tenant: &str) -> Reply {
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Tenant: {tenant}\r\n\r\n");
    gateway.client().send(request).reply()
}

fn admitted(gateway: &Gateway, tenant: &str, count: usize) -> usize {
    (0..count)
        .filter(|_| get(gateway, tenant).status == 200)
        .count()
}

fn change(gateway: &Gateway, path: &str, body: &str) -> Reply {
    let mut client = Client::connect(gateway.admin());
    client.request_with("PATCH", path, body.as_bytes()).reply()
}

fn json(reply: &Reply) -> Value {
    serde_json::from_str(&reply.text()).unwrap_or_else(|_| panic!("{}", reply.text()))
}

const MONTHLY: &str =
    r#"{ name: monthly, limit: 20/month, per: 'request.headers["x-tenant"]', soft: [50%] }"#;

#[test]
fn counts_survive_stops_and_crashes() {
    let origin = Origin::saying("fine");
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("deep").join("state");
    let yaml = configuration(&origin, state.to_str().unwrap(), MONTHLY);

    let mut gateway = Gateway::start(&yaml);
    assert_eq!(admitted(&gateway, "acme", 12), 12);
    assert_eq!(admitted(&gateway, "other", 3), 3);
    let log = gateway.log();
    assert_eq!(log.matches("used up to its threshold").count(), 1, "{log}");
    gateway.signal(libc::SIGTERM);
    assert!(gateway.exit().success());

    let gateway = Gateway::start(&yaml);
    assert_eq!(admitted(&gateway, "acme", 4), 4);
    let file = state.join("quota.state");
    let line = "\t16\troutes.orders:monthly%0Amonth UTC%0Aacme\n";
    until("it is written down", || {
        fs::read_to_string(&file).ok()?.contains(line).then_some(())
    });
    // Killed: what was written down is there.
    drop(gateway);
    let gateway = Gateway::start(&yaml);
    assert_eq!(admitted(&gateway, "acme", 9), 4);
    assert_eq!(admitted(&gateway, "other", 1), 1);
    let refused = get(&gateway, "acme");
    assert_eq!(refused.status, 429);
    assert!(
        refused
            .text()
            .contains(r#""violated-policies":["monthly"]"#),
        "{}",
        refused.text()
    );
    let after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=31 * 86_400 + 3_600).contains(&after), "{after}");
}

#[test]
fn the_admin_api_shows_and_changes_counts() {
    let origin = Origin::saying("fine");
    let folder = tempfile::tempdir().unwrap();
    let all = "{ name: all, limit: 1000/day, time_zone: Asia/Tokyo }";
    let quotas = format!("{MONTHLY}, {all}");
    let yaml = configuration(&origin, folder.path().to_str().unwrap(), &quotas);
    let gateway = Gateway::start(&yaml);
    assert_eq!(admitted(&gateway, "acme", 5), 5);
    let shown = json(&gateway.ask("/quotas"));
    assert_eq!(shown[0]["quota"], "routes.orders:all");
    assert_eq!(
        shown[0]["used"][0],
        serde_json::json!({ "key": "*", "used": 5 })
    );
    assert_eq!(shown[0]["time_zone"], "Asia/Tokyo");
    assert_eq!(shown[1]["limit"], 20);

    let one = "/quotas/routes.orders:monthly/acme";
    assert_eq!(json(&gateway.ask(one))["left"], 15);
    let changed = change(&gateway, one, r#"{"used": 19}"#);
    assert_eq!(json(&changed)["used"], 19, "{}", changed.text());
    assert_eq!(admitted(&gateway, "acme", 3), 1);
    let changed = change(&gateway, one, r#"{"add": -2}"#);
    assert_eq!(json(&changed)["used"], 18);
    assert_eq!(admitted(&gateway, "acme", 3), 2);
    assert_eq!(change(&gateway, one, r#"{"used": -1}"#).status, 400);
    for nobody in ["/quotas/routes.orders:monthly/nobody", "/quotas/none/acme"] {
        assert_eq!(gateway.ask(nobody).status, 404);
        assert_eq!(change(&gateway, nobody, r#"{"add": 1}"#).status, 404);
    }
    // A reload keeps what was counted.
    gateway.write(&yaml.replace("20/month", "25/month"));
    gateway.until_logged("the new configuration serves");
    assert_eq!(admitted(&gateway, "acme", 9), 5);
}

/// Counts in a store are the same whichever replica is asked, also for the command line.
#[test]
fn counts_in_a_store_are_shown_and_changed() {
    let (origin, redis) = (Origin::saying("fine"), Redis::start());
    let folder = tempfile::tempdir().unwrap();
    let per = r#"per: 'request.headers["x-tenant"]', store: shared"#;
    let quotas = format!(
        "{{ name: monthly, limit: 20/month, {per} }}, {{ name: all, limit: 1000/day, store: shared }}"
    );
    let store = format!(
        "stores: {{ shared: {{ redis: {{ url: \"redis://127.0.0.1:{}\", timeout: 10s }} }} }}\nservices:",
        redis.port
    );
    let yaml = configuration(&origin, folder.path().to_str().unwrap(), &quotas)
        .replace("services:", &store);
    let [one, two] = [(); 2].map(|()| Gateway::start(&yaml));
    assert_eq!(admitted(&one, "acme", 4) + admitted(&two, "acme", 3), 7);
    // What stands in the store is not plain where the caller's name is not.
    assert_eq!(admitted(&one, "a b", 2), 2);
    let path = |key: &str| format!("/quotas/routes.orders:monthly/{key}");
    for gateway in [&one, &two] {
        assert_eq!(json(&gateway.ask(&path("acme")))["used"], 7);
        assert_eq!(json(&gateway.ask(&path("3=a%20b")))["used"], 2);
        assert_eq!(json(&gateway.ask(&path("nobody")))["left"], 20);
        assert_eq!(json(&gateway.ask("/quotas/routes.orders:all/*"))["used"], 9);
    }
    assert_eq!(
        json(&change(&one, &path("acme"), r#"{"used": 19}"#))["used"],
        19
    );
    assert_eq!(admitted(&two, "acme", 3), 1);
    assert_eq!(
        json(&change(&two, &path("acme"), r#"{"add": -2}"#))["left"],
        2
    );
    assert_eq!(admitted(&one, "acme", 5), 2);
    assert_eq!(
        json(&change(&one, &path("acme"), r#"{"add": -50}"#))["used"],
        0
    );

    let admin = one.admin().to_string();
    let run = |words: &[&str]| {
        let output = lintel(&[&["quotas"], words, &["--admin", &admin]].concat());
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code(),
            String::from_utf8(text).unwrap().trim().to_owned(),
        )
    };
    let (code, listed) = run(&[]);
    assert_eq!(code, Some(0));
    assert!(
        listed.contains("routes.orders:monthly: 20 a month, counted in store shared"),
        "{listed}"
    );
    let quota = "routes.orders:monthly";
    let shown = run(&[quota, "3=a b", "--add", "-1"]);
    assert_eq!(
        shown,
        (Some(0), "3=a b has used 1 of 20, 19 left".to_owned())
    );
    let shown = run(&[quota, "acme", "--used", "6"]);
    assert_eq!(
        shown,
        (Some(0), "acme has used 6 of 20, 14 left".to_owned())
    );
    assert_eq!(admitted(&two, "acme", 20), 14);
    assert_eq!(run(&["none", "acme"]).0, Some(1));

    drop(redis);
    let gone = one.ask(&path("acme"));
    assert_eq!(gone.status, 502);
    assert!(
        gone.text().contains("the store does not answer"),
        "{}",
        gone.text()
    );
}

/// Whatever way requests end, and over a stop and a crash, each is counted once.
#[test]
fn usage_is_exact_to_the_request() {
    let origin = Origin::saying("fine");
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let metering = r#"metering: { per: 'request.headers["x-tenant"]' }"#;
    let yaml =
        configuration(&origin, state, MONTHLY).replace("quota:", &format!("{metering}, quota:"));
    let mut gateway = Gateway::start(&yaml);
    assert_eq!(admitted(&gateway, "acme", 25), 20);
    assert_eq!(admitted(&gateway, "zeta", 2), 2);
    // What all hours have together.
    let rows = |gateway: &Gateway| {
        let csv = gateway.ask("/usage").text();
        let mut sums: BTreeMap<String, [u64; 3]> = BTreeMap::new();
        for line in csv.lines().skip(1) {
            let parts: Vec<&str> = line.splitn(7, ',').collect();
            let sum = sums.entry(parts[1..4].join(",")).or_default();
            for (sum, part) in sum.iter_mut().zip(&parts[4..]) {
                *sum += part.parse::<u64>().unwrap();
            }
        }
        let rows = sums.into_iter();
        let rows = rows.map(|(what, [requests, received, sent])| {
            format!("{what},{requests},{received},{sent}")
        });
        rows.collect::<Vec<String>>()
    };
    let seen = |gateway: &Gateway, row: &str| {
        until(row, || {
            rows(gateway)
                .iter()
                .any(|own| own.starts_with(row))
                .then_some(())
        });
    };
    seen(&gateway, "acme,orders,2xx,20,0,80");
    seen(&gateway, "acme,orders,4xx,5,0,");
    seen(&gateway, "zeta,orders,2xx,2,0,8");
    let metrics = gateway.ask("/metrics").text();
    let line = r#"lintel_usage_requests_total{caller="acme",route="orders",status="2xx"} 20"#;
    assert!(metrics.contains(line), "{metrics}");
    gateway.signal(libc::SIGTERM);
    assert!(gateway.exit().success());

    let gateway = Gateway::start(&yaml);
    assert_eq!(admitted(&gateway, "zeta", 3), 3);
    seen(&gateway, "zeta,orders,2xx,5,0,20");
    let file = folder.path().join("usage.state");
    until("it is written down", || {
        let text = fs::read_to_string(&file).ok()?;
        text.contains("\t5\t0\t20\t2xx%0Aorders%0Azeta\n")
            .then_some(())
    });
    drop(gateway);
    let gateway = Gateway::start(&yaml);
    seen(&gateway, "zeta,orders,2xx,5,0,20");
    seen(&gateway, "acme,orders,2xx,20,0,80");
    let none = gateway.ask("/usage?from=2001-01-01&to=2001-02-01").text();
    assert_eq!(none.lines().count(), 1, "{none}");
    assert_eq!(gateway.ask("/usage?from=now").status, 400);
}

#[test]
fn a_successor_goes_on_with_the_counts() {
    let origin = Origin::saying("fine");
    let folder = tempfile::tempdir().unwrap();
    let yaml = configuration(&origin, folder.path().to_str().unwrap(), MONTHLY);
    let mut gateway = Gateway::start(&yaml);
    assert_eq!(admitted(&gateway, "acme", 7), 7);
    let file = folder.path().join("quota.state");
    until("it is written down", || {
        fs::read_to_string(&file)
            .ok()?
            .contains("\t7\t")
            .then_some(())
    });
    gateway.signal(libc::SIGUSR2);
    assert!(gateway.exit().success());
    assert_eq!(admitted(&gateway, "acme", 30), 13);
}

/// In a real Redis: exactly so much together, and with the store gone what the quota says.
#[test]
fn replicas_share_a_quota_in_a_store() {
    let origin = Origin::saying("fine");
    let folder = tempfile::tempdir().unwrap();
    let mut redis = Redis::start();
    let quotas = "{ name: sold, limit: 30/month, soft: [50%], store: shared }, \
                  { name: strict, limit: 1000/day, methods: [POST], store: shared, on_store_failure: deny }";
    let stores = format!(
        "stores: {{ shared: {{ redis: {{ url: \"redis://127.0.0.1:{}\", timeout: 10s }} }} }}\nservices:",
        redis.port
    );
    let yaml = configuration(&origin, folder.path().to_str().unwrap(), quotas);
    let yaml = yaml.replacen("services:", &stores, 1);
    let gateways = [(); 2].map(|()| Gateway::start(&yaml));
    let together = std::thread::scope(|scope| {
        let all = gateways.each_ref();
        let clients = all.map(|gateway| scope.spawn(|| admitted(gateway, "acme", 25)));
        clients
            .map(|client| client.join().unwrap())
            .iter()
            .sum::<usize>()
    });
    assert_eq!(together, 30);
    let refused = get(&gateways[0], "acme");
    assert_eq!(refused.status, 429);
    assert!(
        refused
            .header("ratelimit")
            .unwrap()
            .starts_with("\"sold\";r=0;t=")
    );
    let crossed = |gateway: &Gateway| gateway.log().matches("used up to its threshold").count();
    assert_eq!(crossed(&gateways[0]) + crossed(&gateways[1]), 1);
    let one = "/quotas/routes.orders:sold/*";
    assert_eq!(json(&gateways[0].ask(one))["used"], 30);
    assert_eq!(
        json(&change(&gateways[0], one, r#"{"used": 1}"#))["left"],
        29
    );

    // What the second quota refuses for want of the store, the first would have admitted.
    redis.kill();
    let mut client = gateways[1].client();
    assert_eq!(client.get("/").status, 200);
    assert_eq!(client.request("POST", "/").reply().status, 503);
}
