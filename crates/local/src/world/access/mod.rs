//! Who may do what: built-in roles, assignments with their delay, and the one question every plane asks,
//! [`allows`].

pub mod conditions;
pub mod custom;
pub mod roles;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::conditions::{Condition, Facts};
use super::arm::filter::Filter;
use super::arm::gate::{authorize, object};
use super::arm::id::Id;
use super::arm::refusal::Refusal;
use super::arm::{Ask, SystemData, groups, lists, locks, resources, stamp, take};
use super::{Method, Response, World, entra, management_groups};

type Answer = Result<Response, Refusal>;

/// Role assignments by the lower-case id.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Access {
    /// By [`Id::key`](super::arm::id::Id::key).
    pub assignments: BTreeMap<String, Assignment>,
    /// Roles of the tenant's own, by the lower-case GUID.
    #[serde(default)]
    pub custom: BTreeMap<String, custom::Custom>,
}

/// One role assignment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// As created.
    pub id: String,
    /// What it is over, as created.
    pub scope: String,
    /// GUID of the role.
    pub role: String,
    /// Whose it is.
    pub principal: String,
    /// `ServicePrincipal`, `User`, `Group`.
    pub principal_type: String,
    /// `description` and the like, as sent.
    pub extra: Value,
    /// From when on it works.
    pub works_from: Timestamp,
    /// When and by whom.
    pub system: SystemData,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act<'a> {
    /// An action: `Microsoft.ContainerRegistry/registries/pull/read`.
    Control(&'a str),
    /// A data action: `Microsoft.KeyVault/vaults/secrets/getSecret/action`.
    Data(&'a str),
}

/// How long a new assignment takes to work, in seconds at speed 1.
const PROPAGATION_SECONDS: f64 = 60.0;

/// The owner of the subscription.
pub(super) fn found(world: &mut World) {
    let owner = entra::owner_id(&world.config);
    let scope = format!("/subscriptions/{}", world.config.subscription);
    let name = super::chance::fixed_uuid(world.config.seed, "owner's assignment");
    let id = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
    let assignment = Assignment {
        id: id.clone(),
        scope,
        role: roles::OWNER.into(),
        principal: owner.clone(),
        principal_type: "ServicePrincipal".into(),
        extra: Value::Null,
        works_from: Timestamp::MIN,
        system: SystemData {
            created_by: owner.clone(),
            created_at: world.now,
            modified_by: owner,
            modified_at: world.now,
        },
    };
    world.access.assignments.insert(id.to_ascii_lowercase(), assignment);
}

/// Whether `principal` (an object id) may do something over `scope` (an ARM id) now: by any of its assignments
/// there or above that has come to work.
pub fn allows(world: &World, principal: &str, act: Act<'_>, scope: &str) -> bool {
    if owns_tenant(world, principal) && matches!(act, Act::Control(_)) && !in_subscription(scope) {
        return true;
    }
    granting(world, principal, act, scope).any(|assignment| fulfilled(assignment, act, scope, &[]))
}

/// The assignments that allow something, whatever their conditions say.
fn granting<'a>(
    world: &'a World,
    principal: &'a str,
    act: Act<'a>,
    scope: &'a str,
) -> impl Iterator<Item = &'a Assignment> {
    world
        .access
        .assignments
        .values()
        .filter(move |assignment| assignment.principal.eq_ignore_ascii_case(principal))
        .filter(move |assignment| assignment.works_from <= world.now)
        .filter(move |assignment| reaches(world, &assignment.scope, scope))
        .filter(move |assignment| grants(world, &assignment.role, act))
}

/// Whether an assignment's condition is fulfilled, with what the request or the resource says of itself.
fn fulfilled(
    assignment: &Assignment,
    act: Act<'_>,
    scope: &str,
    attributes: &[(&'static str, String)],
) -> bool {
    let Some(condition) = assignment.extra["condition"].as_str() else { return true };
    let (Act::Control(action) | Act::Data(action)) = act;
    let mut facts = Facts { action, attributes: attributes.to_vec() };
    if let Some((_, below)) = scope.split_once("/containers/") {
        let container = below.split('/').next().unwrap_or_default().to_owned();
        facts.attributes.push(("microsoft.storage/storageaccounts/blobservices/containers:name", container));
    }
    Condition::parse(condition).is_some_and(|condition| condition.holds(&facts))
}

/// Refuses who may not write or delete an assignment of this role to this principal.
fn may_change(
    world: &World,
    ask: &Ask,
    verb: &str,
    attributes: &[(&'static str, String)],
) -> Result<(), Refusal> {
    let (action, scope) = (format!("{KIND}/{verb}"), ask.path.id.to_string());
    let (caller, act) = (ask.caller, Act::Control(&action));
    let mut conditional = false;
    for assignment in granting(world, &caller.object_id, act, &scope) {
        if fulfilled(assignment, act, &scope, attributes) {
            return Ok(());
        }
        conditional = true;
    }
    if !conditional {
        return authorize(world, caller, &action, &ask.path.id);
    }
    let message = format!(
        "The client '{}' with object id '{}' has an authorization with ABAC condition that is not fulfilled to perform \
         action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh \
         your credentials.",
        caller.client_id, caller.object_id
    );
    Err(Refusal::new(403, "AuthorizationFailed", message))
}

/// What a condition on assignments can ask about one.
fn attributes(role: &str, principal: &str, principal_type: &str) -> Vec<(&'static str, String)> {
    let role = role.rsplit('/').next().unwrap_or_default();
    [
        ("microsoft.authorization/roleassignments:roledefinitionid", role),
        ("microsoft.authorization/roleassignments:principalid", principal),
        ("microsoft.authorization/roleassignments:principaltype", principal_type),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name, value.to_owned()))
    .collect()
}

/// Whether a role, built-in or custom, allows something.
fn grants(world: &World, role: &str, act: Act<'_>) -> bool {
    match roles::find(role) {
        Some(role) => role.allows(act),
        None => world.access.custom.get(&role.to_ascii_lowercase()).is_some_and(|role| role.allows(act)),
    }
}

/// Whether a principal administers the tenant with access to all of it: the owner of the subscription does. What it
/// may do above subscriptions does not come from an assignment.
fn owns_tenant(world: &World, principal: &str) -> bool {
    principal.eq_ignore_ascii_case(&entra::owner_id(&world.config))
}

fn in_subscription(scope: &str) -> bool {
    scope.get(..15).is_some_and(|head| head.eq_ignore_ascii_case("/subscriptions/"))
}

/// Whether what is over `above` is over `scope` too, by its path or by the tree of management groups.
fn reaches(world: &World, above: &str, scope: &str) -> bool {
    covers(above, scope) || management_groups::holds(world, above, scope)
}

/// Whether the path `above` leads to `scope` or to what it is in.
fn covers(above: &str, scope: &str) -> bool {
    let above = above.trim_end_matches('/');
    scope.get(..above.len()).is_some_and(|head| head.eq_ignore_ascii_case(above))
        && matches!(scope.as_bytes().get(above.len()), None | Some(b'/'))
}

/// Whether a principal has any role at all that works.
pub fn has_any(world: &World, principal: &str) -> bool {
    world
        .access
        .assignments
        .values()
        .any(|it| it.principal.eq_ignore_ascii_case(principal) && it.works_from <= world.now)
}

/// Assignments over a scope that is gone, or below it, go with it.
pub(super) fn scope_removed(world: &mut World, scope: &Id) {
    let scope = scope.to_string();
    world.access.assignments.retain(|_, assignment| !covers(&scope, &assignment.scope));
}

const KIND: &str = "Microsoft.Authorization/roleAssignments";
const DEFINITIONS: &str = "Microsoft.Authorization/roleDefinitions";

/// `…/providers/Microsoft.Authorization/{roleAssignments, roleDefinitions, permissions}` at any scope.
pub(super) fn serve(world: &mut World, ask: &Ask) -> Option<Answer> {
    let (id, rest) = (&ask.path.id, &ask.path.rest);
    let collection = |name: &str| {
        rest.len() == 3
            && rest[0].eq_ignore_ascii_case("providers")
            && rest[1].eq_ignore_ascii_case("Microsoft.Authorization")
            && rest[2].eq_ignore_ascii_case(name)
    };
    let single = |kind: &str| rest.is_empty() && id.kind().eq_ignore_ascii_case(kind);
    Some(if collection("roleAssignments") && ask.request.method == Method::Get {
        list(world, ask, id)
    } else if collection("roleDefinitions") && ask.request.method == Method::Get {
        definitions(world, ask, id)
    } else if collection("permissions") && ask.request.method == Method::Get {
        Ok(permissions(world, ask, id))
    } else if collection("denyAssignments") && ask.request.method == Method::Get {
        Ok(Response::json(200, &json!({"value": []})))
    } else if single(KIND) {
        assignment(world, ask)
    } else if single(DEFINITIONS) {
        match roles::find(id.name()) {
            Some(role) if ask.reads() => Ok(Response::json(200, &definition(role, &id.scope()))),
            _ => custom::serve(world, ask),
        }
    } else {
        return None;
    })
}

fn no_such_role(id: &str) -> Refusal {
    Refusal::missing(
        "RoleDefinitionDoesNotExist",
        format!("The specified role definition with ID '{id}' does not exist."),
    )
}

fn assignment(world: &mut World, ask: &Ask) -> Answer {
    let (id, scope) = (&ask.path.id, ask.path.id.scope());
    let key = id.key();
    match ask.request.method {
        Method::Get | Method::Head => authorize(world, ask.caller, &format!("{KIND}/read"), id)?,
        Method::Delete => {
            let known = world.access.assignments.get(&key);
            let told = known.map(|it| attributes(&it.role, &it.principal, &it.principal_type));
            may_change(world, ask, "delete", &told.unwrap_or_default())?;
        }
        _ => {
            let text = |name: &str| ask.body["properties"][name].as_str().unwrap_or_default();
            let told = attributes(text("roleDefinitionId"), text("principalId"), text("principalType"));
            may_change(world, ask, "write", &told)?;
        }
    }
    match ask.request.method {
        Method::Get | Method::Head => match world.access.assignments.get(&key) {
            Some(found) if ask.request.method == Method::Get => Ok(Response::json(200, &show(found))),
            Some(_) => Ok(Response::empty(204)),
            None => Err(Refusal::missing(
                "RoleAssignmentNotFound",
                format!("The role assignment '{}' is not found.", id.name()),
            )),
        },
        Method::Put => put(world, ask, &scope),
        Method::Delete => match world.access.assignments.get(&key).cloned() {
            Some(found) => {
                locks::permit(world, id, true)?;
                world.access.assignments.remove(&key);
                Ok(Response::json(200, &show(&found)))
            }
            None => Ok(Response::empty(204)),
        },
        Method::Patch | Method::Post | Method::Options => {
            Err(Refusal::new(405, "MethodNotAllowed", "A role assignment takes GET, PUT and DELETE."))
        }
    }
}

fn put(world: &mut World, ask: &Ask, scope: &Id) -> Answer {
    let id = &ask.path.id;
    if uuid::Uuid::try_parse(id.name()).is_err() {
        return Err(Refusal::bad(
            "InvalidRoleAssignmentId",
            format!(
                "The role assignment ID '{}' is not valid. The role assignment ID must be a GUID.",
                id.name()
            ),
        ));
    }
    if scope.group.is_some() && scope.stretches.is_empty() {
        groups::must_exist(world, scope)?;
    } else if !scope.stretches.is_empty() {
        groups::must_exist(world, scope)?;
        must_exist(world, scope)?;
    }
    locks::permit(world, id, false)?;
    let body = object(ask.body)?;
    let properties = &body["properties"];
    let text = |name: &str| properties[name].as_str().unwrap_or_default().to_owned();
    let (role, principal, principal_type) =
        (text("roleDefinitionId"), text("principalId"), text("principalType"));
    if role.is_empty() || principal.is_empty() {
        return Err(Refusal::bad(
            "InvalidCreateRoleAssignmentRequest",
            "The request to create role assignment is not valid. roleDefinitionId and principalId are needed.",
        ));
    }
    if uuid::Uuid::try_parse(&principal).is_err() {
        return Err(Refusal::bad(
            "InvalidPrincipalId",
            format!("A valid principal ID must be provided for role assignment; '{principal}' is none."),
        ));
    }
    check_condition(properties)?;
    let role_id = role.rsplit('/').next().unwrap_or_default();
    let role_id = match (roles::find(role_id), world.access.custom.get(&role_id.to_ascii_lowercase())) {
        (Some(role), _) => role.id.to_owned(),
        (None, Some(custom)) => {
            custom.must_be_assignable(&scope.to_string())?;
            custom.id.clone()
        }
        (None, None) => return Err(no_such_role(role_id)),
    };
    let principal_type = principal_kind(world, &principal, &principal_type)?;
    let key = id.key();
    let current = world.access.assignments.get(&key).cloned();
    if let Some(current) = &current
        && (!current.principal.eq_ignore_ascii_case(&principal) || current.role != role_id)
    {
        return Err(Refusal::bad(
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        ));
    }
    let scope_text = scope.to_string();
    if let Some((other, _)) = world.access.assignments.iter().find(|(other, it)| {
        **other != key
            && it.principal.eq_ignore_ascii_case(&principal)
            && it.role == role_id
            && it.scope.eq_ignore_ascii_case(&scope_text)
    }) {
        let name = other.rsplit('/').next().unwrap_or_default().replace('-', "");
        return Err(Refusal::conflict(
            "RoleAssignmentExists",
            format!(
                "The role assignment already exists. The ID of the conflicting role assignment is {name}."
            ),
        ));
    }
    let mut extra = properties.clone();
    for name in ["roleDefinitionId", "principalId", "principalType", "scope"] {
        take(&mut extra, name);
    }
    let (now, by) = (world.now, ask.caller.object_id.clone());
    let created = current.is_none();
    let works_from = match &current {
        Some(current) => current.works_from,
        None => now.saturating_add(world.config.scaled(PROPAGATION_SECONDS)).unwrap_or(now),
    };
    let system = match current {
        Some(current) => SystemData { modified_by: by, modified_at: now, ..current.system },
        None => SystemData { created_by: by.clone(), created_at: now, modified_by: by, modified_at: now },
    };
    let assignment = Assignment {
        id: id.to_string(),
        scope: scope_text,
        role: role_id,
        principal,
        principal_type,
        extra,
        works_from,
        system,
    };
    let shown = show(&assignment);
    world.access.assignments.insert(key, assignment);
    Ok(Response::json(if created { 201 } else { 200 }, &shown))
}

/// Refuses a condition that cannot be read, or of another version.
fn check_condition(properties: &Value) -> Result<(), Refusal> {
    let Some(condition) = properties["condition"].as_str() else { return Ok(()) };
    let version = properties["conditionVersion"].as_str().unwrap_or_default();
    if version != "2.0" {
        return Err(Refusal::bad(
            "InvalidConditionVersion",
            format!("The condition version '{version}' of the role assignment is not supported: '2.0' is."),
        ));
    }
    match Condition::parse(condition) {
        Some(_) => Ok(()),
        None => Err(Refusal::bad("InvalidCondition", "The given role assignment condition is invalid.")),
    }
}

/// What an assignment extends must be there; what the data planes keep (a blob container) is looked up in the
/// resource above.
fn must_exist(world: &World, scope: &Id) -> Result<(), Refusal> {
    let mut id = scope.clone();
    loop {
        if world.arm.find(&id.key()).is_some() {
            return Ok(());
        }
        match id.parent() {
            Some(parent) => id = parent,
            None => return resources::must_have_resource(world, scope),
        }
    }
}

/// The type of a principal. With the type given nothing is looked up, as a principal may be too new to be found;
/// without, it must be known here by now.
fn principal_kind(world: &World, principal: &str, given: &str) -> Result<String, Refusal> {
    let known = world.entra.principals.get(&principal.to_ascii_lowercase());
    if !given.is_empty() {
        const TYPES: [&str; 5] = ["User", "Group", "ServicePrincipal", "ForeignGroup", "Device"];
        let Some(kind) = TYPES.iter().find(|kind| kind.eq_ignore_ascii_case(given)) else {
            return Err(Refusal::bad(
                "InvalidPrincipalType",
                format!("The principal type '{given}' is not valid."),
            ));
        };
        if known.is_some_and(|known| known.known_from <= world.now) && *kind != "ServicePrincipal" {
            return Err(Refusal::bad(
                "UnmatchedPrincipalType",
                format!(
                    "The PrincipalId '{principal}' has type 'ServicePrincipal', which is different from specified \
                     PrinciaplType '{kind}'."
                ),
            ));
        }
        return Ok((*kind).to_owned());
    }
    if known.is_some_and(|known| known.known_from <= world.now) {
        return Ok("ServicePrincipal".into());
    }
    Err(Refusal::bad(
        "PrincipalNotFound",
        format!(
            "Principal {} does not exist in the directory {}. Check that you have the correct principal ID. If you \
             are creating this principal and then immediately assigning a role, this error might be related to a \
             replication delay. In this case, set the role assignment principalType property to a value, such as \
             ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
            principal.replace('-', ""),
            world.config.tenant
        ),
    ))
}

fn show(assignment: &Assignment) -> Value {
    let subscription = assignment.scope.split('/').nth(2).unwrap_or_default();
    let mut properties = json!({
        "roleDefinitionId": format!("/subscriptions/{subscription}/providers/{DEFINITIONS}/{}", assignment.role),
        "principalId": assignment.principal,
        "principalType": assignment.principal_type,
        "scope": assignment.scope,
        "condition": null, "conditionVersion": null,
    });
    if let Some(extra) = assignment.extra.as_object() {
        for (key, value) in extra {
            properties[key] = value.clone();
        }
    }
    properties["createdOn"] = json!(stamp(assignment.system.created_at));
    properties["updatedOn"] = json!(stamp(assignment.system.modified_at));
    properties["createdBy"] = json!(assignment.system.created_by);
    properties["updatedBy"] = json!(assignment.system.modified_by);
    properties["delegatedManagedIdentityResourceId"] = Value::Null;
    json!({
        "properties": properties,
        "id": assignment.id,
        "type": KIND,
        "name": assignment.id.rsplit('/').next(),
    })
}

/// Assignments at a scope: those over it, above it and below it; `atScope()` leaves those below out.
fn list(world: &World, ask: &Ask, scope: &Id) -> Answer {
    authorize(world, ask.caller, &format!("{KIND}/read"), scope)?;
    let filter = filter(ask, &["atScope", "assignedTo", "principalId"])?;
    let scope = scope.to_string();
    let found = world
        .access
        .assignments
        .values()
        .filter(|it| reaches(world, &it.scope, &scope) || reaches(world, &scope, &it.scope))
        .filter(|it| {
            filter.as_ref().is_none_or(|filter| {
                filter.fits(
                    &|name| name.eq_ignore_ascii_case("principalId").then(|| it.principal.clone()),
                    &|function, arguments| {
                        if function.eq_ignore_ascii_case("atScope") {
                            reaches(world, &it.scope, &scope)
                        } else {
                            arguments.first().is_some_and(|who| who.eq_ignore_ascii_case(&it.principal))
                        }
                    },
                )
            })
        })
        .map(show)
        .collect();
    lists::page(ask, found)
}

fn definitions(world: &World, ask: &Ask, scope: &Id) -> Answer {
    let filter = filter(ask, &["roleName", "type", "atScopeAndBelow", "atScope"])?;
    let own = world
        .access
        .custom
        .values()
        .filter(|role| {
            role.assignable.iter().any(|it| covers(it, &scope.to_string()) || covers(&scope.to_string(), it))
        })
        .filter(|role| {
            filter.as_ref().is_none_or(|filter| {
                filter.fits(
                    &|name| match name.to_ascii_lowercase().as_str() {
                        "rolename" => Some(role.name.clone()),
                        "type" => Some("CustomRole".to_owned()),
                        _ => None,
                    },
                    &|_, _| true,
                )
            })
        })
        .map(|role| role.show(scope));
    let found = roles::ROLES
        .iter()
        .filter(|role| {
            filter.as_ref().is_none_or(|filter| {
                filter.fits(
                    &|name| match name.to_ascii_lowercase().as_str() {
                        "rolename" => Some(role.name.to_owned()),
                        "type" => Some("BuiltInRole".to_owned()),
                        _ => None,
                    },
                    &|_, _| true,
                )
            })
        })
        .map(|role| definition(role, scope))
        .chain(own)
        .collect();
    lists::page(ask, found)
}

fn definition(role: &roles::Role, scope: &Id) -> Value {
    // built-in roles belong to the tenant, and are shown below the subscription that was asked
    let base = match &scope.subscription {
        Some(subscription) => format!("/subscriptions/{subscription}"),
        None => String::new(),
    };
    json!({
        "properties": {
            "roleName": role.name, "type": "BuiltInRole", "description": role.name, "assignableScopes": ["/"],
            "permissions": [{"actions": role.actions, "notActions": role.not_actions, "dataActions": role.data,
                             "notDataActions": role.not_data}],
            "createdOn": "2018-01-01T00:00:00.0000000Z", "updatedOn": "2026-01-01T00:00:00.0000000Z",
            "createdBy": null, "updatedBy": null,
        },
        "id": format!("{base}/providers/{DEFINITIONS}/{}", role.id),
        "type": DEFINITIONS,
        "name": role.id,
    })
}

/// What the caller may do at a scope.
fn permissions(world: &World, ask: &Ask, scope: &Id) -> Response {
    let scope = scope.to_string();
    let value: Vec<Value> = world
        .access
        .assignments
        .values()
        .filter(|it| it.principal.eq_ignore_ascii_case(&ask.caller.object_id))
        .filter(|it| it.works_from <= world.now && covers(&it.scope, &scope))
        .filter_map(|it| match roles::find(&it.role) {
            Some(role) => Some(json!({"actions": role.actions, "notActions": role.not_actions,
                                      "dataActions": role.data, "notDataActions": role.not_data})),
            None => world.access.custom.get(&it.role.to_ascii_lowercase()).map(custom::Custom::permission),
        })
        .collect();
    Response::json(200, &json!({"value": value}))
}

fn filter(ask: &Ask, known: &[&str]) -> Result<Option<Filter>, Refusal> {
    let Some(text) = ask.request.query("$filter").filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    let refused = || Refusal::bad("UnsupportedQuery", format!("The filter '{text}' is not supported."));
    let filter = Filter::parse(text).ok_or_else(refused)?;
    let all = filter.names().iter().all(|name| known.iter().any(|known| known.eq_ignore_ascii_case(name)));
    if all { Ok(Some(filter)) } else { Err(refused()) }
}
