//! Long-running operations: what an answer means.

use crate::request::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// What a request that changes something came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Begun {
    /// It is finished. Null when Azure said nothing more.
    Done(Value),
    /// It is running; follow it.
    Accepted(Tracking),
}

/// What one poll came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Followed {
    /// Not finished.
    Running {
        /// When to ask again.
        after: Duration,
        /// How far it is, if Azure says so (0 to 100).
        percent: Option<f32>,
        /// Azure's word for the state.
        status: String,
        /// The tracking to go on with when it has changed; to be recorded in place of the old one.
        moved: Option<Tracking>,
    },
    /// Finished. The resource as it is now; null after a removal.
    Done(Value),
}

/// An operation under way, as recorded in a journal: enough to go on after a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tracking {
    /// How Azure tells of its end.
    pub style: Style,
    /// Where to ask, as Azure gave it.
    pub url: Url,
    /// Where the result is, when that is another place than the resource itself.
    pub result: Option<Url>,
    /// What was begun.
    pub method: Method,
    /// The resource.
    pub id: String,
    /// The API version that it was begun with.
    pub api_version: String,
    /// When to ask first, in milliseconds.
    pub after_ms: u64,
}

impl Tracking {
    /// When to ask first.
    pub fn after(&self) -> Duration {
        Duration::from_millis(self.after_ms)
    }
}

/// How Azure tells of an operation's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Style {
    /// A status document (`Azure-AsyncOperation`).
    AsyncOperation,
    /// 202 until it ends (`Location`).
    Location,
    /// The resource's own `provisioningState`, or for a removal its absence.
    Resource,
}
