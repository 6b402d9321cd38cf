//! App Configuration stores with their settings and feature flags.

use landfall_manifest::{Access, AppConfig, AppConfigSku, ResourceKind, Tier};

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::resource::Resource;
use crate::role;
use crate::services::{Draft, Offer, PrivateLink, child, set};

/// The ARM type of a store.
pub const TYPE: &str = "Microsoft.AppConfiguration/configurationStores";
/// The ARM type of a setting.
pub const VALUE: &str = "Microsoft.AppConfiguration/configurationStores/keyValues";
const API_VERSION: &str = "2024-06-01";
const FLAG: &str = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8";

/// What others ask of a store.
pub(super) const OFFER: Offer = Offer {
    address,
    attribute: |_, name, attribute| match attribute {
        "endpoint" => Some(endpoint(name)),
        _ => None,
    },
    connection: |_, name| vec![("ENDPOINT", endpoint(name))],
    user: None,
    roles: |_, access| match access {
        Access::Read => vec![&role::CONFIGURATION_READER],
        Access::Write => vec![&role::CONFIGURATION_OWNER],
        _ => Vec::new(),
    },
    grant: None,
    private: &[PrivateLink { group: "configurationStores", zone: "privatelink.azconfig.io", has: is_paid }],
};

fn is_paid(kind: &ResourceKind) -> bool {
    matches!(kind, ResourceKind::AppConfig(store) if store.sku != AppConfigSku::Free)
}

/// The address of a store, by its name in the manifest.
pub fn address(name: &str) -> Address {
    Address::new("appConfig", name)
}

fn endpoint(name: &str) -> Body {
    Expression::property(&address(name), "properties.endpoint").into()
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, resource) in &draft.app.resources {
        if let ResourceKind::AppConfig(store) = &resource.kind {
            push(draft, name, store);
        }
    }
}

fn push(draft: &mut Draft<'_>, name: &str, wanted: &AppConfig) {
    let mut store = draft.in_group(
        address(name),
        TYPE,
        API_VERSION,
        draft.resource_name(&name::APP_CONFIG, name),
        draft.resource_path(name),
    );
    set(&mut store, "sku", object([("name", wanted.sku.azure().into())]));
    let lasting = matches!(wanted.sku, AppConfigSku::Standard | AppConfigSku::Premium);
    let paid = wanted.sku != AppConfigSku::Free;
    let properties = object([
        // Every service has an identity; a key would outlive the service that was given it.
        ("disableLocalAuth", true.into()),
        // ARM writes settings as whoever deploys, not by a key.
        ("dataPlaneProxy", object([("authenticationMode", "Pass-through".into())])),
        ("enablePurgeProtection", (lasting && draft.app.tier == Tier::Prod).into()),
        ("publicNetworkAccess", if paid { draft.public_access() } else { "Enabled".into() }),
        ("softDeleteRetentionInDays", lasting.then_some(wanted.soft_delete.0).into()),
    ]);
    set(&mut store, "properties", properties);
    store.holds_data = true;
    draft.overlay(&mut store, name);
    let settings = wanted.keys.iter().map(|(key, value)| Resource {
        from: format!("resource.{name}.keys.{key}"),
        ..child(
            &store,
            Address::new("setting", &format!("{name}.{}", encoded(key))),
            VALUE,
            API_VERSION,
            &encoded(key),
            object([("value", value.as_str().into())]),
        )
    });
    let flags = wanted.features.iter().map(|(flag, on)| {
        let value = serde_json::json!({"id": flag, "description": "", "enabled": on, "conditions": {"client_filters": []}});
        Resource {
            from: format!("resource.{name}.features.{flag}"),
            ..child(
                &store,
                Address::new("featureFlag", &format!("{name}.{}", encoded(flag))),
                VALUE,
                API_VERSION,
                &encoded(&format!(".appconfig.featureflag/{flag}")),
                object([("value", value.to_string().into()), ("contentType", FLAG.into())]),
            )
        }
    });
    let inside: Vec<Resource> = settings.chain(flags).collect();
    draft.push(store);
    inside.into_iter().for_each(|resource| draft.push(resource));
}

/// A key as ARM wants it in a name: `~` and the hexadecimal code of what is no letter, digit, `-`, `.` or `_`.
fn encoded(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
            other => out.push_str(&format!("~{other:02X}")),
        }
    }
    out
}
