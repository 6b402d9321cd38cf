//! Private endpoints: resources have an address in the network, one for each part that is reached.

use landfall_manifest::{Purpose, Service, Source};

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::services::network::API_VERSION;
use crate::services::{Draft, PrivateLink, child, network, offer, private_dns, registry, set, vault};

/// An endpoint that the application has.
pub(super) struct Wanted {
    /// The resource it leads to.
    pub target: Address,
    /// The part of it.
    pub link: &'static PrivateLink,
    /// What names it: the resource's name in the manifest, or its type when nobody declared it.
    pub of: String,
    /// Where in the manifest it comes from.
    pub from: String,
}

/// The address of the endpoint to a part of a resource, by the resource's name in the manifest.
pub fn address(of: &str, group: &str) -> Address {
    Address::new("privateEndpoint", &format!("{of}.{group}"))
}

/// The address of what writes an endpoint's name into its zone: whoever waits for it can look the name up.
pub fn zone_group_address(of: &str, group: &str) -> Address {
    Address::new("privateDnsZoneGroup", &format!("{of}.{group}"))
}

/// Every endpoint of the application in a private network.
pub(super) fn wanted(draft: &Draft<'_>) -> Vec<Wanted> {
    if !network::is_private(draft) {
        return Vec::new();
    }
    let mut wanted = Vec::new();
    for (name, resource) in &draft.app.resources {
        // Servers in a subnet of their own are in the network already.
        if resource.kind.as_str() == "postgres" && network::subnet(draft, Purpose::Postgres).is_some() {
            continue;
        }
        for link in draft.private_links(name) {
            wanted.push(Wanted {
                target: (offer(&resource.kind).address)(name),
                link,
                of: name.clone(),
                from: format!("resource.{name}"),
            });
        }
    }
    // The vault and the registry that nobody declared are private too.
    let undeclared = [(Some(&draft.vault), &vault::OFFER), (draft.registry.as_ref(), &registry::OFFER)];
    for (target, offer) in undeclared {
        let Some(target) = target.filter(|target| !wanted.iter().any(|other| other.target == **target))
        else {
            continue;
        };
        let declared = draft.offer(target.name()).is_some_and(|own| (own.address)(target.name()) == *target);
        if !declared {
            wanted.extend(offer.private.iter().map(|link| Wanted {
                target: target.clone(),
                link,
                of: target.kind().to_owned(),
                from: "network.private".to_owned(),
            }));
        }
    }
    wanted
}

/// What has to be there before a service can look up the names of what it uses.
pub fn of_service(draft: &Draft<'_>, service: &Service) -> Vec<Address> {
    let uses = |wanted: &Wanted| {
        let vault = wanted.target == draft.vault && !service.secrets.is_empty();
        let image =
            draft.registry.as_ref() == Some(&wanted.target) && matches!(service.source, Source::Folder(_));
        vault || image || service.uses.contains_key(&wanted.of)
    };
    let wanted = wanted(draft).into_iter().filter(uses);
    wanted.map(|wanted| zone_group_address(&wanted.of, wanted.link.group)).collect()
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let Some(subnet) = network::subnet(draft, Purpose::PrivateEndpoints) else { return };
    for wanted in wanted(draft) {
        let group = wanted.link.group;
        let part = format!("{}-{}", wanted.of, group.to_lowercase());
        let name = draft.name(&name::PRIVATE_ENDPOINT, Some(&part));
        let interface = draft.name(&name::INTERFACE, Some(&part));
        let mut endpoint = draft.in_group(
            address(&wanted.of, group),
            "Microsoft.Network/privateEndpoints",
            API_VERSION,
            name,
            wanted.from.clone(),
        );
        let reference = |address: &Address| object([("id", Expression::id(address).into())]);
        let connection = object([
            ("name", group.into()),
            (
                "properties",
                object([
                    ("groupIds", vec![Body::from(group)].into()),
                    ("privateLinkServiceId", Expression::id(&wanted.target).into()),
                ]),
            ),
        ]);
        let properties = object([
            ("customNetworkInterfaceName", interface.into()),
            ("privateLinkServiceConnections", vec![connection].into()),
            ("subnet", reference(&subnet)),
        ]);
        set(&mut endpoint, "properties", properties);
        let zone = private_dns::address(wanted.link.zone);
        let configuration = object([
            ("name", wanted.link.zone.replace('.', "-").into()),
            ("properties", object([("privateDnsZoneId", Expression::id(&zone).into())])),
        ]);
        let mut names = child(
            &endpoint,
            zone_group_address(&wanted.of, group),
            "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
            API_VERSION,
            "default",
            object([("privateDnsZoneConfigs", vec![configuration].into())]),
        );
        // A name that is written is looked up by the link.
        names.after.push(private_dns::link_address(wanted.link.zone));
        draft.push(endpoint);
        draft.push(names);
    }
}
