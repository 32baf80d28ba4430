//! The task of one stream: the answer is waited for, then sent.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use h2::{Reason, RecvStream, server::SendResponse};
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, HeaderMap},
};
use lintel_http::h2::{Duplex, Outgoing, remove_connection_fields};
use lintel_proxy::{Tracked, Tunnel};

use super::{super::shield::ShieldedBody, stream::Stream};

/// What a request is answered with.
pub(super) struct Reply {
    pub(super) response: Response<Tracked>,
    /// What goes to and fro on the stream after it.
    pub(super) tunnel: Option<(Tunnel, RecvStream)>,
    /// The answer has no body, whatever `response` holds (RFC 9110 §9.3.2, §15.3.5, §15.4.5).
    pub(super) is_head: bool,
}

/// The task of a stream. It ends early, and thereby resets the stream, if the client takes nothing of
/// the answer for too long; it ends at once if the client resets the stream.
pub(super) struct Exchange<F> {
    state: State<F>,
    respond: SendResponse<Bytes>,
    stream: Rc<Stream>,
    /// The client waits for `100 Continue`, which may be asked for outside of this task.
    expects: bool,
}

enum State<F> {
    Answering(F),
    Sending(Outgoing<ShieldedBody>),
    Tunnel(Pin<Box<dyn Future<Output = ()>>>),
}

impl<F: Future<Output = Reply> + Unpin> Exchange<F> {
    pub(super) const fn new(
        answering: F,
        respond: SendResponse<Bytes>,
        stream: Rc<Stream>,
        expects: bool,
    ) -> Self {
        Self {
            state: State::Answering(answering),
            respond,
            stream,
            expects,
        }
    }

    /// Whether the stream is still the client's concern.
    fn send_interim(&mut self, cx: &mut Context<'_>) -> bool {
        let interim = self.stream.take_interim();
        if interim.is_empty() {
            return true;
        }
        // On a stream that is closed already, h2 would send it all the same.
        if self.respond.poll_reset(cx).is_ready() {
            return false;
        }
        for response in interim {
            if let Err(error) = self.respond.send_informational(response) {
                tracing::debug!(%error, "an interim answer could not be sent");
            }
        }
        true
    }

    /// Sends the head of the answer. Nothing if there is no more to do.
    fn begin(&mut self, reply: Reply) -> Option<State<F>> {
        let Reply {
            response,
            tunnel,
            is_head,
        } = reply;
        let (mut head, body) = response.into_parts();
        remove_connection_fields(&mut head.headers);
        if let Some((tunnel, incoming)) = tunnel {
            // A tunnel has no length (RFC 9110 §9.3.6).
            head.headers.remove(CONTENT_LENGTH);
            let outgoing = self.send_head(Response::from_parts(head, ()), false)?;
            let client = Duplex::new(incoming, outgoing);
            return Some(State::Tunnel(Box::pin(tunnel.run(client))));
        }
        let bodiless = is_head
            || matches!(
                head.status,
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            );
        let ends = bodiless || http_body::Body::is_end_stream(&body);
        if !ends {
            declare_length(&mut head.headers, &body);
        }
        let outgoing = self.send_head(Response::from_parts(head, ()), ends)?;
        let body = ShieldedBody::new(body);
        (!ends).then(|| State::Sending(Outgoing::new(outgoing, body, Reason::INTERNAL_ERROR)))
    }

    fn send_head(&mut self, head: Response<()>, ends: bool) -> Option<h2::SendStream<Bytes>> {
        match self.respond.send_response(head, ends) {
            Ok(stream) => Some(stream),
            Err(error) => {
                tracing::debug!(%error, "an answer could not be sent");
                self.respond.send_reset(Reason::INTERNAL_ERROR);
                None
            }
        }
    }
}

/// What is known of the length is told, as over HTTP/1.
fn declare_length(headers: &mut HeaderMap, body: &Tracked) {
    if let Some(length) = http_body::Body::size_hint(body).exact()
        && !headers.contains_key(CONTENT_LENGTH)
    {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

impl<F: Future<Output = Reply> + Unpin> Future for Exchange<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            let next = match &mut this.state {
                State::Answering(answering) => {
                    if this.expects {
                        this.stream.watch(cx);
                    }
                    let answered = Pin::new(answering).poll(cx);
                    if !this.send_interim(cx) {
                        return Poll::Ready(());
                    }
                    match answered {
                        Poll::Ready(reply) => this.begin(reply),
                        // Ready if the client has reset the stream, or is gone.
                        Poll::Pending => return this.respond.poll_reset(cx).map(drop),
                    }
                }
                State::Sending(body) => {
                    if body.poll(cx).is_ready() {
                        return Poll::Ready(());
                    }
                    let Some(since) = body.waits_since() else {
                        return Poll::Pending;
                    };
                    let patience = this.stream.session.held.spec.http1.write_timeout;
                    return this.stream.timer().poll_deadline(cx, since + patience);
                }
                State::Tunnel(tunnel) => return tunnel.as_mut().poll(cx),
            };
            match next {
                Some(state) => this.state = state,
                None => return Poll::Ready(()),
            }
        }
    }
}
