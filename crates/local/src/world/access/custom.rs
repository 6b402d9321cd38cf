//! Custom roles: made, changed and removed by `roleDefinitions` at any scope, and enforced as the built-in ones.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::arm::gate::{authorize, object};
use super::super::arm::id::Id;
use super::super::arm::refusal::Refusal;
use super::super::arm::{Ask, SystemData, locks, stamp};
use super::super::{Method, Response, World};
use super::roles::{self, fits};
use super::{Act, Answer, DEFINITIONS, covers, no_such_role};

/// One custom role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Custom {
    /// GUID.
    pub id: String,
    /// Display name, one of each in a tenant.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Scopes at which it can be assigned.
    pub assignable: Vec<String>,
    /// Actions, taken from the actions, data actions, taken from these.
    pub lists: [Vec<String>; 4],
    /// When and by whom.
    pub system: SystemData,
}

/// The names of the four lists of a permission.
const LISTS: [&str; 4] = ["actions", "notActions", "dataActions", "notDataActions"];

impl Custom {
    /// Whether it allows something.
    pub fn allows(&self, act: Act<'_>) -> bool {
        let (wanted, granted, taken) = match act {
            Act::Control(action) => (action, &self.lists[0], &self.lists[1]),
            Act::Data(action) => (action, &self.lists[2], &self.lists[3]),
        };
        granted.iter().any(|pattern| fits(pattern, wanted))
            && !taken.iter().any(|pattern| fits(pattern, wanted))
    }

    /// Its permission as Azure shows it.
    pub fn permission(&self) -> Value {
        LISTS.iter().zip(&self.lists).map(|(name, list)| ((*name).to_owned(), json!(list))).collect()
    }

    /// Refuses an assignment over a scope that the role does not name.
    ///
    /// # Errors
    /// `RoleDefinitionNotAssignable…` in Azure's words.
    pub fn must_be_assignable(&self, scope: &str) -> Result<(), Refusal> {
        if self.assignable.iter().any(|it| covers(it, scope)) {
            return Ok(());
        }
        Err(Refusal::bad(
            "RoleDefinitionScopeNotAssignable",
            format!("The role definition '{}' is not assignable at the scope '{scope}'.", self.id),
        ))
    }

    pub(super) fn show(&self, scope: &Id) -> Value {
        let base = scope.subscription.as_ref().map_or(String::new(), |it| format!("/subscriptions/{it}"));
        json!({
            "properties": {
                "roleName": self.name, "type": "CustomRole", "description": self.description,
                "assignableScopes": self.assignable, "permissions": [self.permission()],
                "createdOn": stamp(self.system.created_at), "updatedOn": stamp(self.system.modified_at),
                "createdBy": self.system.created_by, "updatedBy": self.system.modified_by,
            },
            "id": format!("{base}/providers/{DEFINITIONS}/{}", self.id),
            "type": DEFINITIONS,
            "name": self.id,
        })
    }
}

/// `…/roleDefinitions/GUID`.
pub(super) fn serve(world: &mut World, ask: &Ask) -> Answer {
    let (id, scope) = (&ask.path.id, ask.path.id.scope());
    let key = id.name().to_ascii_lowercase();
    let verb = match ask.request.method {
        Method::Get | Method::Head => "read",
        Method::Delete => "delete",
        _ => "write",
    };
    authorize(world, ask.caller, &format!("{DEFINITIONS}/{verb}"), &scope)?;
    match ask.request.method {
        Method::Get | Method::Head => match world.access.custom.get(&key) {
            Some(role) => Ok(Response::json(200, &role.show(&scope))),
            None => Err(no_such_role(id.name())),
        },
        Method::Put => put(world, ask, &scope),
        Method::Delete => {
            if roles::find(&key).is_some() {
                return Err(Refusal::bad("CannotDeleteBuiltInRole", "A built-in role cannot be deleted."));
            }
            let Some(role) = world.access.custom.get(&key).cloned() else { return Ok(Response::empty(204)) };
            if world.access.assignments.values().any(|it| it.role.eq_ignore_ascii_case(&key)) {
                return Err(Refusal::bad(
                    "RoleDefinitionHasAssignments",
                    "There are existing role assignments referencing role.",
                ));
            }
            locks::permit(world, id, true)?;
            world.access.custom.remove(&key);
            Ok(Response::json(200, &role.show(&scope)))
        }
        Method::Patch | Method::Post | Method::Options => {
            Err(Refusal::new(405, "MethodNotAllowed", "A role definition takes GET, PUT and DELETE."))
        }
    }
}

fn put(world: &mut World, ask: &Ask, scope: &Id) -> Answer {
    let id = &ask.path.id;
    let key = id.name().to_ascii_lowercase();
    if uuid::Uuid::try_parse(id.name()).is_err() {
        return Err(Refusal::bad(
            "InvalidRoleDefinitionId",
            format!("The role definition ID '{}' is not valid. It must be a GUID.", id.name()),
        ));
    }
    if roles::find(&key).is_some() {
        return Err(Refusal::bad("CannotUpdateBuiltInRole", "A built-in role cannot be changed."));
    }
    let body = object(ask.body)?;
    let properties = &body["properties"];
    let name = properties["roleName"].as_str().unwrap_or_default().to_owned();
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
    };
    let assignable = texts(&properties["assignableScopes"]);
    if name.is_empty() || name.chars().count() > 128 {
        return Err(Refusal::bad("InvalidRoleDefinitionName", "A role has a name of 1 to 128 characters."));
    }
    if assignable.is_empty() {
        return Err(Refusal::bad("MissingAssignableScopes", "A custom role names its assignableScopes."));
    }
    for one in &assignable {
        let known = one.starts_with('/')
            && one != "/"
            && covers(&format!("/subscriptions/{}", world.config.subscription), one);
        if !known {
            return Err(Refusal::bad(
                "InvalidAssignableScope",
                format!(
                    "The assignable scope '{one}' is none of this tenant's subscriptions, groups or resources."
                ),
            ));
        }
        let there = Id::parse(one).unwrap_or_default();
        authorize(world, ask.caller, &format!("{DEFINITIONS}/write"), &there)?;
    }
    let mut lists: [Vec<String>; 4] = Default::default();
    for permission in properties["permissions"].as_array().into_iter().flatten() {
        for (list, name) in lists.iter_mut().zip(LISTS) {
            list.extend(texts(&permission[name]));
        }
    }
    if lists[0].is_empty() && lists[2].is_empty() {
        return Err(Refusal::bad(
            "MissingPermissions",
            "A custom role needs at least one action or data action.",
        ));
    }
    if let Some(wrong) = lists.iter().flatten().find(|action| **action != "*" && !action.contains('/')) {
        return Err(Refusal::bad(
            "InvalidActionOrNotAction",
            format!("'{wrong}' does not match any of the actions."),
        ));
    }
    if let Some(other) =
        world.access.custom.values().find(|other| other.name.eq_ignore_ascii_case(&name) && other.id != key)
    {
        return Err(Refusal::conflict(
            "RoleDefinitionWithSameNameExists",
            format!("A custom role with the same name already exists: '{name}' is {}.", other.id),
        ));
    }
    locks::permit(world, id, false)?;
    let (now, by) = (world.now, ask.caller.object_id.clone());
    let system = match world.access.custom.get(&key) {
        Some(known) => SystemData { modified_by: by, modified_at: now, ..known.system.clone() },
        None => SystemData { created_by: by.clone(), created_at: now, modified_by: by, modified_at: now },
    };
    let role = Custom {
        id: key.clone(),
        name,
        description: properties["description"].as_str().unwrap_or_default().to_owned(),
        assignable,
        lists,
        system,
    };
    let shown = role.show(scope);
    world.access.custom.insert(key, role);
    Ok(Response::json(201, &shown))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::world::Method;
    use crate::world::testing::{Lab, SUB, rg};

    fn role(name: &str, actions: Value) -> Value {
        json!({"properties": {"roleName": name, "description": "d", "type": "CustomRole", "assignableScopes":
            [format!("{SUB}/resourceGroups/rg")], "permissions": [{"actions": actions, "notActions": ["*/delete"]}]}})
    }

    #[test]
    fn a_custom_role_is_made_enforced_and_kept_while_assigned() {
        let mut lab = Lab::new(0.0);
        let at = |n: u32| {
            format!("{SUB}/providers/Microsoft.Authorization/roleDefinitions/00000000-0000-0000-0000-{n:012}")
        };
        lab.put(&at(1), role("reader of groups", json!([]))).refused(400, "MissingPermissions");
        let actions = json!(["Microsoft.Network/virtualNetworks/*"]);
        let made = lab.put(&at(1), role("networker", actions.clone())).ok(201).json;
        assert_eq!(made["properties"]["type"], "CustomRole");
        lab.put(&at(2), role("Networker", actions)).refused(409, "RoleDefinitionWithSameNameExists");
        let listed = lab
            .get(&format!(
                "{SUB}/providers/Microsoft.Authorization/roleDefinitions?$filter=type%20eq%20'CustomRole'"
            ))
            .ok(200);
        assert_eq!(listed.json["value"].as_array().unwrap().len(), 1);

        let identity = rg("Microsoft.ManagedIdentity/userAssignedIdentities/id1");
        let identity = lab.put(&identity, json!({"location": "westeurope"})).ok(201).json;
        let principal = identity["properties"]["principalId"].as_str().unwrap().to_owned();
        let assign = |scope: &str| {
            (
                format!(
                    "{scope}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-000000000009"
                ),
                json!({"properties": {"roleDefinitionId": made["id"], "principalId": principal}}),
            )
        };
        let (path, body) = assign(SUB);
        lab.put(&path, body).refused(400, "RoleDefinitionScopeNotAssignable");
        let (path, body) = assign(&format!("{SUB}/resourceGroups/rg"));
        lab.put(&path, body).ok(201);
        lab.delete(&at(1)).refused(400, "RoleDefinitionHasAssignments");
        let token = lab.token(Some(&principal), "https://management.azure.com/");
        let vnet = rg("Microsoft.Network/virtualNetworks/v1");
        let body = json!({"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}});
        lab.send_as(&token, Method::Put, &vnet, Some(body)).ok(201);
        lab.send_as(&token, Method::Delete, &vnet, None).refused(403, "AuthorizationFailed");
        lab.delete(&path).ok(200);
        lab.delete(&at(1)).ok(200);
        lab.get(&at(1)).refused(404, "RoleDefinitionDoesNotExist");
        let builtin = format!(
            "{SUB}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
        );
        lab.put(&builtin, role("mine", json!(["*"]))).refused(400, "CannotUpdateBuiltInRole");
    }

    #[test]
    fn locks_have_levels_and_a_read_only_one_holds_actions_too() {
        let mut lab = Lab::new(0.0);
        let account = rg("Microsoft.Storage/storageAccounts/acc1");
        lab.put(&account, json!({"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": {}}));
        let lock = format!("{account}/providers/Microsoft.Authorization/locks/l");
        lab.put(&lock, json!({"properties": {"level": "Never"}})).refused(400, "InvalidLockLevel");
        let made = lab.put(&lock, json!({"properties": {"level": "readonly", "notes": "mine"}})).ok(201).json;
        assert_eq!(made["properties"], json!({"level": "ReadOnly", "notes": "mine"}));
        lab.post(&format!("{account}/listKeys"), json!({})).refused(409, "ScopeLocked");
        lab.delete(&lock).ok(200);
        lab.post(&format!("{account}/listKeys"), json!({})).ok(200);
        lab.put(&rg("Microsoft.Network/virtualNetworks"), json!({})).refused(405, "MethodNotAllowed");
        lab.post(&account, json!({})).refused(405, "MethodNotAllowed");
    }
}
