use std::{fmt, str::FromStr};

use super::{StatusPattern, TextError, text_type};
use crate::shape::nearest;

/// What counts as no answer of a service: a word, or a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No connection, a broken one, or no valid answer.
    Unreachable,
    /// No endpoint, or limits leave no room.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// An answer with such a status.
    Status(StatusPattern),
}

const WORDS: [(&str, Cause); 3] = [
    ("unreachable", Cause::Unreachable),
    ("unavailable", Cause::Unavailable),
    ("timeout", Cause::Timeout),
];

impl FromStr for Cause {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if let Some((_, cause)) = WORDS.iter().find(|(word, _)| *word == text) {
            return Ok(*cause);
        }
        text.parse().map(Self::Status).map_err(|status: TextError| {
            if text.starts_with(|c: char| c.is_ascii_digit()) {
                return status;
            }
            let error = TextError::new(format!("`{text}` is no failure of a service"));
            match nearest(text, WORDS.iter().map(|(word, _)| *word)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(
                    "write `unreachable`, `unavailable`, `timeout`, or a status such as `503` or `5xx`",
                ),
            }
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("unreachable"),
            Self::Unavailable => f.write_str("unavailable"),
            Self::Timeout => f.write_str("timeout"),
            Self::Status(status) => status.fmt(f),
        }
    }
}

text_type!(Cause, "failure-cause"; "timeout", "5xx");
