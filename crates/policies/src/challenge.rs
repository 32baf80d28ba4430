//! Parts of `WWW-Authenticate` (RFC 9110 §11.6.1).

use lintel_kernel::Fault;

/// A text as a quoted string. `None` for one with quotes, backslashes or characters beyond ASCII,
/// which clients read each in their own way.
pub(crate) fn quoted(text: &str) -> Option<String> {
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) && !matches!(byte, b'"' | b'\\');
    text.bytes().all(plain).then(|| format!("\"{text}\""))
}

/// What is wrong with a text that can't be quoted, at a key.
pub(crate) fn unquotable(key: &str) -> Fault {
    Fault::new("a challenge can't hold quotes, backslashes or characters beyond ASCII")
        .with_hint("use plain letters, digits and spaces")
        .under(key)
}
