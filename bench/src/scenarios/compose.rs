//! One answer of six calls: by Lintel, by an Express application, and by the client itself.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;

use super::Scenario;
use super::traffic::{Sample, sample};
use crate::driver::Bench;
use crate::load::{Length, Plan, Work};
use crate::proxies::{Job, Load, Proxy};
use crate::screen::{Distance, Screen};
use crate::table::{Table, figure, median};

/// The calls of `configs/jobs/compose`.
pub(super) const LEGS: [&str; 6] = [
    "/profile/7",
    "/orders/7",
    "/recommendations/7",
    "/balance/7",
    "/messages/7",
    "/offers/7",
];
pub(super) const HOME: &str = "/home";
pub(super) const LOAD: Load = of(Job::Compose);

const fn of(job: Job) -> Load {
    Load {
        routes: 0,
        services: 0,
        count_routes: false,
        job,
    }
}

/// Requests for the composed answer.
pub(super) fn home() -> Work {
    Work::Get {
        paths: vec![HOME.to_owned()],
    }
}

/// Who makes one of six.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Way {
    /// The gateway.
    Lintel,
    /// An application behind nothing.
    Express,
    /// The client, which asks through the gateway.
    Client,
}

impl Way {
    const ALL: [Self; 3] = [Self::Lintel, Self::Express, Self::Client];

    const fn name(self) -> &'static str {
        match self {
            Self::Lintel => "lintel",
            Self::Express => "express",
            Self::Client => "six requests through lintel",
        }
    }

    const fn proxy(self) -> Proxy {
        match self {
            Self::Lintel | Self::Client => Proxy::Lintel,
            Self::Express => Proxy::Express,
        }
    }

    fn work(self) -> Work {
        match self {
            Self::Lintel | Self::Express => home(),
            Self::Client => Work::Get {
                paths: LEGS.map(str::to_owned).to_vec(),
            },
        }
    }

    /// Requests for one screen.
    const fn requests(self) -> f64 {
        match self {
            Self::Lintel | Self::Express => 1.0,
            Self::Client => 6.0,
        }
    }
}

pub(super) fn cost(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    let note = "64 connections ask for an object of six small answers, each from a call of its own; all figures are for the six \
                together. The Express application makes the same calls by undici, and writes the same log.";
    costs(bench, (scenario.title, note), LOAD, &Way::ALL)
}

pub(super) fn mixed(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    let note = "As *Six calls, one answer*, but that three of the calls are of gRPC, over HTTP/2, with a message of six fields \
                each. The Express application makes them by grpc-js.";
    let load = of(Job::ComposeMixed);
    costs(
        bench,
        (scenario.title, note),
        load,
        &[Way::Lintel, Way::Express],
    )
}

fn costs(bench: &Bench, (title, note): (&str, &str), load: Load, ways: &[Way]) -> Result<Table> {
    let mut table = Table::new(
        title,
        note.to_owned(),
        &[
            "by",
            "CPU µs",
            "× express",
            "a second",
            "core used",
            "p50 µs",
            "p99",
            "RSS MiB",
            "errors",
        ],
    );
    let samples = rounds(bench, load, ways)?;
    let middle = |way: Way, value: &dyn Fn(&Sample) -> f64| {
        let samples = samples.get(&way);
        samples.map_or(f64::NAN, |samples| median(samples.iter().map(value)))
    };
    for way in ways.iter().copied().filter(|way| samples.contains_key(way)) {
        let cpu = |way: Way| middle(way, &|sample| sample.cpu) * way.requests();
        let errors: u64 = samples
            .get(&way)
            .into_iter()
            .flatten()
            .map(|sample| sample.report.errors)
            .sum();
        table.rows.push(vec![
            way.name().to_owned(),
            figure(cpu(way)),
            figure(cpu(way) / cpu(Way::Express)),
            format!(
                "{:.0}",
                middle(way, &|sample| sample.report.rate()) / way.requests()
            ),
            format!("{:.0} %", middle(way, &|sample| sample.busy) * 100.0),
            figure(middle(way, &|sample| sample.report.quantile(0.5))),
            figure(middle(way, &|sample| sample.report.quantile(0.99))),
            crate::table::mib(middle(way, &|sample| sample.resident)),
            errors.to_string(),
        ]);
    }
    Ok(table)
}

/// Every way once a round, each round beginning with another one.
fn rounds(bench: &Bench, load: Load, ways: &[Way]) -> Result<HashMap<Way, Vec<Sample>>> {
    let mut samples: HashMap<Way, Vec<Sample>> = HashMap::new();
    let mut ways = ways.to_vec();
    ways.retain(|way| bench.options.proxies.contains(&way.proxy()));
    for round in 0..bench.options.rounds {
        if round > 0 {
            ways.rotate_left(1);
        }
        for way in ways.clone() {
            let running = bench.start(way.proxy(), load)?;
            let plan = Plan {
                warmup: bench.options.warmup,
                length: Length::Time(bench.options.duration),
                ..Plan::http1(running.http(), way.work())
            };
            let sample = sample(bench, &running, &plan)?;
            eprintln!(
                "  {:<28} {:>8} µs CPU/screen",
                way.name(),
                figure(sample.cpu * way.requests())
            );
            running.stop();
            samples.entry(way).or_default().push(sample);
        }
    }
    Ok(samples)
}

/// How long the way there and back takes.
const DISTANCES: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(20),
    Duration::from_millis(80),
];

pub(super) fn waits(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    let mut table = Table::new(
        scenario.title,
        "One client, over kept connections and through a line that holds every byte back for half the round trip, from the first \
         request of a screen to the last byte of it, in ms."
            .to_owned(),
        &["by", "p50 at 0 ms", "p99", "p50 at 20 ms", "p99", "p50 at 80 ms", "p99"],
    );
    let screens = match bench.options.duration >= Duration::from_secs(2) {
        true => 100,
        false => 10,
    };
    for (name, proxy, screen, load) in ways() {
        if !bench.options.proxies.contains(&proxy) {
            continue;
        }
        let running = bench.start(proxy, load)?;
        let mut row = vec![name.to_owned()];
        for round_trip in DISTANCES {
            let distance = Distance::open(running.http(), round_trip)?;
            let waited = times(&screen, &distance, screens)?;
            row.extend(
                [0.5, 0.99].map(|share| figure(waited.value_at_quantile(share) as f64 / 1e3)),
            );
        }
        running.stop();
        eprintln!("  {}", row.join("  "));
        table.rows.push(row);
    }
    Ok(table)
}

/// Who makes a screen of the calls, of what it asks, and what is asked.
fn ways() -> [(&'static str, Proxy, Screen, Load); 6] {
    let at_once = |path: &[&str]| Screen {
        paths: path.iter().map(|path| (*path).to_owned()).collect(),
        together: true,
    };
    let one_by_one = Screen {
        together: false,
        ..at_once(&LEGS)
    };
    let mixed = of(Job::ComposeMixed);
    [
        ("lintel", Proxy::Lintel, at_once(&[HOME]), LOAD),
        ("express", Proxy::Express, at_once(&[HOME]), LOAD),
        (
            "the client, six connections at once",
            Proxy::Lintel,
            at_once(&LEGS),
            LOAD,
        ),
        (
            "the client, one after the other",
            Proxy::Lintel,
            one_by_one,
            LOAD,
        ),
        (
            "lintel, three calls of gRPC",
            Proxy::Lintel,
            at_once(&[HOME]),
            mixed,
        ),
        (
            "express, three calls of gRPC",
            Proxy::Express,
            at_once(&[HOME]),
            mixed,
        ),
    ]
}

/// How long the screens take, in µs.
fn times(screen: &Screen, distance: &Distance, screens: u32) -> Result<Histogram<u64>> {
    let mut connections = screen.connect(distance.address())?;
    let mut times = Histogram::new(3)?;
    for turn in 0..=screens {
        let begun = Instant::now();
        screen.show(&mut connections)?;
        // The first one opens the connections to the upstream.
        if turn > 0 {
            times.record(u64::try_from(begun.elapsed().as_micros())?)?;
        }
    }
    Ok(times)
}
