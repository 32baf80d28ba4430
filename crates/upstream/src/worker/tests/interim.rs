//! Interim answers of HTTP/2 origins, and what goes both ways on one stream.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    net::{SocketAddr, TcpListener},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    thread,
    time::Duration,
};

use bytes::Bytes;
use h2::{RecvStream, SendStream, server::SendResponse};
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use lintel_http::{Body, BodyError, h2::Advance};

use super::{Gateway, call, chunked, fed, head, read, spec, until, worker};
use crate::{
    service::{Protocol, ServiceSpec},
    worker::{Answer, Call, Failure},
};

/// An origin that does what the path of a request says.
fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        worker(async move {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                tokio::task::spawn_local(async move {
                    let mut connection = h2::server::handshake(socket).await.unwrap();
                    while let Some(Ok((request, respond))) = connection.accept().await {
                        tokio::task::spawn_local(answer(request, respond));
                    }
                });
            }
        });
    });
    address
}

async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let (head, mut body) = request.into_parts();
    let hint = |status: u16| {
        let hint = Response::builder().status(status);
        hint.header("link", "</style.css>; rel=preload")
            .body(())
            .unwrap()
    };
    let asks = head.headers.contains_key("expect");
    match head.uri.path() {
        "/hints" => respond.send_informational(hint(103)).unwrap(),
        "/endless" => (0..17).for_each(|_| respond.send_informational(hint(102)).unwrap()),
        "/continue" => {
            assert!(asks && !body.is_end_stream());
            respond.send_informational(hint(100)).unwrap();
        }
        "/refuse" => {
            let refusal = Response::builder().status(401).body(()).unwrap();
            respond.send_response(refusal, true).unwrap();
            return;
        }
        _ => {}
    }
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    if head.uri.path() == "/flood" {
        flood(&mut stream, &mut body).await;
    }
    while let Some(Ok(data)) = body.data().await {
        body.flow_control().release_capacity(data.len()).unwrap();
        stream.send_data(data, false).unwrap();
    }
    // The other side may be gone.
    let _ = stream.send_data(Bytes::from("."), true);
}

/// Says more than a reader who reads nothing has window for, until the request has said something.
async fn flood(stream: &mut SendStream<Bytes>, body: &mut RecvStream) {
    stream
        .send_data(Bytes::from(vec![b'x'; 1 << 20]), false)
        .unwrap();
    let data = body.data().await.unwrap().unwrap();
    assert_eq!(data, "hello");
    body.flow_control().release_capacity(data.len()).unwrap();
}

fn gateway() -> Gateway {
    Gateway::new(ServiceSpec {
        protocol: Protocol::Http2,
        ..spec(&[origin()])
    })
}

type Seen = RefCell<Vec<(StatusCode, String)>>;

async fn send(
    gateway: &Gateway,
    path: &str,
    body: Body,
    expect_continue: bool,
    seen: &Seen,
) -> Result<Answer, Failure> {
    let mut head = head(Method::POST, path);
    let interim = |status, headers: http::HeaderMap| {
        let link = headers["link"].to_str().unwrap().to_owned();
        seen.borrow_mut().push((status, link));
    };
    let call = Call {
        expect_continue,
        interim: &interim,
        ..call(&mut head, body, &gateway.timer)
    };
    gateway.pools.send(&gateway.service, call).await
}

#[test]
fn interim_answers_are_passed_on_ahead_of_the_answer() {
    worker(async {
        let (gateway, seen) = (gateway(), Seen::default());
        let answer = send(&gateway, "/hints", Body::empty(), false, &seen).await;
        assert_eq!(
            read(answer.unwrap()).await,
            (StatusCode::OK, ".".to_owned())
        );
        let link = "</style.css>; rel=preload".to_owned();
        assert_eq!(*seen.borrow(), [(StatusCode::EARLY_HINTS, link)]);
    });
}

#[test]
fn an_origin_that_never_comes_to_the_point_is_given_up() {
    worker(async {
        let (gateway, seen) = (gateway(), Seen::default());
        let failure = send(&gateway, "/endless", Body::empty(), false, &seen).await;
        let failure = failure.map(drop).unwrap_err();
        assert_eq!(failure.facts.status(), StatusCode::BAD_GATEWAY);
        assert_eq!(seen.borrow().len(), 16);
        assert_eq!(gateway.in_flight(), 0);
    });
}

#[test]
fn the_body_waits_until_the_origin_asks_for_it() {
    worker(async {
        let (gateway, seen) = (gateway(), Seen::default());
        let answer = send(&gateway, "/continue", chunked("hello"), true, &seen).await;
        assert_eq!(read(answer.unwrap()).await.1, "hello.");
        // 100 is for this hop: the client gets its own when its body is asked for.
        assert!(seen.borrow().is_empty());
    });
}

#[test]
fn an_origin_that_refuses_gets_no_body() {
    worker(async {
        let (gateway, seen) = (gateway(), Seen::default());
        let (frames, body) = fed();
        let answer = send(&gateway, "/refuse", body, true, &seen).await.unwrap();
        assert_eq!(read(answer).await.0, StatusCode::UNAUTHORIZED);
        // Nobody is left to take it.
        assert!(frames.is_closed());
    });
}

#[test]
fn an_origin_that_does_not_ask_gets_the_body_after_a_while() {
    worker(async {
        let (gateway, seen) = (gateway(), Seen::default());
        let answer = send(&gateway, "/echo", chunked("hello"), true, &seen).await;
        assert_eq!(read(answer.unwrap()).await.1, "hello.");
    });
}

#[test]
fn a_request_goes_on_beside_its_answer() {
    worker(async {
        let (gateway, seen) = (gateway(), Seen::default());
        let (frames, body) = fed();
        let answer = send(&gateway, "/echo", body, false, &seen).await.unwrap();
        let mut body = answer.response.into_body();
        for piece in ["one", "two"] {
            frames.send(Ok(Frame::data(Bytes::from(piece)))).unwrap();
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), piece);
        }
        drop(frames);
        assert_eq!(body.collect().await.unwrap().to_bytes(), ".");
        until(|| gateway.in_flight() == 0).await;
    });
}

/// A body of one frame that comes once it may.
#[derive(Clone, Default)]
struct Late {
    may: Rc<Cell<bool>>,
    taken: Rc<Cell<bool>>,
}

impl http_body::Body for Late {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.may.get() {
            return Poll::Pending;
        }
        let first = !self.taken.replace(true);
        Poll::Ready(first.then(|| Ok(Frame::data(Bytes::from("hello")))))
    }
}

/// A client that does not read yet is no reason to keep its request from the origin: that may be
/// what the answer waits for.
#[test]
fn a_request_goes_on_while_nobody_reads_the_answer() {
    worker(async {
        let (gateway, seen, late) = (gateway(), Seen::default(), Late::default());
        let body = Body::boxed(late.clone());
        let answer = send(&gateway, "/flood", body, false, &seen).await.unwrap();
        let mut body = answer.response.into_body();
        late.may.set(true);
        poll_fn(|cx| {
            body.advance(cx);
            Poll::Ready(())
        })
        .await;
        assert!(late.taken.get());
        let all = tokio::time::timeout(Duration::from_secs(60), body.collect()).await;
        assert_eq!(all.unwrap().unwrap().to_bytes().len(), (1 << 20) + 1);
    });
}
