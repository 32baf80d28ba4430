//! The PROXY protocol, versions 1 and 2: who the client of a load balancer in front of us is.
//!
//! After HAProxy's `proxy-protocol.txt` (section numbers below are its). A listener reads a header
//! only from sources that its settings declare, and then requires one from them (§2): whoever may
//! send a header may claim any address.

mod read;
mod v1;
mod v2;

#[cfg(test)]
mod tests;

pub use read::{ReadError, read_header};
pub use v2::{Ssl, Tlvs};

use std::fmt;
use std::net::SocketAddr;

/// What a PROXY header says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The endpoints of the client's own connection. None if the header says that the addresses of
    /// the connection at hand count: `LOCAL` (a health check of the load balancer itself),
    /// `UNKNOWN` and `UNSPEC`.
    pub addresses: Option<Addresses>,
    /// Further facts; version 2 only.
    pub tlvs: Tlvs,
}

/// The endpoints of the client's own connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// TCP, or UDP if `datagram`, over IPv4 or IPv6.
    Ip {
        /// The client.
        source: SocketAddr,
        /// What the client connected to.
        destination: SocketAddr,
        /// UDP and not TCP.
        datagram: bool,
    },
    /// Unix sockets, by path; an empty path is an unnamed socket.
    Unix {
        /// The client.
        source: Vec<u8>,
        /// What the client connected to.
        destination: Vec<u8>,
    },
}

/// Why bytes are no PROXY header. The connection must be dropped (§2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// They begin with neither signature.
    NoSignature,
    /// A version 1 line is not ended by CRLF within 107 bytes (§2.1), or a version 2 header
    /// announces more than 16 KiB.
    TooLong,
    /// A version 1 line does not follow §2.1.
    Line(&'static str),
    /// A version 2 header does not follow §2.2.
    Binary(&'static str),
    /// The checksum of a version 2 header is wrong (§2.2.3).
    Checksum,
}

/// Parses the header at the beginning of `bytes` and tells how long it is. `None` means that the
/// bytes are the beginning of a header and more of them are needed.
///
/// # Errors
///
/// As soon as the bytes cannot become a valid header.
pub fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, ParseError> {
    if begins(bytes, v2::SIGNATURE) {
        v2::parse(bytes)
    } else if begins(bytes, v1::SIGNATURE) {
        v1::parse(bytes)
    } else {
        Err(ParseError::NoSignature)
    }
}

/// Whether `bytes` begin with `signature`, as far as there are bytes.
fn begins(bytes: &[u8], signature: &[u8]) -> bool {
    let common = bytes.len().min(signature.len());
    bytes.get(..common) == signature.get(..common)
}

impl Header {
    /// The client's address, if it is an IP address and not our own peer's.
    pub fn source(&self) -> Option<SocketAddr> {
        match self.addresses {
            Some(Addresses::Ip { source, .. }) => Some(source),
            _ => None,
        }
    }

    /// The address that the client connected to.
    pub fn destination(&self) -> Option<SocketAddr> {
        match self.addresses {
            Some(Addresses::Ip { destination, .. }) => Some(destination),
            _ => None,
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSignature => f.write_str("the connection does not begin with a PROXY header"),
            Self::TooLong => f.write_str("the PROXY header is too long"),
            Self::Line(why) => write!(f, "malformed PROXY header (version 1): {why}"),
            Self::Binary(why) => write!(f, "malformed PROXY header (version 2): {why}"),
            Self::Checksum => f.write_str("the PROXY header's checksum is wrong"),
        }
    }
}

impl std::error::Error for ParseError {}
