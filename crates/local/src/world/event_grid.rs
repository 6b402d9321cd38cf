//! Event Grid's system topics and their subscriptions: stored, judged, and nothing delivered.

use serde_json::{Value, json};

use super::arm::id::Id;
use super::arm::kind::{Call, Change, Depth, Kind, Names, Place, Rules, Signs, USUAL};
use super::arm::refusal::Refusal;
use super::arm::{Resource, default, put, take};
use super::checks::{between, one_of, text};
use super::{Method, Response, World, chance};

const TOPIC: &str = "Microsoft.EventGrid/systemTopics";
const SUBSCRIPTION: &str = "Microsoft.EventGrid/systemTopics/eventSubscriptions";

const fn row(
    name: &'static str,
    length: (usize, usize),
    place: Place,
    seconds: [f64; 3],
    rules: &'static dyn Rules,
) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: Names {
            length,
            signs: Signs::Hyphened,
            global: false,
            refusal: ("InvalidRequest", "The name '{name}' is invalid: letters, digits and hyphens make it."),
        },
        place,
        seconds,
        replies: USUAL,
        busy: "ResourceConflict",
        computed: &["properties.metricResourceId"],
        spelling: &[],
        rules,
    }
}

pub(super) static KINDS: &[Kind] = &[
    row(TOPIC, (3, 128), Place::Free, [10.0, 5.0, 5.0], &Topics),
    row(SUBSCRIPTION, (3, 64), Place::Parent, [15.0, 10.0, 10.0], &Subscriptions),
];

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::bad("InvalidRequest", message)
}

#[derive(Debug)]
struct Topics;

impl Rules for Topics {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let own = chance::fixed_uuid(world.config.seed, &change.id.key());
        let body = &mut change.body;
        let (source, kind) =
            (text(body, "properties.source").to_owned(), text(body, "properties.topicType").to_owned());
        if source.is_empty() || kind.is_empty() {
            return Err(bad("The properties 'source' and 'topicType' of a system topic are required."));
        }
        let source =
            Id::parse(&source).ok_or_else(|| bad(format!("The source '{source}' is no resource id.")))?;
        // one for a subscription or group is global, any other is where its source is
        let regional = !source.stretches.is_empty();
        if regional {
            let Some(found) = world.arm.find(&source.key()) else {
                return Err(Refusal::missing(
                    "ResourceNotFound",
                    format!("The source '{source}' of the system topic was not found."),
                ));
            };
            if !found.location().is_empty()
                && found.location() != "global"
                && found.location() != text(body, "location")
            {
                return Err(bad(format!(
                    "The location '{}' of the system topic is not that of its source: '{}'.",
                    text(body, "location"),
                    found.location()
                )));
            }
        }
        let other = world.arm.of_kind(TOPIC).find(|other| {
            other.id.key() != change.id.key()
                && text(other.properties(), "source").eq_ignore_ascii_case(&source.to_string())
                && text(other.properties(), "topicType").eq_ignore_ascii_case(&kind)
        });
        if let Some(other) = other {
            return Err(bad(format!(
                "Only one system topic is allowed per source. The system topic '{}' exists for '{source}'.",
                other.id.name()
            )));
        }
        if let Some(current) = &change.current {
            for name in ["source", "topicType"] {
                if !text(current.properties(), name)
                    .eq_ignore_ascii_case(text(body, &format!("properties.{name}")))
                {
                    return Err(bad(format!("The property '{name}' of a system topic cannot be changed.")));
                }
            }
        }
        default(body, "properties.metricResourceId", json!(own));
        Ok(())
    }
}

#[derive(Debug)]
struct Subscriptions;

const DESTINATIONS: [&str; 8] = [
    "WebHook",
    "AzureFunction",
    "EventHub",
    "ServiceBusQueue",
    "ServiceBusTopic",
    "StorageQueue",
    "HybridConnection",
    "MonitorAlert",
];

impl Rules for Subscriptions {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        let direct = "properties.destination";
        let by_identity = "properties.deliveryWithResourceIdentity.destination";
        let path =
            if text(body, &format!("{direct}.endpointType")).is_empty() { by_identity } else { direct };
        if text(body, &format!("{path}.endpointType")).is_empty() {
            return Err(bad("The property 'destination' of an event subscription is required."));
        }
        one_of(body, &format!("{path}.endpointType"), &DESTINATIONS, |value| {
            bad(format!("The endpoint type '{value}' is invalid."))
        })?;
        let kind = text(body, &format!("{path}.endpointType")).to_owned();
        if kind == "WebHook" {
            let url = text(body, &format!("{path}.properties.endpointUrl"));
            if !url.starts_with("https://") {
                return Err(Refusal::bad(
                    "URL validation",
                    format!("The endpoint URL '{url}' of a webhook must be an absolute one by HTTPS."),
                ));
            }
        } else {
            let target = text(body, &format!("{path}.properties.resourceId"));
            if Id::parse(target).and_then(|id| world.arm.find(&id.key())).is_none() {
                return Err(bad(format!(
                    "The destination '{target}' of the event subscription does not exist."
                )));
            }
        }
        default(body, "properties.eventDeliverySchema", json!("EventGridSchema"));
        one_of(
            body,
            "properties.eventDeliverySchema",
            &["EventGridSchema", "CloudEventSchemaV1_0", "CustomInputSchema"],
            |value| bad(format!("The event delivery schema '{value}' is invalid.")),
        )?;
        default(body, "properties.filter.isSubjectCaseSensitive", json!(false));
        for (name, usual, most) in [("maxDeliveryAttempts", 30, 30), ("eventTimeToLiveInMinutes", 1440, 1440)]
        {
            let path = format!("properties.retryPolicy.{name}");
            default(body, &path, json!(usual));
            between(body, &path, 1..=most, |value| {
                bad(format!("The property '{name}' {value} is not between 1 and {most}."))
            })?;
        }
        Ok(())
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let topic = resource.id.parent();
        let source = topic.and_then(|topic| world.arm.find(&topic.key()));
        put(body, "properties.topic", json!(source.map(|it| text(it.properties(), "source"))));
        // a webhook's address may carry a key: `getFullUrl` tells it
        if let Some(url) = take(body, "properties.destination.properties.endpointUrl") {
            let base = url.as_str().unwrap_or_default().split('?').next().unwrap_or_default();
            put(body, "properties.destination.properties.endpointBaseUrl", json!(base));
        }
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method != Method::Post {
            return None;
        }
        let found = world.arm.find(&call.id.key())?;
        if call.rest_is(&["getFullUrl"]) {
            let url = text(found.properties(), "destination.properties.endpointUrl");
            return Some(Ok(Response::json(200, &json!({"endpointUrl": url}))));
        }
        if call.rest_is(&["getDeliveryAttributes"]) {
            let sent = super::arm::at(found.properties(), "destination.properties.deliveryAttributeMappings");
            return Some(Ok(Response::json(200, &json!({"value": sent.cloned().unwrap_or(json!([]))}))));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::world::testing::{Lab, rg};

    #[test]
    fn a_source_has_one_topic_and_a_webhook_keeps_its_key() {
        let mut lab = Lab::new(0.0);
        let account = rg("Microsoft.Storage/storageAccounts/eventstore");
        let topic = rg("Microsoft.EventGrid/systemTopics/blobs");
        let body = |location: &str| json!({"location": location, "properties": {"source": account, "topicType": "Microsoft.Storage.StorageAccounts"}});
        lab.put(&topic, body("westeurope")).refused(404, "ResourceNotFound");
        lab.put(
            &account,
            json!({"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}),
        );
        lab.put(&topic, body("northeurope")).refused(400, "InvalidRequest");
        lab.put(&topic, body("westeurope")).ok(201);
        lab.put(&format!("{topic}2"), body("westeurope")).refused(400, "InvalidRequest");
        let made = format!("{topic}/eventSubscriptions/made");
        let to = |url: &str| json!({"properties": {"destination": {"endpointType": "WebHook", "properties": {"endpointUrl": url}}}});
        lab.put(&made, to("http://a.example")).refused(400, "URL validation");
        let shown = lab.put(&made, to("https://a.example/hook?code=hidden")).ok(201).json;
        assert!(!shown.to_string().contains("hidden"), "{shown}");
        let full = lab.post(&format!("{made}/getFullUrl"), json!({})).ok(200).json;
        assert_eq!(full["endpointUrl"], "https://a.example/hook?code=hidden");
    }
}
