//! The App: what a manifest means once one environment is applied and every default is filled in.
//!
//! Nothing here is optional because it was left out of the file: an `Option` is `None` only where "none" is
//! itself the meaning (no port: nothing listens).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::budget::Budget;
use crate::host::{ContainerAppsEnvironment, Kubernetes};
use crate::network::Network;
use crate::origin::Origins;
use crate::recovery::Recovery;
use crate::release::Release;
use crate::resource::Resource;
use crate::service::Service;
use crate::standard::Standard;
use crate::template;
use crate::usage::Usage;
use crate::watch::{Alert, Contact, Insights};

/// An application in one environment.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct App {
    /// The application's name: lower-case letters, digits and hyphens.
    #[serde(rename(deserialize = "app"))]
    pub name: String,
    /// The environment's name, `dev` unless another was asked for.
    pub environment: String,
    /// How careful the defaults are.
    pub tier: Tier,
    /// The subscription's id, when the environment names one.
    pub subscription: Option<String>,
    /// Azure's name of the region, such as `westeurope`.
    pub region: String,
    /// The pattern of Azure names, with `{type}`, `{app}`, `{name}`, `{env}` and `{region}` in it.
    pub naming: String,
    /// What stands for `{type}` in names, by Azure's usual abbreviation, where it is to be another.
    #[serde(default)]
    pub abbreviations: BTreeMap<String, String>,
    /// The user's own tags; Landfall's are not among them.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Where its parts meet without the internet between them; none: everything is reached by the internet.
    pub network: Option<Network>,
    /// What runs, by name.
    #[serde(default, rename(deserialize = "service"))]
    pub services: BTreeMap<String, Service>,
    /// What is used, by name.
    #[serde(default, rename(deserialize = "resource"))]
    pub resources: BTreeMap<String, Resource>,
    /// What is recorded.
    pub insights: Insights,
    /// What is told of, the usual alerts among it.
    #[serde(default, rename(deserialize = "alert"))]
    pub alerts: Vec<Alert>,
    /// Who is told, by name.
    #[serde(default, rename(deserialize = "contact"))]
    pub contacts: BTreeMap<String, Contact>,
    /// What a month may cost.
    pub budget: Option<Budget>,
    /// The load that a quote assumes.
    pub usage: Usage,
    /// How a new revision takes over.
    pub release: Release,
    /// What is to be had again after a disaster.
    pub recovery: Option<Recovery>,
    /// Which rules apply.
    pub standard: Standard,
    /// The environment of the services and jobs on Container Apps; there exactly when there is one, or it is declared.
    #[serde(rename(deserialize = "container-apps"))]
    pub container_apps: Option<ContainerAppsEnvironment>,
    /// The cluster of the services on Kubernetes; likewise.
    pub kubernetes: Option<Kubernetes>,
    /// Where each value came from, by dotted path (`service.web.scale.min`).
    #[serde(skip)]
    pub origins: Origins,
}

/// How careful an environment's defaults are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
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
    /// `${resource.NAME.ATTRIBUTE}`; the attribute is one of its kind's, see [`crate::resource::Kind::attributes`].
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

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Template, D::Error> {
        Ok(template::parse(&String::deserialize(deserializer)?).template())
    }
}
