//! Sending one body: from frames to framed bytes.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::Body;

use crate::head::{Outgoing, encode_fields, is_forbidden_trailer};
use crate::outbox::Outbox;

/// How the end of a message that is sent is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// The message has no body whatever its fields say (RFC 9112 §6.3 items 1 and 2).
    None,
    /// So many bytes are still to be sent.
    Length(u64),
    Chunked,
    /// The end of the connection is the end of the body: answers to HTTP/1.0 clients.
    UntilClose,
}

/// Encoder of one body.
#[derive(Debug)]
pub(crate) struct Encoder {
    coding: Coding,
    ended: bool,
}

/// Why a body could not be sent as it was announced.
#[derive(Debug)]
pub(crate) enum EncodeError<E> {
    /// The body failed.
    Body(E),
    /// The body is longer than its declared length.
    TooLong,
    /// The body is shorter than its declared length.
    TooShort,
}

/// Where filling the outbox stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    /// The body has nothing ready; the task is woken when it has.
    Waiting,
    /// The outbox must be written before more fits.
    Full,
    /// The whole message is in the outbox.
    Ended,
}

impl Encoder {
    pub(crate) fn new(coding: Coding) -> Self {
        Self {
            coding,
            ended: coding == Coding::None,
        }
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Moves frames from the body to the outbox while there are some ready and there is room.
    ///
    /// `touched` is set when the first frame was taken from the body.
    pub(crate) fn fill<B: Body<Data = Bytes>>(
        &mut self,
        mut body: Pin<&mut B>,
        out: &mut Outbox,
        vectored: bool,
        touched: &mut bool,
        cx: &mut Context<'_>,
    ) -> Result<Fill, EncodeError<B::Error>> {
        while !self.ended {
            if !out.has_room() {
                // The end needs no room, and joins the last frame in one write.
                if body.is_end_stream() {
                    self.end(out)?;
                    break;
                }
                return Ok(Fill::Full);
            }
            let frame = match body.as_mut().poll_frame(cx) {
                // All promised bytes are there: what the body still waits for can't be sent.
                Poll::Pending if self.coding == Coding::Length(0) => {
                    self.ended = true;
                    break;
                }
                Poll::Pending => return Ok(Fill::Waiting),
                Poll::Ready(None) => {
                    self.end(out)?;
                    break;
                }
                Poll::Ready(Some(frame)) => frame.map_err(EncodeError::Body)?,
            };
            *touched = true;
            match frame.into_data() {
                Ok(data) => self.data(data, out, vectored)?,
                Err(frame) => {
                    let Ok(trailers) = frame.into_trailers() else {
                        continue;
                    };
                    self.trailers(&trailers, out)?;
                }
            }
            if self.coding == Coding::Length(0) && body.is_end_stream() {
                self.ended = true;
            }
        }
        Ok(Fill::Ended)
    }

    fn data<E>(
        &mut self,
        data: Bytes,
        out: &mut Outbox,
        vectored: bool,
    ) -> Result<(), EncodeError<E>> {
        match &mut self.coding {
            Coding::None => {}
            Coding::Chunked => out.push_chunk(data, vectored),
            Coding::UntilClose => out.push_data(data, vectored),
            Coding::Length(left) => {
                *left = left
                    .checked_sub(data.len() as u64)
                    .ok_or(EncodeError::TooLong)?;
                out.push_data(data, vectored);
            }
        }
        Ok(())
    }

    fn end<E>(&mut self, out: &mut Outbox) -> Result<(), EncodeError<E>> {
        match self.coding {
            Coding::Chunked => out.push_last_chunk(),
            Coding::Length(1..) => return Err(EncodeError::TooShort),
            Coding::None | Coding::Length(0) | Coding::UntilClose => {}
        }
        self.ended = true;
        Ok(())
    }

    /// Trailers end the body. They are written whenever the coding has a place for them: the sender of the fields has decided
    /// that they may be lost (RFC 9110 §6.5).
    fn trailers<E>(
        &mut self,
        trailers: &HeaderMap,
        out: &mut Outbox,
    ) -> Result<(), EncodeError<E>> {
        if self.coding != Coding::Chunked {
            return self.end(out);
        }
        let buffer = out.buffer();
        buffer.extend_from_slice(b"0\r\n");
        if trailers.keys().any(is_forbidden_trailer) {
            let mut allowed = HeaderMap::with_capacity(trailers.len());
            for (name, value) in trailers
                .iter()
                .filter(|(name, _)| !is_forbidden_trailer(name))
            {
                allowed.append(name, value.clone());
            }
            encode_fields(buffer, &allowed, Outgoing::default());
        } else {
            encode_fields(buffer, trailers, Outgoing::default());
        }
        self.ended = true;
        Ok(())
    }
}

/// The length a message declares in its own header fields; `Err` if it is malformed or given more than once.
pub(crate) fn declared_length(headers: &HeaderMap) -> Result<Option<u64>, ()> {
    let mut lines = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(first) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(());
    }
    crate::head::content_length(first.as_bytes())
        .map(Some)
        .map_err(|_| ())
}
