//! HTTP/2: h2's server, held to limits of our own.
//!
//! h2 bounds concurrent and reset streams, header lists and CONTINUATION frames, and keeps at most
//! one unanswered PING and SETTINGS, so that a flood costs time but no memory. What costs only time
//! is bounded by [`traffic`]; stalled bodies by [`exchange`] and the body type; idle connections and
//! their end, and clients that are gone, by [`drive`].

mod accept;
mod answer;
mod drive;
mod exchange;
mod frames;
mod hygiene;
mod refusals;
mod stream;
mod traffic;
mod websocket;

use std::rc::Rc;

use bytes::Bytes;
use h2::server::{Builder, Handshake};
use lintel_http::ClientStream;
use lintel_http1::{Observed, Upgraded};
use lintel_proxy::Connection;

use self::{frames::Frames, stream::Streams, traffic::Traffic};
use super::{Held, h1::Http1};
use crate::spec::H2Limits;

/// The byte stream of a connection, whose frames are counted.
type Io = Observed<Upgraded<ClientStream>, Frames>;

/// What the requests of one connection share.
struct Session {
    connection: Connection,
    held: Held,
    streams: Streams,
    traffic: Rc<Traffic>,
}

/// Serves an HTTP/2 connection until it ends.
pub(super) async fn serve(io: Upgraded<ClientStream>, opened: Http1) {
    let Http1 { connection, held } = opened;
    let traffic = Rc::new(Traffic::new(held.spec.h2.floods));
    let io = Observed::new(io, Frames::new(Rc::clone(&traffic)));
    let handshake = handshake(io, &held.spec.h2);
    let session = Rc::new(Session {
        connection,
        held,
        streams: Streams::default(),
        traffic,
    });
    let ended = drive::drive(handshake, &session).await;
    refusals::record(&session);
    if let Err(error) = ended {
        refusals::record_end(&session, &error);
        let Session {
            connection, held, ..
        } = &*session;
        tracing::debug!(
            listener = &*held.spec.name, peer = ?connection.peer, %error,
            flood = session.traffic.flood(), "HTTP/2 connection ended early"
        );
    }
}

fn handshake(io: Io, limits: &H2Limits) -> Handshake<Io, Bytes> {
    let mut builder = Builder::new();
    builder
        .enable_connect_protocol()
        .max_concurrent_streams(limits.max_concurrent_streams)
        .max_header_list_size(limits.max_header_list_bytes)
        .max_pending_accept_reset_streams(limits.max_pending_accept_reset_streams)
        .max_local_error_reset_streams(Some(limits.max_local_resets))
        .initial_window_size(limits.initial_stream_window)
        .initial_connection_window_size(limits.initial_connection_window)
        .max_send_buffer_size(limits.max_send_buffer);
    builder.handshake(io)
}
