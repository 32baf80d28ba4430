//! One request: from hyper to the proxy and back.

use std::{convert::Infallible, rc::Rc};

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use lintel_http1::Timer;
use lintel_kernel::Side;
use lintel_proxy::{
    Tracked, Wire,
    malformed::{self, Malformed},
};
use tokio::time::Instant;

use super::{
    super::shield::{Shield, apology},
    Session, hygiene,
    paced::Paced,
    streams::{Stream, StreamBody},
    websocket,
};

/// The future of one request. Called once for each stream, just before hyper spawns it.
pub(super) fn respond(
    session: Rc<Session>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<StreamBody>, Infallible>> {
    let stream = session.streams.open();
    let on_panic = Rc::clone(&stream);
    let is_head = request.method() == Method::HEAD;
    let answer = async move {
        let response = answer(&session, request, stream.timer()).await;
        Ok(finish(response, is_head, stream))
    };
    // Boxed where it is made: hyper and tokio move a stream's future eight times from here to its end,
    // and this one has several kilobytes.
    let answer = Box::into_pin(Box::write(Box::new_uninit(), answer));
    Shield::new(answer, move || Ok(finish(apology(), is_head, on_panic)))
}

/// Gives an answer its body: hyper sends whatever body an answer has, where HEAD, 204 and 304 must
/// have none (RFC 9110 §9.3.2, §15.3.5, §15.4.5).
fn finish(response: Response<Tracked>, is_head: bool, stream: Rc<Stream>) -> Response<StreamBody> {
    let bodiless = is_head
        || matches!(
            response.status(),
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
    response.map(|body| StreamBody::new(body, bodiless, stream))
}

async fn answer(
    session: &Session,
    mut request: Request<Incoming>,
    timer: &Timer,
) -> Response<Tracked> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (mut head, body) = request.into_parts();
    let opening = match websocket::translate(&mut head) {
        Ok(opening) => opening,
        Err(why) => {
            session.held.listener.metrics.malformed(why.code);
            return malformed::refuse(&session.connection, why, head);
        }
    };
    let te_trailers = match hygiene::clean(&mut head) {
        Ok(te_trailers) => te_trailers,
        Err(fault) => {
            session.held.listener.metrics.malformed(fault.code);
            let why = Malformed {
                status: StatusCode::BAD_REQUEST,
                code: fault.code,
                detail: fault.detail,
            };
            return malformed::refuse(&session.connection, why, head);
        }
    };
    let body = if http_body::Body::is_end_stream(&body) {
        lintel_http::Body::empty()
    } else {
        let body = lintel_http::Body::http2(body, Side::Client);
        lintel_http::Body::boxed(Paced::new(
            body,
            timer.clone(),
            session.held.spec.http1.body_idle_timeout,
        ))
    };
    let wire = Wire {
        timer: timer.clone(),
        received: Instant::now(),
        // HTTP/2 has no upgrades (RFC 9113 §8.6) but this one.
        upgrade: opening.as_ref().map(|_| websocket::PROTOCOL),
        // The body is read as soon as the upstream takes it.
        expect_continue: false,
        te_trailers,
        // hyper's server sends no interim answers, although h2 could (hyperium/hyper#4114 is open).
        interim: &|_, _| {},
    };
    let request = Request::from_parts(head, body);
    let answer = lintel_proxy::serve(&session.connection, &wire, request).await;
    match opening {
        Some(opening) => opening.answer(answer, upgrade, session.streams.hold()),
        None => answer.response,
    }
}
