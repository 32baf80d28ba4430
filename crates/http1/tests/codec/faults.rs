//! Peers that stop, vanish, stall or dribble.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::support::{self, Handler, empty, fetch, full, options, serve_bytes, serve_pieces};
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use lintel_http1::server::{self, Drain, Handle, Incoming, Meta, Options, Reply, ServeError};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

type Req<IO = DuplexStream> = Request<Incoming<IO>>;

async fn ok(_: Req, _: Meta, _: Handle<DuplexStream>) -> Reply<support::Body, DuplexStream> {
    Response::new(full("ok")).into()
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(listener.accept(), TcpStream::connect(address));
    (near.unwrap().0, far.unwrap())
}

/// Sets when it is dropped.
struct Dropped(Rc<Cell<bool>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

/// The stream ends after each byte in turn (RFC 9112 §8): never a request out of a cut-off message, never two answers, never a hang.
#[tokio::test(start_paused = true)]
async fn a_client_that_ends_anywhere() {
    let messages: [&[u8]; 2] = [
        b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
        b"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nT: 1\r\n\r\n",
    ];
    for message in messages {
        let head = message
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .unwrap()
            + 4;
        for end in 0..message.len() {
            let served = serve_bytes(&message[..end]).await;
            if end < head {
                assert!(
                    served.seen.is_empty() && served.output.is_empty(),
                    "{end}: {}",
                    served.text()
                );
            } else {
                assert_eq!(
                    served.seen,
                    ["body error: body ended before its end"],
                    "{end}"
                );
                assert_eq!(served.statuses(), [400], "{end}");
            }
        }
        assert_eq!(serve_bytes(message).await.statuses(), [200]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_ends_anywhere() {
    let messages: [&[u8]; 2] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nT: 1\r\n\r\n",
    ];
    for message in messages {
        let head = message
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .unwrap()
            + 4;
        for end in 0..message.len() {
            let request = Request::get("http://u/").body(empty()).unwrap();
            match fetch(request, &message[..end]).await {
                Err(error) => {
                    assert!(end < head, "{end}: {error}");
                    let wanted = if end == 0 {
                        "before answering"
                    } else {
                        "inside the head"
                    };
                    assert!(error.contains(wanted), "{end}: {error}");
                }
                Ok(got) => {
                    assert!(end >= head, "{end}");
                    assert_eq!(got.body.unwrap_err(), "body ended before its end", "{end}");
                    assert!(!got.recycled, "{end}");
                }
            }
        }
    }
}

/// A slow head is answered 408; a connection without any is closed silently (RFC 9110 §15.5.9).
#[tokio::test(start_paused = true)]
async fn slow_heads() {
    for (input, wanted) in [(&b"GET / HT"[..], "HTTP/1.1 408 "), (b"", "")] {
        let (near, mut far) = tokio::io::duplex(4096);
        let (service, drain, opts) = (Handler(ok), Drain::new(), Options::default());
        let began = Instant::now();
        let dribble = async {
            far.write_all(input).await.unwrap();
            let mut output = String::new();
            far.read_to_string(&mut output).await.unwrap();
            output
        };
        let (ended, output) = tokio::join!(
            server::serve(near, BytesMut::new(), &service, &opts, &drain),
            dribble
        );
        assert!(
            output.starts_with(wanted) && output.is_empty() == wanted.is_empty(),
            "{output}"
        );
        assert_eq!(ended.is_ok(), wanted.is_empty());
        assert!(
            began.elapsed() >= opts.header_timeout
                && began.elapsed() < opts.header_timeout + Duration::from_secs(3)
        );
    }
}

/// A head that comes byte by byte is under one deadline, not one per byte.
#[tokio::test(start_paused = true)]
async fn dribbled_heads() {
    let (near, mut far) = tokio::io::duplex(4096);
    let (service, drain, opts) = (Handler(ok), Drain::new(), Options::default());
    let dribble = async {
        far.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n")
            .await
            .unwrap();
        for _ in 0..30 {
            sleep(Duration::from_secs(1)).await;
            if far.write_all(b"a").await.is_err() {
                break;
            }
        }
        let mut output = Vec::new();
        let _reset = far.read_to_end(&mut output).await;
        String::from_utf8(output).unwrap()
    };
    let (ended, output) = tokio::join!(
        server::serve(near, BytesMut::new(), &service, &opts, &drain),
        dribble
    );
    assert!(output.starts_with("HTTP/1.1 408 "), "{output}");
    assert!(matches!(ended, Err(ServeError::Refused(refusal)) if refusal.status == 408));
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_closed() {
    let (near, mut far) = tokio::io::duplex(4096);
    let (service, drain, opts) = (Handler(ok), Drain::new(), Options::default());
    let began = Instant::now();
    let talk = async {
        far.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        let mut output = String::new();
        far.read_to_string(&mut output).await.unwrap();
        output
    };
    let (ended, output) = tokio::join!(
        server::serve(near, BytesMut::new(), &service, &opts, &drain),
        talk
    );
    assert!(
        ended.is_ok() && output.starts_with("HTTP/1.1 200 OK"),
        "{output}"
    );
    assert!(
        began.elapsed() >= opts.idle_timeout
            && began.elapsed() < opts.idle_timeout + Duration::from_secs(1)
    );
}

#[tokio::test(start_paused = true)]
async fn stalled_bodies() {
    let (near, mut far) = tokio::io::duplex(4096);
    let service = Handler(|request: Req, _, _| async {
        let error = request.into_body().collect().await.unwrap_err();
        Reply::<_, DuplexStream>::from(
            Response::builder()
                .status(error.status())
                .body(full("late"))
                .unwrap(),
        )
    });
    let (drain, opts) = (Drain::new(), Options::default());
    let talk = async {
        far.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
            .await
            .unwrap();
        sleep(Duration::from_secs(20)).await;
        far.write_all(b"d").await.unwrap();
        let mut output = String::new();
        far.read_to_string(&mut output).await.unwrap();
        output
    };
    let began = Instant::now();
    let (ended, output) = tokio::join!(
        server::serve(near, BytesMut::new(), &service, &opts, &drain),
        talk
    );
    assert!(
        output.starts_with("HTTP/1.1 408 ") && output.contains("connection: close"),
        "{output}"
    );
    assert!(
        began.elapsed() >= Duration::from_secs(50),
        "a byte starts the wait anew: {:?}",
        began.elapsed()
    );
    assert!(ended.is_ok());
}

/// A client that takes nothing is given up.
#[tokio::test(start_paused = true)]
async fn clients_that_do_not_read() {
    let (near, mut far) = tokio::io::duplex(1024);
    let service = Handler(|_: Req, _, _| async {
        Reply::<_, DuplexStream>::from(Response::new(full(Bytes::from(vec![b'x'; 1 << 20]))))
    });
    far.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let ended = server::serve(
        near,
        BytesMut::new(),
        &service,
        &Options::default(),
        &Drain::new(),
    )
    .await;
    assert!(matches!(ended, Err(ServeError::WriteTimeout)), "{ended:?}");
}

/// A client that goes away takes its pending request with it; one that only half closes does not, if that is allowed.
#[tokio::test(start_paused = true)]
async fn clients_that_leave() {
    for half_close in [false, true] {
        let (near, mut far) = tokio::io::duplex(4096);
        let dropped = Rc::new(Cell::new(false));
        let flag = Rc::clone(&dropped);
        let service = Handler(move |_: Req, _, _| {
            let guard = Dropped(Rc::clone(&flag));
            async move {
                let _guard = guard;
                sleep(Duration::from_secs(3)).await;
                Reply::<_, DuplexStream>::from(Response::new(full("late")))
            }
        });
        let opts = Options {
            half_close,
            ..Options::default()
        };
        far.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        far.shutdown().await.unwrap();
        let began = Instant::now();
        let ended = server::serve(near, BytesMut::new(), &service, &opts, &Drain::new()).await;
        let mut output = String::new();
        far.read_to_string(&mut output).await.unwrap();
        assert!(dropped.get());
        if half_close {
            assert!(ended.is_ok() && output.ends_with("late"), "{output}");
        } else {
            assert!(matches!(ended, Err(ServeError::ClientGone)), "{ended:?}");
            assert!(output.is_empty() && began.elapsed() < Duration::from_secs(3));
        }
    }
}

/// The same over sockets, by FIN and by RST, before and during the answer.
#[tokio::test]
async fn clients_that_leave_over_tcp() {
    for (reset, streaming) in [(false, false), (true, false), (false, true), (true, true)] {
        let (near, mut far) = pair().await;
        let dropped = Rc::new(Cell::new(false));
        let (flag, called) = (Rc::clone(&dropped), Rc::new(tokio::sync::Notify::new()));
        let begun = Rc::clone(&called);
        let service = Handler(move |_: Req<TcpStream>, _, _| {
            let (guard, begun) = (Dropped(Rc::clone(&flag)), Rc::clone(&begun));
            async move {
                begun.notify_one();
                let body = Endless(guard);
                if streaming {
                    return Reply::<_, TcpStream>::from(Response::new(body));
                }
                let _body = body;
                pending().await
            }
        });
        let (opts, drain) = (Options::default(), Drain::new());
        let client = async {
            far.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                .await
                .unwrap();
            called.notified().await;
            if streaming {
                far.read_u8().await.unwrap();
            }
            if reset {
                far.set_zero_linger().unwrap();
            }
            drop(far);
        };
        let (ended, ()) = tokio::join!(
            server::serve(near, BytesMut::new(), &service, &opts, &drain),
            client
        );
        assert!(
            matches!(ended, Err(ServeError::ClientGone)),
            "{reset} {streaming}: {ended:?}"
        );
        assert!(dropped.get());
    }
}

/// A body that is never ready.
struct Endless(#[allow(dead_code, reason = "held to see when it is dropped")] Dropped);

impl Body for Endless {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Pending
    }
}

/// An early refusal reaches a client that is still sending, instead of a reset (RFC 9112 §9.6).
#[tokio::test]
async fn early_answers_arrive() {
    let (near, mut far) = pair().await;
    let service = Handler(|_: Req<TcpStream>, _, _| async {
        Reply::<_, TcpStream>::from(
            Response::builder()
                .status(413)
                .body(full("too much"))
                .unwrap(),
        )
    });
    let (opts, drain) = (Options::default(), Drain::new());
    let client = async {
        far.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n")
            .await
            .unwrap();
        far.write_all(&vec![b'x'; 4_000_000]).await.unwrap();
        far.shutdown().await.unwrap();
        let mut output = String::new();
        far.read_to_string(&mut output).await.unwrap();
        output
    };
    let (ended, output) = tokio::join!(
        server::serve(near, BytesMut::new(), &service, &opts, &drain),
        client
    );
    assert!(
        output.starts_with("HTTP/1.1 413 ") && output.ends_with("too much"),
        "{output}"
    );
    assert!(ended.is_ok());
}

/// A body that fails under a client without chunks ends in a reset: the end of the stream would mean the end of the body.
#[tokio::test]
async fn cut_off_answers_without_length_are_reset() {
    let (near, mut far) = pair().await;
    let service = Handler(|_: Req<TcpStream>, _, _| async {
        let frames = [
            Ok(Frame::data(Bytes::from_static(b"part"))),
            Err("upstream died"),
        ];
        Reply::<_, TcpStream>::from(Response::new(Items(frames.into_iter().collect())))
    });
    let (opts, drain) = (
        Options {
            half_close: true,
            ..Options::default()
        },
        Drain::new(),
    );
    let client = async {
        far.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
        let mut output = Vec::new();
        far.read_to_end(&mut output).await.map(|_| output)
    };
    let (ended, output) = tokio::join!(
        server::serve(near, BytesMut::new(), &service, &opts, &drain),
        client
    );
    assert!(matches!(ended, Err(ServeError::ReplyBody(_))), "{ended:?}");
    assert_eq!(
        output.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
}

/// A body of unknown length made of these frames.
struct Items(VecDeque<Result<Frame<Bytes>, &'static str>>);

impl Body for Items {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.pop_front())
    }
}

/// Draining closes idle connections at once and busy ones after their answer.
#[tokio::test(start_paused = true)]
async fn draining() {
    let drain = Drain::new();
    let (opts, started) = (options(), Instant::now());
    let service = Handler(|_: Req, _, _| async {
        sleep(Duration::from_secs(2)).await;
        Reply::<_, DuplexStream>::from(Response::new(full("done")))
    });
    let (idle, _idle_far) = tokio::io::duplex(4096);
    let (busy, mut busy_far) = tokio::io::duplex(4096);
    busy_far
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let idle = async {
        server::serve(idle, BytesMut::new(), &service, &opts, &drain)
            .await
            .unwrap();
        started.elapsed()
    };
    let busy = async {
        server::serve(busy, BytesMut::new(), &service, &opts, &drain)
            .await
            .unwrap();
        started.elapsed()
    };
    let begin = async {
        sleep(Duration::from_secs(1)).await;
        assert_eq!(drain.connections(), 2);
        drain.start();
    };
    let (idle, busy, ()) = tokio::join!(idle, busy, begin);
    assert!(idle < Duration::from_millis(1100), "{idle:?}");
    assert!(
        busy >= Duration::from_secs(2) && busy < Duration::from_secs(4),
        "{busy:?}"
    );
    assert_eq!(drain.connections(), 0);
    let mut output = String::new();
    busy_far.read_to_string(&mut output).await.unwrap();
    assert!(
        output.contains("connection: close") && output.ends_with("done"),
        "{output}"
    );
}

#[tokio::test(start_paused = true)]
async fn head_limits() {
    let opts = Options {
        max_header_bytes: 2000,
        max_headers: 5,
        max_uri_bytes: 100,
        ..options()
    };
    let long_target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(100));
    let endless_target = format!("GET /{}", "x".repeat(400));
    let long_field = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(2000)
    );
    let endless_field = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(3000));
    let many_fields =
        "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n\r\n".to_owned();
    let fitting = "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n".to_owned();
    for (input, status) in [
        (long_target, 414),
        (endless_target, 414),
        (long_field, 431),
        (endless_field, 431),
        (many_fields, 431),
        (fitting, 200),
    ] {
        let served = serve_pieces(&[input.as_bytes()], &opts).await;
        assert_eq!(served.statuses(), [status], "{input}");
    }
}
