//! Communication Services: resources that are global and keep their data in one geography, email with its domains.

use serde_json::{Value, json};

use super::arm::id::Id;
use super::arm::kind::{Call, Change, Depth, Ending, Kind, Names, Place, Rules, Signs, USUAL, What};
use super::arm::refusal::Refusal;
use super::arm::{Resource, default, locks, put, take};
use super::checks::{key, list, named, one_of, text};
use super::{Method, Response, World, chance};

const SERVICE: &str = "Microsoft.Communication/communicationServices";
const EMAIL: &str = "Microsoft.Communication/emailServices";
const DOMAIN: &str = "Microsoft.Communication/emailServices/domains";

/// Geographies with the label that they have in host names.
const GEOGRAPHIES: [(&str, &str); 17] = [
    ("Africa", "africa"),
    ("Asia Pacific", "asiapacific"),
    ("Australia", "australia"),
    ("Brazil", "brazil"),
    ("Canada", "canada"),
    ("Europe", "europe"),
    ("France", "france"),
    ("Germany", "germany"),
    ("India", "india"),
    ("Japan", "japan"),
    ("Korea", "korea"),
    ("Norway", "norway"),
    ("Sweden", "sweden"),
    ("Switzerland", "switzerland"),
    ("UAE", "uae"),
    ("UK", "uk"),
    ("United States", "unitedstates"),
];

const fn row(name: &'static str, signs: Signs, global: bool, rules: &'static dyn Rules) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: Names {
            length: (1, 63),
            signs,
            global,
            refusal: ("InvalidResourceName", "Resource name '{name}' is invalid."),
        },
        place: Place::Free,
        seconds: [30.0, 5.0, 10.0],
        replies: USUAL,
        busy: "Conflict",
        computed: &["properties.hostName", "properties.version", "properties.immutableResourceId"],
        spelling: &[],
        rules,
    }
}

pub(super) static KINDS: &[Kind] = &[
    row(SERVICE, Signs::Hyphened, true, &Services),
    row(EMAIL, Signs::Hyphened, true, &Services),
    Kind {
        names: Names {
            length: (1, 253),
            signs: Signs::Any,
            global: false,
            refusal: ("InvalidResourceName", "Resource name '{name}' is invalid."),
        },
        ..row(DOMAIN, Signs::Any, false, &Domains)
    },
];

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::bad("BadRequest", message)
}

/// Both the services and email: global, with data in a geography for good.
#[derive(Debug)]
struct Services;

impl Rules for Services {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        if text(body, "location") != "global" {
            return Err(Refusal::bad(
                "LocationNotAvailableForResourceType",
                format!(
                    "The provided location '{}' is not available for resource type '{}'. List of available regions for \
                     the resource type is 'global'.",
                    text(body, "location"),
                    change.id.kind()
                ),
            ));
        }
        let known: Vec<&str> = GEOGRAPHIES.iter().map(|(name, _)| *name).collect();
        let path = "properties.dataLocation";
        if text(body, path).is_empty() {
            return Err(bad("The property 'dataLocation' is required."));
        }
        one_of(body, path, &known, |value| bad(format!("The data location '{value}' is invalid.")))?;
        if change.current.as_ref().is_some_and(|current| text(&current.body, path) != text(body, path)) {
            return Err(bad("The data location of a resource cannot be changed."));
        }
        for domain in list(body, "properties.linkedDomains").iter().filter_map(Value::as_str) {
            if named(world, domain, DOMAIN).is_none() {
                return Err(bad(format!("The linked domain '{domain}' does not exist.")));
            }
        }
        if change.id.kind().eq_ignore_ascii_case(EMAIL) {
            return Ok(());
        }
        let place =
            GEOGRAPHIES.iter().find(|(name, _)| *name == text(body, path)).map_or("", |(_, label)| label);
        let host = format!("{}.{place}.communication.azure.com", change.id.name().to_ascii_lowercase());
        put(body, "properties.hostName", json!(host));
        let own = chance::fixed_uuid(world.config.seed, &change.id.key());
        default(body, "properties.immutableResourceId", json!(own));
        default(body, "properties.version", json!("1.0"));
        Ok(())
    }

    fn taken(&self, _world: &World, _other: &Resource, id: &Id) -> Result<(), Refusal> {
        Err(Refusal::conflict("NameNotAvailable", format!("The name '{}' is already in use.", id.name())))
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            for name in ["primaryKey", "secondaryKey"] {
                let made = key(world, &format!("{name} {}", id.key()), 64);
                if let Some(found) = world.arm.find_mut(&id.key()) {
                    put(&mut found.private, name, json!(made));
                }
            }
        }
        Ending::Table
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method != Method::Post || !call.id.kind().eq_ignore_ascii_case(SERVICE) {
            return None;
        }
        if call.rest_is(&["regenerateKey"]) {
            let which = text(&call.body, "keyType").to_ascii_lowercase();
            let name = match which.as_str() {
                "primary" => "primaryKey",
                "secondary" => "secondaryKey",
                _ => return Some(Err(bad(format!("The key type '{which}' is invalid.")))),
            };
            if let Err(refusal) = locks::permit(world, &call.id, false) {
                return Some(Err(refusal));
            }
            let made = key(world, &format!("{name} {}", call.id.key()), 64);
            put(&mut world.arm.find_mut(&call.id.key())?.private, name, json!(made));
        } else if !call.rest_is(&["listKeys"]) {
            return None;
        }
        let found = world.arm.find(&call.id.key())?;
        let host = text(found.properties(), "hostName");
        let mut shown = json!({});
        for (name, line) in
            [("primaryKey", "primaryConnectionString"), ("secondaryKey", "secondaryConnectionString")]
        {
            let secret = text(&found.private, name);
            shown[name] = json!(secret);
            shown[line] = json!(format!("endpoint=https://{host}/;accesskey={secret}"));
        }
        Some(Ok(Response::json(200, &shown)))
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method != Method::Post || !call.rest_is(&["checkNameAvailability"]) {
            return None;
        }
        let taken = |name: &str| {
            world.arm.by_name(SERVICE, name).map(|_| format!("The name '{name}' is already in use."))
        };
        Some(KINDS[0].availability(&call.body, "Invalid", taken))
    }
}

/// Domains that mail is sent from: Azure's own, or the customer's after their verification.
#[derive(Debug)]
struct Domains;

impl Rules for Domains {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        let path = "properties.domainManagement";
        let kinds = ["AzureManaged", "CustomerManaged", "CustomerManagedInExchangeOnline"];
        if text(body, path).is_empty() {
            return Err(bad("The property 'domainManagement' is required."));
        }
        one_of(body, path, &kinds, |value| bad(format!("The domain management '{value}' is invalid.")))?;
        let managed = text(body, path) == "AzureManaged";
        if managed != change.id.name().eq_ignore_ascii_case("AzureManagedDomain") {
            return Err(bad("A domain that Azure manages is called 'AzureManagedDomain', and no other is."));
        }
        let own = chance::fixed_uuid(world.config.seed, &change.id.key());
        let host =
            if managed { format!("{own}.azurecomm.net") } else { change.id.name().to_ascii_lowercase() };
        put(body, "properties.fromSenderDomain", json!(host));
        put(body, "properties.mailFromSenderDomain", json!(host));
        default(body, "properties.userEngagementTracking", json!("Disabled"));
        let status = if managed { "Verified" } else { "NotStarted" };
        for name in ["Domain", "SPF", "DKIM", "DKIM2", "DMARC"] {
            default(
                body,
                &format!("properties.verificationStates.{name}"),
                json!({"status": status, "errorCode": ""}),
            );
        }
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        if resource.state == "Succeeded" {
            take(body, "properties.createdBy");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::world::testing::{Lab, rg};

    #[test]
    fn a_resource_is_global_and_keeps_its_data_in_one_place() {
        let mut lab = Lab::new(0.0);
        let service = rg("Microsoft.Communication/communicationServices/talk1");
        let body =
            |location: &str, data: &str| json!({"location": location, "properties": {"dataLocation": data}});
        lab.put(&service, body("westeurope", "Europe")).refused(400, "LocationNotAvailableForResourceType");
        lab.put(&service, body("global", "Atlantis")).refused(400, "BadRequest");
        let made = lab.put(&service, body("global", "Europe")).ok(201).json;
        assert_eq!(made["properties"]["hostName"], "talk1.europe.communication.azure.com");
        lab.put(&service, body("global", "UK")).refused(400, "BadRequest");
        let keys = lab.post(&format!("{service}/listKeys"), json!({})).ok(200).json;
        let new = lab.post(&format!("{service}/regenerateKey"), json!({"keyType": "Primary"})).ok(200).json;
        assert_ne!(keys["primaryKey"], new["primaryKey"]);
        assert_eq!(keys["secondaryKey"], new["secondaryKey"]);
    }

    #[test]
    fn a_domain_of_azures_has_a_name_of_its_own() {
        let mut lab = Lab::new(0.0);
        let mail = rg("Microsoft.Communication/emailServices/mail1");
        lab.put(&mail, json!({"location": "global", "properties": {"dataLocation": "Europe"}})).ok(201);
        let managed = json!({"location": "global", "properties": {"domainManagement": "AzureManaged"}});
        lab.put(&format!("{mail}/domains/contoso.com"), managed.clone()).refused(400, "BadRequest");
        let made = lab.put(&format!("{mail}/domains/AzureManagedDomain"), managed).ok(201).json;
        assert_eq!(made["properties"]["verificationStates"]["Domain"]["status"], "Verified");
    }
}
