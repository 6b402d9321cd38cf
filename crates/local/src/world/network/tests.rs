use serde_json::{Value, json};

use crate::world::Method;
use crate::world::testing::{Lab, rg};

const VNET: &str = "Microsoft.Network/virtualNetworks/v1";
const NSG: &str = "Microsoft.Network/networkSecurityGroups/n1";

fn vnet(lab: &mut Lab, subnets: Value) {
    let body = json!({"location": "westeurope", "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": subnets}});
    lab.put(&rg(VNET), body).ok(201);
}

fn subnet(prefix: &str) -> Value {
    json!({"properties": {"addressPrefix": prefix}})
}

#[test]
fn a_network_keeps_subnets_that_its_put_does_not_name() {
    let mut lab = Lab::new(0.0);
    vnet(&mut lab, json!([{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}}]));
    let again = json!({"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}});
    let made = lab.put(&rg(VNET), again.clone()).ok(200).json;
    assert_eq!(made["properties"]["subnets"][0]["name"], "a");
    assert!(made["etag"].as_str().unwrap().starts_with("W/\""));
    lab.put(&rg(&format!("{VNET}/subnets/b")), subnet("10.0.1.0/24")).ok(201);
    assert_eq!(lab.get(&rg(VNET)).json["properties"]["subnets"].as_array().unwrap().len(), 2);
    let mut without = again;
    without["properties"]["subnets"] = json!([]);
    lab.put(&rg(VNET), without).ok(200);
    lab.get(&rg(&format!("{VNET}/subnets/a"))).refused(404, "ResourceNotFound");
}

#[test]
fn addresses_follow_their_rules() {
    let mut lab = Lab::new(0.0);
    vnet(&mut lab, json!([{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}}]));
    let mut put = |prefix: &str| lab.put(&rg(&format!("{VNET}/subnets/b")), subnet(prefix));
    put("10.0.0.128/25").refused(400, "NetcfgSubnetRangesOverlap");
    put("10.1.0.0/24").refused(400, "NetcfgSubnetRangeOutsideVnet");
    put("10.0.1.5/24").refused(400, "InvalidCIDRNotation");
    put("10.0.1.0").refused(400, "InvalidAddressPrefixFormat");
    put("10.0.1.0/30").refused(400, "NetcfgInvalidSubnet");
    put("10.0.1.0/29").ok(201);
    let twice = json!({"location": "westeurope", "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16", "10.0.1.0/24"]}}});
    lab.put(&rg(VNET), twice).refused(400, "NetcfgInvalidVirtualNetworkSite");
    let smaller = json!({"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/24"]}}});
    lab.put(&rg(VNET), smaller).refused(400, "NetcfgSubnetRangeOutsideVnet");
    lab.put(
        &rg(&format!("{VNET}/subnets/c")),
        json!({"properties": {"addressPrefix": "10.0.2.0/24",
        "networkSecurityGroup": {"id": rg(NSG)}}}),
    )
    .refused(400, "InvalidResourceReference");
}

#[test]
fn siblings_are_changed_one_after_the_other() {
    let mut lab = Lab::new(1.0);
    vnet(&mut lab, json!([]));
    lab.wait(10.0);
    lab.put(&rg(&format!("{VNET}/subnets/a")), subnet("10.0.0.0/24")).ok(201);
    lab.put(&rg(&format!("{VNET}/subnets/b")), subnet("10.0.1.0/24"))
        .refused(409, "AnotherOperationInProgress");
    lab.wait(10.0);
    lab.put(&rg(&format!("{VNET}/subnets/b")), subnet("10.0.1.0/24")).ok(201);
}

#[test]
fn rules_of_a_security_group_are_checked_and_listed() {
    let mut lab = Lab::new(0.0);
    let rule = |priority: u32, ports: &str| {
        json!({"protocol": "tcp", "access": "Allow", "direction": "Inbound", "priority": priority,
               "sourceAddressPrefix": "Internet", "destinationAddressPrefix": "10.0.0.0/24",
               "sourcePortRange": "*", "destinationPortRange": ports})
    };
    let group = |rules: Value| json!({"location": "westeurope", "properties": {"securityRules": rules}});
    let named = |name: &str, properties: Value| json!({"name": name, "properties": properties});
    let two = json!([named("a", rule(100, "80")), named("b", rule(100, "443"))]);
    lab.put(&rg(NSG), group(two)).refused(400, "SecurityRuleConflict");
    let made = lab.put(&rg(NSG), group(json!([named("a", rule(100, "80"))]))).ok(201).json;
    assert_eq!(made["properties"]["securityRules"][0]["properties"]["protocol"], "Tcp");
    assert_eq!(made["properties"]["defaultSecurityRules"].as_array().unwrap().len(), 6);
    let path = rg(&format!("{NSG}/securityRules/c"));
    let mut put = |properties: Value| lab.put(&path, json!({"properties": properties}));
    put(rule(99, "80")).refused(400, "SecurityRuleInvalidPriority");
    put(rule(100, "80")).refused(400, "SecurityRuleConflict");
    put(rule(200, "80-70")).refused(400, "SecurityRuleInvalidPortRange");
    put(rule(200, "636, 389")).refused(400, "SecurityRuleInvalidPortRange");
    let mut wrong = rule(200, "80");
    wrong["sourceAddressPrefix"] = json!("192.168.0.0/34");
    put(wrong).refused(400, "SecurityRuleInvalidAddressPrefix");
    let mut wrong = rule(200, "80");
    wrong["sourceAddressPrefix"] = json!("");
    put(wrong).refused(400, "SecurityRuleParametersMissing");
    put(rule(200, "8000-8080")).ok(201);
    // one that is in use stays
    let subnet = json!({"name": "s", "properties": {"addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": rg(NSG)}}});
    vnet(&mut lab, json!([subnet]));
    assert!(
        lab.get(&rg(NSG)).json["properties"]["subnets"][0]["id"].as_str().unwrap().ends_with("/subnets/s")
    );
    lab.delete(&rg(NSG)).refused(400, "InUseNetworkSecurityGroupCannotBeDeleted");
}

#[test]
fn public_addresses_are_standard_and_held_by_what_uses_them() {
    let mut lab = Lab::new(0.0);
    let path = rg("Microsoft.Network/publicIPAddresses/p1");
    let body = |sku: &str, way: &str| {
        json!({"location": "westeurope", "sku": {"name": sku}, "properties": {"publicIPAllocationMethod": way,
               "dnsSettings": {"domainNameLabel": "mine"}}})
    };
    lab.put(&path, body("Basic", "Dynamic")).refused(400, "IPv4BasicSkuPublicIpCountLimitReached");
    lab.put(&path, body("Standard", "Dynamic")).refused(400, "PublicIPAddressWithStandardSkuMustBeStatic");
    let made = lab.put(&path, body("Standard", "Static")).ok(201).json;
    assert_eq!(made["properties"]["dnsSettings"]["fqdn"], "mine.westeurope.cloudapp.azure.com");
    let other = rg("Microsoft.Network/publicIPAddresses/p2");
    lab.put(&other, body("Standard", "Static")).refused(400, "DnsRecordInUse");
    let nat = json!({"location": "westeurope", "sku": {"name": "Standard"}, "properties": {"publicIpAddresses": [{"id": path}]}});
    lab.put(&rg("Microsoft.Network/natGateways/nat"), nat).ok(201);
    lab.delete(&path).refused(400, "PublicIPAddressCannotBeDeleted");
    lab.delete(&rg("Microsoft.Network/natGateways/nat")).ok(200);
    lab.delete(&path).ok(200);
}

fn endpoint(name: &str, manual: bool) -> Value {
    let connections =
        if manual { "manualPrivateLinkServiceConnections" } else { "privateLinkServiceConnections" };
    json!({"location": "westeurope", "properties": {
        "subnet": {"id": rg(&format!("{VNET}/subnets/a"))},
        connections: [{"name": "c", "properties": {
            "privateLinkServiceId": rg(&format!("Microsoft.Storage/storageAccounts/{name}")), "groupIds": ["blob"]}}]}})
}

#[test]
fn a_private_endpoint_is_approved_named_and_holds_its_subnet() {
    let mut lab = Lab::new(0.0);
    vnet(&mut lab, json!([{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}}]));
    let path = rg("Microsoft.Network/privateEndpoints/pe");
    lab.put(&path, endpoint("acc1", false)).refused(400, "InvalidResourceReference");
    let account = rg("Microsoft.Storage/storageAccounts/acc1");
    lab.put(&account, json!({"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": {}}));
    let mut wrong = endpoint("acc1", false);
    wrong["properties"]["privateLinkServiceConnections"][0]["properties"]["groupIds"] = json!(["vault"]);
    lab.put(&path, wrong).refused(400, "InvalidPrivateLinkServiceConnectionGroupIds");
    let made = lab.put(&path, endpoint("acc1", false)).ok(201).json;
    let link = &made["properties"]["privateLinkServiceConnections"][0]["properties"];
    assert_eq!(link["privateLinkServiceConnectionState"]["status"], "Approved");
    assert_eq!(made["properties"]["customDnsConfigs"][0]["fqdn"], "acc1.blob.core.windows.net");
    assert_eq!(made["properties"]["customDnsConfigs"][0]["ipAddresses"], json!(["10.0.0.4"]));
    let nic = made["properties"]["networkInterfaces"][0]["id"].as_str().unwrap().to_owned();
    lab.get(&nic).ok(200);
    lab.delete(&rg(&format!("{VNET}/subnets/a"))).refused(400, "InUseSubnetCannotBeDeleted");
    lab.delete(&rg(VNET)).refused(400, "InUseSubnetCannotBeDeleted");

    let zone = rg("Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net");
    lab.put(&zone, json!({"location": "westeurope"})).refused(400, "LocationNotAvailableForResourceType");
    lab.put(&zone, json!({"location": "global"})).ok(201);
    let group = json!({"properties": {"privateDnsZoneConfigs": [{"name": "z", "properties": {"privateDnsZoneId": zone}}]}});
    let group_path = format!("{path}/privateDnsZoneGroups/default");
    lab.put(&group_path, group).ok(201);
    let record = lab.get(&format!("{zone}/A/acc1")).ok(200).json;
    assert_eq!(record["properties"]["aRecords"][0]["ipv4Address"], "10.0.0.4");
    assert_eq!(record["properties"]["fqdn"], "acc1.privatelink.blob.core.windows.net.");
    let shown = lab.get(&group_path).json;
    assert_eq!(
        shown["properties"]["privateDnsZoneConfigs"][0]["properties"]["recordSets"][0]["recordSetName"],
        "acc1"
    );
    let connections = lab.get(&account).json["properties"]["privateEndpointConnections"].clone();
    assert_eq!(connections.as_array().unwrap().len(), 1);

    lab.delete(&path).ok(200);
    lab.get(&format!("{zone}/A/acc1")).refused(404, "ResourceNotFound");
    lab.get(&nic).refused(404, "ResourceNotFound");
    lab.delete(&rg(VNET)).ok(200);
}

#[test]
fn a_manual_connection_waits_for_its_approval() {
    let mut lab = Lab::new(0.0);
    vnet(&mut lab, json!([{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}}]));
    let account = rg("Microsoft.Storage/storageAccounts/acc1");
    lab.put(&account, json!({"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": {}}));
    let path = rg("Microsoft.Network/privateEndpoints/pe");
    let status = |made: &Value| {
        made["properties"]["manualPrivateLinkServiceConnections"][0]["properties"]["privateLinkServiceConnectionState"]
            ["status"].clone()
    };
    let made = lab.put(&path, endpoint("acc1", true)).ok(201).json;
    assert_eq!(status(&made), "Pending");
    let listed = lab.get(&format!("{account}/privateEndpointConnections")).ok(200).json;
    let connection = listed["value"][0]["id"].as_str().unwrap().to_owned();
    let decide = |status: &str| json!({"properties": {"privateLinkServiceConnectionState": {"status": status, "description": "ok"}}});
    lab.put(&connection, decide("Perhaps")).refused(400, "InvalidPrivateLinkServiceConnectionState");
    lab.put(&connection, decide("Approved")).ok(200);
    assert_eq!(status(&lab.get(&path).json), "Approved");
    lab.put(&connection, decide("Rejected")).ok(200);
    assert_eq!(status(&lab.get(&path).json), "Rejected");
    lab.put(&connection, decide("Approved")).refused(409, "PrivateEndpointConnectionRejected");
}

#[test]
fn zones_links_and_records_have_their_rules() {
    let mut lab = Lab::new(0.0);
    vnet(&mut lab, json!([]));
    let global = || json!({"location": "global"});
    lab.put(&rg("Microsoft.Network/privateDnsZones/single"), global()).refused(400, "BadRequest");
    let zone = rg("Microsoft.Network/privateDnsZones/corp.example");
    lab.put(&zone, global()).ok(201);
    let link = |registers: bool| json!({"location": "global", "properties": {"virtualNetwork": {"id": rg(VNET)}, "registrationEnabled": registers}});
    let made = lab.put(&format!("{zone}/virtualNetworkLinks/l"), link(true)).ok(201).json;
    assert_eq!(made["properties"]["virtualNetworkLinkState"], "Completed");
    lab.put(&format!("{zone}/virtualNetworkLinks/l2"), link(false)).refused(409, "Conflict");
    let other = rg("Microsoft.Network/privateDnsZones/other.example");
    lab.put(&other, global()).ok(201);
    lab.put(&format!("{other}/virtualNetworkLinks/l"), link(true)).refused(409, "Conflict");
    lab.put(&format!("{other}/virtualNetworkLinks/l"), link(false)).ok(201);
    lab.delete(&zone).refused(409, "CannotDeleteResource");

    let a = |address: &str| json!({"properties": {"ttl": 60, "aRecords": [{"ipv4Address": address}]}});
    lab.put(&format!("{zone}/A/www"), a("10.0.0.256")).refused(400, "BadRequest");
    lab.put(&format!("{zone}/A/www"), a("10.0.0.5")).ok(201);
    lab.put(&format!("{zone}/CNAME/www"), json!({"properties": {"cnameRecord": {"cname": "x.y"}}}))
        .refused(409, "Conflict");
    assert_eq!(lab.get(&zone).json["properties"]["numberOfRecordSets"], 2);
    assert_eq!(lab.get(&format!("{zone}/ALL")).json["value"].as_array().unwrap().len(), 2);
    assert_eq!(lab.get(&format!("{zone}/A")).json["value"].as_array().unwrap().len(), 1);
    lab.delete(&format!("{zone}/virtualNetworkLinks/l")).ok(200);
    lab.delete(&zone).ok(200);
}

#[test]
fn a_group_with_a_network_in_use_goes_in_one_delete() {
    let mut lab = Lab::new(0.0);
    vnet(&mut lab, json!([{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}}]));
    let account = rg("Microsoft.Storage/storageAccounts/acc1");
    lab.put(&account, json!({"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": {}}));
    lab.put(&rg("Microsoft.Network/privateEndpoints/pe"), endpoint("acc1", false)).ok(201);
    let group = format!("{}/resourceGroups/rg", crate::world::testing::SUB);
    lab.send(Method::Delete, &group, None).ok(200);
    lab.get(&group).refused(404, "ResourceGroupNotFound");
}
