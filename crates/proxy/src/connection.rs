//! What a request inherits from the connection it came on, and how it talks back to it.

use std::{net::SocketAddr, rc::Rc, sync::Arc};

use http::{HeaderMap, HeaderValue, StatusCode};
use lintel_http::http1::Timer;
use lintel_kernel::ClientCertificate;
use tokio::time::Instant;

use crate::{snapshot::ListenerRules, worker::Worker};

/// One client connection.
pub struct Connection {
    /// The worker it belongs to.
    pub worker: Rc<Worker>,
    /// Process-wide id of its listener.
    pub listener: u16,
    /// The listener's rules when the connection was accepted; used if a later configuration no
    /// longer has the listener.
    pub rules: Arc<ListenerRules>,
    /// The client's socket address, as told by PROXY protocol where that is declared. None on a
    /// Unix socket.
    pub peer: Option<SocketAddr>,
    /// Whether it is encrypted.
    pub secure: bool,
    /// The certificate that the peer has shown.
    pub certificate: Option<Rc<ClientCertificate>>,
}

/// What one request needs of its protocol's codec.
pub struct Wire<'a> {
    /// The timer of the task that serves the request.
    pub timer: Timer,
    /// When its head was complete.
    pub received: Instant,
    /// The protocol the client asks to switch to, such as `websocket`.
    pub upgrade: Option<HeaderValue>,
    /// Whether the client waits for `100 Continue` before it sends its body; the codec sends it when
    /// the body is first read.
    pub expect_continue: bool,
    /// Whether the client accepts trailer fields (`TE: trailers`).
    pub te_trailers: bool,
    /// Passes an interim answer (1xx) on to the client.
    pub interim: &'a dyn Fn(StatusCode, &HeaderMap),
}
