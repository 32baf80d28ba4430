//! Tunnels: what is left of a request after `101 Switching Protocols`.

use std::{io, time::Duration};

use lintel_http::http1::Timer;
use lintel_kernel::Outcome;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::Instant,
};

use crate::{active::Active, dispatch::Upgraded};

/// The far half of a tunnel, with the record of its request.
pub struct Tunnel {
    far: Upgraded,
    active: Box<Active>,
    timer: Timer,
    idle: Duration,
}

const BUFFER: usize = 8 * 1024;

impl Tunnel {
    pub(crate) fn new(far: Upgraded, active: Box<Active>, timer: Timer) -> Self {
        let idle = active.tunnel_idle();
        Self {
            far,
            active,
            timer,
            idle,
        }
    }

    /// Passes bytes both ways until both sides have ended, one of them breaks, or neither has said
    /// anything for the idle timeout. A side that ends first leaves the other direction open.
    pub async fn run(self, client: impl AsyncRead + AsyncWrite) {
        let Self {
            far,
            mut active,
            timer,
            idle,
        } = self;
        let lintel_upstream::Tunnel {
            io: upstream,
            lease: _in_flight,
        } = match far {
            Upgraded::Upstream(upstream) => upstream,
            Upgraded::Call(session) => {
                // Boxed: the other tunnels should not carry the room for it.
                return Box::pin(session.run(client, &mut active, (timer, idle))).await;
            }
        };
        let (client_read, client_write) = tokio::io::split(client);
        let (upstream_read, upstream_write) = tokio::io::split(upstream);
        let last = std::cell::Cell::new(Instant::now());
        let (sent, received) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
        let both = async {
            tokio::try_join!(
                pump(client_read, upstream_write, &received, &last),
                pump(upstream_read, client_write, &sent, &last),
            )
        };
        let mut both = Box::pin(both);
        let outcome = loop {
            match timer.timeout_at(last.get() + idle, &mut both).await {
                Ok(Ok(_)) => break Outcome::Complete,
                Ok(Err(_)) => break Outcome::ClientGone,
                Err(_) if last.get().elapsed() < idle => {}
                Err(_) => break Outcome::Timeout,
            }
        };
        drop(both);
        active.bytes_in.set(received.get());
        active.bytes_out = sent.get();
        active.ended(outcome);
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: &std::cell::Cell<u64>,
    last: &std::cell::Cell<Instant>,
) -> io::Result<()> {
    let mut buffer = bytes::BytesMut::new();
    loop {
        buffer.reserve(BUFFER);
        if from.read_buf(&mut buffer).await? == 0 {
            return to.shutdown().await;
        }
        count.set(count.get() + buffer.len() as u64);
        last.set(Instant::now());
        to.write_all_buf(&mut buffer).await?;
        to.flush().await?;
    }
}
