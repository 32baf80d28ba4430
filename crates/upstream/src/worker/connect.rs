//! Opening a connection: address, TCP or Unix socket, TLS.

use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    task::Poll,
    time::Duration,
};

use lintel_tls::{Alpn, Connector, HandshakeError, Socket, Stream};
use tokio::{
    net::{TcpStream, UnixStream},
    time,
};

pub(crate) use super::pool::Speaks;
use crate::service::{Endpoint, Protocol, Service, Target};

/// How long one address has before the next is tried as well (RFC 8305 §5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// Why there is no connection. Nothing of the request was sent.
#[derive(Clone, Debug)]
pub(crate) struct ConnectError {
    /// Short and stable, for metrics.
    pub(crate) reason: &'static str,
    /// Whether it was for lack of time.
    pub(crate) timeout: bool,
    /// For the log.
    pub(crate) text: String,
}

/// Which HTTP versions a connection may be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// All that the service allows.
    Any,
    /// HTTP/1.1, for a request that asks to switch protocols.
    Http1,
}

/// Opens a connection and finds out what is spoken on it.
pub(crate) async fn connect(
    service: &Service,
    endpoint: &Endpoint,
    offer: Offer,
) -> Result<(Stream, Speaks), ConnectError> {
    let timeouts = &service.spec().timeouts;
    let socket = match time::timeout(timeouts.connect, open(endpoint.target())).await {
        Ok(opened) => opened.map_err(|error| ConnectError::io(&error))?,
        Err(_) => {
            return Err(ConnectError::timeout(
                "timeout",
                "connection",
                timeouts.connect,
            ));
        }
    };
    let protocol = service.spec().protocol;
    if !endpoint.is_tls() {
        let speaks = if protocol == Protocol::Http2 {
            Speaks::Http2
        } else {
            Speaks::Http1
        };
        return Ok((socket.into(), speaks));
    }
    let connector = connector(service, offer)?;
    let stream =
        match time::timeout(timeouts.tls, connector.connect(endpoint.tls_name(), socket)).await {
            Ok(stream) => stream.map_err(|error| ConnectError::tls(&error))?,
            Err(_) => {
                return Err(ConnectError::timeout(
                    "tls_timeout",
                    "TLS session",
                    timeouts.tls,
                ));
            }
        };
    let alpn = stream.tls_info().and_then(|info| info.alpn);
    match (protocol, alpn) {
        (_, Some(Alpn::H2)) => Ok((stream, Speaks::Http2)),
        (Protocol::Http2, _) => Err(ConnectError {
            reason: "alpn",
            timeout: false,
            text: "the endpoint did not agree to HTTP/2 (ALPN `h2`), which is all that the service allows".to_owned(),
        }),
        _ => Ok((stream, Speaks::Http1)),
    }
}

fn connector(service: &Service, offer: Offer) -> Result<&Connector, ConnectError> {
    let tls = service.tls.as_ref();
    let connector = match offer {
        Offer::Any => tls.map(|tls| &tls.any),
        Offer::Http1 => tls.and_then(|tls| tls.http1.as_ref()),
    };
    connector.map(AsRef::as_ref).ok_or_else(|| ConnectError {
        reason: "tls",
        timeout: false,
        text: "the service has no TLS settings for this".to_owned(),
    })
}

async fn open(target: &Target) -> io::Result<Socket> {
    match target {
        Target::Unix(path) => Ok(UnixStream::connect(path).await?.into()),
        Target::Tcp(addresses) => {
            let stream = match &**addresses {
                [address] => TcpStream::connect(*address).await?,
                several => connect_to_any(several).await?,
            };
            // Heads and small bodies are written whole: holding them back for more only costs time.
            stream.set_nodelay(true)?;
            Ok(stream.into())
        }
    }
}

/// The first address that answers. The next is tried when one has failed, or has taken a while.
async fn connect_to_any(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut rest = addresses.iter();
    let mut under_way: Vec<Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>> = Vec::new();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        match rest.next() {
            Some(address) => under_way.push(Box::pin(TcpStream::connect(*address))),
            None if under_way.is_empty() => return Err(failure),
            None => {}
        }
        let mut pause = Box::pin(time::sleep(NEXT_ADDRESS));
        let more = rest.len() > 0;
        let news = poll_fn(|cx| {
            for (index, attempt) in under_way.iter_mut().enumerate() {
                if let Poll::Ready(result) = attempt.as_mut().poll(cx) {
                    return Poll::Ready(Some((index, result)));
                }
            }
            if more {
                pause.as_mut().poll(cx).map(|()| None)
            } else {
                Poll::Pending
            }
        });
        match news.await {
            Some((_, Ok(stream))) => return Ok(stream),
            Some((index, Err(error))) => {
                failure = error;
                drop(under_way.swap_remove(index));
            }
            None => {}
        }
    }
}

impl ConnectError {
    fn timeout(reason: &'static str, what: &str, limit: Duration) -> Self {
        Self {
            reason,
            timeout: true,
            text: format!("no {what} within {} ms", limit.as_millis()),
        }
    }

    fn io(error: &io::Error) -> Self {
        let reason = match error.kind() {
            io::ErrorKind::ConnectionRefused => "refused",
            io::ErrorKind::ConnectionReset => "reset",
            io::ErrorKind::TimedOut => "timeout",
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => "unreachable",
            io::ErrorKind::NotFound => "no_socket",
            io::ErrorKind::PermissionDenied => "not_permitted",
            _ => "other",
        };
        let timeout = error.kind() == io::ErrorKind::TimedOut;
        Self {
            reason,
            timeout,
            text: format!("connection failed: {error}"),
        }
    }

    pub(crate) fn http2(why: &str) -> Self {
        Self {
            reason: "http2",
            timeout: false,
            text: format!("HTTP/2 could not be begun: {why}"),
        }
    }

    fn tls(error: &HandshakeError) -> Self {
        Self {
            reason: "tls",
            timeout: false,
            text: format!("TLS handshake failed: {error}"),
        }
    }
}
