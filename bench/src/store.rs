//! Where replicas count together: a Redis of the benchmark's own, and the rate-limit service by which Envoy counts there.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::driver::free_ports;
use crate::process::Tree;

/// Both, running.
#[derive(Debug)]
pub(crate) struct Store {
    redis: Tree,
    service: Tree,
    /// Port of Redis.
    pub(crate) port: u16,
    /// Port of the service.
    pub(crate) service_port: u16,
    client: redis::Client,
}

/// How much has been used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    /// Seconds of Redis.
    pub(crate) redis: f64,
    /// Seconds of the service.
    pub(crate) service: f64,
    /// How often something was counted.
    pub(crate) questions: u64,
}

impl Store {
    /// Starts both on a core, and waits until they serve.
    ///
    /// # Errors
    /// One of them does not within 10 s.
    pub(crate) fn start(core: usize, dir: &Path) -> Result<Self> {
        if dir.exists() {
            fs::remove_dir_all(dir)?;
        }
        fs::create_dir_all(dir)?;
        let [port, service_port] = free_ports()?;
        let log = dir.join("redis.log");
        let options = [
            ("--bind", "127.0.0.1"),
            ("--port", &port.to_string()),
            ("--save", ""),
            ("--appendonly", "no"),
            ("--dir", &dir.display().to_string()),
        ];
        let options = options.iter().flat_map(|(name, value)| [*name, *value]);
        let command: Vec<String> = ["redis-server"]
            .into_iter()
            .chain(options)
            .map(str::to_owned)
            .collect();
        let redis = Tree::start(core, &command, &log, &log)?;
        let client = redis::Client::open(("127.0.0.1", port))?;
        until(&log, || client.get_connection().is_ok())?;
        let log = dir.join("service.log");
        let program = std::env::current_exe()?.display().to_string();
        let (own, asked) = (service_port.to_string(), port.to_string());
        let command =
            [&program, "limiter", "--port", &own, "--redis", &asked].map(ToString::to_string);
        let service = Tree::start(core, &command, &log, &log)?;
        until(&log, || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, service_port)).is_ok()
        })?;
        Ok(Self {
            redis,
            service,
            port,
            service_port,
            client,
        })
    }

    /// # Errors
    /// One of them is gone.
    pub(crate) fn used(&self) -> Result<Used> {
        let mut connection = self.client.get_connection()?;
        let about: String = redis::cmd("INFO")
            .arg("commandstats")
            .query(&mut connection)?;
        Ok(Used {
            redis: self.redis.cpu_time()?.0,
            service: self.service.cpu_time()?.0,
            questions: questions(&about),
        })
    }
}

/// Runs of scripts, by which Lintel counts, and increments, by which the service does.
fn questions(about: &str) -> u64 {
    let counting = ["cmdstat_eval:", "cmdstat_evalsha:", "cmdstat_incrby:"];
    let calls = about.lines().filter_map(|line| {
        let figures = counting.iter().find_map(|name| line.strip_prefix(name))?;
        figures
            .strip_prefix("calls=")?
            .split(',')
            .next()?
            .parse::<u64>()
            .ok()
    });
    calls.sum()
}

fn until(log: &Path, ready: impl Fn() -> bool) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !ready() {
        ensure!(
            Instant::now() < deadline,
            "it does not serve: see {}",
            log.display()
        );
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::questions;

    #[test]
    fn what_counts_is_counted() {
        let about = "# Commandstats\r\ncmdstat_evalsha:calls=12,usec=40\r\ncmdstat_eval:calls=1,usec=9\r\n\
                     cmdstat_incrby:calls=5,usec=3\r\ncmdstat_get:calls=13,usec=2\r\ncmdstat_expire:calls=5,usec=2\r\n";
        assert_eq!(questions(about), 18);
    }
}
