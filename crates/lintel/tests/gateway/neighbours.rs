//! What one service's trouble is to the others.

use std::sync::{Arc, Condvar, Mutex};

use lintel_testkit::{Answer, Origin};

use crate::support::{Gateway, on_listener, with_routes};

/// Keeps answers back until it is opened.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    /// One whose answers wait.
    fn origin(self: &Arc<Self>) -> Origin {
        let held = Arc::clone(self);
        Origin::start(move |_| {
            let held = Arc::clone(&held);
            Answer::script(move |stream| {
                held.pass();
                Answer::ok("late").write(stream);
            })
        })
    }

    fn pass(&self) {
        let open = self.open.lock().unwrap();
        drop(self.opened.wait_while(open, |open| !*open).unwrap());
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

/// A service that answers, and one whose answers wait at a gate; one worker for both.
fn side_by_side(stalled: &Origin, well: &Origin, more: &str) -> Gateway {
    let yaml = with_routes(&format!(
        "services:\n  stalled: {{ endpoints: [\"{}\"], {more} }}\n  well: {{ endpoints: [\"{}\"] }}\n\
         routes:\n  stalled: {{ match: {{ path: /stalled }}, to: stalled }}\n  well: {{ match: {{ path: /well }}, to: well }}",
        stalled.url(),
        well.url()
    ));
    let yaml = on_listener(&yaml, "limits: { connections_per_client: 1000 }");
    Gateway::start(&yaml.replace("workers: 2", "workers: 1"))
}

#[test]
fn no_request_waits_for_a_service_that_stalls_but_its_own() {
    const STALLED: usize = 100;
    let gate = Arc::<Gate>::default();
    let stalled = gate.origin();
    let well = Origin::saying("at once");
    let gateway = side_by_side(&stalled, &well, "");
    let mut waiting: Vec<_> = (0..STALLED).map(|_| gateway.client()).collect();
    for client in &mut waiting {
        client.request("GET", "/stalled");
    }
    stalled.until_seen(STALLED);
    // All of these are answered before any of those can be: the gate opens after them.
    let mut neighbours: Vec<_> = (0..10).map(|_| gateway.client()).collect();
    for _ in 0..50 {
        for client in &mut neighbours {
            client.request("GET", "/well");
        }
        for client in &mut neighbours {
            let reply = client.reply();
            assert_eq!((reply.status, reply.text().as_str()), (200, "at once"));
        }
    }
    let page = gateway.ask("/metrics").text();
    let under_way = format!("lintel_upstream_requests_active{{service=\"stalled\"}} {STALLED}");
    assert!(page.contains(&under_way), "{page}");
    gate.open();
    for client in &mut waiting {
        let reply = client.reply();
        assert_eq!((reply.status, reply.text().as_str()), (200, "late"));
    }
}

#[test]
fn a_service_that_is_full_refuses_its_own_requests_and_no_others() {
    let gate = Arc::<Gate>::default();
    let stalled = gate.origin();
    let well = Origin::saying("at once");
    let gateway = side_by_side(&stalled, &well, "breaker: { requests: 8 }");
    let mut waiting: Vec<_> = (0..8).map(|_| gateway.client()).collect();
    for client in &mut waiting {
        client.request("GET", "/stalled");
    }
    stalled.until_seen(8);
    let mut client = gateway.client();
    for _ in 0..20 {
        let refused = client.get("/stalled");
        assert_eq!(refused.status, 503);
        assert!(refused.header("retry-after").is_some());
        assert_eq!(client.get("/well").status, 200);
    }
    assert_eq!(stalled.seen().len(), 8, "nothing more was sent");
    gate.open();
    for client in &mut waiting {
        assert_eq!(client.reply().status, 200);
    }
    assert_eq!(client.get("/stalled").status, 200);
}
