//! What was done with an event, step by step, so that a crash anywhere goes on from there.

use jiff::Timestamp;
use landfall_store::{Error, Records, Version};
use serde::{Deserialize, Serialize};

use crate::extract::Ticket;

/// The kind of its records.
pub const KIND: &str = "call";

/// What came of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is being worked on, or waits.
    #[default]
    Working,
    /// There is a ticket.
    Ticketed,
    /// A person is told, or will be.
    Notified,
    /// It was kept; there is nothing to do about it.
    Kept,
    /// It was given up, and a person is told.
    Dead,
}

/// What was done with an event.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Journal {
    /// The event's type.
    pub event: String,
    /// The conversation it is about.
    pub conversation: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Since when it is worked on: its first attempt, or its first after a replay.
    pub since: Option<Timestamp>,
    /// Where the transcript or the recording is.
    pub stored: Option<String>,
    /// The ticket that is to be made.
    pub ticket: Option<Ticket>,
    /// Why a model did not make it, if one was asked.
    pub model_failure: Option<String>,
    /// When an incident was first asked for: from then on there may be one.
    pub asked: Option<Timestamp>,
    /// The incident's id.
    pub incident: Option<String>,
    /// The incident's number.
    pub number: Option<String>,
    /// What of the ticket TOPdesk did not accept.
    pub mended: Option<String>,
    /// How the transcript came to the incident: `file` or `note`.
    pub attached: Option<String>,
    /// Why it was last tried again, or given up.
    pub failure: Option<String>,
    /// When each step was first done.
    pub steps: Vec<(String, Timestamp)>,
}

impl Journal {
    /// Notes when a step was done.
    pub fn step(&mut self, name: &str, now: Timestamp) {
        if !self.steps.iter().any(|(known, _)| known == name) {
            self.steps.push((name.into(), now));
        }
    }
}

/// A journal that is kept; only who holds the event's claim writes it.
pub struct Kept<'a> {
    records: &'a dyn Records,
    key: String,
    seen: Option<Version>,
    /// What it says.
    pub journal: Journal,
}

impl<'a> Kept<'a> {
    /// The journal of an event, or a new one.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn open(records: &'a dyn Records, key: &str) -> Result<Kept<'a>, Error> {
        let record = records.read(KIND, key).await?;
        let seen = record.as_ref().map(|record| record.version);
        // One of an older version that cannot be read is begun anew: TOPdesk is searched in any case.
        let journal = record.and_then(|record| serde_json::from_value(record.value).ok()).unwrap_or_default();
        Ok(Kept { records, key: key.to_owned(), seen, journal })
    }

    /// Writes it down; durable when it returns.
    ///
    /// # Errors
    /// [`Error::Conflict`] when somebody else has the event meanwhile.
    pub async fn write(&mut self, now: Timestamp) -> Result<(), Error> {
        let value = serde_json::to_value(&self.journal).expect("a journal is JSON");
        self.seen = Some(self.records.write(KIND, &self.key, &value, self.seen, now).await?);
        Ok(())
    }
}
