//! From the cells of all workers to the text of one scrape.

use std::sync::Arc;

use super::{
    block::{Block, Cell, ListenerCells, ServiceCells},
    cell::{Bounds, Histogram, Totals},
    exposition::{Writer, label},
    family::{self, ALL, Family, OVERFLOW, OVERHEAD_BOUNDS, REQUEST_BOUNDS},
    label::{AttemptOutcome, PoolSource},
    procfs::Process,
    registry::{FamilyGroup, Registry},
};
use crate::sink;

/// Media type of the Prometheus text format.
pub const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Media type of OpenMetrics.
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(crate) fn render(registry: &Registry, workers: u64, out: &mut Vec<u8>, openmetrics: bool) {
    let mut writer = Writer::new(out, openmetrics);
    let process = Process::read();
    for family in ALL {
        writer.family(family);
        samples(registry, family, &mut writer);
        of_process(&process, workers, family, &mut writer);
        if let Some(group) = registry.families.get(family.name) {
            of_series(group, &mut writer);
        }
    }
    for group in registry.families.values() {
        if !ALL.iter().any(|known| known.name == group.family.name) {
            writer.family(group.family);
            of_series(group, &mut writer);
        }
    }
    writer.finish();
}

/// Samples of the families that have blocks of their own.
fn samples(registry: &Registry, family: &'static Family, writer: &mut Writer<'_>) {
    let is = |other: &Family| std::ptr::eq(family, other);
    if is(&family::REQUESTS) {
        requests(registry, writer);
    } else if is(&family::REQUEST_DURATION) {
        for (route, group) in &registry.routes {
            let durations = group.blocks.iter().map(|block| &block.cells.duration);
            let labels = one_label("route", route);
            histogram(writer, &labels, &REQUEST_BOUNDS, durations);
        }
    } else if is(&family::OVERHEAD) {
        let cells = registry.overhead.iter().map(|cells| &**cells);
        histogram(writer, &[], &OVERHEAD_BOUNDS, cells);
    } else if family.labels.first() == Some(&"service") {
        for (service, blocks) in &registry.services {
            of_service(blocks, &one_label("service", service), family, writer);
        }
    } else if family.labels.first() == Some(&"listener") {
        for (listener, blocks) in &registry.listeners {
            of_listener(blocks, &one_label("listener", listener), family, writer);
        }
    } else if is(&family::LOG_DROPPED) {
        sink::each_loss(|name, loss| writer.integer(&one_label("sink", name), loss.dropped));
    } else if is(&family::LOG_WRITE_ERRORS) {
        sink::each_loss(|name, loss| writer.integer(&one_label("sink", name), loss.errors));
    }
}

fn requests(registry: &Registry, writer: &mut Writer<'_>) {
    let mut labels = Vec::new();
    for (route, group) in &registry.routes {
        for ((service, method, status), cells) in &group.requests {
            labels.clear();
            label(&mut labels, "route", route);
            label(&mut labels, "service", service);
            if *status == 0 && &**service == OVERFLOW {
                label(&mut labels, "method", OVERFLOW);
                label(&mut labels, "status", OVERFLOW);
            } else {
                label(&mut labels, "method", method.as_str());
                label(&mut labels, "status", itoa::Buffer::new().format(*status));
            }
            writer.integer(&labels, sum(cells.iter().map(|cell| cell.count.value())));
        }
    }
}

type Blocks<C> = [Arc<Block<C>>];

fn of_service(
    blocks: &Blocks<ServiceCells>,
    labels: &[u8],
    family: &'static Family,
    writer: &mut Writer<'_>,
) {
    let is = |other: &Family| std::ptr::eq(family, other);
    let cells = || blocks.iter().map(|block| &block.cells);
    if is(&family::UPSTREAM_DURATION) {
        let durations = cells().map(|cells| &cells.duration);
        histogram(writer, labels, &REQUEST_BOUNDS, durations);
    } else if is(&family::UPSTREAM_ATTEMPTS) {
        for outcome in AttemptOutcome::ALL {
            let counters = cells().filter_map(|cells| cells.attempts.get(*outcome as usize));
            let labels = with_label(labels, "outcome", outcome.as_str());
            writer.integer(&labels, sum(counters.map(|counter| counter.value())));
        }
    } else if is(&family::UPSTREAM_POOL_HITS) {
        for source in PoolSource::ALL {
            let counters = cells().filter_map(|cells| cells.pool.get(*source as usize));
            let labels = with_label(labels, "from", source.as_str());
            writer.integer(&labels, sum(counters.map(|counter| counter.value())));
        }
    } else if is(&family::UPSTREAM_CONNECTS) {
        writer.integer(labels, sum(cells().map(|cells| cells.connects.value())));
    } else if is(&family::UPSTREAM_CONNECTIONS) {
        writer.signed(labels, cells().map(|cells| cells.connections.value()).sum());
    } else if is(&family::UPSTREAM_REQUESTS_ACTIVE) {
        writer.signed(labels, cells().map(|cells| cells.requests.value()).sum());
    }
}

fn of_listener(
    blocks: &Blocks<ListenerCells>,
    labels: &[u8],
    family: &'static Family,
    writer: &mut Writer<'_>,
) {
    let is = |other: &Family| std::ptr::eq(family, other);
    let cells = || blocks.iter().map(|block| &block.cells);
    if is(&family::CONNECTIONS) {
        writer.integer(labels, sum(cells().map(|cells| cells.connections.value())));
    } else if is(&family::CONNECTIONS_ACTIVE) {
        writer.signed(labels, cells().map(|cells| cells.active.value()).sum());
    } else if is(&family::RECEIVED_BYTES) {
        writer.integer(labels, sum(cells().map(|cells| cells.received.value())));
    } else if is(&family::SENT_BYTES) {
        writer.integer(labels, sum(cells().map(|cells| cells.sent.value())));
    }
}

/// The cells of several workers under the same labels, summed.
fn of_series(group: &FamilyGroup, writer: &mut Writer<'_>) {
    for (labels, all) in &group.series {
        match all.first().map(|series| &series.cell) {
            Some(Cell::Counter(_)) => {
                let counters = all.iter().filter_map(|series| series.cell.counter());
                writer.integer(labels, sum(counters.map(|counter| counter.value())));
            }
            Some(Cell::Gauge(_)) => {
                let gauges = all.iter().filter_map(|series| series.cell.gauge());
                writer.signed(labels, gauges.map(|gauge| gauge.value()).sum());
            }
            Some(Cell::Histogram(first)) => {
                let cells = all.iter().filter_map(|series| series.cell.histogram());
                histogram(writer, labels, first.bounds, cells);
            }
            None => {}
        }
    }
}

fn of_process(process: &Process, workers: u64, family: &'static Family, writer: &mut Writer<'_>) {
    let is = |other: &Family| std::ptr::eq(family, other);
    if is(&family::PROCESS_CPU) {
        if let Some(nanos) = process.cpu_nanos {
            writer.seconds(&[], nanos);
        }
        return;
    }
    let value = [
        (&family::WORKERS, Some(workers)),
        (&family::PROCESS_RESIDENT, process.resident_bytes),
        (&family::PROCESS_VIRTUAL, process.virtual_bytes),
        (&family::PROCESS_THREADS, process.threads),
        (&family::PROCESS_OPEN_FDS, process.open_fds),
        (&family::PROCESS_MAX_FDS, process.max_fds),
        (&family::PROCESS_START, process.started),
    ]
    .into_iter()
    .find_map(|(of, value)| if is(of) { value } else { None });
    if let Some(value) = value {
        writer.integer(&[], value);
    }
}

fn histogram<'a>(
    writer: &mut Writer<'_>,
    labels: &[u8],
    bounds: &Bounds,
    cells: impl Iterator<Item = &'a Histogram>,
) {
    let mut totals = Totals::default();
    let mut any = false;
    for cell in cells {
        totals.add(cell);
        any = true;
    }
    if any {
        writer.histogram(labels, bounds, &totals);
    }
}

fn sum(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0, u64::wrapping_add)
}

fn one_label(name: &str, value: &str) -> Vec<u8> {
    with_label(&[], name, value)
}

fn with_label(before: &[u8], name: &str, value: &str) -> Vec<u8> {
    let mut labels = before.to_vec();
    label(&mut labels, name, value);
    labels
}
