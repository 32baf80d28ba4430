//! HTTP/2: hyper's server, held to limits of our own.
//!
//! hyper and h2 bound concurrent and reset streams, header lists and CONTINUATION frames, and keep
//! at most one unanswered PING and SETTINGS, so that a flood costs time but no memory. What costs
//! only time is bounded by [`frames`]; stalled bodies by [`paced`] and [`streams`]; idle
//! connections and their end by [`drive`].

mod drive;
mod exchange;
mod frames;
mod hygiene;
mod paced;
mod streams;
mod websocket;

use std::{pin::pin, rc::Rc, sync::Arc};

use hyper::{server::conn::http2::Builder, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use lintel_http::ClientStream;
use lintel_http1::{Observed, Upgraded};
use lintel_proxy::Connection;

use self::{
    frames::{Frames, Traffic},
    streams::Streams,
};
use super::{Held, h1::Http1};
use crate::spec::H2Limits;

/// What the requests of one connection share.
struct Session {
    connection: Connection,
    held: Held,
    streams: Streams,
}

/// Serves an HTTP/2 connection until it ends.
pub(super) async fn serve(io: Upgraded<ClientStream>, opened: Http1) {
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
    let io = TokioIo::new(Observed::new(io, Frames::new(Rc::clone(&traffic))));
    let service = service_fn(move |request| exchange::respond(Rc::clone(&session), request));
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
        .enable_connect_protocol()
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
