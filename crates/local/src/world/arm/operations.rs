//! Long-running operations: begun by a verb, ended by the clock or by whoever [`finish`]es them, followed by
//! `Azure-AsyncOperation` and `Location`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::id::Id;
use super::kind::{self, Ending, Headers, Reply, What};
use super::refusal::Refusal;
use super::{Answer, Ask, Event as ArmEvent, groups, moves, resources, stamp};
use crate::world::agenda::Event;
use crate::world::faults::Fault;
use crate::world::{Request, Response, World, outage};

/// How long an ended operation can still be asked for.
const KEPT_SECONDS: i64 = 24 * 3600;
/// What `Retry-After` says while one runs, in seconds at speed 1.
const RETRY_AFTER: f64 = 5.0;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Verb {
    Create,
    Update,
    Delete,
    /// A POST action; its result is [`Operation::result`].
    Act,
}

/// Where an operation is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Status {
    Running,
    Succeeded,
    Failed(Refusal),
}

/// One long-running operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Operation {
    /// Its id.
    pub id: String,
    /// The resource it changes.
    pub resource: Id,
    /// What it does.
    pub verb: Verb,
    /// Where it is.
    pub status: Status,
    /// When it began.
    pub begun: Timestamp,
    /// When it will end; `None` when that is for somebody to say, or when a fault stalls it.
    pub due: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// The failure that a fault has in store for it.
    pub doomed: Option<Refusal>,
    /// A fault holds it for ever: [`finish`] does not end it.
    pub stalled: bool,
    /// What `Location` answers at the end of an action.
    pub result: Option<Value>,
    /// Region in its URL.
    pub location: String,
}

/// Begins an operation on a resource that is stored (or being deleted) and marks it as busy. With an ending
/// after no time it ends at once.
pub fn begin(world: &mut World, resource: &Id, verb: Verb, ending: Ending) -> String {
    let row = kind::row(&resource.kind());
    let id = world.chance.uuid(&format!("operation {}", resource.key())).to_string();
    let table = match verb {
        Verb::Create => row.seconds[0],
        Verb::Update | Verb::Act => row.seconds[1],
        Verb::Delete => row.seconds[2],
    };
    let (mut doomed, mut stalled) = (None, false);
    if verb != Verb::Act || !matches!(ending, Ending::After(0.0)) {
        match world.faults.pending.take() {
            Some(Fault::OperationFails { code, message }) => {
                doomed = Some(Refusal::conflict(&code, message));
            }
            Some(Fault::OperationStalls) => stalled = true,
            other => world.faults.pending = other,
        }
    }
    let seconds = match ending {
        Ending::Table => Some(table),
        Ending::After(seconds) => Some(seconds),
        // a fault that lets it fail does so after the table's time
        Ending::WhenTold => doomed.is_some().then_some(table),
    };
    let due = match seconds {
        Some(seconds) if !stalled => {
            Some(world.now.saturating_add(world.config.scaled(seconds)).unwrap_or(world.now))
        }
        _ => None,
    };
    let location = world
        .arm
        .find(&resource.key())
        .map(|found| found.location())
        .filter(|location| !location.is_empty())
        .unwrap_or_else(|| "global".into());
    let operation = Operation {
        id: id.clone(),
        resource: resource.clone(),
        verb,
        status: Status::Running,
        begun: world.now,
        due,
        ended: None,
        doomed,
        stalled,
        result: None,
        location,
    };
    world.arm.operations.insert(id.clone(), operation);
    if verb != Verb::Act
        && let Some(found) = world.arm.find_mut(&resource.key())
    {
        found.operation = Some(id.clone());
    }
    match due {
        Some(at) if at <= world.now => self::due(world, &id),
        Some(at) => world.agenda.add(at, Event::OperationEnds(id.clone())),
        None => {}
    }
    id
}

/// Lets an operation that [waits to be told](Ending::WhenTold) end after so many seconds at speed 1, and how.
pub(crate) fn end_after(world: &mut World, id: &str, seconds: f64, result: Result<(), Refusal>) {
    let at = world.now.saturating_add(world.config.scaled(seconds)).unwrap_or(world.now);
    let Some(operation) = world.arm.operations.get_mut(id) else { return };
    if operation.stalled {
        return;
    }
    if let (None, Err(failure)) = (&operation.doomed, result) {
        operation.doomed = Some(failure);
    }
    operation.due = Some(at);
    if at <= world.now {
        due(world, id);
    } else {
        world.agenda.add(at, Event::OperationEnds(id.to_owned()));
    }
}

/// The scheduled end of an operation has come.
pub(crate) fn due(world: &mut World, id: &str) {
    if outage::keeps(world, id) {
        return;
    }
    let Some(operation) = world.arm.operations.get(id) else { return };
    let result = match &operation.doomed {
        Some(failure) => Err(failure.clone()),
        None => Ok(()),
    };
    finish(world, id, result);
}

/// Ends an operation; of one that has ended, or that a fault stalls, nothing changes.
pub fn finish(world: &mut World, id: &str, result: Result<(), Refusal>) {
    let now = world.now;
    let Some(operation) = world.arm.operations.get_mut(id) else { return };
    if operation.status != Status::Running || operation.stalled {
        return;
    }
    let result = match operation.doomed.take() {
        Some(failure) => Err(failure),
        None => result,
    };
    operation.ended = Some(now);
    operation.status = match &result {
        Ok(()) => Status::Succeeded,
        Err(failure) => Status::Failed(failure.clone()),
    };
    let (resource, verb) = (operation.resource.clone(), operation.verb);
    world.later(jiff::SignedDuration::from_secs(KEPT_SECONDS), Event::Arm(ArmEvent::Forget(id.to_owned())));
    if verb == Verb::Act {
        if result.is_ok() {
            moves::ended(world, id);
        } else {
            world.arm.moves.remove(id);
        }
        return;
    }
    let rules = kind::row(&resource.kind()).rules;
    let failure = result.as_ref().err().cloned();
    if let Some(found) = world.arm.find_mut(&resource.key()) {
        found.operation = None;
        found.state = if result.is_ok() { "Succeeded" } else { "Failed" }.to_owned();
    }
    match (verb, result) {
        (Verb::Delete, Ok(())) if resource.stretches.is_empty() => groups::remove(world, &resource),
        (Verb::Delete, Ok(())) => resources::remove(world, &resource.key()),
        (Verb::Delete, Err(_)) => {}
        (_, result) => {
            let what = if verb == Verb::Create { What::Created } else { What::Updated };
            rules.ended(world, &resource, what, result.as_ref().err());
        }
    }
    crate::world::templates::operation_ended(world, id, failure.as_ref());
}

/// The operation that changes a resource now.
pub fn under_way<'a>(world: &'a World, key: &str) -> Option<&'a Operation> {
    world.arm.operations.get(world.arm.find(key)?.operation.as_deref()?)
}

/// Adds to `response` what leads to an operation, and sets the verb's status.
pub(crate) fn lead(
    world: &World,
    request: &Request,
    id: &str,
    reply: Reply,
    mut response: Response,
) -> Response {
    let Some(operation) = world.arm.operations.get(id) else { return response };
    response.status = if operation.status == Status::Running { reply.status } else { reply.done };
    // some clients take nothing but 202, and then want to be led even to what has ended
    if operation.status != Status::Running && reply.done != 202 {
        return response;
    }
    let base = format!(
        "{}/subscriptions/{}/providers/{}/locations/{}",
        request.origin,
        operation.resource.subscription.as_deref().unwrap_or(&world.config.subscription),
        operation.resource.namespace(),
        operation.location,
    );
    let version = request.query("api-version").unwrap_or("2024-11-01");
    if matches!(reply.headers, Headers::Status | Headers::Both) {
        let url = format!("{base}/operationStatuses/{id}?api-version={version}");
        response.headers.push(("azure-asyncoperation".into(), url));
    }
    if matches!(reply.headers, Headers::Result | Headers::Both) {
        let url = format!("{base}/operationResults/{id}?api-version={version}");
        response.headers.push(("location".into(), url));
    }
    response.headers.extend(retry_after(world));
    response
}

/// What clients are asked to wait before the next look: Azure's five seconds at this world's pace. In whole seconds
/// it is one at least, since Azure's Python clients take 0 for "not said" and then wait thirty; the header in
/// milliseconds, which Azure's newer clients read, is exact.
pub(crate) fn retry_after(world: &World) -> [(String, String); 2] {
    let seconds = RETRY_AFTER * world.config.speed;
    [
        ("retry-after".into(), format!("{}", seconds.ceil().max(1.0))),
        ("x-ms-retry-after-ms".into(), format!("{}", (seconds * 1000.0).ceil().max(50.0))),
    ]
}

/// `GET …/locations/L/operationStatuses/OP` and `…/operationResults/OP`.
pub(crate) fn serve(world: &mut World, ask: &Ask) -> Option<Answer> {
    let (part, id) = ask.path.id.stretches.last()?.parts.last()?;
    let results = part.eq_ignore_ascii_case("operationResults");
    if !(results || part.eq_ignore_ascii_case("operationStatuses")) || !ask.path.rest.is_empty() {
        return None;
    }
    if !ask.reads() {
        return Some(Err(Refusal::new(405, "MethodNotAllowed", "Operations can only be read.")));
    }
    Some(match world.arm.operations.get(&id.to_ascii_lowercase()) {
        None => Err(Refusal::missing("OperationNotFound", format!("The operation '{id}' was not found."))),
        Some(operation) if results => Ok(result(world, ask, &operation.clone())),
        Some(operation) => Ok(status(world, ask, operation)),
    })
}

fn status(world: &World, ask: &Ask, operation: &Operation) -> Response {
    let mut body = json!({
        "id": ask.path.id.to_string(),
        "name": operation.id,
        "status": match operation.status {
            Status::Running => "InProgress",
            Status::Succeeded => "Succeeded",
            Status::Failed(_) => "Failed",
        },
        "startTime": stamp(operation.begun),
    });
    match (&operation.status, operation.due) {
        (Status::Running, Some(due)) => {
            let whole = due.duration_since(operation.begun).as_secs_f64();
            let gone = world.now.duration_since(operation.begun).as_secs_f64();
            body["percentComplete"] =
                json!((100.0 * gone / whole.max(f64::EPSILON)).clamp(0.0, 99.0).floor());
        }
        (Status::Running, None) => {}
        (Status::Succeeded, _) => body["percentComplete"] = json!(100.0),
        (Status::Failed(failure), _) => body["error"] = failure.error(),
    }
    if let Some(ended) = operation.ended {
        body["endTime"] = json!(stamp(ended));
    }
    if let (Status::Succeeded, Some(result)) = (&operation.status, &operation.result) {
        body["properties"] = result.clone();
    }
    let mut response = Response::json(200, &body);
    if operation.status == Status::Running {
        response.headers.extend(retry_after(world));
    }
    response
}

fn result(world: &mut World, ask: &Ask, operation: &Operation) -> Response {
    match &operation.status {
        Status::Running => {
            let version = ask.api_version();
            let own = format!("{}{}?api-version={version}", ask.request.origin, ask.request.path);
            let mut response = Response::empty(202).with("location", own);
            response.headers.extend(retry_after(world));
            response
        }
        Status::Failed(failure) => failure.clone().into(),
        Status::Succeeded => match (operation.verb, &operation.result) {
            (_, Some(result)) => Response::json(200, result),
            (Verb::Delete, None) if operation.resource.stretches.is_empty() => Response::empty(200),
            (Verb::Delete, None) => Response::empty(204),
            // a move leaves nothing to show
            (Verb::Act, None) if operation.resource.stretches.is_empty() => Response::empty(204),
            (_, None) => match resources::show(world, &operation.resource.key()) {
                Some(body) => Response::json(200, &body),
                None => Response::empty(204),
            },
        },
    }
}
