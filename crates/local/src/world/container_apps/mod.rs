//! Container Apps: environments, apps, revisions, and what makes each. In reading order:
//!
//! - [`workload`](Desired): what should run and what was seen of it, between the world and the runtime.
//! - `environments`, `apps`: the two types in Resource Manager. `template`, `ingress`: what may stand in an app's body.
//! - `revisions`: when there is a new one, what becomes of it, and where traffic goes.
//! - `desired`: from all this to what should run, with secrets as they resolve now.
//! - `domains`: custom domains with their certificates. `parts`: what else environments have, Dapr components and storages.
//! - `jobs`, `cron`: what runs to its end, by hand or on schedule.
//! - `stream`: log streams.
//!
//! Only [`Observation`]s change the state of a revision: that one is ready is something the runtime has seen, never
//! something the world assumes.

mod apps;
pub(crate) mod cron;
mod desired;
mod domains;
mod environments;
mod ingress;
mod jobs;
mod parts;
mod revisions;
mod stream;
mod template;
#[cfg(test)]
mod tests;
mod workload;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::World;
use super::arm::kind::Kind;

pub use desired::{Login, desired, environment_domains, has_identity, reachable, registry_login};
pub use jobs::{Execution, JobState};
pub use revisions::{AppState, Replica, Revision, State as RevisionState};
pub use stream::{LogQuery, stream};
pub use workload::*;

/// Rows of the table of types.
pub(crate) static KINDS: &[Kind] = &[
    environments::KIND,
    apps::KIND,
    jobs::KIND,
    domains::CERTIFICATE,
    domains::MANAGED_CERTIFICATE,
    parts::AUTH,
    parts::DAPR,
    parts::STORAGE,
];

/// What is kept of Container Apps beside their resources.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// By the app's id in lower case.
    pub apps: BTreeMap<String, AppState>,
    /// By the job's id in lower case.
    #[serde(default)]
    pub jobs: BTreeMap<String, JobState>,
}

/// Something that happens to Container Apps by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// A job's schedule is due, if it is still the one of that time.
    Schedule {
        /// The job's id, lower case.
        job: String,
        /// When it was planned for.
        at: Timestamp,
    },
    /// It is looked whether a managed certificate can be issued.
    Look {
        /// The certificate's id, lower case.
        certificate: String,
        /// The how manieth time.
        nth: u32,
    },
    /// A write asked for a revision by a suffix that another one has.
    Clash {
        /// The app's id, lower case.
        app: String,
    },
}

pub(super) fn fire(world: &mut World, event: Event) {
    match event {
        Event::Schedule { job, at } => jobs::due(world, &job, at),
        Event::Look { certificate, nth } => domains::look(world, &certificate, nth),
        Event::Clash { app } => revisions::clash(world, &app),
    }
}

/// The runtime saw something.
pub(super) fn observe(world: &mut World, observation: Observation) {
    if world.apps.jobs.contains_key(&observation.app) {
        jobs::observe(world, observation);
    } else {
        revisions::observe(world, observation);
    }
}
