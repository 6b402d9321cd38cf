"""App Service: plans with each tier's limits, sites, their settings, slots and swaps, domains, Static Web Apps."""

import pytest
from azure.core.exceptions import ResourceNotFoundError
from conftest import refusal

API = "2025-03-01"
FARMS = "Microsoft.Web/serverfarms"
SITES = "Microsoft.Web/sites"


@pytest.fixture(scope="module")
def web(azure):
    from azure.mgmt.web import WebSiteManagementClient

    return azure.management(WebSiteManagementClient)


@pytest.fixture(scope="module")
def rg(azure):
    return azure.group("web")


def plan(web, name, size, capacity=1, linux=True, **more):
    body = {"location": "westeurope", "kind": "linux" if linux else "app", "sku": {"name": size, "capacity": capacity}}
    body["properties"] = {"reserved": linux, **more}
    return web.app_service_plans.begin_create_or_update("web", name, body).result()


def site(web, name, farm, **properties):
    body = {"location": "westeurope", "properties": {"serverFarmId": farm.id, **properties}}
    return web.web_apps.begin_create_or_update("web", name, body).result()


@pytest.fixture(scope="module")
def standard(web, rg):
    return plan(web, "plan-s1", "S1", 2)


def test_a_plan_has_as_many_instances_as_its_tier_allows(web, rg):
    assert plan(web, "plan-b1", "b1", 3).sku.tier == "Basic"
    assert refusal(plan, web, "plan-b4", "B1", 4)[0] == 409
    assert refusal(plan, web, "plan-x9", "X9") == (400, "BadRequest")
    assert refusal(plan, web, "plan-f2", "F1", 2)[0] == 409


def test_zone_redundancy_needs_a_premium_tier_and_two_instances(web, rg):
    assert refusal(plan, web, "plan-z", "S1", 3, zoneRedundant=True)[0] == 400
    assert refusal(plan, web, "plan-z", "P1v3", 1, zoneRedundant=True)[0] == 400
    assert plan(web, "plan-z", "P1v3", 3, zoneRedundant=True).properties.zone_redundant


def test_a_plan_stays_linux_or_windows(web, rg):
    plan(web, "plan-os", "B1")
    assert refusal(plan, web, "plan-os", "B1", linux=False)[0] == 409


def test_a_plan_with_sites_stays(web, rg):
    farm = plan(web, "plan-held", "B1")
    site(web, "web-held", farm)
    assert refusal(web.app_service_plans.delete, "web", "plan-held") == (409, "Conflict")


def test_the_last_site_takes_its_plan_with_it_unless_told_not_to(web, rg):
    farm = plan(web, "plan-empty", "B1")
    site(web, "web-last", farm)
    web.web_apps.delete("web", "web-last", delete_empty_server_farm=False)
    assert web.app_service_plans.get("web", "plan-empty").properties.number_of_sites == 0
    site(web, "web-last", farm)
    web.web_apps.delete("web", "web-last")
    with pytest.raises(ResourceNotFoundError):
        web.app_service_plans.get("web", "plan-empty")


def test_refusals_have_app_services_own_shape(azure, rg, web):
    farm = plan(web, "plan-free", "F1")
    body = {"location": "westeurope", "properties": {"serverFarmId": farm.id, "siteConfig": {"alwaysOn": True}}}
    answer = azure.arm("PUT", f"{rg}/providers/{SITES}/web-free-on", API, body)
    assert answer.status_code == 409
    said = answer.json()
    assert said["Code"] == "Conflict" and "AlwaysOn" in said["Message"] and said["Target"] is None
    message, code, entity = said["Details"]
    assert message == {"Message": said["Message"]} and code == {"Code": "Conflict"}
    assert entity["ErrorEntity"]["ExtendedCode"] == "01020"
    assert entity["ErrorEntity"]["MessageTemplate"] == "There was a conflict. {0}"


def test_the_free_tier_has_no_slots_no_domains_no_64_bit_and_ten_apps(azure, web, rg):
    farm = plan(web, "plan-free-w", "F1", linux=False)
    site(web, "web-free", farm)
    assert refusal(site, web, "web-free", farm, siteConfig={"use32BitWorkerProcess": False})[0] == 409
    slot = {"location": "westeurope", "properties": {}}
    assert refusal(web.web_apps.begin_create_or_update_slot, "web", "web-free", "staging", slot) == (409, "Conflict")
    binding = {"properties": {}}
    assert refusal(web.web_apps.create_or_update_host_name_binding, "web", "web-free", "www.contoso.com", binding)[0] == 409
    for number in range(9):
        site(web, f"web-free-{number}", farm)
    assert refusal(site, web, "web-free-eleventh", farm)[0] == 409


def test_a_site_needs_a_plan_that_is_there_in_its_region_and_of_its_kind(azure, web, rg, standard):
    body = {"location": "westeurope", "properties": {"serverFarmId": standard.id + "-none"}}
    assert azure.arm("PUT", f"{rg}/providers/{SITES}/web-none", API, body).status_code == 404
    body = {"location": "northeurope", "properties": {"serverFarmId": standard.id}}
    assert azure.arm("PUT", f"{rg}/providers/{SITES}/web-far", API, body).status_code == 400
    windows = plan(web, "plan-windows", "B1", linux=False)
    assert refusal(site, web, "web-stack", windows, siteConfig={"linuxFxVersion": "PYTHON|3.12"}) == (400, "BadRequest")
    assert refusal(site, web, "web-stack", standard, siteConfig={"linuxFxVersion": "COBOL"}) == (400, "BadRequest")


def test_site_names_are_everybodys(azure, web, rg, standard):
    site(web, "web-taken", standard)
    free = web.check_name_availability({"name": "web-taken", "type": "Microsoft.Web/sites"})
    assert (free.name_available, free.reason) == (False, "AlreadyExists")
    assert web.check_name_availability({"name": "web-not-taken", "type": "Microsoft.Web/sites"}).name_available
    other = azure.group("web-other")
    body = {"location": "westeurope", "properties": {"serverFarmId": standard.id}}
    taken = azure.arm("PUT", f"{other}/providers/{SITES}/WEB-taken", API, body)
    assert (taken.status_code, taken.json()["Code"]) == (409, "Conflict")


def test_a_site_tells_its_hosts_and_state(web, rg, standard):
    made = site(web, "web-shown", standard).properties
    assert made.default_host_name == "web-shown.azurewebsites.net"
    assert "web-shown.scm.azurewebsites.net" in made.enabled_host_names
    assert len(made.custom_domain_verification_id) == 64
    web.web_apps.stop("web", "web-shown")
    assert web.web_apps.get("web", "web-shown").properties.state == "Stopped"
    assert list(web.web_apps.list_instance_identifiers("web", "web-shown")) == []
    web.web_apps.start("web", "web-shown")
    web.web_apps.restart("web", "web-shown")
    assert web.web_apps.get("web", "web-shown").properties.state == "Running"
    assert len(list(web.web_apps.list_instance_identifiers("web", "web-shown"))) == 2


def test_settings_are_written_whole_and_read_by_listing(azure, web, rg, standard):
    site(web, "web-set", standard, siteConfig={"appSettings": [{"name": "A", "value": "1"}]})
    apps = web.web_apps
    assert apps.list_application_settings("web", "web-set").properties == {"A": "1"}
    apps.update_application_settings("web", "web-set", {"properties": {"B": "2"}})
    assert apps.list_application_settings("web", "web-set").properties == {"B": "2"}
    assert azure.arm("GET", f"{rg}/providers/{SITES}/web-set/config/appsettings", API).status_code == 405
    # names of environment variables, on Linux
    assert refusal(apps.update_application_settings, "web", "web-set", {"properties": {"A-B": "1"}})[0] == 400
    strings = {"properties": {"db": {"value": "Server=x", "type": "PostgreSQL"}}}
    assert apps.update_connection_strings("web", "web-set", strings).properties["db"].type == "PostgreSQL"
    strings["properties"]["db"]["type"] = "Oracle"
    assert refusal(apps.update_connection_strings, "web", "web-set", strings)[0] == 400
    # a PUT of the site that does not name them leaves them
    site(web, "web-set", standard)
    assert apps.list_application_settings("web", "web-set").properties == {"B": "2"}


def test_the_sites_configuration_is_patched_and_judged(web, rg, standard):
    site(web, "web-conf", standard)
    apps = web.web_apps
    changed = apps.update_configuration("web", "web-conf", {"properties": {"alwaysOn": True, "healthCheckPath": "/up"}})
    assert changed.properties.always_on and changed.properties.health_check_path == "/up"
    assert apps.get_configuration("web", "web-conf").properties.min_tls_version == "1.2"
    for wrong in ({"minTlsVersion": "9"}, {"healthCheckPath": "up"}, {"ftpsState": "Sometimes"}):
        assert refusal(apps.update_configuration, "web", "web-conf", {"properties": wrong})[0] == 400
    assert apps.get_diagnostic_logs_configuration("web", "web-conf").properties.http_logs.file_system.enabled is False
    assert apps.get_auth_settings_v2("web", "web-conf").properties.platform.enabled is False


def test_publishing_credentials_and_their_policies(web, rg, standard):
    site(web, "web-publish", standard)
    apps = web.web_apps
    user = apps.begin_list_publishing_credentials("web", "web-publish").result()
    assert user.properties.publishing_user_name == "$web-publish"
    first = user.properties.publishing_password
    apps.generate_new_site_publishing_password("web", "web-publish")
    assert apps.begin_list_publishing_credentials("web", "web-publish").result().properties.publishing_password != first
    xml = b"".join(apps.list_publishing_profile_xml_with_secrets("web", "web-publish", {"format": "WebDeploy"}))
    assert b'publishMethod="ZipDeploy"' in xml and b"$web-publish" in xml
    assert apps.get_ftp_allowed("web", "web-publish").properties.allow
    apps.update_ftp_allowed("web", "web-publish", {"properties": {"allow": False}})
    assert not apps.get_ftp_allowed("web", "web-publish").properties.allow
    assert apps.get_scm_allowed("web", "web-publish").properties.allow


@pytest.fixture(scope="module")
def slots(web, standard):
    """A site and its slot `staging`, of which the setting WHERE is sticky."""

    def settings(version, where):
        return {"appSettings": [{"name": "VERSION", "value": version}, {"name": "WHERE", "value": where}]}

    site(web, "web-slots", standard, siteConfig={**settings("1", "production"), "linuxFxVersion": "DOCKER|app:1"})
    body = {"location": "westeurope", "properties": {"siteConfig": {**settings("2", "staging"), "linuxFxVersion": "DOCKER|app:2"}}}
    web.web_apps.begin_create_or_update_slot("web", "web-slots", "staging", body).result()
    web.web_apps.update_slot_configuration_names("web", "web-slots", {"properties": {"appSettingNames": ["WHERE"]}})
    return web.web_apps


def both(apps):
    own = apps.list_application_settings("web", "web-slots").properties
    return own, apps.list_application_settings_slot("web", "web-slots", "staging").properties


def test_a_swap_moves_content_and_settings_but_for_what_is_sticky(slots):
    differences = list(slots.list_slot_differences_from_production("web", "web-slots", {"targetSlot": "staging", "preserveVnet": True}))
    assert {it.setting_name for it in differences} == {"VERSION", "WHERE"}
    slots.begin_swap_slot_with_production("web", "web-slots", {"targetSlot": "staging", "preserveVnet": True}).result()
    assert both(slots) == ({"VERSION": "2", "WHERE": "production"}, {"VERSION": "1", "WHERE": "staging"})
    assert slots.get_configuration("web", "web-slots").properties.linux_fx_version == "DOCKER|app:2"
    status = slots.get("web", "web-slots").properties.slot_swap_status
    assert (status.source_slot_name, status.destination_slot_name) == ("staging", "Production")


def test_a_swap_with_preview_applies_the_targets_settings_first_and_can_be_called_off(slots):
    production, staging = both(slots)
    slots.apply_slot_configuration_slot("web", "web-slots", "staging", {"targetSlot": "production", "preserveVnet": True})
    assert both(slots) == (production, {**staging, "WHERE": "production"})
    assert slots.get_slot("web", "web-slots", "staging").properties.target_swap_slot == "production"
    slots.reset_slot_configuration_slot("web", "web-slots", "staging")
    assert both(slots) == (production, staging)


def test_swaps_that_cannot_be(slots):
    swap = slots.begin_swap_slot_with_production
    assert refusal(swap, "web", "web-slots", {"targetSlot": "none", "preserveVnet": True})[0] == 404
    slots.stop_slot("web", "web-slots", "staging")
    assert refusal(swap, "web", "web-slots", {"targetSlot": "staging", "preserveVnet": True})[0] == 409
    slots.start_slot("web", "web-slots", "staging")


def test_the_standard_tier_has_five_slots(slots):
    body = {"location": "westeurope", "properties": {}}
    for number in range(4):
        slots.begin_create_or_update_slot("web", "web-slots", f"s{number}", body).result()
    assert refusal(slots.begin_create_or_update_slot, "web", "web-slots", "s5", body) == (409, "Conflict")
    assert len(list(slots.list_slots("web", "web-slots"))) == 5


def test_a_part_of_the_traffic_goes_to_a_slot(slots):
    host = slots.get_slot("web", "web-slots", "staging").properties.default_host_name
    rule = {"name": "staging", "actionHostName": host, "reroutePercentage": 20}
    config = slots.update_configuration("web", "web-slots", {"properties": {"experiments": {"rampUpRules": [rule]}}})
    assert config.properties.experiments.ramp_up_rules[0].reroute_percentage == 20
    rule["reroutePercentage"] = 120
    assert refusal(slots.update_configuration, "web", "web-slots", {"properties": {"experiments": {"rampUpRules": [rule]}}})[0] == 400


def test_a_host_name_needs_its_proof_and_tls_its_certificate(azure, web, rg, standard):
    made = site(web, "web-names", standard).properties
    bind = web.web_apps.create_or_update_host_name_binding
    assert refusal(bind, "web", "web-names", "www.contoso.com", {"properties": {}}) == (400, "BadRequest")
    azure.control("POST", "dns", {"name": "asuid.www.contoso.com", "type": "TXT", "value": made.custom_domain_verification_id})
    assert bind("web", "web-names", "www.contoso.com", {"properties": {}}).properties.host_name_type == "Verified"
    azure.control("POST", "dns", {"name": "shop.contoso.com", "type": "CNAME", "value": made.default_host_name})
    bind("web", "web-names", "shop.contoso.com", {"properties": {}})
    assert "www.contoso.com" in web.web_apps.get("web", "web-names").properties.host_names
    assert len(list(web.web_apps.list_host_name_bindings("web", "web-names"))) == 3
    secure = {"properties": {"sslState": "SniEnabled", "thumbprint": "00"}}
    assert refusal(bind, "web", "web-names", "www.contoso.com", secure)[0] == 404
    managed = {"location": "westeurope", "properties": {"serverFarmId": standard.id, "canonicalName": "www.contoso.com"}}
    certificate = web.certificates.create_or_update("web", "www-cert", managed)
    secure["properties"]["thumbprint"] = certificate.properties.thumbprint
    assert bind("web", "web-names", "www.contoso.com", secure).properties.ssl_state == "SniEnabled"
    assert refusal(web.certificates.delete, "web", "www-cert")[0] == 409
    site(web, "web-names-two", standard)
    assert refusal(bind, "web", "web-names-two", "www.contoso.com", {"properties": {}}) == (409, "Conflict")


def test_integration_with_a_network_needs_a_delegated_subnet_and_a_dedicated_tier(azure, web, rg, standard):
    network = f"{rg}/providers/Microsoft.Network/virtualNetworks/v1"
    space = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}
    azure.put(network, "2025-05-01", {"location": "westeurope", "properties": space})
    subnet = azure.put(f"{network}/subnets/web", "2025-05-01", {"properties": {"addressPrefix": "10.0.1.0/26"}})["id"]
    site(web, "web-net", standard)
    join = web.web_apps.create_or_update_swift_virtual_network_connection_with_check
    body = {"properties": {"subnetResourceId": subnet, "swiftSupported": True}}
    assert refusal(join, "web", "web-net", body)[0] == 400
    delegation = {"name": "web", "properties": {"serviceName": "Microsoft.Web/serverFarms"}}
    azure.put(f"{network}/subnets/web", "2025-05-01", {"properties": {"addressPrefix": "10.0.1.0/26", "delegations": [delegation]}})
    assert join("web", "web-net", body).properties.subnet_resource_id == subnet
    assert web.web_apps.get("web", "web-net").properties.virtual_network_subnet_id == subnet
    assert azure.arm("DELETE", f"{network}/subnets/web", "2025-05-01").status_code == 400
    web.web_apps.delete_swift_virtual_network("web", "web-net")
    assert web.web_apps.get("web", "web-net").properties.virtual_network_subnet_id is None


def test_key_vault_references_tell_whether_they_resolve(azure, web, rg, standard):
    vault = f"{rg}/providers/Microsoft.KeyVault/vaults/kvweb1"
    properties = {"tenantId": azure.env["TENANT_ID"], "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}
    azure.put(vault, "2024-11-01", {"location": "westeurope", "properties": properties})
    azure.put(f"{vault}/secrets/db", "2024-11-01", {"properties": {"value": "secret"}})
    reference = "@Microsoft.KeyVault(VaultName=kvweb1;SecretName=db)"
    settings = {"DB": reference, "BAD": "@Microsoft.KeyVault(nonsense)", "PLAIN": "x"}
    site(web, "web-refs", standard)
    web.web_apps.update_application_settings("web", "web-refs", {"properties": settings})

    def status(name="DB"):
        return web.web_apps.get_app_setting_key_vault_reference("web", "web-refs", name).properties.status

    assert (status(), status("BAD")) == ("MSINotEnabled", "InvalidSyntax")
    identified = web.web_apps.update("web", "web-refs", {"identity": {"type": "SystemAssigned"}})
    assert status() == "AccessToKeyVaultDenied"
    azure.grant("4633458b-17de-408a-b874-0445c86b69e6", vault, identified.identity.principal_id)
    assert status() == "Resolved"
    assert {it.name for it in web.web_apps.get_app_settings_key_vault_references("web", "web-refs")} == {"DB", "BAD"}


def test_a_deleted_site_is_restored_within_thirty_days(azure, web, rg, standard):
    site(web, "web-lost", standard, siteConfig={"appSettings": [{"name": "A", "value": "kept"}]})
    web.web_apps.delete("web", "web-lost", delete_empty_server_farm=False)
    lost = [it for it in web.deleted_web_apps.list() if it.properties.deleted_site_name == "web-lost"]
    site(web, "web-found", standard)
    body = {"properties": {"deletedSiteId": lost[0].id, "recoverConfiguration": True}}
    web.web_apps.begin_restore_from_deleted_app("web", "web-found", body).result()
    assert web.web_apps.list_application_settings("web", "web-found").properties == {"A": "kept"}


def test_a_site_has_one_main_container_and_nine_beside_it(web, rg, standard):
    site(web, "web-many", standard, siteConfig={"linuxFxVersion": "sitecontainers"})
    put = web.web_apps.create_or_update_site_container
    put("web", "web-many", "main", {"properties": {"image": "nginx", "isMain": True, "targetPort": "80"}})
    assert refusal(put, "web", "web-many", "two", {"properties": {"image": "nginx", "isMain": True}})[0] == 400
    assert refusal(put, "web", "web-many", "two", {"properties": {"image": "x", "isMain": False, "targetPort": "80"}})[0] == 400
    put("web", "web-many", "two", {"properties": {"image": "otel", "isMain": False, "targetPort": "4317"}})
    assert {it.name for it in web.web_apps.list_site_containers("web", "web-many")} == {"main", "two"}


def test_static_web_apps_have_their_plans_limits(azure, web, rg):
    def static(name, sku, location="westeurope"):
        body = {"location": location, "sku": {"name": sku, "tier": sku}, "properties": {}}
        return web.static_sites.begin_create_or_update_static_site("web", name, body).result()

    assert refusal(static, "static-far", "Free", "francecentral")[0] == 400
    apps = [static(f"static-{number}", "Free") for number in range(10)]
    assert apps[0].properties.default_hostname.endswith(".azurestaticapps.net")
    assert refusal(static, "static-eleventh", "Free") == (400, "BadRequest")
    static("static-eleventh", "Standard")
    assert web.static_sites.list_static_site_secrets("web", "static-0").properties["apiKey"]
    web.static_sites.create_or_update_static_site_app_settings("web", "static-0", {"properties": {"A": "1"}})
    assert web.static_sites.list_static_site_app_settings("web", "static-0").properties == {"A": "1"}
    bind = web.static_sites.begin_create_or_update_static_site_custom_domain
    assert refusal(bind, "web", "static-0", "www.fabrikam.com", {"properties": {}})[0] == 400
    azure.control("POST", "dns", {"name": "www.fabrikam.com", "type": "CNAME", "value": apps[0].properties.default_hostname})
    bind("web", "static-0", "www.fabrikam.com", {"properties": {}}).result()
    assert web.static_sites.get_static_site_custom_domain("web", "static-0", "www.fabrikam.com").properties.status == "Ready"


def test_the_cli_makes_a_plan_an_app_and_a_slot(az, rg):
    made = az("appservice", "plan", "create", "-g", "web", "-n", "cli-plan", "--is-linux", "--sku", "S1")
    assert (made["sku"]["name"], made["reserved"]) == ("S1", True)
    app = az("webapp", "create", "-g", "web", "-n", "cli-web", "--plan", "cli-plan", "--runtime", "PYTHON:3.12")
    assert app["state"] == "Running"
    az("webapp", "config", "appsettings", "set", "-g", "web", "-n", "cli-web", "--settings", "A=1", "--slot-settings", "B=2")
    listed = {it["name"]: it["slotSetting"] for it in az("webapp", "config", "appsettings", "list", "-g", "web", "-n", "cli-web")}
    assert (listed["A"], listed["B"]) == (False, True)
    az("webapp", "deployment", "slot", "create", "-g", "web", "-n", "cli-web", "--slot", "staging", "--configuration-source", "cli-web")
    az("webapp", "deployment", "slot", "swap", "-g", "web", "-n", "cli-web", "--slot", "staging")
    routed = az("webapp", "traffic-routing", "set", "-g", "web", "-n", "cli-web", "--distribution", "staging=25")
    assert routed[0]["reroutePercentage"] == 25
    refused = az.refused("webapp", "config", "set", "-g", "web", "-n", "cli-web", "--min-tls-version", "0.9")
    assert refused.code != 0
    az("webapp", "delete", "-g", "web", "-n", "cli-web")


def test_a_deleted_site_is_gone_after_thirty_days(azure, web, rg, standard):
    from azure.mgmt.web import WebSiteManagementClient

    site(web, "web-gone", standard)
    web.web_apps.delete("web", "web-gone", delete_empty_server_farm=False)
    assert [it for it in web.deleted_web_apps.list() if it.properties.deleted_site_name == "web-gone"]
    azure.advance("31d")
    later = azure.management(WebSiteManagementClient)
    assert not list(later.deleted_web_apps.list())
