//! The tables of the store, and their version.

use std::fmt;

use crate::database::{Database, DatabaseError, Engine};

/// The version of the tables that this program makes and reads.
pub(super) const VERSION: i64 = 2;

/// Why there are no tables to work with.
#[derive(Debug)]
pub(crate) enum SchemaError {
    Database(DatabaseError),
    /// They are of this other version.
    OtherVersion(i64),
}

/// The version of the tables; `None` if there is none yet.
pub(super) async fn version(database: &Database) -> Result<Option<i64>, DatabaseError> {
    let row = database.row("SELECT max(version) FROM voussoir_store", &[]).await?;
    row.ok_or(DatabaseError::Answer("a version"))?.optional_integer(0)
}

/// Makes the tables where there are none, and those that version 1 had not.
pub(crate) async fn prepare(database: &Database) -> Result<(), SchemaError> {
    // Access keys differ in case, and MariaDB's usual collations do not.
    let (access_keys, changes) = match database.engine() {
        Engine::MySql => (ACCESS_KEYS_MYSQL, CHANGES_MYSQL),
        Engine::Postgres | Engine::Sqlite => (ACCESS_KEYS, CHANGES),
    };
    database.execute(STORE, &[]).await?;
    match version(database).await? {
        Some(VERSION) => Ok(()),
        Some(other) if other != 1 => Err(SchemaError::OtherVersion(other)),
        _ => {
            for statement in [access_keys, changes] {
                database.execute(statement, &[]).await?;
            }
            // The last step: whoever sees the version sees the tables.
            insert_version(database).await
        }
    }
}

async fn insert_version(database: &Database) -> Result<(), SchemaError> {
    match database.execute(INSERT_VERSION, &[VERSION.into()]).await {
        // Somebody else was quicker.
        Err(why) if !why.is_duplicate() => Err(why.into()),
        _ => Ok(()),
    }
}

impl From<DatabaseError> for SchemaError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(why) => write!(f, "{why}"),
            Self::OtherVersion(version) => write!(
                f,
                "the tables of the store are of version {version}, and this program knows version \
                 {VERSION} only"
            ),
        }
    }
}

impl std::error::Error for SchemaError {}

const STORE: &str =
    "CREATE TABLE IF NOT EXISTS voussoir_store (version BIGINT NOT NULL PRIMARY KEY)";
const INSERT_VERSION: &str = "INSERT INTO voussoir_store (version) VALUES (?)";

/// What was changed lately, in order: revisions follow each other without a gap.
macro_rules! changes {
    ($exact:literal) => {
        concat!(
            "CREATE TABLE IF NOT EXISTS voussoir_changes (revision BIGINT NOT NULL PRIMARY KEY, ",
            "access_key VARCHAR(128)",
            $exact,
            " NOT NULL, changed_at BIGINT NOT NULL)"
        )
    };
}
const CHANGES: &str = changes!("");
const CHANGES_MYSQL: &str = changes!(" CHARACTER SET ascii COLLATE ascii_bin");

/// Times are seconds of UNIX time, roles a JSON array of `{"name": ...}`.
macro_rules! access_keys {
    ($exact:literal) => {
        concat!(
            "CREATE TABLE IF NOT EXISTS voussoir_access_keys (access_key VARCHAR(128)",
            $exact,
            " NOT NULL PRIMARY KEY, status VARCHAR(16) NOT NULL, sealed_secret TEXT NOT NULL, ",
            "user_id VARCHAR(255) NOT NULL, user_name VARCHAR(255), ",
            "user_domain_id VARCHAR(255), user_domain_name VARCHAR(255), ",
            "project_id VARCHAR(255), project_name VARCHAR(255), ",
            "project_domain_id VARCHAR(255), project_domain_name VARCHAR(255), ",
            "roles TEXT NOT NULL, expires_at BIGINT, session_token_sha256 VARCHAR(64), ",
            "description VARCHAR(255), created_at BIGINT NOT NULL, changed_at BIGINT NOT NULL)"
        )
    };
}
const ACCESS_KEYS: &str = access_keys!("");
const ACCESS_KEYS_MYSQL: &str = access_keys!(" CHARACTER SET ascii COLLATE ascii_bin");
