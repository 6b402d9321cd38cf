//! The App: what a manifest means once one environment is applied and every default is filled in.
//!
//! Nothing here is optional because it was left out of the file: an `Option` is `None` only where "none" is
//! itself the meaning (no port: nothing listens).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::origin::Origins;
use crate::units::{Cpu, Days, Memory};

/// An application in one environment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct App {
    /// The application's name: lower-case letters, digits and hyphens.
    pub name: String,
    /// The environment's name, `dev` unless another was asked for.
    pub environment: String,
    /// How careful the defaults are.
    pub tier: Tier,
    /// The subscription's id, when the environment names one.
    pub subscription: Option<String>,
    /// Azure's name of the region, such as `westeurope`.
    pub region: String,
    /// The pattern of Azure names, with `{type}`, `{app}`, `{env}` and `{region}` in it.
    pub naming: String,
    /// The user's own tags; Landfall's are not among them.
    pub tags: BTreeMap<String, String>,
    /// What runs, by name.
    pub services: BTreeMap<String, Service>,
    /// What is used, by name.
    pub resources: BTreeMap<String, Resource>,
    /// Where each value came from, by dotted path (`service.web.scale.min`).
    #[serde(skip)]
    pub origins: Origins,
}

/// How careful an environment's defaults are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Cheap, and gone when not used.
    Dev,
    /// Like production, but smaller.
    Staging,
    /// Carries users: redundant and protected.
    Prod,
}

impl Tier {
    /// All tiers, the least careful first.
    pub const ALL: [Tier; 3] = [Tier::Dev, Tier::Staging, Tier::Prod];

    /// The word the manifest uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Tier::Dev => "dev",
            Tier::Staging => "staging",
            Tier::Prod => "prod",
        }
    }

    /// The tier of that word.
    pub fn from_word(word: &str) -> Option<Tier> {
        Tier::ALL.into_iter().find(|tier| tier.as_str() == word)
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Service {
    /// What it runs on.
    pub host: Host,
    /// What it is made from.
    pub source: Source,
    /// The port it listens on; `None` for a worker, which has no ingress either.
    pub port: Option<u16>,
    /// The command to start, when the image's own is not wanted.
    pub command: Option<Vec<String>>,
    /// Processor share of one replica.
    pub cpu: Cpu,
    /// Memory of one replica.
    pub memory: Memory,
    /// How many replicas, and what makes them more.
    pub scale: Scale,
    /// HTTP paths that tell how it is.
    pub probes: Probes,
    /// How it is reached; `Some` exactly when there is a port.
    pub ingress: Option<Ingress>,
    /// The resources it reaches, by name, and what it may do there.
    pub uses: BTreeMap<String, Access>,
    /// Environment variables.
    pub env: BTreeMap<String, Template>,
    /// Environment variables (keys) whose values are Key Vault secrets (values: the secrets' names).
    pub secrets: BTreeMap<String, String>,
    /// Exactly one instance, ever; `scale` is then 1 to 1.
    pub singleton: bool,
}

/// What a service runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Host {
    /// Azure Container Apps.
    ContainerApps,
}

/// What a service is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A folder, relative to the manifest's, that Landfall builds.
    Folder(String),
    /// An image that exists: `registry/repository:tag` or `…@sha256:…`.
    Image(String),
}

/// How many replicas run, and what makes them more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Scale {
    /// Replicas kept even without load; 0 lets the service sleep.
    pub min: u32,
    /// Replicas never exceeded.
    pub max: u32,
    /// Concurrent requests of one replica before another starts; only with a port.
    pub http: Option<u32>,
    /// Processor use, in percent, above which another replica starts.
    pub cpu: Option<u8>,
    /// Memory use, in percent, above which another replica starts.
    pub memory: Option<u8>,
    /// Waiting messages that make replicas start.
    pub queue: Option<QueueScale>,
}

/// Scaling by the length of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueueScale {
    /// The resource that holds the queue.
    pub resource: String,
    /// Waiting messages per replica.
    pub messages: u32,
}

/// HTTP paths on the service's port; where none is given the port itself is probed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Probes {
    /// Fails when the process must be restarted.
    pub live: Option<String>,
    /// Fails while the replica should get no requests.
    pub ready: Option<String>,
    /// Succeeds once the process has come up.
    pub start: Option<String>,
}

/// How a service is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ingress {
    /// From the internet, or only from the application's own environment.
    pub public: bool,
    /// Host names of the user's own.
    pub domains: Vec<String>,
    /// Address ranges let in; empty: all.
    pub allow: Vec<String>,
    /// Origins that browsers may call from; empty: no CORS headers.
    pub cors: Vec<String>,
    /// Whether a client keeps its replica.
    pub affinity: bool,
}

/// What a service may do with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Read what is in it.
    Read,
    /// Read, write and delete what is in it.
    Write,
    /// Pull images.
    Pull,
    /// Pull and push images.
    Push,
}

impl Access {
    /// All of them.
    pub const ALL: [Access; 4] = [Access::Read, Access::Write, Access::Pull, Access::Push];

    /// The word the manifest uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Access::Read => "read",
            Access::Write => "write",
            Access::Pull => "pull",
            Access::Push => "push",
        }
    }

    /// The access of that word.
    pub fn from_word(word: &str) -> Option<Access> {
        Access::ALL.into_iter().find(|access| access.as_str() == word)
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text with references in it, as an environment variable's value is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(pub Vec<Piece>);

/// A part of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Taken as it is.
    Text(String),
    /// Filled in.
    Reference(Reference),
}

/// What `${…}` can stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// `${resource.NAME.ATTRIBUTE}`; the attribute is one of its kind's, see [`crate::kinds`].
    ResourceAttribute {
        /// A name in [`App::resources`].
        resource: String,
        /// What of it.
        attribute: String,
    },
    /// `${service.NAME.url}`: where that service (one with a port) is reached.
    ServiceUrl {
        /// A name in [`App::services`].
        service: String,
    },
    /// `${env}`: the environment's name.
    Environment,
    /// `${app}`: the application's name.
    App,
    /// `${region}`: Azure's name of the region.
    Region,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::ResourceAttribute { resource, attribute } => {
                write!(f, "${{resource.{resource}.{attribute}}}")
            }
            Reference::ServiceUrl { service } => write!(f, "${{service.{service}.url}}"),
            Reference::Environment => f.write_str("${env}"),
            Reference::App => f.write_str("${app}"),
            Reference::Region => f.write_str("${region}"),
        }
    }
}

impl fmt::Display for Template {
    /// Writes it as the manifest would: a literal `${` is doubled to `$${`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => f.write_str(&text.replace("${", "$${"))?,
                Piece::Reference(reference) => write!(f, "{reference}")?,
            }
        }
        Ok(())
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Something used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Resource {
    /// What it is, with that type's own fields.
    #[serde(flatten)]
    pub kind: ResourceKind,
    /// Anything else, in Azure's words: merged over the body that Landfall writes.
    pub body: Option<serde_json::Value>,
}

/// What a resource is.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// The word after `type =`.
    pub fn as_str(&self) -> &'static str {
        match self {
            ResourceKind::Vault(_) => "vault",
            ResourceKind::Registry(_) => "registry",
            ResourceKind::Storage(_) => "storage",
        }
    }

    /// What `${resource.NAME.…}` can ask of it, and `uses` can allow.
    pub fn facts(&self) -> &'static crate::kinds::Kind {
        crate::kinds::of(self.as_str()).expect("every resource kind stands in the table of kinds")
    }
}

/// A Key Vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Vault {
    /// `standard`, or `premium` with keys in hardware.
    pub sku: VaultSku,
    /// Nobody can purge what was deleted before its time is over. Cannot be turned off again.
    pub purge_protection: bool,
    /// How long deleted things can be recovered: 7 to 90 days.
    pub soft_delete: Days,
}

/// A Key Vault's SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VaultSku {
    /// Keys in software.
    Standard,
    /// Keys in hardware security modules.
    Premium,
}

/// A container registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Registry {
    /// Its size and abilities.
    pub sku: RegistrySku,
}

/// A container registry's SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RegistrySku {
    /// 10 GiB included.
    Basic,
    /// 100 GiB included.
    Standard,
    /// 500 GiB included, private endpoints, replication.
    Premium,
}

/// A storage account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Storage {
    /// How many copies, and where.
    pub replication: Replication,
    /// The tier blobs are written to.
    pub access: AccessTier,
    /// Blob containers, none of them public.
    pub containers: Vec<String>,
    /// How long deleted blobs and containers can be recovered: 1 to 365 days.
    pub soft_delete: Days,
    /// Whether an overwritten blob keeps its earlier content.
    pub versioning: bool,
    /// What happens to blobs as they age.
    pub lifecycle: Vec<Lifecycle>,
}

/// A storage account's redundancy; its SKU is `Standard_` and this in capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Replication {
    /// Three copies in one data centre.
    Lrs,
    /// Copies in three zones.
    Zrs,
    /// Three copies here, three in the paired region.
    Grs,
    /// As `grs`, and the second region can be read.
    Ragrs,
    /// Copies in three zones, three more in the paired region.
    Gzrs,
    /// As `gzrs`, and the second region can be read.
    Ragzrs,
}

impl Replication {
    /// Azure's name of the SKU.
    pub fn sku(self) -> &'static str {
        match self {
            Replication::Lrs => "Standard_LRS",
            Replication::Zrs => "Standard_ZRS",
            Replication::Grs => "Standard_GRS",
            Replication::Ragrs => "Standard_RAGRS",
            Replication::Gzrs => "Standard_GZRS",
            Replication::Ragzrs => "Standard_RAGZRS",
        }
    }

    /// Whether the copies are spread over zones; such accounts have no archive tier.
    pub fn is_zonal(self) -> bool {
        matches!(self, Replication::Zrs | Replication::Gzrs | Replication::Ragzrs)
    }
}

/// The tier that blobs are written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessTier {
    /// Read often.
    Hot,
    /// Kept at least 30 days.
    Cool,
    /// Kept at least 90 days.
    Cold,
}

impl AccessTier {
    /// Azure's spelling.
    pub fn azure(self) -> &'static str {
        match self {
            AccessTier::Hot => "Hot",
            AccessTier::Cool => "Cool",
            AccessTier::Cold => "Cold",
        }
    }
}

/// What happens to blobs as they age, counted from their last change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lifecycle {
    /// The containers it is for; empty: all.
    pub containers: Vec<String>,
    /// Moved to the cool tier after.
    pub cool: Option<Days>,
    /// Moved to the archive tier after.
    pub archive: Option<Days>,
    /// Deleted after.
    pub delete: Option<Days>,
}
