//! Azure Resource Manager. In reading order:
//!
//! - [`id`]: ids and paths; [`refusal`]: how Azure says no.
//! - [`kind`]: the table of resource types and the trait behind its rows; [`catalogue`]: what else providers have.
//! - [`gate`]: what every request passes: token, throttling, `api-version`, body.
//! - [`resources`]: PUT, PATCH, GET, HEAD, DELETE of anything with an id, and actions.
//! - [`operations`]: what takes time. [`groups`], [`subscriptions`], [`lists`], [`tags`], [`locks`], [`moves`],
//!   [`names`]: ARM's own.
//! - [`shapes`]: what cannot be deserialized. [`types`]: bodies against Azure's type descriptions.

pub mod catalogue;
pub mod filter;
pub mod gate;
pub mod groups;
pub mod id;
pub mod kind;
pub mod lists;
pub mod locks;
pub mod moves;
pub mod names;
pub mod operations;
pub mod refusal;
pub mod resources;
pub mod shapes;
pub mod subscriptions;
pub mod tags;
pub mod types;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::gate::Caller;
use self::id::{Id, Path};
use self::refusal::Refusal;
use super::{Method, Request, Response, World};

/// Resource Manager's state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Arm {
    /// Everything that has an id, groups included, by [`Id::key`].
    pub resources: BTreeMap<String, Resource>,
    /// Long-running operations by id.
    pub operations: BTreeMap<String, operations::Operation>,
    /// Moves between groups under way, by operation.
    #[serde(default)]
    pub moves: BTreeMap<String, moves::Move>,
    /// Namespaces that the subscription is registered for, lower case.
    pub registered: BTreeSet<String>,
    /// Namespaces whose (un)registration is under way, lower case.
    pub registering: BTreeMap<String, bool>,
    /// Tag names and values that were made without a resource that has them.
    #[serde(default)]
    pub tag_names: BTreeMap<String, BTreeSet<String>>,
    /// Tags of the subscription itself.
    pub subscription_tags: BTreeMap<String, String>,
    /// Workspaces that can be recovered.
    pub deleted_workspaces: crate::world::workspace::Deleted,
    /// Token buckets by principal and kind of operation. Not kept: a restart fills them.
    #[serde(skip)]
    pub buckets: BTreeMap<String, gate::Bucket>,
}

/// A stored resource or group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resource {
    /// As created.
    pub id: Id,
    /// Type with Azure's spelling where it is known.
    pub kind: String,
    /// `location`, `tags`, `sku`, `kind`, `identity`, `properties`, …: all but `id`, `name`, `type` and
    /// `properties.provisioningState`.
    pub body: Value,
    /// What is never shown: keys, secret values.
    pub private: Value,
    /// `properties.provisioningState`.
    pub state: String,
    /// The api-version it was last written with.
    pub api_version: String,
    /// When and by whom it was made and changed.
    pub system: SystemData,
    /// For `If-Match`.
    pub etag: String,
    /// The change under way.
    pub operation: Option<String>,
    /// From when on `…/resources` lists it.
    pub listed_from: Timestamp,
}

impl Resource {
    /// `properties` of the body, `Null` without.
    pub fn properties(&self) -> &Value {
        &self.body["properties"]
    }

    /// A string in the body by JSON pointer; empty without.
    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The region, without spaces and in lower case; empty for what has none.
    pub fn location(&self) -> String {
        subscriptions::normal(self.text("/location"))
    }
}

/// Azure's `systemData`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SystemData {
    pub created_by: String,
    pub created_at: Timestamp,
    pub modified_by: String,
    pub modified_at: Timestamp,
}

impl SystemData {
    fn show(&self) -> Value {
        json!({
            "createdBy": self.created_by, "createdByType": "Application", "createdAt": stamp(self.created_at),
            "lastModifiedBy": self.modified_by, "lastModifiedByType": "Application",
            "lastModifiedAt": stamp(self.modified_at),
        })
    }
}

/// Something of Resource Manager's own that happens by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// A group's deletion takes its next step.
    GroupDeletes {
        /// The group's key.
        group: String,
        /// The operation that the client follows.
        operation: String,
        /// Keys of the resources whose deletion ends now.
        wave: Vec<String>,
    },
    /// A provider's registration ends.
    Registered(String),
    /// A provider's unregistration ends.
    Unregistered(String),
    /// An operation that ended long ago is forgotten.
    Forget(String),
    /// Something soft-deleted goes for good: its key, and when it was deleted.
    Purged(String, String),
}

impl Arm {
    /// A resource by id, without case.
    pub fn find(&self, id: &str) -> Option<&Resource> {
        match self.resources.get(id) {
            Some(found) => Some(found),
            None => self.resources.get(&id.to_ascii_lowercase()),
        }
    }

    /// The same, to change.
    pub fn find_mut(&mut self, id: &str) -> Option<&mut Resource> {
        self.resources.get_mut(&id.to_ascii_lowercase())
    }

    /// All of a type, in the order of their ids.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Resource> {
        self.resources.values().filter(move |resource| resource.kind.eq_ignore_ascii_case(kind))
    }

    /// The one of a type with a globally unique name.
    pub fn by_name(&self, kind: &str, name: &str) -> Option<&Resource> {
        self.resources
            .values()
            .filter(|resource| resource.kind.eq_ignore_ascii_case(kind))
            .find(|resource| resource.id.name().eq_ignore_ascii_case(name))
    }

    /// Everything below an id, not itself: children, group members, extensions.
    pub fn below<'a>(&'a self, id: &Id) -> impl Iterator<Item = (&'a String, &'a Resource)> + use<'a> {
        let prefix = format!("{}/", id.key());
        let end = format!("{}0", id.key()); // '0' follows '/'
        self.resources.range(prefix..end)
    }
}

/// What a new subscription has.
pub(super) fn found(world: &mut World) {
    world.arm.registered = subscriptions::registered_at_start();
}

pub(super) fn fire(world: &mut World, event: Event) {
    match event {
        Event::GroupDeletes { group, operation, wave } => groups::step(world, &group, &operation, &wave),
        Event::Registered(namespace) => subscriptions::registration_ends(world, &namespace, true),
        Event::Unregistered(namespace) => subscriptions::registration_ends(world, &namespace, false),
        Event::Forget(operation) => {
            world.arm.operations.remove(&operation);
        }
        Event::Purged(key, deleted) => {
            // one that was restored and deleted again since has its own time
            if world.arm.find(&key).is_some_and(|found| found.text("/properties/deletionDate") == deleted) {
                resources::remove(world, &key);
            }
        }
    }
}

/// Answers a request to ARM.
pub(super) fn handle(world: &mut World, request: &Request) -> Response {
    let mut headers = Vec::new();
    let answered = gate::pass(world, request, &mut headers).and_then(|(caller, body)| {
        let path = Path::parse(&request.path);
        serve(world, &Ask { request, caller: &caller, path: &path, body: &body })
    });
    let mut response = answered.unwrap_or_else(Response::from);
    response.headers.extend(headers);
    response
}

/// A request that has passed the gate.
pub(crate) struct Ask<'a> {
    pub request: &'a Request,
    pub caller: &'a Caller,
    pub path: &'a Path,
    pub body: &'a Value,
}

impl Ask<'_> {
    pub fn api_version(&self) -> &str {
        self.request.query("api-version").unwrap_or_default()
    }

    pub fn reads(&self) -> bool {
        matches!(self.request.method, Method::Get | Method::Head)
    }
}

pub(crate) type Answer = Result<Response, Refusal>;

/// Decides which of ARM's parts a path belongs to.
pub(in crate::world) fn serve(world: &mut World, ask: &Ask) -> Answer {
    let (id, path) = (&ask.path.id, ask.path);
    if let Some(subscription) = &id.subscription {
        subscriptions::must_be_known(world, subscription)?;
    }
    if let Some(answer) = super::templates::serve(world, ask) {
        return answer;
    }
    if let Some(answer) = operations::serve(world, ask) {
        return answer;
    }
    if let Some(answer) = super::access::serve(world, ask) {
        return answer;
    }
    if let Some(answer) = locks::list(world, ask) {
        return answer;
    }
    if let Some(answer) = tags::serve(world, ask).or_else(|| tags::names(world, ask)) {
        return answer;
    }
    if let Some(answer) = super::quota::serve(world, ask) {
        return answer;
    }
    if !id.stretches.is_empty() {
        super::outage::refuse(world, ask)?;
        return resources::serve(world, ask);
    }
    if let Some(answer) = lists::serve(world, ask) {
        return answer;
    }
    if let Some(answer) = moves::serve(world, ask) {
        return answer;
    }
    if id.group.is_some() && path.rest.is_empty() {
        return groups::serve(world, ask);
    }
    if let Some(answer) = subscriptions::serve(world, ask) {
        return answer;
    }
    resources::beside(world, ask)
}

/// `2026-11-21T15:00:00.1234567Z`, as ARM writes times.
pub fn stamp(at: Timestamp) -> String {
    format!("{}.{:07}Z", at.strftime("%Y-%m-%dT%H:%M:%S"), at.subsec_nanosecond() / 100)
}

/// RFC 7396: objects are merged, null removes, anything else replaces. Keys find each other without case.
pub fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    let Value::Object(target) = into else { return };
    for (key, value) in patch {
        let key = target.keys().find(|known| known.eq_ignore_ascii_case(key)).unwrap_or(key).clone();
        if value.is_null() {
            target.shift_remove(&key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
        }
    }
}

/// The value without nulls in objects at any depth, as Azure stores what untidy clients send.
pub fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), without_nulls(value)))
            .collect(),
        Value::Array(list) => list.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// A value by dotted path, objects only.
pub fn at<'a>(value: &'a Value, dotted: &str) -> Option<&'a Value> {
    dotted.split('.').try_fold(value, |value, key| value.get(key))
}

/// Sets a value by dotted path, making objects on the way.
pub fn put(value: &mut Value, dotted: &str, new: Value) {
    let mut place = value;
    for key in dotted.split('.') {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[key];
    }
    *place = new;
}

/// Sets a value by dotted path when nothing is there: a default.
pub fn default(value: &mut Value, dotted: &str, new: Value) {
    if at(value, dotted).is_none_or(Value::is_null) {
        put(value, dotted, new);
    }
}

/// Removes a value by dotted path and returns it.
pub fn take(value: &mut Value, dotted: &str) -> Option<Value> {
    let (parents, last) = match dotted.rsplit_once('.') {
        Some((parents, last)) => (Some(parents), last),
        None => (None, dotted),
    };
    let mut place = value;
    for key in parents.into_iter().flat_map(|parents| parents.split('.')) {
        place = place.get_mut(key)?;
    }
    place.as_object_mut()?.shift_remove(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_patch_replaces_lists_and_removes_nulls_whatever_the_case() {
        let mut body =
            json!({"properties": {"template": {"revisionSuffix": "a", "containers": [1, 2]}, "x": 1}});
        merge(&mut body, &json!({"Properties": {"Template": {"RevisionSuffix": null, "containers": [3]}}}));
        assert_eq!(body, json!({"properties": {"template": {"containers": [3]}, "x": 1}}));
    }

    #[test]
    fn nulls_go_and_order_stays() {
        let text = r#"{"b":1,"a":{"z":null,"list":[{"env":null,"n":1}]}}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(without_nulls(&value).to_string(), r#"{"b":1,"a":{"list":[{"n":1}]}}"#);
    }

    #[test]
    fn dotted_paths_put_take_and_default() {
        let mut value = json!({});
        put(&mut value, "a.b", json!(1));
        default(&mut value, "a.b", json!(2));
        default(&mut value, "a.c", json!(3));
        assert_eq!(value, json!({"a": {"b": 1, "c": 3}}));
        assert_eq!(take(&mut value, "a.b"), Some(json!(1)));
        assert_eq!(take(&mut value, "a.x.y"), None);
        assert_eq!(at(&value, "a.c"), Some(&json!(3)));
    }

    #[test]
    fn times_are_written_as_arm_writes_them() {
        let at: Timestamp = "2026-11-21T15:00:00.12Z".parse().unwrap();
        assert_eq!(stamp(at), "2026-11-21T15:00:00.1200000Z");
    }
}
