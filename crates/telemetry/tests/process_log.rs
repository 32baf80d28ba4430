//! The process log as the binary sets it up: it is global, so this is a process of its own.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::{fs, panic, time::Duration};

use lintel_telemetry::{
    Catalogue, Target,
    access_log::{Format, flush_all},
    log::{self, InitError, LevelError, Options},
};

#[test]
fn the_level_changes_at_run_time_and_panics_are_logged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("process.log");
    let written = || {
        assert!(flush_all(Duration::from_secs(60)));
        fs::read_to_string(&path).unwrap()
    };
    assert_eq!(log::set_level("debug"), Err(LevelError::NoLog));
    let options = Options {
        format: Format::Human,
        level: "warn,quiet=off".to_owned(),
        target: Target::File(path.clone()),
    };
    let unreadable = Options {
        level: "loud".to_owned(),
        ..options.clone()
    };
    assert!(matches!(log::init(&unreadable), Err(InitError::Level(_))));
    log::init(&options).unwrap();
    assert!(matches!(log::init(&options), Err(InitError::Repeated)));

    for round in ["before", "after"] {
        tracing::debug!("{round}: details");
        tracing::warn!("{round}: a warning");
        tracing::error!(target: "quiet", "{round}: not wanted");
        log::set_level("debug,quiet=off").unwrap();
    }
    let text = written();
    assert!(text.contains("before: a warning") && text.contains("after: a warning"));
    assert!(!text.contains("before: details") && text.contains("after: details"));
    assert!(!text.contains("not wanted"));

    assert!(log::set_level("debugg").is_err());
    assert_eq!(log::level(), "debug,quiet=off");

    let catalogue = Catalogue::new();
    log::install_panic_hook(catalogue.clone());
    let _ = panic::catch_unwind(|| panic!("a \x1b[2Jdefect"));
    let _ = panic::take_hook();
    assert!(written().contains(r#"cause="a \u{1b}[2Jdefect""#));
    let mut text = Vec::new();
    catalogue.render(&mut text, false);
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("\nlintel_panics_total 1\n"));
}
