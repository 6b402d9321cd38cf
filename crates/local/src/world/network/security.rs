//! Network security groups, their rules, and application security groups.

use serde_json::{Value, json};

use super::cidr::Cidr;
use super::inline::{Inline, own_properties};
use super::{
    GROUP, SUBNET, alone, enumeration, etag, guid, must_be_free, must_refer, naming, row, show_some,
};
use crate::world::World;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Change, Ending, Kind, Place, Rules, What};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put};
use crate::world::checks::{between, list, one_of, text};

const RULES: Inline = Inline { property: "securityRules", kind: "securityRules" };
const APPLICATIONS: &str = "Microsoft.Network/applicationSecurityGroups";
/// Rules of one group. (azure/azure-resource-manager/management/azure-subscription-service-limits)
const RULES_MAX: usize = 1000;
/// Both sides of a rule: one address, several, application security groups; one port, several.
const SIDES: [(&str, &str, &str, &str, &str); 2] = [
    (
        "sourceAddressPrefix",
        "sourceAddressPrefixes",
        "sourceApplicationSecurityGroups",
        "sourcePortRange",
        "sourcePortRanges",
    ),
    (
        "destinationAddressPrefix",
        "destinationAddressPrefixes",
        "destinationApplicationSecurityGroups",
        "destinationPortRange",
        "destinationPortRanges",
    ),
];

pub(super) static KINDS: &[Kind] = &[
    row(
        GROUP,
        Place::Regional,
        [5.0, 5.0, 5.0],
        &[
            "properties.resourceGuid",
            "properties.defaultSecurityRules",
            "properties.subnets",
            "properties.networkInterfaces",
            "etag",
        ],
        &Groups,
    ),
    row(
        "Microsoft.Network/networkSecurityGroups/securityRules",
        Place::Parent,
        [3.0, 3.0, 3.0],
        &["etag"],
        &SecurityRules,
    ),
    row(APPLICATIONS, Place::Regional, [3.0, 3.0, 3.0], &["etag", "properties.resourceGuid"], &Applications),
];

/// The values of a property in the singular and of its plural.
fn all<'a>(properties: &'a Value, one: &str, many: &str) -> Vec<&'a str> {
    let one = properties[one].as_str().filter(|one| !one.is_empty());
    one.into_iter().chain(list(properties, many).iter().filter_map(Value::as_str)).collect()
}

fn missing(id: &Id, what: &str) -> Refusal {
    Refusal::bad(
        "SecurityRuleParametersMissing",
        format!(
            "Required security rule parameters are missing for security rule with Id: {id}. Security rule must \
             specify {what}."
        ),
    )
}

/// Judges one rule and completes it.
fn check_rule(world: &World, id: &Id, properties: &mut Value, near: &str) -> Result<(), Refusal> {
    for name in ["protocol", "access", "direction", "priority"] {
        if properties[name].is_null() {
            return Err(missing(id, name));
        }
    }
    one_of(properties, "protocol", &["Tcp", "Udp", "Icmp", "Esp", "Ah", "*"], enumeration("protocol"))?;
    one_of(properties, "access", &["Allow", "Deny"], enumeration("access"))?;
    one_of(properties, "direction", &["Inbound", "Outbound"], enumeration("direction"))?;
    between(properties, "priority", 100..=4096, |value| {
        Refusal::bad(
            "SecurityRuleInvalidPriority",
            format!("Security rule has invalid Priority. Value provided: {value}. Allowed range 100-4096."),
        )
    })?;
    for (address, addresses, groups, port, ports) in SIDES {
        let named = list(properties, groups);
        if all(properties, address, addresses).is_empty() && named.is_empty() {
            return Err(missing(id, &format!("{addresses}, {address}, or {groups}")));
        }
        if all(properties, port, ports).is_empty() {
            return Err(missing(id, &format!("{ports}, {port}")));
        }
        for group in named {
            must_refer(world, group, "id", APPLICATIONS, id, near)?;
        }
        all(properties, port, ports).into_iter().try_for_each(check_port)?;
        all(properties, address, addresses).into_iter().try_for_each(check_address)?;
        for many in [addresses, ports] {
            // what stands for everything stands alone
            if list(properties, many).len() > 1 && list(properties, many).iter().any(|it| it == "*") {
                return Err(Refusal::bad(
                    "SecurityRuleParameterContainsUnsupportedValue",
                    format!(
                        "Security rule parameter {many} for rule with Id {id} cannot contain '*' beside others."
                    ),
                ));
            }
            default(properties, many, json!([]));
        }
    }
    Ok(())
}

fn check_port(range: &str) -> Result<(), Refusal> {
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    let read = (from.trim().parse::<u16>(), to.trim().parse::<u16>());
    if range == "*" || matches!(read, (Ok(from), Ok(to)) if from <= to) {
        return Ok(());
    }
    Err(Refusal::bad(
        "SecurityRuleInvalidPortRange",
        format!(
            "Security rule has invalid Port range. Value provided: {range}. Value should be an integer OR integer \
             range with '-' delimiter. Valid range 0-65535."
        ),
    ))
}

fn check_address(address: &str) -> Result<(), Refusal> {
    let tag = address.starts_with(|c: char| c.is_ascii_alphabetic())
        && address.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    if address == "*" || tag || Cidr::parse(address).is_some() || Cidr::host(address).is_some() {
        return Ok(());
    }
    Err(Refusal::bad(
        "SecurityRuleInvalidAddressPrefix",
        format!("Security rule has invalid Address prefix. Value provided: {address}"),
    ))
}

/// Judges the rules of a group together.
fn check_rules(rules: &[(String, Value)]) -> Result<(), Refusal> {
    if rules.len() > RULES_MAX {
        return Err(Refusal::bad(
            "SecurityRuleLimitReached",
            format!("A network security group has {RULES_MAX} security rules at most."),
        ));
    }
    for (position, (name, rule)) in rules.iter().enumerate() {
        let same = |other: &Value| {
            other["priority"] == rule["priority"]
                && text(other, "direction").eq_ignore_ascii_case(text(rule, "direction"))
        };
        if let Some((other, _)) = rules[..position].iter().find(|(_, other)| same(other)) {
            return Err(Refusal::bad(
                "SecurityRuleConflict",
                format!(
                    "Security rule {other} conflicts with rule {name}. Rules cannot have the same Priority and \
                     Direction. To learn more, see aka.ms/nsgrules."
                ),
            ));
        }
    }
    Ok(())
}

fn default_rules(id: &Id) -> Value {
    const RULES: [(&str, &str, &str, &str, &str, &str, u32); 6] = [
        ("AllowVnetInBound", "Inbound", "Allow", "*", "VirtualNetwork", "VirtualNetwork", 65000),
        ("AllowAzureLoadBalancerInBound", "Inbound", "Allow", "*", "AzureLoadBalancer", "*", 65001),
        ("DenyAllInBound", "Inbound", "Deny", "*", "*", "*", 65500),
        ("AllowVnetOutBound", "Outbound", "Allow", "*", "VirtualNetwork", "VirtualNetwork", 65000),
        ("AllowInternetOutBound", "Outbound", "Allow", "*", "*", "Internet", 65001),
        ("DenyAllOutBound", "Outbound", "Deny", "*", "*", "*", 65500),
    ];
    RULES
        .iter()
        .map(|(name, direction, access, protocol, from, to, priority)| {
            json!({
                "id": format!("{id}/defaultSecurityRules/{name}"), "name": name,
                "type": "Microsoft.Network/networkSecurityGroups/defaultSecurityRules",
                "properties": {
                    "provisioningState": "Succeeded", "protocol": protocol, "access": access,
                    "direction": direction, "priority": priority,
                    "sourcePortRange": "*", "destinationPortRange": "*",
                    "sourceAddressPrefix": from, "destinationAddressPrefix": to,
                    "sourcePortRanges": [], "destinationPortRanges": [],
                    "sourceAddressPrefixes": [], "destinationAddressPrefixes": [],
                },
            })
        })
        .collect()
}

#[derive(Debug)]
struct Groups;

impl Rules for Groups {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let id = change.id.clone();
        let near = text(&change.body, "location").to_owned();
        if let Some(mut sent) = RULES.aside(change)? {
            let mut rules = Vec::new();
            for child in &mut sent {
                let mut properties = own_properties(child);
                let own = id.child("securityRules", text(child, "name"));
                check_rule(world, &own, &mut properties, &near)?;
                child["properties"] = properties.clone();
                rules.push((text(child, "name").to_owned(), properties));
            }
            check_rules(&rules)?;
            RULES.replace(change, &sent);
        }
        guid(world, change);
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, _what: What) -> Ending {
        RULES.settle(world, id);
        Ending::Table
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        must_be_free(world, resource, "InUseNetworkSecurityGroupCannotBeDeleted", |own, other| {
            format!(
                "Network security group {own} cannot be deleted because it is in use by the following resources: \
                 {other}. In order to delete the Network security group, remove the association with the resource(s). \
                 To learn how to do this, see aka.ms/deletensg."
            )
        })
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        RULES.show(world, &resource.id, body);
        put(body, "properties.defaultSecurityRules", default_rules(&resource.id));
        for (name, kind) in [("subnets", SUBNET), ("networkInterfaces", super::interfaces::INTERFACE)] {
            show_some(body, name, naming(world, kind, "networkSecurityGroup.id", &resource.id));
        }
        etag(resource, body);
    }
}

#[derive(Debug)]
struct SecurityRules;

impl Rules for SecurityRules {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        alone(world, change.id)?;
        let mut properties = change.body["properties"].clone();
        let Some(parent) = change.id.parent() else { return Ok(()) };
        let near = world.arm.find(&parent.key()).map(Resource::location).unwrap_or_default();
        check_rule(world, change.id, &mut properties, &near)?;
        let mut all: Vec<(String, Value)> = RULES
            .of(world, &parent)
            .filter(|other| other.id.key() != change.id.key())
            .map(|other| (other.id.name().to_owned(), other.properties().clone()))
            .collect();
        all.push((change.id.name().to_owned(), properties.clone()));
        check_rules(&all)?;
        change.body["properties"] = properties;
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        alone(world, &resource.id)
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        etag(resource, body);
    }
}

#[derive(Debug)]
struct Applications;

impl Rules for Applications {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        guid(world, change);
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        must_be_free(world, resource, "InUseApplicationSecurityGroupCannotBeDeleted", |own, other| {
            format!("Application security group {own} cannot be deleted because it is in use by: {other}.")
        })
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        etag(resource, body);
    }
}
