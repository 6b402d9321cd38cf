//! `/_local/…`: clock and faults.

use super::{Request, Response, World};

/// Whether a path is local Azure's own.
pub(super) fn claims(path: &str) -> bool {
    path.starts_with("/_local/")
}

pub(super) fn handle(_world: &mut World, _request: &Request) -> Response {
    Response::empty(404)
}
