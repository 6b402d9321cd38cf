//! What services run on.
//!
//! One file per host, with its nouns, its rows of the table of fields and its checks. To add a host: write its file,
//! and name it in [`Host`] and [`HOSTS`].

pub(crate) mod app_service;
pub(crate) mod container_apps;
pub(crate) mod container_job;
pub(crate) mod kubernetes;
pub(crate) mod static_web_app;

use serde::{Deserialize, Serialize};

use crate::fields::Field;
use crate::sense::Sense;
use crate::tree::{Node, Table};

pub use app_service::{AppService, Plan, Size as PlanSize, Slot, linux_fx};
pub use container_apps::{
    CONSUMPTION, ContainerApps, ContainerAppsEnvironment, Dapr, DaprProtocol, Profile, Revisions,
};
pub use container_job::{ContainerJob, Trigger};
pub use kubernetes::{
    Autoscaler, ClusterIngress, ClusterNetwork, ClusterTier, Expander, Kubernetes, NetworkPolicy, Pool,
    PortRange, Protocol, Support, Upgrades, Workload,
};
pub use static_web_app::{Fallback, REGIONS as STATIC_REGIONS, Route, StaticSku, StaticWebApp};

/// What a service runs on, with that host's own fields.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "host", rename_all = "kebab-case")]
pub enum Host {
    /// Azure Container Apps.
    ContainerApps(ContainerApps),
    /// A job of Azure Container Apps.
    ContainerJob(ContainerJob),
    /// Azure App Service on Linux.
    AppService(AppService),
    /// Azure Static Web Apps.
    StaticWebApp(StaticWebApp),
    /// Azure Kubernetes Service.
    Kubernetes(Workload),
}

impl Host {
    /// What is true of every service on it.
    pub fn facts(&self) -> &'static Kind {
        match self {
            Host::ContainerApps(_) => &container_apps::KIND,
            Host::ContainerJob(_) => &container_job::KIND,
            Host::AppService(_) => &app_service::KIND,
            Host::StaticWebApp(_) => &static_web_app::KIND,
            Host::Kubernetes(_) => &kubernetes::KIND,
        }
    }

    /// The word the manifest uses.
    pub fn as_str(&self) -> &'static str {
        self.facts().name
    }
}

impl Default for Host {
    /// The host of a service that names none.
    fn default() -> Host {
        Host::ContainerApps(ContainerApps::default())
    }
}

/// What is true of every service on one host.
pub struct Kind {
    /// The word after `host =`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub doc: &'static str,
    /// Whether code of the application runs there, with an identity of its own. A static site only hands out files.
    pub runs: bool,
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

/// Reports what does not make sense about the service of a name: its node and its table, defaults filled in.
pub(crate) type Check = fn(&mut Sense<'_>, &str, &Node, &Table);

/// Every host.
pub const HOSTS: &[&Kind] = &[
    &container_apps::KIND,
    &container_job::KIND,
    &app_service::KIND,
    &static_web_app::KIND,
    &kubernetes::KIND,
];

/// Each host's word with its meaning.
pub(crate) const WORDS: [(&str, &str); HOSTS.len()] = words();

const fn words() -> [(&'static str, &'static str); HOSTS.len()] {
    let mut words = [("", ""); HOSTS.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = (HOSTS[at].name, HOSTS[at].doc);
        at += 1;
    }
    words
}

/// The host of a service that names none.
pub(crate) const USUAL: &str = container_apps::KIND.name;

/// The host of that name.
pub fn of(name: &str) -> Option<&'static Kind> {
    HOSTS.iter().copied().find(|kind| kind.name == name)
}

/// The hosts that run containers.
pub(crate) const CONTAINERS: &[&str] = &["container-apps", "container-job", "kubernetes"];
/// The hosts of services that may listen.
pub(crate) const LISTENERS: &[&str] = &["container-apps", "app-service", "kubernetes"];
/// The hosts that may run an image that exists.
pub(crate) const IMAGES: &[&str] = &["container-apps", "container-job", "app-service", "kubernetes"];
/// The hosts on Azure Container Apps.
pub(crate) const ENVIRONMENT: &[&str] = &["container-apps", "container-job"];
