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
    lab.put(&own, json!({"properties": {"rights": ["Manage"]}})).refused(400, "MessagingGatewayBadRequest");
    lab.put(&own, json!({"properties": {"rights": ["Send"]}})).ok(200);
    let before = lab.post(&format!("{own}/listKeys"), json!({})).json;
    let after = lab.post(&format!("{own}/regenerateKeys"), json!({"keyType": "PrimaryKey"})).ok(200).json;
    assert_ne!(before["primaryKey"], after["primaryKey"]);
    assert_eq!(before["secondaryKey"], after["secondaryKey"]);
    let set = rg(&format!("{NS}/networkRuleSets/default"));
    lab.put(&set, json!({"properties": {"defaultAction": "Deny"}})).refused(400, "BadRequest");
}
