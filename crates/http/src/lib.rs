//! HTTP as the gateway sees it, above the codecs: the body type, the path contract, forwarding
//! fields, and HTTP/2 messages on a worker.

pub mod body;
mod client_stream;
pub mod forwarded;
pub mod h2;
pub mod media;
pub mod path;
pub mod websocket;
mod whole;

pub use body::{Body, BodyError};
pub use client_stream::{ByteCount, ClientStream};
pub use lintel_http1 as http1;
pub use lintel_tls::{Socket, Stream};
pub use whole::Whole;

/// A request on the data path.
pub type Request = http::Request<Body>;
/// A response on the data path.
pub type Response = http::Response<Body>;
