//! The client side beyond raw bytes: reuse, replay, early answers, expectations, timeouts.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::support::{Shelf, empty, full};
use bytes::Bytes;
use http::Request;
use http::request::Parts;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use lintel_http1::client::{Conn, Failure, Options, Recycle, SendError, SendOptions, Sent};
use lintel_http1::{BodyError, Timer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

type Outcome<B, IO = DuplexStream> = Result<Sent<IO>, SendError<B, BodyError>>;

fn head(method: &str) -> Parts {
    Request::builder()
        .method(method)
        .uri("http://u/")
        .body(())
        .unwrap()
        .into_parts()
        .0
}

async fn send<B, IO>(
    conn: Conn<IO>,
    method: &str,
    body: B,
    timer: &Timer,
    shelf: &Rc<Shelf<IO>>,
) -> Outcome<B, IO>
where
    IO: lintel_http1::Io + 'static,
    B: Body<Data = Bytes, Error = BodyError> + Unpin + 'static,
{
    let options = Options::default();
    let back: Rc<dyn Recycle<IO>> = shelf.clone();
    conn.send(
        &head(method),
        body,
        SendOptions::new(&options, timer),
        |_, _| {},
        back,
    )
    .await
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

/// Reads one head.
async fn read_head<IO: tokio::io::AsyncRead + Unpin>(io: &mut IO) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(io.read_u8().await.unwrap());
    }
    String::from_utf8(text).unwrap()
}

/// A body fed through a channel.
struct Fed(mpsc::UnboundedReceiver<&'static str>);

impl Body for Fed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0
            .poll_recv(cx)
            .map(|part| part.map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes())))))
    }
}

/// A connection is used again and again, and knows without a system call that it still can be.
#[tokio::test]
async fn reuse() {
    let (near, mut far) = pair().await;
    let (shelf, timer) = (Shelf::shared(), Timer::new());
    let mut conn = Conn::new(near);
    for round in 1..=3 {
        assert!(conn.is_idle_ok());
        let upstream = async {
            read_head(&mut far).await;
            far.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=7\r\n\r\nhi",
            )
            .await
            .unwrap();
        };
        let (sent, ()) = tokio::join!(send(conn, "GET", empty(), &timer, &shelf), upstream);
        let body = sent
            .unwrap()
            .response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes();
        assert_eq!(&body[..], b"hi");
        conn = shelf.0.borrow_mut().pop().unwrap();
        assert_eq!(
            (conn.requests(), conn.keep_alive_timeout()),
            (round, Some(7))
        );
    }
    drop(far);
    conn.io_mut().readable().await.unwrap();
    assert!(!conn.is_idle_ok(), "the upstream has closed it");
}

#[tokio::test]
async fn surplus_bytes_make_an_idle_connection_useless() {
    let (near, mut far) = pair().await;
    let mut conn = Conn::new(near);
    assert!(conn.is_idle_ok());
    far.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        .await
        .unwrap();
    conn.io_mut().readable().await.unwrap();
    assert!(!conn.is_idle_ok());
}

/// A connection that dies before the first byte gives the body back if nothing was taken from it.
#[tokio::test]
async fn replay() {
    for (method, body, untouched) in [("GET", empty(), true), ("PUT", full("abc"), false)] {
        let (near, far) = pair().await;
        drop(far);
        near.readable().await.unwrap();
        let (shelf, timer) = (Shelf::shared(), Timer::new());
        let error = send(Conn::new(near), method, body, &timer, &shelf)
            .await
            .err()
            .unwrap();
        assert!(
            matches!(
                error.failure,
                Failure::Closed | Failure::Write(_) | Failure::Read(_)
            ),
            "{error:?}"
        );
        assert_eq!(error.untouched_body.is_some(), untouched, "{error:?}");
        assert!(!error.response_started);
    }
}

/// An upstream that refuses early and closes is heard although writing to it fails.
#[tokio::test]
async fn answers_of_upstreams_that_stopped_reading() {
    let (near, mut far) = pair().await;
    let (shelf, timer) = (Shelf::shared(), Timer::new());
    let upstream = async {
        read_head(&mut far).await;
        far.write_all(
            b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno",
        )
        .await
        .unwrap();
        far.shutdown().await.unwrap();
        let mut discarded = vec![0; 1 << 16];
        while far.read(&mut discarded).await.is_ok_and(|count| count > 0) {}
    };
    let asking = async {
        let sent = send(
            Conn::new(near),
            "POST",
            full(vec![b'x'; 8 << 20]),
            &timer,
            &shelf,
        )
        .await
        .unwrap();
        assert_eq!(sent.response.status(), 413);
        let body = sent
            .response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes();
        assert_eq!(&body[..], b"no");
    };
    tokio::join!(asking, upstream);
    assert!(shelf.0.borrow().is_empty());
}

/// An answer that begins before the request is complete is passed on, and the request goes on being sent (full duplex).
#[tokio::test(start_paused = true)]
async fn early_answers() {
    let (near, mut far) = tokio::io::duplex(4096);
    let (shelf, timer) = (Shelf::shared(), Timer::new());
    let (feed, fed) = mpsc::unbounded_channel();
    let upstream = async {
        read_head(&mut far).await;
        far.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
            .await
            .unwrap();
        let mut rest = [0; 13];
        far.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"3\r\nabc\r\n0\r\n\r\n");
        far.write_all(b"0\r\n\r\n").await.unwrap();
    };
    let asking = async {
        let sent = send(Conn::new(near), "POST", Fed(fed), &timer, &shelf)
            .await
            .unwrap();
        let mut body = sent.response.into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(&first[..], b"ok");
        feed.send("abc").unwrap();
        drop(feed);
        assert!(body.frame().await.is_none());
    };
    tokio::join!(asking, upstream);
    assert_eq!(
        shelf.0.borrow().len(),
        1,
        "request and answer were complete"
    );
}

/// An upstream that was told to expect a body, and does what `script` says.
async fn expecting(mut far: DuplexStream, script: &str) {
    assert!(
        read_head(&mut far)
            .await
            .contains("expect: 100-continue\r\n")
    );
    let mut body = [0; 3];
    let early = tokio::time::timeout(Duration::from_millis(500), far.read_exact(&mut body)).await;
    assert!(early.is_err(), "the body came unasked");
    if script == "refusal" {
        far.write_all(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
            .await
            .unwrap();
        let mut rest = Vec::new();
        far.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty());
        return;
    }
    if script == "continue" {
        far.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .await
            .unwrap();
    }
    far.read_exact(&mut body).await.unwrap();
    assert_eq!(&body, b"abc");
    far.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await
        .unwrap();
}

/// The body waits for 100 Continue (RFC 9110 §10.1.1), but not for ever, and is not sent after a refusal.
#[tokio::test(start_paused = true)]
async fn expectations() {
    for (script, status) in [("continue", 200), ("silence", 200), ("refusal", 417)] {
        let (near, far) = tokio::io::duplex(4096);
        let (shelf, timer, options) = (Shelf::shared(), Timer::new(), Options::default());
        let began = Instant::now();
        let asking = async {
            let back: Rc<dyn Recycle<DuplexStream>> = shelf.clone();
            let plain = SendOptions::new(&options, &timer);
            let how = SendOptions {
                expect_continue: Some(Duration::from_secs(1)),
                ..plain
            };
            let sent = Conn::new(near)
                .send(&head("POST"), full("abc"), how, |_, _| {}, back)
                .await;
            sent.unwrap().response.status()
        };
        let (got, ()) = tokio::join!(asking, expecting(far, script));
        assert_eq!(got, status, "{script}");
        assert_eq!(
            shelf.0.borrow().len(),
            usize::from(script != "refusal"),
            "{script}"
        );
        let waited = began.elapsed() >= Duration::from_secs(1);
        assert_eq!(waited, script == "silence");
    }
}

#[tokio::test(start_paused = true)]
async fn stalled_bodies_time_out() {
    let (near, mut far) = tokio::io::duplex(4096);
    let (shelf, timer) = (Shelf::shared(), Timer::new());
    far.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        .await
        .unwrap();
    let sent = send(Conn::new(near), "GET", empty(), &timer, &shelf)
        .await
        .unwrap();
    let error = sent.response.into_body().collect().await.unwrap_err();
    assert!(matches!(error, BodyError::Timeout));
}

#[tokio::test(start_paused = true)]
async fn upstreams_that_take_nothing_time_out() {
    let (near, _far) = tokio::io::duplex(64);
    let (shelf, timer) = (Shelf::shared(), Timer::new());
    let error = send(
        Conn::new(near),
        "POST",
        full(vec![b'x'; 1000]),
        &timer,
        &shelf,
    )
    .await
    .err()
    .unwrap();
    assert!(matches!(error.failure, Failure::WriteTimeout), "{error:?}");
}

/// Waiting for the head is the caller's to bound, with the same timer.
#[tokio::test(start_paused = true)]
async fn a_deadline_for_the_head() {
    let (near, mut far) = tokio::io::duplex(4096);
    let (shelf, timer) = (Shelf::shared(), Timer::new());
    let deadline = Instant::now() + Duration::from_secs(5);
    let waited = timer
        .timeout_at(
            deadline,
            send(Conn::new(near), "GET", empty(), &timer, &shelf),
        )
        .await;
    assert!(waited.is_err() && Instant::now() >= deadline);
    let mut request = String::new();
    far.read_to_string(&mut request).await.unwrap();
    assert!(
        request.starts_with("GET / "),
        "and the connection is closed"
    );
}

/// A body that fails or lies about its length ends the request.
#[tokio::test(start_paused = true)]
async fn request_bodies_that_fail() {
    struct Failing;
    impl Body for Failing {
        type Data = Bytes;
        type Error = BodyError;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            Poll::Ready(Some(Err(BodyError::TooLarge)))
        }
    }
    let (shelf, timer) = (Shelf::shared(), Timer::new());
    let (near, _far) = tokio::io::duplex(4096);
    let error = send(Conn::new(near), "POST", Failing, &timer, &shelf)
        .await
        .err()
        .unwrap();
    assert!(
        matches!(error.failure, Failure::RequestBody(BodyError::TooLarge)),
        "{error:?}"
    );
    let (near, _far) = tokio::io::duplex(4096);
    let mut head = head("POST");
    head.headers.insert("content-length", "2".parse().unwrap());
    let options = Options::default();
    let back: Rc<dyn Recycle<DuplexStream>> = shelf.clone();
    let sent = Conn::new(near)
        .send(
            &head,
            full("abc"),
            SendOptions::new(&options, &timer),
            |_, _| {},
            back,
        )
        .await;
    assert!(matches!(
        sent.err().unwrap().failure,
        Failure::RequestLength
    ));
}

/// One timer, several deadlines: each is kept, and the latest asked is not the only one.
#[tokio::test(start_paused = true)]
async fn one_timer_keeps_many_deadlines() {
    let timer = Timer::new();
    let began = Instant::now();
    let wait = |seconds| {
        let timer = timer.clone();
        async move {
            let deadline = began + Duration::from_secs(seconds);
            std::future::poll_fn(|cx| timer.poll_deadline(cx, deadline)).await;
            began.elapsed().as_secs()
        }
    };
    let inner = async {
        // A deadline that is given up leaves nothing behind but an early wake-up.
        let given_up = timer
            .timeout_at(
                began + Duration::from_secs(2),
                sleep(Duration::from_secs(1)),
            )
            .await;
        given_up.is_ok()
    };
    let (a, b, c, ok) = tokio::join!(wait(9), wait(3), wait(6), inner);
    assert_eq!((a, b, c, ok), (9, 3, 6, true));
    assert_eq!(wait(1).await, 9, "a deadline in the past is ready at once");
}
