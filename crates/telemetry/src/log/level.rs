//! Levels as an operator writes them.

use std::{error, fmt};

use tracing_subscriber::filter::{LevelFilter, Targets};

/// Why a text is not a level.
#[derive(Debug, PartialEq, Eq)]
pub enum LevelError {
    /// This part of it names no level.
    Unknown(String),
    /// No process log was set up.
    NoLog,
}

impl fmt::Display for LevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(word) => write!(
                f,
                "`{word}` is not a log level; write off, error, warn, info, debug or trace, or \
                 `info,lintel_upstream=debug` for one module"
            ),
            Self::NoLog => f.write_str("the process log is not set up"),
        }
    }
}

impl error::Error for LevelError {}

/// Reads `info` or `info,module=debug,…`; without a level of its own the rest is at `info`.
///
/// The library's own parser takes a misspelt level for the name of a module and silences the rest.
pub(super) fn parse(levels: &str) -> Result<Targets, LevelError> {
    let mut targets = Targets::new().with_default(LevelFilter::INFO);
    for word in levels.split(',').map(str::trim) {
        let unknown = || LevelError::Unknown(word.to_owned());
        targets = match word.split_once('=') {
            None => targets.with_default(level(word).ok_or_else(unknown)?),
            Some((module, _)) if module.trim().is_empty() => return Err(unknown()),
            Some((module, word)) => {
                targets.with_target(module.trim(), level(word.trim()).ok_or_else(unknown)?)
            }
        };
    }
    Ok(targets)
}

fn level(word: &str) -> Option<LevelFilter> {
    let known = [
        ("off", LevelFilter::OFF),
        ("error", LevelFilter::ERROR),
        ("warn", LevelFilter::WARN),
        ("info", LevelFilter::INFO),
        ("debug", LevelFilter::DEBUG),
        ("trace", LevelFilter::TRACE),
    ];
    known
        .into_iter()
        .find_map(|(name, level)| name.eq_ignore_ascii_case(word).then_some(level))
}

/// The text that [`parse`] reads back.
pub(super) fn print(targets: &Targets) -> String {
    let default = targets.default_level().unwrap_or(LevelFilter::OFF);
    let mut modules: Vec<String> = targets
        .iter()
        .map(|(module, level)| format!(",{module}={level}"))
        .collect();
    modules.sort();
    format!("{default}{}", modules.concat())
}
