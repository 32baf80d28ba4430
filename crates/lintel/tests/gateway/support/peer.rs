use std::{
    env,
    ffi::OsStr,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
};

use lintel_testkit::until;

use super::process::{Lines, collect};

/// A client or a server that others wrote, as a process of its own; a script of `tests/peers`. It is
/// killed when dropped.
pub(crate) struct Peer {
    child: Child,
    stdin: Option<ChildStdin>,
    said: Lines,
    complained: Lines,
    script: String,
}

impl Peer {
    /// Starts a script and waits until it says that it is ready: `listening PORT`.
    pub(crate) fn start(script: &str, arguments: &[&str]) -> Self {
        let peer = Self::spawn(script, arguments);
        peer.until_said("listening ");
        peer
    }

    /// The same for a script of Node.js, whose first argument is where its modules are.
    pub(crate) fn start_node(script: &str) -> Self {
        let modules = text(installed().join("node_modules"));
        let peer = Self::spawn_by("node".into(), script, &[&modules]);
        peer.until_said("listening ");
        peer
    }

    /// Runs a script of Node.js to its end, which must be a good one.
    pub(crate) fn run_node(script: &str, arguments: &[&str]) {
        let modules = text(installed().join("node_modules"));
        let arguments = [&[&*modules], arguments].concat();
        Self::spawn_by("node".into(), script, &arguments).ends_well();
    }

    /// Runs a script to its end, which must be a good one.
    pub(crate) fn run(script: &str, arguments: &[&str]) {
        Self::spawn(script, arguments).ends_well();
    }

    /// Runs a script to its end, which must be a good one, and returns what it printed.
    pub(crate) fn ask(script: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(installed().join("bin/python"));
        command.arg(scripts().join(script)).args(arguments);
        let output = command.output().unwrap();
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{script} {arguments:?}: {complained}"
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn spawn(script: &str, arguments: &[&str]) -> Self {
        Self::spawn_by(installed().join("bin/python"), script, arguments)
    }

    fn spawn_by(interpreter: PathBuf, script: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(interpreter)
            .arg(scripts().join(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take(),
            said: collect(child.stdout.take().unwrap()),
            complained: collect(child.stderr.take().unwrap()),
            script: [&[script], arguments].concat().join(" "),
            child,
        }
    }

    /// The port that it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.said("listening ").parse().unwrap()
    }

    /// The rest of the first line that it has said which begins so.
    pub(crate) fn said(&self, start: &str) -> String {
        let said = self.said.lock().unwrap();
        let rest = said.iter().find_map(|line| line.strip_prefix(start));
        rest.unwrap().to_owned()
    }

    /// How many lines it has said that begin so.
    pub(crate) fn count(&self, start: &str) -> usize {
        let said = self.said.lock().unwrap();
        said.iter().filter(|line| line.starts_with(start)).count()
    }

    /// Writes a line to its standard input.
    pub(crate) fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
        stdin.flush().unwrap();
    }

    /// Writes a line to its standard input, and returns the next that it says.
    pub(crate) fn order(&mut self, line: &str) -> String {
        let before = self.said.lock().unwrap().len();
        self.tell(line);
        until(&format!("{} answers `{line}`", self.script), || {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{} ended: {ended:?}", self.script);
            self.said.lock().unwrap().get(before).cloned()
        })
    }

    /// Waits until it has said a line that begins so.
    pub(crate) fn until_said(&self, start: &str) {
        until(&format!("{} says `{start}`", self.script), || {
            let said = self.said.lock().unwrap();
            let found = said.iter().any(|line| line.starts_with(start));
            found.then_some(())
        });
    }

    /// Waits until it ends, well.
    pub(crate) fn ends_well(mut self) {
        drop(self.stdin.take());
        let status = until(&format!("{} ends", self.script), || {
            self.child.try_wait().unwrap()
        });
        assert!(status.success(), "{}: {status}", self.script);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let said = [&self.said, &self.complained].map(|lines| lines.lock().unwrap().join("\n"));
            eprintln!("{} said:\n{}", self.script, said.join("\n"));
        }
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers")
}

/// Where everything is that the lists in `tests/peers` ask for.
fn installed() -> PathBuf {
    let installed = env::var_os("LINTEL_PEERS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers"),
        PathBuf::from,
    );
    let is_current = |name: &str| {
        let wanted = std::fs::read(scripts().join(name)).unwrap();
        std::fs::read(installed.join(name)).is_ok_and(|current| current == wanted)
    };
    assert!(
        ["requirements.txt", "opa.txt", "package.json"]
            .into_iter()
            .all(is_current),
        "these tests need Python and Node.js clients and servers: `./test` installs them, and so does {}",
        scripts().join("setup").display()
    );
    installed
}

/// A path as an argument.
pub(crate) fn text(path: impl AsRef<OsStr>) -> String {
    path.as_ref().to_str().unwrap().to_owned()
}
