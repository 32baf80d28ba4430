//! The path contract: one canonical form of a path, which the router matches, policies see, and
//! the upstream receives.
//!
//! The canonical form is RFC 3986 §6.2.2 normal form, made strict:
//!
//! | in the request | in the canonical form |
//! |---|---|
//! | an encoded unreserved character (`%41`, `%7E`) | decoded (`A`, `~`) |
//! | any other valid escape (`%20`, `%c3%a9`) | kept, hexadecimal digits in upper case |
//! | `%2F` (encoded slash) | by rule: kept as `%2F`, refused, or decoded to `/` |
//! | `.` and `..` segments, also written `%2e` | resolved, or refused by rule |
//! | `..` above the root | refused |
//! | `..;x`, `.;x` (a dot segment hidden behind a path parameter) | refused |
//! | `//` | by rule: merged to one slash, or kept |
//! | `%00`–`%1F`, `%7F` (control bytes) and `\` or `%5C` | refused |
//! | an escape that is no two hexadecimal digits | refused |
//! | escapes that don't decode to UTF-8 | refused, or kept by rule |
//! | a raw byte outside RFC 3986 `pchar` and `/` | refused |
//!
//! A path that is already canonical, which is nearly every path, is recognised in one scan and
//! never copied.

use std::borrow::Cow;

/// What to do with an encoded slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EncodedSlash {
    /// Leave `%2F` in the path: it never separates segments.
    #[default]
    Keep,
    /// Refuse the request.
    Reject,
    /// Decode it: it separates segments like any slash.
    Decode,
}

/// How paths are brought into canonical form; one set per listener.
#[derive(Clone, Debug)]
pub struct PathRules {
    /// What to do with `%2F`.
    pub encoded_slash: EncodedSlash,
    /// Whether `//` becomes `/`.
    pub merge_slashes: bool,
    /// Whether `.` and `..` segments are resolved; otherwise they are refused.
    pub resolve_dots: bool,
    /// Whether escapes that are no UTF-8 are refused; otherwise they are kept.
    pub require_utf8: bool,
    /// Report what would be refused, and forward the path as it came.
    pub observe: bool,
}

impl Default for PathRules {
    fn default() -> Self {
        Self {
            encoded_slash: EncodedSlash::Keep,
            merge_slashes: true,
            resolve_dots: true,
            require_utf8: true,
            observe: false,
        }
    }
}

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// An escape that is not `%` and two hexadecimal digits.
    BadEscape,
    /// A raw byte that may not stand in a path.
    BadByte,
    /// An encoded control byte.
    ControlByte,
    /// A backslash, raw or encoded.
    Backslash,
    /// `%2F` where the rules refuse it.
    EncodedSlash,
    /// A dot segment where the rules refuse them, or one hidden behind a path parameter.
    DotSegment,
    /// `..` above the root.
    AboveRoot,
    /// Escapes that are no UTF-8.
    NotUtf8,
}

impl PathError {
    /// The stable name, for metrics and logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::BadEscape => "path_bad_escape",
            Self::BadByte => "path_bad_byte",
            Self::ControlByte => "path_control_byte",
            Self::Backslash => "path_backslash",
            Self::EncodedSlash => "path_encoded_slash",
            Self::DotSegment => "path_dot_segment",
            Self::AboveRoot => "path_above_root",
            Self::NotUtf8 => "path_not_utf8",
        }
    }
}

/// Brings a path into canonical form.
///
/// `path` is the path of an origin-form target: it begins with `/` and has no query.
///
/// # Errors
/// The first rule that the path breaks.
pub fn canonical<'a>(path: &'a str, rules: &PathRules) -> Result<Cow<'a, str>, PathError> {
    if is_canonical(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    let decoded = decode(path.as_bytes(), rules)?;
    let out = segments(&decoded, rules)?;
    Ok(if out == path {
        Cow::Borrowed(path)
    } else {
        Cow::Owned(out)
    })
}

/// One scan: only plain `pchar`s, no escape, no empty or dotted segment start.
fn is_canonical(path: &[u8]) -> bool {
    let mut after_slash = false;
    for &byte in path {
        match byte {
            b'/' | b'.' if after_slash => return false,
            b'/' => after_slash = true,
            _ if is_pchar(byte) => after_slash = false,
            _ => return false,
        }
    }
    path.first() == Some(&b'/')
}

/// Decodes what must be decoded and checks every byte; segments are left alone.
fn decode(path: &[u8], rules: &PathRules) -> Result<String, PathError> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'%' => {
                let (digits, after) = tail.split_at_checked(2).ok_or(PathError::BadEscape)?;
                rest = after;
                push_escape(&mut out, digits, rules)?;
            }
            b'\\' => return Err(PathError::Backslash),
            b'/' => out.push('/'),
            byte if is_pchar(byte) => out.push(char::from(byte)),
            _ => return Err(PathError::BadByte),
        }
    }
    if rules.require_utf8
        && percent_encoding::percent_decode_str(&out)
            .decode_utf8()
            .is_err()
    {
        return Err(PathError::NotUtf8);
    }
    Ok(out)
}

fn push_escape(out: &mut String, digits: &[u8], rules: &PathRules) -> Result<(), PathError> {
    let [high, low] = digits else {
        return Err(PathError::BadEscape);
    };
    let value = hex_digit(*high)? << 4 | hex_digit(*low)?;
    match value {
        0..=0x1f | 0x7f => return Err(PathError::ControlByte),
        b'\\' => return Err(PathError::Backslash),
        b'/' => match rules.encoded_slash {
            EncodedSlash::Keep => out.push_str("%2F"),
            EncodedSlash::Reject => return Err(PathError::EncodedSlash),
            EncodedSlash::Decode => out.push('/'),
        },
        value if is_unreserved(value) => out.push(char::from(value)),
        _ => {
            out.push('%');
            out.extend([*high, *low].map(|digit| char::from(digit.to_ascii_uppercase())));
        }
    }
    Ok(())
}

/// Resolves dot segments and merges slashes (RFC 3986 §5.2.4, strict above the root).
fn segments(path: &str, rules: &PathRules) -> Result<String, PathError> {
    let path = path.strip_prefix('/').ok_or(PathError::BadByte)?;
    let mut kept: Vec<&str> = Vec::new();
    let mut directory = false; // the path ends with a slash
    for segment in path.split('/') {
        let name = segment.split(';').next().unwrap_or("");
        directory = false;
        match (segment, name) {
            ("." | "..", _) if !rules.resolve_dots => return Err(PathError::DotSegment),
            (".", _) => directory = true,
            ("..", _) => {
                kept.pop().ok_or(PathError::AboveRoot)?;
                directory = true;
            }
            (_, "." | "..") => return Err(PathError::DotSegment),
            ("", _) if rules.merge_slashes => directory = true,
            _ => kept.push(segment),
        }
    }
    let mut out = String::with_capacity(path.len() + 1);
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    if directory || kept.is_empty() {
        out.push('/');
    }
    Ok(out)
}

fn hex_digit(digit: u8) -> Result<u8, PathError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(PathError::BadEscape),
    }
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986 §3.3 `pchar` without escapes.
const fn is_pchar(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'!' | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
        )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn default(path: &str) -> Result<String, PathError> {
        canonical(path, &PathRules::default()).map(Cow::into_owned)
    }

    #[test]
    fn normal_form() {
        for (raw, canonical) in [
            ("/", "/"),
            ("/a/b.c", "/a/b.c"),
            ("/%41%7e", "/A~"),
            ("/a%20b", "/a%20b"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("//a///b//", "/a/b/"),
            ("/a%2fb", "/a%2Fb"),
            ("/...", "/..."),
            ("/.well-known/x", "/.well-known/x"),
            ("/a;v=1/b", "/a;v=1/b"),
            ("/%2541", "/%2541"),
        ] {
            assert_eq!(default(raw).as_deref(), Ok(canonical), "{raw}");
        }
    }

    #[test]
    fn refusals() {
        for (raw, error) in [
            ("/..", PathError::AboveRoot),
            ("/a/../../b", PathError::AboveRoot),
            ("/%2e%2e/etc", PathError::AboveRoot),
            ("/a/..;/b", PathError::DotSegment),
            ("/a/%2e%2e;x/b", PathError::DotSegment),
            ("/a%00", PathError::ControlByte),
            ("/a%0d%0a", PathError::ControlByte),
            ("/a\\b", PathError::Backslash),
            ("/a%5cb", PathError::Backslash),
            ("/a%", PathError::BadEscape),
            ("/a%4", PathError::BadEscape),
            ("/a%zz", PathError::BadEscape),
            ("/%c0%af", PathError::NotUtf8),
            ("/%ff", PathError::NotUtf8),
            ("/a b", PathError::BadByte),
            ("/caf\u{e9}", PathError::BadByte),
            ("a", PathError::BadByte),
        ] {
            assert_eq!(default(raw), Err(error), "{raw}");
        }
    }

    #[test]
    fn rules_change_the_form() {
        let with = |change: fn(&mut PathRules)| {
            let mut rules = PathRules::default();
            change(&mut rules);
            rules
        };
        let decode = with(|rules| rules.encoded_slash = EncodedSlash::Decode);
        assert_eq!(canonical("/a%2fb", &decode).unwrap(), "/a/b");
        assert_eq!(canonical("/a%2f..%2fb", &decode).unwrap(), "/b");
        let reject = with(|rules| rules.encoded_slash = EncodedSlash::Reject);
        assert_eq!(canonical("/a%2fb", &reject), Err(PathError::EncodedSlash));
        let slashes = with(|rules| rules.merge_slashes = false);
        assert_eq!(canonical("//a//b", &slashes).unwrap(), "//a//b");
        let dots = with(|rules| rules.resolve_dots = false);
        assert_eq!(canonical("/a/../b", &dots), Err(PathError::DotSegment));
        let bytes = with(|rules| rules.require_utf8 = false);
        assert_eq!(canonical("/%ff", &bytes).unwrap(), "/%FF");
    }

    proptest! {
        #[test]
        fn canonical_form_is_a_fixed_point(path in "/[a-zA-Z0-9%./;\\\\~ -]{0,24}") {
            for encoded_slash in [EncodedSlash::Keep, EncodedSlash::Decode] {
                let rules = PathRules { encoded_slash, ..PathRules::default() };
                if let Ok(once) = canonical(&path, &rules) {
                    let twice = canonical(&once, &rules);
                    prop_assert_eq!(twice.as_deref(), Ok(&*once));
                    prop_assert!(!once.split('/').any(|segment| segment == ".." || segment == "."));
                    prop_assert!(!once.contains("//"));
                }
            }
        }

        #[test]
        fn unchanged_paths_are_not_copied(path in "(/[a-z0-9_-]{1,8}){1,5}/?") {
            prop_assert!(matches!(canonical(&path, &PathRules::default()), Ok(Cow::Borrowed(_))));
        }
    }
}
