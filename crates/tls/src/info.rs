use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use rustls::{CommonState, HandshakeKind, ProtocolVersion};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// A TLS protocol version. Older ones are not spoken (RFC 8996).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// TLS 1.2, RFC 5246.
    V1_2,
    /// TLS 1.3, RFC 8446.
    V1_3,
}

/// An application protocol agreed in the handshake (ALPN, RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alpn {
    /// HTTP/2, `h2`.
    H2,
    /// HTTP/1.1, `http/1.1`.
    Http1,
}

/// What a handshake settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsInfo<'a> {
    /// The protocol version.
    pub version: TlsVersion,
    /// The cipher suite by its IANA name, `TLS_AES_128_GCM_SHA256`.
    pub cipher: &'a str,
    /// The application protocol, if one was agreed.
    pub alpn: Option<Alpn>,
    /// The server name the client asked for, lower case; always none on our own connections to
    /// upstreams.
    pub sni: Option<&'a str>,
    /// An earlier session was resumed: no certificate was shown again.
    pub resumed: bool,
    /// The peer showed a certificate, now or in the session that was resumed.
    pub peer_authenticated: bool,
}

/// The facts of a peer's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The subject's distinguished name.
    pub subject: String,
    /// The issuer's distinguished name.
    pub issuer: String,
    /// The serial number in lower-case hex, without separators.
    pub serial: String,
    /// The common name in the subject, if there is one.
    pub common_name: Option<String>,
    /// Subject alternative names that are host names.
    pub dns_names: Vec<String>,
    /// Subject alternative names that are URIs (SPIFFE ids among them).
    pub uris: Vec<String>,
    /// Subject alternative names that are e-mail addresses.
    pub emails: Vec<String>,
    /// Subject alternative names that are IP addresses.
    pub ips: Vec<IpAddr>,
    /// SHA-256 over the DER form.
    pub fingerprint: Fingerprint,
    /// Valid from.
    pub not_before: SystemTime,
    /// Valid until.
    pub not_after: SystemTime,
    /// The certificate itself, DER.
    pub der: Vec<u8>,
}

/// A SHA-256 digest, shown as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl TlsVersion {
    /// The name that logs and metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_2 => "TLSv1.2",
            Self::V1_3 => "TLSv1.3",
        }
    }
}

impl Alpn {
    /// The protocol name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::H2 => "h2",
            Self::Http1 => "http/1.1",
        }
    }
}

impl<'a> TlsInfo<'a> {
    pub(crate) fn new(session: &'a CommonState, sni: Option<&'a str>) -> Self {
        let suite = session.negotiated_cipher_suite();
        Self {
            version: match session.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => TlsVersion::V1_2,
                _ => TlsVersion::V1_3,
            },
            cipher: suite
                .and_then(|suite| suite_name(suite.suite()))
                .unwrap_or("unknown"),
            alpn: match session.alpn_protocol() {
                Some(b"h2") => Some(Alpn::H2),
                Some(b"http/1.1") => Some(Alpn::Http1),
                _ => None,
            },
            sni,
            resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
            peer_authenticated: session.peer_certificates().is_some(),
        }
    }
}

/// The IANA name: rustls writes `TLS13_` where IANA writes `TLS_`.
fn suite_name(suite: rustls::CipherSuite) -> Option<&'static str> {
    match suite.as_str()? {
        "TLS13_AES_128_GCM_SHA256" => Some("TLS_AES_128_GCM_SHA256"),
        "TLS13_AES_256_GCM_SHA384" => Some("TLS_AES_256_GCM_SHA384"),
        "TLS13_CHACHA20_POLY1305_SHA256" => Some("TLS_CHACHA20_POLY1305_SHA256"),
        other => Some(other),
    }
}

impl PeerCertificate {
    pub(crate) fn parse(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, x509) = X509Certificate::from_der(der).ok()?;
        let mut facts = Self {
            subject: x509.subject().to_string(),
            issuer: x509.issuer().to_string(),
            serial: hex(x509.raw_serial()),
            common_name: common_name(&x509),
            dns_names: Vec::new(),
            uris: Vec::new(),
            emails: Vec::new(),
            ips: Vec::new(),
            fingerprint: Fingerprint::of(der),
            not_before: unix_time(x509.validity().not_before.timestamp()),
            not_after: unix_time(x509.validity().not_after.timestamp()),
            der: der.to_vec(),
        };
        if let Ok(Some(names)) = x509.subject_alternative_name() {
            for name in &names.value.general_names {
                facts.add_name(name);
            }
        }
        Some(facts)
    }

    fn add_name(&mut self, name: &GeneralName<'_>) {
        match name {
            GeneralName::DNSName(name) => self.dns_names.push((*name).to_owned()),
            GeneralName::URI(uri) => self.uris.push((*uri).to_owned()),
            GeneralName::RFC822Name(email) => self.emails.push((*email).to_owned()),
            GeneralName::IPAddress(raw) => {
                let v4 = <[u8; 4]>::try_from(*raw).map(IpAddr::from);
                let v6 = || <[u8; 16]>::try_from(*raw).map(IpAddr::from);
                self.ips.extend(v4.or_else(|_| v6()));
            }
            _ => {}
        }
    }
}

impl Fingerprint {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_digest(&aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA256,
            bytes,
        ))
    }

    pub(crate) fn from_digest(digest: &aws_lc_rs::digest::Digest) -> Self {
        let mut out = [0; 32];
        for (to, from) in out.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        Self(out)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The first common name of the subject.
pub(crate) fn common_name(x509: &X509Certificate<'_>) -> Option<String> {
    let name = x509.subject().iter_common_name().next()?;
    name.as_str().ok().map(str::to_owned)
}

fn unix_time(seconds: i64) -> SystemTime {
    let span = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(span)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(span)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
