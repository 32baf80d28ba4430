//! `cargo bench -p lintel-telemetry --bench access_log`
//!
//! Budget: 500 ns for a JSON line.

#[path = "../tests/support/record.rs"]
mod record;

use std::hint::black_box;

use divan::Bencher;
use lintel_telemetry::{
    Sink, Target,
    access_log::{Format, flush},
};
use record::record;

fn main() {
    divan::main();
}

#[divan::bench(args = [Format::Json, Format::Human], sample_size = 100)]
fn encode(bencher: Bencher<'_, '_>, format: Format) {
    let record = record();
    let mut out = Vec::new();
    bencher.bench_local(|| {
        out.clear();
        format.encode(&mut out, black_box(&record));
        out.len()
    });
}

/// With gathering and hand-over; `/dev/null` takes every batch at once.
#[divan::bench(sample_size = 100)]
fn write(bencher: Bencher<'_, '_>) {
    let Ok(sink) = Sink::open(&Target::File("/dev/null".into())) else {
        return;
    };
    let record = record();
    bencher.bench_local(|| sink.write(Format::Json, black_box(&record)));
    flush();
}
