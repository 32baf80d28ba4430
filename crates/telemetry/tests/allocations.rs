//! What a request costs of the allocator once its series exist: nothing for metrics, one buffer a
//! batch for the access log.

#![allow(clippy::unwrap_used)]

#[path = "support/record.rs"]
mod record;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    time::Duration,
};

use http::Method;
use lintel_telemetry::{
    Catalogue, Sink, Target,
    access_log::Format,
    metrics::{AttemptOutcome, PoolSource},
    sink::BATCH_BYTES,
};
use record::record;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts for each thread apart, so that log writers do not disturb.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(run: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    run();
    ALLOCATIONS.get() - before
}

#[test]
fn counting_a_request_allocates_nothing() {
    let catalogue = Catalogue::new();
    let worker = catalogue.worker();
    let (route, service) = (worker.route("orders"), worker.service("shop"));
    let listener = worker.listener("public");
    let request = || {
        let time = Duration::from_millis(1);
        let _connection = listener.connection();
        let _upstream = service.request();
        service.connection_from(PoolSource::Own);
        service.attempt(AttemptOutcome::Answered);
        service.answered(time);
        route.reject("rate_limit", "too_many_requests");
        route.record(Some(&service), &Method::GET, 200, time, Some(time));
        listener.sent(1);
        drop(worker.route("orders"));
    };
    assert!(allocations(request) > 0, "the first one makes its series");
    assert_eq!(allocations(|| (0..1000).for_each(|_| request())), 0);
}

#[test]
fn logging_a_request_allocates_one_buffer_a_batch() {
    let sink = Sink::open(&Target::File("/dev/null".into())).unwrap();
    let record = record();
    const REQUESTS: u64 = 10_000;
    let mut line = Vec::new();
    Format::Json.encode(&mut line, &record);
    let batches = REQUESTS * line.len() as u64 / BATCH_BYTES as u64 + 1;
    sink.write(Format::Json, &record);
    let made = allocations(|| {
        for _ in 0..REQUESTS {
            sink.write(Format::Json, &record);
        }
    });
    // The queue's own blocks are there from the start.
    assert!(made <= batches + 1, "{made} for {batches} batches");
}
