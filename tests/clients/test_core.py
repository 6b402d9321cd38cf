"""Resource Manager itself: ids, versions, tokens, groups, lists, tags, locks, conditions, providers, moves, quotas."""

import uuid

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.mgmt.resource.resources import ResourceManagementClient
from conftest import refusal, token_claims

IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
NETWORK = "Microsoft.Network/virtualNetworks"
HERE = {"location": "westeurope"}


def network(prefix="10.0.0.0/16"):
    return {"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": [prefix]}}}


@pytest.fixture(scope="module")
def resources(azure):
    return azure.management(ResourceManagementClient)


@pytest.fixture(scope="module")
def group(azure):
    return azure.group("rg-core")


def identity(azure, group, name, tags=None):
    path = f"{group}/providers/{IDENTITY}/{name}"
    answer = azure.arm("PUT", path, "2024-11-30", {**HERE, **({"tags": tags} if tags else {})})
    assert answer.status_code in (200, 201), answer.text
    return path


def said(answer):
    return answer.status_code, answer.json()["error"]["code"]


# Groups


def test_a_group_comes_and_goes(resources):
    groups = resources.resource_groups
    made = groups.create_or_update("rg-sdk", {"location": "West Europe", "tags": {"team": "a"}})
    assert (made.name, made.location, made.properties.provisioning_state) == ("rg-sdk", "westeurope", "Succeeded")
    assert groups.check_existence("RG-SDK")
    groups.begin_delete("rg-sdk").result()
    assert not groups.check_existence("rg-sdk")
    assert refusal(groups.get, "rg-sdk") == (404, "ResourceGroupNotFound")
    assert refusal(groups.begin_delete, "rg-sdk") == (404, "ResourceGroupNotFound")


def test_a_groups_place_and_name_are_checked_and_fixed(azure, resources):
    groups = resources.resource_groups
    azure.group("rg-fixed")
    assert refusal(groups.create_or_update, "rg-fixed", {"location": "eastus"}) == (409, "InvalidResourceGroupLocation")
    mars = {"location": "mars"}
    assert refusal(groups.create_or_update, "rg-mars", mars) == (400, "LocationNotAvailableForResourceGroup")
    for name in ("rg-dot.", "rg:colon", "x" * 91):
        answer = azure.arm("PUT", f"{azure.subscription}/resourceGroups/{name}", body=HERE)
        assert said(answer) == (400, "InvalidResourceGroupName"), name


def test_a_patch_of_a_group_changes_its_tags_only(resources):
    resources.resource_groups.create_or_update("rg-patch", {"location": "westeurope", "tags": {"a": "1"}})
    patched = resources.resource_groups.update("rg-patch", {"tags": {"b": "2"}})
    assert (patched.tags, patched.location) == ({"b": "2"}, "westeurope")


# Ids and paths


def test_ids_have_no_case_and_stay_as_created(azure, group):
    path = identity(azure, group, "IdentityOne")
    for sloppy in (path.upper(), path.lower(), path.replace("/providers/", "//providers//") + "/"):
        got = azure.arm("GET", sloppy.replace("/SUBSCRIPTIONS", "/subscriptions"), "2024-11-30")
        assert got.status_code == 200, got.text
        assert got.json()["name"] == "IdentityOne"
    again = azure.arm("PUT", path.lower(), "2024-11-30", HERE)
    assert (again.status_code, again.json()["name"]) == (200, "IdentityOne")


def test_what_is_missing_is_told_apart(azure, group):
    def get(path):
        return said(azure.arm("GET", path))

    assert get(f"{group}/providers/{NETWORK}/none") == (404, "ResourceNotFound")
    assert get(f"{azure.subscription}/resourceGroups/none/providers/{NETWORK}/none") == (404, "ResourceGroupNotFound")
    assert get(f"{group}/providers/Microsoft.Nothing/things/x") == (404, "InvalidResourceNamespace")
    assert get(f"{group}/providers/Microsoft.App/fooBars/x") == (404, "InvalidResourceType")
    assert get(f"/subscriptions/{uuid.uuid4()}/resourceGroups") == (404, "SubscriptionNotFound")
    assert get("/subscriptions/not-a-guid/resourceGroups") == (400, "InvalidSubscriptionId")
    child = azure.arm("PUT", f"{group}/providers/{NETWORK}/none/subnets/one", body={"properties": {"addressPrefix": "10.0.0.0/24"}})
    assert said(child) == (404, "ParentResourceNotFound")
    assert azure.arm("DELETE", f"{group}/providers/{NETWORK}/none").status_code == 204


def test_a_body_sets_what_it_says_and_a_patch_merges(azure, group):
    path = identity(azure, group, "tagged", {"a": "1", "b": "2"})
    replaced = azure.arm("PUT", path, "2024-11-30", {**HERE, "tags": {"c": "3"}, "id": "echo", "name": None})
    assert replaced.json()["tags"] == {"c": "3"}
    azure.arm("PATCH", path, "2024-11-30", {"tags": {"c": "4", "d": "5"}})
    assert azure.arm("GET", path, "2024-11-30").json()["tags"] == {"c": "4", "d": "5"}


def test_places_are_needed_known_and_fixed(azure, group):
    path = f"{group}/providers/{NETWORK}/placed"
    properties = network()["properties"]
    assert said(azure.arm("PUT", path, body={"properties": properties})) == (400, "LocationRequired")
    mars = {"location": "mars", "properties": properties}
    assert said(azure.arm("PUT", path, body=mars)) == (400, "LocationNotAvailableForResourceType")
    azure.put(path, "2024-05-01", network())
    moved = {"location": "North Europe", "properties": properties}
    assert said(azure.arm("PUT", path, body=moved)) == (409, "InvalidResourceLocation")
    site = {"location": "northeurope", "sku": {"name": "Free"}, "properties": {}}
    refused = azure.arm("PUT", f"{group}/providers/Microsoft.Web/staticSites/site1", "2024-04-01", site)
    assert said(refused) == (400, "LocationNotAvailableForResourceType")


# Versions


def test_an_api_version_is_needed_and_any_well_formed_one_is_served(azure):
    path = f"{azure.subscription}/resourceGroups"
    assert said(azure.arm("GET", path, api=None)) == (400, "MissingApiVersionParameter")
    for version in ("latest", "2024-13-01", "2024-1-1", "2024-11-01-"):
        assert said(azure.arm("GET", path, version)) == (400, "InvalidApiVersionParameter"), version
    for version in ("2015-01-01", "2099-12-31", "2026-09-01-preview"):
        assert azure.arm("GET", path, version).status_code == 200, version


# Tokens


def test_a_token_is_for_resource_manager_and_fresh(azure):
    path = f"{azure.url}{azure.subscription}/resourceGroups?api-version=2024-11-01"

    def refused(header):
        answer = requests.get(path, headers={"Authorization": header} if header else {})
        assert answer.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")
        return said(answer)

    token = azure.token()
    assert refused(None) == (401, "AuthenticationFailed")
    assert refused("Basic eDp5") == (401, "AuthenticationFailedInvalidHeader")
    assert refused("Bearer garbage") == (401, "InvalidAuthenticationToken")
    assert refused(f"Bearer {token[:-8]}AAAAAAAA") == (401, "InvalidAuthenticationToken")
    for audience in ("https://vault.azure.net", "https://graph.microsoft.com", "https://storage.azure.com"):
        assert refused(f"Bearer {azure.token(audience)}") == (401, "InvalidAuthenticationTokenAudience"), audience
    for audience in ("https://management.azure.com", "https://management.core.windows.net/", azure.url):
        assert azure.arm("GET", path, token=azure.token(audience)).status_code == 200, audience


def test_every_answer_carries_its_ids(azure):
    sent = {"x-ms-client-request-id": str(uuid.uuid4()), "x-ms-correlation-request-id": str(uuid.uuid4())}
    answer = azure.arm("GET", azure.subscription, headers=sent)
    other = azure.arm("GET", azure.subscription)
    assert answer.headers["x-ms-client-request-id"] == sent["x-ms-client-request-id"]
    assert answer.headers["x-ms-correlation-request-id"] == sent["x-ms-correlation-request-id"]
    assert uuid.UUID(answer.headers["x-ms-request-id"]) != uuid.UUID(other.headers["x-ms-request-id"])
    assert "x-ms-client-request-id" not in other.headers
    assert other.headers["x-ms-routing-request-id"].count(":") == 2
    refused = azure.arm("GET", azure.subscription + "/nothing", headers=sent)
    assert refused.headers["x-ms-correlation-request-id"] == sent["x-ms-correlation-request-id"]


# Conditions


def test_conditions_hold_and_refuse(azure, group):
    path = identity(azure, group, "conditioned")
    etag = azure.arm("GET", path, "2024-11-30").headers["ETag"]

    def put(**headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return azure.arm("PUT", path, "2024-11-30", HERE, headers=named)

    assert said(put(If_None_Match="*")) == (412, "PreconditionFailed")
    assert said(put(If_Match='"other"')) == (412, "PreconditionFailed")
    assert put(If_Match=etag).status_code == 200
    assert said(put(If_Match=etag)) == (412, "PreconditionFailed"), "it has another etag since"
    assert put(If_Match="*").status_code == 200
    stale = azure.arm("DELETE", path, "2024-11-30", headers={"If-Match": etag})
    assert said(stale) == (412, "PreconditionFailed")
    new = azure.arm("PUT", f"{group}/providers/{IDENTITY}/unborn", "2024-11-30", HERE, headers={"If-Match": "*"})
    assert said(new) == (412, "PreconditionFailed")


# Generic resources


def test_resources_by_id(azure, resources, group):
    id = f"{group}/providers/{IDENTITY}/by-id"
    assert not resources.resources.check_existence_by_id(id, api_version="2024-11-30")
    resources.resources.begin_create_or_update_by_id(id, HERE, api_version="2024-11-30").result()
    assert resources.resources.check_existence_by_id(id, api_version="2024-11-30")
    updated = resources.resources.begin_update_by_id(id, {"tags": {"a": "b"}}, api_version="2024-11-30").result()
    assert updated.tags == {"a": "b"}
    assert resources.resources.get_by_id(id.lower(), api_version="2024-11-30").id == id
    resources.resources.begin_delete_by_id(id, api_version="2024-11-30").result()
    assert refusal(resources.resources.get_by_id, id, api_version="2024-11-30") == (404, "ResourceNotFound")


def test_a_type_that_is_not_modelled_is_kept_as_it_is(azure, resources, group):
    id = f"{group}/providers/Microsoft.App/sessionPools/pool1"
    body = {**HERE, "properties": {"poolManagementType": "Dynamic", "scale": {"max": 3}}}
    resources.resources.begin_create_or_update_by_id(id, body, api_version="2025-01-01").result()
    got = resources.resources.get_by_id(id, api_version="2025-01-01")
    assert (got.type, got.properties["scale"]) == ("Microsoft.App/sessionPools", {"max": 3})
    assert got.properties["provisioningState"] == "Succeeded"


# Lists


def test_lists_are_filtered(azure, resources):
    group = azure.group("rg-lists")
    for n in range(4):
        identity(azure, group, f"listed-{n}", {"env": "prod" if n % 2 else "test", "n": str(n)})
    azure.put(f"{group}/providers/{NETWORK}/listed-net", "2024-05-01", network())

    def names(filter):
        return [found.name for found in resources.resources.list_by_resource_group("rg-lists", filter=filter)]

    assert len(names(None)) == 5
    assert names(f"resourceType eq '{NETWORK}'") == ["listed-net"]
    assert names(f"resourceType ne '{IDENTITY}'") == ["listed-net"]
    assert names("name eq 'LISTED-2'") == ["listed-2"]
    assert names("tagName eq 'env' and tagValue eq 'prod'") == ["listed-1", "listed-3"]
    assert names("tagName eq 'n'") == [f"listed-{n}" for n in range(4)]
    assert names("startswith(tagName, 'en') and tagValue eq 'test'") == ["listed-0", "listed-2"]
    assert names("substringof('net', name)") == ["listed-net"]
    assert names(f"resourceType eq '{IDENTITY}' or resourceType eq '{NETWORK}'") == names(None)
    everywhere = resources.resources.list(filter="resourceGroup eq 'rg-lists' and location eq 'westeurope'")
    assert len(list(everywhere)) == 5
    for bad in ("name is 'x'", "colour eq 'red'", "name eq 'x", "(((name eq 'x'"):
        assert refusal(lambda: names(bad)) == (400, "InvalidFilterInQueryString"), bad
    tagged = resources.resource_groups.list(filter="tagName eq 'none'")
    assert list(tagged) == []


def test_lists_come_in_pages(azure):
    group = azure.group("rg-pages")
    for n in range(7):
        identity(azure, group, f"paged-{n}")
    url, seen, pages = f"{group}/resources?$top=3&api-version=2024-11-01", [], 0
    while url:
        page = azure.arm("GET", url).json()
        assert len(page["value"]) <= 3
        seen += [found["name"] for found in page["value"]]
        url, pages = page.get("nextLink"), pages + 1
    assert (seen, pages) == ([f"paged-{n}" for n in range(7)], 3)
    assert azure.arm("GET", f"{group}/resources?$top=many").status_code == 400
    assert azure.arm("GET", f"{group}/resources?$skiptoken=bogus").status_code == 400


def test_expand_adds_what_resource_manager_knows(azure, resources):
    group = azure.group("rg-expand")
    identity(azure, group, "expanded")
    plain, *_ = resources.resources.list_by_resource_group("rg-expand")
    assert plain.created_time is None
    whole, *_ = resources.resources.list_by_resource_group("rg-expand", expand="createdTime,changedTime,provisioningState")
    assert whole.created_time and whole.changed_time and whole.provisioning_state == "Succeeded"


# Tags


def test_the_tags_resource_merges_replaces_and_deletes(azure, resources, group):
    scope = identity(azure, group, "tags-resource", {"keep": "1"})[1:]
    tags = resources.tags

    def patched(operation, **values):
        patch = {"operation": operation, "properties": {"tags": values}}
        return tags.begin_update_at_scope(scope, patch).result().properties.tags

    assert patched("Merge", new="2", KEEP="3") == {"keep": "3", "new": "2"}
    assert patched("Delete", new="other") == {"keep": "3", "new": "2"}
    assert patched("Delete", new="2") == {"keep": "3"}
    assert patched("Replace", only="1") == {"only": "1"}
    assert azure.arm("GET", f"/{scope}", "2024-11-30").json()["tags"] == {"only": "1"}
    tags.begin_delete_at_scope(scope).result()
    assert not tags.get_at_scope(scope).properties.tags


def test_tags_have_limits(azure, group):
    def put(tags):
        return said(azure.arm("PUT", f"{group}/providers/{IDENTITY}/overtagged", "2024-11-30", {**HERE, "tags": tags}))

    assert put({f"t{n}": "" for n in range(51)})[0] == 400
    assert put({"n" * 513: ""})[0] == 400
    assert put({"a": "v" * 257})[0] == 400
    assert put({"a/b": "c"})[0] == 400
    assert put({"a": 5})[0] == 400
    assert put(["a"])[0] == 400
    identity(azure, group, "tagged-to-the-limit", {f"t{n}": "v" * 256 for n in range(50)})


def test_the_subscription_has_tags_and_tag_names(azure, resources):
    tags = resources.tags
    tags.begin_create_or_update_at_scope(azure.subscription[1:], {"properties": {"tags": {"cost": "42"}}}).result()
    assert tags.get_at_scope(azure.subscription[1:]).properties.tags == {"cost": "42"}
    assert tags.create_or_update("stage").tag_name == "stage"
    assert tags.create_or_update_value("stage", "prod").tag_value == "prod"
    listed = {tag.tag_name: [value.tag_value for value in tag.values_property or []] for tag in tags.list()}
    assert listed["stage"] == ["prod"]
    assert refusal(tags.delete, "stage")[0] == 409
    tags.delete_value("stage", "prod")
    tags.delete("stage")
    assert "stage" not in {tag.tag_name for tag in tags.list()}


# Locks


def lock(azure, scope, level, name="guard"):
    path = f"{scope}/providers/Microsoft.Authorization/locks/{name}"
    answer = azure.arm("PUT", path, "2020-05-01", {"properties": {"level": level, "notes": "ours"}})
    assert answer.status_code in (200, 201), answer.text
    return path


def test_a_delete_lock_holds_what_is_below_and_above(azure):
    group = azure.group("rg-locked")
    path = identity(azure, group, "held")
    held = lock(azure, path, "CanNotDelete")
    assert said(azure.arm("DELETE", path, "2024-11-30")) == (409, "ScopeLocked")
    assert said(azure.arm("DELETE", group)) == (409, "ScopeLocked")
    assert azure.arm("PUT", path, "2024-11-30", {**HERE, "tags": {"a": "b"}}).status_code == 200
    azure.arm("DELETE", held, "2020-05-01")
    whole = lock(azure, group, "CanNotDelete")
    assert said(azure.arm("DELETE", path, "2024-11-30")) == (409, "ScopeLocked")
    listed = azure.arm("GET", f"{path}/providers/Microsoft.Authorization/locks", "2020-05-01").json()["value"]
    assert [found["id"] for found in listed] == [whole], "a lock is inherited"
    azure.arm("DELETE", whole, "2020-05-01")
    assert azure.arm("DELETE", path, "2024-11-30").status_code == 200


def test_a_read_only_lock_holds_writes_tags_and_actions(azure):
    group = azure.group("rg-read-only")
    account = f"{group}/providers/Microsoft.Storage/storageAccounts/readonlystore"
    azure.put(account, "2024-01-01", {**HERE, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}})
    held = lock(azure, group, "ReadOnly")
    assert said(azure.arm("POST", f"{account}/listKeys", "2024-01-01")) == (409, "ScopeLocked")
    assert said(azure.arm("PATCH", account, "2024-01-01", {"tags": {"a": "b"}})) == (409, "ScopeLocked")
    tags = f"{account}/providers/Microsoft.Resources/tags/default"
    assert said(azure.arm("PUT", tags, body={"properties": {"tags": {}}})) == (409, "ScopeLocked")
    assert said(azure.arm("PUT", f"{group}/providers/{NETWORK}/n", body=network())) == (409, "ScopeLocked")
    assert azure.arm("GET", account, "2024-01-01").status_code == 200
    assert azure.arm("DELETE", held, "2020-05-01").status_code == 200
    assert azure.arm("POST", f"{account}/listKeys", "2024-01-01").status_code == 200
    bad = azure.arm("PUT", held, "2020-05-01", {"properties": {"level": "NotAtAll"}})
    assert bad.status_code == 400


# Providers, subscriptions, places


def test_providers_are_registered_before_use(azure, resources, group):
    vm = f"{group}/providers/Microsoft.Search/searchServices/find-it"
    body = {**HERE, "sku": {"name": "basic"}, "properties": {}}
    assert said(azure.arm("PUT", vm, "2025-05-01", body)) == (409, "MissingSubscriptionRegistration")
    assert resources.providers.get("Microsoft.Search").registration_state == "NotRegistered"
    resources.providers.register("Microsoft.Search")
    assert resources.providers.get("microsoft.search").registration_state == "Registered"
    azure.put(vm, "2025-05-01", body)
    assert refusal(resources.providers.unregister, "Microsoft.Search")[0] == 409
    azure.settle(azure.arm("DELETE", vm, "2025-05-01"))
    assert resources.providers.unregister("Microsoft.Search").registration_state in ("Unregistering", "NotRegistered", "Unregistered")
    assert refusal(resources.providers.get, "Microsoft.Nothing") == (404, "InvalidResourceNamespace")


def test_a_provider_tells_its_types_versions_and_places(resources):
    types = {one.resource_type: one for one in resources.providers.get("Microsoft.App").resource_types}
    assert "West Europe" in types["containerApps"].locations
    assert all(version[:2] == "20" for version in types["managedEnvironments"].api_versions)
    assert {"Microsoft.App", "Microsoft.Compute"} <= {one.namespace for one in resources.providers.list()}
    assert resources.provider_resource_types.list("Microsoft.App").value


def test_subscriptions_tenants_and_places(azure):
    from azure.mgmt.subscription import SubscriptionClient

    client = SubscriptionClient(azure.credential(), base_url=azure.url, credential_scopes=[azure.url + "/.default"])
    (own,) = client.subscriptions.list()
    assert (own.subscription_id, own.state) == (azure.subscription_id, "Enabled")
    assert client.subscriptions.get(azure.subscription_id).display_name == own.display_name
    assert [tenant.tenant_id for tenant in client.tenants.list()] == [azure.env["TENANT_ID"]]
    places = {place.name: place for place in client.subscriptions.list_locations(azure.subscription_id)}
    assert places["westeurope"].display_name == "West Europe" and len(places) > 30


# Moves, names, export


def test_resources_move_to_another_group(azure, resources):
    source, target = azure.group("rg-from"), azure.group("rg-to")
    path = f"{source}/providers/Microsoft.Storage/storageAccounts/movingstore"
    azure.put(path, "2024-01-01", {**HERE, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}})
    move = {"resources": [path], "targetResourceGroup": target}
    resources.resources.begin_validate_move_resources("rg-from", move).result()
    resources.resources.begin_move_resources("rg-from", move).result()
    assert azure.arm("GET", path, "2024-01-01").status_code == 404
    moved = path.replace("rg-from", "rg-to")
    assert azure.arm("GET", moved, "2024-01-01").json()["id"] == moved
    identity_path = identity(azure, source, "immovable")
    with pytest.raises(HttpResponseError) as raised:
        stays = {"resources": [identity_path], "targetResourceGroup": target}
        resources.resources.begin_validate_move_resources("rg-from", stays).result()
    assert raised.value.status_code == 409 and "ResourceMoveProviderValidationFailed" in str(raised.value)


def test_reserved_names_are_refused(azure, group):
    def status(name):
        body = {"name": name, "type": "Microsoft.Storage/storageAccounts"}
        return azure.arm("POST", "/providers/Microsoft.Resources/checkResourceName", body=body).json()["status"]

    assert (status("plain"), status("office365"), status("loginhere")) == ("Allowed", "Reserved", "Reserved")
    body = {**HERE, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
    refused = azure.arm("PUT", f"{group}/providers/Microsoft.Storage/storageAccounts/mymicrosoftstore", "2024-01-01", body)
    assert said(refused) == (400, "ReservedResourceName")


def test_a_group_is_exported_as_a_template(azure, resources):
    group = azure.group("rg-export")
    identity(azure, group, "exported")
    template = resources.resource_groups.begin_export_template("rg-export", {"resources": ["*"]}).result().template
    assert template["$schema"].endswith("deploymentTemplate.json#")
    assert [one["type"] for one in template["resources"]] == [IDENTITY]


# Quotas


def test_usages_are_told_by_region_and_quotas_enforced(azure, group):
    from azure.mgmt.network import NetworkManagementClient
    from azure.mgmt.quota import QuotaMgmtClient

    client = azure.management(NetworkManagementClient)

    def used():
        found = {one.name.value: one for one in client.usages.list("westeurope")}["StaticPublicIPAddresses"]
        return found.current_value, found.limit

    before, limit = used()
    address = {"location": "westeurope", "sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}}
    path = f"{group}/providers/Microsoft.Network/publicIPAddresses/ip"
    for n in range(limit - before):
        assert azure.arm("PUT", f"{path}-{n}", "2024-05-01", address).status_code == 201
    assert used() == (limit, limit)
    assert said(azure.arm("PUT", f"{path}-over", "2024-05-01", address)) == (400, "StaticPublicIPCountLimitReached")
    assert azure.arm("PUT", f"{path}-over", "2024-05-01", {**address, "location": "northeurope"}).status_code == 201
    quotas = azure.management(QuotaMgmtClient)
    scope = f"{azure.subscription[1:]}/providers/Microsoft.Network/locations/westeurope"
    raised = {"properties": {"limit": {"limitObjectType": "LimitValue", "value": limit + 5}}}
    quotas.quota.begin_create_or_update("StaticPublicIPAddresses", scope, raised).result()
    assert quotas.quota.get("StaticPublicIPAddresses", scope).properties.limit.value == limit + 5
    assert quotas.usages.get("StaticPublicIPAddresses", scope).properties.usages.value == limit
    assert azure.arm("PUT", f"{path}-more", "2024-05-01", address).status_code == 201


def test_every_service_tells_its_usages(azure):
    from azure.mgmt.appcontainers import ContainerAppsAPIClient
    from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient
    from azure.mgmt.storage import StorageManagementClient
    from azure.mgmt.web import WebSiteManagementClient

    def names(listed):
        return {one.name.value for one in listed}

    assert "ManagedEnvironmentCount" in names(azure.management(ContainerAppsAPIClient).usages.list("westeurope"))
    assert "StorageAccounts" in names(azure.management(StorageManagementClient).usages.list_by_location("westeurope"))
    assert "F1" in names(azure.management(WebSiteManagementClient).get_usages_in_location.list("westeurope"))
    assert azure.management(CognitiveServicesManagementClient).usages.list("westeurope").next()
    azure.arm("POST", f"{azure.subscription}/providers/Microsoft.Compute/register")
    cores = azure.arm("GET", f"{azure.subscription}/providers/Microsoft.Compute/locations/westeurope/usages").json()["value"]
    assert cores[0]["name"] == {"value": "cores", "localizedValue": "Total Regional vCPUs"}


# The Azure CLI


def test_az_says_what_it_does_not_find(az):
    az("group", "create", "-n", "rg-az", "-l", "westeurope")
    refused = az.refused("group", "show", "-n", "rg-none")
    assert refused.code == 3 and "ResourceGroupNotFound" in refused.text


def test_az_locks_tags_and_moves(az, azure):
    az("group", "create", "-n", "rg-az-one", "-l", "westeurope", "--tags", "a=1")
    two = az("group", "create", "-n", "rg-az-two", "-l", "westeurope")
    made = az("storage", "account", "create", "-n", "azmovesthis", "-g", "rg-az-one", "-l", "westeurope", "--sku", "Standard_LRS")
    az("lock", "create", "-n", "keep", "--lock-type", "CanNotDelete", "-g", "rg-az-one")
    assert "ScopeLocked" in az.refused("group", "delete", "-n", "rg-az-one", "--yes").text
    az("lock", "delete", "-n", "keep", "-g", "rg-az-one")
    az("tag", "update", "--resource-id", made["id"], "--operation", "Merge", "--tags", "b=2")
    az("resource", "move", "--destination-group", "rg-az-two", "--ids", made["id"])
    (listed,) = az("resource", "list", "-g", "rg-az-two")
    assert listed["name"] == "azmovesthis" and listed["tags"] == {"b": "2"}
    assert listed["id"].lower().startswith(two["id"].lower())


def test_az_lists_usages(az):
    assert [one["name"]["value"] for one in [az("storage", "account", "show-usage", "-l", "westeurope")]] == ["StorageAccounts"]
    names = {one["name"]["value"] for one in az("network", "list-usages", "-l", "westeurope")}
    assert "VirtualNetworks" in names
    # a command that joins its path to the cloud's address, which ends in a slash
    names = {one["name"]["value"] for one in az("containerapp", "list-usages", "-l", "westeurope")["value"]}
    assert "ManagedEnvironmentCount" in names
