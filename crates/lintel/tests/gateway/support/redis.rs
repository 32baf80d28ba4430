use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use lintel_testkit::until;
use tempfile::TempDir;

/// A `redis-server` of one's own. Killed when dropped.
pub(crate) struct Redis {
    folder: TempDir,
    pub(crate) port: u16,
    child: Child,
}

impl Redis {
    pub(crate) fn start() -> Self {
        // Free at this moment; the server fails to start where it is taken meanwhile.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let folder = tempfile::tempdir().unwrap();
        let redis = Self {
            child: serve(port, &folder),
            folder,
            port,
        };
        redis.until_there();
        redis
    }

    fn until_there(&self) {
        until("redis answers", || {
            (self.ask(&["ping"]) == "PONG").then_some(())
        });
    }

    pub(crate) fn ask(&self, words: &[&str]) -> String {
        let port = self.port.to_string();
        let output = Command::new("redis-cli")
            .args(["-p", &port])
            .args(words)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again where it was, with none of its data.
    pub(crate) fn begin_anew(&mut self) {
        self.child = serve(self.port, &self.folder);
        self.until_there();
    }

    /// Calls of scripts so far.
    pub(crate) fn calls(&self) -> u64 {
        let stats = self.ask(&["info", "commandstats"]);
        let calls = stats.lines().filter_map(|line| {
            let line = line.strip_prefix("cmdstat_eval")?;
            let (_, calls) = line.split_once("calls=")?;
            calls.split(',').next()?.parse::<u64>().ok()
        });
        calls.sum()
    }
}

fn serve(port: u16, folder: &TempDir) -> Child {
    let port = port.to_string();
    Command::new("redis-server")
        .args([
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
        ])
        .arg(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("these tests need `redis-server`, which `./test` installs")
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
