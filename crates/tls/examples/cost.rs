//! CPU time of a server's TLS, beside tokio-rustls: small requests, bulk both ways, handshakes.
//!
//! `cargo run --release -p lintel-tls --example cost`. The server's thread alone is counted, with
//! the kernel's share; the figures in the crate's documentation come from here.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measuring tool: prints, and stops at the first surprise"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use lintel_tls::{Acceptor, CertificateSource, ServerSettings};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const REQUESTS: usize = 40_000;
const BULK: usize = 512 << 20;
const CHUNK: usize = 64 << 10;
const HANDSHAKES: usize = 1500;

#[derive(Clone, Copy)]
enum Work {
    /// 700 bytes in, 300 out, again and again.
    Small,
    Download,
    Upload,
    /// A new session each time.
    Full,
    Resumed,
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let source = CertificateSource {
        cert: dir.path().join("cert.pem"),
        key: dir.path().join("key.pem"),
        ocsp: None,
    };
    std::fs::write(&source.cert, certified.cert.pem()).unwrap();
    std::fs::write(&source.key, certified.signing_key.serialize_pem()).unwrap();
    let theirs = TlsAcceptor::from(plain_rustls(&source.cert, &source.key));
    let ours = Acceptor::build(&ServerSettings {
        certificates: vec![source],
        ..ServerSettings::default()
    });
    let ours = ours.unwrap_or_else(|errors| panic!("{errors:?}"));
    let root = certified.cert.der().clone();
    println!(
        "{:38}{:>10}{:>14}",
        "CPU of the server's thread", "ours", "tokio-rustls"
    );
    for (what, work, per) in [
        (
            "request, 700 B in, 300 B out (µs)",
            Work::Small,
            REQUESTS * 1000,
        ),
        (
            "download, 64 KiB writes (ms/GiB)",
            Work::Download,
            BULK * 1000 / 1024 * 1000 / (1 << 20),
        ),
        (
            "upload, 64 KiB reads (ms/GiB)",
            Work::Upload,
            BULK * 1000 / 1024 * 1000 / (1 << 20),
        ),
        ("full handshake (µs)", Work::Full, HANDSHAKES * 1000),
        ("resumed handshake (µs)", Work::Resumed, HANDSHAKES * 1000),
    ] {
        let mut best = [f64::MAX; 2];
        for _ in 0..3 {
            let spent = [
                measure(work, &root, async |socket| {
                    ours.accept(socket.into()).await.unwrap()
                }),
                measure(work, &root, async |socket| {
                    theirs.accept(socket).await.unwrap()
                }),
            ];
            for (best, spent) in best.iter_mut().zip(spent) {
                *best = best.min(spent as f64 / per as f64);
            }
        }
        println!("{what:38}{:>10.2}{:>14.2}", best[0], best[1]);
    }
}

/// Nanoseconds of CPU that this thread has used.
fn cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn measure<S, F>(
    work: Work,
    root: &CertificateDer<'static>,
    mut accept: impl FnMut(TcpStream) -> F,
) -> u64
where
    F: Future<Output = S>,
    S: AsyncRead + AsyncWrite + Unpin,
{
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = client(work, listener.local_addr().unwrap(), root);
        let connections = match work {
            Work::Full | Work::Resumed => HANDSHAKES,
            _ => 1,
        };
        let mut before = cpu();
        for _ in 0..connections {
            let (socket, _) = listener.accept().await.unwrap();
            socket.set_nodelay(true).unwrap();
            let mut stream = accept(socket).await;
            if connections == 1 {
                before = cpu();
            }
            serve(work, &mut stream).await;
        }
        let spent = cpu() - before;
        client.join().unwrap();
        spent
    })
}

async fn serve(work: Work, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    match work {
        Work::Small => {
            let mut request = [0; 700];
            for _ in 0..REQUESTS {
                stream.read_exact(&mut request).await.unwrap();
                stream.write_all(&[8; 300]).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
        Work::Download => {
            let chunk = vec![8; CHUNK];
            for _ in 0..BULK / CHUNK {
                stream.write_all(&chunk).await.unwrap();
            }
            stream.flush().await.unwrap();
        }
        Work::Upload => {
            let mut chunk = vec![0; CHUNK];
            let mut left = BULK;
            while left > 0 {
                left -= stream.read(&mut chunk).await.unwrap();
            }
            stream.write_all(&[1]).await.unwrap();
            stream.flush().await.unwrap();
        }
        Work::Full | Work::Resumed => {
            stream.read_exact(&mut [0]).await.unwrap();
            stream.write_all(&[1]).await.unwrap();
            stream.flush().await.unwrap();
        }
    }
}

fn client(work: Work, address: SocketAddr, root: &CertificateDer<'static>) -> JoinHandle<()> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    std::thread::spawn(move || {
        let config = client_config(roots);
        let full = matches!(work, Work::Full);
        let connections = match work {
            Work::Full | Work::Resumed => HANDSHAKES,
            _ => 1,
        };
        runtime().block_on(async {
            for _ in 0..connections {
                let mut config = config.clone();
                if full {
                    config.resumption = rustls::client::Resumption::disabled();
                }
                let connector = TlsConnector::from(Arc::new(config));
                let socket = TcpStream::connect(address).await.unwrap();
                socket.set_nodelay(true).unwrap();
                let name = "localhost".try_into().unwrap();
                let stream = connector.connect(name, socket).await.unwrap();
                drive(work, stream).await;
            }
        });
    })
}

async fn drive(work: Work, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    match work {
        Work::Small => {
            for _ in 0..REQUESTS {
                stream.write_all(&[7; 700]).await.unwrap();
                stream.flush().await.unwrap();
                stream.read_exact(&mut [0; 300]).await.unwrap();
            }
        }
        Work::Download => {
            let mut chunk = vec![0; CHUNK];
            let mut left = BULK;
            while left > 0 {
                left -= stream.read(&mut chunk).await.unwrap();
            }
        }
        Work::Upload => {
            let chunk = vec![8; CHUNK];
            for _ in 0..BULK / CHUNK {
                stream.write_all(&chunk).await.unwrap();
            }
            stream.flush().await.unwrap();
            // Leaving before the server has read everything would reset the connection.
            stream.read_exact(&mut [0]).await.unwrap();
        }
        Work::Full | Work::Resumed => {
            stream.write_all(&[1]).await.unwrap();
            stream.flush().await.unwrap();
            stream.read_exact(&mut [0]).await.unwrap();
        }
    }
}

fn client_config(roots: RootCertStore) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn plain_rustls(cert: &Path, key: &Path) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(cert).unwrap()],
            PrivateKeyDer::from_pem_file(key).unwrap(),
        )
        .unwrap();
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
    config.send_tls13_tickets = 1;
    Arc::new(config)
}
