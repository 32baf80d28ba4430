//! Names, and texts that are none.

use std::borrow::Cow;

/// Whether XML has a way to write the character at all (XML 1.0 §2.2).
pub(crate) const fn allowed(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether a name may begin with it (XML 1.0 §2.3, without the colon).
const fn begins(c: char) -> bool {
    matches!(c,
        'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}'
        | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}'
        | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
}

/// Whether a name may go on with it.
const fn goes_on(c: char) -> bool {
    begins(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

/// Whether a text is a name without a colon (`NCName`).
pub fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(begins) && chars.all(goes_on)
}

/// Whether a text is a name, with a prefix or without (`QName`).
pub(crate) fn is_qualified(text: &str) -> bool {
    match text.split_once(':') {
        Some((prefix, local)) => is_name(prefix) && is_name(local),
        None => is_name(text),
    }
}

/// A text as a name: what may not stand in one is written `_xHHHH_` (ISO 9075-14 §9.1). `None` where
/// there is nothing to write.
pub(crate) fn encode(text: &str) -> Option<Cow<'_, str>> {
    if is_name(text) && !text.contains("_x") {
        return Some(Cow::Borrowed(text));
    }
    let mut name = String::with_capacity(text.len() + 8);
    for (at, c) in text.char_indices() {
        let fits = if at == 0 { begins(c) } else { goes_on(c) };
        let rest = text.get(at..).unwrap_or_default();
        if fits && escape(rest).is_none() {
            name.push(c);
        } else {
            name.push_str(&format!("_x{:04X}_", u32::from(c)));
        }
    }
    (!name.is_empty()).then_some(Cow::Owned(name))
}

/// The text that [`encode`] made a name of. What would look like an attribute then, or like text,
/// stays as it is.
pub(crate) fn decode(name: &str) -> Cow<'_, str> {
    if !name.contains("_x") {
        return Cow::Borrowed(name);
    }
    let (mut text, mut rest) = (String::with_capacity(name.len()), name);
    while let Some(c) = rest.chars().next() {
        let (c, length) = escape(rest).unwrap_or((c, c.len_utf8()));
        text.push(c);
        rest = rest.get(length..).unwrap_or_default();
    }
    match text.starts_with(['@', '#']) {
        true => Cow::Borrowed(name),
        false => Cow::Owned(text),
    }
}

/// The character that an escape stands for which a text begins with, and the length of that.
fn escape(text: &str) -> Option<(char, usize)> {
    let (digits, _) = text.strip_prefix("_x")?.split_once('_')?;
    let is_hex = (4..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let code = is_hex.then(|| u32::from_str_radix(digits, 16).ok())??;
    Some((char::from_u32(code)?, digits.len() + 3))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn any_text_becomes_a_name_and_a_text_again() {
        for (text, name) in [
            ("plain-1.x", "plain-1.x"),
            ("ü_x", "ü_x"),
            ("a b", "a_x0020_b"),
            ("1", "_x0031_"),
            ("a:b", "a_x003A_b"),
            ("_x0041_", "_x005F_x0041_"),
            ("_x41_", "_x41_"),
            ("🙂-", "🙂-"),
            ("\u{f0000}", "_xF0000_"),
            ("__x0041_", "__x005F_x0041_"),
        ] {
            assert_eq!(encode(text).unwrap(), name);
            assert!(is_name(name), "{name}");
            assert_eq!(decode(name), text);
        }
        assert_eq!(encode(""), None);
        for kept in ["_x0040_id", "_x0023_text", "_xD800_", "_x0041"] {
            assert_eq!(decode(kept), kept);
        }
    }
}
