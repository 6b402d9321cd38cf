"""Faults, the clock and cut regions on demand; a state that outlives stops, kills and a full disk."""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
import requests
from conftest import BINARY, Azure, refusal

HERE = {"location": "westeurope"}
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
NETWORK = {"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}


@pytest.fixture(scope="module")
def group(azure):
    return azure.group("rg-faults")


@pytest.fixture(autouse=True)
def no_faults(request):
    yield
    if "azure" in request.fixturenames:
        azure = request.getfixturevalue("azure")
        azure.control("DELETE", "faults")
        azure.control("DELETE", "kill")


def fault(azure, fault, **rest):
    match = {name: rest.pop(name) for name in ("method", "type", "name", "plane", "path") if name in rest}
    return azure.control("POST", "faults", {"match": match, **rest, "fault": fault})


def put(azure, group, name):
    return azure.arm("PUT", f"{group}/providers/{IDENTITY}/{name}", "2024-11-30", HERE)


# Faults


def test_a_fault_acts_on_what_it_matches_after_skipping_and_so_often(azure, group):
    fault(azure, {"status": 503, "code": "ServiceUnavailable", "retryAfter": 2},
          method="PUT", type="Microsoft.ManagedIdentity/*", name="matched-*", plane="arm", skip=1, times=2)
    assert put(azure, group, "other").status_code == 201
    assert azure.arm("PUT", f"{group}/providers/Microsoft.Network/virtualNetworks/matched-net", body=NETWORK).status_code == 201
    answers = [put(azure, group, "matched-one") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [201, 503, 503, 200]
    assert answers[1].json()["error"]["code"] == "ServiceUnavailable"
    assert answers[1].headers["Retry-After"] == "2"
    (rule,) = azure.control("GET", "faults")["value"]
    assert (rule["acted"], rule["skip"], rule["fault"]["status"]) == (2, 1, 503)
    azure.control("DELETE", "faults")
    assert azure.control("GET", "faults")["value"] == []


def test_a_dropped_answer_has_its_effect_or_not(azure, group):
    for drop, there in (("before", 404), ("after", 200)):
        fault(azure, {"drop": drop}, method="PUT", times=1)
        with pytest.raises(requests.ConnectionError):
            put(azure, group, f"dropped-{drop}")
        assert azure.arm("GET", f"{group}/providers/{IDENTITY}/dropped-{drop}").status_code == there


def test_a_delay_ends_with_the_clock(azure, group):
    fault(azure, {"delay": "PT1H"}, method="PUT", name="late", times=1)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(put(azure, group, "late")))
    waiting.start()
    time.sleep(0.5)
    assert answers == []
    azure.advance("61m")
    waiting.join(10)
    assert answers[0].status_code == 201


def test_every_plane_can_fail(azure, group):
    vault = f"{group}/providers/Microsoft.KeyVault/vaults/kv-faults"
    azure.put(vault, "2024-11-01", {**HERE, "properties": {
        "tenantId": azure.env["TENANT_ID"], "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}})
    url = "https://kv-faults" + azure.env["KEYVAULT_SUFFIX"] + "/secrets?api-version=7.4"
    fault(azure, {"status": 500, "code": "InternalServerError"}, plane="vault", name="kv-*")
    assert requests.get(url).status_code == 500
    fault(azure, {"status": 503, "code": "temporarily_unavailable"}, plane="entra", times=1)
    token = f"{azure.env['AUTH_URL']}/{azure.env['TENANT_ID']}/oauth2/v2.0/token"
    assert requests.post(token, data={}).status_code == 503
    assert requests.post(token, data={}).status_code == 400
    fault(azure, {"status": 502}, path="/subscriptions/*/tagNames")
    assert azure.arm("GET", f"{azure.subscription}/tagNames").status_code == 502
    assert azure.arm("GET", group).status_code == 200


def test_microsofts_client_retries_what_passes(azure, group):
    from azure.mgmt.msi import ManagedServiceIdentityClient

    for status in (429, 503):
        fault(azure, {"status": status, "code": "Busy", "retryAfter": 1}, name="retried", times=1)
    patient = azure.management(ManagedServiceIdentityClient, retry_total=3)
    assert patient.user_assigned_identities.create_or_update("rg-faults", "retried", HERE).name == "retried"
    fault(azure, {"status": 409, "code": "Conflict"}, name="refused", times=1)
    create = patient.user_assigned_identities.create_or_update
    assert refusal(create, "rg-faults", "refused", HERE) == (409, "Conflict")


@pytest.mark.parametrize("body", [
    {},
    [],
    "fault",
    {"fault": {}},
    {"fault": {"explode": True}},
    {"fault": {"status": 200}},
    {"fault": {"status": "503"}},
    {"fault": {"status": 503, "drop": "after"}},
    {"fault": {"drop": "during"}},
    {"fault": {"delay": "soon"}},
    {"fault": {"delay": 30}},
    {"fault": {"operation": "succeeds"}},
    {"fault": {"status": 503, "retryAfter": "2"}},
    {"fault": {"drop": "after"}, "times": -1},
    {"fault": {"drop": "after"}, "skip": "1"},
    {"fault": {"drop": "after"}, "match": {"kind": "x"}},
    {"fault": {"drop": "after"}, "match": {"method": 5}},
    {"fault": {"drop": "after"}, "match": {"method": "FETCH"}},
    {"fault": {"drop": "after"}, "match": {"plane": "moon"}},
    {"fault": {"drop": "after"}, "macht": {}},
], ids=str)
def test_what_is_no_fault_is_refused(azure, body):
    answer = requests.post(azure.url + "/_local/faults", json=body)
    if body == []:
        assert answer.status_code == 200, "a list of none adds none"
    else:
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidFault")
    assert azure.control("GET", "faults")["value"] == []


# The clock


def test_the_clock_takes_durations_in_both_forms(azure):
    import datetime

    def now():
        return datetime.datetime.fromisoformat(azure.control("GET", "clock")["now"].replace("Z", "+00:00"))

    for text, seconds in (("PT12H", 43200), ("P1D", 86400), ("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86400)):
        before = now()
        told = azure.advance(text)["now"]
        assert told.endswith("Z")
        assert 0 <= (now() - before).total_seconds() - seconds < 5, text
    for bad in ("soon", "", "-5m", "12", None, 5):
        answer = requests.post(azure.url + "/_local/clock", json={"advance": bad})
        assert answer.status_code == 400, bad
    assert requests.post(azure.url + "/_local/clock", data="{").status_code == 400


def test_tokens_expire_when_the_clock_moves(azure):
    token = azure.token()
    assert azure.arm("GET", azure.subscription, token=token).status_code == 200
    azure.advance("25h")
    answer = azure.arm("GET", azure.subscription, token=token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "ExpiredAuthenticationToken")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


# Regions


def test_a_region_is_cut_until_it_is_given_back(azure):
    import uuid

    group = azure.group("rg-regions", "northeurope")

    def account(name, region):
        path = f"{group}/providers/Microsoft.Storage/storageAccounts/{name}"
        azure.put(path, "2024-01-01", {"location": region, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}})
        return path

    suffix = uuid.uuid4().hex[:8]
    west, north = account(f"west{suffix}", "westeurope"), account(f"north{suffix}", "northeurope")

    def blobs(path):
        return requests.get(f"https://{path.split('/')[-1]}{azure.env['BLOB_SUFFIX']}/?comp=list").status_code

    assert azure.control("POST", "kill", {"region": "West Europe"}) == {"regions": ["westeurope"]}
    assert azure.arm("GET", west, "2024-01-01").status_code == 503
    assert azure.arm("GET", north, "2024-01-01").status_code == 200
    with pytest.raises(requests.ConnectionError):
        blobs(west)
    assert blobs(north) < 500
    new = azure.arm("PUT", f"{group}/providers/{IDENTITY}/cut-off", "2024-11-30", HERE)
    assert (new.status_code, new.json()["error"]["code"]) == (503, "ServiceUnavailable")
    listed = [found["id"] for found in azure.arm("GET", f"{group}/resources").json()["value"]]
    assert west in listed, "Resource Manager still knows what is there"
    azure.control("DELETE", "kill")
    assert azure.arm("GET", west, "2024-01-01").status_code == 200 and blobs(west) < 500


@pytest.mark.parametrize("body", [{}, {"region": "mars"}, {"region": 5}, {"app": 5}, {"regions": ["westeurope"]},
                                  {"app": "/subscriptions/x", "replicas": 0}], ids=str)
def test_what_cannot_be_killed_is_refused(azure, body):
    answer = requests.post(azure.url + "/_local/kill", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidKill")


def test_the_local_paths_are_for_loopback_and_no_other_origin(azure):
    evil = requests.post(azure.url + "/_local/clock", json={"advance": "1h"}, headers={"Origin": "https://evil.example"})
    assert evil.status_code == 403
    assert requests.get(azure.url + "/_local/nothing").status_code == 404
    assert requests.put(azure.url + "/_local/faults", json={}).status_code == 405


# Seeds, files of faults, state


@pytest.fixture
def place():
    folder = tempfile.mkdtemp(prefix="landfall-clients-")
    started = []

    def start(*flags):
        running = Azure(folder, *flags)
        started.append(running)
        return running

    start.folder = folder
    yield start
    for running in started:
        running.stop()
    shutil.rmtree(folder, ignore_errors=True)


def test_the_same_seed_and_requests_give_the_same_run(place):
    def run():
        azure = place("--memory", "--seed", "7", "--speed", "0")
        group = azure.group("rg-seeded")
        identity = put(azure, group, "seeded").json()
        vault = azure.arm("PUT", f"{group}/providers/Microsoft.ContainerRegistry/registries/seededreg", body={
            **HERE, "sku": {"name": "Basic"}, "properties": {"adminUserEnabled": True}})
        keys = azure.arm("POST", f"{group}/providers/Microsoft.ContainerRegistry/registries/seededreg/listCredentials").json()
        azure.stop()
        return identity["properties"], vault.headers.get("ETag"), keys, azure.env["CLIENT_SECRET"]

    assert run() == run()


def test_faults_come_from_a_file(place):
    Path(place.folder, "faults.json").write_text(
        '[{"match": {"method": "PUT"}, "times": 1, "fault": {"status": 418, "code": "Teapot"}}]')
    azure = place("--memory", "--faults", f"{place.folder}/faults.json")
    path = f"{azure.subscription}/resourceGroups/rg1"
    assert [azure.arm("PUT", path, body=HERE).status_code for _ in range(2)] == [418, 201]
    azure.stop()
    for bad in ("{", '[{"fault": {"explode": 1}}]', '{"value": []}'):
        Path(place.folder, "faults.json").write_text(bad)
        refused = subprocess.run([BINARY, "-C", place.folder, "local", "start", "--memory", "--faults", f"{place.folder}/faults.json"],
                                 capture_output=True, text=True)
        assert refused.returncode != 0 and "faults.json" in refused.stderr, bad


def test_state_and_operations_outlive_a_stop(place):
    azure = place("--speed", "1")
    group = azure.group()
    path = f"{group}/providers/Microsoft.Network/virtualNetworks/kept"
    url = azure.arm("PUT", path, body=NETWORK).headers["Azure-AsyncOperation"]
    azure.stop()
    azure.start()
    assert azure.arm("GET", url).json()["status"] == "InProgress"
    azure.advance("1m")
    assert azure.arm("GET", url).json()["status"] == "Succeeded"
    assert azure.arm("GET", path).json()["properties"]["provisioningState"] == "Succeeded"


def test_memory_keeps_nothing(place):
    azure = place("--memory")
    azure.group()
    azure.stop()
    azure = place("--memory")
    assert azure.arm("GET", f"{azure.subscription}/resourceGroups").json()["value"] == []


def process(azure):
    return requests.get(azure.url + "/_local/status").json()["pid"]


def test_nothing_acknowledged_is_lost_when_it_is_killed_at_random(place):
    azure = place("--speed", "0.1", "--seed", "3")
    group, token = azure.group(), azure.token()
    acknowledged, dice, end = [], random.Random(5), threading.Event()

    def write(worker):
        n = 0
        while not end.is_set():
            n += 1
            path = f"{group}/providers/{IDENTITY}/w{worker}-{n}"
            try:
                if azure.arm("PUT", path, "2024-11-30", HERE, token=token).status_code == 201:
                    acknowledged.append(path)
            except requests.RequestException:
                time.sleep(0.05)

    workers = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    for worker in workers:
        worker.start()
    for _ in range(3):
        time.sleep(dice.uniform(0.2, 0.8))
        os.kill(process(azure), signal.SIGKILL)
        azure.start()
    end.set()
    for worker in workers:
        worker.join()
    url = f"{azure.subscription}/resources?$top=1000&$filter=resourceGroup eq 'rg1'"
    azure.advance("1m")
    there, page = set(), azure.arm("GET", url).json()
    there |= {found["id"] for found in page["value"]}
    while "nextLink" in page:
        page = azure.arm("GET", page["nextLink"]).json()
        there |= {found["id"] for found in page["value"]}
    assert len(acknowledged) > 20
    assert set(acknowledged) <= there


def test_a_damaged_state_folder_is_refused_with_a_way_out(place):
    azure = place()
    azure.group()
    azure.stop()
    database = Path(place.folder, ".landfall/local/world.db")
    database.write_bytes(database.read_bytes()[:5000])
    refused = subprocess.run([BINARY, "-C", place.folder, "local", "start"], capture_output=True, text=True)
    assert refused.returncode != 0 and "mv " in refused.stderr, refused.stderr


def test_a_full_disk_refuses_what_it_cannot_keep_and_goes_on(place):
    state = Path(place.folder, ".landfall/local")
    state.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", state], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    try:
        azure = place("--speed", "0")
        group, token = azure.group(), azure.token()
        Path(state, "ballast").write_bytes(bytes(4 << 20))
        kept, refused = [], None
        for n in range(3000):
            path = f"{group}/providers/{IDENTITY}/full-{n}"
            answer = azure.arm("PUT", path, "2024-11-30", {**HERE, "tags": {f"t{k}": "v" * 250 for k in range(40)}}, token=token)
            if answer.status_code >= 500:
                refused = answer
                break
            kept.append(path)
        assert refused is not None and refused.json()["error"]["code"] == "InternalServerError"
        assert azure.arm("GET", path, "2024-11-30", token=token).status_code == 404, "what was refused has not happened"
        assert azure.arm("GET", kept[-1], "2024-11-30", token=token).status_code == 200
        Path(state, "ballast").unlink()
        assert put(azure, group, "after").status_code == 201
        os.kill(process(azure), signal.SIGKILL)
        azure.start()
        assert all(azure.arm("GET", one, "2024-11-30").status_code == 200 for one in [kept[0], kept[-1]])
        azure.stop()
    finally:
        subprocess.run(["umount", "-l", state], capture_output=True)
