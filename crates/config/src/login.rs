//! Passwords that stand in the middle of an address: `redis://user:password@host:6379`.
//!
//! They are found by how they look, wherever they stand, so that none is shown where nobody expected
//! one: under a key that takes no login, or in a line that is no YAML at all.

use std::{borrow::Cow, ops::Range};

/// Where passwords stand in a text, in bytes.
pub(crate) fn passwords(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if !text.contains('@') {
        return found;
    }
    let mut start = 0;
    for word in text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`')) {
        let ranges = in_word(word).into_iter();
        found.extend(ranges.map(|range| start + range.start..start + range.end));
        // Every one of the separators that occur is told by where the next word begins.
        start += word.len();
        start += text
            .get(start..)
            .and_then(|rest| rest.chars().next())
            .map_or(0, char::len_utf8);
    }
    found
}

/// A text with `***` for every password in it.
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    let found = passwords(text);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut masked = text.to_owned();
    for range in found.into_iter().rev() {
        masked.replace_range(range, crate::redact::HIDDEN);
    }
    Cow::Owned(masked)
}

/// The passwords in a word: there may be several addresses in it.
fn in_word(word: &str) -> Vec<Range<usize>> {
    let scheme = "://";
    let begins = word.match_indices(scheme);
    let begins: Vec<usize> = begins.map(|(at, _)| at + scheme.len()).collect();
    let Some(first) = begins.first() else {
        let opening = |c| matches!(c, '[' | '{' | '(' | ',');
        let begin = word.len() - word.trim_start_matches(opening).len();
        return password(word, begin..word.len(), false)
            .into_iter()
            .collect();
    };
    let ends = begins.iter().skip(1).map(|next| next - scheme.len());
    let ends = ends.chain([word.len()]);
    let each = begins.iter().zip(ends);
    let found: Vec<_> = each
        .filter_map(|(begin, end)| password(word, *begin..end, true))
        .collect();
    if found.is_empty() {
        return password(word, *first..word.len(), true)
            .into_iter()
            .collect();
    }
    found
}

fn password(word: &str, part: Range<usize>, url: bool) -> Option<Range<usize>> {
    let begin = part.start;
    let rest = word.get(part)?;
    let login = rest.get(..end(rest, url)?)?;
    let range = begin + login.find(':')? + 1..begin + login.len();
    (!range.is_empty()).then_some(range)
}

/// Where the login ends that a text without its scheme begins with.
fn end(text: &str, url: bool) -> Option<usize> {
    let last = text.rfind('@')?;
    if !url {
        // Anything may be written like this; it is an address where it has no user, or ends in a port.
        let port = text.get(last..)?.trim_end_matches([']', '}', ')', ',']);
        let port = port.rsplit_once(':').map_or("", |(_, port)| port);
        return (text.starts_with(':') || is_number(port)).then_some(last);
    }
    let authority = text.find(['/', '?', '#']).unwrap_or(text.len());
    let before = text.get(..authority)?;
    if let Some(at) = before.rfind('@') {
        return Some(at);
    }
    // A password with a slash in it that nobody has encoded; after a host there would be a port.
    let (_, port) = before.rsplit_once(':')?;
    (!is_number(port)).then_some(last)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_found_wherever_they_stand() {
        for (text, shown) in [
            ("redis://:hunter2@host:6379/0", "redis://:***@host:6379/0"),
            (
                "url: \"redis://ada:hunter2@[fd00::7]\"",
                "url: \"redis://ada:***@[fd00::7]\"",
            ),
            ("redis://ada:hun/ter#2@host", "redis://ada:***@host"),
            ("https://a:p@b@host/x@y", "https://a:***@host/x@y"),
            (
                "cluster: [ada:hunter2@10.0.0.7:6379, b:1]",
                "cluster: [ada:***@10.0.0.7:6379, b:1]",
            ),
            (":hunter2@redis", ":***@redis"),
            (
                "[redis://a:hunter2@b:1,redis://:hun/ter2@c]",
                "[redis://a:***@b:1,redis://:***@c]",
            ),
            ("http://a/,redis://:hunter2@b", "http://a/,redis://:***@b"),
            ("redis://:hun://ter2@b", "redis://:***@b"),
            ("`:hunter2@redis`\u{a0}:x@y", "`:***@redis`\u{a0}:***@y"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }

    #[test]
    fn what_is_no_login_stays() {
        for text in [
            "https://example.com/@user",
            "https://example.com:8443/@user",
            "https://ada@example.com",
            "mailto:ada@example.com",
            "image:tag@sha256:0abc",
            "ada@example.com:",
            "redis://:@host",
            "a b",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
