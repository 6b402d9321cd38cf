//! Host names of sites, shown to be their owner's, and certificates for them.

use serde_json::{Value, json};

use super::tiers::Tier;
use super::{Answer, CERTIFICATE, bad, conflict, holder, invalid, missing, plan_of, shown_location, tier_of};
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Ending, Rules, What};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put, resources, stamp, take};
use crate::world::checks::{list, one_of, text};
use crate::world::{Response, World, chance, dns, keyvault, x509};

pub(super) const BINDING: &str = "Microsoft.Web/sites/hostNameBindings";

pub(super) const CERTIFICATE_FACTS: &[&str] = &[
    "properties.thumbprint",
    "properties.subjectName",
    "properties.friendlyName",
    "properties.hostNames",
    "properties.issuer",
    "properties.issueDate",
    "properties.expirationDate",
    "properties.valid",
    "properties.keyVaultSecretStatus",
];

/// How long a certificate that App Service issues itself is valid.
const MANAGED: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 183);

/// What a TXT record has to say for a host name to be the subscription's.
pub(super) fn verification_id(world: &World) -> String {
    let purpose = format!("verification {}", world.config.subscription);
    hex::encode_upper(chance::digest(world.config.seed, &purpose, 0))
}

/// Host names bound to a site or slot, its own default one not among them.
pub(super) fn bindings_of<'a>(world: &'a World, site: &Id) -> impl Iterator<Item = &'a Resource> + use<'a> {
    let depth = site.stretches.last().map_or(0, |last| last.parts.len()) + 1;
    world.arm.below(site).map(|(_, child)| child).filter(move |child| {
        child.kind.ends_with("/hostNameBindings")
            && child.id.stretches.last().is_some_and(|last| last.parts.len() == depth)
    })
}

pub(super) fn no_custom_domains(tier: &Tier) -> Refusal {
    conflict(format!("Custom host names are not available in the '{}' tier of the plan.", tier.name))
}

pub(super) fn no_tls(tier: &Tier) -> Refusal {
    conflict(format!("TLS for custom host names is not available in the '{}' tier of the plan.", tier.name))
}

/// `hostNameBindings`, with the default host name that every site has.
pub(super) fn with_own(world: &World, call: &Call) -> Option<Answer> {
    let site = world.arm.find(&call.id.key())?;
    let host = text(site.properties(), "defaultHostName");
    let own = json!({"id": format!("{}/hostNameBindings/{host}", site.id), "name": format!("{}/{host}", site.id.full_name()),
                     "type": format!("{}/hostNameBindings", site.kind), "location": shown_location(site),
                     "properties": {"siteName": site.id.name(), "hostNameType": "Verified", "sslState": "Disabled"}});
    match call.rest.get(1) {
        Some(name) if name.eq_ignore_ascii_case(host) => Some(Ok(Response::json(200, &own))),
        Some(_) => None,
        None => {
            let mut shown = vec![own];
            shown.extend(bindings_of(world, &site.id).map(|binding| resources::view(world, binding)));
            Some(Ok(Response::json(200, &json!({"value": shown}))))
        }
    }
}

#[derive(Debug)]
pub(super) struct Bindings;

impl Rules for Bindings {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let Some(site) = holder(world, change.id) else { return Ok(()) };
        let tier = tier_of(world, site);
        if !tier.custom_domains {
            return Err(no_custom_domains(tier));
        }
        let host = change.id.name().to_ascii_lowercase();
        if !host.contains('.') || host.ends_with(".azurewebsites.net") {
            return Err(invalid("hostName"));
        }
        let taken = world.arm.resources.values().any(|other| {
            other.kind.ends_with("/hostNameBindings")
                && other.id.name().eq_ignore_ascii_case(&host)
                && other.id.key() != change.id.key()
        });
        if taken {
            let template = "Hostname '{0}' already exists. Please select a different name.";
            return Err(super::refused(409, "Conflict", "04023", template, &[&host]));
        }
        if change.current.is_none() {
            owned(world, site, &host)?;
        }
        let body = &mut change.body;
        put(body, "properties.siteName", json!(site.id.name()));
        put(body, "properties.hostNameType", json!("Verified"));
        default(body, "properties.sslState", json!("Disabled"));
        one_of(body, "properties.sslState", &["Disabled", "SniEnabled", "IpBasedEnabled"], |_| {
            invalid("sslState")
        })?;
        if text(body, "properties.sslState") == "Disabled" {
            return Ok(());
        }
        if !tier.dedicated {
            return Err(no_tls(tier));
        }
        let thumbprint = text(body, "properties.thumbprint").to_owned();
        let certificate =
            by_thumbprint(world, &thumbprint).ok_or_else(|| missing("Certificate", &thumbprint))?;
        if covers(certificate, &host) {
            return Ok(());
        }
        Err(bad(format!("The certificate '{thumbprint}' is not for the host name '{host}'.")))
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        body["name"] = json!(resource.id.full_name());
        take(body, "properties.provisioningState");
    }
}

/// A host name is shown to be its owner's by a CNAME record to the site, or by the verification id in a TXT record.
fn owned(world: &World, site: &Resource, host: &str) -> Result<(), Refusal> {
    let bare = host.strip_prefix("*.").unwrap_or(host);
    let place = format!("asuid.{bare}");
    let id = verification_id(world);
    let own = text(site.properties(), "defaultHostName");
    let named = dns::look_up(world, "CNAME", host).iter().any(|name| name.eq_ignore_ascii_case(own));
    let told = dns::look_up(world, "TXT", &place).iter().any(|value| value.trim().eq_ignore_ascii_case(&id));
    if named || told {
        return Ok(());
    }
    let template = "A TXT record pointing from {0} to {1} was not found.";
    Err(super::refused(400, "BadRequest", "04006", template, &[&place, &id]))
}

fn by_thumbprint<'a>(world: &'a World, thumbprint: &str) -> Option<&'a Resource> {
    world.arm.of_kind(CERTIFICATE).find(|certificate| {
        !thumbprint.is_empty()
            && text(certificate.properties(), "thumbprint").eq_ignore_ascii_case(thumbprint)
    })
}

fn covers(certificate: &Resource, host: &str) -> bool {
    list(certificate.properties(), "hostNames").iter().filter_map(Value::as_str).any(|name| {
        name.eq_ignore_ascii_case(host)
            || name.strip_prefix("*.").is_some_and(|below| {
                host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(below))
            })
    })
}

#[derive(Debug)]
pub(super) struct Certificates;

impl Rules for Certificates {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        let file = take(body, "properties.pfxBlob");
        let password = take(body, "properties.password");
        let plan = text(body, "properties.serverFarmId");
        if !plan.is_empty() {
            let (_, tier) = plan_of(world, &body["properties"])
                .ok_or_else(|| missing("ServerFarm", plan.rsplit('/').next().unwrap_or_default()))?;
            if !tier.dedicated {
                return Err(no_tls(tier));
            }
        }
        let vault = text(body, "properties.keyVaultId").to_owned();
        let canonical = text(body, "properties.canonicalName").to_owned();
        match file.as_ref().and_then(Value::as_str) {
            Some(file) => {
                let password = password.as_ref().and_then(Value::as_str).unwrap_or_default();
                tell(body, &opened(file, password)?);
            }
            None if !vault.is_empty() => {
                let secret = text(body, "properties.keyVaultSecretName").to_owned();
                let file = from_vault(world, &vault, &secret)?;
                tell(body, &opened(&file, "")?);
                put(body, "properties.keyVaultSecretStatus", json!("Initialized"));
            }
            None if !canonical.is_empty() => issue(world, change, &canonical)?,
            None if change.current.is_some() => {}
            None => return Err(invalid("pfxBlob")),
        }
        Ok(())
    }

    fn begun(&self, _world: &mut World, _id: &Id, _what: What) -> Ending {
        Ending::Table
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        let thumbprint = text(resource.properties(), "thumbprint");
        let user = world.arm.resources.values().find(|binding| {
            binding.kind.ends_with("/hostNameBindings")
                && text(binding.properties(), "sslState") == "SniEnabled"
                && text(binding.properties(), "thumbprint").eq_ignore_ascii_case(thumbprint)
        });
        match user {
            None => Ok(()),
            Some(binding) => Err(conflict(format!(
                "The certificate '{}' cannot be deleted: the host name '{}' uses it.",
                resource.id.name(),
                binding.id.name()
            ))),
        }
    }

    fn may_delete_with_group(&self, _world: &World, _resource: &Resource) -> Result<(), Refusal> {
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        body["location"] = shown_location(resource);
        take(body, "properties.provisioningState");
    }
}

fn opened(file: &str, password: &str) -> Result<x509::Facts, Refusal> {
    match x509::read(file, password) {
        Ok(bundle) => Ok(bundle.facts),
        Err(why) => {
            Err(bad(format!("The password is incorrect, or the certificate is not valid: {}.", why.why())))
        }
    }
}

/// The certificate behind a vault's secret. App Service reads it as itself, with the right that its owner gave it.
fn from_vault(world: &World, vault: &str, secret: &str) -> Result<String, Refusal> {
    let name = vault.rsplit('/').next().unwrap_or_default();
    let denied = |_| {
        bad(format!(
            "The service does not have access to '{vault}' Key Vault, or it has no secret '{secret}'. Please make sure \
             that you have granted necessary permissions to the service to perform the request operation."
        ))
    };
    keyvault::secrets::read(world, &name.to_ascii_lowercase(), secret, None)
        .map(|found| found.value.0.clone())
        .map_err(denied)
}

fn tell(body: &mut Value, facts: &x509::Facts) {
    for (name, value) in [
        ("thumbprint", json!(hex::encode_upper(&facts.thumbprint))),
        ("subjectName", json!(facts.subject.trim_start_matches("CN="))),
        ("issuer", json!(facts.issuer.trim_start_matches("CN="))),
        ("hostNames", json!(facts.names)),
        ("issueDate", json!(stamp(facts.from))),
        ("expirationDate", json!(stamp(facts.until))),
    ] {
        put(body, &format!("properties.{name}"), value);
    }
}

/// A certificate of App Service's own, for a host name that a site of the plan has already.
fn issue(world: &World, change: &mut Change, host: &str) -> Result<(), Refusal> {
    let bound = world.arm.resources.values().any(|binding| {
        binding.kind.ends_with("/hostNameBindings") && binding.id.name().eq_ignore_ascii_case(host)
    });
    if !bound || host.starts_with("*.") {
        return Err(bad(format!(
            "Properties.CanonicalName is invalid. Certificate creation requires hostname {host} added to an App Service."
        )));
    }
    let purpose = format!("certificate {}", change.id.key());
    let thumbprint = hex::encode_upper(&chance::digest(world.config.seed, &purpose, 0)[..20]);
    let until = world.now.saturating_add(MANAGED).unwrap_or(world.now);
    for (name, value) in [
        ("thumbprint", json!(thumbprint)),
        ("subjectName", json!(host)),
        ("issuer", json!("GeoTrust TLS RSA CA G1")),
        ("hostNames", json!([host])),
        ("issueDate", json!(stamp(world.now))),
        ("expirationDate", json!(stamp(until))),
    ] {
        default(&mut change.body, &format!("properties.{name}"), value);
    }
    Ok(())
}
