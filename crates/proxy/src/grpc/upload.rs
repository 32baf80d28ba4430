//! A stream of JSON values, one a line, as the messages of a call.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use lintel_grpc::{Binding, frame};
use lintel_http::{Body, BodyError};
use lintel_kernel::{Kind, Side};

use super::{Grpc, call::UNFIT, lines::Lines};
use crate::dispatch::NoAnswer;

/// Largest line, in bytes.
const MAX_LINE: usize = 4 * 1024 * 1024;

/// What was wrong with a line: the body can only break off, and the client is to know why.
#[derive(Default)]
pub(super) struct Told(RefCell<Option<String>>);

impl Told {
    /// The refusal that the client gets: of its own body, where that is what went wrong.
    pub(super) fn correct(&self, mut lost: Box<NoAnswer>) -> Box<NoAnswer> {
        // A message; another service is to get what the client sent.
        lost.body = None;
        if let Some(detail) = self.0.take() {
            lost.rejection = UNFIT.with_detail(detail);
        }
        lost
    }

    /// Notes what was wrong; what the body breaks off with. The cause is for the log.
    pub(super) fn refuse(&self, detail: String, cause: &str) -> BodyError {
        *self.0.borrow_mut() = Some(detail);
        BodyError::new(Kind::Protocol, Side::Client, cause)
    }
}

struct Upload {
    body: Body,
    grpc: Arc<Grpc>,
    binding: Arc<Binding>,
    lines: Lines,
    /// What the path and the query say; it goes along with the first message.
    more: Vec<u8>,
    ended: bool,
    told: Rc<Told>,
}

pub(super) fn messages(
    grpc: &Arc<Grpc>,
    binding: &Arc<Binding>,
    body: Body,
    more: Vec<u8>,
    told: &Rc<Told>,
) -> Body {
    Body::boxed(Upload {
        body,
        grpc: Arc::clone(grpc),
        binding: Arc::clone(binding),
        lines: Lines::new(MAX_LINE),
        more,
        ended: false,
        told: Rc::clone(told),
    })
}

impl Upload {
    /// The next message whose line is there.
    fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        match self.lines.take(self.ended) {
            Ok(line) => line.map(|line| self.message(&line)),
            Err(_too_long) => Some(Err(self.refuse("the line is too long"))),
        }
    }

    fn message(&mut self, line: &[u8]) -> Result<Bytes, BodyError> {
        let mut out = Vec::with_capacity(frame::PREFIX + line.len());
        let more = std::mem::take(&mut self.more);
        let written = frame::framed(&mut out, |out| {
            let schema = self.grpc.transcoder.schema();
            self.binding
                .write_body(schema, line, self.grpc.unknown, out)?;
            out.extend_from_slice(&more);
            Ok::<(), lintel_grpc::BadRequest>(())
        });
        match written {
            Ok(()) => Ok(Bytes::from(out)),
            Err(error) => Err(self.refuse(&error.detail())),
        }
    }

    fn refuse(&mut self, detail: &str) -> BodyError {
        let number = self.lines.number.max(1);
        self.lines.clear();
        self.body = Body::empty();
        self.told.refuse(
            format!("Line {number} of the body: {detail}"),
            "a line of the request's body does not fit the method",
        )
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if let Some(message) = self.next() {
                return Poll::Ready(Some(message.map(Frame::data)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => self.ended = true,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.lines.push(&data);
                    }
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
