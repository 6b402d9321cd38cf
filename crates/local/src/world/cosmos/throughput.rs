//! Throughput of databases and containers: a fixed number of request units, or a most to which they scale
//! (learn.microsoft.com/azure/cosmos-db/concepts-limits).

use serde_json::{Value, json};

use super::{Answer, account_of, bad, serverless};
use crate::world::arm::gate::object;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Ending, Headers, Reply};
use crate::world::arm::operations::{self, Verb};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{at, locks, put, resources, take};
use crate::world::{Method, Response, World};

/// What a container gets that asks for nothing and whose database has nothing to share.
const LEAST: i64 = 400;

/// Takes `options` out of a body and keeps what it gives.
pub(super) fn settle(world: &World, change: &mut Change, shares: Shares) -> Result<(), Refusal> {
    let options = take(&mut change.body, "properties.options").unwrap_or(Value::Null);
    let account = account_of(world, change.id);
    let asked = read(&options)?;
    if asked.is_some() && account.is_some_and(serverless) {
        return Err(bad(
            "Setting offer throughput or autopilot on container is not supported for serverless accounts.",
        ));
    }
    if change.current.is_some() {
        // it is changed by its own resource
        return Ok(());
    }
    let shared = change
        .id
        .parent()
        .and_then(|parent| world.arm.find(&parent.key()))
        .is_some_and(|parent| parent.private["throughput"].is_object());
    let usual = match shares {
        Shares::OwnAlways if !shared && !account.is_some_and(serverless) => {
            Some(json!({"throughput": LEAST}))
        }
        _ => None,
    };
    if let Some(given) = asked.or(usual) {
        put(&mut change.private, "throughput", given);
    }
    Ok(())
}

/// Whether something has throughput when it does not ask for any.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Shares {
    /// A database: only what it asks for, to share among its containers.
    WhenAsked,
    /// A container: its own, unless it shares its database's.
    OwnAlways,
}

/// `{"throughput": 400}` or `{"autoscaleSettings": {"maxThroughput": 1000}}`; both within their limits, not both.
fn read(options: &Value) -> Result<Option<Value>, Refusal> {
    let fixed = options["throughput"].as_i64();
    let most = at(options, "autoscaleSettings.maxThroughput").and_then(Value::as_i64);
    match (fixed, most) {
        (Some(_), Some(_)) => Err(bad("Throughput is either fixed or scaled, not both.")),
        (Some(units), None) if units < LEAST || units % 100 != 0 || units > 1_000_000 => Err(bad(format!(
            "The offer throughput {units} must be between 400 and 1000000 and a multiple of 100."
        ))),
        (None, Some(units)) if units < 1000 || units % 1000 != 0 || units > 1_000_000 => Err(bad(format!(
            "The maximum throughput {units} must be between 1000 and 1000000 and a multiple of 1000."
        ))),
        (Some(units), None) => Ok(Some(json!({"throughput": units}))),
        (None, Some(units)) => Ok(Some(json!({"autoscaleSettings": {"maxThroughput": units}}))),
        (None, None) => Ok(None),
    }
}

/// `throughputSettings/default[/migrateToAutoscale|/migrateToManualThroughput]`.
pub(super) fn serve(world: &mut World, call: &Call) -> Option<Answer> {
    if !call.rest.first()?.eq_ignore_ascii_case("throughputSettings") {
        return None;
    }
    let found = world.arm.find(&call.id.key())?;
    let kept = found.private["throughput"].clone();
    if !kept.is_object() {
        return Some(Err(Refusal::missing(
            "NotFound",
            format!("Resource '{}' has no throughput of its own.", call.id.name()),
        )));
    }
    match (call.request.method, call.rest.get(2).map(|word| word.to_ascii_lowercase()).as_deref()) {
        (Method::Get, None) => Some(Ok(Response::json(200, &show(&call.id, &kept)))),
        (Method::Put | Method::Patch, None) => Some(write(world, call, &kept)),
        (Method::Post, Some("migratetoautoscale")) => {
            let now = kept["throughput"].as_i64();
            let most = now.map(|units| (units.max(1000) + 999) / 1000 * 1000);
            let new = most.map(|units| json!({"autoscaleSettings": {"maxThroughput": units}}));
            Some(keep(world, call, new.unwrap_or(kept)))
        }
        (Method::Post, Some("migratetomanualthroughput")) => {
            let now = at(&kept, "autoscaleSettings.maxThroughput").and_then(Value::as_i64);
            let new = now.map(|units| json!({"throughput": units}));
            Some(keep(world, call, new.unwrap_or(kept)))
        }
        _ => None,
    }
}

fn write(world: &mut World, call: &Call, kept: &Value) -> Answer {
    let body = object(&call.body)?;
    let Some(new) = read(&body["properties"]["resource"])? else {
        return Err(bad("The throughput is missing: properties.resource has none."));
    };
    if new["throughput"].is_null() != kept["throughput"].is_null() {
        return Err(bad(
            "Throughput goes from fixed to scaled and back by migrateToAutoscale and migrateToManualThroughput only.",
        ));
    }
    keep(world, call, new)
}

fn keep(world: &mut World, call: &Call, new: Value) -> Answer {
    locks::permit(world, &call.id, false)?;
    if let Some(operation) = operations::under_way(world, &call.id.key()) {
        return Err(Refusal::conflict(
            "Conflict",
            format!("Another operation ('{}') on '{}' is in progress.", operation.id, call.id),
        ));
    }
    let shown = show(&call.id, &new);
    let found = world.arm.find_mut(&call.id.key()).ok_or_else(|| resources::not_there(&call.id))?;
    put(&mut found.private, "throughput", new);
    let operation = operations::begin(world, &call.id, Verb::Act, Ending::After(10.0));
    if let Some(operation) = world.arm.operations.get_mut(&operation) {
        operation.result = Some(shown.clone());
    }
    let reply = Reply { status: 202, headers: Headers::Both, done: 200 };
    Ok(operations::lead(world, call.request, &operation, reply, Response::json(200, &shown)))
}

fn show(id: &Id, kept: &Value) -> Value {
    let mut resource = kept.clone();
    let most = at(kept, "autoscaleSettings.maxThroughput").and_then(Value::as_i64);
    let units = kept["throughput"].as_i64().or(most.map(|most| most / 10)).unwrap_or(LEAST);
    resource["throughput"] = json!(units);
    resource["minimumThroughput"] = json!(most.map_or(LEAST, |_| 1000).to_string());
    resource["offerReplacePending"] = json!("false");
    json!({"id": format!("{id}/throughputSettings/default"), "name": "default",
           "type": format!("{}/throughputSettings", id.kind()), "properties": {"resource": resource}})
}
