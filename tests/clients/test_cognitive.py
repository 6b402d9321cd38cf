"""Cognitive accounts with their models and quota, and App Configuration: what is deleted stays for a while."""

import pytest
from azure.core.exceptions import ResourceNotFoundError
from conftest import refusal

REGION = "swedencentral"


@pytest.fixture(scope="module")
def rg(azure):
    return azure.group("ai")


@pytest.fixture(scope="module")
def ai(azure, rg):
    from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient

    return azure.management(CognitiveServicesManagementClient)


def account(ai, name, kind="OpenAI", sku="S0", **properties):
    body = {"location": REGION, "kind": kind, "sku": {"name": sku}, "properties": properties}
    return ai.accounts.begin_create("ai", name, body).result()


def deploy(ai, name="chat", model="gpt-4.1", capacity=10, holder="ai-main", sku="GlobalStandard", **properties):
    body = {"sku": {"name": sku, "capacity": capacity}, "properties": {"model": {"format": "OpenAI", "name": model}, **properties}}
    return ai.deployments.begin_create_or_update("ai", holder, name, body).result()


@pytest.fixture(scope="module")
def main(ai):
    return account(ai, "ai-main", customSubDomainName="ai-main")


def test_accounts_have_kinds_skus_and_one_free_of_each(ai, rg):
    assert refusal(account, ai, "ai-what", "Telepathy") == (400, "InvalidApiSetId")
    assert refusal(account, ai, "ai-free", "OpenAI", "F0") == (400, "InvalidSkuId")
    account(ai, "speech-free", "SpeechServices", "F0")
    assert refusal(account, ai, "speech-free2", "SpeechServices", "F0")[0] == 400
    account(ai, "speech-paid", "SpeechServices", "S0")


def test_a_subdomain_is_everybodys_and_for_good(ai, main):
    assert main.properties.endpoint == "https://ai-main.openai.azure.com/"
    assert refusal(account, ai, "ai-second", customSubDomainName="ai-main") == (409, "CustomDomainInUse")
    asked = ai.check_domain_availability("ai-main", "Microsoft.CognitiveServices/accounts")
    assert asked.is_subdomain_available is False
    change = {"properties": {"customSubDomainName": "ai-other"}}
    assert refusal(ai.accounts.begin_update, "ai", "ai-main", change)[0] == 400


def test_keys_can_be_made_anew_or_turned_off(ai, main):
    before = ai.accounts.list_keys("ai", "ai-main")
    after = ai.accounts.regenerate_key("ai", "ai-main", "Key1")
    assert (before.key1 != after.key1, before.key2) == (True, after.key2)
    account(ai, "ai-nokeys", customSubDomainName="ai-nokeys", disableLocalAuth=True)
    assert refusal(ai.accounts.list_keys, "ai", "ai-nokeys")[0] == 400


def test_models_that_are_retired_or_unknown_are_refused(ai, main):
    assert refusal(deploy, ai, model="gpt-4o") == (400, "ServiceModelDeprecated")
    assert refusal(deploy, ai, model="gpt-99") == (400, "DeploymentModelNotSupported")
    offered = {it.name for it in ai.accounts.list_models("ai", "ai-main")}
    assert "gpt-4.1" in offered and "gpt-4o" not in offered
    assert "gpt-4.1" in {it.model.name for it in ai.models.list(REGION)}


def test_a_deployment_takes_of_the_regions_quota(ai, main):
    def used():
        usages = {it.name.value: it for it in ai.usages.list(REGION)}
        return usages["OpenAI.GlobalStandard.gpt-4.1"].current_value

    limit = next(it.limit for it in ai.usages.list(REGION) if it.name.value == "OpenAI.GlobalStandard.gpt-4.1")
    made = deploy(ai, capacity=100)
    assert made.properties.model.version == "2025-04-14" and made.properties.provisioning_state == "Succeeded"
    assert used() == 100
    assert refusal(deploy, ai, "more", capacity=int(limit) - 50) == (400, "InsufficientQuota")
    assert deploy(ai, capacity=int(limit)).sku.capacity == int(limit)
    ai.deployments.begin_delete("ai", "ai-main", "chat").result()
    assert used() == 0


def test_deployments_have_upgrade_options_and_content_filters(ai, main):
    assert refusal(deploy, ai, versionUpgradeOption="Sometimes")[0] == 400
    assert refusal(deploy, ai, raiPolicyName="none")[0] == 400
    policy = {"properties": {"basePolicyName": "Microsoft.DefaultV2", "contentFilters": []}}
    ai.rai_policies.create_or_update("ai", "ai-main", "strict", policy)
    assert deploy(ai, "filtered", raiPolicyName="strict").properties.rai_policy_name == "strict"
    assert refusal(ai.rai_policies.begin_delete, "ai", "ai-main", "strict")[0] == 409
    ai.deployments.begin_delete("ai", "ai-main", "filtered").result()
    ai.rai_policies.begin_delete("ai", "ai-main", "strict").result()


def test_a_speech_account_takes_no_deployments(ai, main):
    account(ai, "speech-only", "SpeechServices", "S0")
    assert refusal(deploy, ai, holder="speech-only")[0] == 400


def test_projects_are_of_accounts_that_manage_them(ai, main):
    body = {"location": REGION, "identity": {"type": "SystemAssigned"}, "properties": {}}
    assert refusal(ai.projects.begin_create, "ai", "ai-main", "p1", body)[0] == 400
    properties = {"customSubDomainName": "ai-foundry", "allowProjectManagement": True}
    whole = {"location": REGION, "kind": "AIServices", "sku": {"name": "S0"}, "identity": {"type": "SystemAssigned"}, "properties": properties}
    ai.accounts.begin_create("ai", "ai-foundry", whole).result()
    made = ai.projects.begin_create("ai", "ai-foundry", "p1", body).result()
    assert made.properties.endpoints["AI Foundry API"] == "https://ai-foundry.services.ai.azure.com/api/projects/p1"


def test_a_deleted_account_holds_its_names_until_restored_or_purged(ai, rg):
    account(ai, "ai-lost", customSubDomainName="ai-lost")
    key = ai.accounts.list_keys("ai", "ai-lost").key1
    ai.accounts.begin_delete("ai", "ai-lost").result()
    assert refusal(account, ai, "ai-lost", customSubDomainName="ai-lost") == (409, "FlagMustBeSetForRestore")
    assert refusal(account, ai, "ai-new", customSubDomainName="ai-lost") == (409, "CustomDomainInUse")
    account(ai, "ai-lost", restore=True)
    assert ai.accounts.list_keys("ai", "ai-lost").key1 == key
    ai.accounts.begin_delete("ai", "ai-lost").result()
    assert ai.deleted_accounts.get(REGION, "ai", "ai-lost").name
    ai.deleted_accounts.begin_purge(REGION, "ai", "ai-lost").result()
    assert "ai-lost" not in [it.name for it in ai.deleted_accounts.list()]
    account(ai, "ai-lost", customSubDomainName="ai-lost")


# --- App Configuration


@pytest.fixture(scope="module")
def conf(azure, rg):
    from azure.mgmt.appconfiguration import AppConfigurationManagementClient

    return azure.management(AppConfigurationManagementClient)


def store(conf, name, sku="standard", **properties):
    body = {"location": "westeurope", "sku": {"name": sku}, "properties": properties}
    return conf.configuration_stores.begin_create("ai", name, body).result()


def test_one_store_is_free_and_has_less(conf, rg):
    store(conf, "conf-free", "free")
    assert refusal(store, conf, "conf-free2", "free")[0] == 409
    assert refusal(store, conf, "conf-gold", "gold")[0] == 400
    assert refusal(store, conf, "conf-purge", "developer", enablePurgeProtection=True)[0] == 400
    assert refusal(conf.replicas.begin_create, "ai", "conf-free", "eu2", {"location": "northeurope"})[0] == 400
    assert conf.operations.check_name_availability({"name": "conf-free", "type": "Microsoft.AppConfiguration/configurationStores"}).name_available is False


def test_stores_have_keys_replicas_and_key_values(conf, rg):
    made = store(conf, "conf-main")
    assert made.endpoint == "https://conf-main.azconfig.io"
    keys = list(conf.configuration_stores.list_keys("ai", "conf-main"))
    assert [it.read_only for it in keys] == [False, False, True, True]
    new = conf.configuration_stores.regenerate_key("ai", "conf-main", {"id": keys[0].id})
    assert new.value != keys[0].value
    put = conf.replicas.begin_create
    assert refusal(put, "ai", "conf-main", "eu1", {"location": "westeurope"})[0] == 400
    assert put("ai", "conf-main", "eu2", {"location": "northeurope"}).result().endpoint == "https://conf-main-eu2.azconfig.io"
    pair = conf.key_values.create_or_update("ai", "conf-main", "color$dev", {"properties": {"value": "red"}})
    assert (pair.key, pair.label, pair.value) == ("color", "dev", "red")
    conf.configuration_stores.begin_update("ai", "conf-main", {"properties": {"disableLocalAuth": True}}).result()
    assert refusal(conf.key_values.create_or_update, "ai", "conf-main", "color", {"properties": {"value": "red"}})[0] == 409


def test_a_deleted_store_holds_its_name_until_recovered_or_purged(conf, rg):
    store(conf, "conf-lost")
    conf.configuration_stores.begin_delete("ai", "conf-lost").result()
    assert refusal(store, conf, "conf-lost") == (409, "NameUnavailable")
    assert [it.name for it in conf.configuration_stores.list_deleted()] == ["conf-lost"]
    store(conf, "conf-lost", createMode="Recover")
    conf.configuration_stores.begin_delete("ai", "conf-lost").result()
    conf.configuration_stores.begin_purge_deleted("westeurope", "conf-lost").result()
    assert not list(conf.configuration_stores.list_deleted())


def test_purge_protection_is_for_good(conf, rg):
    store(conf, "conf-kept", enablePurgeProtection=True)
    off = {"properties": {"enablePurgeProtection": False}}
    assert refusal(conf.configuration_stores.begin_update, "ai", "conf-kept", off)[0] == 400
    conf.configuration_stores.begin_delete("ai", "conf-kept").result()
    assert refusal(conf.configuration_stores.begin_purge_deleted, "westeurope", "conf-kept")[0] == 409


def test_the_cli_makes_an_account_and_a_store(az, rg):
    az("cognitiveservices", "account", "create", "-g", "ai", "-n", "ai-cli", "-l", REGION, "--kind", "OpenAI", "--sku", "S0", "--custom-domain", "ai-cli", "--yes")
    made = az(
        *("cognitiveservices", "account", "deployment", "create", "-g", "ai", "-n", "ai-cli", "--deployment-name", "mini"),
        *("--model-name", "gpt-4.1-mini", "--model-version", "2025-04-14", "--model-format", "OpenAI"),
        *("--sku-name", "GlobalStandard", "--sku-capacity", "5"),
    )
    assert made["sku"]["capacity"] == 5
    assert az("cognitiveservices", "account", "keys", "list", "-g", "ai", "-n", "ai-cli")["key1"]
    assert az("appconfig", "create", "-g", "ai", "-n", "conf-cli", "-l", "westeurope", "--sku", "Standard")["endpoint"]
    az("appconfig", "delete", "-g", "ai", "-n", "conf-cli", "--yes")
    assert "conf-cli" in [it["name"] for it in az("appconfig", "list-deleted")]


def test_what_is_deleted_goes_after_its_time(azure, ai, conf, rg):
    from azure.mgmt.appconfiguration import AppConfigurationManagementClient
    from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient

    account(ai, "ai-brief")
    ai.accounts.begin_delete("ai", "ai-brief").result()
    azure.advance("49h")
    later = azure.management(CognitiveServicesManagementClient)
    assert "ai-brief" not in [it.name for it in later.deleted_accounts.list()]
    azure.advance("7d")
    with pytest.raises(ResourceNotFoundError):
        azure.management(AppConfigurationManagementClient).configuration_stores.get_deleted("westeurope", "conf-kept")
