//! One client connection, from its first byte to its last.

mod h1;
mod h2;
mod open;
mod shield;

use std::{net::SocketAddr, rc::Rc, sync::Arc};

use bytes::{Bytes, BytesMut};
use lintel_http1::{Upgraded, server::ServeError};
use lintel_proxy::Connection;
use lintel_tls::{Alpn, Socket, Stream};

use self::open::{Opened, Opening};
use crate::{
    spec::ListenerSpec,
    worker::{ClientPass, Listener, Pass},
};

/// A connection that was just accepted.
pub(crate) struct Accepted {
    pub(crate) socket: Socket,
    /// None on a Unix socket.
    pub(crate) peer: Option<SocketAddr>,
    /// What the connection is held to, to its end.
    pub(crate) spec: Arc<ListenerSpec>,
    pub(crate) listener: Rc<Listener>,
    pub(crate) pass: Pass,
}

/// Serves a connection until it ends. Dropping the future closes it.
///
/// Idle HTTP/1 connections are the many, so this future is kept small: all that is rare or large is
/// boxed.
pub(crate) async fn run(accepted: Accepted) {
    let Accepted {
        socket,
        peer,
        spec,
        listener,
        pass: _pass,
    } = accepted;
    let _counted = (listener.core.connection(), listener.metrics.connection());
    let opening = Opening {
        socket,
        peer,
        spec: &spec,
        listener: &listener,
    };
    let opened = if opening.is_plain() {
        opening.plain()
    } else {
        Box::pin(opening.negotiate()).await
    };
    let Some(Opened {
        stream,
        peer,
        secure,
        client: _client,
    }) = opened
    else {
        return;
    };
    let connection = Connection {
        worker: Rc::clone(&listener.core.proxy),
        listener: spec.id,
        rules: Arc::clone(&spec.rules),
        peer,
        secure,
    };
    serve(stream, connection, &spec, &listener).await;
}

async fn serve(
    stream: Stream,
    connection: Connection,
    spec: &Arc<ListenerSpec>,
    listener: &Rc<Listener>,
) {
    let alpn = stream.tls_info().and_then(|tls| tls.alpn);
    let is_tls = matches!(stream, Stream::Tls(_));
    let begins_with_h2 = if is_tls {
        alpn == Some(Alpn::H2)
    } else {
        !spec.protocols.http1
    };
    if begins_with_h2 {
        let io = Upgraded::new(stream, Bytes::new());
        return Box::pin(h2::serve(io, connection, spec, listener)).await;
    }
    if !spec.protocols.http1 {
        // TLS without ALPN means HTTP/1.1 (RFC 9113 §3.2 asks for ALPN).
        listener.metrics.refused("no_common_protocol");
        return;
    }
    let service = h1::Http1 {
        connection,
        listener,
    };
    let served = lintel_http1::server::serve(
        stream,
        BytesMut::new(),
        &service,
        &spec.http1,
        listener.closing.h1(),
    )
    .await;
    match served {
        Ok(()) => {}
        Err(ServeError::Http2(io)) if spec.protocols.h2 && !is_tls => {
            Box::pin(h2::serve(*io, service.connection, spec, listener)).await;
        }
        Err(ServeError::Http2(_)) => listener.metrics.malformed("h2_not_offered"),
        Err(ended) => {
            tracing::debug!(listener = &*spec.name, peer = ?service.connection.peer, %ended, "connection ended early");
        }
    }
}

/// What a connection holds while its client is known.
type Client = Option<ClientPass>;

#[cfg(test)]
mod tests {
    use super::*;

    /// DESIGN §2: an idle keep-alive connection costs at most 6 KiB in all. The task holds this
    /// future; beside it are the codec's shared state, a timer and the reactor's registration, some
    /// 700 bytes together.
    #[test]
    fn an_idle_connection_is_small() {
        fn size<F: Future>(_: impl FnOnce(Accepted) -> F) -> usize {
            size_of::<F>()
        }
        let size = size(run);
        assert!(size <= 1536, "{size} bytes");
    }
}
