//! Container Apps: environments, apps, revisions, replicas.

use serde::{Deserialize, Serialize};

use super::World;
use super::arm::kind::Kind;

/// Revisions and replicas.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {}

/// Something that happens by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {}

/// What the runtime saw.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Observation {}

/// The types of `Microsoft.App` that are modelled.
pub(crate) static KINDS: &[Kind] = &[];

pub(super) fn fire(_world: &mut World, event: Event) {
    match event {}
}

pub(super) fn observe(_world: &mut World, observation: Observation) {
    match observation {}
}
