//! JSON strings (RFC 8259 §7).

use super::{clip, is_hostile, is_plain};

/// Appends `text` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD; characters that
/// steer a terminal are escaped, so that a log can be read raw.
pub(crate) fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let (text, clipped) = clip(text);
    if is_plain(text) {
        out.extend_from_slice(text);
    } else {
        escaped(out, text);
    }
    if clipped {
        out.extend_from_slice("…".as_bytes());
    }
    out.push(b'"');
}

#[cold]
fn escaped(out: &mut Vec<u8>, text: &[u8]) {
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                c if is_hostile(c) => unicode(out, c),
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// All hostile characters are in the basic plane: one escape is enough.
fn unicode(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        let digit = char::from_digit(u32::from(c) >> shift & 0xf, 16);
        out.push(digit.map_or(b'0', |digit| digit as u8));
    }
}
