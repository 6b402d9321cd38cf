//! Key vaults: where secrets live.

use landfall_manifest::{Access, Days, ResourceKind, Tier, Vault, VaultSku};

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::role;
use crate::services::{Draft, Offer, PrivateLink, network, set};

/// The ARM type.
pub const TYPE: &str = "Microsoft.KeyVault/vaults";

/// What others ask of a vault.
pub(super) const OFFER: Offer = Offer {
    address,
    attribute: |_, name, attribute| match attribute {
        "uri" => Some(uri(&address(name))),
        _ => None,
    },
    connection: |_, name| vec![("URI", uri(&address(name)))],
    user: None,
    roles: |_, access| match access {
        Access::Read => vec![&role::SECRETS_USER],
        _ => Vec::new(),
    },
    grant: None,
    private: &[PrivateLink { group: "vault", zone: "privatelink.vaultcore.azure.net", has: |_| true }],
};

/// The address of a vault, by its name in the manifest; `main` when nobody declared one.
pub fn address(name: &str) -> Address {
    Address::new("vault", name)
}

/// Where the vault is reached, `https://kv-hello….vault.azure.net/`.
pub fn uri(vault: &Address) -> Body {
    Expression::property(vault, "properties.vaultUri").into()
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let mut wanted: Vec<(String, Vault)> = Vec::new();
    for (name, resource) in &draft.app.resources {
        if let ResourceKind::Vault(vault) = &resource.kind {
            wanted.push((name.clone(), vault.clone()));
        }
    }
    if wanted.is_empty() {
        // There is always one: the first secret should not wait for a deployment.
        wanted.push(("main".to_owned(), undeclared(draft.app.tier)));
    }
    for (name, vault) in wanted {
        push(draft, &name, &vault);
    }
}

/// Only in production is it worth that a vault's name stays taken for 90 days whatever anybody does.
fn undeclared(tier: Tier) -> Vault {
    match tier {
        Tier::Dev | Tier::Staging => {
            Vault { sku: VaultSku::Standard, purge_protection: false, soft_delete: Days(7) }
        }
        Tier::Prod => Vault { sku: VaultSku::Standard, purge_protection: true, soft_delete: Days(90) },
    }
}

fn push(draft: &mut Draft<'_>, name: &str, vault: &Vault) {
    let mut resource = draft.in_group(
        address(name),
        TYPE,
        "2026-02-01",
        draft.resource_name(&name::VAULT, name),
        draft.resource_path(name),
    );
    let sku = match vault.sku {
        VaultSku::Standard => "standard",
        VaultSku::Premium => "premium",
    };
    let firewall = network::ip_rules(draft, |range| object([("value", range.into())])).map(|rules| {
        object([("bypass", "AzureServices".into()), ("defaultAction", "Deny".into()), ("ipRules", rules)])
    });
    let properties = object([
        ("tenantId", Expression::Tenant.into()),
        ("sku", object([("family", "A".into()), ("name", sku.into())])),
        ("enableRbacAuthorization", true.into()),
        ("enableSoftDelete", true.into()),
        ("softDeleteRetentionInDays", vault.soft_delete.0.into()),
        // Azure takes `true` or nothing: `false` is refused, since it cannot be turned off.
        ("enablePurgeProtection", vault.purge_protection.then_some(true).into()),
        ("publicNetworkAccess", draft.guarded_access()),
        ("networkAcls", firewall.into()),
    ]);
    set(&mut resource, "properties", properties);
    resource.holds_data = true;
    draft.overlay(&mut resource, name);
    draft.push(resource);
}
