//! Endpoints, a name server and a proxy before them.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::time;

use super::dns::{NameServer, Say};
use super::origin::{self, Endpoint};
use crate::driver::free_ports;
use crate::process::Tree;
use crate::proxies::{Programs, Proxy, generation_served, scrape};

/// What a proxy is put before.
#[derive(Debug)]
pub(super) struct Scene {
    /// Of the service that fails; the first is the one that does.
    pub(super) endpoints: Vec<Endpoint>,
    /// Of the neighbour.
    users: Endpoint,
    pub(super) names: NameServer,
}

impl Scene {
    /// # Errors
    /// No sockets are to be had.
    pub(super) async fn new() -> Result<Self> {
        let endpoints = origin::endpoints(3)?;
        let truth = addresses(&endpoints);
        Ok(Self {
            users: Endpoint::start((Ipv4Addr::LOCALHOST, 0).into())?,
            names: NameServer::start(truth).await?,
            endpoints,
        })
    }

    /// The endpoint that fails.
    #[expect(clippy::indexing_slicing, reason = "there are always three")]
    pub(super) fn first(&self) -> &Endpoint {
        &self.endpoints[0]
    }

    /// What the name server says if all is well.
    pub(super) fn truth(&self) -> Say {
        addresses(&self.endpoints)
    }

    fn each(&self, line: impl Fn(usize, SocketAddr) -> String, separator: &str) -> String {
        let all = self.endpoints.iter().enumerate();
        let lines: Vec<String> = all.map(|(at, one)| line(at, one.address)).collect();
        lines.join(separator)
    }
}

fn addresses(endpoints: &[Endpoint]) -> Say {
    let all = endpoints.iter().filter_map(|one| match one.address.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    Say::Addresses(all.collect())
}

/// A proxy that serves.
#[derive(Debug)]
pub(super) struct Running {
    proxy: Proxy,
    tree: Tree,
    pub(super) http: SocketAddr,
    admin: SocketAddr,
}

impl Running {
    /// Starts a proxy on a core, and waits until it answers.
    ///
    /// # Errors
    /// It does not within 20 s.
    pub(super) async fn start(
        proxy: Proxy,
        programs: &Programs,
        folder: &Path,
        core: usize,
        scene: &Scene,
    ) -> Result<Self> {
        let [http, admin] = free_ports()?;
        let folder = folder.join(proxy.name());
        fs::create_dir_all(&folder)?;
        let file = write(proxy, programs, &folder, scene, http, admin)?;
        let mut command = vec![programs.of(proxy).display().to_string()];
        let arguments: &[&str] = match proxy {
            Proxy::Lintel => &["run"],
            Proxy::Haproxy => &["-f"],
            Proxy::Envoy => &[
                "--concurrency",
                "1",
                "--disable-hot-restart",
                "-l",
                "error",
                "-c",
            ],
            other => bail!("there is no campaign for {}", other.name()),
        };
        command.extend(arguments.iter().map(|&argument| argument.to_owned()));
        command.push(file.display().to_string());
        let output = folder.join("output.log");
        let tree = Tree::start(core, &command, &output, &output)?;
        let mut running = Self {
            proxy,
            tree,
            http: (Ipv4Addr::LOCALHOST, http).into(),
            admin: (Ipv4Addr::LOCALHOST, admin).into(),
        };
        running
            .ready()
            .await
            .with_context(|| format!("see {}", output.display()))?;
        Ok(running)
    }

    async fn ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            self.tree.check_alive()?;
            let http = self.http;
            let asked = tokio::task::spawn_blocking(move || generation_served(http)).await?;
            match asked {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Connections to a service's endpoints that could not be made, so far, by the proxy's own count.
    pub(super) fn failures(&self, service: &str) -> impl Future<Output = f64> + Send + use<> {
        let (path, metric, label) = match self.proxy {
            Proxy::Lintel => (
                "/metrics",
                "lintel_upstream_connect_failures_total",
                format!("service=\"{service}\""),
            ),
            Proxy::Haproxy => (
                "/metrics",
                "haproxy_server_connection_errors_total",
                format!("proxy=\"{service}\""),
            ),
            _ => (
                "/stats/prometheus",
                "envoy_cluster_upstream_cx_connect_fail",
                format!("envoy_cluster_name=\"{service}\""),
            ),
        };
        let admin = self.admin;
        async move {
            let patience = Duration::from_secs(2);
            let scraped = tokio::task::spawn_blocking(move || scrape(admin, path, patience)).await;
            let Ok(Ok(page)) = scraped else {
                return f64::NAN;
            };
            let text = String::from_utf8_lossy(&page.body);
            let lines = text.lines().filter(|line| {
                line.strip_prefix(metric)
                    .is_some_and(|rest| rest.starts_with('{'))
                    && line.contains(&label)
            });
            lines
                .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
                .sum()
        }
    }

    pub(super) fn stop(mut self) {
        self.tree.stop(Duration::from_secs(1));
    }
}

fn write(
    proxy: Proxy,
    programs: &Programs,
    folder: &Path,
    scene: &Scene,
    http: u16,
    admin: u16,
) -> Result<PathBuf> {
    let (name, endpoints) = match proxy {
        Proxy::Lintel => (
            "lintel.yaml",
            scene.each(|_, address| format!("\"http://{address}\""), ", "),
        ),
        Proxy::Haproxy => (
            "haproxy.cfg",
            scene.each(|at, address| format!("    server s{at} {address}"), "\n"),
        ),
        _ => ("envoy.yaml", scene.each(|_, address| envoy(address), ", ")),
    };
    let template = programs.templates.join("campaign").join(name);
    let mut text = fs::read_to_string(&template)
        .with_context(|| format!("cannot read {}", template.display()))?;
    let users = scene.users.address;
    let dns = scene.names.address;
    let envoys = proxy == Proxy::Envoy;
    for (key, value) in [
        ("http", http.to_string()),
        ("admin", admin.to_string()),
        ("port", scene.first().address.port().to_string()),
        ("servers", endpoints.clone()),
        ("endpoints", endpoints),
        (
            "users",
            if envoys {
                envoy(users)
            } else {
                users.to_string()
            },
        ),
        (
            "dns",
            if envoys {
                dns.port().to_string()
            } else {
                dns.to_string()
            },
        ),
    ] {
        text = text.replace(&format!("{{{{{key}}}}}"), &value);
    }
    let file = folder.join(name);
    fs::write(&file, text)?;
    Ok(file)
}

fn envoy(address: SocketAddr) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "{{ endpoint: {{ address: {{ socket_address: {{ address: {}, port_value: {} }} }} }} }}",
        address.ip(),
        address.port()
    );
    text
}
