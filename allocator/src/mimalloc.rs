//! The calls of mimalloc: the only unsafe code of the crate. An allocator is unsafe by its trait, the two settings because they are in C.

use std::alloc::{GlobalAlloc, Layout};

use libmimalloc_sys::{mi_collect, mi_option_set, mi_option_t};
use mimalloc::MiMalloc;

/// mimalloc as `#[global_allocator]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocator;

// SAFETY: each call goes to mimalloc's own implementation with its arguments as they are.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { MiMalloc.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above; the block came from the same allocator.
        unsafe { MiMalloc.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { MiMalloc.realloc(block, layout, size) }
    }
}

/// `mi_option_purge_delay`, which the bindings have no name for; the same number in versions 2 and 3.
const PURGE_DELAY: mi_option_t = 15;

pub(crate) fn set_purge_delay(millis: i32) {
    // SAFETY: setting an option has no preconditions; any thread may, at any time.
    unsafe { mi_option_set(PURGE_DELAY, millis.into()) };
}

pub(crate) fn collect() {
    // SAFETY: no preconditions; it frees pages that hold no block.
    unsafe { mi_collect(true) };
}
