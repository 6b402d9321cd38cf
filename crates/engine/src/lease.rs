//! One run at a time for each scope: a lease, kept in the journal, with a fencing token.
//!
//! - **Why**: two processes that change the same application and environment undo each other's work.
//! - **Held** by one process. A thread renews it every [`Terms::beat`]; it lapses [`Terms::lapse`] after the last
//!   renewal.
//! - **Taken over** when it has lapsed, or at once when its holder's process is known to be gone: same machine, and
//!   no process of that id, or one that started at another time.
//! - **Fenced**: with every holder the token grows. A holder that slept through its lapse finds another token in the
//!   transaction of its next write, which then is none; the same database holds lease and records, so that there is
//!   no moment between the check and the write.
//! - **Recovery**: a crash leaves the row as it is; it is taken over as above.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::clock::{add, wall};
use crate::journal::{Journal, JournalError, Refusal, micros, restored, stored, time};

mod process;

/// How often the keeper looks whether the run was asked to cancel: soon enough for a person who waits for it.
const LOOK: Duration = Duration::from_millis(500);

/// Who wants a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// The process.
    pub pid: u32,
    /// When that process started, in the system's own count: tells it from a later one with the same id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<u64>,
    /// The machine.
    pub host: String,
    /// The person.
    pub user: String,
    /// What they are doing: `landfall up`.
    pub command: String,
}

impl Owner {
    /// This process, at work on `command`.
    pub fn this_process(command: impl Into<String>) -> Self {
        let pid = std::process::id();
        Self {
            pid,
            started: process::started(pid),
            host: process::host(),
            user: process::user(),
            command: command.into(),
        }
    }

    /// Whether the process is known to be gone. Of other machines nothing is known.
    fn is_gone(&self) -> bool {
        self.host == process::host() && !process::is_alive(self.pid, self.started)
    }
}

/// Who has a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// Who.
    #[serde(flatten)]
    pub owner: Owner,
    /// Since when.
    pub since: Timestamp,
    /// When it lapses unless renewed.
    pub expires: Timestamp,
}

impl Holder {
    fn is_alive(&self, now: Timestamp) -> bool {
        now < self.expires && !self.owner.is_gone()
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Owner { pid, started: _, host, user, command } = &self.owner;
        let since = self.since.strftime("%Y-%m-%d %H:%M:%S UTC");
        write!(f, "{user} on {host}: `{command}`, process {pid}, since {since}")
    }
}

/// How long a lease lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How often it is renewed.
    pub beat: Duration,
    /// How long after the last renewal it lapses. Several beats, so that a stalled disk does not cost it.
    pub lapse: Duration,
}

impl Default for Terms {
    /// Renewed every 5 seconds, lapsing after 30.
    fn default() -> Self {
        Self { beat: Duration::from_secs(5), lapse: Duration::from_secs(30) }
    }
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody has it.
    #[error("`{scope}` is being changed by {by}")]
    Held {
        /// What the lease is of.
        scope: String,
        /// Who has it.
        by: Box<Holder>,
    },
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// The right to change a scope, until dropped, released or lost. All that is written through it checks that it is
/// still ours, in the same transaction.
#[derive(Debug)]
pub struct Lease {
    journal: Journal,
    scope: Arc<str>,
    fence: u64,
    owner: Owner,
    signals: Arc<Signals>,
    keeper: Option<Keeper>,
}

/// What the keeper found out.
#[derive(Debug)]
struct Signals {
    lost: watch::Sender<bool>,
    cancel: watch::Sender<bool>,
}

/// The thread that renews a lease.
#[derive(Debug)]
struct Keeper {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: JoinHandle<()>,
}

/// Takes the lease of `scope`, if nobody alive has it.
pub(crate) fn acquire(
    journal: &Journal,
    scope: &str,
    owner: &Owner,
    terms: Terms,
) -> Result<Lease, LeaseError> {
    let taken = journal.write(|transaction| {
        let now = wall();
        let (fence, found) = match row(transaction, scope)? {
            Some((fence, found)) => (fence, found),
            None => (0, None),
        };
        if let Some(by) = found.filter(|found| found.is_alive(now)) {
            return Ok(Err(by));
        }
        transaction.execute(
            "INSERT INTO leases (scope, fence, holder, since, expires) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (scope) DO UPDATE SET fence = ?2, holder = ?3, since = ?4, expires = ?5",
            params![scope, fence + 1, stored(owner)?, micros(now), micros(add(now, terms.lapse))],
        )?;
        Ok(Ok((fence + 1).cast_unsigned()))
    })?;
    let fence = taken.map_err(|by| LeaseError::Held { scope: scope.to_owned(), by: Box::new(by) })?;
    let signals = Arc::new(Signals { lost: watch::Sender::new(false), cancel: watch::Sender::new(false) });
    let scope: Arc<str> = scope.into();
    tracing::debug!(%scope, fence, "lease taken");
    let keeper = Keeper::start(journal.clone(), Arc::clone(&scope), fence, terms, Arc::clone(&signals))
        .map_err(|error| JournalError::Other { path: journal.path().to_owned(), why: error.to_string() })?;
    Ok(Lease { journal: journal.clone(), scope, fence, owner: owner.clone(), signals, keeper: Some(keeper) })
}

/// Who holds the lease of `scope`, if anybody alive.
pub(crate) fn holder(connection: &Connection, scope: &str) -> Result<Option<Holder>, Refusal> {
    let found = row(connection, scope)?.and_then(|(_, holder)| holder);
    Ok(found.filter(|found| found.is_alive(wall())))
}

/// The last token of `scope`, and who took it, unless they gave it back.
fn row(connection: &Connection, scope: &str) -> Result<Option<(i64, Option<Holder>)>, Refusal> {
    let mut query =
        connection.prepare_cached("SELECT fence, holder, since, expires FROM leases WHERE scope = ?1")?;
    let found = query.query_row([scope], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, Option<String>>(1)?,
            row.get::<_, i64>(2)?,
            row.get::<_, i64>(3)?,
        ))
    });
    let Some((fence, owner, since, expires)) = found.optional()? else { return Ok(None) };
    let holder = match owner {
        Some(owner) => {
            Some(Holder { owner: restored(&owner)?, since: time(since)?, expires: time(expires)? })
        }
        None => None,
    };
    Ok(Some((fence, holder)))
}

impl Lease {
    /// What it is of.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Its fencing token: greater than that of every lease of this scope before.
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// Who holds it.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The journal it is kept in.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Gives it back. Dropping it does the same, but cannot tell of errors.
    ///
    /// # Errors
    /// When the journal fails; the lease then lapses by itself.
    pub fn release(mut self) -> Result<(), JournalError> {
        self.give_back()
    }

    /// Returns once it is known to be lost. Writes find out by themselves; this is for those who only wait.
    pub async fn lost(&self) {
        // The sender lives in `self`: waiting ends by a loss alone.
        let _ = self.signals.lost.subscribe().wait_for(|lost| *lost).await;
    }

    /// Returns once somebody has asked for the scope's run to be cancelled.
    pub(crate) async fn cancel_requested(&self) {
        let _ = self.signals.cancel.subscribe().wait_for(|cancel| *cancel).await;
    }

    /// The time, as stored.
    pub(crate) fn now(&self) -> i64 {
        micros(wall())
    }

    /// Writes, if the lease still stands.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Refusal>,
    ) -> Result<T, JournalError> {
        self.journal.write(|transaction| match row(transaction, &self.scope)? {
            Some((fence, Some(_))) if fence.cast_unsigned() == self.fence => work(transaction),
            found => {
                let by = found.and_then(|(_, by)| by).map(Box::new);
                Err(JournalError::LeaseLost { scope: self.scope.to_string(), by }.into())
            }
        })
    }

    fn give_back(&mut self) -> Result<(), JournalError> {
        let Some(keeper) = self.keeper.take() else { return Ok(()) };
        keeper.stop();
        self.journal.write(|transaction| {
            let query = "UPDATE leases SET holder = NULL WHERE scope = ?1 AND fence = ?2";
            transaction.execute(query, params![&*self.scope, self.fence.cast_signed()])?;
            Ok(())
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Err(error) = self.give_back() {
            tracing::warn!(scope = %self.scope, %error, "lease not given back; it lapses by itself");
        }
    }
}

impl Keeper {
    fn start(
        journal: Journal,
        scope: Arc<str>,
        fence: u64,
        terms: Terms,
        signals: Arc<Signals>,
    ) -> std::io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let stopped = Arc::clone(&stop);
        // A thread and not a task: it must go on while the program waits for a person's answer, or blocks.
        let thread = std::thread::Builder::new()
            .name("lease".into())
            .spawn(move || keep(&journal, &scope, fence, terms, &signals, &stopped))?;
        Ok(Self { stop, thread })
    }

    fn stop(self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if self.thread.join().is_err() {
            tracing::error!("the thread that keeps the lease panicked");
        }
    }
}

/// Renews the lease until told to stop, or until it is lost.
fn keep(
    journal: &Journal,
    scope: &str,
    fence: u64,
    terms: Terms,
    signals: &Signals,
    stop: &(Mutex<bool>, Condvar),
) {
    let pause = LOOK.min(terms.beat);
    #[expect(clippy::disallowed_methods, reason = "a thread beside the run, in real time")]
    let mut renewed = Instant::now();
    loop {
        let stopped = stop.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (stopped, _) = stop
            .1
            .wait_timeout_while(stopped, pause, |stopped| !*stopped)
            .unwrap_or_else(PoisonError::into_inner);
        if *stopped {
            return;
        }
        drop(stopped);
        if renewed.elapsed() >= terms.beat {
            match renew(journal, scope, fence, terms) {
                Ok(true) => {
                    #[expect(clippy::disallowed_methods, reason = "a thread beside the run, in real time")]
                    let now = Instant::now();
                    renewed = now;
                }
                Ok(false) => {
                    tracing::warn!(scope, fence, "lease lost");
                    signals.lost.send_replace(true);
                    return;
                }
                // Tried again at the next look. If it lasts, the run's own writes fail and say why.
                Err(error) => tracing::warn!(scope, %error, "lease not renewed"),
            }
        }
        match journal.is_cancel_requested(scope) {
            Ok(true) => _ = signals.cancel.send_replace(true),
            Ok(false) => {}
            Err(error) => tracing::warn!(scope, %error, "cannot see whether the run shall be cancelled"),
        }
    }
}

/// Moves the lapse on; `false` when the lease is no longer ours.
fn renew(journal: &Journal, scope: &str, fence: u64, terms: Terms) -> Result<bool, JournalError> {
    journal.write(|transaction| {
        let query = "UPDATE leases SET expires = ?3 WHERE scope = ?1 AND fence = ?2 AND holder IS NOT NULL";
        let expires = micros(add(wall(), terms.lapse));
        Ok(transaction.execute(query, params![scope, fence.cast_signed(), expires])? == 1)
    })
}

#[cfg(test)]
mod tests;
