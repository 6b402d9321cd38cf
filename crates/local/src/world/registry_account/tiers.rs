//! What each SKU of a registry has, and what its policies may be.
//!
//! Source: `learn.microsoft.com/azure/container-registry/container-registry-skus`, and the refusals that users quote.

use serde_json::{Value, json};

use super::super::arm::id::Id;
use super::super::arm::kind::Change;
use super::super::arm::refusal::Refusal;
use super::super::arm::{at, put, stamp};
use super::super::checks::{between, list, one_of, text};
use super::super::{Response, World, registry};
use super::{REGISTRY, enabled};

/// One tier: its name, and how many of each thing it has.
pub(super) struct Tier {
    pub(super) name: &'static str,
    storage_gib: u64,
    webhooks: u64,
    replications: u64,
    rules: u64,
    endpoints: u64,
    tokens: u64,
}

static TIERS: [Tier; 3] = [
    Tier {
        name: "Basic",
        storage_gib: 10,
        webhooks: 2,
        replications: 0,
        rules: 0,
        endpoints: 0,
        tokens: 100,
    },
    Tier {
        name: "Standard",
        storage_gib: 100,
        webhooks: 10,
        replications: 0,
        rules: 0,
        endpoints: 0,
        tokens: 500,
    },
    Tier {
        name: "Premium",
        storage_gib: 500,
        webhooks: 500,
        replications: 50,
        rules: 200,
        endpoints: 200,
        tokens: 50_000,
    },
];

/// Rules of artifact caching in a registry, of any tier.
const CACHE_RULES: u64 = 1000;

/// The tier that a registry's body names.
pub(super) fn of(body: &Value) -> Option<&'static Tier> {
    TIERS.iter().find(|tier| tier.name.eq_ignore_ascii_case(text(body, "sku.name")))
}

impl Tier {
    /// How many children of a collection a registry of this tier may have.
    fn limit(&self, collection: &str) -> u64 {
        match collection {
            "webhooks" => self.webhooks,
            "replications" => self.replications,
            "tokens" | "scopeMaps" => self.tokens,
            "privateEndpointConnections" => self.endpoints,
            _ => CACHE_RULES,
        }
    }

    fn quota(&self, collection: &str) -> Refusal {
        let message = format!(
            "Quota exceeded for resource type {collection} for the registry SKU {}. Learn more about different SKU \
             quotas and upgrade process: https://aka.ms/acr/tiers",
            self.name
        );
        Refusal::new(403, "QuotaExceeded", message)
    }
}

/// Children of one collection that count against the tier's limit.
fn count(world: &World, registry: &Id, collection: &str) -> u64 {
    let kind = format!("{REGISTRY}/{collection}");
    let mine = world.arm.below(registry).filter(|(_, child)| child.kind.eq_ignore_ascii_case(&kind));
    mine.filter(|(_, child)| !super::children::is_system(child)).count() as u64
}

/// Refuses one more child than the registry's tier has.
pub(super) fn room(world: &World, registry: &Id, collection: &str) -> Result<(), Refusal> {
    let Some(tier) = world.arm.find(&registry.key()).and_then(|found| of(&found.body)) else { return Ok(()) };
    if count(world, registry, collection) < tier.limit(collection) {
        Ok(())
    } else {
        Err(tier.quota(collection))
    }
}

/// What only Premium has: whether a body wants it, and Azure's code and words (`{sku}`).
type Feature = (fn(&Value) -> bool, &'static str, &'static str);

const PREMIUM_ONLY: &[Feature] = &[
    (
        |body| text(body, "properties.publicNetworkAccess").eq_ignore_ascii_case("Disabled"),
        "DisablingPublicNetworkAccessNotSupported",
        "Disabling public network access is not supported for the SKU {sku}. For more information, please visit \
         https://aka.ms/acr/private-link.",
    ),
    (
        |body| {
            text(body, "properties.networkRuleSet.defaultAction").eq_ignore_ascii_case("Deny")
                || !list(body, "properties.networkRuleSet.ipRules").is_empty()
        },
        "NetworkRuleSetNotSupported",
        "Network rules are not supported for the SKU {sku}. For more information on SKU tiers, please visit \
         https://aka.ms/acr/tiers.",
    ),
    (
        |body| body["properties"]["dataEndpointEnabled"] == true,
        "DataEndpointRuleNotSupported",
        "Data endpoint rule is not supported for the SKU {sku}. For more information on SKU tiers, please visit \
         https://aka.ms/acr/tiers.",
    ),
    (
        |body| enabled(body, "properties.encryption.status"),
        "EncryptionNotSupported",
        "Customer-managed keys are not supported for the SKU {sku}. For more information on SKU tiers, please visit \
         https://aka.ms/acr/tiers.",
    ),
    (
        |body| enabled(body, "properties.policies.retentionPolicy.status"),
        "RetentionPolicyNotSupported",
        "The retention policy is not supported for the SKU {sku}. For more information on SKU tiers, please visit \
         https://aka.ms/acr/tiers.",
    ),
    (
        |body| text(body, "properties.policies.exportPolicy.status").eq_ignore_ascii_case("disabled"),
        "ExportPolicyNotSupported",
        "Disabling export is not supported for the SKU {sku}. For more information on SKU tiers, please visit \
         https://aka.ms/acr/tiers.",
    ),
];

/// What every registry has unless its body says otherwise.
fn usual_policies() -> Value {
    json!({"quarantinePolicy": {"status": "disabled"},
           "trustPolicy": {"type": "Notary", "status": "disabled"},
           "retentionPolicy": {"days": 7, "status": "disabled"},
           "exportPolicy": {"status": "enabled"},
           "azureADAuthenticationAsArmPolicy": {"status": "enabled"},
           "softDeletePolicy": {"retentionDays": 7, "status": "disabled"}})
}

/// Judges SKU, features and policies of a registry, and completes them.
pub(super) fn judge(world: &World, change: &mut Change) -> Result<(), Refusal> {
    let sku = text(&change.body, "sku.name").to_owned();
    if sku.is_empty() || sku.eq_ignore_ascii_case("Classic") {
        return Err(Refusal::bad(
            "ClassicSkuDeprecated",
            "Classic SKU is now deprecated. Please select a managed SKU. Kindly refer to docs for instructions: \
             https://docs.microsoft.com/en-us/azure/container-registry/container-registry-upgrade",
        ));
    }
    let Some(tier) = of(&change.body) else {
        return Err(Refusal::bad(
            "InvalidSku",
            format!("The SKU '{sku}' is not valid. Available SKUs are Basic, Standard and Premium."),
        ));
    };
    put(&mut change.body, "sku", json!({"name": tier.name, "tier": tier.name}));
    fill_policies(world, change);
    words(&mut change.body)?;
    features(tier, &change.body)?;
    policies(world, change)?;
    if change.current.is_some() {
        for collection in ["replications", "privateEndpointConnections", "webhooks", "tokens", "scopeMaps"] {
            if count(world, change.id, collection) > tier.limit(collection) {
                return Err(tier.quota(collection));
            }
        }
    }
    Ok(())
}

/// What must be one of a few words, spelled as Azure spells it.
fn words(body: &mut Value) -> Result<(), Refusal> {
    const WORDS: &[(&str, &[&str])] = &[
        ("properties.publicNetworkAccess", &["Enabled", "Disabled"]),
        ("properties.networkRuleBypassOptions", &["AzureServices", "None"]),
        ("properties.zoneRedundancy", &["Enabled", "Disabled"]),
        ("properties.roleAssignmentMode", &["LegacyRegistryPermissions", "AbacRepositoryPermissions"]),
        ("properties.networkRuleSet.defaultAction", &["Allow", "Deny"]),
        ("properties.policies.quarantinePolicy.status", &["enabled", "disabled"]),
        ("properties.policies.trustPolicy.status", &["enabled", "disabled"]),
        ("properties.policies.retentionPolicy.status", &["enabled", "disabled"]),
        ("properties.policies.exportPolicy.status", &["enabled", "disabled"]),
        ("properties.policies.azureADAuthenticationAsArmPolicy.status", &["enabled", "disabled"]),
        ("properties.policies.softDeletePolicy.status", &["enabled", "disabled"]),
    ];
    for (path, allowed) in WORDS {
        let refuse = |value: &str| {
            let name = path.trim_start_matches("properties.");
            let message = format!("The value '{value}' of '{name}' is none of {}.", allowed.join(", "));
            Refusal::bad("InvalidParameter", message).at(*path)
        };
        one_of(body, path, allowed, refuse)?;
    }
    Ok(())
}

fn features(tier: &Tier, body: &Value) -> Result<(), Refusal> {
    if tier.name != "Premium"
        && let Some((_, code, message)) = PREMIUM_ONLY.iter().find(|(wanted, ..)| wanted(body))
    {
        return Err(Refusal::bad(code, message.replace("{sku}", tier.name)));
    }
    if tier.name == "Basic" && body["properties"]["anonymousPullEnabled"] == true {
        return Err(Refusal::bad(
            "BadRequest",
            "Anonymous pull is not supported for SKU Managed_Basic. For more information on SKU tiers, please visit \
             https://aka.ms/acr/tiers.",
        ));
    }
    Ok(())
}

/// Policies that are not named keep what they are.
fn fill_policies(world: &World, change: &mut Change) {
    let before = change.current.as_ref().map(|current| current.properties()["policies"].clone());
    let mut all = usual_policies();
    if let Some(sent) = at(&change.body, "properties.policies") {
        super::super::arm::merge(&mut all, sent);
    }
    for name in ["retentionPolicy", "softDeletePolicy"] {
        let old = before.as_ref().map_or(&Value::Null, |before| &before[name]);
        let same = |field: &str| old[field] == all[name][field];
        let touched = !(same("status") && same("days") && same("retentionDays"));
        let at = old["lastUpdatedTime"].as_str().filter(|_| !touched).map(str::to_owned);
        all[name]["lastUpdatedTime"] = json!(at.unwrap_or_else(|| stamp(world.now)));
    }
    put(&mut change.body, "properties.policies", all);
}

fn policies(world: &World, change: &Change) -> Result<(), Refusal> {
    let body = &change.body;
    if enabled(body, "properties.policies.trustPolicy.status") {
        return Err(Refusal::bad(
            "ContentTrustRetired",
            "Content trust can no longer be enabled on a registry: sign with the Notary Project instead.",
        ));
    }
    let range = |name: &str, from: i64, to: i64| {
        let message = format!("The '{name}' of the policy must be between {from} and {to}.");
        Refusal::bad("InvalidPolicy", message)
    };
    between(body, "properties.policies.retentionPolicy.days", 0..=365, |_| range("days", 0, 365))?;
    between(body, "properties.policies.softDeletePolicy.retentionDays", 1..=90, |_| {
        range("retentionDays", 1, 90)
    })?;
    let soft = enabled(body, "properties.policies.softDeletePolicy.status");
    if soft && enabled(body, "properties.policies.retentionPolicy.status") {
        return Err(Refusal::bad(
            "InvalidPolicy",
            "The soft delete policy and the retention policy cannot both be enabled on a registry.",
        ));
    }
    if soft && count(world, change.id, "replications") > 0 {
        return Err(Refusal::bad(
            "InvalidPolicy",
            "The soft delete policy is not supported for a geo-replicated registry.",
        ));
    }
    let open = !text(body, "properties.publicNetworkAccess").eq_ignore_ascii_case("Disabled");
    if open && text(body, "properties.policies.exportPolicy.status") == "disabled" {
        return Err(Refusal::bad(
            "InvalidPolicy",
            "Export can be disabled only on a registry whose public network access is disabled. For more information, \
             please visit https://aka.ms/acr/export-policy.",
        ));
    }
    Ok(())
}

/// `GET …/listUsages`.
pub(super) fn usages(world: &World, id: &Id) -> Response {
    let Some(found) = world.arm.find(&id.key()) else { return Response::empty(404) };
    let tier = of(&found.body).unwrap_or(&TIERS[0]);
    let rules = |name: &str| list(&found.body, &format!("properties.networkRuleSet.{name}")).len() as u64;
    let row = |name: &str, limit: u64, current: u64, unit: &str| json!({"name": name, "limit": limit, "currentValue": current, "unit": unit});
    let own = |name: &str, collection: &str| {
        row(name, tier.limit(collection), count(world, id, collection), "Count")
    };
    Response::json(
        200,
        &json!({"value": [
            row("Size", tier.storage_gib << 30, registry::size(world, id.name()), "Bytes"),
            own("Webhooks", "webhooks"),
            own("Geo-replications", "replications"),
            row("IPRules", tier.rules, rules("ipRules"), "Count"),
            row("VNetRules", tier.rules, rules("virtualNetworkRules"), "Count"),
            own("PrivateEndpointConnections", "privateEndpointConnections"),
            own("ScopeMaps", "scopeMaps"),
            own("Tokens", "tokens"),
        ]}),
    )
}
