//! What all workers together make one service carry.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::sync::Notify;

/// Touched when connections are opened and closed and when a request has to wait, never on the way
/// of a request over a pooled connection.
#[derive(Default)]
pub(crate) struct Usage {
    pub(crate) connections: AtomicU32,
    pub(crate) pending: AtomicU32,
    /// A connection became free, or there is room for a new one.
    pub(crate) freed: Notify,
}

/// Room for one connection; given back on drop.
pub(crate) struct Room(Option<Arc<Usage>>);

/// A place among the waiting; given back on drop.
pub(crate) struct Place(Arc<Usage>);

impl Usage {
    /// Room for one more connection, if the limit has some.
    pub(crate) fn enter(self: &Arc<Self>, limit: Option<u32>) -> Option<Room> {
        take(&self.connections, limit.unwrap_or(u32::MAX)).then(|| Room(Some(Arc::clone(self))))
    }

    /// The room of a connection that was [kept](Room::keep).
    pub(crate) fn room(self: &Arc<Self>) -> Room {
        Room(Some(Arc::clone(self)))
    }

    /// A place among the waiting, if the limit has one.
    pub(crate) fn wait(self: &Arc<Self>, limit: u32) -> Option<Place> {
        take(&self.pending, limit).then(|| Place(Arc::clone(self)))
    }

    /// A connection is closed.
    pub(crate) fn leave(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
        self.freed.notify_one();
    }
}

impl Room {
    /// The room stays taken; whoever closes the connection calls [`Usage::leave`].
    pub(crate) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(usage) = &self.0 {
            usage.leave();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::Relaxed);
    }
}

fn take(count: &AtomicU32, limit: u32) -> bool {
    let more = |count: u32| (count < limit).then(|| count + 1);
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
        .is_ok()
}
