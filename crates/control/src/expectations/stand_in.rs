//! The stand-in for every service: answers what it is told to, and remembers what it got.

use std::{cell::RefCell, convert::Infallible, io, net::SocketAddr, rc::Rc, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use lintel_config::{Built, model::SampleAnswer};
use lintel_grpc::Transcoder;
use lintel_http::{
    Whole,
    http1::{
        Refusal, RequestLine,
        server::{Drain, Handle, Incoming, Meta, Options, Reply, Service, serve},
    },
};
use lintel_proxy::snapshot::Action;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, spawn_local},
};

use super::call::{CallAnswer, SeenCall};

/// A body, and behind that of a call its status.
type Sent = Whole<Infallible>;

/// A request as a service sees it.
#[derive(Clone, Debug)]
pub(super) struct Forwarded {
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    /// As JSON, where it is a call that the gateway made.
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
    /// What is known of the methods of gRPC services.
    methods: RefCell<Vec<Arc<Transcoder>>>,
    /// Why the answer can't be given as the configuration writes it.
    unfit: RefCell<Option<String>>,
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
        self.script.unfit.take();
    }

    /// Learns what the routes know of gRPC services.
    pub(super) fn learn(&self, built: &Built) {
        let routes = built.generation.snapshot.routes.iter();
        let methods = routes.flat_map(|route| match &route.action {
            Action::Grpc(grpc) => vec![Arc::clone(&grpc.current().transcoder)],
            Action::Compose(compose) => {
                let calls = compose.calls.iter().flatten();
                let calls = calls.filter_map(|terms| terms.rpc.as_ref());
                calls.filter_map(|rpc| rpc.methods.current()).collect()
            }
            _ => Vec::new(),
        });
        self.script.methods.replace(methods.collect());
    }

    /// Why the answer could not be given as it is written.
    pub(super) fn unfit(&self) -> Option<String> {
        self.script.unfit.borrow().clone()
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
    type Body = Sent;

    async fn call(
        &self,
        request: Request<Incoming<TcpStream>>,
        _: Meta,
        _: Handle<TcpStream>,
    ) -> Reply<Sent, TcpStream> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes());
        let body = body.unwrap_or_default();
        let call = SeenCall::of(&self.methods.borrow(), head.uri.path(), &head.headers);
        let shown = call.as_ref().and_then(|call| call.shown(&body));
        self.seen.borrow_mut().get_or_insert_with(|| Forwarded {
            method: head.method,
            target: head.uri.to_string(),
            headers: head.headers,
            body: shown.unwrap_or(body),
        });
        let script = self.answer.borrow();
        // An answer of another status is that of a proxy on the way.
        let call = call.filter(|_| script.status == 200);
        let mut answer = match call.map(|call| call.answer(&script)) {
            None => Response::new(Whole::new(script.body.clone().into(), None)),
            Some(Ok(answer)) => answered(answer),
            Some(Err(why)) => {
                self.unfit.borrow_mut().get_or_insert(why);
                Response::new(Whole::new(Bytes::new(), None))
            }
        };
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

fn answered(call: CallAnswer) -> Response<Sent> {
    let mut answer = Response::new(Whole::new(call.body, Some(call.trailers)));
    let media = HeaderValue::from_static("application/grpc");
    answer.headers_mut().insert(header::CONTENT_TYPE, media);
    answer
}
