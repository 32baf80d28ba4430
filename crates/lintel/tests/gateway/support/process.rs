use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use lintel_testkit::{Client, Reply, until};
use tempfile::TempDir;

/// A running `lintel run`. It is killed when dropped, and so is the process it handed over to.
pub(crate) struct Gateway {
    folder: TempDir,
    child: Child,
    log: Lines,
}

/// The lines that a process has written so far.
pub(crate) type Lines = Arc<Mutex<Vec<String>>>;

impl Gateway {
    /// Starts the gateway and waits until it serves.
    pub(crate) fn start(yaml: &str) -> Self {
        Self::start_with(yaml, &[])
    }

    /// The same with environment variables.
    pub(crate) fn start_with(yaml: &str, variables: &[(&str, &str)]) -> Self {
        Self::spawn(yaml, variables, &[])
    }

    /// The same, but a changed file is not noticed: every reload is asked for.
    pub(crate) fn start_unwatched(yaml: &str) -> Self {
        Self::spawn(yaml, &[], &["--no-watch"])
    }

    fn spawn(yaml: &str, variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("gateway.yaml");
        fs::write(&config, yaml).unwrap();
        let access_log = fs::File::create(folder.path().join("stdout")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_lintel"))
            .arg("run")
            .arg(&config)
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(access_log)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = collect(child.stderr.take().unwrap());
        let mut gateway = Self { folder, child, log };
        gateway.until_serving(yaml.contains("admin:"));
        gateway
    }

    fn until_serving(&mut self, admin: bool) {
        let last = if admin {
            "the admin API listens"
        } else {
            "listening"
        };
        until("the gateway serves", || {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {ended:?}\n{}", self.log());
            self.logs(last).then_some(())
        });
    }

    /// The address of the listener `public`.
    pub(crate) fn public(&self) -> SocketAddr {
        self.listener("public")
    }

    /// The address of a listener.
    pub(crate) fn listener(&self, name: &str) -> SocketAddr {
        self.address(&format!("listening listener={name} address="))
    }

    /// The address of the admin API.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.address("the admin API listens address=")
    }

    fn address(&self, before: &str) -> SocketAddr {
        until(&format!("it logs `{before}`"), || {
            let log = self.log();
            let (_, address) = log.lines().find_map(|line| line.split_once(before))?;
            Some(address.trim().parse().unwrap())
        })
    }

    /// A new connection to the listener `public`.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.public())
    }

    /// GET on a connection of its own.
    pub(crate) fn get(&self, target: &str) -> Reply {
        self.client().get(target)
    }

    /// GET from the admin API.
    pub(crate) fn ask(&self, target: &str) -> Reply {
        Client::connect(self.admin()).get(target)
    }

    /// Writes another configuration, as editors do: whole or not at all.
    pub(crate) fn write(&self, yaml: &str) {
        let next = self.folder.path().join("next");
        fs::write(&next, yaml).unwrap();
        fs::rename(next, self.config()).unwrap();
    }

    /// The file it is configured by.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("gateway.yaml")
    }

    /// What it has written to standard output: the access log.
    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(self.folder.path().join("stdout")).unwrap()
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// Whether it has logged this.
    pub(crate) fn logs(&self, text: &str) -> bool {
        let log = self.log.lock().unwrap();
        log.iter().any(|line| line.contains(text))
    }

    /// Waits until it has logged this.
    pub(crate) fn until_logged(&self, text: &str) {
        until(&format!("it logs `{text}`"), || {
            self.logs(text).then_some(())
        });
    }

    /// Waits until neither of its two workers has a request under way.
    pub(crate) fn until_requests_have_ended(&self) {
        until("all requests have ended", || {
            let workers = self.ask("/workers").text();
            (workers.matches("\"requests\":0").count() == 2).then_some(())
        });
    }

    /// `lintel reload` against it.
    pub(crate) fn reload(&self) -> Output {
        lintel(&["reload", "--admin", &self.admin().to_string()])
    }

    /// A figure from `/proc/PID/status`, such as `VmRSS`, in KiB.
    pub(crate) fn kib(&self, name: &str) -> u64 {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let figure = line.unwrap().split_whitespace().next().unwrap();
        figure.parse().unwrap()
    }

    /// Lets `VmHWM`, the most memory it had, begin anew (proc(5): `clear_refs`).
    pub(crate) fn forget_peak(&self) {
        fs::write(self.proc("clear_refs"), "5").unwrap();
    }

    /// How many file descriptors it has.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(self.proc("fd")).unwrap().count()
    }

    fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.child.id()))
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: i32) {
        send(self.child.id(), signal);
    }

    /// Waits until it has ended.
    pub(crate) fn exit(&mut self) -> ExitStatus {
        until("it ends", || self.child.try_wait().unwrap())
    }

    /// The process that it has handed over to.
    pub(crate) fn successor(&self) -> Option<u32> {
        let log = self.log();
        let (_, after) = log.split_once("finishes what it has begun pid=")?;
        after.lines().next()?.trim().parse().ok()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(pid) = self.successor() {
            send(pid, libc::SIGKILL);
        }
        if thread::panicking() {
            eprintln!("the gateway's log:\n{}", self.log());
        }
    }
}

/// Runs a `lintel` command to its end.
pub(crate) fn lintel(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lintel"))
        .args(arguments)
        .env_remove("LINTEL_ADMIN_TOKEN")
        .output()
        .unwrap()
}

fn send(pid: u32, signal: i32) {
    let pid = libc::pid_t::try_from(pid).unwrap();
    // SAFETY: `kill` touches no memory; the process was started by this test.
    unsafe { libc::kill(pid, signal) };
}

/// Collects the lines as they come.
pub(crate) fn collect(output: impl Read + Send + 'static) -> Lines {
    let lines = Lines::default();
    let into = Arc::clone(&lines);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            into.lock().unwrap().push(line);
        }
    });
    lines
}
