//! The steps of the core as a module, for `v8.mjs`.
#![allow(unsafe_code, reason = "names that a host can call")]

use std::cell::RefCell;

use micro::Case;

thread_local! {
    static CASES: RefCell<Vec<Case>> = RefCell::new(micro::cases());
}

/// Does the step of this number so often, and says whether there is one.
#[unsafe(no_mangle)]
pub extern "C" fn repeat(number: usize, count: u32) -> bool {
    CASES.with_borrow_mut(|cases| {
        let case = cases.get_mut(number);
        let Some(case) = case else { return false };
        for _ in 0..count {
            (case.step)();
        }
        true
    })
}
