//! Processes that the driver starts: pinned, measured as a tree, stopped by their own ids.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// Seconds of a process tree's CPU time, as the kernel counts it: user and system, all threads, and children that
/// have ended. Its resolution is one tick of `/proc`, 10 ms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CpuTime(pub(crate) f64);

/// A child process with everything below it.
#[derive(Debug)]
pub(crate) struct Tree {
    child: Child,
    name: String,
}

impl Tree {
    /// Starts a program on one core, its output in files.
    ///
    /// # Errors
    /// The program or a file cannot be opened.
    pub(crate) fn start(
        core: usize,
        program: &[String],
        stdout: &Path,
        stderr: &Path,
    ) -> Result<Self> {
        let name = program.first().cloned().unwrap_or_default();
        let child = Command::new("taskset")
            .arg("-c")
            .arg(core.to_string())
            .args(program)
            .stdin(Stdio::null())
            .stdout(File::options().create(true).append(true).open(stdout)?)
            .stderr(File::options().create(true).append(true).open(stderr)?)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { child, name })
    }

    /// # Errors
    /// The process has ended.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        let status = self.child.try_wait()?;
        ensure!(
            status.is_none(),
            "{} ended by itself ({})",
            self.name,
            status.unwrap_or_default()
        );
        Ok(())
    }

    /// Id of the first process of the tree.
    pub(crate) fn id(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a signal to the first process of the tree.
    ///
    /// # Errors
    /// The process is gone.
    fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(self.id(), signal)?)
    }

    /// # Errors
    /// `/proc` cannot be read.
    pub(crate) fn cpu_time(&self) -> Result<CpuTime> {
        let table = table()?;
        let ticks: u64 = members(&table, self.child.id())
            .filter_map(|id| table.get(&id))
            .map(|entry| entry.ticks)
            .sum();
        // USER_HZ is 100 on every Linux architecture Rust runs on.
        Ok(CpuTime(ticks as f64 / 100.0))
    }

    /// Resident bytes, summed over the tree; pages that its processes share count for each of them.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub(crate) fn resident(&self) -> Result<u64> {
        let table = table()?;
        let resident = members(&table, self.child.id()).filter_map(resident_of);
        Ok(resident.sum())
    }

    /// Waits until the resident size has not moved by 1 % over half a second, 10 s at most.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub(crate) fn settled_resident(&self) -> Result<u64> {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut last = self.resident()?;
        loop {
            thread::sleep(Duration::from_millis(500));
            let now = self.resident()?;
            if now.abs_diff(last) <= last / 100 || Instant::now() > deadline {
                return Ok(now);
            }
            last = now;
        }
    }

    /// Ends the tree: politely, then not.
    pub(crate) fn stop(&mut self, patience: Duration) {
        let members: Vec<u32> = match table() {
            Ok(table) => members(&table, self.child.id()).collect(),
            Err(_) => Vec::new(),
        };
        let deadline = Instant::now() + patience;
        if self.signal(Signal::TERM).is_ok() {
            while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
                thread::sleep(Duration::from_millis(10));
            }
        }
        for id in members
            .into_iter()
            .filter(|id| Path::new(&format!("/proc/{id}")).exists())
        {
            if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
                // It may be gone by now, which is what is wanted.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        // Reaps it; the error that it was reaped before is none.
        let _ = self.child.wait();
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop(Duration::from_millis(200));
        }
    }
}

/// Seconds that a core has been busy, with whatever it was.
///
/// # Errors
/// `/proc/stat` has no such core.
pub(crate) fn core_time(core: usize) -> Result<CpuTime> {
    let stat = fs::read_to_string("/proc/stat")?;
    let name = format!("cpu{core} ");
    let line = stat
        .lines()
        .find_map(|line| line.strip_prefix(&name))
        .with_context(|| format!("no core {core}"))?;
    // user nice system idle iowait irq softirq steal, then parts of user and nice once more (proc(5)).
    let numbers = line
        .split(' ')
        .take(8)
        .enumerate()
        .filter(|(place, _)| !matches!(place, 3 | 4));
    let ticks: u64 = numbers
        .filter_map(|(_, number)| number.parse::<u64>().ok())
        .sum();
    Ok(CpuTime(ticks as f64 / 100.0))
}

#[derive(Debug)]
struct Entry {
    parent: u32,
    /// utime + stime + cutime + cstime.
    ticks: u64,
}

fn table() -> Result<HashMap<u32, Entry>> {
    let mut table = HashMap::new();
    for directory in fs::read_dir("/proc")? {
        let Some(id) = directory?
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // Processes end while the directory is read.
        let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else {
            continue;
        };
        if let Some(entry) = parse(&stat) {
            table.insert(id, entry);
        }
    }
    Ok(table)
}

/// Fields of `/proc/PID/stat` (proc(5)); the name may hold anything, so they are counted from its closing bracket.
fn parse(stat: &str) -> Option<Entry> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let number = |place: usize| {
        fields
            .get(place)
            .and_then(|field| field.parse::<u64>().ok())
    };
    let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
    Some(Entry {
        parent: u32::try_from(number(1)?).ok()?,
        ticks,
    })
}

/// Ids of a process and its descendants.
fn members(table: &HashMap<u32, Entry>, root: u32) -> impl Iterator<Item = u32> + use<> {
    let mut found = HashSet::from([root]);
    loop {
        let before = found.len();
        for (id, entry) in table {
            if found.contains(&entry.parent) {
                found.insert(*id);
            }
        }
        if found.len() == before {
            return found.into_iter();
        }
    }
}

fn resident_of(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::parse;

    #[test]
    fn stat_with_a_hostile_name_is_read() {
        let stat = "7 (a) b) (c) S 3 7 7 0 -1 4194304 1 0 0 0 11 22 33 44 20 0 1 0 5 6 7";
        let entry = parse(stat).unwrap();
        assert_eq!((entry.parent, entry.ticks), (3, 110));
    }
}
