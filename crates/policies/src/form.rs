//! Forms, and queries.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lintel_kernel::Secret;

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

/// The credentials of a client as the value of `Authorization`: both are escaped before they are put
/// together (RFC 6749 §2.3.1).
pub(crate) fn basic(id: &str, secret: &Secret) -> String {
    let pair = format!("{}:{}", escaped(id), escaped(secret.expose()));
    format!("Basic {}", STANDARD.encode(pair))
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

/// A name or a value of a form or a query as it is meant; `None` where it is no text.
pub(crate) fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8();
    decoded.ok().map(|text| Cow::Owned(text.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_escaped() {
        let form = [("a", "1 +&=é".to_owned()), ("b", String::new())];
        assert_eq!(encoded(&form), "a=1%20%2B%26%3D%C3%A9&b=");
    }

    #[test]
    fn parameters_are_read_as_they_are_meant() {
        for (text, meant) in [
            ("plain", Some("plain")),
            ("a+b%2Bc", Some("a b+c")),
            ("%C3%A9", Some("é")),
            ("%FF", None),
        ] {
            assert_eq!(decoded(text).as_deref(), meant, "{text}");
        }
    }
}
