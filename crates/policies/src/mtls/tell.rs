//! Telling the upstream of the certificate itself.

use std::fmt::Write as _;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use lintel_kernel::ClientCertificate;

/// Fields by which proxies tell of certificates. Whatever a client sends under these names is a
/// forgery.
const FIELDS: [HeaderName; 3] = [
    HeaderName::from_static("client-cert"),
    HeaderName::from_static("client-cert-chain"),
    HeaderName::from_static("x-forwarded-client-cert"),
];

/// How the upstream is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tell {
    /// `Client-Cert` (RFC 9440): the certificate as a byte sequence.
    Rfc9440,
    /// `X-Forwarded-Client-Cert`, as Envoy writes it: hash, subject and names.
    Xfcc,
}

/// Removes what only a proxy may say, in whatever spelling: CGI and its heirs read `Client_Cert`
/// and `Client-Cert` as one name.
pub(super) fn remove_forged(headers: &mut HeaderMap) {
    for name in &FIELDS {
        headers.remove(name);
    }
    let forged: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().contains('_'))
        .filter(|name| {
            let dashed = name.as_str().replace('_', "-");
            FIELDS.iter().any(|field| field.as_str() == dashed)
        })
        .cloned()
        .collect();
    for name in forged {
        headers.remove(name);
    }
}

impl Tell {
    /// Sets the field. A value that can't stand in a field is left out.
    pub(super) fn set(self, headers: &mut HeaderMap, certificate: &ClientCertificate) {
        let (name, value) = match self {
            Self::Rfc9440 => (
                HeaderName::from_static("client-cert"),
                format!(":{}:", STANDARD.encode(&certificate.der)),
            ),
            Self::Xfcc => (
                HeaderName::from_static("x-forwarded-client-cert"),
                xfcc(certificate),
            ),
        };
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

/// `Hash=…;Subject="…";URI=…;DNS=…`, values quoted where they hold a delimiter.
fn xfcc(certificate: &ClientCertificate) -> String {
    let mut text = "Hash=".to_owned();
    for byte in certificate.fingerprint {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    let subject = escaped(&certificate.subject);
    let _ = write!(text, ";Subject=\"{subject}\"");
    let uris = certificate.uris.iter().map(|uri| ("URI", uri));
    let dns = certificate.dns_names.iter().map(|name| ("DNS", name));
    for (key, value) in uris.chain(dns) {
        let _ = match value.contains([',', ';', '=', '"']) {
            true => write!(text, ";{key}=\"{}\"", escaped(value)),
            false => write!(text, ";{key}={value}"),
        };
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
