//! The connections to one database, and the statements that go over them.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use sqlx::mysql::{MySqlConnection, MySqlPool, MySqlPoolOptions};
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Encode, Executor, IntoArguments, Pool, Row as _, Type,
};
use tokio::time::timeout;

use super::url::Options;
use super::{DatabaseError, DatabaseUrl, Engine, Purpose, Row, Value};
use crate::metrics::Traffic;

/// A database that is connected to when it is first asked.
pub(crate) struct Database {
    connections: Connections,
    traffic: Traffic,
}

enum Connections {
    MySql(MySqlPool),
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

impl Database {
    /// Nothing is connected to yet. To be called within tokio's runtime.
    pub(crate) fn open(url: DatabaseUrl, purpose: Purpose) -> Self {
        let is_read = purpose == Purpose::Read;
        let connections = match url.0 {
            Options::MySql(options) => {
                let pool = bounded(MySqlPoolOptions::new()).after_connect(move |connection, _| {
                    Box::pin(async move { restrict_mysql(connection, is_read).await })
                });
                Connections::MySql(pool.connect_lazy_with(options.disable_statement_logging()))
            }
            Options::Postgres(options) => {
                let pool = bounded(PgPoolOptions::new()).after_connect(move |connection, _| {
                    Box::pin(async move {
                        connection.execute(POSTGRES_SESSION).await?;
                        if is_read {
                            connection.execute(POSTGRES_READ_ONLY).await?;
                        }
                        Ok(())
                    })
                });
                Connections::Postgres(pool.connect_lazy_with(options.disable_statement_logging()))
            }
            Options::Sqlite(options) => {
                if !is_read {
                    make_private(options.get_filename());
                }
                let options = options
                    .read_only(is_read)
                    .create_if_missing(!is_read)
                    .busy_timeout(SQLITE_BUSY)
                    .disable_statement_logging();
                Connections::Sqlite(bounded(SqlitePoolOptions::new()).connect_lazy_with(options))
            }
        };
        Self { connections, traffic: Traffic::default() }
    }

    /// The same, with what it is asked for counted.
    pub(crate) fn counted(self, traffic: Traffic) -> Self {
        Self { traffic, ..self }
    }

    pub(crate) fn engine(&self) -> Engine {
        match &self.connections {
            Connections::MySql(_) => Engine::MySql,
            Connections::Postgres(_) => Engine::Postgres,
            Connections::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// All rows that a statement gives; its placeholders are written `?`.
    pub(crate) async fn rows(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, DatabaseError> {
        self.ask(sql.into(), values).await
    }

    /// All rows that a statement gives for some of many texts. Where it has `{ids}` in it, the texts
    /// are bound, some hundred at a time; a text may be asked for more than once.
    pub(crate) async fn rows_of(
        &self,
        sql: &'static str,
        ids: &[&str],
    ) -> Result<Vec<Row>, DatabaseError> {
        self.rows_of_and(sql, ids, &[]).await
    }

    /// The same for a statement with placeholders `?` after the last `{ids}`.
    pub(crate) async fn rows_of_and(
        &self,
        sql: &'static str,
        ids: &[&str],
        others: &[Value<'_>],
    ) -> Result<Vec<Row>, DatabaseError> {
        let mut all = Vec::new();
        let places = sql.matches(IDS).count();
        for ids in ids.chunks(MAX_IDS) {
            // Few lengths are few statements to prepare.
            let length = LENGTHS.into_iter().find(|length| *length >= ids.len());
            let padding = length.unwrap_or(MAX_IDS).saturating_sub(ids.len());
            let padded = ids.iter().chain(ids.last().into_iter().cycle().take(padding));
            let values: Vec<Value<'_>> = padded.map(|id| Value::from(*id)).collect();
            let marks = vec!["?"; values.len()].join(",");
            let values = [&*values.repeat(places), others].concat();
            let sql = sql.replace(IDS, &marks);
            all.extend(self.ask(sql, &values).await?);
        }
        Ok(all)
    }

    /// The first row that a statement gives.
    pub(crate) async fn row(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<Row>, DatabaseError> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// Executes all of these statements or none; returns how many rows each changed.
    pub(crate) async fn transaction(
        &self,
        statements: &[(&'static str, &[Value<'_>])],
    ) -> Result<Vec<u64>, DatabaseError> {
        in_time(async {
            Ok(match &self.connections {
                Connections::MySql(pool) => {
                    transact(pool, statements, str::to_owned, |done| done.rows_affected()).await?
                }
                Connections::Postgres(pool) => {
                    transact(pool, statements, numbered, |done| done.rows_affected()).await?
                }
                Connections::Sqlite(pool) => {
                    transact(pool, statements, str::to_owned, |done| done.rows_affected()).await?
                }
            })
        })
        .await
    }

    /// Executes a statement; returns how many rows it changed.
    pub(crate) async fn execute(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, DatabaseError> {
        in_time(async {
            Ok(match &self.connections {
                Connections::MySql(pool) => {
                    bound(sql.into(), values).execute(pool).await?.rows_affected()
                }
                Connections::Postgres(pool) => {
                    bound(numbered(sql), values).execute(pool).await?.rows_affected()
                }
                Connections::Sqlite(pool) => {
                    bound(sql.into(), values).execute(pool).await?.rows_affected()
                }
            })
        })
        .await
    }

    async fn ask(&self, sql: String, values: &[Value<'_>]) -> Result<Vec<Row>, DatabaseError> {
        self.traffic.asked();
        let rows = in_time(async {
            Ok(match &self.connections {
                Connections::MySql(pool) => rows(pool, sql, values, Row::MySql).await?,
                Connections::Postgres(pool) => {
                    rows(pool, numbered(&sql), values, Row::Postgres).await?
                }
                Connections::Sqlite(pool) => rows(pool, sql, values, Row::Sqlite).await?,
            })
        });
        let rows = rows.await?;
        self.traffic.answered(rows.len());
        Ok(rows)
    }
}

async fn in_time<T>(
    answer: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, DatabaseError> {
    timeout(ANSWER_TIMEOUT, answer).await.unwrap_or(Err(DatabaseError::Timeout))
}

fn bounded<DB: sqlx::Database>(options: PoolOptions<DB>) -> PoolOptions<DB> {
    options.max_connections(MAX_CONNECTIONS).acquire_timeout(ACQUIRE_TIMEOUT)
}

async fn restrict_mysql(connection: &mut MySqlConnection, is_read: bool) -> sqlx::Result<()> {
    if is_read {
        connection.execute("SET SESSION TRANSACTION READ ONLY").await?;
    }
    // The two have different names and units for it, and refuse the other's.
    let version: Vec<u8> = connection.fetch_one("SELECT version()").await?.try_get_unchecked(0)?;
    let is_mariadb = String::from_utf8_lossy(&version).contains("MariaDB");
    let limit = if is_mariadb { MARIADB_STATEMENT_LIMIT } else { MYSQL_STATEMENT_LIMIT };
    connection.execute(limit).await?;
    Ok(())
}

async fn rows<DB>(
    pool: &Pool<DB>,
    sql: String,
    values: &[Value<'_>],
    wrap: fn(DB::Row) -> Row,
) -> Result<Vec<Row>, sqlx::Error>
where
    DB: sqlx::Database,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c Pool<DB>: Executor<'c, Database = DB>,
    Option<String>: Encode<'static, DB> + Type<DB>,
    Option<i64>: Encode<'static, DB> + Type<DB>,
{
    Ok(bound(sql, values).fetch_all(pool).await?.into_iter().map(wrap).collect())
}

async fn transact<DB>(
    pool: &Pool<DB>,
    statements: &[(&'static str, &[Value<'_>])],
    spell: fn(&str) -> String,
    changed: fn(DB::QueryResult) -> u64,
) -> Result<Vec<u64>, sqlx::Error>
where
    DB: sqlx::Database,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    Option<String>: Encode<'static, DB> + Type<DB>,
    Option<i64>: Encode<'static, DB> + Type<DB>,
{
    let mut transaction = pool.begin().await?;
    let mut counts = Vec::with_capacity(statements.len());
    for (sql, values) in statements {
        counts.push(changed(bound(spell(sql), values).execute(&mut *transaction).await?));
    }
    transaction.commit().await?;
    Ok(counts)
}

/// A statement with its values. The assertion holds: the text comes from a `&'static str`.
fn bound<DB>(sql: String, values: &[Value<'_>]) -> sqlx::query::Query<'static, DB, DB::Arguments>
where
    DB: sqlx::Database,
    DB::Arguments: IntoArguments<DB>,
    Option<String>: Encode<'static, DB> + Type<DB>,
    Option<i64>: Encode<'static, DB> + Type<DB>,
{
    values.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, value| match value {
        Value::Integer(integer) => query.bind(*integer),
        Value::Text(text) => query.bind(text.map(str::to_owned)),
    })
}

/// PostgreSQL's spelling of the placeholders: `$1`, `$2` and so on. No text of ours has a question
/// mark in it.
fn numbered(sql: &str) -> String {
    let mut parts = sql.split('?');
    let first = parts.next().unwrap_or_default().to_owned();
    (1..).zip(parts).fold(first, |sql, (number, part)| format!("{sql}${number}{part}"))
}

/// Where the ids of [`Database::rows_of`] go.
const IDS: &str = "{ids}";
/// How many ids are asked for at a time: enough that the way to the database does not count.
const LENGTHS: [usize; 4] = [1, 16, 128, MAX_IDS];
const MAX_IDS: usize = 512;

/// Few are enough: a lookup takes a millisecond, and edges remember the answer.
const MAX_CONNECTIONS: u32 = 8;
/// How long a lookup waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a lookup waits for its answer, the connection included.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long SQLite waits for a writer to end.
const SQLITE_BUSY: Duration = Duration::from_secs(2);

// How long a statement runs before the database itself ends it.
const MARIADB_STATEMENT_LIMIT: &str = "SET SESSION max_statement_time = 4";
const MYSQL_STATEMENT_LIMIT: &str = "SET SESSION max_execution_time = 4000";
const POSTGRES_SESSION: &str = "SET statement_timeout = 4000";
const POSTGRES_READ_ONLY: &str = "SET default_transaction_read_only = on";

/// Makes the file of a database that is to be made, for its owner alone: SQLite would leave that to
/// the umask. What stands beside it later (its journal) gets the same mode from SQLite.
///
/// If it cannot be made, opening it will say why.
fn make_private(path: &Path) {
    let _ = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_in_their_order() {
        assert_eq!(numbered("a = ? AND b = ?"), "a = $1 AND b = $2");
        assert_eq!(numbered("no placeholder"), "no placeholder");
    }

    #[tokio::test]
    async fn a_database_for_reading_is_neither_made_nor_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.db");
        let open = |purpose| {
            let url: DatabaseUrl = format!("sqlite:{}", path.display()).parse().unwrap();
            Database::open(url, purpose)
        };
        assert!(open(Purpose::Read).rows("SELECT 1", &[]).await.is_err());
        assert!(!path.exists());
        let writing = open(Purpose::Write);
        writing.execute("CREATE TABLE t (a TEXT, b BIGINT)", &[]).await.unwrap();
        let values = [Value::from("it's; --"), Value::from(i64::MIN)];
        assert_eq!(writing.execute("INSERT INTO t VALUES (?, ?)", &values).await.unwrap(), 1);
        let reading = open(Purpose::Read);
        assert!(reading.execute("DELETE FROM t", &[]).await.is_err());
        let row = reading.row("SELECT a, b, NULL FROM t WHERE a = ?", &values[..1]).await;
        let row = row.unwrap().unwrap();
        assert_eq!(row.text(0).unwrap(), "it's; --");
        assert_eq!(row.integer(1).unwrap(), i64::MIN);
        assert_eq!(row.optional_text(2).unwrap(), None);
        assert!(row.text(2).is_err());
    }

    #[tokio::test]
    async fn many_are_asked_for_at_once_and_each_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let url: DatabaseUrl =
            format!("sqlite:{}/x.db", directory.path().display()).parse().unwrap();
        let database = Database::open(url, Purpose::Write);
        database.execute("CREATE TABLE t (a TEXT)", &[]).await.unwrap();
        let ids: Vec<String> = (0..1200).map(|id| format!("id-{id}")).collect();
        let fill = "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n \
                    WHERE i < 1199) SELECT 'id-' || i FROM n";
        database.execute(fill, &[]).await.unwrap();
        let sql =
            "SELECT a FROM t WHERE a IN ({ids}) UNION SELECT '+' || a FROM t WHERE a IN ({ids})";
        for count in [0, 1, 2, 16, 17, 511, 512, 513, 1200] {
            let asked: Vec<&str> = ids.iter().take(count).map(|id| &**id).collect();
            let rows = database.rows_of(sql, &asked).await.unwrap();
            assert_eq!(rows.len(), 2 * count);
            let other = "SELECT a FROM t WHERE a IN ({ids}) AND a <> ?";
            let rows = database.rows_of_and(other, &asked, &["id-0".into()]).await.unwrap();
            assert_eq!(rows.len(), count.saturating_sub(1));
        }
    }

    #[tokio::test]
    async fn a_transaction_is_done_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let url: DatabaseUrl =
            format!("sqlite:{}/x.db", directory.path().display()).parse().unwrap();
        let database = Database::open(url, Purpose::Write);
        database.execute("CREATE TABLE t (a BIGINT PRIMARY KEY)", &[]).await.unwrap();
        let insert = "INSERT INTO t VALUES (?)";
        let values = |value: i64| [Value::from(value)];
        let (one, two) = (values(1), values(2));
        let counts = database.transaction(&[(insert, &one), ("UPDATE t SET a = a", &[])]).await;
        assert_eq!(counts.unwrap(), [1, 1]);
        assert!(database.transaction(&[(insert, &two), (insert, &one)]).await.is_err());
        let row = database.row("SELECT count(*) FROM t", &[]).await.unwrap().unwrap();
        assert_eq!(row.integer(0).unwrap(), 1);
    }
}
