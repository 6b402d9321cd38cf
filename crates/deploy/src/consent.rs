//! What a plan needs a person's word for.

use std::collections::BTreeSet;

use landfall_blueprint::Address;
use landfall_plan::{Action, Plan, SoftDeleted};

/// Answers given beforehand.
#[derive(Clone, Debug, Default)]
pub struct Consent {
    /// Resources whose data may be lost: by address, by the part after its dot, or by name in Azure.
    pub data_loss: BTreeSet<String>,
    /// What is done with soft-deleted namesakes.
    pub soft_deleted: Option<SoftDeletedChoice>,
    /// Resources that exist, are nobody's, and may be taken over.
    pub adopt: BTreeSet<Address>,
}

impl Consent {
    /// Whether the data of this resource may be lost.
    pub fn allows_loss(&self, address: &str, name: &str) -> bool {
        let short = address.split_once('.').map_or(address, |(_, short)| short);
        self.data_loss.iter().any(|said| said == address || said == short || said.eq_ignore_ascii_case(name))
    }
}

/// What is done with a soft-deleted namesake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoftDeletedChoice {
    /// Brought back with its contents.
    Recover,
    /// Removed for good.
    Purge,
}

/// Something only a person can decide.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// A change loses what this resource holds.
    DataLoss {
        /// The resource.
        address: String,
        /// Its name in Azure, which the person types.
        name: String,
        /// `delete` or `replace`.
        how: &'static str,
    },
    /// A deleted resource holds the name.
    SoftDeleted(SoftDeleted),
    /// A resource exists that carries nobody's tags.
    Adopt {
        /// Its address.
        address: Address,
        /// Its id.
        id: String,
    },
}

/// The questions that `plan` raises and `consent` does not answer.
pub fn questions(plan: &Plan, consent: &Consent) -> Vec<Question> {
    let mut questions = Vec::new();
    if consent.soft_deleted.is_none() {
        questions.extend(plan.soft_deleted.iter().cloned().map(Question::SoftDeleted));
    }
    for change in &plan.changes {
        let how = match change.action {
            Action::Delete => "delete",
            Action::Replace => "replace",
            Action::Adopt if !consent.adopt.contains(&change.address) => {
                questions.push(Question::Adopt { address: change.address.clone(), id: change.id.clone() });
                continue;
            }
            _ => continue,
        };
        if change.holds_data && !consent.allows_loss(change.address.as_str(), &change.name) {
            questions.push(Question::DataLoss {
                address: change.address.to_string(),
                name: change.name.clone(),
                how,
            });
        }
    }
    questions
}
