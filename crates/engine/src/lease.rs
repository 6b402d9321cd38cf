//! One run at a time for each scope, with fencing.
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::graph::{Graph, OperationKey};
use crate::journal::{Journal, JournalError, RunId};

/// Who wants a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// The process.
    pub pid: u32,
    /// When that process started, in the system's own count; tells it from a later one with the same id.
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
        let _ = command.into();
        todo!()
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

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Owner { pid, host, user, command, .. } = &self.owner;
        write!(f, "{user} on {host}, `{command}` (process {pid}), since {}", self.since)
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
pub struct Lease {
    pub(crate) journal: Journal,
}

impl Lease {
    /// What it is of.
    pub fn scope(&self) -> &str {
        todo!()
    }

    /// Its fencing token, greater than that of every lease of this scope before.
    pub fn fence(&self) -> u64 {
        todo!()
    }

    /// The journal it is kept in.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Records a new run of `graph`; nothing is carried out yet. `detail` is kept with it, for whoever resumes it.
    ///
    /// # Errors
    /// `Unfinished` when the scope has a run that has not ended: resume or abandon that first.
    pub fn create_run(&self, title: &str, detail: &Value, graph: &Graph) -> Result<RunId, JournalError> {
        let _ = (title, detail, graph);
        todo!()
    }

    /// Ends an unfinished run where it stands. What the other side had accepted may still come to its end there.
    pub fn abandon(&self, run: &RunId) -> Result<(), JournalError> {
        let _ = run;
        todo!()
    }

    /// Keeps `value` as the last output of `key`, or forgets it: for what was learnt outside of a run.
    pub fn set_output(&self, key: &OperationKey, value: Option<&Value>) -> Result<(), JournalError> {
        let _ = (key, value);
        todo!()
    }

    /// Gives it back; dropping does the same, without telling of errors.
    pub fn release(self) -> Result<(), JournalError> {
        todo!()
    }
}
