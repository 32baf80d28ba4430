use std::fmt;

use rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible, PeerMisbehaved,
};

use crate::connection::{Fault, TlsConnection};
use crate::hello::Refusal;
use crate::socket::Socket;

/// Why a handshake failed.
///
/// The text is for operators: what happened, whose doing it is and what to look at. Nothing of it
/// is meant for the peer, who has been sent the proper alert.
#[derive(Debug)]
pub struct HandshakeError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: HandshakeErrorKind,
    text: String,
    sni: Option<Box<str>>,
    heard: bool,
    socket: Option<(Socket, Vec<u8>)>,
}

/// The kinds of handshake failure: what metrics count by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HandshakeErrorKind {
    /// The peer went away before the handshake was through.
    Closed,
    /// The socket failed.
    Io,
    /// The handshake took longer than allowed.
    Timeout,
    /// The peer speaks plain HTTP.
    PlainHttp,
    /// The peer speaks something that is neither TLS nor HTTP.
    NotTls,
    /// No protocol version, cipher suite, key exchange or signature scheme in common.
    NoCommonParameters,
    /// No application protocol in common (ALPN).
    NoCommonAlpn,
    /// The client asked for a name that no certificate covers, or for none.
    UnknownName,
    /// The peer's certificate was refused.
    BadCertificate,
    /// The client showed no certificate although one is required.
    NoCertificate,
    /// The peer refused us with an alert.
    Alert,
    /// The peer broke the protocol.
    Protocol,
    /// Our own fault: settings or key material.
    Local,
}

/// Which end of the handshake we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

impl HandshakeError {
    /// The kind of failure.
    pub fn kind(&self) -> HandshakeErrorKind {
        self.0.kind
    }

    /// The server name that the client had asked for, if the handshake came that far.
    pub fn sni(&self) -> Option<&str> {
        self.0.sni.as_deref()
    }

    /// True if the peer left without a word, as port scans, health checks of load balancers and
    /// browsers that open connections ahead do all day: not worth a line in the log.
    pub fn is_noise(&self) -> bool {
        self.0.kind == HandshakeErrorKind::Closed && !self.0.heard
    }

    /// True if another attempt may do better: the peer went away or the network failed, and
    /// nothing was wrong with what either side said.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.0.kind,
            HandshakeErrorKind::Closed | HandshakeErrorKind::Io | HandshakeErrorKind::Timeout
        )
    }

    /// For [`HandshakeErrorKind::PlainHttp`] on a listener: the socket and the bytes already read
    /// from it, untouched, so that the caller can answer in plain HTTP (400, or a redirect to
    /// https). Nothing has been written to it.
    pub fn into_plain_http(self) -> Option<(Socket, Vec<u8>)> {
        self.0.socket
    }

    pub(crate) fn of_connection(fault: &Fault, connection: TlsConnection) -> Self {
        let role = connection.role();
        let (kind, text) = describe(fault, role);
        let answerable = kind == HandshakeErrorKind::PlainHttp && role == Role::Server;
        Self(Box::new(Inner {
            kind,
            text,
            sni: connection.sni().map(Into::into),
            heard: connection.heard(),
            socket: answerable.then(|| connection.into_socket()),
        }))
    }

    pub(crate) fn new(kind: HandshakeErrorKind, text: String) -> Self {
        Self(Box::new(Inner {
            kind,
            text,
            sni: None,
            heard: false,
            socket: None,
        }))
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl std::error::Error for HandshakeError {}

impl HandshakeErrorKind {
    /// The stable name that metrics and logs use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Io => "io",
            Self::Timeout => "timeout",
            Self::PlainHttp => "plain_http",
            Self::NotTls => "not_tls",
            Self::NoCommonParameters => "no_common_parameters",
            Self::NoCommonAlpn => "no_common_alpn",
            Self::UnknownName => "unknown_name",
            Self::BadCertificate => "bad_certificate",
            Self::NoCertificate => "no_certificate",
            Self::Alert => "alert",
            Self::Protocol => "protocol",
            Self::Local => "local",
        }
    }
}

impl Role {
    fn peer(self) -> &'static str {
        match self {
            Self::Client => "the server",
            Self::Server => "the client",
        }
    }
}

/// The kind and the operator's text of a fault.
pub(crate) fn describe(fault: &Fault, role: Role) -> (HandshakeErrorKind, String) {
    use HandshakeErrorKind as Kind;
    let peer = role.peer();
    match fault {
        Fault::Io(error) => (Kind::Io, format!("connection to {peer} failed: {error}")),
        Fault::Eof => (
            Kind::Closed,
            format!("{peer} closed the connection without ending the TLS session (close_notify)"),
        ),
        Fault::PlainHttp => (
            Kind::PlainHttp,
            match role {
                Role::Client => "the server answered in plain HTTP on a connection that should be \
                     TLS: use its TLS port, or http:// in the endpoint's URL"
                    .to_owned(),
                Role::Server => "the client sent a plain HTTP request to a TLS port".to_owned(),
            },
        ),
        Fault::TimedOut(limit) => (
            Kind::Timeout,
            format!("{peer} did not finish the TLS handshake within {limit:?}"),
        ),
        Fault::Refused(Refusal::UnknownName) => (
            Kind::UnknownName,
            "the client asked for a server name that no certificate covers".to_owned(),
        ),
        Fault::Refused(Refusal::NoName) => (
            Kind::UnknownName,
            "the client asked for no server name (SNI), which this listener requires".to_owned(),
        ),
        Fault::Refused(Refusal::NoCommonSignature) => (
            Kind::NoCommonParameters,
            "the client accepts no signature that our keys for this name can make: add a \
             certificate of the other key type (RSA or ECDSA)"
                .to_owned(),
        ),
        Fault::Tls(error) => describe_tls(error, role),
    }
}

fn describe_tls(error: &Error, role: Role) -> (HandshakeErrorKind, String) {
    use HandshakeErrorKind as Kind;
    let peer = role.peer();
    match error {
        Error::AlertReceived(alert) => (Kind::Alert, describe_alert(*alert, role)),
        Error::InvalidCertificate(error) => (
            Kind::BadCertificate,
            format!(
                "{peer}'s certificate is refused: {}",
                describe_certificate(error, role)
            ),
        ),
        Error::NoCertificatesPresented => (
            Kind::NoCertificate,
            format!("{peer} showed no certificate, and one is required"),
        ),
        Error::NoApplicationProtocol => (
            Kind::NoCommonAlpn,
            format!("{peer} offers no application protocol that we speak (ALPN)"),
        ),
        Error::PeerIncompatible(why) => {
            (Kind::NoCommonParameters, describe_incompatible(why, role))
        }
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge,
        ) => (
            Kind::NotTls,
            format!("{peer} does not speak TLS on this connection"),
        ),
        Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedApplicationProtocol) => (
            Kind::NoCommonAlpn,
            format!("{peer} chose an application protocol that was not offered (ALPN)"),
        ),
        Error::DecryptError => (
            Kind::Protocol,
            format!("a record from {peer} cannot be decrypted: it was damaged or tampered with"),
        ),
        Error::General(_)
        | Error::FailedToGetCurrentTime
        | Error::FailedToGetRandomBytes
        | Error::EncryptError
        | Error::InconsistentKeys(_)
        | Error::BadMaxFragmentSize => (Kind::Local, format!("TLS failed on our side: {error}")),
        other => (
            Kind::Protocol,
            format!("{peer} broke the TLS protocol: {other}"),
        ),
    }
}

fn describe_incompatible(why: &PeerIncompatible, role: Role) -> String {
    let peer = role.peer();
    match why {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => {
            format!("{peer} speaks no TLS version that is enabled here")
        }
        PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::SupportedVersionsExtensionRequired => {
            format!("{peer} offers no TLS version that is enabled here (see min_version)")
        }
        PeerIncompatible::NoCipherSuitesInCommon => {
            format!("{peer} and we have no cipher suite in common")
        }
        PeerIncompatible::NoKxGroupsInCommon => {
            format!("{peer} and we have no key exchange group in common")
        }
        PeerIncompatible::NoSignatureSchemesInCommon => {
            format!("{peer} and we have no signature scheme in common")
        }
        PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon => {
            format!("{peer} accepts no signature scheme that our client certificate's key can make")
        }
        other => format!("{peer} lacks a TLS feature that is needed: {other:?}"),
    }
}

fn describe_alert(alert: AlertDescription, role: Role) -> String {
    let peer = role.peer();
    let ours = match role {
        Role::Client => "client certificate",
        Role::Server => "certificate",
    };
    let name = alert_name(alert);
    match alert {
        AlertDescription::UnknownCA => {
            format!("{peer} does not trust the issuer of our {ours} (alert {name})")
        }
        AlertDescription::CertificateExpired => {
            format!("{peer} finds our {ours} expired (alert {name})")
        }
        AlertDescription::CertificateRevoked => {
            format!("{peer} finds our {ours} revoked (alert {name})")
        }
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate => {
            format!("{peer} refuses our {ours} (alert {name})")
        }
        AlertDescription::CertificateRequired => {
            format!("{peer} requires a client certificate, and none is set (alert {name})")
        }
        AlertDescription::UnrecognisedName => {
            format!("{peer} has no certificate for the name we asked for (alert {name})")
        }
        AlertDescription::ProtocolVersion => {
            format!("{peer} speaks no TLS version that is enabled here (alert {name})")
        }
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            format!("{peer} and we have no acceptable TLS parameters in common (alert {name})")
        }
        AlertDescription::NoApplicationProtocol => {
            format!("{peer} speaks none of the application protocols offered (alert {name})")
        }
        _ => format!("{peer} ended the TLS session with alert {name}"),
    }
}

/// The name of an alert as in RFC 8446 §6, `unknown_ca` for `UnknownCA`.
fn alert_name(alert: AlertDescription) -> String {
    let name = match alert {
        AlertDescription::UnrecognisedName => "UnrecognizedName".to_owned(),
        other => format!("{other:?}"),
    };
    let mut snake = String::new();
    let mut after_lower = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && after_lower {
            snake.push('_');
        }
        after_lower = letter.is_ascii_lowercase();
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn describe_certificate(error: &CertificateError, role: Role) -> String {
    match error {
        CertificateError::UnknownIssuer => match role {
            Role::Client => "its issuer is not among the trusted CAs (set `ca` if it is a private \
                 one), or the server does not send its intermediate certificates"
                .to_owned(),
            Role::Server => "its issuer is not among the CAs of client_auth, or the client does \
                 not send its intermediate certificates"
                .to_owned(),
        },
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet (is the clock right?)".to_owned()
        }
        CertificateError::Revoked => "it has been revoked".to_owned(),
        CertificateError::UnknownRevocationStatus => {
            "no revocation list is given for its issuer".to_owned()
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let names: Vec<&str> = presented.iter().map(|name| bare_name(name)).collect();
            let names = match names.as_slice() {
                [] => "no name at all".to_owned(),
                names => names.join(", "),
            };
            format!("it is not for {}, but for {names}", expected.to_str())
        }
        CertificateError::NotValidForName => "it is for another name".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            match role {
                Role::Client => "it may not be used by servers (extended key usage)".to_owned(),
                Role::Server => "it may not be used by clients (extended key usage)".to_owned(),
            }
        }
        CertificateError::BadSignature => "its signature is wrong".to_owned(),
        CertificateError::BadEncoding => "it cannot be parsed".to_owned(),
        other => other.to_string(),
    }
}

/// rustls lists names as `DnsName("a.example")` and the like.
fn bare_name(name: &str) -> &str {
    let inner = name
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}
