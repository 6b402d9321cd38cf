//! PUT, PATCH, GET, HEAD, DELETE of anything with an id, actions below it, and the life cycle that all types share.

use serde_json::{Map, Value, json};

use super::gate::{authorize, object};
use super::id::Id;
use super::kind::{self, Call, Change, Kind, Place, Reply, Signs, What};
use super::operations::{self, Verb};
use super::refusal::Refusal;
use super::{
    Answer, Ask, Resource, SystemData, catalogue, groups, lists, locks, merge, moves, names, put, shapes,
    subscriptions, tags, take,
};
use crate::world::{Method, Response, World, identities, monitor, network, quota};

/// Where a resource being deleted says, beside its body, that it goes for good.
pub(crate) const FORCED: &str = "forced";

/// How long ARM's own lists lag behind a creation, in seconds at speed 1.
const LIST_LAG_SECONDS: f64 = 2.0;

/// What is no part of a body, whoever sends it.
const NOT_KEPT: [&str; 6] =
    ["id", "name", "type", "apiVersion", "systemData", "properties.provisioningState"];

/// Types that tell no `provisioningState`.
const STATELESS: &[&str] = &[
    "Microsoft.App/managedEnvironments/storages",
    "Microsoft.ContainerService/managedClusters/maintenanceConfigurations",
    "Microsoft.DBforPostgreSQL/flexibleServers/administrators",
    "Microsoft.DBforPostgreSQL/flexibleServers/configurations",
    "Microsoft.DBforPostgreSQL/flexibleServers/databases",
    "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules",
];

/// What GET answers: the body with `id`, `name`, `type`, state and system data, through the type's view.
pub fn show(world: &World, key: &str) -> Option<Value> {
    world.arm.find(key).map(|resource| view(world, resource))
}

/// The same, of a resource in hand.
pub fn view(world: &World, resource: &Resource) -> Value {
    let mut shown = Map::new();
    shown.insert("id".into(), json!(resource.id.to_string()));
    shown.insert("name".into(), json!(resource.id.name()));
    shown.insert("type".into(), json!(resource.kind));
    if let Value::Object(body) = &resource.body {
        shown.extend(body.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    let mut shown = Value::Object(shown);
    if !STATELESS.contains(&resource.kind.as_str()) {
        put(&mut shown, "properties.provisioningState", json!(resource.state));
    }
    shown["systemData"] = resource.system.show();
    kind::row(&resource.kind).rules.view(world, resource, &mut shown);
    private_connections(world, resource, &mut shown);
    shown
}

/// What private endpoints have made of a resource, shown in it whatever its type.
fn private_connections(world: &World, resource: &Resource, shown: &mut Value) {
    if resource.id.stretches.is_empty() {
        return;
    }
    let prefix = format!("{}/{}/", resource.id.key(), network::connections::CONNECTIONS.to_ascii_lowercase());
    let found: Vec<Value> = world
        .arm
        .resources
        .range(prefix.clone()..)
        .take_while(|(key, _)| key.starts_with(&prefix))
        .map(|(_, connection)| {
            let mut own = view(world, connection);
            take(&mut own, "systemData");
            own
        })
        .collect();
    if !found.is_empty() {
        put(shown, "properties.privateEndpointConnections", json!(found));
    }
}

/// A path that leads to, or below, something with a provider in it.
pub(super) fn serve(world: &mut World, ask: &Ask) -> Answer {
    let (id, rest) = (&ask.path.id, &ask.path.rest);
    authorize(world, ask.caller, &action(ask), &scope_of(ask))?;
    if id.group.is_some() {
        groups::must_exist(world, id)?;
    }
    subscriptions::must_be_namespace(id.namespace())?;
    if let Some((part, _)) = id.stretches.last().and_then(|last| last.parts.first()) {
        catalogue::must_have(id.namespace(), part, ask.api_version())?;
    }
    if ask.request.method == Method::Post && !rest.is_empty() && world.arm.find(&id.key()).is_some() {
        // an action is a write to a read-only lock, listing keys included
        locks::permit(world, id, false)?;
    }
    if let Some(answer) = act(world, ask) {
        return answer;
    }
    if let Some(answer) = provide(world, ask) {
        return answer;
    }
    match (ask.request.method, rest.len()) {
        (Method::Get | Method::Head, 0) => get(world, ask),
        (Method::Put, 0) => write(world, ask, false),
        (Method::Patch, 0) => write(world, ask, true),
        (Method::Delete, 0) => delete(world, ask),
        (Method::Get, 1) => {
            must_have_resource(world, id)?;
            if rest[0].eq_ignore_ascii_case("privateLinkResources")
                && let Some(offered) = world.arm.find(&id.key()).and_then(network::connections::offered)
            {
                return Ok(offered);
            }
            lists::children(world, ask, &format!("{}/{}", id.kind(), rest[0]))
        }
        (Method::Get, 3) if rest[0].eq_ignore_ascii_case("providers") => {
            must_have_resource(world, id)?;
            if rest[1].eq_ignore_ascii_case("Microsoft.Insights")
                && let Some(metrics) =
                    world.arm.find(&id.key()).and_then(|it| monitor::metrics::serve(world, it, &rest[2]))
            {
                return Ok(metrics);
            }
            if rest[2].eq_ignore_ascii_case("diagnosticSettingsCategories")
                && let Some(categories) = monitor::diagnostics::categories(world, id)
            {
                return Ok(categories);
            }
            lists::children(world, ask, &format!("{}/{}", rest[1], rest[2]))
        }
        (Method::Post, 1) => {
            must_have_resource(world, id)?;
            Err(not_supported(ask))
        }
        (Method::Post, 0) => Err(not_allowed(ask)),
        (Method::Post, _) => Err(not_supported(ask)),
        (Method::Put | Method::Patch | Method::Delete, 1 | 3) => Err(not_allowed(ask)),
        _ => Err(Refusal::missing(
            "InvalidResourceType",
            "The path does not lead to a resource or a collection.",
        )),
    }
}

/// A path at a group or subscription that goes on with `providers/NAMESPACE/…` and names no resource.
pub(super) fn beside(world: &mut World, ask: &Ask) -> Answer {
    let (id, rest) = (&ask.path.id, &ask.path.rest);
    if rest.len() < 3 || !rest[0].eq_ignore_ascii_case("providers") {
        return Err(not_found_path(ask));
    }
    if id.group.is_some() {
        groups::must_exist(world, id)?;
    }
    subscriptions::must_be_namespace(&rest[1])?;
    if ask.request.method != Method::Get {
        authorize(world, ask.caller, &action(ask), &scope_of(ask))?;
    }
    if let Some(answer) = provide(world, ask) {
        return answer;
    }
    match (ask.request.method, rest.len()) {
        (Method::Get, 3) => {
            catalogue::must_have(&rest[1], &rest[2], ask.api_version())?;
            lists::of_type(world, ask, &format!("{}/{}", rest[1], rest[2]))
        }
        (Method::Post, 3) => Err(not_allowed(ask)),
        (Method::Post, _) => Err(not_supported(ask)),
        (Method::Put | Method::Patch | Method::Delete, 3) => Err(not_allowed(ask)),
        _ => Err(not_found_path(ask)),
    }
}

fn not_found_path(ask: &Ask) -> Refusal {
    Refusal::missing(
        "NotFound",
        format!("The request path '{}' does not match any resource or operation.", ask.request.path),
    )
}

/// A verb that a resource or a collection does not take.
fn not_allowed(ask: &Ask) -> Refusal {
    Refusal::new(
        405,
        "MethodNotAllowed",
        format!(
            "The requested resource does not support http method '{}'.",
            format!("{:?}", ask.request.method).to_ascii_uppercase()
        ),
    )
}

/// What the modelled part of Azure does not do is refused in so many words.
fn not_supported(ask: &Ask) -> Refusal {
    Refusal::new(
        501,
        "NotModelledLocally",
        format!("Local Azure does not model the action '{}'.", action(ask)),
    )
}

/// The right that a request needs: `Microsoft.App/containerApps/write`, `…/listSecrets/action`.
fn action(ask: &Ask) -> String {
    let rest = &ask.path.rest;
    let (kind, rest): (String, &[String]) = match rest.first() {
        Some(first) if first.eq_ignore_ascii_case("providers") && rest.len() >= 3 => {
            (rest[1].clone(), &rest[2..])
        }
        _ => (ask.path.id.kind(), rest),
    };
    let mut action = kind;
    for segment in rest {
        action.push('/');
        action.push_str(segment);
    }
    action
        + match ask.request.method {
            Method::Get | Method::Head => "/read",
            Method::Put | Method::Patch => "/write",
            Method::Delete => "/delete",
            Method::Post | Method::Options => "/action",
        }
}

fn scope_of(ask: &Ask) -> Id {
    ask.path.id.clone()
}

/// Asks the stored resources on the way to the path, nearest first, whether they serve it themselves.
fn act(world: &mut World, ask: &Ask) -> Option<Answer> {
    let mut id = ask.path.id.clone();
    let mut rest: Vec<String> = ask.path.rest.clone();
    loop {
        if !rest.is_empty() && world.arm.find(&id.key()).is_some() {
            let known = world.arm.find(&id.key()).map(|found| found.id.clone())?;
            let call = Call {
                request: ask.request,
                caller: ask.caller,
                rest: rest.iter().map(String::as_str).collect(),
                body: ask.body.clone(),
                id: known,
            };
            if let Some(answer) = kind::row(&id.kind()).rules.act(world, &call) {
                return Some(answer);
            }
        }
        let (part, name) = id.stretches.last()?.parts.last()?.clone();
        id = id.parent()?;
        rest.splice(0..0, [part, name]);
    }
}

/// Asks the types of a namespace whether one serves a path of the provider's own.
fn provide(world: &mut World, ask: &Ask) -> Option<Answer> {
    let mut id = ask.path.id.clone();
    let mut rest = ask.path.rest.clone();
    let namespace = match id.stretches.pop() {
        Some(last) => {
            let words = last.parts.into_iter().flat_map(|(part, name)| [part, name]);
            rest.splice(0..0, words);
            last.namespace
        }
        None => {
            if !rest.first()?.eq_ignore_ascii_case("providers") || rest.len() < 3 {
                return None;
            }
            rest.remove(0);
            rest.remove(0)
        }
    };
    if !id.stretches.is_empty() {
        return None;
    }
    let call = Call {
        request: ask.request,
        caller: ask.caller,
        id,
        rest: rest.iter().map(String::as_str).collect(),
        body: ask.body.clone(),
    };
    kind::rows()
        .filter(|row| {
            row.name.split('/').next().is_some_and(|first| first.eq_ignore_ascii_case(&namespace))
                && row.name.matches('/').count() == 1
        })
        .find_map(|row| row.rules.provide(world, &call))
}

/// Refuses as ARM does when what a path leads to is not there.
pub fn must_have_resource(world: &World, id: &Id) -> Result<(), Refusal> {
    match world.arm.find(&id.key()) {
        Some(_) => Ok(()),
        None => Err(not_there(id)),
    }
}

/// `ResourceNotFound` in ARM's words.
pub fn not_there(id: &Id) -> Refusal {
    Refusal::missing(
        "ResourceNotFound",
        match &id.group {
            Some(group) => format!(
                "The Resource '{}/{}' under resource group '{group}' was not found. For more details please go to \
                 https://aka.ms/ARMResourceNotFoundFix",
                id.kind(),
                id.full_name()
            ),
            None => format!("The Resource '{}/{}' was not found.", id.kind(), id.full_name()),
        },
    )
}

fn get(world: &mut World, ask: &Ask) -> Answer {
    let Some(found) = world.arm.find(&ask.path.id.key()) else { return Err(not_there(&ask.path.id)) };
    if ask.request.method == Method::Head {
        return Ok(Response::empty(204));
    }
    let mut response = Response::json(200, &view(world, found)).with("etag", found.etag.clone());
    if found.operation.is_some() {
        // clients that wait for `provisioningState` look again when they are told to
        response.headers.extend(operations::retry_after(world));
    }
    Ok(response)
}

/// PUT and PATCH.
fn write(world: &mut World, ask: &Ask, patch: bool) -> Answer {
    let id = spelled(world, &ask.path.id);
    let key = id.key();
    let row = kind::row(&id.kind());
    let current = world.arm.find(&key).cloned();
    if patch && current.is_none() {
        return Err(not_there(&id));
    }
    may_hold(world, &id, current.is_none())?;
    locks::permit(world, &id, false)?;
    if current.is_none() {
        name(row, &id)?;
    }
    matches(world, ask, current.as_ref())?;
    if let Some(operation) = operations::under_way(world, &key) {
        return Err(busy(row, &id, operation));
    }
    let mut sent = object(ask.body)?;
    respell(&mut sent, row.spelling);
    shapes::check(&id, &sent)?;
    if let Some(types) = world.types.clone() {
        let shown = current.as_ref().map(|current| view(world, current));
        types.check(&id, ask.api_version(), &sent, patch, shown.as_ref())?;
    }
    let body = body(row, &sent, current.as_ref(), patch)?;
    let mut change = Change {
        request: ask.request,
        caller: ask.caller,
        id: &id,
        patch,
        private: current.as_ref().map_or(Value::Null, |current| current.private.clone()),
        current,
        sent,
        body,
    };
    place(row, &id, &mut change)?;
    tags::check(&change.body["tags"])?;
    if row.names.global && change.current.is_none() {
        unique(world, row, &id)?;
    }
    row.rules.judge(world, &mut change)?;
    quota::permit(world, &id.kind(), &id, &change)?;
    identities::settle(world, &id, &mut change.body)?;
    let Change { body, private, current, .. } = change;

    let created = current.is_none();
    let now = world.now;
    let by = ask.caller.client_id.clone();
    let system = match &current {
        Some(current) => SystemData { modified_by: by, modified_at: now, ..current.system.clone() },
        None => SystemData { created_by: by.clone(), created_at: now, modified_by: by, modified_at: now },
    };
    let etag = format!("\"{}\"", world.chance.uuid(&format!("etag {key}")));
    let lag = world.config.scaled(LIST_LAG_SECONDS);
    let resource = Resource {
        kind: if row.name.is_empty() { id.kind() } else { row.name.to_owned() },
        body,
        private,
        state: if created { "Creating" } else { "Updating" }.to_owned(),
        api_version: ask.api_version().to_owned(),
        system,
        etag: etag.clone(),
        operation: None,
        listed_from: current.map_or_else(|| now.saturating_add(lag).unwrap_or(now), |old| old.listed_from),
        id: id.clone(),
    };
    world.arm.resources.insert(key.clone(), resource);
    let (what, verb) = if created { (What::Created, Verb::Create) } else { (What::Updated, Verb::Update) };
    let ending = row.rules.begun(world, &id, what);
    let operation = operations::begin(world, &id, verb, ending);
    let reply = match (patch, created) {
        (true, _) => row.replies.patch,
        (_, true) => row.replies.create,
        _ => row.replies.replace,
    };
    if let Some(operations::Operation { status: operations::Status::Failed(failure), .. }) =
        world.arm.operations.get(&operation)
    {
        return Err(failure.clone());
    }
    let shown = show(world, &key).unwrap_or(Value::Null);
    let response = Response::json(200, &shown).with("etag", etag);
    Ok(operations::lead(world, ask.request, &operation, reply, response))
}

/// The id as it is or will be kept: an existing resource's own, else with the type's spelling, and group and
/// parents spelled as they were created.
fn spelled(world: &World, id: &Id) -> Id {
    if let Some(found) = world.arm.find(&id.key()) {
        return found.id.clone();
    }
    let mut spelled = id.clone();
    if let Some(group) = id.group_id().and_then(|group| world.arm.find(&group.key())) {
        spelled.group = group.id.group.clone();
        spelled.subscription = group.id.subscription.clone();
    }
    let kind = kind::row(&id.kind()).name;
    if !kind.is_empty()
        && let Some(last) = spelled.stretches.last_mut()
    {
        let mut words = kind.split('/');
        last.namespace = words.next().unwrap_or_default().to_owned();
        for ((part, _), word) in last.parts.iter_mut().zip(words) {
            *part = word.to_owned();
        }
    }
    if let Some(parent) = id.parent().and_then(|parent| world.arm.find(&parent.key()))
        && let (Some(last), Some(own)) = (spelled.stretches.last_mut(), parent.id.stretches.last())
    {
        for (part, known) in last.parts.iter_mut().zip(&own.parts) {
            *part = known.clone();
        }
    }
    spelled
}

/// What must be there before anything can be: group, provider, parent, what is extended.
fn may_hold(world: &World, id: &Id, creates: bool) -> Result<(), Refusal> {
    if let Some(group) = id.group_id() {
        groups::must_not_be_going(world, &group)?;
        moves::must_be_still(world, id, "write")?;
    }
    if id.subscription.is_some() {
        subscriptions::must_be_registered(world, id.namespace())?;
    }
    let holder = id.parent().unwrap_or_else(|| id.scope());
    if holder.stretches.is_empty() {
        return Ok(());
    }
    if world.arm.find(&holder.key()).is_none() {
        return Err(if id.parent().is_some() {
            Refusal::missing(
                "ParentResourceNotFound",
                format!(
                    "Failed to perform 'write' on resource(s) of type '{}', because the parent resource '{holder}' \
                     could not be found.",
                    id.kind().split_once('/').map_or("", |(_, kind)| kind)
                ),
            )
        } else {
            not_there(&holder)
        });
    }
    match operations::under_way(world, &holder.key()) {
        Some(operation) if operation.verb == Verb::Delete || (creates && operation.verb == Verb::Create) => {
            Err(busy(kind::row(&holder.kind()), &holder, operation))
        }
        _ => Ok(()),
    }
}

fn name(row: &Kind, id: &Id) -> Result<(), Refusal> {
    let name = id.name();
    if row.names.global && names::is_reserved(name) {
        return Err(Refusal::bad(
            "ReservedResourceName",
            format!("The resource name '{name}' or a part of the name is a trademarked or reserved word."),
        ));
    }
    if row.names.allow(name) {
        return Ok(());
    }
    let (code, message) = row.names.refusal;
    Err(Refusal::bad(code, message.replace("{name}", name)))
}

impl kind::Names {
    /// Whether a name is allowed.
    pub fn allow(&self, name: &str) -> bool {
        let count = name.chars().count();
        (self.length.0..=self.length.1).contains(&count) && self.signs.allow(name)
    }
}

impl Signs {
    /// Whether a name has only these signs where they may be.
    pub fn allow(self, name: &str) -> bool {
        let all = |allowed: fn(char) -> bool| name.chars().all(allowed);
        let starts = |allowed: fn(&char) -> bool| name.chars().next().as_ref().is_some_and(allowed);
        let ends = |allowed: fn(&char) -> bool| name.chars().last().as_ref().is_some_and(allowed);
        match self {
            Signs::Any => {
                !name.chars().any(|c| "<>%&\\?/#".contains(c) || c.is_control())
                    && !name.ends_with(['.', ' '])
            }
            Signs::LowerAlnum => all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()),
            Signs::Alnum => all(|c| c.is_ascii_alphanumeric()),
            Signs::VaultLike => {
                all(|c| c.is_ascii_alphanumeric() || c == '-')
                    && starts(char::is_ascii_alphabetic)
                    && ends(char::is_ascii_alphanumeric)
                    && !name.contains("--")
            }
            Signs::AppLike => {
                all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                    && starts(char::is_ascii_lowercase)
                    && ends(char::is_ascii_alphanumeric)
                    && !name.contains("--")
            }
            Signs::Word => {
                all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
                    && starts(char::is_ascii_alphanumeric)
            }
            Signs::ServerLike => {
                all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                    && !name.starts_with('-')
                    && !name.ends_with('-')
            }
            Signs::Network => {
                all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
                    && starts(|c| c.is_ascii_alphanumeric() || *c == '_')
                    && ends(|c| c.is_ascii_alphanumeric() || *c == '_')
            }
            Signs::Hyphened => {
                all(|c| c.is_ascii_alphanumeric() || c == '-')
                    && starts(char::is_ascii_alphanumeric)
                    && ends(char::is_ascii_alphanumeric)
            }
        }
    }
}

/// A name that is taken by a resource elsewhere; types with words of their own for it refuse in their rules first.
fn unique(world: &World, row: &Kind, id: &Id) -> Result<(), Refusal> {
    match world.arm.by_name(row.name, id.name()) {
        Some(other) if other.id.key() != id.key() => row.rules.taken(world, other, id),
        _ => Ok(()),
    }
}

/// `If-Match` and `If-None-Match`.
fn matches(_world: &World, ask: &Ask, current: Option<&Resource>) -> Result<(), Refusal> {
    let failed = |message: &str| Err(Refusal::new(412, "PreconditionFailed", message));
    if let Some(wanted) = ask.request.header("if-match") {
        match current {
            None => return failed("The resource does not exist, so the If-Match condition cannot be met."),
            Some(current) if wanted.trim() != "*" && opaque(wanted) != opaque(&current.etag) => {
                return failed(
                    "The condition specified in the If-Match header was not met: the resource was changed since.",
                );
            }
            Some(_) => {}
        }
    }
    if ask.request.header("if-none-match").is_some_and(|wanted| wanted.trim() == "*") && current.is_some() {
        return failed("The resource exists already, so the If-None-Match condition cannot be met.");
    }
    Ok(())
}

/// An etag without its quotes, and without the mark of a weak one: services show either.
fn opaque(etag: &str) -> &str {
    etag.trim().trim_start_matches("W/").trim_matches('"')
}

/// The type's own conflict while another change is under way.
fn busy(row: &Kind, id: &Id, operation: &operations::Operation) -> Refusal {
    if let Some(refusal) = row.rules.busy(id, operation) {
        return refusal;
    }
    let doing = match operation.verb {
        Verb::Create => "being created",
        Verb::Update => "being updated",
        Verb::Delete => "being deleted",
        Verb::Act => "busy",
    };
    Refusal::conflict(
        row.busy,
        format!(
            "Cannot modify resource '{id}' because another operation ('{}') is in progress: it is {doing}. Please \
             retry later.",
            operation.id
        ),
    )
}

/// What every resource's body has at its top, whatever its type.
const ENVELOPE: &[(&str, Shape)] = &[
    ("properties", Shape::Object),
    ("location", Shape::Text),
    ("sku", Shape::Object),
    ("identity", Shape::Object),
    ("plan", Shape::Object),
    ("kind", Shape::Text),
    ("managedBy", Shape::Text),
    ("zones", Shape::List),
    ("extendedLocation", Shape::Object),
];

#[derive(Clone, Copy)]
enum Shape {
    Object,
    List,
    Text,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Shape::Object => "an object",
            Shape::List => "an array",
            Shape::Text => "a string",
        }
    }
}

/// The body that would be kept if the type had nothing to add.
fn body(row: &Kind, sent: &Value, current: Option<&Resource>, patch: bool) -> Result<Value, Refusal> {
    let mut sent = sent.clone();
    for path in NOT_KEPT.iter().chain(row.computed) {
        take(&mut sent, path);
    }
    for (name, wanted) in ENVELOPE {
        let fits = match (wanted, sent.get(*name)) {
            (_, None | Some(Value::Null))
            | (Shape::Object, Some(Value::Object(_)))
            | (Shape::List, Some(Value::Array(_)))
            | (Shape::Text, Some(Value::String(_))) => true,
            (_, Some(_)) => false,
        };
        if !fits {
            return Err(Refusal::bad(
                "InvalidRequestContent",
                format!(
                    "The request content was invalid and could not be deserialized: '{name} must be {}'.",
                    wanted.name()
                ),
            )
            .at(*name));
        }
    }
    let mut body = match (current, patch) {
        (Some(current), true) => {
            let mut body = current.body.clone();
            // tags are replaced as a whole, but for services whose PATCH is a merge patch throughout
            if sent.get("tags").is_some_and(Value::is_object) && !row.name.starts_with("Microsoft.App/") {
                take(&mut body, "tags");
            }
            merge(&mut body, &sent);
            body
        }
        _ => sent,
    };
    if let Some(current) = current {
        for path in row.computed {
            if let Some(known) = super::at(&current.body, path) {
                put(&mut body, path, known.clone());
            }
        }
    }
    if !body["properties"].is_object() {
        body["properties"] = json!({});
    }
    Ok(body)
}

/// `Name` becomes `name` wherever a property that clients misspell is known.
fn respell(value: &mut Value, spelling: &[&str]) {
    match value {
        Value::Object(map) => {
            let wrong: Vec<(String, &str)> = map
                .keys()
                .filter_map(|key| {
                    let right = spelling.iter().find(|right| right.eq_ignore_ascii_case(key))?;
                    (*right != key).then(|| (key.clone(), *right))
                })
                .collect();
            for (key, right) in wrong {
                if let Some(value) = map.shift_remove(&key) {
                    map.insert(right.to_owned(), value);
                }
            }
            // names of tags and identities are the user's
            map.iter_mut()
                .filter(|(key, _)| *key != "tags" && *key != "userAssignedIdentities")
                .for_each(|(_, value)| respell(value, spelling));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| respell(value, spelling)),
        _ => {}
    }
}

/// The location: needed, known, and not moved.
fn place(row: &Kind, id: &Id, change: &mut Change) -> Result<(), Refusal> {
    if row.place == Place::Parent {
        take(&mut change.body, "location");
        return Ok(());
    }
    let sent = change.body["location"].as_str().map(subscriptions::normal);
    let known = change.current.as_ref().map(Resource::location).filter(|location| !location.is_empty());
    let location = match (sent, known) {
        (Some(sent), Some(known)) if sent != known => {
            return Err(Refusal::conflict(
                "InvalidResourceLocation",
                format!(
                    "The resource '{}' already exists in location '{known}' in resource group '{}'. A resource with \
                     the same name cannot be created in location '{sent}'. Please select a new resource name.",
                    id.name(),
                    id.group.as_deref().unwrap_or_default()
                ),
            ));
        }
        (Some(sent), _) => sent,
        (None, Some(known)) => known,
        (None, None) if row.place == Place::Regional => {
            return Err(Refusal::bad(
                "LocationRequired",
                "The location property is required for this definition.",
            ));
        }
        (None, None) => {
            take(&mut change.body, "location");
            return Ok(());
        }
    };
    let offered = catalogue::regions(row.name);
    if row.place == Place::Regional && !offered.contains(&location.as_str()) {
        return Err(Refusal::bad(
            "LocationNotAvailableForResourceType",
            format!(
                "The provided location '{location}' is not available for resource type '{}'. List of available \
                 regions for the resource type is '{}'.",
                row.name,
                offered.join(",")
            ),
        ));
    }
    change.body["location"] = json!(location);
    Ok(())
}

fn delete(world: &mut World, ask: &Ask) -> Answer {
    let key = ask.path.id.key();
    let Some(found) = world.arm.find(&key).cloned() else { return Ok(Response::empty(204)) };
    let row = kind::row(&found.kind);
    locks::permit(world, &found.id, true)?;
    moves::must_be_still(world, &found.id, "delete")?;
    matches(world, ask, Some(&found))?;
    if let Some(operation) = operations::under_way(world, &key) {
        return Err(busy(row, &found.id, operation));
    }
    row.rules.may_delete(world, &found)?;
    // some services keep what is deleted for a while, unless told to let it go for good
    let forced = ask.request.query("force").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    row.rules.parting(world, &found.id, ask.request);
    if let Some(found) = world.arm.find_mut(&key) {
        found.state = "Deleting".into();
        if forced {
            put(&mut found.private, FORCED, json!(true));
        }
    }
    let ending = row.rules.deleting(world, &found);
    let operation = operations::begin(world, &found.id, Verb::Delete, ending);
    if let Some(operations::Operation { status: operations::Status::Failed(failure), .. }) =
        world.arm.operations.get(&operation)
    {
        return Err(failure.clone());
    }
    Ok(operations::lead(world, ask.request, &operation, row.replies.delete, Response::empty(200)))
}

/// Removes a resource with all that is below it, deepest first; the types' [`deleted`](kind::Rules::deleted) run,
/// and role assignments over it go.
pub fn remove(world: &mut World, key: &str) {
    let Some(id) = world.arm.find(key).map(|found| found.id.clone()) else { return };
    let mut keys: Vec<String> = world.arm.below(&id).map(|(key, _)| key.clone()).collect();
    keys.insert(0, key.to_owned());
    for key in keys.iter().rev() {
        let Some(resource) = world.arm.resources.remove(key) else { continue };
        kind::row(&resource.kind).rules.deleted(world, &resource);
        crate::world::entra::forget(world, &resource.id.to_string());
    }
    crate::world::access::scope_removed(world, &id);
}

/// A resource that a service makes by itself: stored as finished, nobody asked.
pub fn grow(world: &mut World, id: &Id, body: Value, private: Value) {
    let row = kind::row(&id.kind());
    let by = String::from("Azure");
    let resource = Resource {
        id: id.clone(),
        kind: if row.name.is_empty() { id.kind() } else { row.name.to_owned() },
        body,
        private,
        state: "Succeeded".into(),
        api_version: "2024-11-01".into(),
        system: SystemData {
            created_by: by.clone(),
            created_at: world.now,
            modified_by: by,
            modified_at: world.now,
        },
        etag: format!("\"{}\"", world.chance.uuid(&format!("etag {}", id.key()))),
        operation: None,
        listed_from: world.now,
    };
    world.arm.resources.insert(id.key(), resource);
}

/// A reply that always ends within the request.
pub const fn at_once(create: u16, again: u16) -> kind::Replies {
    const fn reply(status: u16) -> Reply {
        Reply { status, headers: kind::Headers::None, done: status }
    }
    kind::Replies { create: reply(create), replace: reply(again), patch: reply(200), delete: reply(200) }
}
