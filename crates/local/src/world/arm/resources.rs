//! PUT, PATCH, GET, HEAD, DELETE of anything with an id, and actions.

use serde_json::Value;

use super::refusal::Refusal;
use super::{Answer, Ask, World};

/// What GET answers: the body with `id`, `name`, `type`, state and system data, through the type's view.
pub fn show(_world: &World, _key: &str) -> Option<Value> {
    None
}

/// Removes a resource with all that is below it; the types' `deleted` hooks run.
pub fn remove(_world: &mut World, _key: &str) {}

pub(super) fn serve(_world: &mut World, _ask: &Ask) -> Answer {
    Err(Refusal::missing("x", "x"))
}

pub(super) fn beside(_world: &mut World, _ask: &Ask) -> Answer {
    Err(Refusal::missing("x", "x"))
}
