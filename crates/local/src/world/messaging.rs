//! Service Bus: namespaces with what each tier has, queues, topics, subscriptions, rules for access with their keys.

use serde_json::{Value, json};

use super::arm::id::Id;
use super::arm::kind::{Call, Change, Depth, Ending, Kind, Names, Place, Rules, Signs, USUAL, What};
use super::arm::refusal::Refusal;
use super::arm::resources::{self, at_once};
use super::arm::{Resource, default, locks, put, stamp, take};
use super::checks::{between, list, one_of, text};
use super::{Method, Response, World};

const NAMESPACE: &str = "Microsoft.ServiceBus/namespaces";
const QUEUE: &str = "Microsoft.ServiceBus/namespaces/queues";
const TOPIC: &str = "Microsoft.ServiceBus/namespaces/topics";
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
        ..entity(NAMESPACE, 50, &Namespaces)
    },
    entity(QUEUE, 260, &Entities),
    entity(TOPIC, 260, &Entities),
    entity("Microsoft.ServiceBus/namespaces/topics/subscriptions", 50, &Entities),
    entity("Microsoft.ServiceBus/namespaces/topics/subscriptions/rules", 50, &Filters),
    entity("Microsoft.ServiceBus/namespaces/authorizationRules", 50, &Access),
    entity("Microsoft.ServiceBus/namespaces/queues/authorizationRules", 50, &Access),
    entity("Microsoft.ServiceBus/namespaces/topics/authorizationRules", 50, &Access),
    entity("Microsoft.ServiceBus/namespaces/networkRuleSets", 50, &Networks),
];

fn bad(message: impl std::fmt::Display) -> Refusal {
    Refusal::bad("MessagingGatewayBadRequest", format!("SubCode=40000. {message}"))
}

fn namespace_of<'a>(world: &'a World, id: &Id) -> Option<&'a Resource> {
    id.ancestors()
        .into_iter()
        .find_map(|id| world.arm.find(&id.key()).filter(|found| found.kind == NAMESPACE))
}

#[derive(Debug)]
struct Namespaces;

impl Rules for Namespaces {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let name = change.id.name().to_ascii_lowercase();
        if name.ends_with("-sb") || name.ends_with("-mgmt") {
            return Err(Refusal::bad("BadRequest", "The specified service namespace is invalid."));
        }
        let body = &mut change.body;
        default(body, "sku", json!({"name": "Standard"}));
        one_of(body, "sku.name", &["Basic", "Standard", "Premium"], |value| {
            Refusal::bad(
                "BadRequest",
                format!("The SKU '{value}' is not valid: Basic, Standard and Premium are."),
            )
        })?;
        let sku = text(body, "sku.name").to_owned();
        if let Some(current) = &change.current {
            let old = text(&current.body, "sku.name");
            if (old == "Premium") != (sku == "Premium") {
                return Err(Refusal::bad(
                    "BadRequest",
                    format!(
                        "The SKU of a namespace cannot go from {old} to {sku}: migrate to a new namespace."
                    ),
                ));
            }
            if sku == "Basic" && world.arm.below(change.id).any(|(_, child)| child.kind == TOPIC) {
                return Err(Refusal::bad(
                    "BadRequest",
                    "A namespace with topics cannot go to the Basic tier.",
                ));
            }
        }
        put(body, "sku.tier", json!(sku));
        let premium = sku == "Premium";
        if premium {
            default(body, "sku.capacity", json!(1));
            if !body["sku"]["capacity"].as_i64().is_some_and(|units| [1, 2, 4, 8, 16].contains(&units)) {
                return Err(Refusal::bad(
                    "BadRequest",
                    format!(
                        "The capacity {} is not one of 1, 2, 4, 8, 16 messaging units.",
                        body["sku"]["capacity"]
                    ),
                ));
            }
        } else {
            take(body, "sku.capacity");
        }
        for (property, wanted) in [
            ("zoneRedundant", body["properties"]["zoneRedundant"] == true),
            ("encryption", body["properties"]["encryption"].is_object()),
            ("geoDataReplication", body["properties"]["geoDataReplication"].is_object()),
            ("publicNetworkAccess", body["properties"]["publicNetworkAccess"] == "Disabled"),
            (
                "premiumMessagingPartitions",
                body["properties"]["premiumMessagingPartitions"].as_i64().unwrap_or(0) > 0,
            ),
        ] {
            if wanted && !premium {
                return Err(Refusal::bad(
                    "BadRequest",
                    format!(
                        "The property '{property}' is only available for namespaces of the Premium SKU, not {sku}."
                    ),
                ));
            }
        }
        default(body, "properties.minimumTlsVersion", json!("1.2"));
        one_of(body, "properties.minimumTlsVersion", &["1.0", "1.1", "1.2", "1.3"], |value| {
            Refusal::bad("BadRequest", format!("The TLS version '{value}' is invalid."))
        })?;
        for (name, value) in [
            ("publicNetworkAccess", json!("Enabled")),
            ("disableLocalAuth", json!(false)),
            ("zoneRedundant", json!(premium)),
            ("premiumMessagingPartitions", json!(i32::from(premium))),
            ("status", json!("Active")),
            ("createdAt", json!(stamp(world.now))),
            ("metricId", json!(format!("{}:{name}", world.config.subscription))),
            ("serviceBusEndpoint", json!(format!("https://{name}.servicebus.windows.net:443/"))),
        ] {
            default(body, &format!("properties.{name}"), value);
        }
        put(body, "properties.updatedAt", json!(stamp(world.now)));
        Ok(())
    }

    fn taken(&self, _world: &World, _other: &Resource, id: &Id) -> Result<(), Refusal> {
        Err(Refusal::bad(
            "NamespaceUnavailable",
            format!("Namespace already exists: the name '{}' is taken.", id.name()),
        ))
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            let own = id.child("authorizationRules", ROOT);
            let private = keys(world, &own);
            resources::grow(
                world,
                &own,
                json!({"properties": {"rights": ["Listen", "Manage", "Send"]}}),
                private,
            );
            let open = json!({"properties": {"defaultAction": "Allow", "publicNetworkAccess": "Enabled",
                "virtualNetworkRules": [], "ipRules": [], "trustedServiceAccessEnabled": false}});
            resources::grow(world, &id.child("networkRuleSets", "default"), open, Value::Null);
        }
        Ending::Table
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method != Method::Post || !call.rest_is(&["CheckNameAvailability"]) {
            return None;
        }
        let name = text(&call.body, "name");
        let answer = if !KINDS[0].names.allow(name) {
            json!({"nameAvailable": false, "reason": "InvalidName", "message": "The specified service namespace is invalid."})
        } else if world.arm.by_name(NAMESPACE, name).is_some() {
            json!({"nameAvailable": false, "reason": "NameInUse", "message": "The specified name is not available."})
        } else {
            json!({"nameAvailable": true, "reason": "None"})
        };
        Some(Ok(Response::json(200, &answer)))
    }
}

/// Queues, topics and subscriptions.
#[derive(Debug)]
struct Entities;

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
        if !body["properties"]["maxMessageSizeInKilobytes"].is_null() && sku != "Premium" {
            return Err(bad(
                "The property 'MaxMessageSizeInKilobytes' is only supported by a namespace of the Premium SKU.",
            ));
        }
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
        if what == What::Created && id.kind().to_ascii_lowercase().ends_with("/topics/subscriptions") {
            let all = json!({"properties": {"action": {}, "filterType": "SqlFilter",
                "sqlFilter": {"sqlExpression": "1=1", "compatibilityLevel": 20}}});
            resources::grow(world, &id.child("rules", "$Default"), all, Value::Null);
        }
        Ending::Table
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
        if resource.kind == TOPIC {
            let count = world
                .arm
                .below(&resource.id)
                .filter(|(_, child)| child.kind.ends_with("/topics/subscriptions"))
                .count();
            put(body, "properties.subscriptionCount", json!(count));
        }
    }
}

fn duration(text: &str) -> Option<f64> {
    super::control::seconds_of(text).filter(|_| text.starts_with('P'))
}

#[derive(Debug)]
struct Filters;

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
            if text(body, "properties.sqlFilter.sqlExpression").is_empty() {
                return Err(bad("A SQL filter needs its expression."));
            }
            default(body, "properties.sqlFilter.compatibilityLevel", json!(20));
        }
        default(body, "properties.action", json!({}));
        Ok(())
    }
}

#[derive(Debug)]
struct Networks;

impl Rules for Networks {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let sku = namespace_of(world, change.id)
            .map(|it| text(&it.body, "sku.name").to_owned())
            .unwrap_or_default();
        let asks = !list(&change.body, "properties.virtualNetworkRules").is_empty()
            || text(&change.body, "properties.defaultAction").eq_ignore_ascii_case("Deny");
        if asks && sku != "Premium" {
            return Err(Refusal::bad(
                "BadRequest",
                format!("Network rules are only available for namespaces of the Premium SKU, not {sku}."),
            ));
        }
        Ok(())
    }
}

fn keys(world: &mut World, id: &Id) -> Value {
    let primary = super::checks::key(world, &format!("primary {}", id.key()), 32);
    let secondary = super::checks::key(world, &format!("secondary {}", id.key()), 32);
    json!({"primaryKey": primary, "secondaryKey": secondary})
}

/// Rules for access by key.
#[derive(Debug)]
struct Access;

impl Rules for Access {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let rights: Vec<&str> =
            list(&change.body, "properties.rights").iter().filter_map(Value::as_str).collect();
        let known = ["Manage", "Send", "Listen"];
        if rights.is_empty() || !rights.iter().all(|right| known.contains(right)) {
            return Err(bad(format!(
                "The rights '{}' are invalid: one or more of Manage, Send, Listen are needed.",
                rights.join(",")
            )));
        }
        if rights.contains(&"Manage") && rights.len() < 3 {
            return Err(bad("Manage permission should also include Send and Listen."));
        }
        let beside = change.id.parent().map(|parent| {
            world
                .arm
                .below(&parent)
                .filter(|(_, child)| child.kind.eq_ignore_ascii_case(&change.id.kind()))
                .count()
        });
        if change.current.is_none() && beside.is_some_and(|count| count >= 12) {
            return Err(bad("An entity has 12 authorization rules at most."));
        }
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Created {
            let made = keys(world, id);
            if let Some(found) = world.arm.find_mut(&id.key()) {
                found.private = made;
            }
        }
        Ending::Table
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        if call.request.method != Method::Post {
            return None;
        }
        if call.rest_is(&["listKeys"]) {
            return Some(Ok(show_keys(world, &call.id)));
        }
        if !call.rest_is(&["regenerateKeys"]) {
            return None;
        }
        let which = text(&call.body, "keyType").to_owned();
        let name = match which.to_ascii_lowercase().as_str() {
            "primarykey" => "primaryKey",
            "secondarykey" => "secondaryKey",
            _ => return Some(Err(Refusal::bad("BadRequest", format!("The key type '{which}' is invalid.")))),
        };
        if let Err(refusal) = locks::permit(world, &call.id, false) {
            return Some(Err(refusal));
        }
        let given = text(&call.body, "key").to_owned();
        let new = if given.is_empty() {
            super::checks::key(world, &format!("{name} {}", call.id.key()), 32)
        } else {
            given
        };
        if let Some(found) = world.arm.find_mut(&call.id.key()) {
            found.private[name] = json!(new);
        }
        Some(Ok(show_keys(world, &call.id)))
    }
}

fn show_keys(world: &World, id: &Id) -> Response {
    let Some(found) = world.arm.find(&id.key()) else { return Response::empty(404) };
    let namespace = namespace_of(world, id).map(|it| it.id.name().to_ascii_lowercase()).unwrap_or_default();
    let entity = id
        .parent()
        .filter(|parent| parent.kind() != NAMESPACE)
        .map_or(String::new(), |parent| format!(";EntityPath={}", parent.name()));
    let mut shown = json!({"keyName": id.name()});
    for (key, line) in
        [("primaryKey", "primaryConnectionString"), ("secondaryKey", "secondaryConnectionString")]
    {
        let value = text(&found.private, key);
        shown[key] = json!(value);
        shown[line] = json!(format!(
            "Endpoint=sb://{namespace}.servicebus.windows.net/;SharedAccessKeyName={};SharedAccessKey={value}{entity}",
            id.name()
        ));
    }
    Response::json(200, &shown)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::world::testing::{Lab, rg};

    const NS: &str = "Microsoft.ServiceBus/namespaces/orders1";

    fn namespace(lab: &mut Lab, sku: &str) {
        lab.put(&rg(NS), json!({"location": "westeurope", "sku": {"name": sku}})).ok(201);
    }

    #[test]
    fn a_namespace_has_what_its_tier_has() {
        let mut lab = Lab::new(0.0);
        let body = |sku: &str, properties: Value| json!({"location": "westeurope", "sku": {"name": sku}, "properties": properties});
        lab.put(&rg(NS), body("Gold", json!({}))).refused(400, "BadRequest");
        lab.put(&rg(NS), body("Standard", json!({"zoneRedundant": true}))).refused(400, "BadRequest");
        lab.put(&rg("Microsoft.ServiceBus/namespaces/orders-sb"), body("Basic", json!({})))
            .refused(400, "BadRequest");
        lab.put(&rg(NS), body("Basic", json!({}))).ok(201);
        lab.put(&rg(&format!("{NS}/topics/t")), json!({"properties": {}}))
            .refused(400, "MessagingGatewayBadRequest");
        lab.put(&rg(&format!("{NS}/queues/q")), json!({"properties": {"requiresSession": true}}))
            .refused(400, "MessagingGatewayBadRequest");
        let queue = lab.put(&rg(&format!("{NS}/queues/q")), json!({"properties": {}})).ok(200).json;
        assert_eq!(
            (queue["properties"]["lockDuration"].clone(), queue["properties"]["maxDeliveryCount"].clone()),
            (json!("PT1M"), json!(10))
        );
        lab.put(&rg(NS), body("Premium", json!({}))).refused(400, "BadRequest");
        lab.put(&rg(NS), body("Standard", json!({}))).ok(200);
    }

    #[test]
    fn entities_have_their_ranges() {
        let mut lab = Lab::new(0.0);
        namespace(&mut lab, "Standard");
        let at = |rest: &str| rg(&format!("{NS}/{rest}"));
        let mut refused = |properties: Value| {
            lab.put(&at("queues/q"), json!({"properties": properties}))
                .refused(400, "MessagingGatewayBadRequest");
        };
        refused(json!({"lockDuration": "PT6M"}));
        refused(json!({"lockDuration": "soon"}));
        refused(json!({"maxDeliveryCount": 0}));
        refused(json!({"maxSizeInMegabytes": 1000}));
        refused(json!({"maxMessageSizeInKilobytes": 1024}));
        lab.put(&at("queues/q"), json!({"properties": {}})).ok(200);
        lab.put(&at("queues/q"), json!({"properties": {"requiresSession": true}}))
            .refused(400, "MessagingGatewayBadRequest");
        lab.put(&at("topics/q"), json!({"properties": {}})).refused(409, "MessagingGatewayConflict");
        lab.put(&at("topics/t"), json!({"properties": {}})).ok(200);
        lab.put(&at("topics/t/subscriptions/s"), json!({"properties": {}})).ok(200);
        assert_eq!(lab.get(&at("topics/t")).json["properties"]["subscriptionCount"], 1);
        let rules = lab.get(&at("topics/t/subscriptions/s/rules")).ok(200).json;
        assert_eq!(rules["value"][0]["name"], "$Default");
    }

    #[test]
    fn keys_are_listed_and_made_anew() {
        let mut lab = Lab::new(0.0);
        namespace(&mut lab, "Standard");
        let root = rg(&format!("{NS}/authorizationRules/RootManageSharedAccessKey"));
        let keys = lab.post(&format!("{root}/listKeys"), json!({})).ok(200).json;
        assert!(
            keys["primaryConnectionString"].as_str().unwrap().starts_with("Endpoint=sb://orders1.servicebus")
        );
        let own = rg(&format!("{NS}/authorizationRules/app"));
        lab.put(&own, json!({"properties": {"rights": ["Manage"]}}))
            .refused(400, "MessagingGatewayBadRequest");
        lab.put(&own, json!({"properties": {"rights": ["Send"]}})).ok(200);
        let before = lab.post(&format!("{own}/listKeys"), json!({})).json;
        let after = lab.post(&format!("{own}/regenerateKeys"), json!({"keyType": "PrimaryKey"})).ok(200).json;
        assert_ne!(before["primaryKey"], after["primaryKey"]);
        assert_eq!(before["secondaryKey"], after["secondaryKey"]);
        let set = rg(&format!("{NS}/networkRuleSets/default"));
        lab.put(&set, json!({"properties": {"defaultAction": "Deny"}})).refused(400, "BadRequest");
    }
}
