//! A quick look at JSON texts. Most of what services send is plain; that is seen here in one pass, and
//! what is not goes to a whole parser.

use super::scan::{self, blank, unquoted};

/// Deepest nesting that is looked into: what `serde_json` reads.
const DEEPEST: u32 = 127;

/// Most digits of a number that is surely within the range of a double.
const DIGITS: usize = 300;

/// Whether a text is one JSON value (RFC 8259), and surely one that `serde_json` reads: not too deep,
/// without exponents and surrogates. `false` decides nothing.
pub fn is_plain(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok() && value(text).is_some_and(|rest| blank(rest).is_empty())
}

/// The levels that a place in a text is in.
#[derive(Default)]
struct Levels {
    depth: u32,
    /// A bit for each, the innermost last: whether it is an object.
    objects: u128,
}

impl Levels {
    const fn enter(&mut self, object: bool) {
        self.depth += 1;
        self.objects = self.objects << 1 | object as u128;
    }

    const fn leave(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
    }

    const fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }
}

/// What stands behind the value that a text begins with.
fn value(mut rest: &[u8]) -> Option<&[u8]> {
    let mut levels = Levels::default();
    loop {
        // At the beginning of a value.
        rest = match blank(rest) {
            [b'"', rest @ ..] => string(rest)?,
            [b'{' | b'[', ..] if levels.depth == DEEPEST => return None,
            [b'{', after @ ..] => match blank(after) {
                [b'}', after @ ..] => after,
                inside => {
                    levels.enter(true);
                    rest = name(inside)?;
                    continue;
                }
            },
            [b'[', after @ ..] => match blank(after) {
                [b']', after @ ..] => after,
                inside => {
                    levels.enter(false);
                    rest = inside;
                    continue;
                }
            },
            [b't', b'r', b'u', b'e', rest @ ..]
            | [b'f', b'a', b'l', b's', b'e', rest @ ..]
            | [b'n', b'u', b'l', b'l', rest @ ..] => rest,
            rest => number(rest)?,
        };
        // Behind it: out of all that ends here, and on to the next value.
        loop {
            if levels.depth == 0 {
                return Some(rest);
            }
            match (blank(rest), levels.in_object()) {
                ([b',', after @ ..], true) => {
                    rest = name(blank(after))?;
                    break;
                }
                ([b',', after @ ..], false) => {
                    rest = after;
                    break;
                }
                ([b'}', after @ ..], true) | ([b']', after @ ..], false) => {
                    levels.leave();
                    rest = after;
                }
                _ => return None,
            }
        }
    }
}

/// Behind the name of a member and its colon.
fn name(rest: &[u8]) -> Option<&[u8]> {
    let rest = blank(string(rest.strip_prefix(b"\"")?)?);
    rest.strip_prefix(b":")
}

/// Behind a number without an exponent.
fn number(rest: &[u8]) -> Option<&[u8]> {
    let (length, exponent) = scan::number(rest)?;
    let plain = length <= DIGITS && !exponent;
    plain.then(|| rest.get(length..)).flatten()
}

/// Behind the quotation mark that ends a string.
fn string(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = unquoted(rest);
        rest = match rest {
            [b'"', rest @ ..] => return Some(rest),
            [
                b'\\',
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                rest @ ..,
            ] => rest,
            // D800 to DFFF are halves of a character, which must come in pairs.
            [
                b'\\',
                b'u',
                b'd' | b'D',
                b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F',
                ..,
            ] => return None,
            [b'\\', b'u', a, b, c, d, rest @ ..]
                if [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit) =>
            {
                rest
            }
            _ => return None,
        };
    }
}
