use hickory_resolver::proto::{op::ResponseCode, rr::RecordType};

use super::*;
use crate::{
    resolver::scripted::{Asked, Dns, Say, a, srv},
    service::Resolve,
};

/// Records of a service, and the addresses of their targets.
fn zone(ttl: u32) -> impl Fn(&Asked) -> Say + Send + Sync {
    move |asked| match (asked.name.as_str(), asked.record) {
        ("_orders._tcp.test", RecordType::SRV) => Say::Records(
            ttl,
            vec![srv(1, 10, 8080, "a.test."), srv(1, 30, 8081, "b.test.")],
        ),
        ("a.test", RecordType::A) => Say::Records(ttl, vec![a("10.0.0.1")]),
        ("b.test", RecordType::A) => Say::Records(ttl, vec![a("10.0.0.2")]),
        _ => Say::Code(ResponseCode::NXDomain),
    }
}

fn follow_srv(dns: &Dns) -> Followed {
    let kind = Kind::Srv(SrvSource {
        name: "_orders._tcp.test".into(),
        servers: [dns.address].into(),
        max_ttl: Duration::from_secs(60),
    });
    let resolve = Resolve {
        servers: [dns.address].into(),
        ..Resolve::default()
    };
    follow_spec(ServiceSpec {
        resolve,
        ..spec(discover(kind))
    })
}

const WANTED: [(&str, u32); 2] = [("10.0.0.1:8080", 1), ("10.0.0.2:8081", 3)];

#[tokio::test]
async fn records_give_ports_and_weights_and_their_targets_addresses() {
    let dns = Dns::start(zone(60)).await;
    let followed = follow_srv(&dns);
    followed.becomes(&WANTED).await;
    assert!(followed.status().source.contains("_orders._tcp.test"));
    let asked = dns.asked();
    assert_eq!(
        asked
            .iter()
            .filter(|one| one.record == RecordType::SRV)
            .count(),
        1
    );
}

#[tokio::test]
async fn backups_get_nothing_while_better_ones_are_there() {
    let zone = |asked: &Asked| match (asked.name.as_str(), asked.record) {
        ("_orders._tcp.test", RecordType::SRV) => Say::Records(
            60,
            vec![
                srv(2000, 5, 8082, "b.test."),
                srv(10, 7, 8080, "a.test."),
                srv(10, 0, 8081, "a.test."),
            ],
        ),
        ("a.test", RecordType::A) => Say::Records(60, vec![a("10.0.0.1")]),
        ("b.test", RecordType::A) => Say::Records(60, vec![a("10.0.0.2")]),
        _ => Say::Code(ResponseCode::NXDomain),
    };
    let dns = Dns::start(zone).await;
    let followed = follow_srv(&dns);
    followed
        .becomes(&[
            ("10.0.0.1:8080", 7),
            ("10.0.0.1:8081", 1),
            ("10.0.0.2:8082", 5),
        ])
        .await;
    let mut shown: Vec<(Vec<String>, u8, f64)> = followed
        .service
        .status()
        .into_iter()
        .map(|one| (one.addresses, one.priority, one.share))
        .collect();
    shown.sort_by(|a, b| a.0.cmp(&b.0));
    let at = |address: &str| vec![address.to_owned()];
    assert_eq!(
        shown,
        [
            (at("10.0.0.1:8080"), 0, 0.875),
            (at("10.0.0.1:8081"), 0, 0.125),
            (at("10.0.0.2:8082"), 1, 0.0),
        ]
    );
}

#[tokio::test]
async fn failures_and_empty_answers_leave_the_last_good_set() {
    let dns = Dns::start(zone(1)).await;
    let followed = follow_srv(&dns);
    followed.becomes(&WANTED).await;
    for code in [
        ResponseCode::NXDomain,
        ResponseCode::ServFail,
        ResponseCode::Refused,
    ] {
        dns.say(move |_| Say::Code(code));
        followed.fails_with("").await;
        let kept: Vec<String> = followed.endpoints().into_iter().map(|(at, _)| at).collect();
        assert_eq!(kept, ["10.0.0.1:8080", "10.0.0.2:8081"]);
        dns.say(zone(1));
        until("well again", || followed.status().failing.is_none()).await;
    }
    // No records at all are a failure too, of a name that exists.
    dns.say(|_| Say::Records(1, Vec::new()));
    followed.fails_with("").await;
    followed.becomes(&WANTED).await;
}

#[tokio::test]
async fn a_long_answer_is_asked_for_again_over_tcp() {
    let dns = Dns::start(|asked| match zone(60)(asked) {
        Say::Records(ttl, records) => Say::Truncated(ttl, records),
        other => other,
    })
    .await;
    follow_srv(&dns).becomes(&WANTED).await;
    assert!(dns.asked().iter().any(|asked| asked.tcp));
}

#[tokio::test]
async fn a_service_that_is_decidedly_not_there_is_an_empty_set() {
    let dns = Dns::start(zone(1)).await;
    let followed = follow_srv(&dns);
    followed.becomes(&WANTED).await;
    dns.say(|asked| match asked.record {
        RecordType::SRV => Say::Records(1, vec![srv(0, 0, 0, ".")]),
        _ => zone(1)(asked),
    });
    until("a note", || !followed.status().notes.is_empty()).await;
    assert_eq!(followed.endpoints().len(), 2);
}
