//! What Keystone has revoked: the answer to `GET /v1/revocations`.
//!
//! An edge first asks for the cursor of `/v1/changes`, then for all events that are in force, page
//! by page. What is revoked from then on comes as [`super::Change::Revocation`]; an event that comes
//! both ways is no harm.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;

use crate::json::{self, deserialize_as_json, from_fields};

/// Where events of revocation are asked for.
pub const REVOCATIONS_PATH: &str = "/v1/revocations";

/// The most events of an answer.
pub const MAX_REVOCATIONS: usize = 1000;

/// The most bytes of an answer.
pub const MAX_REVOCATIONS_BYTES: usize = 512 * 1024;

/// The longest id in an event, in bytes: Keystone's columns hold 64 characters.
pub const MAX_REVOCATION_ID: usize = 256;

/// One page of the events that are in force, in the order in which they were written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Revocations {
    /// What to ask with the next time: the number of the last event that was looked at.
    pub after: u64,
    /// Whether there are more: ask again at once.
    pub more: bool,
    /// The events.
    pub events: Vec<RevocationEvent>,
}

/// One event of revocation (`keystone/models/revoke_model.py`): **a token is revoked if it was issued
/// no later than `issued_before`, and has every other thing that the event names.** One that names
/// nothing else revokes all tokens of its time.
///
/// A field that is not known is passed over. If it is one more thing that tokens must have, the event
/// revokes more tokens than it should, never fewer.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RevocationEvent {
    /// The last second, in UNIX time, in which a token was issued that it revokes.
    pub issued_before: u64,
    /// The user, or the trustor or trustee of the token's trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The project that the token is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// The domain that the user belongs to, or that the token is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain_id: Option<String>,
    /// The domain that the token is for. Keystone keeps it as the `domain_id` of events that have
    /// `expires_at` as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain_scope_id: Option<String>,
    /// A role that the token gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_id: Option<String>,
    /// The token's trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_id: Option<String>,
    /// The OAuth 1.0a consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_id: Option<String>,
    /// The OAuth 1.0a access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token_id: Option<String>,
    /// The token's own audit id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_id: Option<String>,
    /// The audit id of the first token of the token's chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_chain_id: Option<String>,
    /// The second, in UNIX time, in which the token ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

/// Why bytes are no page of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRevocations {
    /// An event that [is not sound](RevocationEvent::is_sound).
    Event,
    /// More than [`MAX_REVOCATIONS`].
    EventCount,
    /// Not JSON of the right shape.
    Json,
    /// There is more, but not after what was asked with.
    NoProgress,
    /// More than [`MAX_REVOCATIONS_BYTES`].
    TooLong,
}

from_fields! { Revocations { after, more, events } }
from_fields! { RevocationEvent {
    issued_before, user_id, project_id, domain_id, domain_scope_id, role_id, trust_id,
    consumer_id, access_token_id, audit_id, audit_chain_id, expires_at
} }
deserialize_as_json!(Revocations, RevocationEvent);

impl Revocations {
    /// Reads the answer to a question with `after` from JSON; the first question has 0.
    pub fn from_json(json: &[u8], after: u64) -> Result<Self, InvalidRevocations> {
        if json.len() > MAX_REVOCATIONS_BYTES {
            return Err(InvalidRevocations::TooLong);
        }
        let page: Self = json::read(json).map_err(|_| InvalidRevocations::Json)?;
        if page.events.len() > MAX_REVOCATIONS {
            return Err(InvalidRevocations::EventCount);
        }
        if !page.events.iter().all(RevocationEvent::is_sound) {
            return Err(InvalidRevocations::Event);
        }
        if page.after < after || page.more && page.after == after {
            return Err(InvalidRevocations::NoProgress);
        }
        Ok(page)
    }

    /// Writes it as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Texts and numbers: there is nothing in them that could not be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Where to ask for the events after this one; 0 is before the first.
    #[must_use]
    pub fn path(after: u64) -> String {
        format!("{REVOCATIONS_PATH}?after={after}")
    }

    /// How many of these events one answer holds: up to [`MAX_REVOCATIONS`], and fewer where their
    /// ids are so long that it would have more than [`MAX_REVOCATIONS_BYTES`].
    #[must_use]
    pub fn how_many_fit<'a>(events: impl IntoIterator<Item = &'a RevocationEvent>) -> usize {
        let mut left = MAX_REVOCATIONS_BYTES - MOST_AROUND_EVENTS;
        let fits = |event: &&RevocationEvent| {
            left.checked_sub(event.most_bytes()).is_some_and(|less| {
                left = less;
                true
            })
        };
        events.into_iter().take(MAX_REVOCATIONS).take_while(fits).count()
    }
}

impl RevocationEvent {
    /// Whether a token could match it. Not one with an id that is empty, longer than
    /// [`MAX_REVOCATION_ID`], or has a control character in it: no token that is taken has such an
    /// id. A key server leaves these events out.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.ids().all(|id| {
            (1..=MAX_REVOCATION_ID).contains(&id.len()) && !id.chars().any(char::is_control)
        })
    }

    /// The most bytes that it takes as JSON, with a comma.
    #[must_use]
    pub(super) fn most_bytes(&self) -> usize {
        // At worst each character of an id is written with a backslash.
        self.ids().map(|id| MOST_AROUND_ID + 2 * id.len()).sum::<usize>() + MOST_AROUND_TIMES
    }

    fn ids(&self) -> impl Iterator<Item = &str> {
        let Self {
            issued_before: _,
            user_id,
            project_id,
            domain_id,
            domain_scope_id,
            role_id,
            trust_id,
            consumer_id,
            access_token_id,
            audit_id,
            audit_chain_id,
            expires_at: _,
        } = self;
        [
            user_id,
            project_id,
            domain_id,
            domain_scope_id,
            role_id,
            trust_id,
            consumer_id,
            access_token_id,
            audit_id,
            audit_chain_id,
        ]
        .into_iter()
        .flatten()
        .map(String::as_str)
    }
}

impl fmt::Display for InvalidRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event => f.write_str("an event with an id that is none"),
            Self::EventCount => write!(f, "more than {MAX_REVOCATIONS} events"),
            Self::Json => f.write_str("not the JSON of events of revocation"),
            Self::NoProgress => f.write_str("more to come, but not after what was asked with"),
            Self::TooLong => write!(f, "longer than {MAX_REVOCATIONS_BYTES} bytes"),
        }
    }
}

impl core::error::Error for InvalidRevocations {}

/// `{"after":,"more":false,"events":[]}` and the longest number.
const MOST_AROUND_EVENTS: usize = 36 + 20;

/// `"access_token_id":"",`
const MOST_AROUND_ID: usize = 21;

/// `{"issued_before":,"expires_at":},` and two of the longest numbers.
const MOST_AROUND_TIMES: usize = 33 + 2 * 20;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::string::ToString as _;
    use alloc::vec;
    use serde_json::{Value, json};

    fn read(json: &Value, after: u64) -> Result<Revocations, InvalidRevocations> {
        Revocations::from_json(json.to_string().as_bytes(), after)
    }

    /// An event that names everything, each thing by this id.
    fn full(id: &str) -> RevocationEvent {
        let id = Some(String::from(id));
        RevocationEvent {
            issued_before: u64::MAX,
            user_id: id.clone(),
            project_id: id.clone(),
            domain_id: id.clone(),
            domain_scope_id: id.clone(),
            role_id: id.clone(),
            trust_id: id.clone(),
            consumer_id: id.clone(),
            access_token_id: id.clone(),
            audit_id: id.clone(),
            audit_chain_id: id,
            expires_at: Some(u64::MAX),
        }
    }

    #[test]
    fn are_read_as_they_are_written() {
        let json = json!({
            "after": 17,
            "more": true,
            "events": [
                {"issued_before": 1_795_323_361_u64, "user_id": "u"},
                {"issued_before": 5, "audit_id": "a", "audit_chain_id": "a"},
                {"issued_before": 5, "project_id": "p", "domain_id": "d", "role_id": "r"},
                {"issued_before": 5, "domain_scope_id": "d", "expires_at": 7},
                {"issued_before": 5, "trust_id": "Ω", "consumer_id": "c", "access_token_id": "t"},
                {"issued_before": 5},
            ],
        });
        let page = read(&json, 3).unwrap();
        assert_eq!(page.events.len(), 6);
        assert_eq!(page.events[0].user_id.as_deref(), Some("u"));
        assert_eq!(page.events[3].expires_at, Some(7));
        let written: Value = serde_json::from_str(&page.to_json()).unwrap();
        assert_eq!(written, json);
    }

    #[test]
    fn knows_fields_of_later_servers_as_strangers() {
        let event = json!({"issued_before": 5, "user_id": "u", "phase": "full"});
        let page = read(&json!({"after": 1, "more": false, "events": [event], "x": 1}), 0).unwrap();
        assert_eq!(page.events[0].user_id.as_deref(), Some("u"));
    }

    #[test]
    fn refuses_what_is_no_page() {
        for json in [
            json!({}),
            json!([]),
            json!({"after": 1, "events": []}),
            json!({"after": -1, "more": false, "events": []}),
            json!({"after": "1", "more": false, "events": []}),
            json!({"after": 1, "more": false, "events": {}}),
            json!({"after": 1, "more": false, "events": [{}]}),
            json!({"after": 1, "more": false, "events": [{"issued_before": -1}]}),
            json!({"after": 1, "more": false, "events": [{"issued_before": "2026"}]}),
            json!({"after": 1, "more": false, "events": [{"issued_before": 1, "user_id": 7}]}),
        ] {
            assert_eq!(read(&json, 0), Err(InvalidRevocations::Json), "{json}");
        }
        for id in [String::new(), "a\n".into(), "a".repeat(MAX_REVOCATION_ID + 1)] {
            let event = json!({"issued_before": 1, "role_id": id});
            let json = json!({"after": 1, "more": false, "events": [event]});
            assert_eq!(read(&json, 0), Err(InvalidRevocations::Event), "{json}");
        }
        let many = vec![json!({"issued_before": 1}); MAX_REVOCATIONS + 1];
        let error = read(&json!({"after": 1, "more": false, "events": many}), 0);
        assert_eq!(error, Err(InvalidRevocations::EventCount));
        let long = " ".repeat(MAX_REVOCATIONS_BYTES + 1);
        let error = Revocations::from_json(long.as_bytes(), 0);
        assert_eq!(error, Err(InvalidRevocations::TooLong));
    }

    #[test]
    fn pages_go_forward() {
        let page = |after: u64, more: bool| json!({"after": after, "more": more, "events": []});
        assert!(read(&page(7, false), 7).is_ok());
        assert!(read(&page(8, true), 7).is_ok());
        assert_eq!(read(&page(7, true), 7), Err(InvalidRevocations::NoProgress));
        assert_eq!(read(&page(6, false), 7), Err(InvalidRevocations::NoProgress));
        assert_eq!(Revocations::path(0), "/v1/revocations?after=0");
    }

    #[test]
    fn what_fits_makes_a_page_that_is_read() {
        for id in ["a".into(), "\"".repeat(MAX_REVOCATION_ID), "Ω".repeat(128), "Ω".into()] {
            let mut events = vec![full(&id); MAX_REVOCATIONS + 1];
            events.truncate(Revocations::how_many_fit(&events));
            assert!(events.len() >= 90, "{}", events.len());
            let page = Revocations { after: u64::MAX, more: true, events };
            assert_eq!(Revocations::from_json(page.to_json().as_bytes(), 1), Ok(page));
        }
        let short = vec![RevocationEvent::default(); 2000];
        assert_eq!(Revocations::how_many_fit(&short), MAX_REVOCATIONS);
        assert_eq!(Revocations::how_many_fit([]), 0);
    }
}
