//! `[resource.NAME]`: what is used.
//!
//! One file per type, with its nouns, its [`Kind`] (what can be asked of it and what `uses` can allow), its rows of the
//! table of fields and its checks. To add a type: write its file, and name it in [`ResourceKind`] and [`KINDS`].

pub(crate) mod app_config;
pub(crate) mod communication;
pub(crate) mod cosmos;
pub(crate) mod load_test;
pub(crate) mod openai;
pub(crate) mod postgres;
pub(crate) mod redis;
pub(crate) mod registry;
pub(crate) mod search;
pub(crate) mod service_bus;
pub(crate) mod speech;
pub(crate) mod storage;
pub(crate) mod vault;

use serde::{Deserialize, Serialize};

use crate::codes;
use crate::fields::Field;
use crate::rules::{self, Fault};
use crate::sense::Sense;
use crate::service::Access;
use crate::suggest;
use crate::tree::{Node, Table};
use crate::units::{Duration, Size};

pub use app_config::{AppConfig, AppConfigSku};
pub use communication::{Communication, Geography};
pub use cosmos::{Capacity, Consistency, Cosmos, CosmosBackup, CosmosContainer, CosmosDatabase};
pub use load_test::LoadTest;
pub use openai::{Deployment, DeploymentSku, OpenAi, Upgrade};
pub use postgres::{PoolMode, Pooler, Postgres, PostgresBackup, PostgresTier, Standby};
pub use redis::{Clustering, Eviction, Persistence, Redis, RedisModule};
pub use registry::{Registry, RegistrySku};
pub use search::{Search, SearchSku};
pub use service_bus::{BusSku, Queue, ServiceBus, Subscription, Topic};
pub use speech::{Speech, SpeechSku};
pub use storage::{AccessTier, Lifecycle, Replication, Share, ShareTier, Storage};
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
    /// A PostgreSQL server.
    Postgres(Postgres),
    /// A cache of Azure Managed Redis.
    Redis(Redis),
    /// A Service Bus with queues and topics.
    ServiceBus(ServiceBus),
    /// A Cosmos DB account.
    Cosmos(Cosmos),
    /// An Azure OpenAI account.
    #[serde(rename = "openai")]
    OpenAi(OpenAi),
    /// An Azure AI Speech account.
    Speech(Speech),
    /// Communication Services.
    Communication(Communication),
    /// An App Configuration store.
    AppConfig(AppConfig),
    /// A place where load tests run.
    LoadTest(LoadTest),
    /// An Azure AI Search service.
    Search(Search),
}

impl ResourceKind {
    /// What is true of every resource of its type.
    pub fn facts(&self) -> &'static Kind {
        match self {
            ResourceKind::Vault(_) => &vault::KIND,
            ResourceKind::Registry(_) => &registry::KIND,
            ResourceKind::Storage(_) => &storage::KIND,
            ResourceKind::Postgres(_) => &postgres::KIND,
            ResourceKind::Redis(_) => &redis::KIND,
            ResourceKind::ServiceBus(_) => &service_bus::KIND,
            ResourceKind::Cosmos(_) => &cosmos::KIND,
            ResourceKind::OpenAi(_) => &openai::KIND,
            ResourceKind::Speech(_) => &speech::KIND,
            ResourceKind::Communication(_) => &communication::KIND,
            ResourceKind::AppConfig(_) => &app_config::KIND,
            ResourceKind::LoadTest(_) => &load_test::KIND,
            ResourceKind::Search(_) => &search::KIND,
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
pub const KINDS: &[&Kind] = &[
    &vault::KIND,
    &registry::KIND,
    &storage::KIND,
    &postgres::KIND,
    &redis::KIND,
    &service_bus::KIND,
    &cosmos::KIND,
    &openai::KIND,
    &speech::KIND,
    &communication::KIND,
    &app_config::KIND,
    &load_test::KIND,
    &search::KIND,
];

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

/// The span of time that a checked value says.
fn duration(node: &Node) -> Option<Duration> {
    Duration::parse(node.text()?).ok()
}

/// The amount of storage that a checked value says.
fn size(node: &Node) -> Option<Size> {
    Size::parse(node.text()?).ok()
}

/// Whether `text` is one of many words, such as sizes; `near` is what of it is compared when looking for what was
/// meant.
fn one_of_words(what: &str, near: &str, text: &str, known: &[String], usual: &str) -> Result<(), Fault> {
    if known.iter().any(|word| word == text) {
        return Ok(());
    }
    let exact =
        known.iter().find(|word| word.eq_ignore_ascii_case(near)).map(|word| format!("write \"{word}\""));
    let help = exact.or_else(|| suggest::did_you_mean(near, known.iter().map(String::as_str)));
    let help = help.unwrap_or_else(|| usual.to_owned());
    rules::fault(codes::NOT_A_CHOICE, format!("`{}` is no {what}", rules::short(text)), help)
}
