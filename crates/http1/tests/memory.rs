//! What connections and bodies cost, counted by the allocator.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "codec/support.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::rc::Rc;

use bytes::BytesMut;
use http::{Request, Response};
use lintel_http1::client::{self, Conn, Recycle, SendOptions};
use lintel_http1::server::{self, Drain, Handle, Incoming, Meta, Options, Reply};
use support::{Handler, Shelf, full};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};

struct Counting;

thread_local! {
    /// Bytes this thread holds; each test runs in a thread of its own.
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ending = LIVE.try_with(|live| {
            live.set(live.get().wrapping_add(layout.size()));
            PEAK.try_with(|peak| peak.set(peak.get().max(live.get())))
        });
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let _ending = LIVE.try_with(|live| live.set(live.get().wrapping_sub(layout.size())));
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Req<IO> = Request<Incoming<IO>>;

async fn hello(
    _: Req<TcpStream>,
    _: Meta,
    _: Handle<TcpStream>,
) -> Reply<support::Body, TcpStream> {
    Response::new(full("hello")).into()
}

/// What DESIGN grants an idle keep-alive connection is 6 KiB for everything; the codec and its task take a part of it.
#[tokio::test]
async fn idle_connections_are_small() {
    const CONNECTIONS: usize = 200;
    support::local(async {
        let (options, drain) = (Rc::new(Options::default()), Drain::new());
        let probe = {
            let (near, _far) = tokio::io::duplex(64);
            let service = Handler(|_: Req<DuplexStream>, _: Meta, _| async {
                Reply::from(Response::new(full("")))
            });
            let serving = server::serve(near, BytesMut::new(), &service, &options, &drain);
            std::mem::size_of_val(&serving)
        };
        assert!(
            probe <= 2048,
            "the future of a connection with a trivial handler takes {probe} bytes"
        );

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut clients = Vec::with_capacity(CONNECTIONS);
        let mut before = 0;
        // The first connections fill the free lists and are not counted.
        for index in 0..CONNECTIONS + 20 {
            if index == 20 {
                before = LIVE.get();
            }
            let (accepted, connected) =
                tokio::join!(listener.accept(), TcpStream::connect(address));
            let (near, mut far) = (accepted.unwrap().0, connected.unwrap());
            let (options, drain) = (Rc::clone(&options), drain.clone());
            tokio::task::spawn_local(async move {
                let service = Handler(hello);
                server::serve(near, BytesMut::new(), &service, &options, &drain)
                    .await
                    .unwrap();
            });
            far.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX-Some: thing\r\n\r\n")
                .await
                .unwrap();
            let mut answer = [0; 43];
            far.read_exact(&mut answer).await.unwrap();
            assert!(
                answer.ends_with(b"hello"),
                "{:?}",
                String::from_utf8_lossy(&answer)
            );
            clients.push(far);
        }
        let each = (LIVE.get() - before) / CONNECTIONS;
        assert!(
            each <= 3 * 1024,
            "an idle connection and its client take {each} bytes"
        );
        drop(clients);
    })
    .await;
}

/// 100 MB up and the same down again through server, client and server, each with a small pipe between: no more than the buffers
/// in between is ever held, because nobody reads before somebody takes.
#[tokio::test]
async fn large_bodies_take_no_memory() {
    let (near, mut far) = tokio::io::duplex(64 * 1024);
    let (upstream_near, upstream_far) = tokio::io::duplex(64 * 1024);
    let (options, drain) = (
        Options {
            half_close: true,
            ..Options::default()
        },
        Drain::new(),
    );
    let echo = Handler(|request: Req<DuplexStream>, _, _| async {
        Reply::from(Response::new(request.into_body()))
    });
    let upstream = std::cell::RefCell::new(Some(Conn::new(upstream_near)));
    let client_options = client::Options::default();
    let proxy = Handler(
        |request: Req<DuplexStream>, _: Meta, handle: Handle<DuplexStream>| {
            let conn = upstream.borrow_mut().take().unwrap();
            let client_options = &client_options;
            async move {
                let (head, body) = request.into_parts();
                let back: Rc<dyn Recycle<DuplexStream>> = Shelf::shared();
                let how = SendOptions::new(client_options, handle.timer());
                let sent = conn.send(&head, body, how, |_, _| {}, back).await.unwrap();
                Reply::from(sent.response)
            }
        },
    );
    let before = LIVE.get();
    PEAK.set(before);
    let (reader, writer) = tokio::io::split(&mut far);
    let (front, back, (), received) = tokio::join!(
        server::serve(near, BytesMut::new(), &proxy, &options, &drain),
        server::serve(upstream_far, BytesMut::new(), &echo, &options, &drain),
        upload(writer),
        download(reader)
    );
    front.unwrap();
    back.unwrap();
    assert!(received > TOTAL && received < TOTAL + 300, "{received}");
    let held = PEAK.get() - before;
    assert!(held < 2 << 20, "{held} bytes were held at once");
}

const TOTAL: usize = 100_000_000;
const PIECE: usize = 50_000;

async fn upload(mut writer: impl AsyncWrite + Unpin) {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {TOTAL}\r\nConnection: close\r\n\r\n"
    );
    writer.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![b'x'; PIECE];
    for _ in 0..TOTAL / PIECE {
        writer.write_all(&piece).await.unwrap();
    }
}

/// Bytes received until the end, the head among them.
async fn download(mut reader: impl AsyncRead + Unpin) -> usize {
    let mut buffer = vec![0; PIECE];
    let mut received = 0;
    loop {
        let count = reader.read(&mut buffer).await.unwrap();
        if count == 0 {
            return received;
        }
        assert!(received > 0 || buffer.starts_with(b"HTTP/1.1 200 OK\r\n"));
        received += count;
    }
}
