//! Queues, topics and subscriptions with their ranges, and the filters of subscriptions.

use serde_json::{Value, json};

use super::{QUEUE, SUBSCRIPTION, TOPIC, bad, namespace_of, recovery};
use crate::world::World;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Change, Ending, Rules, What};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put, resources, stamp, take};
use crate::world::checks::{between, one_of, text};

/// Queues, topics and subscriptions.
#[derive(Debug)]
pub(super) struct Entities;

impl Rules for Entities {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let Some(namespace) = namespace_of(world, change.id) else { return Ok(()) };
        let sku = text(&namespace.body, "sku.name").to_owned();
        let kind = change.id.kind();
        let (queue, topic) = (kind.eq_ignore_ascii_case(QUEUE), kind.eq_ignore_ascii_case(TOPIC));
        if sku == "Basic" && !queue {
            return Err(bad(
                "Topics and subscriptions are not supported by a namespace of the 'Basic' tier.",
            ));
        }
        must_be_proper(change.id)?;
        if change.current.is_none() {
            recovery::must_be_writable(world, &namespace.id)?;
        }
        // a queue and a topic share one space of names
        let other = namespace.id.child(if queue { "topics" } else { "queues" }, change.id.name());
        if (queue || topic) && world.arm.find(&other.key()).is_some() {
            return Err(Refusal::conflict(
                "MessagingGatewayConflict",
                format!(
                    "SubCode=40900. Conflict. An entity with the name '{}' exists already.",
                    change.id.name()
                ),
            ));
        }
        let body = &mut change.body;
        for name in [
            "lockDuration",
            "defaultMessageTimeToLive",
            "duplicateDetectionHistoryTimeWindow",
            "autoDeleteOnIdle",
        ] {
            let sent = text(body, &format!("properties.{name}"));
            if sent.is_empty() {
                continue;
            }
            let Some(seconds) = duration(sent) else {
                return Err(bad(format!("The value '{sent}' of {name} is no ISO 8601 duration.")));
            };
            let fits = match name {
                "lockDuration" => seconds > 0.0 && seconds <= 300.0,
                "duplicateDetectionHistoryTimeWindow" => (20.0..=604_800.0).contains(&seconds),
                "autoDeleteOnIdle" => seconds >= 300.0,
                _ => seconds >= 1.0,
            };
            if name == "lockDuration" && seconds > 300.0 && seconds.is_finite() && sent != FOREVER {
                let whole = seconds as u64;
                return Err(bad(format!(
                    "The supplied lock time exceeds the allowed maximum of '5' minutes.\r\nParameter name: \
                     LockDuration\r\nActual value was {:02}:{:02}:{:02}.",
                    whole / 3600,
                    whole / 60 % 60,
                    whole % 60
                )));
            }
            if !fits {
                return Err(bad(format!("The value '{sent}' of {name} is out of its range.")));
            }
        }
        between(body, "properties.maxDeliveryCount", 1..=2000, |value| {
            bad(format!("The value {value} of MaxDeliveryCount must be between 1 and 2000."))
        })?;
        let sizes: &[i64] = if sku == "Premium" {
            &[1024, 2048, 3072, 4096, 5120, 10240, 20480, 40960, 81920]
        } else {
            &[1024, 2048, 3072, 4096, 5120, 16384, 32768, 49152, 65536, 81920]
        };
        if let Some(size) = body["properties"]["maxSizeInMegabytes"].as_i64()
            && !sizes.contains(&size)
        {
            return Err(bad(format!(
                "The specified value {size} of MaxSizeInMegabytes is invalid: 1024, 2048, 3072, 4096 or 5120 is."
            )));
        }
        // what a standard namespace tells of itself may come back
        let size = &body["properties"]["maxMessageSizeInKilobytes"];
        if !size.is_null() && *size != 256 && sku != "Premium" {
            return Err(bad(
                "The property 'MaxMessageSizeInKilobytes' is only supported by a namespace of the Premium SKU.",
            ));
        }
        if body["properties"]["enableExpress"] == true && sku == "Premium" {
            return Err(bad("Express entities are not supported by a namespace of the Premium SKU."));
        }
        check_forwarding(world, &namespace.id, &change.id.full_name(), body, &sku)?;
        if sku == "Basic" {
            for name in ["requiresSession", "requiresDuplicateDetection"] {
                if body["properties"][name] == true {
                    return Err(bad(format!(
                        "The property '{name}' is not supported by a namespace of the 'Basic' tier."
                    )));
                }
            }
            if duration(text(body, "properties.defaultMessageTimeToLive"))
                .is_some_and(|seconds| seconds > 1_209_600.0)
            {
                return Err(bad("Messages of the 'Basic' tier live for 14 days at most."));
            }
        }
        if body["properties"]["enablePartitioning"] == true
            && sku == "Premium"
            && namespace.properties()["premiumMessagingPartitions"].as_i64().unwrap_or(1) < 2
        {
            return Err(bad(
                "Partitioned entities are not supported in a Premium namespace without partitions.",
            ));
        }
        if let Some(current) = &change.current {
            for name in ["requiresSession", "requiresDuplicateDetection", "enablePartitioning"] {
                let (old, new) = (&current.properties()[name], &body["properties"][name]);
                if !new.is_null() && new != old {
                    return Err(bad(format!(
                        "The value for the property '{name}' of an existing entity cannot be changed."
                    )));
                }
            }
        }
        let ever = "P10675199DT2H48M5.4775807S";
        let life = if sku == "Basic" { "P14D" } else { ever };
        let topic_has = |name: &str| {
            !topic
                || ![
                    "lockDuration",
                    "maxDeliveryCount",
                    "requiresSession",
                    "deadLetteringOnMessageExpiration",
                ]
                .contains(&name)
        };
        let subscription = !queue && !topic;
        for (name, value) in [
            ("lockDuration", json!("PT1M")),
            ("maxDeliveryCount", json!(10)),
            ("requiresSession", json!(false)),
            ("deadLetteringOnMessageExpiration", json!(false)),
            ("defaultMessageTimeToLive", json!(life)),
            ("autoDeleteOnIdle", json!(ever)),
            ("enableBatchedOperations", json!(true)),
            ("status", json!("Active")),
            ("createdAt", json!(stamp(world.now))),
            ("accessedAt", json!("0001-01-01T00:00:00Z")),
        ] {
            if topic_has(name) {
                default(body, &format!("properties.{name}"), value);
            }
        }
        if subscription {
            default(body, "properties.deadLetteringOnFilterEvaluationExceptions", json!(true));
        } else {
            for (name, value) in [
                ("maxSizeInMegabytes", json!(1024)),
                ("maxMessageSizeInKilobytes", json!(if sku == "Premium" { 1024 } else { 256 })),
                ("requiresDuplicateDetection", json!(false)),
                ("duplicateDetectionHistoryTimeWindow", json!("PT10M")),
                ("enablePartitioning", json!(false)),
                ("enableExpress", json!(false)),
                ("sizeInBytes", json!(0)),
            ] {
                default(body, &format!("properties.{name}"), value);
            }
        }
        if !topic {
            put(body, "properties.messageCount", json!(0));
        }
        put(
            body,
            "properties.countDetails",
            json!({"activeMessageCount": 0, "deadLetterMessageCount": 0,
            "scheduledMessageCount": 0, "transferMessageCount": 0, "transferDeadLetterMessageCount": 0}),
        );
        put(body, "properties.updatedAt", json!(stamp(world.now)));
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created && id.kind().eq_ignore_ascii_case(SUBSCRIPTION) {
            let all = json!({"properties": {"action": {}, "filterType": "SqlFilter",
                "sqlFilter": {"sqlExpression": "1=1", "compatibilityLevel": 20}}});
            resources::grow(world, &id.child("rules", "$Default"), all, Value::Null);
        }
        Ending::Table
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
        if resource.kind == TOPIC {
            let count = world.arm.below(&resource.id).filter(|(_, child)| child.kind == SUBSCRIPTION).count();
            put(body, "properties.subscriptionCount", json!(count));
        }
    }
}

/// Messages go on to an entity of the same namespace, and not to where they come from.
fn check_forwarding(
    world: &World,
    namespace: &Id,
    own: &str,
    body: &Value,
    sku: &str,
) -> Result<(), Refusal> {
    for name in ["forwardTo", "forwardDeadLetteredMessagesTo"] {
        let target = text(body, &format!("properties.{name}"));
        if target.is_empty() {
            continue;
        }
        if sku == "Basic" {
            return Err(bad(format!(
                "The property '{name}' is not supported by a namespace of the 'Basic' tier."
            )));
        }
        let known = ["queues", "topics"]
            .iter()
            .any(|kind| world.arm.find(&namespace.child(kind, target).key()).is_some());
        if !known || own.split('/').nth(1).is_some_and(|own| own.eq_ignore_ascii_case(target)) {
            return Err(bad(format!(
                "The entity '{target}' that {name} names does not exist, or is the entity itself."
            )));
        }
    }
    Ok(())
}

/// Letters, digits and some signs, with a letter or digit at both ends.
fn must_be_proper(id: &Id) -> Result<(), Refusal> {
    let name = id.name();
    let entity = [QUEUE, TOPIC].iter().any(|kind| id.kind().eq_ignore_ascii_case(kind));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c) || (entity && "/~".contains(c));
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if name.chars().all(allowed) && ends(name.chars().next()) && ends(name.chars().last()) {
        return Ok(());
    }
    Err(bad(format!("'{name}' contains character(s) that is not allowed by Service Bus.")))
}

fn duration(text: &str) -> Option<f64> {
    if text == FOREVER {
        return Some(FOREVER_SECONDS);
    }
    crate::world::control::seconds_of(text).filter(|_| text.starts_with('P'))
}

/// The longest time span of .NET, which Azure has where nothing expires.
const FOREVER: &str = "P10675199DT2H48M5.4775807S";
const FOREVER_SECONDS: f64 = 922_337_203_685.477_5;

#[derive(Debug)]
pub(super) struct Filters;

impl Rules for Filters {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        default(
            body,
            "properties.filterType",
            json!(if body["properties"]["correlationFilter"].is_object() {
                "CorrelationFilter"
            } else {
                "SqlFilter"
            }),
        );
        one_of(body, "properties.filterType", &["SqlFilter", "CorrelationFilter"], |value| {
            bad(format!("The filter type '{value}' is invalid."))
        })?;
        if text(body, "properties.filterType") == "SqlFilter" {
            let expression = text(body, "properties.sqlFilter.sqlExpression");
            if expression.is_empty() || expression.len() > 1024 {
                return Err(bad("A SQL filter needs its expression, of 1024 characters at most."));
            }
            default(body, "properties.sqlFilter.compatibilityLevel", json!(20));
        }
        if text(body, "properties.filterType") == "CorrelationFilter"
            && body["properties"]["correlationFilter"].as_object().is_none_or(serde_json::Map::is_empty)
        {
            return Err(bad("A correlation filter needs a property to compare."));
        }
        default(body, "properties.action", json!({}));
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }
}
