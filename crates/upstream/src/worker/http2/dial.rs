//! Opening a connection for everybody who needs one: where HTTP/2 is spoken, or where it is not
//! known yet what is.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
};

use h2::client::Builder;
use lintel_http1::client::Conn;
use lintel_tls::Stream;
use tokio::{
    sync::Notify,
    time::{self, Instant},
};

use super::{
    Multiplexed,
    monitor::{Monitor, Monitored, Watch},
};
use crate::{
    service::{Endpoint, Room, Service},
    worker::{
        connect::{self, ConnectError, Offer},
        pool::{Pool, Speaks},
    },
};

/// Bytes that may be under way to one slow reader.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Bytes that may be under way on one connection: enough that many slow readers don't stop the
/// others.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// Bytes of one request body that may wait for the peer's window.
const SEND_BUFFER: usize = 256 * 1024;
/// Bytes of a response's header fields, as with HTTP/1.
const MAX_HEADER_LIST: u32 = 64 * 1024;
/// Streams that the peer made this side reset, at a time; more end the connection.
const MAX_LOCAL_RESETS: usize = 1024;

/// A connection being opened.
#[derive(Default)]
pub(crate) struct Dial {
    news: Notify,
    outcome: RefCell<Option<Result<(), ConnectError>>>,
}

/// Tells those who wait how it went, even if the task that opens the connection is dropped.
struct Opening {
    dial: Rc<Dial>,
    pool: Rc<Pool>,
}

impl Dial {
    /// Begins to open a connection. It goes where the worker's next request finds it.
    pub(crate) fn begin(
        pool: &Rc<Pool>,
        service: &Arc<Service>,
        endpoint: &Arc<Endpoint>,
        room: Room,
    ) -> Rc<Self> {
        let dial = Rc::new(Self::default());
        *pool.streams.dialing.borrow_mut() = Some(Rc::clone(&dial));
        let opening = Opening {
            dial: Rc::clone(&dial),
            pool: Rc::clone(pool),
        };
        let (service, endpoint) = (Arc::clone(service), Arc::clone(endpoint));
        tokio::task::spawn_local(async move {
            let outcome = open(&opening.pool, &service, &endpoint, room).await;
            *opening.dial.outcome.borrow_mut() = Some(outcome);
        });
        dial
    }

    /// Ready when the connection is there, or can't be.
    pub(crate) async fn wait(&self) -> Result<(), ConnectError> {
        loop {
            let news = self.news.notified();
            if let Some(outcome) = self.outcome.borrow().clone() {
                return outcome;
            }
            news.await;
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        *self.pool.streams.dialing.borrow_mut() = None;
        let lost = || Err(ConnectError::http2("the worker gave up"));
        self.dial.outcome.borrow_mut().get_or_insert_with(lost);
        self.dial.news.notify_waiters();
    }
}

async fn open(
    pool: &Rc<Pool>,
    service: &Service,
    endpoint: &Endpoint,
    room: Room,
) -> Result<(), ConnectError> {
    pool.metrics.connect();
    let opened = connect::connect(service, endpoint, Offer::Any).await;
    let opened = match opened {
        Ok((stream, Speaks::Http1)) => {
            pool.speaks.set(Some(Speaks::Http1));
            pool.connection_opened(room);
            if !pool.keep(Conn::new(stream)) {
                pool.connection_closed();
            }
            return Ok(());
        }
        Ok((stream, Speaks::Http2)) => handshake(pool, service, stream, room).await,
        Err(error) => Err(error),
    };
    match opened {
        Ok(connection) => {
            pool.speaks.set(Some(Speaks::Http2));
            pool.streams.add(connection);
            Ok(())
        }
        Err(error) => {
            pool.metrics.connect_failed(error.reason);
            Err(error)
        }
    }
}

/// How connections are begun.
pub(crate) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(MAX_HEADER_LIST)
        .max_local_error_reset_streams(Some(MAX_LOCAL_RESETS));
    builder
}

async fn handshake(
    pool: &Pool,
    service: &Service,
    stream: Stream,
    room: Room,
) -> Result<Rc<Multiplexed>, ConnectError> {
    let monitor = Monitor::new();
    let watch = Watch {
        monitor: Rc::clone(&monitor),
        _open: pool.metrics.connection(),
        _room: room,
    };
    let io = Monitored::new(stream, watch);
    let (sender, connection) = builder()
        .handshake(io)
        .await
        .map_err(|error| ConnectError::http2(&error.to_string()))?;
    tokio::task::spawn_local(Rc::clone(&monitor).drive(connection));
    // The peer's limit of streams comes with its first frame. One that keeps it back for too long
    // is taken to allow the usual number.
    let _too_long = time::timeout(service.spec().timeouts.connect, monitor.news.notified()).await;
    if let Some(ended) = monitor.ended() {
        let why = ended
            .err()
            .unwrap_or_else(|| "the endpoint closed the connection".to_owned());
        return Err(ConnectError::http2(&why));
    }
    Ok(Rc::new(Multiplexed {
        sender: RefCell::new(sender),
        monitor,
        load: Arc::clone(&pool.load),
        reporter: Rc::clone(&pool.reporter),
        metrics: Rc::clone(&pool.metrics),
        active: RefCell::default(),
        used: Cell::new(false),
        idle_since: Cell::new(Instant::now()),
    }))
}
