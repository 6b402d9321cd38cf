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
    lab.put(&path, wrong).refused(400, "InvalidValuesForRequestParameters");
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

fn network(lab: &mut Lab, name: &str, space: &str) -> String {
    let path = rg(&format!("Microsoft.Network/virtualNetworks/{name}"));
    lab.put(
        &path,
        json!({"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": [space]}}}),
    )
    .ok(201);
    path
}

#[test]
fn peerings_are_of_two_sides() {
    let mut lab = Lab::new(0.0);
    let (a, b) = (network(&mut lab, "va", "10.0.0.0/16"), network(&mut lab, "vb", "10.1.0.0/16"));
    let (same, c) = (network(&mut lab, "vs", "10.0.128.0/17"), network(&mut lab, "vc", "10.2.0.0/16"));
    let to = |vnet: &str| json!({"properties": {"remoteVirtualNetwork": {"id": vnet}}});
    let state = |lab: &mut Lab, path: &str| lab.get(path).json["properties"]["peeringState"].clone();
    let (ab, ba) = (format!("{a}/virtualNetworkPeerings/ab"), format!("{b}/virtualNetworkPeerings/ba"));
    lab.put(&ab, to(&same)).refused(400, "VnetAddressSpacesOverlap");
    lab.put(&ab, to(&format!("{a}x"))).refused(400, "InvalidResourceReference");
    let made = lab.put(&ab, to(&b)).ok(201).json;
    assert_eq!(made["properties"]["peeringState"], "Initiated");
    assert_eq!(made["properties"]["allowVirtualNetworkAccess"], true);
    lab.put(&format!("{a}/virtualNetworkPeerings/again"), to(&b))
        .refused(400, "AnotherPeeringAlreadyReferencesRemoteVnet");
    lab.put(&ba, to(&a)).ok(201);
    lab.put(&format!("{same}/virtualNetworkPeerings/p"), to(&b))
        .refused(400, "VnetAddressSpaceOverlapsWithAlreadyPeeredVnet");
    assert_eq!((state(&mut lab, &ab), state(&mut lab, &ba)), (json!("Connected"), json!("Connected")));
    let wider = json!({"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.1.0.0/16", "10.3.0.0/16"]}}});
    lab.put(&b, wider.clone()).ok(200);
    assert_eq!(lab.get(&ab).json["properties"]["peeringSyncLevel"], "LocalNotInSync");
    lab.put(&format!("{ab}?syncRemoteAddressSpace=true"), to(&b)).ok(200);
    assert_eq!(lab.get(&ab).json["properties"]["peeringSyncLevel"], "FullyInSync");
    let mut into = wider;
    into["properties"]["addressSpace"]["addressPrefixes"] = json!(["10.1.0.0/16", "10.0.0.0/24"]);
    lab.put(&b, into).refused(400, "VnetAddressSpacesOverlap");
    lab.delete(&ba).ok(200);
    assert_eq!(state(&mut lab, &ab), "Disconnected");
    lab.put(&ba, to(&a)).refused(400, "RemotePeeringIsDisconnected");
    lab.put(&ab, to(&b)).ok(200);
    assert_eq!(state(&mut lab, &ab), "Initiated");
    lab.put(&ba, to(&a)).ok(201);
    let mut gateway = to(&c);
    gateway["properties"]["useRemoteGateways"] = json!(true);
    lab.put(&format!("{a}/virtualNetworkPeerings/ac"), gateway).refused(400, "RemoteVnetHasNoGateways");
    lab.delete(&b).ok(200);
    assert_eq!(state(&mut lab, &ab), "Disconnected");
}

fn interface(subnet: &str, more: Value) -> Value {
    let mut configuration = json!({"name": "c", "properties": {"subnet": {"id": subnet}}});
    crate::world::arm::merge(&mut configuration["properties"], &more);
    json!({"location": "westeurope", "properties": {"ipConfigurations": [configuration]}})
}

#[test]
fn interfaces_have_addresses_of_their_subnet() {
    let mut lab = Lab::new(0.0);
    vnet(&mut lab, json!([{"name": "a", "properties": {"addressPrefix": "10.0.0.0/29"}}]));
    let subnet = rg(&format!("{VNET}/subnets/a"));
    let nic = |name: &str| rg(&format!("Microsoft.Network/networkInterfaces/{name}"));
    let fixed = |address: &str| {
        interface(&subnet, json!({"privateIPAddress": address, "privateIPAllocationMethod": "Static"}))
    };
    let made = lab.put(&nic("n1"), interface(&subnet, json!({}))).ok(201).json;
    assert_eq!(made["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"], "10.0.0.4");
    lab.put(&nic("n2"), fixed("10.0.0.4")).refused(400, "PrivateIPAddressIsAllocated");
    lab.put(&nic("n2"), fixed("10.0.0.1")).refused(400, "PrivateIPAddressInReservedRange");
    lab.put(&nic("n2"), fixed("10.0.9.1")).refused(400, "PrivateIPAddressNotInSubnet");
    lab.put(&nic("n2"), fixed("10.0.0.6")).ok(201);
    lab.put(&nic("n3"), interface(&subnet, json!({}))).ok(201);
    lab.put(&nic("n4"), interface(&subnet, json!({}))).refused(400, "SubnetIsFull");
    let again = lab.put(&nic("n1"), interface(&subnet, json!({}))).ok(200).json;
    assert_eq!(again["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"], "10.0.0.4");
    let check = |lab: &mut Lab, address: &str| {
        lab.get(&format!("{}/CheckIPAddressAvailability?ipAddress={address}", rg(VNET)))
    };
    assert_eq!(check(&mut lab, "10.0.0.4").ok(200).json["available"], false);
    assert_eq!(check(&mut lab, "10.0.0.1").ok(200).json["isPlatformReserved"], true);
    let usages = lab.get(&format!("{}/usages", rg(VNET))).ok(200).json;
    assert_eq!((&usages["value"][0]["currentValue"], &usages["value"][0]["limit"]), (&json!(3), &json!(3)));
    let shown = lab.get(&subnet).json;
    assert_eq!(shown["properties"]["ipConfigurations"].as_array().unwrap().len(), 3);
    let refused = lab.delete(&subnet).refused(400, "InUseSubnetCannotBeDeleted").json;
    assert!(
        refused["error"]["message"].as_str().unwrap().contains("/networkInterfaces/n1/ipConfigurations/c")
    );
    let mut moved = shown;
    moved["properties"]["addressPrefix"] = json!("10.0.1.0/24");
    lab.put(&subnet, moved).refused(400, "InUsePrefixCannotBeDeleted");
}

#[test]
fn a_public_address_has_one_owner_and_keeps_its_zones() {
    let mut lab = Lab::new(0.0);
    vnet(&mut lab, json!([{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}}]));
    let address = rg("Microsoft.Network/publicIPAddresses/p");
    let body = |zones: Value| {
        json!({"location": "westeurope", "sku": {"name": "Standard"}, "zones": zones,
        "properties": {"publicIPAllocationMethod": "Static"}})
    };
    lab.put(&address, body(json!(["1", "2"]))).ok(201);
    lab.put(&address, body(json!(["3"]))).refused(400, "ResourceAvailabilityZonesCannotBeModified");
    let subnet = rg(&format!("{VNET}/subnets/a"));
    let nic = |name: &str| rg(&format!("Microsoft.Network/networkInterfaces/{name}"));
    let with = interface(&subnet, json!({"publicIPAddress": {"id": address}}));
    lab.put(&nic("n1"), with.clone()).ok(201);
    lab.put(&nic("n2"), with).refused(400, "PublicIPAddressInUse");
    let shown = lab.get(&address).json["properties"]["ipConfiguration"]["id"].as_str().unwrap().to_owned();
    assert!(shown.ends_with("/networkInterfaces/n1/ipConfigurations/c"), "{shown}");
    lab.delete(&address).refused(400, "PublicIPAddressCannotBeDeleted");
    let gateway = json!({"location": "westeurope", "properties": {"publicIpAddresses": [{"id": address}]}});
    lab.put(&rg("Microsoft.Network/natGateways/g"), gateway).refused(400, "PublicIPAddressInUse");
    // a gateway of a subnet stays until the subnet lets it go
    let nat = rg("Microsoft.Network/natGateways/g");
    lab.put(&nat, json!({"location": "westeurope", "properties": {}})).ok(201);
    let mut with_nat = lab.get(&subnet).json;
    with_nat["properties"]["natGateway"] = json!({"id": nat});
    lab.put(&subnet, with_nat).ok(200);
    lab.delete(&nat).refused(400, "CannotDeleteNatGatewayAssociatedToSubnet");
    // addresses of a prefix are its own
    let prefix = rg("Microsoft.Network/publicIPPrefixes/x");
    let made =
        lab.put(&prefix, json!({"location": "westeurope", "properties": {"prefixLength": 31}})).ok(201).json;
    let block = made["properties"]["ipPrefix"].as_str().unwrap().to_owned();
    let of_prefix = json!({"location": "westeurope", "properties": {"publicIPPrefix": {"id": prefix}}});
    let first = lab.put(&rg("Microsoft.Network/publicIPAddresses/p1"), of_prefix.clone()).ok(201).json;
    assert!(block.starts_with(first["properties"]["ipAddress"].as_str().unwrap()));
    lab.put(&rg("Microsoft.Network/publicIPAddresses/p2"), of_prefix.clone()).ok(201);
    lab.put(&rg("Microsoft.Network/publicIPAddresses/p3"), of_prefix)
        .refused(400, "PublicIPPrefixOutOfIpAddresses");
    lab.delete(&prefix).refused(400, "InUsePublicIPPrefixCannotBeDeleted");
}

#[test]
fn a_bastion_has_its_own_subnet_and_a_gateway_its_own_sku() {
    let mut lab = Lab::new(0.0);
    vnet(
        &mut lab,
        json!([{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}},
               {"name": "AzureBastionSubnet", "properties": {"addressPrefix": "10.0.1.0/27"}}]),
    );
    let address = rg("Microsoft.Network/publicIPAddresses/p");
    lab.put(&address, json!({"location": "westeurope"})).ok(201);
    let bastion = rg("Microsoft.Network/bastionHosts/b");
    let host = |subnet: &str| {
        json!({"location": "westeurope", "properties": {"ipConfigurations": [{"name": "c",
        "properties": {"subnet": {"id": rg(&format!("{VNET}/subnets/{subnet}"))}, "publicIPAddress": {"id": address}}}]}})
    };
    lab.put(&bastion, host("a")).refused(400, "SubnetNameMustBeAzureBastionSubnet");
    lab.put(&bastion, host("AzureBastionSubnet")).refused(400, "BastionHostSubnetSizeTooSmall");
    lab.put(&rg(&format!("{VNET}/subnets/AzureBastionSubnet")), subnet("10.0.1.0/26")).ok(200);
    lab.put(&bastion, host("AzureBastionSubnet")).ok(201);
    let gateway = rg("Microsoft.Network/applicationGateways/g");
    let part = |kind: &str| json!({"id": format!("{gateway}/{kind}/x")});
    let mut body = json!({"location": "westeurope", "properties": {
        "sku": {"name": "Standard_Small", "tier": "Standard", "capacity": 1},
        "gatewayIPConfigurations": [{"name": "x", "properties": {"subnet": {"id": rg(&format!("{VNET}/subnets/a"))}}}],
        "frontendIPConfigurations": [{"name": "x", "properties": {"subnet": {"id": rg(&format!("{VNET}/subnets/a"))}}}],
        "frontendPorts": [{"name": "x", "properties": {"port": 80}}],
        "backendAddressPools": [{"name": "x"}],
        "backendHttpSettingsCollection": [{"name": "x", "properties": {"port": 80}}],
        "httpListeners": [{"name": "x", "properties": {"frontendIPConfiguration": part("frontendIPConfigurations"),
            "frontendPort": part("frontendPorts")}}],
        "requestRoutingRules": [{"name": "x", "properties": {"httpListener": part("httpListeners"),
            "backendAddressPool": part("backendAddressPools"), "backendHttpSettings": part("none")}}]}});
    lab.put(&gateway, body.clone()).refused(400, "AppGatewayV1SkuDeprecated");
    body["properties"]["sku"] = json!({"name": "Standard_v2", "tier": "Standard_v2", "capacity": 1});
    lab.put(&gateway, body.clone()).refused(400, "InvalidResourceReference");
    let rule = &mut body["properties"]["requestRoutingRules"][0]["properties"];
    rule["backendHttpSettings"] = part("backendHttpSettingsCollection");
    lab.put(&gateway, body.clone()).refused(400, "ApplicationGatewayRequestRoutingRulePriorityCannotBeEmpty");
    body["properties"]["requestRoutingRules"][0]["properties"]["priority"] = json!(1);
    lab.put(&gateway, body).ok(201);
}

#[test]
fn public_zones_have_name_servers_and_records_of_all_types() {
    let mut lab = Lab::new(0.0);
    let zone = rg("Microsoft.Network/dnsZones/contoso.com");
    lab.put(&zone, json!({"location": "westeurope"})).refused(400, "LocationNotAvailableForResourceType");
    let made = lab.put(&zone, json!({"location": "global"})).ok(201).json;
    assert_eq!(made["properties"]["nameServers"].as_array().unwrap().len(), 4);
    assert_eq!(made["properties"]["numberOfRecordSets"], 2);
    let set = |rest: &str| format!("{zone}/{rest}");
    let properties = |properties: Value| json!({"properties": properties});
    lab.put(&set("CNAME/@"), properties(json!({"TTL": 60, "CNAMERecord": {"cname": "a.b"}})))
        .refused(400, "BadRequest");
    let made = lab
        .put(&set("A/www"), properties(json!({"ttl": 60, "aRecords": [{"ipv4Address": "1.2.3.4"}]})))
        .ok(201)
        .json;
    assert_eq!(made["properties"]["ARecords"][0]["ipv4Address"], "1.2.3.4");
    assert_eq!(made["properties"]["fqdn"], "www.contoso.com.");
    let etag = made["etag"].as_str().unwrap().to_owned();
    lab.put(&set("CNAME/www"), properties(json!({"TTL": 60, "CNAMERecord": {"cname": "a.b"}})))
        .refused(409, "Conflict");
    lab.put(&set("MX/@"), properties(json!({"TTL": 60, "MXRecords": [{"preference": 10}]})))
        .refused(400, "BadRequest");
    lab.put(&set("TXT/@"), properties(json!({"TTL": 60, "TXTRecords": [{"value": ["x".repeat(256)]}]})))
        .refused(400, "BadRequest");
    lab.put(&set("A/zero"), properties(json!({"TTL": 0, "ARecords": []}))).refused(400, "BadRequest");
    let many: Vec<Value> = (0..21).map(|last| json!({"ipv4Address": format!("10.0.0.{last}")})).collect();
    lab.put(&set("A/many"), properties(json!({"TTL": 60, "ARecords": many}))).refused(400, "BadRequest");
    lab.delete(&set("SOA/@")).refused(400, "BadRequest");
    lab.delete(&set("NS/@")).refused(400, "BadRequest");
    assert_eq!(lab.get(&set("recordsets")).json["value"].as_array().unwrap().len(), 3);
    assert_eq!(lab.get(&set("all?$top=2")).json["value"].as_array().unwrap().len(), 2);
    assert_eq!(
        lab.get(&set("recordsets?$recordsetnamesuffix=ww")).json["value"].as_array().unwrap().len(),
        1
    );
    let token = lab.token(None, "https://management.azure.com/");
    let mut put = |condition: &str| {
        let headers = [
            ("authorization".to_owned(), format!("Bearer {token}")),
            ("if-match".to_owned(), condition.to_owned()),
        ];
        let body = json!({"properties": {"TTL": 61, "ARecords": []}}).to_string().into_bytes();
        let path = format!("{}?api-version=2018-05-01", set("A/www"));
        lab.raw(crate::world::Plane::Arm, "https://localhost:8443", Method::Put, &path, &headers, Some(body))
    };
    put("00000000-0000-0000-0000-000000000000").refused(412, "PreconditionFailed");
    put(&etag).ok(200);
    lab.delete(&zone).ok(200);
    lab.get(&set("A/www")).refused(404, "ResourceNotFound");
}
