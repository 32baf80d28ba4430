//! Runs the fuzz targets in `fuzz/`: libFuzzer, on the stable toolchain, without cargo-fuzz.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Every target, with where its first inputs are.
const TARGETS: &[(&str, &str)] = &[
    ("http1_server", "fuzz/seeds/http1_server"),
    ("http1_client", "fuzz/seeds/http1_client"),
    ("router_patterns", "fuzz/seeds/router_patterns"),
    ("proxy_protocol", "fuzz/seeds/proxy_protocol"),
    ("path", "fuzz/seeds/path"),
    ("expression", "fuzz/seeds/expression"),
    ("config", "examples"),
];

/// What cargo-fuzz passes too, but for the address sanitizer, which needs a nightly compiler.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// Builds all targets, and runs each for so many seconds, or only the one that is named.
pub(crate) fn run(root: &Path, seconds: &str, only: Option<&str>) -> Result<(), String> {
    let known = |name: &str| TARGETS.iter().any(|(target, _)| *target == name);
    if let Some(unknown) = only.filter(|name| !known(name)) {
        return Err(format!("fuzz: no target `{unknown}`"));
    }
    let programs = build(root)?;
    let chosen = TARGETS
        .iter()
        .filter(|(name, _)| only.is_none_or(|only| only == *name));
    for (name, seeds) in chosen {
        let corpus = root.join("fuzz/corpus").join(name);
        fs::create_dir_all(&corpus).map_err(|error| format!("fuzz: {error}"))?;
        let mut command = Command::new(programs.join(name));
        command
            .current_dir(root)
            .args([
                "-seed=1",
                "-timeout=20",
                "-rss_limit_mb=2048",
                "-verbosity=0",
            ])
            .args(["-print_final_stats=1", "-use_value_profile=1"])
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix=fuzz/corpus/{name}-"))
            .args([corpus.as_path(), Path::new(seeds)]);
        let output = command
            .output()
            .map_err(|error| format!("fuzz: {name}: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(format!("fuzz: {name} failed:\n{said}"));
        }
        let runs = said
            .lines()
            .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
            .ok_or_else(|| format!("fuzz: {name} tells no number of runs:\n{said}"))?;
        println!("fuzz: {name}: {} runs in {seconds} s", runs.trim());
    }
    Ok(())
}

/// Builds with coverage counters in everything but build scripts and macros; returns the folder of
/// the programs.
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
    // The same dependencies as in the product.
    let lock = [root.join("Cargo.lock"), root.join("fuzz/Cargo.lock")];
    fs::copy(&lock[0], &lock[1]).map_err(|error| format!("fuzz: {error}"))?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let target = target.join("fuzz");
    let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--bins", "--target", host])
        .arg("--manifest-path")
        .arg(root.join("fuzz/Cargo.toml"))
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", FLAGS)
        .status()
        .map_err(|error| format!("fuzz: cargo: {error}"))?;
    if !built.success() {
        return Err("fuzz: the targets do not build".to_owned());
    }
    Ok(target.join(host).join("debug"))
}
