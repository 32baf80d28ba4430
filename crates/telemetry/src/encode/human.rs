//! Text for people: one line whatever a client sent, nothing that a terminal obeys.

use std::io::Write as _;

use super::{clip, is_hostile, is_plain};

/// Appends text that stands between quotes: quotes and backslashes escaped, bytes that are not
/// UTF-8 as `\xNN`, characters that steer a terminal as `\u{…}`.
pub(crate) fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    let (text, clipped) = clip(text);
    if is_plain(text) {
        out.extend_from_slice(text);
    } else {
        escaped(out, text, true);
    }
    if clipped {
        out.extend_from_slice("…".as_bytes());
    }
}

/// Appends text that stands free: like [`quoted`], but quotes and backslashes are left as they are.
pub(crate) fn free(out: &mut Vec<u8>, text: &str) {
    if is_plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        escaped(out, text.as_bytes(), false);
    }
}

fn escaped(out: &mut Vec<u8>, text: &[u8], quotes: bool) {
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' if quotes => out.extend_from_slice(b"\\\""),
                '\\' if quotes => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                c if is_hostile(c) => {
                    // Writing to a vector cannot fail.
                    let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
                }
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}
