//! Application gateways and the policies of their firewall.

use serde_json::{Value, json};

use super::balancers::{Names, check_frontends, check_names};
use super::{
    ADDRESS, SUBNET, dress, enumeration, etag, guid, must_be_free, names, naming, pool, referred, row,
    unreadable,
};
use crate::world::World;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Kind, Place, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put};
use crate::world::checks::{between, list, named, one_of, text, user};
use crate::world::{Method, Response};

const GATEWAY: &str = "Microsoft.Network/applicationGateways";
const POLICY: &str = "Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies";

pub(super) static KINDS: &[Kind] = &[
    row(
        GATEWAY,
        Place::Regional,
        [360.0, 120.0, 240.0],
        &["etag", "properties.resourceGuid", "properties.operationalState"],
        &Gateways,
    ),
    Kind {
        names: names(1, 128),
        ..row(
            POLICY,
            Place::Regional,
            [5.0, 5.0, 5.0],
            &[
                "etag",
                "properties.applicationGateways",
                "properties.httpListeners",
                "properties.pathBasedRules",
                "properties.resourceState",
            ],
            &Policies,
        )
    },
];

const PARTS: [&str; 14] = [
    "gatewayIPConfigurations",
    "frontendPorts",
    "backendAddressPools",
    "backendHttpSettingsCollection",
    "httpListeners",
    "probes",
    "requestRoutingRules",
    "urlPathMaps",
    "redirectConfigurations",
    "rewriteRuleSets",
    "sslCertificates",
    "sslProfiles",
    "trustedRootCertificates",
    "authenticationCertificates",
];

const NAMES: [Names; 8] = [
    ("httpListeners", "frontendIPConfiguration", "frontendIPConfigurations"),
    ("httpListeners", "frontendPort", "frontendPorts"),
    ("httpListeners", "sslCertificate", "sslCertificates"),
    ("backendHttpSettingsCollection", "probe", "probes"),
    ("requestRoutingRules", "httpListener", "httpListeners"),
    ("requestRoutingRules", "backendAddressPool", "backendAddressPools"),
    ("requestRoutingRules", "backendHttpSettings", "backendHttpSettingsCollection"),
    ("requestRoutingRules", "urlPathMap", "urlPathMaps"),
];

/// Without one of each there is no gateway.
const NEEDED: [&str; 7] = [
    "gatewayIPConfigurations",
    "frontendIPConfigurations",
    "frontendPorts",
    "backendAddressPools",
    "backendHttpSettingsCollection",
    "httpListeners",
    "requestRoutingRules",
];

fn check_sku(id: &Id, properties: &mut Value) -> Result<(), Refusal> {
    let tier = text(properties, "sku.tier");
    if ["Standard", "WAF"].iter().any(|old| old.eq_ignore_ascii_case(tier)) {
        return Err(Refusal::bad(
            "AppGatewayV1SkuDeprecated",
            format!(
                "Application Gateway SKU tier {tier} has been deprecated. Supported SKU tiers are Standard_v2,WAF_v2. \
                 Refer https://aka.ms/V1retirement."
            ),
        ));
    }
    let known = &["Basic", "Standard_v2", "WAF_v2"];
    one_of(properties, "sku.tier", known, enumeration("sku.tier"))?;
    one_of(properties, "sku.name", known, enumeration("sku.name"))?;
    let (name, tier) = (text(properties, "sku.name"), text(properties, "sku.tier"));
    if name.is_empty() || name != tier {
        return Err(Refusal::bad(
            "ApplicationGatewayInvalidSkuTier",
            format!("Application Gateway {id} has SKU name '{name}' that does not go with tier '{tier}'."),
        ));
    }
    let scaled = properties["autoscaleConfiguration"].is_object();
    if properties["sku"]["capacity"].is_null() != scaled {
        return Err(Refusal::bad(
            "ApplicationGatewaySkuCapacityAndAutoscale",
            format!("Application Gateway {id} must have either a capacity or an autoscale configuration."),
        ));
    }
    between(properties, "sku.capacity", 1..=125, |value| {
        Refusal::bad(
            "ApplicationGatewayInvalidCapacity",
            format!("Application Gateway {id} capacity {value} is not between 1 and 125."),
        )
    })
}

/// A gateway's subnet is for gateways alone.
fn check_subnet(world: &World, id: &Id, properties: &Value, near: &str) -> Result<(), Refusal> {
    for configuration in list(properties, "gatewayIPConfigurations") {
        let subnet = text(configuration, "properties.subnet.id");
        if subnet.is_empty() {
            return Err(Refusal::bad(
                "SubnetMustBeSpecified",
                format!(
                    "Subnet reference is required for ipconfiguration {id}/gatewayIPConfigurations/{}.",
                    text(configuration, "name")
                ),
            ));
        }
        let subnet = referred(world, subnet, SUBNET, id, "")?;
        let vnet = subnet.id.parent().and_then(|vnet| world.arm.find(&vnet.key()));
        if vnet.is_none_or(|vnet| vnet.location() != near) {
            return Err(super::no_reference(&subnet.id.to_string(), id));
        }
        if let Some(other) = user(world, &subnet.id).filter(|other| other.kind != GATEWAY) {
            return Err(Refusal::bad(
                "ApplicationGatewaySubnetCannotBeUsedByOtherResources",
                format!(
                    "Subnet {} cannot be used for application gateway {} since subnet is not empty. It is in use by \
                     {}.",
                    subnet.id,
                    id.name(),
                    other.id
                ),
            ));
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Gateways;

impl Rules for Gateways {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let id = change.id.clone();
        let near = text(&change.body, "location").to_owned();
        let mut properties = change.body["properties"].take();
        check_sku(&id, &mut properties)?;
        for part in NEEDED {
            if list(&properties, part).is_empty() {
                return Err(unreadable(&format!(
                    "an application gateway has one of properties.{part} at least"
                )));
            }
        }
        check_subnet(world, &id, &properties, &near)?;
        check_frontends(world, &id, &properties, &near)?;
        for frontend in list(&properties, "frontendIPConfigurations") {
            let address = text(frontend, "properties.publicIPAddress.id");
            let basic = named(world, address, ADDRESS)
                .is_some_and(|address| text(&address.body, "sku.name") == "Basic");
            if basic {
                return Err(Refusal::bad(
                    "ApplicationGatewayPublicIpMustBeStandard",
                    format!(
                        "Application Gateway {id} must reference a Standard SKU public IP address, not {address}."
                    ),
                ));
            }
        }
        pool::allocate(world, &id, &mut properties, "frontendIPConfigurations", change.current.as_ref())?;
        for part in PARTS {
            default(&mut properties, part, json!([]));
            dress(&id, &mut properties, part)?;
        }
        check_names(&id, &properties, &NAMES)?;
        for rule in list(&properties, "requestRoutingRules") {
            if rule["properties"]["priority"].is_null() {
                return Err(Refusal::bad(
                    "ApplicationGatewayRequestRoutingRulePriorityCannotBeEmpty",
                    format!(
                        "Priority for the request routing rule {} cannot be empty. All the request routing rules \
                         should have a priority defined starting from api-version 2021-08-01",
                        text(rule, "id")
                    ),
                ));
            }
        }
        let policy = text(&properties, "firewallPolicy.id");
        if !policy.is_empty() {
            if text(&properties, "sku.tier") != "WAF_v2" {
                return Err(Refusal::bad(
                    "ApplicationGatewayFirewallNotConfiguredForSelectedSku",
                    format!(
                        "Application Gateway {id} has a firewall policy, which the SKU tier {} does not support. \
                         Supported SKU tiers are WAF,WAF_v2.",
                        text(&properties, "sku.tier")
                    ),
                ));
            }
            referred(world, policy, POLICY, &id, &near)?;
        }
        default(&mut properties, "operationalState", json!("Running"));
        default(&mut properties, "enableHttp2", json!(false));
        change.body["properties"] = properties;
        guid(world, change);
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        etag(resource, body);
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method != Method::Post {
            return None;
        }
        let state = match call.rest.as_slice() {
            [verb] if verb.eq_ignore_ascii_case("start") => "Running",
            [verb] if verb.eq_ignore_ascii_case("stop") => "Stopped",
            _ => return None,
        };
        let found = world.arm.find_mut(&call.id.key())?;
        put(&mut found.body, "properties.operationalState", json!(state));
        Some(Ok(Response::empty(200)))
    }
}

#[derive(Debug)]
struct Policies;

impl Rules for Policies {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        if list(body, "properties.managedRules.managedRuleSets").is_empty() {
            return Err(Refusal::bad(
                "ApplicationGatewayFirewallPolicyManagedRulesMissing",
                format!("Web application firewall policy {} must have a managed rule set.", change.id),
            ));
        }
        for (name, usual) in [
            ("mode", json!("Detection")),
            ("state", json!("Enabled")),
            ("requestBodyCheck", json!(true)),
            ("maxRequestBodySizeInKb", json!(128)),
            ("fileUploadLimitInMb", json!(100)),
        ] {
            default(body, &format!("properties.policySettings.{name}"), usual);
        }
        one_of(body, "properties.policySettings.mode", &["Detection", "Prevention"], enumeration("mode"))?;
        default(body, "properties.customRules", json!([]));
        let mut seen = std::collections::BTreeSet::new();
        for rule in list(body, "properties.customRules") {
            let priority = rule["priority"].as_i64().unwrap_or_default();
            if !(1..=100).contains(&priority) || !seen.insert(priority) {
                return Err(Refusal::bad(
                    "ApplicationGatewayFirewallCustomRulePriorityInvalid",
                    format!(
                        "The priority {} of custom rule '{}' must be between 1 and 100 and unique.",
                        rule["priority"],
                        text(rule, "name")
                    ),
                ));
            }
        }
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        must_be_free(world, resource, "InUseFirewallPolicyCannotBeDeleted", |own, other| {
            format!("Web application firewall policy {own} is in use by {other} and cannot be deleted.")
        })
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        super::show_some(
            body,
            "applicationGateways",
            naming(world, GATEWAY, "firewallPolicy.id", &resource.id),
        );
        put(body, "properties.resourceState", json!("Enabled"));
        etag(resource, body);
    }
}
