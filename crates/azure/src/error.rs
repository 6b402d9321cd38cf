//! What went wrong, with a class for machines and a remedy for people.
//!
//! Azure refuses in several shapes: ARM's nested errors, Key Vault's inner ones, Entra's OAuth errors, the
//! registry's list, App Service's capital letters, a gateway's HTML page, or nothing at all. [`parse`](self)
//! brings them all into one [`Detail`]; a table ([`table`]) tells what a code means for who asked. A failure to
//! reach Azure gets a code of our own and goes through the same table.

mod parse;
mod redact;
pub mod table;

use serde::{Deserialize, Serialize};
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

pub(crate) use redact::{redact, secrets_in};

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

/// What Azure said, and the errors that it is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// Azure's code; empty when there is none.
    pub code: String,
    /// Azure's words.
    pub message: String,
    /// The property or resource meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What this one is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
}

impl Detail {
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Detail {
        Detail { code: code.to_string(), message: message.into(), target: None, details: Vec::new() }
    }

    /// This one and all below it, outermost first.
    pub fn walk(&self) -> Vec<&Detail> {
        let mut all = vec![self];
        for detail in &self.details {
            all.extend(detail.walk());
        }
        all
    }

    fn each(&mut self, change: &dyn Fn(&mut Detail)) {
        change(self);
        for detail in &mut self.details {
            detail.each(change);
        }
    }
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
///
/// `Display` tells the whole of it in a line: the message, the reasons below it, and the code.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: Kind,
    status: Option<u16>,
    detail: Detail,
    request: Option<String>,
    request_id: Option<String>,
    correlation_id: Option<String>,
    retry_after: Option<Duration>,
    /// Set where the remedy depends on more than the code, such as which cloud does not answer.
    remedy: Option<String>,
    sent: bool,
}

impl Error {
    fn new(kind: Kind, detail: Detail) -> Error {
        Error(Box::new(Inner {
            kind,
            status: None,
            detail,
            request: None,
            request_id: None,
            correlation_id: None,
            retry_after: None,
            remedy: None,
            sent: matches!(kind, Kind::Refused | Kind::Operation | Kind::Unreadable | Kind::Transport),
        }))
    }

    pub(crate) fn setup(message: impl Into<String>) -> Error {
        Error::new(Kind::Setup, Detail::new("", message))
    }

    pub(crate) fn unreadable(message: impl Into<String>) -> Error {
        Error::new(Kind::Unreadable, Detail::new("", message))
    }

    pub(crate) fn sign_in(detail: Detail) -> Error {
        Error::new(Kind::SignIn, detail)
    }

    /// An answer that refuses. `body` is whatever came.
    pub(crate) fn refused(status: u16, body: &[u8]) -> Error {
        let (detail, trace) = parse::refusal(status, body);
        let mut error = Error::new(Kind::Refused, detail);
        error.0.status = Some(status);
        error.0.request_id = trace;
        error
    }

    /// The end of an operation that did not succeed; `state` is its last word.
    pub(crate) fn operation(state: &str, document: &serde_json::Value) -> Error {
        Error::new(Kind::Operation, parse::failed_operation(state, document))
    }

    /// No answer came. `service` is whom we asked, `unreachable` what to do when nobody is there.
    pub(crate) fn transport(
        cloud: &str,
        service: &str,
        unreachable: Option<&str>,
        cause: &(dyn StdError + 'static),
    ) -> Error {
        let failure = parse::transport(cause);
        let words = match failure.code {
            "ConnectionRefused" => format!("{cloud} is not answering at {service}: nothing listens there"),
            "NameNotResolved" => format!("{cloud} is not answering: the name in {service} is not known"),
            "UntrustedCertificate" => {
                format!("the certificate of {service} is not trusted: {}", failure.reason)
            }
            "TimedOut" => format!("{cloud} did not answer at {service} in time"),
            "ConnectionLost" => format!("the connection to {service} broke: {}", failure.reason),
            _ => format!("cannot reach {cloud} at {service}: {}", failure.reason),
        };
        let mut error = Error::new(Kind::Transport, Detail::new(failure.code, words));
        error.0.sent = !failure.before_sending;
        if matches!(failure.code, "ConnectionRefused" | "NameNotResolved" | "Unreachable") {
            error.0.remedy = unreachable.map(str::to_string);
        }
        error
    }

    pub(crate) fn with_status(mut self, status: u16) -> Error {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_request(mut self, title: String) -> Error {
        self.0.request.get_or_insert(title);
        self
    }

    pub(crate) fn with_ids(mut self, request: Option<String>, correlation: Option<String>) -> Error {
        self.0.request_id = request.or(self.0.request_id);
        self.0.correlation_id = correlation.or(self.0.correlation_id);
        self
    }

    pub(crate) fn with_retry_after(mut self, wait: Option<Duration>) -> Error {
        self.0.retry_after = wait.or(self.0.retry_after);
        self
    }

    pub(crate) fn with_code(mut self, code: &str) -> Error {
        self.0.detail.code = code.to_string();
        self
    }

    /// Takes these values out of everything the error says: Azure likes to quote what it refuses.
    pub(crate) fn without(mut self, secrets: &[String]) -> Error {
        if !secrets.is_empty() {
            self.0.detail.each(&|detail| {
                detail.message = redact(&detail.message, secrets);
                detail.target = detail.target.take().map(|target| redact(&target, secrets));
            });
        }
        self
    }

    /// Where it comes from.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The HTTP status, when there was an answer.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Azure's code, such as `AuthorizationFailed`, or our own for what happens on the way to Azure
    /// (`ConnectionRefused`, `TimedOut`, `UntrustedCertificate`, `NameNotResolved`, `ConnectionLost`).
    pub fn code(&self) -> Option<&str> {
        Some(self.0.detail.code.as_str()).filter(|code| !code.is_empty())
    }

    /// Whether this code is its own or that of an error it is made of.
    pub fn has_code(&self, code: &str) -> bool {
        self.0.detail.walk().iter().any(|detail| detail.code.eq_ignore_ascii_case(code))
    }

    /// What happened, in Azure's words where Azure answered.
    pub fn message(&self) -> &str {
        &self.0.detail.message
    }

    /// The errors it is made of.
    pub fn details(&self) -> &[Detail] {
        &self.0.detail.details
    }

    /// All that Azure said.
    pub fn detail(&self) -> &Detail {
        &self.0.detail
    }

    /// The request that met it: method and path.
    pub fn request(&self) -> Option<&str> {
        self.0.request.as_deref()
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

    /// Whether Azure may have carried out the request: false only when it certainly never arrived or was
    /// refused before anything was done.
    pub fn may_have_acted(&self) -> bool {
        match self.0.kind {
            Kind::Transport => self.0.sent,
            Kind::Refused => self.0.status.is_some_and(|status| status >= 500 || status == 408),
            Kind::Operation | Kind::Unreadable => true,
            Kind::SignIn | Kind::Setup => false,
        }
    }

    /// How to go on.
    pub fn class(&self) -> Class {
        match table::find(self) {
            Some(row) => row.class,
            None => table::class_of_status(self.0.kind, self.0.status),
        }
    }

    /// What to do about it, for people; none when Azure's words say it all.
    pub fn remedy(&self) -> Option<&str> {
        self.0.remedy.as_deref().or_else(|| table::find(self)?.remedy)
    }

    /// Whether the operation that was followed is over, so that only beginning again can help.
    pub fn is_over(&self) -> bool {
        self.0.kind == Kind::Operation
    }

    /// Whether it means "there is no such thing".
    pub fn is_not_found(&self) -> bool {
        self.0.status == Some(404)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = &self.0.detail;
        let mut told = one_line(&detail.message);
        f.write_str(&told)?;
        for below in detail.walk().into_iter().skip(1) {
            // Azure repeats itself: a wrapper often quotes what it wraps.
            let words = one_line(&below.message);
            if !words.is_empty() && !told.contains(&words) {
                write!(f, "; {words}")?;
                told.push_str(&words);
            }
        }
        match (detail.code.as_str(), self.0.status) {
            ("", _) => Ok(()),
            // Our own codes only say in one word what the message says.
            _ if self.0.kind == Kind::Transport => Ok(()),
            (code, Some(status)) => write!(f, " ({code}, HTTP {status})"),
            (code, None) => write!(f, " ({code})"),
        }
    }
}

/// Key Vault's refusals run over ten lines.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("status", &self.0.status)
            .field("detail", &self.0.detail)
            .field("request", &self.0.request)
            .field("class", &self.class())
            .finish_non_exhaustive()
    }
}

impl StdError for Error {}
