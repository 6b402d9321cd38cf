//! Roles over the data of an account (learn.microsoft.com/azure/cosmos-db/nosql/reference-data-plane-roles).

use serde_json::{Value, json};

use super::{ACCOUNT, account_of, bad};
use crate::world::World;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Change, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put, resources, take};
use crate::world::checks::{list, named, one_of, text};

pub(super) const DEFINITION: &str = "Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions";
pub(super) const ASSIGNMENT: &str = "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments";

const READ: &[&str] = &[
    "Microsoft.DocumentDB/databaseAccounts/readMetadata",
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/read",
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/executeQuery",
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/readChangeFeed",
];
const WRITE: &[&str] = &[
    "Microsoft.DocumentDB/databaseAccounts/readMetadata",
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/*",
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/*",
];

/// The two roles that every account has.
pub(super) fn found(world: &mut World, account: &Id) {
    for (id, name, actions) in [
        ("00000000-0000-0000-0000-000000000001", "Cosmos DB Built-in Data Reader", READ),
        ("00000000-0000-0000-0000-000000000002", "Cosmos DB Built-in Data Contributor", WRITE),
    ] {
        let body = json!({"properties": {"roleName": name, "type": "BuiltInRole",
            "assignableScopes": [account.to_string()], "permissions": [{"dataActions": actions, "notDataActions": []}]}});
        resources::grow(world, &account.child("sqlRoleDefinitions", id), body, Value::Null);
    }
}

fn must_be_uuid(id: &Id) -> Result<(), Refusal> {
    match uuid::Uuid::try_parse(id.name()) {
        Ok(_) => Ok(()),
        Err(_) => Err(bad(format!("The name '{}' of a role is no GUID.", id.name()))),
    }
}

/// A scope is the account, or a database or container in it.
fn within(account: &Resource, scope: &str) -> bool {
    let (own, scope) = (account.id.key(), scope.to_ascii_lowercase());
    let rest = scope.strip_prefix(&own);
    rest.is_some_and(|rest| rest.is_empty() || rest == "/" || rest.starts_with("/dbs/"))
}

#[derive(Debug)]
pub(super) struct Definitions;

impl Rules for Definitions {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        must_be_uuid(change.id)?;
        let Some(account) = account_of(world, change.id) else { return Ok(()) };
        if change.current.as_ref().is_some_and(|it| text(it.properties(), "type") == "BuiltInRole") {
            return Err(bad("A built-in role cannot be changed."));
        }
        let body = &mut change.body;
        default(body, "properties.type", json!("CustomRole"));
        one_of(body, "properties.type", &["CustomRole", "BuiltInRole"], |value| {
            bad(format!("The type '{value}' of a role is invalid."))
        })?;
        let name = text(body, "properties.roleName").to_owned();
        if name.is_empty() {
            return Err(bad("A role needs its name."));
        }
        let taken = world.arm.below(&account.id).any(|(key, other)| {
            other.kind == DEFINITION
                && *key != change.id.key()
                && text(other.properties(), "roleName").eq_ignore_ascii_case(&name)
        });
        if taken {
            return Err(Refusal::conflict(
                "Conflict",
                format!("A role with the name '{name}' exists already."),
            ));
        }
        let scopes = list(body, "properties.assignableScopes");
        if scopes.is_empty() || !scopes.iter().all(|it| it.as_str().is_some_and(|it| within(account, it))) {
            return Err(bad(
                "The assignable scopes of a role are the account, or databases and containers in it.",
            ));
        }
        let prefix = format!("{}/", ACCOUNT.to_ascii_lowercase());
        let actions: Vec<&Value> =
            list(body, "properties.permissions").iter().flat_map(|it| list(it, "dataActions")).collect();
        let known = |it: &&Value| it.as_str().is_some_and(|it| it.to_ascii_lowercase().starts_with(&prefix));
        if actions.is_empty() || !actions.iter().all(known) {
            return Err(bad(
                "The permissions of a role are data actions of Microsoft.DocumentDB/databaseAccounts.",
            ));
        }
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        if text(resource.properties(), "type") == "BuiltInRole" {
            return Err(bad("A built-in role cannot be deleted."));
        }
        let held = account_of(world, &resource.id).is_some_and(|account| {
            world.arm.below(&account.id).any(|(_, other)| {
                other.kind == ASSIGNMENT
                    && text(other.properties(), "roleDefinitionId")
                        .eq_ignore_ascii_case(&resource.id.to_string())
            })
        });
        if held {
            return Err(bad("A role cannot be deleted while it is assigned."));
        }
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }
}

#[derive(Debug)]
pub(super) struct Assignments;

impl Rules for Assignments {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        must_be_uuid(change.id)?;
        let Some(account) = account_of(world, change.id) else { return Ok(()) };
        let wanted = text(&change.body, "properties.roleDefinitionId").to_owned();
        let role = named(world, &wanted, DEFINITION)
            .filter(|role| account_of(world, &role.id).is_some_and(|own| own.id.key() == account.id.key()));
        let Some(role) = role else {
            return Err(Refusal::missing(
                "NotFound",
                format!("The role definition '{wanted}' does not exist."),
            ));
        };
        let scope = text(&change.body, "properties.scope").to_owned();
        if !within(account, &scope) {
            return Err(bad(format!("The scope '{scope}' is not within the account.")));
        }
        let who = text(&change.body, "properties.principalId").to_owned();
        if uuid::Uuid::try_parse(&who).is_err() {
            return Err(bad(format!("The principal '{who}' is no object id.")));
        }
        let same = |other: &Resource, name: &str| {
            text(other.properties(), name).eq_ignore_ascii_case(text(&change.body["properties"], name))
        };
        let twice = world.arm.below(&account.id).any(|(key, other)| {
            other.kind == ASSIGNMENT
                && *key != change.id.key()
                && ["roleDefinitionId", "scope", "principalId"].iter().all(|name| same(other, name))
        });
        if twice {
            return Err(Refusal::conflict("Conflict", "The same role is assigned already."));
        }
        if change
            .current
            .as_ref()
            .is_some_and(|it| !text(it.properties(), "principalId").eq_ignore_ascii_case(&who))
        {
            return Err(bad("The principal of an assignment cannot be changed."));
        }
        put(&mut change.body, "properties.roleDefinitionId", json!(role.id.to_string()));
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }
}
