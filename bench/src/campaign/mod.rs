//! The fault campaign: services that fail in every way, behind each proxy, under a moderate load.

mod client;
mod dns;
mod faults;
mod origin;
mod outcome;
mod scene;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::time;

use crate::driver::one_line;
use crate::proxies::{Programs, Proxy};
use crate::results::{self, Section};
use crate::scenarios;
use crate::table::Table;
use faults::Fault;
use outcome::Run;
use scene::{Running, Scene};

/// The heading of its section.
pub(crate) const TITLE: &str = "Faults";

/// Until the health checks have found everybody well, and until the fault.
const BEFORE: Duration = Duration::from_secs(3);
/// Shares of the load that go to the service that fails, and to its neighbour.
const NEIGHBOUR: f64 = 0.2;
/// How often the proxy's counts are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// How the campaign runs.
#[derive(Debug)]
pub(crate) struct Options {
    /// None for all.
    pub(crate) faults: Vec<String>,
    /// None for all.
    pub(crate) proxies: Vec<Proxy>,
    /// Requests per second to the service that fails.
    pub(crate) rate: f64,
    /// How long a fault lasts, and how long is waited after it.
    pub(crate) length: Duration,
    pub(crate) core: usize,
    pub(crate) programs: Programs,
    pub(crate) work: PathBuf,
    /// Where the table goes; only printed without.
    pub(crate) results: Option<PathBuf>,
}

/// Runs every fault at every proxy.
///
/// # Errors
/// No figure was to be had, or the results can't be written.
pub(crate) fn run(options: &Options) -> Result<()> {
    let faults = faults::chosen(&options.faults)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let note = format!(
        "{:.0} requests/s to a service with three endpoints, the first of which fails (or all, or their name), and {:.0} to another \
         service, for {} s before, {} s during and {} s after; one try more for what may be repeated, active checks and ejection at \
         each ([configuration](configs/campaign)). *Out after*: from the fault to the last request before one second without. *Back \
         after*: to the first request at the endpoint, or the last error where all fail. *Tries/request*: during the fault. Errors \
         are everything but a whole 200.",
        options.rate,
        options.rate * NEIGHBOUR,
        BEFORE.as_secs(),
        options.length.as_secs(),
        options.length.as_secs()
    );
    let mut table = Table::new(TITLE, note, outcome::COLUMNS);
    for fault in faults {
        for proxy in &options.proxies {
            eprintln!("· {}: {}", fault.id, proxy.name());
            match runtime.block_on(one(options, fault, *proxy)) {
                Ok(row) => {
                    eprintln!("  {}", row.join(" | "));
                    table.rows.push(row);
                }
                Err(error) => table.remarks.push(format!(
                    "{}, {}: not measured: {}",
                    fault.title,
                    proxy.name(),
                    one_line(&error)
                )),
            }
        }
    }
    println!("{table}");
    if table.rows.is_empty() {
        bail!("nothing was measured");
    }
    if let Some(path) = &options.results {
        let section = Section::new(TITLE, table.to_string());
        results::write(path, "", false, vec![section], &scenarios::titles())?;
        eprintln!("written to {}", path.display());
    }
    Ok(())
}

/// One fault at one proxy, all of it started afresh.
async fn one(options: &Options, fault: Fault, proxy: Proxy) -> Result<Vec<String>> {
    let scene = Scene::new().await?;
    let folder = options.work.join("campaign");
    let running = Running::start(proxy, &options.programs, &folder, options.core, &scene).await?;
    // The first checks, and the first look-up.
    time::sleep(BEFORE).await;
    let begun = Instant::now();
    let end = begun + BEFORE + 2 * options.length;
    let neighbour = client::load(running.http, "/users/1", options.rate * NEIGHBOUR, end);
    let neighbour = tokio::spawn(neighbour);
    let samples = tokio::spawn(client::load(running.http, fault.path(), options.rate, end));
    let counts = async {
        let mut failures = Vec::new();
        while Instant::now() < end {
            failures.push((Instant::now(), running.failures(fault.service()).await));
            time::sleep(LOOK).await;
        }
        failures
    };
    let course = async {
        time::sleep(BEFORE).await;
        let began = Instant::now();
        fault.happen(&scene, options.length).await;
        (began, Instant::now())
    };
    let ((began, over), failures) = tokio::join!(course, counts);
    let run = Run {
        samples: samples.await?,
        neighbour: neighbour.await?,
        begun,
        fault: began,
        over,
        end,
        failures,
    };
    running.stop();
    Ok(run.row(fault, proxy, &scene))
}
