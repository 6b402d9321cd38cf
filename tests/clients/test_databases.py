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


def test_a_stopped_server_takes_no_changes(pg):
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


# --- Azure Managed Redis


@pytest.fixture(scope="module")
def redis(azure, rg):
    from azure.mgmt.redisenterprise import RedisEnterpriseManagementClient

    return azure.management(RedisEnterpriseManagementClient)


def cluster(redis, name, sku, **properties):
    wanted = {"location": "westeurope", "sku": {"name": sku}, "properties": properties}
    return redis.redis_enterprise.begin_create("data", name, wanted).result()


def test_caches_of_the_retired_service_cannot_be_made(azure, rg, redis):
    wanted = {"location": "westeurope", "properties": {"sku": {"name": "Basic", "family": "C", "capacity": 0}}}
    assert azure.arm("PUT", f"{rg}/providers/Microsoft.Cache/redis/old1", "2024-11-01", wanted).status_code == 400
    assert refusal(cluster, redis, "old2", "Enterprise_E10")[0] == 400
    assert refusal(cluster, redis, "new1", "Balanced_B4")[0] == 400


def test_a_managed_redis_has_one_database_with_its_rules(redis, rg):
    made = cluster(redis, "cache1", "Balanced_B1", minimumTlsVersion="1.2", highAvailability="Enabled")
    assert made.host_name == "cache1.westeurope.redis.azure.net"
    create = redis.databases.begin_create
    assert refusal(create, "data", "cache1", "other", {"properties": {}})[0] == 400
    search = {"modules": [{"name": "RediSearch"}], "clusteringPolicy": "OSSCluster", "evictionPolicy": "NoEviction"}
    assert refusal(create, "data", "cache1", "default", {"properties": search})[0] == 400
    database = create("data", "cache1", "default", {"properties": {}}).result()
    assert (database.port, database.access_keys_authentication) == (10000, "Disabled")
    assert refusal(redis.databases.list_keys, "data", "cache1", "default")[0] == 400
    change = redis.databases.begin_update
    change("data", "cache1", "default", {"properties": {"accessKeysAuthentication": "Enabled"}}).result()
    keys = redis.databases.list_keys("data", "cache1", "default")
    new = redis.databases.begin_regenerate_key("data", "cache1", "default", {"keyType": "Primary"}).result()
    assert new.primary_key != keys.primary_key and new.secondary_key == keys.secondary_key
    assert refusal(change, "data", "cache1", "default", {"properties": {"clusteringPolicy": "EnterpriseCluster"}})[0] == 400
    policy = {"properties": {"accessPolicyName": "default", "user": {"objectId": "55555555-5555-5555-5555-555555555555"}}}
    redis.access_policy_assignment.begin_create_update("data", "cache1", "default", "app", policy).result()
    assert [it.name for it in redis.access_policy_assignment.list("data", "cache1", "default")] == ["app"]
    redis.access_policy_assignment.begin_delete("data", "cache1", "default", "app").result()


# --- Cosmos DB


@pytest.fixture(scope="module")
def cosmos(azure, rg):
    from azure.mgmt.cosmosdb import CosmosDBManagementClient

    return azure.management(CosmosDBManagementClient)


def account(cosmos, name, kind="GlobalDocumentDB", regions=("westeurope",), **properties):
    places = [{"locationName": region, "failoverPriority": place} for place, region in enumerate(regions)]
    whole = {"databaseAccountOfferType": "Standard", "locations": places, **properties}
    wanted = {"location": "westeurope", "kind": kind, "properties": whole}
    return cosmos.database_accounts.begin_create_or_update("data", name, wanted).result()


@pytest.fixture(scope="module")
def docs(cosmos):
    return account(cosmos, "docs-main", regions=("westeurope", "northeurope"), enableFreeTier=True)


def test_accounts_have_regions_consistency_and_backups(cosmos, docs):
    assert docs.properties.document_endpoint == "https://docs-main.documents.azure.com:443/"
    assert [it.location_name for it in docs.properties.read_locations] == ["West Europe", "North Europe"]
    wrong = [{"locationName": "westeurope", "failoverPriority": 1}]
    assert refusal(account, cosmos, "docs-wrong", locations=wrong)[0] == 400
    assert refusal(account, cosmos, "docs-wrong", consistencyPolicy={"defaultConsistencyLevel": "BoundedStaleness", "maxStalenessPrefix": 1})[0] == 400
    short = {"type": "Periodic", "periodicModeProperties": {"backupIntervalInMinutes": 1440, "backupRetentionIntervalInHours": 8}}
    assert refusal(account, cosmos, "docs-wrong", backupPolicy=short)[0] == 400
    assert refusal(account, cosmos, "docs-wrong", regions=("westeurope", "northeurope"), capabilities=[{"name": "EnableServerless"}])[0] == 400
    assert refusal(account, cosmos, "Docs-Upper")[0] == 400


def test_one_account_of_a_subscription_is_free(cosmos, docs):
    assert refusal(account, cosmos, "docs-second", enableFreeTier=True)[0] == 400


def test_account_names_are_everybodys(cosmos, docs):
    assert cosmos.database_accounts.check_name_exists("docs-main")
    assert not cosmos.database_accounts.check_name_exists("docs-none")


def test_regions_change_alone_and_the_write_region_by_a_failover(cosmos, docs):
    def update(**properties):
        return cosmos.database_accounts.begin_update("data", "docs-main", {"properties": properties}).result()

    one = [{"locationName": "westeurope", "failoverPriority": 0}]
    assert refusal(update, locations=one, enableAutomaticFailover=True)[0] == 400
    assert refusal(update, locations=[{"locationName": "northeurope", "failoverPriority": 0}])[0] == 400
    swapped = [{"locationName": "northeurope", "failoverPriority": 0}, {"locationName": "westeurope", "failoverPriority": 1}]
    change = cosmos.database_accounts.begin_failover_priority_change
    assert refusal(change, "data", "docs-main", {"failoverPolicies": swapped[:1]})[0] == 400
    change("data", "docs-main", {"failoverPolicies": swapped}).result()
    now = cosmos.database_accounts.get("data", "docs-main").properties
    assert now.write_locations[0].location_name == "North Europe"


def test_keys_are_listed_made_anew_and_some_only_read(cosmos, docs):
    accounts = cosmos.database_accounts
    before = accounts.list_keys("data", "docs-main")
    accounts.begin_regenerate_key("data", "docs-main", {"keyKind": "primary"}).result()
    after = accounts.list_keys("data", "docs-main")
    assert before.primary_master_key != after.primary_master_key
    assert accounts.list_read_only_keys("data", "docs-main").primary_readonly_master_key == after.primary_readonly_master_key
    (line, *_) = accounts.list_connection_strings("data", "docs-main").connection_strings
    assert line.connection_string.startswith("AccountEndpoint=https://docs-main.documents.azure.com:443/;AccountKey=")


def test_containers_keep_their_partition_and_unique_keys(cosmos, docs):
    sql = cosmos.sql_resources
    sql.begin_create_update_sql_database("data", "docs-main", "shop", {"properties": {"resource": {"id": "shop"}}}).result()

    def container(name="orders", key="/customer", **resource):
        body = {"properties": {"resource": {"id": name, "partitionKey": {"paths": [key], "kind": "Hash"}, **resource}}}
        return sql.begin_create_update_sql_container("data", "docs-main", "shop", name, body).result()

    assert refusal(container, key="customer")[0] == 400
    unique = {"uniqueKeys": [{"paths": ["/number"]}]}
    container(uniqueKeyPolicy=unique)
    assert refusal(container, key="/other")[0] == 400
    assert refusal(container, uniqueKeyPolicy={"uniqueKeys": [{"paths": ["/name"]}]})[0] == 400
    assert container(defaultTtl=60).properties.resource.default_ttl == 60
    assert refusal(container, defaultTtl=0)[0] == 400
    mongo = {"properties": {"resource": {"id": "m"}}}
    assert refusal(cosmos.mongo_db_resources.begin_create_update_mongo_db_database, "data", "docs-main", "m", mongo)[0] == 400


def test_throughput_is_fixed_or_scaled_and_migrated_between_the_two(cosmos, docs):
    sql = cosmos.sql_resources
    body = {"properties": {"resource": {"id": "wide"}, "options": {"throughput": 300}}}
    assert refusal(sql.begin_create_update_sql_database, "data", "docs-main", "wide", body)[0] == 400
    body["properties"]["options"] = {"throughput": 500}
    sql.begin_create_update_sql_database("data", "docs-main", "wide", body).result()

    def now():
        return sql.get_sql_database_throughput("data", "docs-main", "wide").properties.resource

    assert now().throughput == 500
    scaled = {"properties": {"resource": {"autoscaleSettings": {"maxThroughput": 4000}}}}
    update = sql.begin_update_sql_database_throughput
    assert refusal(update, "data", "docs-main", "wide", scaled)[0] == 400
    update("data", "docs-main", "wide", {"properties": {"resource": {"throughput": 600}}}).result()
    assert now().throughput == 600
    sql.begin_migrate_sql_database_to_autoscale("data", "docs-main", "wide").result()
    assert now().autoscale_settings.max_throughput == 1000
    sql.begin_migrate_sql_database_to_manual_throughput("data", "docs-main", "wide").result()
    assert now().autoscale_settings is None


def test_a_serverless_account_takes_no_throughput(cosmos, rg):
    account(cosmos, "docs-less", capabilities=[{"name": "EnableServerless"}])
    body = {"properties": {"resource": {"id": "d"}, "options": {"throughput": 400}}}
    assert refusal(cosmos.sql_resources.begin_create_update_sql_database, "data", "docs-less", "d", body)[0] == 400


def test_roles_over_data_are_made_assigned_and_held(cosmos, docs):
    sql = cosmos.sql_resources
    built_in = {it.properties.role_name for it in sql.list_sql_role_definitions("data", "docs-main")}
    assert "Cosmos DB Built-in Data Contributor" in built_in
    role, grant = "66666666-6666-6666-6666-666666666666", "77777777-7777-7777-7777-777777777777"
    reads = {"dataActions": ["Microsoft.DocumentDB/databaseAccounts/readMetadata"]}
    custom = {"properties": {"roleName": "Peek", "type": "CustomRole", "assignableScopes": [docs.id], "permissions": [reads]}}
    sql.begin_create_update_sql_role_definition(role, "data", "docs-main", custom).result()
    given = {"roleDefinitionId": f"{docs.id}/sqlRoleDefinitions/{role}", "scope": docs.id, "principalId": grant}
    assign = sql.begin_create_update_sql_role_assignment
    assert refusal(assign, grant, "data", "docs-main", {"properties": {**given, "roleDefinitionId": given["roleDefinitionId"][:-1] + "0"}})[0] == 404
    assign(grant, "data", "docs-main", {"properties": given}).result()
    assert refusal(sql.begin_delete_sql_role_definition, role, "data", "docs-main")[0] == 400
    sql.begin_delete_sql_role_assignment(grant, "data", "docs-main").result()
    sql.begin_delete_sql_role_definition(role, "data", "docs-main").result()
    with pytest.raises(ResourceNotFoundError):
        sql.get_sql_role_definition(role, "data", "docs-main")


def test_the_cli_makes_an_account_a_database_and_a_container(az, rg):
    az("cosmosdb", "create", "-g", "data", "-n", "docs-cli", "--locations", "regionName=westeurope", "failoverPriority=0")
    az("cosmosdb", "sql", "database", "create", "-g", "data", "-a", "docs-cli", "-n", "shop", "--throughput", "400")
    made = az(
        *("cosmosdb", "sql", "container", "create", "-g", "data", "-a", "docs-cli", "-d", "shop"),
        *("-n", "orders", "--partition-key-path", "/customer"),
    )
    assert made["resource"]["partitionKey"]["paths"] == ["/customer"]
    assert az("cosmosdb", "keys", "list", "-g", "data", "-n", "docs-cli")["primaryMasterKey"]


def test_a_stopped_server_starts_by_itself_after_a_week(azure, pg):
    from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient

    server(pg, "pg-sleeper")
    pg.servers.begin_stop("data", "pg-sleeper").result()
    azure.advance("8d")
    assert azure.management(PostgreSQLManagementClient).servers.get("data", "pg-sleeper").properties.state == "Ready"
