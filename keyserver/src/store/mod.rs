//! Access keys of our own: a table that the program makes, fills and reads.
//!
//! Signing keys are derived from the secret itself, so a store must hold secrets that can be had
//! back, unlike passwords. They are sealed with a key that is not in the database: whoever gets a
//! copy of the database alone, such as a backup, cannot sign with it.

mod format;
mod schema;
mod seal;

use serde::Deserialize as _;
use std::sync::Arc;
use tokio::sync::watch::Receiver;
use voussoir_core::record::{
    AccessKeyFault, CredentialRecord, Domain, Project, Role, SessionTokenHash, User,
};
use voussoir_core::secret::Secret;
use voussoir_core::time::UnixTime;

pub use format::{InvalidPrefix, Prefix};
pub(crate) use format::{access_key, secret, session_token};
pub(crate) use schema::SchemaError;
pub(crate) use seal::StoreKeys;

use crate::access_keys::{AccessKey, AccessKeys, Answering, LookupError, Unavailable};
use crate::database::{Database, DatabaseError, Row, Value};

/// The store as a server sees it: it reads only.
pub(crate) struct Store {
    pub(crate) database: Database,
    pub(crate) keys: Receiver<Arc<StoreKeys>>,
}

/// A row, without its secret.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) access_key: String,
    pub(crate) is_enabled: bool,
    pub(crate) record: CredentialRecord,
    pub(crate) description: Option<String>,
    pub(crate) created_at: u64,
    pub(crate) changed_at: u64,
}

impl AccessKeys for Store {
    fn name(&self) -> &'static str {
        "store"
    }

    fn look_up<'a>(
        &'a self,
        access_key: &'a str,
        _now: UnixTime,
    ) -> Answering<'a, Result<AccessKey, LookupError>> {
        Box::pin(async move {
            let unknown = LookupError::Denied(AccessKeyFault::AccessKeyUnknown);
            let row = self.database.row(SELECT_ONE, &[access_key.into()]).await?.ok_or(unknown)?;
            if row.integer(VERSION_COLUMN)? != schema::VERSION {
                return Err(LookupError::Unavailable(Unavailable::Schema));
            }
            let entry = Entry::from_row(&row)?;
            // A database may compare texts in ways of its own.
            if entry.access_key != access_key {
                return Err(LookupError::Denied(AccessKeyFault::AccessKeyUnknown));
            }
            if !entry.is_enabled {
                return Err(LookupError::Denied(AccessKeyFault::AccessKeyDisabled));
            }
            let keys = Arc::clone(&self.keys.borrow());
            let secret = keys
                .open(access_key, &row.text(SEALED_COLUMN)?)
                .ok_or(LookupError::Unavailable(Unavailable::NoSealKey))?;
            Ok(AccessKey { secret, record: entry.record })
        })
    }

    fn check(&self) -> Answering<'_, Result<(), LookupError>> {
        Box::pin(async {
            match schema::version(&self.database).await? {
                Some(schema::VERSION) => Ok(()),
                _ => Err(LookupError::Unavailable(Unavailable::Schema)),
            }
        })
    }
}

impl Entry {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        let domain = |id: Option<String>, name| id.map(|id| Domain { id, name });
        let unsigned = |integer: i64| u64::try_from(integer).unwrap_or_default();
        let project = row.optional_text(6)?.map(|id| -> Result<_, DatabaseError> {
            let domain = domain(row.optional_text(8)?, row.optional_text(9)?);
            Ok(Project { id, name: row.optional_text(7)?, domain })
        });
        let hash = row.optional_text(12)?.map(|text| {
            let text = serde::de::value::StringDeserializer::<serde::de::value::Error>::new(text);
            SessionTokenHash::deserialize(text)
                .map_err(|_| DatabaseError::Answer("the SHA-256 of a session token"))
        });
        Ok(Self {
            access_key: row.text(0)?,
            is_enabled: row.text(1)? == ENABLED,
            record: CredentialRecord {
                user: User {
                    id: row.text(2)?,
                    name: row.optional_text(3)?,
                    domain: domain(row.optional_text(4)?, row.optional_text(5)?),
                },
                project: project.transpose()?,
                roles: serde_json::from_str::<Vec<Role>>(&row.text(10)?)
                    .map_err(|_| DatabaseError::Answer("a list of roles"))?,
                delegation: None,
                expires_at: row.optional_integer(11)?.map(unsigned),
                session_token_sha256: hash.transpose()?,
            },
            description: row.optional_text(13)?,
            created_at: unsigned(row.integer(14)?),
            changed_at: unsigned(row.integer(15)?),
        })
    }
}

/// All entries in the order in which they were made.
pub(crate) async fn list(database: &Database) -> Result<Vec<Entry>, DatabaseError> {
    database.rows(SELECT_ALL, &[]).await?.iter().map(Entry::from_row).collect()
}

/// How many keys there are.
pub(crate) async fn count(database: &Database) -> Result<i64, DatabaseError> {
    let row = database.row("SELECT count(*) FROM voussoir_access_keys", &[]).await?;
    row.ok_or(DatabaseError::Answer("a count"))?.integer(0)
}

/// Makes the tables if there are none.
pub(crate) async fn prepare(database: &Database) -> Result<(), SchemaError> {
    schema::prepare(database).await
}

/// Adds an entry with its secret.
pub(crate) async fn insert(
    database: &Database,
    entry: &Entry,
    sealed_secret: &str,
) -> Result<(), DatabaseError> {
    let record = &entry.record;
    let domain = |domain: Option<&Domain>| -> (Option<String>, Option<String>) {
        domain.map(|domain| (Some(domain.id.clone()), domain.name.clone())).unwrap_or_default()
    };
    let (user_domain_id, user_domain_name) = domain(record.user.domain.as_ref());
    let project = record.project.as_ref();
    let (project_domain_id, project_domain_name) =
        domain(project.and_then(|project| project.domain.as_ref()));
    let text = |text: &'_ Option<String>| text.clone();
    let roles = serde_json::to_string(&record.roles).unwrap_or_default();
    let hash = record.session_token_sha256.as_ref().map(|hash| {
        serde_json::to_value(hash).ok().and_then(|hash| hash.as_str().map(str::to_owned))
    });
    let (project_id, project_name) =
        project.map(|project| (Some(project.id.clone()), text(&project.name))).unwrap_or_default();
    let seconds = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
    let values = [
        Value::from(&*entry.access_key),
        if entry.is_enabled { ENABLED } else { DISABLED }.into(),
        (&*record.user.id).into(),
        Value::Text(record.user.name.as_deref()),
        Value::Text(user_domain_id.as_deref()),
        Value::Text(user_domain_name.as_deref()),
        Value::Text(project_id.as_deref()),
        Value::Text(project_name.as_deref()),
        Value::Text(project_domain_id.as_deref()),
        Value::Text(project_domain_name.as_deref()),
        (&*roles).into(),
        Value::Integer(record.expires_at.map(seconds)),
        Value::Text(hash.as_ref().and_then(|hash| hash.as_deref())),
        Value::Text(entry.description.as_deref()),
        seconds(entry.created_at).into(),
        seconds(entry.changed_at).into(),
        sealed_secret.into(),
    ];
    database.execute(INSERT, &values).await.map(|_one| ())
}

/// Switches a key on or off; `false` if there is none of that name.
pub(crate) async fn set_enabled(
    database: &Database,
    access_key: &str,
    is_enabled: bool,
    now: UnixTime,
) -> Result<bool, DatabaseError> {
    let status = if is_enabled { ENABLED } else { DISABLED };
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let values = [status.into(), now.into(), access_key.into()];
    database.execute(UPDATE_STATUS, &values).await?;
    // MySQL counts only rows that became others.
    Ok(database.row(SELECT_ONE, &[access_key.into()]).await?.is_some())
}

/// Deletes a key; `false` if there was none of that name.
pub(crate) async fn delete(database: &Database, access_key: &str) -> Result<bool, DatabaseError> {
    Ok(database.execute(DELETE, &[access_key.into()]).await? > 0)
}

/// Seals a secret and keeps the name of its key with it.
pub(crate) fn seal(
    keys: &StoreKeys,
    access_key: &str,
    secret: &Secret,
    now: UnixTime,
) -> Result<String, getrandom::Error> {
    keys.seal(access_key, secret, now)
}

const ENABLED: &str = "enabled";
const DISABLED: &str = "disabled";

const SEALED_COLUMN: usize = 16;
const VERSION_COLUMN: usize = 17;
const SELECT_ONE: &str = "\
    SELECT access_key, status, user_id, user_name, user_domain_id, user_domain_name, project_id, \
    project_name, project_domain_id, project_domain_name, roles, expires_at, session_token_sha256, \
    description, created_at, changed_at, sealed_secret, \
    (SELECT max(version) FROM voussoir_store) \
    FROM voussoir_access_keys WHERE access_key = ?";
const SELECT_ALL: &str = "\
    SELECT access_key, status, user_id, user_name, user_domain_id, user_domain_name, project_id, \
    project_name, project_domain_id, project_domain_name, roles, expires_at, session_token_sha256, \
    description, created_at, changed_at \
    FROM voussoir_access_keys ORDER BY created_at, access_key";
const INSERT: &str = "\
    INSERT INTO voussoir_access_keys (access_key, status, user_id, user_name, user_domain_id, \
    user_domain_name, project_id, project_name, project_domain_id, project_domain_name, roles, \
    expires_at, session_token_sha256, description, created_at, changed_at, sealed_secret) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const UPDATE_STATUS: &str =
    "UPDATE voussoir_access_keys SET status = ?, changed_at = ? WHERE access_key = ?";
const DELETE: &str = "DELETE FROM voussoir_access_keys WHERE access_key = ?";
