//! The manifest, `landfall.toml`: from its text to the [`App`], or to everything that is wrong with it.
//!
//! This room knows the language: its fields, their types and defaults, what an environment's overlay does, and how
//! to say where a mistake is. It does *not* know Azure's resources (that is `blueprint`), nor files, clocks or
//! networks: the caller passes the text and gets the same result at any time.
//!
//! One table (`fields`, a row per field) is what the parser checks against, what defaults come from, and what
//! [`schema`] and [`explain`] print.
//!
//! In reading order:
//! - [`app`]: the App; [`network`] and [`addresses`]: where it lies; [`service`], [`host`] and [`resource`]: what runs,
//!   on what, and what is used, each with its nouns, its rows of the table of fields and its checks; [`units`]: quantities; [`origin`]: where each value came from
//! - [`watch`], [`release`], [`budget`], [`usage`], [`recovery`], [`standard`]: how it is watched, released, paid for,
//!   recovered and judged, each laid out in the same way
//! - `fields`: the table of fields; `rules`: what texts must look like; [`regions`]: Azure's regions
//! - `load`: the steps from text to App: `tree` (TOML with places, read past its mistakes), `shape` (keys, types and
//!   bounds), `resolve` (overlay and defaults), `sense` (what the parts say about each other), `build` (the App)
//! - [`codes`] and [`diagnostic`]: what is said about mistakes; `suggest`: "did you mean"
//! - `schema`, `explain`, [`show`]: the language and an App for people and editors
//! - [`write`](mod@write): a new manifest from what was found in a folder

pub mod addresses;
pub mod app;
pub mod budget;
mod build;
pub mod codes;
pub mod diagnostic;
mod explain;
mod fields;
pub mod host;
mod load;
pub mod network;
pub mod origin;
pub mod recovery;
pub mod regions;
pub mod release;
mod resolve;
pub mod resource;
mod rules;
mod schema;
mod sense;
pub mod service;
mod shape;
pub mod show;
pub mod standard;
mod suggest;
mod template;
mod tree;
pub mod units;
pub mod usage;
pub mod watch;
pub mod write;

pub use addresses::{AddressRange, NotARange};
pub use app::{App, Piece, Reference, Template, Tier};
pub use budget::{Budget, Threshold};
pub use codes::Code;
pub use diagnostic::{Diagnostic, Severity, render};
pub use explain::{Unknown, explain};
pub use host::{
    AppService, ContainerApps, ContainerAppsEnvironment, ContainerJob, Host, Kubernetes, StaticWebApp,
    Workload,
};
pub use load::{Loaded, load};
pub use network::{Network, Outbound, Purpose, Subnet};
pub use origin::{Origin, Origins};
pub use recovery::Recovery;
pub use release::Release;
pub use resource::{
    AccessTier, AppConfig, AppConfigSku, BusSku, Capacity, Clustering, Communication, Consistency, Cosmos,
    CosmosBackup, CosmosContainer, CosmosDatabase, Deployment, DeploymentSku, Eviction, Geography, Lifecycle,
    LoadTest, OpenAi, Persistence, PoolMode, Pooler, Postgres, PostgresBackup, PostgresTier, Queue, Redis,
    RedisModule, Registry, RegistrySku, Replication, Resource, ResourceKind, Search, SearchSku, ServiceBus,
    Share, ShareTier, Speech, SpeechSku, Standby, Storage, Subscription, Topic, Upgrade, Vault, VaultSku,
};
pub use schema::schema;
pub use service::{Access, Accesses, Down, Ingress, Probes, QueueScale, Scale, Service, Source, Times};
pub use standard::{Profile, Standard, Waiver};
pub use units::{Cpu, Date, Days, Duration, Load, Memory, Money, Month, Per, Size};
pub use usage::Usage;
pub use watch::{
    Alert, Availability, Comparison, Condition, Contact, Insights, Logs, Metric, Quantity, Sampling, Subject,
    Unit,
};
pub use write::{NewApp, NewIngress, NewJob, NewProbes, NewResource, NewService, NewValue, write_new};
