//! The proxies under test: their configuration files, starting, reloading, stopping.

mod envoy;
mod express;
mod haproxy;
mod lintel;
mod nginx;
mod probe;
mod reloader;
mod running;
mod site;

use std::path::{Path, PathBuf};

pub(crate) use probe::{generation_served, scrape};
pub(crate) use reloader::Reloader;
pub(crate) use running::Running;
use running::write_config;
pub(crate) use site::{Job, Load, Site};

/// A proxy in one configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Proxy {
    Lintel,
    /// What is counted in a store, taken ahead of need.
    LintelLeased,
    Nginx,
    /// The access log in a 64 KiB buffer.
    NginxBuffered,
    /// The access log in the default `combined` format.
    NginxCombined,
    Haproxy,
    Envoy,
    /// Routes as a list, as most control planes send them, instead of a prefix tree.
    EnvoyList,
    /// No proxy: an application on Node.js that composes, for the scenarios in which that is the job.
    Express,
}

impl Proxy {
    pub(crate) const ALL: [Self; 9] = [
        Self::Lintel,
        Self::LintelLeased,
        Self::Nginx,
        Self::NginxBuffered,
        Self::NginxCombined,
        Self::Haproxy,
        Self::Envoy,
        Self::EnvoyList,
        Self::Express,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Lintel => "lintel",
            Self::LintelLeased => "lintel-leased",
            Self::Nginx => "nginx",
            Self::NginxBuffered => "nginx-buffered",
            Self::NginxCombined => "nginx-combined",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::EnvoyList => "envoy-list",
            Self::Express => "express",
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
    pub(crate) express: PathBuf,
    pub(crate) lintel: PathBuf,
    pub(crate) templates: PathBuf,
}

impl Programs {
    pub(crate) fn of(&self, proxy: Proxy) -> &Path {
        match proxy {
            Proxy::Lintel | Proxy::LintelLeased => &self.lintel,
            Proxy::Nginx | Proxy::NginxBuffered | Proxy::NginxCombined => &self.nginx,
            Proxy::Haproxy => &self.haproxy,
            Proxy::Envoy | Proxy::EnvoyList => &self.envoy,
            Proxy::Express => &self.express,
        }
    }

    /// The version line that the program prints.
    pub(crate) fn version(&self, proxy: Proxy) -> String {
        let flag = match proxy {
            Proxy::Lintel | Proxy::LintelLeased | Proxy::Envoy | Proxy::Express => "--version",
            _ => "-v",
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
