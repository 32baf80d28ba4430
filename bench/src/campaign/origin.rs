//! Endpoints that fail on command.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Result;
use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What an endpoint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Answers at once with 200.
    Well,
    /// Its process is gone: no listening socket, no connection.
    Refuse,
    /// Takes the request and resets the connection.
    Reset,
    /// Takes the request and says nothing.
    StallHead,
    /// Says where its answer ends, sends the beginning, and no more.
    StallBody,
    /// Answers with what is no HTTP.
    Garbage,
    /// Answers 503.
    Unavailable,
}

/// A request that has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) at: Instant,
    /// A health check, and not a client's.
    pub(super) check: bool,
}

/// An endpoint; stops when dropped.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) address: SocketAddr,
    mode: watch::Sender<Mode>,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Endpoint {
    /// Listens on an address.
    ///
    /// # Errors
    /// It is taken.
    pub(super) fn start(address: SocketAddr) -> Result<Self> {
        let listener = listen(address)?;
        let address = listener.local_addr()?;
        let (mode, receiver) = watch::channel(Mode::Well);
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let task = tokio::spawn(serve(address, listener, receiver, Arc::clone(&seen)));
        Ok(Self {
            address,
            mode,
            seen,
            task,
        })
    }

    pub(super) fn be(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// The requests that came between two moments.
    pub(super) fn seen(&self, from: Instant, to: Instant) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let between = |seen: &&Seen| (from..to).contains(&seen.at);
        seen.iter().filter(between).copied().collect()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The port is wanted again right after its last user has gone.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(4096)
}

async fn serve(
    address: SocketAddr,
    listener: TcpListener,
    mut mode: watch::Receiver<Mode>,
    seen: Arc<Mutex<Vec<Seen>>>,
) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = accepted => {
                if let Ok((stream, _)) = accepted {
                    let (mode, seen) = (mode.clone(), Arc::clone(&seen));
                    connections.spawn(async move {
                        // A client that goes is no trouble of ours.
                        let _ = answer(stream, &mode, &seen).await;
                    });
                }
            }
            changed = mode.changed() => {
                if changed.is_err() {
                    return;
                }
                match *mode.borrow_and_update() {
                    Mode::Refuse => {
                        listener = None;
                        connections.abort_all();
                    }
                    Mode::Well => {
                        // As after a restart: nobody waits any more for what has stalled.
                        connections.abort_all();
                        if listener.is_none() {
                            listener = listen(address).ok();
                        }
                    }
                    _ => {}
                }
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

const WELL: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
const BEGINNING: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0123456789";
const GARBAGE: &[u8] = b"\x16\x03\x01\x02\x00 220 mail.example ESMTP\r\n\r\n";

async fn answer(
    mut stream: TcpStream,
    mode: &watch::Receiver<Mode>,
    seen: &Mutex<Vec<Seen>>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(1024);
    loop {
        let end = loop {
            let end = buffer.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        let head: Vec<u8> = buffer.drain(..end).collect();
        let check = head.starts_with(b"GET /healthz");
        let at = Instant::now();
        seen.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Seen { at, check });
        let mode = *mode.borrow();
        match mode {
            Mode::Well => stream.write_all(WELL).await?,
            Mode::Unavailable => stream.write_all(UNAVAILABLE).await?,
            Mode::Garbage => return stream.write_all(GARBAGE).await,
            Mode::Reset | Mode::Refuse => {
                set_socket_linger(&stream, Some(std::time::Duration::ZERO))?;
                return Ok(());
            }
            Mode::StallHead => return gone(&mut stream).await,
            Mode::StallBody => {
                stream.write_all(BEGINNING).await?;
                return gone(&mut stream).await;
            }
        }
    }
}

/// Until the peer has enough.
async fn gone(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// Ports at which several addresses of loopback are free together.
///
/// # Errors
/// None was found.
pub(super) fn endpoints(count: u8) -> Result<Vec<Endpoint>> {
    let mut tried = HashSet::new();
    for _ in 0..20 {
        let at = |last: u8, port: u16| SocketAddr::from(([127, 0, 1, last], port));
        let first = Endpoint::start(at(1, 0))?;
        let port = first.address.port();
        if !tried.insert(port) {
            continue;
        }
        let others = (2..=count).map(|last| Endpoint::start(at(last, port)));
        if let Ok(others) = others.collect::<Result<Vec<_>>>() {
            return Ok(std::iter::once(first).chain(others).collect());
        }
    }
    anyhow::bail!("no port is free on {count} addresses")
}
