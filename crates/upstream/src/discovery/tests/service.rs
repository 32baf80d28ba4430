//! What a service makes of what its source says.

use std::time::Duration;

use super::*;
use crate::{
    health::{Check, Moment, Probe},
    service::{EndpointHost, Taken},
};

fn nowhere() -> Kind {
    Kind::File(FileSource {
        path: "/nonexistent/orders.json".into(),
    })
}

fn found(hosts: &[&str]) -> Arc<[Found]> {
    let found = hosts.iter().map(|host| Found::at(Scheme::Http, host, 80));
    found.collect()
}

fn built(previous: Option<&Arc<Service>>, fixed: &[&str], discover: Discover) -> Arc<Service> {
    let fixed = found(fixed);
    let spec = ServiceSpec {
        discover: Some(discover),
        ..ServiceSpec::new("orders", fixed.iter().map(|one| one.spec.clone()).collect())
    };
    Service::build(spec, previous).unwrap()
}

fn shown(service: &Service) -> Vec<String> {
    let all = endpoints(service).into_iter();
    all.map(|(address, _)| address).collect()
}

#[test]
fn endpoints_of_the_configuration_and_of_the_source_are_used_together() {
    let service = built(None, &["10.0.0.1"], discover(nowhere()));
    assert_eq!(
        service.members.discovered(&found(&["10.0.0.2"])),
        Taken::Applied
    );
    assert_eq!(shown(&service), ["10.0.0.1:80", "10.0.0.2:80"]);
    assert_eq!(
        service.members.discovered(&found(&["10.0.0.2"])),
        Taken::Unchanged
    );
    assert_eq!(service.members.discovered(&found(&[])), Taken::Empty);
    assert_eq!(service.members.discovered(&found(&[])), Taken::Unchanged);
    assert_eq!(shown(&service), ["10.0.0.1:80", "10.0.0.2:80"]);
}

#[test]
fn a_reload_keeps_what_the_same_source_has_said() {
    let first = built(None, &[], discover(nowhere()));
    first.members.discovered(&found(&["10.0.0.2", "10.0.0.3"]));
    let kept = first.endpoints();
    let lenient = Discover {
        allow_empty: true,
        ..discover(nowhere())
    };
    let second = built(Some(&first), &["10.0.0.9"], lenient);
    assert_eq!(
        shown(&second),
        ["10.0.0.2:80", "10.0.0.3:80", "10.0.0.9:80"]
    );
    let now = second.endpoints();
    for endpoint in kept.endpoints() {
        assert!(
            now.endpoints()
                .iter()
                .any(|other| Arc::ptr_eq(endpoint, other))
        );
    }
    let other = Kind::File(FileSource {
        path: "/nonexistent/others.json".into(),
    });
    let third = built(Some(&second), &["10.0.0.9"], discover(other));
    assert_eq!(shown(&third), ["10.0.0.9:80"]);
}

#[test]
fn old_endpoints_stay_until_the_names_of_the_new_are_known() {
    let service = built(None, &[], discover(nowhere()));
    let members = &service.members;
    members.discovered(&found(&["10.0.0.1"]));
    members.discovered(&found(&["a.svc", "b.svc"]));
    let names: Vec<Arc<str>> = vec!["a.svc".into(), "b.svc".into()];
    assert_eq!(members.to_resolve(), names);
    assert_eq!(shown(&service), ["10.0.0.1:80"]);
    members.resolved("a.svc", Err("SERVFAIL".into()));
    assert_eq!(shown(&service), ["10.0.0.1:80"]);
    members.resolved("b.svc", Ok(vec!["10.0.0.2".parse().unwrap()]));
    assert_eq!(shown(&service), ["10.0.0.2:80"]);
    // Nothing of this one can be reached: better the old than none.
    members.discovered(&found(&["c.svc"]));
    members.resolved("c.svc", Err("NXDOMAIN".into()));
    assert_eq!(shown(&service), ["10.0.0.2:80"]);
    members.resolved("c.svc", Ok(vec!["10.0.0.3".parse().unwrap()]));
    assert_eq!(shown(&service), ["10.0.0.3:80"]);
    assert_eq!(members.to_resolve(), ["c.svc".into()]);
}

#[test]
fn checked_addresses_stay_until_others_have_passed() {
    let fixed: Vec<_> = found(&["a.svc"])
        .iter()
        .map(|one| one.spec.clone())
        .collect();
    let service = Service::build(
        ServiceSpec {
            check: Some(Check {
                probe: Probe::Tcp,
                interval: Duration::from_secs(10),
                first_interval: Duration::from_secs(1),
                timeout: Duration::from_secs(2),
                healthy_after: 1,
                unhealthy_after: 1,
                before_use: true,
            }),
            ..ServiceSpec::new("orders", fixed)
        },
        None,
    );
    let service = service.unwrap();
    let members = &service.members;
    let resolve = |addresses: &[&str]| {
        let addresses = addresses.iter().map(|one| one.parse().unwrap());
        members.resolved("a.svc", Ok(addresses.collect()));
    };
    let check = |address: &str, passes: bool| {
        let set = service.endpoints();
        let mut all = set.endpoints().iter();
        let known = all.find(|one| one.address().unwrap().ip().to_string() == address);
        let health = &known.unwrap().health;
        let _news = if passes {
            health.passes(Moment::now())
        } else {
            health.fails()
        };
        members.checked();
    };
    resolve(&["10.0.0.1", "10.0.0.2"]);
    check("10.0.0.1", true);
    check("10.0.0.2", true);
    // A lie: nobody answers there.
    resolve(&["10.0.0.8", "10.0.0.9"]);
    assert_eq!(shown(&service).len(), 4);
    check("10.0.0.8", false);
    check("10.0.0.9", false);
    assert_eq!(shown(&service).len(), 4);
    // The truth again.
    resolve(&["10.0.0.1", "10.0.0.2"]);
    assert_eq!(shown(&service), ["10.0.0.1:80", "10.0.0.2:80"]);
    // A move: those before leave once all have been checked and one is there.
    resolve(&["10.0.0.3", "10.0.0.4"]);
    check("10.0.0.3", true);
    assert_eq!(shown(&service).len(), 4);
    check("10.0.0.4", false);
    assert_eq!(shown(&service), ["10.0.0.3:80", "10.0.0.4:80"]);
    // One of several leaves: nothing to wait for.
    resolve(&["10.0.0.3"]);
    assert_eq!(shown(&service), ["10.0.0.3:80"]);
}

#[test]
fn hosts_are_addresses_or_names() {
    for (text, host) in [
        ("10.0.0.1", EndpointHost::Ip("10.0.0.1".parse().unwrap())),
        ("fd00::1", EndpointHost::Ip("fd00::1".parse().unwrap())),
        ("[fd00::1]", EndpointHost::Ip("fd00::1".parse().unwrap())),
        ("A.Svc", EndpointHost::Name("a.svc".into())),
    ] {
        assert_eq!(Found::at(Scheme::Http, text, 80).spec.host, host);
    }
}

#[test]
fn what_can_not_be_an_endpoint_is_left_out_with_the_reason() {
    let mut entries = Entries::default();
    for host in [
        "10.0.0.2",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "::ffff:0.0.0.0",
        "224.0.0.1",
        "ff02::1",
    ] {
        entries.found.push(Found::at(Scheme::Http, host, 80));
    }
    entries
        .found
        .push(Found::at(Scheme::Http, "255.255.255.255", 80));
    entries.found.push(Found::at(Scheme::Https, "10.0.0.3", 80));
    entries.found.push(Found::at(Scheme::Http, "no host", 80));
    entries.found.push(Found::at(Scheme::Http, "", 80));
    entries.found.push(Found::at(Scheme::Http, "10.0.0.2", 80));
    entries.found.push(Found::at(Scheme::Http, "10.0.0.1", 80));
    let tidied = entries.clone().tidied(Scheme::Http).unwrap();
    let hosts: Vec<String> = tidied
        .found
        .iter()
        .map(|one| one.spec.to_string())
        .collect();
    assert_eq!(hosts, ["http://10.0.0.1", "http://10.0.0.2"]);
    assert_eq!(tidied.unusable.len(), 10);
    // If nothing is left, it is no empty set but a failure.
    entries.found.truncate(4);
    entries.found.remove(0);
    assert!(entries.tidied(Scheme::Http).is_err());
    assert_eq!(
        Entries::default().tidied(Scheme::Http),
        Ok(Entries::default())
    );
}

#[tokio::test]
async fn a_source_is_followed_once_and_only_as_long_as_somebody_uses_it() {
    let folder = tempfile::tempdir().unwrap();
    let kind = Kind::File(FileSource {
        path: folder.path().join("orders.json"),
    });
    let (runtime, readers) = (Handle::current(), control().readers);
    let source = discover(kind).source;
    let one = Watcher::of(&source, readers, &runtime);
    let two = Watcher::of(&source, readers, &runtime);
    assert!(Arc::ptr_eq(&one, &two));
    let other = Source {
        scheme: Scheme::Https,
        ..source.clone()
    };
    assert!(!Arc::ptr_eq(&one, &Watcher::of(&other, readers, &runtime)));
    let (last, mut news) = (Arc::downgrade(&one), one.news());
    drop((one, two));
    assert!(last.upgrade().is_none());
    while news.changed().await.is_ok() {}
}

#[tokio::test]
async fn gauges_of_a_service_go_with_it() {
    let followed = follow(nowhere());
    followed.fails_with("can't be read").await;
    let failing = r#"lintel_discovery_failing{service="orders"}"#;
    until("counted", || {
        followed.metric(failing) == Some("1".to_owned())
    })
    .await;
    let (
        Followed {
            service,
            resolution,
            catalogue,
        },
        empty,
    ) = (followed, Vec::new);
    drop((service, resolution));
    until("forgotten", || {
        let mut page: Vec<u8> = empty();
        catalogue.render(&mut page, false);
        !String::from_utf8(page).unwrap().contains(failing)
    })
    .await;
}
