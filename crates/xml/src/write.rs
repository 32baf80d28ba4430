//! XML, written.

use lintel_kernel::json::{Mismatch, Read};

use crate::name;

/// Writes text between tags. What a reader would change is written as a reference (XML 1.0 §2.11).
pub(crate) fn text(text: &str, out: &mut Vec<u8>) -> Read<()> {
    escaped(text, out, |byte| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'\r' => Some("&#13;"),
        _ => None,
    })
}

/// Writes an attribute, and the space before it (XML 1.0 §3.3.3).
pub(crate) fn attribute(name: &str, value: &str, out: &mut Vec<u8>) -> Read<()> {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    escaped(value, out, |byte| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'"' => Some("&quot;"),
        b'\t' => Some("&#9;"),
        b'\n' => Some("&#10;"),
        b'\r' => Some("&#13;"),
        _ => None,
    })?;
    out.push(b'"');
    Ok(())
}

fn escaped(text: &str, out: &mut Vec<u8>, with: impl Fn(u8) -> Option<&'static str>) -> Read<()> {
    if text.chars().any(|c| !name::allowed(c)) {
        return Err(Mismatch::at(
            0,
            "XML has no writing for one of its characters",
        ));
    }
    for byte in text.bytes() {
        match with(byte) {
            Some(reference) => out.extend_from_slice(reference.as_bytes()),
            None => out.push(byte),
        }
    }
    Ok(())
}
