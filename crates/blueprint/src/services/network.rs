//! Virtual networks: where the parts of an application meet without the internet between them.
//!
//! The network is written without its subnets, which are resources of their own: Azure keeps what it has when a
//! network's `subnets` are left out. Writes to the subnets of one network wait for each other, so each comes after the
//! one before.

use landfall_manifest::{AddressRange, App, Network};

use crate::address::Address;
use crate::body::{Body, object};
use crate::codes;
use crate::expression::Expression;
use crate::name;
use crate::resource::Resource;
use crate::services::{Draft, child, nat_gateway, security_group, set};

pub use landfall_manifest::Purpose;

/// The ARM type of a network.
pub const TYPE: &str = "Microsoft.Network/virtualNetworks";
/// The version of nearly everything of Microsoft.Network.
pub(super) const API_VERSION: &str = "2025-09-01";

/// The address of the network; there is one.
pub fn address() -> Address {
    Address::new("network", "main")
}

/// The address of a subnet, by its name in the manifest, or the word of its purpose when nobody declared it.
pub fn subnet_address(name: &str) -> Address {
    Address::new("subnet", name)
}

/// The subnet for a purpose; none when the application has no network of its own, or when nothing there needs it.
pub fn subnet(draft: &Draft<'_>, purpose: Purpose) -> Option<Address> {
    let place = places(draft.app).into_iter().find(|place| place.purpose == Some(purpose))?;
    let address = subnet_address(&place.name);
    draft.get(&address).map(|_| address)
}

/// The subnet of that name in the manifest.
pub fn named(draft: &Draft<'_>, name: &str) -> Option<Address> {
    let address = subnet_address(name);
    draft.get(&address).map(|_| address)
}

/// Whether resources are reached through private endpoints only.
pub fn is_private(draft: &Draft<'_>) -> bool {
    draft.app.network.as_ref().is_some_and(|network| network.private)
}

/// The addresses outside a private network that are let in to what Landfall works with.
pub fn let_in(draft: &Draft<'_>) -> Vec<AddressRange> {
    let network = draft.app.network.as_ref().filter(|network| network.private);
    network.map(|network| network.allow.clone()).unwrap_or_default()
}

/// The rules of a firewall that lets those in and nobody else, each made by `rule` from a range as Azure writes it; a
/// single address has no length there. None where there are none.
pub(super) fn ip_rules(draft: &Draft<'_>, rule: impl Fn(String) -> Body) -> Option<Body> {
    let ranges = let_in(draft);
    let written = ranges.iter().map(|range| match range.prefix() {
        32 => rule(range.first().to_string()),
        _ => rule(range.to_string()),
    });
    (!ranges.is_empty()).then(|| written.collect::<Vec<Body>>().into())
}

/// Whether a Container Apps environment is reached from within the network only: when no service in it is public.
pub fn is_internal(draft: &Draft<'_>) -> bool {
    let hosted = |service: &&landfall_manifest::Service| service.host.as_str() == "container-apps";
    let inside = draft.app.services.values().filter(hosted);
    let public = inside.filter_map(|service| service.ingress.as_ref()).any(|ingress| ingress.public);
    subnet(draft, Purpose::ContainerApps).is_some() && !public
}

/// Whether a service answers to the whole network: in an internal environment Azure calls that external, and what it
/// calls internal answers to the environment alone. What the gateway leads to has to.
pub fn answers_network(draft: &Draft<'_>, service: &str) -> bool {
    let gateway = draft.app.network.as_ref().and_then(|network| network.gateway.as_ref());
    let routed = |route: &landfall_manifest::network::Route| route.service.as_deref() == Some(service);
    is_internal(draft) && gateway.is_some_and(|gateway| gateway.routes.iter().any(routed))
}

/// A subnet that the application has.
pub(super) struct Place {
    /// Its name in the manifest, or the word of its purpose.
    pub name: String,
    /// Its name in Azure.
    pub azure: String,
    /// Where it lies; none where the space has no room.
    pub range: Option<AddressRange>,
    /// What it is for.
    pub purpose: Option<Purpose>,
    /// Where in the manifest it comes from.
    pub from: String,
}

/// Every subnet that an application has: the declared ones by name, then those that something needs.
pub(super) fn places(app: &App) -> Vec<Place> {
    let Some(network) = &app.network else { return Vec::new() };
    let declared = network.subnets.iter().map(|(name, subnet)| Place {
        name: name.clone(),
        azure: azure_name(name, subnet.purpose),
        range: subnet.range.or_else(|| network.range(subnet.purpose?)),
        purpose: subnet.purpose,
        from: format!("network.subnet.{name}"),
    });
    let needed = Purpose::ALL
        .into_iter()
        .filter(|purpose| network.declared(*purpose).is_none() && needs(app, network, *purpose));
    let needed = needed.map(|purpose| {
        // Somebody may have called a subnet for something else by that word.
        let name = match network.subnets.contains_key(purpose.as_str()) {
            true => format!("{purpose}-subnet"),
            false => purpose.to_string(),
        };
        Place {
            azure: azure_name(&name, Some(purpose)),
            name,
            range: network.range(purpose),
            purpose: Some(purpose),
            from: "network".to_owned(),
        }
    });
    declared.chain(needed).collect()
}

/// What Azure calls a subnet: names are its network's own business, so they carry no application.
fn azure_name(name: &str, purpose: Option<Purpose>) -> String {
    match purpose.and_then(Purpose::azure_name) {
        Some(demanded) => demanded.to_owned(),
        None if name.starts_with("snet-") || name.ends_with("-subnet") => name.to_owned(),
        None => format!("snet-{name}"),
    }
}

/// Whether an application has something for a subnet of that purpose.
fn needs(app: &App, network: &Network, purpose: Purpose) -> bool {
    let runs_on =
        |hosts: &[&str]| app.services.values().any(|service| hosts.contains(&service.host.as_str()));
    let has = |kind: &str| app.resources.values().any(|resource| resource.kind.as_str() == kind);
    match purpose {
        Purpose::ContainerApps => runs_on(&["container-apps", "container-job"]),
        Purpose::AppService => runs_on(&["app-service"]),
        Purpose::Kubernetes => runs_on(&["kubernetes"]),
        Purpose::Functions => runs_on(&["functions"]),
        Purpose::Postgres => network.private && has("postgres"),
        // There is always a vault, so there is always something to reach.
        Purpose::PrivateEndpoints => network.private,
        Purpose::Gateway => network.gateway.is_some(),
        Purpose::Bastion => network.bastion.is_some(),
        Purpose::ContainerInstances | Purpose::Vpn => false,
    }
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let Some(network) = &draft.app.network else { return };
    let mut vnet = draft.in_group(address(), TYPE, API_VERSION, draft.name(&name::NETWORK, None), "network");
    let space = object([("addressPrefixes", vec![network.space.to_string().into()].into())]);
    set(&mut vnet, "properties", object([("addressSpace", space)]));
    let mut before: Option<Address> = None;
    let mut subnets = Vec::new();
    for place in places(draft.app) {
        let Some(range) = place.range else {
            no_room(draft, network, &place);
            continue;
        };
        let mut subnet = subnet_in(draft, &vnet, &place, range);
        subnet.after.extend(before.replace(subnet.address.clone()));
        subnets.push(subnet);
    }
    draft.push(vnet);
    subnets.into_iter().for_each(|subnet| draft.push(subnet));
}

fn subnet_in(draft: &Draft<'_>, vnet: &Resource, place: &Place, range: AddressRange) -> Resource {
    let delegations = place.purpose.and_then(Purpose::delegation).map(|service| {
        let delegation = object([
            ("name", service.replace('/', ".").into()),
            ("properties", object([("serviceName", service.into())])),
        ]);
        Body::from(vec![delegation])
    });
    let reference = |address: Address| object([("id", Expression::id(&address).into())]);
    let group =
        security_group::guards(place.purpose).then(|| reference(security_group::address(&place.name)));
    let nat = nat_gateway::of(draft).filter(|_| nat_gateway::serves(place.purpose)).map(reference);
    let endpoints = place.purpose == Some(Purpose::PrivateEndpoints);
    let properties = object([
        ("addressPrefix", range.to_string().into()),
        ("delegations", delegations.into()),
        ("networkSecurityGroup", group.into()),
        ("natGateway", nat.into()),
        // Off by default, and then the group's rules do nothing for endpoints.
        ("privateEndpointNetworkPolicies", endpoints.then_some("NetworkSecurityGroupEnabled").into()),
        // Machines reach the internet only where somebody said how.
        ("defaultOutboundAccess", false.into()),
    ]);
    Resource {
        from: place.from.clone(),
        ..child(
            vnet,
            subnet_address(&place.name),
            "Microsoft.Network/virtualNetworks/subnets",
            API_VERSION,
            &place.azure,
            properties,
        )
    }
}

fn no_room(draft: &mut Draft<'_>, network: &Network, place: &Place) {
    let Some(purpose) = place.purpose else { return };
    let least = purpose.smallest();
    draft.problem(
        codes::NO_ROOM,
        "network.space",
        format!("{} has no room for {}: a /{least}", network.space, purpose.noun()),
        Some(format!("widen the space, or declare a subnet `for = \"{purpose}\"` with a `range`")),
    );
}
