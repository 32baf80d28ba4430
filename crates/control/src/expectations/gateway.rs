//! One worker's share of the gateway, without listening sockets: connections are made inside the
//! process and may come from any address.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt;
use lintel_config::{Built, model::SampleRequest};
use lintel_http::{
    Body, ByteCount, ClientStream,
    http1::{
        Refusal, RequestLine, Timer, client,
        server::{Drain, Handle, Incoming, Meta, Reply, Service, serve},
    },
};
use lintel_kernel::exchange::Refused;
use lintel_proxy::{
    Answer as Served, Connection, Tracked, Wire, Worker,
    malformed::{self, Malformed},
};
use lintel_server::ListenerSpec;
use lintel_telemetry::Catalogue;
use lintel_tls::{Socket, Stream};
use lintel_upstream::Pools;
use tokio::{net::UnixStream, task::spawn_local, time::Instant};

use crate::explain::{Explanation, Question, explain};

/// The port that clients connect from: the first of those that nobody registers (RFC 6335 §6).
const CLIENT_PORT: u16 = 49_152;

/// A gateway that serves one configuration.
pub(super) struct Gateway {
    worker: Rc<Worker>,
    listeners: Vec<Door>,
    /// Counts what nobody reads.
    _catalogue: Arc<Catalogue>,
}

/// A listener, and whether it has TLS.
struct Door {
    spec: Arc<ListenerSpec>,
    secure: bool,
}

/// A request that is ready to be sent.
pub(super) struct Trial<'a> {
    door: &'a Door,
    peer: SocketAddr,
    head: http::request::Parts,
    body: Bytes,
    /// Where it should go.
    pub(super) explanation: Explanation,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) known: Known,
}

/// What the gateway knows of a request at its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Index and name.
    pub(super) route: Option<(usize, String)>,
    pub(super) service: Option<String>,
    pub(super) refused: Option<Refused>,
}

impl Gateway {
    pub(super) fn new(built: &Built, encrypted: &[String]) -> Self {
        let catalogue = Catalogue::new();
        let metrics = catalogue.worker();
        let pools = Pools::new(0, metrics.clone());
        let snapshot = Arc::clone(&built.generation.snapshot);
        let specs = built.generation.listeners.iter();
        let listeners = specs.map(|spec| Door {
            secure: encrypted.iter().any(|name| **name == *spec.name),
            spec: Arc::clone(spec),
        });
        Self {
            worker: Worker::new(snapshot, pools, metrics),
            listeners: listeners.collect(),
            _catalogue: catalogue,
        }
    }

    /// A request as the configuration writes it, on the listener that it names or that fits.
    pub(super) fn trial(&self, built: &Built, sample: &SampleRequest) -> Trial<'_> {
        let head = head(sample);
        let doors = self.doors(sample);
        let explained = doors.into_iter().map(|door| {
            let question = Question {
                method: head.method.clone(),
                url: head.uri.clone(),
                headers: head.headers.clone(),
                listener: Some(door.spec.name.to_string()),
            };
            (door, explain(built, &question))
        });
        let mut all: Vec<_> = explained.collect();
        let matched = all.iter().position(|(_, explanation)| explanation.matched);
        // Every configuration has a listener: its shape demands one.
        let (door, explanation) = all.swap_remove(matched.unwrap_or(0));
        Trial {
            door,
            peer: SocketAddr::new(sample.client_ip.0, CLIENT_PORT),
            head,
            body: sample.body.clone().unwrap_or_default().into(),
            explanation,
        }
    }

    /// The listeners it may come in by; never none.
    fn doors(&self, sample: &SampleRequest) -> Vec<&Door> {
        let all = || self.listeners.iter();
        let secure = sample.url.0.scheme_str().map(|scheme| scheme == "https");
        let fit: Vec<&Door> = match &sample.listener {
            Some(name) => all()
                .filter(|door| *door.spec.name == *name.as_str())
                .collect(),
            None => all()
                .filter(|door| secure.is_none_or(|secure| secure == door.secure))
                .collect(),
        };
        // TLS may end in front of the gateway.
        if fit.is_empty() { all().collect() } else { fit }
    }

    /// Sends it over a connection of its own.
    ///
    /// # Errors
    /// There was no whole answer; a sentence says why.
    pub(super) async fn send(&self, trial: &Trial<'_>) -> Result<Answer, String> {
        let (near, far) = UnixStream::pair().map_err(|error| error.to_string())?;
        let spec = Arc::clone(&trial.door.spec);
        let service = Rc::new(Serving {
            connection: Connection {
                worker: Rc::clone(&self.worker),
                listener: spec.id,
                rules: Arc::clone(&spec.rules),
                peer: Some(trial.peer),
                secure: trial.door.secure,
                certificate: None,
            },
            known: RefCell::default(),
        });
        let serving = Rc::clone(&service);
        let metrics = self.worker.local().listener_metrics(spec.id);
        let bytes = ByteCount::new(metrics);
        let connection = spawn_local(async move {
            let stream = ClientStream::new(Stream::from(Socket::Unix(far)), bytes);
            // What went wrong shows in the answer, or in that there is none.
            let _ = serve(
                stream,
                BytesMut::new(),
                &*serving,
                &spec.http1,
                &Drain::new(),
            )
            .await;
        });
        let answer = exchange(near, trial).await;
        connection.abort();
        let (status, headers, body) = answer?;
        Ok(Answer {
            status,
            headers,
            body,
            known: service.known.take(),
        })
    }
}

/// What is left of a sample once its URL is taken apart: target, `Host`, fields.
fn head(sample: &SampleRequest) -> http::request::Parts {
    let mut request = Request::new(());
    *request.method_mut() = sample.method.0.clone();
    let url = &sample.url.0;
    let target = url.path_and_query().map(ToString::to_string);
    // What was a URL's path and query is a target by itself.
    *request.uri_mut() = target
        .and_then(|target| target.parse::<Uri>().ok())
        .unwrap_or_default();
    let headers = request.headers_mut();
    let host = url.authority().map_or("localhost", |host| host.as_str());
    if let Ok(host) = HeaderValue::from_str(host) {
        headers.insert(header::HOST, host);
    }
    for (name, value) in &sample.headers {
        headers.insert(name.0.clone(), value.0.clone());
    }
    request.into_parts().0
}

async fn exchange(
    stream: UnixStream,
    trial: &Trial<'_>,
) -> Result<(StatusCode, HeaderMap, Bytes), String> {
    let (options, timer) = (client::Options::default(), Timer::new());
    let upgrade = trial.head.headers.get(header::UPGRADE);
    let sending = client::SendOptions {
        upgrade,
        te_trailers: trial.head.headers.contains_key(header::TE),
        ..client::SendOptions::new(&options, &timer)
    };
    let body = Body::from(trial.body.clone());
    let connection = client::Conn::new(stream);
    let sent = connection
        .send(&trial.head, body, sending, |_, _| {}, Rc::new(Single))
        .await
        .map_err(|error| format!("none: {}", error.failure))?;
    let (head, body) = sent.response.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| format!("one that breaks off: {error}"))?;
    Ok((head.status, head.headers, body.to_bytes()))
}

/// No connection is used twice.
struct Single;

impl client::Recycle<UnixStream> for Single {
    fn recycle(&self, _: client::Conn<UnixStream>) {}
}

/// Serves one connection as a worker does.
struct Serving {
    connection: Connection,
    known: RefCell<Known>,
}

impl Service<ClientStream> for Serving {
    type Body = Tracked;

    async fn call(
        &self,
        request: Request<Incoming<ClientStream>>,
        meta: Meta,
        handle: Handle<ClientStream>,
    ) -> Reply<Tracked, ClientStream> {
        let interim = |status, headers: &HeaderMap| handle.interim(status, headers);
        let wire = Wire {
            timer: handle.timer().clone(),
            received: Instant::now(),
            upgrade: meta.upgrade,
            te_trailers: meta.te_trailers,
            expect_continue: meta.expect_continue,
            interim: &interim,
        };
        let Served { response, .. } =
            lintel_proxy::serve(&self.connection, &wire, request.map(Body::from)).await;
        if let Some(exchange) = response.body().exchange() {
            let route = exchange.route.map(|index| index as usize);
            self.known.replace(Known {
                route: route.map(|index| (index, exchange.route_name().to_owned())),
                service: exchange.service.map(|_| exchange.service_name().to_owned()),
                refused: exchange.refused.clone(),
            });
        }
        response.into()
    }

    fn refused(&self, refusal: Refusal, line: RequestLine) -> Response<Bytes> {
        let why = Malformed {
            status: refusal.status,
            code: malformed::code(refusal.status),
            detail: refusal.reason,
        };
        self.known.borrow_mut().refused = Some(Refused {
            by: "receive",
            code: why.code,
            detail: why.detail.into(),
        });
        let head = malformed::head(line.method, line.target);
        malformed::refuse(&self.connection, why, head).map(Tracked::into_bytes)
    }
}
