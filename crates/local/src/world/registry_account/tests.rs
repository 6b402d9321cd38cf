//! Tiers, policies, and who a token of the registry is.

use serde_json::{Value, json};

use super::Permit;
use crate::world::testing::{Lab, rg};

const PATH: &str = "Microsoft.ContainerRegistry/registries/acr01";

fn body(sku: &str, properties: Value) -> Value {
    json!({"location": "westeurope", "sku": {"name": sku}, "properties": properties})
}

#[test]
fn tiers_have_features_and_limits() {
    let mut lab = Lab::new(0.0);
    let path = rg(PATH);
    for (sku, properties, code) in [
        ("", json!({}), "ClassicSkuDeprecated"),
        ("Gold", json!({}), "InvalidSku"),
        ("Basic", json!({"anonymousPullEnabled": true}), "BadRequest"),
        ("Standard", json!({"publicNetworkAccess": "disabled"}), "DisablingPublicNetworkAccessNotSupported"),
        (
            "Standard",
            json!({"policies": {"retentionPolicy": {"status": "Enabled"}}}),
            "RetentionPolicyNotSupported",
        ),
        ("Premium", json!({"policies": {"softDeletePolicy": {"retentionDays": 0}}}), "InvalidPolicy"),
        ("Premium", json!({"policies": {"exportPolicy": {"status": "disabled"}}}), "InvalidPolicy"),
        ("Premium", json!({"publicNetworkAccess": "Sometimes"}), "InvalidParameter"),
    ] {
        lab.put(&path, body(sku, properties)).refused(400, code);
    }
    lab.put(&path, body("premium", json!({}))).ok(201);
    lab.put(&format!("{path}/replications/there"), json!({"location": "northeurope"})).ok(201);
    lab.put(&format!("{path}/replications/again"), json!({"location": "northeurope"}))
        .refused(409, "ReplicationAlreadyExists");
    lab.patch(&path, json!({"sku": {"name": "Standard"}})).refused(403, "QuotaExceeded");
    lab.delete(&format!("{path}/replications/there")).ok(204);
    lab.patch(&path, json!({"sku": {"name": "Standard"}})).ok(200);
    let both = json!({"properties": {"policies": {"softDeletePolicy": {"status": "enabled"},
        "retentionPolicy": {"status": "enabled"}}}});
    lab.patch(&path, json!({"sku": {"name": "Premium"}})).ok(200);
    lab.patch(&path, both).refused(400, "InvalidPolicy");
}

#[test]
fn a_patch_of_one_policy_keeps_the_others_and_tells_when() {
    let mut lab = Lab::new(0.0);
    let path = rg(PATH);
    lab.put(&path, body("Premium", json!({}))).ok(201);
    let before = lab.get(&path).json["properties"]["policies"].clone();
    lab.wait(60.0);
    let days = json!({"properties": {"policies": {"retentionPolicy": {"days": 30, "status": "enabled"}}}});
    lab.patch(&path, days).ok(200);
    let after = lab.get(&path).json["properties"]["policies"].clone();
    assert_eq!(after["retentionPolicy"]["days"], 30);
    assert_ne!(after["retentionPolicy"]["lastUpdatedTime"], before["retentionPolicy"]["lastUpdatedTime"]);
    assert_eq!(after["softDeletePolicy"], before["softDeletePolicy"]);
}

#[test]
fn scope_maps_are_checked_and_held_by_their_tokens() {
    let mut lab = Lab::new(0.0);
    let path = rg(PATH);
    lab.put(&path, body("Basic", json!({}))).ok(201);
    let map = format!("{path}/scopeMaps/reader");
    for wrong in
        [json!([]), json!(["repositories/app/pull"]), json!(["repositories//content/read"]), json!([7])]
    {
        lab.put(&map, json!({"properties": {"actions": wrong}})).refused(400, "InvalidParameter");
    }
    lab.put(&map, json!({"properties": {"actions": ["repositories/app/content/read"]}})).ok(201);
    lab.put(&format!("{path}/scopeMaps/_repositories_pull"), json!({"properties": {"actions": []}}))
        .refused(400, "SystemScopeMapCannotBeModified");
    let token = format!("{path}/tokens/machine");
    lab.put(&token, json!({"properties": {"scopeMapId": format!("{path}/scopeMaps/none")}}))
        .refused(400, "InvalidScopeMap");
    lab.put(&token, json!({"properties": {"scopeMapId": map}})).ok(201);
    lab.delete(&map).refused(409, "ScopeMapInUse");
    let made = lab.post(&format!("{path}/generateCredentials"), json!({"tokenId": token})).ok(200).json;
    assert_eq!(
        (made["username"].as_str(), made["passwords"].as_array().map(Vec::len)),
        (Some("machine"), Some(2))
    );
    let past = json!({"tokenId": token, "expiry": "2020-01-01T00:00:00Z"});
    lab.post(&format!("{path}/generateCredentials"), past).refused(400, "InvalidExpiry");
    // a change that names one password lets the other go
    let one = json!({"properties": {"credentials": {"passwords": [{"name": "password2"}]}}});
    lab.patch(&token, one).ok(200);
    let left = lab.get(&token).json["properties"]["credentials"]["passwords"].clone();
    assert_eq!((left[0]["name"].as_str(), left[1].is_null()), (Some("password2"), true));
    assert!(left[0].get("value").is_none(), "passwords are shown once");
}

#[test]
fn a_permit_is_for_repositories_by_name_or_prefix() {
    let actions = ["repositories/team/*/content/read", "repositories/app/metadata/read"];
    let permit = Permit { name: "t".into(), actions: actions.map(str::to_owned).to_vec() };
    assert!(permit.allows("team/web", "content/read"));
    assert!(permit.allows("app", "metadata/read"));
    assert!(!permit.allows("teams", "content/read"));
    assert!(!permit.allows("app", "content/read"));
    assert!(!permit.allows("team/web", "content/write"));
}
