//! A request over a pooled connection allocates what the codec does, and nothing more.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::{Cell, RefCell},
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    rc::Rc,
    thread,
};

use http::{HeaderValue, Request, header, request::Parts};
use http_body_util::BodyExt;
use lintel_http::{Body, Socket, Stream};
use lintel_http1::{
    Timer,
    client::{Conn, Options, Recycle, SendOptions},
};
use lintel_telemetry::Catalogue;
use lintel_upstream::{
    Call, Pools, Rules, Service, ServiceSpec, Tried,
    service::{Balance, EndpointSpec},
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is left to the system's allocator; counting touches a plain cell.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _gone = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _gone = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const WARM_UP: usize = 50;
const REQUESTS: usize = 200;

fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut request = [0; 4096];
                while matches!(stream.read(&mut request), Ok(1..)) {
                    stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                        .unwrap();
                }
            });
        }
    });
    address
}

fn head() -> Parts {
    let host = HeaderValue::from_static("orders.example");
    Request::get("/orders/7")
        .header(header::HOST, host)
        .body(())
        .unwrap()
        .into_parts()
        .0
}

/// Allocations of this thread in the last requests of many.
async fn count(mut request: impl AsyncFnMut()) -> usize {
    for _ in 0..WARM_UP {
        request().await;
    }
    let before = ALLOCATIONS.get();
    for _ in 0..REQUESTS {
        request().await;
    }
    ALLOCATIONS.get() - before
}

/// The codec alone, with a connection that comes back to where it was.
async fn codec(address: SocketAddr) -> usize {
    struct Home(RefCell<Option<Conn<Stream>>>);
    impl Recycle<Stream> for Home {
        fn recycle(&self, conn: Conn<Stream>) {
            *self.0.borrow_mut() = Some(conn);
        }
    }
    let socket = Socket::from(tokio::net::TcpStream::connect(address).await.unwrap());
    let home = Rc::new(Home(RefCell::new(Some(Conn::new(Stream::from(socket))))));
    let (head, timer, options) = (head(), Timer::new(), Options::default());
    count(async || {
        let conn = home.0.borrow_mut().take().unwrap();
        let deadline = tokio::time::Instant::now() + options.body_idle_timeout;
        let recycle = Rc::<Home>::clone(&home);
        let sent = conn.send(
            &head,
            Body::empty(),
            SendOptions::new(&options, &timer),
            |_, _| {},
            recycle,
        );
        let sent = timer.timeout_at(deadline, sent).await.unwrap().unwrap();
        Body::from(sent.response.into_body())
            .collect()
            .await
            .unwrap();
    })
    .await
}

async fn pooled(address: SocketAddr, balance: Balance) -> usize {
    let pools = Pools::new(0, Catalogue::new().worker());
    let spec = ServiceSpec {
        balance,
        ..ServiceSpec::new("orders", vec![EndpointSpec::http(address); 2])
    };
    let service = Service::build(spec, None).unwrap();
    let (mut head, timer) = (head(), Timer::new());
    count(async || {
        let call = Call {
            head: &mut head,
            body: Body::empty(),
            upgrade: None,
            expect_continue: false,
            te_trailers: false,
            deadline: None,
            timer: &timer,
            interim: &|_, _| {},
            key: None,
            tried: Tried::default(),
            retry: Rules::Service,
            guard: None,
            hurried: false,
            told: None,
        };
        let answer = pools.send(&service, call).await.unwrap();
        answer.response.into_body().collect().await.unwrap();
    })
    .await
}

#[test]
fn the_pool_adds_no_allocation_to_the_codec() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    let address = origin();
    let codec = runtime.block_on(codec(address));
    for balance in [
        Balance::RoundRobin,
        Balance::Random,
        Balance::LeastRequest,
        Balance::PeakEwma,
    ] {
        let pooled = runtime.block_on(pooled(address, balance.clone()));
        assert!(
            pooled <= codec + REQUESTS / 50,
            "{balance:?}: {pooled} allocations in {REQUESTS} requests, the codec alone {codec}"
        );
    }
}
