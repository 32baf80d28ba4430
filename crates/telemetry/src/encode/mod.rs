//! Text for log lines, written by hand: this runs once a request.

pub(crate) mod human;
pub(crate) mod json;
mod number;
mod time;

pub(crate) use number::{hex64, hex128, integer, ip, millis, socket};
pub(crate) use time::timestamp;

#[cfg(test)]
mod tests;

/// Longest text from a client that a log line repeats; the rest becomes `…`.
pub(crate) const LONGEST_TEXT: usize = 8 * 1024;

/// Bytes that mean themselves in a JSON string and on a terminal.
fn is_plain(text: &[u8]) -> bool {
    // Without an early exit, so that the compiler compares sixteen at a time.
    text.iter().fold(true, |plain, byte| {
        plain & (*byte >= b' ') & (*byte < 0x7f) & (*byte != b'"') & (*byte != b'\\')
    })
}

/// Characters that steer a terminal or reorder the line around them: controls, line and paragraph
/// separators, and the bidirectional formatting characters (Unicode TR 36 §3.2).
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The part of a text that is logged, and whether some is missing.
fn clip(text: &[u8]) -> (&[u8], bool) {
    match text.split_at_checked(LONGEST_TEXT) {
        Some((head, tail)) => (head, !tail.is_empty()),
        None => (text, false),
    }
}
