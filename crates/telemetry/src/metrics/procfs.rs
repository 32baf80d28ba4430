//! Facts about the process from `/proc/self` (proc(5)).

use std::{fs, path::Path};

/// What the kernel knows of the process; a field is missing where it cannot be read.
#[derive(Default, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) cpu_nanos: Option<u64>,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) virtual_bytes: Option<u64>,
    pub(crate) threads: Option<u64>,
    pub(crate) open_fds: Option<u64>,
    pub(crate) max_fds: Option<u64>,
    /// Seconds since 1970.
    pub(crate) started: Option<u64>,
}

impl Process {
    pub(crate) fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let ticks = ticks_per_second();
        let mut facts = Self::default();
        facts.read_stat(&text("/proc/self/stat"), &text("/proc/stat"), ticks);
        facts.read_status(&text("/proc/self/status"));
        facts.max_fds = max_fds(&text("/proc/self/limits"));
        facts.open_fds = open_fds(Path::new("/proc/self/fd"));
        facts
    }

    fn read_stat(&mut self, stat: &str, system: &str, ticks: u64) {
        // The command's name, in parentheses, may itself hold spaces and parentheses.
        let Some((_, fields)) = stat.rsplit_once(") ") else {
            return;
        };
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        // Numbered from 1 in proc(5); `fields` begins with the third.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let nanos = |ticks_spent: u64| ticks_spent.saturating_mul(1_000_000_000 / ticks);
        self.cpu_nanos = field(14)
            .zip(field(15))
            .map(|(user, sys)| nanos(user + sys));
        self.threads = field(20);
        self.virtual_bytes = field(23);
        let booted = system
            .lines()
            .find_map(|line| line.strip_prefix("btime ")?.trim().parse::<u64>().ok());
        self.started = booted
            .zip(field(22))
            .map(|(boot, after)| boot + after / ticks);
    }

    fn read_status(&mut self, status: &str) {
        self.resident_bytes = status.lines().find_map(|line| {
            let kib = line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?;
            kib.parse::<u64>().ok()?.checked_mul(1024)
        });
    }
}

fn max_fds(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Since Linux 6.2 the directory's size is the number of open descriptors; before, they are
/// counted, which takes a while where there are many.
fn open_fds(directory: &Path) -> Option<u64> {
    match fs::metadata(directory).ok()?.len() {
        0 => u64::try_from(fs::read_dir(directory).ok()?.count()).ok(),
        open => Some(open),
    }
}

fn ticks_per_second() -> u64 {
    // SAFETY: sysconf reads a constant of the system and touches no memory of ours.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks).unwrap_or(0).clamp(1, 1_000_000_000)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_a_name_with_parentheses() {
        let mut facts = Process::default();
        let rest = "S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 7 0 1000 4096000 300";
        facts.read_stat(
            &format!("42 (a) b) {rest}"),
            "cpu 1\nbtime 1700000000\n",
            100,
        );
        assert_eq!(facts.cpu_nanos, Some(3_000_000_000));
        assert_eq!(facts.threads, Some(7));
        assert_eq!(facts.virtual_bytes, Some(4_096_000));
        assert_eq!(facts.started, Some(1_700_000_010));
    }

    #[test]
    fn knows_this_process() {
        let facts = Process::read();
        assert!(facts.resident_bytes.unwrap() > 100_000);
        assert!(facts.virtual_bytes.unwrap() >= facts.resident_bytes.unwrap());
        assert!(facts.threads.unwrap() >= 1);
        assert!(facts.max_fds.unwrap() >= facts.open_fds.unwrap());
        assert!(facts.open_fds.unwrap() >= 3);
        assert!(facts.started.unwrap() > 1_600_000_000);
        assert!(facts.cpu_nanos.is_some());
    }

    #[test]
    fn leaves_out_what_it_cannot_read() {
        let mut facts = Process::default();
        facts.read_stat("nonsense", "", 100);
        facts.read_status("VmRSS: many kB");
        assert_eq!(facts, Process::default());
        assert_eq!(max_fds("Max open files unlimited unlimited files"), None);
    }
}
