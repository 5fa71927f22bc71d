//! Where a database is: `sqlite:/path/file.db`, `mysql://user:password@host/name`,
//! `postgres://user:password@host/name`.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use crate::file::{self, ReadError};

/// Where a database is, and how to log in. It is never printed: there may be a password in it.
#[derive(Clone)]
pub struct DatabaseUrl(pub(super) Options);

#[derive(Clone)]
pub(super) enum Options {
    MySql(Box<MySqlConnectOptions>),
    Postgres(Box<PgConnectOptions>),
    Sqlite(Box<SqliteConnectOptions>),
}

/// A text that is no URL of a database. It does not show the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidDatabaseUrl {
    /// A URL of another kind, or none at all.
    Scheme,
    /// The part after the scheme.
    Rest,
}

/// Why a file gives no URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlFileError {
    /// What it holds is none.
    Content(InvalidDatabaseUrl),
    /// It cannot be read.
    Read(ReadError),
}

impl DatabaseUrl {
    /// Reads the URL that a file holds.
    pub(crate) fn from_file(path: &Path) -> Result<Self, UrlFileError> {
        let text = file::read(path, MAX_URL_BYTES).map_err(UrlFileError::Read)?;
        let invalid = UrlFileError::Content(InvalidDatabaseUrl::Scheme);
        let text = str::from_utf8(text.expose()).map_err(|_| invalid)?;
        text.trim().parse().map_err(UrlFileError::Content)
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    /// The name of a driver after the scheme, as SQLAlchemy writes it and Keystone's configuration
    /// has it (`mysql+pymysql://`), says nothing to us and is passed over.
    fn from_str(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        let (scheme, rest) = text.split_once(':').ok_or(InvalidDatabaseUrl::Scheme)?;
        let (scheme, _driver) = scheme.split_once('+').unwrap_or((scheme, ""));
        let url = zeroize::Zeroizing::new(format!("{scheme}:{rest}"));
        // The words of the parsers are not for others: they may repeat a part of the URL.
        let options = match scheme {
            "mariadb" | "mysql" => url.parse().map(Box::new).map(Options::MySql),
            "postgres" | "postgresql" => url.parse().map(Box::new).map(Options::Postgres),
            "sqlite" => url.parse().map(Box::new).map(Options::Sqlite),
            _ => return Err(InvalidDatabaseUrl::Scheme),
        };
        options.map(Self).map_err(|_| InvalidDatabaseUrl::Rest)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(..)")
    }
}

impl fmt::Display for InvalidDatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => f.write_str(
                "not a database's URL: write mysql://user:password@host/name, \
                 postgres://user:password@host/name or sqlite:/path/file.db",
            ),
            Self::Rest => f.write_str(
                "a database's URL with something wrong in it: a character that must be \
                 percent-encoded, such as @ or / in a password, or an unknown parameter",
            ),
        }
    }
}

impl std::error::Error for InvalidDatabaseUrl {}

impl fmt::Display for UrlFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(why) => write!(f, "{why}"),
            Self::Read(why) => write!(f, "cannot be read: {why}"),
        }
    }
}

impl std::error::Error for UrlFileError {}

/// The most bytes of a file with a URL.
const MAX_URL_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<&'static str, InvalidDatabaseUrl> {
        text.parse().map(|url: DatabaseUrl| match url.0 {
            Options::MySql(_) => "mysql",
            Options::Postgres(_) => "postgres",
            Options::Sqlite(_) => "sqlite",
        })
    }

    #[test]
    fn the_scheme_tells_the_engine() {
        for (text, engine) in [
            ("mysql://u:p@127.0.0.1:3306/keystone", "mysql"),
            ("mariadb://u:p@127.0.0.1/keystone", "mysql"),
            ("mysql+pymysql://u:p@127.0.0.1/keystone?charset=utf8", "mysql"),
            ("postgres://u:p@127.0.0.1/keystone", "postgres"),
            ("postgresql+psycopg2://u:p%40@127.0.0.1/keystone", "postgres"),
            ("sqlite:/var/lib/keystone.db", "sqlite"),
            ("sqlite:////var/lib/keystone.db", "sqlite"),
        ] {
            assert_eq!(read(text), Ok(engine), "{text}");
        }
        for text in ["", "keystone.db", "http://127.0.0.1/", "oracle://u:p@host/x"] {
            assert_eq!(read(text), Err(InvalidDatabaseUrl::Scheme), "{text}");
        }
        for text in ["mysql://u:hunter2@host:port/x", "postgres://u:hunter2/@host/x"] {
            assert_eq!(read(text), Err(InvalidDatabaseUrl::Rest), "{text}");
        }
    }

    #[test]
    fn a_password_is_shown_nowhere() {
        let url: DatabaseUrl = "mysql://u:hunter2@host/x".parse().unwrap();
        assert_eq!(format!("{url:?}"), "DatabaseUrl(..)");
        let error = "mysql://u:hunter2@host:port/x".parse::<DatabaseUrl>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn a_file_may_hold_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("url");
        assert!(matches!(DatabaseUrl::from_file(&path), Err(UrlFileError::Read(_))));
        std::fs::write(&path, "sqlite:/x.db\n").unwrap();
        assert!(DatabaseUrl::from_file(&path).is_ok());
        std::fs::write(&path, "\n").unwrap();
        let invalid = UrlFileError::Content(InvalidDatabaseUrl::Scheme);
        assert_eq!(DatabaseUrl::from_file(&path).err(), Some(invalid));
    }
}
