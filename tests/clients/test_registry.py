"""Container registries: Resource Manager's side, the distribution protocol, and who may do what, as Microsoft's Python
clients and the Azure CLI see them."""

import hashlib
import io
import json
import os
from types import SimpleNamespace

import pytest
import requests
from azure.containerregistry import ArtifactTagOrder, ContainerRegistryClient
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.containerregistry import ContainerRegistryManagementClient
from conftest import refusal, token_claims

API = "2025-11-01"
OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
NOBODY = "00000000-0000-0000-0000-000000000000"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
ACR_PUSH = "8311e382-0749-4cb8-b61a-304f252e45ec"
ACR_DELETE = "c2f4ef07-c644-48eb-af81-4b1b4947fb11"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
REPOSITORY_READER = "b93aa761-3e63-49ed-ac28-beffa264f7ac"


def create(azure, name, sku="Premium", **properties):
    """A registry of its own for a test."""
    group = azure.group("rg-acr")
    path = f"{group}/providers/Microsoft.ContainerRegistry/registries/{name}"
    body = {"location": "westeurope", "sku": {"name": sku}, "properties": properties}
    made = azure.put(path, API, body)
    return SimpleNamespace(id=made["id"], path=path, name=name, host=made["properties"]["loginServer"], azure=azure)


@pytest.fixture(scope="module")
def registry(azure):
    return create(azure, "acrtests", adminUserEnabled=True)


@pytest.fixture(scope="module")
def images(azure, registry):
    return client(azure, registry)


@pytest.fixture(scope="module")
def management(azure):
    return azure.management(ContainerRegistryManagementClient)


def client(azure, registry, credential="owner"):
    """Microsoft's client of a registry's content."""
    credential = azure.credential() if credential == "owner" else credential
    return ContainerRegistryClient(f"https://{registry.host}", credential, audience=azure.url, retry_total=0)


def ask(registry, method, path, token=None, basic=None, **options):
    """One request to a registry, as it is."""
    headers = options.pop("headers", {})
    if token:
        headers["Authorization"] = f"Bearer {token}"
    url = path if path.startswith("https://") else f"https://{registry.host}{path}"
    return requests.request(method, url, headers=headers, auth=basic, timeout=60, **options)


def refresh_token(registry, access_token):
    form = {"grant_type": "access_token", "service": registry.host, "access_token": access_token}
    return ask(registry, "POST", "/oauth2/exchange", data=form)


def owner_refresh_token(registry):
    return refresh_token(registry, registry.azure.token()).json()["refresh_token"]


def access_token(registry, *scopes, refresh=None):
    """An access token for scopes; the owner's unless another's refresh token is given."""
    refresh = refresh or owner_refresh_token(registry)
    form = {"grant_type": "refresh_token", "service": registry.host, "scope": " ".join(scopes), "refresh_token": refresh}
    answer = ask(registry, "POST", "/oauth2/token", data=form)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def all_of(registry, repository):
    return access_token(registry, f"repository:{repository}:pull,push,delete,metadata_read,metadata_write")


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def errors(answer):
    """Status and code of the distribution protocol's refusal."""
    body = answer.json()
    assert set(body["errors"][0]) >= {"code", "message"}, body
    return answer.status_code, body["errors"][0]["code"]


def push_blob(registry, repository, data, token):
    digest = digest_of(data)
    answer = ask(registry, "POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", token, data=data)
    assert answer.status_code == 201, answer.text
    return {"digest": digest, "size": len(data)}


def push_image(registry, repository, tag, text="one", kind=OCI_IMAGE, subject=None, artifact_type=None, token=None):
    """Pushes a small image; returns its digest."""
    token = token or all_of(registry, repository)
    docker = kind == DOCKER_IMAGE
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "text": text}).encode()
    config_type = "application/vnd.docker.container.image.v1+json" if docker else "application/vnd.oci.image.config.v1+json"
    layer_type = "application/vnd.docker.image.rootfs.diff.tar.gzip" if docker else "application/vnd.oci.image.layer.v1.tar"
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {"mediaType": config_type, **push_blob(registry, repository, config, token)},
        "layers": [{"mediaType": layer_type, **push_blob(registry, repository, text.encode(), token)}],
    }
    if subject:
        manifest["subject"] = subject
    if artifact_type:
        manifest["artifactType"] = artifact_type
    return put_manifest(registry, repository, tag, manifest, token)


def put_manifest(registry, repository, reference, manifest, token=None):
    body = json.dumps(manifest).encode()
    token = token or all_of(registry, repository)
    answer = ask(registry, "PUT", f"/v2/{repository}/manifests/{reference or digest_of(body)}", token,
                 data=body, headers={"Content-Type": manifest["mediaType"]})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Docker-Content-Digest"] == digest_of(body)
    return SimpleNamespace(digest=digest_of(body), body=body, answer=answer)


# --- Resource Manager ------------------------------------------------------------------------------------------------


def test_a_registry_is_created_updated_and_deleted(azure, management):
    azure.group("rg-acr")
    body = {"location": "westeurope", "sku": {"name": "Standard"}, "tags": {"team": "a"}}
    made = management.registries.begin_create("rg-acr", "acrlife1", body).result()
    assert (made.sku.tier, made.provisioning_state, made.admin_user_enabled) == ("Standard", "Succeeded", False)
    assert made.login_server == "acrlife1" + azure.env["ACR_SUFFIX"]
    assert made.role_assignment_mode == "LegacyRegistryPermissions"
    updated = management.registries.begin_update("rg-acr", "acrlife1", {"properties": {"adminUserEnabled": True}, "sku": {"name": "Basic"}}).result()
    assert (updated.sku.name, updated.admin_user_enabled, updated.tags) == ("Basic", True, {"team": "a"})
    management.registries.begin_delete("rg-acr", "acrlife1").result()
    assert refusal(management.registries.get, "rg-acr", "acrlife1") == (404, "ResourceNotFound")


def test_names_are_global_and_have_rules(azure, management, registry):
    check = lambda name: management.registries.check_name_availability({"name": name, "type": "Microsoft.ContainerRegistry/registries"})
    assert check("acrnobodyhas").name_available
    taken = check("acrtests")
    assert (taken.name_available, taken.reason) == (False, "AlreadyExists")
    assert check("acr-bad").reason == "Invalid"
    azure.group("rg-other")
    body = {"location": "westeurope", "sku": {"name": "Basic"}}
    assert refusal(management.registries.begin_create, "rg-other", "acrtests", body) == (409, "AlreadyInUse")


def test_features_belong_to_tiers(management, azure):
    azure.group("rg-acr")

    def refused(sku, **properties):
        body = {"location": "westeurope", "sku": {"name": sku}, "properties": properties}
        return refusal(management.registries.begin_create, "rg-acr", "acrtiers", body)

    assert refused("Basic", publicNetworkAccess="Disabled") == (400, "DisablingPublicNetworkAccessNotSupported")
    assert refused("Standard", publicNetworkAccess="Disabled") == (400, "DisablingPublicNetworkAccessNotSupported")
    assert refused("Basic", anonymousPullEnabled=True) == (400, "BadRequest")
    assert refused("Standard", dataEndpointEnabled=True)[0] == 400
    assert refused("Standard", networkRuleSet={"defaultAction": "Deny"})[0] == 400
    assert refused("Standard", policies={"retentionPolicy": {"status": "enabled", "days": 3}})[0] == 400
    assert refused("Premium", policies={"retentionPolicy": {"status": "enabled", "days": 366}})[0] == 400
    assert refused("Premium", policies={"trustPolicy": {"type": "Notary", "status": "enabled"}}) == (400, "ContentTrustRetired")
    assert refused("Classic") == (400, "ClassicSkuDeprecated")
    assert refused("Gold") == (400, "InvalidSku")


def test_webhooks_are_counted_by_tier(azure, management):
    registry = create(azure, "acrhooks", "Basic")
    hook = {"location": "westeurope", "properties": {"serviceUri": "https://hooks.example.com/", "actions": ["push", "delete"]}}
    for name in ["hookone", "hooktwo"]:
        made = management.webhooks.begin_create("rg-acr", "acrhooks", name, hook).result()
        assert (made.status, made.actions) == ("enabled", ["push", "delete"])
    code = refusal(management.webhooks.begin_create, "rg-acr", "acrhooks", "hookthree", hook)[1]
    assert code == "QuotaExceeded"
    config = management.webhooks.get_callback_config("rg-acr", "acrhooks", "hookone")
    assert config.service_uri == "https://hooks.example.com/"
    pinged = management.webhooks.ping("rg-acr", "acrhooks", "hookone").id
    push_image(registry, "app", "v1")
    events = list(management.webhooks.list_events("rg-acr", "acrhooks", "hookone"))
    assert [event.event_request_message.content.action for event in events] == ["push", "ping"]
    assert events[1].id == pinged
    target = events[0].event_request_message.content.target
    assert (target.repository, target.tag, target.media_type) == ("app", "v1", OCI_IMAGE)
    usages = {usage.name: usage for usage in management.registries.list_usages("rg-acr", "acrhooks").value}
    assert (usages["Webhooks"].current_value, usages["Webhooks"].limit) == (2, 2)
    assert usages["Size"].limit == 10 << 30


def test_geo_replication_is_for_premium_and_other_regions(azure, management, registry):
    create(azure, "acrbasic", "Basic")
    there = {"location": "northeurope"}
    assert refusal(management.replications.begin_create, "rg-acr", "acrbasic", "northeurope", there)[1] == "QuotaExceeded"
    made = management.replications.begin_create("rg-acr", "acrtests", "northeurope", there).result()
    assert (made.location, made.provisioning_state, made.region_endpoint_enabled) == ("northeurope", "Succeeded", True)
    assert refusal(management.replications.begin_create, "rg-acr", "acrtests", "westeurope", {"location": "westeurope"})[0] == 409
    assert refusal(management.registries.begin_update, "rg-acr", "acrtests", {"sku": {"name": "Basic"}})[1] == "QuotaExceeded"
    management.replications.begin_delete("rg-acr", "acrtests", "northeurope").result()
    assert list(management.replications.list("rg-acr", "acrtests")) == []


def test_tasks_are_refused_as_on_free_credit(azure, registry):
    for call in ["scheduleRun", "listBuildSourceUploadUrl"]:
        refused = azure.arm("POST", f"{registry.path}/{call}", "2019-06-01-preview", {"type": "DockerBuildRequest"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "TasksOperationsNotAllowed")
    refused = azure.arm("PUT", f"{registry.path}/tasks/build1", "2019-06-01-preview", {"location": "westeurope", "properties": {}})
    assert refused.json()["error"]["code"] == "TasksOperationsNotAllowed"


def test_cache_rules_need_credentials_for_docker_hub(azure, management, registry):
    rules = management.cache_rules
    hub = {"properties": {"sourceRepository": "docker.io/library/nginx", "targetRepository": "cached/nginx"}}
    assert refusal(rules.begin_create, "rg-acr", "acrtests", "hubrule", hub) == (400, "EnforceDockerAuthentication")
    mcr = {"properties": {"sourceRepository": "mcr.microsoft.com/hello-world", "targetRepository": "cached/hello"}}
    made = rules.begin_create("rg-acr", "acrtests", "mcrrule", mcr).result()
    assert made.source_repository == "mcr.microsoft.com/hello-world"
    assert refusal(rules.begin_create, "rg-acr", "acrtests", "second", mcr)[0] == 409
    rules.begin_delete("rg-acr", "acrtests", "mcrrule").result()


def test_usage_is_what_is_stored(azure, management):
    registry = create(azure, "acrusage", "Standard")
    image = push_image(registry, "app", "v1", "x" * 10_000)
    size = lambda: {usage.name: usage.current_value for usage in management.registries.list_usages("rg-acr", "acrusage").value}["Size"]
    before = size()
    assert 20_000 + len(image.body) < before < 21_000, "a layer, a config that has its text, and the manifest"
    # the same layers in another repository are kept once
    push_image(registry, "second", "v1", "x" * 10_000)
    assert size() == before + len(image.body)
    client(azure, registry).delete_repository("app")
    client(azure, registry).delete_repository("second")
    assert size() == 0


# --- tokens ----------------------------------------------------------------------------------------------------------


def test_the_door_says_where_tokens_come_from(registry):
    answer = ask(registry, "GET", "/v2/")
    assert errors(answer) == (401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"] == f'Bearer realm="https://{registry.host}/oauth2/token",service="{registry.host}"'
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    wanted = ask(registry, "GET", "/v2/app/manifests/v1").headers["WWW-Authenticate"]
    assert wanted.endswith('scope="repository:app:pull"')
    assert ask(registry, "GET", "/v2/", all_of(registry, "app")).status_code == 200


def test_an_entra_token_becomes_a_refresh_token_and_that_an_access_token(azure, registry):
    refresh = owner_refresh_token(registry)
    claims = token_claims(refresh)
    assert (claims["iss"], claims["aud"], claims["grant_type"]) == ("Azure Container Registry", registry.host, "refresh_token")
    assert claims["exp"] - claims["iat"] == 3 * 3600
    access = token_claims(access_token(registry, "repository:app:pull,push", refresh=refresh))
    assert access["access"] == [{"type": "repository", "name": "app", "actions": ["pull", "push"]}]
    assert (access["grant_type"], access["exp"] - access["iat"]) == ("access_token", 75 * 60)
    # as Docker asks: by GET, the refresh token as password of the user of zeros
    query = {"service": registry.host, "scope": "repository:app:pull"}
    got = ask(registry, "GET", "/oauth2/token", basic=(NOBODY, refresh), params=query)
    assert token_claims(got.json()["access_token"])["access"][0]["actions"] == ["pull"]


def test_wrong_tokens_are_refused(azure, registry):
    assert errors(refresh_token(registry, azure.token("https://vault.azure.net"))) == (401, "UNAUTHORIZED")
    assert errors(refresh_token(registry, "not.a.token")) == (401, "UNAUTHORIZED")
    assert refresh_token(registry, azure.token("https://containerregistry.azure.net")).status_code == 200
    form = {"grant_type": "refresh_token", "service": registry.host, "scope": "repository:app:pull", "refresh_token": "x.y.z"}
    assert errors(ask(registry, "POST", "/oauth2/token", data=form)) == (401, "UNAUTHORIZED")
    form = {"grant_type": "client_credentials", "service": registry.host}
    assert ask(registry, "POST", "/oauth2/token", data=form).status_code == 400
    other = create(azure, "acrother", "Basic")
    foreign = all_of(other, "app")
    assert errors(ask(registry, "GET", "/v2/", foreign)) == (401, "UNAUTHORIZED")


def test_a_token_allows_what_it_names_and_no_more(registry):
    push_image(registry, "scoped", "v1")
    pull = access_token(registry, "repository:scoped:pull")
    assert ask(registry, "GET", "/v2/scoped/tags/list", pull).status_code == 200
    refused = ask(registry, "POST", "/v2/scoped/blobs/uploads/", pull)
    assert errors(refused) == (401, "UNAUTHORIZED")
    assert 'scope="repository:scoped:pull,push"' in refused.headers["WWW-Authenticate"]
    assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]
    assert refused.json()["errors"][0]["detail"] == [{"Type": "repository", "Name": "scoped", "Action": "push"}]
    assert errors(ask(registry, "GET", "/v2/elsewhere/tags/list", pull)) == (401, "UNAUTHORIZED")
    assert errors(ask(registry, "GET", "/v2/_catalog", pull)) == (401, "UNAUTHORIZED")


def test_tokens_of_resource_manager_can_be_shut_out(azure):
    registry = create(azure, "acrstrict", policies={"azureADAuthenticationAsArmPolicy": {"status": "disabled"}})
    assert refresh_token(registry, azure.token()).status_code == 401
    assert refresh_token(registry, azure.token("https://containerregistry.azure.net")).status_code == 200


def test_the_admin_user_has_two_passwords(azure, management, registry):
    shown = management.registries.list_credentials("rg-acr", "acrtests")
    assert shown.username == "acrtests" and [one.name for one in shown.passwords] == ["password", "password2"]
    first, second = (one.value for one in shown.passwords)
    for password in (first, second):
        assert ask(registry, "GET", "/v2/", basic=("acrtests", password)).status_code == 200
    renewed = management.registries.regenerate_credential("rg-acr", "acrtests", {"name": "password"})
    assert renewed.passwords[0].value != first and renewed.passwords[1].value == second
    assert ask(registry, "GET", "/v2/", basic=("acrtests", first)).status_code == 401
    create(azure, "acrnoadmin", "Basic")
    refused = refusal(management.registries.list_credentials, "rg-acr", "acrnoadmin")
    assert refused == (400, "UnAuthorizedForCredentialOperations")


def test_anybody_pulls_where_that_is_enabled(azure, management):
    registry = create(azure, "acranonymous", "Standard")
    push_image(registry, "public/app", "v1")
    unknown = client(azure, registry, credential=None)
    assert refusal(unknown.get_repository_properties, "public/app")[0] == 401
    management.registries.begin_update("rg-acr", "acranonymous", {"properties": {"anonymousPullEnabled": True}}).result()
    assert unknown.get_repository_properties("public/app").tag_count == 1
    assert unknown.get_manifest("public/app", "v1").media_type == OCI_IMAGE
    with pytest.raises(HttpResponseError):
        unknown.delete_tag("public/app", "v1")


def test_a_scope_map_says_what_a_token_may(azure, management, registry):
    maps, tokens = management.scope_maps, management.tokens
    system = {one.name for one in maps.list("rg-acr", "acrtests")}
    assert system >= {"_repositories_pull", "_repositories_push", "_repositories_admin"}
    reads = {"properties": {"actions": ["repositories/team/*/content/read", "repositories/team/*/metadata/read"]}}
    made = maps.begin_create("rg-acr", "acrtests", "teamreads", reads).result()
    wrong = {"properties": {"actions": ["repositories/team/all"]}}
    assert refusal(maps.begin_create, "rg-acr", "acrtests", "wrongmap", wrong)[0] == 400
    tokens.begin_create("rg-acr", "acrtests", "teamtoken", {"properties": {"scopeMapId": made.id}}).result()
    token_id = f"{registry.id}/tokens/teamtoken"
    expires = azure.control("GET", "clock")["now"][:11].replace("2026", "2027") + "00:00:00Z"
    shown = management.registries.begin_generate_credentials("rg-acr", "acrtests", {"tokenId": token_id, "expiry": expires}).result()
    assert shown.username == "teamtoken" and len(shown.passwords) == 2
    basic = ("teamtoken", shown.passwords[0].value)
    push_image(registry, "team/app", "v1")
    assert ask(registry, "GET", "/v2/team/app/manifests/v1", basic=basic).status_code == 200
    assert ask(registry, "GET", "/acr/v1/team/app/_tags", basic=basic).status_code == 200
    assert ask(registry, "GET", "/v2/other/manifests/v1", basic=basic).status_code == 401
    assert ask(registry, "POST", "/v2/team/app/blobs/uploads/", basic=basic).status_code == 401
    assert ask(registry, "GET", "/v2/_catalog", basic=basic).status_code == 401
    assert tokens.get("rg-acr", "acrtests", "teamtoken").credentials.passwords[0].value is None
    assert refusal(maps.begin_delete, "rg-acr", "acrtests", "teamreads")[0] == 409
    tokens.begin_update("rg-acr", "acrtests", "teamtoken", {"properties": {"status": "disabled"}}).result()
    assert ask(registry, "GET", "/v2/", basic=basic).status_code == 401
    tokens.begin_delete("rg-acr", "acrtests", "teamtoken").result()
    maps.begin_delete("rg-acr", "acrtests", "teamreads").result()


# --- roles -----------------------------------------------------------------------------------------------------------


def identity(azure, name):
    """A managed identity, with a way to its tokens: a federated credential of local Azure's own issuer."""
    path = f"{azure.group('rg-acr')}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    made = azure.put(path, "2023-01-31", {"location": "westeurope"})["properties"]
    issued = azure.control("POST", "assertion", {"subject": name, "audience": "api://AzureADTokenExchange"})
    issuer = token_claims(issued["assertion"])["iss"]
    credential = {"properties": {"issuer": issuer, "subject": name, "audiences": ["api://AzureADTokenExchange"]}}
    azure.put(f"{path}/federatedIdentityCredentials/own", "2023-01-31", credential)
    form = {
        "grant_type": "client_credentials",
        "client_id": made["clientId"],
        "client_assertion": issued["assertion"],
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "scope": "https://containerregistry.azure.net/.default",
    }
    token = requests.post(f"{azure.url}/{azure.env['TENANT_ID']}/oauth2/v2.0/token", data=form, timeout=60)
    assert token.status_code == 200, token.text
    return SimpleNamespace(principal=made["principalId"], token=token.json()["access_token"])


def granted(registry, token, repository="app"):
    """The actions that somebody gets of all there are."""
    exchanged = refresh_token(registry, token)
    if exchanged.status_code != 200:
        return None
    access = access_token(registry, f"repository:{repository}:pull,push,delete", refresh=exchanged.json()["refresh_token"])
    return [action for entry in token_claims(access)["access"] for action in entry["actions"]]


@pytest.mark.parametrize(
    ("role", "actions"),
    [(ACR_PULL, ["pull"]), (ACR_PUSH, ["pull", "push"]), (ACR_DELETE, ["delete"]), (READER, ["pull"]), (REPOSITORY_READER, None)],
)
def test_roles_give_actions(azure, registry, role, actions):
    somebody = identity(azure, f"id-{role[:8]}")
    assert granted(registry, somebody.token) is None, "without a role nobody gets in"
    azure.grant(role, registry.id, somebody.principal)
    assert granted(registry, somebody.token) == actions


def test_a_registry_of_repository_roles_takes_no_others(azure):
    registry = create(azure, "acrabac", "Basic", roleAssignmentMode="AbacRepositoryPermissions")
    assert granted(registry, azure.token()) is None, "the owner has no data role"
    somebody = identity(azure, "id-abac")
    azure.grant(ACR_PULL, registry.id, somebody.principal)
    assert granted(registry, somebody.token) is None
    azure.grant(REPOSITORY_READER, registry.id, somebody.principal)
    assert granted(registry, somebody.token) == ["pull"]


def test_a_closed_registry_lets_nobody_in(azure, management):
    registry = create(azure, "acrclosed", publicNetworkAccess="Disabled")
    answer = ask(registry, "GET", "/v2/")
    assert errors(answer) == (403, "DENIED")
    rules = {"defaultAction": "Deny", "ipRules": [{"action": "Allow", "value": "127.0.0.0/8"}]}
    open_to_us = {"properties": {"publicNetworkAccess": "Enabled", "networkRuleSet": rules}}
    management.registries.begin_update("rg-acr", "acrclosed", open_to_us).result()
    assert ask(registry, "GET", "/v2/").status_code == 401


# --- the distribution protocol ---------------------------------------------------------------------------------------


def test_a_blob_goes_up_in_pieces(registry):
    token = all_of(registry, "pieces")
    begun = ask(registry, "POST", "/v2/pieces/blobs/uploads/", token)
    assert (begun.status_code, begun.headers["Range"]) == (202, "0-0")
    place = begun.headers["Location"]
    assert begun.headers["Docker-Upload-UUID"] in place
    first = ask(registry, "PATCH", place, token, data=b"hello", headers={"Content-Range": "0-4"})
    assert (first.status_code, first.headers["Range"]) == (202, "0-4")
    gap = ask(registry, "PATCH", place, token, data=b"late", headers={"Content-Range": "9-12"})
    assert (gap.status_code, gap.headers["Range"]) == (416, "0-4")
    again = ask(registry, "PATCH", place, token, data=b"hello", headers={"Content-Range": "0-4"})
    assert again.status_code == 416
    status = ask(registry, "GET", place, token)
    assert (status.status_code, status.headers["Range"]) == (204, "0-4")
    wrong = ask(registry, "PUT", place, token, params={"digest": digest_of(b"other")}, data=b" world")
    assert errors(wrong) == (400, "DIGEST_INVALID")
    right = digest_of(b"hello world")
    done = ask(registry, "PUT", place, token, params={"digest": right}, data=b" world")
    assert (done.status_code, done.headers["Docker-Content-Digest"]) == (201, right)
    assert done.headers["Location"].endswith(f"/v2/pieces/blobs/{right}")
    assert errors(ask(registry, "GET", place, token)) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_an_upload_can_be_given_up(registry):
    token = all_of(registry, "givenup")
    place = ask(registry, "POST", "/v2/givenup/blobs/uploads/", token).headers["Location"]
    assert ask(registry, "DELETE", place, token).status_code == 204
    assert errors(ask(registry, "PATCH", place, token, data=b"x")) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert errors(ask(registry, "PUT", f"/v2/givenup/blobs/uploads/none?digest={digest_of(b'')}", token)) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_blobs_have_ranges_and_heads(registry):
    token = all_of(registry, "ranges")
    blob = push_blob(registry, "ranges", b"hello world", token)
    path = f"/v2/ranges/blobs/{blob['digest']}"
    head = ask(registry, "HEAD", path, token)
    assert (head.status_code, head.headers["Content-Length"], head.headers["Docker-Content-Digest"]) == (200, "11", blob["digest"])
    part = ask(registry, "GET", path, token, headers={"Range": "bytes=6-"})
    assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, b"world", "bytes 6-10/11")
    beyond = ask(registry, "GET", path, token, headers={"Range": "bytes=20-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */11")
    none = ask(registry, "HEAD", f"/v2/ranges/blobs/{digest_of(b'none')}", token)
    assert none.status_code == 404
    assert errors(ask(registry, "GET", f"/v2/ranges/blobs/{digest_of(b'none')}", token)) == (404, "BLOB_UNKNOWN")
    assert errors(ask(registry, "GET", "/v2/ranges/blobs/sha256:xyz", token)) == (400, "DIGEST_INVALID")
    assert ask(registry, "DELETE", path, token).status_code == 202
    assert ask(registry, "HEAD", path, token).status_code == 404


def test_blobs_are_mounted_from_where_they_may_be_pulled(registry):
    blob = push_blob(registry, "library", b"shared layer", all_of(registry, "library"))
    query = {"mount": blob["digest"], "from": "library"}
    both = access_token(registry, "repository:library:pull", "repository:mounted:pull,push")
    mounted = ask(registry, "POST", "/v2/mounted/blobs/uploads/", both, params=query)
    assert (mounted.status_code, mounted.headers["Docker-Content-Digest"]) == (201, blob["digest"])
    # without the right over the source, of what is not there, or from nowhere: an upload begins
    alone = access_token(registry, "repository:mounted2:pull,push")
    assert ask(registry, "POST", "/v2/mounted2/blobs/uploads/", alone, params=query).status_code == 202
    missing = {"mount": digest_of(b"missing"), "from": "library"}
    assert ask(registry, "POST", "/v2/mounted/blobs/uploads/", both, params=missing).status_code == 202
    nowhere = {"mount": blob["digest"]}
    assert ask(registry, "POST", "/v2/mounted/blobs/uploads/", both, params=nowhere).status_code == 202


def test_manifests_are_checked(registry):
    token = all_of(registry, "checked")
    config = push_blob(registry, "checked", b"{}", token)
    manifest = {"schemaVersion": 2, "mediaType": OCI_IMAGE, "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config}, "layers": []}

    def put(reference, body, kind=OCI_IMAGE):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return ask(registry, "PUT", f"/v2/checked/manifests/{reference}", token, data=data, headers={"Content-Type": kind})

    assert errors(put("v1", b"no json")) == (400, "MANIFEST_INVALID")
    assert errors(put("v1", {**manifest, "schemaVersion": 1})) == (400, "MANIFEST_INVALID")
    assert errors(put("v1", manifest, DOCKER_IMAGE)) == (400, "MANIFEST_INVALID")
    missing = {**manifest, "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest_of(b"none"), "size": 4}]}
    assert errors(put("v1", missing)) == (400, "MANIFEST_BLOB_UNKNOWN")
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{"mediaType": OCI_IMAGE, "digest": digest_of(b"none"), "size": 4}]}
    assert errors(put("v1", index, OCI_INDEX)) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert errors(put(digest_of(b"other"), manifest)) == (400, "DIGEST_INVALID")
    assert errors(put("-bad", manifest)) == (400, "TAG_INVALID")
    assert errors(put("v1", b" " * (4 << 20) + b"{}"))[0] == 413
    assert put("v1", manifest).status_code == 201
    assert errors(ask(registry, "PUT", "/v2/Upper/manifests/v1", token, data=b"{}")) == (400, "NAME_INVALID")
    assert errors(ask(registry, "GET", "/v2/checked/manifests/none", token)) == (404, "MANIFEST_UNKNOWN")
    assert errors(ask(registry, "GET", "/v2/never/tags/list", all_of(registry, "never"))) == (404, "NAME_UNKNOWN")


def test_manifests_are_served_as_what_they_are(registry):
    amd = push_image(registry, "kinds", None, "amd", DOCKER_IMAGE)
    arm = push_image(registry, "kinds", None, "arm", DOCKER_IMAGE)
    entry = lambda image, cpu: {"mediaType": DOCKER_IMAGE, "digest": image.digest, "size": len(image.body), "platform": {"os": "linux", "architecture": cpu}}
    index = {"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [entry(arm, "arm64"), entry(amd, "amd64")]}
    listed = put_manifest(registry, "kinds", "multi", index)
    push_image(registry, "kinds", "oci")
    token = all_of(registry, "kinds")
    get = lambda reference, accept: ask(registry, "GET", f"/v2/kinds/manifests/{reference}", token, headers={"Accept": accept})
    whole = get("multi", f"{DOCKER_LIST}, {DOCKER_IMAGE}")
    assert (whole.content, whole.headers["Content-Type"]) == (listed.body, DOCKER_LIST)
    assert whole.headers["Docker-Content-Digest"] == listed.digest
    assert get("multi", DOCKER_IMAGE).headers["Docker-Content-Digest"] == amd.digest, "a client that knows no lists gets linux/amd64"
    refused = get("oci", DOCKER_IMAGE)
    assert errors(refused) == (404, "MANIFEST_UNKNOWN")
    assert refused.json()["errors"][0]["message"] == "OCI manifest found, but accept header does not support OCI manifests"
    head = ask(registry, "HEAD", "/v2/kinds/manifests/multi", token, headers={"Accept": DOCKER_LIST})
    assert (head.headers["Content-Length"], head.content) == (str(len(listed.body)), b"")


def test_tags_and_repositories_come_in_pages(registry):
    for tag in ["a", "b", "c"]:
        push_image(registry, "paged", tag, tag)
    token = all_of(registry, "paged")
    page = ask(registry, "GET", "/v2/paged/tags/list?n=2", token)
    assert page.json() == {"name": "paged", "tags": ["a", "b"]}
    assert page.headers["Link"] == '</v2/paged/tags/list?last=b&n=2>; rel="next"'
    rest = ask(registry, "GET", "/v2/paged/tags/list?last=b&n=2", token)
    assert rest.json()["tags"] == ["c"] and "Link" not in rest.headers
    assert errors(ask(registry, "GET", "/v2/paged/tags/list?n=x", token)) == (400, "PAGINATION_NUMBER_INVALID")
    catalog = access_token(registry, "registry:catalog:*")
    first = ask(registry, "GET", "/v2/_catalog?n=1", catalog)
    assert len(first.json()["repositories"]) == 1 and 'rel="next"' in first.headers["Link"]


def test_referrers_are_found_by_their_subject(registry):
    image = push_image(registry, "signed", "v1")
    subject = {"mediaType": OCI_IMAGE, "digest": image.digest, "size": len(image.body)}
    signature = push_image(registry, "signed", None, "signature", subject=subject, artifact_type="application/vnd.cncf.notary.signature")
    push_image(registry, "signed", None, "sbom", subject=subject, artifact_type="application/spdx+json")
    assert signature.answer.headers["OCI-Subject"] == image.digest
    token = all_of(registry, "signed")
    path = f"/v2/signed/referrers/{image.digest}"
    found = ask(registry, "GET", path, token)
    assert found.headers["Content-Type"] == OCI_INDEX and len(found.json()["manifests"]) == 2
    some = ask(registry, "GET", path + "?artifactType=application/spdx%2Bjson", token)
    assert some.headers["OCI-Filters-Applied"] == "artifactType"
    assert [one["artifactType"] for one in some.json()["manifests"]] == ["application/spdx+json"]
    assert ask(registry, "GET", f"/v2/signed/referrers/{digest_of(b'nothing')}", token).json()["manifests"] == []
    assert errors(ask(registry, "GET", "/v2/signed/referrers/nonsense", token))[0] == 400
    # what refers to an image goes with it
    assert ask(registry, "DELETE", f"/v2/signed/manifests/{image.digest}", token).status_code == 202
    assert ask(registry, "GET", f"/v2/signed/manifests/{signature.digest}", token).status_code == 404


def test_a_manifest_is_deleted_by_digest_only(registry):
    image = push_image(registry, "deleted", "v1")
    token = all_of(registry, "deleted")
    assert errors(ask(registry, "DELETE", "/v2/deleted/manifests/v1", token)) == (405, "UNSUPPORTED")
    assert ask(registry, "DELETE", f"/v2/deleted/manifests/{image.digest}", token).status_code == 202
    assert errors(ask(registry, "DELETE", f"/v2/deleted/manifests/{image.digest}", token))[0] == 404


# --- Microsoft's client ----------------------------------------------------------------------------------------------


def test_microsofts_client_pushes_and_pulls(images, registry):
    layer = os.urandom(5 << 20)
    config_digest, config_size = images.upload_blob("sdk", io.BytesIO(b'{"os": "linux", "architecture": "arm64"}'))
    layer_digest, layer_size = images.upload_blob("sdk", io.BytesIO(layer))
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": config_size},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer_digest, "size": layer_size}],
    }
    digest = images.set_manifest("sdk", manifest, tag="v1")
    assert images.get_manifest("sdk", "v1").digest == digest
    assert b"".join(images.download_blob("sdk", layer_digest)) == layer
    known = images.get_manifest_properties("sdk", "v1")
    assert (known.digest, known.tags, known.architecture, known.operating_system) == (digest, ["v1"], "arm64", "linux")
    assert known.size_in_bytes == config_size + layer_size
    assert "sdk" in list(images.list_repository_names())
    images.delete_blob("sdk", layer_digest)
    with pytest.raises(ResourceNotFoundError):
        b"".join(images.download_blob("sdk", layer_digest))


def test_microsofts_client_lists_and_deletes(images, registry, azure):
    for tag in ["one", "two", "three"]:
        push_image(registry, "lists", tag, tag)
        azure.advance("PT1S")
    newest = images.list_tag_properties("lists", order_by=ArtifactTagOrder.LAST_UPDATED_ON_DESCENDING, results_per_page=2)
    assert [tag.name for tag in newest] == ["three", "two", "one"]
    assert len(list(images.list_manifest_properties("lists"))) == 3
    shown = images.get_repository_properties("lists")
    assert (shown.tag_count, shown.manifest_count) == (3, 3)
    images.delete_tag("lists", "one")
    assert images.get_repository_properties("lists").manifest_count == 3, "untagged manifests stay"
    images.delete_manifest("lists", images.get_tag_properties("lists", "two").digest)
    assert [tag.name for tag in images.list_tag_properties("lists")] == ["three"]
    assert refusal(images.get_tag_properties, "lists", "two")[0] == 404
    images.delete_repository("lists")
    assert refusal(images.get_repository_properties, "lists")[0] == 404


def test_locks_hold_against_every_right(images, registry):
    image = push_image(registry, "locked", "v1")
    images.update_tag_properties("locked", "v1", can_write=False)
    token = all_of(registry, "locked")
    refused = ask(registry, "PUT", "/v2/locked/manifests/v1", token, data=image.body.replace(b"amd64", b"amd65") + b" ", headers={"Content-Type": OCI_IMAGE})
    assert refused.status_code == 405
    assert refusal(images.delete_tag, "locked", "v1")[0] == 405
    images.update_tag_properties("locked", "v1", can_write=True)
    images.update_repository_properties("locked", can_delete=False)
    assert refusal(images.delete_repository, "locked")[0] == 405
    push_image(registry, "locked", "v2", "two")
    images.delete_tag("locked", "v2")
    images.update_manifest_properties("locked", image.digest, can_read=False)
    assert ask(registry, "GET", "/v2/locked/manifests/v1", token).status_code == 405


# --- import ---------------------------------------------------------------------------------------------------------


def test_images_are_imported_from_another_registry(azure, management, registry):
    source = create(azure, "acrsource", "Basic")
    image = push_image(source, "library/app", "v1")
    body = {"source": {"resourceId": source.id, "sourceImage": "library/app:v1"}, "targetTags": ["imported/app:v1"]}
    management.registries.begin_import_image("rg-acr", "acrtests", body).result()
    token = all_of(registry, "imported/app")
    assert ask(registry, "GET", "/v2/imported/app/manifests/v1", token).content == image.body
    assert refusal(management.registries.begin_import_image, "rg-acr", "acrtests", body) == (409, "Conflict")
    management.registries.begin_import_image("rg-acr", "acrtests", {**body, "mode": "Force"}).result()
    none = {"source": {"resourceId": source.id, "sourceImage": "library/none:v1"}, "targetTags": ["x:v1"]}
    assert refusal(management.registries.begin_import_image, "rg-acr", "acrtests", none)[0] == 404
    by_digest = {"source": {"registryUri": source.host, "sourceImage": f"library/app@{image.digest}"}, "untaggedTargetRepositories": ["bare"]}
    management.registries.begin_import_image("rg-acr", "acrtests", by_digest).result()
    assert ask(registry, "GET", f"/v2/bare/manifests/{image.digest}", all_of(registry, "bare")).status_code == 200
    assert ask(registry, "GET", "/v2/bare/tags/list", all_of(registry, "bare")).json()["tags"] == []


# --- the command line -------------------------------------------------------------------------------------


def test_az_shows_and_changes_repositories(azure, az, registry):
    image = push_image(registry, "cli/app", "v1")
    push_image(registry, "cli/app", "v2", "two")
    assert "cli/app" in az("acr", "repository", "list", "-n", "acrtests")
    assert az("acr", "repository", "show-tags", "-n", "acrtests", "--repository", "cli/app") == ["v1", "v2"]
    shown = az("acr", "repository", "show", "-n", "acrtests", "--image", "cli/app:v1")
    assert shown["digest"] == image.digest and shown["changeableAttributes"]["deleteEnabled"]
    listed = az("acr", "manifest", "list-metadata", "-r", "acrtests", "-n", "cli/app")
    assert {one["architecture"] for one in listed} == {"amd64"} and listed[0]["imageSize"] > 0
    az("acr", "repository", "update", "-n", "acrtests", "--image", "cli/app:v1", "--write-enabled", "false")
    assert "disallowed" in az.refused("acr", "repository", "delete", "-n", "acrtests", "--image", "cli/app:v1", "-y").text
    az("acr", "repository", "untag", "-n", "acrtests", "--image", "cli/app:v2")
    assert az("acr", "repository", "show-tags", "-n", "acrtests", "--repository", "cli/app") == ["v1"]


def test_az_makes_tokens_and_logs_in(azure, az, registry):
    made = az("acr", "token", "create", "-r", "acrtests", "-n", "clitoken", "--repository", "cli/app", "content/read", "metadata/read")
    password = made["credentials"]["passwords"][0]["value"]
    push_image(registry, "cli/app", "v3", "three")
    tags = az("acr", "repository", "show-tags", "-n", "acrtests", "--repository", "cli/app", "-u", "clitoken", "-p", password)
    assert "v3" in tags
    exposed = az("acr", "login", "-n", "acrtests", "--expose-token")
    assert exposed["loginServer"] == registry.host and exposed["username"] == NOBODY
    access_token(registry, "repository:cli/app:pull", refresh=exposed["refreshToken"])
    refused = az.refused("acr", "build", "-r", "acrtests", "-t", "app:v1", "https://github.com/Azure-Samples/acr-build-helloworld-node.git")
    assert "TasksOperationsNotAllowed" in refused.text


# --- as time goes by: clients above hold tokens that expire here ------------------------------------------------------


def test_what_is_deleted_softly_comes_back_until_its_days_are_over(azure):
    registry = create(azure, "acrsoft", "Basic", policies={"softDeletePolicy": {"status": "enabled", "retentionDays": 3}})
    image = push_image(registry, "app", "v1")
    client(azure, registry).delete_repository("app")
    token = access_token(registry, "repository:app:deleted_read,deleted_restore,pull,push", "registry:deleted_catalog:*")
    assert ask(registry, "GET", "/acr/v1/_deleted/_catalog", token).json()["repositories"] == ["app"]
    deleted = ask(registry, "GET", "/acr/v1/_deleted/app/_manifests", token).json()["manifests"]
    assert [one["digest"] for one in deleted] == [image.digest]
    again = ask(registry, "PUT", "/v2/app/manifests/v1", token, data=image.body, headers={"Content-Type": OCI_IMAGE})
    assert again.status_code in (400, 409), "it is restored, not pushed again"
    restored = ask(registry, "POST", f"/acr/v1/_deleted/app/_manifests/{image.digest}?force=False", token, json={"tag": "v1"})
    assert restored.status_code == 202
    assert ask(registry, "GET", "/v2/app/manifests/v1", token).content == image.body
    client(azure, registry).delete_repository("app")
    azure.advance("P3D")
    token = access_token(registry, "repository:app:deleted_read,deleted_restore")
    assert ask(registry, "GET", "/acr/v1/_deleted/app/_manifests", token).json()["manifests"] == []
    management = azure.management(ContainerRegistryManagementClient)
    assert refusal(management.registries.begin_update, "rg-acr", "acrsoft", {"properties": {"policies": {"softDeletePolicy": {"retentionDays": 91}}}})[0] == 400


def test_untagged_manifests_go_when_the_retention_policy_says_so(azure):
    registry = create(azure, "acrretain", policies={"retentionPolicy": {"status": "enabled", "days": 2}})
    first = push_image(registry, "app", "v1", "one")
    second = push_image(registry, "app", "v1", "two")
    azure.advance("P1D")
    token = all_of(registry, "app")
    assert ask(registry, "GET", f"/v2/app/manifests/{first.digest}", token).status_code == 200
    azure.advance("P1DT1M")
    token = all_of(registry, "app")
    assert ask(registry, "GET", f"/v2/app/manifests/{first.digest}", token).status_code == 404
    assert ask(registry, "GET", f"/v2/app/manifests/{second.digest}", token).status_code == 200
