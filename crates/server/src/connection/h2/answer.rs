//! One request: from its head to its answer.

use std::rc::Rc;

use h2::RecvStream;
use http::{HeaderMap, Method, Request, Response, StatusCode, request};
use lintel_http::{
    Body,
    h2::{Incoming, Pace},
};
use lintel_kernel::Side;
use lintel_proxy::{
    Tracked, Wire,
    malformed::{self, Malformed},
};
use tokio::time::Instant;

use super::{exchange::Reply, hygiene, stream::Stream, websocket};

pub(super) async fn answer(
    stream: Rc<Stream>,
    request: Request<RecvStream>,
    expects: bool,
) -> Reply {
    let (mut head, incoming) = request.into_parts();
    let is_head = head.method == Method::HEAD;
    let is_connect = head.method == Method::CONNECT;
    let session = &stream.session;
    let checked = websocket::translate(&mut head)
        .and_then(|opening| Ok((opening, hygiene::clean(&mut head)?)));
    let (opening, te_trailers) = match checked {
        Ok(checked) => checked,
        Err(why) => {
            return Reply {
                response: refuse(&stream, why, head),
                tunnel: None,
                is_head,
            };
        }
    };
    let (body, incoming) = if is_connect {
        // What follows is no body but the tunnel, if there will be one.
        (Body::empty(), Some(incoming))
    } else {
        (body(&stream, incoming, &head, expects), None)
    };
    let interim = |status, headers: &HeaderMap| stream.interim(status, headers);
    let wire = Wire {
        timer: stream.timer().clone(),
        received: Instant::now(),
        // HTTP/2 has no upgrades (RFC 9113 §8.6) but this one.
        upgrade: opening.as_ref().map(|_| websocket::PROTOCOL),
        expect_continue: expects,
        te_trailers,
        interim: &interim,
    };
    let request = Request::from_parts(head, body);
    let answer = lintel_proxy::serve(&session.connection, &wire, request).await;
    let (response, tunnel) = match opening {
        Some(opening) => opening.answer(answer),
        None => (answer.response, None),
    };
    Reply {
        response,
        tunnel: tunnel.zip(incoming),
        is_head,
    }
}

fn body(stream: &Rc<Stream>, incoming: RecvStream, head: &request::Parts, expects: bool) -> Body {
    if incoming.is_end_stream() {
        return Body::empty();
    }
    let pace = Pace {
        timer: stream.timer().clone(),
        longest_pause: stream.session.held.spec.http1.body_idle_timeout,
    };
    let body = Incoming::new(incoming, &head.headers, Side::Client, pace);
    if !expects {
        return body.into();
    }
    let stream = Rc::downgrade(stream);
    body.when_wanted(move || {
        if let Some(stream) = stream.upgrade() {
            stream.interim(StatusCode::CONTINUE, &HeaderMap::new());
        }
    })
    .into()
}

fn refuse(stream: &Stream, why: Malformed, head: request::Parts) -> Response<Tracked> {
    let session = &stream.session;
    session.held.listener.metrics.malformed(why.code);
    malformed::refuse(&session.connection, why, head)
}
