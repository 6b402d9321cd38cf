//! Service Bus. In reading order:
//!
//! - [`namespaces`]: what each tier has, network rules.
//! - [`entities`]: queues, topics, subscriptions and their filters.
//! - [`access`]: rules for access with their keys.
//! - [`recovery`]: pairs of namespaces behind an alias.

mod access;
mod entities;
mod namespaces;
mod recovery;
#[cfg(test)]
mod tests;

use super::arm::Resource;
use super::arm::id::Id;
use super::arm::kind::{Depth, Kind, Names, Place, Rules, Signs, USUAL};
use super::arm::refusal::Refusal;
use super::arm::resources::at_once;
use super::{Response, World};

type Answer = Result<Response, Refusal>;

const NAMESPACE: &str = "Microsoft.ServiceBus/namespaces";
const QUEUE: &str = "Microsoft.ServiceBus/namespaces/queues";
const TOPIC: &str = "Microsoft.ServiceBus/namespaces/topics";
const SUBSCRIPTION: &str = "Microsoft.ServiceBus/namespaces/topics/subscriptions";
const ROOT: &str = "RootManageSharedAccessKey";

const fn entity(name: &'static str, longest: usize, rules: &'static dyn Rules) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: Names {
            length: (1, longest),
            signs: Signs::Any,
            global: false,
            refusal: ("BadRequest", "The specified name '{name}' is not valid."),
        },
        place: Place::Parent,
        seconds: [0.0, 0.0, 0.0],
        replies: at_once(200, 200),
        busy: "Conflict",
        computed: &[
            "properties.createdAt",
            "properties.updatedAt",
            "properties.accessedAt",
            "properties.countDetails",
            "properties.messageCount",
            "properties.sizeInBytes",
            "properties.subscriptionCount",
        ],
        spelling: &[],
        rules,
    }
}

pub(super) static KINDS: &[Kind] = &[
    Kind {
        names: Names {
            length: (6, 50),
            signs: Signs::VaultLike,
            global: true,
            refusal: ("BadRequest", "The specified service namespace is invalid: '{name}'."),
        },
        place: Place::Regional,
        seconds: [60.0, 20.0, 30.0],
        replies: USUAL,
        computed: &[
            "properties.serviceBusEndpoint",
            "properties.metricId",
            "properties.createdAt",
            "properties.updatedAt",
            "properties.status",
            "properties.privateEndpointConnections",
        ],
        ..entity(NAMESPACE, 50, &namespaces::Namespaces)
    },
    entity(QUEUE, 260, &entities::Entities),
    entity(TOPIC, 260, &entities::Entities),
    entity(SUBSCRIPTION, 50, &entities::Entities),
    entity("Microsoft.ServiceBus/namespaces/topics/subscriptions/rules", 50, &entities::Filters),
    entity("Microsoft.ServiceBus/namespaces/authorizationRules", 50, &access::Access),
    entity("Microsoft.ServiceBus/namespaces/queues/authorizationRules", 50, &access::Access),
    entity("Microsoft.ServiceBus/namespaces/topics/authorizationRules", 50, &access::Access),
    entity("Microsoft.ServiceBus/namespaces/networkRuleSets", 50, &namespaces::Networks),
    Kind {
        replies: at_once(201, 200),
        computed: &["properties.role", "properties.pendingReplicationOperationsCount"],
        ..entity(recovery::ALIAS, 50, &recovery::Aliases)
    },
];

fn bad(message: impl std::fmt::Display) -> Refusal {
    Refusal::bad("MessagingGatewayBadRequest", format!("SubCode=40000. {message}"))
}

fn namespace_of<'a>(world: &'a World, id: &Id) -> Option<&'a Resource> {
    id.ancestors()
        .into_iter()
        .find_map(|id| world.arm.find(&id.key()).filter(|found| found.kind == NAMESPACE))
}
