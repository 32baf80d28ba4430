//! What comes before HTTP: the PROXY protocol header, the client's limit, the TLS handshake.

use std::{net::SocketAddr, rc::Rc, sync::Arc};

use http::StatusCode;
use ipnet::IpNet;
use lintel_http1::RequestLine;
use lintel_kernel::ClientCertificate;
use lintel_proxy::{Connection, malformed::Malformed};
use lintel_tls::{
    Acceptor, HandshakeError, HandshakeErrorKind, PeerCertificate, Socket, Stream, proxy_protocol,
};
use tokio::io::AsyncWriteExt;

use super::{Accepted, Held, h1::Http1};

/// A connection before its first HTTP byte.
pub(super) struct Opening(pub(super) Accepted);

/// A connection that is ready for HTTP.
pub(super) struct Opened {
    pub(super) stream: Stream,
    pub(super) service: Http1,
}

impl Opening {
    /// Whether HTTP begins with the first byte.
    pub(super) fn is_plain(&self) -> bool {
        self.0.held.spec.tls.is_none() && !self.has_proxy_header()
    }

    /// Opens a connection on which HTTP begins with the first byte. None if its client has too many.
    pub(super) fn plain(self) -> Option<Opened> {
        let Accepted {
            socket,
            peer,
            mut held,
        } = self.0;
        admit(&mut held, peer)?;
        Some(Opened {
            stream: socket.into(),
            service: service(held, peer, false, None),
        })
    }

    /// Reads the PROXY header and does the TLS handshake, as the listener is set up. None if the
    /// connection ends there.
    ///
    /// The handshake runs on the worker, between the requests of others: a full one costs a fraction
    /// of a millisecond with ECDSA, about one with RSA 2048.
    pub(super) async fn negotiate(self) -> Option<Opened> {
        let has_header = self.has_proxy_header();
        let Accepted {
            mut socket,
            mut peer,
            mut held,
        } = self.0;
        let mut secure = false;
        if has_header {
            let timeout = held.spec.limits.proxy_header_timeout;
            match proxy_protocol::read_header(&mut socket, timeout).await {
                Ok(header) => {
                    peer = header.source().or(peer);
                    secure = header.tlvs.ssl.as_ref().is_some_and(|ssl| ssl.over_tls);
                }
                Err(error) => {
                    held.listener.metrics.refused("proxy_protocol");
                    tracing::debug!(listener = &*held.spec.name, ?peer, %error, "connection refused");
                    return None;
                }
            }
        }
        admit(&mut held, peer)?;
        let stream = match &held.spec.tls {
            None => socket.into(),
            Some(acceptor) => {
                secure = true;
                match handshake(acceptor, socket, peer, &held).await {
                    Ok(stream) => stream,
                    Err(error) => {
                        if error.kind() == HandshakeErrorKind::PlainHttp {
                            answer_plain_http(&service(held, peer, false, None), error).await;
                        }
                        return None;
                    }
                }
            }
        };
        let certificate = stream.peer_certificate().map(certificate);
        Some(Opened {
            stream,
            service: service(held, peer, secure, certificate),
        })
    }

    fn has_proxy_header(&self) -> bool {
        match (&self.0.held.spec.proxy_protocol, self.0.peer) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(sources), Some(peer)) => contains(sources, peer),
        }
    }
}

fn service(
    held: Held,
    peer: Option<SocketAddr>,
    secure: bool,
    certificate: Option<Rc<ClientCertificate>>,
) -> Http1 {
    let connection = Connection {
        worker: Rc::clone(&held.listener.core.proxy),
        listener: held.spec.id,
        rules: Arc::clone(&held.spec.rules),
        peer,
        secure,
        certificate,
    };
    Http1 { connection, held }
}

/// The certificate in the words of those who have nothing to do with TLS.
fn certificate(shown: PeerCertificate) -> Rc<ClientCertificate> {
    Rc::new(ClientCertificate {
        subject: shown.subject,
        issuer: shown.issuer,
        serial: shown.serial,
        common_name: shown.common_name,
        dns_names: shown.dns_names,
        uris: shown.uris,
        emails: shown.emails,
        fingerprint: shown.fingerprint.0,
        not_after: shown.not_after,
        der: shown.der,
    })
}

/// Counts the connection for its client. None if the client has too many.
fn admit(held: &mut Held, client: Option<SocketAddr>) -> Option<()> {
    let limits = &held.spec.limits;
    let Some(client) = client.filter(|client| !contains(&limits.uncounted, *client)) else {
        return Some(());
    };
    if limits.connections_per_client == u32::MAX {
        return Some(());
    }
    held.client = held
        .listener
        .gate
        .enter_client(client.ip(), limits.connections_per_client);
    if held.client.is_none() {
        held.listener.metrics.refused("client_connection_limit");
        return None;
    }
    Some(())
}

fn contains(networks: &[IpNet], peer: SocketAddr) -> bool {
    networks.iter().any(|network| network.contains(&peer.ip()))
}

async fn handshake(
    acceptor: &Acceptor,
    socket: Socket,
    peer: Option<SocketAddr>,
    held: &Held,
) -> Result<Stream, HandshakeError> {
    let Held { spec, listener, .. } = held;
    let error = match acceptor.accept(socket).await {
        Ok(stream) => {
            if let Some(tls) = stream.tls_info() {
                listener
                    .metrics
                    .handshake(tls.version.as_str(), tls.resumed, "success");
            }
            return Ok(stream);
        }
        Err(error) => error,
    };
    if !error.is_noise() {
        listener.metrics.handshake("", false, error.kind().as_str());
        tracing::debug!(listener = &*spec.name, ?peer, sni = error.sni(), %error, "TLS handshake failed");
    }
    Err(error)
}

/// Tells a client that speaks plain HTTP to a TLS port so.
async fn answer_plain_http(service: &Http1, error: HandshakeError) {
    const TLS_REQUIRED: Malformed = Malformed {
        status: StatusCode::BAD_REQUEST,
        code: "tls_required",
        detail: "This port speaks HTTPS: the request was sent without TLS.",
    };
    let Some((mut socket, read)) = error.into_plain_http() else {
        return;
    };
    let (head, body) = service
        .refuse(TLS_REQUIRED, RequestLine::of(&read))
        .into_parts();
    let mut message = b"HTTP/1.1 400 Bad Request\r\n".to_vec();
    for (name, value) in &head.headers {
        let field = [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"];
        message.extend(field.concat());
    }
    let framing = format!(
        "content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    message.extend_from_slice(framing.as_bytes());
    message.extend_from_slice(&body);
    // The client may be gone already, and then there is nobody to tell.
    if socket.write_all(&message).await.is_ok() {
        let _ = socket.shutdown().await;
    }
}
