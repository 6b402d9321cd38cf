use serde_json::{Value, json};

use crate::world::testing::{Lab, rg};

#[test]
fn accounts_databases_and_containers_have_rules() {
    let mut lab = Lab::new(0.0);
    let account = rg("Microsoft.DocumentDB/databaseAccounts/docs1");
    let body = |properties: Value| json!({"location": "westeurope", "properties": properties});
    lab.put(&rg("Microsoft.DocumentDB/databaseAccounts/Docs"), body(json!({}))).refused(400, "BadRequest");
    lab.put(&account, body(json!({"consistencyPolicy": {"defaultConsistencyLevel": "Some"}})))
        .refused(400, "BadRequest");
    lab.put(&account, body(json!({"locations": [{"locationName": "westeurope", "failoverPriority": 1}]})))
        .refused(400, "BadRequest");
    let made = lab.put(&account, body(json!({}))).ok(200).json;
    assert_eq!(made["properties"]["documentEndpoint"], "https://docs1.documents.azure.com:443/");
    let keys = lab.post(&format!("{account}/listKeys"), json!({})).ok(200).json;
    assert!(keys["primaryMasterKey"].is_string());
    let database = format!("{account}/sqlDatabases/d");
    let with = |id: &str, units: u32| json!({"properties": {"resource": {"id": id}, "options": {"throughput": units}}});
    lab.put(&database, with("d", 300)).refused(400, "BadRequest");
    lab.put(&database, with("other", 400)).refused(400, "BadRequest");
    lab.put(&database, with("d", 400)).ok(200);
    let container = format!("{database}/containers/c");
    let key =
        |path: &str| json!({"properties": {"resource": {"id": "c", "partitionKey": {"paths": [path]}}}});
    lab.put(&container, key("id")).refused(400, "BadRequest");
    lab.put(&container, key("/id")).ok(200);
    lab.put(&container, key("/other")).refused(400, "BadRequest");
}
