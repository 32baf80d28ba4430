//! A stream that has just come.

use std::rc::Rc;

use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use http::{Method, Request};

use super::{
    super::shield::{Shield, apology},
    Session, answer,
    exchange::{Exchange, Reply},
    hygiene,
    stream::Stream,
};

/// Serves a request in a task of its own.
pub(super) fn accept(
    session: &Rc<Session>,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
) {
    session.traffic.accepted(respond.stream_id().as_u32());
    let stream = Stream::open(session);
    let is_head = request.method() == Method::HEAD;
    let expects = !request.body().is_end_stream() && hygiene::expects_continue(request.headers());
    // Boxed where it is made: the runtime moves a future several times from here to its end, and this
    // one has several kilobytes.
    let answering = Box::write(
        Box::new_uninit(),
        answer::answer(Rc::clone(&stream), request, expects),
    );
    let apologise = move || Reply {
        response: apology(),
        tunnel: None,
        is_head,
    };
    let answering = Shield::new(Box::into_pin(answering), apologise);
    tokio::task::spawn_local(Exchange::new(answering, respond, stream, expects));
}
