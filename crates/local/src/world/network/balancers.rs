//! Load balancers: frontends with their addresses, and rules that name parts of the balancer itself.

use serde_json::{Value, json};

use super::{ADDRESS, SUBNET, dress, enumeration, etag, guid, no_reference, pool, referred, row, subnets};
use crate::world::World;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Change, Kind, Place, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default};
use crate::world::checks::{list, one_of, text};

pub(super) static KINDS: &[Kind] = &[row(
    "Microsoft.Network/loadBalancers",
    Place::Regional,
    [10.0, 10.0, 10.0],
    &["etag", "properties.resourceGuid"],
    &Balancers,
)];

/// Lists of parts beside the frontends.
const PARTS: [&str; 6] = [
    "backendAddressPools",
    "probes",
    "loadBalancingRules",
    "inboundNatRules",
    "outboundRules",
    "inboundNatPools",
];

/// What a part of a resource may name within it: the part's list, the property that names, the list it names from.
pub(super) type Names = (&'static str, &'static str, &'static str);

const NAMES: [Names; 6] = [
    ("loadBalancingRules", "frontendIPConfiguration", "frontendIPConfigurations"),
    ("loadBalancingRules", "backendAddressPool", "backendAddressPools"),
    ("loadBalancingRules", "probe", "probes"),
    ("inboundNatRules", "frontendIPConfiguration", "frontendIPConfigurations"),
    ("inboundNatRules", "backendAddressPool", "backendAddressPools"),
    ("outboundRules", "backendAddressPool", "backendAddressPools"),
];

/// Refuses parts that name other parts which are not there.
pub(super) fn check_names(id: &Id, properties: &Value, names: &[Names]) -> Result<(), Refusal> {
    for (part, property, from) in names {
        for item in list(properties, part) {
            let wanted = text(item, &format!("properties.{property}.id"));
            if wanted.is_empty() {
                continue;
            }
            let there = list(properties, from).iter().any(|it| text(it, "id").eq_ignore_ascii_case(wanted));
            if !there {
                let by = text(item, "id").to_owned();
                return Err(no_reference(wanted, &Id::parse(&by).unwrap_or_else(|| id.clone())));
            }
        }
    }
    Ok(())
}

/// Judges the frontends of what answers for applications: a subnet or a public address each, free and near.
pub(super) fn check_frontends(world: &World, id: &Id, properties: &Value, near: &str) -> Result<(), Refusal> {
    for frontend in list(properties, "frontendIPConfigurations") {
        let (subnet, address) =
            (text(frontend, "properties.subnet.id"), text(frontend, "properties.publicIPAddress.id"));
        let prefix = text(frontend, "properties.publicIPPrefix.id");
        if !prefix.is_empty() {
            referred(world, prefix, super::addresses::PREFIX, id, near)?;
        } else if subnet.is_empty() == address.is_empty() {
            return Err(Refusal::bad(
                "FrontendIPConfigurationMustHaveSubnetOrPublicIp",
                format!(
                    "The frontend IP configuration {id}/frontendIPConfigurations/{} must reference either a subnet or \
                     a public IP address.",
                    text(frontend, "name")
                ),
            ));
        }
        if !address.is_empty() {
            let address = referred(world, address, ADDRESS, id, near)?;
            super::addresses::must_be_unused(world, &address.id, id)?;
        }
        if !subnet.is_empty() {
            subnets::must_be_shared(world, referred(world, subnet, SUBNET, id, "")?, id)?;
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Balancers;

impl Rules for Balancers {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let id = change.id.clone();
        let near = text(&change.body, "location").to_owned();
        default(&mut change.body, "sku", json!({"name": "Standard"}));
        default(&mut change.body, "sku.tier", json!("Regional"));
        one_of(&mut change.body, "sku.name", &["Basic", "Standard", "Gateway"], enumeration("sku.name"))?;
        if text(&change.body, "sku.name") == "Basic" && change.current.is_none() {
            return Err(Refusal::bad(
                "BasicLoadBalancerRetired",
                "Basic Load Balancer was retired on September 30, 2025; create a Standard Load Balancer instead.",
            ));
        }
        let mut properties = change.body["properties"].take();
        check_frontends(world, &id, &properties, &near)?;
        for frontend in list(&properties, "frontendIPConfigurations") {
            let address = text(frontend, "properties.publicIPAddress.id");
            let basic = crate::world::checks::named(world, address, ADDRESS)
                .is_some_and(|address| text(&address.body, "sku.name") == "Basic");
            if basic {
                return Err(Refusal::bad(
                    "PublicIPAndLBSkuDoNotMatch",
                    format!("Standard sku load balancer {id} cannot reference Basic sku publicIP {address}."),
                ));
            }
        }
        pool::allocate(world, &id, &mut properties, "frontendIPConfigurations", change.current.as_ref())?;
        for part in PARTS {
            default(&mut properties, part, json!([]));
            dress(&id, &mut properties, part)?;
        }
        check_names(&id, &properties, &NAMES)?;
        change.body["properties"] = properties;
        guid(world, change);
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        etag(resource, body);
    }
}
