//! Gates that keep the repository in shape, and the scaffold for a new policy.
//!
//! `cargo xtask fuzz SECONDS [TARGET]` · `cargo xtask sizes` · `cargo xtask layers` · `cargo xtask links` · `cargo xtask gates` (all three) · `cargo xtask policy NAME PHASE`

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its user"
)]

mod fuzz;
mod layers;
mod links;
mod scaffold;
mod sizes;

use std::{path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["sizes"] => sizes::check(&root()),
        ["layers"] => layers::check(&root()),
        ["links"] => links::check(&root()),
        ["gates"] => sizes::check(&root())
            .and_then(|()| layers::check(&root()))
            .and_then(|()| links::check(&root())),
        ["fuzz", seconds] => fuzz::run(&root(), seconds, None),
        ["fuzz", seconds, target] => fuzz::run(&root(), seconds, Some(target)),
        ["policy", name, phase] => scaffold::policy(&root(), name, phase),
        _ => {
            eprintln!(
                "usage: cargo xtask sizes | layers | links | gates | fuzz SECONDS [TARGET] | policy NAME PHASE"
            );
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(findings) => {
            eprintln!("{findings}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(PathBuf::from)
        .unwrap_or_default()
}
