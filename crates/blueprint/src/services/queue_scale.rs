//! Scaling by the length of a queue, signed in as the service itself.

use landfall_manifest::{QueueScale, ResourceKind};

use crate::body::{Body, object};
use crate::codes;
use crate::expression::Expression;
use crate::services::{Draft, identity, offer};

/// The scale rule of a container app or job, or a problem when there is no queue to count.
pub(super) fn rule(draft: &mut Draft<'_>, service: &str, queue: &QueueScale) -> Option<Body> {
    let kind = draft.app.resources.get(&queue.resource).map(|resource| &resource.kind);
    let names: Vec<String> = kind.map(QueueScale::countable).unwrap_or_default();
    let chosen = match (&queue.name, names.as_slice()) {
        (Some(name), names) => names.iter().find(|known| *known == name),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let (Some(kind), Some(chosen)) = (kind, chosen) else {
        draft.problem(
            codes::NO_QUEUE,
            format!("service.{service}.scale.queue"),
            format!("which queue of `{}` is meant is not clear", queue.resource),
            Some("name it: `name = \"jobs\"`, or `\"topic/subscription\"`".to_owned()),
        );
        return None;
    };
    let own = Body::from(Expression::id(&identity::address(service)));
    let account = draft.earlier(&(offer(kind).address)(&queue.resource)).name.clone();
    let rule = match (kind, chosen.split_once('/')) {
        (ResourceKind::Storage(_), _) => (
            "azureQueue",
            object([
                ("accountName", account.into()),
                ("queueName", chosen.as_str().into()),
                ("queueLength", queue.messages.into()),
                ("identity", own),
            ]),
        ),
        (_, parts) => {
            let metadata = object([
                ("namespace", account.into()),
                ("queueName", parts.is_none().then_some(chosen.as_str()).into()),
                ("topicName", parts.map(|(topic, _)| topic).into()),
                ("subscriptionName", parts.map(|(_, subscription)| subscription).into()),
                ("messageCount", queue.messages.to_string().into()),
            ]);
            let custom =
                object([("type", "azure-servicebus".into()), ("metadata", metadata), ("identity", own)]);
            ("custom", custom)
        }
    };
    Some(object([("name", "queue".into()), rule]))
}
