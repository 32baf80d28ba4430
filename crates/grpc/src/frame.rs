//! Messages within a body (gRPC over HTTP/2, "Length-Prefixed-Message"): a flag, four bytes of
//! length, the message.

use std::{fmt, io::Read as _};

use bytes::{Buf as _, Bytes, BytesMut};
use flate2::read::GzDecoder;

/// Flag and length.
pub const PREFIX: usize = 5;

/// How the messages of a body are compressed where their flag says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// They aren't.
    #[default]
    Identity,
    /// `gzip`.
    Gzip,
}

/// Why a body does not hold messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A message is larger than allowed.
    TooLarge,
    /// A message is compressed in a way that was not named, or does not uncompress.
    Compression,
    /// A flag that there is not.
    Flag,
    /// The body ended within a message.
    Incomplete,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "a message is larger than the limit",
            Self::Compression => "a message can't be uncompressed",
            Self::Flag => "a message has a flag that does not exist",
            Self::Incomplete => "the body ended within a message",
        })
    }
}

impl std::error::Error for FrameError {}

impl Encoding {
    /// The encoding that `grpc-encoding` names.
    pub fn of(name: Option<&[u8]>) -> Option<Self> {
        match name {
            None | Some(b"identity") => Some(Self::Identity),
            Some(b"gzip") => Some(Self::Gzip),
            Some(_) => None,
        }
    }
}

/// Writes the prefix of a message of `length` bytes that is not compressed.
///
/// # Errors
/// A message of 4 GiB or more.
pub fn prefix(length: usize) -> Result<[u8; PREFIX], FrameError> {
    let length = u32::try_from(length).map_err(|_| FrameError::TooLarge)?;
    let [a, b, c, d] = length.to_be_bytes();
    Ok([0, a, b, c, d])
}

/// Writes a message with its prefix: `write` writes the message.
///
/// # Errors
/// Those of `write`. A message of 4 GiB or more becomes an empty one; limits keep them away.
pub fn framed<E>(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let at = out.len();
    out.extend_from_slice(&[0; PREFIX]);
    write(out)?;
    let written = prefix(out.len() - at - PREFIX).unwrap_or_default();
    if let Some(place) = out.get_mut(at..at + PREFIX) {
        place.copy_from_slice(&written);
    }
    Ok(())
}

/// Takes messages out of a body as it comes.
#[derive(Debug)]
pub struct Messages {
    buffer: BytesMut,
    encoding: Encoding,
    /// Largest message, in bytes, as it is uncompressed.
    limit: usize,
}

impl Messages {
    /// Of a body whose messages have at most `limit` bytes.
    pub fn new(encoding: Encoding, limit: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            encoding,
            limit,
        }
    }

    /// Adds what has come.
    pub fn push(&mut self, data: &Bytes) {
        self.buffer.extend_from_slice(data);
    }

    /// The next message, if all of it is there.
    ///
    /// # Errors
    /// Bytes that are no message, or one that is too large.
    pub fn take(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some((&[flag, a, b, c, d], _)) = self.buffer.split_first_chunk() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if flag > 1 {
            return Err(FrameError::Flag);
        }
        if length > self.limit {
            return Err(FrameError::TooLarge);
        }
        if self.buffer.len() < PREFIX + length {
            return Ok(None);
        }
        self.buffer.advance(PREFIX);
        let message = self.buffer.split_to(length).freeze();
        match (flag, self.encoding) {
            (0, _) => Ok(Some(message)),
            (_, Encoding::Gzip) => gunzip(&message, self.limit).map(Some),
            (_, Encoding::Identity) => Err(FrameError::Compression),
        }
    }

    /// That the body ends with a message.
    ///
    /// # Errors
    /// If it does not.
    pub fn end(&self) -> Result<(), FrameError> {
        if self.buffer.is_empty() {
            Ok(())
        } else {
            Err(FrameError::Incomplete)
        }
    }
}

fn gunzip(message: &[u8], limit: usize) -> Result<Bytes, FrameError> {
    let mut out = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut decoder = GzDecoder::new(message).take(most);
    decoder
        .read_to_end(&mut out)
        .map_err(|_| FrameError::Compression)?;
    if out.len() > limit {
        return Err(FrameError::TooLarge);
    }
    Ok(Bytes::from(out))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    proptest! {
        /// However a body is cut, its messages come out as they went in.
        #[test]
        fn messages_round_trip(messages: Vec<Vec<u8>>, compressed: bool, cut in 1..40_usize) {
            let mut body = Vec::new();
            for message in &messages {
                let data = if compressed { gzip(message) } else { message.clone() };
                framed(&mut body, |out| { out.extend_from_slice(&data); Ok::<(), ()>(()) }).unwrap();
                let at = body.len() - data.len() - PREFIX;
                body[at] = u8::from(compressed);
            }
            let mut reader = Messages::new(Encoding::Gzip, 1 << 20);
            let mut read = Vec::new();
            for part in body.chunks(cut) {
                reader.push(&Bytes::copy_from_slice(part));
                while let Some(message) = reader.take().unwrap() {
                    read.push(message.to_vec());
                }
            }
            prop_assert_eq!(read, messages);
            prop_assert_eq!(reader.end(), Ok(()));
        }
    }

    #[test]
    fn refuses_what_is_too_large_or_wrong() {
        let next = |body: &[u8], encoding| {
            let mut reader = Messages::new(encoding, 100);
            reader.push(&Bytes::copy_from_slice(body));
            reader
                .take()
                .and_then(|message| reader.end().map(|()| message))
        };
        let identity = Encoding::Identity;
        assert_eq!(
            next(&[0, 0, 0, 0, 101], identity),
            Err(FrameError::TooLarge)
        );
        assert_eq!(
            next(&[0, 255, 255, 255, 255], identity),
            Err(FrameError::TooLarge)
        );
        assert_eq!(next(&[2, 0, 0, 0, 0], identity), Err(FrameError::Flag));
        assert_eq!(
            next(&[1, 0, 0, 0, 0], identity),
            Err(FrameError::Compression)
        );
        assert_eq!(
            next(&[0, 0, 0, 0, 2, 7], identity),
            Err(FrameError::Incomplete)
        );
        assert_eq!(next(&[0, 0, 0], identity), Err(FrameError::Incomplete));
        // A small message that would grow.
        let bomb = gzip(&[0; 1 << 20]);
        let mut body = prefix(bomb.len()).unwrap().to_vec();
        body[0] = 1;
        body.extend(&bomb);
        let mut reader = Messages::new(Encoding::Gzip, 10_000);
        reader.push(&Bytes::from(body));
        assert_eq!(reader.take(), Err(FrameError::TooLarge));
    }
}
