//! Fields that speak of the bytes of a body, and don't fit another one.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use lintel_xml::soap::Version;

use super::{Language, Terms, XmlJson};

const OF_BYTES: [HeaderName; 7] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::ACCEPT_RANGES,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// Whether a body is compressed, or encoded in another way (RFC 9110 §8.4).
pub(super) fn encoded(headers: &HeaderMap) -> bool {
    let all = headers.get_all(header::CONTENT_ENCODING);
    all.iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Says what the new body is, and takes away what was said of the old one.
pub(super) fn describe(headers: &mut HeaderMap, media: HeaderValue) {
    for name in &OF_BYTES {
        headers.remove(name);
    }
    headers.insert(header::CONTENT_TYPE, media);
    // Another representation has another tag; but it changes as the first one does (RFC 9110 §8.8.3).
    if let Some(tag) = headers.get_mut(header::ETAG)
        && !tag.as_bytes().starts_with(b"W/")
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        *tag = weak;
    }
}

/// The media type of a message in an envelope.
pub(super) fn of_envelope(version: Version, action: Option<&str>) -> HeaderValue {
    let plain = match version {
        Version::V1_1 => "text/xml; charset=utf-8",
        Version::V1_2 => "application/soap+xml; charset=utf-8",
    };
    let with_action = action
        .filter(|_| version == Version::V1_2)
        .and_then(|action| {
            let action = action.replace('\\', "\\\\").replace('"', "\\\"");
            HeaderValue::try_from(format!("{plain}; action=\"{action}\"")).ok()
        });
    with_action.unwrap_or(HeaderValue::from_static(plain))
}

impl XmlJson {
    /// Asks the service for an answer that can be read here, where it is to be.
    pub(super) fn ask(&self, headers: &mut HeaderMap, terms: Terms) {
        if !terms.translates {
            return;
        }
        let accept = match (self.service, &self.soap) {
            (Language::Json, _) => "application/json",
            (Language::Xml, None) => "application/xml, text/xml;q=0.9",
            (Language::Xml, Some(soap)) => soap.version.media_type(),
        };
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        let identity = HeaderValue::from_static("identity");
        headers.insert(header::ACCEPT_ENCODING, identity);
        headers.remove(header::RANGE);
        headers.remove(header::IF_RANGE);
    }
}
