//! The records of runs, in one SQLite file: what a run decided and learnt, committed before it is relied on.
//!
//! Written with a write-ahead log and `synchronous = FULL`: a commit that returned has reached the disk. Every
//! write goes through a [`Lease`], and checks in its own transaction that the lease still stands. Nothing here
//! deletes what it cannot read; a damaged file is named, and moved aside only when asked.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::graph::{Graph, Operation, OperationKey};
use crate::lease::{self, Holder, Lease, LeaseError, Owner, Terms};
use crate::report::{Outcome, Report, RunState, RunSummary, Session};
use crate::status::Record;

mod file;
mod history;

pub(crate) use history::History;

/// How many ended runs of a scope are kept: years of history for a person, and a file that stays in the tens of
/// megabytes. What was last put out is kept apart and never lost by this.
const RUNS_KEPT: i64 = 500;

/// The name of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// The id spelt so; whether there is such a run shows when it is used.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A new one: short enough to type, and unlike any other that a team will see.
    fn unused() -> Self {
        Self(Uuid::new_v4().simple().to_string()[..12].to_owned())
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What can go wrong with the journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file is no journal, or no longer.
    #[error("the journal {} is damaged: {why}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite or the reader says.
        why: String,
    },
    /// A newer version wrote it.
    #[error("the journal {} was written by a newer version (format {found}; this one knows {known})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that we know.
        known: i64,
    },
    /// There is no room.
    #[error("no room on the disk for the journal {}", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// It may not be written, or its folder may not.
    #[error("the journal {} cannot be opened for writing: {why}", path.display())]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// Another process kept it locked for longer than any of ours does.
    #[error("the journal {} was kept locked by another process", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// There is no such run.
    #[error("there is no run `{0}`")]
    NoSuchRun(RunId),
    /// The run is of another scope than the lease.
    #[error("run `{run}` is of `{of}`, not of `{scope}`")]
    OtherScope {
        /// The run.
        run: RunId,
        /// Its scope.
        of: String,
        /// The lease's.
        scope: String,
    },
    /// The run has ended, and nothing more can be done in it.
    #[error("run `{0}` has ended")]
    Over(RunId),
    /// The scope has a run that has not ended.
    #[error("run `{0}` has not ended")]
    Unfinished(RunId),
    /// The lease was taken over or given back; nothing was written.
    #[error("the lease of `{scope}` is no longer ours{}", by.as_ref().map(|by| format!(": it is held by {by}")).unwrap_or_default())]
    LeaseLost {
        /// What the lease is of.
        scope: String,
        /// Who holds it now.
        by: Option<Box<Holder>>,
    },
    /// Anything else.
    #[error("the journal {} failed: {why}", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What SQLite or the system says.
        why: String,
    },
}

impl JournalError {
    /// What to do about it, for people.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Corrupt { path, .. } => Some(format!(
                "nothing was deleted; move {} aside and start again: what is live is read from the cloud, only the \
                 history and a run in progress are lost",
                path.display()
            )),
            Self::Newer { .. } => Some("use the version that wrote it, or a later one".into()),
            Self::DiskFull { .. } => Some("make room, then resume: nothing that was recorded is lost".into()),
            Self::NotWritable { path, .. } => {
                Some(format!("make {} and its folder writable for this user", path.display()))
            }
            Self::Locked { .. } => Some("wait for that process to end, or stop it, then resume".into()),
            Self::NoSuchRun(_) => None,
            Self::OtherScope { of, .. } => Some(format!("take the lease of `{of}`")),
            Self::Over(_) => Some("start a new run".into()),
            Self::Unfinished(run) => Some(format!("resume run `{run}` first, or abandon it")),
            Self::LeaseLost { .. } => {
                Some("somebody else goes on with it; look at the run before starting again".into())
            }
            Self::Other { .. } => {
                Some("resume when the cause is mended: nothing that was recorded is lost".into())
            }
        }
    }
}

/// The records of runs, and the leases of their scopes, in one SQLite file. Cheap to clone; clones share the file.
#[derive(Clone)]
pub struct Journal(Arc<Inner>);

struct Inner {
    path: PathBuf,
    connection: Mutex<Connection>,
    in_memory: bool,
    #[cfg(test)]
    crash: Mutex<Option<Crash>>,
}

/// For tests: the process dies at a commit.
#[cfg(test)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crash {
    /// How many commits of records pass before it.
    pub(crate) commits: u32,
    /// Whether the one it dies at has reached the disk.
    pub(crate) after: bool,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Journal").field(&self.0.path).finish()
    }
}

impl Journal {
    /// Opens the journal at `path`; makes it, and the folders above it, when it is not there.
    ///
    /// # Errors
    /// When it is damaged, newer than we are, cannot be written, or the disk is full. Nothing is ever deleted.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Ok(Self::of(file::open(path)?, path.to_owned(), false))
    }

    /// A journal in memory, for tests and dry runs; it is gone with its last clone.
    ///
    /// # Errors
    /// None that can be expected.
    pub fn in_memory() -> Result<Self, JournalError> {
        Ok(Self::of(file::in_memory()?, PathBuf::from(":memory:"), true))
    }

    fn of(connection: Connection, path: PathBuf, in_memory: bool) -> Self {
        Self(Arc::new(Inner {
            path,
            connection: Mutex::new(connection),
            in_memory,
            #[cfg(test)]
            crash: Mutex::new(None),
        }))
    }

    /// Moves the journal at `path` out of the way, with its side files, and says where to: the way out of a damaged
    /// one. It reads nothing of it, and must not be open.
    ///
    /// # Errors
    /// When the files cannot be renamed.
    pub fn move_aside(path: &Path) -> Result<PathBuf, JournalError> {
        file::move_aside(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether writing to it waits for no disk.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.0.in_memory
    }

    /// Takes the lease of `scope` for `owner`; it is kept fresh in the background until dropped or released.
    /// One whose holder is dead (its process is gone, or it has not renewed it in time) is taken over.
    ///
    /// # Errors
    /// `Held`, saying by whom, when somebody alive has it.
    pub fn acquire(&self, scope: &str, owner: &Owner) -> Result<Lease, LeaseError> {
        self.acquire_on(scope, owner, Terms::default())
    }

    /// The same, on other terms.
    ///
    /// # Errors
    /// As [`Journal::acquire`].
    pub fn acquire_on(&self, scope: &str, owner: &Owner, terms: Terms) -> Result<Lease, LeaseError> {
        lease::acquire(self, scope, owner, terms)
    }

    /// Who holds the lease of `scope`, if anybody alive.
    ///
    /// # Errors
    /// When the journal fails.
    pub fn holder(&self, scope: &str) -> Result<Option<Holder>, JournalError> {
        self.read(|connection| lease::holder(connection, scope))
    }

    /// The newest run of `scope` that has not ended, whether somebody is at it or not.
    ///
    /// # Errors
    /// When the journal fails.
    pub fn unfinished(&self, scope: &str) -> Result<Option<RunSummary>, JournalError> {
        let filter = "WHERE scope = ?1 AND ended IS NULL";
        Ok(self.read(|connection| summaries(connection, filter, &[scope]))?.into_iter().next())
    }

    /// The runs of `scope`, or of all scopes, newest first.
    ///
    /// # Errors
    /// When the journal fails.
    pub fn runs(&self, scope: Option<&str>) -> Result<Vec<RunSummary>, JournalError> {
        self.read(|connection| match scope {
            Some(scope) => summaries(connection, "WHERE scope = ?1", &[scope]),
            None => summaries(connection, "", &[]),
        })
    }

    /// All that is known of a run, whether it has ended, goes on, or was left behind by a process that died.
    ///
    /// # Errors
    /// When there is no such run, or the journal fails.
    pub fn report(&self, run: &RunId) -> Result<Report, JournalError> {
        self.read(|connection| {
            let summary = summaries(connection, "WHERE id = ?1", &[run.as_str()])?.into_iter().next();
            let summary = summary.ok_or_else(|| Refusal::Error(JournalError::NoSuchRun(run.clone())))?;
            let detail =
                connection.query_row("SELECT detail FROM runs WHERE id = ?1", [run.as_str()], json)?;
            let sessions = sessions(connection, run)?;
            Ok(history(connection, run)?.report(summary, detail, sessions))
        })
    }

    /// The run's operations as they were given.
    ///
    /// # Errors
    /// When there is no such run, or the journal fails.
    pub fn graph(&self, run: &RunId) -> Result<Graph, JournalError> {
        self.read(|connection| {
            find(connection, run)?;
            graph(connection, run)
        })
    }

    /// What the operation `key` put out the last time it was done in `scope`, whichever run that was in.
    ///
    /// # Errors
    /// When the journal fails.
    pub fn last_output(&self, scope: &str, key: &OperationKey) -> Result<Option<Value>, JournalError> {
        let query = "SELECT output FROM outputs WHERE scope = ?1 AND key = ?2";
        self.read(|connection| Ok(connection.query_row(query, [scope, key.as_str()], json).optional()?))
    }

    /// The same for every key of `scope`.
    ///
    /// # Errors
    /// When the journal fails.
    pub fn last_outputs(&self, scope: &str) -> Result<BTreeMap<OperationKey, Value>, JournalError> {
        self.read(|connection| {
            let mut query = connection.prepare_cached("SELECT output, key FROM outputs WHERE scope = ?1")?;
            let rows = query
                .query_map([scope], |row| Ok((OperationKey::new(row.get::<_, String>(1)?), json(row)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Asks whichever process works on `run` to cancel it; it looks for this twice a second. When none does, the
    /// next that resumes it will cancel it.
    ///
    /// # Errors
    /// When there is no such run, it has ended, or the journal fails.
    pub fn request_cancel(&self, run: &RunId) -> Result<(), JournalError> {
        // The one write that needs no lease: it is about the lease's holder, and changes no record.
        self.write(|transaction| {
            find(transaction, run)?;
            let query = "UPDATE runs SET cancel = 1 WHERE id = ?1 AND ended IS NULL";
            match transaction.execute(query, [run.as_str()])? {
                0 => Err(JournalError::Over(run.clone()).into()),
                _ => Ok(()),
            }
        })
    }

    /// Whether a run of `scope` that has not ended was asked to cancel.
    pub(crate) fn is_cancel_requested(&self, scope: &str) -> Result<bool, JournalError> {
        let query = "SELECT EXISTS (SELECT 1 FROM runs WHERE scope = ?1 AND ended IS NULL AND cancel = 1)";
        self.read(|connection| Ok(connection.prepare_cached(query)?.query_row([scope], |row| row.get(0))?))
    }

    /// What a process needs to go on with a run.
    pub(crate) fn history(&self, run: &RunId) -> Result<History, JournalError> {
        self.read(|connection| history(connection, run))
    }

    /// Reads. All that `work` sees is of one moment.
    fn read<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, Refusal>) -> Result<T, JournalError> {
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(Refusal::from);
        transaction.and_then(|transaction| work(&transaction)).map_err(|refusal| self.explain(refusal))
    }

    /// Writes, all or nothing. When it returns, what was written survives the process and the machine.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Refusal>,
    ) -> Result<T, JournalError> {
        let mut connection = self.lock();
        let write = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        write().map_err(|refusal| self.explain(refusal))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic in the middle of a transaction has rolled it back; the connection is sound.
        self.0.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn explain(&self, refusal: Refusal) -> JournalError {
        match refusal {
            Refusal::Error(error) => error,
            Refusal::Sqlite(error) => file::explain(&self.0.path, &error),
            Refusal::Unreadable(why) => JournalError::Corrupt { path: self.0.path.clone(), why },
        }
    }
}

/// Why a transaction was not carried out.
#[derive(Debug)]
pub(crate) enum Refusal {
    Error(JournalError),
    Sqlite(rusqlite::Error),
    /// SQLite gives it as written, and it makes no sense.
    Unreadable(String),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        Self::Error(error)
    }
}

/// What a lease's holder writes about runs. Each is one transaction that first checks the lease.
impl Lease {
    /// Records a new run of `graph`; nothing is carried out yet. `detail` is kept with it, for whoever resumes it or
    /// shows it: no secret.
    ///
    /// # Errors
    /// `Unfinished` when the scope has a run that has not ended: resume or abandon that first. `LeaseLost`, or when
    /// the journal fails.
    pub fn create_run(&self, title: &str, detail: &Value, graph: &Graph) -> Result<RunId, JournalError> {
        let run = RunId::unused();
        self.write(|transaction| {
            let unfinished = "SELECT id FROM runs WHERE scope = ?1 AND ended IS NULL";
            let unfinished: Option<String> =
                transaction.query_row(unfinished, [self.scope()], |row| row.get(0)).optional()?;
            if let Some(other) = unfinished {
                return Err(JournalError::Unfinished(RunId(other)).into());
            }
            transaction.execute(
                "INSERT INTO runs (id, scope, title, detail, created, operations) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![run.as_str(), self.scope(), title, detail.to_string(), self.now(), integer(graph.len())],
            )?;
            let mut insert = transaction
                .prepare("INSERT INTO operations (run, position, operation) VALUES (?1, ?2, ?3)")?;
            for (position, operation) in graph.operations().iter().enumerate() {
                insert.execute(params![run.as_str(), integer(position), stored(operation)?])?;
            }
            drop(insert);
            forget_old_runs(transaction, self.scope())?;
            Ok(())
        })?;
        tracing::info!(run = %run, scope = self.scope(), operations = graph.len(), "run created");
        Ok(run)
    }

    /// Ends an unfinished run where it stands, for good. What the other side had accepted may still come to its end
    /// there.
    ///
    /// # Errors
    /// When it has ended already, is of another scope, the lease was lost, or the journal fails.
    pub fn abandon(&self, run: &RunId) -> Result<(), JournalError> {
        self.write(|transaction| {
            self.own(transaction, run)?;
            end(transaction, run, Outcome::Abandoned, self.now())
        })
    }

    /// Keeps `value` as the last output of `key`, or forgets that there was one: for what was learnt outside a run.
    ///
    /// # Errors
    /// When the lease was lost, or the journal fails.
    pub fn set_output(&self, key: &OperationKey, value: Option<&Value>) -> Result<(), JournalError> {
        self.write(|transaction| match value {
            Some(value) => put_output(transaction, self.scope(), key, value, self.now()),
            None => {
                let query = "DELETE FROM outputs WHERE scope = ?1 AND key = ?2";
                transaction.execute(query, [self.scope(), key.as_str()])?;
                Ok(())
            }
        })
    }

    /// Notes that this process starts to work on `run`, at that time of the run's clock.
    pub(crate) fn open_session(&self, run: &RunId, at: Timestamp) -> Result<(), JournalError> {
        self.write(|transaction| {
            self.own(transaction, run)?;
            transaction.execute(
                "INSERT INTO sessions (run, at, owner, fence) VALUES (?1, ?2, ?3, ?4)",
                params![run.as_str(), micros(at), stored(self.owner())?, self.fence().cast_signed()],
            )?;
            Ok(())
        })
    }

    /// Commits what happened to operations of `run`, and its end if it has one, all together.
    pub(crate) fn commit(
        &self,
        run: &RunId,
        entries: &[Entry],
        outcome: Option<(Timestamp, Outcome)>,
    ) -> Result<(), JournalError> {
        let work = |transaction: &Transaction<'_>| {
            let mut insert = transaction
                .prepare_cached("INSERT INTO records (run, position, at, record) VALUES (?1, ?2, ?3, ?4)")?;
            for Entry { position, key, at, record } in entries {
                insert.execute(params![run.as_str(), integer(*position), micros(*at), stored(record)?])?;
                if let Record::Done { output } = record {
                    put_output(transaction, self.scope(), key, output, micros(*at))?;
                }
            }
            match outcome {
                Some((at, outcome)) => end(transaction, run, outcome, micros(at)),
                None => Ok(()),
            }
        };
        #[cfg(test)]
        if let Some(crash) = self.journal().crash_due() {
            if crash.after {
                self.write(work)?;
            }
            return Err(JournalError::Other {
                path: self.journal().path().to_owned(),
                why: "simulated crash".into(),
            });
        }
        self.write(work)
    }

    /// That `run` is there, unfinished, and of our scope.
    fn own(&self, transaction: &Transaction<'_>, run: &RunId) -> Result<(), Refusal> {
        let (scope, ended) = find(transaction, run)?;
        if scope != self.scope() {
            let scope = (scope, self.scope().to_owned());
            return Err(JournalError::OtherScope { run: run.clone(), of: scope.0, scope: scope.1 }.into());
        }
        if ended { Err(JournalError::Over(run.clone()).into()) } else { Ok(()) }
    }
}

/// One record on its way to the disk.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) position: usize,
    pub(crate) key: OperationKey,
    pub(crate) at: Timestamp,
    pub(crate) record: Record,
}

/// A count or position as SQLite takes it.
fn integer(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Times are stored as microseconds since 1970.
pub(crate) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// A stored time.
pub(crate) fn time(micros: i64) -> Result<Timestamp, Refusal> {
    Timestamp::from_microsecond(micros).map_err(|error| Refusal::Unreadable(error.to_string()))
}

/// A value as it is stored.
pub(crate) fn stored(value: &impl Serialize) -> Result<String, Refusal> {
    serde_json::to_string(value).map_err(|error| Refusal::Unreadable(error.to_string()))
}

/// A stored value.
pub(crate) fn restored<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(|error| Refusal::Unreadable(error.to_string()))
}

/// The row's first column as JSON.
fn json(row: &Row<'_>) -> rusqlite::Result<Value> {
    let text: String = row.get(0)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
    })
}

/// The run's scope, and whether it has ended.
fn find(connection: &Connection, run: &RunId) -> Result<(String, bool), Refusal> {
    connection
        .query_row("SELECT scope, ended IS NOT NULL FROM runs WHERE id = ?1", [run.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?
        .ok_or_else(|| JournalError::NoSuchRun(run.clone()).into())
}

fn end(transaction: &Transaction<'_>, run: &RunId, outcome: Outcome, at: i64) -> Result<(), Refusal> {
    let query = "UPDATE runs SET ended = ?2, outcome = ?3 WHERE id = ?1 AND ended IS NULL";
    transaction.execute(query, params![run.as_str(), at, stored(&outcome)?])?;
    Ok(())
}

fn put_output(
    transaction: &Transaction<'_>,
    scope: &str,
    key: &OperationKey,
    output: &Value,
    at: i64,
) -> Result<(), Refusal> {
    let mut query = transaction.prepare_cached(
        "INSERT INTO outputs (scope, key, output, at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (scope, key) DO UPDATE SET output = ?3, at = ?4",
    )?;
    query.execute(params![scope, key.as_str(), output.to_string(), at])?;
    Ok(())
}

/// Deletes ended runs of `scope` beyond those that are kept.
fn forget_old_runs(transaction: &Transaction<'_>, scope: &str) -> Result<(), Refusal> {
    let old =
        "SELECT id FROM runs WHERE scope = ?1 AND ended IS NOT NULL ORDER BY number DESC LIMIT -1 OFFSET ?2";
    for table in ["records", "operations", "sessions"] {
        transaction
            .execute(&format!("DELETE FROM {table} WHERE run IN ({old})"), params![scope, RUNS_KEPT])?;
    }
    transaction.execute(&format!("DELETE FROM runs WHERE id IN ({old})"), params![scope, RUNS_KEPT])?;
    Ok(())
}

/// Runs that `filter` lets through, newest first.
fn summaries(connection: &Connection, filter: &str, values: &[&str]) -> Result<Vec<RunSummary>, Refusal> {
    let counted = |record: &str| {
        format!(
            "(SELECT count(*) FROM records WHERE run = runs.id AND record LIKE '{{\"record\":\"{record}\"%')"
        )
    };
    let mut query = connection.prepare_cached(&format!(
        "SELECT id, scope, title, created, ended, outcome, operations, {}, {} FROM runs {filter} ORDER BY number DESC",
        counted("done"),
        counted("failed"),
    ))?;
    let mut rows = query.query(rusqlite::params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let scope: String = row.get(1)?;
        let state = match row.get::<_, Option<i64>>(4)? {
            Some(ended) => {
                let outcome: String = row.get(5)?;
                RunState::Ended { outcome: restored(&outcome)?, at: time(ended)? }
            }
            None => match lease::holder(connection, &scope)? {
                Some(holder) => RunState::Running { holder },
                None => RunState::Interrupted,
            },
        };
        found.push(RunSummary {
            id: RunId(row.get(0)?),
            scope,
            title: row.get(2)?,
            created: time(row.get(3)?)?,
            state,
            operations: row.get(6)?,
            done: row.get(7)?,
            failed: row.get(8)?,
        });
    }
    Ok(found)
}

fn sessions(connection: &Connection, run: &RunId) -> Result<Vec<Session>, Refusal> {
    let mut query =
        connection.prepare_cached("SELECT at, owner FROM sessions WHERE run = ?1 ORDER BY number")?;
    let mut rows = query.query([run.as_str()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let owner: String = row.get(1)?;
        found.push(Session { at: time(row.get(0)?)?, owner: restored(&owner)? });
    }
    Ok(found)
}

fn graph(connection: &Connection, run: &RunId) -> Result<Graph, Refusal> {
    let mut query =
        connection.prepare_cached("SELECT operation FROM operations WHERE run = ?1 ORDER BY position")?;
    let mut rows = query.query([run.as_str()])?;
    let mut operations: Vec<Operation> = Vec::new();
    while let Some(row) = rows.next()? {
        operations.push(restored(
            row.get_ref(0)?.as_str().map_err(|error| Refusal::Unreadable(error.to_string()))?,
        )?);
    }
    Graph::new(operations).map_err(|error| Refusal::Unreadable(error.to_string()))
}

fn history(connection: &Connection, run: &RunId) -> Result<History, Refusal> {
    find(connection, run)?;
    let mut history = History::new(graph(connection, run)?);
    let mut query = connection
        .prepare_cached("SELECT position, at, record FROM records WHERE run = ?1 ORDER BY number")?;
    let mut rows = query.query([run.as_str()])?;
    while let Some(row) = rows.next()? {
        let text: String = row.get(2)?;
        history.take_in(row.get::<_, u32>(0)? as usize, time(row.get(1)?)?, restored(&text)?)?;
    }
    Ok(history)
}

#[cfg(test)]
impl Journal {
    /// Has the process die at a later commit of records.
    pub(crate) fn crash_at(&self, crash: Option<Crash>) {
        *self.0.crash.lock().unwrap() = crash;
    }

    /// The crash, if it is due at this commit.
    fn crash_due(&self) -> Option<Crash> {
        let mut planned = self.0.crash.lock().unwrap();
        match planned.as_mut()? {
            Crash { commits: 0, .. } => planned.take(),
            Crash { commits, .. } => {
                *commits -= 1;
                None
            }
        }
    }

    /// The open database, for tests that do to it what others do.
    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.lock()
    }
}

#[cfg(test)]
mod tests;
