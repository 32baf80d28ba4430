#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod cancellation;
mod checks;
mod ejection;
mod endpoints;
mod grpc;
mod guard;
mod hedge;
mod http2;
mod interim;
mod limits;
mod origin;
mod pooling;
mod replay;
mod retry;
mod server;
mod sharing;
mod size;
mod timing;
mod tls;

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, StatusCode, request::Parts};
use http_body::Frame;
use http_body_util::BodyExt;
use lintel_http::{Body, BodyError};
use lintel_http1::Timer;
use lintel_telemetry::Catalogue;
use tokio::{sync::mpsc, time::Instant};

use super::{Answer, Call, Failure, Pools, Rules, Tried};
use crate::service::{EndpointSpec, Service, ServiceSpec};

/// Runs a worker to the end of `test`, on this thread.
fn worker<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap()
        .block_on(test)
}

/// One worker's upstream side, and a service to send to.
struct Gateway {
    pools: Rc<Pools>,
    service: Arc<Service>,
    catalogue: Arc<Catalogue>,
    timer: Timer,
}

impl Gateway {
    fn new(spec: ServiceSpec) -> Self {
        Self::with(Service::build(spec, None).unwrap(), 0)
    }

    fn to(address: SocketAddr) -> Self {
        Self::new(spec(&[address]))
    }

    fn with(service: Arc<Service>, worker: usize) -> Self {
        let catalogue = Catalogue::new();
        let pools = Pools::new(worker, catalogue.worker());
        Self {
            pools,
            service,
            catalogue,
            timer: Timer::new(),
        }
    }

    async fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.send(Method::GET, path, Body::empty()).await
    }

    async fn send(&self, method: Method, path: &str, body: Body) -> Result<Answer, Failure> {
        let mut head = head(method, path);
        self.send_head(&mut head, body, None).await
    }

    async fn send_head(
        &self,
        head: &mut Parts,
        body: Body,
        deadline: Option<Instant>,
    ) -> Result<Answer, Failure> {
        self.pools
            .send(
                &self.service,
                Call {
                    deadline,
                    ..call(head, body, &self.timer)
                },
            )
            .await
    }

    /// Status and whole body.
    async fn text(&self, path: &str) -> (StatusCode, String) {
        read(self.get(path).await.unwrap()).await
    }

    fn in_flight(&self) -> u32 {
        self.service
            .status()
            .iter()
            .map(|endpoint| endpoint.in_flight)
            .sum()
    }

    fn idle(&self) -> u32 {
        self.service
            .status()
            .iter()
            .map(|endpoint| endpoint.idle)
            .sum()
    }

    /// Housekeeping as if so much time had passed.
    fn tick_after(&self, passed: Duration) {
        self.pools.tick(Instant::now() + passed);
    }

    /// A counter's value, summed over its series whose labels contain all of `labels`.
    fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let mut text = Vec::new();
        self.catalogue.render(&mut text, false);
        let text = String::from_utf8(text).unwrap();
        text.lines()
            .filter(|line| {
                line.starts_with(name) && labels.iter().all(|label| line.contains(label))
            })
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}

fn spec(addresses: &[SocketAddr]) -> ServiceSpec {
    ServiceSpec::new(
        "orders",
        addresses.iter().copied().map(EndpointSpec::http).collect(),
    )
}

fn head(method: Method, path: &str) -> Parts {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "orders.example");
    request.body(()).unwrap().into_parts().0
}

fn call<'a>(head: &'a mut Parts, body: Body, timer: &'a Timer) -> Call<'a> {
    Call {
        head,
        body,
        upgrade: None,
        expect_continue: false,
        te_trailers: false,
        deadline: None,
        timer,
        interim: &|_, _| {},
        key: None,
        tried: Tried::default(),
        retry: Rules::Service,
        guard: None,
        hurried: false,
        told: None,
    }
}

async fn read(answer: Answer) -> (StatusCode, String) {
    let status = answer.response.status();
    let body = answer
        .response
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// A body of one frame that does not say how long it is.
fn chunked(text: &'static str) -> Body {
    let (frames, body) = fed();
    frames
        .send(Ok(Frame::data(Bytes::from_static(text.as_bytes()))))
        .unwrap();
    body
}

/// A body that is what is sent, as it is sent.
fn fed() -> (mpsc::UnboundedSender<Result<Frame<Bytes>, BodyError>>, Body) {
    let (frames, receiver) = mpsc::unbounded_channel();
    (frames, Body::boxed(Fed(receiver)))
}

struct Fed(mpsc::UnboundedReceiver<Result<Frame<Bytes>, BodyError>>);

impl http_body::Body for Fed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.poll_recv(cx)
    }
}

/// Runs other tasks and the reactor until `done`.
async fn until(mut done: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < patience, "the condition never came true");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
