//! What a watcher sees while a run goes on.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::ms;
use crate::failure::Failure;
use crate::graph::OperationKey;
use crate::journal::RunId;
use crate::report::Ended;

/// Something happened to an operation. As JSON it is one flat object:
/// `{"event":"begun","at":"…","run":"…","operation":"…","address":"…","kind":"…","attempt":1}`.
///
/// All but progress is in the journal before it is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What happened; its name is the field `event`.
    #[serde(flatten)]
    pub what: What,
    /// When.
    pub at: Timestamp,
    /// In which run.
    pub run: RunId,
    /// To which operation.
    pub operation: OperationKey,
    /// The operation's subject.
    pub address: String,
    /// The operation's kind.
    pub kind: String,
}

/// What can happen to an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum What {
    /// Its hands are about to move.
    Begun {
        /// The how many-th begin it is, over all processes.
        attempt: u32,
    },
    /// The other side has taken it on.
    Accepted {
        /// When it is looked after next.
        #[serde(rename = "afterMs", with = "ms")]
        after: Duration,
    },
    /// It is at this now.
    Progressed {
        /// For people.
        text: String,
        /// How much is done, 0 to 1, where known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fraction: Option<f32>,
    },
    /// An attempt failed and another will be made.
    Retried {
        /// Why it failed.
        failure: Failure,
        /// How long until the next attempt.
        #[serde(rename = "afterMs", with = "ms")]
        after: Duration,
    },
    /// It has come to its end.
    Ended {
        /// Which end; its word is the field `how`.
        #[serde(flatten)]
        how: Ended,
        /// From its first begin to now; nothing when it was never begun.
        #[serde(rename = "workedMs", with = "ms")]
        worked: Duration,
    },
}
