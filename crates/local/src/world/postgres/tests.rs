use serde_json::{Value, json};

use crate::world::testing::{Lab, rg};

const SERVER: &str = "Microsoft.DBforPostgreSQL/flexibleServers/pg1";

fn server(more: Value) -> Value {
    let mut body = json!({"location": "westeurope", "sku": {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"},
        "properties": {"version": "16", "administratorLogin": "boss", "administratorLoginPassword": "Long-enough-1",
                       "storage": {"storageSizeGB": 128}}});
    crate::world::arm::merge(&mut body, &more);
    body
}

#[test]
fn a_server_follows_the_rules_of_its_tier() {
    let mut lab = Lab::new(0.0);
    let mut refused = |more: Value, code: &str| {
        lab.put(&rg(SERVER), server(more)).refused(400, code);
    };
    refused(json!({"sku": {"name": "Standard_B1ms"}}), "InvalidParameterValue");
    refused(json!({"sku": {"name": "Large"}}), "InvalidParameterValue");
    refused(
        json!({"sku": {"name": "Standard_B1ms", "tier": "Burstable"}, "properties": {"highAvailability": {"mode": "SameZone"}}}),
        "HANotSupportedForBurstable",
    );
    refused(json!({"properties": {"storage": {"storageSizeGB": 100}}}), "InvalidParameterValue");
    refused(json!({"properties": {"version": "9"}}), "InvalidParameterValue");
    refused(json!({"properties": {"version": "11"}}), "UnsupportedServerVersion");
    refused(json!({"properties": {"backup": {"backupRetentionDays": 40}}}), "InvalidParameterValue");
    refused(json!({"properties": {"administratorLogin": "admin"}}), "InvalidParameterValue");
    refused(json!({"properties": {"administratorLoginPassword": "boring"}}), "PasswordNotComplex");
    refused(json!({"properties": {"administratorLoginPassword": null}}), "MissingRequiredParameter");
    let made = lab.put(&rg(SERVER), server(json!({}))).ok(202).json;
    assert_eq!(made["properties"]["fullyQualifiedDomainName"], "pg1.postgres.database.azure.com");
    assert!(made["properties"].get("administratorLoginPassword").is_none());
    let smaller = json!({"properties": {"storage": {"storageSizeGB": 64}}});
    lab.patch(&rg(SERVER), smaller).refused(400, "StorageSizeCannotBeDecreased");
    lab.patch(&rg(SERVER), json!({"properties": {"version": "15"}}))
        .refused(400, "MajorVersionUpgradeInvalidTarget");
    lab.patch(&rg(SERVER), json!({"properties": {"storage": {"storageSizeGB": 256}}})).ok(202);
    let other = rg("Microsoft.DBforPostgreSQL/flexibleServers/PG1x").replace("PG1x", "pg1");
    lab.put(&other.replace("/rg/", "/none/"), server(json!({}))).refused(404, "ResourceGroupNotFound");
}

#[test]
fn what_is_in_a_server_has_rules_too() {
    let mut lab = Lab::new(0.0);
    lab.put(&rg(SERVER), server(json!({}))).ok(202);
    let at = |rest: &str| rg(&format!("{SERVER}/{rest}"));
    let rule = |from: &str, to: &str| json!({"properties": {"startIpAddress": from, "endIpAddress": to}});
    lab.put(&at("firewallRules/a"), rule("10.0.0.9", "10.0.0.1")).refused(400, "InvalidParameterValue");
    lab.put(&at("firewallRules/a"), rule("0.0.0.0", "0.0.0.0")).ok(202);
    lab.put(&at("databases/app"), json!({"properties": {}})).ok(202);
    lab.delete(&at("databases/postgres")).refused(400, "SystemDatabaseCannotBeDeleted");
    let value = |value: &str| json!({"properties": {"value": value, "source": "user-override"}});
    lab.put(&at("configurations/max_connections"), value("9")).refused(400, "InvalidParameterValue");
    let set = lab.put(&at("configurations/max_connections"), value("100")).ok(202).json;
    assert_eq!(set["properties"]["isConfigPendingRestart"], true);
    lab.put(&at("configurations/nonsense"), value("1")).refused(404, "ConfigurationNotExists");
    let who = at("administrators/55555555-5555-5555-5555-555555555555");
    lab.put(&who, json!({"properties": {"principalType": "User", "principalName": "me"}}))
        .refused(400, "AadAuthNotEnabled");
    lab.post(&at("stop"), json!({})).ok(202);
    assert_eq!(lab.get(&rg(SERVER)).json["properties"]["state"], "Stopped");
    lab.put(&at("databases/late"), json!({"properties": {}})).refused(409, "ServerIsNotReady");
}

#[test]
fn a_private_server_needs_a_delegated_subnet_and_a_zone() {
    let mut lab = Lab::new(0.0);
    let vnet = rg("Microsoft.Network/virtualNetworks/v1");
    let subnet = format!("{vnet}/subnets/db");
    let network = json!({"properties": {"network": {"delegatedSubnetResourceId": subnet}}});
    lab.put(&rg(SERVER), server(network.clone())).refused(400, "SubnetNotFound");
    let space = json!({"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}});
    lab.put(&vnet, space).ok(201);
    lab.put(&subnet, json!({"properties": {"addressPrefix": "10.0.0.0/28"}})).ok(201);
    lab.put(&rg(SERVER), server(network.clone())).refused(400, "SubnetNotDelegated");
    lab.put(
        &subnet,
        json!({"properties": {"addressPrefix": "10.0.0.0/28", "delegations": [{"name": "pg",
        "properties": {"serviceName": "Microsoft.DBforPostgreSQL/flexibleServers"}}]}}),
    )
    .ok(200);
    lab.put(&rg(SERVER), server(network.clone())).refused(400, "PrivateDnsZoneNotFound");
    let zone = rg("Microsoft.Network/privateDnsZones/app.postgres.database.azure.com");
    lab.put(&zone, json!({"location": "global"})).ok(201);
    let mut whole = network;
    whole["properties"]["network"]["privateDnsZoneArmResourceId"] = json!(zone);
    lab.put(&rg(SERVER), server(whole)).ok(202);
    lab.put(&subnet, json!({"properties": {"addressPrefix": "10.0.0.0/28"}}))
        .refused(400, "SubnetMissingRequiredDelegation");
    lab.delete(&subnet).refused(400, "InUseSubnetCannotBeDeleted");
}
