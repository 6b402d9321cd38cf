//! Key Vault references in application settings and connection strings, and how they resolve now
//! (learn.microsoft.com/azure/app-service/app-service-key-vault-references).

use serde_json::{Map, Value, json};

use super::{Answer, missing, shown_location};
use crate::world::arm::Resource;
use crate::world::arm::kind::Call;
use crate::world::arm::refusal::Refusal;
use crate::world::checks::text;
use crate::world::{Response, World, keyvault};

/// What a reference points to.
struct Reference {
    vault: String,
    secret: String,
    version: Option<String>,
}

/// `config/configreferences/appsettings|connectionstrings[/NAME]`.
pub(super) fn serve(world: &World, call: &Call) -> Answer {
    let site =
        world.arm.find(&call.id.key()).ok_or_else(|| crate::world::arm::resources::not_there(&call.id))?;
    let kind = call.rest.get(2).copied().unwrap_or_default().to_ascii_lowercase();
    if kind != "appsettings" && kind != "connectionstrings" {
        return Err(missing("ConfigReference", &kind));
    }
    let none = Map::new();
    let all = site.private[kind.as_str()].as_object().unwrap_or(&none);
    let found = all.iter().filter_map(|(name, value)| {
        let value = value.as_str().unwrap_or_else(|| text(value, "value"));
        inner(value).map(|reference| (name, value, reference))
    });
    let mut shown = found.map(|(name, value, reference)| show(world, site, &kind, (name, value, reference)));
    match call.rest.get(3) {
        None => Ok(Response::json(200, &json!({"value": shown.collect::<Vec<_>>(), "nextLink": null}))),
        Some(name) => shown
            .find(|it| text(it, "name").eq_ignore_ascii_case(name))
            .map(|it| Response::json(200, &it))
            .ok_or_else(|| missing("ConfigReference", name)),
    }
}

/// What is between `@Microsoft.KeyVault(` and `)`.
fn inner(value: &str) -> Option<&str> {
    let rest = value.trim().strip_prefix("@Microsoft.KeyVault(")?;
    Some(rest.strip_suffix(')').unwrap_or(rest))
}

/// `SecretUri=…`, or `VaultName=…;SecretName=…[;SecretVersion=…]`.
fn read(reference: &str) -> Option<Reference> {
    let parts: Vec<(&str, &str)> =
        reference.split(';').filter_map(|part| part.trim().split_once('=')).collect();
    let part = |name: &str| {
        parts.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    if let Some(uri) = part("SecretUri") {
        let url = url::Url::parse(&uri).ok()?;
        let mut segments = url.path_segments()?.filter(|segment| !segment.is_empty());
        segments.next().filter(|kind| kind.eq_ignore_ascii_case("secrets"))?;
        return Some(Reference {
            vault: url.host_str()?.split('.').next()?.to_owned(),
            secret: segments.next()?.to_owned(),
            version: segments.next().map(str::to_owned),
        });
    }
    Some(Reference { vault: part("VaultName")?, secret: part("SecretName")?, version: part("SecretVersion") })
}

fn show(
    world: &World,
    site: &Resource,
    kind: &str,
    (name, value, reference): (&String, &str, &str),
) -> Value {
    let identity = text(site.properties(), "keyVaultReferenceIdentity");
    let read = read(reference);
    let (status, details) = match &read {
        None => ("InvalidSyntax", "The syntax of the reference is invalid.".to_owned()),
        Some(read) => status(world, site, identity, read),
    };
    let of = |pick: fn(&Reference) -> Value| read.as_ref().map_or(Value::Null, pick);
    let kind_of_identity = if identity.starts_with('/') { "UserAssigned" } else { "SystemAssigned" };
    json!({
        "id": format!("{}/config/configreferences/{kind}/{name}", site.id), "name": name,
        "type": format!("{}/config/configreferences", site.kind), "location": shown_location(site),
        "properties": {
            "reference": value, "status": status, "details": details, "source": "KeyVault",
            "vaultName": of(|it| json!(it.vault)), "secretName": of(|it| json!(it.secret)),
            "secretVersion": of(|it| json!(it.version)),
            "identityType": {"type": kind_of_identity},
        }
    })
}

fn status(world: &World, site: &Resource, identity: &str, read: &Reference) -> (&'static str, String) {
    let own = site.id.to_string();
    let holder = if identity.starts_with('/') { identity } else { own.as_str() };
    let Some(principal) = world.entra.by_resource(holder) else {
        return (
            "MSINotEnabled",
            "Reference was not able to be resolved because site Managed Identity not enabled.".into(),
        );
    };
    let version = read.version.as_deref().map_or(String::new(), |version| format!("/{version}"));
    let uri = format!("https://{}.vault/secrets/{}{version}", read.vault, read.secret);
    match keyvault::read_as(world, &principal.object_id, &uri) {
        Ok(_) => ("Resolved", "Reference has been successfully resolved.".into()),
        Err(Refusal { status: 404, code, message, .. }) => match (code.as_str(), &read.version) {
            ("VaultNotFound", _) => ("VaultNotFound", message),
            (_, Some(_)) => ("SecretVersionNotFound", message),
            _ => ("SecretNotFound", message),
        },
        Err(refusal) => ("AccessToKeyVaultDenied", refusal.message),
    }
}
