//! Per-thread free lists: taking a buffer or a header map is a pop, giving it back is a push.

use std::cell::RefCell;

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
/// How deep the list is searched for a read buffer that nobody refers to any more.
const SEARCH: usize = 4;

#[derive(Default)]
struct Pool {
    read: Vec<BytesMut>,
    write: Vec<Vec<u8>>,
    headers: Vec<HeaderMap>,
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
    let pooled = with_pool(|pool| {
        let last = pool.read.len();
        // A buffer given back while header values still point into it becomes usable again when they are dropped.
        for index in (last.saturating_sub(SEARCH)..last).rev() {
            if pool
                .read
                .get_mut(index)
                .is_some_and(|buffer| buffer.try_reclaim(READ_SIZE))
            {
                return Some(pool.read.swap_remove(index));
            }
        }
        if last == KEEP {
            pool.read.pop();
        }
        None
    });
    pooled
        .flatten()
        .unwrap_or_else(|| BytesMut::with_capacity(READ_SIZE))
}

/// Gives a read buffer back; its content is lost. Slices of it that are still held stay valid.
pub(crate) fn put_read(mut buffer: BytesMut) {
    buffer.clear();
    with_pool(|pool| {
        if pool.read.len() < KEEP {
            pool.read.push(buffer);
        }
    });
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
