//! Per-thread free lists: taking a buffer or a header map is a pop, giving it back is a push.

use std::cell::RefCell;
use std::collections::VecDeque;

use bytes::BytesMut;
use http::HeaderMap;

/// Size of a read buffer: a whole usual head, and a small body with it.
pub(crate) const READ_SIZE: usize = 8 * 1024;
/// Size of one read of a body that did not fit the first buffer.
pub(crate) const BODY_READ_SIZE: usize = 64 * 1024;
/// Initial size of a write buffer.
const WRITE_SIZE: usize = 2 * 1024;
/// Write buffers that grew beyond this are freed instead of kept.
const WRITE_KEEP: usize = 32 * 1024;
/// How many of each kind a thread keeps: 2 MiB of read buffers at most.
const KEEP: usize = 256;
/// How many read buffers are asked whether anybody still refers to them.
const SEARCH: usize = 4;

#[derive(Default)]
struct Pool {
    read: ReadBuffers,
    write: Vec<Vec<u8>>,
    headers: Vec<HeaderMap>,
}

/// Read buffers that no connection holds.
///
/// A buffer mostly comes back while the fields of the head that was read into it are still in use. Such buffers wait in line, so that
/// the one that came back first, whose head is the likeliest to be gone, is asked first. Asked last in, first out, a worker with
/// many requests in flight would find none and take a new one for each.
#[derive(Default)]
struct ReadBuffers {
    free: Vec<BytesMut>,
    /// Referred to when they came back, oldest first.
    lent: VecDeque<BytesMut>,
}

impl ReadBuffers {
    fn take(&mut self) -> Option<BytesMut> {
        if let Some(buffer) = self.free.pop() {
            return Some(buffer);
        }
        let usable = |buffer: &mut BytesMut| buffer.try_reclaim(READ_SIZE);
        let place = self.lent.iter_mut().take(SEARCH).position(usable)?;
        self.lent.remove(place)
    }

    fn put(&mut self, mut buffer: BytesMut) {
        buffer.clear();
        let free = buffer.try_reclaim(READ_SIZE);
        if self.free.len() + self.lent.len() >= KEEP {
            // A head can be in use for as long as its answer takes, that of an upgraded connection for hours: the oldest in line
            // makes way, or a few such would stand in front of all others for good.
            self.lent.pop_front();
        }
        if self.free.len() + self.lent.len() >= KEEP {
            return;
        }
        if free {
            self.free.push(buffer);
        } else {
            self.lent.push_back(buffer);
        }
    }
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

fn with_pool<R>(f: impl FnOnce(&mut Pool) -> R) -> Option<R> {
    POOL.try_with(|pool| pool.try_borrow_mut().ok().map(|mut pool| f(&mut pool)))
        .ok()
        .flatten()
}

/// An empty buffer with room for [`READ_SIZE`] bytes.
pub(crate) fn take_read() -> BytesMut {
    with_pool(|pool| pool.read.take())
        .flatten()
        .unwrap_or_else(|| BytesMut::with_capacity(READ_SIZE))
}

/// Gives a read buffer back; its content is lost. Slices of it that are still held stay valid.
pub(crate) fn put_read(buffer: BytesMut) {
    with_pool(|pool| pool.read.put(buffer));
}

/// An empty buffer to write heads and small bodies into.
pub(crate) fn take_write() -> Vec<u8> {
    with_pool(|pool| pool.write.pop())
        .flatten()
        .unwrap_or_else(|| Vec::with_capacity(WRITE_SIZE))
}

/// Gives a write buffer back; its content is lost.
pub(crate) fn put_write(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > WRITE_KEEP {
        return;
    }
    buffer.clear();
    with_pool(|pool| {
        if pool.write.len() < KEEP {
            pool.write.push(buffer);
        }
    });
}

/// An empty map, with the capacity of an earlier one if there is one to reuse.
pub(crate) fn take_headers() -> HeaderMap {
    with_pool(|pool| pool.headers.pop())
        .flatten()
        .unwrap_or_else(|| HeaderMap::with_capacity(24))
}

/// Empties a header map that is no longer needed and keeps its allocation for the next head that this thread parses.
///
/// The codec does this itself with the head of every response it has written. Who is done with a request head may do the same;
/// not doing so costs two allocations in a later request and nothing else.
pub fn recycle_headers(mut headers: HeaderMap) {
    if headers.capacity() == 0 || headers.capacity() > 96 {
        return;
    }
    headers.clear();
    with_pool(|pool| {
        if pool.headers.len() < KEEP {
            pool.headers.push(headers);
        }
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn as_many_buffers_are_made_as_are_in_use_at_once() {
        const IN_FLIGHT: usize = 64;
        let mut buffers = ReadBuffers::default();
        let mut heads = VecDeque::new();
        let mut made = 0;
        for _ in 0..100 * IN_FLIGHT {
            let mut buffer = buffers.take().unwrap_or_else(|| {
                made += 1;
                BytesMut::with_capacity(READ_SIZE)
            });
            assert!(buffer.is_empty() && buffer.capacity() >= READ_SIZE);
            buffer.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
            heads.push_back(buffer.split().freeze());
            buffers.put(buffer);
            if heads.len() > IN_FLIGHT {
                heads.pop_front();
            }
        }
        assert!(made <= IN_FLIGHT + 2, "{made} buffers");
    }

    #[test]
    fn heads_that_stay_in_use_do_not_fill_the_pool() {
        let mut buffers = ReadBuffers::default();
        let mut heads = Vec::new();
        for _ in 0..2 * KEEP {
            let mut buffer = BytesMut::with_capacity(READ_SIZE);
            buffer.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
            heads.push(buffer.split().freeze());
            buffers.put(buffer);
            assert!(buffers.free.len() + buffers.lent.len() <= KEEP);
        }
        buffers.put(BytesMut::with_capacity(READ_SIZE));
        assert!(buffers.take().is_some());
        drop(heads);
        assert!(buffers.take().is_some());
    }
}
