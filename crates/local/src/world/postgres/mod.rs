//! PostgreSQL flexible servers. In reading order:
//!
//! - [`servers`]: SKU, storage, version, availability, network, names; starting and stopping. [`skus`]: sizes by tier.
//! - [`copies`]: replicas and their promotion, restores to a point in time.
//! - [`inside`]: databases, firewall rules, administrators, backups, virtual endpoints; [`configurations`]: parameters.
//! - [`capabilities`]: what a region has, as tools ask before they create.

mod capabilities;
mod configurations;
mod copies;
mod inside;
mod servers;
mod skus;
#[cfg(test)]
mod tests;

use super::arm::Resource;
use super::arm::id::Id;
use super::arm::kind::{Change, Depth, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs};
use super::arm::operations;
use super::arm::refusal::Refusal;
use super::checks::text;
use super::{Response, World};

type Answer = Result<Response, Refusal>;

/// After so long a stopped server starts by itself.
const STOPPED: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 7);
const SERVER: &str = "Microsoft.DBforPostgreSQL/flexibleServers";
const BUSY: &str = "ServerIsBusy";
const DELEGATION: &str = "Microsoft.DBforPostgreSQL/flexibleServers";

/// Its clients take 202 and nothing else, even from what has ended.
const REPLIES: Replies = Replies {
    create: Reply { status: 202, headers: Headers::Both, done: 202 },
    replace: Reply { status: 202, headers: Headers::Both, done: 202 },
    patch: Reply { status: 202, headers: Headers::Both, done: 202 },
    delete: Reply { status: 202, headers: Headers::Both, done: 202 },
};

const fn names(from: usize, to: usize, signs: Signs, global: bool) -> Names {
    Names {
        length: (from, to),
        signs,
        global,
        refusal: (
            "InvalidParameterValue",
            "Invalid value given for parameter Name: '{name}'. Specify a valid parameter value.",
        ),
    }
}

const fn child(name: &'static str, seconds: f64, rules: &'static dyn Rules) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: names(1, 128, Signs::Any, false),
        place: Place::Parent,
        seconds: [seconds, seconds, seconds],
        replies: REPLIES,
        busy: BUSY,
        computed: &[],
        spelling: &[],
        rules,
    }
}

pub(super) static KINDS: &[Kind] = &[
    Kind {
        names: names(3, 63, Signs::ServerLike, true),
        place: Place::Regional,
        seconds: [400.0, 120.0, 60.0],
        computed: &[
            "properties.fullyQualifiedDomainName",
            "properties.state",
            "properties.minorVersion",
            "properties.replicaCapacity",
            "properties.replica",
            "properties.backup.earliestRestoreDate",
            "properties.highAvailability.state",
            "properties.network.publicNetworkAccess",
            "properties.privateEndpointConnections",
        ],
        ..child(SERVER, 0.0, &servers::Servers)
    },
    child("Microsoft.DBforPostgreSQL/flexibleServers/databases", 15.0, &inside::Databases),
    child("Microsoft.DBforPostgreSQL/flexibleServers/firewallRules", 15.0, &inside::Firewall),
    child("Microsoft.DBforPostgreSQL/flexibleServers/configurations", 30.0, &configurations::Configurations),
    child("Microsoft.DBforPostgreSQL/flexibleServers/administrators", 15.0, &inside::Administrators),
    child("Microsoft.DBforPostgreSQL/flexibleServers/backups", 60.0, &inside::Backups),
    child("Microsoft.DBforPostgreSQL/flexibleServers/virtualEndpoints", 30.0, &inside::Endpoints),
];

fn wrong(parameter: &str, value: &str) -> Refusal {
    Refusal::bad(
        "InvalidParameterValue",
        format!("Invalid value given for parameter {parameter}: '{value}'. Specify a valid parameter value."),
    )
}

fn busy(operation: &str) -> Refusal {
    Refusal::conflict(
        BUSY,
        format!(
            "Cannot complete operation while the server is busy processing another operation ('{operation}'). Please try again later."
        ),
    )
}

/// The server that something is in.
fn server_of<'a>(world: &'a World, id: &Id) -> Option<&'a Resource> {
    world.arm.find(&id.parent()?.key())
}

fn tier_of(server: &Resource) -> &str {
    text(&server.body, "sku.tier")
}

/// `Ready` or `Stopped`, between operations.
fn state_of(world: &World, server: &Resource) -> &'static str {
    if text(server.properties(), "state") != "Stopped" {
        return "Ready";
    }
    let since = text(&server.private, "stoppedAt").parse::<jiff::Timestamp>().unwrap_or(world.now);
    if world.now.duration_since(since) >= STOPPED { "Ready" } else { "Stopped" }
}

fn not_stopped(world: &World, server: &Resource) -> Result<(), Refusal> {
    if state_of(world, server) == "Ready" {
        return Ok(());
    }
    Err(Refusal::conflict(
        "ServerIsNotReady",
        format!("The server '{}' is stopped: start it before it is changed.", server.id.name()),
    ))
}

/// What is in a server changes while it runs and nothing else happens to it.
fn ready(world: &World, change: &Change) -> Result<(), Refusal> {
    let Some(server) = server_of(world, change.id) else { return Ok(()) };
    if let Some(operation) = operations::under_way(world, &server.id.key()) {
        return Err(busy(&operation.id));
    }
    not_stopped(world, server)
}
