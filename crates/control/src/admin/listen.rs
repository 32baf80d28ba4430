//! Where the admin API listens.

use std::{fmt, io, sync::Arc, time::Duration};

use lintel_config::{model, text::Bind};
use lintel_http::{Socket, Stream};
use lintel_tls::Acceptor;
use tokio::{
    net::{TcpListener, UnixListener},
    sync::mpsc,
    task::JoinHandle,
};

use super::{app, callers::Callers};
use crate::Gateway;

/// The admin API of one gateway; stops listening when dropped.
pub struct Admin {
    tasks: Vec<JoinHandle<()>>,
    /// Where it listens, ports resolved.
    pub address: String,
}

/// Why the admin API can't listen.
#[derive(Debug)]
pub struct AdminError(String);

/// Connections whose TLS handshake is through, waiting to be served.
const READY: usize = 64;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

enum Door {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Admin {
    /// Serves the admin API of a gateway as its configuration says. Needs a runtime.
    ///
    /// # Errors
    /// The address can't be bound, or the certificates can't be used.
    pub async fn start(gateway: Arc<Gateway>, settings: &model::Admin) -> Result<Self, AdminError> {
        let acceptor = match &settings.tls {
            None => None,
            Some(tls) => Some(acceptor(tls)?),
        };
        let door = open(&settings.bind).await?;
        let address = door.address();
        let (sender, connections) = mpsc::channel(READY);
        let accepting = tokio::spawn(accept(door, acceptor, sender));
        let app = app(gateway, Callers::of(settings));
        let serving = tokio::spawn(async move {
            // Serving ends with its task; the error type has no values.
            let _ = axum::serve(Connections(connections), app).await;
        });
        Ok(Self {
            tasks: vec![accepting, serving],
            address,
        })
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn acceptor(tls: &model::ListenerTls) -> Result<Arc<Acceptor>, AdminError> {
    let settings = lintel_config::server_tls(tls, &[model::Protocol::Http1]);
    Acceptor::build(&settings).map(Arc::new).map_err(|errors| {
        let all: Vec<String> = errors
            .iter()
            .map(|error| format!("{}; {}", error.problem, error.help))
            .collect();
        AdminError(all.join("\n"))
    })
}

async fn open(bind: &Bind) -> Result<Door, AdminError> {
    match bind {
        Bind::Tcp(address) => TcpListener::bind(address)
            .await
            .map(Door::Tcp)
            .map_err(|error| failed(&address.to_string(), &error)),
        Bind::Unix(path) => {
            // A socket file that a dead process has left is in the way of a new one.
            if std::os::unix::net::UnixStream::connect(path).is_err() {
                let _ = std::fs::remove_file(path);
            }
            UnixListener::bind(path)
                .map(Door::Unix)
                .map_err(|error| failed(&path.display().to_string(), &error))
        }
    }
}

fn failed(address: &str, error: &io::Error) -> AdminError {
    AdminError(format!(
        "the admin API can't listen on {address}: {error}; change `admin: {{ bind: … }}` or end what listens there"
    ))
}

impl Door {
    fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .map_or_else(|_| String::new(), |address| address.to_string()),
            Self::Unix(listener) => {
                let address = listener.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname());
                path.map_or_else(String::new, |path| format!("unix:{}", path.display()))
            }
        }
    }

    async fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => listener
                .accept()
                .await
                .map(|(socket, _)| Socket::Tcp(socket)),
            Self::Unix(listener) => listener
                .accept()
                .await
                .map(|(socket, _)| Socket::Unix(socket)),
        }
    }
}

async fn accept(door: Door, acceptor: Option<Arc<Acceptor>>, ready: mpsc::Sender<Stream>) {
    loop {
        let socket = match door.accept().await {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!(%error, "the admin API can't accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        tokio::spawn(async move {
            let stream = match acceptor {
                None => Stream::from(socket),
                Some(acceptor) => match acceptor.accept(socket).await {
                    Ok(stream) => stream,
                    Err(_) => return,
                },
            };
            // Fails only if serving has ended.
            let _ = ready.send(stream).await;
        });
    }
}

struct Connections(mpsc::Receiver<Stream>);

impl axum::serve::Listener for Connections {
    type Io = Stream;
    type Addr = ();

    async fn accept(&mut self) -> (Stream, ()) {
        match self.0.recv().await {
            Some(stream) => (stream, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AdminError {}
