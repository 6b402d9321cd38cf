//! Key Vault's data plane: secrets.

use crate::world::{Request, Response, World};

pub(crate) fn handle(_world: &mut World, _vault: &str, _request: &Request) -> Response {
    Response::empty(404)
}
