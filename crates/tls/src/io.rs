//! Lets the HTTP/1 codec run on [`Stream`].

use std::io;
use std::task::{Context, Poll};

use lintel_http1::{Io, Peer};

use crate::stream::Stream;

impl Io for Stream {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Stream::poll_readable(self, cx)
    }

    fn is_quiet(&mut self) -> bool {
        Stream::is_quiet(self)
    }

    fn peer(&mut self) -> Peer {
        Stream::peer(self)
    }

    fn reset_on_drop(&mut self) {
        // A socket that refuses the option is closed in the ordinary way.
        let _refused = self.socket().reset_on_drop();
    }
}
