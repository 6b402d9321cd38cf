"""Long-running operations and throttling at Azure's own pace: nothing here waits, the clock is moved."""

import shutil
import tempfile

import pytest
from azure.core.exceptions import HttpResponseError
from conftest import Azure

HERE = {"location": "westeurope"}
NETWORK = ("Microsoft.Network/virtualNetworks", {"properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}})
ACCOUNT = ("Microsoft.Storage/storageAccounts", {"kind": "StorageV2", "sku": {"name": "Standard_LRS"}})
REGISTRY = ("Microsoft.ContainerRegistry/registries", {"sku": {"name": "Basic"}})
ENVIRONMENT = ("Microsoft.App/managedEnvironments", {"properties": {}})
PLAN = ("Microsoft.Web/serverfarms", {"sku": {"name": "B1"}})


@pytest.fixture(scope="module")
def azure():
    folder = tempfile.mkdtemp(prefix="landfall-clients-")
    running = Azure(folder, "--memory", "--speed", "1", "--seed", "1")
    yield running
    running.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def group(azure):
    return azure.group("rg-operations")


def said(answer):
    return answer.status_code, answer.json()["error"]["code"]


def begin(azure, group, what, name):
    kind, body = what
    path = f"{group}/providers/{kind}/{name}"
    return path, azure.arm("PUT", path, body={**HERE, **body})


def test_a_creation_is_followed_by_its_status(azure, group):
    path, made = begin(azure, group, NETWORK, "followed")
    assert (made.status_code, made.json()["properties"]["provisioningState"]) == (201, "Creating")
    assert int(made.headers["Retry-After"]) >= 1
    url = made.headers["Azure-AsyncOperation"]
    assert url.startswith(azure.url + azure.subscription)
    running = azure.arm("GET", url)
    assert (running.status_code, running.json()["status"]) == (200, "InProgress")
    assert "Retry-After" in running.headers
    assert azure.arm("GET", path).json()["properties"]["provisioningState"] == "Creating"
    azure.advance("1m")
    ended = azure.arm("GET", url).json()
    assert (ended["status"], ended["name"]) == ("Succeeded", url.split("/")[-1].split("?")[0])
    assert ended["startTime"] < ended["endTime"]
    assert azure.arm("GET", path).json()["properties"]["provisioningState"] == "Succeeded"
    update = azure.arm("PUT", path, body={**HERE, **NETWORK[1], "tags": {"a": "b"}})
    assert (update.status_code, update.json()["properties"]["provisioningState"]) == (200, "Updating")


def test_a_location_answers_202_and_then_the_resource(azure, group):
    path, made = begin(azure, group, ACCOUNT, "locatedstore")
    assert made.status_code == 202
    url = made.headers["Location"]
    running = azure.arm("GET", url)
    assert running.status_code == 202 and running.headers["Location"] and running.headers["Retry-After"]
    azure.advance("5m")
    ended = azure.arm("GET", url)
    assert (ended.status_code, ended.json()["id"]) == (200, path)


def test_a_deletion_is_202_with_both_ways_and_leaves_nothing(azure, group):
    path, _ = begin(azure, group, NETWORK, "deleted")
    azure.advance("1m")
    gone = azure.arm("DELETE", path)
    assert gone.status_code == 202 and "Azure-AsyncOperation" in gone.headers
    assert azure.arm("GET", path).json()["properties"]["provisioningState"] == "Deleting"
    azure.advance("1m")
    assert azure.arm("GET", gone.headers["Location"]).status_code == 204
    assert azure.arm("GET", gone.headers["Azure-AsyncOperation"]).json()["status"] == "Succeeded"
    assert azure.arm("GET", path).status_code == 404


@pytest.mark.parametrize(
    ("what", "name", "code"),
    [
        (NETWORK, "busy", "AnotherOperationInProgress"),
        (ACCOUNT, "busystore", "StorageAccountOperationInProgress"),
        (ENVIRONMENT, "busy-env", "ManagedEnvironmentOperationInProgress"),
        (PLAN, "busy-plan", "Conflict"),
    ],
)
def test_one_change_at_a_time_in_the_services_own_words(azure, group, what, name, code):
    path, made = begin(azure, group, what, name)
    assert made.status_code in (200, 201, 202), made.text
    assert said(begin(azure, group, what, name)[1]) == (409, code)
    assert said(azure.arm("DELETE", path)) == (409, code)
    azure.advance("30m")
    assert azure.arm("PATCH", path, body={"tags": {"a": "b"}}).status_code in (200, 201, 202)
    azure.advance("30m")


def test_a_subnet_waits_for_its_sibling(azure, group):
    path, _ = begin(azure, group, NETWORK, "siblings")
    azure.advance("1m")

    def subnet(n):
        return azure.arm("PUT", f"{path}/subnets/s{n}", body={"properties": {"addressPrefix": f"10.0.{n}.0/24"}})

    assert subnet(1).status_code == 201
    assert said(subnet(2)) == (409, "AnotherOperationInProgress")
    azure.advance("1m")
    assert subnet(2).status_code == 201
    azure.advance("1m")


def test_an_accepted_change_can_fail_afterwards(azure, group):
    fault = {"operation": "fails", "code": "InsufficientCapacity", "message": "none left"}
    azure.control("POST", "faults", {"match": {"method": "PUT", "name": "doomed"}, "times": 1, "fault": fault})
    path, made = begin(azure, group, NETWORK, "doomed")
    assert made.status_code == 201
    azure.advance("1m")
    ended = azure.arm("GET", made.headers["Azure-AsyncOperation"])
    assert (ended.status_code, ended.json()["status"]) == (200, "Failed")
    assert ended.json()["error"] == {"code": "InsufficientCapacity", "message": "none left"}
    assert azure.arm("GET", path).json()["properties"]["provisioningState"] == "Failed"
    assert begin(azure, group, NETWORK, "doomed")[1].status_code == 200, "and is mended by another"
    azure.advance("1m")
    assert azure.arm("GET", path).json()["properties"]["provisioningState"] == "Succeeded"


def test_microsofts_poller_raises_what_the_operation_failed_with(azure, group):
    from azure.mgmt.network import NetworkManagementClient

    fault = {"operation": "fails", "code": "InternalServerError", "message": "it broke"}
    azure.control("POST", "faults", {"match": {"name": "polled"}, "times": 1, "fault": fault})
    client = azure.management(NetworkManagementClient)
    poller = client.virtual_networks.begin_create_or_update("rg-operations", "polled", {**HERE, **NETWORK[1]})
    azure.advance("1m")
    with pytest.raises(HttpResponseError) as raised:
        poller.result()
    assert "it broke" in str(raised.value)


def test_an_operation_is_forgotten_after_a_day(azure, group):
    _, made = begin(azure, group, NETWORK, "forgotten")
    url = made.headers["Azure-AsyncOperation"]
    azure.advance("23h")
    assert azure.arm("GET", url).json()["status"] == "Succeeded"
    azure.advance("2h")
    assert azure.arm("GET", url).status_code == 404


def test_a_groups_deletion_is_one_long_operation(azure):
    group = azure.group("rg-going")
    begin(azure, group, NETWORK, "inside")
    azure.advance("1m")
    gone = azure.arm("DELETE", group)
    assert gone.status_code == 202 and "Location" in gone.headers
    assert azure.arm("GET", group).json()["properties"]["provisioningState"] == "Deleting"
    assert said(begin(azure, group, NETWORK, "late")[1]) == (409, "ResourceGroupBeingDeleted")
    assert azure.arm("GET", gone.headers["Location"]).status_code == 202
    assert azure.arm("DELETE", group).headers["Location"] == gone.headers["Location"]
    azure.advance("1h")
    assert azure.arm("GET", gone.headers["Location"]).status_code == 200
    assert azure.arm("HEAD", group).status_code == 404


def test_lists_lag_behind_a_creation(azure, group):
    path = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/lagging"
    assert azure.arm("PUT", path, body=HERE).status_code == 201
    listed = {found["name"] for found in azure.arm("GET", f"{group}/resources").json()["value"]}
    assert azure.arm("GET", path).status_code == 200
    azure.advance("10s")
    later = {found["name"] for found in azure.arm("GET", f"{group}/resources").json()["value"]}
    assert "lagging" not in listed and "lagging" in later


def test_a_registration_takes_its_time(azure):
    provider = f"{azure.subscription}/providers/Microsoft.Batch"
    assert azure.arm("POST", f"{provider}/register").json()["registrationState"] == "Registering"
    assert azure.arm("GET", provider).json()["registrationState"] == "Registering"
    azure.advance("2m")
    assert azure.arm("GET", provider).json()["registrationState"] == "Registered"


def test_reads_writes_and_deletes_have_buckets_of_their_own(azure, group):
    azure.advance("5m")
    path = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/none"

    def left(method, kind):
        answer = azure.arm(method, path, body=None)
        return int(answer.headers[f"x-ms-ratelimit-remaining-subscription-{kind}"])

    assert left("GET", "reads") == 249
    assert left("GET", "reads") <= 249
    assert left("DELETE", "deletes") == 199
    assert left("PATCH", "writes") == 199
    tenant = azure.arm("GET", "/tenants", "2022-12-01").headers
    assert "x-ms-ratelimit-remaining-tenant-reads" in tenant


def test_an_empty_bucket_is_429_until_it_fills_again(azure, group):
    azure.advance("5m")
    path, token = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/none", azure.token()
    answers = [azure.arm("DELETE", path, token=token) for _ in range(320)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused and answers[150].status_code == 204
    assert refused[0].json()["error"]["code"] == "SubscriptionRequestsThrottled"
    assert refused[0].headers["x-ms-ratelimit-remaining-subscription-deletes"] == "0"
    seconds = int(refused[0].headers["Retry-After"])
    assert azure.arm("GET", group, token=token).status_code == 200, "reads have a bucket of their own"
    azure.advance(f"{seconds + 1}s")
    assert azure.arm("DELETE", path, token=token).status_code == 204
