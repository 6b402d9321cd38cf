"""Virtual networks and what is in them, as Microsoft's Python client and the Azure CLI see them."""

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.network import NetworkManagementClient
from conftest import refusal

API = "2024-05-01"
PLACE = {"location": "westeurope"}


@pytest.fixture(scope="module")
def network(azure):
    azure.group("rg1")
    return azure.management(NetworkManagementClient)


def make_network(network, name, space, subnets=()):
    body = {**PLACE, "properties": {"addressSpace": {"addressPrefixes": [space]}}}
    if subnets:
        body["properties"]["subnets"] = [{"name": n, "properties": {"addressPrefix": p}} for n, p in subnets]
    return network.virtual_networks.begin_create_or_update("rg1", name, body).result()


def message_of(call, *arguments):
    with pytest.raises(HttpResponseError) as raised:
        call(*arguments)
    return raised.value.error.message


def test_a_network_comes_with_its_subnets_and_goes(network):
    made = make_network(network, "v-life", "10.0.0.0/16", [("a", "10.0.0.0/24")])
    assert made.provisioning_state == "Succeeded" and made.resource_guid
    assert made.etag.startswith('W/"')
    assert [(s.name, s.address_prefix, s.provisioning_state) for s in made.subnets] == [("a", "10.0.0.0/24", "Succeeded")]
    assert made.virtual_network_peerings == [] and made.enable_ddos_protection is False
    network.virtual_networks.begin_delete("rg1", "v-life").result()
    assert refusal(network.virtual_networks.get, "rg1", "v-life") == (404, "ResourceNotFound")


def test_a_put_without_subnets_keeps_them_and_one_with_an_empty_list_removes_them(network, azure):
    made = make_network(network, "v-keep", "10.0.0.0/16", [("a", "10.0.0.0/24")])
    assert [s.name for s in make_network(network, "v-keep", "10.0.0.0/16").subnets] == ["a"]
    body = {**PLACE, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": []}}
    assert azure.put(made.id, API, body)["properties"]["subnets"] == []


@pytest.mark.parametrize(
    "prefix, code",
    [
        ("10.9.0.0/24", "NetcfgSubnetRangeOutsideVnet"),
        ("10.0.0.128/25", "NetcfgSubnetRangesOverlap"),
        ("10.0.1.0/30", "NetcfgInvalidSubnet"),
        ("10.0.1.7/24", "InvalidCIDRNotation"),
        ("10.0.1.0", "InvalidAddressPrefixFormat"),
    ],
)
def test_a_subnet_lies_inside_its_network_beside_the_others(network, prefix, code):
    make_network(network, "v-rules", "10.0.0.0/16", [("a", "10.0.0.0/24")])
    create = network.subnets.begin_create_or_update
    assert refusal(create, "rg1", "v-rules", "b", {"properties": {"addressPrefix": prefix}}) == (400, code)


def test_networks_are_tagged_listed_and_found_by_group_and_subscription(network):
    make_network(network, "v-list", "10.0.0.0/16")
    tagged = network.virtual_networks.update_tags("rg1", "v-list", {"tags": {"team": "a"}})
    assert tagged.tags == {"team": "a"} and tagged.address_space.address_prefixes == ["10.0.0.0/16"]
    assert "v-list" in [v.name for v in network.virtual_networks.list("rg1")]
    assert "v-list" in [v.name for v in network.virtual_networks.list_all()]


def test_an_etag_of_the_body_is_a_condition(azure, network):
    made = make_network(network, "v-etag", "10.0.0.0/16")
    body = {**PLACE, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}
    stale = azure.arm("PUT", made.id, API, body, {"If-Match": 'W/"00000000-0000-0000-0000-000000000000"'})
    assert (stale.status_code, stale.json()["error"]["code"]) == (412, "PreconditionFailed")
    assert azure.arm("PUT", made.id, API, body, {"If-Match": made.etag}).status_code == 200


def test_what_is_in_a_subnet_holds_it(network):
    vnet = make_network(network, "v-held", "10.0.0.0/16", [("a", "10.0.0.0/24")])
    subnet = vnet.subnets[0]
    nic = {**PLACE, "properties": {"ipConfigurations": [{"name": "c", "properties": {"subnet": {"id": subnet.id}}}]}}
    made = network.network_interfaces.begin_create_or_update("rg1", "nic-held", nic).result()
    configuration = made.ip_configurations[0]
    assert (configuration.private_ip_address, configuration.private_ip_allocation_method) == ("10.0.0.4", "Dynamic")
    delete = network.subnets.begin_delete
    assert refusal(delete, "rg1", "v-held", "a") == (400, "InUseSubnetCannotBeDeleted")
    told = message_of(delete, "rg1", "v-held", "a")
    assert told == (
        f"Subnet a is in use by {configuration.id} and cannot be deleted. In order to delete the subnet, delete all "
        "the resources within the subnet. See aka.ms/deletesubnet."
    )
    assert refusal(network.virtual_networks.begin_delete, "rg1", "v-held") == (400, "InUseSubnetCannotBeDeleted")
    moved = {"properties": {"addressPrefix": "10.0.1.0/24"}}
    change = network.subnets.begin_create_or_update
    assert refusal(change, "rg1", "v-held", "a", moved) == (400, "InUsePrefixCannotBeDeleted")
    assert [c.id for c in network.subnets.get("rg1", "v-held", "a").ip_configurations] == [configuration.id]
    network.network_interfaces.begin_delete("rg1", "nic-held").result()
    network.subnets.begin_delete("rg1", "v-held", "a").result()


def test_azure_keeps_five_addresses_of_a_subnet(network):
    vnet = make_network(network, "v-five", "10.0.0.0/16", [("a", "10.0.0.0/29")])
    usage = list(network.virtual_networks.list_usage("rg1", "v-five"))[0]
    assert (usage.current_value, usage.limit) == (0, 3)
    check = network.virtual_networks.check_ip_address_availability
    assert check("rg1", "v-five", ip_address="10.0.0.4").available
    reserved = check("rg1", "v-five", ip_address="10.0.0.3")
    assert not reserved.available and reserved.available_ip_addresses == ["10.0.0.4", "10.0.0.5", "10.0.0.6"]
    place = {"subnet": {"id": vnet.subnets[0].id}, "privateIPAllocationMethod": "Static"}

    def nic(address):
        properties = {"ipConfigurations": [{"name": "c", "properties": {**place, "privateIPAddress": address}}]}
        return {**PLACE, "properties": properties}

    create = network.network_interfaces.begin_create_or_update
    assert refusal(create, "rg1", "nic-five", nic("10.0.0.3")) == (400, "PrivateIPAddressInReservedRange")
    assert refusal(create, "rg1", "nic-five", nic("10.0.1.4")) == (400, "PrivateIPAddressNotInSubnet")


def test_a_delegated_subnet_says_to_whom(network):
    make_network(network, "v-del", "10.0.0.0/16")
    delegation = {"name": "d", "properties": {"serviceName": "Microsoft.App/environments"}}
    body = {"properties": {"addressPrefix": "10.0.0.0/23", "delegations": [delegation]}}
    made = network.subnets.begin_create_or_update("rg1", "v-del", "apps", body).result()
    assert made.delegations[0].service_name == "Microsoft.App/environments"
    assert made.delegations[0].actions == ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    two = [delegation, {"name": "e", "properties": {"serviceName": "Microsoft.Web/serverFarms"}}]
    body["properties"]["delegations"] = two
    create = network.subnets.begin_create_or_update
    assert refusal(create, "rg1", "v-del", "apps", body)[0] == 400
    services = [d.service_name for d in network.available_delegations.list("westeurope")]
    assert "Microsoft.App/environments" in services


def test_service_endpoints_tell_where_they_reach(network):
    make_network(network, "v-se", "10.0.0.0/16")
    body = {"properties": {"addressPrefix": "10.0.0.0/24", "serviceEndpoints": [{"service": "Microsoft.Storage"}]}}
    made = network.subnets.begin_create_or_update("rg1", "v-se", "a", body).result()
    assert made.service_endpoints[0].locations == ["westeurope", "northeurope"]
    assert made.service_endpoints[0].provisioning_state == "Succeeded"


def test_a_peering_is_initiated_until_the_other_side_is_there(network):
    one, two = make_network(network, "v-p1", "10.1.0.0/16"), make_network(network, "v-p2", "10.2.0.0/16")
    peer = network.virtual_network_peerings

    def create(vnet, name, remote):
        body = {"properties": {"remoteVirtualNetwork": {"id": remote.id}}}
        return peer.begin_create_or_update("rg1", vnet.name, name, body).result()

    assert create(one, "to-two", two).peering_state == "Initiated"
    assert create(two, "to-one", one).peering_state == "Connected"
    assert peer.get("rg1", "v-p1", "to-two").peering_state == "Connected"
    peer.begin_delete("rg1", "v-p2", "to-one").result()
    assert peer.get("rg1", "v-p1", "to-two").peering_state == "Disconnected"
    over = make_network(network, "v-p3", "10.1.128.0/17")
    body = {"properties": {"remoteVirtualNetwork": {"id": over.id}}}
    start = peer.begin_create_or_update
    assert refusal(start, "rg1", "v-p1", "to-three", body) == (400, "VnetAddressSpacesOverlap")


def rule(priority, **more):
    properties = {
        "protocol": "Tcp",
        "access": "Allow",
        "direction": "Inbound",
        "priority": priority,
        "sourceAddressPrefix": "*",
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": "443",
    }
    return {"properties": {**properties, **more}}


def test_a_security_group_has_six_default_rules_and_holds_what_names_it(network):
    group = network.network_security_groups.begin_create_or_update("rg1", "nsg1", PLACE).result()
    assert {(r.name, r.priority) for r in group.default_security_rules} >= {("DenyAllInBound", 65500)}
    assert len(group.default_security_rules) == 6 and group.security_rules == []
    make_network(network, "v-nsg", "10.0.0.0/16")
    body = {"properties": {"addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": group.id}}}
    subnet = network.subnets.begin_create_or_update("rg1", "v-nsg", "a", body).result()
    assert [s.id for s in network.network_security_groups.get("rg1", "nsg1").subnets] == [subnet.id]
    delete = network.network_security_groups.begin_delete
    assert refusal(delete, "rg1", "nsg1") == (400, "InUseNetworkSecurityGroupCannotBeDeleted")


@pytest.mark.parametrize(
    "sent, code",
    [
        (rule(100), "SecurityRuleConflict"),
        (rule(99), "SecurityRuleInvalidPriority"),
        (rule(4097), "SecurityRuleInvalidPriority"),
        (rule(200, destinationPortRange="80-70"), "SecurityRuleInvalidPortRange"),
        (rule(200, destinationPortRange="70000"), "SecurityRuleInvalidPortRange"),
        (rule(200, sourceAddressPrefix="10.0.0.0/40"), "SecurityRuleInvalidAddressPrefix"),
        (rule(200, sourceAddressPrefix=""), "SecurityRuleParametersMissing"),
        (rule(200, protocol="Http"), "InvalidRequestFormat"),
    ],
)
def test_rules_of_a_security_group_are_checked(network, sent, code):
    network.network_security_groups.begin_create_or_update("rg1", "nsg-rules", PLACE).result()
    create = network.security_rules.begin_create_or_update
    create("rg1", "nsg-rules", "first", rule(100)).result()
    create("rg1", "nsg-rules", "outbound", rule(100, direction="Outbound")).result()
    assert refusal(create, "rg1", "nsg-rules", "second", sent) == (400, code)


def test_a_route_names_its_appliance(network):
    network.route_tables.begin_create_or_update("rg1", "rt1", PLACE).result()
    route = {"properties": {"addressPrefix": "0.0.0.0/0", "nextHopType": "VirtualAppliance"}}
    create = network.routes.begin_create_or_update
    assert refusal(create, "rg1", "rt1", "out", route)[0] == 400
    route["properties"]["nextHopIpAddress"] = "10.0.0.4"
    assert create("rg1", "rt1", "out", route).result().provisioning_state == "Succeeded"


def test_public_addresses_are_standard_static_and_one_of_a_name(network):
    create = network.public_ip_addresses.begin_create_or_update
    standard = {**PLACE, "sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}}
    made = create("rg1", "pip1", {**standard, "zones": ["1", "2", "3"]}).result()
    assert made.ip_address and made.sku.name == "Standard" and made.zones == ["1", "2", "3"]
    dynamic = {**standard, "properties": {"publicIPAllocationMethod": "Dynamic"}}
    assert refusal(create, "rg1", "pip2", dynamic)[0] == 400
    basic = {**PLACE, "sku": {"name": "Basic"}, "properties": {"publicIPAllocationMethod": "Dynamic"}}
    assert refusal(create, "rg1", "pip2", basic) == (400, "IPv4BasicSkuPublicIpCountLimitReached")
    one_zone = {**standard, "zones": ["1"]}
    assert refusal(create, "rg1", "pip1", one_zone) == (400, "ResourceAvailabilityZonesCannotBeModified")
    label = {"publicIPAllocationMethod": "Static", "dnsSettings": {"domainNameLabel": "contoso1"}}
    named = create("rg1", "pip3", {**standard, "properties": label}).result()
    assert named.dns_settings.fqdn == "contoso1.westeurope.cloudapp.azure.com"
    assert refusal(create, "rg1", "pip4", {**standard, "properties": label}) == (400, "DnsRecordInUse")
    free = network.check_dns_name_availability("westeurope", domain_name_label="contoso1")
    assert free.available is False


def test_a_nat_gateway_serves_subnets_until_they_let_it_go(network):
    address = {**PLACE, "sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}}
    address = network.public_ip_addresses.begin_create_or_update("rg1", "pip-nat", address).result()
    body = {**PLACE, "sku": {"name": "Standard"}, "properties": {"publicIpAddresses": [{"id": address.id}]}}
    nat = network.nat_gateways.begin_create_or_update("rg1", "nat1", body).result()
    make_network(network, "v-nat", "10.0.0.0/16")
    subnet = {"properties": {"addressPrefix": "10.0.0.0/24", "natGateway": {"id": nat.id}}}
    network.subnets.begin_create_or_update("rg1", "v-nat", "a", subnet).result()
    assert len(network.nat_gateways.get("rg1", "nat1").subnets) == 1
    delete = network.nat_gateways.begin_delete
    assert refusal(delete, "rg1", "nat1") == (400, "CannotDeleteNatGatewayAssociatedToSubnet")
    gone = network.public_ip_addresses.begin_delete
    assert refusal(gone, "rg1", "pip-nat") == (400, "PublicIPAddressCannotBeDeleted")


def test_what_a_network_refers_to_must_be_there(network):
    make_network(network, "v-ref", "10.0.0.0/16")
    missing = f"{network.virtual_networks.get('rg1', 'v-ref').id.rsplit('/', 2)[0]}/networkSecurityGroups/none"
    body = {"properties": {"addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": missing}}}
    create = network.subnets.begin_create_or_update
    assert refusal(create, "rg1", "v-ref", "a", body) == (400, "InvalidResourceReference")


def test_az_makes_networks_subnets_and_peerings(az):
    az("group", "create", "-n", "rg-az", "-l", "westeurope")
    made = az("network", "vnet", "create", "-g", "rg-az", "-n", "v1", "--address-prefix", "10.0.0.0/16",
              "--subnet-name", "a", "--subnet-prefix", "10.0.0.0/24")  # fmt: skip
    assert made["newVNet"]["subnets"][0]["name"] == "a"
    az("network", "nsg", "create", "-g", "rg-az", "-n", "nsg1")
    az("network", "nsg", "rule", "create", "-g", "rg-az", "--nsg-name", "nsg1", "-n", "https", "--priority", "100",
       "--destination-port-ranges", "443", "--access", "Allow", "--protocol", "Tcp")  # fmt: skip
    az("network", "vnet", "subnet", "update", "-g", "rg-az", "--vnet-name", "v1", "-n", "a", "--nsg", "nsg1",
       "--delegations", "Microsoft.App/environments")  # fmt: skip
    shown = az("network", "vnet", "subnet", "show", "-g", "rg-az", "--vnet-name", "v1", "-n", "a")
    assert shown["delegations"][0]["serviceName"] == "Microsoft.App/environments"
    assert shown["networkSecurityGroup"]["id"].endswith("/nsg1")
    az("network", "vnet", "create", "-g", "rg-az", "-n", "v2", "--address-prefix", "10.1.0.0/16")
    az("network", "vnet", "peering", "create", "-g", "rg-az", "-n", "p", "--vnet-name", "v1", "--remote-vnet", "v2",
       "--allow-vnet-access")  # fmt: skip
    back = az("network", "vnet", "peering", "create", "-g", "rg-az", "-n", "p", "--vnet-name", "v2", "--remote-vnet",
              "v1", "--allow-vnet-access")  # fmt: skip
    assert back["peeringState"] == "Connected"
    refused = az.refused("network", "vnet", "subnet", "create", "-g", "rg-az", "--vnet-name", "v1", "-n", "b",
                         "--address-prefixes", "10.0.0.0/25")  # fmt: skip
    assert "NetcfgSubnetRangesOverlap" in refused.text
