//! Things in order, for lists that are sorted once.
//!
//! The standard library's `sort` is made for speed: it is two to four kilobytes of the module for each type that
//! is sorted. Its heap is a tenth of that, and no list makes it slow either.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;

/// Puts things in order. Those that are equal come in any order.
pub(crate) fn sorted<T: Ord>(things: Vec<T>) -> Vec<T> {
    if things.is_sorted() { things } else { BinaryHeap::from(things).into_sorted_vec() }
}
