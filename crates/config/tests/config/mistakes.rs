//! Every way to get a configuration wrong that we could think of, and what the operator reads then.
//!
//! A mistake is a file, or a folder, in `tests/mistakes`; what is said about it is its snapshot.
//! Change the words, review the snapshots with `cargo insta review`.

use std::{fs, path::PathBuf};

use lintel_config::{Loader, Report, Severity, Style};

use super::snapshots;

const SECRET: &str = "s3cr3t-value";

fn mistakes() -> Vec<(String, PathBuf)> {
    let mut all: Vec<(String, PathBuf)> = fs::read_dir("tests/mistakes")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_stem().unwrap().to_string_lossy().into_owned(),
                path,
            )
        })
        .collect();
    all.sort();
    all
}

fn read(name: &str, path: &PathBuf) -> Report {
    let loader = Loader::new().environment([("TOKEN", SECRET), ("PORT", SECRET)]);
    match loader.load(path) {
        Err(report) => report,
        Ok(loaded) => {
            assert!(name.starts_with("warn_"), "`{name}` is no mistake");
            loaded.warning_report()
        }
    }
}

#[test]
fn every_mistake_is_explained() {
    let all = mistakes();
    assert!(all.len() >= 60, "only {} mistakes", all.len());
    let mut settings = snapshots();
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (name, path) in all {
            let shown = read(&name, &path).render(&Style::terminal(100, false));
            assert!(!shown.contains(SECRET), "{name} shows a secret");
            assert!(!shown.contains("hunter2"), "{name} shows a secret");
            insta::assert_snapshot!(name.clone(), shown);
        }
    });
}

#[test]
fn every_mistake_has_a_place_and_advice() {
    for (name, path) in mistakes() {
        let report = read(&name, &path);
        assert!(!report.diagnostics().is_empty(), "{name}");
        for diagnostic in report.diagnostics() {
            let expected = if name.starts_with("warn_") {
                Severity::Warning
            } else {
                Severity::Error
            };
            assert_eq!(diagnostic.severity, expected, "{name}");
            assert!(
                lintel_config::diagnostic::code::ALL.contains(&diagnostic.code),
                "{name}: {}",
                diagnostic.code
            );
            assert!(
                diagnostic.help.is_some() || diagnostic.expected.is_some(),
                "{name}: no advice: {diagnostic:?}"
            );
            for text in [Some(&diagnostic.message), diagnostic.help.as_ref()]
                .into_iter()
                .flatten()
            {
                assert!(!text.ends_with('.'), "{name}: full stop: {text}");
                assert!(!text.contains("  "), "{name}: two spaces: {text}");
            }
            if name == "empty_file" {
                continue;
            }
            let place = diagnostic
                .primary
                .as_ref()
                .unwrap_or_else(|| panic!("{name}: no place"));
            assert!(
                place.span.start < place.span.end,
                "{name}: nothing is marked: {diagnostic:?}"
            );
        }
    }
}

#[test]
fn programs_get_the_same() {
    let (name, path) = (
        "unknown_key".to_owned(),
        PathBuf::from("tests/mistakes/unknown_key.yaml"),
    );
    let json = read(&name, &path).to_json();
    let shown = serde_json::to_string_pretty(&json).unwrap();
    snapshots().bind(|| insta::assert_snapshot!(shown));
}
