"""Private endpoints, private zones and public zones, as Microsoft's Python clients and the Azure CLI see them."""

import pytest
from azure.mgmt.dns import DnsManagementClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.privatedns import PrivateDnsManagementClient
from conftest import refusal

API = "2024-05-01"
PLACE = {"location": "westeurope"}


@pytest.fixture(scope="module")
def network(azure):
    group = azure.group("rg1")
    azure.put(
        f"{group}/providers/Microsoft.Network/virtualNetworks/v1",
        API,
        {
            **PLACE,
            "properties": {
                "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
                "subnets": [
                    {"name": "endpoints", "properties": {"addressPrefix": "10.0.0.0/24"}},
                    {
                        "name": "apps",
                        "properties": {
                            "addressPrefix": "10.0.2.0/23",
                            "delegations": [{"name": "d", "properties": {"serviceName": "Microsoft.App/environments"}}],
                        },
                    },
                ],
            },
        },
    )
    return azure.management(NetworkManagementClient)


@pytest.fixture(scope="module")
def account(azure, network):
    """The id of a storage account."""
    path = f"{azure.subscription}/resourceGroups/rg1/providers/Microsoft.Storage/storageAccounts/accpe1"
    body = {**PLACE, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": {}}
    return azure.put(path, "2024-01-01", body)["id"]


def endpoint(network, target, group="blob", subnet="endpoints", manual=False):
    connection = {"name": "c", "properties": {"privateLinkServiceId": target, "groupIds": [group] if group else []}}
    where = network.subnets.get("rg1", "v1", subnet).id
    connections = "manualPrivateLinkServiceConnections" if manual else "privateLinkServiceConnections"
    return {**PLACE, "properties": {"subnet": {"id": where}, connections: [connection]}}


def test_an_endpoint_is_approved_has_an_interface_and_names(network, account):
    made = network.private_endpoints.begin_create_or_update("rg1", "pe1", endpoint(network, account)).result()
    link = made.private_link_service_connections[0]
    assert link.private_link_service_connection_state.status == "Approved"
    assert made.custom_dns_configs[0].fqdn == "accpe1.blob.core.windows.net"
    assert made.custom_dns_configs[0].ip_addresses == ["10.0.0.4"]
    nic = made.network_interfaces[0].id.rsplit("/", 1)[1]
    shown = network.network_interfaces.get("rg1", nic)
    assert shown.ip_configurations[0].private_ip_address == "10.0.0.4"
    assert shown.private_endpoint.id == made.id
    delete = network.network_interfaces.begin_delete
    assert refusal(delete, "rg1", nic) == (400, "NicInUseWithPrivateEndpoint")
    assert refusal(network.subnets.begin_delete, "rg1", "v1", "endpoints") == (400, "InUseSubnetCannotBeDeleted")
    assert [e.id for e in network.subnets.get("rg1", "v1", "endpoints").private_endpoints] == [made.id]


@pytest.mark.parametrize(
    "change, code",
    [
        ({"group": "vault"}, "InvalidValuesForRequestParameters"),
        ({"group": None}, "MissingParameterOnPrivateLinkServiceConnection"),
        ({"subnet": "apps"}, "PrivateEndpointCannotBeCreatedInSubnetThatHasDelegation"),
    ],
)
def test_endpoints_that_cannot_be(network, account, change, code):
    create = network.private_endpoints.begin_create_or_update
    assert refusal(create, "rg1", "pe-no", endpoint(network, account, **change)) == (400, code)


def test_a_target_must_be_there_and_take_endpoints(network, account):
    create = network.private_endpoints.begin_create_or_update
    assert refusal(create, "rg1", "pe-no", endpoint(network, account + "x")) == (400, "InvalidResourceReference")
    vnet = network.virtual_networks.get("rg1", "v1").id
    assert refusal(create, "rg1", "pe-no", endpoint(network, vnet))[0] == 400


def test_a_target_says_what_it_offers(azure, account):
    offered = azure.arm("GET", f"{account}/privateLinkResources", "2024-01-01").json()["value"]
    blob = next(it for it in offered if it["properties"]["groupId"] == "blob")
    assert blob["properties"]["requiredZoneNames"] == ["privatelink.blob.core.windows.net"]


def test_a_manual_connection_waits_until_its_target_approves_rejects_or_removes_it(azure, network, account):
    create = network.private_endpoints.begin_create_or_update
    made = create("rg1", "pe-manual", endpoint(network, account, manual=True)).result()

    def state():
        shown = network.private_endpoints.get("rg1", "pe-manual")
        return shown.manual_private_link_service_connections[0].private_link_service_connection_state.status

    assert state() == "Pending"
    listed = azure.arm("GET", f"{account}/privateEndpointConnections", "2024-01-01").json()["value"]
    own = next(it for it in listed if it["properties"]["privateEndpoint"]["id"] == made.id)
    for status in ("Approved", "Rejected"):
        decision = {"properties": {"privateLinkServiceConnectionState": {"status": status, "description": "by me"}}}
        assert azure.arm("PUT", own["id"], "2024-01-01", decision).status_code == 200
        assert state() == status
    assert azure.arm("DELETE", own["id"], "2024-01-01").status_code in (200, 202, 204)
    assert state() == "Disconnected"
    network.private_endpoints.begin_delete("rg1", "pe-manual").result()


def test_a_zone_group_writes_the_endpoints_names(azure, network, account):
    zones = azure.management(PrivateDnsManagementClient)
    zone = zones.private_zones.begin_create_or_update(
        "rg1", "privatelink.blob.core.windows.net", {"location": "global"}
    ).result()
    made = network.private_endpoints.begin_create_or_update("rg1", "pe-zone", endpoint(network, account)).result()
    address = made.custom_dns_configs[0].ip_addresses[0]
    group = {"properties": {"privateDnsZoneConfigs": [{"name": "z", "properties": {"privateDnsZoneId": zone.id}}]}}
    group = network.private_dns_zone_groups.begin_create_or_update("rg1", "pe-zone", "default", group).result()
    assert group.private_dns_zone_configs[0].record_sets[0].fqdn == "accpe1.privatelink.blob.core.windows.net"
    record = zones.record_sets.get("rg1", zone.name, "A", "accpe1")
    assert (record.a_records[0].ipv4_address, record.ttl) == (address, 10)
    network.private_endpoints.begin_delete("rg1", "pe-zone").result()
    assert refusal(zones.record_sets.get, "rg1", zone.name, "A", "accpe1")[0] == 404


def test_a_private_zone_is_global_links_networks_and_goes_after_its_links(azure, network):
    zones = azure.management(PrivateDnsManagementClient)
    create = zones.private_zones.begin_create_or_update
    assert refusal(create, "rg1", "corp.internal", PLACE) == (400, "LocationNotAvailableForResourceType")
    zone = create("rg1", "corp.internal", {"location": "global"}).result()
    assert (zone.number_of_record_sets, zone.max_number_of_record_sets) == (1, 25000)
    vnet = network.virtual_networks.get("rg1", "v1").id
    link = {"location": "global", "properties": {"virtualNetwork": {"id": vnet}, "registrationEnabled": True}}
    linked = zones.virtual_network_links.begin_create_or_update("rg1", "corp.internal", "l1", link).result()
    assert linked.virtual_network_link_state == "Completed"
    again = zones.virtual_network_links.begin_create_or_update
    assert refusal(again, "rg1", "corp.internal", "l2", link) == (409, "Conflict")
    delete = zones.private_zones.begin_delete
    assert refusal(delete, "rg1", "corp.internal") == (409, "CannotDeleteResource")
    zones.virtual_network_links.begin_delete("rg1", "corp.internal", "l1").result()
    delete("rg1", "corp.internal").result()


def test_private_records_have_rules_and_conditions(azure, network):
    zones = azure.management(PrivateDnsManagementClient)
    zones.private_zones.begin_create_or_update("rg1", "rec.internal", {"location": "global"}).result()
    put = zones.record_sets.create_or_update
    made = put("rg1", "rec.internal", "A", "www", {"properties": {"ttl": 300, "aRecords": [{"ipv4Address": "10.0.0.9"}]}})
    assert made.fqdn == "www.rec.internal." and made.is_auto_registered is False
    cname = {"properties": {"ttl": 300, "cnameRecord": {"cname": "a.b"}}}
    assert refusal(put, "rg1", "rec.internal", "CNAME", "www", cname) == (409, "Conflict")
    assert refusal(put, "rg1", "rec.internal", "CNAME", "@", cname)[0] == 400
    wrong = {"properties": {"ttl": 300, "aRecords": [{"ipv4Address": "10.0.0.256"}]}}
    assert refusal(put, "rg1", "rec.internal", "A", "x", wrong)[0] == 400
    path = made.id
    stale = azure.arm("PUT", path, "2024-06-01", wrong, {"If-None-Match": "*"})
    assert stale.status_code == 412
    kinds = {r.type.rsplit("/", 1)[1] for r in zones.record_sets.list("rg1", "rec.internal")}
    assert kinds == {"SOA", "A"}
    assert refusal(zones.record_sets.delete, "rg1", "rec.internal", "SOA", "@")[0] == 400


def test_a_public_zone_has_name_servers_and_records(azure, network):
    dns = azure.management(DnsManagementClient)
    zone = dns.zones.create_or_update("rg1", "contoso.com", {"location": "global"})
    assert len(zone.name_servers) == 4 and zone.name_servers[0].endswith(".azure-dns.com.")
    assert (zone.number_of_record_sets, zone.zone_type) == (2, "Public")
    put = dns.record_sets.create_or_update
    for kind, records in {
        "A": {"ARecords": [{"ipv4Address": "1.2.3.4"}]},
        "AAAA": {"AAAARecords": [{"ipv6Address": "2001:db8::1"}]},
        "MX": {"MXRecords": [{"preference": 10, "exchange": "mail.contoso.com"}]},
        "TXT": {"TXTRecords": [{"value": ["v=spf1 -all"]}]},
        "SRV": {"SRVRecords": [{"priority": 1, "weight": 1, "port": 443, "target": "a.b"}]},
        "CAA": {"caaRecords": [{"flags": 0, "tag": "issue", "value": "digicert.com"}]},
        "NS": {"NSRecords": [{"nsdname": "ns1.fabrikam.com."}]},
    }.items():
        made = put("rg1", "contoso.com", f"r{kind.lower()}", kind, {"properties": {"TTL": 3600, **records}})
        assert made.ttl == 3600 and made.fqdn == f"r{kind.lower()}.contoso.com."
    made = put("rg1", "contoso.com", "www", "CNAME", {"properties": {"TTL": 60, "CNAMERecord": {"cname": "a.b"}}})
    assert made.cname_record.cname == "a.b"
    apex = {"properties": {"TTL": 60, "CNAMERecord": {"cname": "a.b"}}}
    assert refusal(put, "rg1", "contoso.com", "@", "CNAME", apex)[0] == 400
    beside = {"properties": {"TTL": 60, "ARecords": [{"ipv4Address": "1.2.3.4"}]}}
    assert refusal(put, "rg1", "contoso.com", "www", "A", beside)[0] in (400, 409)
    assert refusal(dns.record_sets.delete, "rg1", "contoso.com", "@", "SOA")[0] == 400
    assert len(list(dns.record_sets.list_by_dns_zone("rg1", "contoso.com"))) == 10
    dns.zones.begin_delete("rg1", "contoso.com").result()
    assert refusal(dns.zones.get, "rg1", "contoso.com")[0] == 404


def test_az_makes_an_endpoint_with_its_names(az, account):
    made = az("network", "private-endpoint", "create", "-g", "rg1", "-n", "pe-az", "--vnet-name", "v1", "--subnet",
              "endpoints", "--private-connection-resource-id", account, "--group-id", "file", "--connection-name", "c")  # fmt: skip
    assert made["privateLinkServiceConnections"][0]["privateLinkServiceConnectionState"]["status"] == "Approved"
    az("network", "private-dns", "zone", "create", "-g", "rg1", "-n", "privatelink.file.core.windows.net")
    az("network", "private-dns", "link", "vnet", "create", "-g", "rg1", "-z", "privatelink.file.core.windows.net",
       "-n", "l", "-v", "v1", "-e", "false")  # fmt: skip
    az("network", "private-endpoint", "dns-zone-group", "create", "-g", "rg1", "--endpoint-name", "pe-az", "-n",
       "default", "--private-dns-zone", "privatelink.file.core.windows.net", "--zone-name", "file")  # fmt: skip
    records = az("network", "private-dns", "record-set", "a", "list", "-g", "rg1", "-z",
                 "privatelink.file.core.windows.net")  # fmt: skip
    assert [it["name"] for it in records] == ["accpe1"]
    zone = az("network", "dns", "zone", "create", "-g", "rg1", "-n", "az.example")
    assert len(zone["nameServers"]) == 4
    az("network", "dns", "record-set", "a", "add-record", "-g", "rg1", "-z", "az.example", "-n", "www", "-a", "1.2.3.4")
    az("network", "dns", "record-set", "cname", "set-record", "-g", "rg1", "-z", "az.example", "-n", "docs", "-c", "a.b")
    listed = az("network", "dns", "record-set", "list", "-g", "rg1", "-z", "az.example")
    assert {it["name"] for it in listed} == {"@", "www", "docs"}
