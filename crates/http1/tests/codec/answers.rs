//! What the server side writes: framing, connection fields, interim responses, early ends.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::support::{Handler, full, options};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use lintel_http1::server::{self, Drain, Handle, Incoming, Meta, Options, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

type Req = Request<Incoming<DuplexStream>>;
type Hand = Handle<DuplexStream>;

/// A body of unknown size made of the given frames; `size` makes it claim one.
struct Frames {
    frames: Vec<Frame<Bytes>>,
    size: Option<u64>,
    fails: bool,
}

impl Frames {
    fn new(parts: &[&'static str]) -> Self {
        let frames = parts
            .iter()
            .rev()
            .map(|part| Frame::data(Bytes::from_static(part.as_bytes())))
            .collect();
        Self {
            frames,
            size: None,
            fails: false,
        }
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.frames.pop() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None if self.fails => Poll::Ready(Some(Err("upstream died"))),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.size
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Serves `input` with `answer`; gives what was written and how it ended.
async fn exchange<F, Fut, B>(
    input: &[u8],
    options: &Options,
    answer: F,
) -> (String, Result<(), String>)
where
    F: Fn(Req, Meta, Hand) -> Fut,
    Fut: Future<Output = Reply<B, DuplexStream>>,
    B: Body<Data = Bytes, Error: std::fmt::Display> + Unpin,
{
    let (near, mut far) = tokio::io::duplex(1 << 20);
    let (service, drain) = (Handler(answer), Drain::new());
    let mut output = Vec::new();
    let talk = async {
        far.write_all(input).await.unwrap();
        far.shutdown().await.unwrap();
        far.read_to_end(&mut output).await.unwrap();
    };
    let (ended, ()) = tokio::join!(
        server::serve(near, BytesMut::new(), &service, options, &drain),
        talk
    );
    (
        String::from_utf8(output).unwrap(),
        ended.map_err(|error| error.to_string()),
    )
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const GET_1_0: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
const HEAD: &[u8] = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";

fn reply<B>(
    status: u16,
    fields: &[(&'static str, &'static str)],
    body: B,
) -> Reply<B, DuplexStream> {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    Reply::from(response.body(body).unwrap())
}

type Fields = &'static [(&'static str, &'static str)];

/// Section, request, status and fields of the answer, the size its body claims, its frames, and what is written.
type Row = (
    &'static str,
    &'static [u8],
    u16,
    Fields,
    Option<u64>,
    &'static [&'static str],
    &'static str,
);

const HOP: Fields = &[
    ("connection", "x"),
    ("keep-alive", "1"),
    ("transfer-encoding", "gzip"),
    ("upgrade", "h3"),
    ("te", "x"),
    ("proxy-connection", "x"),
    ("trailer", "x"),
    ("y", "1"),
];

#[rustfmt::skip]
const FRAMING: &[Row] = &[
    ("RFC 9112 §7.1", GET, 200, &[], None, &["ab", "c"], "200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
    ("RFC 9112 §6.2", GET, 200, &[], Some(3), &["ab", "c"], "200 OK\r\ncontent-length: 3\r\n\r\nabc"),
    ("RFC 9112 §6.2", GET, 200, &[("content-length", "3")], None, &["ab", "c"], "200 OK\r\ncontent-length: 3\r\n\r\nabc"),
    ("RFC 9112 §6.2", GET, 200, &[("content-length", "3")], Some(3), &["ab", "c"], "200 OK\r\ncontent-length: 3\r\n\r\nabc"),
    ("RFC 9112 §6.3", GET, 200, &[], Some(0), &[], "200 OK\r\ncontent-length: 0\r\n\r\n"),
    ("RFC 9112 §6.3", GET_1_0, 200, &[], None, &["ab", "c"], "200 OK\r\nconnection: close\r\n\r\nabc"),
    ("RFC 9112 §9.3", GET_1_0, 200, &[], Some(3), &["ab", "c"], "200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc"),
    ("RFC 9112 §6.3", HEAD, 200, &[], None, &["ab", "c"], "200 OK\r\n\r\n"),
    ("RFC 9110 §8.6", HEAD, 200, &[("content-length", "9")], Some(0), &[], "200 OK\r\ncontent-length: 9\r\n\r\n"),
    ("RFC 9110 §8.6", GET, 204, &[("content-length", "0")], Some(0), &[], "204 No Content\r\n\r\n"),
    ("RFC 9112 §6.3", GET, 204, &[], Some(3), &["ab", "c"], "204 No Content\r\n\r\n"),
    ("RFC 9110 §15.4.5", GET, 304, &[("content-length", "9")], Some(0), &[], "304 Not Modified\r\ncontent-length: 9\r\n\r\n"),
    ("RFC 9112 §6.3", GET, 304, &[], Some(3), &["ab", "c"], "304 Not Modified\r\n\r\n"),
    ("RFC 9110 §7.6.1", GET, 200, HOP, Some(3), &["ab", "c"], "200 OK\r\ny: 1\r\ncontent-length: 3\r\n\r\nabc"),
    ("RFC 9110 §15.5.22", GET, 426, &[("upgrade", "websocket")], Some(0), &[], "426 Upgrade Required\r\ncontent-length: 0\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"),
];

#[tokio::test(start_paused = true)]
async fn framing_follows_from_the_body_and_the_request() {
    for (section, input, status, fields, size, parts, wanted) in FRAMING {
        let answer = |_, _, _| async {
            reply(
                *status,
                fields,
                Frames {
                    size: *size,
                    ..Frames::new(parts)
                },
            )
        };
        let (output, ended) = exchange(input, &options(), answer).await;
        assert_eq!(output, format!("HTTP/1.1 {wanted}"), "{section}");
        assert_eq!(ended, Ok(()), "{section}");
    }
}

/// HTTP/1.0 persists only when asked to (RFC 9112 §9.3).
#[tokio::test(start_paused = true)]
async fn keep_alive_in_1_0() {
    let input = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\nGET /no HTTP/1.0\r\n\r\n";
    let (output, _) = exchange(input, &options(), |_, _, _| async {
        reply(
            200,
            &[],
            Frames {
                size: Some(0),
                ..Frames::new(&[])
            },
        )
    })
    .await;
    assert_eq!(
        output,
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
}

/// Nothing is processed after `Connection: close` (RFC 9112 §9.6).
#[tokio::test(start_paused = true)]
async fn the_last_request_is_the_last() {
    let input =
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let (output, ended) = exchange(input, &options(), |_, _, _| async {
        reply(200, &[], full("x"))
    })
    .await;
    assert_eq!(
        output,
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx"
    );
    assert_eq!(ended, Ok(()));
    let (output, _) = exchange(
        &GET.repeat(3),
        &Options {
            max_requests: 2,
            ..options()
        },
        |_, _, _| async { reply(200, &[], full("x")) },
    )
    .await;
    assert_eq!(output.matches("200 OK").count(), 2);
    assert_eq!(output.matches("connection: close").count(), 1);
    let (output, _) = exchange(
        &GET.repeat(3),
        &options(),
        |_, _, handle: Hand| async move {
            handle.close_after();
            reply(200, &[], full("x"))
        },
    )
    .await;
    assert_eq!(output.matches("200 OK").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn interim_responses_go_ahead_of_the_answer() {
    let answer = |_, _, handle: Hand| async move {
        let mut fields = HeaderMap::new();
        fields.insert("link", "</a>".parse().unwrap());
        handle.interim(StatusCode::EARLY_HINTS, &fields);
        handle.interim(StatusCode::SWITCHING_PROTOCOLS, &fields);
        handle.interim(StatusCode::OK, &fields);
        tokio::task::yield_now().await;
        handle.interim(StatusCode::PROCESSING, &HeaderMap::new());
        reply(200, &[], full("x"))
    };
    let (output, _) = exchange(GET, &options(), answer).await;
    assert_eq!(
        output,
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx"
    );
    let (output, _) = exchange(GET_1_0, &options(), answer).await;
    assert_eq!(
        output,
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx"
    );
}

#[tokio::test(start_paused = true)]
async fn trailers_are_written_after_chunks() {
    let answer = |_, _, _| async {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        trailers.insert("content-length", "5".parse().unwrap());
        let mut body = Frames::new(&["a"]);
        body.frames.insert(0, Frame::trailers(trailers));
        reply(200, &[("trailer", "grpc-status")], body)
    };
    let (output, _) = exchange(GET, &options(), answer).await;
    assert_eq!(
        output,
        "HTTP/1.1 200 OK\r\ntrailer: grpc-status\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\ngrpc-status: 0\r\n\r\n"
    );
    let (output, _) = exchange(GET_1_0, &options(), answer).await;
    assert_eq!(output, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\na");
}

/// A body that is not what its head said never ends a message in good order (RFC 9112 §8).
#[tokio::test(start_paused = true)]
async fn bodies_of_the_wrong_length_cut_the_answer_off() {
    for parts in [&["ab"][..], &["ab", "cd"], &["abcd"]] {
        let answer = |_, _, _| async { reply(200, &[("content-length", "3")], Frames::new(parts)) };
        let (output, ended) = exchange(&GET.repeat(2), &options(), answer).await;
        assert_eq!(
            ended,
            Err("body of the answer does not have its declared length".to_owned()),
            "{output}"
        );
        assert!(
            output.len() < "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc".len(),
            "{output}"
        );
    }
    let answer = |_, _, _| async {
        reply(
            200,
            &[],
            Frames {
                fails: true,
                ..Frames::new(&["ab"])
            },
        )
    };
    let (output, ended) = exchange(&GET.repeat(2), &options(), answer).await;
    assert_eq!(
        ended,
        Err("body of the answer failed: upstream died".to_owned())
    );
    assert_eq!(
        output,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n"
    );
}

#[tokio::test(start_paused = true)]
async fn answers_that_cannot_be_framed_become_500() {
    let cases: &[(u16, Fields)] = &[
        (103, &[]),
        (101, &[]),
        (200, &[("content-length", "2")]),
        (200, &[("content-length", "x")]),
        (200, &[("content-length", "1"), ("content-length", "1")]),
    ];
    for (status, fields) in cases {
        let (output, _) = exchange(&GET.repeat(2), &options(), |_, _, _| async {
            reply(*status, fields, full("x"))
        })
        .await;
        assert!(
            output.starts_with("HTTP/1.1 500 Internal Server Error\r\n"),
            "{status}: {output}"
        );
        assert!(output.contains("connection: close\r\n"), "{output}");
        assert_eq!(output.matches("HTTP/1.1").count(), 1, "{output}");
    }
}

/// 100 Continue is sent when the body is asked for, and not before (RFC 9110 §10.1.1).
#[tokio::test(start_paused = true)]
async fn expectations() {
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    for (ask, wanted) in [
        (
            true,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
        ),
        (
            false,
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno",
        ),
    ] {
        let (near, mut far) = tokio::io::duplex(4096);
        let service = Handler(|request: Req, meta: Meta, _| async move {
            assert!(meta.expect_continue);
            let body = if ask {
                request.into_body().collect().await.unwrap().to_bytes()
            } else {
                Bytes::from_static(b"no")
            };
            reply(200, &[], full(body))
        });
        let (drain, opts) = (Drain::new(), options());
        let mut output = Vec::new();
        let talk = async {
            far.write_all(head).await.unwrap();
            if ask {
                let mut interim = [0; 25];
                far.read_exact(&mut interim).await.unwrap();
                output.extend_from_slice(&interim);
                far.write_all(b"abc").await.unwrap();
            }
            far.shutdown().await.unwrap();
            far.read_to_end(&mut output).await.unwrap();
        };
        let (ended, ()) = tokio::join!(
            server::serve(near, BytesMut::new(), &service, &opts, &drain),
            talk
        );
        assert_eq!(String::from_utf8(output).unwrap(), wanted);
        assert!(ended.is_ok());
    }
    // A body that came along needs no telling.
    let whole = [&head[..], b"abc"].concat();
    let (output, _) = exchange(&whole, &options(), |request: Req, _, _| async {
        reply(
            200,
            &[],
            full(request.into_body().collect().await.unwrap().to_bytes()),
        )
    })
    .await;
    assert_eq!(output, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc");
}

/// A declared length beyond the limit fails before the client is told to send.
#[tokio::test(start_paused = true)]
async fn limits() {
    let answer = |request: Req, _, _| async {
        let mut body = request.into_body();
        body.set_limit(4);
        match body.collect().await {
            Ok(body) => reply(200, &[], full(body.to_bytes())),
            Err(error) => reply(error.status().as_u16(), &[], full(error.to_string())),
        }
    };
    let input = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    let (output, _) = exchange(input, &options(), answer).await;
    assert!(output.starts_with("HTTP/1.1 413 "), "{output}");
    let input = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd";
    let (output, _) = exchange(input, &options(), answer).await;
    assert!(output.ends_with("\r\n\r\nabcd"), "{output}");
    let input = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let (output, _) = exchange(input, &options(), answer).await;
    assert!(
        output.starts_with("HTTP/1.1 413 ") && output.contains("connection: close"),
        "{output}"
    );
}

/// An unread body is read away if it is short; otherwise the connection closes, and says so if that is known.
#[tokio::test(start_paused = true)]
async fn unread_bodies() {
    let answer = |_: Req, _, _| async { reply(403, &[], full("no")) };
    let short = [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n".to_vec(),
        vec![b'x'; 1000],
        GET.to_vec(),
    ]
    .concat();
    let (output, ended) = exchange(&short, &options(), answer).await;
    assert_eq!(
        (output.matches("403 Forbidden").count(), ended),
        (2, Ok(()))
    );
    let chunked = [
        &b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
            [..],
        GET,
    ]
    .concat();
    let (output, ended) = exchange(&chunked, &options(), answer).await;
    assert_eq!(
        (output.matches("403 Forbidden").count(), ended),
        (2, Ok(()))
    );
    let long = [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n".to_vec(),
        vec![b'x'; 100_000],
        GET.to_vec(),
    ]
    .concat();
    let (output, ended) = exchange(&long, &options(), answer).await;
    assert_eq!(
        (output.matches("403 Forbidden").count(), ended),
        (1, Ok(()))
    );
    assert!(output.contains("connection: close"), "{output}");
}

#[tokio::test(start_paused = true)]
async fn a_tunnel_gets_the_connection_and_what_was_read() {
    let seen = Rc::new(std::cell::RefCell::new(String::new()));
    let log = Rc::clone(&seen);
    let answer = move |_: Req, meta: Meta, _| {
        let log = Rc::clone(&log);
        async move {
            let mut reply = reply(
                101,
                &[(
                    "upgrade",
                    meta.upgrade.unwrap().to_str().unwrap().to_owned().leak() as &str,
                )],
                full(""),
            );
            reply.tunnel = Some(Box::new(move |mut stream| {
                Box::pin(async move {
                    let mut text = String::new();
                    stream.read_to_string(&mut text).await.unwrap();
                    stream.write_all(b"pong").await.unwrap();
                    *log.borrow_mut() = text;
                })
            }));
            reply
        }
    };
    let input = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nping";
    let (output, ended) = exchange(input, &options(), answer).await;
    assert_eq!(
        output,
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\npong"
    );
    assert_eq!((seen.borrow().as_str(), ended), ("ping", Ok(())));
}

/// HTTP/2 with prior knowledge is handed back whole (RFC 9113 §3.3).
#[tokio::test(start_paused = true)]
async fn an_http2_preface_is_handed_back() {
    let (near, mut far) = tokio::io::duplex(4096);
    let service = Handler(|_: Req, _, _| async { reply(200, &[], full("")) });
    far.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrest")
        .await
        .unwrap();
    let ended = server::serve(near, BytesMut::new(), &service, &options(), &Drain::new()).await;
    let Err(server::ServeError::Http2(stream)) = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(
        &stream.into_parts().1[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrest"
    );
}
