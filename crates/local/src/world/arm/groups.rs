//! Resource groups.

use super::id::Id;
use super::refusal::Refusal;
use super::{Answer, Ask, World};

pub(super) fn serve(_world: &mut World, _ask: &Ask) -> Answer {
    Err(Refusal::missing("x", "x"))
}

pub(super) fn step(_world: &mut World, _group: &str, _operation: &str, _wave: &[String]) {}

pub(super) fn remove(_world: &mut World, _id: &Id) {}
