//! A stream of the caller's messages as lines of JSON, each when its message comes.

use std::{
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use lintel_grpc::{Binding, frame::Messages};
use lintel_http::{Body, BodyError};
use lintel_kernel::Rejection;
use tokio::time::Instant;

use super::{
    super::{Grpc, upload::Told},
    call::{LATE, broken, reader, wrong},
};
use crate::{active::Active, request};

/// The messages of a call as they come.
pub(super) struct Source {
    body: Body,
    reader: Messages,
    ended: bool,
}

/// Why there is no next message.
enum Lost {
    Body(BodyError),
    /// It can't be read; the caller may know why.
    Message(Rejection),
}

impl Source {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Lost>>> {
        loop {
            match self.reader.take() {
                Ok(Some(message)) => return Poll::Ready(Some(Ok(message))),
                Ok(None) if self.ended => return Poll::Ready(None),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(Lost::Message(wrong(&error))))),
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.reader.push(&data);
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(Lost::Body(error)))),
                None => {
                    self.ended = true;
                    if let Err(error) = self.reader.end() {
                        return Poll::Ready(Some(Err(Lost::Message(wrong(&error)))));
                    }
                }
            }
        }
    }
}

/// Waits for the first message of a call, which says what the path is; and what gives those that follow.
pub(super) async fn first(
    active: &mut Active,
    grpc: &Grpc,
    body: Body,
    (context, deadline): (&request::Context<'_>, Instant),
) -> Result<(Option<Bytes>, Option<Source>), Rejection> {
    let mut source = Source {
        reader: reader(active, grpc)?,
        body: body.metered(&active.bytes_in),
        ended: false,
    };
    let timer = &context.wire.timer;
    let first = timer
        .timeout_at(deadline, poll_fn(|cx| source.poll_next(cx)))
        .await
        .map_err(|_elapsed| LATE)?;
    match first.transpose() {
        Ok(first) => Ok((first, Some(source))),
        Err(Lost::Body(error)) => Err(broken(&error)),
        Err(Lost::Message(rejection)) => Err(rejection),
    }
}

struct Upload {
    source: Source,
    /// The line of the first message.
    first: Option<Vec<u8>>,
    grpc: Arc<Grpc>,
    binding: Arc<Binding>,
    told: Rc<Told>,
}

/// A body with a line for each message.
pub(super) fn lines(
    grpc: &Arc<Grpc>,
    binding: &Arc<Binding>,
    first: Option<Vec<u8>>,
    source: Source,
    told: &Rc<Told>,
) -> Body {
    Body::boxed(Upload {
        source,
        first,
        grpc: Arc::clone(grpc),
        binding: Arc::clone(binding),
        told: Rc::clone(told),
    })
}

impl Upload {
    fn line(&self, message: &[u8]) -> Result<Vec<u8>, BodyError> {
        let schema = self.grpc.transcoder.schema();
        let line = self.binding.body_of(schema, message, self.grpc.style);
        line.map_err(|why| self.refuse(why))
    }

    fn refuse(&self, detail: String) -> BodyError {
        let cause = "a message of the call can't be read";
        self.told.refuse(detail, cause)
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let line = match self.first.take() {
            Some(first) => Ok(first),
            None => match ready!(self.source.poll_next(cx)) {
                None => return Poll::Ready(None),
                Some(Ok(message)) => self.line(&message),
                Some(Err(Lost::Body(error))) => Err(error),
                Some(Err(Lost::Message(rejection))) => {
                    Err(self.refuse(rejection.detail.into_owned()))
                }
            },
        };
        Poll::Ready(Some(line.map(|mut line| {
            line.push(b'\n');
            Frame::data(Bytes::from(line))
        })))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
