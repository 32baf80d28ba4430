//! The origin server behind every proxy: one HTTP/1 port and one gRPC port, as light as they can be; and the service that
//! limits for Envoy.

mod fault;
mod grpc;
mod http1;
mod limiter;

pub(crate) use fault::Fault;

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use anyhow::{Result, anyhow};

pub(crate) use limiter::serve as limit;

/// Serves until the process ends. Prints both ports on one line once they accept.
///
/// # Errors
/// A socket could not be had, or a server ended.
pub(crate) fn serve() -> Result<()> {
    let http = listen()?;
    let grpc = listen()?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{} {}",
        http.local_addr()?.port(),
        grpc.local_addr()?.port()
    )?;
    out.flush()?;
    let second = thread::spawn(move || grpc::echo(grpc));
    http1::serve(&http)?;
    second
        .join()
        .map_err(|_| anyhow!("the gRPC server panicked"))?
}

/// With a long queue: 64 clients of a composing proxy open hundreds of connections at once.
fn listen() -> Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    rustix::net::listen(&listener, 4096)?;
    Ok(listener)
}
