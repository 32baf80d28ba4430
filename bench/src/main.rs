//! Side-by-side benchmark of Lintel, NGINX, HAProxy and Envoy. `bench/run` and `bench/instructions` call it.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing figures is what this program is for"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "no worker runs here: it polls other processes, which tell nobody"
)]

mod campaign;
mod certificate;
mod credentials;
mod driver;
mod instructions;
mod load;
mod machine;
mod process;
mod proxies;
mod results;
mod scenarios;
mod screen;
mod store;
mod table;
mod upstream;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};

use driver::{Bench, Options, find_program};
use instructions::Verdict;
use proxies::{Job, Programs, Proxy};
use scenarios::Scenario;

#[derive(Debug, Parser)]
#[command(about = "Benchmark of Lintel beside NGINX, HAProxy and Envoy")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios and print tables
    Run(Run),
    /// Count instructions per request under callgrind
    Instructions(Instructions),
    /// Let services fail behind each proxy, and see what clients notice
    Campaign(Campaign),
    /// Serve as the upstream (started by the others)
    #[command(hide = true)]
    Upstream,
    /// Serve as Envoy's rate-limit service (started by the others)
    #[command(hide = true)]
    Limiter {
        /// Its own port
        #[arg(long)]
        port: u16,
        /// The port of Redis
        #[arg(long)]
        redis: u16,
    },
}

#[derive(Debug, Args)]
struct Place {
    /// Folder of this benchmark in the repository
    #[arg(long, default_value = "bench")]
    bench: PathBuf,
    /// The gateway's binary
    #[arg(
        long,
        default_value = "target/release/lintel",
        overrides_with = "lintel"
    )]
    lintel: PathBuf,
    /// Core of the proxy
    #[arg(long, default_value_t = 0)]
    proxy_core: usize,
    /// Core of the upstream
    #[arg(long, default_value_t = 1)]
    upstream_core: usize,
}

#[derive(Debug, Args)]
struct Run {
    /// Scenarios, by comma; see --list
    #[arg(long, short, value_delimiter = ',')]
    scenarios: Vec<String>,
    /// Proxies, by comma
    #[arg(long, short, value_delimiter = ',')]
    proxies: Vec<String>,
    /// Rounds over all proxies
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds measured in each run
    #[arg(long)]
    seconds: Option<f64>,
    /// Idle connections
    #[arg(long)]
    idle: Option<usize>,
    /// Routes of the scenarios with many
    #[arg(long)]
    routes: Option<usize>,
    /// Services of the scenario with many
    #[arg(long)]
    services: Option<usize>,
    /// One round of short runs: shows that everything works, and rough figures
    #[arg(long)]
    quick: bool,
    /// Write what was measured into RESULTS.md
    #[arg(long)]
    write: bool,
    /// List the scenarios and end
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct Campaign {
    /// Faults, by comma; all without
    #[arg(long, short, value_delimiter = ',')]
    faults: Vec<String>,
    /// Proxies, by comma: lintel, haproxy, envoy
    #[arg(
        long,
        short,
        value_delimiter = ',',
        default_value = "lintel,haproxy,envoy"
    )]
    proxies: Vec<String>,
    /// Requests per second
    #[arg(long, default_value_t = 500.0)]
    rate: f64,
    /// Seconds that a fault lasts, and that are waited after it
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// Write the table into RESULTS.md
    #[arg(long)]
    write: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct Instructions {
    /// Make the figure the baseline
    #[arg(long)]
    accept: bool,
    /// Another proxy than Lintel: printed, not compared
    #[arg(long)]
    proxy: Option<String>,
    /// What is done besides forwarding: printed, not compared
    #[arg(long, value_enum, default_value_t = Job::None)]
    job: Job,
    #[command(flatten)]
    place: Place,
}

fn main() -> ExitCode {
    match execute(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<()> {
    match command {
        Command::Run(run) if run.list => {
            for scenario in scenarios::ALL {
                let mark = if scenario.default {
                    ""
                } else {
                    " (only when named)"
                };
                println!("{:<18} {}{mark}", scenario.id, scenario.title);
            }
            Ok(())
        }
        Command::Run(run) => driver::run(run.options()?),
        Command::Instructions(instructions) => instructions.run(),
        Command::Campaign(campaign) => campaign.run(),
        Command::Upstream => upstream::serve(),
        Command::Limiter { port, redis } => upstream::limit(port, redis),
    }
}

impl Run {
    fn options(&self) -> Result<Options> {
        let quick = self.quick;
        let seconds = self.seconds.unwrap_or(if quick { 1.0 } else { 4.0 });
        Ok(Options {
            scenarios: chosen_scenarios(&self.scenarios)?,
            proxies: if self.proxies.is_empty() {
                Proxy::ALL.to_vec()
            } else {
                chosen_proxies(&self.proxies)?
            },
            rounds: self.rounds.unwrap_or(if quick { 1 } else { 5 }).max(1),
            duration: Duration::try_from_secs_f64(seconds)?,
            warmup: Duration::from_millis(if quick { 300 } else { 1_000 }),
            idle: self.idle.unwrap_or(if quick { 1_000 } else { 10_000 }),
            routes: self.routes.unwrap_or(if quick { 1_000 } else { 10_000 }),
            services: self.services.unwrap_or(if quick { 250 } else { 2_500 }),
            results: self.write.then(|| self.place.bench.join("RESULTS.md")),
            ..self.place.options()?
        })
    }
}

impl Campaign {
    fn run(&self) -> Result<()> {
        let options = self.place.options()?;
        campaign::run(&campaign::Options {
            faults: self.faults.clone(),
            proxies: chosen_proxies(&self.proxies)?,
            rate: self.rate,
            length: Duration::from_secs_f64(self.seconds),
            core: options.proxy_core,
            programs: options.programs,
            work: options.work,
            results: self.write.then(|| self.place.bench.join("RESULTS.md")),
        })
    }
}

impl Instructions {
    fn run(&self) -> Result<()> {
        let baseline = self.place.bench.join("instructions.baseline");
        let (proxy, verdict) = match &self.proxy {
            Some(name) => (proxy_named(name)?, Verdict::Print),
            None if self.job != Job::None => (Proxy::Lintel, Verdict::Print),
            None if self.accept => (Proxy::Lintel, Verdict::Accept(baseline)),
            None => (Proxy::Lintel, Verdict::Check(baseline)),
        };
        let options = Options {
            proxies: vec![proxy],
            ..self.place.options()?
        };
        let program = options.programs.of(proxy);
        anyhow::ensure!(program.exists(), "{} does not exist", program.display());
        instructions::run(&mut Bench::new(options)?, proxy, self.job, &verdict)
    }
}

impl Place {
    fn options(&self) -> Result<Options> {
        let bench = self
            .bench
            .canonicalize()
            .with_context(|| format!("no folder {}", self.bench.display()))?;
        let work = bench.join(".work");
        Ok(Options {
            scenarios: Vec::new(),
            proxies: Vec::new(),
            rounds: 1,
            duration: Duration::from_secs(1),
            warmup: Duration::ZERO,
            idle: 0,
            routes: 0,
            services: 0,
            proxy_core: self.proxy_core,
            upstream_core: self.upstream_core,
            programs: Programs {
                nginx: find_program("nginx"),
                haproxy: find_program("haproxy"),
                envoy: work.join("install/envoy/_bin/envoy"),
                express: work.join("install/express/server.mjs"),
                lintel: self.lintel.clone(),
                templates: bench.join("configs"),
            },
            work,
            results: None,
        })
    }
}

fn chosen_scenarios(names: &[String]) -> Result<Vec<&'static Scenario>> {
    if names.is_empty() {
        return Ok(scenarios::ALL
            .iter()
            .filter(|scenario| scenario.default)
            .collect());
    }
    let find = |name: &String| {
        let found = scenarios::ALL.iter().find(|scenario| scenario.id == name);
        found.with_context(|| format!("no scenario {name}: see --list"))
    };
    names.iter().map(find).collect()
}

fn chosen_proxies(names: &[String]) -> Result<Vec<Proxy>> {
    names.iter().map(|name| proxy_named(name)).collect()
}

fn proxy_named(name: &str) -> Result<Proxy> {
    let Some(proxy) = Proxy::ALL.into_iter().find(|proxy| proxy.name() == name) else {
        bail!(
            "no proxy {name}: one of {}",
            Proxy::ALL.map(Proxy::name).join(", ")
        );
    };
    Ok(proxy)
}
