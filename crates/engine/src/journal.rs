//! The records of runs, on disk.
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::graph::{Graph, OperationKey};
use crate::lease::{Holder, Lease, LeaseError, Owner};
use crate::report::{Report, RunSummary};

/// The name of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub(crate) String);

impl RunId {
    /// The id spelt so; whether there is such a run shows when it is used.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
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
    /// The file is no journal any more.
    #[error("the journal {} is damaged: {why}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite or the reader says.
        why: String,
    },
    /// A newer Landfall wrote it.
    #[error("the journal {} was written by a newer version (format {found}; this one reads {known})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest that we read.
        known: i64,
    },
    /// No room on the disk.
    #[error("no room on the disk for the journal {}", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// It may not be written.
    #[error("the journal {} cannot be written: {why}", path.display())]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// Another process kept it locked.
    #[error("the journal {} was kept locked by another process", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// There is no such run.
    #[error("there is no run `{0}`")]
    NoSuchRun(RunId),
    /// The scope has a run that has not ended: resume or abandon it.
    #[error("run `{0}` has not ended")]
    Unfinished(RunId),
    /// The lease was taken over or released: nothing was written.
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
        /// What SQLite says.
        why: String,
    },
}

impl JournalError {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        todo!()
    }
}

/// The records of runs, and the leases of their scopes, in one SQLite file. Cheap to clone.
#[derive(Clone)]
pub struct Journal {}

impl Journal {
    /// Opens the journal at `path`; makes it, and the folders above it, when it is not there.
    ///
    /// # Errors
    /// When it is damaged, newer than we are, cannot be written, or the disk is full. Nothing is ever deleted.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let _ = path;
        todo!()
    }

    /// A journal in memory, for tests and dry runs.
    pub fn in_memory() -> Result<Self, JournalError> {
        todo!()
    }

    /// Moves the journal at `path` out of the way, with its side files, and says where to.
    pub fn move_aside(path: &Path) -> Result<PathBuf, JournalError> {
        let _ = path;
        todo!()
    }

    /// Takes the lease of `scope` for `owner`; it is kept fresh in the background until dropped or released.
    ///
    /// # Errors
    /// `Held` when somebody else has it and is alive.
    pub fn acquire(&self, scope: &str, owner: &Owner) -> Result<Lease, LeaseError> {
        let _ = (scope, owner);
        todo!()
    }

    /// Who holds the lease of `scope`, if anybody alive.
    pub fn holder(&self, scope: &str) -> Result<Option<Holder>, JournalError> {
        let _ = scope;
        todo!()
    }

    /// The newest run of `scope` that has not ended.
    pub fn unfinished(&self, scope: &str) -> Result<Option<RunSummary>, JournalError> {
        let _ = scope;
        todo!()
    }

    /// The runs of `scope`, or of all scopes, newest first.
    pub fn runs(&self, scope: Option<&str>) -> Result<Vec<RunSummary>, JournalError> {
        let _ = scope;
        todo!()
    }

    /// All that is known of a run.
    pub fn report(&self, run: &RunId) -> Result<Report, JournalError> {
        let _ = run;
        todo!()
    }

    /// The run's operations as they were given.
    pub fn graph(&self, run: &RunId) -> Result<Graph, JournalError> {
        let _ = run;
        todo!()
    }

    /// What the operation `key` put out the last time it was done in `scope`, whichever run that was.
    pub fn last_output(&self, scope: &str, key: &OperationKey) -> Result<Option<Value>, JournalError> {
        let _ = (scope, key);
        todo!()
    }

    /// The same for every key of `scope`.
    pub fn last_outputs(&self, scope: &str) -> Result<BTreeMap<OperationKey, Value>, JournalError> {
        let _ = scope;
        todo!()
    }

    /// Asks the process that works on `run`, whichever it is, to cancel it.
    pub fn request_cancel(&self, run: &RunId) -> Result<(), JournalError> {
        let _ = run;
        todo!()
    }
}
