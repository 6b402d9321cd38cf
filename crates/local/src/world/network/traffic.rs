//! Traffic Manager: profiles, whose names are Azure's, and their endpoints.

use serde_json::{Value, json};

use super::inline::Inline;
use super::{enumeration, row};
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Ending, Kind, Names, Place, Rules, Signs, What};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::resources::at_once;
use crate::world::arm::{Resource, default, put, take};
use crate::world::checks::{between, list, one_of, text};
use crate::world::{Method, Response, World};

const PROFILE: &str = "Microsoft.Network/trafficManagerProfiles";
const DOMAIN: &str = "trafficmanager.net";
/// The kinds of endpoints, as the last word of their types.
const ENDPOINTS: [&str; 3] = ["azureEndpoints", "externalEndpoints", "nestedEndpoints"];

const fn endpoint(name: &'static str) -> Kind {
    Kind { replies: at_once(201, 200), ..row(name, Place::Parent, [0.0, 0.0, 0.0], &[], &Endpoints) }
}

pub(super) static KINDS: &[Kind] = &[
    Kind {
        replies: at_once(201, 200),
        names: Names { signs: Signs::Hyphened, length: (1, 63), ..super::names(1, 63) },
        ..row(PROFILE, Place::Free, [0.0, 0.0, 0.0], &["properties.dnsConfig.fqdn"], &Profiles)
    },
    endpoint("Microsoft.Network/trafficManagerProfiles/azureEndpoints"),
    endpoint("Microsoft.Network/trafficManagerProfiles/externalEndpoints"),
    endpoint("Microsoft.Network/trafficManagerProfiles/nestedEndpoints"),
];

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::bad("BadRequest", message)
}

/// The profile that has a name below the domain.
fn taken<'a>(world: &'a World, name: &str) -> Option<&'a Resource> {
    world
        .arm
        .of_kind(PROFILE)
        .find(|it| text(it.properties(), "dnsConfig.relativeName").eq_ignore_ascii_case(name))
}

#[derive(Debug)]
struct Profiles;

impl Rules for Profiles {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let location = text(&change.body, "location");
        if !location.eq_ignore_ascii_case("global") {
            return Err(super::zones::not_global(location, "trafficManagerProfiles"));
        }
        let body = &mut change.body;
        one_of(body, "properties.profileStatus", &["Enabled", "Disabled"], enumeration("profileStatus"))?;
        default(body, "properties.profileStatus", json!("Enabled"));
        one_of(
            body,
            "properties.trafficRoutingMethod",
            &["Performance", "Priority", "Weighted", "Geographic", "MultiValue", "Subnet"],
            |value| bad(format!("The value '{value}' of trafficRoutingMethod is invalid.")),
        )?;
        if text(body, "properties.trafficRoutingMethod").is_empty() {
            return Err(bad("The property trafficRoutingMethod of a profile is missing."));
        }
        let name = text(body, "properties.dnsConfig.relativeName").to_owned();
        if name.is_empty() || !Signs::Hyphened.allow(&name) {
            return Err(bad(format!("The relative DNS name '{name}' of a profile is missing or invalid.")));
        }
        if taken(world, &name).is_some_and(|other| other.id.key() != change.id.key()) {
            return Err(Refusal::conflict(
                "Conflict",
                format!("Domain name {name}.{DOMAIN} already exists. Please choose a different DNS prefix."),
            ));
        }
        put(body, "properties.dnsConfig.fqdn", json!(format!("{name}.{DOMAIN}")));
        default(body, "properties.dnsConfig.ttl", json!(60));
        between(body, "properties.dnsConfig.ttl", 0..=2_147_483_647, |value| {
            bad(format!("The TTL {value} is invalid."))
        })?;
        one_of(body, "properties.monitorConfig.protocol", &["HTTP", "HTTPS", "TCP"], |value| {
            bad(format!("The monitor protocol '{value}' is invalid."))
        })?;
        let http = text(body, "properties.monitorConfig.protocol") != "TCP";
        if http && !text(body, "properties.monitorConfig.path").starts_with('/') {
            return Err(bad("The path of the monitor of a profile must start with '/'."));
        }
        for (name, value) in
            [("intervalInSeconds", 30), ("timeoutInSeconds", 10), ("toleratedNumberOfFailures", 3)]
        {
            default(body, &format!("properties.monitorConfig.{name}"), json!(value));
        }
        put(body, "properties.monitorConfig.profileMonitorStatus", json!("Inactive"));
        let sent = list(body, "properties.endpoints").to_vec();
        for endpoint in &sent {
            let kind = text(endpoint, "type").rsplit('/').next().unwrap_or_default();
            if !ENDPOINTS.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
                return Err(bad(format!("The endpoint type '{}' is invalid.", text(endpoint, "type"))));
            }
        }
        if let Some(sent) = take(body, "properties.endpoints") {
            put(&mut change.private, "pending.endpoints", sent);
        }
        put(&mut change.body, "location", json!("global"));
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, _what: What) -> Ending {
        let pending = world.arm.find_mut(&id.key()).and_then(|found| take(&mut found.private, "pending"));
        let Some(Value::Array(sent)) = pending.map(|mut pending| pending["endpoints"].take()) else {
            return Ending::Table;
        };
        for kind in ENDPOINTS {
            let own: Vec<Value> = sent
                .iter()
                .filter(|it| text(it, "type").to_ascii_lowercase().ends_with(&kind.to_ascii_lowercase()))
                .cloned()
                .collect();
            if let Some(found) = world.arm.find_mut(&id.key()) {
                put(&mut found.private, "pending.endpoints", json!(own));
            }
            Inline { property: "endpoints", kind }.settle(world, id);
        }
        Ending::Table
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let mut endpoints = Vec::new();
        for kind in ENDPOINTS {
            let mut shown = Value::Null;
            Inline { property: "endpoints", kind }.show(world, &resource.id, &mut shown);
            endpoints.extend(list(&shown, "properties.endpoints").to_vec());
        }
        put(body, "properties.endpoints", json!(endpoints));
        take(body, "properties.provisioningState");
        take(body, "systemData");
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let asks =
            call.request.method == Method::Post && call.rest_is(&["checkTrafficManagerNameAvailability"]);
        if !asks {
            return None;
        }
        let name = text(&call.body, "name");
        let mut answer = json!({"name": name, "type": PROFILE, "nameAvailable": true});
        if taken(world, name).is_some() {
            answer["nameAvailable"] = json!(false);
            answer["reason"] = json!("AlreadyExists");
            answer["message"] = json!(format!(
                "Domain name {name}.{DOMAIN} already exists. Please choose a different DNS prefix."
            ));
        }
        Some(Ok(Response::json(200, &answer)))
    }
}

#[derive(Debug)]
struct Endpoints;

impl Rules for Endpoints {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        let kind = change.id.kind();
        let (target, resource) = (text(body, "properties.target"), text(body, "properties.targetResourceId"));
        if kind.to_ascii_lowercase().ends_with("/externalendpoints") {
            if target.is_empty() {
                return Err(bad("An external endpoint names its target."));
            }
        } else if Id::parse(resource).and_then(|id| world.arm.find(&id.key())).is_none() {
            return Err(bad(format!("The target resource '{resource}' of the endpoint was not found.")));
        }
        for (name, range) in [("weight", 1..=1000), ("priority", 1..=1000)] {
            between(body, &format!("properties.{name}"), range, |value| {
                bad(format!("The {name} {value} of an endpoint is not between 1 and 1000."))
            })?;
        }
        default(body, "properties.endpointStatus", json!("Enabled"));
        default(body, "properties.weight", json!(1));
        default(body, "properties.priority", json!(1));
        default(body, "properties.endpointMonitorStatus", json!("CheckingEndpoint"));
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
        take(body, "systemData");
    }
}
