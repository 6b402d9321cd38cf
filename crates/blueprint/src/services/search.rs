//! Azure AI Search services.

use landfall_manifest::{Access, ResourceKind, SearchSku};

use crate::address::Address;
use crate::body::{Body, object};
use crate::name;
use crate::role;
use crate::services::{Draft, Offer, PrivateLink, set};

/// The ARM type.
pub const TYPE: &str = "Microsoft.Search/searchServices";

/// What others ask of a service.
pub(super) const OFFER: Offer = Offer {
    address,
    attribute: |draft, name, attribute| match attribute {
        "endpoint" => Some(endpoint(draft, name)),
        _ => None,
    },
    connection: |draft, name| vec![("ENDPOINT", endpoint(draft, name))],
    user: None,
    roles: |_, access| match access {
        Access::Read => vec![&role::SEARCH_READER],
        Access::Write => vec![&role::SEARCH_CONTRIBUTOR],
        _ => Vec::new(),
    },
    grant: None,
    private: &[PrivateLink { group: "searchService", zone: "privatelink.search.windows.net", has: is_paid }],
};

fn is_paid(kind: &ResourceKind) -> bool {
    matches!(kind, ResourceKind::Search(search) if search.sku != SearchSku::Free)
}

/// The address of a service, by its name in the manifest.
pub fn address(name: &str) -> Address {
    Address::new("search", name)
}

fn endpoint(draft: &Draft<'_>, name: &str) -> Body {
    format!("https://{}.search.windows.net", draft.resource_name(&name::SEARCH, name)).into()
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, resource) in &draft.app.resources {
        let ResourceKind::Search(wanted) = &resource.kind else { continue };
        let named = draft.resource_name(&name::SEARCH, name);
        let mut search = draft.in_group(address(name), TYPE, "2025-05-01", named, draft.resource_path(name));
        let region = draft.place(wanted.region.as_deref());
        search.location = Some(region.name.to_owned());
        set(&mut search, "location", region.name.into());
        let sku = match wanted.sku {
            SearchSku::Free => "free",
            SearchSku::Basic => "basic",
            SearchSku::Standard => "standard",
        };
        set(&mut search, "sku", object([("name", sku.into())]));
        let paid = wanted.sku != SearchSku::Free;
        let properties = object([
            ("replicaCount", wanted.replicas.into()),
            ("partitionCount", wanted.partitions.into()),
            ("hostingMode", "default".into()),
            // Every service has an identity; a key would outlive the service that was given it.
            ("disableLocalAuth", true.into()),
            ("publicNetworkAccess", if paid { draft.public_access() } else { Body::from("Enabled") }),
        ]);
        set(&mut search, "properties", properties);
        search.holds_data = true;
        draft.overlay(&mut search, name);
        draft.push(search);
    }
}
