//! The server side: one client connection, any number of requests.

mod connection;
mod drain;
mod error;
mod incoming;
mod linger;
mod next;
mod respond;
mod serve;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, Version};
use http_body::Body;
use tokio::time::Instant;

pub use self::connection::Handle;
pub use self::drain::Drain;
pub use self::error::ServeError;
pub use self::incoming::Incoming;
pub use self::serve::serve;
use crate::error::Refusal;
use crate::head::RequestLine;
use crate::upgraded::Upgraded;

/// Limits and times of a client connection.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes of a request head; more is 431.
    pub max_header_bytes: usize,
    /// Header fields of a request, at most 256; more is 431.
    pub max_headers: usize,
    /// Bytes of the request target; more is 414. At most 65,534.
    pub max_uri_bytes: usize,
    /// Time for a head, from its first byte, and for the first byte of a connection. A head that has begun is answered 408, a
    /// connection that has sent nothing is closed silently.
    pub header_timeout: Duration,
    /// Time between two requests; then the connection is closed silently.
    pub idle_timeout: Duration,
    /// Longest pause inside a request body; then [`BodyError::Timeout`](crate::BodyError::Timeout), to be answered 408.
    pub body_idle_timeout: Duration,
    /// Longest time without progress in writing an answer; then the connection is reset.
    pub write_timeout: Duration,
    /// Requests of one connection; the last answer says `Connection: close`. `u32::MAX` is no limit.
    pub max_requests: u32,
    /// Whether a client that has shut its sending side still gets its answer. If not, the end of its stream counts as its leaving,
    /// and the handler of the pending request is dropped.
    pub half_close: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_header_bytes: 64 * 1024,
            max_headers: 100,
            max_uri_bytes: 8 * 1024,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            body_idle_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            max_requests: 1000,
            half_close: false,
        }
    }
}

/// Answers the requests of a connection.
pub trait Service<IO> {
    /// Body of an answer. A body that is known to be complete when the head is written costs no further write.
    type Body: Body<Data = Bytes, Error: fmt::Display> + Unpin;

    /// One request. The future is dropped if the client goes away, see [`Options::half_close`].
    ///
    /// It lives inside the future of [`serve`]: a large one makes every connection large, idle ones too; box it then.
    fn call(
        &self,
        request: Request<Incoming<IO>>,
        meta: Meta,
        handle: Handle<IO>,
    ) -> impl Future<Output = Reply<Self::Body, IO>>;

    /// The answer to a message that was refused before it became a request, or to one whose reply can't be framed; `line` holds
    /// what could be made out of the former. Framing and `Connection: close` are added by the codec.
    fn refused(&self, refusal: Refusal, line: RequestLine) -> Response<Bytes>;
}

/// What the codec knows of a request beyond `http::Request`.
///
/// The request's URI is always in origin-form (or `*`, or the authority of a CONNECT), its `Host` the one that counts (an
/// absolute-form target replaces it, RFC 9112 §3.2.2). Its headers hold no hop-by-hop field: no `Connection`, `Keep-Alive`,
/// `Proxy-Connection`, `TE`, `Transfer-Encoding`, `Upgrade`, `Expect`, and nothing that `Connection` names. `Content-Length` stays
/// and is always right. `Trailer` stays if the body is chunked.
#[derive(Debug, Clone)]
pub struct Meta {
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// When the first bytes of the head were there.
    pub received_at: Instant,
    /// When the head was complete.
    pub completed_at: Instant,
    /// The protocols of a request to switch (`Connection: upgrade` and `Upgrade`, RFC 9110 §7.8), `h2c` left out.
    pub upgrade: Option<HeaderValue>,
    /// The client keeps trailers (`TE: trailers`, RFC 9110 §10.1.4).
    pub te_trailers: bool,
    /// The client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1). It is sent when the body is first polled.
    pub expect_continue: bool,
    /// The scheme of the target, if it came in absolute-form.
    pub target_scheme: Option<Scheme>,
    /// Requests that came before on the same connection.
    pub request_index: u32,
    /// Bytes of the head.
    pub head_bytes: usize,
}

/// Takes over the connection after the answer.
pub type Tunnel<IO> = Box<dyn FnOnce(Upgraded<IO>) -> Pin<Box<dyn Future<Output = ()>>>>;

/// The answer to one request.
pub struct Reply<B, IO> {
    /// Head and body. The codec writes framing and connection fields itself; `Content-Length` is checked against the body, and is
    /// kept in answers to HEAD and in 304. `Date` and `Server` are the handler's business.
    pub response: Response<B>,
    /// With a 101 (or a 2xx to CONNECT): what happens to the connection once the head is written. [`serve`] ends after it.
    pub tunnel: Option<Tunnel<IO>>,
}

impl<B, IO> From<Response<B>> for Reply<B, IO> {
    fn from(response: Response<B>) -> Self {
        Self {
            response,
            tunnel: None,
        }
    }
}

#[cfg(test)]
mod tests;
