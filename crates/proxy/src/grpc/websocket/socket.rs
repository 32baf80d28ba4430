//! A WebSocket that is read and written at once, by two futures of one task.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::{Sink as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

/// What is read at once.
const BUFFER: usize = 4 * 1024;

pub(super) struct Socket<S> {
    stream: RefCell<WebSocketStream<S>>,
    /// What came can't be read as messages any more.
    broken: Cell<bool>,
}

/// Why nothing more is read.
pub(super) enum Ended {
    /// The client has closed, or is gone.
    Gone,
    /// It did what it must not do: the code that it is told (RFC 6455 §7.4.1), and a word.
    Wrong(u16, &'static str),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub(super) async fn new(io: S, max_message: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(max_message))
            .max_frame_size(Some(max_message));
        let stream = WebSocketStream::from_raw_socket(io, Role::Server, Some(config));
        Self {
            stream: RefCell::new(stream.await),
            broken: Cell::new(false),
        }
    }

    /// The next text. Pings are answered meanwhile; `seen` is called for whatever comes.
    pub(super) async fn text(&self, seen: impl Fn()) -> Result<String, Ended> {
        loop {
            let next = poll_fn(|cx| Pin::new(&mut *self.stream.borrow_mut()).poll_next(cx)).await;
            seen();
            match next {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Binary(_))) => {
                    return Err(Ended::Wrong(1003, "messages are JSON texts"));
                }
                Some(Ok(Message::Close(_))) | None => return Err(Ended::Gone),
                Some(Err(error)) => {
                    self.broken.set(true);
                    return Err(Ended::of(&error));
                }
            }
        }
    }

    /// Sends a text, and returns when it has left.
    pub(super) async fn send(&self, text: String) -> Result<(), Error> {
        self.write(Message::text(text)).await
    }

    /// Says that the connection ends, and waits until the client has heard it.
    pub(super) async fn close(&self, code: u16, reason: &str) {
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: shortened(reason).into(),
        };
        if self.write(Message::Close(Some(frame))).await.is_err() {
            return;
        }
        if self.broken.get() {
            return self.drain().await;
        }
        loop {
            let next = poll_fn(|cx| Pin::new(&mut *self.stream.borrow_mut()).poll_next(cx)).await;
            if !matches!(next, Some(Ok(_))) {
                return;
            }
        }
    }

    /// Lets the client have what was sent: a connection that is closed while something waits to be
    /// read is reset, and what was sent may be lost with it (RFC 9293 §3.10.4).
    async fn drain(&self) {
        poll_fn(|cx| self.poll_drain(cx)).await;
    }

    fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut stream = self.stream.borrow_mut();
        // The client closes when it sees the end.
        let _ = ready!(Pin::new(stream.get_mut()).poll_shutdown(cx));
        let mut rest = [0; BUFFER];
        loop {
            let mut read = ReadBuf::new(&mut rest);
            match ready!(Pin::new(stream.get_mut()).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
    }

    async fn write(&self, message: Message) -> Result<(), Error> {
        poll_fn(|cx| Pin::new(&mut *self.stream.borrow_mut()).poll_ready(cx)).await?;
        Pin::new(&mut *self.stream.borrow_mut()).start_send(message)?;
        poll_fn(|cx| Pin::new(&mut *self.stream.borrow_mut()).poll_flush(cx)).await
    }
}

impl Ended {
    fn of(error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::Wrong(1009, "the message is larger than the limit"),
            Error::Utf8(_) => Self::Wrong(1007, "the text is not UTF-8"),
            Error::Protocol(
                tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            ) => Self::Gone,
            Error::Protocol(_) => Self::Wrong(1002, "this is not WebSocket"),
            _ => Self::Gone,
        }
    }
}

/// A reason has at most 123 bytes (RFC 6455 §5.5).
fn shortened(reason: &str) -> &str {
    let end = (0..=reason.len().min(123)).rev();
    let end = end.into_iter().find(|end| reason.is_char_boundary(*end));
    reason.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn reasons_are_cut_between_characters() {
        assert_eq!(super::shortened("no book"), "no book");
        let long = "ü".repeat(100);
        assert_eq!(super::shortened(&long), "ü".repeat(61));
    }
}
