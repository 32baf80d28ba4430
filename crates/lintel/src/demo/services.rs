//! The sample services, on the gateway's own HTTP/1 codec.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    thread,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Either, Full};
use lintel_http1::{
    Refusal, RequestLine,
    server::{Drain, Handle, Incoming, Meta, Options, Reply, Service, serve},
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Builder,
    task::spawn_local,
    time::{Interval, interval},
};

/// What one service answers with.
#[derive(Clone, Copy)]
enum Kind {
    Shop { version: u8 },
    Echo,
}

type Answer = Either<Full<Bytes>, Ticks>;

/// Starts the services on free ports, on a thread of their own.
pub(super) fn start() -> Result<[SocketAddr; 3], String> {
    let bind = || {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        Ok((listener.local_addr()?, listener))
    };
    let failed = |error: std::io::Error| format!("the sample services can't listen: {error}");
    let (shop, shop_listener) = bind().map_err(failed)?;
    let (next, next_listener) = bind().map_err(failed)?;
    let (echo, echo_listener) = bind().map_err(failed)?;
    let listeners = [
        (shop_listener, Kind::Shop { version: 1 }),
        (next_listener, Kind::Shop { version: 2 }),
        (echo_listener, Kind::Echo),
    ];
    let spawned = thread::Builder::new()
        .name("sample-services".to_owned())
        .spawn(move || {
            let Ok(runtime) = Builder::new_current_thread()
                .enable_all()
                .build_local(Default::default())
            else {
                return;
            };
            runtime.block_on(async move {
                for (listener, kind) in listeners {
                    spawn_local(accept(listener, kind));
                }
                std::future::pending::<()>().await;
            });
        });
    spawned.map_err(failed)?;
    Ok([shop, next, echo])
}

async fn accept(listener: std::net::TcpListener, kind: Kind) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    let options = Rc::new(Options::default());
    let drain = Drain::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let (options, drain) = (Rc::clone(&options), drain.clone());
        spawn_local(async move {
            // A client that breaks off is no event here.
            let _ = serve(stream, BytesMut::new(), &Sample(kind), &options, &drain).await;
        });
    }
}

struct Sample(Kind);

impl Service<TcpStream> for Sample {
    type Body = Answer;

    async fn call(
        &self,
        request: Request<Incoming<TcpStream>>,
        _: Meta,
        _: Handle<TcpStream>,
    ) -> Reply<Answer, TcpStream> {
        match self.0 {
            Kind::Shop { version } => shop(version, request.uri().path()),
            Kind::Echo if request.uri().path() == "/clock" => ticks(),
            Kind::Echo => echo(request).await,
        }
        .into()
    }

    fn refused(&self, refusal: Refusal, _: RequestLine) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from_static(refusal.reason.as_bytes()));
        *response.status_mut() = refusal.status;
        response
    }
}

fn shop(version: u8, path: &str) -> Response<Answer> {
    let body = match path {
        "/products" => {
            format!("{{\"version\":{version},\"products\":[\"lamp\",\"chair\",\"lintel\"]}}\n")
        }
        path => format!("{{\"version\":{version},\"path\":{path:?}}}\n"),
    };
    let mut response = json(body);
    response
        .headers_mut()
        .insert("x-powered-by", HeaderValue::from_static("sample"));
    response
}

async fn echo(request: Request<Incoming<TcpStream>>) -> Response<Answer> {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(|all| all.to_bytes())
        .unwrap_or_default();
    let mut shown = serde_json::Map::new();
    for (name, value) in &head.headers {
        shown.insert(
            name.to_string(),
            String::from_utf8_lossy(value.as_bytes()).into(),
        );
    }
    let echo = serde_json::json!({
        "method": head.method.as_str(),
        "target": head.uri.to_string(),
        "headers": shown,
        "body": String::from_utf8_lossy(&body),
    });
    json(format!(
        "{}\n",
        serde_json::to_string_pretty(&echo).unwrap_or_default()
    ))
}

fn json(body: String) -> Response<Answer> {
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(body))));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

fn ticks() -> Response<Answer> {
    let ticks = Ticks {
        every: interval(Duration::from_secs(1)),
        count: 0,
    };
    let mut response = Response::new(Either::Right(ticks));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    response
}

/// A server-sent event a second, ten of them.
struct Ticks {
    every: Interval,
    count: u8,
}

impl http_body::Body for Ticks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        if self.count == 10 {
            return Poll::Ready(None);
        }
        self.every.poll_tick(cx).map(|_| {
            self.count += 1;
            let event = format!("event: tick\ndata: {}\n\n", self.count);
            Some(Ok(http_body::Frame::data(Bytes::from(event))))
        })
    }
}
