//! The tokens that were opened lately, so that the next request with one need not open it again.
//!
//! It saves the work and decides nothing: whether the keys that opened a token are still those in use,
//! whether it has expired, whom it stands for and whether it was revoked is looked at for every request.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::RefCell;

use super::opened::Opened;
use crate::recent::{Recent, keyed_bytes};
use crate::secret::Secret;

/// What one worker remembers of tokens; the least recently used goes first.
///
/// Only what keys have opened gets in, so that garbage pushes nothing out, and only when it comes again:
/// many clients use each token just once.
#[derive(Debug)]
pub struct KnownTokens {
    tokens: RefCell<Tokens>,
    seed: u64,
}

#[derive(Debug)]
struct Tokens {
    /// By a keyed hash of the text.
    known: Recent<Rc<Known>>,
    /// The bytes of all texts.
    bytes: usize,
    /// The hashes of texts that came lately, each in the place that it tells.
    seen: Box<[u64]>,
}

/// What is known of a text.
#[derive(Debug)]
pub(super) enum Found {
    /// The token that it is.
    Known(Rc<Known>),
    /// It came lately.
    Seen,
    /// Nothing.
    Nothing,
}

/// A token that keys have opened.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) text: Rc<Secret>,
    /// The keys that did.
    pub(super) generation: u64,
    pub(super) opened: Rc<Opened>,
}

impl KnownTokens {
    /// With room for so many tokens, though for no more than [`MAX_KNOWN_TOKENS`]. The seed must be
    /// unpredictable: who chooses a text must not choose which other it replaces.
    #[must_use]
    pub fn new(most: usize, seed: u64) -> Self {
        let known = Recent::bounded(most.min(MAX_KNOWN_TOKENS));
        let places = (0..SEEN).map(|_| 0).collect();
        Self { tokens: RefCell::new(Tokens { known, bytes: 0, seen: places }), seed }
    }

    /// The token with this text, byte for byte.
    pub(super) fn find(&self, text: &[u8]) -> Found {
        let Tokens { known, seen, .. } = &mut *self.tokens.borrow_mut();
        let hash = self.hash(text);
        if let Some(known) = known.touch(hash).filter(|known| known.text.matches(text)) {
            return Found::Known(Rc::clone(known));
        }
        let place = usize::try_from(hash % SEEN).unwrap_or_default();
        match seen.get_mut(place).map(|seen| core::mem::replace(seen, hash)) {
            Some(seen) if seen == hash => Found::Seen,
            _ => Found::Nothing,
        }
    }

    pub(super) fn remember(&self, text: Rc<Secret>, generation: u64, opened: &Rc<Opened>) {
        let Tokens { known, bytes, .. } = &mut *self.tokens.borrow_mut();
        let hash = self.hash(text.expose());
        *bytes += length(&text);
        let token = Rc::new(Known { text, generation, opened: Rc::clone(opened) });
        // What comes back had the same hash, or had to make room.
        if let Some((_, gone)) = known.insert(hash, token) {
            *bytes = bytes.saturating_sub(length(&gone.text));
        }
        while *bytes > MAX_BYTES
            && let Some((_, gone)) = known.pop_oldest()
        {
            *bytes = bytes.saturating_sub(length(&gone.text));
        }
    }

    fn hash(&self, text: &[u8]) -> u64 {
        keyed_bytes(self.seed, text)
    }
}

fn length(text: &Secret) -> usize {
    text.expose().len()
}

/// The most tokens that one worker remembers. With what a service is told of it, a token takes about four
/// kilobytes.
pub const MAX_KNOWN_TOKENS: usize = 4096;

/// How many texts are recognised that came once.
const SEEN: u64 = 4096;

/// The most bytes of their texts: signed tokens with many groups are long.
const MAX_BYTES: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::token::{AuditId, AuditIds, Delegation, Expiry, Id, Methods, Payload, Scope};
    use alloc::vec::Vec;

    fn opened() -> Rc<Opened> {
        let payload = Payload {
            user_id: Id::uuid([1; 16]),
            methods: Methods::Bits(2),
            expires_at: Expiry::from_seconds(1.0).unwrap(),
            audit_ids: AuditIds { own: AuditId([1; 16]), chain: None },
            scope: Scope::Unscoped,
            delegation: Delegation::None,
        };
        Rc::new(Opened::new(payload, 0, false, None))
    }

    fn remember(tokens: &KnownTokens, text: &[u8]) {
        tokens.remember(Rc::new(Secret::new(text.to_vec())), 1, &opened());
    }

    fn is_known(tokens: &KnownTokens, text: &[u8]) -> bool {
        match tokens.find(text) {
            Found::Known(known) => known.text.matches(text),
            Found::Seen | Found::Nothing => false,
        }
    }

    #[test]
    fn it_is_worth_remembering_what_comes_again() {
        let tokens = KnownTokens::new(8, 1);
        assert!(matches!(tokens.find(b"token"), Found::Nothing));
        assert!(matches!(tokens.find(b"other"), Found::Nothing));
        assert!(matches!(tokens.find(b"token"), Found::Seen));
    }

    #[test]
    fn a_token_is_found_by_its_very_text() {
        let tokens = KnownTokens::new(8, 1);
        remember(&tokens, b"token");
        assert!(is_known(&tokens, b"token"));
        for other in [&b"toke"[..], b"tokem", b"tokens", b""] {
            assert!(!is_known(&tokens, other));
        }
    }

    #[test]
    fn of_two_texts_with_one_hash_the_later_is_known_and_the_other_is_not_taken_for_it() {
        let tokens = KnownTokens::new(8, 1);
        remember(&tokens, b"token");
        let hash = tokens.hash(b"other");
        let known = tokens.tokens.borrow_mut().known.remove(tokens.hash(b"token")).unwrap();
        tokens.tokens.borrow_mut().known.insert(hash, known);
        assert!(!is_known(&tokens, b"other"));
        remember(&tokens, b"other");
        assert!(is_known(&tokens, b"other"));
    }

    #[test]
    fn there_are_no_more_than_have_room() {
        let tokens = KnownTokens::new(8, 1);
        for number in 0..100_u8 {
            remember(&tokens, &[number]);
            is_known(&tokens, &[0]);
        }
        let found: Vec<_> = (0..100_u8).filter(|number| is_known(&tokens, &[*number])).collect();
        assert_eq!(found, [0, 93, 94, 95, 96, 97, 98, 99], "the least recently used has gone");
        assert_eq!(tokens.tokens.borrow().bytes, 8);
    }

    #[test]
    fn their_texts_have_a_limit_too() {
        let tokens = KnownTokens::new(MAX_KNOWN_TOKENS, 1);
        for number in 0..600_u32 {
            let text = [&number.to_be_bytes()[..], &[0; 16_380]].concat();
            remember(&tokens, &text);
            assert!(is_known(&tokens, &text));
            assert!(tokens.tokens.borrow().bytes <= MAX_BYTES);
        }
        assert_eq!(tokens.tokens.borrow().known.len(), MAX_BYTES / 16_384);
    }
}
