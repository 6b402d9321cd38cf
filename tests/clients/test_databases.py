"""PostgreSQL flexible servers, Azure Managed Redis, Cosmos DB."""

import datetime

import pytest
from azure.core.exceptions import ResourceNotFoundError
from conftest import refusal

LOGIN = {"administratorLogin": "boss", "administratorLoginPassword": "Long-enough-1"}


@pytest.fixture(scope="module")
def rg(azure):
    return azure.group("data")


# --- PostgreSQL


@pytest.fixture(scope="module")
def pg(azure, rg):
    from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient

    return azure.management(PostgreSQLManagementClient)


def body(sku="Standard_D2ds_v5", tier="GeneralPurpose", **properties):
    whole = {"version": "16", "storage": {"storageSizeGB": 128}, **LOGIN, **properties}
    return {"location": "westeurope", "sku": {"name": sku, "tier": tier}, "properties": whole}


def server(pg, name, *arguments, **properties):
    pg.servers.begin_create_or_update("data", name, body(*arguments, **properties)).result()
    return pg.servers.get("data", name)


@pytest.fixture(scope="module")
def main(pg):
    return server(pg, "pg-main")


def test_a_server_is_accepted_with_202_and_then_ready(azure, pg, rg):
    path = f"{rg}/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-first"
    answer = azure.arm("PUT", path, "2025-08-01", body())
    assert answer.status_code == 202 and answer.headers["Azure-AsyncOperation"] and answer.headers["Location"]
    azure.settle(answer)
    made = pg.servers.get("data", "pg-first").properties
    assert (made.state, made.fully_qualified_domain_name) == ("Ready", "pg-first.postgres.database.azure.com")
    assert made.administrator_login_password is None


@pytest.mark.parametrize(
    "arguments, properties, code",
    [
        (("Standard_Z9", "GeneralPurpose"), {}, "InvalidParameterValue"),
        (("Standard_B1ms", "GeneralPurpose"), {}, "InvalidParameterValue"),
        (("Standard_B1ms", "Burstable"), {"highAvailability": {"mode": "SameZone"}}, "HANotSupportedForBurstable"),
        ((), {"storage": {"storageSizeGB": 100}}, "InvalidParameterValue"),
        ((), {"version": "9"}, "InvalidParameterValue"),
        ((), {"backup": {"backupRetentionDays": 40}}, "InvalidParameterValue"),
        ((), {"administratorLogin": "azure_superuser"}, "InvalidParameterValue"),
        ((), {"administratorLogin": "pg_boss"}, "InvalidParameterValue"),
        ((), {"administratorLoginPassword": "simple"}, "PasswordNotComplex"),
        ((), {"administratorLoginPassword": "x-Boss-99"}, "PasswordNotComplex"),
    ],
)
def test_a_server_that_cannot_be_is_refused(pg, arguments, properties, code):
    assert refusal(server, pg, "pg-wrong", *arguments, **properties) == (400, code)


def test_server_names_are_everybodys(azure, pg, main):
    taken = pg.name_availability.check_globally({"name": "pg-main", "type": "Microsoft.DBforPostgreSQL/flexibleServers"})
    assert (taken.name_available, taken.reason) == (False, "AlreadyExists")
    assert pg.name_availability.check_with_location("westeurope", {"name": "pg-free", "type": "Microsoft.DBforPostgreSQL/flexibleServers"}).name_available
    other = azure.group("data-other")
    answer = azure.arm("PUT", f"{other}/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-main", "2025-08-01", body())
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "ServerNameAlreadyExists")


def test_what_a_server_cannot_become(pg, main):
    def update(**properties):
        return pg.servers.begin_update("data", "pg-main", {"properties": properties}).result()

    assert refusal(update, storage={"storageSizeGB": 64}) == (400, "StorageSizeCannotBeDecreased")
    assert refusal(update, version="15")[0] == 400
    assert refusal(update, backup={"geoRedundantBackup": "Enabled"})[0] == 400
    update(storage={"storageSizeGB": 256}, backup={"backupRetentionDays": 14})
    changed = pg.servers.get("data", "pg-main").properties
    assert (changed.storage.storage_size_gb, changed.backup.backup_retention_days) == (256, 14)


def test_parameters_have_their_values_and_some_wait_for_a_restart(pg, main):
    def put(name, value):
        pg.configurations.begin_put("data", "pg-main", name, {"properties": {"value": value, "source": "user-override"}}).result()
        return pg.configurations.get("data", "pg-main", name).properties

    assert refusal(put, "max_connections", "9") == (400, "InvalidParameterValue")
    assert refusal(put, "nonsense", "1")[0] == 404
    assert put("work_mem", "8192").is_config_pending_restart is False
    assert put("max_connections", "200").is_config_pending_restart is True
    pg.servers.begin_restart("data", "pg-main").result()
    assert pg.configurations.get("data", "pg-main", "max_connections").properties.is_config_pending_restart is False
    assert put("azure.extensions", "vector,pg_trgm").value == "vector,pg_trgm"
    assert refusal(put, "azure.extensions", "malware")[0] == 400


def test_a_burstable_server_has_no_pgbouncer_no_replicas_and_no_backups_on_demand(pg):
    burstable = server(pg, "pg-small", "Standard_B1ms", "Burstable")
    put = pg.configurations.begin_put
    assert refusal(put, "data", "pg-small", "pgbouncer.enabled", {"properties": {"value": "true", "source": "user-override"}})[0] == 400
    replica = {"location": "westeurope", "properties": {"createMode": "Replica", "sourceServerResourceId": burstable.id}}
    assert refusal(pg.servers.begin_create_or_update, "data", "pg-small-r", replica)[0] == 400
    assert refusal(pg.backups_automatic_and_on_demand.begin_create, "data", "pg-small", "now")[0] == 400


def test_databases_firewall_rules_and_administrators(pg, main):
    pg.databases.begin_create("data", "pg-main", "app", {"properties": {}}).result()
    assert {"app", "postgres"} <= {it.name for it in pg.databases.list_by_server("data", "pg-main")}
    assert refusal(pg.databases.begin_delete, "data", "pg-main", "postgres")[0] == 400
    rule = pg.firewall_rules.begin_create_or_update
    wrong = {"properties": {"startIpAddress": "10.0.0.9", "endIpAddress": "10.0.0.1"}}
    assert refusal(rule, "data", "pg-main", "r", wrong) == (400, "InvalidParameterValue")
    rule("data", "pg-main", "r", {"properties": {"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"}}).result()
    who = "55555555-5555-5555-5555-555555555555"
    put = pg.administrators_microsoft_entra.begin_create_or_update
    admin = {"properties": {"principalType": "User", "principalName": "me", "tenantId": who}}
    assert refusal(put, "data", "pg-main", who, admin)[0] == 400
    entra = {"properties": {"authConfig": {"activeDirectoryAuth": "Enabled", "passwordAuth": "Enabled"}}}
    pg.servers.begin_update("data", "pg-main", entra).result()
    put("data", "pg-main", who, admin).result()
    assert pg.administrators_microsoft_entra.get("data", "pg-main", who).properties.principal_name == "me"


def test_a_stopped_server_takes_no_changes_and_starts_by_itself_after_a_week(azure, pg):
    server(pg, "pg-stop")
    assert refusal(pg.servers.begin_start, "data", "pg-stop")[0] == 409
    pg.servers.begin_stop("data", "pg-stop").result()
    assert pg.servers.get("data", "pg-stop").properties.state == "Stopped"
    assert refusal(pg.databases.begin_create, "data", "pg-stop", "late", {"properties": {}})[0] == 409
    assert refusal(pg.servers.begin_restart, "data", "pg-stop")[0] == 409
    pg.servers.begin_start("data", "pg-stop").result()
    assert pg.servers.get("data", "pg-stop").properties.state == "Ready"


def test_replicas_are_made_promoted_and_left_alone(pg, main):
    def replica(name):
        wanted = {"location": "westeurope", "properties": {"createMode": "Replica", "sourceServerResourceId": main.id}}
        pg.servers.begin_create_or_update("data", name, wanted).result()
        return pg.servers.get("data", name).properties

    assert replica("pg-r1").replication_role == "AsyncReplica"
    assert [it.name for it in pg.replicas.list_by_server("data", "pg-main")] == ["pg-r1"]
    assert pg.servers.get("data", "pg-main").properties.replica_capacity == 4
    again = {"location": "westeurope", "properties": {"createMode": "Replica", "sourceServerResourceId": main.id.replace("pg-main", "pg-r1")}}
    assert refusal(pg.servers.begin_create_or_update, "data", "pg-r2", again)[0] == 400
    endpoint = {"properties": {"endpointType": "ReadWrite", "members": ["pg-r1"]}}
    pg.virtual_endpoints.begin_create("data", "pg-main", "orders", endpoint).result()
    shown = pg.virtual_endpoints.get("data", "pg-main", "orders").properties.virtual_endpoints
    assert shown[0] == "orders.writer.postgres.database.azure.com"
    promote = {"properties": {"replica": {"role": "None", "promoteMode": "standalone", "promoteOption": "planned"}}}
    pg.servers.begin_update("data", "pg-r1", promote).result()
    assert pg.servers.get("data", "pg-r1").properties.replication_role == "Primary"
    assert list(pg.replicas.list_by_server("data", "pg-main")) == []


def test_a_server_is_restored_to_a_time_that_its_backups_reach(pg, main):
    def restore(when):
        wanted = {"createMode": "PointInTimeRestore", "sourceServerResourceId": main.id, "pointInTimeUTC": when.isoformat()}
        return pg.servers.begin_create_or_update("data", "pg-restored", {"location": "westeurope", "properties": wanted}).result()

    now = datetime.datetime.now(datetime.timezone.utc)
    assert refusal(restore, now - datetime.timedelta(days=60)) == (400, "InvalidRestorePointInTime")
    restore(now)
    assert pg.servers.get("data", "pg-restored").properties.administrator_login == "boss"


def test_a_private_server_needs_a_delegated_subnet_and_a_zone(azure, pg, rg):
    network = f"{rg}/providers/Microsoft.Network/virtualNetworks/v1"
    azure.put(network, "2025-05-01", {"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}})
    subnet = azure.put(f"{network}/subnets/db", "2025-05-01", {"properties": {"addressPrefix": "10.0.0.0/28"}})["id"]
    wanted = {"network": {"delegatedSubnetResourceId": subnet}}
    assert refusal(server, pg, "pg-private", **wanted)[0] == 400
    delegation = {"name": "pg", "properties": {"serviceName": "Microsoft.DBforPostgreSQL/flexibleServers"}}
    azure.put(f"{network}/subnets/db", "2025-05-01", {"properties": {"addressPrefix": "10.0.0.0/28", "delegations": [delegation]}})
    assert refusal(server, pg, "pg-private", **wanted)[0] == 400
    zone = f"{rg}/providers/Microsoft.Network/privateDnsZones/app.postgres.database.azure.com"
    azure.put(zone, "2024-06-01", {"location": "global"})
    wanted["network"]["privateDnsZoneArmResourceId"] = zone
    assert server(pg, "pg-private", **wanted).properties.network.public_network_access == "Disabled"
    open_to = {"properties": {"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"}}
    assert refusal(pg.firewall_rules.begin_create_or_update, "data", "pg-private", "r", open_to)[0] == 400


def test_capabilities_name_sizes_versions_and_features(pg):
    (here,) = pg.capabilities_by_location.list("westeurope")
    assert {it.name for it in here.supported_server_editions} == {"Burstable", "GeneralPurpose", "MemoryOptimized"}
    assert "17" in {it.name for it in here.supported_server_versions}


def test_the_cli_makes_a_server(az, rg):
    made = az(
        *("postgres", "flexible-server", "create", "-g", "data", "-n", "pg-cli", "-l", "westeurope", "--tier", "Burstable"),
        *("--sku-name", "Standard_B1ms", "--admin-user", "boss", "--admin-password", "Long-enough-1"),
        *("--public-access", "None", "--yes"),
    )
    assert made["host"] == "pg-cli.postgres.database.azure.com"
    az("postgres", "flexible-server", "db", "create", "-g", "data", "-s", "pg-cli", "-n", "app")
    az("postgres", "flexible-server", "parameter", "set", "-g", "data", "-s", "pg-cli", "-n", "work_mem", "-v", "8192")
    az("postgres", "flexible-server", "stop", "-g", "data", "-n", "pg-cli")
    assert az("postgres", "flexible-server", "show", "-g", "data", "-n", "pg-cli")["state"] == "Stopped"
