//! Regular expressions as fully compiled automata: a match is one look-up per byte, whatever the expression.
//!
//! Expressions match the whole of a value, never a part. A compiled automaton is immutable: it needs no scratch space,
//! no lock and no allocation to match, so the workers share it. What cannot be compiled within [`DFA_LIMIT`] is refused.

use std::fmt;
use std::sync::Arc;

use regex_syntax::hir::Hir;

use crate::PatternError;

mod captures;
mod dfa;
mod product;
mod set;

use dfa::CompileError;

pub(crate) use captures::Captures;
pub(crate) use dfa::Dfa;
pub(crate) use product::{Product, difference, intersection};
pub(crate) use set::RegexSet;

/// The most bytes of text in one expression.
const MAX_TEXT: usize = 4096;
/// The most bytes of one automaton's transition table. Ordinary route expressions take 1 to 50 KiB.
const DFA_LIMIT: usize = 2 << 20;
/// The most bytes of scratch space to build one, and of the NFA it is built from.
const BUILD_LIMIT: usize = 8 << 20;

/// One expression that matches a whole value.
pub(crate) struct Regex {
    pub(crate) text: Arc<str>,
    hir: Hir,
    pub(crate) dfa: Dfa,
}

impl Regex {
    pub(crate) fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAX_TEXT {
            return Err(PatternError::new(
                MAX_TEXT,
                format!("a regular expression has at most {MAX_TEXT} bytes"),
            ));
        }
        let hir = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .build()
            .parse(text)
            .map_err(|e| syntax_error(&e))?;
        let dfa = Dfa::compile(&[&hir]).map_err(|e| match e {
            CompileError::TooBig => PatternError::new(0, "the regular expression is too big to match in bounded time and memory")
                .hint("use smaller repetitions, and ASCII classes such as `[a-z]` or `(?-u:\\w)` instead of Unicode ones"),
            CompileError::Unsupported(what) => PatternError::new(0, what)
                .hint("write `(?-u:\\b)` for a word boundary of ASCII letters"),
        })?;
        Ok(Self {
            text: text.into(),
            hir,
            dfa,
        })
    }

    /// A shortest path that matches.
    pub(crate) fn path_example(&self) -> Product {
        match Self::prefix("/") {
            Ok(paths) => intersection(&self.dfa, &paths.dfa),
            Err(_) => Product::Unknown,
        }
    }

    /// An automaton that matches what this one matches, and everything that is no path.
    pub(crate) fn or_no_path(&self) -> Option<Dfa> {
        let no_path = Self::parse("(?s-u:[^/].*)?").ok()?;
        Dfa::compile(&[&self.hir, &no_path.hir]).ok()
    }

    /// Every value that begins with `prefix`.
    pub(crate) fn prefix(prefix: &str) -> Result<Self, PatternError> {
        Self::parse(&format!("{}(?s-u:.*)", regex_syntax::escape(prefix)))
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Regex").field(&self.text).finish()
    }
}

fn syntax_error(error: &regex_syntax::Error) -> PatternError {
    match error {
        regex_syntax::Error::Parse(e) => {
            PatternError::new(e.span().start.offset, e.kind().to_string())
        }
        regex_syntax::Error::Translate(e) => {
            PatternError::new(e.span().start.offset, e.kind().to_string())
        }
        other => PatternError::new(0, other.to_string()),
    }
    .hint("the syntax is that of the Rust `regex` crate: no back-references and no look-around")
}
