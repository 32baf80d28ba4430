//! Which characters bytes are.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

/// Why bytes are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecodable {
    /// The encoding has a name that nobody knows.
    Unknown,
    /// The bytes are not in that encoding.
    Garbled,
}

/// The text of a document. What tells its encoding is, in this order, a byte order mark, the parameter
/// `charset` of its media type, and its own declaration (RFC 7303 §3); without any it is UTF-8.
///
/// # Errors
/// An unknown encoding, or bytes that are not in it.
pub fn decode<'b>(bytes: &'b [u8], charset: Option<&str>) -> Result<Cow<'b, str>, Undecodable> {
    let encoding = match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None => match charset.map(str::to_owned).or_else(|| declared(bytes)) {
            Some(label) => Encoding::for_label(label.as_bytes()).ok_or(Undecodable::Unknown)?,
            None => UTF_8,
        },
    };
    let (text, garbled) = encoding.decode_with_bom_removal(bytes);
    match garbled {
        true => Err(Undecodable::Garbled),
        false => Ok(text),
    }
}

/// What the declaration says (XML 1.0 §4.3.3). Where it can be read at all, it is in ASCII.
fn declared(bytes: &[u8]) -> Option<String> {
    let rest = bytes.strip_prefix(b"<?xml")?;
    let end = rest.iter().take(200).position(|byte| *byte == b'>')?;
    let declaration = std::str::from_utf8(rest.get(..end)?).ok()?;
    let (_, rest) = declaration.split_once("encoding")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (label, _) = rest.get(1..)?.split_once(quote)?;
    Some(label.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_that_which_counts_most() {
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xfc</a>";
        let utf16: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain("<a>ü</a>".encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        for (bytes, charset, text) in [
            (&b"<a>\xc3\xbc</a>"[..], None, "<a>ü</a>"),
            (b"\xef\xbb\xbf<a>\xc3\xbc</a>", Some("latin1"), "<a>ü</a>"),
            (b"<a>\xfc</a>", Some("iso-8859-1"), "<a>ü</a>"),
            (
                latin,
                None,
                "<?xml version='1.0' encoding='ISO-8859-1'?><a>ü</a>",
            ),
            (&utf16, None, "<a>ü</a>"),
        ] {
            assert_eq!(decode(bytes, charset).as_deref(), Ok(text), "{charset:?}");
        }
        assert_eq!(decode(b"<a>\xfc</a>", None), Err(Undecodable::Garbled));
        assert_eq!(decode(b"<a/>", Some("klingon")), Err(Undecodable::Unknown));
        let both = decode(latin, Some("utf-8"));
        assert_eq!(
            both,
            Err(Undecodable::Garbled),
            "the media type counts more"
        );
    }
}
