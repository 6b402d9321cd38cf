//! Private DNS zones: inside the network the name of a resource leads to its private endpoint.

use std::collections::BTreeSet;

use landfall_manifest::Purpose;

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::resource::Resource;
use crate::services::{Draft, child, network, private_endpoint, resource_group, set};

const API_VERSION: &str = "2024-06-01";

/// The zone of PostgreSQL servers, whether they lie in a subnet of their own or behind an endpoint.
pub const POSTGRES: &str = "privatelink.postgres.database.azure.com";

/// The address of a zone, by its name.
pub fn address(zone: &str) -> Address {
    Address::new("privateDnsZone", zone)
}

/// The address of the link that lets the network look names up in a zone.
pub fn link_address(zone: &str) -> Address {
    Address::new("privateDnsLink", zone)
}

/// The zone that PostgreSQL servers in their own subnet write their names into, and the link that has to be there
/// before them.
pub fn postgres(draft: &Draft<'_>) -> Option<(Address, Address)> {
    network::subnet(draft, Purpose::Postgres).map(|_| (address(POSTGRES), link_address(POSTGRES)))
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let mut zones: BTreeSet<&str> = BTreeSet::new();
    if network::is_private(draft) {
        zones.extend(private_endpoint::wanted(draft).iter().map(|wanted| wanted.link.zone));
    }
    if network::subnet(draft, Purpose::Postgres).is_some() {
        zones.insert(POSTGRES);
    }
    for name in zones {
        let zone = Resource {
            named: None,
            address: address(name),
            resource_type: "Microsoft.Network/privateDnsZones",
            api_version: API_VERSION,
            name: name.to_owned(),
            scope: draft.group(),
            location: None,
            // Zones are everywhere.
            body: object([("location", "global".into()), ("tags", draft.tags())]),
            within: Some(resource_group::address()),
            after: Vec::new(),
            from: "network.private".to_owned(),
            holds_data: false,
        };
        let to = Expression::id(&network::address());
        let properties = object([
            // Only what has an endpoint writes its name, and machines keep theirs to themselves.
            ("registrationEnabled", false.into()),
            ("virtualNetwork", object([("id", Body::from(to))])),
        ]);
        let vnet = draft.earlier(&network::address()).name.clone();
        let mut link = child(
            &zone,
            link_address(name),
            "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
            API_VERSION,
            &vnet,
            properties,
        );
        set(&mut link, "location", "global".into());
        set(&mut link, "tags", draft.tags());
        draft.push(zone);
        draft.push(link);
    }
}
