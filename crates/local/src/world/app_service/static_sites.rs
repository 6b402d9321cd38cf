//! Static Web Apps: what the Free and Standard plans allow (learn.microsoft.com/azure/static-web-apps/quotas).

use serde_json::{Map, Value, json};

use super::{Answer, bad, conflict, invalid, missing, refused, shown_location};
use crate::world::arm::gate::object;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Ending, Rules, What};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, locks, put, stamp, take};
use crate::world::checks::{key, one_of, text};
use crate::world::{Method, Response, World, chance, dns};

pub(super) const SITE: &str = "Microsoft.Web/staticSites";
pub(super) const DOMAIN: &str = "Microsoft.Web/staticSites/customDomains";
pub(super) const BACKEND: &str = "Microsoft.Web/staticSites/linkedBackends";

pub(super) const COMPUTED: &[&str] = &[
    "properties.defaultHostname",
    "properties.customDomains",
    "properties.contentDistributionEndpoint",
    "properties.keyVaultReferenceIdentity",
    "properties.linkedBackends",
];

/// Free apps of a subscription.
const FREE_APPS: usize = 10;
/// Where they can be placed; their content is everywhere.
const REGIONS: [&str; 5] = ["westus2", "centralus", "eastus2", "westeurope", "eastasia"];

#[derive(Debug)]
pub(super) struct Sites;

impl Rules for Sites {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        let near = text(body, "location").to_owned();
        if !REGIONS.contains(&near.as_str()) {
            return Err(Refusal::bad(
                "LocationNotAvailableForResourceType",
                format!(
                    "The provided location '{near}' is not available for resource type '{SITE}'. List of available \
                     regions for the resource type is '{}'.",
                    REGIONS.join(",")
                ),
            ));
        }
        if text(body, "sku.name").is_empty() {
            put(body, "sku.name", json!("Free"));
        }
        one_of(body, "sku.name", &["Free", "Standard", "Dedicated"], |_| invalid("SKU.Name"))?;
        let sku = text(body, "sku.name").to_owned();
        put(body, "sku.tier", json!(sku));
        let free =
            |other: &&Resource| text(&other.body, "sku.name") == "Free" && other.id.key() != change.id.key();
        if sku == "Free" && world.arm.of_kind(SITE).filter(free).count() >= FREE_APPS {
            let template = "{0} is invalid.  This subscription has too many static sites with SKU : {1}.";
            return Err(refused(400, "BadRequest", "51021", template, &["Sku", "Free"]));
        }
        if sku == "Free" {
            let domains = domains_of(world, change.id).count();
            if domains > most_domains("Free") {
                return Err(bad(format!(
                    "An app of the Free plan has two custom domains, this one {domains}."
                )));
            }
            if world.arm.below(change.id).any(|(_, child)| child.kind == BACKEND) {
                return Err(bad("An app of the Free plan links no backends."));
            }
            if change.sent["identity"].is_object() && text(&change.sent, "identity.type") != "None" {
                return Err(bad("Managed identities are available in the Standard plan only."));
            }
        }
        for (name, value) in [
            ("stagingEnvironmentPolicy", json!("Enabled")),
            ("allowConfigFileUpdates", json!(true)),
            ("publicNetworkAccess", json!("Enabled")),
            ("enterpriseGradeCdnStatus", json!("Disabled")),
            ("provider", json!("None")),
            ("contentDistributionEndpoint", json!("https://content-am2.infrastructure.azurestaticapps.net")),
            ("keyVaultReferenceIdentity", json!("SystemAssigned")),
            ("defaultHostname", json!(default_host(world, change.id))),
        ] {
            default(&mut change.body, &format!("properties.{name}"), value);
        }
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            renew(world, id);
        }
        Ending::Table
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let ready: Vec<&str> = domains_of(world, &resource.id)
            .filter(|domain| status(world, resource, domain) == "Ready")
            .map(|domain| domain.id.name())
            .collect();
        put(body, "properties.customDomains", json!(ready));
        body["location"] = shown_location(resource);
        take(body, "properties.provisioningState");
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Answer> {
        let words: Vec<String> = call.rest.iter().map(|word| word.to_ascii_lowercase()).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match (call.request.method, words.as_slice()) {
            (Method::Post, ["listsecrets"]) => {
                let token = world.arm.find(&call.id.key())?.private["apiKey"].clone();
                Some(Ok(Response::json(
                    200,
                    &json!({"id": format!("{}/secrets", call.id), "name": "secrets",
                    "type": "Microsoft.Web/staticSites/secrets", "properties": {"apiKey": token}}),
                )))
            }
            (Method::Post, ["resetapikey"]) => {
                renew(world, &call.id);
                Some(Ok(Response::empty(200)))
            }
            (Method::Post, ["listappsettings" | "listfunctionappsettings"]) => {
                Some(Ok(show_settings(world, call, settings_name(words[0]))))
            }
            (Method::Put, ["config", name @ ("appsettings" | "functionappsettings")]) => {
                Some(write_settings(world, call, settings_name(name)))
            }
            (Method::Get, ["config"]) => Some(Ok(Response::json(200, &json!({"value": []})))),
            (Method::Get, ["builds"]) => {
                let build = default_build(world, &call.id)?;
                Some(Ok(Response::json(200, &json!({"value": [build]}))))
            }
            (Method::Get, ["builds", "default"]) => {
                Some(Ok(Response::json(200, &default_build(world, &call.id)?)))
            }
            (_, ["builds", name, ..]) => Some(Err(missing("StaticSiteBuild", name))),
            (Method::Get, ["functions"]) => Some(Ok(Response::json(200, &json!({"value": []})))),
            (Method::Post, ["detach"]) => Some(detach(world, &call.id)),
            _ => None,
        }
    }
}

fn renew(world: &mut World, id: &Id) {
    let token = hex::encode(key(world, &format!("static site {}", id.key()), 32));
    if let Some(found) = world.arm.find_mut(&id.key()) {
        put(&mut found.private, "apiKey", json!(token));
    }
}

/// `nice-sand-0a1b2c3d4.1.azurestaticapps.net`: words and signs that nobody chooses.
fn default_host(world: &World, id: &Id) -> String {
    const FIRST: [&str; 8] = ["brave", "calm", "gentle", "green", "happy", "nice", "polite", "white"];
    const SECOND: [&str; 8] = ["coast", "field", "forest", "grass", "meadow", "river", "sand", "wave"];
    let draw = chance::digest(world.config.seed, &format!("static site {}", id.key()), 0);
    let word = |list: [&'static str; 8], at: usize| list[usize::from(draw[at] % 8)];
    format!(
        "{}-{}-0{}.{}.azurestaticapps.net",
        word(FIRST, 0),
        word(SECOND, 1),
        hex::encode(&draw[2..6]),
        draw[6] % 7 + 1
    )
}

fn settings_name(asked: &str) -> &'static str {
    if asked.contains("function") { "functionappsettings" } else { "appsettings" }
}

fn show_settings(world: &World, call: &Call, name: &str) -> Response {
    let kept = world.arm.find(&call.id.key()).map(|site| site.private[name].clone()).unwrap_or_default();
    let kept = if kept.is_object() { kept } else { json!({}) };
    Response::json(
        200,
        &json!({"id": format!("{}/config/{name}", call.id), "name": name, "type": "Microsoft.Web/staticSites/config",
                "properties": kept}),
    )
}

fn write_settings(world: &mut World, call: &Call, name: &str) -> Answer {
    locks::permit(world, &call.id, false)?;
    let body = object(&call.body)?;
    let none = Map::new();
    let sent = body["properties"].as_object().unwrap_or(&none);
    if sent.values().any(|value| value.is_object() || value.is_array()) {
        return Err(invalid("properties"));
    }
    if let Some(found) = world.arm.find_mut(&call.id.key()) {
        put(&mut found.private, name, json!(sent));
    }
    Ok(show_settings(world, call, name))
}

/// The production environment. Nothing is deployed to it here: what would be comes with the content.
fn default_build(world: &World, id: &Id) -> Option<Value> {
    let site = world.arm.find(&id.key())?;
    Some(json!({
        "id": format!("{id}/builds/default"), "name": "default", "type": "Microsoft.Web/staticSites/builds",
        "properties": {"buildId": "default", "sourceBranch": site.properties()["branch"], "status": "WaitingForDeployment",
                       "hostname": site.properties()["defaultHostname"], "createdTimeUtc": stamp(site.system.created_at),
                       "lastUpdatedOn": stamp(site.system.modified_at), "userProvidedFunctionApps": []}
    }))
}

fn detach(world: &mut World, id: &Id) -> Answer {
    locks::permit(world, id, false)?;
    if let Some(found) = world.arm.find_mut(&id.key()) {
        for name in ["repositoryUrl", "branch"] {
            take(&mut found.body, &format!("properties.{name}"));
        }
        put(&mut found.body, "properties.provider", json!("None"));
    }
    Ok(Response::empty(200))
}

fn most_domains(sku: &str) -> usize {
    if sku == "Free" { 2 } else { 5 }
}

fn domains_of<'a>(world: &'a World, site: &Id) -> impl Iterator<Item = &'a Resource> + use<'a> {
    world.arm.below(site).map(|(_, child)| child).filter(|child| child.kind == DOMAIN)
}

#[derive(Debug)]
pub(super) struct Domains;

impl Rules for Domains {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let Some(site) = super::holder(world, change.id) else { return Ok(()) };
        let sku = text(&site.body, "sku.name");
        let beside = domains_of(world, &site.id).filter(|other| other.id.key() != change.id.key()).count();
        if beside + 1 > most_domains(sku) {
            return Err(bad(format!(
                "An app of the {sku} plan has {} custom domains at most.",
                most_domains(sku)
            )));
        }
        let host = change.id.name().to_ascii_lowercase();
        let taken = world
            .arm
            .of_kind(DOMAIN)
            .any(|other| other.id.name().eq_ignore_ascii_case(&host) && other.id.key() != change.id.key());
        if taken {
            return Err(conflict(format!("The custom domain '{host}' belongs to another static site.")));
        }
        let body = &mut change.body;
        default(body, "properties.validationMethod", json!("cname-delegation"));
        let ways = ["cname-delegation", "dns-txt-token"];
        one_of(body, "properties.validationMethod", &ways, |_| invalid("validationMethod"))?;
        if text(body, "properties.validationMethod") == "dns-txt-token" {
            let draw = chance::digest(world.config.seed, &format!("domain {}", change.id.key()), 0);
            default(body, "properties.validationToken", json!(format!("_{}", hex::encode(&draw[..16]))));
        } else {
            let own = text(site.properties(), "defaultHostname");
            if !dns::look_up(world, "CNAME", &host).iter().any(|name| name.eq_ignore_ascii_case(own)) {
                return Err(bad(
                    "CNAME Record is invalid.  Please ensure the CNAME record has been created.",
                ));
            }
        }
        default(body, "properties.createdOn", json!(stamp(world.now)));
        put(body, "properties.domainName", json!(host));
        Ok(())
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        if let Some(site) = super::holder(world, &resource.id) {
            put(body, "properties.status", json!(status(world, site, resource)));
        }
        take(body, "properties.provisioningState");
    }

    fn act(&self, _world: &mut World, call: &Call) -> Option<Answer> {
        (call.request.method == Method::Post && call.rest_is(&["validate"])).then(|| Ok(Response::empty(200)))
    }
}

/// Whether DNS says now what a domain's validation asks for.
fn status(world: &World, site: &Resource, domain: &Resource) -> &'static str {
    let host = domain.id.name();
    let own = text(site.properties(), "defaultHostname");
    let token = text(domain.properties(), "validationToken");
    let told = |place: &str| dns::look_up(world, "TXT", place).iter().any(|value| value == token);
    let shown = if token.is_empty() {
        dns::look_up(world, "CNAME", host).iter().any(|name| name.eq_ignore_ascii_case(own))
    } else {
        told(host) || told(&format!("_dnsauth.{host}"))
    };
    match (shown, token.is_empty()) {
        (true, _) => "Ready",
        (false, true) => "Failed",
        (false, false) => "Validating",
    }
}

#[derive(Debug)]
pub(super) struct Backends;

impl Rules for Backends {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let Some(site) = super::holder(world, change.id) else { return Ok(()) };
        if text(&site.body, "sku.name") == "Free" {
            return Err(bad("Linked backends are available in the Standard plan only."));
        }
        let backend = text(&change.body, "properties.backendResourceId");
        if Id::parse(backend).is_none_or(|id| world.arm.find(&id.key()).is_none()) {
            return Err(missing("Backend", backend));
        }
        let other =
            world.arm.below(&site.id).any(|(key, child)| child.kind == BACKEND && *key != change.id.key());
        if other {
            return Err(conflict("A static site has one linked backend."));
        }
        default(&mut change.body, "properties.createdOn", json!(stamp(world.now)));
        Ok(())
    }
}
