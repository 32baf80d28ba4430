//! `lintel diff`.

use lintel_config::{
    Change, ChangeKind, FieldChange, Loaded, Loader, diff as compare, diff_effective,
};
use serde_json::{Value, json};

use crate::{FAILED, FINE, USAGE, cli, print, remote};

pub(crate) fn diff(args: &cli::Diff) -> u8 {
    match changes(args) {
        Ok(changes) if args.remote.json => {
            print::out(&json!({ "same": changes.is_empty(), "changes": changes }).to_string());
            verdict(&changes)
        }
        Ok(changes) => {
            print::out(&describe(&changes));
            verdict(&changes)
        }
        Err(message) => {
            print::err(&message);
            USAGE
        }
    }
}

const fn verdict(changes: &[Change]) -> u8 {
    if changes.is_empty() { FINE } else { FAILED }
}

fn changes(args: &cli::Diff) -> Result<Vec<Change>, String> {
    // What is named is compared, not what is in certificates and keys.
    let load = |path: &std::path::PathBuf| {
        let loaded = Loader::new().without_files().load(path);
        loaded.map_err(|report| report.render(&print::style()))
    };
    match (&args.after, load(&args.before)) {
        (Some(after), before) => match (before, load(after)) {
            (Ok(before), Ok(after)) => Ok(compare(&before, &after)),
            (before, after) => {
                let reports = [before.err(), after.err()];
                Err(reports.into_iter().flatten().collect::<Vec<_>>().join("\n"))
            }
        },
        (None, file) => against_running(args, &file?),
    }
}

/// What a reload of the running gateway with this file would change.
fn against_running(args: &cli::Diff, file: &Loaded) -> Result<Vec<Change>, String> {
    let serving = remote::fetch(&args.remote, "/config")?;
    let mut changes = diff_effective(&serving, file);
    let status = remote::fetch(&args.remote, "/config/status")?;
    let version = status.pointer("/serving/version").and_then(Value::as_str);
    if changes.is_empty() && version != Some(&*file.version) {
        changes.push(Change {
            path: String::new(),
            item: "something that is not shown, such as a secret".to_owned(),
            kind: ChangeKind::Changed,
            fields: Vec::new(),
        });
    }
    Ok(changes)
}

fn describe(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "no difference".to_owned();
    }
    let mut out = String::new();
    for change in changes {
        let sign = match change.kind {
            ChangeKind::Added => '+',
            ChangeKind::Removed => '-',
            ChangeKind::Changed => '~',
        };
        out.push_str(&format!("{sign} {}\n", change.item));
        for field in &change.fields {
            out.push_str(&line(field));
        }
    }
    let count = |kind| changes.iter().filter(|change| change.kind == kind).count();
    out.push_str(&format!(
        "\n{} added, {} removed, {} changed\n",
        count(ChangeKind::Added),
        count(ChangeKind::Removed),
        count(ChangeKind::Changed),
    ));
    out
}

fn line(field: &FieldChange) -> String {
    let path = &field.path;
    let before = match path.as_str() {
        "" => String::new(),
        path => format!("{path}: "),
    };
    match (&field.before, &field.after) {
        (None, after) => format!("    + {before}{}\n", shown(after.as_ref())),
        (before_value, None) => format!("    - {before}{}\n", shown(before_value.as_ref())),
        (Some(old), Some(new)) if old == new => format!("    {before}a hidden value changes\n"),
        (Some(old), Some(new)) => {
            format!("    {before}{} → {}\n", shown(Some(old)), shown(Some(new)))
        }
    }
}

/// Texts without quotes, as they are written in YAML for the most part.
fn shown(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}
