//! The head of a report: the machine, the programs, the settings.

use std::fmt::Write as _;
use std::fs;
use std::thread::available_parallelism;

use crate::driver::Options;

/// Names the machine by what it is, not by what it is called.
pub(crate) fn describe(options: &Options) -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(": "))
            .map_or("unknown", |(_, value)| value.trim())
            .to_owned()
    };
    let count = cpu
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory: u64 = memory
        .split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .unwrap_or_default();
    let mut text = String::from(
        "# Benchmark results\n\nMade by `bench/run`; what each figure means: [README](README.md).\n\n",
    );
    let mut line = |name: &str, value: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "- {name}: {value}");
    };
    let detail = ["cpu family", "model", "stepping", "cpu MHz"]
        .map(|name| format!("{name} {}", field(&format!("{name}\t"))));
    line(
        "CPU",
        format!(
            "{} ({}), {count} cores",
            field("model name"),
            detail.join(", ")
        ),
    );
    line("memory", format!("{:.0} GiB", memory as f64 / 1_048_576.0));
    line("kernel", kernel_version());
    line(
        "placing",
        format!(
            "proxy on core {}, upstream on core {}, load on core {}",
            options.proxy_core,
            options.upstream_core,
            load_core()
        ),
    );
    line(
        "measure",
        format!(
            "median of {} rounds in rotating order, {} s each after {} s of warming up",
            options.rounds,
            options.duration.as_secs_f64(),
            options.warmup.as_secs_f64()
        ),
    );
    for proxy in options.proxies.iter().filter(|proxy| proxy.main()) {
        line(proxy.name(), options.programs.version(*proxy));
    }
    text
}

/// Without what the builder of the kernel has added.
fn kernel_version() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version = release.trim().split('-').next().unwrap_or_default();
    version.to_owned()
}

/// The core this process was put on.
fn load_core() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let allowed = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let pinned = available_parallelism().is_ok_and(|count| count.get() == 1);
    let list = allowed.unwrap_or("?").trim().to_owned();
    if pinned {
        list
    } else {
        format!("{list} (not pinned)")
    }
}
