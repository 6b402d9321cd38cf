//! Integration of sites with a virtual network.

use serde_json::{Value, json};

use super::plans::no_network;
use super::tiers::Tier;
use super::{Answer, SUBNET_SERVICE, bad, conflict, is_site, missing, plan_of, tier_of};
use crate::world::arm::gate::object;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, locks, put, take};
use crate::world::checks::{self, text};
use crate::world::network::{Unfit, delegated_to, must_take};
use crate::world::{Method, Response, World};

/// Integration by the site's body: the tier has it, and the subnet is there and delegated, or can be.
pub(super) fn settle(world: &World, change: &mut Change, tier: &Tier) -> Result<(), Refusal> {
    let subnet = text(&change.body, "properties.virtualNetworkSubnetId").to_owned();
    if subnet.is_empty() {
        return Ok(());
    }
    if !tier.dedicated {
        return Err(no_network(tier));
    }
    let near = text(&change.body, "location").to_owned();
    must_join(world, &subnet, &near, Delegation::CanBeMade)
}

/// Whether an empty subnet may still be undelegated: App Service delegates it itself when the site's body names it.
#[derive(Clone, Copy, PartialEq)]
enum Delegation {
    CanBeMade,
    Needed,
}

fn must_join(world: &World, subnet: &str, near: &str, delegation: Delegation) -> Result<(), Refusal> {
    match must_take(world, subnet, near, SUBNET_SERVICE) {
        Ok(_) => Ok(()),
        Err(Unfit::Missing) => Err(missing("Subnet", subnet)),
        Err(Unfit::Elsewhere(found)) => {
            Err(bad(format!("The subnet {} is in another region than the site.", found.id)))
        }
        Err(Unfit::Undelegated(found)) => {
            let free = delegated_to(found).is_empty() && checks::user(world, &found.id).is_none();
            if delegation == Delegation::CanBeMade && free {
                return Ok(());
            }
            Err(bad(format!(
                "The subnet {} is not delegated to {SUBNET_SERVICE}, or is in use by another service.",
                found.id
            )))
        }
    }
}

/// What App Service does to a subnet that a site joins: its delegation, where nobody has made it.
pub(super) fn joined(world: &mut World, site: &Id) {
    let subnet =
        world.arm.find(&site.key()).map(|site| text(site.properties(), "virtualNetworkSubnetId").to_owned());
    let Some(subnet) = subnet.filter(|subnet| !subnet.is_empty()) else { return };
    if let Some(found) = world.arm.find_mut(&subnet)
        && delegated_to(found).is_empty()
    {
        let own = format!("{}/delegations/webapp", found.id);
        put(
            &mut found.body,
            "properties.delegations",
            json!([{"id": own, "name": "webapp", "properties": {"serviceName": SUBNET_SERVICE}}]),
        );
    }
}

/// `networkConfig/virtualNetwork`: the other way to the same, for which the subnet has to be delegated already and
/// no other plan may be in it.
pub(super) fn swift(world: &mut World, call: &Call) -> Option<Answer> {
    if call.rest.len() != 2 || !call.rest[1].eq_ignore_ascii_case("virtualNetwork") {
        return None;
    }
    let site = world.arm.find(&call.id.key())?;
    let method = call.request.method;
    if method == Method::Get {
        return Some(Ok(show(site)));
    }
    if let Err(refusal) = locks::permit(world, &call.id, false) {
        return Some(Err(refusal));
    }
    let subnet = match method {
        Method::Delete => String::new(),
        Method::Put | Method::Patch => match asked(world, site, &call.body) {
            Ok(subnet) => subnet,
            Err(refusal) => return Some(Err(refusal)),
        },
        _ => return None,
    };
    let site = world.arm.find_mut(&call.id.key())?;
    take(&mut site.body, "properties.virtualNetworkSubnetId");
    if subnet.is_empty() {
        return Some(Ok(Response::empty(200)));
    }
    put(&mut site.body, "properties.virtualNetworkSubnetId", json!(subnet));
    Some(Ok(show(site)))
}

fn asked(world: &World, site: &Resource, body: &Value) -> Result<String, Refusal> {
    let tier = tier_of(world, site);
    if !tier.dedicated {
        return Err(no_network(tier));
    }
    let subnet = text(&object(body)?, "properties.subnetResourceId").to_owned();
    must_join(world, &subnet, &site.location(), Delegation::Needed)?;
    let own = plan_of(world, site.properties()).map(|(plan, _)| plan.id.key());
    let other = world.arm.resources.values().find(|other| {
        is_site(&other.kind)
            && text(other.properties(), "virtualNetworkSubnetId").eq_ignore_ascii_case(&subnet)
            && plan_of(world, other.properties()).map(|(plan, _)| plan.id.key()) != own
    });
    match other {
        None => Ok(subnet),
        Some(other) => Err(conflict(format!(
            "The subnet {subnet} is in use by the App Service plan of the site '{}'.",
            other.id.name()
        ))),
    }
}

fn show(site: &Resource) -> Response {
    Response::json(
        200,
        &json!({"id": format!("{}/networkConfig/virtualNetwork", site.id), "name": "virtualNetwork",
                "type": format!("{}/networkConfig", site.kind), "location": super::shown_location(site),
                "properties": {"subnetResourceId": site.properties()["virtualNetworkSubnetId"], "swiftSupported": true}}),
    )
}

/// `virtualNetworkConnections`: the same seen from the network's side.
pub(super) fn connections(world: &World, call: &Call) -> Option<Answer> {
    let site = world.arm.find(&call.id.key())?;
    let subnet = Id::parse(text(site.properties(), "virtualNetworkSubnetId"));
    let shown: Vec<Value> = subnet
        .iter()
        .map(|subnet| {
            let name = format!("{}_{}", site.id.name(), subnet.name());
            json!({"id": format!("{}/virtualNetworkConnections/{name}", site.id), "name": name,
                   "type": format!("{}/virtualNetworkConnections", site.kind), "location": super::shown_location(site),
                   "properties": {"vnetResourceId": subnet.to_string(), "isSwift": true, "resyncRequired": false,
                                  "certThumbprint": null, "routes": null}})
        })
        .collect();
    match call.rest.get(1) {
        None => Some(Ok(Response::json(200, &json!(shown)))),
        Some(name) => Some(
            shown
                .iter()
                .find(|it| text(it, "name").eq_ignore_ascii_case(name))
                .map(|it| Response::json(200, it))
                .ok_or_else(|| missing("VirtualNetworkConnection", name)),
        ),
    }
}
