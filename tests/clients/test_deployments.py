"""Template deployments at every scope, as Microsoft's Python clients and the Azure CLI see them."""

import json
import time

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from conftest import refusal

API = "2025-04-01"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
NSG = "Microsoft.Network/networkSecurityGroups"
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


def template(*resources, **parts):
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", **parts, "resources": list(resources)}


def identity(name, **more):
    return {"type": IDENTITY, "apiVersion": "2024-11-30", "name": name, "location": "westeurope", **more}


def nested(name, inner, **more):
    properties = {"mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"}, "template": inner}
    return {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": API,
        "name": name,
        **more,
        "properties": {**properties, **more.get("properties", {})},
    }


def body(template, parameters=None, mode="Incremental", **more):
    return {"properties": {"mode": mode, "template": template, "parameters": parameters or {}, **more}}


@pytest.fixture(scope="module")
def group(azure):
    return azure.group("rg")


@pytest.fixture(scope="module")
def client(azure, group):
    return azure.management(DeploymentsMgmtClient).deployments


def refused(call, *arguments, **named):
    """The whole error of a refusal: status and body."""
    with pytest.raises(HttpResponseError) as raised:
        call(*arguments, **named)
    response = raised.value.response
    return response.status_code, json.loads(response.text())["error"]


def deploy(azure, scope, name, sent):
    """Deploys by hand to its end, whatever that is, and returns the deployment."""
    path = f"{scope}/providers/Microsoft.Resources/deployments/{name}"
    answer = azure.arm("PUT", path, API, sent)
    assert answer.status_code in (200, 201), answer.text
    azure.settle(answer)
    return azure.arm("GET", path, API).json()


def outputs(azure, scope, name, sent):
    done = deploy(azure, scope, name, sent)
    assert done["properties"]["provisioningState"] == "Succeeded", done["properties"].get("error")
    return {name: output["value"] for name, output in done["properties"]["outputs"].items()}


def out(kind, value):
    return {"type": kind, "value": value}


# The life of a deployment.


def test_a_deployment_tells_what_it_made(azure, client):
    sent = body(template(identity("one"), outputs={"id": out("string", f"[resourceId('{IDENTITY}', 'one')]")}))
    done = client.begin_create_or_update("rg", "first", sent).result()
    assert done.properties.provisioning_state == "Succeeded"
    assert [it.id for it in done.properties.output_resources] == [done.properties.outputs["id"]["value"]]
    assert done.properties.providers[0].namespace == "Microsoft.ManagedIdentity"
    assert client.check_existence("rg", "first") and not client.check_existence("rg", "none")


def test_operations_tell_each_resource_and_the_outputs(azure, client):
    sent = body(template(identity("operated"), outputs={"x": out("int", 1)}))
    client.begin_create_or_update("rg", "ops", sent).result()
    operations = azure.management(DeploymentsMgmtClient).deployment_operations
    found = list(operations.list("rg", "ops"))
    assert [it.properties.provisioning_operation for it in found] == ["Create", "EvaluateDeploymentOutput"]
    assert found[0].properties.target_resource.resource_name == "operated"
    assert operations.get("rg", "ops", found[0].operation_id).properties.status_code == "Created"
    assert refusal(operations.get, "rg", "ops", "0000")[0] == 404


def test_deployments_are_listed_newest_first_and_filtered(azure):
    azure.group("rg-list")
    client = azure.management(DeploymentsMgmtClient).deployments
    for name in ("a", "b", "c"):
        client.begin_create_or_update("rg-list", name, body(template())).result()
    assert {it.name for it in client.list_by_resource_group("rg-list")} == {"a", "b", "c"}
    assert len(list(client.list_by_resource_group("rg-list", top=2))) == 3
    failed = "provisioningState eq 'Failed'"
    assert list(client.list_by_resource_group("rg-list", filter=failed)) == []
    path = f"{azure.subscription}/resourceGroups/rg-list/providers/Microsoft.Resources/deployments?$top=2"
    assert len(azure.arm("GET", path, API).json()["value"]) == 2


def test_a_deployment_is_deleted_and_its_resources_stay(azure, client, group):
    client.begin_create_or_update("rg", "gone", body(template(identity("stays")))).result()
    client.begin_delete("rg", "gone").result()
    assert refusal(client.get, "rg", "gone") == (404, "DeploymentNotFound")
    assert azure.arm("GET", f"{group}/providers/{IDENTITY}/stays", "2024-11-30").status_code == 200


def test_names_have_64_letters_digits_and_some_signs(azure, group):
    path = group + "/providers/Microsoft.Resources/deployments/"
    long = azure.arm("PUT", path + "x" * 65, API, body(template()))
    assert (long.status_code, long.json()["error"]["code"]) == (400, "DeploymentNameLengthLimitExceeded")
    odd = azure.arm("PUT", path + "a b", API, body(template()))
    assert (odd.status_code, odd.json()["error"]["code"]) == (400, "DeploymentNameInvalidCharacters")
    assert azure.arm("PUT", path + "a-b_c.(d)", API, body(template())).status_code == 201


def test_a_deployment_that_has_ended_cannot_be_cancelled(client):
    client.begin_create_or_update("rg", "ended", body(template())).result()
    assert refusal(client.cancel, "rg", "ended")[0] == 409


def test_the_template_of_a_deployment_is_exported_without_values(azure, client):
    whole = template(parameters={"secret": {"type": "securestring"}})
    client.begin_create_or_update("rg", "export", body(whole, {"secret": {"value": "hush"}})).result()
    exported = client.export_template("rg", "export").template
    assert exported == whole and "hush" not in json.dumps(exported)


def test_a_template_hash_follows_from_the_content(client):
    one, two = (client.calculate_template_hash(template(variables={"x": x})) for x in (1, 2))
    assert one.template_hash != two.template_hash and json.loads(one.minified_template)["variables"] == {"x": 1}


def test_secure_parameters_and_outputs_are_never_shown(azure, group, client):
    whole = template(
        parameters={"secret": {"type": "securestring"}, "open": {"type": "string"}},
        outputs={"hidden": out("securestring", "[parameters('secret')]"), "shown": out("string", "x")},
    )
    done = client.begin_create_or_update(
        "rg", "secure", body(whole, {"secret": {"value": "hush"}, "open": {"value": "o"}})
    ).result()
    assert "hush" not in json.dumps(done.as_dict())
    assert done.properties.parameters == {"secret": {"type": "SecureString"}, "open": {"type": "String", "value": "o"}}
    path = f"{group}/providers/Microsoft.Resources/deployments/secure/listOutputsWithSecureValues"
    assert azure.arm("POST", path, API).json() == {"hidden": "hush", "shown": "x"}


def test_a_failed_deployment_rolls_back_to_the_last_that_succeeded(azure):
    group = azure.group("rg-back")
    good = body(template(identity("good")))
    deploy(azure, group, "good", good)
    azure.arm("DELETE", f"{group}/providers/{IDENTITY}/good", "2024-11-30")
    bad = template({"type": "Microsoft.Network/virtualNetworks/subnets", "apiVersion": "2024-05-01", "name": "no/net"})
    failed = deploy(azure, group, "bad", body(bad, onErrorDeployment={"type": "LastSuccessful"}))
    assert failed["properties"]["provisioningState"] == "Failed"
    assert failed["properties"]["onErrorDeployment"]["deploymentName"] == "good"
    end = time.monotonic() + 10
    while azure.arm("GET", f"{group}/providers/{IDENTITY}/good", "2024-11-30").status_code != 200:
        assert time.monotonic() < end
        time.sleep(0.05)


# What is refused, and how.


def test_a_missing_parameter_is_named_with_its_place(client):
    whole = template(parameters={"size": {"type": "int"}})
    status, error = refused(client.begin_create_or_update, "rg", "bad", body(whole))
    assert (status, error["code"]) == (400, "InvalidTemplate")
    assert "The value for the template parameter 'size' at line '1' and column '" in error["message"]
    assert "is not provided. Please see https://aka.ms/arm-create-parameter-file for usage details." in error["message"]
    assert error["additionalInfo"][0]["type"] == "TemplateViolation"


def test_an_unknown_parameter_is_refused(client):
    status, error = refused(client.begin_create_or_update, "rg", "bad", body(template(), {"nope": {"value": 1}}))
    assert (status, error["code"]) == (400, "InvalidTemplate")
    assert "The template parameters 'nope' in the parameters file are not valid" in error["message"]


@pytest.mark.parametrize(
    ("definition", "value"),
    [
        ({"type": "string"}, 1),
        ({"type": "int"}, "1"),
        ({"type": "bool"}, "true"),
        ({"type": "array"}, {}),
        ({"type": "object"}, []),
        ({"type": "string", "allowedValues": ["a", "b"]}, "c"),
        ({"type": "string", "minLength": 3}, "ab"),
        ({"type": "string", "maxLength": 3}, "abcd"),
        ({"type": "int", "minValue": 2}, 1),
        ({"type": "int", "maxValue": 2}, 3),
    ],
)
def test_a_value_against_its_definition_is_refused(client, definition, value):
    whole = template(parameters={"p": definition})
    status, error = refused(client.begin_create_or_update, "rg", "bad", body(whole, {"p": {"value": value}}))
    assert (status, error["code"]) == (400, "InvalidTemplate")
    assert "'p'" in error["message"]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [({"": {"value": 1}}, "InvalidDeploymentParameterKey"), ({"p": "bare"}, "InvalidRequestContent")],
)
def test_parameters_of_the_wrong_shape_are_refused(client, parameters, code):
    whole = template(parameters={"p": {"type": "string", "defaultValue": "x"}})
    status, error = refused(client.begin_create_or_update, "rg", "bad", body(whole, parameters))
    assert (status, error["code"]) == (400, code)


def test_resources_that_need_each_other_are_refused(client):
    one, two = identity("a", dependsOn=["b"]), identity("b", dependsOn=["a"])
    status, error = refused(client.begin_create_or_update, "rg", "bad", body(template(one, two)))
    assert (status, error["code"]) == (400, "InvalidTemplate")
    assert "Circular dependency detected on resource" in error["message"]


def test_a_need_that_is_not_there_is_refused(client):
    status, error = refused(client.begin_create_or_update, "rg", "bad", body(template(identity("a", dependsOn=["b"]))))
    assert (status, error["code"]) == (400, "InvalidTemplate")
    assert "The resource 'b' is not defined in the template." in error["message"]


@pytest.mark.parametrize(
    ("part", "count", "limit"), [("parameters", 257, 256), ("outputs", 65, 64), ("variables", 513, 512)]
)
def test_a_template_has_limits(client, part, count, limit):
    one = {"parameters": {"type": "int", "defaultValue": 1}, "outputs": out("int", 1), "variables": 1}[part]
    whole = template(**{part: {f"x{at}": one for at in range(count)}})
    status, error = refused(client.begin_create_or_update, "rg", "bad", body(whole))
    assert (status, error["code"]) == (400, "InvalidTemplate")
    assert f"Limit: '{limit}' and actual: '{count}'" in error["message"]


def test_loops_have_800_turns_at_most(client):
    many = identity("[concat('i', copyIndex())]", copy={"name": "many", "count": 801})
    status, error = refused(client.begin_create_or_update, "rg", "bad", body(template(many)))
    assert (status, error["code"]) == (400, "InvalidTemplate")


def test_an_expression_has_24576_characters_at_most(client):
    whole = template(variables={"x": "[concat('" + "x" * 24_576 + "')]"}, outputs={"x": out("string", "[variables('x')]")})
    status, error = refused(client.begin_create_or_update, "rg", "bad", body(whole))
    assert (status, error["code"]) == (400, "InvalidTemplate") and "24576" in error["message"]


def test_more_than_four_megabytes_are_refused(azure, group):
    whole = template(variables={"x": "x" * (4 * 1024 * 1024)})
    answer = azure.arm("PUT", group + "/providers/Microsoft.Resources/deployments/big", API, body(whole))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "RequestContentTooLarge")


def test_a_failure_nests_its_cause(azure, client):
    subnet = {"type": "Microsoft.Network/virtualNetworks/subnets", "apiVersion": "2024-05-01", "name": "no/net"}
    with pytest.raises(HttpResponseError) as raised:
        client.begin_create_or_update("rg", "fails", body(template(nested("inner", template(subnet))))).result()
    assert raised.value.error.code == "DeploymentFailed"
    error = client.get("rg", "fails").properties.error
    assert error.code == "DeploymentFailed" and error.details[0].code == "ResourceDeploymentFailure"
    inner = error.details[0].details[0]
    assert inner.code == "DeploymentFailed" and inner.details[0].code == "ParentResourceNotFound"


def test_a_deployment_to_no_group_is_refused(client):
    assert refusal(client.begin_create_or_update, "rg-none", "d", body(template())) == (404, "ResourceGroupNotFound")


def test_a_location_is_for_scopes_above_groups(azure, client):
    status, error = refused(client.begin_create_or_update_at_subscription_scope, "d", body(template()))
    assert (status, error["code"]) == (400, "LocationRequired")
    sent = {**body(template()), "location": "mars"}
    status, error = refused(client.begin_create_or_update_at_subscription_scope, "d", sent)
    assert (status, error["code"]) == (400, "LocationNotAvailableForDeployment")


# Validation and what-if.


def test_a_valid_template_names_what_it_would_make(client):
    result = client.begin_validate("rg", "check", body(template(identity("new")))).result()
    assert result.properties.validated_resources[0].id.endswith("/new")
    assert refusal(client.get, "rg", "check") == (404, "DeploymentNotFound")


def test_what_if_tells_each_kind_of_change(azure):
    group = azure.group("rg-what")
    client = azure.management(DeploymentsMgmtClient).deployments
    client.begin_create_or_update("rg-what", "d", body(template(identity("same"), identity("other"), identity("left")))).result()
    wanted = template(identity("same"), identity("other", tags={"a": "b"}), identity("new"))
    told = client.begin_what_if("rg-what", "w", body(wanted)).result()
    changes = {it.resource_id.rsplit("/", 1)[1]: it for it in told.changes}
    kinds = {name: it.change_type for name, it in changes.items()}
    assert kinds == {"same": "NoChange", "other": "Modify", "new": "Create", "left": "Ignore"}
    delta = changes["other"].delta[0]
    assert (delta.path, delta.property_change_type) in [("tags", "Create"), ("tags.a", "Create")]
    complete = client.begin_what_if("rg-what", "w", body(wanted, mode="Complete")).result()
    assert {it.change_type for it in complete.changes} == {"NoChange", "Modify", "Create", "Delete"}
    ids = body(wanted, whatIfSettings={"resultFormat": "ResourceIdOnly"})
    told = client.begin_what_if("rg-what", "w", ids).result().changes
    assert {it.change_type for it in told} == {"Deploy", "Ignore"} and all(it.after is None for it in told)


def test_what_if_tells_changes_within_arrays(azure):
    azure.group("rg-array")
    client = azure.management(DeploymentsMgmtClient).deployments

    def network(*prefixes):
        space = {"addressSpace": {"addressPrefixes": list(prefixes)}}
        return {"type": "Microsoft.Network/virtualNetworks", "apiVersion": "2024-05-01", "name": "net", "location": "westeurope", "properties": space}

    client.begin_create_or_update("rg-array", "d", body(template(network("10.0.0.0/16")))).result()
    told = client.begin_what_if("rg-array", "w", body(template(network("10.0.0.0/16", "10.1.0.0/16")))).result()
    delta = told.changes[0].delta[0]
    assert (delta.path, delta.property_change_type) == ("properties.addressSpace.addressPrefixes", "Array")
    assert [(it.path, it.property_change_type, it.after) for it in delta.children] == [("1", "Create", "10.1.0.0/16")]


def test_complete_mode_deletes_what_the_template_lacks(azure):
    group = azure.group("rg-complete")
    deploy(azure, group, "d", body(template(identity("keep"), identity("drop"))))
    deploy(azure, group, "d", body(template(identity("keep")), mode="Complete"))
    listed = azure.arm("GET", group + "/resources").json()["value"]
    assert [it["name"] for it in listed] == ["keep"]


def test_complete_mode_deletes_what_a_false_condition_leaves_out(azure):
    group = azure.group("rg-condition")
    deploy(azure, group, "d", body(template(identity("maybe"))))
    deploy(azure, group, "d", body(template(identity("maybe", condition=False)), mode="Complete"))
    assert azure.arm("GET", f"{group}/providers/{IDENTITY}/maybe", "2024-11-30").status_code == 404


# Other scopes.


def test_a_management_group_holds_the_subscription_and_passes_roles_down(azure):
    api = "2023-04-01"
    made = azure.put("/providers/Microsoft.Management/managementGroups/mg-tree", api, {"properties": {"displayName": "Tree"}})
    root = made["properties"]["details"]["parent"]
    assert (made["properties"]["displayName"], root["displayName"]) == ("Tree", "Tenant Root Group")
    child = {"properties": {"details": {"parent": {"id": made["id"]}}}}
    azure.put("/providers/Microsoft.Management/managementGroups/mg-leaf", api, child)
    leaf = f"/providers/Microsoft.Management/managementGroups/mg-leaf/subscriptions/{azure.subscription_id}"
    assert azure.arm("PUT", leaf, api).status_code == 200
    tree = azure.arm("GET", made["id"] + "?$expand=children&$recurse=true", api).json()
    assert tree["properties"]["children"][0]["children"][0]["name"] == azure.subscription_id
    busy = azure.arm("DELETE", made["id"], api)
    assert busy.status_code == 400
    assert azure.arm("DELETE", leaf, api).status_code == 200


def test_a_template_is_deployed_to_a_management_group_and_into_a_subscription(azure, client, group):
    azure.put("/providers/Microsoft.Management/managementGroups/mg1", "2023-04-01", {"properties": {"displayName": "One"}})
    role = {
        "type": "Microsoft.Authorization/roleAssignments",
        "apiVersion": "2022-04-01",
        "name": "[guid('mg1', 'reader')]",
        "properties": {
            "roleDefinitionId": "[tenantResourceId('Microsoft.Authorization/roleDefinitions', 'acdd72a7-3385-48ef-bd42-f606fba81ae7')]",
            "principalId": azure.object_id(),
            "principalType": "ServicePrincipal",
        },
    }
    below = nested("below", template(identity("from-above")), subscriptionId=azure.subscription_id, resourceGroup="rg")
    whole = template(role, below, outputs={"name": out("string", "[managementGroup().properties.displayName]")})
    sent = {**body(whole), "location": "westeurope"}
    done = client.begin_create_or_update_at_management_group_scope("mg1", "above", sent).result()
    assert done.properties.outputs["name"]["value"] == "One"
    assert done.id == "/providers/Microsoft.Management/managementGroups/mg1/providers/Microsoft.Resources/deployments/above"
    assert azure.arm("GET", f"{group}/providers/{IDENTITY}/from-above", "2024-11-30").status_code == 200
    assert [it.name for it in client.list_at_management_group_scope("mg1")] == ["above"]
    told = client.begin_what_if_at_management_group_scope("mg1", "w", sent).result()
    assert told.status == "Succeeded"


def test_a_template_is_deployed_to_the_tenant(azure, client):
    grown = {"type": "Microsoft.Management/managementGroups", "apiVersion": "2023-04-01", "name": "mg-grown", "scope": "/", "properties": {}}
    tenant = {**body(template(grown, outputs={"tenant": out("string", "[tenant().tenantId]")})), "location": "westeurope"}
    done = client.begin_create_or_update_at_tenant_scope("grow", tenant).result()
    assert done.properties.outputs["tenant"]["value"] == azure.env["TENANT_ID"]
    assert done.id == "/providers/Microsoft.Resources/deployments/grow"
    found = azure.arm("GET", "/providers/Microsoft.Management/managementGroups/mg-grown", "2023-04-01")
    assert found.status_code == 200
    assert client.check_existence_at_tenant_scope("grow")
    operations = azure.management(DeploymentsMgmtClient).deployment_operations.list_at_tenant_scope("grow")
    assert [it.properties.provisioning_operation for it in operations] == ["Create", "EvaluateDeploymentOutput"]


def test_scope_functions_are_refused_where_there_is_no_such_scope(azure, client):
    whole = template(outputs={"x": out("string", "[resourceGroup().id]")})
    sent = {**body(whole), "location": "westeurope"}
    with pytest.raises(HttpResponseError) as raised:
        client.begin_create_or_update_at_subscription_scope("wrong", sent).result()
    assert "RESOURCEGROUP" in str(raised.value)


def test_a_deployment_to_no_management_group_is_refused(client):
    sent = {**body(template()), "location": "westeurope"}
    assert refusal(client.begin_create_or_update_at_management_group_scope, "mg-none", "d", sent)[0] == 404


def test_a_subscription_deployment_makes_a_group_and_fills_it(azure, client):
    made = {"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2024-11-01", "name": "rg-made", "location": "westeurope"}
    fill = nested("fill", template(identity("inside")), resourceGroup="rg-made", dependsOn=["rg-made"])
    sent = {**body(template(made, fill)), "location": "northeurope"}
    done = client.begin_create_or_update_at_subscription_scope("make", sent).result()
    assert (done.location, done.properties.provisioning_state) == ("northeurope", "Succeeded")
    elsewhere = {**sent, "location": "westeurope"}
    assert refusal(client.begin_create_or_update_at_subscription_scope, "make", elsewhere) == (409, "InvalidDeploymentLocation")


# Linked templates, template specs, stacks.


@pytest.fixture(scope="module")
def storage(azure, group):
    """A function that stores text as a blob and returns its URL with a signature."""
    from datetime import datetime, timedelta, timezone

    from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

    account = f"{group}/providers/Microsoft.Storage/storageAccounts/templatestore"
    sent = {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {}}
    azure.put(account, "2023-05-01", sent)
    key = azure.arm("POST", account + "/listKeys", "2023-05-01").json()["keys"][0]["value"]
    url = f"https://templatestore{azure.env['BLOB_SUFFIX']}"
    service = BlobServiceClient(url, credential={"account_name": "templatestore", "account_key": key})
    container = service.create_container("templates")
    until = datetime.now(timezone.utc) + timedelta(hours=1)
    may = ContainerSasPermissions(read=True)
    signature = generate_container_sas("templatestore", "templates", account_key=key, permission=may, expiry=until)

    def store(name, content):
        container.upload_blob(name, json.dumps(content), overwrite=True)
        return f"{url}/templates/{name}?{signature}"

    return store


def test_a_linked_template_is_read_from_a_blob_with_its_signature(azure, client, storage):
    storage("nested/leaf.json", template(identity("linked"), outputs={"x": out("string", "leaf")}))
    leaf = {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": API,
        "name": "leaf",
        "properties": {"mode": "Incremental", "templateLink": {"relativePath": "nested/leaf.json"}},
    }
    uri = storage("main.json", template(leaf, outputs={"x": out("string", "[reference('leaf').outputs.x.value]")}))
    sent = {"properties": {"mode": "Incremental", "templateLink": {"uri": uri, "contentVersion": "1.0.0.0"}}}
    done = client.begin_create_or_update("rg", "linked", sent).result()
    assert done.properties.outputs["x"]["value"] == "leaf"
    assert "sig=" not in json.dumps(done.as_dict())


def test_linked_parameters_are_read_too(azure, client, storage):
    whole = template(parameters={"p": {"type": "string"}}, outputs={"p": out("string", "[parameters('p')]")})
    uri = storage("parameters.json", {"contentVersion": "1.0.0.0", "parameters": {"p": {"value": "far"}}})
    sent = {"properties": {"mode": "Incremental", "template": whole, "parametersLink": {"uri": uri}}}
    done = client.begin_create_or_update("rg", "parameters", sent).result()
    assert done.properties.outputs["p"]["value"] == "far"


def test_content_that_cannot_be_read_is_refused(azure, client, storage):
    uri = storage("secret.json", template())
    for link in ({"uri": uri.partition("?")[0]}, {"uri": "https://example.com/x.json"}, {"uri": uri, "contentVersion": "9.0.0.0"}):
        sent = {"properties": {"mode": "Incremental", "templateLink": link}}
        assert refusal(client.begin_create_or_update, "rg", "bad", sent) == (400, "InvalidContentLink")


def test_a_template_spec_is_deployed_by_the_id_of_its_version(azure, client, group):
    spec = f"{group}/providers/Microsoft.Resources/templateSpecs/spec"
    azure.put(spec, "2022-02-01", {"location": "westeurope", "properties": {"description": "d"}})
    main = template({
        "type": "Microsoft.Resources/deployments", "apiVersion": API, "name": "part",
        "properties": {"mode": "Incremental", "templateLink": {"relativePath": "parts/part.json"}},
    })
    parts = [{"path": "parts/part.json", "template": template(identity("specified"))}]
    version = azure.put(spec + "/versions/1.0", "2022-02-01", {"location": "westeurope", "properties": {"mainTemplate": main, "linkedTemplates": parts}})
    sent = {"properties": {"mode": "Incremental", "templateLink": {"id": version["id"]}}}
    done = client.begin_create_or_update("rg", "of-spec", sent).result()
    assert done.properties.template_link.id == version["id"]
    assert azure.arm("GET", f"{group}/providers/{IDENTITY}/specified", "2024-11-30").status_code == 200
    shown = azure.arm("GET", spec + "?$expand=versions", "2022-02-01").json()
    assert list(shown["properties"]["versions"]) == ["1.0"]


def test_a_deployment_stack_deletes_what_a_later_template_lacks(azure):
    group = azure.group("rg-stack")
    stack = f"{group}/providers/Microsoft.Resources/deploymentStacks/stack"

    def sent(*resources, action="delete"):
        unmanage = {"resources": action, "resourceGroups": "detach", "managementGroups": "detach"}
        return {"properties": {"template": template(*resources), "actionOnUnmanage": unmanage, "denySettings": {"mode": "none"}}}

    made = azure.put(stack, "2024-03-01", sent(identity("one"), identity("two")))
    assert made["properties"]["provisioningState"].lower() == "succeeded"
    assert sorted(it["id"].rsplit("/", 1)[1] for it in made["properties"]["resources"]) == ["one", "two"]
    less = azure.put(stack, "2024-03-01", sent(identity("one")))
    assert [it["id"].rsplit("/", 1)[1] for it in less["properties"]["deletedResources"]] == ["two"]
    assert azure.arm("GET", f"{group}/providers/{IDENTITY}/two", "2024-11-30").status_code == 404
    gone = azure.arm("DELETE", stack + "?unmanageAction.Resources=detach", "2024-03-01")
    azure.settle(gone)
    assert azure.arm("GET", stack, "2024-03-01").status_code == 404
    assert azure.arm("GET", f"{group}/providers/{IDENTITY}/one", "2024-11-30").status_code == 200


def test_a_deployment_stack_holds_others_off_what_it_manages(azure):
    group = azure.group("rg-denied")
    stack = f"{group}/providers/Microsoft.Resources/deploymentStacks/stack"
    own = f"{group}/providers/{IDENTITY}/one"

    def sent(mode, tags=None, **settings):
        resource = {**identity("one"), "tags": tags or {}}
        unmanage = {"resources": "delete", "resourceGroups": "detach", "managementGroups": "detach"}
        return {"properties": {"template": template(resource), "actionOnUnmanage": unmanage, "denySettings": {"mode": mode, **settings}}}

    def denied(method, path, body=None):
        answer = azure.arm(method, path, "2024-11-30", body)
        return (answer.status_code, answer.json()["error"]["code"]) == (403, "DenyAssignmentAuthorizationFailed")

    made = azure.put(stack, "2024-03-01", sent("denyDelete"))
    assert made["properties"]["resources"][0]["denyStatus"] == "denyDelete"
    assert denied("DELETE", own) and denied("DELETE", group)
    assert azure.arm("PATCH", own, "2024-11-30", {"tags": {"a": "b"}}).status_code == 200
    azure.put(stack, "2024-03-01", sent("denyWriteAndDelete"))
    assert denied("PATCH", own, {"tags": {"a": "c"}})
    # the stack itself goes on, and what it lets others do they do
    azure.put(stack, "2024-03-01", sent("denyWriteAndDelete", tags={"by": "stack"}))
    assert azure.arm("GET", own, "2024-11-30").json()["tags"] == {"by": "stack"}
    azure.put(stack, "2024-03-01", sent("denyWriteAndDelete", excludedActions=[f"{IDENTITY}/write"]))
    assert azure.arm("PATCH", own, "2024-11-30", {"tags": {"a": "c"}}).status_code == 200
    assert denied("DELETE", own)
    azure.put(stack, "2024-03-01", sent("denyWriteAndDelete", excludedPrincipals=[azure.object_id()]))
    assert azure.arm("DELETE", own, "2024-11-30").status_code in (200, 204)
    azure.settle(azure.arm("DELETE", stack, "2024-03-01"))
    azure.settle(azure.arm("DELETE", group))
    assert azure.arm("GET", group).status_code == 404


def test_deployment_scripts_are_refused_in_so_many_words(azure, group):
    script = f"{group}/providers/Microsoft.Resources/deploymentScripts/s"
    answer = azure.arm("PUT", script, "2023-08-01", {"location": "westeurope", "kind": "AzureCLI", "properties": {}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "NotModelledLocally")


# The CLI.


@pytest.fixture
def files(tmp_path):
    """A function that writes a template as people write them, comments and all, and returns its path."""

    def write(name, content, note="// for people\r\n"):
        path = tmp_path / name
        path.write_bytes((note + json.dumps(content)).encode())
        return str(path)

    return write


def test_az_deploys_a_template_with_comments_and_tells_its_outputs(az, group, files):
    parameters = {"name": {"type": "string"}}
    whole = template(identity("[parameters('name')]"), parameters=parameters, outputs={"n": out("string", "[parameters('name')]")})
    file = files("t.json", whole)
    done = az("deployment", "group", "create", "-g", "rg", "-n", "az", "-f", file, "-p", "name=by-az")
    assert done["properties"]["outputs"] == {"n": {"type": "String", "value": "by-az"}}
    assert az("deployment", "operation", "group", "list", "-g", "rg", "-n", "az")[0]["properties"]["targetResource"]["resourceName"] == "by-az"


def test_az_says_what_a_template_lacks(az, group, files):
    file = files("t.json", template(parameters={"name": {"type": "string"}}))
    refused = az.refused("deployment", "group", "create", "-g", "rg", "-f", file, "--no-prompt", "true")
    assert refused.code != 0 and "The value for the template parameter 'name'" in refused.text


def test_az_tells_what_would_change_and_what_is_wrong(az, group, files):
    shown = az.run("deployment", "group", "what-if", "-g", "rg", "-f", files("t.json", template(identity("would-be"))))
    assert shown.returncode == 0 and "+ Microsoft.ManagedIdentity/userAssignedIdentities/would-be" in shown.stdout
    wrong = az.refused("deployment", "group", "what-if", "-g", "rg", "-f", files("w.json", template(identity("?"))))
    assert wrong.code == 1 and "InvalidTemplateDeployment" in wrong.text


def test_az_deploys_to_a_management_group_and_the_tenant(az, group, files):
    az("account", "management-group", "create", "-n", "mg-az", "--display-name", "By az")
    whole = template(outputs={"id": out("string", "[managementGroup().id]")})
    done = az("deployment", "mg", "create", "-m", "mg-az", "-l", "westeurope", "-n", "d", "-f", files("m.json", whole))
    assert done["properties"]["outputs"]["id"]["value"].endswith("/managementGroups/mg-az")
    whole = template(outputs={"id": out("string", "[tenant().tenantId]")})
    done = az("deployment", "tenant", "create", "-l", "westeurope", "-n", "d-az", "-f", files("t.json", whole))
    assert done["properties"]["provisioningState"] == "Succeeded"


def test_az_keeps_a_template_spec_and_a_stack(az, group, files):
    file = files("t.json", template(identity("in-a-stack")), note="")
    version = az("ts", "create", "-g", "rg", "-n", "az-spec", "-v", "1", "-l", "westeurope", "-f", file)
    done = az("deployment", "group", "create", "-g", "rg", "-n", "az-spec", "--template-spec", version["id"])
    assert done["properties"]["templateLink"]["id"] == version["id"]
    unmanage = ("--action-on-unmanage", "deleteAll", "--yes")
    made = az("stack", "group", "create", "-g", "rg", "-n", "az", "-f", file, *unmanage, "--deny-settings-mode", "none")
    assert [it["id"].rsplit("/", 1)[1] for it in made["resources"]] == ["in-a-stack"]
    az("stack", "group", "delete", "-g", "rg", "-n", "az", *unmanage)
