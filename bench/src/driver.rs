//! The driver: starts the upstream, runs each scenario over each proxy, collects the tables.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Resource, getrlimit};

use crate::certificate::{self, Files};
use crate::credentials::Credentials;
use crate::machine;
use crate::proxies::{Job, Load, Programs, Proxy, Running, Site};
use crate::results::{self, Section};
use crate::scenarios::{self, Scenario};
use crate::store::Store;
use crate::table::Table;

/// How a benchmark runs.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) scenarios: Vec<&'static Scenario>,
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) rounds: usize,
    /// Measured time of one run.
    pub(crate) duration: Duration,
    pub(crate) warmup: Duration,
    /// Idle connections.
    pub(crate) idle: usize,
    pub(crate) routes: usize,
    pub(crate) services: usize,
    pub(crate) proxy_core: usize,
    pub(crate) upstream_core: usize,
    pub(crate) work: PathBuf,
    pub(crate) programs: Programs,
    /// Where the results go; only printed without.
    pub(crate) results: Option<PathBuf>,
}

/// The state of a benchmark.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) options: Options,
    pub(crate) upstream: Upstream,
    files: Files,
    pub(crate) credentials: Credentials,
    /// Where replicas count together, once a job needs it.
    pub(crate) store: Option<Store>,
    nofile: u64,
    /// Requests per second of each proxy in the plain closed loop, once measured.
    pub(crate) plain_rates: HashMap<Proxy, f64>,
}

/// Runs the chosen scenarios.
///
/// # Errors
/// The upstream does not start, the result file cannot be written, or no proxy could be measured in some scenario.
pub(crate) fn run(options: Options) -> Result<()> {
    let mut bench = Bench::new(options)?;
    let head = machine::describe(&bench.options);
    println!("{head}");
    let mut sections = Vec::new();
    let mut failed = Vec::new();
    for scenario in bench.options.scenarios.clone() {
        eprintln!("· {}: {}", scenario.id, scenario.title);
        match (scenario.run)(&mut bench, scenario) {
            Ok(table) => {
                println!("{table}");
                sections.push(Section::new(scenario.title, table.to_string()));
                if table.rows.is_empty() {
                    failed.push(scenario.id);
                }
            }
            Err(error) => {
                eprintln!("  {}: {error:#}", scenario.id);
                let text = format!("## {}\n\nNot measured: {error:#}\n", scenario.title);
                sections.push(Section::new(scenario.title, text));
                failed.push(scenario.id);
            }
        }
    }
    if let Some(path) = &bench.options.results {
        let proxies = &bench.options.proxies;
        let whole = Proxy::ALL
            .iter()
            .all(|proxy| !proxy.main() || proxies.contains(proxy));
        results::write(path, &head, whole, sections, &scenarios::titles())?;
        eprintln!("written to {}", path.display());
    }
    if !failed.is_empty() {
        bail!("no figures for: {}", failed.join(", "));
    }
    Ok(())
}

impl Bench {
    /// Starts the upstream and makes the certificate. Proxies whose program is missing are left out, and named.
    ///
    /// # Errors
    /// The upstream does not start, or files cannot be written.
    pub(crate) fn new(mut options: Options) -> Result<Self> {
        fs::create_dir_all(&options.work)?;
        options.proxies.retain(|proxy| {
            let program = options.programs.of(*proxy);
            let there = program.exists();
            if !there {
                eprintln!(
                    "{}: skipped, {} does not exist",
                    proxy.name(),
                    program.display()
                );
            }
            there
        });
        Ok(Self {
            upstream: Upstream::start(options.upstream_core)?,
            files: certificate::make(&options.work.join("tls"))?,
            credentials: Credentials::make(
                &options.work.join("credentials"),
                &options.programs.templates,
            )?,
            store: None,
            nofile: getrlimit(Resource::Nofile).current.unwrap_or(65_536),
            plain_rates: HashMap::new(),
            options,
        })
    }

    /// Starts what a job needs besides the upstream, unless it runs already.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn prepare(&mut self, job: Job) -> Result<()> {
        if job == Job::LimitShared && self.store.is_none() {
            let dir = self.options.work.join("store");
            self.store = Some(Store::start(self.options.upstream_core, &dir)?);
        }
        Ok(())
    }

    /// The proxies of a scenario: the main configurations and those variants it names.
    pub(crate) fn proxies(&self, variants: &[Proxy]) -> Vec<Proxy> {
        let wanted = |proxy: &Proxy| proxy.main() || variants.contains(proxy);
        self.options
            .proxies
            .iter()
            .copied()
            .filter(wanted)
            .collect()
    }

    /// Starts a proxy on the proxy core.
    ///
    /// # Errors
    /// It does not serve within a minute.
    pub(crate) fn start(&self, proxy: Proxy, load: Load) -> Result<Running> {
        self.start_wrapped(proxy, load, &[], Duration::from_secs(60))
    }

    /// Starts a proxy as the argument of another program.
    ///
    /// # Errors
    /// It does not serve in time.
    pub(crate) fn start_wrapped(
        &self,
        proxy: Proxy,
        load: Load,
        wrapper: &[String],
        patience: Duration,
    ) -> Result<Running> {
        let [http, https, grpc, admin] = free_ports()?;
        let site = Site {
            dir: self.options.work.join("sites").join(proxy.name()),
            http,
            https,
            grpc,
            admin,
            upstream_http: self.upstream.http,
            upstream_grpc: self.upstream.grpc,
            redis: self.store.as_ref().map_or(0, |store| store.port),
            limiter: self.store.as_ref().map_or(0, |store| store.service_port),
            cert: self.files.cert.clone(),
            key: self.files.key.clone(),
            pem: self.files.both.clone(),
            load,
            generation: 0,
            nofile: self.nofile,
            credentials: self.credentials.texts.clone(),
        };
        Running::start(
            proxy,
            &self.options.programs,
            site,
            wrapper,
            self.options.proxy_core,
            patience,
        )
    }

    /// Runs a measurement for every proxy of a scenario; what fails becomes a remark of the table, not the end.
    pub(crate) fn each_proxy<T>(
        &mut self,
        table: &mut Table,
        variants: &[Proxy],
        mut measure: impl FnMut(&mut Self, Proxy) -> Result<T>,
    ) -> Vec<(Proxy, T)> {
        let mut measured = Vec::new();
        for proxy in self.proxies(variants) {
            match measure(self, proxy) {
                Ok(value) => measured.push((proxy, value)),
                Err(error) => {
                    eprintln!("  {}: {error:#}", proxy.name());
                    table.remarks.push(format!(
                        "{}: not measured: {}",
                        proxy.name(),
                        one_line(&error)
                    ));
                }
            }
        }
        measured
    }

    /// A rate that every one of the fast proxies can serve: a share of the slowest one's plain closed-loop rate.
    ///
    /// # Errors
    /// None of them could be measured.
    pub(crate) fn common_rate(&mut self, share: f64) -> Result<f64> {
        for proxy in [Proxy::Lintel, Proxy::Nginx, Proxy::Haproxy] {
            if self.options.proxies.contains(&proxy) && !self.plain_rates.contains_key(&proxy) {
                match scenarios::plain_rate(self, proxy) {
                    Ok(rate) => drop(self.plain_rates.insert(proxy, rate)),
                    Err(error) => eprintln!("  {}: {error:#}", proxy.name()),
                }
            }
        }
        let slowest = self
            .plain_rates
            .iter()
            .filter(|(proxy, _)| is_fast(**proxy))
            .map(|(_, rate)| *rate);
        let slowest = slowest.fold(f64::INFINITY, f64::min);
        anyhow::ensure!(
            slowest.is_finite(),
            "none of lintel, nginx and haproxy runs"
        );
        Ok(round_rate(slowest * share))
    }
}

/// The three whose rates set the pace; Envoy is slower by a factor and is shown as it comes.
pub(crate) fn is_fast(proxy: Proxy) -> bool {
    matches!(proxy, Proxy::Lintel | Proxy::Nginx | Proxy::Haproxy)
}

/// Two significant digits are enough for a rate that was chosen.
pub(crate) fn round_rate(rate: f64) -> f64 {
    let unit = 10_f64.powf((rate.log10().floor() - 1.0).max(0.0));
    (rate / unit).floor() * unit
}

/// An error on one line, for a table's remarks.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    format!("{error:#}")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// The upstream process.
#[derive(Debug)]
pub(crate) struct Upstream {
    child: Child,
    pub(crate) http: u16,
    pub(crate) grpc: u16,
}

impl Upstream {
    fn start(core: usize) -> Result<Self> {
        let mut child = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .arg(std::env::current_exe()?)
            .arg("upstream")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the upstream")?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let ports: Option<(u16, u16)> = line
            .trim()
            .split_once(' ')
            .and_then(|(http, grpc)| Some((http.parse().ok()?, grpc.parse().ok()?)));
        let (http, grpc) = ports.context("the upstream did not say its ports")?;
        Ok(Self { child, http, grpc })
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // It holds nothing that could be lost; both fail only if it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ports that were free a moment ago: a proxy cannot be told to take port 0 and say which it got.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let sockets = (0..N)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<Result<Vec<_>, _>>()?;
    let mut ports = [0; N];
    for (port, socket) in ports.iter_mut().zip(&sockets) {
        *port = socket.local_addr()?.port();
    }
    Ok(ports)
}

/// Where a program is found: given, or in the search path.
pub(crate) fn find_program(name: &str) -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&paths)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|dir| dir.join(name));
    candidates
        .find(|path| path.is_file())
        .unwrap_or_else(|| Path::new(name).to_owned())
}
