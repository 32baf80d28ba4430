#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use hickory_resolver::proto::{
    op::ResponseCode,
    rr::{RData, RecordType, rdata::AAAA},
};
use lintel_telemetry::Catalogue;
use tokio::{runtime::Handle, time};

use super::{
    scripted::{Dns, Say, a},
    *,
};
use crate::{
    discovery::Readers,
    service::{
        Addresses, EndpointHost, EndpointSpec, EndpointState, Resolve, Scheme, Service, ServiceSpec,
    },
};

/// Answers from a script; the last answer is given again and again.
#[derive(Default)]
struct Scripted {
    answers: Mutex<VecDeque<Result<Answer, String>>>,
    asked: AtomicUsize,
    families: Mutex<Vec<Addresses>>,
}

impl Scripted {
    fn new(answers: impl IntoIterator<Item = Result<Answer, String>>) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.into_iter().collect()),
            ..Self::default()
        })
    }

    fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

impl Lookup for Scripted {
    fn lookup<'a>(&'a self, _name: &'a str, addresses: Addresses) -> Looking<'a> {
        self.families.lock().unwrap().push(addresses);
        self.asked.fetch_add(1, SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 {
            answers.pop_front()
        } else {
            answers.front().cloned()
        };
        Box::pin(async move { answer.unwrap_or_else(|| Err("nothing scripted".to_owned())) })
    }
}

fn good(ttl: u64, addresses: &[&str]) -> Result<Answer, String> {
    let addresses = addresses
        .iter()
        .map(|address| address.parse().unwrap())
        .collect();
    Ok(Answer {
        addresses,
        ttl: Duration::from_secs(ttl),
    })
}

fn named(name: &str, weight: u32) -> EndpointSpec {
    EndpointSpec {
        scheme: Scheme::Http,
        host: EndpointHost::Name(name.into()),
        port: 80,
        weight,
        priority: 0,
        zone: None,
    }
}

fn service(endpoints: Vec<EndpointSpec>) -> Arc<Service> {
    Service::build(ServiceSpec::new("orders", endpoints), None).unwrap()
}

fn addresses(service: &Service) -> Vec<SocketAddr> {
    service
        .endpoints()
        .endpoints()
        .iter()
        .filter_map(|endpoint| endpoint.address())
        .collect()
}

fn sockets(addresses: &[&str]) -> Vec<SocketAddr> {
    addresses
        .iter()
        .map(|address| SocketAddr::new(address.parse().unwrap(), 80))
        .collect()
}

async fn pass(seconds: u64) {
    // Time stands still but for this; the look-ups are ready at once.
    tokio::time::advance(Duration::from_secs(seconds)).await;
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn answers_are_used_for_as_long_as_they_hold() {
    let lookup = Scripted::new([
        good(10, &["10.0.0.1"]),
        good(100, &["10.0.0.2", "10.0.0.1"]),
        good(1000, &["10.0.0.3"]),
    ]);
    let service = service(vec![named("orders.svc", 1)]);
    assert!(service.needs_resolution());
    assert_eq!(addresses(&service), []);
    let resolution = Resolution::start_with(
        &service,
        &Handle::current(),
        Arc::<Scripted>::clone(&lookup),
    );
    resolution.settled().await;
    assert_eq!(addresses(&service), sockets(&["10.0.0.1"]));
    let kept = Arc::clone(&service.endpoints().endpoints()[0]);
    pass(9).await;
    assert_eq!(lookup.asked(), 1);
    pass(3).await;
    assert_eq!(lookup.asked(), 2);
    assert_eq!(addresses(&service), sockets(&["10.0.0.1", "10.0.0.2"]));
    assert!(Arc::ptr_eq(&kept, &service.endpoints().endpoints()[0]));
    pass(111).await;
    assert_eq!(addresses(&service), sockets(&["10.0.0.3"]));
    // A TTL beyond the bound is cut to it.
    pass(300 + 31).await;
    assert_eq!(lookup.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_ttl_of_zero_does_not_make_a_storm() {
    let lookup = Scripted::new([good(0, &["10.0.0.1"])]);
    let service = service(vec![named("orders.svc", 1)]);
    let _resolution = Resolution::start_with(
        &service,
        &Handle::current(),
        Arc::<Scripted>::clone(&lookup),
    );
    for _ in 0..20 {
        pass(1).await;
    }
    assert!((10..=21).contains(&lookup.asked()), "{}", lookup.asked());
}

#[tokio::test(start_paused = true)]
async fn failures_and_empty_answers_leave_the_last_good_set() {
    let lookup = Scripted::new([
        good(5, &["10.0.0.1"]),
        Err("SERVFAIL".to_owned()),
        good(5, &[]),
        good(5, &["10.0.0.9"]),
    ]);
    let service = service(vec![named("orders.svc", 1)]);
    let resolution = Resolution::start_with(
        &service,
        &Handle::current(),
        Arc::<Scripted>::clone(&lookup),
    );
    resolution.settled().await;
    for asked in [2, 3] {
        while lookup.asked() < asked {
            pass(1).await;
        }
        assert_eq!(addresses(&service), sockets(&["10.0.0.1"]));
    }
    while lookup.asked() < 4 {
        pass(1).await;
    }
    assert_eq!(addresses(&service), sockets(&["10.0.0.9"]));
}

#[tokio::test(start_paused = true)]
async fn pauses_after_failures_grow() {
    let lookup = Scripted::new([Err("NXDOMAIN".to_owned())]);
    let service = service(vec![named("nowhere.svc", 1)]);
    let resolution = Resolution::start_with(
        &service,
        &Handle::current(),
        Arc::<Scripted>::clone(&lookup),
    );
    resolution.settled().await;
    let status = service.status();
    assert_eq!(
        status[0].state,
        EndpointState::Unresolved("NXDOMAIN".to_owned())
    );
    assert_eq!(
        (status[0].endpoint.as_str(), status[0].addresses.len()),
        ("http://nowhere.svc", 0)
    );
    for _ in 0..120 {
        pass(1).await;
    }
    // 1, 2, 4, 8, 16, 30, 30, 30 s, each up to a tenth longer.
    assert!((7..=9).contains(&lookup.asked()), "{}", lookup.asked());
}

#[tokio::test(start_paused = true)]
async fn a_rotated_answer_is_no_change() {
    let lookup = Scripted::new([
        good(1, &["10.0.0.1", "10.0.0.2"]),
        good(1, &["10.0.0.2", "10.0.0.1", "10.0.0.2"]),
    ]);
    let service = service(vec![named("orders.svc", 1)]);
    let resolution = Resolution::start_with(
        &service,
        &Handle::current(),
        Arc::<Scripted>::clone(&lookup),
    );
    resolution.settled().await;
    let (set, version) = (service.endpoints(), service.members.version());
    while lookup.asked() < 3 {
        pass(1).await;
    }
    assert!(Arc::ptr_eq(&set, &service.endpoints()));
    assert_eq!(service.members.version(), version);
}

#[tokio::test(start_paused = true)]
async fn addresses_of_a_name_divide_its_weight() {
    let lookup = Scripted::new([good(60, &["10.0.0.1", "10.0.0.2", "10.0.0.3"])]);
    let literal: SocketAddr = "10.1.0.1:80".parse().unwrap();
    let service = service(vec![
        named("orders.svc", 1),
        EndpointSpec {
            weight: 2,
            ..EndpointSpec::http(literal)
        },
    ]);
    // Before any answer, what needs none is in use.
    assert_eq!(addresses(&service), [literal]);
    let resolution = Resolution::start_with(&service, &Handle::current(), lookup);
    resolution.settled().await;
    assert_eq!(service.endpoints().weights().each(), [1, 1, 1, 6]);
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_addresses_and_look_ups() {
    let lookup = Scripted::new([good(60, &["10.0.0.1"])]);
    let first = service(vec![named("orders.svc", 1)]);
    let resolution =
        Resolution::start_with(&first, &Handle::current(), Arc::<Scripted>::clone(&lookup));
    resolution.settled().await;

    let mut spec = first.spec().clone();
    spec.timeouts.idle = Duration::from_secs(5);
    let second = Service::build(spec.clone(), Some(&first)).unwrap();
    let next = Resolution::start_with(&second, &Handle::current(), Arc::<Scripted>::clone(&lookup));
    drop(resolution);
    pass(1).await;
    assert_eq!(lookup.asked(), 1);

    spec.endpoints.push(named("more.svc", 1));
    let third = Service::build(spec, Some(&second)).unwrap();
    assert_eq!(addresses(&third), sockets(&["10.0.0.1"]));
    let last = Resolution::start_with(&third, &Handle::current(), Arc::<Scripted>::clone(&lookup));
    last.settled().await;
    pass(0).await;
    assert_eq!(lookup.asked(), 3);

    drop((next, last));
    pass(1000).await;
    assert_eq!(lookup.asked(), 3, "nobody looks up any more");
}

#[tokio::test]
async fn this_machine_needs_no_name_server() {
    let service = service(vec![named("localhost", 1), named("orders.localhost", 1)]);
    assert!(!service.needs_resolution());
    assert_eq!(service.endpoints().endpoints().len(), 2);
}

#[tokio::test]
async fn the_hosts_file_is_honoured() {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap();
    let entries = hosts
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let (address, name) = entries
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((
                words.next()?.parse::<std::net::Ipv4Addr>().ok()?,
                words.next()?,
            ))
        })
        .next_back()
        .expect("every machine has an entry for itself");
    let answer = SystemLookup::default()
        .lookup(name, Addresses::Auto)
        .await
        .unwrap();
    assert!(
        answer.addresses.contains(&address.into()),
        "{name}: {answer:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_families_of_addresses_are_those_of_the_service() {
    for addresses in [
        Addresses::Auto,
        Addresses::Both,
        Addresses::Ipv4,
        Addresses::Ipv6,
    ] {
        let lookup = Scripted::new([good(10, &["10.0.0.1"])]);
        let mut spec = ServiceSpec::new("orders", vec![named("orders.svc", 1)]);
        spec.resolve.addresses = addresses;
        let service = Service::build(spec, None).unwrap();
        let asked = Arc::<Scripted>::clone(&lookup);
        let resolution = Resolution::start_with(&service, &Handle::current(), asked);
        resolution.settled().await;
        assert_eq!(*lookup.families.lock().unwrap(), [addresses]);
    }
}

/// `localhost` by the system's own files, which have both families or IPv4 alone.
#[tokio::test]
async fn the_system_is_asked_for_the_families_alone() {
    let lookup = SystemLookup::default();
    let v4 = lookup.lookup("localhost", Addresses::Ipv4).await.unwrap();
    assert!(v4.addresses.iter().all(IpAddr::is_ipv4), "{v4:?}");
    if let Ok(v6) = lookup.lookup("localhost", Addresses::Ipv6).await {
        assert!(v6.addresses.iter().all(IpAddr::is_ipv6), "{v6:?}");
        let both = lookup.lookup("localhost", Addresses::Both).await.unwrap();
        assert!(both.addresses.iter().any(IpAddr::is_ipv4), "{both:?}");
        assert!(both.addresses.iter().any(IpAddr::is_ipv6), "{both:?}");
    }
}

/// A service whose name is asked of a scripted server.
async fn asking(dns: &Dns, addresses: Addresses) -> (Arc<Service>, Resolution) {
    let spec = ServiceSpec {
        resolve: Resolve {
            servers: [dns.address].into(),
            addresses,
            min_ttl: Duration::from_millis(20),
            retry: Duration::from_millis(20),
            ..Resolve::default()
        },
        ..ServiceSpec::new("orders", vec![named("orders.test", 1)])
    };
    let service = Service::build(spec, None).unwrap();
    let control = Control {
        runtime: Handle::current(),
        catalogue: Catalogue::new(),
        readers: Readers {
            endpoints: |_, _| Err(String::new()),
            yaml: |_, _| Err(String::new()),
        },
    };
    let resolution = Resolution::start(&service, &control);
    resolution.settled().await;
    (service, resolution)
}

async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            time::sleep(Duration::from_millis(5)).await;
        }
    };
    time::timeout(Duration::from_secs(30), waiting)
        .await
        .expect("the condition never came true");
}

#[tokio::test]
async fn a_server_that_lies_or_fails_changes_nothing() {
    let dns = Dns::start(|_| Say::Records(0, vec![a("10.0.0.1")])).await;
    let (service, _resolution) = asking(&dns, Addresses::Ipv4).await;
    let lies: [fn() -> Say; 5] = [
        || Say::Records(0, vec![a("0.0.0.0")]),
        || Say::Records(0, vec![a("255.255.255.255"), a("224.0.0.1")]),
        || Say::Records(0, Vec::new()),
        || Say::Code(ResponseCode::NXDomain),
        || Say::Code(ResponseCode::ServFail),
    ];
    for lie in lies {
        for say in [lie, || Say::Records(0, vec![a("10.0.0.1")])] {
            dns.say(move |_| say());
            // The second question comes after the answer to the first was heard.
            let before = dns.asked().len();
            until(|| dns.asked().len() > before + 1).await;
            assert_eq!(addresses(&service), sockets(&["10.0.0.1"]));
        }
    }
    // One good address among bad ones is used.
    dns.say(|_| Say::Truncated(0, vec![a("0.0.0.0"), a("10.0.0.2")]));
    until(|| addresses(&service) == sockets(&["10.0.0.2"])).await;
    assert!(dns.asked().iter().any(|asked| asked.tcp));
}

#[tokio::test]
async fn the_family_of_addresses_is_as_configured() {
    let six = "fd00::1".parse().unwrap();
    for (choice, wanted) in [
        (Addresses::Auto, vec!["10.0.0.1"]),
        (Addresses::Ipv4, vec!["10.0.0.1"]),
        (Addresses::Ipv6, vec!["fd00::1"]),
        (Addresses::Both, vec!["10.0.0.1", "fd00::1"]),
    ] {
        let dns = Dns::start(move |asked| match asked.record {
            RecordType::A => Say::Records(60, vec![a("10.0.0.1")]),
            _ => Say::Records(60, vec![RData::AAAA(AAAA(six))]),
        })
        .await;
        let (service, _resolution) = asking(&dns, choice).await;
        assert_eq!(addresses(&service), sockets(&wanted), "{choice:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
    let dns = Dns::start(|_| Say::Nothing).await;
    let (service, _resolution) = asking(&dns, Addresses::Ipv4).await;
    assert!(matches!(
        &service.status()[0].state,
        EndpointState::Unresolved(_)
    ));
}
