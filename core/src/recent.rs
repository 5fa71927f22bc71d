//! Things by their numbers, in the order in which they came or were last used: for caches, and for whatever
//! waits.
//!
//! Maps of the standard library, and caches made of them, are two to ten kilobytes of the module for each type
//! that is put in one. Here all that depends on the type is a list of things; which of them has a number, and
//! which is the oldest, is found out in the same code for all.

use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

/// Things by their numbers.
///
/// Numbers are given one after the other, or are [keyed hashes](keyed): nobody chooses where they go.
#[derive(Debug)]
pub struct Recent<T> {
    index: Index,
    /// Each in the place that the index tells.
    things: Vec<Option<T>>,
    most: usize,
}

/// Which number has which place.
#[derive(Debug)]
struct Index {
    /// Numbers with the same remainder are a chain; here is where each begins.
    chains: Vec<usize>,
    /// All places. The first is nobody's: before the oldest and behind the newest, and the end of all chains.
    nodes: Vec<Node>,
    /// The first place that is free. The next is in its chain.
    free: usize,
    len: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    number: u64,
    next: usize,
    older: usize,
    newer: usize,
}

/// Nobody's place.
const NONE: usize = 0;

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self::bounded(usize::MAX)
    }
}

impl<T> Recent<T> {
    /// With room for so many, though at least for one.
    #[must_use]
    pub fn bounded(most: usize) -> Self {
        Self { index: Index::new(), things: Vec::from([None]), most: most.max(1) }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.len == 0
    }

    /// The thing with this number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&T> {
        self.things.get(self.index.find(number))?.as_ref()
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.things.get_mut(self.index.find(number))?.as_mut()
    }

    /// The same, which is now the newest.
    pub fn touch(&mut self, number: u64) -> Option<&mut T> {
        let place = self.index.find(number);
        self.index.touch(place);
        self.things.get_mut(place)?.as_mut()
    }

    /// Puts a thing in, as the newest. What comes back had the same number, or was the oldest and had to
    /// make room.
    pub fn insert(&mut self, number: u64, thing: T) -> Option<(u64, T)> {
        let (place, before) = self.index.insert(number, self.most);
        let Some(it) = self.things.get_mut(place) else {
            self.things.push(Some(thing));
            return None;
        };
        it.replace(thing).map(|gone| (before, gone))
    }

    /// Takes out the thing with this number.
    pub fn remove(&mut self, number: u64) -> Option<T> {
        let place = self.index.find(number);
        self.index.remove(place);
        self.things.get_mut(place)?.take()
    }

    /// The oldest, with its number.
    #[must_use]
    pub fn oldest(&self) -> Option<(u64, &T)> {
        let place = self.index.oldest();
        Some((self.index.node(place).number, self.things.get(place)?.as_ref()?))
    }

    /// Takes out the oldest.
    pub fn pop_oldest(&mut self) -> Option<(u64, T)> {
        let place = self.index.oldest();
        let number = self.index.node(place).number;
        self.index.remove(place);
        Some((number, self.things.get_mut(place)?.take()?))
    }

    /// Lets go of all.
    pub fn clear(&mut self) {
        *self = Self::bounded(self.most);
    }

    /// The numbers of all for which `is_it` holds, the oldest first.
    pub fn numbers(&self, is_it: &dyn Fn(&T) -> bool) -> Vec<u64> {
        let mut numbers = Vec::new();
        let mut place = self.index.oldest();
        while let Some(Some(thing)) = self.things.get(place) {
            let node = self.index.node(place);
            if is_it(thing) {
                numbers.push(node.number);
            }
            place = node.newer;
        }
        numbers
    }

    /// All, in no order.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.things.iter_mut().flatten()
    }
}

impl Index {
    fn new() -> Self {
        let nodes = Vec::from([Node::default()]);
        Self { chains: Vec::new(), nodes, free: NONE, len: 0 }
    }

    fn node(&self, place: usize) -> Node {
        self.nodes.get(place).copied().unwrap_or_default()
    }

    /// The place of a number, or nobody's.
    fn find(&self, number: u64) -> usize {
        let mut place = self.chains.get(self.chain(number)).copied().unwrap_or(NONE);
        while place != NONE {
            let node = self.node(place);
            if node.number == number {
                break;
            }
            place = node.next;
        }
        place
    }

    /// The place of a number, which is the newest now, and whose place it was before: its own or, where there
    /// are as many as may be, the oldest's.
    fn insert(&mut self, number: u64, most: usize) -> (usize, u64) {
        let mut place = self.find(number);
        if place == NONE && self.len >= most {
            place = self.oldest();
        }
        let before = self.node(place).number;
        self.remove(place);
        // What has just become free is taken first.
        (self.add(number), before)
    }

    fn oldest(&self) -> usize {
        self.node(NONE).newer
    }

    /// Finds a place for a number that has none.
    fn add(&mut self, number: u64) -> usize {
        if self.len == self.chains.len() {
            self.make_chains();
        }
        let mut place = self.free;
        if place == NONE {
            place = self.nodes.len();
            self.nodes.push(Node::default());
        }
        self.free = self.node(place).next;
        if let Some(node) = self.nodes.get_mut(place) {
            node.number = number;
        }
        self.len += 1;
        self.enchain(place);
        self.become_newest(place);
        place
    }

    fn remove(&mut self, place: usize) {
        if place == NONE {
            return;
        }
        let Node { number, next, older, newer } = self.node(place);
        let chain = self.chain(number);
        let Some(mut link) = self.chains.get_mut(chain) else { return };
        while *link != place {
            let before = *link;
            let Some(node) = self.nodes.get_mut(before) else { return };
            link = &mut node.next;
        }
        *link = next;
        self.join(older, newer);
        if let Some(node) = self.nodes.get_mut(place) {
            node.next = self.free;
        }
        self.free = place;
        self.len -= 1;
    }

    fn touch(&mut self, place: usize) {
        if place != NONE {
            let Node { older, newer, .. } = self.node(place);
            self.join(older, newer);
            self.become_newest(place);
        }
    }

    fn become_newest(&mut self, place: usize) {
        let newest = self.node(NONE).older;
        self.join(newest, place);
        self.join(place, NONE);
    }

    fn join(&mut self, older: usize, newer: usize) {
        if let Some(node) = self.nodes.get_mut(older) {
            node.newer = newer;
        }
        if let Some(node) = self.nodes.get_mut(newer) {
            node.older = older;
        }
    }

    /// Which chain a number is in.
    fn chain(&self, number: u64) -> usize {
        let chains = u64::try_from(self.chains.len()).unwrap_or(u64::MAX);
        usize::try_from(number.checked_rem(chains).unwrap_or(0)).unwrap_or(usize::MAX)
    }

    fn enchain(&mut self, place: usize) {
        let chain = self.chain(self.node(place).number);
        if let (Some(first), Some(node)) = (self.chains.get_mut(chain), self.nodes.get_mut(place)) {
            node.next = core::mem::replace(first, place);
        }
    }

    /// Makes twice as many chains as there are: each has one number, more or less.
    fn make_chains(&mut self) {
        self.chains = Vec::new();
        self.chains.resize((self.len * 2).max(FEWEST_CHAINS), NONE);
        let mut place = self.oldest();
        while place != NONE {
            self.enchain(place);
            place = self.node(place).newer;
        }
    }
}

const FEWEST_CHAINS: usize = 8;

/// A hash with a key of this worker's own: who chooses what is hashed cannot choose where it goes.
pub(crate) fn keyed<T: Hash + ?Sized>(seed: u64, thing: &T) -> u64 {
    let mut hasher = KeyedHasher(SipHasher13::new_with_keys(seed, !seed));
    thing.hash(&mut hasher);
    hasher.finish()
}

/// The same of bytes.
pub(crate) fn keyed_bytes(seed: u64, bytes: &[u8]) -> u64 {
    SipHasher13::new_with_keys(seed, !seed).hash(bytes)
}

/// `SipHash`, whose code is there once and not at every text that is hashed.
struct KeyedHasher(SipHasher13);

impl Hasher for KeyedHasher {
    #[inline(never)]
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    fn finish(&self) -> u64 {
        self.0.finish()
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// The same without an index.
    struct Plain {
        things: Vec<(u64, u32)>,
        most: usize,
    }

    impl Plain {
        fn remove(&mut self, number: u64) -> Option<(u64, u32)> {
            let place = self.things.iter().position(|(other, _)| *other == number)?;
            Some(self.things.remove(place))
        }

        fn insert(&mut self, number: u64, thing: u32) -> Option<(u64, u32)> {
            let gone = self.remove(number);
            let is_full = self.things.len() == self.most;
            let gone = if is_full { Some(self.things.remove(0)) } else { gone };
            self.things.push((number, thing));
            gone
        }
    }

    #[test]
    fn does_what_a_plain_list_does() {
        let random = (0..40_000_u64).map(|count| keyed(1, &count));
        let (mut recent, mut plain) =
            (Recent::bounded(300), Plain { things: Vec::new(), most: 300 });
        for (count, random) in (0_u32..).zip(random) {
            // Numbers of which many have the same remainder, and of some things much is done.
            let number = (random >> 8) % 400 * if random & 64 == 0 { 1 } else { 1 << 20 };
            match random % 8 {
                0..3 => assert_eq!(recent.insert(number, count), plain.insert(number, count)),
                3 => assert_eq!(recent.remove(number), plain.remove(number).map(|it| it.1)),
                4 if count % 50 == 0 => {
                    let oldest = plain.things.first().copied();
                    assert_eq!(recent.oldest(), oldest.as_ref().map(|(number, it)| (*number, it)));
                    assert_eq!(recent.pop_oldest(), oldest);
                    plain.things.drain(..1.min(plain.things.len()));
                }
                5 if count % 5000 < 8 => {
                    recent.clear();
                    plain.things.clear();
                }
                _ => {
                    let found = plain.remove(number);
                    plain.things.extend(found);
                    let mut found = found.map(|it| it.1);
                    assert_eq!(recent.get(number), found.as_ref());
                    assert_eq!(recent.get_mut(number), found.as_mut());
                    assert_eq!(recent.touch(number), found.as_mut());
                }
            }
            assert_eq!(recent.len(), plain.things.len());
            if count % 50 == 0 {
                let are_even = plain.things.iter().filter(|(_, it)| it % 2 == 0);
                let even = recent.numbers(&|it| it % 2 == 0);
                assert!(are_even.map(|(number, _)| *number).eq(even));
                assert_eq!(recent.numbers(&|_| true).len(), plain.things.len());
                assert_eq!(recent.values_mut().count(), plain.things.len());
            }
        }
    }

    #[test]
    fn who_looks_first_is_no_newer_for_it() {
        let mut recent = Recent::bounded(2);
        recent.insert(1, 'a');
        recent.insert(2, 'b');
        assert_eq!(recent.get(1), Some(&'a'));
        assert_eq!(recent.get_mut(1), Some(&mut 'a'));
        assert_eq!(recent.insert(3, 'c'), Some((1, 'a')));
        assert_eq!(recent.touch(2), Some(&mut 'b'));
        assert_eq!(recent.insert(4, 'd'), Some((3, 'c')));
        assert_eq!(recent.insert(2, 'e'), Some((2, 'b')));
        assert_eq!(recent.numbers(&|_| true), [4, 2]);
        assert_eq!(recent.oldest(), Some((4, &'d')));
    }

    #[test]
    fn takes_room_for_the_most_there_were_at_once() {
        let mut recent = Recent::bounded(50);
        for number in 0..10_000 {
            recent.insert(number, ());
            assert!(recent.things.len() <= 51 && recent.index.nodes.len() <= 51);
            assert!(recent.index.chains.len() <= 64);
        }
    }

    #[test]
    fn another_seed_hashes_otherwise() {
        assert_eq!(keyed(1, "a"), keyed(1, "a"));
        assert_ne!(keyed(1, "a"), keyed(2, "a"));
        assert_ne!(keyed(1, "a"), keyed(1, "b"));
    }
}
