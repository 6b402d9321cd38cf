//! From a call to a ticket: what the call was about, for whom, and how urgent.
//!
//! - [`ticket`]: [`Ticket`], and the [`Lists`] of TOPdesk's own words that it is made of
//! - [`redact`]: personal numbers, hidden before anything leaves for a model
//! - [`model`]: asks a language model, and checks what it says like any input
//! - [`rules`]: without one: word lists in Dutch and English, and what the agent collected
//!
//! [`Extractor`] asks the model if there is one, once more if its answer is wrong, and takes the rules if it fails.

pub mod model;
pub mod redact;
pub mod rules;
pub mod ticket;

use std::sync::Arc;

use jiff::Timestamp;
use landfall_llm::{Answer, Client, Error};
pub use redact::Redaction;
pub use ticket::{Caller, Lists, Named, Source, Subcategory, Ticket};

use crate::event::Call;

/// Makes tickets of calls.
pub struct Extractor {
    /// The model, if one is configured.
    pub model: Option<Arc<Client>>,
    /// What is hidden from it.
    pub redaction: Redaction,
}

/// A ticket, and how it came about.
pub struct Extracted {
    /// The ticket.
    pub ticket: Ticket,
    /// The answers that were got from the model, for counting.
    pub answers: Vec<Answer>,
    /// Why the model's word was not taken.
    pub failure: Option<Failure>,
}

/// Why the model's word was not taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    /// It gave none.
    #[error(transparent)]
    Silent(#[from] Error),
    /// It gave a wrong one twice.
    #[error("the model's answers were wrong: {0}")]
    Wrong(String),
}

impl Failure {
    /// A name for metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Failure::Silent(error) => error.name(),
            Failure::Wrong(_) => "wrong",
        }
    }
}

impl Extractor {
    /// The ticket of a call. There is always one: the rules never fail.
    pub async fn extract(&self, call: &Call, lists: &Lists, now: Timestamp) -> Extracted {
        let mut answers = Vec::new();
        let failure = match &self.model {
            None => None,
            // There is nothing to understand in silence.
            Some(_) if call.turns.iter().all(|turn| !turn.caller) => None,
            Some(client) => match model::ask(client, call, lists, &self.redaction, now, &mut answers).await {
                Ok(ticket) => return Extracted { ticket, answers, failure: None },
                Err(failure) => Some(failure),
            },
        };
        Extracted { ticket: rules::ticket(call, lists), answers, failure }
    }
}
