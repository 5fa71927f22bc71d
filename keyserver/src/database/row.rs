//! What goes into statements and comes out of them: texts and integers, and nothing else.
//!
//! Every engine has traps in its other types: SQLite has no booleans, MySQL's are TINYINT(1), its
//! texts of a binary collation claim to be BLOBs, JSON and times are different everywhere. The
//! statements turn all of that into texts and 64-bit integers.

use sqlx::Row as _;
use sqlx::mysql::MySqlRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::DatabaseError;

/// What is bound to a placeholder.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// An integer or `NULL`.
    Integer(Option<i64>),
    /// A text or `NULL`.
    Text(Option<&'a str>),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}

impl From<i64> for Value<'_> {
    fn from(integer: i64) -> Self {
        Self::Integer(Some(integer))
    }
}

/// A row of an answer. Columns are known by their place, from 0.
pub(crate) enum Row {
    MySql(MySqlRow),
    Postgres(PgRow),
    Sqlite(SqliteRow),
}

impl Row {
    /// A text that is not `NULL`.
    pub(crate) fn text(&self, column: usize) -> Result<String, DatabaseError> {
        self.optional_text(column)?.ok_or(DatabaseError::Answer("a text"))
    }

    /// A text, or `NULL`.
    pub(crate) fn optional_text(&self, column: usize) -> Result<Option<String>, DatabaseError> {
        // Unchecked: the bytes of a text are the same under all of an engine's names for texts.
        let bytes: Option<Vec<u8>> = match self {
            Self::MySql(row) => row.try_get_unchecked(column),
            Self::Postgres(row) => row.try_get_unchecked(column),
            Self::Sqlite(row) => row.try_get_unchecked(column),
        }?;
        bytes
            .map(String::from_utf8)
            .transpose()
            .map_err(|_| DatabaseError::Answer("UTF-8 in a text"))
    }

    /// An integer that is not `NULL`.
    pub(crate) fn integer(&self, column: usize) -> Result<i64, DatabaseError> {
        self.optional_integer(column)?.ok_or(DatabaseError::Answer("an integer"))
    }

    /// An integer, or `NULL`.
    pub(crate) fn optional_integer(&self, column: usize) -> Result<Option<i64>, DatabaseError> {
        Ok(match self {
            Self::MySql(row) => row.try_get(column),
            // Its INTEGER has 32 bits, and is no BIGINT to it.
            Self::Postgres(row) => row
                .try_get(column)
                .or_else(|_| row.try_get(column).map(|short: Option<i32>| short.map(i64::from))),
            Self::Sqlite(row) => row.try_get(column),
        }?)
    }
}
