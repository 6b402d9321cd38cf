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
//! - [`app`]: the nouns of the result; [`units`]: quantities; [`origin`]: where each value came from
//! - `fields`: the table of fields; `rules`: what texts must look like; [`kinds`]: the types of resources;
//!   [`regions`]: Azure's regions
//! - `load`: the steps from text to App: `tree` (TOML with places, read past its mistakes), `shape` (keys, types and
//!   bounds), `resolve` (overlay and defaults), `sense` (what the parts say about each other), `build` (the App)
//! - [`codes`] and [`diagnostic`]: what is said about mistakes; `suggest`: "did you mean"
//! - `schema`, `explain`, [`show`]: the language and an App for people and editors
//! - [`write`](mod@write): a new manifest from what was found in a folder

pub mod app;
mod build;
pub mod codes;
pub mod diagnostic;
mod explain;
mod fields;
pub mod kinds;
mod load;
pub mod origin;
pub mod regions;
mod resolve;
mod rules;
mod schema;
mod sense;
mod shape;
pub mod show;
mod suggest;
mod template;
mod tree;
pub mod units;
pub mod write;

pub use app::{
    Access, AccessTier, App, Host, Ingress, Lifecycle, Piece, Probes, QueueScale, Reference, Registry,
    RegistrySku, Replication, Resource, ResourceKind, Scale, Service, Source, Storage, Template, Tier, Vault,
    VaultSku,
};
pub use codes::Code;
pub use diagnostic::{Diagnostic, Severity, render};
pub use explain::{Unknown, explain};
pub use load::{Loaded, load};
pub use origin::{Origin, Origins};
pub use schema::schema;
pub use units::{Cpu, Days, Memory};
pub use write::{NewApp, NewService, write_new};
