//! What has changed of the things that edges hold: the answer to `GET /v1/changes`.
//!
//! An edge asks with the cursor of the answer before, and gets what has changed since, in order.
//! Without a cursor it gets the present one and no changes: a feed begins, and what was held
//! before has to be confirmed again. So it does when the answer is 410: then the key server does not
//! know the cursor, or no longer all that has changed since.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::{MAX_TEXT, RevocationEvent};
use crate::json::{self, FromJson, Json, Reader, deserialize_as_json, from_fields};

/// Where changes are asked for.
pub const CHANGES_PATH: &str = "/v1/changes";

/// The most changes of an answer.
pub const MAX_CHANGES: usize = 1000;

/// The most bytes of an answer.
pub const MAX_CHANGES_BYTES: usize = 256 * 1024;

/// The most characters of a cursor.
pub const MAX_CURSOR: usize = 64;

/// The longest id in a change, in bytes.
pub const MAX_CHANGE_ID: usize = MAX_TEXT;

/// What has changed since a cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// What to ask with the next time.
    pub cursor: Cursor,
    /// Whether there is more already: ask again at once.
    pub more: bool,
    /// What has changed, in order.
    pub changes: Vec<Change>,
}

/// One thing that has changed. Whatever was made of it has to be confirmed again.
///
/// Reading one never fails: a kind that is not known, or an id or an event that is none, counts as
/// [`Change::All`], since whoever does not know what has changed can rely on nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Change {
    /// Any of it may have changed.
    All,
    /// An access key: it was made, switched on or off, deleted, or restricted.
    AccessKey(String),
    /// An application credential, and the access keys and tokens that came from it.
    ApplicationCredential(String),
    /// The service catalogue, of some projects or of all.
    Catalog,
    /// A domain, and all that belongs to it.
    Domain(String),
    /// A project, and the roles in it.
    Project(String),
    /// Tokens were revoked. It says nothing of access keys: of these, the other kinds tell.
    Revocation(Box<RevocationEvent>),
    /// The keys that open Keystone's tokens.
    TokenKeys,
    /// A trust, and the access keys and tokens that came from it.
    Trust(String),
    /// A user, and its roles.
    User(String),
}

/// What a change is about, where it is about one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing<'a> {
    /// An access key.
    AccessKey(&'a str),
    /// An application credential, by its id.
    ApplicationCredential(&'a str),
    /// The service catalogue.
    Catalog,
    /// A domain, by its id.
    Domain(&'a str),
    /// A project, by its id.
    Project(&'a str),
    /// A trust, by its id.
    Trust(&'a str),
    /// A user, by its id.
    User(&'a str),
}

/// A place in the order of changes: 1 to [`MAX_CURSOR`] of `A-Z`, `a-z`, `0-9`, `.`, `_` and `-`. What
/// it means is the key server's own affair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cursor(String);

/// Why bytes are no changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidChanges {
    /// More than [`MAX_CHANGES`].
    ChangeCount,
    /// Not JSON of the right shape.
    Json,
    /// There is more, but at the cursor that was asked with.
    NoProgress,
    /// More than [`MAX_CHANGES_BYTES`].
    TooLong,
}

from_fields! { Changes { cursor, more, changes } }
deserialize_as_json!(Changes, Change);

impl Changes {
    /// Reads the answer to a question with the cursor `after` from JSON.
    pub fn from_json(json: &[u8], after: Option<&Cursor>) -> Result<Self, InvalidChanges> {
        if json.len() > MAX_CHANGES_BYTES {
            return Err(InvalidChanges::TooLong);
        }
        let answer: Self = json::read(json).map_err(|_| InvalidChanges::Json)?;
        if answer.changes.len() > MAX_CHANGES {
            return Err(InvalidChanges::ChangeCount);
        }
        if answer.more && after == Some(&answer.cursor) {
            return Err(InvalidChanges::NoProgress);
        }
        Ok(answer)
    }

    /// Writes it as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Texts and a truth value: there is nothing in them that could not be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// How many of these changes one answer holds: up to [`MAX_CHANGES`], and fewer where their ids
    /// are so long that it would have more than [`MAX_CHANGES_BYTES`].
    #[must_use]
    pub fn how_many_fit<'a>(changes: impl IntoIterator<Item = &'a Change>) -> usize {
        let mut left = MAX_CHANGES_BYTES - MOST_AROUND_CHANGES;
        let fits = |change: &&Change| {
            left.checked_sub(change.most_bytes()).is_some_and(|less| {
                left = less;
                true
            })
        };
        changes.into_iter().take(MAX_CHANGES).take_while(fits).count()
    }
}

impl Change {
    /// What JSON calls its kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::AccessKey(_) => "access_key",
            Self::All => "all",
            Self::ApplicationCredential(_) => "application_credential",
            Self::Catalog => "catalog",
            Self::Domain(_) => "domain",
            Self::Project(_) => "project",
            Self::Revocation(_) => "revocation",
            Self::TokenKeys => "token_keys",
            Self::Trust(_) => "trust",
            Self::User(_) => "user",
        }
    }

    /// What it is about, where that is one thing.
    #[must_use]
    pub fn thing(&self) -> Option<Thing<'_>> {
        Some(match self {
            Self::AccessKey(id) => Thing::AccessKey(id),
            Self::ApplicationCredential(id) => Thing::ApplicationCredential(id),
            Self::Domain(id) => Thing::Domain(id),
            Self::Project(id) => Thing::Project(id),
            Self::Trust(id) => Thing::Trust(id),
            Self::User(id) => Thing::User(id),
            Self::Catalog => Thing::Catalog,
            Self::All | Self::Revocation(_) | Self::TokenKeys => return None,
        })
    }

    /// The id of what has changed, where only one of its kind has.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.thing().and_then(Thing::id)
    }

    /// The change itself; [`Change::All`] in place of one that no edge would know, since its id is
    /// empty, longer than [`MAX_CHANGE_ID`], or has a control character in it, or since its event
    /// [is not sound](RevocationEvent::is_sound).
    #[must_use]
    pub fn or_all(self) -> Self {
        let is_sound = match &self {
            Self::Revocation(event) => event.is_sound(),
            _ => self.id().is_none_or(|id| {
                (1..=MAX_CHANGE_ID).contains(&id.len()) && !id.chars().any(char::is_control)
            }),
        };
        if is_sound { self } else { Self::All }
    }

    fn from_written(json: &Json) -> Self {
        // What is no text is none.
        let [kind, id] = ["kind", "id"].map(|name| json.get(name).and_then(Json::as_text));
        let kind = kind.unwrap_or_default();
        let Some(id) = id.map(String::from) else {
            let event = json.get("event").unwrap_or(&Json::Null);
            return match kind {
                "catalog" => Self::Catalog,
                "revocation" => event.read().map_or(Self::All, Self::Revocation),
                "token_keys" => Self::TokenKeys,
                _ => Self::All,
            };
        };
        match kind {
            "access_key" => Self::AccessKey(id),
            "application_credential" => Self::ApplicationCredential(id),
            "domain" => Self::Domain(id),
            "project" => Self::Project(id),
            "trust" => Self::Trust(id),
            "user" => Self::User(id),
            _ => Self::All,
        }
    }

    /// The most bytes that it takes as JSON, with a comma.
    pub(crate) fn most_bytes(&self) -> usize {
        MOST_AROUND_ID
            + match self {
                Self::Revocation(event) => event.most_bytes(),
                // At worst each character of an id is written with a backslash.
                _ => 2 * self.id().map_or(0, str::len),
            }
    }
}

/// `{"kind":"user","id":"..."}`, `{"kind":"revocation","event":{...}}`, `{"kind":"all"}`.
impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", self.kind())?;
        if let Self::Revocation(event) = self {
            map.serialize_entry("event", event)?;
        }
        if let Some(id) = self.id() {
            map.serialize_entry("id", id)?;
        }
        map.end()
    }
}

impl<'a> Thing<'a> {
    /// Its id, where there is more than one of its kind.
    #[must_use]
    pub fn id(self) -> Option<&'a str> {
        match self {
            Self::AccessKey(id)
            | Self::ApplicationCredential(id)
            | Self::Domain(id)
            | Self::Project(id)
            | Self::Trust(id)
            | Self::User(id) => Some(id),
            Self::Catalog => None,
        }
    }
}

impl FromJson for Change {
    fn from_json(json: &Json, _reader: &mut Reader) -> Self {
        Self::from_written(json).or_all()
    }
}

impl Cursor {
    /// The cursor that a text is, if it is one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_cursor = (1..=MAX_CURSOR).contains(&text.len()) && text.bytes().all(is_plain);
        is_cursor.then(|| Self(text.into()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where to ask for what has changed since; without a cursor, for the present one.
    #[must_use]
    pub fn path(after: Option<&Self>) -> String {
        after.map_or_else(
            || CHANGES_PATH.into(),
            |Self(cursor)| format!("{CHANGES_PATH}?after={cursor}"),
        )
    }
}

impl FromJson for Cursor {
    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        let text = String::from_json(json, reader);
        if Self::new(&text).is_none() {
            reader.note("no cursor");
        }
        Self(text)
    }
}

impl fmt::Display for InvalidChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChangeCount => write!(f, "more than {MAX_CHANGES} changes"),
            Self::Json => f.write_str("not the JSON of changes"),
            Self::NoProgress => f.write_str("more to come, at the cursor that was asked with"),
            Self::TooLong => write!(f, "longer than {MAX_CHANGES_BYTES} bytes"),
        }
    }
}

impl core::error::Error for InvalidChanges {}

/// `{"cursor":"","more":false,"changes":[]}` and the longest cursor.
const MOST_AROUND_CHANGES: usize = 40 + MAX_CURSOR;

/// `{"kind":"application_credential","id":""},`
const MOST_AROUND_ID: usize = 43;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::string::ToString as _;
    use alloc::vec;
    use serde_json::{Value, json};

    fn read(json: &Value) -> Result<Changes, InvalidChanges> {
        Changes::from_json(json.to_string().as_bytes(), None)
    }

    fn one(change: &Value) -> Change {
        let answer = read(&json!({"cursor": "1", "more": false, "changes": [change]})).unwrap();
        answer.changes[0].clone()
    }

    #[test]
    fn are_read_as_they_are_written() {
        let json = json!({
            "cursor": "1763831000123456",
            "more": false,
            "changes": [
                {"kind": "access_key", "id": "AKID"}, {"kind": "user", "id": "u"},
                {"kind": "project", "id": "p"}, {"kind": "domain", "id": "d"},
                {"kind": "application_credential", "id": "a"}, {"kind": "trust", "id": "t"},
                {"kind": "revocation", "event": {"issued_before": 7, "audit_id": "a"}},
                {"kind": "token_keys"}, {"kind": "catalog"}, {"kind": "all"},
            ],
        });
        let answer = read(&json).unwrap();
        let id = String::from;
        assert_eq!(
            answer.changes,
            [
                Change::AccessKey(id("AKID")),
                Change::User(id("u")),
                Change::Project(id("p")),
                Change::Domain(id("d")),
                Change::ApplicationCredential(id("a")),
                Change::Trust(id("t")),
                Change::Revocation(Box::new(RevocationEvent {
                    issued_before: 7,
                    audit_id: Some(id("a")),
                    ..RevocationEvent::default()
                })),
                Change::TokenKeys,
                Change::Catalog,
                Change::All,
            ]
        );
        let written: Value = serde_json::from_str(&answer.to_json()).unwrap();
        assert_eq!(written, json);
        assert_eq!(
            Changes { changes: vec![Change::User(id("u"))], ..answer }.to_json(),
            r#"{"cursor":"1763831000123456","more":false,"changes":[{"kind":"user","id":"u"}]}"#
        );
    }

    #[test]
    fn what_is_not_understood_counts_as_all() {
        for change in [
            json!({"kind": "moon", "id": "full"}),
            json!({"kind": "moon", "id": {"phase": 1}}),
            json!({"kind": "user"}),
            json!({"kind": "user", "id": ""}),
            json!({"kind": "user", "id": 7}),
            json!({"kind": "user", "id": "a\nb"}),
            json!({"kind": "user", "id": "a".repeat(MAX_CHANGE_ID + 1)}),
            json!({"kind": "User", "id": "a"}),
            json!({"kind": "token_keys", "id": "a"}),
            json!({"kind": "catalog", "id": "a"}),
            json!({"kind": "revocation"}),
            json!({"kind": "revocation", "id": "a", "event": {"issued_before": 7}}),
            json!({"kind": "revocation", "event": {"audit_id": "a"}}),
            json!({"kind": "revocation", "event": {"issued_before": -7}}),
            json!({"kind": "revocation", "event": {"issued_before": 7, "user_id": "a\nb"}}),
            json!({"kind": "revocation", "event": "all"}),
            json!({"kind": 7}),
            json!({}),
            json!(null),
            json!("user"),
        ] {
            assert_eq!(one(&change), Change::All, "{change}");
        }
        let known = json!({"kind": "user", "id": "Ω u", "since": 7});
        assert_eq!(one(&known), Change::User("Ω u".into()));
    }

    #[test]
    fn refuses_what_are_no_changes() {
        let none = json!([]);
        for json in [
            json!({}),
            json!([]),
            json!({"cursor": "1", "more": false}),
            json!({"cursor": "1", "changes": none}),
            json!({"more": false, "changes": none}),
            json!({"cursor": "", "more": false, "changes": none}),
            json!({"cursor": "a b", "more": false, "changes": none}),
            json!({"cursor": "a&after=1", "more": false, "changes": none}),
            json!({"cursor": "a".repeat(MAX_CURSOR + 1), "more": false, "changes": none}),
            json!({"cursor": 7, "more": false, "changes": none}),
            json!({"cursor": "1", "more": "no", "changes": none}),
            json!({"cursor": "1", "more": false, "changes": {}}),
        ] {
            assert_eq!(read(&json), Err(InvalidChanges::Json), "{json}");
        }
        let many = vec![json!({"kind": "all"}); MAX_CHANGES + 1];
        let error = read(&json!({"cursor": "1", "more": false, "changes": many}));
        assert_eq!(error, Err(InvalidChanges::ChangeCount));
        let long = " ".repeat(MAX_CHANGES_BYTES + 1);
        assert_eq!(Changes::from_json(long.as_bytes(), None), Err(InvalidChanges::TooLong));
    }

    #[test]
    fn more_at_the_same_cursor_would_never_end() {
        let after = Cursor::new("1");
        let answer = |json: &Value| Changes::from_json(json.to_string().as_bytes(), after.as_ref());
        let mut json = json!({"cursor": "1", "more": true, "changes": []});
        assert_eq!(answer(&json), Err(InvalidChanges::NoProgress));
        json["more"] = json!(false);
        assert!(answer(&json).is_ok());
        json = json!({"cursor": "2", "more": true, "changes": []});
        assert!(answer(&json).is_ok());
    }

    #[test]
    fn what_fits_makes_an_answer_that_is_read() {
        for id in ["a".into(), "a".repeat(250), "\"".repeat(MAX_CHANGE_ID), "Ω".repeat(500)] {
            let event = RevocationEvent { user_id: Some(id.clone()), ..RevocationEvent::default() };
            for change in
                [Change::Revocation(Box::new(event)).or_all(), Change::ApplicationCredential(id)]
            {
                let mut changes = vec![change; MAX_CHANGES + 1];
                changes.truncate(Changes::how_many_fit(&changes));
                assert!(changes.len() >= 125, "{}", changes.len());
                let cursor = Cursor::new(&"c".repeat(MAX_CURSOR)).unwrap();
                let answer = Changes { cursor, more: true, changes };
                let read = Changes::from_json(answer.to_json().as_bytes(), None);
                assert_eq!(read, Ok(answer));
            }
        }
        assert_eq!(Changes::how_many_fit(&vec![Change::All; 2000]), MAX_CHANGES);
        assert_eq!(Changes::how_many_fit([]), 0);
    }

    #[test]
    fn a_cursor_needs_no_escape_in_a_path() {
        assert_eq!(Cursor::path(None), "/v1/changes");
        let cursor = Cursor::new("aZ0._-").unwrap();
        assert_eq!(cursor.as_str(), "aZ0._-");
        assert_eq!(Cursor::path(Some(&cursor)), "/v1/changes?after=aZ0._-");
    }
}
