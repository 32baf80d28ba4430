//! Runs the fuzz targets in `fuzz/`: libFuzzer, on the stable toolchain, without cargo-fuzz.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What cargo-fuzz passes too, but for the address sanitizer, which needs a nightly compiler.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// Runs each target for so many seconds, or only the one that is named.
pub(crate) fn run(root: &Path, seconds: &str, only: Option<&str>) -> Result<(), String> {
    let targets = targets(root)?;
    if let Some(unknown) = only.filter(|name| !targets.iter().any(|target| target == name)) {
        return Err(format!(
            "fuzz: no target `{unknown}`; there are {}",
            targets.join(", ")
        ));
    }
    let program = build(root)?;
    for target in targets {
        if only.is_none_or(|only| only == target) {
            drive(root, &program, &target, seconds)?;
        }
    }
    Ok(())
}

/// Names of the targets: each has a folder of seeds.
fn targets(root: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(root.join("fuzz/seeds"))
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("fuzz: seeds: {error}"))?;
    let mut names: Vec<String> = entries
        .iter()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

fn drive(root: &Path, program: &Path, target: &str, seconds: &str) -> Result<(), String> {
    let corpus = root.join("fuzz/corpus").join(target);
    fs::create_dir_all(&corpus).map_err(|error| format!("fuzz: {error}"))?;
    let output = Command::new(program)
        .current_dir(root)
        .env("LINTEL_FUZZ_TARGET", target)
        .args([
            "-seed=1",
            "-timeout=20",
            "-rss_limit_mb=2048",
            "-verbosity=0",
        ])
        .args(["-print_final_stats=1", "-use_value_profile=1"])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix=fuzz/corpus/{target}-"))
        .args([corpus.as_path(), &Path::new("fuzz/seeds").join(target)])
        .output()
        .map_err(|error| format!("fuzz: {target}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("fuzz: {target} failed:\n{said}"));
    }
    let runs = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
        .ok_or_else(|| format!("fuzz: {target} tells no number of runs:\n{said}"))?;
    println!("fuzz: {target}: {} runs in {seconds} s", runs.trim());
    Ok(())
}

/// Builds with coverage counters in everything but build scripts and macros; returns the program.
fn build(root: &Path) -> Result<PathBuf, String> {
    let versions = Command::new("rustc")
        .arg("-vV")
        .output()
        .map_err(|error| format!("fuzz: rustc: {error}"))?;
    let versions = String::from_utf8_lossy(&versions.stdout).into_owned();
    let host = versions
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .ok_or("fuzz: rustc names no host")?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let target = target.join("fuzz");
    let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(root)
        .args(["build", "--quiet", "--profile", "fuzz", "--target", host])
        .args(["--package", "lintel-fuzz", "--features", "libfuzzer"])
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", FLAGS)
        .status()
        .map_err(|error| format!("fuzz: cargo: {error}"))?;
    if !built.success() {
        return Err("fuzz: the targets do not build".to_owned());
    }
    Ok(target.join(host).join("fuzz/lintel-fuzz"))
}
