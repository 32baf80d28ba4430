//! Properties: splitting changes nothing, what is written is read back, nothing panics.

use super::support::{self, Handler, Shelf, describe, empty, fetch_pieces, options, serve_pieces};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::BodyExt;
use lintel_http1::client::{Conn, Options, Recycle, SendOptions};
use lintel_http1::server::{self, Drain, Incoming, Meta, Reply};
use lintel_http1::{BodyError, Timer};
use proptest::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;
use tokio::io::DuplexStream;

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    // The clock is paused and runs ahead when nothing can be done, so an hour is for ever: a hang is a failure.
    runtime
        .block_on(async {
            tokio::time::timeout(std::time::Duration::from_secs(3600), future).await
        })
        .expect("hangs")
}

/// Cuts `bytes` at the given places.
fn pieces<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
    places.sort_unstable();
    let mut out = Vec::new();
    let mut from = 0;
    for place in places {
        out.push(&bytes[from..place]);
        from = place;
    }
    out.push(&bytes[from..]);
    out
}

fn name() -> impl Strategy<Value = String> {
    // Names that no rule of the codec touches.
    "x-[a-zA-Z0-9!#$%&'*+.^_`|~-]{0,40}"
}

fn value() -> impl Strategy<Value = String> {
    "([!-~]([ -~\t]{0,30}[!-~])?)?"
}

fn target() -> impl Strategy<Value = String> {
    "/[a-zA-Z0-9/._~%!$&'()*+,;=:@-]{0,60}(\\?[a-zA-Z0-9/?._~%=&-]{0,40})?"
}

#[derive(Debug, Clone)]
struct Message {
    target: String,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
    /// Chunk sizes; `None` is by length.
    chunks: Option<Vec<usize>>,
    trailers: Vec<(String, String)>,
}

fn message() -> impl Strategy<Value = Message> {
    let fields = prop::collection::vec((name(), value()), 0..8);
    let trailers = prop::collection::vec((name(), value()), 0..3);
    let chunks = prop::option::of(prop::collection::vec(1_usize..200, 1..6));
    (
        target(),
        fields,
        prop::collection::vec(any::<u8>(), 0..600),
        chunks,
        trailers,
    )
        .prop_map(|(target, fields, body, chunks, trailers)| Message {
            target,
            fields,
            body,
            chunks,
            trailers,
        })
}

impl Message {
    fn encode(&self, first_line: &str, last: bool) -> Vec<u8> {
        let mut out = format!("{first_line}\r\n");
        for (name, value) in &self.fields {
            out += &format!("{name}: {value}\r\n");
        }
        if last {
            out += "Connection: close\r\n";
        }
        let Some(sizes) = &self.chunks else {
            let mut out = format!("{out}Content-Length: {}\r\n\r\n", self.body.len()).into_bytes();
            out.extend_from_slice(&self.body);
            return out;
        };
        let mut out = format!("{out}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
        let mut rest = &self.body[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, after) = rest.split_at(rest.len().min(*size));
            out.extend_from_slice(format!("{:x};e=1\r\n", chunk.len()).as_bytes());
            out.extend_from_slice(chunk);
            out.extend_from_slice(b"\r\n");
            rest = after;
        }
        out.extend_from_slice(b"0\r\n");
        for (name, value) in &self.trailers {
            out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    fn request(&self, last: bool) -> Vec<u8> {
        self.encode(&format!("POST {} HTTP/1.1\r\nHost: a", self.target), last)
    }

    fn headers(fields: &[(String, String)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        map
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn requests_mean_the_same_however_they_are_split(
        first in message(),
        second in message(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let bytes = [first.request(false), second.request(true)].concat();
        let whole = block_on(serve_pieces(&[&bytes], &options()));
        let split = block_on(serve_pieces(&pieces(&bytes, &cuts), &options()));
        prop_assert_eq!(whole.seen.len(), 2, "{:?} {:?}", whole.seen, whole.text());
        for (seen, message) in whole.seen.iter().zip([&first, &second]) {
            let head = format!("POST {} HTTP/1.1\n", message.target);
            prop_assert!(seen.starts_with(&head), "{seen}");
            let body = format!("[body {}]", String::from_utf8_lossy(&message.body));
            prop_assert!(seen.contains(&body), "{seen}");
        }
        prop_assert_eq!(whole.seen, split.seen);
        prop_assert_eq!(whole.output, split.output);
    }

    #[test]
    fn responses_mean_the_same_however_they_are_split(
        message in message(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let bytes = message.encode("HTTP/1.1 200 OK", false);
        let got = block_on(fetch_pieces(
            Request::get("http://u/").body(empty()).unwrap(),
            &pieces(&bytes, &cuts),
            false,
        )).unwrap();
        prop_assert_eq!(got.body.unwrap().to_vec(), message.body);
        let mut headers = got.headers;
        headers.remove("content-length");
        prop_assert_eq!(headers, Message::headers(&message.fields));
        if message.chunks.is_some() {
            prop_assert_eq!(got.trailers.unwrap_or_default(), Message::headers(&message.trailers));
        }
        prop_assert!(got.recycled);
    }

    /// The client's request read by the server, the server's answer read by the client.
    #[test]
    fn what_is_written_is_read_back(asked in message(), answered in message()) {
        block_on(async {
            let (near, far) = tokio::io::duplex(700);
            let seen = Rc::new(RefCell::new(String::new()));
            let (log, answer) = (Rc::clone(&seen), answered.clone());
            let service = Handler(move |request: Request<Incoming<DuplexStream>>, meta: Meta, _| {
                let (log, answer) = (Rc::clone(&log), answer.clone());
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    *log.borrow_mut() = describe(&Request::from_parts(parts, ()), &meta, &body);
                    let mut response = Response::new(framed(&answer));
                    *response.headers_mut() = Message::headers(&answer.fields);
                    Reply::from(response)
                }
            });
            let (opts, drain, timer) = (options(), Drain::new(), Timer::new());
            let client = async {
                let shelf = Shelf::shared();
                let back: Rc<dyn Recycle<DuplexStream>> = shelf.clone();
                let mut head = Request::builder().method(Method::POST).uri(&asked.target).header("host", "a").body(()).unwrap().into_parts().0;
                head.headers.extend(Message::headers(&asked.fields));
                let client_options = Options::default();
                let how = SendOptions::new(&client_options, &timer);
                let sent = Conn::new(near).send(&head, framed(&asked), how, |_, _| {}, back).await.unwrap();
                let (parts, body) = sent.response.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                (parts, body, shelf.0.take().len())
            };
            let (ended, (parts, body, kept)) =
                tokio::join!(server::serve(far, bytes::BytesMut::new(), &service, &opts, &drain), client);
            ended.unwrap();
            let mut headers = parts.headers;
            headers.remove("content-length");
            assert_eq!(headers, Message::headers(&answered.fields));
            assert_eq!((&body[..], kept), (&answered.body[..], 1));
            let text = seen.borrow();
            assert!(text.starts_with(&format!("POST {} HTTP/1.1\nhost=a\n", asked.target)), "{text}");
            assert!(text.ends_with(&format!("[body {}]", String::from_utf8_lossy(&asked.body))), "{text}");
        });
    }
}

/// The message's body: of known length, or in frames of unknown length.
fn framed(message: &Message) -> support::Body {
    match &message.chunks {
        None => support::full(message.body.clone()),
        Some(sizes) => {
            let mut frames = Vec::new();
            let mut rest = &message.body[..];
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (frame, after) = rest.split_at(rest.len().min(*size));
                frames.push(Ok::<_, BodyError>(http_body::Frame::data(
                    bytes::Bytes::copy_from_slice(frame),
                )));
                rest = after;
            }
            support::Frames::new(frames).boxed_unsync()
        }
    }
}

/// Bytes that look like HTTP often enough to get deep into the codec.
fn almost_http() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        &b"GET "[..],
        b"POST ",
        b"/",
        b"/a?b",
        b"*",
        b"http://h/",
        b" HTTP/1.1",
        b" HTTP/1.0",
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 101 S",
        b"HTTP/1.1 304 N",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b"Host: a",
        b"Content-Length: 3",
        b"Content-Length: 99999999999",
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"Connection: upgrade",
        b"Upgrade: x",
        b"Expect: 100-continue",
        b"X: y",
        b"Trailer: x",
        b"0\r\n",
        b"3\r\nabc\r\n",
        b"ffffffffffffffffff",
        b";ext=\"x\"",
        b"abc",
        b":",
        b" ",
        b"\t",
        b"\0",
        b"\xff",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ])
    .prop_map(<[u8]>::to_vec);
    let noise = prop::collection::vec(any::<u8>(), 0..8);
    prop::collection::vec(prop_oneof![8 => word, 1 => noise], 0..30)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every byte string ends a connection in good time, and every answer given to one is a whole head.
    #[test]
    fn no_bytes_hurt_the_server(bytes in almost_http(), cut in any::<prop::sample::Index>()) {
        let cut = if bytes.is_empty() { 0 } else { cut.index(bytes.len()) };
        let split = block_on(serve_pieces(&[&bytes[..cut], &bytes[cut..]], &options()));
        let whole = block_on(serve_pieces(&[&bytes], &options()));
        prop_assert_eq!(&whole.seen, &split.seen);
        prop_assert_eq!(whole.statuses(), split.statuses());
        prop_assert!(whole.output.is_empty() || whole.output.starts_with(b"HTTP/1.1 "));
    }

    #[test]
    fn no_bytes_hurt_the_client(bytes in almost_http(), cut in any::<prop::sample::Index>(), upgrade in any::<bool>()) {
        let cut = if bytes.is_empty() { 0 } else { cut.index(bytes.len()) };
        let request = || Request::get("http://u/").body(empty()).unwrap();
        let split = block_on(fetch_pieces(request(), &[&bytes[..cut], &bytes[cut..]], upgrade));
        let whole = block_on(fetch_pieces(request(), &[&bytes], upgrade));
        match (whole, split) {
            (Ok(whole), Ok(split)) => {
                prop_assert_eq!(whole.status, split.status);
                prop_assert_eq!(whole.headers, split.headers);
                prop_assert_eq!(whole.body, split.body);
                prop_assert_eq!(whole.interims, split.interims);
            }
            (Err(_), Err(_)) => {}
            (whole, split) => prop_assert!(false, "{:?} {:?}", whole.map(|got| got.status), split.map(|got| got.status)),
        }
    }
}
