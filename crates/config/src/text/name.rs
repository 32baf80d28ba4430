use std::{fmt, str::FromStr};

use super::{TextError, text_type};

/// Longest name, in characters: it becomes a label of metrics.
const LONGEST: usize = 64;

/// The name of a listener, service, route or other item: letters, digits, `_`, `-` and `.`,
/// beginning with a letter or digit, 64 characters at most. It is the item's identity in metrics,
/// logs and diffs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let error = |message: &str| TextError::new(format!("`{text}` can't be a name: {message}"));
        let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if text.is_empty() {
            return Err(TextError::new("a name can't be empty"));
        }
        if let Some((at, bad)) = text.char_indices().find(|(_, c)| !fit(*c)) {
            let better: String = text.chars().map(|c| if fit(c) { c } else { '_' }).collect();
            let error = error(&format!("`{}` is not allowed", bad.escape_debug())).at(at);
            return Err(
                match better.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                    true => error.hint(format!("write `{better}`")),
                    false => error.hint("use letters, digits, `_`, `-` and `.`"),
                },
            );
        }
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(error("it must begin with a letter or digit"));
        }
        if text.len() > LONGEST {
            return Err(error("it has more than 64 characters"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(Name, "name", pattern: r"^[0-9A-Za-z][0-9A-Za-z_.-]{0,63}$"; "orders");

/// Which statuses an error page is for: one (`404`), a class (`4xx`, `5xx`), or all (`default`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusPattern {
    /// Exactly this status.
    Exact(u16),
    /// The hundred that begins with this digit.
    Class(u8),
    /// Every error.
    Default,
}

impl FromStr for StatusPattern {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match text {
            "default" => return Ok(Self::Default),
            "4xx" => return Ok(Self::Class(4)),
            "5xx" => return Ok(Self::Class(5)),
            _ => {}
        }
        let error = TextError::new(format!("`{text}` is not the status of an error"));
        match text.parse::<u16>() {
            Ok(status @ 400..=599) => Ok(Self::Exact(status)),
            Ok(status @ 100..=399) => {
                Err(error.hint(format!("{status} is no error; errors go from 400 to 599")))
            }
            _ => {
                Err(error.hint("write a status such as `404`, a class such as `5xx`, or `default`"))
            }
        }
    }
}

impl fmt::Display for StatusPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(status) => status.fmt(f),
            Self::Class(class) => write!(f, "{class}xx"),
            Self::Default => f.write_str("default"),
        }
    }
}

text_type!(StatusPattern, "status-pattern", pattern: r"^([45][0-9]{2}|[45]xx|default)$"; "404", "5xx", "default");
