//! What went wrong, with a class for machines and a remedy for people.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How the one who asked should go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// Too many requests: wait as long as was said.
    Throttled,
    /// A passing failure: the same request may work in a moment.
    Transient,
    /// Another operation is running on the same thing: wait for its end.
    Busy,
    /// What the request refers to exists but is not known everywhere yet.
    NotYetConsistent,
    /// It stays that way until something else is changed.
    Fatal,
}

/// One of the errors that an error is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// Azure's code.
    pub code: String,
    /// Azure's words.
    pub message: String,
    /// The property or resource meant.
    pub target: Option<String>,
    /// What this one is made of.
    pub details: Vec<Detail>,
}

/// Where an error comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Azure answered, and refused.
    Refused,
    /// A long-running operation was accepted and then ended Failed or Canceled.
    Operation,
    /// No answer came: the connection failed, timed out or broke.
    Transport,
    /// No token could be had.
    SignIn,
    /// The answer does not mean what an answer to this request can mean.
    Unreadable,
    /// The set-up on our side is wrong: an address, a file, an option.
    Setup,
}

/// What went wrong with a request to Azure.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    status: Option<u16>,
    detail: Detail,
    request_id: Option<String>,
    correlation_id: Option<String>,
    retry_after: Option<Duration>,
    remedy: Option<String>,
}

impl Error {
    pub(crate) fn setup(message: String) -> Error {
        Error(Box::new(Inner {
            kind: Kind::Setup,
            status: None,
            detail: Detail { message, ..Detail::default() },
            request_id: None,
            correlation_id: None,
            retry_after: None,
            remedy: None,
        }))
    }
    /// Where it comes from.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }
    /// The HTTP status, when there was an answer.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }
    /// Azure's code, such as `AuthorizationFailed`.
    pub fn code(&self) -> Option<&str> {
        Some(&self.0.detail.code).filter(|code| !code.is_empty()).map(String::as_str)
    }
    /// What happened, in Azure's words where Azure answered.
    pub fn message(&self) -> &str {
        &self.0.detail.message
    }
    /// The errors it is made of.
    pub fn details(&self) -> &[Detail] {
        &self.0.detail.details
    }
    /// Azure's id of the request, for its support.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }
    /// Azure's id of all that belongs to the request.
    pub fn correlation_id(&self) -> Option<&str> {
        self.0.correlation_id.as_deref()
    }
    /// How long Azure asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
    /// How to go on.
    pub fn class(&self) -> Class {
        Class::Fatal
    }
    /// What to do about it, for people.
    pub fn remedy(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail.message)
    }
}
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl std::error::Error for Error {}
