//! HTTP/2: hyper's server, held to limits of our own.
//!
//! hyper and h2 bound concurrent and reset streams, header lists and CONTINUATION frames, and keep
//! at most one unanswered PING and SETTINGS, so that a flood costs time but no memory. What costs
//! only time is bounded by [`frames`]; stalled bodies by [`request`] and [`streams`]; idle
//! connections and their end by [`drive`].

mod drive;
mod frames;
mod hygiene;
mod request;
mod streams;

use std::{convert::Infallible, pin::pin, rc::Rc, sync::Arc};

use http::{Method, Request, Response, StatusCode};
use hyper::{body::Incoming, server::conn::http2::Builder, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use lintel_http1::Upgraded;
use lintel_kernel::Side;
use lintel_proxy::{Answer, Connection, Tracked, Wire};
use lintel_tls::Stream;
use tokio::time::Instant;

use self::{
    frames::{Counted, Traffic},
    request::Paced,
    streams::{StreamBody, Streams},
};
use super::{
    Held,
    h1::Http1,
    shield::{Shield, apology, refusal},
};
use crate::spec::H2Limits;

/// What the requests of one connection share.
struct Session {
    connection: Connection,
    held: Held,
    streams: Streams,
}

/// Serves an HTTP/2 connection until it ends.
pub(super) async fn serve(io: Upgraded<Stream>, opened: Http1) {
    let Http1 { connection, held } = opened;
    let (spec, listener) = (Arc::clone(&held.spec), Rc::clone(&held.listener));
    let traffic = Rc::new(Traffic::new(spec.h2.floods));
    let streams = Streams::new(spec.http1.write_timeout);
    let peer = connection.peer;
    let session = Rc::new(Session {
        connection,
        held,
        streams: streams.clone(),
    });
    let io = TokioIo::new(Counted::new(io, Rc::clone(&traffic)));
    let service = service_fn(move |request| respond(Rc::clone(&session), request));
    let served = builder(streams.clone(), &spec.h2).serve_connection(io, service);
    let ended = drive::drive(
        pin!(served),
        &streams,
        &traffic,
        &spec.http1,
        &listener.closing,
    )
    .await;
    if let Some(flood) = traffic.flood() {
        listener.metrics.malformed(flood);
    }
    if let Err(error) = ended {
        tracing::debug!(listener = &*spec.name, ?peer, %error, flood = traffic.flood(), "HTTP/2 connection ended early");
    }
}

fn builder(streams: Streams, limits: &H2Limits) -> Builder<Streams> {
    let mut builder = Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        // The proxy adds it.
        .auto_date_header(false)
        .max_concurrent_streams(limits.max_concurrent_streams)
        .max_header_list_size(limits.max_header_list_bytes)
        .max_pending_accept_reset_streams(limits.max_pending_accept_reset_streams)
        .max_local_error_reset_streams(limits.max_local_resets)
        .initial_stream_window_size(limits.initial_stream_window)
        .initial_connection_window_size(limits.initial_connection_window)
        .max_send_buf_size(limits.max_send_buffer)
        .keep_alive_interval(limits.keep_alive_interval)
        .keep_alive_timeout(limits.keep_alive_timeout);
    builder
}

/// The future of one request. Called once for each stream, just before hyper spawns it.
fn respond(
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
    Shield::new(answer, move || Ok(finish(apology(), is_head, on_panic)))
}

/// Gives an answer its body: hyper sends whatever body an answer has, where HEAD, 204 and 304 must
/// have none (RFC 9110 §9.3.2, §15.3.5, §15.4.5).
fn finish(
    response: Response<Tracked>,
    is_head: bool,
    stream: Rc<streams::Stream>,
) -> Response<StreamBody> {
    let bodiless = is_head
        || matches!(
            response.status(),
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
    response.map(|body| StreamBody::new(body, bodiless, stream))
}

async fn answer(
    session: &Session,
    request: Request<Incoming>,
    timer: &lintel_http1::Timer,
) -> Response<Tracked> {
    let (mut head, body) = request.into_parts();
    let te_trailers = match hygiene::clean(&mut head) {
        Ok(te_trailers) => te_trailers,
        Err(fault) => {
            session.held.listener.metrics.malformed(fault.code);
            return refusal(StatusCode::BAD_REQUEST, fault.code, fault.detail);
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
        // HTTP/2 has no upgrades (RFC 9113 §8.6).
        upgrade: None,
        te_trailers,
        // hyper's server sends no interim answers.
        interim: &|_, _| {},
    };
    let request = Request::from_parts(head, body);
    let Answer { response, .. } = lintel_proxy::serve(&session.connection, &wire, request).await;
    response
}
