//! `[resource.NAME]`: what is used.
//!
//! One file per type, with its nouns, its [`Kind`] (what can be asked of it and what `uses` can allow), its rows of the
//! table of fields and its checks. To add a type: write its file, and name it in [`ResourceKind`] and [`KINDS`].

pub(crate) mod registry;
pub(crate) mod storage;
pub(crate) mod vault;

use serde::{Deserialize, Serialize};

use crate::fields::Field;
use crate::sense::Sense;
use crate::service::Access;
use crate::tree::{Node, Table};

pub use registry::{Registry, RegistrySku};
pub use storage::{AccessTier, Lifecycle, Replication, Storage};
pub use vault::{Vault, VaultSku};

/// Something used.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Resource {
    /// What it is, with that type's own fields.
    #[serde(flatten)]
    pub kind: ResourceKind,
    /// Anything else, in Azure's words: merged over the body that Landfall writes.
    pub body: Option<serde_json::Value>,
}

/// What a resource is.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ResourceKind {
    /// A Key Vault.
    Vault(Vault),
    /// A container registry.
    Registry(Registry),
    /// A storage account with blob containers.
    Storage(Storage),
}

impl ResourceKind {
    /// What is true of every resource of its type.
    pub fn facts(&self) -> &'static Kind {
        match self {
            ResourceKind::Vault(_) => &vault::KIND,
            ResourceKind::Registry(_) => &registry::KIND,
            ResourceKind::Storage(_) => &storage::KIND,
        }
    }

    /// The word after `type =`.
    pub fn as_str(&self) -> &'static str {
        self.facts().name
    }
}

/// What is true of every resource of one type.
pub struct Kind {
    /// The word after `type =`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub doc: &'static str,
    /// What `${resource.NAME.…}` can ask, and what that is.
    pub attributes: &'static [(&'static str, &'static str)],
    /// What `uses` can allow, and what that means.
    pub access: &'static [(Access, &'static str)],
    /// Its own rows of the table of fields.
    pub(crate) fields: &'static [Field],
    /// What its fields say about each other and about what else the manifest has.
    pub(crate) check: Check,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Kind").field(&self.name).finish()
    }
}

/// Reports what does not make sense about the resource of a name: its node and its table, defaults filled in.
pub(crate) type Check = fn(&mut Sense<'_>, &str, &Node, &Table);

/// The check of a type whose fields have nothing to say about each other.
fn nothing(_: &mut Sense<'_>, _: &str, _: &Node, _: &Table) {}

/// The types this version carries.
pub const KINDS: &[&Kind] = &[&vault::KIND, &registry::KIND, &storage::KIND];

/// Types that the manifest will have and this version does not.
pub(crate) const LATER: &[&str] =
    &["postgres", "redis", "service-bus", "cosmos", "openai", "speech", "communication", "search"];

/// Each type's word with its meaning.
pub(crate) const WORDS: [(&str, &str); KINDS.len()] = words();

const fn words() -> [(&'static str, &'static str); KINDS.len()] {
    let mut words = [("", ""); KINDS.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = (KINDS[at].name, KINDS[at].doc);
        at += 1;
    }
    words
}

/// The type of that name.
pub fn of(name: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|kind| kind.name == name)
}
