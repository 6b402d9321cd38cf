//! What is live, as the reader of it found it.

use std::collections::{BTreeMap, BTreeSet};

use landfall_blueprint::Address;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything a plan compares with. Nothing in it is secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Live {
    /// The body that `GET` answered, for each resource of the blueprint that exists.
    pub resources: BTreeMap<Address, Value>,
    /// What carries this application's and environment's tags and is not in the blueprint.
    pub strays: Vec<Stray>,
    /// For each service that is built: the image of its present source, when the registry already has it
    /// (`registry/repository@sha256:…`).
    pub images: BTreeMap<String, String>,
    /// For each secret that a service uses and the vault has: its newest version's address.
    #[serde(with = "secret_map")]
    pub secrets: BTreeMap<(Address, String), String>,
    /// Deleted namesakes that block the name of a resource of the blueprint.
    pub soft_deleted: Vec<SoftDeleted>,
    /// The body last applied to each resource, from the journal, as [`crate::revision::applied`] made it.
    pub applied: BTreeMap<Address, Value>,
    /// Resources that exist without our tags and that the user agreed to take over.
    pub adopt: BTreeSet<Address>,
    /// The tenant of the subscription.
    pub tenant: Option<String>,
    /// Fingerprints of keys (`listKeys`), by resource and path, when they were read; see
    /// [`crate::revision::fingerprint`].
    #[serde(with = "secret_map")]
    pub keys: BTreeMap<(Address, String), String>,
}

/// Something live that is ours by its tags and no longer wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stray {
    /// Its ARM id.
    pub id: String,
    /// Its ARM type.
    #[serde(rename = "type")]
    pub resource_type: String,
    /// The API version to delete it with; any the type knows.
    pub api_version: String,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub location: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A deleted namesake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SoftDeleted {
    /// The resource whose name it blocks.
    pub address: Address,
    /// The name.
    pub name: String,
    /// The id it had.
    pub id: String,
    /// Where it was.
    pub location: String,
    /// When it was deleted, as Azure said it.
    pub deleted_at: Option<String>,
    /// When Azure will purge it, as Azure said it.
    pub purge_at: Option<String>,
    /// Whether nobody may purge it before then.
    pub purge_protected: bool,
}

/// JSON has no keys of two parts: a list of `[address, name, value]` instead.
mod secret_map {
    use std::collections::BTreeMap;

    use landfall_blueprint::Address;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(
        map: &BTreeMap<(Address, String), String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        map.iter().map(|((a, n), v)| (a, n, v)).collect::<Vec<_>>().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<(Address, String), String>, D::Error> {
        let rows = Vec::<(Address, String, String)>::deserialize(deserializer)?;
        Ok(rows.into_iter().map(|(a, n, v)| ((a, n), v)).collect())
    }
}
