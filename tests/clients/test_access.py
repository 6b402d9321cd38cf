"""Azure's access control as Microsoft's clients see it: who may do what, over what, from when on."""

import uuid

import pytest
import requests
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.msi import ManagedServiceIdentityClient
from conftest import refusal

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
ACCESS_ADMINISTRATOR = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
RBAC_ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
SECRETS_OFFICER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
EXCHANGE = "api://AzureADTokenExchange"
API = "2022-04-01"


class Somebody:
    """A second principal: a managed identity that signs in with an assertion of the local issuer."""

    def __init__(self, azure, name):
        self.azure = azure
        azure.group("rg-people")
        msi = azure.management(ManagedServiceIdentityClient)
        made = msi.user_assigned_identities.create_or_update("rg-people", name, {"location": "westeurope"})
        self.id, self.client_id = made.principal_id, made.client_id
        issuer = self.assertion()["issuer"]
        properties = {"issuer": issuer, "subject": name, "audiences": [EXCHANGE]}
        self.subject = name
        msi.federated_identity_credentials.create_or_update("rg-people", name, "local", {"properties": properties})

    def assertion(self):
        return self.azure.control("POST", "assertion", {"subject": getattr(self, "subject", "x"), "audience": EXCHANGE})

    def token(self, resource=None):
        answer = requests.post(
            f"{self.azure.url}/{self.azure.env['TENANT_ID']}/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": self.client_id,
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": self.assertion()["assertion"],
                "scope": (resource or self.azure.url) + "/.default",
            },
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]

    def arm(self, method, path, api="2024-11-01", body=None):
        return self.azure.arm(method, path, api, body, token=self.token())


@pytest.fixture(scope="module")
def group(azure):
    return azure.group("rg-access")


@pytest.fixture(scope="module")
def authorization(azure):
    return azure.management(AuthorizationManagementClient)


def definition(azure, role):
    return f"{azure.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"


def assign(azure, scope, role, principal, name=None, **properties):
    path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name or uuid.uuid4()}"
    sent = {"roleDefinitionId": definition(azure, role), "principalId": principal, **properties}
    return azure.arm("PUT", path, API, {"properties": sent})


def refused(answer):
    return answer.status_code, answer.json()["error"]["code"]


def identity(group, name):
    return f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"


def test_nobody_may_anything_without_a_role(azure, group):
    somebody = Somebody(azure, "nobody")
    answer = somebody.arm("GET", group)
    assert refused(answer) == (403, "AuthorizationFailed")
    message = answer.json()["error"]["message"]
    assert message.startswith(f"The client '{somebody.client_id}' with object id '{somebody.id}' does not have authorization")
    assert f"to perform action 'Microsoft.Resources/subscriptions/resourceGroups/read' over scope '{group}'" in message
    assert message.endswith("If access was recently granted, please refresh your credentials.")
    listed = somebody.arm("GET", azure.subscription + "/resourceGroups")
    assert listed.status_code == 403 or listed.json()["value"] == []


def test_a_reader_reads_and_changes_nothing(azure, group):
    somebody = Somebody(azure, "reader")
    azure.grant(READER, group, somebody.id)
    assert somebody.arm("GET", group).status_code == 200
    sent = {"location": "westeurope"}
    assert refused(somebody.arm("PUT", identity(group, "id-x"), "2023-01-31", sent)) == (403, "AuthorizationFailed")
    assert refused(somebody.arm("DELETE", group)) == (403, "AuthorizationFailed")
    assert refused(somebody.arm("PATCH", group, body={"tags": {"a": "b"}})) == (403, "AuthorizationFailed")
    assert refused(somebody.arm("GET", azure.group("rg-access-other"))) == (403, "AuthorizationFailed")


def test_a_contributor_makes_all_but_access(azure, group):
    somebody = Somebody(azure, "contributor")
    azure.grant(CONTRIBUTOR, group, somebody.id)
    assert somebody.arm("PUT", identity(group, "id-made"), "2023-01-31", {"location": "westeurope"}).status_code == 201
    path = f"{group}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    sent = {"properties": {"roleDefinitionId": definition(azure, OWNER), "principalId": somebody.id}}
    answer = somebody.arm("PUT", path, API, sent)
    assert refused(answer) == (403, "AuthorizationFailed")
    assert f"'Microsoft.Authorization/roleAssignments/write' over scope '{path}'" in answer.json()["error"]["message"]
    lock = f"{group}/providers/Microsoft.Authorization/locks/l"
    assert refused(somebody.arm("PUT", lock, "2020-05-01", {"properties": {"level": "ReadOnly"}})) == (403, "AuthorizationFailed")
    assert somebody.arm("GET", f"{group}/providers/Microsoft.Authorization/roleAssignments", API).status_code == 200


@pytest.mark.parametrize("scope", ["subscription", "group", "resource"])
def test_a_role_is_inherited_downwards(azure, group, scope):
    somebody = Somebody(azure, "heir-" + scope)
    target = identity(group, "id-target")
    azure.put(target, "2023-01-31", {"location": "westeurope"})
    azure.grant(READER, {"subscription": azure.subscription, "group": group, "resource": target}[scope], somebody.id)
    assert somebody.arm("GET", target, "2023-01-31").status_code == 200
    assert somebody.arm("GET", group).status_code == (403 if scope == "resource" else 200)


def test_a_role_taken_away_works_no_more(azure, group):
    somebody = Somebody(azure, "brief")
    path = azure.grant(READER, group, somebody.id)
    assert somebody.arm("GET", group).status_code == 200
    assert azure.arm("DELETE", path, API).status_code == 200
    assert azure.arm("DELETE", path, API).status_code == 204
    assert refused(somebody.arm("GET", group)) == (403, "AuthorizationFailed")


def test_data_and_control_are_two_things(azure, group):
    somebody = Somebody(azure, "data")
    tenant = azure.env["TENANT_ID"]
    vault = f"{group}/providers/Microsoft.KeyVault/vaults/kv-access"
    properties = {"tenantId": tenant, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}
    azure.put(vault, "2024-11-01", {"location": "westeurope", "properties": properties})
    azure.grant(OWNER, vault, somebody.id)
    address = f"https://kv-access.{azure.env['KEYVAULT_SUFFIX'].lstrip('.')}/secrets"

    def send(method, name):
        headers = {"Authorization": "Bearer " + somebody.token("https://vault.azure.net")}
        body = {"value": "x"} if method == "PUT" else None
        return requests.request(method, f"{address}/{name}?api-version=7.4", headers=headers, json=body).status_code

    assert send("PUT", "one") == 403
    officer = azure.grant(SECRETS_OFFICER, vault, somebody.id)
    assert send("PUT", "one") == 200 and send("PUT", "two") == 200
    azure.arm("DELETE", officer, API)
    azure.grant(SECRETS_USER, vault + "/secrets/one", somebody.id)
    assert (send("GET", "one"), send("GET", "two"), send("PUT", "one")) == (200, 403, 403)


def test_an_assignment_is_made_once(azure, group):
    somebody, name = Somebody(azure, "once"), uuid.uuid4()
    assert assign(azure, group, READER, somebody.id, name).status_code == 201
    assert assign(azure, group, READER, somebody.id, name, description="again").status_code in (200, 201)
    assert refused(assign(azure, group, READER, somebody.id)) == (409, "RoleAssignmentExists")
    assert refused(assign(azure, group, CONTRIBUTOR, somebody.id, name)) == (400, "RoleAssignmentUpdateNotPermitted")
    other = Somebody(azure, "other")
    assert refused(assign(azure, group, READER, other.id, name)) == (400, "RoleAssignmentUpdateNotPermitted")
    assert assign(azure, group, READER, other.id).status_code == 201


def test_what_an_assignment_cannot_be(azure, group):
    somebody, stranger = Somebody(azure, "some"), str(uuid.uuid4())
    assert refused(assign(azure, group, str(uuid.uuid4()), somebody.id)) == (404, "RoleDefinitionDoesNotExist")
    assert refused(assign(azure, group, READER, stranger)) == (400, "PrincipalNotFound")
    assert assign(azure, group, READER, stranger, principalType="ServicePrincipal").status_code == 201
    assert refused(assign(azure, group, READER, "me")) == (400, "InvalidPrincipalId")
    assert refused(assign(azure, group, READER, somebody.id, principalType="User")) == (400, "UnmatchedPrincipalType")
    assert refused(assign(azure, group, READER, somebody.id, name="name")) == (400, "InvalidRoleAssignmentId")
    gone = azure.subscription + "/resourceGroups/rg-none"
    assert refused(assign(azure, gone, READER, somebody.id)) == (404, "ResourceGroupNotFound")


def test_assignments_are_shown_and_listed_by_scope_and_principal(azure, group, authorization):
    somebody = Somebody(azure, "listed")
    path = azure.grant(READER, group, somebody.id)
    found = authorization.role_assignments.get_by_id(path)
    assert (found.principal_id, found.principal_type, found.scope) == (somebody.id, "ServicePrincipal", group)
    assert found.role_definition_id.endswith(READER) and found.type == "Microsoft.Authorization/roleAssignments"
    assert found.created_by == azure.object_id() and found.created_on
    of = lambda scope, text=None: [it.id for it in authorization.role_assignments.list_for_scope(scope.lstrip("/"), filter=text)]
    assert path in of(group) and path in of(azure.subscription)
    assert path not in of(azure.subscription, "atScope()") and path in of(group, "atScope()")
    assert of(group, f"principalId eq '{somebody.id}'") == [path]
    assert of(group, f"assignedTo('{somebody.id}')") == [path]
    below = identity(group, "id-below")
    azure.put(below, "2023-01-31", {"location": "westeurope"})
    assert path in of(below)
    assert refusal(authorization.role_assignments.get_by_id, path[:-1] + ("0" if path[-1] != "0" else "1"))[0] == 404


def test_built_in_roles_are_listed_with_what_they_allow(azure, authorization):
    found = {it.role_name: it for it in authorization.role_definitions.list(azure.subscription.lstrip("/"))}
    assert found["Owner"].name == OWNER and found["Owner"].permissions[0].actions == ["*"]
    assert "Microsoft.Authorization/*/Write" in found["Contributor"].permissions[0].not_actions
    assert found["Reader"].role_type == "BuiltInRole" and found["Reader"].assignable_scopes == ["/"]
    named = list(authorization.role_definitions.list(azure.subscription.lstrip("/"), filter="roleName eq 'Key Vault Secrets User'"))
    assert [it.name for it in named] == [SECRETS_USER]
    assert authorization.role_definitions.get_by_id(definition(azure, READER)).role_name == "Reader"


def custom(azure, name, actions, **changed):
    key = changed.pop("key", str(uuid.uuid4()))
    properties = {
        "roleName": name,
        "description": "of the tests",
        "type": "CustomRole",
        "assignableScopes": [azure.subscription],
        "permissions": [{"actions": actions, "notActions": [], "dataActions": [], "notDataActions": []}],
        **changed,
    }
    return key, azure.arm("PUT", definition(azure, key), API, {"properties": properties})


def test_a_custom_role_allows_what_it_lists(azure, group):
    key, made = custom(azure, "tag reader", ["Microsoft.Resources/subscriptions/resourceGroups/read"])
    assert made.status_code == 201 and made.json()["properties"]["type"] == "CustomRole"
    somebody = Somebody(azure, "customer")
    path = azure.grant(key, group, somebody.id)
    assert somebody.arm("GET", group).status_code == 200
    assert refused(somebody.arm("PATCH", group, body={"tags": {}})) == (403, "AuthorizationFailed")
    custom(azure, "tag reader", ["Microsoft.Resources/subscriptions/resourceGroups/*"], key=key)
    assert somebody.arm("PATCH", group, body={"tags": {"a": "b"}}).status_code == 200
    assert refused(azure.arm("DELETE", definition(azure, key), API)) == (400, "RoleDefinitionHasAssignments")
    azure.arm("DELETE", path, API)
    assert azure.arm("DELETE", definition(azure, key), API).status_code == 200


def test_custom_roles_that_cannot_be(azure):
    custom(azure, "taken name", ["*/read"])
    assert refused(custom(azure, "Taken Name", ["*/read"])[1]) == (409, "RoleDefinitionWithSameNameExists")
    assert custom(azure, "no scopes", ["*/read"], assignableScopes=[])[1].status_code == 400
    assert custom(azure, "", ["*/read"])[1].status_code == 400
    assert refused(custom(azure, "wrong", ["read"])[1]) == (400, "InvalidActionOrNotAction")
    assert custom(azure, "mine", ["*"], key=READER)[1].status_code in (400, 403)


def test_who_may_assign_under_a_condition_assigns_no_more(azure, group):
    somebody, third = Somebody(azure, "delegate"), Somebody(azure, "third")
    condition = (
        "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR "
        "(@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {" + READER + "}))"
    )
    made = assign(azure, group, RBAC_ADMINISTRATOR, somebody.id, condition=condition, conditionVersion="2.0")
    assert made.status_code == 201 and made.json()["properties"]["condition"] == condition

    def delegate(role):
        path = f"{group}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        sent = {"roleDefinitionId": definition(azure, role), "principalId": third.id, "principalType": "ServicePrincipal"}
        return somebody.arm("PUT", path, API, {"properties": sent})

    assert delegate(READER).status_code == 201
    answer = delegate(OWNER)
    assert refused(answer) == (403, "AuthorizationFailed")
    assert "has an authorization with ABAC condition that is not fulfilled" in answer.json()["error"]["message"]


@pytest.mark.parametrize("condition, version", [("(nonsense", "2.0"), ("@Request[", "2.0"), ("true", "3.0"), ("true", None)])
def test_a_condition_must_be_one(azure, group, condition, version):
    somebody = Somebody(azure, "conditional")
    answer = assign(azure, group, RBAC_ADMINISTRATOR, somebody.id, condition=condition, conditionVersion=version)
    assert answer.status_code == 400, answer.text


def test_the_permissions_of_a_caller_are_told(azure, group, authorization):
    found = list(authorization.permissions.list_for_resource_group("rg-access"))
    assert any(it.actions == ["*"] for it in found)
    somebody = Somebody(azure, "told")
    azure.grant(READER, group, somebody.id)
    told = somebody.arm("GET", f"{group}/providers/Microsoft.Authorization/permissions", API).json()["value"]
    assert [it["actions"] for it in told] == [["*/read"]]


def test_a_deleted_group_takes_its_assignments_along(azure):
    somebody, brief = Somebody(azure, "survivor"), azure.group("rg-brief")
    azure.grant(READER, brief, somebody.id)
    azure.settle(azure.arm("DELETE", brief))
    azure.group("rg-brief")
    assert refused(somebody.arm("GET", brief)) == (403, "AuthorizationFailed")


def test_az_assigns_lists_and_takes_away(az, azure, group):
    somebody = Somebody(azure, "az-user")
    who = ("--assignee-object-id", somebody.id, "--assignee-principal-type", "ServicePrincipal")
    made = az("role", "assignment", "create", *who, "--role", "Reader", "--scope", group)
    assert made["principalId"] == somebody.id and made["scope"] == group
    plain = ("--fill-principal-name", "false", "--fill-role-definition-name", "false")
    listed = az("role", "assignment", "list", "--scope", group, *plain)
    assert made["id"] in [it["id"] for it in listed]
    az("role", "assignment", "delete", "--ids", made["id"])
    assert refused(somebody.arm("GET", group)) == (403, "AuthorizationFailed")
    roles = az("role", "definition", "list", "--name", "Key Vault Administrator")
    assert roles[0]["name"] == "00482a5a-887f-4fb3-b363-3b7fe8e74483"
    import json

    role = {"Name": "az role", "Description": "d", "Actions": ["*/read"], "AssignableScopes": [azure.subscription]}
    assert az("role", "definition", "create", "--role-definition", json.dumps(role))["roleName"] == "az role"
    assert [it["roleName"] for it in az("role", "definition", "list", "--custom-role-only")].count("az role") == 1
    az("role", "definition", "delete", "--name", "az role")
