//! What comes before HTTP: the PROXY protocol header, the client's limit, the TLS handshake.

use std::{net::SocketAddr, rc::Rc, sync::Arc};

use ipnet::IpNet;
use lintel_kernel::trace::RequestId;
use lintel_proxy::refuse;
use lintel_tls::{Acceptor, HandshakeError, HandshakeErrorKind, Socket, Stream, proxy_protocol};
use tokio::io::AsyncWriteExt;

use super::Client;
use crate::{spec::ListenerSpec, worker::Listener};

/// A connection before its first HTTP byte.
pub(super) struct Opening<'a> {
    pub(super) socket: Socket,
    pub(super) peer: Option<SocketAddr>,
    pub(super) spec: &'a Arc<ListenerSpec>,
    pub(super) listener: &'a Rc<Listener>,
}

/// A connection that is ready for HTTP.
pub(super) struct Opened {
    pub(super) stream: Stream,
    /// The client, or the proxy in front that says nothing of it.
    pub(super) peer: Option<SocketAddr>,
    pub(super) secure: bool,
    pub(super) client: Client,
}

impl Opening<'_> {
    /// Whether HTTP begins with the first byte.
    pub(super) fn is_plain(&self) -> bool {
        self.spec.tls.is_none() && !self.has_proxy_header()
    }

    /// Opens a connection on which HTTP begins with the first byte.
    pub(super) fn plain(self) -> Option<Opened> {
        let client = self.admit(self.peer)?;
        Some(Opened {
            stream: self.socket.into(),
            peer: self.peer,
            secure: false,
            client,
        })
    }

    /// Reads the PROXY header and does the TLS handshake, as the listener is set up.
    ///
    /// The handshake runs on the worker, between the requests of others: a full one costs a fraction
    /// of a millisecond with ECDSA, about one with RSA 2048.
    pub(super) async fn negotiate(mut self) -> Option<Opened> {
        let mut peer = self.peer;
        let mut secure = false;
        if self.has_proxy_header() {
            let timeout = self.spec.limits.proxy_header_timeout;
            match proxy_protocol::read_header(&mut self.socket, timeout).await {
                Ok(header) => {
                    peer = header.source().or(peer);
                    secure = header.tlvs.ssl.as_ref().is_some_and(|ssl| ssl.over_tls);
                }
                Err(error) => {
                    self.listener.metrics.refused("proxy_protocol");
                    tracing::debug!(listener = &*self.spec.name, ?peer, %error, "connection refused");
                    return None;
                }
            }
        }
        let client = self.admit(peer)?;
        let stream = match &self.spec.tls {
            None => self.socket.into(),
            Some(acceptor) => {
                secure = true;
                handshake(acceptor, self.socket, peer, self.spec, self.listener).await?
            }
        };
        Some(Opened {
            stream,
            peer,
            secure,
            client,
        })
    }

    fn has_proxy_header(&self) -> bool {
        match (&self.spec.proxy_protocol, self.peer) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(sources), Some(peer)) => contains(sources, peer),
        }
    }

    /// Counts the connection for its client. None if the client has too many.
    fn admit(&self, client: Option<SocketAddr>) -> Option<Client> {
        let limits = &self.spec.limits;
        let Some(client) = client.filter(|client| !contains(&limits.uncounted, *client)) else {
            return Some(None);
        };
        if limits.connections_per_client == u32::MAX {
            return Some(None);
        }
        let pass = self
            .listener
            .gate
            .enter_client(client.ip(), limits.connections_per_client);
        if pass.is_none() {
            self.listener.metrics.refused("client_connection_limit");
        }
        pass.map(Some)
    }
}

fn contains(networks: &[IpNet], peer: SocketAddr) -> bool {
    networks.iter().any(|network| network.contains(&peer.ip()))
}

async fn handshake(
    acceptor: &Acceptor,
    socket: Socket,
    peer: Option<SocketAddr>,
    spec: &ListenerSpec,
    listener: &Listener,
) -> Option<Stream> {
    let error = match acceptor.accept(socket).await {
        Ok(stream) => {
            if let Some(tls) = stream.tls_info() {
                listener
                    .metrics
                    .handshake(tls.version.as_str(), tls.resumed, "success");
            }
            return Some(stream);
        }
        Err(error) => error,
    };
    if error.is_noise() {
        return None;
    }
    listener.metrics.handshake("", false, error.kind().as_str());
    tracing::debug!(listener = &*spec.name, ?peer, sni = error.sni(), %error, "TLS handshake failed");
    if error.kind() == HandshakeErrorKind::PlainHttp {
        answer_plain_http(error).await;
    }
    None
}

/// Tells a client that speaks plain HTTP to a TLS port so.
async fn answer_plain_http(error: HandshakeError) {
    let Some((mut socket, _)) = error.into_plain_http() else {
        return;
    };
    let problem = refuse::problem(
        http::StatusCode::BAD_REQUEST,
        "tls_required",
        "This port speaks HTTPS: the request was sent without TLS.",
        RequestId::random().as_str(),
    );
    let body = problem.body();
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let message = [head.as_bytes(), body].concat();
    // The client may be gone already, and then there is nobody to tell.
    if socket.write_all(&message).await.is_ok() {
        let _ = socket.shutdown().await;
    }
}
