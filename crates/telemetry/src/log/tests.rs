#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;
use tracing_subscriber::prelude::*;

use super::{level, *};

/// Runs something and gives back what it logged.
fn logged(format: Format, run: impl FnOnce()) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("process.log");
    let sink = Sink::open(&Target::File(path.clone())).unwrap();
    let subscriber = tracing_subscriber::registry().with(Lines::new(sink.clone(), format));
    tracing::subscriber::with_default(subscriber, run);
    read(&sink, &path)
}

fn read(sink: &Sink, path: &Path) -> String {
    assert!(sink.flush_until(Instant::now() + Duration::from_secs(60)));
    fs::read_to_string(path).unwrap()
}

#[test]
fn json_lines_keep_types_and_order() {
    let log = logged(Format::Json, || {
        let error = std::io::Error::other("no \"route\" to host\n");
        tracing::warn!(
            attempts = 3, ratio = 0.5, done = true, delta = -1, nan = f64::NAN, %error,
            level = "mine", "cannot reach {}", "10.0.0.7",
        );
    });
    let read: Value = serde_json::from_str(&log).unwrap();
    assert_eq!(read["level"], "warn");
    assert_eq!(read["target"], "lintel_telemetry::log::tests");
    assert_eq!(read["message"], "cannot reach 10.0.0.7");
    assert_eq!(read["attempts"], 3);
    assert_eq!(read["ratio"], 0.5);
    assert_eq!(read["done"], true);
    assert_eq!(read["delta"], -1);
    assert_eq!(read["nan"], "NaN");
    assert_eq!(read["error"], "no \"route\" to host\n");
    assert_eq!(read["level_"], "mine");
    assert!(log.starts_with("{\"time\":\"20"));
    assert_eq!(log.matches('\n').count(), 1);
}

#[test]
fn human_lines_are_one_line_whatever_is_logged() {
    let log = logged(Format::Human, || {
        tracing::error!(
            host = "a\r\nb\u{1b}[31m",
            word = "plain",
            "bad\nmessage \u{202e}"
        );
    });
    assert_eq!(log.matches('\n').count(), 1);
    let (_, line) = log.split_once("Z ").unwrap();
    assert_eq!(
        line,
        "ERROR lintel_telemetry::log::tests: bad\\nmessage \\u{202e} host=\"a\\r\\nb\\u{1b}[31m\" word=plain\n"
    );
}

#[test]
fn levels_are_read_and_printed() {
    for (text, printed) in [
        ("info", "info"),
        ("WARN", "warn"),
        ("off", "off"),
        ("lintel_upstream=debug", "info,lintel_upstream=debug"),
        ("warn, b=trace ,a=off", "warn,a=off,b=trace"),
    ] {
        let targets = level::parse(text).unwrap();
        assert_eq!(level::print(&targets), printed);
        assert_eq!(level::parse(printed).unwrap(), targets);
    }
    for (text, word) in [
        ("debugg", "debugg"),
        ("", ""),
        ("info,,debug", ""),
        ("a=loud", "a=loud"),
        ("=debug", "=debug"),
    ] {
        let error = level::parse(text).unwrap_err();
        assert_eq!(error, LevelError::Unknown(word.to_owned()));
        assert!(error.to_string().contains("write off, error, warn, info"));
    }
}

#[test]
fn one_message_in_an_interval() {
    let limit = OncePer::new(Duration::from_secs(60));
    let at = |secs| limit.pass_at(Duration::from_secs(secs));
    assert_eq!(at(0), Some(0));
    assert_eq!((at(1), at(59)), (None, None));
    assert_eq!(at(60), Some(2));
    assert_eq!(at(61), None);
    assert_eq!(at(500), Some(1));
}
