//! What the certificate resolver learnt from the client's hello.
//!
//! rustls' unbuffered connection neither tells the server name nor lets a resolver choose the
//! alert. The resolver runs inside the call that processes the hello, on the same thread, so it
//! leaves both here for the connection to pick up when that call returns.

use std::cell::Cell;

/// The resolver's findings.
pub(crate) struct Heard {
    /// The name asked for, lower case.
    pub(crate) server_name: Option<Box<str>>,
    pub(crate) refusal: Option<Refusal>,
}

/// Why no certificate is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No certificate is for this name.
    UnknownName,
    /// The client named no server.
    NoName,
    /// The client accepts no signature that our keys for the name can make.
    NoCommonSignature,
}

thread_local! {
    static HEARD: Cell<Option<Heard>> = const { Cell::new(None) };
}

/// Called by the resolver.
pub(crate) fn leave(heard: Heard) {
    HEARD.set(Some(heard));
}

/// Called after each step of a connection: the findings of this step.
pub(crate) fn take() -> Option<Heard> {
    HEARD.take()
}

impl Refusal {
    /// A fatal alert in the clear, as any alert before the server's hello is (RFC 8446 §6):
    /// `unrecognized_name` (RFC 6066 §3), `missing_extension` (RFC 8446 §9.2) or
    /// `handshake_failure` (RFC 8446 §4.4.2.2).
    pub(crate) fn alert_record(self) -> [u8; 7] {
        const HANDSHAKE_FAILURE: u8 = 40;
        const UNRECOGNIZED_NAME: u8 = 112;
        const MISSING_EXTENSION: u8 = 109;
        let alert = match self {
            Self::UnknownName => UNRECOGNIZED_NAME,
            Self::NoName => MISSING_EXTENSION,
            Self::NoCommonSignature => HANDSHAKE_FAILURE,
        };
        [21, 3, 3, 0, 2, 2, alert]
    }
}
