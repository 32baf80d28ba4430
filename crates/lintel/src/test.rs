//! `lintel test`.

use lintel_config::{Loader, Report};
use lintel_control::expectations::{self, Mismatch, Outcome, TrialError};
use serde_json::json;

use crate::{FAILED, FINE, USAGE, cli, print};

pub(crate) fn test(args: &cli::Test) -> u8 {
    // Certificates and keys are where the gateway runs, not where its configuration is tested.
    let loaded = match Loader::new().without_files().load(&args.config) {
        Ok(loaded) => loaded,
        Err(report) => return invalid(&report, args.json),
    };
    let notes = expectations::unasked(&loaded);
    let outcomes = match expectations::run(loaded) {
        Ok(outcomes) => outcomes,
        Err(TrialError::Config(report)) => return invalid(&report, args.json),
        Err(TrialError::Io(error)) => {
            print::err(&format!("error: the gateway can't be built: {error}"));
            return USAGE;
        }
    };
    let failed = outcomes.iter().filter(|outcome| !outcome.holds()).count();
    if args.json {
        let passed = outcomes.len() - failed;
        let shown =
            json!({ "passed": passed, "failed": failed, "tests": outcomes, "notes": notes });
        print::out(&shown.to_string());
    } else {
        print::out(&describe(&outcomes, failed, &notes));
    }
    if failed == 0 { FINE } else { FAILED }
}

fn invalid(report: &Report, as_json: bool) -> u8 {
    if as_json {
        print::out(&json!({ "invalid": report.to_json() }).to_string());
    } else {
        print::err(&report.render(&print::style()));
    }
    USAGE
}

fn describe(outcomes: &[Outcome], failed: usize, notes: &[String]) -> String {
    if outcomes.is_empty() {
        return "no tests: write some under `tests`, such as \
                `- { request: { url: /orders/7 }, expect: { route: orders } }`"
            .to_owned();
    }
    let mut out = String::new();
    for outcome in outcomes {
        let word = if outcome.holds() { "ok    " } else { "FAILED" };
        out.push_str(&format!("{word} {}\n", outcome.name));
        if !outcome.holds() {
            out.push_str(&format!("       at {}:{}\n", outcome.file, outcome.line));
        }
        for mismatch in &outcome.mismatches {
            out.push_str(&lines(mismatch));
        }
    }
    for note in notes {
        out.push_str(&format!("note   {note}\n"));
    }
    out.push_str(&format!(
        "\n{} passed, {failed} failed\n",
        outcomes.len() - failed
    ));
    out
}

fn lines(mismatch: &Mismatch) -> String {
    let Mismatch {
        what,
        expected,
        actual,
        why,
    } = mismatch;
    let mut out = format!("       {what}: expected {expected}, got {actual}\n");
    for sentence in why {
        out.push_str(&format!("         - {sentence}\n"));
    }
    out
}
