//! Template deployments: `Microsoft.Resources/deployments` at resource groups, subscriptions, management groups and
//! the tenant. In reading order:
//!
//! - [`json`], [`expression`]: what clients send, and the language in its strings.
//! - [`functions`], [`dates`], [`networks`], [`scopes`]: functions that follow from their arguments alone.
//! - [`evaluate`]: parameters, variables, loops, lambdas, and the functions that ask the world.
//! - [`check`]: what can be said of expressions before they have values.
//! - [`template`]: shape, parameters and resources of a template in the order of their needs; [`secrets`]: parameters
//!   that refer to a vault.
//! - [`prepare`]: from a request to a deployment that may run; [`preflight`]: what is refused before anything is made.
//! - [`run`]: a deployment step by step; [`nested`]: deployments inside deployments; [`complete`]: what complete mode
//!   deletes.
//! - [`links`]: templates that are named instead of brought; [`specs`]: template specs; [`stacks`]: deployments whose
//!   resources are remembered.
//! - [`what_if`], [`export`]: the difference it would make, and templates of what is there.
//!
//! This file has the state and the requests.

mod check;
mod complete;
mod dates;
mod evaluate;
mod export;
pub(crate) mod expression;
mod functions;
pub(crate) mod json;
pub(crate) mod links;
mod nested;
pub(crate) mod networks;
mod preflight;
mod prepare;
mod run;
mod scopes;
mod secrets;
pub mod specs;
pub(crate) mod stacks;
mod template;
#[cfg(test)]
mod tests;
mod what_if;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::evaluate::Frame;
use self::template::Violation;
use super::agenda;
use super::arm::gate::authorize;
use super::arm::id::{Id, Path, decode};
use super::arm::refusal::Refusal;
use super::arm::{self, Answer, Ask, Caller, groups, lists, locks, operations, stamp};
use super::{Body, Method, Plane, Request, Response, World, management_groups};

/// A scope keeps so many deployments; at [`HISTORY_HIGH`] the oldest go until [`HISTORY_LOW`] are left.
const HISTORY_HIGH: usize = 775;
const HISTORY_LOW: usize = 750;
/// Most deployments in a scope's history.
const HISTORY_MAX: usize = 800;

/// Deployments, and what they wait for.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// By the key of their id.
    pub deployments: BTreeMap<String, Deployment>,
    /// Operations of resources that a deployment waits for: its key and the node.
    pub waiting: BTreeMap<String, (String, usize)>,
    /// Deployment stacks that deny something, by the key of their id.
    #[serde(default)]
    pub denying: BTreeMap<String, stacks::Denial>,
    /// What expressions see, by deployment; made again when it is not there.
    #[serde(skip)]
    frames: BTreeMap<String, Arc<Frame>>,
    /// Blobs that links of the request lead to and that did not come with it.
    #[serde(skip)]
    pub wanted: links::Wanted,
}

/// Something that happens to a deployment by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// It begins, or a node may be tried again.
    Step(String),
    /// A deployment stack takes its next step.
    Stack(String),
}

/// A value that must not be printed: it may hold secure parameters.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed<T>(pub T);

impl<T> std::fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// `onErrorDeployment`: an earlier deployment that is deployed again on failure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rescue {
    /// `LastSuccessful` or `SpecificDeployment`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Whether it was begun.
    pub begun: bool,
}

/// One deployment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub id: Id,
    /// Where its data is kept, for those of a subscription.
    pub location: Option<String>,
    /// Its tags.
    pub tags: Value,
    /// Whether what the template lacks is deleted.
    pub complete: bool,
    /// The template.
    pub template: Sealed<Value>,
    /// Values of its parameters by lower-case name.
    pub parameters: Sealed<BTreeMap<String, Value>>,
    /// `properties.parameters` as shown: without what is secure.
    pub shown: Value,
    /// `x-ms-correlation-request-id` of the request.
    pub correlation: String,
    /// Who deploys.
    pub caller: (String, String),
    /// Origin of the request.
    pub origin: String,
    /// When it was accepted.
    pub begun: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How it is.
    pub progress: Progress,
    /// Why it failed.
    pub error: Option<Refusal>,
    /// Its resources.
    pub nodes: Vec<Node>,
    /// `properties.outputs` as shown.
    pub outputs: Value,
    /// The deployment it is part of, and its node there.
    pub parent: Option<(String, usize)>,
    /// Whether its expressions see the parent's parameters and variables; loops around it then.
    pub outer: Option<Vec<(String, i64)>>,
    /// What complete mode deletes.
    pub deletions: Vec<complete::Deletion>,
    /// Name of the operation that clients follow.
    pub operation: String,
    /// Where the template came from, when it was linked.
    #[serde(default)]
    pub link: Sealed<Option<links::Origin>>,
    /// Linked content that came with the request, for what is nested.
    #[serde(default)]
    pub texts: Sealed<links::Texts>,
    /// Values of secure outputs.
    #[serde(default)]
    pub secure: Sealed<BTreeMap<String, Value>>,
    /// What is deployed again when it fails.
    #[serde(default)]
    pub rescue: Option<Rescue>,
    /// `properties.debugSetting`.
    #[serde(default)]
    pub debug: Value,
    /// The deployment stack it belongs to.
    #[serde(default)]
    pub stack: Option<String>,
    /// The deployment stack that it, or what it is nested in, works for.
    #[serde(default)]
    pub acts_for: Option<String>,
    /// Steps are taken now: what ends meanwhile does not step.
    #[serde(skip)]
    pub stepping: bool,
}

/// Where a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Progress {
    Accepted,
    Running,
    Succeeded,
    Failed,
    Canceled,
}

impl Progress {
    fn name(self) -> &'static str {
        match self {
            Progress::Accepted => "Accepted",
            Progress::Running => "Running",
            Progress::Succeeded => "Succeeded",
            Progress::Failed => "Failed",
            Progress::Canceled => "Canceled",
        }
    }

    fn is_active(self) -> bool {
        matches!(self, Progress::Accepted | Progress::Running)
    }
}

/// One resource of a deployment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Node {
    /// Where it stands in the template.
    pub pointer: String,
    /// Symbolic name.
    pub symbol: Option<String>,
    /// Loops around it: name and turn.
    pub copies: Vec<(String, i64)>,
    /// Whether it comes from a loop.
    pub looped: bool,
    /// Its id.
    pub id: Id,
    /// Its type as written.
    pub kind: String,
    /// Its version.
    pub api_version: String,
    /// Its region, when that is known before it is deployed.
    pub location: Option<String>,
    /// Only read, not deployed.
    pub existing: bool,
    /// Its condition.
    pub wanted: bool,
    /// Nodes that must be done before.
    pub needs: Vec<usize>,
    /// Where it is.
    pub turn: Turn,
    /// Name of its deployment operation.
    pub tracking: String,
    /// When it began.
    pub begun: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Status of the request that made it.
    pub status: u16,
    /// How often it was tried.
    pub tries: u32,
    /// Not to be tried again before.
    pub after: Option<Timestamp>,
}

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Turn {
    Waiting,
    Running,
    Done,
    Failed(Box<Refusal>),
}

impl Deployment {
    fn caller(&self) -> Caller {
        Caller {
            object_id: self.caller.0.clone(),
            client_id: self.caller.1.clone(),
            stack: self.acts_for.clone(),
        }
    }

    fn scope(&self) -> Id {
        self.id.scope()
    }
}

pub(super) fn fire(world: &mut World, event: Event) {
    match event {
        Event::Step(key) => run::step(world, &key),
        Event::Stack(key) => stacks::step(world, &key),
    }
}

/// A resource's operation has ended: the deployment that waits for it goes on.
pub(super) fn operation_ended(world: &mut World, operation: &str, failure: Option<&Refusal>) {
    if let Some((key, node)) = world.templates.waiting.remove(operation) {
        run::node_ended(world, &key, node, failure);
    }
}

/// A group is gone, and its deployments with it.
pub(super) fn scope_removed(world: &mut World, scope: &Id) {
    let prefix = format!("{}/", scope.key());
    world.templates.deployments.retain(|key, _| !key.starts_with(&prefix));
    world.templates.frames.retain(|key, _| !key.starts_with(&prefix));
    world.templates.waiting.retain(|_, (key, _)| !key.starts_with(&prefix));
}

/// Whether a path takes a body with a template in it, which is read more leniently than others.
pub(crate) fn takes_template(path: &str) -> bool {
    way(path).is_some()
}

/// Asks Resource Manager from inside, as a caller.
///
/// # Errors
/// What it refuses.
fn ask(
    world: &mut World,
    caller: &Caller,
    origin: &str,
    method: Method,
    path: &str,
    version: &str,
    body: Value,
) -> Result<Value, Refusal> {
    let response = send(world, caller, origin, method, path, version, body);
    let body = match &response.body {
        Body::Bytes(bytes) => serde_json::from_slice(bytes).unwrap_or(Value::Null),
        _ => Value::Null,
    };
    if response.status < 400 { Ok(body) } else { Err(refusal(response.status, &body)) }
}

/// The same with the whole answer; faults act as they would on a client's request.
fn send(
    world: &mut World,
    caller: &Caller,
    origin: &str,
    method: Method,
    path: &str,
    version: &str,
    body: Value,
) -> Response {
    let request = Request {
        plane: Plane::Arm,
        method,
        origin: origin.into(),
        path: path.into(),
        query: vec![("api-version".into(), version.into())],
        headers: BTreeMap::new(),
        body: if body.is_null() { Body::Empty } else { Body::Bytes(body.to_string().into_bytes()) },
        id: world.chance.uuid("request of a deployment").to_string(),
    };
    use super::faults::Fault;
    match super::faults::matching(world, &request) {
        Some(fault @ Fault::Status { .. }) => return fault.answer(),
        Some(fault @ (Fault::OperationFails { .. } | Fault::OperationStalls)) => {
            world.faults.pending = Some(fault)
        }
        _ => {}
    }
    let path = Path::parse(&request.path);
    let body = if method == Method::Patch { body } else { arm::without_nulls(&body) };
    let answer = arm::serve(world, &Ask { request: &request, caller, path: &path, body: &body });
    world.faults.pending = None;
    answer.unwrap_or_else(Response::from)
}

/// An error body as a refusal.
fn refusal(status: u16, body: &Value) -> Refusal {
    fn read(status: u16, error: &Value) -> Refusal {
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        let mut refusal = Refusal::new(status, &text("code"), text("message"));
        if let Some(target) = error["target"].as_str() {
            refusal = refusal.at(target);
        }
        let details = error["details"].as_array().into_iter().flatten();
        refusal.details = details.map(|it| read(status, it)).collect();
        refusal
    }
    let error = if body["error"].is_object() { &body["error"] } else { body };
    read(status, error)
}

/// A path to deployments: their scope, and what follows `deployments`.
struct Way {
    scope: Id,
    words: Vec<String>,
}

fn way(path: &str) -> Option<Way> {
    let words: Vec<String> = path.split('/').filter(|word| !word.is_empty()).map(decode).collect();
    let is = |at: usize, word: &str| words.get(at).is_some_and(|it| it.eq_ignore_ascii_case(word));
    let found = (0..words.len())
        .find(|at| is(*at, "providers") && is(at + 1, "Microsoft.Resources") && is(at + 2, "deployments"));
    let (end, next) = match found {
        Some(at) => (at, at + 3),
        // the older form, without a provider
        None if is(0, "subscriptions") && is(2, "resourceGroups") && is(4, "deployments") => (4, 5),
        None if is(0, "subscriptions") && is(2, "deployments") => (2, 3),
        None => return None,
    };
    let scope = Path::parse(&words[..end].join("/"));
    scope.rest.is_empty().then(|| Way { scope: scope.id, words: words[next..].to_vec() })
}

/// Requests about deployments and templates.
pub(super) fn serve(world: &mut World, request: &Ask) -> Option<Answer> {
    if request.request.method == Method::Post {
        if request.path.rest_is(&["exportTemplate"])
            && request.path.id.stretches.is_empty()
            && request.path.id.group.is_some()
        {
            return Some(export::group(world, request));
        }
        if request.path.rest_is(&["providers", "Microsoft.Resources", "calculateTemplateHash"]) {
            let shown =
                json!({"minifiedTemplate": request.body.to_string(), "templateHash": hash(request.body)});
            return Some(Ok(Response::json(200, &shown)));
        }
    }
    if let Some(answer) = stacks::serve(world, request) {
        return Some(answer);
    }
    let way = way(&request.request.path)?;
    Some(route(world, request, &way).or_else(|violation| Ok(refused(violation))))
}

/// A violation as an answer.
fn refused(violation: Violation) -> Response {
    if violation.place.is_none() {
        return (*violation.refusal).into();
    }
    Response::json(violation.refusal.status, &json!({"error": error_of(&violation)}))
        .with("x-ms-failure-cause", "gateway")
}

/// The body of a violation's error: the place goes into `additionalInfo`.
fn error_of(violation: &Violation) -> Value {
    let mut error = violation.refusal.error();
    if let Some((path, place)) = &violation.place {
        error["additionalInfo"] = json!([{
            "type": "TemplateViolation",
            "info": {"lineNumber": place.line, "linePosition": place.column, "path": path},
        }]);
    }
    error
}

fn route(world: &mut World, ask: &Ask, way: &Way) -> Result<Response, Violation> {
    let scope = &way.scope;
    if !scope.stretches.is_empty() && management_groups::name_of(scope).is_none() {
        return Err(Refusal::bad(
            "InvalidDeploymentScope",
            format!(
                "The deployment scope '{scope}' is not valid. Templates are deployed to resource groups, subscriptions, \
                 management groups and the tenant."
            ),
        )
        .into());
    }
    let method = ask.request.method;
    let words: Vec<&str> = way.words.iter().map(String::as_str).collect();
    let may = |world: &World, right: &str| {
        let on = match words.first() {
            Some(name) => scope.provider("Microsoft.Resources/deployments", name),
            None => scope.clone(),
        };
        authorize(world, ask.caller, &format!("Microsoft.Resources/deployments/{right}"), &on)
    };
    groups::must_exist(world, scope)?;
    management_groups::must_exist(world, scope)?;
    let reads = matches!(method, Method::Get | Method::Head);
    match words.as_slice() {
        [] if method == Method::Get => {
            may(world, "read")?;
            Ok(list(world, ask, scope)?)
        }
        [name] if method == Method::Put => {
            may(world, "write")?;
            put(world, ask, scope, name)
        }
        [name] => {
            may(world, if method == Method::Delete { "delete" } else { "read" })?;
            let id = scope.provider("Microsoft.Resources/deployments", name);
            let found = world.templates.deployments.get(&id.key());
            match (method, found) {
                (Method::Head, found) => Ok(Response::empty(if found.is_some() { 204 } else { 404 })),
                (Method::Get, Some(found)) => Ok(Response::json(200, &show(found))),
                (Method::Get, None) => Err(missing(name).into()),
                (Method::Delete, None) => Ok(Response::empty(204)),
                (Method::Delete, Some(found)) => {
                    if found.progress.is_active() {
                        return Err(Refusal::conflict(
                            "DeploymentActive",
                            format!("Unable to delete deployment '{name}': it is still active. Please cancel it first."),
                        )
                        .into());
                    }
                    locks::permit(world, &id, true)?;
                    world.templates.deployments.remove(&id.key());
                    world.templates.frames.remove(&id.key());
                    let url = format!(
                        "{}{id}/operationResults/deleted?api-version={}",
                        ask.request.origin,
                        ask.api_version()
                    );
                    let mut response = Response::empty(202).with("location", url);
                    response.headers.extend(operations::retry_after(world));
                    Ok(response)
                }
                _ => Err(not_allowed().into()),
            }
        }
        [_, "operationResults", _] if reads => Ok(Response::empty(204)),
        [name, word, ..] => {
            let id = scope.provider("Microsoft.Resources/deployments", name);
            match (word.to_ascii_lowercase().as_str(), words.get(2), method) {
                ("operations", None, Method::Get) => {
                    may(world, "operations/read")?;
                    let found = find(world, &id)?;
                    let all = run::operations(found);
                    Ok(lists::page(ask, all)?)
                }
                ("operations", Some(wanted), Method::Get) => {
                    may(world, "operations/read")?;
                    let all = run::operations(find(world, &id)?);
                    let one = all.into_iter().find(|it| {
                        it["operationId"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(wanted))
                    });
                    let one = one.ok_or_else(|| {
                        Refusal::missing(
                            "DeploymentOperationNotFound",
                            format!(
                                "Deployment operation '{wanted}' of deployment '{name}' could not be found."
                            ),
                        )
                    })?;
                    Ok(Response::json(200, &one))
                }
                ("operationstatuses", Some(_), Method::Get) => {
                    may(world, "operationStatuses/read")?;
                    Ok(status(world, find(world, &id)?))
                }
                ("validate", None, Method::Post) => {
                    may(world, "validate/action")?;
                    let prepared = prepare::prepare(world, ask, scope, name)?;
                    preflight::check(world, &prepared)?;
                    links::must_be_read(world)?;
                    let mut shown = show(&prepared.deployment);
                    shown["properties"]["provisioningState"] = json!("Succeeded");
                    let resources =
                        prepared.deployment.nodes.iter().filter(|node| node.wanted && !node.existing);
                    shown["properties"]["validatedResources"] =
                        resources.map(|node| json!({"id": node.id.to_string()})).collect();
                    Ok(Response::json(200, &shown))
                }
                ("whatif", None, Method::Post) => {
                    may(world, "whatIf/action")?;
                    what_if::serve(world, ask, scope, name)
                }
                ("cancel", None, Method::Post) => {
                    may(world, "cancel/action")?;
                    let found = find(world, &id)?;
                    if !found.progress.is_active() {
                        return Err(Refusal::conflict(
                            "DeploymentCannotBeCancelled",
                            format!(
                                "The deployment '{name}' cannot be cancelled because its provisioning state is '{}'.",
                                found.progress.name()
                            ),
                        )
                        .into());
                    }
                    run::cancel(world, &id.key());
                    Ok(Response::empty(204))
                }
                ("listoutputswithsecurevalues", None, Method::Post) => {
                    may(world, "listOutputsWithSecureValues/action")?;
                    let found = find(world, &id)?;
                    let outputs = found.outputs.as_object().into_iter().flatten();
                    let open =
                        outputs.filter_map(|(name, it)| Some((name.clone(), it.get("value")?.clone())));
                    let secure = found.secure.0.iter().map(|(name, value)| (name.clone(), value.clone()));
                    Ok(Response::json(200, &open.chain(secure).collect::<Value>()))
                }
                ("exporttemplate", None, Method::Post) => {
                    may(world, "exportTemplate/action")?;
                    Ok(Response::json(200, &json!({"template": find(world, &id)?.template.0})))
                }
                _ => Err(not_allowed().into()),
            }
        }
        _ => Err(not_allowed().into()),
    }
}

fn not_allowed() -> Refusal {
    Refusal::new(405, "MethodNotAllowed", "Deployments do not take this request.")
}

fn missing(name: &str) -> Refusal {
    Refusal::missing("DeploymentNotFound", format!("Deployment '{name}' could not be found."))
}

fn find<'a>(world: &'a World, id: &Id) -> Result<&'a Deployment, Refusal> {
    world.templates.deployments.get(&id.key()).ok_or_else(|| missing(id.name()))
}

fn list(world: &World, ask: &Ask, scope: &Id) -> Answer {
    let mut found: Vec<&Deployment> =
        world.templates.deployments.values().filter(|it| it.scope().key() == scope.key()).collect();
    found.sort_by(|a, b| b.begun.cmp(&a.begun).then_with(|| a.id.key().cmp(&b.id.key())));
    if let Some(filter) = ask.request.query("$filter").filter(|it| !it.trim().is_empty()) {
        let wanted =
            filter.trim().strip_prefix("provisioningState eq '").and_then(|it| it.strip_suffix('\''));
        let wanted = wanted.ok_or_else(|| {
            Refusal::bad(
                "InvalidFilterInQueryString",
                format!("Invalid $filter '{filter}' specified in the query string."),
            )
        })?;
        found.retain(|it| it.progress.name().eq_ignore_ascii_case(wanted));
    }
    lists::page(ask, found.into_iter().map(show).collect())
}

/// PUT: accepted when it is valid; it begins with the world's next moment.
fn put(world: &mut World, ask: &Ask, scope: &Id, name: &str) -> Result<Response, Violation> {
    if scope.group.is_some() {
        groups::must_not_be_going(world, scope)?;
    }
    let id = scope.provider("Microsoft.Resources/deployments", name);
    locks::permit(world, &id, false)?;
    let current = world.templates.deployments.get(&id.key());
    if let Some(current) = current.filter(|it| it.progress.is_active()) {
        let format = "M/d/yyyy h:mm:ss tt";
        let until =
            current.begun.saturating_add(jiff::SignedDuration::from_hours(24 * 7)).unwrap_or(current.begun);
        return Err(Refusal::conflict(
            "DeploymentActive",
            format!(
                "Unable to edit or replace deployment '{name}': previous deployment from '{}' is still active \
                 (expiration time is '{}'). Please see https://aka.ms/arm-deploy for usage details.",
                dates::write(current.begun, format),
                dates::write(until, format)
            ),
        )
        .into());
    }
    let (known, again) = (current.and_then(|it| it.location.clone()), current.is_some());
    let prepared = prepare::prepare(world, ask, scope, name)?;
    if let (Some(known), Some(sent)) = (known, &prepared.deployment.location)
        && known != *sent
    {
        return Err(Refusal::conflict(
            "InvalidDeploymentLocation",
            format!(
                "Invalid deployment location '{sent}'. The deployment '{name}' already exists in location '{known}'."
            ),
        )
        .into());
    }
    preflight::check(world, &prepared)?;
    links::must_be_read(world)?;
    if !again {
        make_room(world, scope, name)?;
    }
    let key = id.key();
    let shown = show(&prepared.deployment);
    let url = format!(
        "{}{id}/operationStatuses/{}?api-version={}",
        ask.request.origin,
        prepared.deployment.operation,
        ask.api_version()
    );
    world.templates.frames.insert(key.clone(), prepared.frame);
    world.templates.deployments.insert(key.clone(), prepared.deployment);
    world.later(jiff::SignedDuration::ZERO, agenda::Event::Templates(Event::Step(key)));
    let mut response =
        Response::json(if again { 200 } else { 201 }, &shown).with("azure-asyncoperation", url);
    response.headers.extend(operations::retry_after(world));
    Ok(response)
}

/// Makes room in a scope's history: in a resource group the oldest go by themselves, unless a lock holds them.
fn make_room(world: &mut World, scope: &Id, name: &str) -> Result<(), Refusal> {
    let mut ended: Vec<(Timestamp, String)> = Vec::new();
    let mut count = 0;
    for (key, deployment) in &world.templates.deployments {
        if deployment.scope().key() == scope.key() {
            count += 1;
            if !deployment.progress.is_active() {
                ended.push((deployment.begun, key.clone()));
            }
        }
    }
    let by_itself = scope.group.is_some() && locks::permit(world, scope, true).is_ok();
    if count >= HISTORY_HIGH && by_itself {
        ended.sort();
        for (_, key) in ended.into_iter().take(count - HISTORY_LOW) {
            world.templates.deployments.remove(&key);
            world.templates.frames.remove(&key);
        }
    } else if count >= HISTORY_MAX {
        return Err(Refusal::conflict(
            "DeploymentQuotaExceeded",
            format!(
                "Creating the deployment '{name}' would exceed the quota of '{HISTORY_MAX}'. The current deployment count \
                 is '{count}'. Please delete some deployments before creating a new one, or see \
                 https://aka.ms/800LimitFix for information on managing deployment limits."
            ),
        ));
    }
    Ok(())
}

/// What `Azure-AsyncOperation` leads to.
fn status(world: &World, deployment: &Deployment) -> Response {
    let mut body = json!({"status": deployment.progress.name()});
    if let Some(error) = &deployment.error {
        body["error"] = error.error();
    }
    let mut response = Response::json(200, &body);
    if deployment.progress.is_active() {
        response.headers.extend(operations::retry_after(world));
    }
    response
}

/// A deployment as GET answers it.
fn show(deployment: &Deployment) -> Value {
    let mut shown = json!({
        "id": deployment.id.to_string(),
        "name": deployment.id.name(),
        "type": "Microsoft.Resources/deployments",
    });
    if let Some(location) = &deployment.location {
        shown["location"] = json!(location);
    }
    if deployment.tags.is_object() {
        shown["tags"] = deployment.tags.clone();
    }
    let last = deployment.ended.unwrap_or(deployment.begun);
    let mut properties = json!({
        "templateHash": hash(&deployment.template.0),
        "parameters": deployment.shown,
        "mode": if deployment.complete { "Complete" } else { "Incremental" },
        "provisioningState": deployment.progress.name(),
        "timestamp": stamp(last),
        "duration": format!("PT{}S", seconds(last, deployment.begun)),
        "correlationId": deployment.correlation,
        "providers": providers(deployment),
        "dependencies": dependencies(deployment),
    });
    if deployment.outputs.is_object() {
        properties["outputs"] = deployment.outputs.clone();
    }
    if deployment.progress == Progress::Succeeded {
        let made = deployment.nodes.iter().filter(|node| node.wanted && !node.existing);
        let mut ids: Vec<String> = made.map(|node| node.id.to_string()).collect();
        ids.sort();
        properties["outputResources"] = ids.into_iter().map(|id| json!({"id": id})).collect();
    }
    if let Some(link) = &deployment.link.0 {
        properties["templateLink"] = link.shown.clone();
    }
    if deployment.debug.is_object() {
        properties["debugSetting"] = deployment.debug.clone();
    }
    if let Some(rescue) = &deployment.rescue {
        properties["onErrorDeployment"] = json!({"type": rescue.kind, "deploymentName": rescue.name});
        if rescue.begun {
            properties["onErrorDeployment"]["provisioningState"] = json!("Accepted");
        }
    }
    if let Some(error) = &deployment.error {
        properties["error"] = error.error();
    }
    shown["properties"] = properties;
    shown
}

/// Ids of what a deployment made, what is nested in it included.
fn made(world: &World, key: &str) -> Vec<String> {
    let Some(deployment) = world.templates.deployments.get(key) else { return Vec::new() };
    let wanted = deployment.nodes.iter().filter(|node| node.wanted && !node.existing);
    wanted
        .flat_map(|node| {
            if template::is_deployment(&node.kind) {
                made(world, &node.id.key())
            } else {
                vec![node.id.to_string()]
            }
        })
        .collect()
}

/// `12.3456789`: seconds between two times, as ARM writes durations.
fn seconds(to: Timestamp, from: Timestamp) -> String {
    let whole = to.duration_since(from);
    if whole.is_zero() {
        return "0".into();
    }
    format!("{}.{:07}", whole.as_secs(), whole.subsec_nanos() / 100)
}

fn providers(deployment: &Deployment) -> Value {
    let mut found: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for node in deployment.nodes.iter().filter(|node| node.wanted && !node.existing) {
        let kind = node.id.kind();
        let Some((namespace, name)) = kind.split_once('/') else { continue };
        let location = json!(node.location.as_ref().or(deployment.location.as_ref()));
        found.entry(namespace.to_owned()).or_default().insert(name.to_owned(), location);
    }
    found
        .into_iter()
        .map(|(namespace, types)| {
            let types: Vec<Value> = types
                .into_iter()
                .map(|(name, location)| json!({"resourceType": name, "locations": [location]}))
                .collect();
            json!({"namespace": namespace, "resourceTypes": types})
        })
        .collect()
}

fn dependencies(deployment: &Deployment) -> Value {
    let brief = |node: &Node| json!({"id": node.id.to_string(), "resourceType": node.id.kind(), "resourceName": node.id.full_name()});
    deployment
        .nodes
        .iter()
        .filter(|node| node.wanted && !node.existing)
        .filter_map(|node| {
            let needs: Vec<Value> = node
                .needs
                .iter()
                .filter_map(|need| deployment.nodes.get(*need))
                .filter(|need| need.wanted && !need.existing)
                .map(brief)
                .collect();
            if needs.is_empty() {
                return None;
            }
            let mut own = brief(node);
            own["dependsOn"] = json!(needs);
            Some(own)
        })
        .collect()
}

/// A number that follows from a template's content, as ARM's template hash has it.
fn hash(template: &Value) -> String {
    let digest = Sha256::digest(template.to_string());
    let mut head = [0; 8];
    head.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(head).to_string()
}
