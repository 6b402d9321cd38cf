"""Container apps with workloads that really run: revisions, traffic, secrets, images, probes, scaling, and refusals."""

import pytest
import requests

from conftest import refusal
from workloads import APPS_API, QUICKSTART, Apps, until

ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
SECRETS_OFFICER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"


@pytest.fixture(scope="module")
def apps(azure):
    return Apps(azure)


@pytest.fixture(scope="module")
def client(azure):
    from azure.mgmt.appcontainers import ContainerAppsAPIClient

    return azure.management(ContainerAppsAPIClient)


# What an app is


def test_an_app_serves_at_its_host_name(apps):
    app = apps.put("first", env={"VERSION": "one", "LISTEN": "8080"})
    properties = app["properties"]
    assert properties["configuration"]["ingress"]["fqdn"] == apps.host("first")
    assert properties["latestReadyRevisionName"] == properties["latestRevisionName"] == "first--0000001"
    assert properties["runningStatus"] == "Running"
    assert apps.get("first").text == "one"


def test_two_apps_listen_on_the_same_port(apps):
    apps.put("second", env={"VERSION": "two", "LISTEN": "8080"})
    assert [apps.get("second").text, apps.get("first").text] == ["two", "one"]


def test_variables_of_the_platform_are_there(apps):
    def value(name):
        return apps.get("first", f"/env/{name}").text

    assert value("CONTAINER_APP_NAME") == "first"
    assert value("CONTAINER_APP_REVISION") == "first--0000001"
    assert value("CONTAINER_APP_ENV_DNS_SUFFIX") == apps.domain
    assert value("CONTAINER_APP_HOSTNAME") == f"first--0000001.{apps.domain}"
    assert value("CONTAINER_APP_PORT") == "8080"
    replicas = apps.azure.arm("GET", apps.id("first") + "/revisions/first--0000001/replicas", APPS_API).json()["value"]
    assert value("CONTAINER_APP_REPLICA_NAME") == replicas[0]["name"]


def test_a_token_of_the_apps_identity_is_had_inside(apps):
    body = apps.body(env={"LISTEN": "8080"})
    body["identity"] = {"type": "SystemAssigned"}
    principal = apps.put("who", body)["identity"]["principalId"]
    endpoint = apps.get("who", "/env/IDENTITY_ENDPOINT").text.removeprefix("http://")
    header = apps.get("who", "/env/IDENTITY_HEADER").text
    asked = f"/call/{endpoint}?api-version=2019-08-01&resource=https://vault.azure.net"
    from conftest import token_claims

    said = apps.get("who", asked, headers={"x-pass": f"X-IDENTITY-HEADER: {header}"}).text
    token = said.split('"access_token":"')[1].split('"')[0]
    assert token_claims(token)["oid"] == principal
    for headers in ({}, {"x-pass": "X-IDENTITY-HEADER: other"}):
        assert apps.get("who", asked, headers=headers).text.split()[1].startswith("4"), "others get none"
    apps.delete("who")


# Revisions


def test_a_change_of_the_template_makes_a_revision_and_one_of_the_configuration_does_not(apps):
    env = {"VERSION": "a", "LISTEN": "8080"}
    apps.put("rev", env=env)
    apps.put("rev", env=env, configuration={"maxInactiveRevisions": 7})
    apps.patch("rev", {"configuration": {"ingress": {"allowInsecure": True}}})
    assert apps.revisions("rev") == ["rev--0000001"]
    for change in ({"scale": {"maxReplicas": 2}}, {"scale": {"maxReplicas": 2}, "container": {"args": ["x"]}}):
        apps.put("rev", env=env, **change)
    assert len(apps.revisions("rev")) == 3


def test_in_single_mode_the_last_ready_revision_serves_and_others_are_inactive(apps):
    apps.put("rev", env={"VERSION": "b", "LISTEN": "8080"}, template={"revisionSuffix": "b"})
    until(lambda: not apps.revision("rev", "rev--0000001")["active"])
    assert apps.get("rev").text == "b"
    assert apps.revision("rev", "rev--b")["trafficWeight"] == 100
    old = apps.revision("rev", "rev--0000001")
    assert (old["runningState"], old["provisioningState"], old["replicas"]) == ("Stopped", "Deprovisioned", 0)


def test_a_revision_that_exits_at_once_fails_the_change_and_the_old_one_serves_on(apps):
    ended = apps.failed("rev", env={"MODE": "exit", "LISTEN": "8080"}, template={"revisionSuffix": "bad"})
    assert ended["status"] == "Failed"
    assert ended["error"]["code"] == "ContainerAppOperationError"
    assert "Failed to provision revision for container app 'rev'" in ended["error"]["message"]
    assert "exit code '3'" in ended["error"]["message"]
    bad = apps.revision("rev", "rev--bad")
    assert (bad["provisioningState"], bad["healthState"], bad["runningState"]) == ("Failed", "Unhealthy", "Failed")
    assert "exit code '3'" in bad["provisioningError"]
    app = apps.show("rev")["properties"]
    assert (app["provisioningState"], app["latestRevisionName"], app["latestReadyRevisionName"]) == ("Failed", "rev--bad", "rev--b")
    assert apps.get("rev").text == "b"
    apps.delete("rev")


def test_images_that_do_not_exist_fail_with_the_registrys_words(apps):
    ended = apps.failed("noimage", image=f"{apps.server}/none:v1")
    assert ended["error"]["code"] == "InvalidParameterValueInContainerTemplate"
    assert "Field 'template.containers.main.image' is invalid" in ended["error"]["message"]
    assert "MANIFEST_UNKNOWN" in ended["error"]["message"]
    apps.delete("noimage")


def test_traffic_is_split_by_weight_between_revisions_on_the_same_port(apps):
    multiple = {"activeRevisionsMode": "Multiple"}
    for version in ("blue", "green"):
        apps.put("split", env={"VERSION": version, "LISTEN": "8080"}, template={"revisionSuffix": version}, configuration=multiple)
    traffic = [{"revisionName": "split--blue", "weight": 50, "label": "old"}, {"revisionName": "split--green", "weight": 50}]
    apps.patch("split", {"configuration": {"ingress": {"traffic": traffic}}})
    seen = [apps.get("split").text for _ in range(60)]
    assert 12 <= seen.count("blue") <= 48
    assert apps.revision("split", "split--blue")["trafficWeight"] == 50


def test_a_label_and_a_revision_have_host_names_of_their_own(apps):
    assert apps.get("split---old").text == "blue"
    assert apps.get("split--green").text == "green"
    assert apps.get("split---none").status_code == 404


def test_a_deactivated_revision_takes_no_traffic_until_it_is_active_again(apps):
    assert apps.post(apps.id("split") + "/revisions/split--blue/deactivate").status_code == 200
    until(lambda: apps.get("split---old").status_code == 404)
    assert apps.revision("split", "split--blue")["active"] is False
    apps.post(apps.id("split") + "/revisions/split--blue/activate")
    until(lambda: apps.get("split---old").text == "blue")


def test_a_restart_replaces_replicas(apps):
    def replicas():
        path = apps.id("split") + "/revisions/split--green/replicas"
        return {it["name"] for it in apps.azure.arm("GET", path, APPS_API).json()["value"]}

    before = replicas()
    apps.post(apps.id("split") + "/revisions/split--green/restart")
    until(lambda: replicas() and not replicas() & before)


@pytest.mark.parametrize(
    ("traffic", "code"),
    [
        ([{"revisionName": "split--blue", "weight": 80}], "ContainerAppInvalidTrafficWeight"),
        ([{"revisionName": "split--blue", "weight": 99.5}], "ContainerAppInvalidTrafficWeight"),
        ([{"revisionName": "split--none", "weight": 100}], "ContainerAppTrafficRevisionNotFound"),
        ([{"weight": 100}], "ContainerAppInvalidTraffic"),
        ([{"latestRevision": True, "weight": 100, "label": "Blue!"}], "ContainerAppInvalidTrafficLabel"),
        (
            [{"revisionName": "split--blue", "weight": 50, "label": "a"}, {"revisionName": "split--green", "weight": 50, "label": "a"}],
            "ContainerAppDuplicateTrafficLabel",
        ),
    ],
)
def test_traffic_that_cannot_be_is_refused(apps, traffic, code):
    change = {"properties": {"configuration": {"ingress": {"traffic": traffic}}}}
    answer = apps.azure.arm("PATCH", apps.id("split"), APPS_API, change)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_inactive_revisions_are_kept_up_to_the_limit(apps):
    for number in range(4):
        apps.put("kept", body=apps.body(image=QUICKSTART, env={"N": str(number)}, configuration={"maxInactiveRevisions": 1}))
    until(lambda: len(apps.revisions("kept")) == 2)
    assert apps.revisions("kept")[-1] == "kept--0000004"
    apps.delete("kept")


def test_a_suffix_is_used_once(apps):
    # it is accepted, and the operation tells
    failed = apps.failed("split", env={"VERSION": "x"}, template={"revisionSuffix": "blue"})
    assert failed["error"]["code"] == "ContainerAppOperationError"
    assert "revision with suffix blue already exists" in failed["error"]["message"]
    assert apps.refused("split", template={"revisionSuffix": "Bad_"})[1] == "ContainerAppInvalidRevisionSuffix"
    apps.delete("split")


# Secrets


def test_secrets_are_listed_never_shown_and_changing_one_starts_nothing(apps):
    def put(value):
        secrets = [*apps.login["secrets"], {"name": "greeting", "value": value}]
        container = {"env": [{"name": "VERSION", "secretRef": "greeting"}, {"name": "LISTEN", "value": "8080"}]}
        return apps.put("secret", configuration={"secrets": secrets}, container=container)

    assert {"name": "greeting"} in put("hello")["properties"]["configuration"]["secrets"]
    listed = apps.post(apps.id("secret") + "/listSecrets").json()["value"]
    assert {"name": "greeting", "value": "hello"} in listed
    put("changed")
    assert apps.revisions("secret") == ["secret--0000001"]
    assert apps.get("secret").text == "hello", "it is what the replica began with"
    apps.post(apps.id("secret") + "/revisions/secret--0000001/restart")
    until(lambda: apps.get("secret").text == "changed")
    apps.delete("secret")


def test_secrets_are_files_in_a_volume_and_an_empty_directory_is_shared(apps):
    mounts = [{"volumeName": "keys", "mountPath": "/mnt/keys"}, {"volumeName": "shared", "mountPath": "/mnt/shared"}]
    template = {
        "volumes": [
            {"name": "keys", "storageType": "Secret", "secrets": [{"secretRef": "pin", "path": "the.pin"}]},
            {"name": "shared", "storageType": "EmptyDir"},
        ],
        "initContainers": [
            {
                "name": "before",
                "image": apps.image,
                "command": ["/app/server"],
                "env": [{"name": "MODE", "value": "once"}, {"name": "WRITE", "value": "/mnt/shared/made"}],
                "resources": {"cpu": 0.25, "memory": "0.5Gi"},
                "volumeMounts": mounts[1:],
            }
        ],
    }
    secrets = [*apps.login["secrets"], {"name": "pin", "value": "1234"}]
    apps.put("vol", env={"LISTEN": "8080"}, container={"volumeMounts": mounts}, template=template, configuration={"secrets": secrets})
    assert apps.get("vol", "/read//mnt/keys/the.pin").text == "1234"
    assert apps.get("vol", "/write//mnt/keys/other").status_code == 500, "it is read-only"
    assert apps.get("vol", "/read//mnt/shared/made").status_code == 200
    assert apps.get("vol", "/write//mnt/shared/mine").status_code == 200
    apps.delete("vol")


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"container": {"env": [{"name": "A", "secretRef": "none"}]}}, "ContainerAppSecretRefNotFound"),
        ({"configuration": {"secrets": [{"name": "Upper", "value": "x"}], "registries": []}}, "ContainerAppInvalidSecretName"),
        ({"configuration": {"secrets": [{"name": "novalue"}], "registries": []}}, "ContainerAppSecretInvalid"),
        ({"container": {"resources": {"cpu": 0.3, "memory": "1Gi"}}}, "ContainerAppInvalidResourceTotal"),
        ({"container": {"resources": {"cpu": 4.25, "memory": "8.5Gi"}}}, "ContainerAppInvalidResourceTotal"),
        ({"configuration": {"activeRevisionsMode": "Labels"}}, "ContainerAppInvalidActiveRevisionsMode"),
        ({"ingress": {"transport": "udp"}}, "ContainerAppInvalidIngress"),
        ({"ingress": {"transport": "tcp", "exposedPort": 5000}}, "ContainerAppTcpRequiresVnet"),
        ({"ingress": {"ipSecurityRestrictions": [
            {"name": "a", "action": "Allow", "ipAddressRange": "10.0.0.0/8"},
            {"name": "b", "action": "Deny", "ipAddressRange": "11.0.0.0/8"}]}}, "ContainerAppIpSecurityRestrictionsMixed"),
        ({"ingress": {"ipSecurityRestrictions": [
            {"name": "a", "action": "Allow", "ipAddressRange": "10.0.0.0/33"}]}}, "ContainerAppInvalidIpSecurityRestriction"),
        ({"ingress": {"stickySessions": {"affinity": "sticky"}}, "configuration": {"activeRevisionsMode": "Multiple"}},
         "ContainerAppInvalidIngressStickySessionRevisionMode"),
        ({"scale": {"minReplicas": 5, "maxReplicas": 2}}, "InvalidParameterValueInContainerTemplate"),
        ({"scale": {"maxReplicas": 1001}}, "InvalidParameterValueInContainerTemplate"),
        ({"scale": {"rules": [{"name": "r", "http": {"metadata": {"concurrentRequests": "0"}}}]}},
         "InvalidParameterValueInContainerTemplate"),
        ({"scale": {"rules": [{"name": "r", "custom": {"type": "azure-queue", "auth": [{"secretRef": "no"}]}}]}},
         "ContainerAppSecretRefNotFound"),
        ({"container": {"probes": [{"type": "Liveness", "httpGet": {"path": "/"}}]}}, "InvalidParameterValueInContainerTemplate"),
        ({"container": {"volumeMounts": [{"volumeName": "no", "mountPath": "/x"}]}}, "InvalidParameterValueInContainerTemplate"),
    ],
)
def test_bodies_that_azure_refuses(apps, parts, code):
    status, refused, _ = apps.refused("never", **parts)
    assert (status, refused) == (400, code)
    assert apps.azure.arm("GET", apps.id("never"), APPS_API).status_code == 404


@pytest.mark.parametrize("name", ["A", "Upper", "1abc", "a-", "a--b", "x" * 33])
def test_names_that_azure_refuses(apps, name):
    assert apps.refused(name)[:2] == (400, "ContainerAppInvalidName")


def test_every_pair_of_cores_and_memory_is_taken(apps):
    for quarters in (1, 2, 7, 16):
        resources = {"cpu": quarters / 4, "memory": f"{quarters / 2}Gi"}
        body = apps.body(image=QUICKSTART, container={"resources": resources})
        shown = apps.put("pairs", body)["properties"]["template"]["containers"][0]["resources"]
        assert shown["cpu"] == quarters / 4
        assert shown["ephemeralStorage"] in ("1Gi", "2Gi", "4Gi", "8Gi")
    apps.delete("pairs")


def test_a_secret_comes_from_a_vault_by_identity_once_it_has_its_role(apps):
    azure = apps.azure
    vault = f"{apps.group}/providers/Microsoft.KeyVault/vaults/kvapps1"
    properties = {"tenantId": azure.env["TENANT_ID"], "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}
    uri = azure.put(vault, "2023-07-01", {"location": "westeurope", "properties": properties})["properties"]["vaultUri"]
    azure.grant(SECRETS_OFFICER, vault)
    token = azure.token("https://vault.azure.net")
    said = requests.put(uri + "secrets/db?api-version=7.4", json={"value": "s3"}, headers={"Authorization": f"Bearer {token}"})
    assert said.status_code == 200, said.text
    identity = f"{apps.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/idapps"
    principal = azure.put(identity, "2023-01-31", {"location": "westeurope"})["properties"]["principalId"]
    secrets = [*apps.login["secrets"], {"name": "db", "keyVaultUrl": uri + "secrets/db", "identity": identity}]
    container = {"env": [{"name": "VERSION", "secretRef": "db"}, {"name": "LISTEN", "value": "8080"}]}
    body = apps.body(configuration={"secrets": secrets}, container=container)
    assert apps.refused("vaulted", body)[:2] == (400, "ContainerAppIdentityNotAssigned")
    body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
    ended = apps.failed("vaulted", body)
    assert "Unable to get value using Managed identity" in ended["error"]["message"]
    azure.grant(SECRETS_USER, vault, principal)
    apps.put("vaulted", body)
    assert apps.get("vaulted").text == "s3"
    apps.delete("vaulted")


def test_a_private_image_is_pulled_by_identity_once_it_has_its_role(apps):
    azure = apps.azure
    body = apps.body(env={"LISTEN": "8080"}, configuration={"registries": [{"server": apps.server, "identity": "system"}], "secrets": []})
    assert apps.refused("pulls", body)[:2] == (400, "ContainerAppIdentityNotAssigned")
    body["identity"] = {"type": "SystemAssigned"}
    ended = apps.failed("pulls", body)
    assert "UNAUTHORIZED: authentication required" in ended["error"]["message"]
    registry = f"{apps.group}/providers/Microsoft.ContainerRegistry/registries/crapps1"
    azure.grant(ACR_PULL, registry, apps.show("pulls")["identity"]["principalId"])
    apps.put("pulls", body)
    assert apps.get("pulls").status_code == 200
    apps.delete("pulls")


# Probes and scaling


def test_traffic_waits_for_readiness(apps):
    probes = [{"type": "Readiness", "httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}]
    apps.put("probed", env={"LISTEN": "8080"}, container={"probes": probes})
    assert apps.get("probed").status_code == 200
    apps.get("probed", "/sick")
    name = apps.show("probed")["properties"]["latestRevisionName"]
    until(lambda: apps.revision("probed", name)["healthState"] == "Unhealthy")
    apps.delete("probed")


def test_an_app_scales_to_zero_when_the_clock_moves_and_its_first_request_is_held(apps):
    apps.put("sleepy", env={"LISTEN": "8080", "MODE": "late"}, scale={"minReplicas": 0})
    name = apps.show("sleepy")["properties"]["latestRevisionName"]
    assert apps.revision("sleepy", name)["replicas"] == 1
    apps.azure.advance("PT6M")
    until(lambda: apps.revision("sleepy", name)["replicas"] == 0, seconds=10)
    assert apps.revision("sleepy", name)["runningState"] == "ScaledToZero"
    assert apps.get("sleepy").status_code == 200
    assert apps.revision("sleepy", name)["replicas"] == 1
    apps.delete("sleepy")


def test_concurrent_requests_bring_replicas(apps):
    from concurrent.futures import ThreadPoolExecutor

    rules = [{"name": "http", "http": {"metadata": {"concurrentRequests": "2"}}}]
    apps.put("busy", env={"LISTEN": "8080"}, scale={"minReplicas": 1, "maxReplicas": 3, "rules": rules})
    name = apps.show("busy")["properties"]["latestRevisionName"]
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(apps.get, "busy", "/slow/3000") for _ in range(8)]
        until(lambda: apps.revision("busy", name)["replicas"] == 3, seconds=10)
        assert all(one.result().status_code == 200 for one in sent)
    apps.delete("busy")


# States of the whole app


def test_a_stopped_app_is_not_found_and_comes_back(apps, client):
    client.container_apps.begin_stop("rgapps", "second").result()
    assert apps.show("second")["properties"]["runningStatus"] == "Stopped"
    gone = apps.get("second")
    assert gone.status_code == 404
    assert "This Container App is stopped or does not exist" in gone.text
    client.container_apps.begin_start("rgapps", "second").result()
    until(lambda: apps.get("second").status_code == 200)


def test_logs_are_streamed_with_the_apps_token(apps, client):
    token = client.container_apps.get_auth_token("rgapps", "first").token
    replicas = client.container_apps_revision_replicas.list_replicas("rgapps", "first", "first--0000001").value
    endpoint = replicas[0].containers[0].log_stream_endpoint
    assert requests.get(endpoint).status_code == 401
    said = requests.get(endpoint, params={"output": "text", "tailLines": 20}, headers={"Authorization": f"Bearer {token}"})
    assert "Successfully Connected to container: 'main'" in said.text
    assert "listening on port 8080" in said.text
    refused = requests.get(replicas[0].containers[0].exec_endpoint, headers={"Authorization": f"Bearer {token}"})
    assert refused.status_code == 501


def test_an_environment_with_apps_is_not_deleted(apps, client):
    assert refusal(client.managed_environments.begin_delete, "rgapps", "env1") == (409, "ManagedEnvironmentHasContainerApps")


def test_an_app_needs_its_environment(apps):
    body = apps.body()
    body["properties"]["managedEnvironmentId"] = apps.environment + "x"
    assert apps.refused("homeless", body)[1] == "ManagedEnvironmentNotFound"
    body["properties"]["managedEnvironmentId"] = ""
    assert apps.refused("homeless", body)[1] == "InvalidManagedEnvironmentId"
    body = apps.body()
    body["properties"]["template"]["containers"] = []
    assert apps.refused("homeless", body)[1] == "ContainerAppCreateMustContainContainer"
    body = apps.body()
    body["location"] = "northeurope"
    assert apps.refused("homeless", body)[1] == "ContainerAppLocationMismatch"


def test_microsofts_client_sees_it_all(apps, client):
    assert {"first", "second"} <= {app.name for app in client.container_apps.list_by_resource_group("rgapps")}
    assert [it.name for it in client.container_apps_revisions.list_revisions("rgapps", "first")] == ["first--0000001"]
    assert client.container_apps_revisions.deactivate_revision("rgapps", "second", "second--0000001") is None
    assert client.container_apps_revisions.activate_revision("rgapps", "second", "second--0000001") is None
    assert refusal(client.container_apps_revisions.get_revision, "rgapps", "first", "first--none") == (404, "RevisionNotFound")
    assert refusal(client.container_apps.get, "rgapps", "none") == (404, "ResourceNotFound")


def test_az_creates_updates_and_splits(apps, az):
    common = ("-n", "cli", "-g", "rgapps")
    fqdn = az("containerapp", "create", *common, "--environment", "env1", "--image", QUICKSTART, "--ingress", "external",
              "--target-port", "80", "--secrets", "a=b", "--env-vars", "X=secretref:a", "--revisions-mode", "multiple",
              "--query", "properties.configuration.ingress.fqdn")
    assert fqdn == apps.host("cli")
    az("containerapp", "update", *common, "--set-env-vars", "Z=2", "--revision-suffix", "v2")
    az("containerapp", "revision", "label", "add", *common, "--label", "blue", "--revision", "cli--v2", "--yes")
    weights = az("containerapp", "ingress", "traffic", "set", *common, "--revision-weight", "cli--v2=80", "latest=20")
    assert sorted(entry["weight"] for entry in weights if entry.get("weight")) == [20, 80]
    assert apps.get("cli---blue").status_code == 200
    assert "ContainerAppSecretRefNotFound" in az.refused("containerapp", "secret", "remove", *common, "--secret-names", "a").text
    logs = az.run("containerapp", "logs", "show", *common, "--type", "system", "--tail", "5")
    assert logs.returncode == 0 and "TimeStamp" in logs.stdout
    assert az.run("containerapp", "delete", *common, "-y").returncode == 0
