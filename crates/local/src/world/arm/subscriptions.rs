//! Subscriptions, tenants, locations, providers.

use std::collections::BTreeSet;

use super::refusal::Refusal;
use super::{Answer, Ask, World};

/// `West Europe` as `westeurope`.
pub fn normal(location: &str) -> String {
    location.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase()
}

pub(super) fn registered_at_start() -> BTreeSet<String> {
    BTreeSet::new()
}

pub(super) fn registration_ends(_world: &mut World, _namespace: &str, _registered: bool) {}

pub(super) fn must_be_known(_world: &World, _subscription: &str) -> Result<(), Refusal> {
    Ok(())
}

pub(super) fn serve(_world: &mut World, _ask: &Ask) -> Option<Answer> {
    None
}
