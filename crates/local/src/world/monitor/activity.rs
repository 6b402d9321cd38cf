//! The activity log: the changes of the last day, as the operations that made them tell.

use serde_json::{Value, json};

use crate::world::arm::gate::list;
use crate::world::arm::kind::Call;
use crate::world::arm::operations::{Operation, Status, Verb};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::stamp;
use crate::world::{Method, Response, World, chance};

/// `GET …/providers/Microsoft.Insights/eventtypes/management/values`; `None` for anything else.
pub(super) fn serve(world: &World, call: &Call) -> Option<Result<Response, Refusal>> {
    if call.request.method != Method::Get || !call.rest_is(&["eventtypes", "management", "values"]) {
        return None;
    }
    let filter = call.request.query("$filter").unwrap_or_default();
    let Some(terms) = filter.split(" and ").filter(|term| !term.trim().is_empty()).map(term).collect() else {
        return Some(Err(Refusal::bad("BadRequest", format!("The filter '{filter}' is invalid."))));
    };
    let terms: Vec<(String, String, String)> = terms;
    if !terms.iter().any(|(name, op, _)| name == "eventtimestamp" && op == "ge") {
        return Some(Err(Refusal::bad(
            "BadRequest",
            "The start time cannot be null: a filter names 'eventTimestamp ge'.",
        )));
    }
    let mut events: Vec<Value> =
        world.arm.operations.values().map(|operation| event(world, operation)).collect();
    events.retain(|event| terms.iter().all(|term| holds(event, term)));
    events.sort_by(|one, other| other["eventTimestamp"].as_str().cmp(&one["eventTimestamp"].as_str()));
    Some(Ok(Response::json(200, &list(events))))
}

/// `name op 'value'`, the name in lower case.
fn term(text: &str) -> Option<(String, String, String)> {
    let mut words = text.trim().splitn(3, ' ');
    let (name, op, value) = (words.next()?, words.next()?, words.next()?);
    ["eq", "ge", "le"]
        .contains(&op)
        .then(|| (name.to_ascii_lowercase(), op.to_owned(), value.trim().trim_matches('\'').to_owned()))
}

fn holds(event: &Value, (name, op, wanted): &(String, String, String)) -> bool {
    let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let found = match name.as_str() {
        "eventtimestamp" => {
            let times =
                (text("eventTimestamp").parse::<jiff::Timestamp>(), wanted.parse::<jiff::Timestamp>());
            let (Ok(found), Ok(wanted)) = times else { return false };
            return if op == "ge" { found >= wanted } else { found <= wanted };
        }
        "resourcegroupname" => text("resourceGroupName"),
        "resourceuri" | "resourceid" => text("resourceId"),
        "correlationid" => text("correlationId"),
        "resourceprovider" => event["resourceProviderName"]["value"].as_str().unwrap_or_default().to_owned(),
        "caller" => text("caller"),
        "status" => event["status"]["value"].as_str().unwrap_or_default().to_owned(),
        // what is no property of these events leaves all of them
        _ => return true,
    };
    found.eq_ignore_ascii_case(wanted)
}

fn event(world: &World, operation: &Operation) -> Value {
    let id = &operation.resource;
    let verb = match operation.verb {
        Verb::Create | Verb::Update => "write",
        Verb::Delete => "delete",
        Verb::Act => "action",
    };
    let kind = match id.stretches.is_empty() {
        true => "Microsoft.Resources/subscriptions/resourceGroups".to_owned(),
        false => id.kind(),
    };
    let name = format!("{kind}/{verb}");
    let status = match &operation.status {
        Status::Running => "Started",
        Status::Succeeded => "Succeeded",
        Status::Failed(_) => "Failed",
    };
    let at = stamp(operation.ended.unwrap_or(operation.begun));
    let caller = world.arm.find(&id.key()).map(|found| found.system.modified_by.clone());
    let named = |value: &str| json!({"value": value, "localizedValue": value});
    let own = chance::fixed_uuid(world.config.seed, &format!("event {}", operation.id));
    let mut properties = json!({"eventCategory": "Administrative", "entity": id.to_string()});
    if let Status::Failed(failure) = &operation.status {
        properties["statusCode"] = json!(failure.code);
        properties["statusMessage"] =
            json!(json!({"status": "Failed", "error": failure.error()}).to_string());
    }
    json!({
        "id": format!("{id}/events/{own}/ticks/{}", operation.begun.as_millisecond()),
        "eventDataId": own, "operationId": operation.id, "correlationId": operation.id,
        "eventTimestamp": at, "submissionTimestamp": at, "level": if status == "Failed" { "Error" } else { "Informational" },
        "channels": "Operation", "caller": caller, "description": "",
        "eventName": named("EndRequest"), "category": named("Administrative"), "operationName": named(&name),
        "status": named(status), "subStatus": named(""),
        "resourceId": id.to_string(), "resourceGroupName": id.group, "subscriptionId": id.subscription,
        "resourceProviderName": named(kind.split('/').next().unwrap_or_default()), "resourceType": named(&kind),
        "tenantId": world.config.tenant, "properties": properties,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::world::testing::{Lab, SUB, rg};

    #[test]
    fn changes_of_the_day_are_told() {
        let mut lab = Lab::new(1.0);
        let path = rg("Microsoft.Network/virtualNetworks/net");
        let body = json!({"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}});
        let made = lab.put(&path, body).ok(201);
        lab.follow(&made);
        let log = format!("{SUB}/providers/Microsoft.Insights/eventtypes/management/values");
        lab.get(&log).refused(400, "BadRequest");
        let asked = |lab: &mut Lab, more: &str| {
            let filter = format!("eventTimestamp ge '2026-11-21T11:00:00Z'{more}");
            lab.get(&format!("{log}?$filter={}", filter.replace(' ', "%20"))).ok(200).json["value"].clone()
        };
        let told = asked(&mut lab, " and resourceGroupName eq 'rg'");
        assert_eq!(told[0]["operationName"]["value"], "Microsoft.Network/virtualNetworks/write");
        assert_eq!(told[0]["status"]["value"], "Succeeded");
        assert_eq!(asked(&mut lab, " and resourceGroupName eq 'other'"), json!([]));
    }
}
