//! HTTP/1 for a gateway: one strict codec for both sides of a proxy (RFC 9110, RFC 9112).
//!
//! [`server::serve`] serves a client connection, [`client::Conn`] is one upstream connection. Both speak `http::Request` and
//! `http::Response` with `http_body::Body`, and both run inside the task of their user: nothing here is `Send`, locks, or spawns.
//! Header values and body frames are slices of the buffer that was read.
//!
//! What is received is held to the letter of RFC 9112: line ends are CRLF, names are tokens, `Transfer-Encoding` is a single final
//! `chunked`, `Content-Length` is one number, both together are refused. What has only one hop's worth of meaning (`Connection`
//! and what it names, `Keep-Alive`, `Proxy-Connection`, `TE`, `Transfer-Encoding`, `Upgrade`, `Expect`) never enters or leaves
//! through a header map; it is in [`server::Meta`] and [`client::SendOptions`]. `Connection` can't be used to remove `Host`,
//! `Content-Length`, `Content-Type`, `Content-Encoding`, `Content-Range` or `Cache-Control`.
#![deny(unsafe_code)]

pub mod client;
pub mod server;

mod buffer;
mod chunk;
mod error;
mod head;
mod io;
mod name;
mod observed;
mod outbox;
mod receive;
mod send_body;
mod timer;
mod upgraded;

pub use buffer::recycle_headers;
pub use error::{BodyError, Refusal, Violation};
pub use head::RequestLine;
pub use io::{Io, Peer, ready_now};
pub use observed::{Observed, Observer};
pub use timer::{Elapsed, Timer};
pub use upgraded::Upgraded;
