//! One request on a stream, up to the head of its answer.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use h2::{
    Reason, RecvStream,
    client::{ResponseFuture, SendRequest},
};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_LENGTH,
    request::Parts,
};
use lintel_http::h2::{Incoming, Outgoing, Pace};
use lintel_http1::Timer;
use lintel_kernel::Side;
use tokio::time::Instant;

use crate::worker::upload::Upload;

/// Interim answers before the one that counts, as with HTTP/1.
const MAX_INTERIM: u32 = 16;

/// What a request is sent with.
pub(crate) struct Terms<'a> {
    /// The timer of the task.
    pub(crate) timer: &'a Timer,
    /// How long the answer's body may pause.
    pub(crate) idle: Duration,
    /// How long the body is held back for `100 Continue`, where the client waits for it as well.
    pub(crate) expect_continue: Option<Duration>,
    /// Called for every interim answer but 100 and 101.
    pub(crate) interim: &'a dyn Fn(StatusCode, HeaderMap),
}

/// Why there is no answer.
pub(crate) enum NoAnswer {
    /// The connection takes no more requests. Nothing was sent.
    Unsent(h2::Error, Box<Upload>),
    Lost(h2::Error),
    TooManyInterim,
}

/// Sends a request. The stream is reset if the future is dropped (RFC 9113 §5.4.2).
pub(crate) async fn exchange(
    mut sender: SendRequest<Bytes>,
    request: Request<Upload>,
    terms: Terms<'_>,
) -> Result<Response<Option<Incoming>>, NoAnswer> {
    let (mut head, body) = request.into_parts();
    let ends = http_body::Body::is_end_stream(&body);
    declare_length(&mut head, &body);
    let (answer, stream) = match sender.send_request(Request::from_parts(head, ()), ends) {
        Ok(sent) => sent,
        Err(error) => return Err(NoAnswer::Unsent(error, Box::new(body))),
    };
    drop(sender);
    let mut sending = Sending {
        answer,
        upload: (!ends).then(|| Outgoing::new(stream, body, Reason::CANCEL)),
        held_until: terms
            .expect_continue
            .map(|patience| Instant::now() + patience),
        interim: 0,
    };
    let response = poll_fn(|cx| sending.poll(cx, &terms)).await?;
    let pace = Pace {
        timer: terms.timer.clone(),
        longest_pause: terms.idle,
    };
    Ok(receive(response, sending.upload, pace))
}

/// What is known of the length is told: always of a body, and of its absence where the method has
/// one (RFC 9110 §8.6).
fn declare_length(head: &mut Parts, body: &Upload) {
    if let Some(length) = http_body::Body::size_hint(body).exact()
        && (length > 0 || matches!(head.method, Method::POST | Method::PUT | Method::PATCH))
        && !head.headers.contains_key(CONTENT_LENGTH)
    {
        let length = HeaderValue::from(length);
        head.headers.insert(CONTENT_LENGTH, length);
    }
}

struct Sending {
    answer: ResponseFuture,
    upload: Option<Outgoing<Upload>>,
    /// When the body is sent although nobody has asked for it.
    held_until: Option<Instant>,
    interim: u32,
}

impl Sending {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        terms: &Terms<'_>,
    ) -> Poll<Result<Response<RecvStream>, NoAnswer>> {
        loop {
            while let Poll::Ready(Some(interim)) = self.answer.poll_informational(cx) {
                self.pass_on(interim.map_err(NoAnswer::Lost)?, terms)?;
            }
            if let Poll::Ready(answer) = Pin::new(&mut self.answer).poll(cx) {
                return Poll::Ready(answer.map_err(NoAnswer::Lost));
            }
            let Some(upload) = &mut self.upload else {
                return Poll::Pending;
            };
            if let Some(until) = self.held_until {
                if terms.timer.poll_deadline(cx, until).is_pending() {
                    return Poll::Pending;
                }
                self.held_until = None;
            }
            if upload.poll(cx).is_pending() {
                return Poll::Pending;
            }
            // If it failed, the answer says how.
            self.upload = None;
        }
    }

    fn pass_on(&mut self, interim: Response<()>, terms: &Terms<'_>) -> Result<(), NoAnswer> {
        self.interim += 1;
        if self.interim > MAX_INTERIM {
            return Err(NoAnswer::TooManyInterim);
        }
        let (head, ()) = interim.into_parts();
        match head.status {
            StatusCode::CONTINUE => self.held_until = None,
            StatusCode::SWITCHING_PROTOCOLS => {}
            status => (terms.interim)(status, head.headers),
        }
        Ok(())
    }
}

/// Makes the gateway's response; it has no body where the head was all. What is left of the request
/// goes on with the body; without one, the answer is complete (RFC 9113 §8.1).
fn receive(
    response: Response<RecvStream>,
    upload: Option<Outgoing<Upload>>,
    pace: Pace,
) -> Response<Option<Incoming>> {
    let (head, stream) = response.into_parts();
    if stream.is_end_stream() {
        return Response::from_parts(head, None);
    }
    let mut body = Incoming::new(stream, &head.headers, Side::Upstream, pace);
    if let Some(mut upload) = upload {
        body = body.with_companion(move |cx| upload.poll(cx).map(drop));
    }
    Response::from_parts(head, Some(body))
}
