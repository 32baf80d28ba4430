//! gRPC-Web on the wire (grpc/doc/PROTOCOL-WEB.md): base64 in parts, and trailers as a message.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use http::HeaderMap;

/// The flag of the message that holds the trailers.
const TRAILERS: u8 = 0x80;

/// A text that is not base64, or is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotBase64;

/// A body of `-text` that is read as it comes. Each part that was encoded by itself may end with padding.
#[derive(Debug, Default)]
pub struct Text {
    left: BytesMut,
}

impl Text {
    /// What the next piece of the text adds: the groups of four characters that are whole.
    ///
    /// # Errors
    /// It is not base64.
    pub fn push(&mut self, piece: &[u8]) -> Result<Bytes, NotBase64> {
        self.left.extend_from_slice(piece);
        let whole = self.left.len() - self.left.len() % 4;
        let text = self.left.split_to(whole);
        let mut out = Vec::with_capacity(whole / 4 * 3);
        // Up to and with the padding that ends a part.
        let groups = text.as_chunks::<4>().0;
        for part in groups.split_inclusive(|group| group.ends_with(b"=")) {
            STANDARD
                .decode_vec(part.as_flattened(), &mut out)
                .map_err(|_| NotBase64)?;
        }
        Ok(Bytes::from(out))
    }

    /// That the text may end here.
    ///
    /// # Errors
    /// A group of characters is not whole.
    pub fn end(&self) -> Result<(), NotBase64> {
        match self.left.is_empty() {
            true => Ok(()),
            false => Err(NotBase64),
        }
    }
}

/// A part of a body of `-text`.
pub fn text(data: &[u8]) -> Bytes {
    Bytes::from(STANDARD.encode(data))
}

/// Trailers as a message: a block of fields as HTTP/1 has them, with names in lower case.
pub fn trailers(fields: &HeaderMap) -> Bytes {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.extend_from_slice(name.as_str().as_bytes());
        block.extend_from_slice(b": ");
        block.extend_from_slice(value.as_bytes());
        block.extend_from_slice(b"\r\n");
    }
    let mut out = vec![TRAILERS];
    // Header lists are bounded far below 4 GiB.
    let length = u32::try_from(block.len()).unwrap_or_default();
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&block);
    Bytes::from(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn base64_may_be_in_parts_however_they_are_cut() {
        let parts = [b"a".as_slice(), b"bcd", b"efghi", b""];
        let all: Vec<u8> = parts.iter().flat_map(|part| text(part)).collect();
        for cut in 1..all.len() {
            let (mut reader, mut out) = (Text::default(), Vec::new());
            for piece in all.chunks(cut) {
                out.extend(reader.push(piece).unwrap());
            }
            assert_eq!((&*out, reader.end()), (&b"abcdefghi"[..], Ok(())), "{cut}");
        }
        for bad in ["a===", "ab=c", "a!bc", "===="] {
            assert_eq!(
                Text::default().push(bad.as_bytes()),
                Err(NotBase64),
                "{bad}"
            );
        }
        let mut cut_off = Text::default();
        assert!(cut_off.push(b"YWJjZ").is_ok());
        assert_eq!(cut_off.end(), Err(NotBase64));
    }
}
