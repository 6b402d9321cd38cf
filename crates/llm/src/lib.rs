//! One door to language models: OpenAI, Azure OpenAI and Anthropic, for answers in the shape of a schema.
//!
//! - [`provider`]: [`Provider`], where a model is and how to sign in
//! - [`question`]: [`Question`], what is asked, and [`Answer`], what came back and what it took
//! - [`client`]: [`Client`], which asks: retries, the circuit breaker, the budget
//! - [`breaker`], [`budget`]: their rules by themselves
//! - [`wire`]: the three protocols, as pure functions from question to request and from response to answer
//!
//! No model is named here but in the price table. What a model refuses (`max_completion_tokens`, `reasoning_effort`,
//! a schema) is noticed and left out from then on. Text that is asked or answered is never logged.

pub mod breaker;
pub mod budget;
pub mod client;
pub mod provider;
pub mod question;
pub mod wire;

pub use budget::{Budget, Ledger, Memory, Prices, Spent};
pub use client::{Client, Settings};
pub use provider::{Access, Provider};
pub use question::{Answer, Question, Usage};

use std::time::Duration;

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum Error {
    /// The model declined to answer.
    #[error("the model declined to answer")]
    Refused,
    /// A content filter held back the question or the answer.
    #[error("a content filter held it back")]
    Filtered,
    /// The answer was longer than allowed and was cut off.
    #[error("the answer was cut off at {limit} tokens")]
    CutOff {
        /// The limit, in tokens.
        limit: u32,
    },
    /// The response carried no answer, or one that is no JSON.
    #[error("the response held no answer: {why}")]
    Garbled {
        /// What was there instead.
        why: &'static str,
    },
    /// There is no such model or deployment, or none any more.
    #[error("there is no model `{model}` (any more): {said}")]
    NoModel {
        /// What was asked for.
        model: String,
        /// What the service said.
        said: String,
    },
    /// The key or the identity may not ask.
    #[error("access was refused ({status}): {said}")]
    Denied {
        /// The status of the response.
        status: u16,
        /// What the service said.
        said: String,
    },
    /// The account has no credit left.
    #[error("the account's quota is used up: {said}")]
    Quota {
        /// What the service said.
        said: String,
    },
    /// The request was refused for another reason.
    #[error("the request was refused ({status}): {said}")]
    Rejected {
        /// The status of the response.
        status: u16,
        /// What the service said.
        said: String,
    },
    /// The service was busy, failed or could not be reached, also when asked again.
    #[error("the service is not available: {said}")]
    Unavailable {
        /// What happened last.
        said: String,
        /// How long the service asked us to stay away.
        after: Option<Duration>,
    },
    /// The service failed too often lately and is not asked for a while.
    #[error("the service failed too often and is left alone for {0:?}")]
    Resting(Duration),
    /// The day's budget is spent.
    #[error("the day's budget is spent")]
    BudgetSpent,
}

impl Error {
    /// A name for metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Error::Refused => "refused",
            Error::Filtered => "filtered",
            Error::CutOff { .. } => "cut_off",
            Error::Garbled { .. } => "garbled",
            Error::NoModel { .. } => "no_model",
            Error::Denied { .. } => "denied",
            Error::Quota { .. } => "quota",
            Error::Rejected { .. } => "rejected",
            Error::Unavailable { .. } => "unavailable",
            Error::Resting(_) => "resting",
            Error::BudgetSpent => "budget",
        }
    }

    /// Whether somebody has to do something before it will ever work again: a retired model, a key, an unpaid bill.
    pub fn needs_a_person(&self) -> bool {
        matches!(self, Error::NoModel { .. } | Error::Denied { .. } | Error::Quota { .. })
    }
}
