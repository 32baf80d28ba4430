//! The allocator: mimalloc, called without the detour by which its own wrapper takes every request for an alignment.

use std::alloc::{GlobalAlloc, Layout};

use libmimalloc_sys as mi;

/// mimalloc aligns every block of more than a word to 16 bytes (`MI_MAX_ALIGN_SIZE`), and smaller ones to their size rounded up
/// to a power of two, so that only larger alignments have to be asked for. The plain way in takes a third of the instructions.
///
/// Transparent huge pages are off (`no_thp`): each thread begins its heap in 2 MiB pages of its own, of which it uses little; a
/// gateway that had served nothing yet took 29 MiB with them and takes 14 without.
pub(crate) struct Allocator;

const NATURAL: usize = 16;

unsafe extern "C" {
    /// Part of mimalloc, which is linked for the calls above; its declaration in `libmimalloc-sys` comes with much else.
    safe fn mi_collect(force: bool);
}

/// Gives memory that the calling thread has freed back to the system at once. After a configuration was read: what is left of a
/// large one is several times what it takes to serve it, and a thread that does nothing more gives nothing back by itself.
pub(crate) fn give_back() {
    mi_collect(true);
}

const fn is_natural(layout: &Layout) -> bool {
    layout.align() <= NATURAL && layout.align() <= layout.size()
}

// SAFETY: mimalloc hands out blocks as `GlobalAlloc` asks for: unique, of the size asked for, null if there is no memory, and
// aligned as described above or by the calls that take an alignment. All of them can be freed and resized by the same calls.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: a size and an alignment, which is a power of two, are all that is asked for.
        unsafe {
            if is_natural(&layout) {
                mi::mi_malloc(layout.size()).cast()
            } else {
                mi::mi_malloc_aligned(layout.size(), layout.align()).cast()
            }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        unsafe {
            if is_natural(&layout) {
                mi::mi_zalloc(layout.size()).cast()
            } else {
                mi::mi_zalloc_aligned(layout.size(), layout.align()).cast()
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the caller gives back a block of this allocator.
        unsafe { mi::mi_free(block.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // A block that shrinks below its alignment must keep it.
        let natural = is_natural(&layout) && layout.align() <= size;
        // SAFETY: the block is of this allocator, and the caller goes on with the one that is returned.
        unsafe {
            if natural {
                mi::mi_realloc(block.cast(), size).cast()
            } else {
                mi::mi_realloc_aligned(block.cast(), size, layout.align()).cast()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn blocks_are_aligned_as_asked() {
        for align in [1, 2, 4, 8, 16, 32, 64, 4096] {
            for size in (1..600).chain([1024, 4095, 4096, 70_000, 3 << 20]) {
                let layout = Layout::from_size_align(size, align).unwrap();
                // SAFETY: the layout is not empty, and each block is freed once with the layout it has.
                unsafe {
                    let block = Allocator.alloc(layout);
                    assert!(
                        block.addr().is_multiple_of(align),
                        "{size} bytes at {align}"
                    );
                    let size = size / 2 + 1;
                    let block = Allocator.realloc(block, layout, size);
                    assert!(
                        block.addr().is_multiple_of(align),
                        "shrunk to {size} at {align}"
                    );
                    let layout = Layout::from_size_align(size, align).unwrap();
                    Allocator.dealloc(block, layout);
                    let block = Allocator.alloc_zeroed(layout);
                    assert!(block.addr().is_multiple_of(align) && *block == 0);
                    Allocator.dealloc(block, layout);
                }
            }
        }
    }
}
