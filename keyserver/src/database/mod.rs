//! Databases: SQLite, MariaDB or MySQL, and PostgreSQL behind the few calls that we need.
//!
//! What is asked of a database is bounded: in connections, in the time to get one, and in the time
//! of a statement. No statement is put together from what a client sent; all of that is bound.

mod pool;
mod row;
mod url;

pub(crate) use pool::Database;
pub(crate) use row::{Row, Value};
pub use url::{DatabaseUrl, InvalidDatabaseUrl, UrlFileError};

pub use crate::file::ReadError;

use std::fmt;
use std::io;

/// What a program wants of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The sessions cannot write, where the engine has a way to say so.
    Read,
    /// A SQLite file is made if it is absent.
    Write,
}

/// The engines whose SQL differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// MariaDB and MySQL.
    MySql,
    Postgres,
    Sqlite,
}

/// Why a database gives no answer.
#[derive(Debug)]
pub(crate) enum DatabaseError {
    /// It answered something that is none.
    Answer(&'static str),
    /// It, or the way to it, failed.
    Failed(sqlx::Error),
    /// It took too long.
    Timeout,
}

impl DatabaseError {
    /// Whether a row was refused because there is one with its key.
    pub(crate) fn is_duplicate(&self) -> bool {
        let Self::Failed(error) = self else { return false };
        error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
    }

    /// Whether the tables are missing.
    pub(crate) fn is_missing_table(&self) -> bool {
        let Self::Failed(sqlx::Error::Database(error)) = self else { return false };
        match error.code().as_deref() {
            // MariaDB and MySQL, PostgreSQL: SQLSTATE "undefined table".
            Some("42S02" | "42P01") => true,
            // SQLite has one code for every statement that it does not understand.
            Some("1") => error.message().starts_with("no such table"),
            _ => false,
        }
    }
}

impl From<sqlx::Error> for DatabaseError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(what) => write!(f, "the database answered without {what}"),
            Self::Failed(sqlx::Error::PoolTimedOut) => f.write_str("no connection to the database"),
            Self::Failed(sqlx::Error::Io(why)) if why.kind() != io::ErrorKind::Other => {
                write!(f, "the connection to the database failed: {}", why.kind())
            }
            Self::Failed(why) => write!(f, "{why}"),
            Self::Timeout => f.write_str("the database took too long"),
        }
    }
}

impl std::error::Error for DatabaseError {}
