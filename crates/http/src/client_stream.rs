//! The byte stream of a client's connection.

use std::{io, rc::Rc};

use lintel_http1::{Observed, Observer};
use lintel_telemetry::ListenerMetrics;
use lintel_tls::Stream;

/// A client's connection, whose bytes are counted for its listener.
///
/// What is counted is what HTTP sends and receives: heads, framing and bodies, tunnels too, but
/// neither the TLS records around it nor a PROXY protocol header before it.
pub type ClientStream = Observed<Stream, ByteCount>;

/// Counts bytes for a listener.
pub struct ByteCount(Rc<ListenerMetrics>);

impl ByteCount {
    /// For this listener.
    pub const fn new(metrics: Rc<ListenerMetrics>) -> Self {
        Self(metrics)
    }
}

impl Observer for ByteCount {
    fn read(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.received(bytes.len() as u64);
        Ok(())
    }

    fn written(&mut self, bytes: &[u8]) {
        self.0.sent(bytes.len() as u64);
    }
}
