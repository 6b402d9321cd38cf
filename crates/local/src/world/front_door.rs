//! Azure Front Door (`Microsoft.Cdn`): profiles, endpoints with their host names, groups of origins, routes, domains.
//! Nothing is carried: what a profile would serve is told, not served.

use serde_json::{Value, json};

use super::arm::id::Id;
use super::arm::kind::{Call, Change, Depth, Kind, Names, Place, Rules, Signs, USUAL};
use super::arm::refusal::Refusal;
use super::arm::resources::at_once;
use super::arm::{Resource, default, put, take};
use super::checks::{between, list, named, one_of, text};
use super::{Method, Response, World, chance};

const PROFILE: &str = "Microsoft.Cdn/profiles";
const ENDPOINT: &str = "Microsoft.Cdn/profiles/afdEndpoints";
const ROUTE: &str = "Microsoft.Cdn/profiles/afdEndpoints/routes";
const GROUP: &str = "Microsoft.Cdn/profiles/originGroups";
const ORIGIN: &str = "Microsoft.Cdn/profiles/originGroups/origins";
const DOMAIN: &str = "Microsoft.Cdn/profiles/customDomains";

const fn row(
    name: &'static str,
    to: usize,
    place: Place,
    seconds: [f64; 3],
    rules: &'static dyn Rules,
) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: Names {
            length: (1, to),
            signs: Signs::Hyphened,
            global: false,
            refusal: ("BadRequest", "The name '{name}' is not valid: letters, digits and hyphens make it."),
        },
        place,
        seconds,
        replies: USUAL,
        busy: "Conflict",
        computed: &[],
        spelling: &[],
        rules,
    }
}

const fn child(name: &'static str, seconds: [f64; 3], rules: &'static dyn Rules) -> Kind {
    row(name, 90, Place::Parent, seconds, rules)
}

pub(super) static KINDS: &[Kind] = &[
    Kind {
        replies: at_once(201, 200),
        computed: &["properties.frontDoorId"],
        ..row(PROFILE, 260, Place::Free, [0.0, 0.0, 0.0], &Profiles)
    },
    Kind {
        computed: &["properties.hostName"],
        ..row(ENDPOINT, 46, Place::Free, [60.0, 30.0, 30.0], &Endpoints)
    },
    child(ROUTE, [30.0, 30.0, 30.0], &Routes),
    child(GROUP, [20.0, 20.0, 20.0], &Groups),
    child(ORIGIN, [20.0, 20.0, 20.0], &Origins),
    Kind {
        computed: &["properties.validationProperties", "properties.domainValidationState"],
        ..child(DOMAIN, [30.0, 30.0, 30.0], &Domains)
    },
    Kind {
        names: Names {
            length: (1, 60),
            signs: Signs::Alnum,
            global: false,
            refusal: (
                "BadRequest",
                "The name '{name}' is not valid: a rule set's has letters and digits only.",
            ),
        },
        ..child("Microsoft.Cdn/profiles/ruleSets", [10.0, 10.0, 10.0], &Parts)
    },
    child("Microsoft.Cdn/profiles/ruleSets/rules", [10.0, 10.0, 10.0], &Parts),
    child("Microsoft.Cdn/profiles/secrets", [10.0, 10.0, 10.0], &Parts),
    child("Microsoft.Cdn/profiles/securityPolicies", [20.0, 20.0, 20.0], &Parts),
];

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::bad("BadRequest", message)
}

/// What every part of a profile tells beside its own.
fn told(resource: &Resource, body: &mut Value) {
    put(body, "properties.deploymentStatus", json!("NotStarted"));
    if resource.state == "Succeeded" {
        take(body, "properties.extendedProperties.pending");
    }
}

fn switch(body: &mut Value) -> Result<(), Refusal> {
    default(body, "properties.enabledState", json!("Enabled"));
    one_of(body, "properties.enabledState", &["Enabled", "Disabled"], |value| {
        bad(format!("The property 'enabledState' has the invalid value '{value}'."))
    })
}

/// The profile that something is in.
fn profile(id: &Id) -> Option<Id> {
    let mut up = id.parent()?;
    while !up.kind().eq_ignore_ascii_case(PROFILE) {
        up = up.parent()?;
    }
    Some(up)
}

#[derive(Debug)]
struct Profiles;

impl Rules for Profiles {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        if !text(body, "location").eq_ignore_ascii_case("global") {
            return Err(Refusal::bad(
                "LocationNotAvailableForResourceType",
                format!(
                    "The provided location '{}' is not available for resource type '{PROFILE}'. List of available \
                     regions for the resource type is 'global'.",
                    text(body, "location")
                ),
            ));
        }
        put(body, "location", json!("Global"));
        let known = ["Standard_AzureFrontDoor", "Premium_AzureFrontDoor"];
        let asked = text(body, "sku.name").to_owned();
        if ["Standard_Microsoft", "Standard_Verizon", "Premium_Verizon", "Standard_Akamai"]
            .iter()
            .any(|old| old.eq_ignore_ascii_case(&asked))
        {
            return Err(bad(format!(
                "Azure CDN of the SKU '{asked}' is retired: no new profile of it can be created. Use Azure Front Door."
            )));
        }
        one_of(body, "sku.name", &known, |value| bad(format!("The SKU '{value}' is not valid.")))?;
        if asked.is_empty() {
            return Err(bad("The property 'sku.name' is required."));
        }
        if change.current.as_ref().is_some_and(|current| {
            text(&current.body, "sku.name") == known[1] && text(body, "sku.name") == known[0]
        }) {
            return Err(bad("A profile of the premium tier cannot become one of the standard tier."));
        }
        default(body, "kind", json!("frontdoor"));
        default(body, "properties.originResponseTimeoutSeconds", json!(60));
        between(body, "properties.originResponseTimeoutSeconds", 16..=240, |value| {
            bad(format!("The property 'originResponseTimeoutSeconds' {value} is not between 16 and 240."))
        })?;
        let own = chance::fixed_uuid(world.config.seed, &format!("front door {}", change.id.key()));
        default(body, "properties.frontDoorId", json!(own));
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        let state = if resource.state == "Succeeded" { "Active" } else { "Creating" };
        put(body, "properties.resourceState", json!(state));
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method != Method::Post {
            return None;
        }
        if call.rest_is(&["usages"]) || call.rest_is(&["checkResourceUsage"]) {
            let count = |kind: &str| world.arm.below(&call.id).filter(|(_, part)| part.kind == kind).count();
            let value: Vec<Value> = [(ENDPOINT, "afdendpoint", 10), (GROUP, "origingroup", 100), (DOMAIN, "customdomain", 100)]
                .iter()
                .map(|(kind, name, limit)| {
                    json!({"currentValue": count(kind), "limit": limit, "unit": "Count", "name": {"value": name, "localizedValue": name}})
                })
                .collect();
            return Some(Ok(Response::json(200, &json!({"value": value}))));
        }
        if call.rest_is(&["checkHostNameAvailability"]) {
            let host = text(&call.body, "hostName");
            let taken = world
                .arm
                .of_kind(DOMAIN)
                .any(|domain| text(domain.properties(), "hostName").eq_ignore_ascii_case(host));
            let mut answer = json!({"nameAvailable": !taken});
            if taken {
                answer["reason"] = json!("Conflict");
                answer["message"] = json!(format!("The host name '{host}' is in use."));
            }
            return Some(Ok(Response::json(200, &answer)));
        }
        None
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method != Method::Post || !call.rest_is(&["checkEndpointNameAvailability"]) {
            return None;
        }
        let name = text(&call.body, "name");
        let host = host_name(world, name, &call.id.key());
        Some(Ok(Response::json(200, &json!({"nameAvailable": true, "availableHostname": host}))))
    }
}

/// `name-hash.z01.azurefd.net`.
fn host_name(world: &World, name: &str, place: &str) -> String {
    let hash = chance::word(world.config.seed, &format!("front door endpoint {name} {place}"), 16);
    format!("{}-{hash}.z01.azurefd.net", name.to_ascii_lowercase())
}

#[derive(Debug)]
struct Endpoints;

impl Rules for Endpoints {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let scope = change.id.group_id().map(|group| group.key()).unwrap_or_default();
        put(&mut change.body, "location", json!("Global"));
        switch(&mut change.body)?;
        default(&mut change.body, "properties.autoGeneratedDomainNameLabelScope", json!("TenantReuse"));
        default(&mut change.body, "properties.hostName", json!(host_name(world, change.id.name(), &scope)));
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        told(resource, body);
        let profile = resource.id.parent().map(|it| it.name().to_owned());
        put(body, "properties.profileName", json!(profile));
    }

    fn act(&self, _world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let purges = call.request.method == Method::Post && call.rest_is(&["purge"]);
        if !purges {
            return None;
        }
        if list(&call.body, "contentPaths").is_empty() {
            return Some(Err(bad("The property 'contentPaths' is required.")));
        }
        Some(Ok(Response::empty(200)))
    }
}

#[derive(Debug)]
struct Groups;

impl Rules for Groups {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        if !body["properties"]["loadBalancingSettings"].is_object() {
            return Err(bad("The property 'loadBalancingSettings' of an origin group is required."));
        }
        for (name, usual) in
            [("sampleSize", 4), ("successfulSamplesRequired", 3), ("additionalLatencyInMilliseconds", 50)]
        {
            default(body, &format!("properties.loadBalancingSettings.{name}"), json!(usual));
        }
        default(body, "properties.sessionAffinityState", json!("Disabled"));
        if body["properties"]["healthProbeSettings"].is_object() {
            between(body, "properties.healthProbeSettings.probeIntervalInSeconds", 1..=255, |value| {
                bad(format!("The property 'probeIntervalInSeconds' {value} is not between 1 and 255."))
            })?;
        }
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        let key = resource.id.key();
        let used = world
            .arm
            .of_kind(ROUTE)
            .find(|route| text(route.properties(), "originGroup.id").eq_ignore_ascii_case(&key));
        match used {
            Some(route) => Err(bad(format!(
                "Cannot delete origin group '{}': it is in use by the route '{}'.",
                resource.id.name(),
                route.id.name()
            ))),
            None => Ok(()),
        }
    }

    fn may_delete_with_group(&self, _world: &World, _resource: &Resource) -> Result<(), Refusal> {
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        told(resource, body);
        let profile = resource.id.parent().map(|it| it.name().to_owned());
        put(body, "properties.profileName", json!(profile));
    }
}

#[derive(Debug)]
struct Origins;

impl Rules for Origins {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        if text(body, "properties.hostName").is_empty() {
            return Err(bad("The property 'hostName' of an origin is required."));
        }
        switch(body)?;
        for (name, usual, range) in [
            ("httpPort", 80, 1..=65535),
            ("httpsPort", 443, 1..=65535),
            ("priority", 1, 1..=5),
            ("weight", 1000, 1..=1000),
        ] {
            let path = format!("properties.{name}");
            default(body, &path, json!(usual));
            let (from, to) = (*range.start(), *range.end());
            between(body, &path, range, |value| {
                bad(format!("The property '{name}' {value} is not between {from} and {to}."))
            })?;
        }
        default(body, "properties.enforceCertificateNameCheck", json!(true));
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        told(resource, body);
        let group = resource.id.parent().map(|it| it.name().to_owned());
        put(body, "properties.originGroupName", json!(group));
    }
}

#[derive(Debug)]
struct Routes;

impl Rules for Routes {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let own = profile(change.id).map(|it| it.key());
        let body = &mut change.body;
        switch(body)?;
        let wanted = text(body, "properties.originGroup.id").to_owned();
        let group = named(world, &wanted, GROUP).filter(|group| profile(&group.id).map(|it| it.key()) == own);
        // github.com/Azure/bicep-types-az#1923
        let enabled = group.is_some_and(|group| {
            world.arm.below(&group.id).any(|(_, origin)| {
                origin.kind == ORIGIN && text(origin.properties(), "enabledState") == "Enabled"
            })
        });
        if !enabled {
            return Err(bad(
                "Please make sure that the originGroup is created successfully and at least one enabled origin is \
                 created under the origin group.",
            ));
        }
        for domain in list(body, "properties.customDomains") {
            let id = text(domain, "id");
            if named(world, id, DOMAIN).is_none() {
                return Err(bad(format!("The custom domain '{id}' of the route does not exist.")));
            }
        }
        let reached = text(body, "properties.linkToDefaultDomain").eq_ignore_ascii_case("Enabled")
            || !list(body, "properties.customDomains").is_empty();
        if !reached {
            return Err(bad("A route needs the default domain or a custom one."));
        }
        for (name, usual) in [
            ("supportedProtocols", json!(["Http", "Https"])),
            ("patternsToMatch", json!(["/*"])),
            ("forwardingProtocol", json!("MatchRequest")),
            ("httpsRedirect", json!("Disabled")),
            ("linkToDefaultDomain", json!("Disabled")),
            ("customDomains", json!([])),
            ("ruleSets", json!([])),
        ] {
            default(body, &format!("properties.{name}"), usual);
        }
        for pattern in list(body, "properties.patternsToMatch") {
            let path = pattern.as_str().unwrap_or_default();
            if !path.starts_with('/') {
                return Err(bad(format!("The pattern '{path}' of a route must begin with '/'.")));
            }
            let twice = change.id.parent().is_some_and(|endpoint| {
                world.arm.below(&endpoint).any(|(key, other)| {
                    *key != change.id.key()
                        && other.kind == ROUTE
                        && list(other.properties(), "patternsToMatch").contains(pattern)
                        && other.properties()["customDomains"] == body["properties"]["customDomains"]
                })
            });
            if twice {
                return Err(Refusal::conflict(
                    "Conflict",
                    format!("The pattern '{path}' is matched by another route of the endpoint."),
                ));
            }
        }
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        told(resource, body);
        let endpoint = resource.id.parent().map(|it| it.name().to_owned());
        put(body, "properties.endpointName", json!(endpoint));
    }
}

#[derive(Debug)]
struct Domains;

impl Rules for Domains {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        let host = text(body, "properties.hostName").to_ascii_lowercase();
        if !host.contains('.') {
            return Err(bad("The property 'hostName' of a custom domain is required."));
        }
        let taken = world.arm.of_kind(DOMAIN).any(|other| {
            other.id.key() != change.id.key()
                && text(other.properties(), "hostName").eq_ignore_ascii_case(&host)
        });
        if taken {
            return Err(Refusal::conflict("Conflict", format!("The host name '{host}' is in use.")));
        }
        default(body, "properties.tlsSettings.certificateType", json!("ManagedCertificate"));
        default(body, "properties.tlsSettings.minimumTlsVersion", json!("TLS12"));
        let token = chance::word(world.config.seed, &format!("domain {}", change.id.key()), 32);
        default(body, "properties.validationProperties.validationToken", json!(token));
        let until = world.now + jiff::SignedDuration::from_hours(7 * 24);
        default(body, "properties.validationProperties.expirationDate", json!(super::arm::stamp(until)));
        Ok(())
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        told(resource, body);
        let host = format!("_dnsauth.{}", text(body, "properties.hostName"));
        let token = text(body, "properties.validationProperties.validationToken").to_owned();
        let proven = super::dns::look_up(world, "TXT", &host).contains(&token);
        let state = if proven { "Approved" } else { "Pending" };
        put(body, "properties.domainValidationState", json!(state));
    }

    fn act(&self, _world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let again = call.request.method == Method::Post && call.rest_is(&["refreshValidationToken"]);
        again.then(|| Ok(Response::empty(200)))
    }
}

/// Rules, secrets and policies: kept as they come.
#[derive(Debug)]
struct Parts;

impl Rules for Parts {
    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        told(resource, body);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::world::testing::{Lab, rg};

    #[test]
    fn a_route_needs_an_origin_that_is_enabled() {
        let mut lab = Lab::new(0.0);
        let door = rg("Microsoft.Cdn/profiles/door");
        let body = |sku: &str| json!({"location": "global", "sku": {"name": sku}});
        lab.put(&door, body("Standard_Microsoft")).refused(400, "BadRequest");
        lab.put(&door, body("Standard_AzureFrontDoor")).ok(201);
        let endpoint = format!("{door}/afdEndpoints/shop");
        let made = lab.put(&endpoint, json!({"location": "global", "properties": {}})).ok(201).json;
        let host = made["properties"]["hostName"].as_str().unwrap();
        assert!(host.starts_with("shop-") && host.ends_with(".z01.azurefd.net"), "{host}");
        let group = format!("{door}/originGroups/apps");
        lab.put(&group, json!({"properties": {"loadBalancingSettings": {}}})).ok(201);
        let route = format!("{endpoint}/routes/all");
        let body = json!({"properties": {"originGroup": {"id": group}, "linkToDefaultDomain": "Enabled"}});
        lab.put(&route, body.clone()).refused(400, "BadRequest");
        let origin = format!("{group}/origins/one");
        lab.put(&origin, json!({"properties": {"hostName": "a.example", "enabledState": "Disabled"}}))
            .ok(201);
        lab.put(&route, body.clone()).refused(400, "BadRequest");
        lab.patch(&origin, json!({"properties": {"enabledState": "Enabled"}})).ok(200);
        lab.put(&route, body.clone()).ok(201);
        lab.put(&format!("{endpoint}/routes/again"), body).refused(409, "Conflict");
        lab.delete(&group).refused(400, "BadRequest");
    }

    #[test]
    fn a_domain_is_proven_by_its_token() {
        let mut lab = Lab::new(0.0);
        let door = rg("Microsoft.Cdn/profiles/door");
        lab.put(&door, json!({"location": "global", "sku": {"name": "Premium_AzureFrontDoor"}})).ok(201);
        let domain = format!("{door}/customDomains/www");
        let made = lab.put(&domain, json!({"properties": {"hostName": "www.shop.example"}})).ok(201).json;
        assert_eq!(made["properties"]["domainValidationState"], "Pending");
        let token = made["properties"]["validationProperties"]["validationToken"].clone();
        let zone = rg("Microsoft.Network/dnsZones/shop.example");
        lab.put(&zone, json!({"location": "global"})).ok(201);
        let record = json!({"properties": {"TTL": 60, "TXTRecords": [{"value": [token]}]}});
        lab.put(&format!("{zone}/TXT/_dnsauth.www"), record).ok(201);
        assert_eq!(lab.get(&domain).json["properties"]["domainValidationState"], "Approved");
    }
}
