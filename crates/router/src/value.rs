use std::fmt;
use std::sync::Arc;

use crate::PatternError;
use crate::regex::{Product, Regex, difference, intersection};

/// What a header or query parameter must be. Comparison is byte for byte and case-sensitive.
#[derive(Debug, Clone)]
pub enum ValueMatch {
    /// This value.
    Exact(String),
    /// One of these values.
    OneOf(Vec<String>),
    /// A value that begins so.
    Prefix(String),
    /// A value that matches as a whole.
    Regex(ValueRegex),
    /// Any value, also an empty one.
    Present,
    /// No value: the request does not have it.
    Absent,
}

/// A regular expression that matches a whole header or parameter value, in time linear in it.
#[derive(Clone)]
pub struct ValueRegex(pub(crate) Arc<Regex>);

impl ValueRegex {
    /// Reads a regular expression in the syntax of the `regex` crate.
    ///
    /// # Errors
    ///
    /// [`PatternError`] if it is malformed, or needs a table of more than 2 MiB.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        Regex::parse(text).map(|regex| Self(Arc::new(regex)))
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }
}

impl fmt::Debug for ValueRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ValueRegex").field(&self.as_str()).finish()
    }
}

/// A value that can be read byte by byte, more than once.
pub(crate) trait Value: Copy {
    fn bytes(self) -> impl Iterator<Item = u8>;
}

impl Value for &[u8] {
    fn bytes(self) -> impl Iterator<Item = u8> {
        self.iter().copied()
    }
}

/// What was asked, as it reads after the name of a header or parameter.
impl fmt::Display for ValueMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(value) => write!(f, "is `{value}`"),
            Self::OneOf(values) => {
                f.write_str("is one of ")?;
                for (i, value) in values.iter().enumerate() {
                    let separator = if i == 0 { "" } else { ", " };
                    write!(f, "{separator}`{value}`")?;
                }
                Ok(())
            }
            Self::Prefix(prefix) => write!(f, "begins with `{prefix}`"),
            Self::Regex(regex) => write!(f, "matches `{}`", regex.as_str()),
            Self::Present => f.write_str("is present"),
            Self::Absent => f.write_str("is absent"),
        }
    }
}

impl ValueMatch {
    /// Whether a value, or its absence, is what is asked for.
    pub fn matches(&self, value: Option<&[u8]>) -> bool {
        self.accepts(value)
    }

    pub(crate) fn accepts(&self, value: Option<impl Value>) -> bool {
        let Some(value) = value else {
            return matches!(self, Self::Absent);
        };
        match self {
            Self::Exact(wanted) => value.bytes().eq(wanted.bytes()),
            Self::OneOf(wanted) => wanted.iter().any(|w| value.bytes().eq(w.bytes())),
            Self::Prefix(prefix) => {
                let mut value = value.bytes();
                prefix.bytes().all(|b| value.next() == Some(b))
            }
            Self::Regex(regex) => regex.0.dfa.matches(value.bytes()),
            Self::Present => true,
            Self::Absent => false,
        }
    }

    fn accepts_str(&self, value: &str) -> bool {
        self.accepts(Some(value.as_bytes()))
    }

    /// The values it takes, if they can be listed.
    pub(crate) fn listed(&self) -> Option<&[String]> {
        match self {
            Self::Exact(value) => Some(std::slice::from_ref(value)),
            Self::OneOf(values) => Some(values),
            _ => None,
        }
    }

    /// Whether everything it takes is surely also taken by `other`.
    pub(crate) fn implies(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Absent, other) => matches!(other, Self::Absent),
            (_, Self::Absent) => false,
            (_, Self::Present) => true,
            (Self::Prefix(a), Self::Prefix(b)) => a.starts_with(b.as_str()),
            _ => match self.listed() {
                Some(values) => values.iter().all(|v| other.accepts_str(v)),
                None => match (self.automaton(), other.automaton()) {
                    (Some(a), Some(b)) => difference(&a.dfa, &b.dfa) == Product::Empty,
                    _ => false,
                },
            },
        }
    }

    /// An automaton for a prefix or an expression.
    fn automaton(&self) -> Option<Arc<Regex>> {
        match self {
            Self::Prefix(prefix) => Regex::prefix(prefix).ok().map(Arc::new),
            Self::Regex(regex) => Some(Arc::clone(&regex.0)),
            _ => None,
        }
    }
}

/// Whether one value could meet all conditions; `true` where that cannot be told.
pub(crate) fn compatible(conditions: &[&ValueMatch]) -> bool {
    let absent = conditions
        .iter()
        .filter(|c| matches!(c, ValueMatch::Absent))
        .count();
    if absent != 0 {
        return absent == conditions.len();
    }
    if let Some(values) = conditions.iter().find_map(|c| c.listed()) {
        return values
            .iter()
            .any(|v| conditions.iter().all(|c| c.accepts_str(v)));
    }
    conditions
        .iter()
        .enumerate()
        .all(|(i, a)| conditions.iter().skip(i + 1).all(|b| overlap(a, b)))
}

fn overlap(a: &ValueMatch, b: &ValueMatch) -> bool {
    match (a, b) {
        (ValueMatch::Prefix(a), ValueMatch::Prefix(b)) => {
            a.starts_with(b.as_str()) || b.starts_with(a.as_str())
        }
        _ => match (a.automaton(), b.automaton()) {
            (Some(a), Some(b)) => intersection(&a.dfa, &b.dfa) != Product::Empty,
            _ => true,
        },
    }
}
