//! What a plan consists of.

use landfall_blueprint::{Address, Body};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::live::SoftDeleted;

/// The changes between a blueprint and what is live.
///
/// Saved and read again, it is the same plan; `schema` tells older and newer forms apart, and fields are only
/// ever added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The version of this form: 1.
    pub schema: u32,
    /// The application's name.
    pub app: String,
    /// The environment's name.
    pub environment: String,
    /// The subscription's id.
    pub subscription: String,
    /// A fingerprint of the live state it was made from; another one means that the world moved.
    pub basis: String,
    /// Every resource, unchanged ones too: in creation order, then what is to be deleted in order of deletion.
    pub changes: Vec<Change>,
    /// Deleted namesakes that have to be recovered or purged first.
    pub soft_deleted: Vec<SoftDeleted>,
    /// Secrets that services use and the vault does not have, as far as the vault could be asked.
    pub missing_secrets: Vec<MissingSecret>,
    /// How many of each action.
    pub summary: Summary,
}

/// A secret that a service uses and the vault does not have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MissingSecret {
    /// The resource that refers to it.
    pub address: Address,
    /// The vault.
    pub vault: Address,
    /// Its name there.
    pub secret: String,
}

/// What happens to one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Its name inside Landfall; a stray's is made of its type and name.
    pub address: Address,
    /// ARM type.
    #[serde(rename = "type")]
    pub resource_type: String,
    /// API version to send with.
    pub api_version: String,
    /// ARM id.
    pub id: String,
    /// Name in Azure.
    pub name: String,
    /// Region, for what has one.
    pub location: Option<String>,
    /// What is done.
    pub action: Action,
    /// Why: the manifest says something new, or Azure is not as it was left.
    pub cause: Cause,
    /// In a sentence, where the properties do not say it all.
    pub reason: Option<String>,
    /// What differs.
    pub properties: Vec<PropertyChange>,
    /// What has to be done before, by address; only addresses of this plan.
    pub depends_on: Vec<Address>,
    /// Whether deleting it loses data.
    pub holds_data: bool,
    /// What to send, with expressions that only the deployment can fill in; null for a deletion.
    pub body: Body,
    /// The latest revision of a live container app, part of the next revision's suffix.
    pub latest_revision: Option<String>,
}

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// It is not there.
    Create,
    /// It is changed in place.
    Update,
    /// It has to be deleted and made anew.
    Replace,
    /// It is ours by its tags and not wanted any more.
    Delete,
    /// It is there and nobody's: taken over (and changed) when the user agrees.
    Adopt,
    /// It is as it should be.
    None,
}

/// Why something changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// The blueprint is not what was last applied.
    Intent,
    /// What is live is not what was last applied.
    Drift,
}

/// One property that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PropertyChange {
    /// Where, with items of keyed lists by their key: `properties.template.containers[web].image`.
    pub path: String,
    /// What is live; null when it is absent.
    pub from: Value,
    /// What is wanted; null when it is to be absent, [`UNKNOWN`] when only the deployment will tell.
    pub to: Value,
    /// Whether this property can only change with a new resource.
    pub replaces: bool,
    /// Why this one differs.
    pub cause: Cause,
}

/// What stands for a value that only the deployment will tell.
pub const UNKNOWN: &str = "(known after apply)";
/// What stands for a value that must not be shown.
pub const SECRET: &str = "(secret)";

/// How many resources each action is done to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// To be made.
    pub create: usize,
    /// To be changed in place.
    pub update: usize,
    /// To be made anew.
    pub replace: usize,
    /// To be deleted.
    pub delete: usize,
    /// To be taken over.
    pub adopt: usize,
    /// As they should be.
    pub none: usize,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes.iter().all(|change| change.action == Action::None)
    }

    /// How many of each action.
    pub fn summary(&self) -> Summary {
        self.summary
    }

    /// The change of an address.
    pub fn get(&self, address: &Address) -> Option<&Change> {
        self.changes.iter().find(|change| change.address == *address)
    }
}
