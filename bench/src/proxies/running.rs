//! A proxy that serves: starting, asking, stopping it.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::probe::generation_served;
use super::{Programs, Proxy, Reloader, Site, envoy, express, haproxy, lintel, nginx};
use crate::process::Tree;

/// A proxy that serves.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) proxy: Proxy,
    pub(crate) tree: Tree,
    pub(crate) site: Site,
    pub(super) templates: PathBuf,
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
pub(super) fn write_config(
    proxy: Proxy,
    templates: &Path,
    site: &Site,
    into: &Path,
) -> Result<Vec<String>> {
    match proxy {
        Proxy::Lintel => lintel::write(templates, site, into, ""),
        Proxy::LintelLeased => lintel::write(templates, site, into, ", lease: 1000"),
        Proxy::Nginx => nginx::write(templates, site, into, "json"),
        Proxy::NginxBuffered => nginx::write(templates, site, into, "json buffer=64k flush=1s"),
        Proxy::NginxCombined => nginx::write(templates, site, into, "combined"),
        Proxy::Haproxy => haproxy::write(templates, site, into),
        Proxy::Envoy => envoy::write(templates, site, into, envoy::Routes::Tree),
        Proxy::EnvoyList => envoy::write(templates, site, into, envoy::Routes::List),
        Proxy::Express => express::write(templates, site),
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
