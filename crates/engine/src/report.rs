//! What is known of a run, while it goes on, after it ended, and after its process died.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::ms;
use crate::failure::Failure;
use crate::graph::OperationKey;
use crate::journal::RunId;
use crate::lease::{Holder, Owner};

/// How an operation came to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Ended {
    /// Carried out.
    Done,
    /// Given up.
    Failed {
        /// The last failure.
        failure: Failure,
        /// How long failures of its class were borne before giving up; `None` when it was fatal at once.
        #[serde(default, rename = "borneMs", with = "ms::option", skip_serializing_if = "Option::is_none")]
        borne: Option<Duration>,
    },
    /// Never begun, because an operation that it needs, directly or not, failed.
    Skipped {
        /// The operation that failed.
        because: OperationKey,
    },
    /// Stopped by a cancel.
    Cancelled {
        /// Whether it had been begun, so that it may have taken effect.
        begun: bool,
        /// Its last failure, when it was waiting to be tried again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
}

/// How a run came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Every operation is done.
    Done,
    /// At least one failed.
    Failed,
    /// It was cancelled before every operation was done.
    Cancelled,
    /// It was left unfinished for good; see [`Lease::abandon`](crate::Lease::abandon).
    Abandoned,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Abandoned => "abandoned",
        })
    }
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RunState {
    /// Somebody is at it.
    Running {
        /// Who.
        holder: Holder,
    },
    /// Nobody is at it and it has not ended: it can be resumed.
    Interrupted,
    /// It has ended.
    Ended {
        /// How.
        outcome: Outcome,
        /// When.
        at: Timestamp,
    },
}

/// A run in one line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// Its id.
    pub id: RunId,
    /// What it is about, `app/environment`.
    pub scope: String,
    /// What it was started as, for people.
    pub title: String,
    /// When it was created.
    pub created: Timestamp,
    /// Where it stands.
    #[serde(flatten)]
    pub state: RunState,
    /// How many operations it has.
    pub operations: u32,
    /// How many of them are done.
    pub done: u32,
    /// How many of them failed.
    pub failed: u32,
}

/// All that the journal knows of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The run in one line.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// What its creator kept with it.
    pub detail: serde_json::Value,
    /// Each process that worked on it, in order.
    pub sessions: Vec<Session>,
    /// Its operations, in the graph's order.
    pub operations: Vec<OperationReport>,
    /// From its first session to its end, or to its last record.
    #[serde(rename = "tookMs", with = "ms")]
    pub took: Duration,
    /// What the time went into, along the critical path.
    pub bound: Bound,
}

/// One process at work on a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// When it started.
    pub at: Timestamp,
    /// Who it was.
    pub owner: Owner,
}

/// What bounded a run's time: the parts of its critical path, which leads from the operation that ended last, each
/// time by the need that ended last, back to one that needed nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bound {
    /// Operations at work.
    #[serde(rename = "workMs", with = "ms")]
    pub work: Duration,
    /// Operations waiting to be tried again.
    #[serde(rename = "retriesMs", with = "ms")]
    pub retries: Duration,
    /// Operations that could have begun and had to wait for a free place.
    #[serde(rename = "queueMs", with = "ms")]
    pub queue: Duration,
}

/// What the journal knows of one operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationReport {
    /// Its key.
    pub operation: OperationKey,
    /// Its subject.
    pub address: String,
    /// Its kind.
    pub kind: String,
    /// Where it stands.
    pub status: OperationStatus,
    /// How it ended, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Ended>,
    /// When it was first begun.
    #[serde(default)]
    pub begun: Option<Timestamp>,
    /// When it ended.
    #[serde(default)]
    pub ended: Option<Timestamp>,
    /// How long it could have begun and had not.
    #[serde(rename = "waitedMs", with = "ms")]
    pub waited: Duration,
    /// From its first begin to its end, or to the run's last record, less the time between tries.
    #[serde(rename = "workedMs", with = "ms")]
    pub worked: Duration,
    /// The time between tries.
    #[serde(rename = "restedMs", with = "ms")]
    pub rested: Duration,
    /// How often it was tried again, by the engine or after a crash.
    pub retries: u32,
    /// Whether the run would have been shorter, had this been.
    pub critical: bool,
}

/// Where an operation stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OperationStatus {
    /// Not begun yet.
    Waiting,
    /// Begun; whether it took effect is not known.
    Begun,
    /// Taken on by the other side.
    Accepted,
    /// Carried out.
    Done,
    /// Given up.
    Failed,
    /// Never begun, because of a failure before it.
    Skipped,
    /// Stopped by a cancel.
    Cancelled,
}

impl OperationStatus {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Begun => "begun",
            Self::Accepted => "accepted",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Report {
    /// Every failure of the run, with the operation that failed, in the graph's order.
    pub fn failures(&self) -> impl Iterator<Item = (&OperationReport, &Failure)> {
        self.operations.iter().filter_map(|operation| match &operation.end {
            Some(Ended::Failed { failure, .. }) => Some((operation, failure)),
            _ => None,
        })
    }

    /// How the run ended; `None` when it has not.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.summary.state {
            RunState::Ended { outcome, .. } => Some(outcome),
            RunState::Running { .. } | RunState::Interrupted => None,
        }
    }
}
