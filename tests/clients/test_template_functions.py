"""The functions of the template language, with the examples that their public reference prints."""

import re

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.resource.deployments import DeploymentsMgmtClient

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"


@pytest.fixture(scope="module")
def deployments(azure):
    azure.group("rg")
    return azure.management(DeploymentsMgmtClient).deployments


def evaluate(deployments, kind, expression, **parts):
    whole = {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": [], **parts}
    whole["outputs"] = {"x": {"type": kind, "value": expression}}
    sent = {"properties": {"mode": "Incremental", "template": whole, "parameters": {}}}
    return deployments.begin_create_or_update("rg", "functions", sent).result().properties.outputs["x"].get("value")


# (type, expression, value), as the pages of the reference have them.
EXAMPLES = [
    # arrays
    ("array", "[array('efgh')]", ["efgh"]),
    ("array", "[concat(createArray('1-1'), createArray('2-1'))]", ["1-1", "2-1"]),
    ("bool", "[contains('OneTwoThree', 'e')]", True),
    ("bool", "[contains('OneTwoThree', 'z')]", False),
    ("bool", "[contains(createObject('one', 'a'), 'ONE')]", True),
    ("bool", "[contains(createArray('one', 'two'), 'two')]", True),
    ("array", "[createArray(1, 2, 3)]", [1, 2, 3]),
    ("bool", "[empty(json('{}'))]", True),
    ("bool", "[empty('')]", True),
    ("string", "[first(createArray('one', 'two', 'three'))]", "one"),
    ("string", "[first('One Two Three')]", "O"),
    ("array", "[flatten(createArray(createArray('one', 'two'), createArray('three')))]", ["one", "two", "three"]),
    ("int", "[indexOf(createArray('one', 'two', 'three'), 'two')]", 1),
    ("int", "[indexOf(createArray('one', 'two', 'three'), 'TWO')]", -1),
    ("string", "[indexFromEnd(createArray('one', 'two', 'three'), 1)]", "three"),
    ("array", "[intersection(createArray('one', 'two', 'three'), createArray('two', 'three'))]", ["two", "three"]),
    ("object", "[intersection(json('{\"one\": \"a\", \"two\": \"b\", \"three\": \"c\"}'), json('{\"one\": \"a\", \"two\": \"z\", \"three\": \"c\"}'))]", {"one": "a", "three": "c"}),
    ("string", "[last(createArray('one', 'two', 'three'))]", "three"),
    ("int", "[lastIndexOf(createArray('one', 'two', 'one'), 'one')]", 2),
    ("int", "[length('One Two Three')]", 13),
    ("int", "[max(createArray(0, 3, 2, 5, 4))]", 5),
    ("int", "[max(0, 3, 2, 5, 4)]", 5),
    ("int", "[min(0, 3, 2, 5, 4)]", 0),
    ("array", "[range(5, 3)]", [5, 6, 7]),
    ("array", "[skip(createArray('one', 'two', 'three'), 2)]", ["three"]),
    ("string", "[skip('one two three', 4)]", "two three"),
    ("array", "[take(createArray('one', 'two', 'three'), 2)]", ["one", "two"]),
    ("string", "[take('one two three', 2)]", "on"),
    ("string", "[tryGet(createArray('one', 'two'), 1)]", "two"),
    ("bool", "[equals(null(), tryGet(createArray('one', 'two'), 5))]", True),
    ("string", "[tryIndexFromEnd(createArray('one', 'two', 'three'), 1)]", "three"),
    ("bool", "[equals(null(), tryIndexFromEnd(createArray('one'), 4))]", True),
    ("array", "[union(createArray('one', 'two', 'three'), createArray('three', 'four'))]", ["one", "two", "three", "four"]),
    # objects
    ("object", "[createObject('intProp', 1, 'nested', createObject('a', null()))]", {"intProp": 1, "nested": {"a": None}}),
    ("array", "[items(createObject('item002', 2, 'item001', 1))]", [{"key": "item001", "value": 1}, {"key": "item002", "value": 2}]),
    ("array", "[objectKeys(createObject('a', 1, 'b', 2))]", ["a", "b"]),
    ("object", "[shallowMerge(createArray(createObject('one', createObject('a', 1)), createObject('one', createObject('b', 2))))]", {"one": {"b": 2}}),
    ("object", "[union(json('{\"one\": {\"a\": 1}, \"two\": 2}'), json('{\"one\": {\"b\": 2}}'))]", {"one": {"a": 1, "b": 2}, "two": 2}),
    ("string", "[tryGet(createObject('one', createObject('a', 'x')), 'one', 'a')]", "x"),
    # CIDR
    ("object", "[parseCidr('10.144.0.0/20')]", {"network": "10.144.0.0", "netmask": "255.255.240.0", "broadcast": "10.144.15.255", "firstUsable": "10.144.0.1", "lastUsable": "10.144.15.254", "cidr": 20}),
    ("object", "[parseCidr('fdad:3236:5555::/48')]", {"network": "fdad:3236:5555::", "netmask": "ffff:ffff:ffff::", "firstUsable": "fdad:3236:5555::", "lastUsable": "fdad:3236:5555:ffff:ffff:ffff:ffff:ffff", "cidr": 48}),
    ("string", "[cidrSubnet('10.144.0.0/20', 24, 3)]", "10.144.3.0/24"),
    ("string", "[cidrSubnet('fdad:3236:5555::/48', 52, 1)]", "fdad:3236:5555:1000::/52"),
    ("string", "[cidrHost('10.144.3.0/24', 4)]", "10.144.3.5"),
    ("string", "[cidrHost('fdad:3236:5555:3000::/52', 1)]", "fdad:3236:5555:3000::1"),
    # comparison and logic
    ("string", "[coalesce(null(), null(), 'string')]", "string"),
    ("bool", "[equals(createArray('a', 1), createArray('a', 1))]", True),
    ("bool", "[equals('a', 'A')]", False),
    ("bool", "[greater('A', 'a')]", False),
    ("bool", "[greaterOrEquals(2, 2)]", True),
    ("bool", "[less(1, 2)]", True),
    ("bool", "[lessOrEquals('A', 'a')]", True),
    ("bool", "[and(bool('true'), bool('false'))]", False),
    ("bool", "[or(bool(1), bool(0))]", True),
    ("bool", "[not(equals(1, 2))]", True),
    ("string", "[if(equals('a', 'a'), 'yes', fail('never asked'))]", "yes"),
    # dates
    ("string", "[dateTimeAdd('2020-04-07 14:53:14Z', 'P3Y')]", "4/7/2023 2:53:14 PM"),
    ("string", "[dateTimeAdd('2020-04-07 14:53:14Z', '-P9D')]", "3/29/2020 2:53:14 PM"),
    ("string", "[dateTimeAdd('2020-04-07 14:53:14Z', 'PT1H', 'yyyy-MM-dd HH')]", "2020-04-07 15"),
    ("string", "[dateTimeFromEpoch(1683040573)]", "2023-05-02T15:16:13Z"),
    ("int", "[dateTimeToEpoch('2023-05-02T15:16:13Z')]", 1683040573),
    # lambdas
    ("array", "[filter(createArray('Evie', 'Casper'), lambda('n', contains(lambdaVariables('n'), 'v')))]", ["Evie"]),
    ("array", "[filter(range(0, 10), lambda('i', 'at', equals(mod(lambdaVariables('at'), 5), 0)))]", [0, 5]),
    ("object", "[groupBy(createArray('foo', 'bar', 'baz'), lambda('x', substring(lambdaVariables('x'), 0, 1)))]", {"f": ["foo"], "b": ["bar", "baz"]}),
    ("array", "[map(createArray('a', 'b'), lambda('x', 'i', format('{0}{1}', lambdaVariables('i'), lambdaVariables('x'))))]", ["0a", "1b"]),
    ("object", "[mapValues(createObject('foo', 'foo'), lambda('v', toUpper(lambdaVariables('v'))))]", {"foo": "FOO"}),
    ("int", "[reduce(createArray(5, 3, 2), 0, lambda('cur', 'next', add(lambdaVariables('cur'), lambdaVariables('next'))))]", 10),
    ("array", "[sort(createArray(8, 3, 10, -13, 5), lambda('l', 'r', less(lambdaVariables('l'), lambdaVariables('r'))))]", [-13, 3, 5, 8, 10]),
    ("object", "[toObject(createArray('a', 'b'), lambda('k', lambdaVariables('k')), lambda('v', length(lambdaVariables('v'))))]", {"a": 1, "b": 1}),
    # numbers
    ("int", "[add(5, 3)]", 8),
    ("int", "[div(8, 3)]", 2),
    ("int", "[int('11')]", 11),
    ("int", "[mod(7, 3)]", 1),
    ("int", "[mul(5, 3)]", 15),
    ("int", "[sub(7, 3)]", 4),
    # strings
    ("string", "[base64('one, two, three')]", "b25lLCB0d28sIHRocmVl"),
    ("string", "[base64ToString('b25lLCB0d28sIHRocmVl')]", "one, two, three"),
    ("object", "[base64ToJson(base64('{\"one\": \"a\", \"two\": \"b\"}'))]", {"one": "a", "two": "b"}),
    ("string", "[concat('prefix', '-', 5)]", "prefix-5"),
    ("string", "[dataUri('Hello')]", "data:text/plain;charset=utf8;base64,SGVsbG8="),
    ("string", "[dataUriToString('data:;base64,SGVsbG8sIFdvcmxkIQ==')]", "Hello, World!"),
    ("bool", "[endsWith('abcdef', 'EF')]", True),
    ("bool", "[startsWith('abcdef', 'AB')]", True),
    ("string", "[format('{0}, {1}. Formatted number: {2:N0}', 'Hello', 'User', 8175133)]", "Hello, User. Formatted number: 8,175,133"),
    ("string", "[format('{0:D4}|{0:X}|{0,6}|{0,-6}|{{}}', 42)]", "0042|2A|    42|42    |{}"),
    ("int", "[indexOf('test', 'T')]", 0),
    ("int", "[lastIndexOf('test', 't')]", 3),
    ("int", "[indexOf('abcdef', 'z')]", -1),
    ("string", "[join(createArray('one', 'two', 'three'), ',')]", "one,two,three"),
    ("string", "[padLeft('123', 10, '0')]", "0000000123"),
    ("string", "[replace('123-123-1234', '-', '')]", "1231231234"),
    ("array", "[split('one;two,three', createArray(',', ';'))]", ["one", "two", "three"]),
    ("string", "[string(createArray('one', 1))]", '["one",1]'),
    ("string", "[string(createObject('valueA', 10))]", '{"valueA":10}'),
    ("string", "[string(5)]", "5"),
    ("string", "[substring('one two three', 4, 3)]", "two"),
    ("string", "[toLower('One Two Three')]", "one two three"),
    ("string", "[trim('    one two three   ')]", "one two three"),
    ("string", "[uri('http://contoso.org/firstpath', 'myscript.sh')]", "http://contoso.org/myscript.sh"),
    ("string", "[uri('http://contoso.org/firstpath/azuredeploy.json/', 'myscript.sh')]", "http://contoso.org/firstpath/azuredeploy.json/myscript.sh"),
    ("string", "[uriComponent('http://contoso.com/resources/nested/azuredeploy.json')]", "http%3A%2F%2Fcontoso.com%2Fresources%2Fnested%2Fazuredeploy.json"),
    ("string", "[uriComponentToString('http%3A%2F%2Fcontoso.com%2Fresources')]", "http://contoso.com/resources"),
    # what Azure itself derives: known values of its two hashes
    ("string", "[uniqueString('test')]", "rbgf3xv4ufgzg"),
    ("string", "[uniqueString('hello', 'world')]", "a7wkljktk6wne"),
    ("string", "[uniqueString('/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/my-rg')]", "bmg7c6xu4tw46"),
    # resources and zones
    ("array", "[pickZones('Microsoft.Compute', 'virtualMachines', 'westus2')]", ["1"]),
    ("array", "[pickZones('Microsoft.Compute', 'virtualMachines', 'westus2', 2, 1)]", ["2", "3"]),
    ("array", "[pickZones('Microsoft.Cdn', 'profiles', 'westus2')]", []),
    ("array", "[pickZones('Microsoft.Compute', 'virtualMachines', 'northcentralus')]", []),
    ("string", "[toPhysicalZone(subscription().subscriptionId, 'westus2', '1')]", "westus2-az1"),
    ("string", "[tenantResourceId('Microsoft.Authorization/roleDefinitions', 'r')]", "/providers/Microsoft.Authorization/roleDefinitions/r"),
    ("string", "[extensionResourceId('/a/b', 'Microsoft.Authorization/locks', 'l')]", "/a/b/providers/Microsoft.Authorization/locks/l"),
    ("string", "[managementGroupResourceId('mg1', 'Microsoft.Authorization/policyDefinitions', 'p')]", "/providers/Microsoft.Management/managementGroups/mg1/providers/Microsoft.Authorization/policyDefinitions/p"),
]


def test_functions_give_what_the_reference_prints(deployments):
    outputs = {f"o{at}": {"type": kind, "value": expression} for at, (kind, expression, _) in enumerate(EXAMPLES)}
    # a template has 64 outputs at most
    names = list(outputs)
    for start in range(0, len(names), 60):
        part = {name: outputs[name] for name in names[start : start + 60]}
        whole = {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": [], "outputs": part}
        sent = {"properties": {"mode": "Incremental", "template": whole, "parameters": {}}}
        done = deployments.begin_create_or_update("rg", f"examples{start}", sent).result().properties.outputs
        for name in part:
            _, expression, wanted = EXAMPLES[int(name[1:])]
            assert done[name]["value"] == wanted, expression


def test_a_guid_follows_from_its_arguments_as_version_5(deployments):
    import uuid

    made = evaluate(deployments, "string", "[guid('a', 'b')]")
    assert made == str(uuid.uuid5(uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830"), "a-b"))


def test_the_time_and_new_guids_are_for_defaults_only(deployments):
    parameters = {"now": {"type": "string", "defaultValue": "[utcNow('d')]"}, "id": {"type": "string", "defaultValue": "[newGuid()]"}}
    made = evaluate(deployments, "string", "[concat(parameters('now'), ' ', parameters('id'))]", parameters=parameters)
    assert re.fullmatch(r"\d+/\d+/\d{4} [0-9a-f-]{36}", made)
    for name in ("utcNow", "newGuid"):
        with pytest.raises(HttpResponseError) as raised:
            evaluate(deployments, "string", f"[{name}()]")
        assert raised.value.error.code == "InvalidTemplate" and "not expected at this location" in str(raised.value)


def test_ids_are_made_for_the_scope_deployed_to(azure, deployments):
    own = f"{azure.subscription}/resourceGroups"
    made = evaluate(
        deployments,
        "array",
        "[createArray(resourceId('A.B/c/d', '1', '2'), resourceId('other', 'A.B/c', '1'), subscriptionResourceId('A.B/c', '1'))]",
    )
    assert made == [f"{own}/rg/providers/A.B/c/1/d/2", f"{own}/other/providers/A.B/c/1", f"{azure.subscription}/providers/A.B/c/1"]


def test_scopes_tell_of_themselves(azure, deployments):
    made = evaluate(deployments, "object", "[createObject('g', resourceGroup(), 's', subscription(), 't', tenant(), 'd', deployer(), 'e', environment())]")
    assert (made["g"]["name"], made["g"]["type"]) == ("rg", "Microsoft.Resources/resourceGroups")
    assert made["s"]["subscriptionId"] == azure.subscription_id and made["t"]["tenantId"] == azure.env["TENANT_ID"]
    assert set(made["d"]) == {"objectId", "tenantId", "userPrincipalName"} and made["d"]["objectId"] == azure.object_id()
    assert made["e"]["suffixes"]["storage"] and made["e"]["authentication"]["loginEndpoint"]


def test_a_deployment_tells_of_itself(deployments):
    made = evaluate(deployments, "object", "[deployment()]")
    assert made["name"] == "functions" and made["properties"]["mode"] == "Incremental"
    assert made["properties"]["template"]["contentVersion"] == "1.0.0.0" and made["properties"]["templateHash"]


def test_a_full_reference_tells_more_than_properties(azure, deployments):
    identity = {"type": IDENTITY, "apiVersion": "2024-11-30", "name": "one", "location": "westeurope", "tags": {"a": "b"}}
    short = evaluate(deployments, "object", "[reference('one')]", resources=[identity])
    assert short["clientId"] and "location" not in short
    full = evaluate(deployments, "object", f"[reference(resourceId('{IDENTITY}', 'one'), '2024-11-30', 'Full')]", resources=[identity])
    assert (full["location"], full["tags"], full["apiVersion"]) == ("westeurope", {"a": "b"}, "2024-11-30")
    assert (full["resourceId"], full["resourceGroupName"]) == (f"{IDENTITY}/one", "rg")
    assert full["properties"] == short


def test_variables_and_outputs_loop(deployments):
    variables = {"copy": [{"name": "many", "count": 3, "input": {"at": "[copyIndex('many')]", "from": "[copyIndex('many', 10)]"}}]}
    assert evaluate(deployments, "array", "[variables('many')]", variables=variables)[2] == {"at": 2, "from": 12}
    whole = {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": []}
    whole["outputs"] = {"x": {"type": "array", "copy": {"count": 2, "input": "[copyIndex(1)]"}}, "none": {"type": "int", "condition": False, "value": 1}}
    done = deployments.begin_create_or_update("rg", "loops", {"properties": {"mode": "Incremental", "template": whole}}).result()
    assert done.properties.outputs == {"x": {"type": "Array", "value": [1, 2]}}


def test_user_functions_see_only_their_parameters(deployments):
    function = {"parameters": [{"name": "who", "type": "string"}], "output": {"type": "string", "value": "[concat('hi ', parameters('who'))]"}}
    functions = [{"namespace": "my", "members": {"greet": function}}]
    assert evaluate(deployments, "string", "[my.greet('you')]", functions=functions) == "hi you"


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("[nope()]", "The template function 'nope' is not valid."),
        ("[concat('a'", None),
        ("[parameters('none')]", "The template parameter 'none' is not found."),
        ("[variables('none')]", "The template variable 'none' is not found."),
        ("[add(1]", "Unable to parse language expression"),
    ],
)
def test_expressions_that_can_have_no_value_are_refused(deployments, expression, says):
    if says is None:
        # without its closing bracket it is text
        assert evaluate(deployments, "string", expression) == expression
        return
    with pytest.raises(HttpResponseError) as raised:
        evaluate(deployments, "string", expression)
    assert (raised.value.status_code, raised.value.error.code) == (400, "InvalidTemplate")
    assert says in raised.value.error.message


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("[fail('so it is')]", "so it is"),
        ("[substring('abc', 2, 5)]", "substring"),
        ("[int('x')]", "cannot convert"),
        ("[createArray(1)[3]]", "out of bounds"),
        ("[createObject('a', 1).b]", "property 'b' doesn't exist"),
        ("[div(1, 0)]", "divide by zero"),
        ("[range(0, 10001)]", "range"),
    ],
)
def test_a_failing_output_fails_the_deployment(deployments, expression, says):
    with pytest.raises(HttpResponseError) as raised:
        evaluate(deployments, "object", expression)
    assert raised.value.error.code == "DeploymentOutputEvaluationFailed" and says in str(raised.value)


# Types of parameters.

TYPES = {
    "definitions": {
        "port": {"type": "int", "minValue": 1, "maxValue": 65535},
        "cat": {"type": "object", "properties": {"kind": {"type": "string", "allowedValues": ["cat"]}, "lives": {"type": "int"}}},
        "dog": {"type": "object", "properties": {"kind": {"type": "string", "allowedValues": ["dog"]}, "good": {"type": "bool"}}},
        "pet": {"type": "object", "discriminator": {"propertyName": "kind", "mapping": {"cat": {"$ref": "#/definitions/cat"}, "dog": {"$ref": "#/definitions/dog"}}}},
        "sealed": {"type": "object", "properties": {"name": {"type": "string"}, "port": {"$ref": "#/definitions/port", "nullable": True}}, "additionalProperties": False},
        "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "int"}], "items": False},
    }
}


@pytest.mark.parametrize(
    ("kind", "value", "fits"),
    [
        ("port", 80, True),
        ("port", 0, False),
        ("pet", {"kind": "cat", "lives": 9}, True),
        ("pet", {"kind": "dog", "lives": 9}, False),
        ("pet", {"kind": "cow"}, False),
        ("sealed", {"name": "n"}, True),
        ("sealed", {"name": "n", "port": 70000}, False),
        ("sealed", {"name": "n", "more": 1}, False),
        ("sealed", {}, False),
        ("pair", ["a", 1], True),
        ("pair", ["a", 1, 2], False),
        ("pair", ["a", "b"], False),
    ],
)
def test_user_defined_types_are_kept(deployments, kind, value, fits):
    whole = {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "languageVersion": "2.0", **TYPES, "resources": {}}
    whole["parameters"] = {"p": {"$ref": f"#/definitions/{kind}"}}
    sent = {"properties": {"mode": "Incremental", "template": whole, "parameters": {"p": {"value": value}}}}
    if fits:
        deployments.begin_create_or_update("rg", "types", sent).result()
        return
    with pytest.raises(HttpResponseError) as raised:
        deployments.begin_create_or_update("rg", "types", sent)
    assert raised.value.error.code == "InvalidTemplate"


def test_nullable_parameters_may_be_left_out(deployments):
    parameters = {"p": {"type": "string", "nullable": True}}
    assert evaluate(deployments, "string", "[coalesce(parameters('p'), 'none')]", parameters=parameters) == "none"
