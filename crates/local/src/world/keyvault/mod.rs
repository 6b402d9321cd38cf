//! Key Vault: vaults in Resource Manager, and their data plane.

pub mod data;

use serde::{Deserialize, Serialize};

use super::World;
use super::arm::kind::Kind;

/// What the vaults hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Vaults {}

/// Something of a vault that happens by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {}

pub(super) fn fire(_world: &mut World, event: Event) {
    match event {}
}

pub(crate) static KINDS: &[Kind] = &[];

/// The value of a secret as a managed identity reads it now: what a container app's Key Vault reference takes.
/// `uri` is `https://NAME.vault…/secrets/NAME[/VERSION]`, `principal` an object id.
///
/// # Errors
/// Code and sentence of Key Vault's refusal.
pub fn read_as(_world: &World, _principal: &str, _uri: &str) -> Result<String, super::arm::refusal::Refusal> {
    Err(super::arm::refusal::Refusal::missing("SecretNotFound", "not yet"))
}
