//! Forms, and queries.

/// Parameters in the form of RFC 6749 Appendix B; also fit for a query.
pub(crate) fn encoded(form: &[(impl AsRef<str>, String)]) -> String {
    let mut text = String::new();
    for (name, value) in form {
        if !text.is_empty() {
            text.push('&');
        }
        text.extend(escaped(name.as_ref()));
        text.push('=');
        text.extend(escaped(value));
    }
    text
}

/// A text in which all but the unreserved characters (RFC 3986 §2.3) are escaped.
pub(crate) fn escaped(text: &str) -> percent_encoding::PercentEncode<'_> {
    const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    percent_encoding::utf8_percent_encode(text, KEPT)
}
