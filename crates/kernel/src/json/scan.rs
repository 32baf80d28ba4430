//! What every reader of JSON texts (RFC 8259) steps over byte by byte. Each answers with what is left.

/// Behind white space.
#[inline]
pub(super) fn blank(mut rest: &[u8]) -> &[u8] {
    while let [b' ' | b'\n' | b'\t' | b'\r', after @ ..] = rest {
        rest = after;
    }
    rest
}

/// From the first quotation mark, backslash or control character on.
pub(super) fn unquoted(mut rest: &[u8]) -> &[u8] {
    while let Some((eight, after)) = rest.split_first_chunk() {
        let special = special(u64::from_le_bytes(*eight));
        if special != 0 {
            let before = special.trailing_zeros() / u8::BITS;
            return rest.get(before as usize..).unwrap_or_default();
        }
        rest = after;
    }
    while let [byte, after @ ..] = rest {
        if matches!(byte, b'"' | b'\\' | ..0x20) {
            break;
        }
        rest = after;
    }
    rest
}

/// The high bits of those of eight bytes that are a quotation mark, a backslash or a control character;
/// those above the first may be wrong. (The classic test for a zero byte, in "Bit Twiddling Hacks",
/// S. E. Anderson.)
const fn special(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    const fn below(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(ONES * limit as u64) & !word & HIGH
    }
    let quotes = word ^ (ONES * b'"' as u64);
    let escapes = word ^ (ONES * b'\\' as u64);
    below(quotes, 1) | below(escapes, 1) | below(word, 0x20)
}

/// The length of the number that a text begins with.
pub fn number_length(text: &str) -> Option<usize> {
    number(text.as_bytes()).map(|(length, _)| length)
}

/// The length of the number that a text begins with (RFC 8259 §6), and whether it has an exponent.
pub(super) fn number(text: &[u8]) -> Option<(usize, bool)> {
    let whole = match text.strip_prefix(b"-").unwrap_or(text) {
        [b'0', rest @ ..] => rest,
        [b'1'..=b'9', rest @ ..] => digits(rest),
        _ => return None,
    };
    let fraction = match whole {
        [b'.', rest @ ..] => some_digits(rest)?,
        rest => rest,
    };
    let end = match fraction {
        [b'e' | b'E', b'+' | b'-', rest @ ..] | [b'e' | b'E', rest @ ..] => some_digits(rest)?,
        rest => rest,
    };
    // `01` and the like.
    let ends = !matches!(end, [b'0'..=b'9', ..]);
    ends.then_some((text.len() - end.len(), end.len() < fraction.len()))
}

fn digits(mut rest: &[u8]) -> &[u8] {
    while let [b'0'..=b'9', after @ ..] = rest {
        rest = after;
    }
    rest
}

/// Behind one digit or more.
fn some_digits(rest: &[u8]) -> Option<&[u8]> {
    Some(digits(rest)).filter(|after| after.len() < rest.len())
}
