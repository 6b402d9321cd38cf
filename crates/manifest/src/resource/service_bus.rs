//! Service Bus: queues, and topics with their subscriptions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Kind, duration};
use crate::codes;
use crate::fields::{Default, Field, Type};
use crate::rules;
use crate::sense::{Sense, entries};
use crate::service::Access;
use crate::tree::{Node, Table};
use crate::units::Duration;

/// A Service Bus namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ServiceBus {
    /// What it can do.
    pub sku: BusSku,
    /// Messaging units, with Premium.
    pub units: u32,
    /// Queues by name.
    #[serde(default)]
    pub queues: BTreeMap<String, Queue>,
    /// Topics by name.
    #[serde(default)]
    pub topics: BTreeMap<String, Topic>,
}

/// What a namespace can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BusSku {
    /// Queues only, without sessions and duplicate detection.
    Basic,
    /// Queues and topics.
    Standard,
    /// Resources of its own, zones, private endpoints.
    Premium,
}

impl BusSku {
    /// Azure's word.
    pub fn azure(self) -> &'static str {
        match self {
            BusSku::Basic => "Basic",
            BusSku::Standard => "Standard",
            BusSku::Premium => "Premium",
        }
    }
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Queue {
    /// How long a receiver has a message to itself.
    pub lock: Duration,
    /// How often a message is tried before it is a dead letter.
    pub max_delivery: u32,
    /// Whether what is too old becomes a dead letter, rather than nothing.
    pub dead_letter: bool,
    /// How long a message waits.
    pub ttl: Duration,
    /// Whether messages of a session go to one receiver, in order.
    pub sessions: bool,
    /// In which time a message of the same id is thrown away; `None`: never.
    pub duplicate_window: Option<Duration>,
}

/// A topic: each of its subscriptions gets every message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Topic {
    /// How long a message waits.
    pub ttl: Duration,
    /// In which time a message of the same id is thrown away; `None`: never.
    pub duplicate_window: Option<Duration>,
    /// Subscriptions by name.
    #[serde(default)]
    pub subscriptions: BTreeMap<String, Subscription>,
}

/// A subscription of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Subscription {
    /// How long a receiver has a message to itself.
    pub lock: Duration,
    /// How often a message is tried before it is a dead letter.
    pub max_delivery: u32,
    /// Whether what is too old becomes a dead letter, rather than nothing.
    pub dead_letter: bool,
    /// How long a message waits.
    pub ttl: Duration,
    /// Whether messages of a session go to one receiver, in order.
    pub sessions: bool,
}

/// A name of a queue, topic or subscription.
static ENTITY: rules::Rule = rules::Rule {
    pattern: Some("^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"),
    length: 1..50,
    check: |text| {
        let end = |c: char| c.is_ascii_alphanumeric();
        let well_formed = (1..=50).contains(&text.len())
            && text.starts_with(end)
            && text.ends_with(end)
            && text.chars().all(|c| end(c) || "._-".contains(c));
        match well_formed {
            true => Ok(()),
            false => rules::fault(
                codes::ENTRY_NAME,
                "a queue, topic or subscription has 1 to 50 letters, digits, `.`, `-` and `_`, a letter or digit at both ends",
                "such as `interview-jobs`",
            ),
        }
    },
};

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "service-bus",
    doc: "a Service Bus with queues and topics",
    attributes: &[
        ("name", "its name in Azure"),
        ("id", "its resource id"),
        ("region", "where it is"),
        ("host", "its fully qualified namespace, such as `sbns-hello.servicebus.windows.net`"),
    ],
    access: &[
        (Access::Send, "send to its queues and topics (Azure Service Bus Data Sender)"),
        (Access::Receive, "receive from its queues and subscriptions (Azure Service Bus Data Receiver)"),
    ],
    fields: FIELDS,
    check,
};

const OF: &[&str] = &["service-bus"];
const LOCK: Default = Default::Same("\"1m\"", "long enough for most work; a client renews it for more");
const MAX_DELIVERY: Default = Default::Same("10", "what fails ten times needs a person");
const DEAD_LETTER: Default = Default::Same("true", "nothing is lost without a trace");
const TTL: Default = Default::Same("\"14d\"", "the longest that every SKU takes");
const SESSIONS: Default = Default::Same("false", "any receiver may take any message");
const LOCK_DOC: &str = "How long a receiver has a message to itself: 5s to 5m. Fixed lengths longer than that are for the client to renew.";
const DELIVERY_DOC: &str = "How often a message is tried before it becomes a dead letter.";
const DEAD_DOC: &str = "Whether a message that waited too long becomes a dead letter, rather than nothing.";
const TTL_DOC: &str = "How long a message waits.";
const SESSIONS_DOC: &str =
    "Whether the messages of a session go to one receiver, in order. Fixed once it exists.";
const WINDOW_DOC: &str = "In which time a second message of the same id is thrown away: 20s to 7d. Whether there is one is fixed once it exists.";
const WINDOW: Default = Default::Absent("nothing is thrown away");

const FIELDS: &[Field] = &[
    Field {
        path: "resource.*.sku",
        of: OF,
        kind: Type::Choice(&[
            ("basic", "queues only, without sessions and duplicate detection"),
            ("standard", "queues and topics"),
            ("premium", "resources of its own, zones, private endpoints"),
        ]),
        doc: "What it can do. Basic and standard cannot become premium later.",
        default: Default::Same("\"standard\"", "premium costs seventy times as much, whether used or not"),
        azure: &["sku.name"],
        example: "\"premium\"",
    },
    Field {
        path: "resource.*.units",
        of: OF,
        kind: Type::Integer { min: 1, max: 16 },
        doc: "Messaging units, with premium: 1, 2, 4, 8 or 16.",
        default: Default::Same("1", "each costs the same; more are added in seconds"),
        azure: &["sku.capacity"],
        example: "2",
    },
    Field {
        path: "resource.*.queues",
        of: OF,
        kind: Type::Named(&ENTITY),
        doc: "Queues, each under a name: a message goes to one receiver.",
        default: Default::Absent("no queues"),
        azure: &["Microsoft.ServiceBus/namespaces/queues"],
        example: "{ interview-jobs = { max_delivery = 5 } }",
    },
    Field {
        path: "resource.*.queues.*",
        of: OF,
        kind: Type::Table,
        doc: "A queue.",
        default: Default::Absent("no such queue"),
        azure: &["Microsoft.ServiceBus/namespaces/queues"],
        example: "{ lock = \"5m\" }",
    },
    Field {
        path: "resource.*.queues.*.lock",
        of: OF,
        kind: Type::Text(&rules::DURATION),
        doc: LOCK_DOC,
        default: LOCK,
        azure: &["properties.lockDuration"],
        example: "\"5m\"",
    },
    Field {
        path: "resource.*.queues.*.max_delivery",
        of: OF,
        kind: Type::Integer { min: 1, max: 2000 },
        doc: DELIVERY_DOC,
        default: MAX_DELIVERY,
        azure: &["properties.maxDeliveryCount"],
        example: "5",
    },
    Field {
        path: "resource.*.queues.*.dead_letter",
        of: OF,
        kind: Type::Boolean,
        doc: DEAD_DOC,
        default: DEAD_LETTER,
        azure: &["properties.deadLetteringOnMessageExpiration"],
        example: "true",
    },
    Field {
        path: "resource.*.queues.*.ttl",
        of: OF,
        kind: Type::Text(&rules::DURATION),
        doc: TTL_DOC,
        default: TTL,
        azure: &["properties.defaultMessageTimeToLive"],
        example: "\"7d\"",
    },
    Field {
        path: "resource.*.queues.*.sessions",
        of: OF,
        kind: Type::Boolean,
        doc: SESSIONS_DOC,
        default: SESSIONS,
        azure: &["properties.requiresSession"],
        example: "true",
    },
    Field {
        path: "resource.*.queues.*.duplicate_window",
        of: OF,
        kind: Type::Text(&rules::DURATION),
        doc: WINDOW_DOC,
        default: WINDOW,
        azure: &["properties.requiresDuplicateDetection", "properties.duplicateDetectionHistoryTimeWindow"],
        example: "\"10m\"",
    },
    Field {
        path: "resource.*.topics",
        of: OF,
        kind: Type::Named(&ENTITY),
        doc: "Topics, each under a name: a message goes to every subscription. Not with basic.",
        default: Default::Absent("no topics"),
        azure: &["Microsoft.ServiceBus/namespaces/topics"],
        example: "{ events = { subscriptions = { audit = {} } } }",
    },
    Field {
        path: "resource.*.topics.*",
        of: OF,
        kind: Type::Table,
        doc: "A topic.",
        default: Default::Absent("no such topic"),
        azure: &["Microsoft.ServiceBus/namespaces/topics"],
        example: "{ ttl = \"7d\" }",
    },
    Field {
        path: "resource.*.topics.*.ttl",
        of: OF,
        kind: Type::Text(&rules::DURATION),
        doc: TTL_DOC,
        default: TTL,
        azure: &["properties.defaultMessageTimeToLive"],
        example: "\"7d\"",
    },
    Field {
        path: "resource.*.topics.*.duplicate_window",
        of: OF,
        kind: Type::Text(&rules::DURATION),
        doc: WINDOW_DOC,
        default: WINDOW,
        azure: &["properties.requiresDuplicateDetection", "properties.duplicateDetectionHistoryTimeWindow"],
        example: "\"10m\"",
    },
    Field {
        path: "resource.*.topics.*.subscriptions",
        of: OF,
        kind: Type::Named(&ENTITY),
        doc: "Subscriptions, each under a name.",
        default: Default::Absent("nobody gets the messages"),
        azure: &["Microsoft.ServiceBus/namespaces/topics/subscriptions"],
        example: "{ audit = {} }",
    },
    Field {
        path: "resource.*.topics.*.subscriptions.*",
        of: OF,
        kind: Type::Table,
        doc: "A subscription: a queue of its own for every message of the topic.",
        default: Default::Absent("no such subscription"),
        azure: &["Microsoft.ServiceBus/namespaces/topics/subscriptions"],
        example: "{ max_delivery = 5 }",
    },
    Field {
        path: "resource.*.topics.*.subscriptions.*.lock",
        of: OF,
        kind: Type::Text(&rules::DURATION),
        doc: LOCK_DOC,
        default: LOCK,
        azure: &["properties.lockDuration"],
        example: "\"5m\"",
    },
    Field {
        path: "resource.*.topics.*.subscriptions.*.max_delivery",
        of: OF,
        kind: Type::Integer { min: 1, max: 2000 },
        doc: DELIVERY_DOC,
        default: MAX_DELIVERY,
        azure: &["properties.maxDeliveryCount"],
        example: "5",
    },
    Field {
        path: "resource.*.topics.*.subscriptions.*.dead_letter",
        of: OF,
        kind: Type::Boolean,
        doc: DEAD_DOC,
        default: DEAD_LETTER,
        azure: &["properties.deadLetteringOnMessageExpiration"],
        example: "true",
    },
    Field {
        path: "resource.*.topics.*.subscriptions.*.ttl",
        of: OF,
        kind: Type::Text(&rules::DURATION),
        doc: TTL_DOC,
        default: TTL,
        azure: &["properties.defaultMessageTimeToLive"],
        example: "\"7d\"",
    },
    Field {
        path: "resource.*.topics.*.subscriptions.*.sessions",
        of: OF,
        kind: Type::Boolean,
        doc: SESSIONS_DOC,
        default: SESSIONS,
        azure: &["properties.requiresSession"],
        example: "true",
    },
];

fn check(sense: &mut Sense<'_>, name: &str, node: &Node, bus: &Table) {
    let sku = bus.get("sku").and_then(|node| Some((node, node.text()?)));
    if let (Some((sku, word)), Some(units)) = (sku, bus.get("units"))
        && let Some(number) = units.integer()
    {
        if ![1, 2, 4, 8, 16].contains(&number) {
            let diagnostic = sense
                .problem(codes::NOT_OFFERED, &units.span, "messaging units are 1, 2, 4, 8 or 16")
                .help("each doubling doubles the price");
            sense.report(diagnostic);
        } else if word != "premium" && number != 1 {
            sense.lacks(
                sku,
                units,
                "messaging units come with premium",
                "write `sku = \"premium\"`, or leave `units` out",
            );
        }
    }
    let basic = sku.filter(|(_, word)| *word == "basic").map(|(node, _)| node);
    if let (Some(sku), Some(topics)) = (basic, bus.get("topics")) {
        sense.lacks_key(sku, topics, "a basic Service Bus has no topics", "write `sku = \"standard\"`");
    }
    for (_, _, queue) in entries(bus, "queues") {
        entity(sense, basic, queue);
    }
    for (_, _, topic) in entries(bus, "topics") {
        entity(sense, basic, topic);
        for (_, _, subscription) in entries(topic, "subscriptions") {
            entity(sense, basic, subscription);
        }
    }
    sense.reachable(bus, "premium", "a Service Bus of this SKU has no private endpoint: it stays reachable from the internet, by identity only");
    sense.unused(name, node);
}

/// What queues, topics and subscriptions have in common.
fn entity(sense: &mut Sense<'_>, basic: Option<&Node>, entity: &Table) {
    const DAY: u64 = 86_400;
    let bounds: [(&str, u64, u64, &str); 3] = [
        ("lock", 5, 300, "a message is locked for 5s to 5m"),
        ("ttl", 1, 3650 * DAY, "a message waits a second at least"),
        ("duplicate_window", 20, 7 * DAY, "duplicates are looked for in 20s to 7d"),
    ];
    for (key, min, max, message) in bounds {
        let Some((node, time)) = entity.get(key).and_then(|node| Some((node, duration(node)?))) else {
            continue;
        };
        if !(min..=max).contains(&time.seconds) {
            let help = match key {
                "lock" => "longer work renews its lock, which clients do by themselves",
                _ => "write a time within these bounds",
            };
            let diagnostic = sense.problem(codes::OUT_OF_RANGE, &node.span, message).help(help);
            sense.report(diagnostic);
        }
        if let (Some(sku), "ttl", true) = (basic, key, time.seconds > 14 * DAY) {
            sense.lacks(sku, node, "messages of a basic Service Bus wait 14 days at most", "write \"14d\"");
        }
    }
    if let Some(sku) = basic {
        if let Some(sessions) = entity.get("sessions").filter(|node| node.boolean() == Some(true)) {
            sense.lacks(sku, sessions, "a basic Service Bus has no sessions", "write `sku = \"standard\"`");
        }
        if let Some(window) = entity.get("duplicate_window") {
            sense.lacks(
                sku,
                window,
                "a basic Service Bus does not look for duplicates",
                "write `sku = \"standard\"`",
            );
        }
    }
}
