//! Blob storage's data plane.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Request, Response, World};

/// What the storage accounts hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {}

/// Something of a storage account that happens by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {}

pub(super) fn fire(_world: &mut World, event: Event) {
    match event {}
}

pub(super) fn handle(_world: &mut World, _account: &str, _request: &Request) -> Response {
    Response::empty(404)
}

/// Resource Manager's side of containers: PUT and PATCH of `blobServices/default/containers/NAME` make one, or
/// change its metadata and public access; returns whether it was new.
pub(crate) fn put_container(_world: &mut World, _account: &str, _name: &str, _properties: &Value) -> bool {
    false
}

/// Resource Manager deletes a container; returns whether it was there.
pub(crate) fn delete_container(_world: &mut World, _account: &str, _name: &str) -> bool {
    false
}

/// Names of an account's containers with their ARM `properties` (publicAccess, metadata, etag, lastModifiedTime,
/// leaseStatus …), made by whichever plane.
pub(crate) fn containers(_world: &World, _account: &str) -> Vec<(String, Value)> {
    Vec::new()
}

/// The account is gone from Resource Manager: so is its content.
pub(crate) fn removed(_world: &mut World, _account: &str) {}
