//! Queue and records in one SQLite file, for one process.
//!
//! One thread owns the connection that writes. It takes all the writes that wait, does them in one transaction, and
//! answers them after the commit: a hundred callers that wait for durability share one `fsync`. A write that fails takes
//! no other with it: one statement is all or nothing by itself, and several run within a savepoint.
//!
//! SQLite appends commits to a log (`-wal`) and brings them into the file later. That takes two `fsync`s and whole
//! milliseconds, so a second thread does it, beside the writes and not between them.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::Error;
use crate::queue::{Claim, Counts, Item, NewItem, Put, Queue, State};
use crate::records::{Record, Records, Version};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS queue (
    key      TEXT PRIMARY KEY,
    state    TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    put      INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    token    TEXT,
    why      TEXT,
    body     BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS queue_by_due ON queue (state, due);
CREATE INDEX IF NOT EXISTS queue_by_put ON queue (put);
CREATE TABLE IF NOT EXISTS records (
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    version INTEGER NOT NULL,
    written INTEGER NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT;
CREATE INDEX IF NOT EXISTS records_by_time ON records (kind, written);
";

/// Tells our files from other SQLite files: the first bytes of `landfall store`, as a number.
const APPLICATION_ID: i32 = 0x4c46_5354;

/// The most writes that share a transaction, so that the first of them does not wait for ever.
const BATCH: usize = 256;

/// The length at which the log is brought into the file though writes follow each other, and begins anew.
const LOG_LONGEST: u64 = 64 << 20;

/// What stays of a long log's length when it begins anew: writing over it is cheaper than making it longer.
const LOG_KEPT: i64 = 4 << 20;

/// Nobody has written for so long: a good time for a checkpoint.
const QUIET: Duration = Duration::from_millis(250);

/// Each page of a commit is a write of its own, and the body of a call takes most of a page of SQLite's usual 4096 bytes.
const PAGE: i64 = 8192;

/// What the connection that writes may keep in memory.
const CACHE_KIB: i64 = 8 << 10;

/// How long another process may hold the file before we give up.
const BUSY: Duration = Duration::from_secs(5);

/// A write that waits: done within the batch's transaction, if it could be begun, and answered after its commit.
type Job = Box<dyn FnOnce(Result<&Connection, Arc<rusqlite::Error>>) -> Answer + Send>;

/// Tells who waits how the transaction ended.
type Answer = Box<dyn FnOnce(Result<(), Arc<rusqlite::Error>>) + Send>;

/// Queue and records in one SQLite file.
pub struct Sqlite {
    writer: Sender<Job>,
    reader: Arc<Mutex<Connection>>,
}

impl Sqlite {
    /// Opens the file, and makes it and its folder when they are missing.
    ///
    /// # Errors
    /// When the file cannot be opened or is not a store.
    pub fn open(path: &Path) -> Result<Sqlite, Error> {
        let failed = |error: rusqlite::Error| Error::engine(format!("the store {}", path.display()), error);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            crate::make_folder(folder)
                .map_err(|error| Error::engine(format!("the folder {}", folder.display()), error))?;
        }
        let writer = connect(path).map_err(failed)?;
        let ours: i32 = writer.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(failed)?;
        let tables: i64 =
            writer.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
        if ours != APPLICATION_ID && tables > 0 {
            return Err(Error::engine(
                format!("the store {}", path.display()),
                "it is a SQLite file of another program",
            ));
        }
        writer.execute_batch(SCHEMA).map_err(failed)?;
        writer.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
        let reader = connect(path).map_err(failed)?;
        // The pages of a whole batch stay in memory between two commits.
        writer.pragma_update(None, "cache_size", -CACHE_KIB).map_err(failed)?;
        // Checkpoints are the other thread's.
        writer.pragma_update(None, "wal_autocheckpoint", 0).map_err(failed)?;
        writer.pragma_update(None, "journal_size_limit", LOG_KEPT).map_err(failed)?;
        let housekeeper = connect(path).map_err(failed)?;
        let (jobs, waiting) = channel();
        let (written, to_check) = sync_channel(1);
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let thread = |name: &str| std::thread::Builder::new().name(name.into());
        thread("store")
            .spawn(move || write(&writer, &waiting, &written))
            .and_then(|_| {
                thread("store-log").spawn(move || checkpoint(&housekeeper, log.as_ref(), &to_check))
            })
            .map_err(|error| Error::engine("the store's threads", error))?;
        Ok(Sqlite { writer: jobs, reader: Arc::new(Mutex::new(reader)) })
    }

    /// Frees every claim, for the one process that works on the file: what a former one had claimed died with it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn release(&self) -> Result<u64, Error> {
        self.write("freeing claims", |connection| {
            let freed = connection.execute(
                "UPDATE queue SET state = 'waiting', due = put, token = NULL WHERE state = 'claimed'",
                [],
            )?;
            Ok(freed as u64)
        })
        .await
    }

    /// Does a write of several statements, and returns when it is durable.
    async fn write_whole<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        self.write(what, |connection| within_savepoint(connection, work)).await
    }

    /// Does a write of one statement, and returns when it is durable.
    async fn write<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let done = match connection {
                Ok(connection) => work(connection),
                Err(error) => Err(Failure::Known(Error::engine(what, error))),
            };
            Box::new(move |committed| {
                let told = match (done, committed) {
                    (Err(Failure::Known(error)), _) => Err(error),
                    (Err(Failure::Sqlite(error)), _) => Err(Error::engine(what, error)),
                    (Ok(_), Err(error)) => Err(Error::engine(what, error)),
                    (Ok(value), Ok(())) => Ok(value),
                };
                // Nobody waits any more: the write stands all the same.
                let _ = answer.send(told);
            })
        });
        self.writer.send(job).map_err(|_| Error::engine(what, "the store is shut"))?;
        answered.await.map_err(|_| Error::engine(what, "the store was shut meanwhile"))?
    }

    /// A change of a claimed item: `set` is what of its row, with the due time as `?3` and the reason as `?4`.
    async fn change(
        &self,
        what: &'static str,
        set: &'static str,
        claim: &Claim,
        due: i64,
        why: Option<&str>,
    ) -> Result<(), Error> {
        let (claim, why) = (claim.clone(), why.map(crate::reason));
        self.write(what, move |connection| {
            let statement =
                format!("UPDATE queue SET {set} WHERE key = ?1 AND token = ?2 AND state = 'claimed'");
            let changed =
                connection.prepare_cached(&statement)?.execute(params![claim.key, claim.token, due, why])?;
            if changed == 1 { Ok(()) } else { Err(Failure::Known(Error::Lost { key: claim.key })) }
        })
        .await
    }

    /// Does a read on a thread that may wait for the disk.
    async fn read_with<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let reader = self.reader.clone();
        let done = tokio::task::spawn_blocking(move || {
            let connection = reader.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            work(&connection)
        });
        match done.await {
            Ok(read) => read.map_err(|error| Error::engine(what, error)),
            Err(error) => Err(Error::engine(what, error)),
        }
    }
}

/// Why a write did not come about.
enum Failure {
    Sqlite(rusqlite::Error),
    Known(Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Sqlite(error)
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    // Of a new file only.
    connection.pragma_update(None, "page_size", PAGE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What is put is on the disk before it is acknowledged, also when the power goes.
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// The writing thread: whatever waits shares one transaction. It tells `written` of each.
fn write(connection: &Connection, waiting: &Receiver<Job>, written: &SyncSender<()>) {
    while let Ok(first) = waiting.recv() {
        let begun = run(connection, "BEGIN IMMEDIATE").map_err(Arc::new);
        let open = || begun.as_ref().map(|()| connection).map_err(Arc::clone);
        let mut answers = vec![first(open())];
        // A disk that is full may have ended the transaction; its commit then fails, and everybody is told.
        while answers.len() < BATCH
            && !connection.is_autocommit()
            && let Ok(next) = waiting.try_recv()
        {
            answers.push(next(open()));
        }
        let committed = begun.clone().and_then(|()| run(connection, "COMMIT").map_err(Arc::new));
        let committed = committed.inspect_err(|_| {
            // A transaction that could not be committed, for want of space perhaps, must not stay open.
            let _ = run(connection, "ROLLBACK");
        });
        for answer in answers {
            answer(committed.clone());
        }
        // One that waits already will see this one too.
        let _ = written.try_send(());
    }
}

/// The thread that brings the log into the file: when nobody writes for a while, or when the log has grown long. It
/// costs the disk what many commits do, so not in the middle of a rush.
fn checkpoint(connection: &Connection, log: &Path, written: &Receiver<()>) {
    let is_long = || std::fs::metadata(log).is_ok_and(|log| log.len() >= LOG_LONGEST);
    while written.recv().is_ok() {
        while !is_long() && written.recv_timeout(QUIET).is_ok() {}
        // What fails here, for want of space perhaps, stays in the log and is tried again after the next write.
        let checkpointed =
            |mode: &str| connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()));
        let _ = checkpointed("PASSIVE");
        if is_long() {
            // Nearly all of it is in the file now. Only while nobody writes can the log begin anew, and that is short.
            let _ = checkpointed("RESTART");
        }
    }
}

/// Runs a statement without parameters or rows.
fn run(connection: &Connection, statement: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute([]).map(drop)
}

fn within_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    run(connection, "SAVEPOINT one")?;
    let done = work(connection);
    if done.is_err() {
        run(connection, "ROLLBACK TO one")?;
    }
    run(connection, "RELEASE one")?;
    done
}

fn milliseconds(time: Timestamp) -> i64 {
    time.as_millisecond()
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let value: i64 = row.get(column)?;
    Timestamp::from_millisecond(value).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Integer, error.into())
    })
}

fn after(now: Timestamp, lease: Duration) -> i64 {
    milliseconds(now).saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
}

const ITEM: &str = "key, state, attempts, put, due, why";

fn item(row: &Row<'_>) -> rusqlite::Result<Item> {
    let state: String = row.get(1)?;
    Ok(Item {
        key: row.get(0)?,
        state: State::named(&state).unwrap_or(State::Dead),
        attempts: row.get(2)?,
        put: time(row, 3)?,
        due: time(row, 4)?,
        why: row.get(5)?,
    })
}

#[async_trait]
impl Queue for Sqlite {
    async fn put(&self, item: NewItem, now: Timestamp) -> Result<Put, Error> {
        self.write("putting an item", move |connection| {
            let put = connection
                .prepare_cached(
                    "INSERT INTO queue (key, state, attempts, put, due, body) VALUES (?1, 'waiting', 0, ?2, ?3, ?4)
                     ON CONFLICT (key) DO NOTHING",
                )?
                .execute(params![item.key, milliseconds(now), milliseconds(item.due), item.body])?;
            Ok(if put == 1 { Put::New } else { Put::Known })
        })
        .await
    }

    async fn claim(&self, limit: usize, lease: Duration, now: Timestamp) -> Result<Vec<Claim>, Error> {
        self.write_whole("claiming items", move |connection| {
            let mut due = connection.prepare_cached(
                "SELECT key, body, attempts, put FROM queue
                 WHERE state IN ('waiting', 'claimed') AND due <= ?1 ORDER BY due, put LIMIT ?2",
            )?;
            let mut claims = due
                .query_map(params![milliseconds(now), rows(limit)], |row| {
                    Ok(Claim {
                        key: row.get(0)?,
                        body: row.get::<_, Option<Vec<u8>>>(1)?.unwrap_or_default(),
                        attempt: row.get::<_, u32>(2)?.saturating_add(1),
                        put: time(row, 3)?,
                        token: uuid::Uuid::new_v4().to_string(),
                    })
                })?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let mut take = connection.prepare_cached(
                "UPDATE queue SET state = 'claimed', attempts = ?2, due = ?3, token = ?4 WHERE key = ?1",
            )?;
            for claim in &mut claims {
                take.execute(params![claim.key, claim.attempt, after(now, lease), claim.token])?;
            }
            Ok(claims)
        })
        .await
    }

    async fn extend(&self, claim: &Claim, lease: Duration, now: Timestamp) -> Result<(), Error> {
        self.change("extending a claim", "due = ?3, why = coalesce(?4, why)", claim, after(now, lease), None)
            .await
    }

    async fn finish(&self, claim: &Claim, now: Timestamp) -> Result<(), Error> {
        let done = "state = 'done', due = ?3, token = NULL, why = ?4, body = NULL";
        self.change("finishing an item", done, claim, milliseconds(now), None).await
    }

    async fn retry(&self, claim: &Claim, due: Timestamp, why: &str) -> Result<(), Error> {
        let waiting = "state = 'waiting', due = ?3, token = NULL, why = ?4";
        self.change("putting an item back", waiting, claim, milliseconds(due), Some(why)).await
    }

    async fn bury(&self, claim: &Claim, why: &str, now: Timestamp) -> Result<(), Error> {
        let dead = "state = 'dead', due = ?3, token = NULL, why = ?4";
        self.change("giving an item up", dead, claim, milliseconds(now), Some(why)).await
    }

    async fn replay(&self, key: &str, now: Timestamp) -> Result<bool, Error> {
        let key = key.to_owned();
        self.write("replaying an item", move |connection| {
            let changed = connection
                .prepare_cached(
                    "UPDATE queue SET state = 'waiting', due = ?2, attempts = 0 WHERE key = ?1 AND state = 'dead'",
                )?
                .execute(params![key, milliseconds(now)])?;
            Ok(changed == 1)
        })
        .await
    }

    async fn get(&self, key: &str) -> Result<Option<(Item, Option<Vec<u8>>)>, Error> {
        let key = key.to_owned();
        self.read_with("reading an item", move |connection| {
            connection
                .prepare_cached(&format!("SELECT {ITEM}, body FROM queue WHERE key = ?1"))?
                .query_row([key], |row| Ok((item(row)?, row.get(6)?)))
                .optional()
        })
        .await
    }

    async fn list(
        &self,
        state: Option<State>,
        before: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<Item>, Error> {
        self.read_with("listing items", move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {ITEM} FROM queue WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR put < ?2)
                     ORDER BY put DESC, key LIMIT ?3"
                ))?
                .query_map(params![state.map(State::name), before.map(milliseconds), rows(limit)], item)?
                .collect()
        })
        .await
    }

    async fn counts(&self) -> Result<Counts, Error> {
        self.read_with("counting items", move |connection| {
            let mut counts = Counts::default();
            let mut states =
                connection.prepare_cached("SELECT state, count(*), min(put) FROM queue GROUP BY state")?;
            let mut rows = states.query([])?;
            while let Some(row) = rows.next()? {
                let state: String = row.get(0)?;
                let count = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
                let oldest = time(row, 2)?;
                match State::named(&state) {
                    Some(State::Waiting) => counts.waiting = count,
                    Some(State::Claimed) => counts.claimed = count,
                    Some(State::Done) => counts.done = count,
                    Some(State::Dead) | None => counts.dead = count,
                }
                if matches!(State::named(&state), Some(State::Waiting | State::Claimed)) {
                    counts.oldest = Some(counts.oldest.map_or(oldest, |known| known.min(oldest)));
                }
            }
            Ok(counts)
        })
        .await
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, Error> {
        self.write("forgetting items", move |connection| {
            let gone = connection
                .prepare_cached("DELETE FROM queue WHERE state = 'done' AND put < ?1")?
                .execute([milliseconds(before)])?;
            Ok(gone as u64)
        })
        .await
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let text: String = row.get(3)?;
    let value = serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, error.into())
    })?;
    Ok(Record { id: row.get(0)?, version: row.get(1)?, written: time(row, 2)?, value })
}

#[async_trait]
impl Records for Sqlite {
    async fn read(&self, kind: &str, id: &str) -> Result<Option<Record>, Error> {
        let (kind, id) = (kind.to_owned(), id.to_owned());
        self.read_with("reading a record", move |connection| {
            connection
                .prepare_cached(
                    "SELECT id, version, written, value FROM records WHERE kind = ?1 AND id = ?2",
                )?
                .query_row([kind, id], record)
                .optional()
        })
        .await
    }

    async fn write(
        &self,
        kind: &str,
        id: &str,
        value: &Value,
        seen: Option<Version>,
        now: Timestamp,
    ) -> Result<Version, Error> {
        let (kind, id, value) = (kind.to_owned(), id.to_owned(), value.to_string());
        Sqlite::write(self, "writing a record", move |connection| {
            let changed = match seen {
                None => connection
                    .prepare_cached(
                        "INSERT INTO records (kind, id, version, written, value) VALUES (?1, ?2, 1, ?3, ?4)
                         ON CONFLICT (kind, id) DO NOTHING",
                    )?
                    .execute(params![kind, id, milliseconds(now), value])?,
                Some(version) => connection
                    .prepare_cached(
                        "UPDATE records SET version = version + 1, written = ?3, value = ?4
                         WHERE kind = ?1 AND id = ?2 AND version = ?5",
                    )?
                    .execute(params![kind, id, milliseconds(now), value, version])?,
            };
            if changed == 1 { Ok(seen.unwrap_or(0) + 1) } else { Err(Failure::Known(Error::Conflict { id })) }
        })
        .await
    }

    async fn latest(&self, kind: &str, limit: usize) -> Result<Vec<Record>, Error> {
        let kind = kind.to_owned();
        self.read_with("listing records", move |connection| {
            connection
                .prepare_cached(
                    "SELECT id, version, written, value FROM records WHERE kind = ?1
                     ORDER BY written DESC, id LIMIT ?2",
                )?
                .query_map(params![kind, rows(limit)], record)?
                .collect()
        })
        .await
    }

    async fn forget_records(&self, kind: &str, before: Timestamp) -> Result<u64, Error> {
        let kind = kind.to_owned();
        Sqlite::write(self, "forgetting records", move |connection| {
            let gone = connection
                .prepare_cached("DELETE FROM records WHERE kind = ?1 AND written < ?2")?
                .execute(params![kind, milliseconds(before)])?;
            Ok(gone as u64)
        })
        .await
    }
}
