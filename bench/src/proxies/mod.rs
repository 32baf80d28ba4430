//! The proxies under test: their configuration files, starting, reloading, stopping.

mod envoy;
mod haproxy;
mod lintel;
mod nginx;
mod probe;
mod reloader;

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::process::Tree;
pub(crate) use probe::{generation_served, scrape};
pub(crate) use reloader::Reloader;

/// A proxy in one configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Proxy {
    Lintel,
    Nginx,
    /// The access log in a 64 KiB buffer.
    NginxBuffered,
    /// The access log in the default `combined` format.
    NginxCombined,
    Haproxy,
    Envoy,
    /// Routes as a list, as most control planes send them, instead of a prefix tree.
    EnvoyList,
}

impl Proxy {
    pub(crate) const ALL: [Self; 7] = [
        Self::Lintel,
        Self::Nginx,
        Self::NginxBuffered,
        Self::NginxCombined,
        Self::Haproxy,
        Self::Envoy,
        Self::EnvoyList,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Lintel => "lintel",
            Self::Nginx => "nginx",
            Self::NginxBuffered => "nginx-buffered",
            Self::NginxCombined => "nginx-combined",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::EnvoyList => "envoy-list",
        }
    }

    /// Whether this is a proxy's main configuration, run in every scenario.
    pub(crate) const fn main(self) -> bool {
        matches!(
            self,
            Self::Lintel | Self::Nginx | Self::Haproxy | Self::Envoy
        )
    }
}

/// Where the programs and templates are.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) nginx: PathBuf,
    pub(crate) haproxy: PathBuf,
    pub(crate) envoy: PathBuf,
    pub(crate) lintel: PathBuf,
    pub(crate) templates: PathBuf,
}

impl Programs {
    pub(crate) fn of(&self, proxy: Proxy) -> &Path {
        match proxy {
            Proxy::Lintel => &self.lintel,
            Proxy::Nginx | Proxy::NginxBuffered | Proxy::NginxCombined => &self.nginx,
            Proxy::Haproxy => &self.haproxy,
            Proxy::Envoy | Proxy::EnvoyList => &self.envoy,
        }
    }

    /// The version line that the program prints.
    pub(crate) fn version(&self, proxy: Proxy) -> String {
        let flag = if matches!(proxy, Proxy::Lintel | Proxy::Envoy) {
            "--version"
        } else {
            "-v"
        };
        let output = std::process::Command::new(self.of(proxy))
            .arg(flag)
            .output();
        let text = output
            .map(|output| [output.stdout, output.stderr].concat())
            .unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let line = text
            .lines()
            .find(|line| !line.trim().is_empty())
            .unwrap_or("version unknown")
            .trim();
        // NGINX and Envoy put their own path or name before the figure.
        line.rsplit_once("version: ")
            .map_or(line, |(_, version)| version)
            .to_owned()
    }
}

/// What a proxy is to serve.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// Its own directory: configuration, log, sockets.
    pub(crate) dir: PathBuf,
    pub(crate) http: u16,
    pub(crate) https: u16,
    pub(crate) grpc: u16,
    pub(crate) admin: u16,
    pub(crate) upstream_http: u16,
    pub(crate) upstream_grpc: u16,
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    /// Certificate and key in one file.
    pub(crate) pem: PathBuf,
    pub(crate) load: Load,
    /// 0 or 1: each reload changes to the other, and every route to another service.
    pub(crate) generation: u32,
    /// File descriptors a process may have.
    pub(crate) nofile: u64,
}

/// What is configured besides the catch-all route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// Routes `/r00000/…`.
    pub(crate) routes: usize,
    /// Services that the routes go to in turn; with none they go to the common one.
    pub(crate) services: usize,
    /// Envoy counts per route only where it is told to.
    pub(crate) count_routes: bool,
}

impl Load {
    /// A path on each route.
    pub(crate) fn paths(self) -> Vec<String> {
        (0..self.routes)
            .map(|route| format!("/r{route:05}/items/42"))
            .collect()
    }
}

impl Site {
    /// Away from the configuration: Envoy watches that directory and would wake for every write to a log in it.
    fn logs(&self) -> PathBuf {
        self.dir.join("logs")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.logs().join("access.log")
    }

    fn errors(&self) -> PathBuf {
        self.logs().join("stderr.log")
    }

    /// A number that changes with the generation and is served at `/generation`.
    pub(crate) fn generation_mark(&self) -> String {
        format!("7{:06}", self.generation)
    }

    /// The service of a route in this generation.
    fn service(&self, route: usize) -> String {
        match self.load.services {
            0 if self.generation.is_multiple_of(2) => "up".to_owned(),
            0 => "alt".to_owned(),
            services => format!("s{:05}", route % services),
        }
    }

    /// One line, or several, for each route.
    fn each_route(
        &self,
        line: impl Fn(&mut String, &str, &str) -> std::fmt::Result,
    ) -> Result<String> {
        let mut text = String::new();
        for route in 0..self.load.routes {
            line(&mut text, &format!("r{route:05}"), &self.service(route))?;
        }
        Ok(text)
    }

    fn each_service(&self, line: impl Fn(&mut String, &str) -> std::fmt::Result) -> Result<String> {
        let mut text = String::new();
        for service in 0..self.load.services {
            line(&mut text, &format!("s{service:05}"))?;
        }
        Ok(text)
    }

    /// Fills a template: the names every one may use, and those given.
    fn fill(&self, template: &Path, more: &[(&str, &str)]) -> Result<String> {
        let mut text = fs::read_to_string(template)
            .with_context(|| format!("cannot read {}", template.display()))?;
        let common = [
            ("dir", self.dir.display().to_string()),
            ("log", self.log().display().to_string()),
            ("cert", self.cert.display().to_string()),
            ("key", self.key.display().to_string()),
            ("pem", self.pem.display().to_string()),
            ("http", self.http.to_string()),
            ("https", self.https.to_string()),
            ("grpc", self.grpc.to_string()),
            ("admin", self.admin.to_string()),
            ("upstream_http", self.upstream_http.to_string()),
            ("upstream_grpc", self.upstream_grpc.to_string()),
            ("generation", self.generation_mark()),
            ("nofile", self.nofile.to_string()),
        ];
        for (name, value) in more
            .iter()
            .copied()
            .chain(common.iter().map(|(name, value)| (*name, value.as_str())))
        {
            text = text.replace(&format!("{{{{{name}}}}}"), value);
        }
        if let Some((_, rest)) = text.split_once("{{") {
            bail!(
                "{}: nothing for {{{{{}",
                template.display(),
                rest.lines().next().unwrap_or_default()
            );
        }
        Ok(text)
    }
}

/// A proxy that serves.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) proxy: Proxy,
    pub(crate) tree: Tree,
    pub(crate) site: Site,
    templates: PathBuf,
}

impl Running {
    /// Writes the configuration, starts the program behind `wrapper` on a core and waits until it answers.
    ///
    /// # Errors
    /// It ends or does not answer within `patience`; the message carries the end of what it printed.
    pub(crate) fn start(
        proxy: Proxy,
        programs: &Programs,
        site: Site,
        wrapper: &[String],
        core: usize,
        patience: Duration,
    ) -> Result<Self> {
        if site.dir.exists() {
            fs::remove_dir_all(&site.dir)?;
        }
        fs::create_dir_all(site.logs())?;
        let arguments = write_config(proxy, &programs.templates, &site, &site.dir)?;
        let mut command = wrapper.to_vec();
        command.push(programs.of(proxy).display().to_string());
        command.extend(arguments);
        let errors = site.errors();
        let stdout = if proxy == Proxy::Haproxy {
            site.log()
        } else {
            site.logs().join("stdout.log")
        };
        let tree = Tree::start(core, &command, &stdout, &errors)?;
        let mut running = Self {
            proxy,
            tree,
            site,
            templates: programs.templates.clone(),
        };
        running
            .wait_ready(patience)
            .map_err(|error| anyhow!("{error:#}; {}", tail(&errors)))?;
        Ok(running)
    }

    fn wait_ready(&mut self, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            self.tree.check_alive()?;
            match generation_served(self.http()) {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => {
                    return Err(error.context("not ready in time"));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    pub(crate) fn http(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.site.http).into()
    }

    pub(crate) fn https(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.site.https).into()
    }

    pub(crate) fn grpc(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.site.grpc).into()
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.site.admin).into()
    }

    /// Where the proxy shows its metrics.
    pub(crate) fn metrics_path(&self) -> &'static str {
        match self.proxy {
            Proxy::Envoy | Proxy::EnvoyList => "/stats/prometheus",
            _ => "/metrics",
        }
    }

    /// Makes ready what reloads need, so that one takes no time here.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) fn reloader(&self) -> Result<Reloader> {
        Reloader::new(self)
    }

    /// The end of what the proxy printed, for an error message.
    pub(crate) fn complaint(&self) -> String {
        tail(&self.site.errors())
    }

    /// Stops it and deletes its access log, which may be large.
    pub(crate) fn stop(self) {
        self.stop_within(Duration::from_secs(3));
    }

    /// As `stop`, with more time to end by itself.
    pub(crate) fn stop_within(mut self, patience: Duration) {
        self.tree.stop(patience);
        // Nothing reads it, and a missing one is as good.
        let _ = fs::remove_file(self.site.log());
    }
}

/// Writes a proxy's files into a directory, usually its own; its arguments.
fn write_config(proxy: Proxy, templates: &Path, site: &Site, into: &Path) -> Result<Vec<String>> {
    match proxy {
        Proxy::Lintel => lintel::write(templates, site, into),
        Proxy::Nginx => nginx::write(templates, site, into, "json"),
        Proxy::NginxBuffered => nginx::write(templates, site, into, "json buffer=64k flush=1s"),
        Proxy::NginxCombined => nginx::write(templates, site, into, "combined"),
        Proxy::Haproxy => haproxy::write(templates, site, into),
        Proxy::Envoy => envoy::write(templates, site, into, envoy::Routes::Tree),
        Proxy::EnvoyList => envoy::write(templates, site, into, envoy::Routes::List),
    }
}

fn tail(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    let mut tail = String::from("it printed:");
    for line in lines.iter().rev() {
        // Writing to a string does not fail.
        let _ = write!(tail, "\n    {line}");
    }
    tail
}
