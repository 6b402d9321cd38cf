//! Container Apps: environments, apps, revisions, and what makes each. In reading order:
//!
//! - [`workload`](Desired): what should run and what was seen of it, between the world and the runtime.
//! - `environments`, `apps`: the two types in Resource Manager. `template`: what may stand in an app's body.
//! - `revisions`: when there is a new one, what becomes of it, and where traffic goes.
//! - `desired`: from all this to what should run, with secrets as they resolve now.
//! - `stream`: log streams.
//!
//! Only [`Observation`]s change the state of a revision: that one is ready is something the runtime has seen, never
//! something the world assumes.

mod apps;
mod desired;
mod environments;
mod revisions;
mod stream;
mod template;
#[cfg(test)]
mod tests;
mod workload;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::World;
use super::arm::kind::Kind;

pub use desired::{Login, desired, has_identity, reachable, registry_login};
pub use revisions::{AppState, Replica, Revision, State as RevisionState};
pub use stream::{LogQuery, stream};
pub use workload::*;

/// Rows of the table of types.
pub(crate) static KINDS: &[Kind] = &[environments::KIND, apps::KIND];

/// What is kept of Container Apps beside their resources.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// By the app's id in lower case.
    pub apps: BTreeMap<String, AppState>,
}

/// Something that happens to Container Apps by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {}

pub(super) fn fire(_world: &mut World, event: Event) {
    match event {}
}

/// The runtime saw something.
pub(super) fn observe(world: &mut World, observation: Observation) {
    revisions::observe(world, observation);
}
