//! What a set says, compared with what each event says by itself.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{MAX_EVENTS, MAX_SHAPES, RevocationSet, TokenFacts};
use crate::record::{RevocationEvent, Role};
use crate::time::UnixTime;

const NOBODY: TokenFacts<'_> = TokenFacts {
    issued_at: UnixTime::from_secs(100),
    expires_at: UnixTime::from_secs(3700),
    user_id: "user",
    trustor_id: None,
    trustee_id: None,
    user_domain_id: None,
    scope_domain_id: None,
    project_id: None,
    audit_id: "own",
    audit_chain_id: None,
    trust_id: None,
    consumer_id: None,
    access_token_id: None,
    roles: &[],
};

fn user(issued_before: u64, id: &str) -> RevocationEvent {
    let user_id = Some(id.into());
    RevocationEvent { issued_before, user_id, ..RevocationEvent::default() }
}

fn set(events: &[RevocationEvent]) -> RevocationSet {
    let mut set = RevocationSet::new(100, 7);
    for event in events {
        set.add(event);
    }
    set
}

/// Numbers that are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % below
    }

    /// A short text, or none; in one of two cases.
    fn text(&mut self) -> Option<String> {
        (self.below(2) == 0).then(|| ["", "a", "aa", "aaa"][self.index(4)].into())
    }

    /// The same, but mostly none.
    fn rare_text(&mut self) -> Option<String> {
        self.text().filter(|_| self.below(3) == 0)
    }

    fn index(&mut self, below: u64) -> usize {
        usize::try_from(self.below(below)).unwrap()
    }

    fn event(&mut self) -> RevocationEvent {
        RevocationEvent {
            issued_before: self.below(20),
            user_id: self.rare_text(),
            project_id: self.rare_text(),
            domain_id: self.rare_text(),
            domain_scope_id: self.rare_text(),
            role_id: self.rare_text(),
            trust_id: self.rare_text(),
            consumer_id: self.rare_text(),
            access_token_id: self.rare_text(),
            audit_id: self.rare_text(),
            audit_chain_id: self.rare_text(),
            expires_at: (self.below(9) == 0).then(|| self.below(3)),
        }
    }
}

/// The rule, word by word.
fn matches(event: &RevocationEvent, token: &TokenFacts<'_>) -> bool {
    let is = |wanted: &Option<String>, had: &[Option<&str>]| {
        wanted.as_deref().is_none_or(|wanted| had.contains(&Some(wanted)))
    };
    let roles: Vec<_> = token.roles.iter().map(|role| role.id.as_deref()).collect();
    event.issued_before >= token.issued_at.as_secs()
        && is(&event.user_id, &[Some(token.user_id), token.trustor_id, token.trustee_id])
        && is(&event.project_id, &[token.project_id])
        && is(&event.domain_id, &[token.user_domain_id, token.scope_domain_id])
        && is(&event.domain_scope_id, &[token.scope_domain_id])
        && is(&event.role_id, &roles)
        && is(&event.trust_id, &[token.trust_id])
        && is(&event.consumer_id, &[token.consumer_id])
        && is(&event.access_token_id, &[token.access_token_id])
        && is(&event.audit_id, &[Some(token.audit_id)])
        && is(&event.audit_chain_id, &[token.audit_chain_id])
        && event.expires_at.is_none_or(|end| end == token.expires_at.as_secs())
}

/// Calls `check` with random events, and a token that some of them are about.
fn with_random_tokens(mut check: impl FnMut(&[RevocationEvent], &TokenFacts<'_>)) {
    let mut random = Random(11);
    for _ in 0..4000 {
        let count = random.below(30);
        let events: Vec<_> = (0..count).map(|_| random.event()).collect();
        let texts: Vec<_> = (0..11).map(|_| random.text()).collect();
        let roles: Vec<_> =
            (0..random.below(4)).map(|_| Role::new(random.text(), "name".into())).collect();
        let text = |index: usize| texts[index].as_deref();
        let token = TokenFacts {
            issued_at: UnixTime::from_micros(random.below(20_000_000)),
            expires_at: UnixTime::from_micros(random.below(3_000_000)),
            user_id: text(0).unwrap_or("user"),
            trustor_id: text(1),
            trustee_id: text(2),
            user_domain_id: text(3),
            scope_domain_id: text(4),
            project_id: text(5),
            audit_id: text(6).unwrap_or("own"),
            audit_chain_id: text(7),
            trust_id: text(8),
            consumer_id: text(9),
            access_token_id: text(10),
            roles: &roles,
        };
        check(&events, &token);
    }
}

#[test]
fn a_set_revokes_what_one_of_its_events_revokes() {
    let mut revoked = 0;
    with_random_tokens(|events, token| {
        let expected = events.iter().any(|event| matches(event, token));
        assert_eq!(set(events).revokes(token), expected, "{events:#?} {token:#?}");
        // The order in which they come does not matter, and neither do those that come twice.
        let mut other = set(&events.iter().rev().cloned().collect::<Vec<_>>());
        for event in events {
            other.add(event);
        }
        assert_eq!(other.revokes(token), expected);
        assert!(other.len() <= events.len());
        revoked += u32::from(expected);
    });
    assert!((1000..3000).contains(&revoked), "{revoked}");
}

#[test]
fn what_there_is_no_room_for_is_revoked_all_the_same() {
    with_random_tokens(|events, token| {
        for capacity in 1..4 {
            let mut small = RevocationSet::new(capacity, 7);
            for event in events {
                small.add(event);
            }
            assert!(small.len() <= capacity);
            let is_revoked = events.iter().any(|event| matches(event, token));
            assert!(small.revokes(token) || !is_revoked, "{events:#?} {token:#?}");
            if small.floor().is_none() {
                assert_eq!(small.revokes(token), is_revoked);
            }
        }
    });
}

#[test]
fn the_floor_is_the_earliest_of_what_had_to_go() {
    let mut set = RevocationSet::new(3, 7);
    for (issued_before, id) in [(30, "c"), (10, "a"), (20, "b"), (10, "z")] {
        set.add(&user(issued_before, id));
    }
    assert_eq!((set.len(), set.floor()), (2, Some(10)));
    assert!(set.revokes(&TokenFacts { issued_at: UnixTime::from_secs(10), ..NOBODY }));
    assert!(!set.revokes(&TokenFacts { issued_at: UnixTime::from_secs(11), ..NOBODY }));
    set.add(&user(5, "d"));
    assert_eq!(set.len(), 2, "the floor says as much");
    set.forget_before(UnixTime::from_secs(11));
    assert_eq!((set.len(), set.floor()), (2, None));
}

#[test]
fn a_token_of_the_very_second_is_revoked() {
    let set = set(&[user(100, "user")]);
    for (micros, is_revoked) in [(99_999_999, true), (100_999_999, true), (101_000_000, false)] {
        let token = TokenFacts { issued_at: UnixTime::from_micros(micros), ..NOBODY };
        assert_eq!(set.revokes(&token), is_revoked, "{micros}");
    }
}

#[test]
fn an_event_is_forgotten_with_the_last_token_that_it_was_about() {
    let mut set = set(&[user(100, "a"), user(101, "b"), user(90, "b")]);
    assert_eq!(set.len(), 2);
    set.forget_before(UnixTime::from_secs(100));
    assert_eq!(set.len(), 2);
    set.forget_before(UnixTime::from_secs(101));
    assert_eq!(set.len(), 1);
    assert!(set.revokes(&TokenFacts { user_id: "b", ..NOBODY }));
    set.forget_before(UnixTime::from_secs(102));
    assert!(set.is_empty());
    set.forget_before(UnixTime::from_secs(0));
}

#[test]
fn an_event_that_names_nothing_revokes_all() {
    let set = set(&[user(300, "a"), RevocationEvent { issued_before: 100, ..user(0, "") }]);
    assert!(!set.is_empty());
    assert!(!set.revokes(&NOBODY), "an empty name is one, too");
    let mut set = set;
    set.add(&RevocationEvent { issued_before: 100, ..RevocationEvent::default() });
    assert_eq!((set.len(), set.floor()), (1, Some(100)));
    assert!(set.revokes(&NOBODY));
}

#[test]
fn a_new_shape_too_many_counts_as_a_wider_one() {
    let mut set = RevocationSet::new(MAX_EVENTS, 7);
    let id = |bits: u32, bit: u32| (bits >> bit & 1 == 1).then(|| String::from("x"));
    for bits in 1..128 {
        set.add(&RevocationEvent {
            issued_before: 100,
            role_id: id(bits, 0),
            domain_id: id(bits, 1),
            project_id: id(bits, 2),
            consumer_id: id(bits, 3),
            user_id: id(bits, 4),
            trust_id: id(bits, 5),
            audit_chain_id: id(bits, 6),
            ..RevocationEvent::default()
        });
    }
    assert_eq!(set.shapes.len(), MAX_SHAPES + 1);
    let roles = [Role::new(Some("x".into()), "x".into())];
    assert!(set.revokes(&TokenFacts { roles: &roles, ..NOBODY }), "as it was told");
    assert!(set.revokes(&TokenFacts { trust_id: Some("x"), ..NOBODY }), "as it was told");
    assert!(!set.revokes(&TokenFacts { trust_id: Some("y"), ..NOBODY }));
}

#[test]
fn holds_as_many_as_it_says() {
    let mut set = RevocationSet::new(usize::MAX, 7);
    for number in 0..=MAX_EVENTS {
        let issued_before = 100 + u64::try_from(number).unwrap() / 10;
        set.add(&user(issued_before, &format!("u{number}")));
    }
    assert_eq!((set.len(), set.floor()), (MAX_EVENTS - 9, Some(100)));
    assert!(set.revokes(&TokenFacts { user_id: "u10", ..NOBODY }));
    let later = TokenFacts { issued_at: UnixTime::from_secs(102), ..NOBODY };
    assert!(set.revokes(&TokenFacts { user_id: "u20", ..later }));
    assert!(!set.revokes(&TokenFacts { user_id: "u19", ..later }));
}
