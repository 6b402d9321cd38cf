//! Route tables and their routes.

use serde_json::{Value, json};

use super::inline::{Inline, own_properties};
use super::{SUBNET, TABLE, alone, enumeration, etag, guid, must_be_free, naming, prefix, row, show_some};
use crate::world::World;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Change, Ending, Kind, Place, Rules, What};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default};
use crate::world::checks::{one_of, text};

const ROUTES: Inline = Inline { property: "routes", kind: "routes" };

pub(super) static KINDS: &[Kind] = &[
    row(
        TABLE,
        Place::Regional,
        [5.0, 5.0, 5.0],
        &["properties.subnets", "properties.resourceGuid", "etag"],
        &Tables,
    ),
    row(
        "Microsoft.Network/routeTables/routes",
        Place::Parent,
        [3.0, 3.0, 3.0],
        &["etag", "properties.hasBgpOverride"],
        &Routes,
    ),
];

fn check_route(id: &Id, properties: &mut Value) -> Result<(), Refusal> {
    let target = text(properties, "addressPrefix").to_owned();
    let tag = target.starts_with(|c: char| c.is_ascii_alphabetic());
    if !tag {
        prefix(&target, id)?;
    }
    one_of(
        properties,
        "nextHopType",
        &["VirtualNetworkGateway", "VnetLocal", "Internet", "VirtualAppliance", "None"],
        enumeration("nextHopType"),
    )?;
    let (hop, address) = (text(properties, "nextHopType"), text(properties, "nextHopIpAddress"));
    let fits = match hop {
        "" => false,
        "VirtualAppliance" => address.parse::<std::net::IpAddr>().is_ok(),
        _ => address.is_empty(),
    };
    if fits {
        default(properties, "hasBgpOverride", json!(false));
        return Ok(());
    }
    Err(Refusal::bad(
        "InvalidNextHopIpAddress",
        format!("The next hop '{hop}' of route {id} does not go with the address '{address}'."),
    ))
}

/// Judges the routes of a table together: no two for one block.
fn check_routes(routes: &[(String, Value)]) -> Result<(), Refusal> {
    for (position, (name, route)) in routes.iter().enumerate() {
        let same =
            |other: &Value| text(other, "addressPrefix").eq_ignore_ascii_case(text(route, "addressPrefix"));
        if let Some((other, _)) = routes[..position].iter().find(|(_, other)| same(other)) {
            return Err(Refusal::bad(
                "RouteConflict",
                format!("Route {other} conflicts with route {name}: both have the same address prefix."),
            ));
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Tables;

impl Rules for Tables {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let id = change.id.clone();
        if let Some(mut sent) = ROUTES.aside(change)? {
            let mut routes = Vec::new();
            for child in &mut sent {
                let mut properties = own_properties(child);
                check_route(&id.child("routes", text(child, "name")), &mut properties)?;
                child["properties"] = properties.clone();
                routes.push((text(child, "name").to_owned(), properties));
            }
            check_routes(&routes)?;
            ROUTES.replace(change, &sent);
        }
        guid(world, change);
        default(&mut change.body, "properties.disableBgpRoutePropagation", json!(false));
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, _what: What) -> Ending {
        ROUTES.settle(world, id);
        Ending::Table
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        must_be_free(world, resource, "InUseRouteTableCannotBeDeleted", |own, other| {
            format!("Route table {own} is in use by {other} and cannot be deleted.")
        })
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        ROUTES.show(world, &resource.id, body);
        show_some(body, "subnets", naming(world, SUBNET, "routeTable.id", &resource.id));
        etag(resource, body);
    }
}

#[derive(Debug)]
struct Routes;

impl Rules for Routes {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        alone(world, change.id)?;
        check_route(change.id, &mut change.body["properties"])?;
        let Some(table) = change.id.parent() else { return Ok(()) };
        let mut routes: Vec<(String, Value)> = ROUTES
            .of(world, &table)
            .filter(|other| other.id.key() != change.id.key())
            .map(|other| (other.id.name().to_owned(), other.properties().clone()))
            .collect();
        routes.push((change.id.name().to_owned(), change.body["properties"].clone()));
        check_routes(&routes)
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        etag(resource, body);
    }
}
