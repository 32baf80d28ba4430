//! Reloading a proxy that runs.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::{Proxy, Running, generation_served, write_config};

/// Two generations of a proxy's configuration, ready to be put in place in turn.
#[derive(Debug)]
pub(crate) struct Reloader {
    proxy: Proxy,
    process: Pid,
    address: SocketAddr,
    dir: PathBuf,
    /// Directory of each generation's files and the mark it serves.
    generations: [(PathBuf, String); 2],
    current: usize,
}

impl Reloader {
    pub(super) fn new(running: &Running) -> Result<Self> {
        let prepare = |generation: u32| -> Result<(PathBuf, String)> {
            let mut site = running.site.clone();
            site.generation = generation;
            let dir = site.dir.join(format!("generation-{generation}"));
            fs::create_dir_all(&dir)?;
            write_config(running.proxy, &running.templates, &site, &dir)?;
            Ok((dir, site.generation_mark()))
        };
        Ok(Self {
            proxy: running.proxy,
            process: running.tree.id(),
            address: running.http(),
            dir: running.site.dir.clone(),
            generations: [prepare(0)?, prepare(1)?],
            current: 0,
        })
    }

    /// Puts the other generation in place, has the proxy load it and waits until a new connection meets it.
    ///
    /// # Errors
    /// The process is gone, or the new generation does not serve within `patience`.
    pub(crate) fn reload(&mut self, patience: Duration) -> Result<Duration> {
        self.current = 1 - self.current;
        let Some((files, mark)) = self.generations.get(self.current) else {
            return Ok(Duration::ZERO);
        };
        for file in fs::read_dir(files)? {
            let file = file?;
            // Renamed into place, so that whoever watches never sees half of it.
            let fresh = self.dir.join("fresh");
            fs::copy(file.path(), &fresh)?;
            fs::rename(&fresh, self.dir.join(file.file_name()))?;
        }
        let begun = Instant::now();
        match self.proxy {
            // `nginx -s reload` and `systemctl reload haproxy` send just these.
            Proxy::Lintel
            | Proxy::LintelLeased
            | Proxy::Nginx
            | Proxy::NginxBuffered
            | Proxy::NginxCombined => {
                kill_process(self.process, Signal::HUP)?;
            }
            Proxy::Haproxy => kill_process(self.process, Signal::USR2)?,
            // It sees that its route file was replaced.
            Proxy::Envoy | Proxy::EnvoyList => {}
            // Nothing is reloaded.
            Proxy::Express => {}
        }
        // A refused or broken probe is no news: the next one will tell.
        while generation_served(self.address).ok().as_ref() != Some(mark) {
            ensure!(
                begun.elapsed() < patience,
                "a reload did not take effect within {patience:?}"
            );
            thread::sleep(Duration::from_millis(10));
        }
        Ok(begun.elapsed())
    }
}
