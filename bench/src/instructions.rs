//! Instructions per request, counted by callgrind: a figure that a noisy machine does not move.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::driver::Bench;
use crate::load::{self, Length, Plan};
use crate::proxies::{Job, Load, Proxy};
use crate::scenarios;

/// Requests of the two runs; their difference leaves out starting and stopping.
const FEW: u64 = 500;
const MANY: u64 = 2_500;
/// How much more a request may cost than the baseline says.
const TOLERANCE: f64 = 0.03;

/// What is done with the figure.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Compare with the baseline in this file.
    Check(PathBuf),
    /// Make the figure the baseline.
    Accept(PathBuf),
    /// Only print it.
    Print,
}

/// Counts, prints and judges.
///
/// # Errors
/// The count could not be made, there is no baseline, or the figure is more than 3 % above it.
pub(crate) fn run(bench: &mut Bench, proxy: Proxy, job: Job, verdict: &Verdict) -> Result<()> {
    bench.prepare(job)?;
    let few = count(bench, proxy, job, FEW)?;
    let many = count(bench, proxy, job, MANY)?;
    let spent = many
        .checked_sub(few)
        .context("fewer instructions for more requests")?;
    let each = spent as f64 / (MANY - FEW) as f64;
    println!(
        "{}: {each:.0} instructions per request in user space",
        proxy.name()
    );
    match verdict {
        Verdict::Print => Ok(()),
        Verdict::Accept(path) => Ok(fs::write(path, format!("{each:.0}\n"))?),
        Verdict::Check(path) => check(each, path),
    }
}

fn check(each: f64, path: &Path) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| {
        format!(
            "no baseline at {}: bench/instructions --accept makes one",
            path.display()
        )
    })?;
    let baseline: f64 = text
        .trim()
        .parse()
        .with_context(|| format!("{} is not a number", path.display()))?;
    let change = each / baseline - 1.0;
    println!("baseline: {baseline:.0} ({:+.1} %)", change * 100.0);
    if change > TOLERANCE {
        bail!(
            "a request costs {:.1} % more instructions than the baseline",
            change * 100.0
        );
    }
    if change < -TOLERANCE {
        println!(
            "better by more than {:.0} %: bench/instructions --accept keeps it so",
            TOLERANCE * 100.0
        );
    }
    Ok(())
}

/// Instructions of a whole life of the proxy with so many requests.
fn count(bench: &Bench, proxy: Proxy, job: Job, requests: u64) -> Result<u64> {
    let counts = bench.options.work.join("callgrind");
    if counts.exists() {
        fs::remove_dir_all(&counts)?;
    }
    fs::create_dir_all(&counts)?;
    // NGINX's worker writes its counts after it gave up root.
    fs::set_permissions(&counts, PermissionsExt::from_mode(0o777))?;
    let output = format!("--callgrind-out-file={}", counts.join("%p").display());
    let wrapper = ["valgrind", "--quiet", "--tool=callgrind", &output].map(str::to_owned);
    let load = Load {
        job,
        ..Load::default()
    };
    let running = bench.start_wrapped(proxy, load, &wrapper, Duration::from_secs(120))?;
    let plan = Plan {
        // One at a time, so that the same work is done in the same order.
        connections: 1,
        warmup: Duration::ZERO,
        length: Length::Requests(requests),
        ..Plan::http1(running.http(), scenarios::work(job, &bench.credentials))
    };
    let report = load::run(&plan, &mut |_| {})
        .map_err(|error| anyhow!("{error:#}; {}", running.complaint()))?;
    ensure!(
        report.errors == 0 && report.completed == requests,
        "{} of {requests} requests answered",
        report.completed
    );
    running.stop_within(Duration::from_secs(60));
    let mut total = 0;
    for file in fs::read_dir(&counts)? {
        total += total_of(&fs::read_to_string(file?.path())?);
    }
    ensure!(
        total > 0,
        "callgrind left no counts: the proxy did not end by itself when asked to"
    );
    Ok(total)
}

/// The sum that callgrind writes at the end of its file.
fn total_of(text: &str) -> u64 {
    let total = text.lines().rev().find_map(|line| {
        line.strip_prefix("totals:")
            .or_else(|| line.strip_prefix("summary:"))
    });
    total
        .and_then(|total| total.trim().parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{check, total_of};

    #[test]
    fn the_total_is_read() {
        assert_eq!(
            total_of("events: Ir\nsummary: 17\nfn=a\n1 2\ntotals: 1234\n"),
            1234
        );
        assert_eq!(total_of(""), 0);
    }

    #[test]
    fn only_a_worse_figure_fails() {
        let file =
            std::env::temp_dir().join(format!("lintel-bench-baseline-{}", std::process::id()));
        std::fs::write(&file, "1000\n").unwrap();
        let verdicts = [900.0, 1_020.0, 1_040.0].map(|each| check(each, &file).is_ok());
        std::fs::remove_file(&file).unwrap();
        assert_eq!(verdicts, [true, true, false]);
        assert!(
            check(1.0, &file).is_err(),
            "a missing baseline is not a pass"
        );
    }
}
