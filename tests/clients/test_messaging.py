"""Service Bus: tiers, entities and their ranges, keys, recovery pairs. Communication Services."""

import pytest
from azure.core.exceptions import ResourceNotFoundError
from conftest import refusal


@pytest.fixture(scope="module")
def rg(azure):
    return azure.group("bus")


@pytest.fixture(scope="module")
def bus(azure, rg):
    from azure.mgmt.servicebus import ServiceBusManagementClient

    return azure.management(ServiceBusManagementClient)


def namespace(bus, name, sku, location="westeurope", capacity=None, **properties):
    sold = {"name": sku, "tier": sku, **({"capacity": capacity} if capacity else {})}
    body = {"location": location, "sku": sold, "properties": properties}
    return bus.namespaces.begin_create_or_update("bus", name, body).result()


@pytest.fixture(scope="module")
def standard(bus):
    return namespace(bus, "orders-std", "Standard")


@pytest.fixture(scope="module")
def premium(bus):
    return namespace(bus, "orders-prm", "Premium", capacity=1)


def queue(bus, name="q", space="orders-std", **properties):
    return bus.queues.create_or_update("bus", space, name, {"properties": properties})


def test_names_of_namespaces_have_rules_and_are_everybodys(azure, bus, standard):
    assert refusal(namespace, bus, "orders-sb", "Basic")[0] == 400
    assert refusal(namespace, bus, "1orders", "Basic")[0] == 400
    assert bus.namespaces.check_name_availability({"name": "orders-std"}).reason == "NameInUse"
    assert bus.namespaces.check_name_availability({"name": "orders-mgmt"}).reason == "InvalidName"
    assert bus.namespaces.check_name_availability({"name": "orders-free"}).name_available
    other = azure.group("bus-other")
    body = {"location": "westeurope", "sku": {"name": "Standard"}}
    assert azure.arm("PUT", f"{other}/providers/Microsoft.ServiceBus/namespaces/orders-std", "2024-01-01", body).status_code == 400


def test_the_basic_tier_has_queues_without_sessions_and_no_topics(bus):
    namespace(bus, "orders-bsc", "Basic")
    assert refusal(bus.topics.create_or_update, "bus", "orders-bsc", "t", {"properties": {}})[0] == 400
    assert refusal(queue, bus, space="orders-bsc", requiresSession=True)[0] == 400
    assert refusal(queue, bus, space="orders-bsc", requiresDuplicateDetection=True)[0] == 400
    assert refusal(queue, bus, space="orders-bsc", defaultMessageTimeToLive="P15D")[0] == 400
    assert queue(bus, space="orders-bsc").properties.max_delivery_count == 10


def test_premium_is_chosen_at_the_start_and_has_messaging_units(bus, premium):
    assert premium.sku.capacity == 1
    assert refusal(namespace, bus, "orders-prm", "Premium", capacity=3)[0] == 400
    assert refusal(namespace, bus, "orders-prm", "Standard")[0] == 400
    assert refusal(namespace, bus, "orders-std", "Premium")[0] == 400
    assert refusal(namespace, bus, "orders-zone", "Standard", zoneRedundant=True)[0] == 400


def test_queues_have_their_ranges(bus, standard):
    wrong = [
        {"lockDuration": "PT6M"},
        {"maxDeliveryCount": 0},
        {"maxSizeInMegabytes": 1000},
        {"maxMessageSizeInKilobytes": 2048},
        {"duplicateDetectionHistoryTimeWindow": "P8D"},
        {"autoDeleteOnIdle": "PT1M"},
        {"forwardTo": "nowhere"},
    ]
    for properties in wrong:
        assert refusal(queue, bus, "q-wrong", **properties)[0] == 400, properties
    assert refusal(queue, bus, "-q")[0] == 400


def test_what_of_a_queue_is_for_good(bus, standard):
    queue(bus, "q-kept", requiresDuplicateDetection=True)
    for properties in ({"requiresSession": True}, {"requiresDuplicateDetection": False}, {"enablePartitioning": True}):
        assert refusal(queue, bus, "q-kept", **properties)[0] == 400
    changed = queue(bus, "q-kept", requiresDuplicateDetection=True, lockDuration="PT2M")
    assert changed.properties.lock_duration.total_seconds() == 120


def test_a_queue_and_a_topic_share_one_space_of_names(bus, standard):
    queue(bus, "shared")
    assert refusal(bus.topics.create_or_update, "bus", "orders-std", "shared", {"properties": {}})[0] == 409


def test_subscriptions_have_a_default_rule_and_filters(bus, standard):
    bus.topics.create_or_update("bus", "orders-std", "events", {"properties": {}})
    bus.subscriptions.create_or_update("bus", "orders-std", "events", "all", {"properties": {"requiresSession": True}})
    assert [it.name for it in bus.rules.list_by_subscriptions("bus", "orders-std", "events", "all")] == ["$Default"]
    rule = bus.rules.create_or_update
    big = {"properties": {"filterType": "SqlFilter", "sqlFilter": {"sqlExpression": "amount > 100"}}}
    assert rule("bus", "orders-std", "events", "all", "big", big).properties.sql_filter.sql_expression == "amount > 100"
    assert refusal(rule, "bus", "orders-std", "events", "all", "no", {"properties": {"filterType": "SqlFilter", "sqlFilter": {}}})[0] == 400
    assert bus.topics.get("bus", "orders-std", "events").properties.subscription_count == 1
    bus.rules.delete("bus", "orders-std", "events", "all", "$Default")
    with pytest.raises(ResourceNotFoundError):
        bus.rules.get("bus", "orders-std", "events", "all", "$Default")


def test_keys_come_with_connection_strings_and_are_made_anew(bus, standard):
    root = bus.namespaces.list_keys("bus", "orders-std", "RootManageSharedAccessKey")
    assert root.primary_connection_string.startswith("Endpoint=sb://orders-std.servicebus.windows.net/;SharedAccessKeyName=Root")
    rule = bus.namespaces.create_or_update_authorization_rule
    assert refusal(rule, "bus", "orders-std", "app", {"properties": {"rights": ["Manage"]}})[0] == 400
    rule("bus", "orders-std", "app", {"properties": {"rights": ["Send"]}})
    before = bus.namespaces.list_keys("bus", "orders-std", "app")
    after = bus.namespaces.regenerate_keys("bus", "orders-std", "app", {"keyType": "SecondaryKey"})
    assert (before.primary_key, before.secondary_key != after.secondary_key) == (after.primary_key, True)
    queue(bus, "keyed")
    bus.queues.create_or_update_authorization_rule("bus", "orders-std", "keyed", "send", {"properties": {"rights": ["Send"]}})
    assert bus.queues.list_keys("bus", "orders-std", "keyed", "send").primary_connection_string.endswith(";EntityPath=keyed")


def test_network_rules_are_for_premium(bus, standard, premium):
    deny = {"properties": {"defaultAction": "Deny", "ipRules": [{"ipMask": "10.1.1.1", "action": "Allow"}]}}
    put = bus.namespaces.create_or_update_network_rule_set
    assert refusal(put, "bus", "orders-std", deny)[0] == 400
    assert put("bus", "orders-prm", deny).properties.default_action == "Deny"


def test_a_pair_of_premium_namespaces_fails_over(bus, premium):
    configs = bus.disaster_recovery_configs
    second = namespace(bus, "orders-prm2", "Premium", location="northeurope", capacity=1)
    queue(bus, "paired", "orders-prm")
    assert configs.check_name_availability("bus", "orders-prm", {"name": "orders-prm2"}).name_available is False
    near = {"properties": {"partnerNamespace": premium.id}}
    assert refusal(configs.create_or_update, "bus", "orders-prm", "orders-alias", near)[0] == 400
    made = configs.create_or_update("bus", "orders-prm", "orders-alias", {"properties": {"partnerNamespace": second.id}})
    assert made.properties.role == "Primary"
    assert configs.get("bus", "orders-prm2", "orders-alias").properties.role == "Secondary"
    assert bus.queues.get("bus", "orders-prm2", "paired").name == "paired"
    assert refusal(queue, bus, "late", "orders-prm2")[0] == 400
    assert refusal(bus.namespaces.begin_delete, "bus", "orders-prm")[0] == 400
    assert refusal(configs.fail_over, "bus", "orders-prm", "orders-alias")[0] == 400
    configs.fail_over("bus", "orders-prm2", "orders-alias")
    assert configs.get("bus", "orders-prm2", "orders-alias").properties.role == "PrimaryNotReplicating"
    configs.delete("bus", "orders-prm2", "orders-alias")


def test_communication_services_are_global_and_keep_their_data_in_one_place(azure, rg):
    path = f"{rg}/providers/Microsoft.Communication/communicationServices/talk-one"
    api = "2023-04-01"
    body = {"location": "westeurope", "properties": {"dataLocation": "Europe"}}
    assert azure.arm("PUT", path, api, body).status_code == 400
    body["location"] = "global"
    assert azure.put(path, api, body)["properties"]["hostName"] == "talk-one.europe.communication.azure.com"
    body["properties"]["dataLocation"] = "Japan"
    assert azure.arm("PUT", path, api, body).status_code == 400
    keys = azure.arm("POST", f"{path}/listKeys", api).json()
    assert keys["primaryConnectionString"].startswith("endpoint=https://talk-one.europe.communication.azure.com/;accesskey=")


def test_the_cli_makes_a_namespace_a_queue_and_a_topic(az, rg):
    made = az("servicebus", "namespace", "create", "-g", "bus", "-n", "orders-cli", "--sku", "Standard", "-l", "westeurope")
    assert made["sku"]["name"] == "Standard"
    assert az("servicebus", "queue", "create", "-g", "bus", "--namespace-name", "orders-cli", "-n", "q", "--max-delivery-count", "5")["maxDeliveryCount"] == 5
    az("servicebus", "topic", "create", "-g", "bus", "--namespace-name", "orders-cli", "-n", "t")
    az("servicebus", "topic", "subscription", "create", "-g", "bus", "--namespace-name", "orders-cli", "--topic-name", "t", "-n", "s")
    keys = az("servicebus", "namespace", "authorization-rule", "keys", "list", "-g", "bus", "--namespace-name", "orders-cli", "-n", "RootManageSharedAccessKey")
    assert "SharedAccessKey=" in keys["primaryConnectionString"]
    assert "BadRequest" in az.refused("servicebus", "queue", "create", "-g", "bus", "--namespace-name", "orders-cli", "-n", "p", "--lock-duration", "PT9M").text
