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
    let (words, _) = text.as_chunks::<8>();
    match text.last_chunk::<8>() {
        // The last word may overlap the one before it.
        Some(last) => {
            let odd = words.iter().fold(0, |odd, word| odd | oddities(*word));
            odd | oddities(*last) == 0
        }
        None => {
            let mut word = [b' '; 8];
            for (place, byte) in word.iter_mut().zip(text) {
                *place = *byte;
            }
            oddities(word) == 0
        }
    }
}

/// Not zero if one of eight bytes is no plain one (Mycroft's test for a zero byte in a word, after
/// an exclusive or with the byte that is looked for).
const fn oddities(word: [u8; 8]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const fn zeros(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word
    }
    let word = u64::from_le_bytes(word);
    let controls = word.wrapping_sub(ONES * b' ' as u64) & !word;
    let quotes = zeros(word ^ (ONES * b'"' as u64));
    let backslashes = zeros(word ^ (ONES * b'\\' as u64));
    let deletes = zeros(word ^ (ONES * 0x7f));
    (controls | quotes | backslashes | deletes | word) & HIGH
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
