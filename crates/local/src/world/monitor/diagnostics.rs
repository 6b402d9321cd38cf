//! Diagnostic settings: where a resource's logs and metrics go, and which it has.

use serde_json::{Value, json};

use super::{SETTING, WORKSPACE, bad, hidden};
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Change, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default};
use crate::world::checks::{list, named, text};
use crate::world::{Response, World};

#[derive(Debug)]
pub(super) struct Settings;

impl Rules for Settings {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        let workspace = text(body, "properties.workspaceId").to_owned();
        let storage = text(body, "properties.storageAccountId").to_owned();
        let any = [&workspace, &storage].iter().any(|id| !id.is_empty())
            || ["eventHubAuthorizationRuleId", "marketplacePartnerId"]
                .iter()
                .any(|name| !text(body, &format!("properties.{name}")).is_empty());
        if !any {
            return Err(bad("At least one data sink needs to be specified."));
        }
        if !workspace.is_empty() && named(world, &workspace, WORKSPACE).is_none() {
            return Err(Refusal::missing(
                "ResourceNotFound",
                format!("The workspace '{workspace}' was not found."),
            ));
        }
        if !storage.is_empty() && named(world, &storage, "Microsoft.Storage/storageAccounts").is_none() {
            return Err(Refusal::missing(
                "ResourceNotFound",
                format!("The storage account '{storage}' was not found."),
            ));
        }
        for log in list(body, "properties.logs") {
            if log["category"].is_null() == log["categoryGroup"].is_null() {
                return Err(bad(
                    "A log of a diagnostic setting names a category or a categoryGroup, one of them.",
                ));
            }
        }
        let scope = change.id.scope();
        check_categories(world, &scope, body)?;
        let others: Vec<&Resource> = world
            .arm
            .below(&scope)
            .map(|(_, it)| it)
            .filter(|it| {
                it.kind == SETTING && it.id.scope().key() == scope.key() && it.id.key() != change.id.key()
            })
            .collect();
        if change.current.is_none() && others.len() >= 5 {
            return Err(bad(format!("The limit of 5 diagnostic settings was reached for '{scope}'.")));
        }
        let same = |other: &Resource| {
            !workspace.is_empty()
                && text(&other.body, "properties.workspaceId").eq_ignore_ascii_case(&workspace)
        };
        if let Some(other) = others.iter().find(|other| {
            same(other)
                && list(&other.body, "properties.logs").iter().any(|log| {
                    list(body, "properties.logs").iter().any(|own| {
                        own["category"] == log["category"] && own["categoryGroup"] == log["categoryGroup"]
                    })
                })
        }) {
            return Err(Refusal::conflict(
                "Conflict",
                format!(
                    "Data sink '{workspace}' is already used in diagnostic setting '{}' for a category of this one. Data sinks can't be reused in different settings on the same category for the same resource.",
                    other.id.name()
                ),
            ));
        }
        for name in ["logs", "metrics"] {
            default(body, &format!("properties.{name}"), json!([]));
        }
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        hidden(body);
        for name in ["storageAccountId", "eventHubAuthorizationRuleId", "eventHubName", "workspaceId"] {
            if body["properties"].get(name).is_none() {
                body["properties"][name] = Value::Null;
            }
        }
    }
}

/// What a resource has: logs by category, and whether metrics.
struct Has {
    kind: &'static str,
    logs: &'static [&'static str],
    metrics: bool,
}

/// (azure/azure-monitor/reference/supported-logs/logs-index, …/supported-metrics/metrics-index)
const HAS: [Has; 21] = [
    Has {
        kind: "Microsoft.App/managedEnvironments",
        logs: &[
            "ContainerAppConsoleLogs",
            "ContainerAppSystemLogs",
            "AppEnvSpringAppConsoleLogs",
            "AppEnvSessionConsoleLogs",
        ],
        metrics: true,
    },
    Has { kind: "Microsoft.App/containerApps", logs: &[], metrics: true },
    Has {
        kind: "Microsoft.AppConfiguration/configurationStores",
        logs: &["HttpRequest", "Audit"],
        metrics: true,
    },
    Has { kind: "Microsoft.Cache/redisEnterprise", logs: &[], metrics: true },
    Has { kind: "Microsoft.Cache/redisEnterprise/databases", logs: &["ConnectionEvents"], metrics: false },
    Has {
        kind: "Microsoft.CognitiveServices/accounts",
        logs: &["Audit", "RequestResponse", "AzureOpenAIRequestUsage", "Trace"],
        metrics: true,
    },
    Has {
        kind: "Microsoft.ContainerRegistry/registries",
        logs: &["ContainerRegistryRepositoryEvents", "ContainerRegistryLoginEvents"],
        metrics: true,
    },
    Has {
        kind: "Microsoft.DBforPostgreSQL/flexibleServers",
        logs: &[
            "PostgreSQLLogs",
            "PostgreSQLFlexSessions",
            "PostgreSQLFlexQueryStoreRuntime",
            "PostgreSQLFlexQueryStoreWaitStats",
            "PostgreSQLFlexTableStats",
            "PostgreSQLFlexDatabaseXacts",
            "PostgreSQLFlexPGBouncer",
        ],
        metrics: true,
    },
    Has {
        kind: "Microsoft.DocumentDB/databaseAccounts",
        logs: &[
            "DataPlaneRequests",
            "MongoRequests",
            "QueryRuntimeStatistics",
            "PartitionKeyStatistics",
            "PartitionKeyRUConsumption",
            "ControlPlaneRequests",
            "CassandraRequests",
            "GremlinRequests",
            "TableApiRequests",
        ],
        metrics: true,
    },
    Has {
        kind: "Microsoft.Insights/components",
        logs: &[
            "AppAvailabilityResults",
            "AppBrowserTimings",
            "AppDependencies",
            "AppEvents",
            "AppExceptions",
            "AppMetrics",
            "AppPageViews",
            "AppPerformanceCounters",
            "AppRequests",
            "AppSystemEvents",
            "AppTraces",
        ],
        metrics: true,
    },
    Has {
        kind: "Microsoft.KeyVault/vaults",
        logs: &["AuditEvent", "AzurePolicyEvaluationDetails"],
        metrics: true,
    },
    Has {
        kind: "Microsoft.Network/applicationGateways",
        logs: &[
            "ApplicationGatewayAccessLog",
            "ApplicationGatewayPerformanceLog",
            "ApplicationGatewayFirewallLog",
        ],
        metrics: true,
    },
    Has {
        kind: "Microsoft.Network/networkSecurityGroups",
        logs: &["NetworkSecurityGroupEvent", "NetworkSecurityGroupRuleCounter"],
        metrics: false,
    },
    Has {
        kind: "Microsoft.Network/publicIPAddresses",
        logs: &["DDoSProtectionNotifications", "DDoSMitigationFlowLogs", "DDoSMitigationReports"],
        metrics: true,
    },
    Has { kind: "Microsoft.Network/virtualNetworks", logs: &["VMProtectionAlerts"], metrics: true },
    Has {
        kind: "Microsoft.OperationalInsights/workspaces",
        logs: &["Audit", "SummaryLogs", "Jobs"],
        metrics: true,
    },
    Has {
        kind: "Microsoft.ServiceBus/namespaces",
        logs: &[
            "OperationalLogs",
            "VNetAndIPFilteringLogs",
            "RuntimeAuditLogs",
            "ApplicationMetricsLogs",
            "DataDRLogs",
        ],
        metrics: true,
    },
    Has { kind: "Microsoft.Storage/storageAccounts", logs: &[], metrics: true },
    Has {
        kind: "Microsoft.Storage/storageAccounts/blobServices",
        logs: &["StorageRead", "StorageWrite", "StorageDelete"],
        metrics: true,
    },
    Has { kind: "Microsoft.Web/serverfarms", logs: &["AppServicePlanConsoleLogs"], metrics: true },
    Has {
        kind: "Microsoft.Web/sites",
        logs: &[
            "AppServiceHTTPLogs",
            "AppServiceConsoleLogs",
            "AppServiceAppLogs",
            "AppServiceAuditLogs",
            "AppServiceIPSecAuditLogs",
            "AppServicePlatformLogs",
            "AppServiceAuthenticationLogs",
            "AppServiceAntivirusScanAuditLogs",
            "AppServiceFileAuditLogs",
        ],
        metrics: true,
    },
];

/// Refuses categories that a resource does not have; of types that are not in the table nothing is known.
fn check_categories(world: &World, scope: &Id, body: &Value) -> Result<(), Refusal> {
    let Some(has) = has(world, scope) else { return Ok(()) };
    for log in list(body, "properties.logs") {
        let (category, group) = (text(log, "category"), text(log, "categoryGroup"));
        let known = if category.is_empty() {
            ["allLogs", "audit"].iter().any(|it| it.eq_ignore_ascii_case(group)) && !has.logs.is_empty()
        } else {
            has.logs.iter().any(|it| it.eq_ignore_ascii_case(category))
        };
        if !known {
            return Err(if category.is_empty() {
                bad(format!("Category group: '{group}' is not supported."))
            } else {
                bad(format!("Category '{category}' is not supported."))
            });
        }
    }
    for metric in list(body, "properties.metrics") {
        let category = text(metric, "category");
        if !has.metrics
            || !["AllMetrics", "Transaction", "Capacity"].iter().any(|it| it.eq_ignore_ascii_case(category))
        {
            return Err(bad(format!("Metric category '{category}' is not supported.")));
        }
    }
    Ok(())
}

fn has(world: &World, scope: &Id) -> Option<&'static Has> {
    let kind = world.arm.find(&scope.key()).map_or_else(|| scope.kind(), |found| found.kind.clone());
    HAS.iter().find(|it| it.kind.eq_ignore_ascii_case(&kind))
}

/// `GET …/diagnosticSettingsCategories` of a resource: what its settings may name.
pub(in crate::world) fn categories(world: &World, scope: &Id) -> Option<Response> {
    let has = has(world, scope)?;
    let shown = |name: &str, kind: &str| {
        json!({"id": format!("{scope}/providers/microsoft.insights/diagnosticSettingsCategories/{name}"), "name": name,
               "type": "microsoft.insights/diagnosticSettingsCategories",
               "properties": {"categoryType": kind, "categoryGroups": if kind == "Logs" { json!(["allLogs"]) } else { json!([]) }}})
    };
    let mut value: Vec<Value> = has.logs.iter().map(|name| shown(name, "Logs")).collect();
    if has.metrics {
        value.push(shown("AllMetrics", "Metrics"));
    }
    Some(Response::json(200, &json!({"value": value})))
}
