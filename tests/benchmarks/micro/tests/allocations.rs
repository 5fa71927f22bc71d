//! How often the core allocates for one request when all that it asks for is known.
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// At most so often: what it is today. Less is better.
const MOST: [(&str, u32); 2] = [("gate-token", 0), ("gate-sigv4", 17)];

struct Counting;

thread_local! {
    static COUNT: Cell<u32> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[test]
fn a_warm_request_allocates_no_more_than_it_did() {
    for (name, most) in MOST {
        let mut cases = micro::cases();
        let case = cases.iter_mut().find(|case| case.name == name).unwrap();
        // The first learns who it is, and a token is remembered when it comes again.
        for _ in 0..3 {
            (case.step)();
        }
        let before = COUNT.get();
        (case.step)();
        let count = COUNT.get() - before;
        assert!(count <= most, "{name}: {count} times");
    }
}
