//! `lintel check`.

use lintel_config::{Loaded, Report, build, load};
use serde_json::json;

use crate::{FAILED, FINE, cli, print};

pub(crate) fn check(args: &cli::Check) -> u8 {
    let checked = load(&args.config).and_then(|loaded| {
        let built = build(&loaded, 1, None)?;
        Ok((loaded, built))
    });
    match checked {
        Ok((loaded, built)) => {
            let warnings: Vec<_> = loaded
                .warnings
                .iter()
                .chain(&built.warnings)
                .cloned()
                .collect();
            let count = warnings.len();
            report(&loaded.report(warnings), args.json);
            if !args.json {
                print::out(&summary(&loaded, count));
            }
            if count > 0 && args.deny_warnings {
                FAILED
            } else {
                FINE
            }
        }
        Err(errors) => {
            report(&errors, args.json);
            FAILED
        }
    }
}

fn report(found: &Report, as_json: bool) {
    if as_json {
        print::out(&json!(found.to_json()).to_string());
    } else if !found.diagnostics().is_empty() {
        print::err(&found.render(&print::style()));
    }
}

fn summary(loaded: &Loaded, warnings: usize) -> String {
    let model = &loaded.model;
    let count = |number: usize, noun: &str| match number {
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    };
    format!(
        "ok: {}, {}, {}, {} (version {})",
        count(model.listeners.len(), "listener"),
        count(model.routes.len(), "route"),
        count(model.services.len(), "service"),
        count(warnings, "warning"),
        loaded.version,
    )
}
