//! Taking connections from a listening socket.

use std::{
    cell::{Cell, RefCell},
    io,
    net::SocketAddr,
    os::fd::AsFd,
    pin::pin,
    rc::Rc,
    time::Duration,
};

use lintel_telemetry::log::OncePer;
use lintel_tls::Socket;
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::Notify,
};

use super::{Core, Counted, Listener};
use crate::{
    connection::{self, Accepted, Held},
    inherited::ListeningFd,
    socket::refuse_handshakes,
};

/// A listening socket of this worker, and the listener that its connections go to.
pub(super) struct Spot {
    listener: RefCell<Rc<Listener>>,
    /// Another process has the socket as well, and goes on taking connections from it.
    left: Cell<bool>,
    stop: Notify,
}

impl Spot {
    /// Connections go to this listener from now on.
    pub(super) fn give_to(&self, listener: Rc<Listener>) {
        let _old = self.listener.replace(listener);
    }

    /// The socket is another process's from now on.
    pub(super) fn leave(&self) {
        self.left.set(true);
    }

    /// Takes what waits in the socket's queue, and then no more.
    pub(super) fn stop(&self) {
        self.stop.notify_one();
    }

    fn listener(&self) -> Rc<Listener> {
        Rc::clone(&self.listener.borrow())
    }
}

/// Connections taken in one go before requests get their turn.
const BURST: u32 = 16;

/// The pause after a failure that the next attempt would only repeat.
const PAUSE: Duration = Duration::from_millis(50);

/// How long handshakes that have begun may take once no further ones do: a round trip of most
/// clients.
const HANDSHAKE: Duration = Duration::from_millis(200);

enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Takes connections from a socket until its spot is told to stop.
///
/// # Errors
///
/// The socket can't be registered with the reactor.
pub(super) fn start(
    core: &Rc<Core>,
    socket: ListeningFd,
    listener: Rc<Listener>,
) -> io::Result<Rc<Spot>> {
    let ListeningFd { fd: socket, kept } = socket;
    let is_unix = SockRef::from(&socket).local_addr()?.is_unix();
    let listening = if is_unix {
        Listening::Unix(UnixListener::from_std(socket.into())?)
    } else {
        Listening::Tcp(TcpListener::from_std(socket.into())?)
    };
    let spot = Rc::new(Spot {
        listener: RefCell::new(listener),
        left: Cell::new(kept),
        stop: Notify::new(),
    });
    let accepting = Counted::new(core, |core| &core.accepting);
    tokio::task::spawn_local(accept(Rc::clone(&spot), listening, accepting));
    Ok(spot)
}

async fn accept(spot: Rc<Spot>, listening: Listening, accepting: Counted) {
    let mut stopped = pin!(spot.stop.notified());
    take(&spot, &listening, &mut stopped).await;
    if !spot.left.get()
        && let Listening::Tcp(listener) = &listening
        && refuse_handshakes(listener).is_ok()
    {
        let _elapsed =
            tokio::time::timeout(HANDSHAKE, take(&spot, &listening, std::future::pending())).await;
    }
    for (socket, peer) in take_queue(listening) {
        admit(&spot.listener(), socket, peer);
    }
    // Only now, or the worker could take itself for idle in between.
    drop(accepting);
}

/// Takes connections until told to stop.
async fn take(spot: &Spot, listening: &Listening, stopped: impl Future<Output = ()>) {
    let mut stopped = pin!(stopped);
    let mut burst: u32 = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stopped => return,
            accepted = listening.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => admit(&spot.listener(), socket, peer),
            Err(error) => failed(&spot.listener(), &error).await,
        }
        burst = burst.wrapping_add(1);
        if burst.is_multiple_of(BURST) {
            tokio::task::yield_now().await;
        }
    }
}

impl Listening {
    async fn accept(&self) -> io::Result<(Socket, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => listener
                .accept()
                .await
                .map(|(socket, peer)| (socket.into(), Some(peer))),
            Self::Unix(listener) => listener
                .accept()
                .await
                .map(|(socket, _)| (socket.into(), None)),
        }
    }

    /// Takes one connection, by a system call and not by what the reactor knows.
    fn accept_now(&self) -> io::Result<(Socket, Option<SocketAddr>)> {
        let fd = match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        };
        let (socket, peer) = SockRef::from(&fd).accept()?;
        socket.set_nonblocking(true)?;
        let socket = match self {
            Self::Tcp(_) => TcpStream::from_std(socket.into())?.into(),
            Self::Unix(_) => UnixStream::from_std(socket.into())?.into(),
        };
        Ok((socket, peer.as_socket()))
    }
}

/// What closing the socket would reset: its clients have a connection and may have sent a request.
fn take_queue(listening: Listening) -> Vec<(Socket, Option<SocketAddr>)> {
    let mut taken = Vec::new();
    loop {
        match listening.accept_now() {
            Ok(accepted) => taken.push(accepted),
            Err(error) if is_of_connection(&error) => {}
            Err(_) => return taken,
        }
    }
}

fn admit(listener: &Rc<Listener>, socket: Socket, peer: Option<SocketAddr>) {
    let spec = listener.spec();
    let Some(pass) = listener.gate.enter(spec.limits.connections) else {
        listener.metrics.refused("connection_limit");
        return;
    };
    // Answers are written in whole pieces; holding back a small one helps nobody. A socket that
    // refuses the option works without it.
    let _slower = socket.set_nodelay(true);
    // A dual-stack socket shows IPv4 peers as `::ffff:10.0.0.1`.
    let peer = peer.map(|peer| SocketAddr::new(peer.ip().to_canonical(), peer.port()));
    let held = Held::new(spec, listener, pass);
    connection::spawn(Accepted { socket, peer, held });
}

/// Deals with a failure to accept. Whatever it is, the next attempt may do better.
async fn failed(listener: &Rc<Listener>, error: &io::Error) {
    static EXHAUSTED: OncePer = OncePer::new(Duration::from_secs(10));
    static OTHER: OncePer = OncePer::new(Duration::from_secs(10));
    if is_of_connection(error) {
        return;
    }
    let name = &*listener.spec().name;
    if matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    ) {
        listener.metrics.refused("out_of_resources");
        if let Some(suppressed) = EXHAUSTED.pass() {
            tracing::error!(
                listener = name, %error, suppressed,
                "no connection can be accepted; open ones are served on (see `ulimit -n`, LimitNOFILE=)"
            );
        }
    } else if let Some(suppressed) = OTHER.pass() {
        tracing::error!(listener = name, %error, suppressed, "accepting a connection failed");
    }
    tokio::time::sleep(PAUSE).await;
}

/// Whether only the one connection has failed, before it was accepted: accept(2), "Error handling".
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::EINTR
                | libc::EPROTO
                | libc::ENETDOWN
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::EOPNOTSUPP
                | libc::ENETUNREACH
                | libc::EPERM
        )
    )
}
