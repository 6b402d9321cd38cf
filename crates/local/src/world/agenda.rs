//! What is due when. Events are plain data, so they are kept with the state and fire after a restart too.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{World, arm, blob, container_apps, keyvault, registry, templates};

/// Something that happens by itself at a time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// A long-running operation comes to its scheduled end.
    OperationEnds(String),
    /// A soft-deleted vault's, or a soft-deleted secret's, retention is over.
    Vault(keyvault::Event),
    /// Something of Resource Manager's own.
    Arm(arm::Event),
    /// Something of the registries.
    Registry(registry::Event),
    /// Something of blob storage: a lease, a lifecycle rule.
    Blob(blob::Event),
    /// Something of Container Apps.
    Apps(container_apps::Event),
    /// Something of a template deployment.
    Templates(templates::Event),
}

impl Event {
    pub(super) fn fire(self, world: &mut World) {
        match self {
            Event::OperationEnds(operation) => arm::operations::due(world, &operation),
            Event::Vault(event) => keyvault::fire(world, event),
            Event::Arm(event) => arm::fire(world, event),
            Event::Registry(event) => registry::fire(world, event),
            Event::Blob(event) => blob::fire(world, event),
            Event::Apps(event) => container_apps::fire(world, event),
            Event::Templates(event) => templates::fire(world, event),
        }
    }
}

/// Events by time; those of one moment in the order they were added.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Agenda {
    entries: VecDeque<(Timestamp, Event)>,
}

impl Agenda {
    /// Adds an event after all others of the same or an earlier time.
    pub fn add(&mut self, at: Timestamp, event: Event) {
        let place = self.entries.partition_point(|(other, _)| *other <= at);
        self.entries.insert(place, (at, event));
    }

    /// Takes the first event that is due at `now`.
    pub fn pop(&mut self, now: Timestamp) -> Option<(Timestamp, Event)> {
        if self.entries.front()?.0 <= now { self.entries.pop_front() } else { None }
    }

    /// When the first event is due.
    pub fn next(&self) -> Option<Timestamp> {
        self.entries.front().map(|(at, _)| *at)
    }
}
