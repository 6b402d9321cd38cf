//! Container registries' data plane: the OCI distribution protocol and the token exchange with Entra.

use serde::{Deserialize, Serialize};

use super::{Request, Response, World};

/// What the registries hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {}

/// Something of a registry that happens by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {}

pub(super) fn fire(_world: &mut World, event: Event) {
    match event {}
}

pub(super) fn handle(_world: &mut World, _name: &str, _request: &Request) -> Response {
    Response::empty(404)
}

/// The registry is gone from Resource Manager: so is its content.
pub(crate) fn removed(_world: &mut World, _name: &str) {}
