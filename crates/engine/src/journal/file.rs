//! The journal as a file: opened, made, told from others, moved aside, and its troubles put in words.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::JournalError;
use crate::clock;

/// The format, in SQLite's `user_version`. It grows when an older version could misread what a newer one wrote.
const FORMAT: i64 = 1;

/// What marks a SQLite file as a journal of ours, in `application_id`: "LfJn".
const APPLICATION: i64 = 0x4c66_4a6e;

/// How long to wait for another process's transaction. Ours take milliseconds; a disk may stall for seconds.
const LOCK_WAIT: Duration = Duration::from_secs(15);

/// Files up to this size are checked whole when opened (some 0.1 s for the largest); of larger ones, damage is found
/// where it is read.
const CHECKED_BYTES_MAX: u64 = 32 << 20;

/// Text is JSON unless said otherwise, times are microseconds since 1970.
const SCHEMA: &str = "
CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,          -- plain text
    scope TEXT NOT NULL,              -- plain text
    title TEXT NOT NULL,              -- plain text
    detail TEXT NOT NULL,
    created INTEGER NOT NULL,
    operations INTEGER NOT NULL,
    cancel INTEGER NOT NULL DEFAULT 0,
    ended INTEGER,
    outcome TEXT
);
CREATE INDEX runs_by_scope ON runs (scope, ended);
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    at INTEGER NOT NULL,
    owner TEXT NOT NULL,
    fence INTEGER NOT NULL
);
CREATE INDEX sessions_by_run ON sessions (run);
CREATE TABLE operations (
    run TEXT NOT NULL,
    position INTEGER NOT NULL,
    operation TEXT NOT NULL,
    PRIMARY KEY (run, position)
) WITHOUT ROWID;
CREATE TABLE records (
    number INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    position INTEGER NOT NULL,
    at INTEGER NOT NULL,
    record TEXT NOT NULL
);
CREATE INDEX records_by_run ON records (run);
CREATE TABLE outputs (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    output TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE TABLE leases (
    scope TEXT PRIMARY KEY,
    fence INTEGER NOT NULL,           -- grows with every holder, and is kept when there is none
    holder TEXT,
    since INTEGER NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;
";

/// Opens the journal at `path`, making it when it is not there.
pub(super) fn open(path: &Path) -> Result<Connection, JournalError> {
    if let Some(folder) = path.parent() {
        #[expect(clippy::disallowed_methods, reason = "the journal is the engine's one file")]
        std::fs::create_dir_all(folder).map_err(|error| match error.kind() {
            std::io::ErrorKind::StorageFull => JournalError::DiskFull { path: path.to_owned() },
            _ => JournalError::NotWritable { path: path.to_owned(), why: error.to_string() },
        })?;
    }
    let mut connection = Connection::open(path).map_err(|error| explain(path, &error))?;
    prepare(&mut connection, path)?;
    Ok(connection)
}

/// A journal that is no file.
pub(super) fn in_memory() -> Result<Connection, JournalError> {
    let path = Path::new(":memory:");
    let mut connection = Connection::open_in_memory().map_err(|error| explain(path, &error))?;
    prepare(&mut connection, path)?;
    Ok(connection)
}

/// Sets the connection up, checks that the file is a journal that we can read, and makes it one when it is empty.
fn prepare(connection: &mut Connection, path: &Path) -> Result<(), JournalError> {
    let explain = |error: rusqlite::Error| explain(path, &error);
    connection.busy_timeout(LOCK_WAIT).map_err(explain)?;
    connection.set_prepared_statement_cache_capacity(64);
    let found = recognise(connection, path)?;
    // WAL: readers (`runs show`, a dashboard) never hold up the run. FULL: a commit is on the disk, not on its way.
    // `fullfsync`: on macOS, where `fsync` alone does not reach the disk.
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON;")
        .map_err(explain)?;
    match found {
        Found::Nothing => make(connection).map_err(explain),
        // Nothing is written: who only reads does not wait for who writes.
        Found::Journal => Ok(()),
    }
}

/// Makes an empty file a journal, unless another process does so at the same moment.
fn make(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if is_empty(&transaction)? {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
    }
    transaction.commit()
}

/// What a file turned out to be.
enum Found {
    Nothing,
    Journal,
}

/// That the file is empty, or a sound journal of a format that we know.
fn recognise(connection: &Connection, path: &Path) -> Result<Found, JournalError> {
    let explain = |error: rusqlite::Error| explain(path, &error);
    if is_empty(connection).map_err(explain)? {
        return Ok(Found::Nothing);
    }
    let pragma =
        |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(explain);
    if pragma("application_id")? != APPLICATION {
        let why = "it is a database of something else".to_owned();
        return Err(JournalError::Corrupt { path: path.to_owned(), why });
    }
    let found = pragma("user_version")?;
    if found > FORMAT {
        return Err(JournalError::Newer { path: path.to_owned(), found, known: FORMAT });
    }
    if pragma("page_count")?.saturating_mul(pragma("page_size")?).cast_unsigned() <= CHECKED_BYTES_MAX {
        let verdict: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(explain)?;
        if verdict != "ok" {
            return Err(JournalError::Corrupt { path: path.to_owned(), why: verdict });
        }
    }
    Ok(Found::Journal)
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))
}

/// Renames the file and its side files; the write-ahead log goes along, since without it the file is another.
pub(super) fn move_aside(path: &Path) -> Result<PathBuf, JournalError> {
    let stamp = clock::wall().strftime("%Y%m%dT%H%M%S%3fZ").to_string();
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = format!(".damaged-{stamp}");
    for suffix in ["", "-wal", "-shm"] {
        #[expect(clippy::disallowed_methods, reason = "the journal is the engine's one file")]
        match std::fs::rename(beside(suffix), beside(&format!("{aside}{suffix}"))) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(JournalError::NotWritable { path: path.to_owned(), why: error.to_string() });
            }
        }
    }
    Ok(beside(&aside))
}

/// SQLite's error in our words.
pub(super) fn explain(path: &Path, error: &rusqlite::Error) -> JournalError {
    let path = path.to_owned();
    let why = error.to_string();
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => JournalError::Corrupt { path, why },
            ErrorCode::DiskFull => JournalError::DiskFull { path },
            ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
                JournalError::NotWritable { path, why }
            }
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => JournalError::Locked { path },
            // A file shorter than its own header says.
            ErrorCode::SystemIoFailure if failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHORT_READ => {
                JournalError::Corrupt { path, why }
            }
            _ => JournalError::Other { path, why },
        },
        // A column that is not what it was written as.
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::Utf8Error(..) => JournalError::Corrupt { path, why },
        _ => JournalError::Other { path, why },
    }
}
