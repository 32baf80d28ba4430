use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::wait::until;

/// A `redis-server` of a test's own, on loopback, with a folder of its own. Killed when dropped.
pub struct Redis {
    /// Where it keeps what it writes.
    pub folder: TempDir,
    /// Where it listens.
    pub port: u16,
    child: Child,
    arguments: Vec<String>,
}

impl Redis {
    /// Starts one, and waits until it answers.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more arguments.
    pub fn start_with(arguments: &[&str]) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let redis = Self {
            child: run(&folder, port, &arguments),
            folder,
            port,
            arguments,
        };
        redis.until_ready();
        redis
    }

    /// Ends it as it stands, and starts it again on the same port and folder.
    pub fn restart(&mut self) {
        self.kill();
        self.child = run(&self.folder, self.port, &self.arguments);
        self.until_ready();
    }

    /// Ends it as it stands.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal, such as `-STOP`.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let done = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(done.success());
    }

    /// What it answers to a command; what `redis-cli` says where it does not answer.
    pub fn ask(&self, words: &[&str]) -> String {
        let port = self.port.to_string();
        let output = Command::new("redis-cli")
            .args(["-p", &port])
            .args(words)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Calls of scripts so far.
    pub fn calls(&self) -> u64 {
        let stats = self.ask(&["info", "commandstats"]);
        let calls = stats.lines().filter_map(|line| {
            let line = line.strip_prefix("cmdstat_eval")?;
            let (_, calls) = line.split_once("calls=")?;
            calls.split(',').next()?.parse::<u64>().ok()
        });
        calls.sum()
    }

    fn until_ready(&self) {
        until("redis answers", || {
            (self.ask(&["ping"]) == "PONG").then_some(())
        });
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Free at this moment; the server fails to start where it is taken meanwhile.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // A cluster's nodes talk to each other on a port that is 10,000 higher.
    if port > 55_535 { port - 20_000 } else { port }
}

fn run(folder: &TempDir, port: u16, arguments: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string()])
        .args(["--bind", "127.0.0.1", "--save", "", "--dir"])
        .arg(folder.path())
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .expect("these tests need `redis-server`, which `./test` installs")
}
