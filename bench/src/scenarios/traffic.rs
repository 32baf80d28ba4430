//! Scenarios that send requests and measure what they cost.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use crate::driver::{Bench, is_fast, one_line, round_rate};
use crate::load::{self, Length, Pace, Plan, Report, Security, Work};
use crate::process::{CpuTime, core_time};
use crate::proxies::{Job, Load, Proxy, Running};
use crate::scenarios::Scenario;
use crate::store::{Store, Used};
use crate::table::{Table, figure, median, mib};

const MIB: usize = 1 << 20;
/// A larger share of the proxy's core taken by others is worth a remark: the figures are not to be trusted.
const DISTURBED: f64 = 0.05;

/// The variable parts of a traffic scenario.
pub(super) struct Traffic<'a> {
    pub(super) note: String,
    pub(super) load: Load,
    pub(super) variants: &'static [Proxy],
    pub(super) plan: &'a dyn Fn(&Running) -> Plan,
    /// Whether latencies are also compared at one fixed rate.
    pub(super) fixed: bool,
}

/// One run of one proxy.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Microseconds of CPU per request.
    pub(crate) cpu: f64,
    /// Share of one core that the proxy used.
    pub(crate) busy: f64,
    /// Share of that core that others took.
    others: f64,
    pub(crate) report: Report,
    pub(crate) resident: f64,
    /// Where replicas count together.
    shared: Option<Shared>,
}

/// What a request has used of a store.
#[derive(Debug, Clone, Copy)]
struct Shared {
    /// Microseconds of Redis, and of the service before it.
    redis: f64,
    service: f64,
    /// How often something was counted.
    questions: f64,
}

pub(super) fn plain(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    let traffic = Traffic {
        note: "64 connections, `GET` answered with 100 bytes of JSON.".to_owned(),
        load: Load::default(),
        variants: &[Proxy::NginxBuffered, Proxy::NginxCombined],
        plan: &|proxy| Plan::http1(proxy.http(), Work::small()),
        fixed: true,
    };
    let (table, rates) = measure(bench, scenario, &traffic)?;
    bench.plain_rates = rates;
    Ok(table)
}

pub(super) fn tls(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    let traffic = Traffic {
        note: "As plain, with TLS 1.3, AES-128-GCM, X25519 and an ECDSA P-256 certificate towards the client.".to_owned(),
        load: Load::default(),
        variants: &[],
        plan: &|proxy| Plan { security: Security::Full, ..Plan::http1(proxy.https(), Work::small()) },
        fixed: true,
    };
    Ok(measure(bench, scenario, &traffic)?.0)
}

pub(super) fn connect(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    let traffic = Traffic {
        note: "64 clients, each with a new TCP connection for each request (`Connection: close`)."
            .to_owned(),
        load: Load::default(),
        variants: &[],
        plan: &|proxy| Plan {
            fresh_connections: true,
            ..Plan::http1(proxy.http(), Work::small())
        },
        fixed: false,
    };
    Ok(measure(bench, scenario, &traffic)?.0)
}

pub(super) fn handshake_full(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    handshake(bench, scenario, |proxy| Plan {
        security: Security::Full,
        fresh_connections: true,
        ..Plan::http1(proxy.https(), Work::small())
    })
}

pub(super) fn handshake_resumed(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    handshake(bench, scenario, |proxy| Plan {
        security: Security::Resumed,
        fresh_connections: true,
        ..Plan::http1(proxy.https(), Work::small())
    })
}

fn handshake(bench: &mut Bench, scenario: &Scenario, plan: fn(&Running) -> Plan) -> Result<Table> {
    let traffic = Traffic {
        note: "64 clients, each with a new connection, handshake, request and close. The handshake alone is this figure \
               less the one of *A new connection for each request*."
            .to_owned(),
        load: Load::default(),
        variants: &[],
        plan: &plan,
        fixed: false,
    };
    Ok(measure(bench, scenario, &traffic)?.0)
}

pub(super) fn h2(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    let traffic = Traffic {
        note: "16 TLS connections with 4 streams each, `GET` answered with 100 bytes of JSON by an HTTP/1.1 upstream."
            .to_owned(),
        load: Load::default(),
        variants: &[],
        plan: &|proxy| Plan { security: Security::Full, ..Plan::http2(proxy.https(), Work::small()) },
        fixed: true,
    };
    Ok(measure(bench, scenario, &traffic)?.0)
}

pub(super) fn grpc(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    let traffic = Traffic {
        note: "16 plaintext HTTP/2 connections with 4 streams each, a unary call with a 15-byte message echoed, \
               trailers checked."
            .to_owned(),
        load: Load::default(),
        variants: &[],
        plan: &|proxy| Plan::http2(proxy.grpc(), Work::Unary),
        fixed: true,
    };
    Ok(measure(bench, scenario, &traffic)?.0)
}

pub(super) fn download(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    let traffic = Traffic {
        note: "16 keep-alive connections, answers of 1 MiB.".to_owned(),
        load: Load::default(),
        variants: &[],
        plan: &|proxy| Plan {
            connections: 16,
            ..Plan::http1(
                proxy.http(),
                Work::Get {
                    paths: vec![format!("/bytes/{MIB}")],
                },
            )
        },
        fixed: false,
    };
    Ok(measure(bench, scenario, &traffic)?.0)
}

pub(super) fn upload(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    let traffic = Traffic {
        note: "16 keep-alive connections, requests with 1 MiB, streamed to the upstream."
            .to_owned(),
        load: Load::default(),
        variants: &[],
        plan: &|proxy| Plan {
            connections: 16,
            ..Plan::http1(proxy.http(), Work::Post { bytes: MIB })
        },
        fixed: false,
    };
    Ok(measure(bench, scenario, &traffic)?.0)
}

pub(super) fn routes(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    let routes = bench.options.routes;
    let traffic = Traffic {
        note: format!("As plain, with {routes} prefix routes that are asked for in turn."),
        load: Load {
            routes,
            ..Load::default()
        },
        variants: &[Proxy::EnvoyList],
        plan: &|proxy| {
            Plan::http1(
                proxy.http(),
                Work::Get {
                    paths: proxy.site.load.paths(),
                },
            )
        },
        fixed: true,
    };
    Ok(measure(bench, scenario, &traffic)?.0)
}

/// The plain closed-loop rate of one proxy, from one short run.
///
/// # Errors
/// It does not start or serve.
pub(crate) fn plain_rate(bench: &Bench, proxy: Proxy) -> Result<f64> {
    let running = bench.start(proxy, Load::default())?;
    let plan = Plan {
        length: Length::Time(Duration::from_secs(1)),
        ..Plan::http1(running.http(), Work::small())
    };
    let rate = sample(bench, &running, &plan)?.report.rate();
    running.stop();
    Ok(rate)
}

type Samples = HashMap<Proxy, Vec<Sample>>;

pub(super) fn measure(
    bench: &mut Bench,
    scenario: &Scenario,
    traffic: &Traffic<'_>,
) -> Result<(Table, HashMap<Proxy, f64>)> {
    let mut table = Table::new(scenario.title, traffic.note.clone(), COLUMNS);
    let closed = rounds(bench, &mut table, traffic, Pace::Closed);
    let rates: HashMap<Proxy, f64> = closed
        .iter()
        .map(|(proxy, samples)| {
            (
                *proxy,
                median(samples.iter().map(|sample| sample.report.rate())),
            )
        })
        .collect();
    let mut paced = Samples::new();
    if traffic.fixed {
        let slowest = rates
            .iter()
            .filter(|(proxy, _)| is_fast(**proxy))
            .map(|(_, rate)| *rate);
        let rate = round_rate(slowest.fold(f64::INFINITY, f64::min) * 0.6);
        if rate.is_finite() {
            table
                .columns
                .extend(["p50", "p99", "p99.9"].map(|name| format!("{name} at {rate:.0}/s")));
            paced = rounds(bench, &mut table, traffic, Pace::Fixed(rate));
        }
    }
    if traffic.load.job == Job::LimitShared {
        table.columns.extend(Shared::COLUMNS.map(str::to_owned));
    }
    fill(bench, &mut table, traffic, &closed, &paced);
    Ok((table, rates))
}

/// Every proxy once a round, each round beginning with another one, so that no place in the order favours any.
fn rounds(bench: &mut Bench, table: &mut Table, traffic: &Traffic<'_>, pace: Pace) -> Samples {
    let mut samples = Samples::new();
    let mut proxies = bench.proxies(traffic.variants);
    for round in 0..bench.options.rounds {
        if round > 0 {
            proxies.rotate_left(1);
        }
        for proxy in proxies.clone() {
            match once(bench, proxy, traffic, pace) {
                Ok(sample) => samples.entry(proxy).or_default().push(sample),
                Err(error) => {
                    eprintln!("  {}: {error:#}", proxy.name());
                    let remark = format!("{}: not measured: {}", proxy.name(), one_line(&error));
                    if !table.remarks.contains(&remark) {
                        table.remarks.push(remark);
                    }
                    // It would fail in the next round too.
                    proxies.retain(|other| *other != proxy);
                }
            }
        }
    }
    samples
}

fn once(bench: &Bench, proxy: Proxy, traffic: &Traffic<'_>, pace: Pace) -> Result<Sample> {
    let running = bench.start(proxy, traffic.load)?;
    let length = Length::Time(bench.options.duration);
    let plan = Plan {
        pace,
        length,
        warmup: bench.options.warmup,
        ..(traffic.plan)(&running)
    };
    let sample = sample(bench, &running, &plan)
        .map_err(|error| anyhow!("{error:#}; {}", running.complaint()))?;
    let report = &sample.report;
    eprintln!(
        "  {:<14} {:>8} µs CPU/request {:>8.0}/s  p99 {:>8} µs  errors {}{}",
        proxy.name(),
        figure(sample.cpu),
        report.rate(),
        figure(report.quantile(0.99)),
        report.errors,
        report
            .first_error
            .as_ref()
            .map(|error| format!(" ({error})"))
            .unwrap_or_default(),
    );
    running.stop();
    Ok(sample)
}

/// Runs a plan against a proxy and accounts for the proxy's CPU time in the measured window.
pub(super) fn sample(bench: &Bench, running: &Running, plan: &Plan) -> Result<Sample> {
    let mut marks = Vec::new();
    let report = load::run(plan, &mut |_| marks.push(Mark::new(bench, running)))?;
    let mut marks = marks.into_iter();
    let (Some(begun), Some(ended)) = (marks.next().transpose()?, marks.next().transpose()?) else {
        anyhow::bail!("the measured window has no edges");
    };
    let used = ended.proxy.0 - begun.proxy.0;
    let wall = (ended.at - begun.at).as_secs_f64();
    ensure!(report.completed > 0, "no request was answered");
    if plan.security == Security::Resumed {
        ensure!(
            report.resumed * 10 > report.connects * 9,
            "{} of {} handshakes resumed",
            report.resumed,
            report.connects
        );
    }
    let requests = report.completed as f64;
    let shared = begun.store.zip(ended.store);
    let shared = shared.map(|(begun, ended)| Shared {
        redis: (ended.redis - begun.redis) * 1e6 / requests,
        service: (ended.service - begun.service) * 1e6 / requests,
        questions: (ended.questions - begun.questions) as f64 / requests,
    });
    Ok(Sample {
        shared,
        cpu: used * 1e6 / requests,
        busy: used / wall,
        others: (ended.core.0 - begun.core.0 - used).max(0.0) / wall,
        resident: running.tree.resident()? as f64,
        report,
    })
}

/// An edge of the measured window.
#[derive(Debug)]
struct Mark {
    at: Instant,
    proxy: CpuTime,
    core: CpuTime,
    store: Option<Used>,
}

impl Mark {
    fn new(bench: &Bench, running: &Running) -> Result<Self> {
        Ok(Self {
            store: bench.store.as_ref().map(Store::used).transpose()?,
            at: Instant::now(),
            proxy: running.tree.cpu_time()?,
            core: core_time(bench.options.proxy_core)?,
        })
    }
}

const COLUMNS: &[&str] = &[
    "proxy",
    "CPU µs/request",
    "× nginx",
    "× haproxy",
    "× envoy",
    "requests/s",
    "core used",
    "RSS MiB",
    "errors",
    "p50 µs",
    "p99",
    "p99.9",
];

fn fill(
    bench: &Bench,
    table: &mut Table,
    traffic: &Traffic<'_>,
    closed: &Samples,
    paced: &Samples,
) {
    let of = |samples: &Samples, proxy: Proxy, value: &dyn Fn(&Sample) -> f64| {
        samples
            .get(&proxy)
            .map_or(f64::NAN, |samples| median(samples.iter().map(value)))
    };
    for proxy in bench
        .proxies(traffic.variants)
        .into_iter()
        .filter(|proxy| closed.contains_key(proxy))
    {
        let cpu = of(closed, proxy, &|sample| sample.cpu);
        let against = |anchor: Proxy| figure(cpu / of(closed, anchor, &|sample| sample.cpu));
        let quantile = |samples: &Samples, quantile: f64| {
            figure(of(samples, proxy, &|sample| {
                sample.report.quantile(quantile)
            }))
        };
        let both = || {
            [closed, paced]
                .into_iter()
                .filter_map(|samples| samples.get(&proxy))
                .flatten()
        };
        let errors: u64 = both().map(|sample| sample.report.errors).sum();
        if let Some(error) = both().find_map(|sample| sample.report.first_error.as_ref()) {
            table
                .remarks
                .push(format!("{}: first error: {error}", proxy.name()));
        }
        table.remarks.extend(disturbed(proxy, closed.get(&proxy)));
        let mut row = vec![
            proxy.name().to_owned(),
            figure(cpu),
            against(Proxy::Nginx),
            against(Proxy::Haproxy),
            against(Proxy::Envoy),
            format!("{:.0}", of(closed, proxy, &|sample| sample.report.rate())),
            format!("{:.0} %", of(closed, proxy, &|sample| sample.busy) * 100.0),
            mib(of(closed, proxy, &|sample| sample.resident)),
            errors.to_string(),
            quantile(closed, 0.5),
            quantile(closed, 0.99),
            quantile(closed, 0.999),
        ];
        if !paced.is_empty() {
            row.extend([0.5, 0.99, 0.999].map(|share| quantile(paced, share)));
        }
        if traffic.load.job == Job::LimitShared {
            row.extend(Shared::row(closed.get(&proxy)));
        }
        table.rows.push(row);
    }
}

impl Shared {
    const COLUMNS: [&str; 3] = ["µs of Redis", "µs of the service", "counted/request"];

    fn row(samples: Option<&Vec<Sample>>) -> [String; 3] {
        let of = |value: fn(&Self) -> f64| {
            let known = samples
                .into_iter()
                .flatten()
                .filter_map(|sample| sample.shared.as_ref());
            median(known.map(value))
        };
        let counted = of(|shared| shared.questions);
        [
            figure(of(|shared| shared.redis)),
            figure(of(|shared| shared.service)),
            format!("{counted:.3}"),
        ]
    }
}

/// A remark where others took too much of a proxy's core.
fn disturbed(proxy: Proxy, samples: Option<&Vec<Sample>>) -> Option<String> {
    let others = median(samples.into_iter().flatten().map(|sample| sample.others));
    let share = others * 100.0;
    (others > DISTURBED).then(|| {
        format!(
            "{}: other processes took {share:.0} % of its core",
            proxy.name()
        )
    })
}
