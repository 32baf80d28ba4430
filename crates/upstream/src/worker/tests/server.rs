//! Real HTTP/2 origins, plain or with TLS, on a thread of their own.

use std::{
    convert::Infallible,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    thread,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use lintel_tls::{Acceptor, Alpn, CertificateSource, ServerSettings, Stream};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::{Semaphore, watch},
};

/// How an origin is set up.
#[derive(Clone, Default)]
pub(super) struct Setup {
    /// SETTINGS_MAX_CONCURRENT_STREAMS.
    pub(super) max_streams: Option<u32>,
    pub(super) tls: Option<Arc<Certificates>>,
    pub(super) alpn: Vec<Alpn>,
}

/// An origin that speaks HTTP/2 or, where ALPN says so, a little HTTP/1.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    state: Arc<State>,
    goaway: watch::Sender<bool>,
}

struct State {
    connections: AtomicUsize,
    closed: AtomicUsize,
    waiting: AtomicUsize,
    /// Requests for `/wait` are answered as permits come.
    gate: Semaphore,
    heads: Mutex<Vec<Request<()>>>,
}

/// A CA and a server certificate for `localhost` and 127.0.0.1, as files.
pub(super) struct Certificates {
    folder: TempDir,
}

impl Certificates {
    pub(super) fn new() -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let key = KeyPair::generate().unwrap();
        let leaf =
            CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
        for (name, pem) in [
            ("ca.pem", ca_pem),
            ("cert.pem", leaf.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            std::fs::write(folder.path().join(name), pem).unwrap();
        }
        Arc::new(Self { folder })
    }

    pub(super) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn acceptor(&self, alpn: Vec<Alpn>) -> Acceptor {
        let certificate = CertificateSource {
            cert: self.folder.path().join("cert.pem"),
            key: self.folder.path().join("key.pem"),
            ocsp: None,
        };
        Acceptor::build(&ServerSettings {
            certificates: vec![certificate],
            alpn,
            ..ServerSettings::default()
        })
        .unwrap()
    }
}

impl Server {
    pub(super) fn start(setup: Setup) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            connections: AtomicUsize::new(0),
            closed: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            gate: Semaphore::new(0),
            heads: Mutex::default(),
        });
        let (goaway, told) = watch::channel(false);
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                loop {
                    let (socket, _) = listener.accept().await.unwrap();
                    shared.connections.fetch_add(1, SeqCst);
                    let (setup, shared, told) = (setup.clone(), Arc::clone(&shared), told.clone());
                    tokio::spawn(async move {
                        serve(socket, setup, &shared, told).await;
                        shared.closed.fetch_add(1, SeqCst);
                    });
                }
            });
        });
        Self {
            address,
            state,
            goaway,
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.state.connections.load(SeqCst)
    }

    pub(super) fn closed(&self) -> usize {
        self.state.closed.load(SeqCst)
    }

    /// Requests that wait at the gate.
    pub(super) fn waiting(&self) -> usize {
        self.state.waiting.load(SeqCst)
    }

    /// Lets so many requests for `/wait` be answered.
    pub(super) fn let_go(&self, count: usize) {
        self.state.gate.add_permits(count);
    }

    /// Tells all connections to go away when their streams have ended.
    pub(super) fn go_away(&self) {
        self.goaway.send(true).unwrap();
    }

    /// Connections that come from now on stay.
    pub(super) fn stay(&self) {
        self.goaway.send(false).unwrap();
    }

    pub(super) fn heads(&self) -> Vec<Request<()>> {
        self.state.heads.lock().unwrap().clone()
    }
}

async fn serve(
    socket: tokio::net::TcpStream,
    setup: Setup,
    state: &Arc<State>,
    mut told: watch::Receiver<bool>,
) {
    let mut stream = Stream::from(lintel_tls::Socket::from(socket));
    if let Some(certificates) = &setup.tls {
        let Stream::Plain(socket) = stream else {
            return;
        };
        let Ok(accepted) = certificates
            .acceptor(setup.alpn.clone())
            .accept(socket)
            .await
        else {
            return;
        };
        stream = accepted;
        if stream.tls_info().unwrap().alpn != Some(Alpn::H2) {
            return serve_http1(stream).await;
        }
    }
    let shared = Arc::clone(state);
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    server.max_concurrent_streams(setup.max_streams);
    let mut connection = std::pin::pin!(server.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ended = &mut connection => return,
        _told = told.wait_for(|told| *told) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ended = connection.await;
}

/// Switches protocols where asked to, and says `http1` otherwise.
async fn serve_http1(mut stream: Stream) {
    let mut request = vec![0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut request).await {
        let head = String::from_utf8_lossy(&request[..count]).to_ascii_lowercase();
        if head.contains("upgrade: echo") {
            let switch = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello";
            stream.write_all(switch).await.unwrap();
            stream.flush().await.unwrap();
            while let Ok(count @ 1..) = stream.read(&mut request).await {
                stream.write_all(&request[..count]).await.unwrap();
                stream.flush().await.unwrap();
            }
            return;
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhttp1")
            .await
            .unwrap();
        stream.flush().await.unwrap();
    }
}

type Answer = Response<BoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>>;

async fn answer(request: Request<Incoming>, state: Arc<State>) -> Result<Answer, Infallible> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    state
        .heads
        .lock()
        .unwrap()
        .push(Request::from_parts(parts, ()));
    let full = |text: &'static str| {
        Full::new(Bytes::from_static(text.as_bytes()))
            .map_err(Into::into)
            .boxed()
    };
    if let Some(status) = path.strip_prefix("/grpc/") {
        return Ok(grpc_call(status));
    }
    let body = match path.as_str() {
        "/echo" => body.map_err(Into::into).boxed(),
        "/wait" => {
            state.waiting.fetch_add(1, SeqCst);
            state.gate.acquire().await.unwrap().forget();
            full("waited")
        }
        "/stall" => Stalled(false).boxed(),
        "/trailers" => {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            full("message")
                .with_trailers(std::future::ready(Some(Ok(trailers))))
                .boxed()
        }
        "/grpc.health.v1.Health/Check" => {
            let asked = body.collect().await.unwrap().to_bytes();
            return Ok(health(asked.get(7..).unwrap_or_default()));
        }
        "/empty" => Empty::new().map_err(Into::into).boxed(),
        _ => full("ok"),
    };
    Ok(Response::new(body))
}

/// A message, and this status in trailers; or a message of a stream that goes on.
fn grpc_call(status: &str) -> Answer {
    let body = if status == "stream" {
        Stalled(false).boxed()
    } else {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", status.parse().unwrap());
        Full::new(Bytes::from_static(b"message"))
            .map_err(Into::into)
            .with_trailers(std::future::ready(Some(Ok(trailers))))
            .boxed()
    };
    let mut answer = Response::new(body);
    let media = HeaderValue::from_static("application/grpc+proto");
    answer.headers_mut().insert("content-type", media);
    answer
}

/// gRPC's health service, as its servers answer: `sick` is not serving, `nobody` is not known.
fn health(service: &[u8]) -> Answer {
    let grpc = |status: &'static str| {
        let mut fields = HeaderMap::new();
        fields.insert("grpc-status", HeaderValue::from_static(status));
        fields
    };
    if service == b"nobody" {
        let mut answer = Response::new(Empty::new().map_err(Into::into).boxed());
        *answer.headers_mut() = grpc("5");
        return answer;
    }
    let serving = if service == b"sick" { 2 } else { 1 };
    let message = Full::new(Bytes::copy_from_slice(&[0, 0, 0, 0, 2, 8, serving]));
    let trailers = std::future::ready(Some(Ok(grpc("0"))));
    Response::new(message.map_err(Into::into).with_trailers(trailers).boxed())
}

/// One frame, and then nothing.
struct Stalled(bool);

impl http_body::Body for Stalled {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"half")))))
    }
}
