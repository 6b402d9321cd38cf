//! Namespaces: what each tier has, and which networks reach them.

use serde_json::{Value, json};

use super::{Answer, KINDS, NAMESPACE, ROOT, TOPIC, access, namespace_of, recovery};
use crate::world::arm::gate::object;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Ending, Rules, What};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put, resources, stamp, take};
use crate::world::checks::{list, one_of, text};
use crate::world::network::cidr::Cidr;
use crate::world::{Method, Response, World};

#[derive(Debug)]
pub(super) struct Namespaces;

impl Rules for Namespaces {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let name = change.id.name().to_ascii_lowercase();
        if name.ends_with("-sb") || name.ends_with("-mgmt") {
            return Err(Refusal::bad("BadRequest", "The specified service namespace is invalid."));
        }
        let body = &mut change.body;
        default(body, "sku", json!({"name": "Standard"}));
        one_of(body, "sku.name", &["Basic", "Standard", "Premium"], |value| {
            Refusal::bad(
                "BadRequest",
                format!("The SKU '{value}' is not valid: Basic, Standard and Premium are."),
            )
        })?;
        let sku = text(body, "sku.name").to_owned();
        if let Some(current) = &change.current {
            let old = text(&current.body, "sku.name");
            if (old == "Premium") != (sku == "Premium") {
                return Err(Refusal::bad(
                    "BadRequest",
                    format!(
                        "The SKU of a namespace cannot go from {old} to {sku}: migrate to a new namespace."
                    ),
                ));
            }
            if sku == "Basic" && world.arm.below(change.id).any(|(_, child)| child.kind == TOPIC) {
                return Err(Refusal::bad(
                    "BadRequest",
                    "A namespace with topics cannot go to the Basic tier.",
                ));
            }
        }
        put(body, "sku.tier", json!(sku));
        let premium = sku == "Premium";
        if premium {
            default(body, "sku.capacity", json!(1));
            if !body["sku"]["capacity"].as_i64().is_some_and(|units| [1, 2, 4, 8, 16].contains(&units)) {
                return Err(Refusal::bad(
                    "BadRequest",
                    format!(
                        "The capacity {} is not one of 1, 2, 4, 8, 16 messaging units.",
                        body["sku"]["capacity"]
                    ),
                ));
            }
        } else {
            take(body, "sku.capacity");
        }
        for (property, wanted) in [
            ("zoneRedundant", body["properties"]["zoneRedundant"] == true),
            ("encryption", body["properties"]["encryption"].is_object()),
            ("geoDataReplication", body["properties"]["geoDataReplication"].is_object()),
            ("publicNetworkAccess", body["properties"]["publicNetworkAccess"] == "Disabled"),
            (
                "premiumMessagingPartitions",
                body["properties"]["premiumMessagingPartitions"].as_i64().unwrap_or(0) > 0,
            ),
        ] {
            if wanted && !premium {
                return Err(Refusal::bad(
                    "BadRequest",
                    format!(
                        "The property '{property}' is only available for namespaces of the Premium SKU, not {sku}."
                    ),
                ));
            }
        }
        default(body, "properties.minimumTlsVersion", json!("1.2"));
        one_of(body, "properties.minimumTlsVersion", &["1.0", "1.1", "1.2", "1.3"], |value| {
            Refusal::bad("BadRequest", format!("The TLS version '{value}' is invalid."))
        })?;
        for (name, value) in [
            ("publicNetworkAccess", json!("Enabled")),
            ("disableLocalAuth", json!(false)),
            ("zoneRedundant", json!(premium)),
            ("premiumMessagingPartitions", json!(i32::from(premium))),
            ("status", json!("Active")),
            ("createdAt", json!(stamp(world.now))),
            ("metricId", json!(format!("{}:{name}", world.config.subscription))),
            ("serviceBusEndpoint", json!(format!("https://{name}.servicebus.windows.net:443/"))),
        ] {
            default(body, &format!("properties.{name}"), value);
        }
        put(body, "properties.updatedAt", json!(stamp(world.now)));
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        recovery::must_be_single(world, &resource.id)
    }

    fn may_delete_with_group(&self, _world: &World, _resource: &Resource) -> Result<(), Refusal> {
        Ok(())
    }

    fn taken(&self, _world: &World, _other: &Resource, id: &Id) -> Result<(), Refusal> {
        Err(Refusal::bad(
            "NamespaceUnavailable",
            format!("Namespace already exists: the name '{}' is taken.", id.name()),
        ))
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            let own = id.child("authorizationRules", ROOT);
            let private = access::keys(world, &own);
            resources::grow(
                world,
                &own,
                json!({"properties": {"rights": ["Listen", "Manage", "Send"]}}),
                private,
            );
            let open = json!({"properties": {"defaultAction": "Allow", "publicNetworkAccess": "Enabled",
                "virtualNetworkRules": [], "ipRules": [], "trustedServiceAccessEnabled": false}});
            resources::grow(world, &id.child("networkRuleSets", "default"), open, Value::Null);
        }
        Ending::Table
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Answer> {
        let asks = call.request.method == Method::Post
            && call.rest_is(&["disasterRecoveryConfigs", "CheckNameAvailability"]);
        asks.then(|| {
            let body = object(&call.body)?;
            Ok(Response::json(200, &availability(world, text(&body, "name"))))
        })
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Answer> {
        if call.request.method != Method::Post || !call.rest_is(&["CheckNameAvailability"]) {
            return None;
        }
        let body = match object(&call.body) {
            Ok(body) => body,
            Err(refusal) => return Some(Err(refusal)),
        };
        let answer = availability(world, text(&body, "name"));
        Some(Ok(Response::json(200, &answer)))
    }
}

/// Whether a name is free for a namespace, or for the alias of a pair.
pub(super) fn availability(world: &World, name: &str) -> Value {
    let ending = name.to_ascii_lowercase();
    if ending.ends_with("-sb") || ending.ends_with("-mgmt") {
        json!({"nameAvailable": false, "reason": "InvalidName", "message": "The specified name ends with a reserved suffix."})
    } else if !KINDS[0].names.allow(name) {
        json!({"nameAvailable": false, "reason": "InvalidName", "message": "The specified service namespace is invalid."})
    } else if world.arm.by_name(NAMESPACE, name).is_some()
        || world.arm.by_name(recovery::ALIAS, name).is_some()
    {
        json!({"nameAvailable": false, "reason": "NameInUse", "message": "The specified name is not available."})
    } else {
        json!({"nameAvailable": true, "reason": "None"})
    }
}

#[derive(Debug)]
pub(super) struct Networks;

impl Rules for Networks {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let sku = namespace_of(world, change.id)
            .map(|it| text(&it.body, "sku.name").to_owned())
            .unwrap_or_default();
        let asks = !list(&change.body, "properties.virtualNetworkRules").is_empty()
            || text(&change.body, "properties.defaultAction").eq_ignore_ascii_case("Deny");
        if asks && sku != "Premium" {
            return Err(Refusal::bad(
                "BadRequest",
                format!("Network rules are only available for namespaces of the Premium SKU, not {sku}."),
            ));
        }
        for rule in list(&change.body, "properties.ipRules") {
            let mask = text(rule, "ipMask");
            if Cidr::parse(mask).is_none() && mask.parse::<std::net::IpAddr>().is_err() {
                return Err(Refusal::bad(
                    "BadRequest",
                    format!("The IP mask '{mask}' of a rule is invalid."),
                ));
            }
        }
        if !change.id.name().eq_ignore_ascii_case("default") {
            return Err(Refusal::bad(
                "BadRequest",
                "The network rule set of a namespace is called 'default'.",
            ));
        }
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }
}
