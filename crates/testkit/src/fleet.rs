//! Several Redis servers that belong together.

use std::{
    fs,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{redis::Redis, redis::free_port, wait::until};

/// A Sentinel that watches over a master called `main`. Killed when dropped.
pub struct Sentinel {
    _folder: TempDir,
    /// Where it listens.
    pub port: u16,
    child: Child,
}

impl Sentinel {
    /// Starts one. It takes the master for gone after half a second of silence.
    pub fn start(master: &Redis) -> Self {
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor main 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n",
            folder.path().display(),
            master.port
        );
        fs::write(&file, text).unwrap();
        let child = Command::new("redis-server")
            .arg(&file)
            .arg("--sentinel")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            _folder: folder,
            port,
            child,
        }
    }

    /// Waits until it knows a replica that could take over.
    pub fn until_ready(&self) {
        until("the Sentinel knows a replica", || {
            let output = Command::new("redis-cli")
                .args(["-p", &self.port.to_string(), "sentinel", "replicas", "main"])
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            text.contains("master-link-status\nok").then_some(())
        });
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A cluster of three masters.
pub struct Cluster {
    /// Its nodes.
    pub nodes: [Redis; 3],
}

impl Cluster {
    /// Starts one, and waits until all of its nodes take it for whole.
    pub fn start() -> Self {
        let nodes = [(); 3].map(|()| {
            Redis::start_with(&[
                "--cluster-enabled",
                "yes",
                "--cluster-node-timeout",
                "1000",
                "--cluster-require-full-coverage",
                "no",
            ])
        });
        let places = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        let output = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(places)
            .arg("--cluster-yes")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        until("the cluster comes up", || {
            let mut states = nodes.iter().map(|node| node.ask(&["cluster", "info"]));
            states
                .all(|state| state.contains("cluster_state:ok"))
                .then_some(())
        });
        Self { nodes }
    }

    /// The node that has a key, and one that has not.
    pub fn owner(&self, key: &str) -> (&Redis, &Redis) {
        let slot = self.nodes[0].ask(&["cluster", "keyslot", key]);
        let mine = |node: &&Redis| node.ask(&["cluster", "countkeysinslot", &slot]) != "0";
        let owner = self.nodes.iter().find(mine).unwrap();
        let mut others = self.nodes.iter();
        let other = others.find(|node| node.port != owner.port).unwrap();
        (owner, other)
    }

    /// Begins to move the slot of a key to another node: its keys are where they were.
    pub fn begin_to_move(&self, key: &str) -> Moving<'_> {
        let (from, to) = self.owner(key);
        let slot = from.ask(&["cluster", "keyslot", key]);
        to.ask(&["cluster", "setslot", &slot, "importing", &id(from)]);
        from.ask(&["cluster", "setslot", &slot, "migrating", &id(to)]);
        Moving { from, to, slot }
    }
}

/// A slot on its way.
pub struct Moving<'a> {
    from: &'a Redis,
    to: &'a Redis,
    slot: String,
}

impl Moving<'_> {
    /// Moves the keys: who asks for them where they were is sent on for this once.
    pub fn keys(&self) {
        let port = self.to.port.to_string();
        let keys = self
            .from
            .ask(&["cluster", "getkeysinslot", &self.slot, "100"]);
        for key in keys.lines() {
            self.from
                .ask(&["migrate", "127.0.0.1", &port, key, "0", "5000"]);
        }
    }

    /// The slot is where its keys are from now on.
    pub fn end(self) {
        for node in [self.to, self.from] {
            node.ask(&["cluster", "setslot", &self.slot, "node", &id(self.to)]);
        }
    }
}

fn id(node: &Redis) -> String {
    node.ask(&["cluster", "myid"])
}
