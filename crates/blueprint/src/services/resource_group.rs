//! The resource group: all of an application in one environment, and nothing else.

use crate::address::Address;
use crate::body::object;
use crate::name;
use crate::resource::{RESOURCE_GROUP, Resource};
use crate::services::Draft;

/// Its address; there is one.
pub fn address() -> Address {
    Address::new("resourceGroup", "main")
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let region = draft.region.name;
    draft.push(Resource {
        address: address(),
        resource_type: RESOURCE_GROUP,
        api_version: "2025-04-01",
        name: draft.name(&name::RESOURCE_GROUP, None),
        named: None,
        scope: format!("/subscriptions/{}", draft.subscription),
        location: Some(region.to_owned()),
        body: object([("location", region.into()), ("tags", draft.tags())]),
        within: None,
        after: Vec::new(),
        from: "app".to_owned(),
        // What is in it is asked about by itself.
        holds_data: false,
    });
}
