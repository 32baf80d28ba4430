//! Why a text is not what it has to be.

use std::{borrow::Cow, fmt};

/// Where and why a JSON text is not what it has to be. Made for the eyes of whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The names and indexes from the outermost value down to the value.
    path: Vec<Cow<'static, str>>,
    /// Byte offset within the text.
    offset: usize,
    detail: Cow<'static, str>,
}

/// What is read, or why not.
pub type Read<T> = Result<T, Box<Mismatch>>;

impl Mismatch {
    /// What is wrong at a byte of the text.
    pub fn at(offset: usize, detail: impl Into<Cow<'static, str>>) -> Box<Self> {
        Box::new(Self {
            path: Vec::new(),
            offset,
            detail: detail.into(),
        })
    }

    /// The same, seen from one level further up.
    #[must_use]
    pub fn under(mut self: Box<Self>, name: impl fmt::Display) -> Box<Self> {
        self.path.insert(0, Cow::Owned(name.to_string()));
        self
    }

    /// What is wrong, in one sentence without its full stop.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Byte offset within the text.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The place as a JSON pointer (RFC 6901).
    pub fn pointer(&self) -> String {
        let mut pointer = String::new();
        for part in &self.path {
            pointer.push('/');
            pointer.push_str(&part.replace('~', "~0").replace('/', "~1"));
        }
        pointer
    }

    /// One sentence with the place, as line and column of `text` where it has no name.
    pub fn describe(&self, text: &str) -> String {
        if self.path.is_empty() {
            let before = text.get(..self.offset).unwrap_or(text);
            let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            return format!("Line {line}, column {column}: {}.", self.detail);
        }
        format!("`{}`: {}.", self.pointer(), self.detail)
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pointer(), self.detail)
    }
}

impl std::error::Error for Mismatch {}
