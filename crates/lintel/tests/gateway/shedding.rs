//! Load shedding by a whole gateway, before a service that slows down and recovers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use lintel_testkit::{Answer, Origin, until};

use crate::support::Gateway;

const ROUTES: [&str; 2] = ["/checkout", "/reports"];
const CLIENTS: usize = 16;

/// What clients were answered, by path and status.
#[derive(Default)]
struct Answers {
    counts: BTreeMap<(&'static str, u16), u64>,
}

impl Answers {
    fn of(&self, path: &'static str, status: u16) -> u64 {
        self.counts.get(&(path, status)).copied().unwrap_or(0)
    }

    fn with(&self, status: u16) -> u64 {
        ROUTES.iter().map(|path| self.of(path, status)).sum()
    }
}

fn configuration(origin: &Origin) -> String {
    format!(
        r#"
version: 1
workers: 2
listeners: {{ public: {{ bind: 127.0.0.1:0 }} }}
admin: {{ bind: 127.0.0.1:0 }}
services: {{ shop: {{ endpoints: ["{}"] }} }}
defaults:
  policies:
    load_shed: {{ slow: 1s, window: 2s, min_requests: 5 }}
routes:
  checkout: {{ match: {{ path: /checkout }}, priority: critical, to: shop }}
  reports: {{ match: {{ path: /reports }}, priority: best_effort, to: shop }}
"#,
        origin.url()
    )
}

fn counted(gateway: &Gateway, route: &str, outcome: &str) -> u64 {
    let page = gateway.ask("/metrics").text();
    let series = page.lines().filter(|line| {
        line.starts_with("lintel_load_shed_requests_total")
            && line.contains(&format!("route=\"{route}\""))
            && line.contains(&format!("outcome=\"{outcome}\""))
    });
    series
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

/// Asks for a path again and again.
#[expect(
    clippy::disallowed_methods,
    reason = "a client that is refused asks again after a moment, not at once"
)]
fn client(gateway: &Gateway, path: &'static str, answers: &Mutex<Answers>, stop: &AtomicBool) {
    let mut client = gateway.client();
    while !stop.load(SeqCst) {
        let reply = client.get(path);
        let counts = &mut answers.lock().unwrap().counts;
        *counts.entry((path, reply.status)).or_default() += 1;
        if reply.status == 503 {
            assert!(
                reply.text().contains(r#""code":"load_shed""#),
                "{}",
                reply.text()
            );
            assert_eq!(reply.header("retry-after"), Some("2"));
            thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_service_that_slows_down_gets_less_until_it_recovers() {
    let delay = Arc::new(AtomicU64::new(0));
    let slow = Arc::clone(&delay);
    let origin = Origin::start(move |_| {
        wait(slow.load(SeqCst));
        Answer::ok("done")
    });
    let gateway = Gateway::start(&configuration(&origin));
    let (answers, stop) = (Mutex::new(Answers::default()), AtomicBool::new(false));
    thread::scope(|scope| {
        for at in 0..CLIENTS {
            let (gateway, answers, stop) = (&gateway, &answers, &stop);
            scope.spawn(move || client(gateway, ROUTES[at % 2], answers, stop));
        }
        // A failed wait must not leave the clients running.
        let _stop = Stop(&stop);
        let reached = |what: &str, holds: &dyn Fn(&Answers) -> bool| {
            until(what, || holds(&answers.lock().unwrap()).then_some(()));
        };
        reached("it answers", &|answers| answers.with(200) >= 500);
        assert_eq!(answers.lock().unwrap().with(503), 0);

        delay.store(1_200, SeqCst);
        reached("requests are held back", &|answers| {
            answers.with(503) >= 200
        });
        delay.store(0, SeqCst);
        let refused = || answers.lock().unwrap().with(503);
        until("nothing is held back any more", || {
            let before = (refused(), answers.lock().unwrap().with(200));
            let further = || answers.lock().unwrap().with(200) - before.1;
            until("requests go on", || (further() >= 200).then_some(()));
            (refused() == before.0).then_some(())
        });
    });
    let answers = answers.into_inner().unwrap();
    // Every request has one of these outcomes, and the gateway, the service and the clients agree on
    // how many there were.
    assert_eq!(
        answers.with(200) + answers.with(503),
        answers.counts.values().sum::<u64>()
    );
    assert_eq!(origin.seen().len() as u64, answers.with(200));
    for (route, path) in [("checkout", "/checkout"), ("reports", "/reports")] {
        assert_eq!(counted(&gateway, route, "admitted"), answers.of(path, 200));
        assert_eq!(counted(&gateway, route, "refused"), answers.of(path, 503));
    }
    let refused = ROUTES.map(|path| answers.of(path, 503));
    assert!(
        refused[1] > refused[0],
        "the less important are held back first: {refused:?}"
    );
}

/// Tells clients to stop when it is dropped.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

#[expect(clippy::disallowed_methods, reason = "a slow service")]
fn wait(millis: u64) {
    if millis > 0 {
        thread::sleep(Duration::from_millis(millis));
    }
}
