//! Getting a connection for a request.

use std::{pin::pin, rc::Rc, sync::Arc};

use lintel_http::body::Lease;
use lintel_http1::client::Conn;
use lintel_telemetry::metrics::PoolSource;
use lintel_tls::Stream;
use tokio::time::{self, Instant};

use super::{
    connect::{self, Offer},
    failure::Cause,
    http2::{Dial, Multiplexed},
    pool::{Pool, Speaks},
    service::View,
};
use crate::service::{Endpoint, Place, Room, Service};

/// Connections that were opened and were of no use before a request gives up.
const MAX_OPENED: usize = 3;

/// What a request needs of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Need {
    /// HTTP/1, to switch protocols.
    pub(crate) upgrade: bool,
    /// One that was not used before: the last one was, and had died.
    pub(crate) fresh: bool,
}

/// A connection that can carry a request, and the count of the request on it.
pub(crate) enum Ready {
    Http1(Conn<Stream>, Lease, PoolSource),
    /// With a place among the waiting where the connection has no free stream.
    Http2(Rc<Multiplexed>, Lease, Option<Place>),
}

/// Where a connection is to lead.
#[derive(Clone, Copy)]
pub(crate) struct Route<'a> {
    pub(crate) service: &'a Arc<Service>,
    pub(crate) view: &'a View,
    pub(crate) endpoint: &'a Arc<Endpoint>,
    pub(crate) pool: &'a Rc<Pool>,
}

impl Route<'_> {
    /// A connection that is there already.
    pub(crate) fn ready(self, need: Need) -> Option<Result<Ready, Cause>> {
        match self.speaks(need)? {
            Speaks::Http1 if need.fresh => None,
            Speaks::Http1 => {
                let (conn, source) = self.pool.take_idle(self.endpoint)?;
                Some(Ok(Ready::Http1(conn, self.pool.lease(), source)))
            }
            Speaks::Http2 => self.ready_stream(),
        }
    }

    fn speaks(self, need: Need) -> Option<Speaks> {
        if need.upgrade {
            Some(Speaks::Http1)
        } else {
            self.pool.speaks.get()
        }
    }

    /// A stream on the least busy connection. Where that is full, another connection is opened up
    /// to the bound, and beyond it requests wait for a stream to end.
    fn ready_stream(self) -> Option<Result<Ready, Cause>> {
        let streams = &self.pool.streams;
        let (_, has_room) = streams.least_busy()?;
        let bound = self.service.spec().keep_alive.max_h2_per_worker;
        if !has_room && streams.live() < bound && streams.dialing.borrow().is_none() {
            return None;
        }
        self.any_stream()
    }

    /// The same, content with what there is.
    fn any_stream(self) -> Option<Result<Ready, Cause>> {
        let (connection, has_room) = self.pool.streams.least_busy()?;
        let place = if has_room {
            None
        } else {
            match self.pool.usage.wait(self.service.spec().limits.pending) {
                Some(place) => Some(place),
                None => {
                    let text = "every stream is in use, and enough requests wait for one";
                    return Some(Err(Cause::overloaded(text)));
                }
            }
        };
        let lease = connection.lease();
        Some(Ok(Ready::Http2(connection, lease, place)))
    }

    /// Opens a connection, or waits for one.
    pub(crate) async fn acquire(self, need: Need) -> Result<Ready, Cause> {
        for _ in 0..MAX_OPENED {
            if self.speaks(need) == Some(Speaks::Http1) {
                return self.acquire_own(need).await;
            }
            let dial = match self.under_way() {
                Some(dial) => dial,
                None => match self.room(need).await? {
                    Either::Ready(ready) => return Ok(ready),
                    // Somebody else may have begun meanwhile.
                    Either::Room(room) => self.under_way().unwrap_or_else(|| {
                        Dial::begin(self.pool, self.service, self.endpoint, room)
                    }),
                },
            };
            let ready = match dial.wait().await {
                Ok(()) => self.ready(Need {
                    fresh: false,
                    ..need
                }),
                // What there is may be full, and is better than nothing.
                Err(error) => Some(
                    self.any_stream()
                        .unwrap_or_else(|| Err(Cause::connect(error))),
                ),
            };
            if let Some(ready) = ready {
                return ready;
            }
        }
        let used_up = || {
            Err(Cause::overloaded(
                "other requests have used up the connections that were opened",
            ))
        };
        self.any_stream().unwrap_or_else(used_up)
    }

    fn under_way(self) -> Option<Rc<Dial>> {
        self.pool.streams.dialing.borrow().clone()
    }

    /// A connection for this request alone.
    async fn acquire_own(self, need: Need) -> Result<Ready, Cause> {
        let room = match self.room(need).await? {
            Either::Room(room) => room,
            Either::Ready(ready) => return Ok(ready),
        };
        let offer = if need.upgrade {
            Offer::Http1
        } else {
            Offer::Any
        };
        self.pool.metrics.connect();
        match connect::connect(self.service, self.endpoint, offer).await {
            Ok((stream, Speaks::Http1)) => {
                self.pool.connection_opened(room);
                Ok(Ready::Http1(
                    Conn::new(stream),
                    self.pool.lease(),
                    PoolSource::Dial,
                ))
            }
            // The endpoint speaks HTTP/2 now: the next request will find out. This one is asked
            // again, on a connection that offers nothing else.
            Ok((stream, Speaks::Http2)) => {
                drop(stream);
                self.pool.speaks.set(None);
                match connect::connect(self.service, self.endpoint, Offer::Http1).await {
                    Ok((stream, _)) => {
                        self.pool.connection_opened(room);
                        Ok(Ready::Http1(
                            Conn::new(stream),
                            self.pool.lease(),
                            PoolSource::Dial,
                        ))
                    }
                    Err(error) => self.failed(error),
                }
            }
            Err(error) => self.failed(error),
        }
    }

    fn failed(self, error: connect::ConnectError) -> Result<Ready, Cause> {
        self.pool.metrics.connect_failed(error.reason);
        Err(Cause::connect(error))
    }

    /// Room for one more connection. Where the service's limit leaves none, an idle connection to
    /// another of its endpoints makes way, or the request waits until a connection comes free.
    async fn room(self, need: Need) -> Result<Either, Cause> {
        let spec = self.service.spec();
        let usage = &self.pool.usage;
        if let Some(room) = usage.enter(spec.limits.connections) {
            return Ok(Either::Room(room));
        }
        let Some(_place) = usage.wait(spec.limits.pending) else {
            return Err(Cause::overloaded(
                "every connection is in use, and enough requests wait for one",
            ));
        };
        let until = Instant::now() + spec.timeouts.connect;
        loop {
            let mut freed = pin!(usage.freed.notified());
            freed.as_mut().enable();
            if let Some(ready) = self.ready(Need {
                fresh: false,
                ..need
            }) {
                return ready.map(Either::Ready);
            }
            self.make_way();
            if let Some(room) = usage.enter(spec.limits.connections) {
                return Ok(Either::Room(room));
            }
            if time::timeout_at(until, freed).await.is_err() {
                return Err(Cause::overloaded(
                    "no connection came free within the connect timeout",
                ));
            }
        }
    }

    fn make_way(self) {
        for (pool, endpoint) in self.view.pools.iter().zip(self.view.set.endpoints()) {
            if pool.give_up_one(endpoint) {
                return;
            }
        }
    }
}

enum Either {
    Room(Room),
    Ready(Ready),
}
