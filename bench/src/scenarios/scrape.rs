//! How long a scrape of many routes' metrics takes, and what requests feel of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};

use crate::driver::Bench;
use crate::load::{self, Length, Pace, Plan, Work};
use crate::proxies::{Job, Load, Proxy, Running, scrape};
use crate::scenarios::{Scenario, traffic};
use crate::table::{Table, figure, median, mib};

/// Between two scrapes: much less than an operator's 15 s, so that a short run has some.
const PAUSE: Duration = Duration::from_millis(500);

struct Outcome {
    calm: traffic::Sample,
    scraped: traffic::Sample,
    /// Milliseconds of each scrape.
    times: Vec<f64>,
    /// Bytes of one.
    size: f64,
}

pub(super) fn run(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    let rate = bench.common_rate(0.15)?;
    let routes = bench.options.routes;
    let note = format!(
        "{routes} routes, each of which has had requests; a scrape {} ms after the last one, {rate:.0} requests/s over 64 kept \
         connections. Envoy counts per route by `stat_prefix`; HAProxy counts per backend, so each route has its own; NGINX's \
         `stub_status` has no figures per route and is here for its latency alone.",
        PAUSE.as_millis(),
    );
    let columns = [
        "proxy",
        "ms/scrape",
        "slowest ms",
        "size MiB",
        "scrapes",
        "p99 µs calm",
        "p99 scraped",
        "p99.9 calm",
        "p99.9 scraped",
        "errors",
    ];
    let mut table = Table::new(scenario.title, note, &columns);
    let measured = bench.each_proxy(&mut table, &[], |bench, proxy| once(bench, proxy, rate));
    for (proxy, outcome) in measured {
        let (calm, scraped) = (&outcome.calm.report, &outcome.scraped.report);
        table.rows.push(vec![
            proxy.name().to_owned(),
            figure(median(outcome.times.iter().copied())),
            figure(outcome.times.iter().copied().fold(0.0, f64::max)),
            mib(outcome.size),
            outcome.times.len().to_string(),
            figure(calm.quantile(0.99)),
            figure(scraped.quantile(0.99)),
            figure(calm.quantile(0.999)),
            figure(scraped.quantile(0.999)),
            (calm.errors + scraped.errors).to_string(),
        ]);
    }
    Ok(table)
}

fn once(bench: &Bench, proxy: Proxy, rate: f64) -> Result<Outcome> {
    let routes = bench.options.routes;
    let services = if proxy == Proxy::Haproxy { routes } else { 0 };
    let load = Load {
        routes,
        services,
        count_routes: true,
        job: Job::None,
    };
    let running = bench.start(proxy, load)?;
    let paths = Work::Get {
        paths: load.paths(),
    };
    let every_route = Plan {
        warmup: Duration::ZERO,
        length: Length::Requests(2 * routes as u64),
        ..Plan::http1(running.http(), paths.clone())
    };
    load::run(&every_route, &mut |_| {})?;
    let plan = Plan {
        pace: Pace::Fixed(rate),
        warmup: bench.options.warmup,
        length: Length::Time(bench.options.duration.max(Duration::from_secs(2))),
        ..Plan::http1(running.http(), paths)
    };
    let calm = traffic::sample(bench, &running, &plan)?;
    let stop = AtomicBool::new(false);
    let (scraped, scrapes) = thread::scope(|scope| {
        let worker = scope.spawn(|| scrape_until(&running, &stop));
        let sample = traffic::sample(bench, &running, &plan);
        stop.store(true, Ordering::Relaxed);
        let scrapes = worker
            .join()
            .map_err(|_| anyhow!("the scrape loop panicked"))?;
        anyhow::Ok((sample?, scrapes?))
    })?;
    running.stop();
    let (times, size) = scrapes;
    Ok(Outcome {
        calm,
        scraped,
        times,
        size,
    })
}

fn scrape_until(running: &Running, stop: &AtomicBool) -> Result<(Vec<f64>, f64)> {
    let mut times = Vec::new();
    let mut size = 0.0;
    while !stop.load(Ordering::Relaxed) {
        let scrape = scrape(
            running.admin(),
            running.metrics_path(),
            Duration::from_secs(30),
        )?;
        ensure!(!scrape.body.is_empty(), "an empty scrape");
        times.push(scrape.took.as_secs_f64() * 1e3);
        size = scrape.body.len() as f64;
        thread::sleep(PAUSE);
    }
    Ok((times, size))
}
