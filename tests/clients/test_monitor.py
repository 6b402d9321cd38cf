"""Workspaces, Application Insights, alerts and budgets, as Microsoft's Python clients and the Azure CLI see them."""

import pytest
from azure.mgmt.applicationinsights import ApplicationInsightsManagementClient
from azure.mgmt.consumption import ConsumptionManagementClient
from azure.mgmt.loganalytics import LogAnalyticsManagementClient
from azure.mgmt.monitor import MonitorManagementClient
from conftest import refusal

PLACE = {"location": "westeurope"}


@pytest.fixture(scope="module")
def group(azure):
    return azure.group("rg1")


@pytest.fixture(scope="module")
def logs(azure, group):
    return azure.management(LogAnalyticsManagementClient)


@pytest.fixture(scope="module")
def monitor(azure, group):
    return azure.management(MonitorManagementClient)


@pytest.fixture(scope="module")
def workspace(logs):
    return logs.workspaces.begin_create_or_update("rg1", "work-shared", PLACE).result()


@pytest.fixture(scope="module")
def told(monitor):
    """The id of an action group."""
    body = {"location": "Global", "properties": {"groupShortName": "ops", "enabled": True}}
    return monitor.action_groups.create_or_update("rg1", "ops", body).id


def test_a_workspace_keeps_for_thirty_days_by_default_and_has_keys(logs):
    made = logs.workspaces.begin_create_or_update("rg1", "work-keys", PLACE).result()
    assert (made.sku.name, made.retention_in_days, made.provisioning_state) == ("PerGB2018", 30, "Succeeded")
    assert made.customer_id and made.workspace_capping.daily_quota_gb == -1
    keys = logs.shared_keys.get_shared_keys("rg1", "work-keys")
    assert keys.primary_shared_key and keys.primary_shared_key != keys.secondary_shared_key
    again = logs.shared_keys.regenerate("rg1", "work-keys")
    assert again.primary_shared_key != keys.primary_shared_key


@pytest.mark.parametrize(
    "properties",
    [
        {"retentionInDays": 29},
        {"retentionInDays": 731},
        {"sku": {"name": "Free"}},
        {"sku": {"name": "Unknown"}},
        {"sku": {"name": "CapacityReservation"}},
        {"workspaceCapping": {"dailyQuotaGb": -2}},
    ],
)
def test_workspaces_that_cannot_be(logs, properties):
    create = logs.workspaces.begin_create_or_update
    assert refusal(create, "rg1", "work-no", {**PLACE, "properties": properties})[0] == 400


def test_a_deleted_workspace_comes_back_with_its_id(logs):
    create = logs.workspaces.begin_create_or_update
    made = create("rg1", "work-soft", PLACE).result()
    logs.workspaces.begin_delete("rg1", "work-soft").result()
    assert refusal(logs.workspaces.get, "rg1", "work-soft") == (404, "ResourceNotFound")
    assert "work-soft" in [it.name for it in logs.deleted_workspaces.list()]
    assert "work-soft" in [it.name for it in logs.deleted_workspaces.list_by_resource_group("rg1")]
    assert create("rg1", "work-soft", PLACE).result().customer_id == made.customer_id
    logs.workspaces.begin_delete("rg1", "work-soft").result()
    elsewhere = {"location": "northeurope"}
    assert refusal(create, "rg1", "work-soft", elsewhere)[0] == 409


def test_a_workspace_deleted_by_force_is_gone(logs):
    create = logs.workspaces.begin_create_or_update
    made = create("rg1", "work-force", PLACE).result()
    logs.workspaces.begin_delete("rg1", "work-force", force=True).result()
    assert "work-force" not in [it.name for it in logs.deleted_workspaces.list()]
    assert create("rg1", "work-force", PLACE).result().customer_id != made.customer_id


def test_a_component_needs_a_workspace_and_says_how_to_connect(azure, workspace):
    insights = azure.management(ApplicationInsightsManagementClient)
    body = {**PLACE, "kind": "web", "properties": {"Application_Type": "web"}}
    assert refusal(insights.components.create_or_update, "rg1", "appi", body)[0] == 400
    body["properties"]["WorkspaceResourceId"] = workspace.id
    made = insights.components.create_or_update("rg1", "appi", body)
    assert made.instrumentation_key in made.connection_string and made.app_id in made.connection_string
    assert made.ingestion_mode == "LogAnalytics" and made.retention_in_days == 90
    key = insights.api_keys.create("rg1", "appi", {"name": "k", "linkedReadProperties": [made.id + "/api"]})
    assert key.api_key
    listed = list(insights.api_keys.list("rg1", "appi"))
    assert [it.name for it in listed] == ["k"] and not listed[0].api_key
    insights.api_keys.delete("rg1", "appi", key.id.rsplit("/", 1)[1])
    assert list(insights.api_keys.list("rg1", "appi")) == []


@pytest.mark.parametrize(
    "properties",
    [
        {"groupShortName": "longer than twelve"},
        {"groupShortName": ""},
        {"groupShortName": "ops", "emailReceivers": [{"name": "a", "emailAddress": "nobody"}]},
        {"groupShortName": "ops", "webhookReceivers": [{"name": "a", "serviceUri": "ftp://x"}]},
        {
            "groupShortName": "ops",
            "emailReceivers": [{"name": "a", "emailAddress": "a@b.c"}, {"name": "A", "emailAddress": "a@b.d"}],
        },
    ],
)
def test_action_groups_that_cannot_be(monitor, properties):
    body = {"location": "Global", "properties": {"enabled": True, **properties}}
    assert refusal(monitor.action_groups.create_or_update, "rg1", "no", body)[0] == 400


def test_an_action_group_tells_its_receivers(azure, monitor):
    email = {"name": "me", "emailAddress": "a@b.c", "useCommonAlertSchema": True}
    body = {"location": "Global", "properties": {"groupShortName": "me", "enabled": True, "emailReceivers": [email]}}
    made = monitor.action_groups.create_or_update("rg1", "me", body)
    assert made.email_receivers[0].status == "Enabled" and made.location == "Global"
    enable = monitor.action_groups.enable_receiver
    assert refusal(enable, "rg1", "me", {"receiverName": "me"})[0] == 409
    assert refusal(enable, "rg1", "me", {"receiverName": "none"})[0] == 404


def metric_alert(scope, told, **more):
    criterion = {
        "criterionType": "StaticThresholdCriterion",
        "name": "c",
        "metricName": "Requests",
        "operator": "GreaterThan",
        "threshold": 10,
        "timeAggregation": "Average",
    }
    kind = "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria"
    properties = {
        "severity": 2,
        "enabled": True,
        "scopes": [scope],
        "evaluationFrequency": "PT1M",
        "windowSize": "PT5M",
        "criteria": {"odata.type": kind, "allOf": [criterion]},
        "actions": [{"actionGroupId": told}],
    }
    return {"location": "global", "properties": {**properties, **more}}


def test_a_metric_alert_watches_a_resource(azure, monitor, workspace, told):
    path = f"{azure.subscription}/resourceGroups/rg1/providers/Microsoft.Insights/metricAlerts/a"
    made = azure.put(path, "2018-03-01", metric_alert(workspace.id, told))
    assert made["properties"]["autoMitigate"] is True and made["location"] == "global"

    def refused(**more):
        return azure.arm("PUT", path, "2018-03-01", metric_alert(workspace.id, told, **more)).status_code

    assert refused(severity=5) == 400
    assert refused(windowSize="PT7M") == 400
    assert refused(evaluationFrequency="PT15M") == 400
    assert refused(scopes=[]) == 400
    assert refused(criteria={"odata.type": "none", "allOf": []}) == 400
    assert refused(actions=[{"actionGroupId": told + "x"}]) == 400
    assert "a" in [it.name for it in monitor.metric_alerts.list_by_resource_group("rg1")]


def test_an_activity_log_alert_names_one_category(azure, group, told):
    path = f"{group}/providers/Microsoft.Insights/activityLogAlerts/health"

    def body(*conditions):
        return {
            "location": "Global",
            "properties": {
                "scopes": [azure.subscription],
                "condition": {"allOf": list(conditions)},
                "actions": {"actionGroups": [{"actionGroupId": told}]},
            },
        }

    category = {"field": "category", "equals": "ServiceHealth"}
    assert azure.arm("PUT", path, "2020-10-01", body()).status_code == 400
    assert azure.arm("PUT", path, "2020-10-01", body({"field": "level", "equals": "Error"})).status_code == 400
    assert azure.put(path, "2020-10-01", body(category))["properties"]["enabled"] is True


def test_a_diagnostic_setting_names_a_sink_and_categories_the_resource_has(azure, group, workspace):
    vault = f"{group}/providers/Microsoft.KeyVault/vaults/kvdiag1"
    sku = {"family": "A", "name": "standard"}
    properties = {"tenantId": azure.env["TENANT_ID"], "sku": sku, "enableRbacAuthorization": True}
    azure.put(vault, "2023-07-01", {**PLACE, "properties": properties})
    path = f"{vault}/providers/Microsoft.Insights/diagnosticSettings/d"

    def put(name="d", **properties):
        answer = azure.arm("PUT", path[:-1] + name, "2021-05-01-preview", {"properties": properties})
        return answer.status_code

    audit = [{"category": "AuditEvent", "enabled": True}]
    assert put(logs=audit) == 400
    assert put(logs=[{"category": "Unknown", "enabled": True}], workspaceId=workspace.id) == 400
    assert put(logs=audit, workspaceId=workspace.id + "x") == 404
    assert put(logs=audit, metrics=[{"category": "AllMetrics", "enabled": True}], workspaceId=workspace.id) == 200
    assert put("e", logs=audit, workspaceId=workspace.id) == 409
    listed = azure.arm("GET", f"{vault}/providers/Microsoft.Insights/diagnosticSettings", "2021-05-01-preview").json()
    assert [it["name"] for it in listed["value"]] == ["d"]
    of = f"{vault}/providers/Microsoft.Insights/diagnosticSettingsCategories"
    offered = azure.arm("GET", of, "2021-05-01-preview").json()["value"]
    assert {it["name"] for it in offered} == {"AuditEvent", "AzurePolicyEvaluationDetails", "AllMetrics"}


def test_a_budget_begins_on_the_first_and_tells_somebody(azure, group):
    budgets = azure.management(ConsumptionManagementClient).budgets
    month = azure.control("GET", "clock")["now"][:7]

    def budget(amount=100, start=f"{month}-01", **notification):
        told = {"enabled": True, "operator": "GreaterThan", "threshold": 80, "contactEmails": ["a@b.c"], **notification}
        period = {"startDate": f"{start}T00:00:00Z", "endDate": "2036-01-01T00:00:00Z"}
        properties = {"category": "Cost", "amount": amount, "timeGrain": "Monthly", "timePeriod": period}
        return {"properties": {**properties, "notifications": {"n": told}}}

    made = budgets.create_or_update(group, "b", budget())
    assert (made.amount, made.time_grain) == (100, "Monthly") and made.current_spend.amount == 0
    assert refusal(budgets.create_or_update, group, "c", budget(amount=0))[0] == 400
    assert refusal(budgets.create_or_update, group, "c", budget(start=f"{month}-02"))[0] == 400
    assert refusal(budgets.create_or_update, group, "c", budget(threshold=1001))[0] == 400
    assert refusal(budgets.create_or_update, group, "c", budget(contactEmails=[]))[0] == 400
    assert [it.name for it in budgets.list(group)] == ["b"]


def test_az_makes_workspaces_action_groups_and_alerts(az, group):
    made = az("monitor", "log-analytics", "workspace", "create", "-g", "rg1", "-n", "work-az", "--retention-time", "60")
    assert made["retentionInDays"] == 60
    az("monitor", "log-analytics", "workspace", "get-shared-keys", "-g", "rg1", "-n", "work-az")
    group = az("monitor", "action-group", "create", "-g", "rg1", "-n", "az-ops", "--short-name", "az",
               "--action", "email", "me", "a@b.c")  # fmt: skip
    alert = az("monitor", "metrics", "alert", "create", "-g", "rg1", "-n", "az-alert", "--scopes", made["id"],
               "--condition", "avg Heartbeat > 1", "--window-size", "5m", "--evaluation-frequency", "1m",
               "--action", group["id"])  # fmt: skip
    assert alert["criteria"]["allOf"][0]["metricName"] == "Heartbeat"
    az("monitor", "diagnostic-settings", "categories", "list", "--resource", made["id"])
    az("monitor", "log-analytics", "workspace", "delete", "-g", "rg1", "-n", "work-az", "--yes")
    deleted = az("monitor", "log-analytics", "workspace", "list-deleted-workspaces", "-g", "rg1")
    assert "work-az" in [it["name"] for it in deleted]
    back = az("monitor", "log-analytics", "workspace", "recover", "-g", "rg1", "-n", "work-az")
    assert back["customerId"] == made["customerId"]


def test_a_deleted_workspace_is_gone_after_fourteen_days(azure, logs):
    # the last one here: the clients' tokens have expired by then
    made = logs.workspaces.begin_create_or_update("rg1", "work-late", PLACE).result()
    logs.workspaces.begin_delete("rg1", "work-late").result()
    azure.advance("P15D")
    later = azure.management(LogAnalyticsManagementClient)
    assert "work-late" not in [it.name for it in later.deleted_workspaces.list()]
    again = later.workspaces.begin_create_or_update("rg1", "work-late", PLACE).result()
    assert again.customer_id != made.customer_id
