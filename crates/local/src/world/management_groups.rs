//! Management groups: the tree above subscriptions, from the tenant's root group down, through which roles are
//! inherited and to which templates are deployed.

use serde_json::{Value, json};

use super::arm::gate::{list, object};
use super::arm::id::Id;
use super::arm::kind::{
    Call, Change, Depth, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs, USUAL,
};
use super::arm::refusal::Refusal;
use super::arm::{Resource, SystemData, put, stamp, take};
use super::{Method, Response, World, access, templates};

type Answer = Result<Response, Refusal>;

/// Their type.
pub const KIND: &str = "Microsoft.Management/managementGroups";
/// Levels below the root.
const DEPTH_MAX: usize = 6;

/// The row of management groups.
pub static KINDS: &[Kind] = &[Kind {
    name: KIND,
    depth: Depth::Modelled,
    names: Names {
        length: (1, 90),
        signs: Signs::Any,
        global: false,
        refusal: ("BadRequest", "The management group name '{name}' is not valid."),
    },
    place: Place::Parent,
    seconds: [5.0, 2.0, 5.0],
    replies: Replies {
        create: Reply { status: 202, headers: Headers::Both, done: 200 },
        replace: Reply { status: 202, headers: Headers::Both, done: 200 },
        delete: Reply { status: 202, headers: Headers::Both, done: 204 },
        ..USUAL
    },
    busy: "Conflict",
    computed: &["properties.tenantId"],
    spelling: &["displayName"],
    rules: &Groups,
}];

/// The id of a group.
pub fn id(name: &str) -> Id {
    Id::default().provider(KIND, name)
}

/// The name of a group's id; `None` for an id of anything else.
pub fn name_of(id: &Id) -> Option<&str> {
    (id.subscription.is_none() && id.stretches.len() == 1 && id.kind().eq_ignore_ascii_case(KIND))
        .then(|| id.name())
}

/// What a new tenant has: its root group, named after it, with the subscription in it.
pub(super) fn found(world: &mut World) {
    let name = world.config.tenant.clone();
    let group = Resource {
        id: id(&name),
        kind: KIND.into(),
        body: json!({"properties": {"displayName": "Tenant Root Group", "details": {"version": 1, "updatedTime": stamp(world.now), "updatedBy": name}}}),
        private: json!({"subscription": true}),
        state: "Succeeded".into(),
        api_version: "2023-04-01".into(),
        system: SystemData {
            created_by: name.clone(),
            created_at: world.now,
            modified_by: name.clone(),
            modified_at: world.now,
        },
        etag: String::new(),
        operation: None,
        listed_from: world.now,
    };
    world.arm.resources.insert(id(&name).key(), group);
}

/// Refuses a group that is not there.
pub fn must_exist(world: &World, id: &Id) -> Result<(), Refusal> {
    match name_of(id) {
        Some(name) if world.arm.find(&id.key()).is_none() => Err(Refusal::missing(
            "ManagementGroupNotFound",
            format!("The management group '{name}' could not be found."),
        )),
        _ => Ok(()),
    }
}

/// Whether what is over the group `above` is over `scope` too: a group below it, its subscription, or anything in these.
pub fn holds(world: &World, above: &str, scope: &str) -> bool {
    let prefix = format!("/providers/{}/", KIND.to_ascii_lowercase());
    let above = above.to_ascii_lowercase();
    let scope = scope.to_ascii_lowercase();
    if !above.starts_with(&prefix) || above[prefix.len()..].contains('/') {
        return false;
    }
    let own = format!("/subscriptions/{}", world.config.subscription);
    let mut next = match scope.strip_prefix(&prefix) {
        Some(rest) => rest.split('/').next().map(|name| id(name).key()),
        None if scope == own || scope.starts_with(&format!("{own}/")) => {
            of_subscription(world).map(|group| group.id.key())
        }
        None => None,
    };
    while let Some(group) = next {
        if group == above {
            return true;
        }
        next = world.arm.find(&group).and_then(parent).map(|parent| parent.key());
    }
    false
}

/// The group as `managementGroup()` of the template language answers it.
pub fn function(world: &World, name: &str) -> Option<Value> {
    let group = world.arm.find(&id(name).key())?;
    let mut shown = show(world, group);
    shown["type"] = json!(format!("/providers/{KIND}"));
    Some(shown)
}

fn of_subscription(world: &World) -> Option<&Resource> {
    world.arm.of_kind(KIND).find(|group| group.private["subscription"] == true)
}

fn parent(group: &Resource) -> Option<Id> {
    Id::parse(group.text("/properties/details/parent/id"))
}

fn children<'a>(world: &'a World, group: &Resource) -> Vec<&'a Resource> {
    let key = group.id.key();
    world.arm.of_kind(KIND).filter(|it| parent(it).is_some_and(|parent| parent.key() == key)).collect()
}

/// The group itself and those above, the root last.
fn chain<'a>(world: &'a World, group: &'a Resource) -> Vec<&'a Resource> {
    let mut chain = vec![group];
    while let Some(next) = chain.last().and_then(|it| parent(it)).and_then(|id| world.arm.find(&id.key())) {
        chain.push(next);
    }
    chain
}

fn display_name(group: &Resource) -> &str {
    group.text("/properties/displayName")
}

fn brief(group: &Resource) -> Value {
    json!({"id": group.id.to_string(), "name": group.id.name(), "displayName": display_name(group)})
}

fn show(world: &World, group: &Resource) -> Value {
    let mut shown = json!({"id": group.id.to_string(), "type": KIND, "name": group.id.name()});
    shown["properties"] = json!({
        "tenantId": world.config.tenant,
        "displayName": display_name(group),
        "details": group.body["properties"]["details"],
    });
    if let Some(above) = parent(group).and_then(|id| world.arm.find(&id.key())) {
        shown["properties"]["details"]["parent"] = brief(above);
    }
    shown
}

fn subscription(world: &World) -> Value {
    let own = &world.config.subscription;
    json!({"id": format!("/subscriptions/{own}"), "type": "/subscriptions", "name": own, "displayName": "Local Azure"})
}

/// `children` of a group, to every depth when `deep`.
fn offspring(world: &World, group: &Resource, deep: bool) -> Vec<Value> {
    let groups = children(world, group).into_iter().map(|child| {
        let mut shown = brief(child);
        shown["type"] = json!(KIND);
        let below = if deep { offspring(world, child, true) } else { Vec::new() };
        if !below.is_empty() {
            shown["children"] = json!(below);
        }
        shown
    });
    let own = (group.private["subscription"] == true).then(|| subscription(world));
    groups.chain(own).collect()
}

/// Everything below a group, flat, as `…/descendants` lists it.
fn descendants(world: &World, group: &Resource) -> Vec<Value> {
    let above = json!({"id": group.id.to_string()});
    let mut all = Vec::new();
    for child in children(world, group) {
        all.push(json!({
            "id": child.id.to_string(), "type": KIND, "name": child.id.name(),
            "properties": {"displayName": display_name(child), "parent": above},
        }));
        all.extend(descendants(world, child));
    }
    if group.private["subscription"] == true {
        let mut own = subscription(world);
        take(&mut own, "displayName");
        own["properties"] = json!({"displayName": "Local Azure", "parent": above});
        all.push(own);
    }
    all
}

/// Refuses a parent that is none, too deep, or below the group itself.
fn must_be_parent(world: &World, group: &Id, above: &Id) -> Result<(), Refusal> {
    let Some(found) = name_of(above).and_then(|_| world.arm.find(&above.key())) else {
        return Err(Refusal::missing("NotFound", format!("'{above}' not found")));
    };
    let up = chain(world, found);
    if up.iter().any(|it| it.id.key() == group.key()) {
        return Err(Refusal::bad(
            "BadRequest",
            format!(
                "The management group '{}' cannot be moved below itself or one of its descendants.",
                group.name()
            ),
        ));
    }
    let below = world.arm.find(&group.key()).map_or(0, |group| height(world, group));
    if up.len() + below > DEPTH_MAX {
        return Err(Refusal::bad(
            "BadRequest",
            format!(
                "The management group hierarchy exceeds the maximum depth of {DEPTH_MAX} levels below the root."
            ),
        ));
    }
    Ok(())
}

fn height(world: &World, group: &Resource) -> usize {
    children(world, group).into_iter().map(|child| 1 + height(world, child)).max().unwrap_or(0)
}

#[derive(Debug)]
struct Groups;

impl Rules for Groups {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let root = id(&world.config.tenant);
        let current = change.current.as_ref();
        let sent = &change.sent["properties"];
        let name = sent["displayName"].as_str().filter(|it| !it.is_empty()).map(str::to_owned);
        let name = name.or_else(|| current.map(|it| display_name(it).to_owned()));
        let above = match sent["details"]["parent"]["id"].as_str() {
            Some(text) => Some(Id::parse(text).ok_or_else(|| {
                Refusal::bad("BadRequest", format!("'{text}' is not a management group id."))
            })?),
            None => current.and_then(parent),
        };
        let is_root = change.id.key() == root.key();
        let above = above.unwrap_or(root);
        if !is_root {
            must_be_parent(world, change.id, &above)?;
        }
        let version =
            current.map_or(0, |it| it.body["properties"]["details"]["version"].as_i64().unwrap_or(0)) + 1;
        let mut details = json!({
            "version": version, "updatedTime": stamp(world.now), "updatedBy": change.caller.object_id,
        });
        if !is_root {
            details["parent"] = json!({"id": above.to_string()});
        }
        let name = name.unwrap_or_else(|| change.id.name().to_owned());
        change.body = json!({"properties": {"displayName": name, "details": details}});
        Ok(())
    }

    fn may_delete(&self, world: &World, group: &Resource) -> Result<(), Refusal> {
        if group.id.name() == world.config.tenant {
            return Err(Refusal::bad("BadRequest", "The root management group cannot be deleted."));
        }
        if !offspring(world, group, false).is_empty() {
            return Err(Refusal::bad(
                "BadRequest",
                format!(
                    "The management group '{}' cannot be deleted: it contains child resources. Move or delete them \
                     first.",
                    group.id.name()
                ),
            ));
        }
        Ok(())
    }

    fn deleted(&self, world: &mut World, group: &Resource) {
        access::scope_removed(world, &group.id);
        templates::scope_removed(world, &group.id);
    }

    fn view(&self, world: &World, group: &Resource, body: &mut Value) {
        *body = show(world, group);
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Answer> {
        let group = world.arm.find(&call.id.key()).cloned()?;
        let method = call.request.method;
        Some(match (method, call.rest.as_slice()) {
            (Method::Get, [word]) if word.eq_ignore_ascii_case("subscriptions") => {
                Ok(Response::json(200, &list(members(world, &group))))
            }
            (Method::Get, [word]) if word.eq_ignore_ascii_case("descendants") => {
                Ok(Response::json(200, &list(descendants(world, &group))))
            }
            (method, [word, which]) if word.eq_ignore_ascii_case("subscriptions") => {
                member(world, method, &group, which)
            }
            (method, [word]) | (method, [word, _]) if word.eq_ignore_ascii_case("settings") => {
                settings(world, method, &group, call)
            }
            _ => return None,
        })
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Answer> {
        if call.id != Id::default() {
            return None;
        }
        Some(match (call.request.method, call.rest.as_slice()) {
            (Method::Get, ["managementGroups"]) => {
                let brief = |group: &Resource| {
                    json!({
                        "id": group.id.to_string(), "type": format!("/providers/{KIND}"), "name": group.id.name(),
                        "properties": {"tenantId": world.config.tenant, "displayName": display_name(group)},
                    })
                };
                let mut all: Vec<&Resource> =
                    world.arm.of_kind(KIND).filter(|group| may_read(world, call, group)).collect();
                all.sort_by_key(|group| display_name(group).to_lowercase());
                Ok(Response::json(200, &list(all.into_iter().map(brief).collect())))
            }
            (Method::Post, ["checkNameAvailability"]) => object(&call.body).map(|body| {
                let name = body["name"].as_str().unwrap_or_default();
                Response::json(200, &availability(world, name))
            }),
            (Method::Post, ["getEntities"]) => Ok(Response::json(200, &entities(world))),
            (Method::Post, ["startTenantBackfill"])
            | (Method::Get, ["tenantBackfillStatus"])
            | (Method::Post, ["tenantBackfillStatus"]) => {
                Ok(Response::json(200, &json!({"tenantId": world.config.tenant, "status": "Completed"})))
            }
            (method, [word, name]) if word.eq_ignore_ascii_case("managementGroups") => {
                let found = world.arm.find(&id(name).key()).cloned();
                match (method, found) {
                    (Method::Get | Method::Delete, None) => {
                        Err(Refusal::missing("NotFound", format!("'{}' not found", id(name))))
                    }
                    (Method::Get, Some(group)) => Ok(Response::json(200, &expanded(world, call, &group))),
                    (Method::Patch, Some(group)) => patch(world, call, &group),
                    _ => return None,
                }
            }
            _ => return None,
        })
    }
}

fn may_read(world: &World, call: &Call, group: &Resource) -> bool {
    let act = access::Act::Control("Microsoft.Management/managementGroups/read");
    access::allows(world, &call.caller.object_id, act, &group.id.to_string())
}

/// GET with `$expand=children|path|ancestors` and `$recurse`.
fn expanded(world: &World, call: &Call, group: &Resource) -> Value {
    let mut shown = show(world, group);
    let says = |name: &str| call.request.query(name).unwrap_or_default().to_ascii_lowercase();
    let up = chain(world, group);
    match says("$expand").as_str() {
        "children" => {
            put(
                &mut shown,
                "properties.children",
                json!(offspring(world, group, says("$recurse") == "true")),
            );
        }
        "path" => {
            let path: Vec<Value> = up
                .iter()
                .rev()
                .map(|it| json!({"name": it.id.name(), "displayName": display_name(it)}))
                .collect();
            put(&mut shown, "properties.details.path", json!(path));
        }
        "ancestors" => {
            let above: Vec<Value> = up
                .iter()
                .skip(1)
                .map(|it| json!({"name": it.id.name(), "displayName": display_name(it)}))
                .collect();
            put(&mut shown, "properties.details.managementGroupAncestorsChain", json!(above));
            let names: Vec<&str> = up.iter().skip(1).map(|it| it.id.name()).collect();
            put(&mut shown, "properties.details.managementGroupAncestors", json!(names));
        }
        _ => {}
    }
    shown
}

/// PATCH: `displayName`, `parentGroupId`.
fn patch(world: &mut World, call: &Call, group: &Resource) -> Answer {
    let body = object(&call.body)?;
    let mut changed = group.body.clone();
    if let Some(name) = body["displayName"].as_str() {
        changed["properties"]["displayName"] = json!(name);
    }
    if let Some(above) = body["parentGroupId"].as_str() {
        let above = Id::parse(above).unwrap_or_else(|| id(above));
        must_be_parent(world, &group.id, &above)?;
        changed["properties"]["details"]["parent"] = json!({"id": above.to_string()});
    }
    let version = changed["properties"]["details"]["version"].as_i64().unwrap_or(0) + 1;
    changed["properties"]["details"]["version"] = json!(version);
    changed["properties"]["details"]["updatedTime"] = json!(stamp(world.now));
    changed["properties"]["details"]["updatedBy"] = json!(call.caller.object_id);
    if let Some(kept) = world.arm.find_mut(&group.id.key()) {
        kept.body = changed;
    }
    let found = world.arm.find(&group.id.key()).cloned().unwrap_or_else(|| group.clone());
    Ok(Response::json(200, &show(world, &found)))
}

fn member_shown(world: &World, group: &Resource) -> Value {
    let own = &world.config.subscription;
    json!({
        "id": format!("{}/subscriptions/{own}", group.id), "type": format!("{KIND}/subscriptions"), "name": own,
        "properties": {
            "tenant": world.config.tenant, "displayName": "Local Azure", "state": "Active",
            "parent": {"id": group.id.to_string()},
        },
    })
}

fn members(world: &World, group: &Resource) -> Vec<Value> {
    if group.private["subscription"] == true { vec![member_shown(world, group)] } else { Vec::new() }
}

/// `…/managementGroups/G/subscriptions/S`: PUT moves the subscription there, DELETE moves it to the root.
fn member(world: &mut World, method: Method, group: &Resource, which: &str) -> Answer {
    super::arm::subscriptions::must_be_known(world, which)?;
    let here = group.private["subscription"] == true;
    match method {
        Method::Get if here => Ok(Response::json(200, &member_shown(world, group))),
        Method::Get => {
            Err(Refusal::missing("NotFound", format!("'{}/subscriptions/{which}' not found", group.id)))
        }
        Method::Put => {
            move_subscription(world, &group.id);
            Ok(Response::json(200, &member_shown(world, group)))
        }
        Method::Delete if here => {
            let root = id(&world.config.tenant);
            move_subscription(world, &root);
            Ok(Response::empty(200))
        }
        Method::Delete => Ok(Response::empty(204)),
        _ => {
            Err(Refusal::new(405, "MethodNotAllowed", "A subscription of a group takes GET, PUT and DELETE."))
        }
    }
}

fn move_subscription(world: &mut World, to: &Id) {
    let groups: Vec<String> = world.arm.of_kind(KIND).map(|group| group.id.key()).collect();
    for key in groups {
        let is = key == to.key();
        if let Some(group) = world.arm.find_mut(&key) {
            put(&mut group.private, "subscription", json!(is));
        }
    }
}

/// `…/settings/default` of the root group.
fn settings(world: &mut World, method: Method, group: &Resource, call: &Call) -> Answer {
    if group.id.name() != world.config.tenant {
        return Err(Refusal::bad(
            "BadRequest",
            "Hierarchy settings can only be set on the root management group.",
        ));
    }
    let shown = |kept: &Value| {
        let mut properties = json!({"tenantId": world.config.tenant});
        for key in ["requireAuthorizationForGroupCreation", "defaultManagementGroup"] {
            if let Some(value) = kept.get(key) {
                properties[key] = value.clone();
            }
        }
        json!({
            "id": format!("{}/settings/default", group.id), "type": format!("{KIND}/settings"), "name": "default",
            "properties": properties,
        })
    };
    let kept = group.private["settings"].clone();
    let none = || Refusal::missing("NotFound", format!("'{}/settings/default' not found", group.id));
    let answer = match method {
        Method::Get if call.rest.len() == 1 => {
            let all = if kept.is_object() { vec![shown(&kept)] } else { Vec::new() };
            return Ok(Response::json(200, &list(all)));
        }
        Method::Get if kept.is_object() => return Ok(Response::json(200, &shown(&kept))),
        Method::Put | Method::Patch => {
            let body = object(&call.body)?;
            let mut new = if method == Method::Patch { kept } else { json!({}) };
            super::arm::merge(&mut new, &body["properties"]);
            (Some(new.clone()), Response::json(200, &shown(&new)))
        }
        Method::Delete if kept.is_object() => (None, Response::empty(200)),
        Method::Get | Method::Delete => return Err(none()),
        _ => return Err(Refusal::new(405, "MethodNotAllowed", "Settings take GET, PUT, PATCH and DELETE.")),
    };
    if let Some(group) = world.arm.find_mut(&group.id.key()) {
        put(&mut group.private, "settings", answer.0.unwrap_or(Value::Null));
    }
    Ok(answer.1)
}

fn availability(world: &World, name: &str) -> Value {
    let row = &KINDS[0];
    if !row.names.allow(name) {
        return json!({"nameAvailable": false, "reason": "Invalid", "message": row.names.refusal.1.replace("{name}", name)});
    }
    if world.arm.find(&id(name).key()).is_some() {
        let message = "The group with the specified name already exists";
        return json!({"nameAvailable": false, "reason": "AlreadyExists", "message": message});
    }
    json!({"nameAvailable": true})
}

/// Everything the caller may see, groups and subscriptions, with the chain of names above each.
fn entities(world: &World) -> Value {
    let mut all = Vec::new();
    for group in world.arm.of_kind(KIND) {
        let names = |up: &[&Resource]| -> (Vec<String>, Vec<String>) {
            up.iter().rev().map(|it| (display_name(it).to_owned(), it.id.name().to_owned())).unzip()
        };
        let up = chain(world, group);
        let (shown, chain) = names(&up[1..]);
        let groups = children(world, group).len();
        let below = descendants(world, group).len();
        all.push(json!({
            "id": group.id.to_string(), "type": KIND, "name": group.id.name(),
            "properties": {
                "tenantId": world.config.tenant, "displayName": display_name(group),
                "parent": {"id": parent(group).map(|it| it.to_string())}, "permissions": "delete",
                "inheritedPermissions": "delete", "numberOfDescendants": below, "numberOfChildren": offspring(world, group, false).len(),
                "numberOfChildGroups": groups, "parentDisplayNameChain": shown, "parentNameChain": chain,
            },
        }));
        if group.private["subscription"] == true {
            let (shown, chain) = names(&up);
            let mut own = subscription(world);
            take(&mut own, "displayName");
            own["properties"] = json!({
                "tenantId": world.config.tenant, "displayName": "Local Azure", "parent": {"id": group.id.to_string()},
                "permissions": "delete", "inheritedPermissions": "delete", "numberOfDescendants": 0,
                "numberOfChildren": 0, "numberOfChildGroups": 0, "parentDisplayNameChain": shown, "parentNameChain": chain,
            });
            all.push(own);
        }
    }
    json!({"value": all, "count": all.len()})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::testing::{Lab, SUB, rg};

    const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
    const IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/one";

    fn group(name: &str) -> String {
        id(name).to_string()
    }

    fn below(parent: &str) -> Value {
        json!({"properties": {"details": {"parent": {"id": group(parent)}}}})
    }

    #[test]
    fn roles_come_down_the_tree_of_management_groups() {
        let mut lab = Lab::new(0.0);
        lab.put(&group("top"), json!({})).ok(200);
        lab.put(&group("leaf"), below("top")).ok(200);
        lab.put(&rg(IDENTITY), json!({"location": "westeurope"})).ok(201);
        let principal = lab.get(&rg(IDENTITY)).json["properties"]["principalId"].as_str().unwrap().to_owned();
        let role = json!({"properties": {
            "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{READER}"),
            "principalId": principal, "principalType": "ServicePrincipal",
        }});
        let assignment =
            "providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-000000000001";
        lab.put(&format!("{}/{assignment}", group("top")), role).ok(201);
        let token = lab.token(Some(&principal), "https://management.azure.com/");
        let reads = |lab: &mut Lab, path: &str| lab.send_as(&token, Method::Get, path, None).status;
        assert_eq!((reads(&mut lab, &group("leaf")), reads(&mut lab, &rg(IDENTITY))), (200, 403));
        lab.put(&format!("{}/subscriptions/{}", group("leaf"), &SUB[15..]), json!({})).ok(200);
        assert_eq!(reads(&mut lab, &rg(IDENTITY)), 200);
        let list = format!("{SUB}/providers/Microsoft.Authorization/roleAssignments");
        assert_eq!(
            lab.get(&list).json["value"].as_array().unwrap().len(),
            2,
            "the owner's and the inherited one"
        );
        lab.delete(&format!("{}/subscriptions/{}", group("leaf"), &SUB[15..])).ok(200);
        assert_eq!(reads(&mut lab, &rg(IDENTITY)), 403);
    }

    #[test]
    fn the_tree_has_no_circles_and_no_orphans() {
        let mut lab = Lab::bare(0.0);
        lab.put(&group("a"), json!({})).ok(200);
        lab.put(&group("b"), below("a")).ok(200);
        lab.put(&group("a"), below("b")).refused(400, "BadRequest");
        lab.put(&group("c"), below("none")).refused(404, "NotFound");
        lab.delete(&group("a")).refused(400, "BadRequest");
        lab.delete(&group("b")).ok(204);
        lab.delete(&group("a")).ok(204);
        lab.get(&group("a")).refused(404, "NotFound");
        let mut above = "l1".to_owned();
        lab.put(&group(&above), json!({})).ok(200);
        for level in 2..=6 {
            let name = format!("l{level}");
            lab.put(&group(&name), below(&above)).ok(200);
            above = name;
        }
        lab.put(&group("l7"), below(&above)).refused(400, "BadRequest");
    }
}
