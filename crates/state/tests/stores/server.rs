//! Servers of one's own, and what is asked of them.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use lintel_state::store::{Address, Ask, At, Login, Meaning, Redis, Settings};
use tempfile::TempDir;

/// A `redis-server` of one's own. Killed when dropped.
pub(crate) struct Server {
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
    child: Child,
    arguments: Vec<String>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more arguments, in which `PORT` stands for its port.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        // Free at this moment; the server fails to start where it is taken meanwhile.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        // A cluster's nodes talk to each other on a port that is 10,000 higher.
        let port = if port > 55_535 { port - 20_000 } else { port };
        let folder = tempfile::tempdir().unwrap();
        let child = run(&folder, port, arguments);
        let server = Self {
            folder,
            port,
            child,
            arguments: arguments.iter().map(ToString::to_string).collect(),
        };
        server.until_ready();
        server
    }

    pub(crate) fn restart(&mut self) {
        self.kill();
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        self.child = run(&self.folder, self.port, &arguments);
        self.until_ready();
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let done = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(done.success());
    }

    pub(crate) fn command(&self, words: &[&str]) -> String {
        let port = self.port.to_string();
        let output = Command::new("redis-cli")
            .args(["-p", &port])
            .args(words)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn until_ready(&self) {
        let begun = Instant::now();
        while self.command(&["ping"]) != "PONG" {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "redis does not start"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn store(&self, timeout: Duration) -> Redis {
        store(At::Server(self.address()), timeout)
    }

    pub(crate) fn address(&self) -> Address {
        Address::Tcp("127.0.0.1".to_owned(), self.port)
    }
}

/// A store at a place, without a login and without TLS.
pub(crate) fn store(at: At, timeout: Duration) -> Redis {
    Redis::new(settings(at, timeout)).unwrap()
}

pub(crate) fn settings(at: At, timeout: Duration) -> Settings {
    Settings {
        name: "shared".into(),
        prefix: "lintel".into(),
        at,
        login: Login::default(),
        tls: None,
        timeout,
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(folder: &TempDir, port: u16, arguments: &[&str]) -> Child {
    Command::new("redis-server")
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ])
        .arg("--dir")
        .arg(folder.path())
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .expect("these tests need `redis-server`, which `./test` installs")
}

/// Long enough for a machine that is busy with other things.
pub(crate) const PATIENT: Duration = Duration::from_secs(10);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) fn ask(key: &str, meaning: Meaning, count: u64, per: Duration, most: u64) -> Ask {
    Ask {
        key: key.to_owned(),
        meaning,
        count,
        per,
        most,
        cost: 1,
        dry_run: false,
    }
}

pub(crate) async fn admitted(store: &Redis, asks: &[Ask], times: usize) -> usize {
    let mut count = 0;
    for _ in 0..times {
        let reply = store.spend(asks).await.unwrap();
        count += usize::from(matches!(reply, lintel_state::store::Reply::Admitted(_)));
    }
    count
}

pub(crate) async fn join_all<F: Future>(calls: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut calls: Vec<_> = calls.map(|call| (Box::pin(call), None)).collect();
    std::future::poll_fn(|cx| {
        let mut pending = false;
        for (call, output) in &mut calls {
            if output.is_none() {
                match call.as_mut().poll(cx) {
                    std::task::Poll::Ready(ready) => *output = Some(ready),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    calls.into_iter().filter_map(|(_, output)| output).collect()
}

pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
