//! Container registries: where images are pushed to and pulled from.

use landfall_manifest::{Access, Registry, RegistrySku, ResourceKind, Tier};

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::resource::Resource;
use crate::role;
use crate::services::{Draft, Offer, PrivateLink, child, network, set};
use crate::{codes, name, region};

/// The ARM type.
pub const TYPE: &str = "Microsoft.ContainerRegistry/registries";
const API_VERSION: &str = "2025-11-01";

/// What others ask of a registry.
pub(super) const OFFER: Offer = Offer {
    address,
    attribute: |_, name, attribute| match attribute {
        "server" => Some(server(&address(name))),
        _ => None,
    },
    connection: |_, name| vec![("SERVER", server(&address(name)))],
    user: None,
    roles: |_, access| match access {
        Access::Pull => vec![&role::ACR_PULL],
        Access::Push => vec![&role::ACR_PUSH],
        _ => Vec::new(),
    },
    grant: None,
    private: &[PrivateLink { group: "registry", zone: "privatelink.azurecr.io", has: is_premium }],
};

/// The address of a registry, by its name in the manifest; `main` when nobody declared one.
pub fn address(name: &str) -> Address {
    Address::new("registry", name)
}

/// Private endpoints, replicas and retention come with Premium.
fn is_premium(kind: &ResourceKind) -> bool {
    matches!(kind, ResourceKind::Registry(registry) if registry.sku == RegistrySku::Premium)
}

/// The host that images are pulled from, `crhello….azurecr.io`.
pub fn server(registry: &Address) -> Body {
    Expression::property(registry, "properties.loginServer").into()
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let mut wanted: Vec<(String, Registry)> = Vec::new();
    for (name, resource) in &draft.app.resources {
        if let ResourceKind::Registry(registry) = &resource.kind {
            wanted.push((name.clone(), registry.clone()));
        }
    }
    if wanted.is_empty() && draft.registry.is_some() {
        wanted.push(("main".to_owned(), undeclared(draft.app.tier, network::is_private(draft))));
    }
    for (name, registry) in wanted {
        push(draft, &name, &registry);
    }
}

/// What serves an application that says nothing about a registry: what one gets that is declared without a
/// word more. Premium is the user's decision: it costs ten times Basic, and what it adds (replicas, private
/// endpoints) does nothing for one region without a network. In a private network it is what can be private.
fn undeclared(tier: Tier, private: bool) -> Registry {
    let sku = match (private, tier) {
        (true, _) => RegistrySku::Premium,
        (false, Tier::Dev | Tier::Staging) => RegistrySku::Basic,
        (false, Tier::Prod) => RegistrySku::Standard,
    };
    Registry { sku, zones: false, replicas: Vec::new(), retention: None }
}

fn push(draft: &mut Draft<'_>, name: &str, registry: &Registry) {
    let mut resource = draft.in_group(
        address(name),
        TYPE,
        API_VERSION,
        draft.resource_name(&name::REGISTRY, name),
        draft.resource_path(name),
    );
    let sku = match registry.sku {
        RegistrySku::Basic => "Basic",
        RegistrySku::Standard => "Standard",
        RegistrySku::Premium => "Premium",
    };
    set(&mut resource, "sku", object([("name", sku.into())]));
    let allow = |range: String| object([("action", "Allow".into()), ("value", range.into())]);
    let firewall = network::ip_rules(draft, allow)
        .map(|rules| object([("defaultAction", "Deny".into()), ("ipRules", rules)]));
    let premium = registry.sku == RegistrySku::Premium;
    let retention = registry.retention.map(|days| {
        let kept = object([("days", days.0.into()), ("status", "enabled".into())]);
        object([("retentionPolicy", kept)])
    });
    let properties = object([
        // A name and password for everybody is what identities are there to replace.
        ("adminUserEnabled", false.into()),
        // Basic does not know the setting; there it is always off.
        ("anonymousPullEnabled", (registry.sku != RegistrySku::Basic).then_some(false).into()),
        ("policies", retention.into()),
        // The other SKUs have no private endpoints, and nobody could pull.
        ("publicNetworkAccess", if premium { draft.guarded_access() } else { "Enabled".into() }),
        ("networkRuleSet", firewall.into()),
        // AcrPull on the whole registry is what the services get; the other mode does not honour it.
        ("roleAssignmentMode", "LegacyRegistryPermissions".into()),
        ("zoneRedundancy", premium.then_some(if registry.zones { "Enabled" } else { "Disabled" }).into()),
    ]);
    set(&mut resource, "properties", properties);
    // Its images are made again from the source, but a running revision pulls them at every scaling out.
    resource.holds_data = draft.app.resources.contains_key(name);
    draft.overlay(&mut resource, name);
    let replicas: Vec<Resource> =
        registry.replicas.iter().map(|region| replica(draft, &resource, name, region)).collect();
    if registry.zones && !region::has_zones(draft.region.name) {
        draft.problem(
            codes::REGION_LACKS,
            format!("resource.{name}.zones"),
            format!("`{}` has no zones", draft.region.name),
            Some("take `zones` out".to_owned()),
        );
    }
    draft.push(resource);
    replicas.into_iter().for_each(|replica| draft.push(replica));
}

/// The same images in another region, pulled from under the same name.
fn replica(draft: &Draft<'_>, registry: &Resource, name: &str, region: &str) -> Resource {
    let mut replica = child(
        registry,
        Address::new("registryReplica", &format!("{name}.{region}")),
        "Microsoft.ContainerRegistry/registries/replications",
        API_VERSION,
        region,
        object([("regionEndpointEnabled", true.into()), ("zoneRedundancy", "Disabled".into())]),
    );
    replica.from = format!("resource.{name}.replicas");
    replica.location = Some(region.to_owned());
    set(&mut replica, "location", region.into());
    set(&mut replica, "tags", draft.tags());
    replica
}
