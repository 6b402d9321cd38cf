//! What clients see of template deployments, by requests.

use serde_json::{Value, json};

use crate::world::testing::{Answer, Lab, SUB, rg};
use crate::world::{Method, Plane};

const IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";

fn template(resources: Value) -> Value {
    json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0", "resources": resources,
    })
}

fn body(template: Value, parameters: Value) -> Value {
    json!({"properties": {"mode": "Incremental", "template": template, "parameters": parameters}})
}

fn path(name: &str) -> String {
    rg(&format!("Microsoft.Resources/deployments/{name}"))
}

fn identity(name: &str) -> Value {
    json!({"type": IDENTITY, "apiVersion": "2024-11-30", "name": name, "location": "westeurope"})
}

/// Deploys and follows to the end.
#[track_caller]
fn deploy(lab: &mut Lab, body: Value) -> Answer {
    let accepted = lab.put(&path("d"), body);
    assert!(matches!(accepted.status, 200 | 201), "{:#}", accepted.json);
    lab.follow(&accepted);
    lab.get(&path("d")).ok(200)
}

/// Evaluates expressions as outputs.
#[track_caller]
fn outputs(lab: &mut Lab, expressions: &[(&str, &str, Value)]) {
    let mut whole = template(json!([]));
    for (at, (kind, expression, _)) in expressions.iter().enumerate() {
        whole["outputs"][format!("o{at}")] = json!({"type": kind, "value": expression});
    }
    let done = deploy(lab, body(whole, json!({})));
    assert_eq!(done.json["properties"]["provisioningState"], "Succeeded", "{:#}", done.json);
    for (at, (_, expression, wanted)) in expressions.iter().enumerate() {
        assert_eq!(&done.json["properties"]["outputs"][format!("o{at}")]["value"], wanted, "{expression}");
    }
}

#[test]
fn a_deployment_is_accepted_runs_and_is_told_by_its_operation() {
    let mut lab = Lab::new(1.0);
    let slow = json!({"type": "Microsoft.Network/networkSecurityGroups", "apiVersion": "2024-05-01", "name": "nsg", "location": "westeurope"});
    let mut whole = template(json!([identity("one"), slow]));
    whole["outputs"] = json!({"id": {"type": "string", "value": format!("[reference(resourceId('{IDENTITY}', 'one')).clientId]")}});
    let accepted = lab.put(&path("d"), body(whole, json!({}))).ok(201);
    assert_eq!(accepted.json["properties"]["provisioningState"], "Accepted");
    let url = accepted.header("azure-asyncoperation").unwrap().to_owned();
    assert!(url.contains("/deployments/d/operationStatuses/"), "{url}");
    assert_eq!(lab.get(&url).ok(200).json["status"], "Running");
    let active = lab.put(&path("d"), body(template(json!([])), json!({})));
    active.refused(409, "DeploymentActive");
    let (ended, _) = lab.follow(&accepted);
    assert_eq!(ended.json, json!({"status": "Succeeded"}));
    let shown = lab.get(&path("d")).ok(200).json;
    let made = lab.get(&rg(&format!("{IDENTITY}/one"))).ok(200).json;
    assert_eq!(
        shown["properties"]["outputs"]["id"],
        json!({"type": "String", "value": made["properties"]["clientId"]})
    );
    assert_eq!(shown["properties"]["outputResources"][0], json!({"id": rg(&format!("{IDENTITY}/one"))}));
    assert_eq!(shown["properties"]["providers"][0]["namespace"], "Microsoft.ManagedIdentity");
    // the older path, without a provider, and sloppy ones
    let operations = lab.get(&format!("{SUB}/resourcegroups/rg/deployments/d/operations")).ok(200).json;
    let operations = operations["value"].as_array().unwrap().clone();
    assert_eq!(operations[0]["properties"]["targetResource"]["resourceName"], "one");
    assert_eq!(operations[0]["properties"]["statusCode"], "Created");
    assert_eq!(operations[2]["properties"]["provisioningOperation"], "EvaluateDeploymentOutput");
    let one = operations[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(lab.get(&one).ok(200).json, operations[0]);
    assert_eq!(lab.get(&format!("{}/", path(""))).ok(200).json["value"][0]["name"], "d");
    lab.send(Method::Head, &path("d"), None).ok(204);
    lab.delete(&path("d")).ok(202);
    lab.get(&path("d")).refused(404, "DeploymentNotFound");
    lab.delete(&path("d")).ok(204);
}

#[test]
fn the_body_as_the_cli_sends_it_is_taken() {
    let mut lab = Lab::new(0.0);
    let token = lab.token(None, "https://management.azure.com/");
    let text = "{\"properties\": {\"parameters\": {\"n\": {\"value\": 2}}, \"mode\": \"Incremental\", template:{\r\n  \
                // the schema\r\n  \"$schema\": \"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#\", \
                \"contentVersion\": \"1.0.0.0\", /* typed */ \"parameters\": {\"n\": {\"type\": \"int\"}},\n \"resources\": [],\
                \"outputs\": {\"o\": {\"type\": \"string\", \"value\": \"[concat('a\n', string(parameters('n')))]\"}}}}}";
    let headers = [("authorization".to_owned(), format!("Bearer {token}"))];
    let url = format!("{}?api-version=2025-04-01", path("d"));
    let bytes = Some(text.as_bytes().to_vec());
    let accepted = lab.raw(Plane::Arm, "https://localhost:8443", Method::Put, &url, &headers, bytes).ok(201);
    lab.follow(&accepted);
    assert_eq!(lab.get(&path("d")).json["properties"]["outputs"]["o"]["value"], "a\n2");
    let broken = Some(b"{\"properties\": {\"mode\": }}".to_vec());
    let refused = lab.raw(Plane::Arm, "https://localhost:8443", Method::Put, &url, &headers, broken);
    assert!(
        refused.json["error"]["message"]
            .as_str()
            .unwrap()
            .contains("Path 'properties.mode', line 1, position 24")
    );
    refused.refused(400, "InvalidRequestContent");
}

#[test]
fn functions_give_what_the_reference_prints() {
    let mut lab = Lab::new(0.0);
    outputs(
        &mut lab,
        &[
            ("array", "[array('a')]", json!(["a"])),
            ("string", "[base64('one, two, three')]", json!("b25lLCB0d28sIHRocmVl")),
            ("object", "[base64ToJson(base64('{''one'': ''a''}'))]", json!({"one": "a"})),
            ("array", "[concat(createArray(1, 2), createArray(3))]", json!([1, 2, 3])),
            ("bool", "[contains('OneTwoThree', 'e')]", json!(true)),
            ("bool", "[contains(createObject('One', 1), 'one')]", json!(true)),
            (
                "string",
                "[format('{0}, {1}. Formatted number: {2:N0}', 'Hello', 'User', 8175133)]",
                json!("Hello, User. Formatted number: 8,175,133"),
            ),
            ("int", "[indexOf('abcdef', 'CD')]", json!(2)),
            ("int", "[lastIndexOf('test', 't')]", json!(3)),
            ("string", "[join(createArray('one', 'two'), ',')]", json!("one,two")),
            ("string", "[padLeft('123', 10, '0')]", json!("0000000123")),
            ("string", "[replace('123-123-1234', '-', '')]", json!("1231231234")),
            ("array", "[split('one;two,three', createArray(',', ';'))]", json!(["one", "two", "three"])),
            ("string", "[substring('one two three', 4, 3)]", json!("two")),
            ("array", "[take(createArray('one', 'two', 'three'), 2)]", json!(["one", "two"])),
            ("string", "[skip('one two three', 4)]", json!("two three")),
            ("string", "[toUpper('One Two')]", json!("ONE TWO")),
            (
                "string",
                "[uriComponent('http://contoso.com/resources/nested/azuredeploy.json')]",
                json!("http%3A%2F%2Fcontoso.com%2Fresources%2Fnested%2Fazuredeploy.json"),
            ),
            (
                "string",
                "[uri('http://contoso.com/resources/', 'nested/azuredeploy.json')]",
                json!("http://contoso.com/resources/nested/azuredeploy.json"),
            ),
            ("string", "[dataUriToString('data:;base64,SGVsbG8sIFdvcmxkIQ==')]", json!("Hello, World!")),
            (
                "object",
                "[intersection(createObject('a', 1, 'b', 2), createObject('a', 1, 'b', 3))]",
                json!({"a": 1}),
            ),
            (
                "object",
                "[union(createObject('a', createObject('x', 1)), createObject('a', createObject('y', 2)))]",
                json!({"a": {"x": 1, "y": 2}}),
            ),
            (
                "object",
                "[shallowMerge(createArray(createObject('a', createObject('x', 1)), createObject('a', 2)))]",
                json!({"a": 2}),
            ),
            (
                "array",
                "[items(createObject('b', 1, 'a', 2))]",
                json!([{"key": "a", "value": 2}, {"key": "b", "value": 1}]),
            ),
            ("array", "[objectKeys(createObject('b', 1, 'a', 2))]", json!(["a", "b"])),
            ("int", "[max(createArray(0, 3, 2))]", json!(3)),
            ("int", "[mod(7, 3)]", json!(1)),
            ("int", "[div(8, 3)]", json!(2)),
            ("array", "[range(5, 3)]", json!([5, 6, 7])),
            ("bool", "[and(true(), not(or(false(), bool(0))))]", json!(true)),
            ("string", "[if(equals('a', 'a'), 'yes', fail('never'))]", json!("yes")),
            ("string", "[coalesce(null(), 'x')]", json!("x")),
            ("string", "[string(createObject('a', createArray(1, true())))]", json!("{\"a\":[1,true]}")),
            ("bool", "[empty(tryGet(createObject('a', 1), 'b', 'c'))]", json!(true)),
            ("string", "[coalesce(createObject('a', 1).?b.?c, 'none')]", json!("none")),
            ("array", "[map(range(0, 3), lambda('x', mul(lambdaVariables('x'), 2)))]", json!([0, 2, 4])),
            (
                "array",
                "[filter(createArray(1, 2, 3), lambda('x', greater(lambdaVariables('x'), 1)))]",
                json!([2, 3]),
            ),
            (
                "int",
                "[reduce(createArray(1, 2, 3), 0, lambda('a', 'b', add(lambdaVariables('a'), lambdaVariables('b'))))]",
                json!(6),
            ),
            (
                "array",
                "[sort(createArray(3, 1, 2), lambda('a', 'b', less(lambdaVariables('a'), lambdaVariables('b'))))]",
                json!([1, 2, 3]),
            ),
            (
                "object",
                "[toObject(createArray('a', 'b'), lambda('x', lambdaVariables('x')), lambda('x', toUpper(lambdaVariables('x'))))]",
                json!({"a": "A", "b": "B"}),
            ),
            (
                "object",
                "[groupBy(createArray('foo', 'bar', 'baz'), lambda('x', substring(lambdaVariables('x'), 0, 1)))]",
                json!({"f": ["foo"], "b": ["bar", "baz"]}),
            ),
            (
                "object",
                "[mapValues(createObject('a', 1), lambda('v', add(lambdaVariables('v'), 1)))]",
                json!({"a": 2}),
            ),
            ("string", "[resourceId('A.B/c/d', 'x', 'y')]", json!(rg("A.B/c/x/d/y"))),
            (
                "string",
                "[resourceId('other', 'A.B/c', 'x')]",
                json!(format!("{SUB}/resourceGroups/other/providers/A.B/c/x")),
            ),
            ("string", "[subscriptionResourceId('A.B/c', 'x')]", json!(format!("{SUB}/providers/A.B/c/x"))),
            ("string", "[tenantResourceId('A.B/c', 'x')]", json!("/providers/A.B/c/x")),
            (
                "string",
                "[extensionResourceId(resourceId('A.B/c', 'x'), 'C.D/e', 'y')]",
                json!(rg("A.B/c/x/providers/C.D/e/y")),
            ),
            ("string", "[resourceGroup().location]", json!("westeurope")),
            ("string", "[deployment().name]", json!("d")),
            ("string", "[subscription().subscriptionId]", json!(&SUB[15..])),
            ("int", "[length(uniqueString(resourceGroup().id))]", json!(13)),
            ("bool", "[equals(uniqueString('a', 'b'), uniqueString('a', 'b'))]", json!(true)),
            ("bool", "[not(equals(guid('a'), guid('b')))]", json!(true)),
            ("string", "[environment().authentication.tenant]", json!("common")),
            (
                "array",
                "[pickZones('Microsoft.Compute', 'virtualMachines', 'westeurope', 2, 1)]",
                json!(["2", "3"]),
            ),
        ],
    );
}

#[test]
fn parameters_are_judged_and_secure_ones_never_shown() {
    let mut lab = Lab::new(0.0);
    let mut whole = template(json!([]));
    whole["parameters"] = json!({
        "size": {"type": "int", "minValue": 1, "maxValue": 5, "defaultValue": 2},
        "tier": {"type": "string", "allowedValues": ["a", "b"]},
        "secret": {"type": "secureString", "minLength": 3},
        "name": {"type": "string", "defaultValue": "[concat(parameters('tier'), '-x')]"},
    });
    whole["outputs"] = json!({
        "name": {"type": "string", "value": "[parameters('name')]"},
        "secret": {"type": "securestring", "value": "[parameters('secret')]"},
    });
    let good = json!({"tier": {"value": "a"}, "secret": {"value": "hidden"}});
    for (sent, says) in [
        (
            json!({"tier": {"value": "a"}}),
            "The value for the template parameter 'secret' at line '1' and column",
        ),
        (
            json!({"tier": {"value": "c"}, "secret": {"value": "hidden"}}),
            "The value 'c' is not part of the allowed value(s): 'a,b'",
        ),
        (
            json!({"tier": {"value": "a"}, "secret": {"value": "h"}}),
            "Length of the value should be greater than or equal to '3'",
        ),
        (
            json!({"size": {"value": 9}, "tier": {"value": "a"}, "secret": {"value": "hidden"}}),
            "'9' must be less than or equal to",
        ),
        (
            json!({"size": {"value": "1"}, "tier": {"value": "a"}, "secret": {"value": "hidden"}}),
            "Expected 'Integer'. Actual 'String'",
        ),
        (
            json!({"other": {"value": 1}, "tier": {"value": "a"}, "secret": {"value": "hidden"}}),
            "The template parameters 'other' in the parameters file are not valid",
        ),
    ] {
        let refused = lab.put(&path("d"), body(whole.clone(), sent));
        assert!(refused.json["error"]["message"].as_str().unwrap().contains(says), "{:#}", refused.json);
        assert_eq!(refused.json["error"]["additionalInfo"][0]["type"], "TemplateViolation");
        refused.refused(400, "InvalidTemplate");
    }
    let done = deploy(&mut lab, body(whole, good)).json;
    let properties = &done["properties"];
    assert_eq!(properties["outputs"]["name"]["value"], "a-x");
    assert_eq!(properties["outputs"]["secret"], json!({"type": "SecureString"}));
    assert_eq!(properties["parameters"]["secret"], json!({"type": "SecureString"}));
    assert_eq!(properties["parameters"]["size"], json!({"type": "Int", "value": 2}));
    assert!(!done.to_string().contains("hidden"));
    assert!(!format!("{:?}", lab.world.templates).contains("hidden"));
}

#[test]
fn invalid_templates_are_refused_in_azures_words() {
    let mut lab = Lab::new(0.0);
    let with = |change: fn(&mut Value)| {
        let mut one = identity("aaa");
        change(&mut one);
        template(json!([one]))
    };
    let circle = template(json!([
        {"type": IDENTITY, "apiVersion": "2024-11-30", "name": "a", "location": "westeurope", "dependsOn": ["b"]},
        {"type": IDENTITY, "apiVersion": "2024-11-30", "name": "b", "location": "westeurope", "dependsOn": ["a"]},
    ]));
    let itself = with(|it| {
        it["tags"] = json!({"x": format!("[reference(resourceId('{IDENTITY}', 'aaa')).clientId]")})
    });
    let mut variables = template(json!([]));
    variables["variables"] = json!({"a": "[variables('b')]", "b": "[variables('a')]"});
    variables["resources"] = json!([with(|it| it["name"] = json!("[variables('a')]"))["resources"][0]]);
    for (whole, code, says) in [
        (circle, "InvalidTemplate", "Circular dependency detected on resource: '/subscriptions/"),
        (itself, "InvalidTemplate", "Circular dependency"),
        (variables, "InvalidTemplate", "refers to itself"),
        (
            with(|it| it["dependsOn"] = json!(["nothing"])),
            "InvalidTemplate",
            "The resource 'nothing' is not defined in the template.",
        ),
        (with(|it| it["name"] = json!("a/b")), "InvalidTemplate", "has incorrect segment lengths"),
        (
            with(|it| it["name"] = json!("[parameters('x')]")),
            "InvalidTemplate",
            "The template parameter 'x' is not found",
        ),
        (
            with(|it| it["name"] = json!("[foo('x')]")),
            "InvalidTemplate",
            "The template function 'foo' is not valid",
        ),
        (with(|it| it["name"] = json!("[concat('x'")), "InvalidTemplateDeployment", ""),
        (
            with(|it| it["name"] = json!("[reference('a').b]")),
            "InvalidTemplate",
            "The template function 'reference' is not expected at this location",
        ),
        (with(|it| it["copy"] = json!({"name": "l", "count": 801})), "InvalidTemplate", "out of range"),
        (with(|it| drop(it.as_object_mut().unwrap().remove("apiVersion"))), "InvalidTemplate", "apiVersion"),
        (
            template(json!([identity("aaa"), identity("AAA")])),
            "InvalidTemplate",
            "is defined multiple times in a template",
        ),
        (json!({"resources": []}), "InvalidRequestContent", "Required property '$schema' not found in JSON"),
        (with(|it| it["location"] = json!("atlantis")), "LocationNotAvailableForResourceType", "atlantis"),
    ] {
        let refused = lab.post(&format!("{}/validate", path("d")), body(whole, json!({})));
        let message = refused.json["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(says), "{message}");
        refused.refused(400, code);
    }
    let mut linked = body(template(json!([])), json!({}));
    linked["properties"]["templateLink"] = json!({"uri": "https://example.com/t.json"});
    lab.put(&path("d"), linked.clone()).refused(400, "InvalidRequestContent");
    linked["properties"]["template"] = Value::Null;
    lab.put(&path("d"), linked).refused(400, "InvalidContentLink");
    lab.put(&path("bad name!"), body(template(json!([])), json!({})))
        .refused(400, "DeploymentNameInvalidCharacters");
    let tenant = "/providers/Microsoft.Resources/deployments/d";
    lab.put(tenant, body(template(json!([])), json!({}))).refused(400, "LocationRequired");
    lab.put(
        &format!("{SUB}/providers/Microsoft.Resources/deployments/d"),
        body(template(json!([])), json!({})),
    )
    .refused(400, "LocationRequired");
}

#[test]
fn loops_conditions_and_needs_are_kept() {
    let mut lab = Lab::new(1.0);
    let mut whole = template(json!([
        {"type": IDENTITY, "apiVersion": "2024-11-30", "name": "[concat('num', copyIndex(1))]", "location": "westeurope",
         "copy": {"name": "all", "count": 3, "mode": "serial", "batchSize": 2},
         "tags": {"copy": "no loop", "at": "[string(copyIndex())]"}},
        {"type": IDENTITY, "apiVersion": "2024-11-30", "name": "off", "location": "westeurope", "condition": false},
        {"type": "Microsoft.Network/networkSecurityGroups", "apiVersion": "2024-05-01", "name": "nsg", "location": "westeurope",
         "dependsOn": ["all", "off"],
         "properties": {"copy": [{"name": "securityRules", "count": "[length(variables('ports'))]", "input": {
            "name": "[concat('r', copyIndex('securityRules'))]",
            "properties": {"priority": "[add(100, copyIndex('securityRules'))]", "direction": "Inbound", "access": "Allow",
                           "protocol": "Tcp", "sourceAddressPrefix": "*", "sourcePortRange": "*",
                           "destinationAddressPrefix": "*", "destinationPortRange": "[variables('ports')[copyIndex('securityRules')]]"}}}]}},
    ]));
    whole["variables"] =
        json!({"copy": [{"name": "ports", "count": 2, "input": "[string(add(8080, copyIndex('ports')))]"}]});
    whole["outputs"] =
        json!({"names": {"type": "array", "copy": {"count": 3, "input": "[concat('num', copyIndex(1))]"}}});
    let done = deploy(&mut lab, body(whole, json!({}))).json;
    assert_eq!(done["properties"]["provisioningState"], "Succeeded", "{done:#}");
    assert_eq!(done["properties"]["outputs"]["names"]["value"], json!(["num1", "num2", "num3"]));
    assert_eq!(done["properties"]["dependencies"].as_array().unwrap().len(), 2);
    lab.get(&rg(&format!("{IDENTITY}/off"))).refused(404, "ResourceNotFound");
    let group = lab.get(&rg("Microsoft.Network/networkSecurityGroups/nsg")).ok(200).json;
    assert_eq!(group["properties"]["securityRules"][1]["properties"]["destinationPortRange"], "8081");
    assert_eq!(lab.get(&rg(&format!("{IDENTITY}/num3"))).ok(200).json["tags"]["at"], "2");
}

#[test]
fn failures_nest_as_azure_nests_them() {
    let mut lab = Lab::new(1.0);
    let fault = json!({"match": {"method": "PUT", "type": "Microsoft.Network/networkSecurityGroups"}, "fault": {"operation": "fails", "code": "Broken", "message": "It broke."}});
    lab.post("/_local/faults", fault).ok(200);
    let group = json!({"type": "Microsoft.Network/networkSecurityGroups", "apiVersion": "2024-05-01", "name": "nsg", "location": "westeurope"});
    let mut after = identity("after");
    after["dependsOn"] = json!(["nsg"]);
    let nested = json!({"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "inner", "properties": {
        "mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"}, "template": template(json!([group, after]))}});
    let failed = deploy(&mut lab, body(template(json!([nested, identity("free")])), json!({}))).json;
    let error = &failed["properties"]["error"];
    assert_eq!(
        (&failed["properties"]["provisioningState"], &error["code"]),
        (&json!("Failed"), &json!("DeploymentFailed"))
    );
    let inner = &error["details"][0];
    assert_eq!(inner["code"], "ResourceDeploymentFailure");
    assert_eq!(inner["target"], path("inner"));
    assert_eq!(inner["details"][0]["code"], "DeploymentFailed");
    let cause = &inner["details"][0]["details"][0];
    assert_eq!(
        (&cause["code"], &cause["details"][0]["code"]),
        (&json!("ResourceDeploymentFailure"), &json!("Broken"))
    );
    // what needed it was never begun, what did not was made
    lab.get(&rg(&format!("{IDENTITY}/after"))).refused(404, "ResourceNotFound");
    lab.get(&rg(&format!("{IDENTITY}/free"))).ok(200);
    let operations = lab.get(&format!("{}/operations", path("inner"))).ok(200).json;
    assert_eq!(
        operations["value"][0]["properties"]["statusMessage"]["error"]["details"][0]["message"],
        "It broke."
    );
    // a resource that is refused at once keeps its own code
    let child = json!({"type": "Microsoft.Network/virtualNetworks/subnets", "apiVersion": "2024-05-01", "name": "none/s", "properties": {"addressPrefix": "10.0.0.0/24"}});
    let failed = deploy(&mut lab, body(template(json!([child])), json!({}))).json;
    assert_eq!(failed["properties"]["error"]["details"][0]["code"], "ParentResourceNotFound");
}

#[test]
fn nested_templates_see_their_own_or_their_parents_values() {
    let mut lab = Lab::new(0.0);
    lab.put(&format!("{SUB}/resourceGroups/other"), json!({"location": "northeurope"})).ok(201);
    let nested = |name: &str, scope: &str| {
        let mut inner = template(json!([]));
        inner["variables"] = json!({"v": "inner"});
        inner["outputs"] = json!({"v": {"type": "string", "value": "[variables('v')]"},
                                  "g": {"type": "string", "value": "[resourceGroup().name]"}});
        json!({"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": name, "resourceGroup": "other",
               "properties": {"mode": "Incremental", "expressionEvaluationOptions": {"scope": scope}, "template": inner}})
    };
    let mut whole = template(json!([nested("a", "inner"), nested("b", "outer")]));
    whole["variables"] = json!({"v": "outer"});
    whole["outputs"] = json!({
        "a": {"type": "object", "value": "[reference(resourceId('other', 'Microsoft.Resources/deployments', 'a')).outputs]"},
        "b": {"type": "string", "value": "[reference('b').outputs.v.value]"},
    });
    let done = deploy(&mut lab, body(whole, json!({}))).json;
    assert_eq!(done["properties"]["provisioningState"], "Succeeded", "{done:#}");
    assert_eq!(done["properties"]["outputs"]["a"]["value"]["v"]["value"], "inner");
    assert_eq!(done["properties"]["outputs"]["a"]["value"]["g"]["value"], "other");
    assert_eq!(done["properties"]["outputs"]["b"]["value"], "outer");
}

#[test]
fn a_subscription_deployment_makes_groups_and_deploys_into_them() {
    let mut lab = Lab::new(0.0);
    let inner = template(json!([identity("in-new")]));
    let whole = template(json!([
        {"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2024-11-01", "name": "new", "location": "westeurope"},
        {"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "into", "resourceGroup": "new",
         "dependsOn": ["[subscriptionResourceId('Microsoft.Resources/resourceGroups', 'new')]"],
         "properties": {"mode": "Incremental", "template": inner}},
    ]));
    let at = format!("{SUB}/providers/Microsoft.Resources/deployments/s");
    let mut sent = body(whole, json!({}));
    sent["location"] = json!("West Europe");
    let accepted = lab.put(&at, sent);
    assert_eq!(accepted.status, 201, "{:#}", accepted.json);
    let (ended, _) = lab.follow(&accepted);
    assert_eq!(ended.json["status"], "Succeeded", "{:#}", ended.json);
    lab.get(&format!("{SUB}/resourceGroups/new/providers/{IDENTITY}/in-new")).ok(200);
    assert_eq!(lab.get(&at).ok(200).json["location"], "westeurope");
}

#[test]
fn complete_mode_deletes_what_is_absent() {
    let mut lab = Lab::new(1.0);
    deploy(&mut lab, body(template(json!([identity("keep"), identity("drop")])), json!({})));
    let mut whole = body(template(json!([identity("keep")])), json!({}));
    whole["properties"]["mode"] = json!("Complete");
    let told = lab.post(&format!("{}/whatIf", path("d")), whole.clone()).ok(200).json;
    let kinds: Vec<&str> = told["properties"]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["changeType"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["Delete", "NoChange"]);
    let done = deploy(&mut lab, whole).json;
    assert_eq!(done["properties"]["provisioningState"], "Succeeded");
    lab.get(&rg(&format!("{IDENTITY}/drop"))).refused(404, "ResourceNotFound");
    lab.get(&rg(&format!("{IDENTITY}/keep"))).ok(200);
}

#[test]
fn what_if_tells_creations_changes_and_what_it_leaves_alone() {
    let mut lab = Lab::new(0.0);
    deploy(&mut lab, body(template(json!([identity("aaa"), identity("bbb")])), json!({})));
    let mut changed = identity("aaa");
    changed["tags"] = json!({"env": "prod"});
    let whole = body(template(json!([changed, identity("ccc")])), json!({}));
    let told = lab.post(&format!("{}/whatIf", path("w")), whole.clone()).ok(200).json;
    let changes = told["properties"]["changes"].as_array().unwrap();
    let kinds: Vec<&str> = changes.iter().map(|it| it["changeType"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Modify", "Ignore", "Create"], "{told:#}");
    assert_eq!(
        changes[0]["delta"],
        json!([{"path": "tags", "propertyChangeType": "Create", "before": null, "after": {"env": "prod"}}])
    );
    lab.get(&path("w")).refused(404, "DeploymentNotFound");
    lab.get(&rg(&format!("{IDENTITY}/ccc"))).refused(404, "ResourceNotFound");
    let mut brief = whole;
    brief["properties"]["whatIfSettings"] = json!({"resultFormat": "ResourceIdOnly"});
    let told = lab.post(&format!("{}/whatIf", path("w")), brief).ok(200).json;
    assert_eq!(told["properties"]["changes"][0]["changeType"], "Deploy");
}

#[test]
fn a_canceled_deployment_begins_nothing_more() {
    let mut lab = Lab::new(1.0);
    let first = json!({"type": "Microsoft.Network/networkSecurityGroups", "apiVersion": "2024-05-01", "name": "nsg", "location": "westeurope"});
    let mut second = identity("later");
    second["dependsOn"] = json!(["nsg"]);
    let accepted = lab.put(&path("d"), body(template(json!([first, second])), json!({}))).ok(201);
    lab.wait(1.0);
    lab.post(&format!("{}/cancel", path("d")), json!({})).ok(204);
    assert_eq!(lab.follow(&accepted).0.json["status"], "Canceled");
    lab.wait(100.0);
    lab.get(&rg("Microsoft.Network/networkSecurityGroups/nsg")).ok(200);
    lab.get(&rg(&format!("{IDENTITY}/later"))).refused(404, "ResourceNotFound");
    lab.post(&format!("{}/cancel", path("d")), json!({})).refused(409, "DeploymentCannotBeCancelled");
}

#[test]
fn symbolic_names_existing_resources_and_user_functions() {
    let mut lab = Lab::new(0.0);
    lab.put(&rg(&format!("{IDENTITY}/old")), json!({"location": "westeurope"})).ok(201);
    let mut whole = template(json!({
        "old": {"existing": true, "type": IDENTITY, "apiVersion": "2024-11-30", "name": "old"},
        "fresh": {"type": IDENTITY, "apiVersion": "2024-11-30", "name": "[n.full('fresh')]", "location": "westeurope",
                  "tags": {"of": "[reference('old').clientId]"}},
        "many": {"copy": {"name": "many", "count": 2}, "type": IDENTITY, "apiVersion": "2024-11-30",
                 "name": "[format('many{0}', copyIndex())]", "location": "westeurope", "dependsOn": ["fresh"]},
    }));
    whole["languageVersion"] = json!("2.0");
    whole["functions"] = json!([{"namespace": "n", "members": {"full": {
        "parameters": [{"name": "p", "type": "string"}],
        "output": {"type": "string", "value": "[concat('id-', parameters('p'))]"}}}}]);
    whole["outputs"] = json!({
        "known": {"type": "string", "value": "[reference('old', '2024-11-30', 'full').location]"},
        "all": {"type": "array", "value": "[map(references('many'), lambda('m', lambdaVariables('m').clientId))]"},
    });
    let done = deploy(&mut lab, body(whole, json!({}))).json;
    assert_eq!(done["properties"]["provisioningState"], "Succeeded", "{done:#}");
    assert_eq!(done["properties"]["outputs"]["known"]["value"], "westeurope");
    assert_eq!(done["properties"]["outputs"]["all"]["value"].as_array().unwrap().len(), 2);
    assert_eq!(done["properties"]["outputResources"].as_array().unwrap().len(), 3);
    let old = lab.get(&rg(&format!("{IDENTITY}/old"))).json;
    assert_eq!(
        lab.get(&rg(&format!("{IDENTITY}/id-fresh"))).ok(200).json["tags"]["of"],
        old["properties"]["clientId"]
    );
}

#[test]
fn a_compiled_template_of_a_container_app_deploys_whole() {
    let mut lab = Lab::new(0.0);
    let whole: Value = serde_json::from_str(include_str!("testdata/container_apps.json")).unwrap();
    lab.post(&format!("{}/validate", path("app")), body(whole.clone(), json!({}))).ok(200);
    let accepted = lab.put(&path("app"), body(whole.clone(), json!({})));
    assert_eq!(accepted.status, 201, "{:#}", accepted.json);
    lab.wait(1.0);
    let operations = lab.get(&format!("{}/operations", path("app"))).ok(200).json;
    let left: Vec<&Value> = operations["value"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["properties"]["provisioningState"] != "Succeeded")
        .collect();
    // the application itself is ready when the runtime says so
    assert!(
        left.iter().all(|it| it["properties"]["targetResource"]["resourceName"] == "ca-shop"),
        "{left:#?}"
    );
    assert!(left.iter().all(|it| it["properties"]["provisioningState"] == "Running"), "{left:#?}");
    let shown = lab.get(&rg("Microsoft.App/containerApps/ca-shop")).ok(200).json;
    let vault = shown["properties"]["template"]["containers"][0]["env"][0]["value"].as_str().unwrap();
    assert!(vault.starts_with("https://kv-shop-"), "{vault}");
    assert!(!lab.get(&path("app")).json.to_string().contains("s3cr3t"));
}

#[test]
fn secrets_of_a_vault_are_parameters_when_the_vault_allows() {
    let mut lab = Lab::new(0.0);
    let vault = rg("Microsoft.KeyVault/vaults/kv-par");
    let tenant = lab.world.config.tenant.clone();
    let with = |allowed: bool| {
        json!({"location": "westeurope", "properties": {"tenantId": tenant, "sku": {"family": "A", "name": "standard"},
        "enableRbacAuthorization": true, "enabledForTemplateDeployment": allowed}})
    };
    lab.put(&vault, with(false));
    lab.put(&format!("{vault}/secrets/s"), json!({"properties": {"value": "deep"}}));
    let mut whole = template(json!([]));
    whole["parameters"] = json!({"p": {"type": "securestring"}});
    whole["outputs"] = json!({"n": {"type": "int", "value": "[length(parameters('p'))]"}});
    let sent = json!({"p": {"reference": {"keyVault": {"id": vault}, "secretName": "s"}}});
    lab.put(&path("d"), body(whole.clone(), sent.clone()))
        .refused(403, "KeyVaultParameterReferenceSecretRetrieveFailed");
    lab.put(&vault, with(true));
    let done = deploy(&mut lab, body(whole, sent)).json;
    assert_eq!(done["properties"]["outputs"]["n"]["value"], 4);
    assert_eq!(done["properties"]["parameters"]["p"]["reference"]["secretName"], "s");
}

#[test]
fn deployments_outlive_the_state_being_kept_and_read_again() {
    let mut lab = Lab::new(1.0);
    let mut second = identity("second");
    second["tags"] = json!({"first": "[reference('nsg').resourceGuid]"});
    second["tags"] = json!({"of": "[concat(parameters('p'), variables('v'))]"});
    second["dependsOn"] = json!(["nsg"]);
    let first = json!({"type": "Microsoft.Network/networkSecurityGroups", "apiVersion": "2024-05-01", "name": "nsg", "location": "westeurope"});
    let mut whole = template(json!([first, second]));
    whole["parameters"] = json!({"p": {"type": "string", "defaultValue": "[newGuid()]"}});
    whole["variables"] = json!({"v": "-v"});
    let accepted = lab.put(&path("d"), body(whole, json!({}))).ok(201);
    lab.wait(1.0);
    let kept = serde_json::to_string(&lab.world).unwrap();
    lab.world = serde_json::from_str(&kept).unwrap();
    let (ended, _) = lab.follow(&accepted);
    assert_eq!(ended.json["status"], "Succeeded", "{:#}", ended.json);
    let parameter =
        lab.get(&path("d")).json["properties"]["parameters"]["p"]["value"].as_str().unwrap().to_owned();
    assert_eq!(
        lab.get(&rg(&format!("{IDENTITY}/second"))).ok(200).json["tags"]["of"],
        format!("{parameter}-v")
    );
}

#[test]
fn five_hundred_resources_deploy_and_passing_trouble_is_tried_again() {
    let mut lab = Lab::new(0.0);
    let fault = json!({"match": {"method": "PUT", "type": IDENTITY}, "times": 2, "fault": {"status": 503, "code": "ServiceUnavailable"}});
    lab.post("/_local/faults", fault).ok(200);
    let many = json!({"type": IDENTITY, "apiVersion": "2024-11-30", "name": "[concat('num', copyIndex())]", "location": "westeurope", "copy": {"name": "l", "count": 500}});
    let accepted = lab.put(&path("d"), body(template(json!([many])), json!({}))).ok(201);
    lab.wait(1.0);
    assert_eq!(lab.follow(&accepted).0.json["status"], "Succeeded");
    assert_eq!(lab.get(&path("d")).json["properties"]["outputResources"].as_array().unwrap().len(), 500);
    let exported = lab
        .post(&format!("{SUB}/resourceGroups/rg/exportTemplate"), json!({"resources": ["*"]}))
        .ok(200)
        .json;
    assert_eq!(exported["template"]["resources"].as_array().unwrap().len(), 500);
}

#[test]
fn rights_are_needed_for_every_resource_of_a_template() {
    let mut lab = Lab::new(0.0);
    lab.put(&rg(&format!("{IDENTITY}/myself")), json!({"location": "westeurope"})).ok(201);
    let me = lab.get(&rg(&format!("{IDENTITY}/myself"))).json["properties"]["principalId"]
        .as_str()
        .unwrap()
        .to_owned();
    // Managed Identity Contributor: its own type and deployments
    let role = format!(
        "{SUB}/providers/Microsoft.Authorization/roleDefinitions/e40ec5ca-96e0-45a2-b4ff-59039f2c2b59"
    );
    let assignment = format!(
        "{SUB}/resourceGroups/rg/providers/Microsoft.Authorization/roleAssignments/{}",
        uuid::Uuid::from_u128(5)
    );
    let sent = json!({"properties": {"roleDefinitionId": role, "principalId": me, "principalType": "ServicePrincipal"}});
    lab.put(&assignment, sent).ok(201);
    let token = lab.token(Some(&me), "https://management.azure.com/");
    let group = json!({"type": "Microsoft.Network/networkSecurityGroups", "apiVersion": "2024-05-01", "name": "nsg", "location": "westeurope"});
    let refused =
        lab.send_as(&token, Method::Put, &path("d"), Some(body(template(json!([group])), json!({}))));
    refused.refused(403, "InvalidTemplateDeployment");
}

#[test]
fn linked_content_comes_with_the_request_or_is_asked_for() {
    use super::links::ATTACHED;

    let mut lab = Lab::new(0.0);
    let uri = "https://store.blob.core.localhost:8443/t/main.json?sig=hush";
    let mut main = template(json!([]));
    main["outputs"] = json!({"x": {"type": "string", "value": "linked"}});
    let sent = json!({"properties": {"mode": "Incremental", "templateLink": {"uri": uri}}}).to_string();
    lab.put(&path("d"), serde_json::from_str(&sent).unwrap()).refused(400, "InvalidContentLink");
    let token = lab.token(None, "https://management.azure.com/");
    let headers = [
        ("authorization".to_owned(), format!("Bearer {token}")),
        (format!("{ATTACHED}{uri}"), main.to_string()),
    ];
    let to = format!("{}?api-version=2025-04-01", path("d"));
    let made = lab
        .raw(Plane::Arm, "https://localhost:8443", Method::Put, &to, &headers, Some(sent.into_bytes()))
        .ok(201);
    lab.follow(&made);
    let shown = lab.get(&path("d")).ok(200).json;
    assert_eq!(shown["properties"]["outputs"]["x"]["value"], "linked");
    let link = &shown["properties"]["templateLink"];
    assert_eq!(link["uri"], "https://store.blob.core.localhost:8443/t/main.json", "without its signature");
}

#[test]
fn a_history_is_full_where_nothing_goes_by_itself() {
    let mut lab = Lab::new(0.0);
    let to = |at: usize| format!("{SUB}/providers/Microsoft.Resources/deployments/d{at}");
    let sent = || {
        let mut sent = body(template(json!([])), json!({}));
        sent["location"] = json!("westeurope");
        sent
    };
    for at in 0..800 {
        lab.put(&to(at), sent()).ok(201);
    }
    lab.wait(1.0);
    lab.put(&to(800), sent()).refused(409, "DeploymentQuotaExceeded");
    lab.put(&to(0), sent()).ok(200);
}
