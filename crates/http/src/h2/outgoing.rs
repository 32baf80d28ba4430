//! The body of a message that goes out.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::{Body, Frame};
use tokio::time::Instant;

/// A last piece up to this size is handed to h2 without waiting for window: it holds it, as a socket's
/// buffer would, and most answers are sent with fewer steps.
const SMALL: usize = 16 * 1024;

/// A body that may have more to do than to give out data.
pub trait Advance {
    /// Does what can be done while nobody takes data: a peer that doesn't read may still send.
    fn advance(&mut self, _: &mut Context<'_>) {}
}

/// A body on its way into a stream.
pub struct Outgoing<B> {
    stream: SendStream<Bytes>,
    body: B,
    /// What waits for window, and whether it is the last.
    piece: Option<(Bytes, bool)>,
    /// Since when it waits.
    waits_since: Option<Instant>,
    /// What the stream is reset with if the body fails.
    on_failure: Reason,
}

/// Why a body was not sent to its end.
#[derive(Debug)]
pub enum Lost<E> {
    /// The body failed; the stream was reset.
    Body(E),
    /// The peer has reset the stream.
    Reset(Reason),
    /// The stream or its connection is gone.
    Gone(h2::Error),
    /// The stream was closed on this side.
    Closed,
}

impl<B> Outgoing<B> {
    /// Sends `body` into `stream`, which is reset with `on_failure` if the body fails.
    pub const fn new(stream: SendStream<Bytes>, body: B, on_failure: Reason) -> Self {
        Self {
            stream,
            body,
            piece: None,
            waits_since: None,
            on_failure,
        }
    }

    /// Since when the peer has not made room for the next piece, if that is what is waited for.
    pub const fn waits_since(&self) -> Option<Instant> {
        self.waits_since
    }
}

impl<B: Body<Data = Bytes> + Advance + Unpin> Outgoing<B> {
    /// Ready once all has been handed to h2, or can't be. Window is asked for only when there is data
    /// for it: of what a stream holds unused, the others of its connection have nothing.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost<B::Error>>> {
        loop {
            if self.piece.is_some() {
                ready!(self.poll_window(cx))?;
            }
            if let Some((piece, last)) = self.piece.take() {
                self.stream.send_data(piece, last).map_err(Lost::Gone)?;
                if last {
                    return Poll::Ready(Ok(()));
                }
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return self.poll_reset(cx),
                Poll::Ready(Some(Ok(frame))) => {
                    if self.take(frame)? {
                        return Poll::Ready(Ok(()));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.stream.send_reset(self.on_failure);
                    return Poll::Ready(Err(Lost::Body(error)));
                }
                Poll::Ready(None) => {
                    let end = self.stream.send_data(Bytes::new(), true);
                    return Poll::Ready(end.map_err(Lost::Gone));
                }
            }
        }
    }

    /// Sends a part of the body, or keeps it until there is window. True if it was the last.
    fn take(&mut self, frame: Frame<Bytes>) -> Result<bool, Lost<B::Error>> {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                let Ok(trailers) = frame.into_trailers() else {
                    return Ok(false);
                };
                self.stream.send_trailers(trailers).map_err(Lost::Gone)?;
                return Ok(true);
            }
        };
        let last = self.body.is_end_stream();
        if data.is_empty() && !last {
            return Ok(false);
        }
        if last && data.len() <= SMALL {
            self.stream.send_data(data, true).map_err(Lost::Gone)?;
            return Ok(true);
        }
        // h2 asks for the rest when it has the data.
        self.stream.reserve_capacity(1);
        self.piece = Some((data, last));
        Ok(false)
    }

    fn poll_window(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost<B::Error>>> {
        while self.stream.capacity() == 0 {
            match self.stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(Lost::Gone(error))),
                Poll::Ready(None) => return Poll::Ready(Err(Lost::Closed)),
                Poll::Pending => {
                    self.waits_since.get_or_insert_with(Instant::now);
                    self.body.advance(cx);
                    return self.poll_reset(cx);
                }
            }
        }
        self.waits_since = None;
        Poll::Ready(Ok(()))
    }

    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost<B::Error>>> {
        self.stream.poll_reset(cx).map(|reset| {
            Err(match reset {
                Ok(reason) => Lost::Reset(reason),
                Err(error) => Lost::Gone(error),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{future::poll_fn, time::Duration};

    use http::{Request, Response};
    use tokio::time;

    use super::*;

    /// Pieces of a kilobyte without end.
    struct Endless;

    impl Advance for Endless {}

    impl Body for Endless {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 1024])))))
        }
    }

    /// A reader who takes a little now and then is slow, but does not stall.
    #[tokio::test(start_paused = true)]
    async fn what_is_taken_ends_the_wait() {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let client = async {
            let (mut sender, connection) = h2::client::handshake(theirs).await.unwrap();
            tokio::spawn(connection);
            let request = Request::get("http://a.test/").body(()).unwrap();
            sender.send_request(request, true).unwrap().0.await.unwrap()
        };
        let server = async {
            let mut connection = h2::server::handshake(ours).await.unwrap();
            let (_, mut respond) = connection.accept().await.unwrap().unwrap();
            let stream = respond.send_response(Response::new(()), false).unwrap();
            tokio::spawn(async move { while connection.accept().await.is_some() {} });
            Outgoing::new(stream, Endless, Reason::INTERNAL_ERROR)
        };
        let (response, mut outgoing) = tokio::join!(client, server);
        let mut incoming = response.into_body();
        let mut last = None;
        for _ in 0..5 {
            // Until all window is used.
            last = poll_fn(|cx| {
                assert!(outgoing.poll(cx).is_pending());
                match outgoing.waits_since() {
                    since @ Some(_) if since != last => Poll::Ready(since),
                    _ => Poll::Pending,
                }
            })
            .await;
            assert_eq!(last, Some(time::Instant::now()));
            time::advance(Duration::from_secs(10)).await;
            let mut taken = 0;
            while taken < 40_000 {
                let data = incoming.data().await.unwrap().unwrap();
                incoming
                    .flow_control()
                    .release_capacity(data.len())
                    .unwrap();
                taken += data.len();
            }
        }
    }
}
