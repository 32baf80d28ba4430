//! Servers that others wrote, as processes of their own.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use lintel_testkit::until;
use tempfile::TempDir;

use super::{
    Authority,
    process::{Lines, collect},
};

/// `openssl s_server -www`: answers every GET with a page about the connection.
pub(crate) struct TlsServer {
    child: Child,
    said: Lines,
}

impl TlsServer {
    /// Starts one that has a certificate for this name.
    pub(crate) fn start(authority: &Authority, name: &str, more: &[&str]) -> Self {
        let (cert, key) = authority.issue(name);
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-www"])
            .args(["-cert", &cert, "-key", &key])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("these tests need `openssl`, which `./test` installs: {error}")
            });
        let said = collect(child.stdout.take().unwrap());
        let server = Self { child, said };
        server.port();
        server
    }

    pub(crate) fn port(&self) -> u16 {
        until("openssl says where it listens", || {
            let said = self.said.lock().unwrap();
            let line = said.iter().find_map(|line| line.strip_prefix("ACCEPT "))?;
            line.rsplit_once(':')?.1.parse().ok()
        })
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// HAProxy with one listener.
pub(crate) struct Balancer {
    _folder: TempDir,
    child: Child,
    port: u16,
}

impl Balancer {
    /// Starts one whose `listen` section has these lines, and waits until it listens.
    pub(crate) fn start(section: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("haproxy.cfg");
        let timeouts = "timeout connect 60s\n timeout client 60s\n timeout server 60s";
        let (child, addresses) = on_free_ports("haproxy", 1, |addresses| {
            let bind = addresses[0];
            let text = format!("listen all\n bind {bind}\n {timeouts}\n {section}");
            fs::write(&config, text).unwrap();
            launch("haproxy", &["-db", "-f"], &config)
        });
        Self {
            _folder: folder,
            child,
            port: addresses[0].port(),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server that can't say which free port it got: it is told ports that were free a moment
/// ago, and others where somebody else took one meanwhile.
pub(crate) fn on_free_ports(
    name: &str,
    count: usize,
    mut start: impl FnMut(&[SocketAddr]) -> Child,
) -> (Child, Vec<SocketAddr>) {
    until(&format!("{name} listens"), || {
        let held = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let held: Vec<TcpListener> = held.collect();
        let addresses = held.iter().map(|held| held.local_addr().unwrap());
        let addresses: Vec<SocketAddr> = addresses.collect();
        drop(held);
        let mut child = start(&addresses);
        let listens = until(&format!("{name} listens or ends"), || {
            if child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            let listens = |address: &SocketAddr| TcpStream::connect(address).is_ok();
            addresses.iter().all(listens).then_some(true)
        });
        listens.then_some((child, addresses))
    })
}

/// Runs a program that was installed with its arguments and then its configuration's path.
pub(crate) fn launch(name: &str, arguments: &[&str], config: &Path) -> Child {
    Command::new(program(name))
        .args(arguments)
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The program itself; Debian keeps servers where not everybody looks.
fn program(name: &str) -> String {
    let found = Command::new(name).arg("-v").output().is_ok();
    let path = if found {
        name.to_owned()
    } else {
        format!("/usr/sbin/{name}")
    };
    let works = Command::new(&path).arg("-v").output().is_ok();
    assert!(works, "these tests need `{name}`, which `./test` installs");
    path
}
