use std::fmt;
use std::sync::Arc;

use crate::PatternError;
use crate::regex::{Captures, Product, Regex};

/// The most segments in one pattern; bounds the depth of the index.
const MAX_SEGMENTS: usize = 64;

/// Which paths a route takes.
///
/// | text | takes |
/// |---|---|
/// | `/orders` | exactly `/orders`; `/orders/` is another path |
/// | `/orders/*` | `/orders`, `/orders/` and everything below; never `/ordersx` |
/// | `/users/{id}` | one segment that is not empty, captured as `id` |
/// | `/files/{rest..}` | what `/files/*` takes; `rest` is what follows `/files/`, slashes included, possibly nothing |
/// | `~^/v[0-9]+/.*$` | a regular expression that must match the whole path, with or without `^` and `$` |
///
/// A parameter is a whole segment; `*` and `{name..}` stand only at the end. Literal text is compared byte for byte
/// with the canonical path (RFC 3986 §6.2.2), case included; it is brought into that form first, so `/café` and
/// `/caf%c3%a9` are one pattern. Captured values stay as the canonical path has them.
///
/// A regular expression sees the canonical path with its escapes: write `%20` for a space. Its named groups,
/// `(?<name>…)`, are captured too. It matches in time linear in the path; one that needs a table of more than 2 MiB
/// is refused.
#[derive(Debug, Clone)]
pub struct PathPattern {
    pub(crate) text: Arc<str>,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Segments(Segments),
    Regex(Arc<PathRegex>),
}

#[derive(Debug)]
pub(crate) struct PathRegex {
    pub(crate) regex: Arc<Regex>,
    /// For an expression with named groups.
    pub(crate) captures: Option<Captures>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Segments {
    pub(crate) list: Vec<Segment>,
    /// Whether `*` or `{name..}` takes the rest.
    pub(crate) tail: bool,
    /// The names of the parameters and of the rest, in order.
    pub(crate) names: Vec<Arc<str>>,
    /// Whether the rest is one of the names.
    pub(crate) tail_named: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Segment {
    Literal(Box<str>),
    Param,
}

impl PathPattern {
    /// Reads a path pattern.
    ///
    /// # Errors
    ///
    /// [`PatternError`] if `text` is not of one of the forms above, with the form to write where it can be told, or
    /// if it is a regular expression that is too big.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let kind = match text.strip_prefix('~') {
            Some(regex) => Kind::Regex(Arc::new(path_regex(regex).map_err(|e| e.shifted(1))?)),
            None => Kind::Segments(segments(text)?),
        };
        Ok(Self {
            text: text.into(),
            kind,
        })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether both take the same paths with the same precedence, whatever the names of their parameters. Different
    /// regular expressions are never equal, even if they match the same paths.
    pub fn same_shape(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Segments(a), Kind::Segments(b)) => a.list == b.list && a.tail == b.tail,
            (Kind::Regex(a), Kind::Regex(b)) => a.regex.text == b.regex.text,
            _ => false,
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn path_regex(text: &str) -> Result<PathRegex, PatternError> {
    let regex = Arc::new(Regex::parse(text)?);
    match regex.path_example() {
        Product::Empty => Err(PatternError::new(
            0,
            "the expression matches no path: it must match the whole path, which begins with `/`",
        )
        .hint(format!(
            "write for example `~/{}`",
            text.trim_start_matches('^')
        ))),
        Product::Witness(_) | Product::Unknown => {
            let captures = Captures::new(&regex)?;
            Ok(PathRegex { regex, captures })
        }
    }
}

fn segments(text: &str) -> Result<Segments, PatternError> {
    let Some(inner) = text.strip_prefix('/') else {
        return Err(PatternError::new(0, "a path begins with `/`").hint(format!(
            "write `/{text}`, or `~` before a regular expression"
        )));
    };
    if let Some((at, c)) = text
        .char_indices()
        .find(|(_, c)| c.is_control() || matches!(c, '?' | '#' | '\\'))
    {
        return Err(forbidden(at, c));
    }
    let mut parsed = Segments::default();
    let mut at = 1;
    let count = inner.split('/').count();
    for (i, segment) in inner.split('/').enumerate() {
        if i == MAX_SEGMENTS {
            return Err(PatternError::new(
                at,
                format!("a path has at most {MAX_SEGMENTS} segments"),
            ));
        }
        parsed
            .push(segment, i + 1 == count)
            .map_err(|e| e.shifted(at))?;
        at += segment.len() + 1;
    }
    Ok(parsed)
}

fn forbidden(at: usize, c: char) -> PatternError {
    match c {
        '?' => PatternError::new(at, "`?` cannot stand in a path")
            .hint("match the query with `query`, or a literal `?` with a regular expression"),
        '#' => PatternError::new(at, "`#` cannot stand in a path")
            .hint("clients do not send fragments"),
        _ => PatternError::new(at, format!("{c:?} cannot stand in a path")),
    }
}

impl Segments {
    fn push(&mut self, segment: &str, last: bool) -> Result<(), PatternError> {
        match segment {
            "" if !last => Err(PatternError::new(0, "a segment is empty").hint("write one `/`")),
            "*" if last => {
                self.tail = true;
                Ok(())
            }
            "*" => Err(PatternError::new(0, "`*` stands only at the end")
                .hint("write `{name}` for one segment, or a regular expression")),
            _ if segment.starts_with('{') => self.capture(segment, last),
            _ => {
                check_literal(segment)?;
                let literal = canonical(segment)?;
                if matches!(literal.as_str(), "." | "..") {
                    let message = format!("`{segment}` never occurs in a canonical path");
                    return Err(PatternError::new(0, message).hint("remove it"));
                }
                self.list.push(Segment::Literal(literal.into_boxed_str()));
                Ok(())
            }
        }
    }

    fn capture(&mut self, segment: &str, last: bool) -> Result<(), PatternError> {
        let Some(inner) = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) else {
            return Err(PatternError::new(0, "a parameter is a whole segment")
                .hint("write `{name}` between slashes, or a regular expression with a group `(?<name>[^/]+)`"));
        };
        let (name, tail) = match inner.strip_suffix("..") {
            Some(name) => (name, true),
            None => (inner, false),
        };
        if !is_name(name) {
            let hint = if inner.contains('*') || inner.starts_with('.') {
                "write `{rest..}` to capture the rest of the path"
            } else {
                "write a letter or `_`, then letters, digits and `_`"
            };
            return Err(
                PatternError::new(1, format!("`{name}` is not a parameter name")).hint(hint),
            );
        }
        if tail && !last {
            return Err(
                PatternError::new(0, format!("`{{{name}..}}` stands only at the end"))
                    .hint(format!("write `{{{name}}}` for one segment")),
            );
        }
        if self.names.iter().any(|n| **n == *name) {
            return Err(
                PatternError::new(1, format!("the parameter `{name}` occurs twice"))
                    .hint("rename one"),
            );
        }
        self.names.push(name.into());
        if tail {
            (self.tail, self.tail_named) = (true, true);
        } else {
            self.list.push(Segment::Param);
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Literal text without what would mean something elsewhere and is likely meant so.
fn check_literal(segment: &str) -> Result<(), PatternError> {
    if let Some(at) = segment.find(['{', '}']) {
        return Err(PatternError::new(at, "a parameter is a whole segment")
            .hint("write `{name}` between slashes, or a regular expression with a group `(?<name>[^/]+)`"));
    }
    if let Some(at) = segment.find('*') {
        let hint = match segment.strip_suffix('*') {
            Some(stem) if !stem.contains('*') && !stem.is_empty() => {
                format!("write `{stem}/*` for everything below `{stem}`, or a regular expression")
            }
            _ => "write `/*` for everything below, or a regular expression".to_owned(),
        };
        return Err(PatternError::new(at, "`*` is a whole segment").hint(hint));
    }
    match segment.strip_prefix(':') {
        Some(name) if is_name(name) => Err(PatternError::new(
            0,
            format!("`:{name}` is not how a parameter is written"),
        )
        .hint(format!("write `{{{name}}}`"))),
        _ => Ok(()),
    }
}

/// Literal text in the canonical form of RFC 3986 §6.2.2: escapes of unreserved characters decoded, other escapes in
/// upper case, and what cannot stand in a path escaped.
fn canonical(segment: &str) -> Result<String, PatternError> {
    let mut out = String::with_capacity(segment.len());
    for (at, c) in segment.char_indices() {
        match c {
            '%' => {
                let escape = segment
                    .get(at + 1..at + 3)
                    .filter(|e| e.bytes().all(|b| b.is_ascii_hexdigit()));
                let Some(byte) = escape.and_then(|e| u8::from_str_radix(e, 16).ok()) else {
                    return Err(PatternError::new(
                        at,
                        "`%` begins an escape of two hexadecimal digits",
                    )
                    .hint("write `%25` for the character itself"));
                };
                if is_unreserved(byte) {
                    out.push(char::from(byte));
                } else {
                    escape_byte(&mut out, byte);
                }
            }
            _ if in_escape(segment, at) => {}
            _ if u8::try_from(c).is_ok_and(is_pchar) => out.push(c),
            _ => c
                .encode_utf8(&mut [0; 4])
                .bytes()
                .for_each(|byte| escape_byte(&mut out, byte)),
        }
    }
    Ok(out)
}

/// Whether the character at a position is one of the two digits of an escape.
fn in_escape(segment: &str, at: usize) -> bool {
    let before = segment.as_bytes().get(..at).unwrap_or_default();
    matches!(before, [.., b'%'] | [.., b'%', _])
}

fn escape_byte(out: &mut String, byte: u8) {
    out.push('%');
    for digit in [byte >> 4, byte & 0xF] {
        out.extend(char::from_digit(u32::from(digit), 16).map(|c| c.to_ascii_uppercase()));
    }
}

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986 §3.3, without escapes.
fn is_pchar(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'!' | b'$' | b'&'..=b',' | b';' | b'=' | b':' | b'@')
}
