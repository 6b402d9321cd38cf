//! Cosmos DB. In reading order:
//!
//! - [`accounts`]: regions and their failover, consistency, backups, capabilities, keys.
//! - [`data`]: databases, containers and their kin of every API; [`throughput`]: what they are given.
//! - [`roles`]: who may do what with the data.

mod accounts;
mod data;
mod roles;
#[cfg(test)]
mod tests;
mod throughput;

use super::arm::Resource;
use super::arm::id::Id;
use super::arm::kind::{Depth, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs};
use super::arm::refusal::Refusal;
use super::checks::{list, text};
use super::{Response, World};

const ACCOUNT: &str = "Microsoft.DocumentDB/databaseAccounts";

type Answer = Result<Response, Refusal>;

/// Its clients take 200 of a PUT and 202 of a DELETE, even from what has ended.
const REPLIES: Replies = Replies {
    create: Reply { status: 200, headers: Headers::Both, done: 200 },
    replace: Reply { status: 200, headers: Headers::Both, done: 200 },
    patch: Reply { status: 200, headers: Headers::Both, done: 200 },
    delete: Reply { status: 202, headers: Headers::Both, done: 202 },
};

const fn child(name: &'static str, rules: &'static dyn Rules) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: Names {
            length: (1, 255),
            signs: Signs::Any,
            global: false,
            refusal: ("BadRequest", "The name '{name}' is invalid."),
        },
        place: Place::Parent,
        seconds: [15.0, 10.0, 10.0],
        replies: Replies {
            create: Reply { status: 202, headers: Headers::Both, done: 200 },
            replace: Reply { status: 202, headers: Headers::Both, done: 200 },
            ..REPLIES
        },
        busy: "Conflict",
        computed: &[],
        spelling: &[],
        rules,
    }
}

pub(super) static KINDS: &[Kind] = &[
    Kind {
        names: Names {
            length: (3, 44),
            signs: Signs::ServerLike,
            global: true,
            refusal: (
                "BadRequest",
                "Invalid account name '{name}': it has 3 to 44 lower-case letters, digits and hyphens.",
            ),
        },
        place: Place::Regional,
        seconds: [300.0, 60.0, 120.0],
        replies: REPLIES,
        computed: &[
            "properties.documentEndpoint",
            "properties.readLocations",
            "properties.writeLocations",
            "properties.failoverPolicies",
            "properties.instanceId",
            "properties.privateEndpointConnections",
        ],
        ..child(ACCOUNT, &accounts::Accounts)
    },
    child("Microsoft.DocumentDB/databaseAccounts/sqlDatabases", &data::Databases),
    child("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers", &data::Containers),
    child("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/storedProcedures", &data::Scripts),
    child("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/triggers", &data::Scripts),
    child(
        "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/userDefinedFunctions",
        &data::Scripts,
    ),
    child("Microsoft.DocumentDB/databaseAccounts/mongodbDatabases", &data::Databases),
    child("Microsoft.DocumentDB/databaseAccounts/mongodbDatabases/collections", &data::Containers),
    child("Microsoft.DocumentDB/databaseAccounts/gremlinDatabases", &data::Databases),
    child("Microsoft.DocumentDB/databaseAccounts/gremlinDatabases/graphs", &data::Containers),
    child("Microsoft.DocumentDB/databaseAccounts/cassandraKeyspaces", &data::Databases),
    child("Microsoft.DocumentDB/databaseAccounts/cassandraKeyspaces/tables", &data::Containers),
    child("Microsoft.DocumentDB/databaseAccounts/tables", &data::Containers),
    child(roles::DEFINITION, &roles::Definitions),
    child(roles::ASSIGNMENT, &roles::Assignments),
];

fn bad(message: impl std::fmt::Display) -> Refusal {
    Refusal::bad("BadRequest", message.to_string())
}

fn account_of<'a>(world: &'a World, id: &Id) -> Option<&'a Resource> {
    id.ancestors().into_iter().find_map(|id| world.arm.find(&id.key()).filter(|it| it.kind == ACCOUNT))
}

fn has_capability(account: &Resource, name: &str) -> bool {
    list(account.properties(), "capabilities").iter().any(|it| text(it, "name").eq_ignore_ascii_case(name))
}

fn serverless(account: &Resource) -> bool {
    has_capability(account, "EnableServerless")
}
