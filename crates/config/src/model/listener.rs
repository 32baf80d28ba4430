use lintel_kernel::config;
use serde::Serialize;

use super::{Limits, ListenerTls, OneOrMany, Peers};
use crate::text::{Bind, Cidr, FieldName, FieldValue, FileMode};

/// A place where clients connect.
#[config]
pub struct Listener {
    /// The address, or several. `[::]:8080` takes IPv4 as well.
    #[schemars(example = &"0.0.0.0:8080")]
    pub bind: OneOrMany<Bind>,

    /// Permissions of the `unix:` sockets in `bind`, in octal: who may connect. Without it the
    /// process's umask decides. They hold before the first connection can be made.
    #[serde(default)]
    pub socket_mode: Option<FileMode>,

    /// The HTTP versions spoken here. Default: `[http1, h2]` with `tls`, `[http1, h2c]` without.
    #[serde(default)]
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    pub protocols: Option<Vec<Protocol>>,

    /// TLS. Without it the listener is plaintext.
    #[serde(default)]
    pub tls: Option<ListenerTls>,

    /// Peers that begin every connection with a PROXY protocol header (version 1 or 2), which names
    /// the real client. From anybody else such a header is refused.
    #[serde(default)]
    pub proxy_protocol: Option<ProxyProtocol>,

    /// Proxies in front of the gateway whose `X-Forwarded-*` and `Forwarded` headers are believed.
    /// The client's address is the first one, from right to left, that is not in here.
    #[serde(default)]
    pub trusted_proxies: Vec<Cidr>,

    /// What a client may ask of the gateway.
    #[serde(default)]
    pub limits: Limits,

    /// How the path of a request is brought into the one form that routes, policies and upstreams
    /// see.
    #[serde(default)]
    pub path: PathRules,

    /// What happens to a request whose client has closed its sending side of the connection. A client
    /// that ends can't be told from one that has only finished sending, so by default neither keeps an
    /// upstream busy.
    #[serde(default = "cancel")]
    pub half_close: HalfClose,

    /// What upstreams are told about the client and this hop.
    #[serde(default)]
    pub forwarded: Forwarding,

    /// Who may say how long it waits for an answer: gRPC callers by `grpc-timeout`, others by
    /// `X-Request-Deadline`, a number of milliseconds. It can only make the time of a route shorter;
    /// what is left of it is told to the service. From anybody else the field is removed.
    #[serde(default = "anyone")]
    pub deadline_from: Peers,

    /// The id that every request gets.
    #[serde(default)]
    pub request_id: RequestIdRules,

    /// The `Server` header of every answer. Without it the upstream's is passed on, and answers
    /// that the gateway makes itself have none.
    #[serde(default)]
    #[schemars(example = &"lintel")]
    pub server_header: Option<FieldValue>,
}

const fn anyone() -> Peers {
    Peers::Anyone
}

const fn cancel() -> HalfClose {
    HalfClose::Cancel
}

impl Listener {
    /// The HTTP versions spoken here.
    pub fn protocols(&self) -> &[Protocol] {
        match (&self.protocols, &self.tls) {
            (Some(protocols), _) => protocols,
            (None, Some(_)) => &[Protocol::Http1, Protocol::H2],
            (None, None) => &[Protocol::Http1, Protocol::H2c],
        }
    }
}

/// A version of HTTP.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum Protocol {
    /// HTTP/1.1 and HTTP/1.0.
    Http1,
    /// HTTP/2 over TLS, chosen by ALPN.
    H2,
    /// HTTP/2 in plaintext, known by its preface (RFC 9113 §3.3).
    H2c,
}

/// Who begins connections with a PROXY protocol header.
#[config]
pub struct ProxyProtocol {
    /// Addresses that must send the header.
    #[schemars(length(min = 1))]
    pub from: Vec<Cidr>,
}

/// How the path of a request is brought into its one form. Escapes of plain characters are decoded
/// and the rest is written in upper case (`%2f` becomes `%2F`) whatever is set here; control bytes,
/// backslashes and `..` above the root are always refused with 400.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct PathRules {
    /// What becomes of an encoded slash, `%2F`.
    pub encoded_slash: EncodedSlash,
    /// Whether `//` becomes `/`.
    pub merge_slashes: bool,
    /// What becomes of `.` and `..` segments, also written `%2e`.
    pub dot_segments: DotSegments,
    /// What becomes of a path whose escapes are no UTF-8.
    pub invalid_utf8: Check,
    /// Whether the rules are enforced, or only counted to see what they would refuse.
    pub mode: PathMode,
}

impl Default for PathRules {
    fn default() -> Self {
        Self {
            encoded_slash: EncodedSlash::Keep,
            merge_slashes: true,
            dot_segments: DotSegments::Resolve,
            invalid_utf8: Check::Reject,
            mode: PathMode::Enforce,
        }
    }
}

/// What becomes of `%2F`.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum EncodedSlash {
    /// It stays `%2F` and never separates segments.
    Keep,
    /// The request is refused with 400.
    Reject,
    /// It becomes `/` and separates segments.
    Decode,
}

/// What becomes of `.` and `..` segments.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum DotSegments {
    /// They are resolved: `/a/../b` becomes `/b` (RFC 3986 §5.2.4).
    Resolve,
    /// The request is refused with 400.
    Reject,
}

/// Whether something is refused.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum Check {
    /// The request is refused with 400.
    Reject,
    /// It is left as it is.
    Keep,
}

/// Whether rules are enforced.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum PathMode {
    /// What breaks a rule is refused.
    Enforce,
    /// What would be refused is counted, and passed on as it came.
    Observe,
}

/// What happens when the client has closed its sending side.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum HalfClose {
    /// Its request is finished and answered.
    Finish,
    /// Its request is cancelled: it counts as gone.
    Cancel,
}

/// What upstreams are told about the client and this hop.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct Forwarding {
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
    pub x_forwarded: ForwardMode,
    /// `Forwarded` (RFC 7239).
    pub forwarded: ForwardMode,
    /// Whether `Via` (RFC 9110 §7.6.3) is added to requests and answers.
    pub via: bool,
}

impl Default for Forwarding {
    fn default() -> Self {
        Self {
            x_forwarded: ForwardMode::Append,
            forwarded: ForwardMode::Off,
            via: true,
        }
    }
}

/// What is done with one family of forwarding headers.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum ForwardMode {
    /// What a trusted proxy sent is kept and this hop is added; what anybody else sent is replaced.
    Append,
    /// Only what this gateway knows is sent.
    Set,
    /// None is sent, and what the client sent is removed.
    Off,
}

/// The id that every request gets.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct RequestIdRules {
    /// The header that carries it to upstreams and back to clients.
    pub header: FieldName,
    /// Whether an id that an address in `trusted_proxies` sent is kept. Everybody else's is
    /// replaced.
    pub accept_from_trusted: bool,
}

impl Default for RequestIdRules {
    fn default() -> Self {
        Self {
            header: FieldName(http::HeaderName::from_static("x-request-id")),
            accept_from_trusted: true,
        }
    }
}
