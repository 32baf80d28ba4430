//! Idle connections that go from one worker to another.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use http::Method;
use lintel_http::Body;

use super::{
    Gateway,
    origin::{Act, Origin, ok},
    read, spec, until, worker,
};
use crate::service::Service;

/// Runs `first` on one worker, which then lets go of what it does not use, and `second` on another
/// thread while the first worker lives on.
fn two_workers<T: Send>(
    service: &Arc<Service>,
    first: impl AsyncFnOnce(&Gateway) + Send,
    second: impl AsyncFnOnce(&Gateway) -> T + Send,
) -> T {
    let (shelved, ready) = mpsc::channel();
    let (done, over) = tokio::sync::oneshot::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            worker(async {
                let gateway = Gateway::with(Arc::clone(service), 0);
                first(&gateway).await;
                shelved.send(()).unwrap();
                // Its reactor goes on, as that of a worker does.
                let _ended = over.await;
            });
        });
        ready.recv().unwrap();
        let result = worker(async { second(&Gateway::with(Arc::clone(service), 1)).await });
        drop(done);
        result
    })
}

#[test]
fn a_worker_takes_an_idle_connection_before_it_dials() {
    let origin = Origin::start(|seen| ok(&format!("{}", seen.turn)));
    let service = Service::build(spec(&[origin.address]), None).unwrap();
    let sibling = two_workers(
        &service,
        async |gateway| {
            assert_eq!(gateway.text("/").await.1, "0");
            assert_eq!(gateway.service.endpoints().endpoints()[0].shelf.len(), 0);
            gateway.tick_after(Duration::from_millis(300));
            assert_eq!(gateway.service.endpoints().endpoints()[0].shelf.len(), 1);
            assert_eq!(gateway.idle(), 1);
        },
        async |gateway| {
            assert_eq!(gateway.text("/").await.1, "1");
            assert_eq!(gateway.text("/").await.1, "2");
            gateway.metric("lintel_upstream_pool_hits_total", &["from=\"sibling\""])
        },
    );
    assert_eq!(origin.connections(), 1);
    assert_eq!(sibling, 1.0);
    assert_eq!(
        service
            .usage
            .connections
            .load(std::sync::atomic::Ordering::Relaxed),
        0
    );
}

#[test]
fn a_worker_takes_its_own_connection_back() {
    let origin = Origin::start(|_| ok("x"));
    worker(async {
        let gateway = Gateway::to(origin.address);
        for _ in 0..5 {
            gateway.text("/").await;
            gateway.tick_after(Duration::from_secs(1));
        }
        assert_eq!(origin.connections(), 1);
        assert_eq!(
            gateway.metric("lintel_upstream_pool_hits_total", &["from=\"own\""]),
            4.0
        );
        // The clock of the next request is behind the one of the ticks; nothing depends on it.
        gateway.tick_after(Duration::from_secs(61));
        assert_eq!(gateway.idle(), 0);
        until(|| origin.closed() == 1).await;
    });
}

#[test]
fn a_dead_connection_of_a_sibling_is_not_taken() {
    let origin = Origin::start(|seen| match seen.connection {
        0 => Act::SayAndClose("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx".to_owned()),
        _ => ok("y"),
    });
    let service = Service::build(spec(&[origin.address]), None).unwrap();
    let answer = two_workers(
        &service,
        async |gateway| {
            // Shelved before its reactor has seen the end of the stream, if it is quick enough;
            // whichever way it goes, no dead connection may be used.
            gateway.text("/").await;
            gateway.tick_after(Duration::from_secs(1));
            while origin.closed() == 0 {
                thread::yield_now();
            }
        },
        async |gateway| {
            let answer = gateway
                .send(Method::POST, "/", Body::empty())
                .await
                .unwrap();
            assert_eq!(answer.attempts, 1);
            read(answer).await.1
        },
    );
    assert_eq!(answer, "y");
    assert_eq!(origin.connections(), 2);
    assert_eq!(service.status()[0].in_flight, 0);
}

#[test]
fn an_idle_service_costs_one_connection_over_all_workers() {
    let origin = Origin::start(|_| ok("x"));
    let service = Service::build(spec(&[origin.address]), None).unwrap();
    // Workers that are asked in turn and rarely, each on a thread of its own.
    for index in 0..4 {
        let service = Arc::clone(&service);
        thread::spawn(move || {
            worker(async {
                let gateway = Gateway::with(service, index);
                gateway.text("/").await;
                gateway.tick_after(Duration::from_secs(1));
            });
        })
        .join()
        .unwrap();
    }
    assert_eq!(origin.connections(), 1);
    assert_eq!(origin.requests().len(), 4);
}
