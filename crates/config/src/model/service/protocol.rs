use lintel_kernel::config;
use serde::Serialize;

/// The version of HTTP a service speaks.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum ServiceProtocol {
    /// Over TLS what the endpoint chooses by ALPN; in plaintext HTTP/1.1.
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, in plaintext too.
    H2,
    /// gRPC: HTTP/2 with trailers; failures are answered with `grpc-status`.
    Grpc,
}
