//! Container registries: where images are pushed to and pulled from.

use landfall_manifest::{Access, Registry, RegistrySku, ResourceKind, Tier};

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::role;
use crate::services::{Draft, Offer, PrivateLink, network, set};

/// The ARM type.
pub const TYPE: &str = "Microsoft.ContainerRegistry/registries";

/// What others ask of a registry.
pub(super) const OFFER: Offer = Offer {
    address,
    attribute: |_, name, attribute| match attribute {
        "server" => Some(server(&address(name))),
        _ => None,
    },
    connection: |_, name| vec![("SERVER", server(&address(name)))],
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
        let mut registry = undeclared(draft.app.tier);
        // Only this one has private endpoints.
        if network::is_private(draft) {
            registry.sku = RegistrySku::Premium;
        }
        wanted.push(("main".to_owned(), registry));
    }
    for (name, registry) in wanted {
        push(draft, &name, &registry);
    }
}

/// What serves an application that says nothing about a registry: what one gets that is declared without a
/// word more. Premium is the user's decision: it costs ten times Basic, and what it adds (replicas, private
/// endpoints) does nothing for one region without a network.
fn undeclared(tier: Tier) -> Registry {
    match tier {
        Tier::Dev | Tier::Staging => Registry { sku: RegistrySku::Basic },
        Tier::Prod => Registry { sku: RegistrySku::Standard },
    }
}

fn push(draft: &mut Draft<'_>, name: &str, registry: &Registry) {
    let mut resource = draft.in_group(
        address(name),
        TYPE,
        "2025-11-01",
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
    let properties = object([
        // A name and password for everybody is what identities are there to replace.
        ("adminUserEnabled", false.into()),
        // Basic does not know the setting; there it is always off.
        ("anonymousPullEnabled", (registry.sku != RegistrySku::Basic).then_some(false).into()),
        ("publicNetworkAccess", draft.guarded_access()),
        ("networkRuleSet", firewall.into()),
        // AcrPull on the whole registry is what the services get; the other mode does not honour it.
        ("roleAssignmentMode", "LegacyRegistryPermissions".into()),
    ]);
    set(&mut resource, "properties", properties);
    // Its images are made again from the source, but a running revision pulls them at every scaling out.
    resource.holds_data = draft.app.resources.contains_key(name);
    draft.overlay(&mut resource, name);
    draft.push(resource);
}
