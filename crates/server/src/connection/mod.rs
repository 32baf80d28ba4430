//! One client connection, from its first byte to its last.

mod h1;
mod h2;
mod open;
mod shield;

use std::{net::SocketAddr, rc::Rc, sync::Arc};

use bytes::{Bytes, BytesMut};
use lintel_http::{ByteCount, ClientStream};
use lintel_http1::{Upgraded, server::ServeError};
use lintel_telemetry::metrics::ClientConnection;
use lintel_tls::{Alpn, Socket, Stream};

use self::{
    h1::Http1,
    open::{Opened, Opening},
};
use crate::{
    spec::ListenerSpec,
    worker::{ClientPass, Counted, Listener, Pass},
};

/// A connection that was just accepted.
pub(crate) struct Accepted {
    pub(crate) socket: Socket,
    /// None on a Unix socket.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) held: Held,
}

/// What a connection holds to its end.
pub(crate) struct Held {
    /// What it is held to.
    spec: Arc<ListenerSpec>,
    listener: Rc<Listener>,
    _pass: Pass,
    _counted: (Counted, ClientConnection),
    /// Set once the client is known.
    client: Option<ClientPass>,
}

impl Held {
    pub(crate) fn new(spec: Arc<ListenerSpec>, listener: &Rc<Listener>, pass: Pass) -> Self {
        Self {
            spec,
            listener: Rc::clone(listener),
            _pass: pass,
            _counted: (listener.core.connection(), listener.metrics.connection()),
            client: None,
        }
    }
}

/// Serves a connection until it ends, in a task of its own.
///
/// Idle HTTP/1 connections are the many, so the task is kept small: all that is rare or large is
/// boxed.
pub(crate) fn spawn(accepted: Accepted) {
    let opening = Opening(accepted);
    if opening.is_plain() {
        if let Some(Opened { stream, service }) = opening.plain() {
            tokio::task::spawn_local(serve(stream, service));
        }
        return;
    }
    tokio::task::spawn_local(async {
        if let Some(Opened { stream, service }) = Box::pin(opening.negotiate()).await {
            serve(stream, service).await;
        }
    });
}

async fn serve(stream: Stream, service: Http1) {
    let Http1 { connection, held } = &service;
    let protocols = held.spec.protocols;
    let is_tls = matches!(stream, Stream::Tls(_));
    let alpn = stream.tls_info().and_then(|tls| tls.alpn);
    let stream = ClientStream::new(stream, ByteCount::new(Rc::clone(&held.listener.metrics)));
    if if is_tls {
        alpn == Some(Alpn::H2)
    } else {
        !protocols.http1
    } {
        let io = Upgraded::new(stream, Bytes::new());
        return Box::pin(h2::serve(io, service)).await;
    }
    if !protocols.http1 {
        // TLS without ALPN means HTTP/1.1 (RFC 9113 §3.2 asks for ALPN).
        held.listener.metrics.refused("no_common_protocol");
        return;
    }
    let drain = held.listener.closing.h1();
    let serving =
        lintel_http1::server::serve(stream, BytesMut::new(), &service, &held.spec.http1, drain);
    match serving.await {
        Ok(()) => {}
        Err(ServeError::Http2(io)) if protocols.h2 && !is_tls => {
            Box::pin(h2::serve(*io, service)).await;
        }
        Err(ServeError::Http2(_)) => held.listener.metrics.malformed("h2_not_offered"),
        Err(ended) => {
            tracing::debug!(listener = &*held.spec.name, peer = ?connection.peer, %ended, "connection ended early");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DESIGN §2: an idle keep-alive connection costs at most 6 KiB in all. The task holds this
    /// future; beside it are the codec's shared state, a timer and the reactor's registration, some
    /// 900 bytes together.
    #[test]
    fn an_idle_connection_is_small() {
        fn size<F: Future>(_: impl FnOnce(Stream, Http1) -> F) -> usize {
            size_of::<F>()
        }
        let size = size(serve);
        assert!(size <= 2304, "{size} bytes");
    }
}
