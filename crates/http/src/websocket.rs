//! The opening handshake of WebSockets (RFC 6455 §4), as a server sees it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use sha1::{Digest, Sha1};

/// RFC 6455 §1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What a server answers to a key (RFC 6455 §4.2.2).
pub fn accept(key: &HeaderValue) -> HeaderValue {
    let digest = Sha1::new()
        .chain_update(key.as_bytes())
        .chain_update(GUID)
        .finalize();
    // Base64 is always a valid field value.
    HeaderValue::from_str(&STANDARD.encode(digest)).unwrap_or(HeaderValue::from_static(""))
}

/// Whether a key is 16 bytes in base64 (RFC 6455 §4.1).
pub fn is_key(key: &HeaderValue) -> bool {
    STANDARD
        .decode(key.as_bytes())
        .is_ok_and(|bytes| bytes.len() == 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455 §1.3.
    #[test]
    fn the_answer_to_a_key() {
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        assert!(is_key(&key));
        assert_eq!(accept(&key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(!is_key(&HeaderValue::from_static("dGhlIHNhbXBsZSBub25j")));
    }
}
