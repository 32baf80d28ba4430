//! Latency at a fixed rate while the configuration is replaced again and again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::driver::Bench;
use crate::load::{Length, Pace, Plan, Work};
use crate::proxies::{Load, Proxy, Reloader};
use crate::scenarios::{Scenario, traffic};
use crate::table::{Table, figure, median};

/// Between the moment one generation serves and the request for the next.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a reload may take.
const PATIENCE: Duration = Duration::from_secs(20);

struct Outcome {
    calm: traffic::Sample,
    reloading: traffic::Sample,
    /// Milliseconds from asking for a reload until new connections meet the new generation.
    reloads: Vec<f64>,
}

pub(super) fn run(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    let rate = bench.common_rate(0.15)?;
    // Half of the routes of the other scenario; every one of them goes to another service after each reload.
    let load = Load {
        routes: bench.options.routes / 2,
        ..Load::default()
    };
    let note = format!(
        "{} routes, all changed by each reload, {rate:.0} requests/s over 64 kept connections, a reload {} ms after the last \
         one serves. Lintel and NGINX get SIGHUP, HAProxy's master SIGUSR2, Envoy a new route file (it has no way to \
         reload its whole file). NGINX and HAProxy start a new process and close the old one's idle connections: *repeated* \
         counts requests that met such a close and were sent again.",
        load.routes,
        PAUSE.as_millis(),
    );
    let columns = [
        "proxy",
        "p50 µs calm",
        "p99 calm",
        "p99.9 calm",
        "p50 reloading",
        "p99 reloading",
        "p99.9 reloading",
        "max reloading",
        "reloads",
        "ms/reload",
        "errors",
        "repeated",
        "CPU µs/request",
    ];
    let mut table = Table::new(scenario.title, note, &columns);
    let measured = bench.each_proxy(&mut table, &[], |bench, proxy| {
        once(bench, proxy, load, rate)
    });
    for (proxy, outcome) in measured {
        let calm = &outcome.calm.report;
        let reloading = &outcome.reloading.report;
        if let Some(error) = &reloading.first_error {
            table
                .remarks
                .push(format!("{}: first error: {error}", proxy.name()));
        }
        let mut row = vec![proxy.name().to_owned()];
        row.extend([0.5, 0.99, 0.999].map(|share| figure(calm.quantile(share))));
        row.extend([0.5, 0.99, 0.999, 1.0].map(|share| figure(reloading.quantile(share))));
        row.push(outcome.reloads.len().to_string());
        row.push(figure(median(outcome.reloads)));
        row.push(reloading.errors.to_string());
        row.push(reloading.retried.to_string());
        row.push(figure(outcome.reloading.cpu));
        table.rows.push(row);
    }
    Ok(table)
}

fn once(bench: &Bench, proxy: Proxy, load: Load, rate: f64) -> Result<Outcome> {
    let running = bench.start(proxy, load)?;
    let plan = Plan {
        pace: Pace::Fixed(rate),
        warmup: bench.options.warmup,
        // A few reloads must fit.
        length: Length::Time(bench.options.duration.max(Duration::from_secs(2))),
        ..Plan::http1(
            running.http(),
            Work::Get {
                paths: load.paths(),
            },
        )
    };
    let calm = traffic::sample(bench, &running, &plan)?;
    let mut reloader = running.reloader()?;
    let stop = AtomicBool::new(false);
    let (reloading, reloads) = thread::scope(|scope| {
        let worker = scope.spawn(|| reload_until(&mut reloader, &stop));
        let sample = traffic::sample(bench, &running, &plan);
        stop.store(true, Ordering::Relaxed);
        let reloads = worker
            .join()
            .map_err(|_| anyhow!("the reload loop panicked"))?;
        anyhow::Ok((
            sample?,
            reloads.map_err(|error| anyhow!("{error:#}; {}", running.complaint()))?,
        ))
    })?;
    running.stop();
    Ok(Outcome {
        calm,
        reloading,
        reloads,
    })
}

fn reload_until(reloader: &mut Reloader, stop: &AtomicBool) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        times.push(reloader.reload(PATIENCE)?.as_secs_f64() * 1e3);
        thread::sleep(PAUSE);
    }
    Ok(times)
}
