//! What the process uses of what it may: memory, file descriptors, connections.

use std::{
    fs,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use lintel_proxy::shed::Readings;

/// Measured by a thread of its own, as reading them may take a while; read by the workers.
#[derive(Default)]
pub(crate) struct Vitals {
    memory: AtomicU64,
    memory_limit: AtomicU64,
    files: AtomicU64,
    files_limit: AtomicU64,
    /// Open client connections of all workers.
    pub(crate) connections: AtomicUsize,
}

/// Time between two measurements.
const INTERVAL: Duration = Duration::from_millis(250);

impl Vitals {
    /// Measures until it is dropped. Where no thread can be started, nothing is known.
    pub(crate) fn start() -> Arc<Self> {
        let vitals = Arc::new(Self::default());
        vitals.measure();
        let weak = Arc::downgrade(&vitals);
        let thread = thread::Builder::new().name("lintel-vitals".to_owned());
        if let Err(error) = thread.spawn(move || attend(&weak)) {
            tracing::warn!(%error, "memory and file descriptors are not watched");
        }
        vitals
    }

    fn measure(&self) {
        let memory = fs::read_to_string("/proc/self/status");
        self.memory
            .store(memory.map_or(0, |text| kib(&text, "VmRSS:")), Relaxed);
        self.memory_limit.store(memory_limit(), Relaxed);
        let files = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        self.files.store(u64::try_from(files).unwrap_or(0), Relaxed);
        let limits = fs::read_to_string("/proc/self/limits");
        self.files_limit
            .store(limits.map_or(0, |text| max_files(&text)), Relaxed);
    }

    /// What was measured last, with how late a worker is.
    pub(crate) fn readings(&self, queue_delay: Duration) -> Readings {
        Readings {
            queue_delay,
            memory: (self.memory.load(Relaxed), self.memory_limit.load(Relaxed)),
            files: (self.files.load(Relaxed), self.files_limit.load(Relaxed)),
            connections: self.connections.load(Relaxed) as u64,
        }
    }
}

fn attend(vitals: &Weak<Vitals>) {
    loop {
        thread::park_timeout(INTERVAL);
        match vitals.upgrade() {
            Some(vitals) => vitals.measure(),
            None => return,
        }
    }
}

/// The control group's limit (cgroup v2, then v1), or the machine's memory; 0 if neither is known.
fn memory_limit() -> u64 {
    let group = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let group = group.iter().find_map(|path| {
        let text = fs::read_to_string(path).ok()?;
        text.trim().parse::<u64>().ok()
    });
    let machine = fs::read_to_string("/proc/meminfo").map_or(0, |text| kib(&text, "MemTotal:"));
    match (group, machine) {
        (Some(group), 0) => group,
        // Version 1 writes no limit as a number beyond all memory.
        (Some(group), machine) => group.min(machine),
        (None, machine) => machine,
    }
}

/// A line such as `VmRSS:  123 kB`, in bytes.
fn kib(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.map_or(0, |kib| kib.saturating_mul(1024))
}

/// The soft limit of `Max open files`; 0 where there is none.
fn max_files(limits: &str) -> u64 {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_this_process() {
        let readings = Vitals::start().readings(Duration::ZERO);
        let (memory, limit) = readings.memory;
        assert!(memory > 100_000 && limit >= memory, "{readings:?}");
        let (files, limit) = readings.files;
        assert!(files >= 3 && limit >= files, "{readings:?}");
    }

    #[test]
    fn what_can_not_be_read_is_unknown() {
        assert_eq!(kib("VmRSS: many kB", "VmRSS:"), 0);
        assert_eq!(max_files("Max open files  unlimited  unlimited files"), 0);
        assert_eq!(max_files("Max open files   1024   4096   files"), 1024);
    }
}
