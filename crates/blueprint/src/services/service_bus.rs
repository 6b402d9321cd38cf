//! Service Bus namespaces with their queues, topics and subscriptions.

use landfall_manifest::{Access, BusSku, Queue, ResourceKind, ServiceBus, Subscription, Topic};

use crate::address::Address;
use crate::body::{Body, object};
use crate::name;
use crate::resource::Resource;
use crate::role;
use crate::services::{Draft, Offer, PrivateLink, child, set};

/// The ARM type of the namespace.
pub const TYPE: &str = "Microsoft.ServiceBus/namespaces";
/// The ARM type of a queue.
pub const QUEUE: &str = "Microsoft.ServiceBus/namespaces/queues";
/// The ARM type of a topic.
pub const TOPIC: &str = "Microsoft.ServiceBus/namespaces/topics";
/// The ARM type of a subscription.
pub const SUBSCRIPTION: &str = "Microsoft.ServiceBus/namespaces/topics/subscriptions";
const API_VERSION: &str = "2026-01-01";

/// What others ask of a namespace.
pub(super) const OFFER: Offer = Offer {
    address,
    attribute: |draft, name, attribute| match attribute {
        "host" => Some(host(draft, name)),
        _ => None,
    },
    connection: |draft, name| {
        let mut variables = vec![("HOST", host(draft, name))];
        let queues = match draft.app.resources.get(name).map(|resource| &resource.kind) {
            Some(ResourceKind::ServiceBus(bus)) => bus.queues.keys().collect(),
            _ => Vec::new(),
        };
        if let [only] = queues[..] {
            variables.push(("QUEUE", only.as_str().into()));
        }
        variables
    },
    user: None,
    roles: |_, access| match access {
        Access::Send => vec![&role::BUS_SENDER],
        Access::Receive => vec![&role::BUS_RECEIVER],
        _ => Vec::new(),
    },
    grant: None,
    private: &[PrivateLink {
        group: "namespace",
        zone: "privatelink.servicebus.windows.net",
        has: is_premium,
    }],
};

fn is_premium(kind: &ResourceKind) -> bool {
    matches!(kind, ResourceKind::ServiceBus(bus) if bus.sku == BusSku::Premium)
}

/// The address of a namespace, by its name in the manifest.
pub fn address(name: &str) -> Address {
    Address::new("serviceBus", name)
}

/// The fully qualified namespace, which clients connect to.
fn host(draft: &Draft<'_>, name: &str) -> Body {
    format!("{}.servicebus.windows.net", draft.resource_name(&name::SERVICE_BUS, name)).into()
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, resource) in &draft.app.resources {
        if let ResourceKind::ServiceBus(bus) = &resource.kind {
            push(draft, name, bus);
        }
    }
}

fn push(draft: &mut Draft<'_>, name: &str, wanted: &ServiceBus) {
    let mut bus = draft.in_group(
        address(name),
        TYPE,
        API_VERSION,
        draft.resource_name(&name::SERVICE_BUS, name),
        draft.resource_path(name),
    );
    let premium = wanted.sku == BusSku::Premium;
    let sku = wanted.sku.azure();
    set(
        &mut bus,
        "sku",
        object([
            ("name", sku.into()),
            ("tier", sku.into()),
            ("capacity", premium.then_some(wanted.units).into()),
        ]),
    );
    let properties = object([
        // Every service has an identity; a key would outlive the service that was given it.
        ("disableLocalAuth", true.into()),
        ("minimumTlsVersion", "1.2".into()),
        ("publicNetworkAccess", if premium { draft.public_access() } else { "Enabled".into() }),
        ("zoneRedundant", premium.then_some(true).into()),
        ("premiumMessagingPartitions", premium.then_some(1u32).into()),
    ]);
    set(&mut bus, "properties", properties);
    bus.holds_data = true;
    draft.overlay(&mut bus, name);
    let mut inside = Vec::new();
    for (queue, wanted) in &wanted.queues {
        let address = Address::new("queue", &format!("{name}.{queue}"));
        inside.push(Resource {
            holds_data: true,
            from: format!("resource.{name}.queues.{queue}"),
            ..child(&bus, address, QUEUE, API_VERSION, queue, queue_body(wanted))
        });
    }
    for (topic, wanted) in &wanted.topics {
        let address = Address::new("topic", &format!("{name}.{topic}"));
        let made = Resource {
            holds_data: true,
            from: format!("resource.{name}.topics.{topic}"),
            ..child(&bus, address, TOPIC, API_VERSION, topic, topic_body(wanted))
        };
        let subscriptions = wanted.subscriptions.iter().map(|(subscription, wanted)| Resource {
            holds_data: true,
            from: format!("resource.{name}.topics.{topic}.subscriptions.{subscription}"),
            ..child(
                &made,
                Address::new("subscription", &format!("{name}.{topic}.{subscription}")),
                SUBSCRIPTION,
                API_VERSION,
                subscription,
                subscription_body(wanted),
            )
        });
        let subscriptions: Vec<Resource> = subscriptions.collect();
        inside.push(made);
        inside.extend(subscriptions);
    }
    draft.push(bus);
    inside.into_iter().for_each(|resource| draft.push(resource));
}

fn queue_body(queue: &Queue) -> Body {
    let receiving = Subscription {
        lock: queue.lock,
        max_delivery: queue.max_delivery,
        dead_letter: queue.dead_letter,
        ttl: queue.ttl,
        sessions: queue.sessions,
    };
    with_window(subscription_body(&receiving), queue.duplicate_window)
}

fn topic_body(topic: &Topic) -> Body {
    with_window(object([("defaultMessageTimeToLive", topic.ttl.iso().into())]), topic.duplicate_window)
}

fn subscription_body(subscription: &Subscription) -> Body {
    object([
        ("lockDuration", subscription.lock.iso().into()),
        ("maxDeliveryCount", subscription.max_delivery.into()),
        ("deadLetteringOnMessageExpiration", subscription.dead_letter.into()),
        ("defaultMessageTimeToLive", subscription.ttl.iso().into()),
        ("requiresSession", subscription.sessions.into()),
    ])
}

fn with_window(body: Body, window: Option<landfall_manifest::Duration>) -> Body {
    let Body::Object(mut body) = body else { return body };
    body.insert("requiresDuplicateDetection", window.is_some());
    if let Some(window) = window {
        body.insert("duplicateDetectionHistoryTimeWindow", window.iso());
    }
    Body::Object(body)
}
