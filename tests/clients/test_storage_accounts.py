"""Storage accounts in Resource Manager: azure-mgmt-storage, raw requests for refusals, and `az storage account`."""

import pytest
from azure.mgmt.storage import StorageManagementClient
from conftest import refusal

API = "2024-01-01"


@pytest.fixture(scope="module")
def storage(azure):
    azure.group()
    return azure.management(StorageManagementClient)


def path(azure, name, group="rg1"):
    return f"{azure.subscription}/resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts/{name}"


def body(sku="Standard_LRS", kind="StorageV2", **properties):
    return {"location": "westeurope", "sku": {"name": sku}, "kind": kind, "properties": properties}


def make(azure, name, *what, **properties):
    azure.group()
    return azure.put(path(azure, name), API, body(*what, **properties))


def refused(answer):
    return answer.status_code, answer.json()["error"]["code"]


def test_an_account_is_made_with_azures_defaults(storage):
    made = storage.storage_accounts.begin_create("rg1", "stdefaults", body()).result()
    assert (made.provisioning_state, made.kind, made.sku.tier) == ("Succeeded", "StorageV2", "Standard")
    assert (made.access_tier, made.minimum_tls_version) == ("Hot", "TLS1_2")
    assert (made.enable_https_traffic_only, made.allow_blob_public_access) == (True, False)
    assert made.network_rule_set.default_action == "Allow"
    assert made.primary_endpoints.blob.startswith("https://stdefaults.blob.core.localhost")
    assert made.secondary_location is None
    assert [key.key_name for key in storage.storage_accounts.list_keys("rg1", "stdefaults").keys_property] == ["key1", "key2"]
    assert "stdefaults" in [account.name for account in storage.storage_accounts.list()]


def test_a_put_of_what_is_there_changes_what_it_names(azure):
    make(azure, "stagain", accessTier="Cool")
    again = azure.arm("PUT", path(azure, "stagain"), API, body(allowSharedKeyAccess=False))
    assert (again.status_code, again.json()["name"]) == (200, "stagain")
    properties = again.json()["properties"]
    assert (properties["accessTier"], properties["allowSharedKeyAccess"]) == ("Cool", False)


@pytest.mark.parametrize("name", ["ab", "x" * 25, "Upper", "with-hyphen"])
def test_names_have_3_to_24_lower_case_letters_and_digits(azure, name):
    azure.group()
    assert refused(azure.arm("PUT", path(azure, name), API, body())) == (400, "AccountNameInvalid")


def test_a_name_is_given_once(azure, storage):
    make(azure, "stonce")
    azure.group("rg2")
    other = azure.arm("PUT", path(azure, "stonce", "rg2"), API, body())
    assert refused(other) == (409, "StorageAccountAlreadyTaken")
    taken = storage.storage_accounts.check_name_availability({"name": "stonce", "type": "Microsoft.Storage/storageAccounts"})
    assert (taken.name_available, taken.reason) == (False, "AlreadyExists")
    wrong = storage.storage_accounts.check_name_availability({"name": "NO", "type": "Microsoft.Storage/storageAccounts"})
    assert (wrong.name_available, wrong.reason) == (False, "AccountNameInvalid")
    free = storage.storage_accounts.check_name_availability({"name": "stfree", "type": "Microsoft.Storage/storageAccounts"})
    assert free.name_available


@pytest.mark.parametrize(
    "sku, kind, properties, code",
    [
        ("Cheap_LRS", "StorageV2", {}, "InvalidValuesForRequestParameters"),
        ("Standard_LRS", "Nonsense", {}, "InvalidValuesForRequestParameters"),
        ("Standard_LRS", "BlockBlobStorage", {}, "InvalidValuesForRequestParameters"),
        ("Standard_LRS", "FileStorage", {}, "InvalidValuesForRequestParameters"),
        ("Premium_LRS", "BlobStorage", {"accessTier": "Hot"}, "InvalidValuesForRequestParameters"),
        ("Standard_ZRS", "Storage", {}, "InvalidValuesForRequestParameters"),
        ("Standard_LRS", "Storage", {"accessTier": "Hot"}, "InvalidRequestPropertyValue"),
        ("Standard_LRS", "StorageV2", {"accessTier": "Lukewarm"}, "InvalidRequestPropertyValue"),
        ("Standard_LRS", "StorageV2", {"minimumTlsVersion": "SSL3"}, "InvalidRequestPropertyValue"),
        ("Premium_LRS", "StorageV2", {"isHnsEnabled": True}, "InvalidRequestPropertyValue"),
        ("Standard_LRS", "BlobStorage", {}, "AccountPropertyIsInvalid"),
    ],
)
def test_what_an_account_cannot_be(azure, sku, kind, properties, code):
    azure.group()
    answer = azure.arm("PUT", path(azure, "stwrong"), API, body(sku, kind, **properties))
    assert refused(answer) == (400, code)


def test_redundancy_changes_within_its_family(azure):
    make(azure, "stgrow")
    for sku, secondary, readable in [
        ("Standard_GRS", "northeurope", False),
        ("Standard_RAGRS", "northeurope", True),
        ("Standard_LRS", None, False),
    ]:
        answer = azure.arm("PATCH", path(azure, "stgrow"), API, {"sku": {"name": sku}})
        assert answer.status_code == 200
        properties = answer.json()["properties"]
        assert properties.get("secondaryLocation") == secondary
        assert ("secondaryEndpoints" in properties) == readable
    for sku in ("Standard_ZRS", "Premium_LRS"):
        answer = azure.arm("PATCH", path(azure, "stgrow"), API, {"sku": {"name": sku}})
        assert refused(answer)[0] in (400, 409)


def test_what_is_decided_when_an_account_is_made(azure):
    make(azure, "stfixed", isHnsEnabled=True)
    answer = azure.arm("PATCH", path(azure, "stfixed"), API, {"properties": {"isHnsEnabled": False}})
    assert refused(answer) == (400, "AccountPropertyCannotBeUpdated")
    moved = {**body(isHnsEnabled=True), "location": "northeurope"}
    assert refused(azure.arm("PUT", path(azure, "stfixed"), API, moved)) == (409, "InvalidResourceLocation")
    assert azure.arm("PUT", path(azure, "stfixed"), API, body()).json()["properties"]["isHnsEnabled"] is True
    kind = azure.arm("PATCH", path(azure, "stfixed"), API, {"kind": "BlockBlobStorage"})
    assert kind.status_code == 400


def test_an_old_account_becomes_general_purpose_v2(azure):
    make(azure, "stupgrade", "Standard_LRS", "Storage")
    answer = azure.arm("PATCH", path(azure, "stupgrade"), API, {"kind": "StorageV2", "properties": {"accessTier": "Cool"}})
    assert (answer.status_code, answer.json()["kind"], answer.json()["properties"]["accessTier"]) == (200, "StorageV2", "Cool")


def test_settings_are_changed_one_by_one(azure, storage):
    make(azure, "stpatch")
    for name, value in [
        ("minimumTlsVersion", "TLS1_3"),
        ("supportsHttpsTrafficOnly", False),
        ("allowSharedKeyAccess", False),
        ("publicNetworkAccess", "Disabled"),
        ("accessTier", "Cold"),
    ]:
        answer = azure.arm("PATCH", path(azure, "stpatch"), API, {"properties": {name: value}})
        assert (answer.status_code, answer.json()["properties"][name]) == (200, value)
    found = storage.storage_accounts.get_properties("rg1", "stpatch")
    assert (found.minimum_tls_version, found.access_tier, found.allow_shared_key_access) == ("TLS1_3", "Cold", False)


@pytest.mark.parametrize("rule", ["10.1.2.3", "192.168.0.0/16", "20.1.2.0/31", "nonsense"])
def test_the_firewall_takes_public_addresses_only(azure, rule):
    make(azure, "stfirewall")
    acls = {"networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": rule}]}}
    answer = azure.arm("PATCH", path(azure, "stfirewall"), API, {"properties": acls})
    assert refused(answer) == (400, "NetworkAclsValidationFailure")


def test_the_firewall_takes_subnets_that_let_storage_in(azure):
    make(azure, "stsubnets")
    network = f"{azure.group()}/providers/Microsoft.Network/virtualNetworks/net1"
    space = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}
    plain = {"name": "plain", "properties": {"addressPrefix": "10.0.0.0/24"}}
    open_ = {"name": "open", "properties": {"addressPrefix": "10.0.1.0/24", "serviceEndpoints": [{"service": "Microsoft.Storage"}]}}
    azure.put(network, "2024-05-01", {"location": "westeurope", "properties": {**space, "subnets": [plain, open_]}})

    def allow(subnet):
        rules = {"networkAcls": {"virtualNetworkRules": [{"id": f"{network}/subnets/{subnet}"}]}}
        return azure.arm("PATCH", path(azure, "stsubnets"), API, {"properties": rules})

    assert refused(allow("none")) == (400, "NetworkAclsValidationFailure")
    assert refused(allow("plain")) == (400, "NetworkAclsValidationFailure")
    assert allow("open").json()["properties"]["networkAcls"]["virtualNetworkRules"][0]["action"] == "Allow"


def test_keys_are_regenerated_one_at_a_time(azure, storage):
    make(azure, "stkeys")
    before = [key.value for key in storage.storage_accounts.list_keys("rg1", "stkeys").keys_property]
    after = [key.value for key in storage.storage_accounts.regenerate_key("rg1", "stkeys", {"keyName": "key2"}).keys_property]
    assert (before[0] == after[0], before[1] == after[1]) == (True, False)
    answer = azure.arm("POST", path(azure, "stkeys") + "/regenerateKey", API, {"keyName": "key3"})
    assert answer.status_code == 400


def test_every_account_has_its_services(azure, storage):
    make(azure, "stservices")
    blobs = storage.blob_services.get_service_properties("rg1", "stservices")
    assert blobs.delete_retention_policy.enabled is False
    for kind in ("fileServices", "queueServices", "tableServices"):
        assert azure.arm("GET", f"{path(azure, 'stservices')}/{kind}/default", API).status_code == 200
    service = path(azure, "stservices") + "/blobServices/default"
    too_long = {"properties": {"deleteRetentionPolicy": {"enabled": True, "days": 366}}}
    assert azure.arm("PUT", service, API, too_long).status_code == 400
    azure.arm("PUT", service, API, {"properties": {"deleteRetentionPolicy": {"enabled": True, "days": 7}}})
    azure.arm("PUT", service, API, {"properties": {"isVersioningEnabled": True}})
    kept = azure.arm("GET", service, API).json()["properties"]
    assert (kept["deleteRetentionPolicy"]["days"], kept["isVersioningEnabled"]) == (7, True)


def test_containers_are_made_listed_and_deleted(azure, storage):
    make(azure, "stboxes")
    containers = storage.blob_containers
    for name in ("alpha", "alto", "beta"):
        containers.create("rg1", "stboxes", name, {"properties": {"metadata": {"Name": name}}})
    assert containers.get("rg1", "stboxes", "beta").metadata == {"Name": "beta"}
    listed = containers.list("rg1", "stboxes", maxpagesize="2")
    assert [[item.name for item in page] for page in listed.by_page()] == [["alpha", "alto"], ["beta"]]
    filtered = containers.list("rg1", "stboxes", filter="startswith(name, 'al')")
    assert [item.name for item in filtered] == ["alpha", "alto"]
    public = azure.arm(
        "PUT", path(azure, "stboxes") + "/blobServices/default/containers/open", API, {"properties": {"publicAccess": "Blob"}}
    )
    assert refused(public) == (409, "PublicAccessNotPermitted")
    assert refusal(containers.get, "rg1", "stboxes", "none") == (404, "ContainerNotFound")
    containers.delete("rg1", "stboxes", "beta")
    assert [item.name for item in containers.list("rg1", "stboxes")] == ["alpha", "alto"]


def test_management_policies_are_judged(azure, storage):
    make(azure, "stpolicy")

    def put(action, **filters):
        rule = {
            "name": "r1",
            "type": "Lifecycle",
            "definition": {"filters": {"blobTypes": ["blockBlob"], **filters}, "actions": {"baseBlob": action}},
        }
        policy = {"properties": {"policy": {"rules": [rule]}}}
        return azure.arm("PUT", path(azure, "stpolicy") + "/managementPolicies/default", API, policy)

    assert refusal(storage.management_policies.get, "rg1", "stpolicy", "default")[0] == 404
    assert put({"tierToCool": {"daysAfterModificationGreaterThan": 30}}).status_code == 200
    assert storage.management_policies.get("rg1", "stpolicy", "default").policy.rules[0].name == "r1"
    assert put({"delete": {"daysAfterLastAccessTimeGreaterThan": 1}}).status_code == 400
    assert put({"shred": {"daysAfterModificationGreaterThan": 1}}).status_code == 400
    assert put({"delete": {}}).status_code == 400
    assert put({"tierToCool": {"daysAfterModificationGreaterThan": 1}}, blobTypes=["appendBlob"]).status_code == 400


def test_encryption_scopes_are_disabled_and_never_deleted(azure, storage):
    make(azure, "stscopes")
    scopes = storage.encryption_scopes
    assert scopes.put("rg1", "stscopes", "scope1", {"properties": {"source": "Microsoft.Storage"}}).state == "Enabled"
    assert scopes.patch("rg1", "stscopes", "scope1", {"properties": {"state": "Disabled"}}).state == "Disabled"
    assert [scope.name for scope in scopes.list("rg1", "stscopes")] == ["scope1"]


def test_signatures_are_made_by_resource_manager(azure, storage):
    make(azure, "stsas")
    expiry = "2035-01-01T00:00:00Z"
    wanted = {"signedServices": "b", "signedResourceTypes": "sco", "signedPermission": "rl", "signedExpiry": expiry}
    token = azure.arm("POST", path(azure, "stsas") + "/ListAccountSas", API, wanted).json()["accountSasToken"]
    from azure.storage.blob import BlobServiceClient, ContainerClient

    host = f"https://stsas{azure.env['BLOB_SUFFIX']}"
    storage.blob_containers.create("rg1", "stsas", "docs", {})
    assert [item.name for item in BlobServiceClient(host, credential=token).list_containers()] == ["docs"]
    wanted = {"canonicalizedResource": "/blob/stsas/docs", "signedResource": "c", "signedPermission": "l", "signedExpiry": expiry}
    token = azure.arm("POST", path(azure, "stsas") + "/ListServiceSas", API, wanted).json()["serviceSasToken"]
    assert list(ContainerClient(host, "docs", credential=token).list_blobs()) == []


def test_a_deleted_account_leaves_a_trace_and_frees_its_name(azure, storage):
    make(azure, "stgone")
    storage.storage_accounts.delete("rg1", "stgone")
    assert refusal(storage.storage_accounts.get_properties, "rg1", "stgone") == (404, "ResourceNotFound")
    assert azure.arm("DELETE", path(azure, "stgone"), API).status_code == 204
    assert "stgone" in [account.name for account in storage.deleted_accounts.list()]
    assert storage.deleted_accounts.get("stgone", "westeurope").storage_account_resource_id.endswith("/stgone")
    make(azure, "stgone")


def test_a_private_endpoint_connects_to_blobs(azure, storage):
    account = make(azure, "stprivate")
    network = f"{azure.group()}/providers/Microsoft.Network/virtualNetworks/net2"
    subnet = {"name": "s1", "properties": {"addressPrefix": "10.1.0.0/24"}}
    space = {"addressSpace": {"addressPrefixes": ["10.1.0.0/16"]}, "subnets": [subnet]}
    azure.put(network, "2024-05-01", {"location": "westeurope", "properties": space})
    connection = {"name": "c1", "properties": {"privateLinkServiceId": account["id"], "groupIds": ["blob"]}}
    endpoint = {"subnet": {"id": f"{network}/subnets/s1"}, "privateLinkServiceConnections": [connection]}
    azure.put(
        f"{azure.group()}/providers/Microsoft.Network/privateEndpoints/pe1",
        "2024-05-01",
        {"location": "westeurope", "properties": endpoint},
    )
    (found,) = storage.storage_accounts.get_properties("rg1", "stprivate").private_endpoint_connections
    assert found.private_link_service_connection_state.status == "Approved"


def test_az_makes_shows_changes_and_deletes_an_account(azure, az):
    azure.group()
    named = ("-n", "stazcli", "-g", "rg1")
    made = az("storage", "account", "create", *named, "-l", "westeurope", "--sku", "Standard_GRS", "--min-tls-version", "TLS1_2")
    assert (made["provisioningState"], made["secondaryLocation"]) == ("Succeeded", "northeurope")
    assert az("storage", "account", "check-name", "-n", "stazcli")["reason"] == "AlreadyExists"
    changed = az("storage", "account", "update", *named, "--access-tier", "Cool", "--https-only", "true", "--yes")
    assert changed["accessTier"] == "Cool"
    keys = az("storage", "account", "keys", "list", "--account-name", "stazcli", "-g", "rg1")
    renewed = az("storage", "account", "keys", "renew", "--account-name", "stazcli", "-g", "rg1", "--key", "primary")
    assert keys[0]["value"] != renewed[0]["value"]
    service = az(
        "storage", "account", "blob-service-properties", "update", "--account-name", "stazcli", "-g", "rg1",
        "--enable-delete-retention", "true", "--delete-retention-days", "7", "--enable-versioning", "true",
    )
    assert (service["isVersioningEnabled"], service["deleteRetentionPolicy"]["days"]) == (True, 7)
    wrong = az.refused("storage", "account", "create", "-n", "stwrongcli", "-g", "rg1", "--kind", "FileStorage", "--sku", "Standard_LRS")
    assert "InvalidValuesForRequestParameters" in wrong.text
    az("storage", "account", "delete", *named, "--yes")
    assert "stazcli" not in [account["name"] for account in az("storage", "account", "list")]
