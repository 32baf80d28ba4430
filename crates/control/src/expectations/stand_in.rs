//! The stand-in for every service: answers what it is told to, and remembers what it got.

use std::{cell::RefCell, io, net::SocketAddr, rc::Rc};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use lintel_config::model::SampleAnswer;
use lintel_http::http1::{
    Refusal, RequestLine,
    server::{Drain, Handle, Incoming, Meta, Options, Reply, Service, serve},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, spawn_local},
};

/// A request as a service sees it.
#[derive(Clone, Debug)]
pub(super) struct Forwarded {
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A service on loopback, for as long as this lives.
pub(super) struct StandIn {
    address: SocketAddr,
    script: Rc<Script>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Script {
    answer: RefCell<SampleAnswer>,
    seen: RefCell<Option<Forwarded>>,
}

impl StandIn {
    pub(super) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let script = Rc::<Script>::default();
        let accepting = spawn_local(accept(listener, Rc::clone(&script)));
        Ok(Self {
            address,
            script,
            accepting,
        })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forgets what it got, and answers so from now on.
    pub(super) fn expect(&self, answer: &SampleAnswer) {
        self.script.answer.replace(answer.clone());
        self.script.seen.take();
    }

    /// The first request since then.
    pub(super) fn seen(&self) -> Option<Forwarded> {
        self.script.seen.borrow().clone()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, script: Rc<Script>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let script = Rc::clone(&script);
        spawn_local(async move {
            let (options, drain) = (Options::default(), Drain::new());
            // The gateway sees a connection that breaks off, and reports what it makes of it.
            let _ = serve(stream, BytesMut::new(), &*script, &options, &drain).await;
        });
    }
}

impl Service<TcpStream> for Script {
    type Body = Full<Bytes>;

    async fn call(
        &self,
        request: Request<Incoming<TcpStream>>,
        _: Meta,
        _: Handle<TcpStream>,
    ) -> Reply<Full<Bytes>, TcpStream> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes());
        self.seen.borrow_mut().get_or_insert_with(|| Forwarded {
            method: head.method,
            target: head.uri.to_string(),
            headers: head.headers,
            body: body.unwrap_or_default(),
        });
        let script = self.answer.borrow();
        let mut answer = Response::new(Full::new(Bytes::from(script.body.clone())));
        // A status in the configuration is from 200 to 599.
        *answer.status_mut() = StatusCode::from_u16(script.status).unwrap_or_default();
        for (name, value) in &script.headers {
            answer.headers_mut().insert(name.0.clone(), value.0.clone());
        }
        answer.into()
    }

    fn refused(&self, refusal: Refusal, _: RequestLine) -> Response<Bytes> {
        let mut answer = Response::new(Bytes::from_static(refusal.reason.as_bytes()));
        *answer.status_mut() = refusal.status;
        answer
    }
}
