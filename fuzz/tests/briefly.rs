//! Each target on its seeds, and on mutations of them: always the same ones, so that a failure can be repeated.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr)]

use std::{fs, panic, path::Path};

use lintel_fuzz::{TARGETS, Target};

/// Mutations of all seeds of a target together. Some seconds in a debug build, for the slowest.
const RUNS: usize = 20_000;

#[test]
fn api_key() {
    briefly("api_key");
}

#[test]
fn compose_value() {
    briefly("compose_value");
}

#[test]
fn config() {
    briefly("config");
}

#[test]
fn expression() {
    briefly("expression");
}

#[test]
fn grpc_json() {
    briefly("grpc_json");
}

#[test]
fn grpc_request() {
    briefly("grpc_request");
}

#[test]
fn grpc_template() {
    briefly("grpc_template");
}

#[test]
fn grpc_web() {
    briefly("grpc_web");
}

#[test]
fn http1_client() {
    briefly("http1_client");
}

#[test]
fn http1_server() {
    briefly("http1_server");
}

#[test]
fn key_set() {
    briefly("key_set");
}

#[test]
fn path() {
    briefly("path");
}

#[test]
fn proxy_protocol() {
    briefly("proxy_protocol");
}

#[test]
fn router_patterns() {
    briefly("router_patterns");
}

#[test]
fn signature_input() {
    briefly("signature_input");
}

#[test]
fn token() {
    briefly("token");
}

#[test]
fn xml_json() {
    briefly("xml_json");
}

/// A target that is added and not run here is noticed.
#[test]
fn none_is_left_out() {
    let source = include_str!("briefly.rs");
    for target in TARGETS {
        let call = format!("briefly(\"{}\")", target.name);
        assert!(source.contains(&call), "no test runs `{}`", target.name);
    }
}

fn briefly(name: &str) {
    let target = lintel_fuzz::find(name).unwrap();
    let seeds = seeds(name);
    for seed in &seeds {
        attempt(target, seed);
    }
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..RUNS {
        let mut input = random.choice(&seeds).unwrap().clone();
        for _ in 0..random.usize(1..6) {
            mutate(&mut input, &seeds, &mut random);
        }
        attempt(target, &input);
    }
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(name);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn attempt(target: &Target, input: &[u8]) {
    let outcome = panic::catch_unwind(|| (target.run)(input));
    if let Err(panic) = outcome {
        eprintln!("the input was b\"{}\"", input.escape_ascii());
        panic::resume_unwind(panic);
    }
}

/// Bytes that parsers have opinions about.
const TELLING: &[u8] = b"\0\t\n\r \"#$%&'*+,-./09:;<=>?@AZ[\\]_az{|}~\x7f\x80\xc3\xff";

fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut fastrand::Rng) {
    let place = random.usize(0..=input.len());
    let end = (place + random.usize(1..16)).min(input.len());
    let telling = *random.choice(TELLING).unwrap();
    match random.u8(0..8) {
        0 => input.insert(place, telling),
        1 => input.insert(place, random.u8(..)),
        2 => drop(input.drain(place..end)),
        3 => {
            let piece = input[place..end].to_vec();
            let there = random.usize(0..=input.len());
            input.splice(there..there, piece);
        }
        4 => {
            let other = random.choice(seeds).unwrap();
            let from = random.usize(0..=other.len());
            input.truncate(place);
            input.extend_from_slice(&other[from..]);
        }
        5 => input.truncate(place),
        kind => {
            let Some(byte) = input.get_mut(place) else {
                return;
            };
            *byte = if kind == 6 {
                telling
            } else {
                *byte ^ (1 << random.u8(0..8))
            };
        }
    }
}
