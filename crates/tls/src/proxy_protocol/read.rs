use std::fmt;
use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::{Header, ParseError, parse};
use crate::socket::Socket;

/// Why no header could be read.
#[derive(Debug)]
pub enum ReadError {
    /// The bytes are no header.
    Malformed(ParseError),
    /// The peer closed the connection within the header, or before it.
    Closed,
    /// The header did not come in time.
    Timeout,
    /// The socket failed.
    Io(io::Error),
}

/// Reads the header from the front of a connection and not a byte more, so that what follows, TLS
/// or HTTP, is read from the socket as if it were the beginning.
///
/// # Errors
///
/// Why there is no header. The connection must be dropped without an answer (§2).
///
/// # Cancel safety
///
/// Not cancel safe: a part of the header may have been taken off the socket.
pub async fn read_header(socket: &mut Socket, timeout: Duration) -> Result<Header, ReadError> {
    match tokio::time::timeout(timeout, read_exactly(socket)).await {
        Ok(read) => read,
        Err(_) => Err(ReadError::Timeout),
    }
}

/// Looks at what has arrived before taking it: an unfinished header is part of the header to its
/// last byte, and a finished one tells its length. A header that arrives in one piece costs two
/// system calls.
async fn read_exactly(socket: &mut Socket) -> Result<Header, ReadError> {
    /// More than any header without large TLVs.
    const LOOK: usize = 512;
    let mut taken = Vec::new();
    loop {
        let before = taken.len();
        taken.resize(before + LOOK, 0);
        let room = taken.get_mut(before..).unwrap_or_default();
        let seen = socket.peek(room).await.map_err(ReadError::Io)?;
        if seen == 0 {
            return Err(ReadError::Closed);
        }
        taken.truncate(before + seen);
        let parsed = parse(&taken).map_err(ReadError::Malformed)?;
        let end = parsed.as_ref().map_or(taken.len(), |(_, length)| *length);
        let part = taken.get_mut(before..end).unwrap_or_default();
        socket.read_exact(part).await.map_err(ReadError::Io)?;
        if let Some((header, _)) = parsed {
            return Ok(header);
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::Closed => f.write_str("the connection was closed before the PROXY header"),
            Self::Timeout => f.write_str("the PROXY header did not come in time"),
            Self::Io(error) => write!(f, "reading the PROXY header failed: {error}"),
        }
    }
}

impl std::error::Error for ReadError {}
