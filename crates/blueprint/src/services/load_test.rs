//! Azure Load Testing.

use landfall_manifest::ResourceKind;

use crate::address::Address;
use crate::body::object;
use crate::name;
use crate::services::{Draft, Offer, set};

/// The ARM type.
pub const TYPE: &str = "Microsoft.LoadTestService/loadTests";

/// What others ask of it: nothing, since people and pipelines run tests.
pub(super) const OFFER: Offer = Offer {
    address,
    attribute: |_, _, _| None,
    connection: |_, _| Vec::new(),
    user: None,
    roles: |_, _| Vec::new(),
    grant: None,
    private: &[],
};

/// Its address, by its name in the manifest.
pub fn address(name: &str) -> Address {
    Address::new("loadTest", name)
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, resource) in &draft.app.resources {
        if let ResourceKind::LoadTest(wanted) = &resource.kind {
            let named = draft.resource_name(&name::LOAD_TEST, name);
            let mut made =
                draft.in_group(address(name), TYPE, "2022-12-01", named, draft.resource_path(name));
            set(&mut made, "properties", object([("description", wanted.description.as_deref().into())]));
            // The results of its runs.
            made.holds_data = true;
            draft.overlay(&mut made, name);
            draft.push(made);
        }
    }
}
