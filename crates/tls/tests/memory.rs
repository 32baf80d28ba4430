//! What a TLS connection costs in memory while it does nothing, beside tokio-rustls.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    clippy::print_stderr
)]

#[path = "tls/support.rs"]
#[allow(dead_code, reason = "this binary uses a few of them")]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;

use lintel_tls::{ClientAuth, ClientCa};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::*;

/// Counts the bytes that the current thread has allocated and not freed.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    let _ = LIVE.try_with(|live| live.set(live.get() + change));
}

// SAFETY: hands every call on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CONNECTIONS: usize = 64;

/// Opens connections one after the other from a thread of its own, says a word on each, and keeps
/// them until told.
fn crowd(
    address: SocketAddr,
    config: Arc<rustls::ClientConfig>,
) -> (std::sync::mpsc::Sender<()>, std::thread::JoinHandle<()>) {
    let (done, wait) = std::sync::mpsc::channel();
    let crowd = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let connector = tokio_rustls::TlsConnector::from(config);
        let mut all = Vec::new();
        for _ in 0..=CONNECTIONS {
            let stream = runtime.block_on(async {
                let name = "localhost".try_into().unwrap();
                let socket = TcpStream::connect(address).await.unwrap();
                let mut stream = connector.connect(name, socket).await.unwrap();
                stream.write_all(&[7; 700]).await.unwrap();
                stream.flush().await.unwrap();
                stream.read_exact(&mut [0; 300]).await.unwrap();
                stream
            });
            all.push(stream);
        }
        let _ = wait.recv();
    });
    (done, crowd)
}

/// Takes the crowd's request and answers it; then the connection is idle.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> impl Sized {
    stream.read_exact(&mut [0; 700]).await.unwrap();
    stream.write_all(&[8; 300]).await.unwrap();
    stream.flush().await.unwrap();
    // An idle server waits for the next request with a read under way.
    let waiting = std::future::poll_fn(|cx| {
        let mut byte = [0];
        let mut buffer = tokio::io::ReadBuf::new(&mut byte);
        let read = std::pin::Pin::new(&mut stream).poll_read(cx, &mut buffer);
        std::task::Poll::Ready(read.is_pending())
    });
    assert!(waiting.await);
    stream
}

/// Bytes of heap for each idle connection that this way of accepting costs.
fn idle_bytes<S, F>(
    config: Arc<rustls::ClientConfig>,
    mut accept: impl FnMut(TcpStream) -> F,
) -> isize
where
    F: Future<Output = S>,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (done, crowd) = crowd(listener.local_addr().unwrap(), config);
        let mut all = Vec::with_capacity(CONNECTIONS + 1);
        let mut before = 0;
        for index in 0..=CONNECTIONS {
            let (socket, _) = listener.accept().await.unwrap();
            all.push(serve(accept(socket).await).await);
            if index == 0 {
                // The first one pays for what the thread and the session cache set up.
                before = LIVE.get();
            }
        }
        let each = (LIVE.get() - before) / CONNECTIONS.cast_signed();
        done.send(()).unwrap();
        crowd.join().unwrap();
        each
    })
}

#[test]
fn idle_connections_hold_no_buffer() {
    let (dir, ca, mut settings) = simple();
    let alice = ca.issue(&Leaf::default());
    let roots = [ca.der()];
    let mut report = String::new();
    for (what, versions, mutual) in [
        ("TLS 1.3", V13, false),
        ("TLS 1.2", V12, false),
        ("TLS 1.3, client certificate", V13, true),
    ] {
        settings.client_auth = ClientAuth::None;
        if mutual {
            settings.client_auth = ClientAuth::Required(ClientCa {
                ca: dir.write("ca.pem", &ca.pem),
                crl: None,
            });
        }
        let client = Client {
            roots: &roots,
            versions,
            certificate: mutual.then_some(&alice),
            ..Client::default()
        };
        let acceptor = build(&settings);
        let ours = idle_bytes(client.config(), async |socket| {
            acceptor.accept(socket.into()).await.unwrap()
        });
        report += &format!("{what}: {ours} bytes");
        if !mutual {
            let theirs = tokio_rustls::TlsAcceptor::from(plain_rustls(&settings));
            let theirs = idle_bytes(client.config(), async |socket| {
                Box::new(theirs.accept(socket).await.unwrap())
            });
            report += &format!(" (tokio-rustls: {theirs})");
            // Without the 4 KiB that rustls' own read buffer keeps for good.
            assert!(ours + 3500 < theirs, "{report}");
        }
        report += "\n";
        assert!(ours < 4096, "{report}");
    }
    eprintln!("heap for each idle server connection, the reactor's share included\n{report}");
}

/// The same certificate in rustls' own server.
fn plain_rustls(settings: &lintel_tls::ServerSettings) -> Arc<rustls::ServerConfig> {
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};
    let source = &settings.certificates[0];
    let cert = CertificateDer::from_pem_file(&source.cert).unwrap();
    let key = PrivateKeyDer::from_pem_file(&source.key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider);
    let config = builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert], key);
    Arc::new(config.unwrap())
}

#[test]
fn idle_services_share_the_system_s_roots() {
    let build = || lintel_tls::Connector::build(&lintel_tls::ClientSettings::default());
    let Ok(first) = build() else {
        // A machine without any trusted CA; `upstream` tests what is said then.
        return;
    };
    let before = LIVE.get();
    let more: Vec<_> = (0..100).map(|_| build().ok()).collect();
    let each = (LIVE.get() - before) / 100;
    eprintln!("heap for each connector: {each} bytes");
    // 2,500 idle services may cost 20 MiB together, and TLS only a part of it.
    assert!(each < 4096, "{each}");
    drop((first, more));
}
