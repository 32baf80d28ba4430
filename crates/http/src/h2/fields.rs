//! Fields that HTTP/2 has not.

use http::{
    HeaderMap, HeaderName,
    header::{CONNECTION, TE, TRANSFER_ENCODING, UPGRADE},
};

/// Fields of one hop (RFC 9113 §8.2.2).
const CONNECTION_FIELDS: [HeaderName; 6] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TRANSFER_ENCODING,
    UPGRADE,
    TE,
];

/// Takes out what only HTTP/1 knows. h2 sends no message that has any of it.
pub fn remove_connection_fields(headers: &mut HeaderMap) {
    // Their lengths tell nearly all other fields apart without a look-up.
    let suspect = headers
        .keys()
        .any(|name| matches!(name.as_str().len(), 2 | 7 | 10 | 16 | 17));
    if suspect {
        for name in CONNECTION_FIELDS {
            headers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::HeaderValue;

    use super::*;

    #[test]
    fn every_field_of_one_hop_goes() {
        for name in CONNECTION_FIELDS {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", HeaderValue::from_static("text/plain"));
            headers.append(&name, HeaderValue::from_static("a"));
            headers.append(&name, HeaderValue::from_static("b"));
            remove_connection_fields(&mut headers);
            assert_eq!(headers.len(), 1, "{name}");
        }
    }
}
