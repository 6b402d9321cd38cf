//! What goes wrong, by class, and how long each class is borne.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::ms;

/// What kind of failure it is, which decides whether and how it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// Asked too often; the other side says when to come back.
    Throttled,
    /// A passing trouble of the network or the other side; whether the request took effect is not known.
    Transient,
    /// Something else is at work on the same thing.
    Busy,
    /// What was made is not visible everywhere yet.
    NotYetConsistent,
    /// Trying again would not help.
    Fatal,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Throttled => "throttled",
            Self::Transient => "transient",
            Self::Busy => "busy",
            Self::NotYetConsistent => "not yet consistent",
            Self::Fatal => "fatal",
        })
    }
}

/// Why an attempt did not succeed. It is journalled and shown, so it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub struct Failure {
    /// What kind it is.
    pub class: Class,
    /// The other side's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What happened, for people.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// How long the other side asks us to stay away; obeyed to the letter.
    #[serde(default, rename = "retryAfterMs", with = "ms::option", skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// Set by `follow` when what had been accepted is over: trying again means to begin again, not to follow.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over: bool,
}

impl Failure {
    /// A failure of this class.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, code: None, message: message.into(), help: None, retry_after: None, over: false }
    }

    /// A failure that trying again would not mend.
    pub fn fatal(message: impl Into<String>) -> Self {
        Self::new(Class::Fatal, message)
    }

    /// The same, with the other side's code.
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The same, with what to do next.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, to be tried again no sooner than this.
    pub fn after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// The same, ending what had been accepted.
    pub fn over(mut self) -> Self {
        self.over = true;
        self
    }
}

/// How one class of failure is borne.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// How long to go on, from the first failure of this class; in time, since tries say little about waiting.
    pub budget: Duration,
    /// The first wait, doubled with each further failure; used when the other side names none.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

/// How each class is borne. A fatal failure is not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patience {
    /// For [`Class::Throttled`].
    pub throttled: Policy,
    /// For [`Class::Transient`].
    pub transient: Policy,
    /// For [`Class::Busy`].
    pub busy: Policy,
    /// For [`Class::NotYetConsistent`].
    pub not_yet_consistent: Policy,
}

const fn policy(budget_s: u64, first_ms: u64, longest_s: u64) -> Policy {
    Policy {
        budget: Duration::from_secs(budget_s),
        first: Duration::from_millis(first_ms),
        longest: Duration::from_secs(longest_s),
    }
}

impl Default for Patience {
    /// For a cloud at its own pace.
    fn default() -> Self {
        Self {
            // Buckets of management APIs refill within minutes, those counted by the hour within the hour.
            throttled: policy(3600, 2_000, 60),
            // An outage longer than this is for a person to look at; the run can be resumed.
            transient: policy(600, 500, 30),
            // The other operation may be the making of an environment or a cluster.
            busy: policy(1800, 2_000, 30),
            // Rights and new identities take up to five minutes to be seen everywhere, seldom ten.
            not_yet_consistent: policy(900, 1_000, 15),
        }
    }
}

impl Patience {
    /// The same for a world whose time runs at `speed` of ours (0.05: twenty times as fast), budgets included
    /// but never below ten seconds, since our own machine is no faster for it.
    pub fn scaled(self, speed: f64) -> Self {
        let scale = |policy: Policy| Policy {
            budget: policy.budget.mul_f64(speed).max(Duration::from_secs(10)),
            first: policy.first.mul_f64(speed),
            longest: policy.longest.mul_f64(speed),
        };
        Self {
            throttled: scale(self.throttled),
            transient: scale(self.transient),
            busy: scale(self.busy),
            not_yet_consistent: scale(self.not_yet_consistent),
        }
    }

    /// How `class` is borne; `None` when it is not.
    pub fn of(&self, class: Class) -> Option<Policy> {
        match class {
            Class::Throttled => Some(self.throttled),
            Class::Transient => Some(self.transient),
            Class::Busy => Some(self.busy),
            Class::NotYetConsistent => Some(self.not_yet_consistent),
            Class::Fatal => None,
        }
    }
}
