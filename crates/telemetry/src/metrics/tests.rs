#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod parser;

use std::{
    rc::Rc,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use http::Method;
use proptest::prelude::*;

use self::parser::{Exposition, parse};
use super::{
    cell::{Histogram, Totals},
    family::{ALL, Family, Kind, OVERFLOW, OVERHEAD_BOUNDS, REQUEST_BOUNDS},
    life, *,
};

fn scrape(catalogue: &Catalogue) -> Exposition {
    let mut openmetrics = Vec::new();
    catalogue.render(&mut openmetrics, true);
    parse(&String::from_utf8(openmetrics).unwrap(), true);
    let mut text = Vec::new();
    catalogue.render(&mut text, false);
    parse(&String::from_utf8(text).unwrap(), false)
}

fn count(exposition: &Exposition, route: &str) -> Option<f64> {
    exposition.value("lintel_requests_total", &[("route", route)])
}

fn get(route: &RouteMetrics) {
    let time = Duration::from_millis(3);
    route.record(None, &Method::GET, 200, time, Some(time));
}

#[test]
fn sums_over_workers() {
    let catalogue = Catalogue::new();
    let workers = [catalogue.worker(), catalogue.worker()];
    for worker in &workers {
        let (route, service) = (worker.route("orders"), worker.service("shop"));
        let (total, overhead) = (Duration::from_millis(7), Duration::from_micros(8));
        route.record(Some(&service), &Method::GET, 200, total, Some(overhead));
        route.record(Some(&service), &Method::GET, 503, total, Some(overhead));
        route.record(
            Some(&service),
            &Method::from_bytes(b"BREW").unwrap(),
            200,
            total,
            Some(overhead),
        );
        route.reject("rate_limit", "too_many_requests");
    }
    let read = scrape(&catalogue);
    let requests = |method, status| {
        let labels = [
            ("route", "orders"),
            ("service", "shop"),
            ("method", method),
            ("status", status),
        ];
        read.value("lintel_requests_total", &labels)
    };
    assert_eq!(requests("GET", "200"), Some(2.0));
    assert_eq!(requests("GET", "503"), Some(2.0));
    assert_eq!(requests("OTHER", "200"), Some(2.0));
    let duration = |le| {
        let labels = [("route", "orders"), ("le", le)];
        read.value("lintel_request_duration_seconds_bucket", &labels)
    };
    assert_eq!(
        (duration("0.005"), duration("0.01")),
        (Some(0.0), Some(6.0))
    );
    let sum = read.value("lintel_request_duration_seconds_sum", &[]);
    assert_eq!(sum, Some(0.042));
    assert_eq!(
        read.value("lintel_overhead_seconds_sum", &[]),
        Some(0.000_048)
    );
    let rejections = [("policy", "rate_limit"), ("reason", "too_many_requests")];
    assert_eq!(
        read.value("lintel_rejections_total", &rejections),
        Some(2.0)
    );
    assert_eq!(read.value("lintel_workers", &[]), Some(2.0));
}

#[test]
fn counts_what_happens_upstream() {
    let catalogue = Catalogue::new();
    let worker = catalogue.worker();
    let service = worker.service("shop");
    service.connect();
    service.connect_failed("refused");
    service.connect_failed("refused");
    service.attempt(AttemptOutcome::Answered);
    service.attempt(AttemptOutcome::Timeout);
    service.connection_from(PoolSource::Sibling);
    service.answered(Duration::from_secs(40));
    let connection = service.connection();
    let request = service.request();
    let read = scrape(&catalogue);
    let value = |name: &str, labels: &[(&str, &str)]| read.value(name, labels).unwrap();
    assert_eq!(
        value("lintel_upstream_connects_total", &[("service", "shop")]),
        1.0
    );
    let reason = [("service", "shop"), ("reason", "refused")];
    assert_eq!(
        value("lintel_upstream_connect_failures_total", &reason),
        2.0
    );
    for (outcome, times) in [("answered", 1.0), ("timeout", 1.0), ("reset", 0.0)] {
        assert_eq!(
            value("lintel_upstream_attempts_total", &[("outcome", outcome)]),
            times
        );
    }
    assert_eq!(
        value("lintel_upstream_pool_hits_total", &[("from", "sibling")]),
        1.0
    );
    assert_eq!(
        value("lintel_upstream_pool_hits_total", &[("from", "own")]),
        0.0
    );
    assert_eq!(
        value("lintel_upstream_duration_seconds_bucket", &[("le", "30")]),
        0.0
    );
    assert_eq!(
        value("lintel_upstream_duration_seconds_bucket", &[("le", "+Inf")]),
        1.0
    );
    assert_eq!(value("lintel_upstream_connections", &[]), 1.0);
    assert_eq!(value("lintel_upstream_requests_active", &[]), 1.0);
    drop((connection, request));
    let read = scrape(&catalogue);
    assert_eq!(read.value("lintel_upstream_connections", &[]), Some(0.0));
    assert_eq!(
        read.value("lintel_upstream_requests_active", &[]),
        Some(0.0)
    );
}

#[test]
fn counts_what_happens_at_a_listener() {
    let catalogue = Catalogue::new();
    let worker = catalogue.worker();
    let listener = worker.listener("public");
    let open = listener.connection();
    drop(listener.connection());
    listener.refused("listener_limit");
    listener.malformed("bad_chunk_size");
    listener.handshake("TLSv1.3", true, "success");
    listener.handshake("", false, "no_shared_version");
    listener.received(10);
    listener.sent(u64::from(u32::MAX) + 1);
    let read = scrape(&catalogue);
    let value = |name: &str, labels: &[(&str, &str)]| read.value(name, labels).unwrap();
    assert_eq!(
        value("lintel_connections_active", &[("listener", "public")]),
        1.0
    );
    assert_eq!(value("lintel_connections_total", &[]), 2.0);
    assert_eq!(
        value(
            "lintel_connections_refused_total",
            &[("reason", "listener_limit")]
        ),
        1.0
    );
    assert_eq!(
        value(
            "lintel_malformed_requests_total",
            &[("reason", "bad_chunk_size")]
        ),
        1.0
    );
    let resumed = [
        ("version", "TLSv1.3"),
        ("resumed", "true"),
        ("outcome", "success"),
    ];
    assert_eq!(value("lintel_tls_handshakes_total", &resumed), 1.0);
    let failed = [
        ("version", ""),
        ("resumed", "false"),
        ("outcome", "no_shared_version"),
    ];
    assert_eq!(value("lintel_tls_handshakes_total", &failed), 1.0);
    assert_eq!(value("lintel_received_bytes_total", &[]), 10.0);
    assert_eq!(value("lintel_sent_bytes_total", &[]), 4_294_967_296.0);
    drop(open);
    assert_eq!(
        scrape(&catalogue).value("lintel_connections_active", &[]),
        Some(0.0)
    );
}

#[test]
fn counts_what_the_process_does() {
    let catalogue = Catalogue::new();
    let process = catalogue.process();
    process.config_started(1);
    process.config_applied(2);
    process.config_rejected();
    process.config_rejected();
    process.config_generations(3);
    process.panicked();
    let read = scrape(&catalogue);
    let value = |name: &str, labels: &[(&str, &str)]| read.value(name, labels).unwrap();
    assert_eq!(
        value("lintel_config_reloads_total", &[("outcome", "applied")]),
        1.0
    );
    assert_eq!(
        value("lintel_config_reloads_total", &[("outcome", "rejected")]),
        2.0
    );
    assert_eq!(value("lintel_config_generation", &[]), 2.0);
    assert_eq!(value("lintel_config_generations_live", &[]), 3.0);
    assert!(value("lintel_config_last_success_timestamp_seconds", &[]) > 1.6e9);
    assert_eq!(value("lintel_panics_total", &[]), 1.0);
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(value("lintel_build_info", &version), 1.0);
    assert!(value("process_resident_memory_bytes", &[]) > 0.0);
    assert!(value("process_open_fds", &[]) > 0.0);
}

#[test]
fn a_name_nobody_called_has_no_series() {
    let catalogue = Catalogue::new();
    let _worker = catalogue.worker();
    let read = scrape(&catalogue);
    assert!(!read.0.contains_key("lintel_requests_total"));
    assert!(!read.0.contains_key("lintel_connections_active"));
}

#[test]
fn the_same_name_goes_on_in_the_same_series() {
    let catalogue = Catalogue::new();
    let worker = catalogue.worker();
    for _ in 0..200 {
        get(&worker.route("orders"));
    }
    let held = worker.route("orders");
    assert!(Rc::ptr_eq(&held, &worker.route("orders")));
    assert_eq!(count(&scrape(&catalogue), "orders"), Some(200.0));
}

#[test]
fn a_forgotten_name_disappears_after_its_time_and_starts_anew() {
    let catalogue = Catalogue::new();
    let workers = [catalogue.worker(), catalogue.worker()];
    let kept = workers[0].route("kept");
    get(&kept);
    for worker in &workers {
        get(&worker.route("gone"));
        worker.service("gone").connect_failed("refused");
    }
    let soon = life::now() + RETIRE_AFTER.as_secs() / 2;
    let late = life::now() + RETIRE_AFTER.as_secs() + 10;

    catalogue.absorb_at(soon);
    assert_eq!(count(&scrape(&catalogue), "gone"), Some(2.0));

    // One worker still uses it: nothing is taken from the sum.
    let used = workers[1].route("gone");
    catalogue.absorb_at(late);
    assert_eq!(count(&scrape(&catalogue), "gone"), Some(2.0));
    let read = scrape(&catalogue);
    let failures = "lintel_upstream_connect_failures_total";
    assert_eq!(read.value(failures, &[("service", "gone")]), None);

    drop(used);
    catalogue.absorb_at(late);
    let read = scrape(&catalogue);
    assert_eq!(
        (count(&read, "gone"), count(&read, "kept")),
        (None, Some(1.0))
    );

    get(&workers[0].route("gone"));
    workers[0].service("gone").connect_failed("refused");
    let read = scrape(&catalogue);
    assert_eq!(count(&read, "gone"), Some(1.0));
    assert_eq!(read.value(failures, &[("service", "gone")]), Some(1.0));
}

#[test]
fn the_budget_sends_what_is_beyond_it_to_one_series() {
    let catalogue = Catalogue::with_budget(6);
    let worker = catalogue.worker();
    let mut live = Vec::new();
    for i in 0..50u16 {
        // A route and its first request are two label sets.
        let route = worker.route(&format!("route-{i}"));
        get(&route);
        live.push(route);
    }
    let read = scrape(&catalogue);
    assert_eq!(count(&read, "route-2"), Some(1.0));
    assert_eq!(count(&read, "route-3"), None);
    let overflow = [("route", OVERFLOW), ("status", OVERFLOW)];
    assert_eq!(read.value("lintel_requests_total", &overflow), Some(47.0));
    assert!(read.value("lintel_metrics_overflow_total", &[]).unwrap() >= 47.0);

    // A status that an upstream invents goes the same way.
    let first = worker.route("route-0");
    first.record(
        None,
        &Method::GET,
        299,
        Duration::ZERO,
        Some(Duration::ZERO),
    );
    let labels = [("route", "route-0"), ("status", OVERFLOW)];
    assert_eq!(
        scrape(&catalogue).value("lintel_requests_total", &labels),
        Some(1.0)
    );
}

#[test]
fn retirement_gives_the_budget_back() {
    let catalogue = Catalogue::with_budget(2);
    let worker = catalogue.worker();
    for round in 0..5 {
        let name = format!("round-{round}");
        get(&worker.route(&name));
        let late = life::now() + RETIRE_AFTER.as_secs() + 10;
        let before = scrape(&catalogue);
        assert_eq!(count(&before, &name), Some(1.0), "{round}");
        catalogue.absorb_at(late);
    }
    assert_eq!(
        scrape(&catalogue).value("lintel_metrics_overflow_total", &[]),
        Some(0.0)
    );
}

static SHED: Family = Family {
    name: "lintel_test_shed_total",
    kind: Kind::Counter,
    help: "Requests shed\nby \\ the test.",
    labels: &["zone"],
};
static LEVEL: Family = Family {
    name: "lintel_test_level",
    kind: Kind::Gauge,
    help: "A level.",
    labels: &[],
};
static WAIT: Family = Family {
    name: "lintel_test_wait_seconds",
    kind: Kind::Histogram(&REQUEST_BOUNDS),
    help: "Waiting.",
    labels: &["zone"],
};

#[test]
fn a_policy_can_own_families() {
    let catalogue = Catalogue::new();
    let workers = [catalogue.worker(), catalogue.worker()];
    for worker in &workers {
        worker.counter(&SHED, &["a"]).inc();
        worker.counter(&SHED, &["a"]).add(2);
        worker.gauge(&LEVEL, &[]).add(-2);
        worker
            .histogram(&WAIT, &["b"])
            .record(Duration::from_secs(1));
    }
    catalogue.counter(&SHED, &["a"]).inc();
    catalogue.counter(&SHED, &["a"]).inc();
    let read = scrape(&catalogue);
    assert_eq!(read.value(SHED.name, &[("zone", "a")]), Some(8.0));
    assert_eq!(read.value(LEVEL.name, &[]), Some(-4.0));
    let up_to_1s = [("zone", "b"), ("le", "1")];
    assert_eq!(
        read.value("lintel_test_wait_seconds_bucket", &up_to_1s),
        Some(2.0)
    );
    assert_eq!(read.0[SHED.name].help, "Requests shed\\nby \\\\ the test.");
}

#[test]
fn scrapes_while_workers_count() {
    const REQUESTS: u32 = 20_000;
    let catalogue = Catalogue::new();
    let (start, done) = (Arc::new(Barrier::new(3)), Arc::new(AtomicBool::new(false)));
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let (catalogue, start) = (catalogue.clone(), start.clone());
            thread::spawn(move || {
                let worker = catalogue.worker();
                start.wait();
                for i in 0..REQUESTS {
                    get(&worker.route(&format!("route-{}", i % 64)));
                }
            })
        })
        .collect();
    let scraper = {
        let (catalogue, start, done) = (catalogue.clone(), start.clone(), done.clone());
        thread::spawn(move || {
            start.wait();
            let mut last = 0.0;
            while !done.load(Ordering::Relaxed) {
                let now = total(&scrape(&catalogue));
                assert!(now >= last, "{now} after {last}");
                last = now;
            }
        })
    };
    for worker in workers {
        worker.join().unwrap();
    }
    done.store(true, Ordering::Relaxed);
    scraper.join().unwrap();
    // Nothing is lost, and what an ended worker counted is still there.
    let read = scrape(&catalogue);
    assert_eq!(total(&read), f64::from(2 * REQUESTS));
    assert_eq!(read.value("lintel_workers", &[]), Some(0.0));
}

fn total(read: &Exposition) -> f64 {
    let family = read.0.get("lintel_requests_total");
    family.map_or(0.0, |family| family.samples.iter().map(|s| s.value).sum())
}

#[test]
fn the_declarations_are_well_formed() {
    let mut names = std::collections::BTreeSet::new();
    for family in ALL {
        assert!(names.insert(family.name), "{} twice", family.name);
        let ours = family.name.starts_with("lintel_") || family.name.starts_with("process_");
        assert!(ours, "{}", family.name);
        let total = family.name.ends_with("_total");
        assert_eq!(
            total,
            matches!(family.kind, Kind::Counter),
            "{}",
            family.name
        );
        assert!(family.help.ends_with('.'), "{}", family.name);
        if let Kind::Histogram(bounds) = family.kind {
            assert!(family.name.ends_with("_seconds"));
            assert!(!family.labels.contains(&"le"));
            assert!(bounds.nanos().is_sorted_by(|a, b| a < b));
            for (nanos, label) in bounds.nanos().iter().zip(bounds.labels()) {
                let seconds: f64 = label.parse().unwrap();
                assert_eq!((seconds * 1e9).round() as u64, *nanos);
            }
        }
    }
}

proptest! {
    #[test]
    fn a_time_falls_into_the_first_bucket_that_holds_it(
        nanos in prop_oneof![0u64..200_000_000_000, any::<u64>()],
        wide in any::<bool>(),
        nudge in -1i64..=1,
        exact in prop::option::of(0usize..15),
    ) {
        let bounds = if wide { &REQUEST_BOUNDS } else { &OVERHEAD_BOUNDS };
        let nanos = exact.map_or(nanos, |i| bounds.nanos()[i].wrapping_add_signed(nudge));
        let histogram = Histogram::new(bounds);
        histogram.record(Duration::from_nanos(nanos));
        let mut totals = Totals::default();
        totals.add(&histogram);
        let expected = bounds.nanos().iter().filter(|bound| **bound < nanos).count();
        prop_assert_eq!(totals.buckets.iter().position(|n| *n == 1), Some(expected));
        prop_assert_eq!(totals.buckets.iter().sum::<u64>(), 1);
        prop_assert_eq!(totals.nanos, nanos);
    }

    #[test]
    fn any_name_survives_the_exposition(name in "\\PC*|[\\x00-\\x7f\"\\\\\n]*") {
        let catalogue = Catalogue::new();
        let worker = catalogue.worker();
        get(&worker.route(&name));
        prop_assert_eq!(count(&scrape(&catalogue), &name), Some(1.0));
    }

    #[test]
    fn sums_of_seconds_are_exact(nanos in any::<u64>()) {
        let catalogue = Catalogue::new();
        let worker = catalogue.worker();
        let time = Duration::from_nanos(nanos);
        worker.route("r").record(None, &Method::GET, 200, time, Some(Duration::ZERO));
        let mut text = Vec::new();
        catalogue.render(&mut text, false);
        let text = String::from_utf8(text).unwrap();
        let sum = text
            .lines()
            .find_map(|line| line.strip_prefix("lintel_request_duration_seconds_sum{route=\"r\"} "))
            .unwrap();
        let (whole, fraction) = sum.split_once('.').unwrap_or((sum, ""));
        let read = whole.parse::<u64>().unwrap() * 1_000_000_000
            + format!("{fraction:0<9}").parse::<u64>().unwrap();
        prop_assert_eq!(read, nanos);
        prop_assert!(!sum.contains('.') || !sum.ends_with('0'));
    }
}
