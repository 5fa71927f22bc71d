//! The rows of the store.

use serde::Deserialize as _;
use serde::de::value::{Error, StringDeserializer};
use voussoir_core::record::{CredentialRecord, Domain, Project, Role, SessionTokenHash, User};
use voussoir_core::time::UnixTime;

use super::schema;
use crate::database::{Database, DatabaseError, Row, Value};

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

impl Entry {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        let domain = |id: Option<String>, name| id.map(|id| Domain { id, name });
        let unsigned = |integer: i64| u64::try_from(integer).unwrap_or_default();
        let project = row.optional_text(6)?.map(|id| -> Result<_, DatabaseError> {
            let domain = domain(row.optional_text(8)?, row.optional_text(9)?);
            Ok(Project { id, name: row.optional_text(7)?, domain })
        });
        let hash = row.optional_text(12)?.map(|text| {
            let text = StringDeserializer::<Error>::new(text);
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

/// An entry with its sealed secret and the version of the tables; `None` if there is none of that
/// name.
pub(super) async fn find(
    database: &Database,
    access_key: &str,
) -> Result<Option<(Entry, String, i64)>, DatabaseError> {
    let Some(row) = database.row(SELECT_ONE, &[access_key.into()]).await? else {
        return Ok(None);
    };
    let version = row.integer(VERSION_COLUMN)?;
    Ok(Some((Entry::from_row(&row)?, row.text(SEALED_COLUMN)?, version)))
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

/// Adds an entry with its secret, which is sealed already.
pub(crate) async fn insert(
    database: &Database,
    entry: &Entry,
    sealed_secret: &str,
) -> Result<(), DatabaseError> {
    let CredentialRecord { user, project, roles, delegation: _, expires_at, session_token_sha256 } =
        &entry.record;
    let project = project.as_ref();
    let roles = serde_json::to_string(roles).map_err(|_| DatabaseError::Answer("roles"))?;
    let hash = session_token_sha256.as_ref().and_then(|hash| serde_json::to_value(hash).ok());
    let seconds = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
    let id = |domain: Option<&'_ Domain>| domain.map(|domain| domain.id.clone());
    let name = |domain: Option<&'_ Domain>| domain.and_then(|domain| domain.name.clone());
    let (user_domain, project_domain) =
        (user.domain.as_ref(), project.and_then(|project| project.domain.as_ref()));
    let domains = [id(user_domain), name(user_domain), id(project_domain), name(project_domain)];
    let [user_domain_id, user_domain_name, project_domain_id, project_domain_name] =
        domains.each_ref().map(|text| Value::Text(text.as_deref()));
    let values = [
        (&*entry.access_key).into(),
        (if entry.is_enabled { ENABLED } else { DISABLED }).into(),
        (&*user.id).into(),
        Value::Text(user.name.as_deref()),
        user_domain_id,
        user_domain_name,
        Value::Text(project.map(|project| &*project.id)),
        Value::Text(project.and_then(|project| project.name.as_deref())),
        project_domain_id,
        project_domain_name,
        (&*roles).into(),
        Value::Integer(expires_at.map(seconds)),
        Value::Text(hash.as_ref().and_then(|hash| hash.as_str())),
        Value::Text(entry.description.as_deref()),
        seconds(entry.created_at).into(),
        seconds(entry.changed_at).into(),
        sealed_secret.into(),
    ];
    change(database, &entry.access_key, entry.changed_at, (INSERT, &values)).await.map(|_one| ())
}

/// Switches a key on or off; `false` if there is none of that name.
pub(crate) async fn set_enabled(
    database: &Database,
    access_key: &str,
    is_enabled: bool,
    now: UnixTime,
) -> Result<bool, DatabaseError> {
    let status = if is_enabled { ENABLED } else { DISABLED };
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let values = [status.into(), seconds.into(), access_key.into()];
    change(database, access_key, now.as_secs(), (UPDATE_STATUS, &values)).await?;
    // MySQL counts only rows that became others.
    Ok(find(database, access_key).await?.is_some())
}

/// Deletes a key; `false` if there was none of that name.
pub(crate) async fn delete(
    database: &Database,
    access_key: &str,
    now: UnixTime,
) -> Result<bool, DatabaseError> {
    let values = [access_key.into()];
    Ok(change(database, access_key, now.as_secs(), (DELETE, &values)).await? > 0)
}

/// Executes a statement on an access key and writes down that it was changed: both or neither. The
/// first statement makes writers wait for each other, so that no revision is committed after a
/// later one.
async fn change(
    database: &Database,
    access_key: &str,
    now: u64,
    statement: (&'static str, &[Value<'_>]),
) -> Result<u64, DatabaseError> {
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let version = [schema::VERSION.into()];
    let noted = [access_key.into(), now.into()];
    let oldest = [(now - REMEMBERED_SECONDS).into()];
    let statements =
        [(LOCK, &version[..]), statement, (INSERT_CHANGE, &noted), (DELETE_OLD_CHANGES, &oldest)];
    let counts = database.transaction(&statements).await?;
    Ok(counts.get(1).copied().unwrap_or_default())
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

/// How long changes are kept: far longer than a server is away from its database and goes on.
const REMEMBERED_SECONDS: i64 = 7 * 24 * 60 * 60;
const LOCK: &str = "UPDATE voussoir_store SET version = version WHERE version = ?";
const INSERT_CHANGE: &str = "\
    INSERT INTO voussoir_changes (revision, access_key, changed_at) \
    SELECT COALESCE(max(revision), 0) + 1, ?, ? FROM voussoir_changes";
const DELETE_OLD_CHANGES: &str = "DELETE FROM voussoir_changes WHERE changed_at < ?";
