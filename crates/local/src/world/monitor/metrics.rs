//! Which metrics a resource has: `…/providers/Microsoft.Insights/metricDefinitions`.

use serde_json::{Value, json};

use crate::world::arm::Resource;
use crate::world::{Response, World};

/// A metric: its name, its unit, how it is aggregated when nobody says, its dimensions.
type Metric = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// Metrics by type. (azure/azure-monitor/reference/supported-metrics)
const METRICS: &[(&str, &[Metric])] = &[
    (
        "Microsoft.App/containerApps",
        &[
            ("Requests", "Count", "Total", &["revisionName", "podName", "statusCodeCategory", "statusCode"]),
            ("ResponseTime", "MilliSeconds", "Average", &["statusCodeCategory", "statusCode"]),
            ("Replicas", "Count", "Maximum", &["revisionName", "deploymentName"]),
            ("RestartCount", "Count", "Maximum", &["revisionName", "podName"]),
            ("UsageNanoCores", "NanoCores", "Average", &["revisionName", "podName"]),
            ("WorkingSetBytes", "Bytes", "Average", &["revisionName", "podName"]),
            ("CpuPercentage", "Percent", "Average", &["revisionName", "podName"]),
            ("MemoryPercentage", "Percent", "Average", &["revisionName", "podName"]),
            ("RxBytes", "Bytes", "Total", &["revisionName", "podName"]),
            ("TxBytes", "Bytes", "Total", &["revisionName", "podName"]),
            ("CoresQuotaUsed", "Count", "Maximum", &["revisionName"]),
            ("TotalCoresQuotaUsed", "Count", "Average", &[]),
        ],
    ),
    (
        "Microsoft.Web/sites",
        &[
            ("Requests", "Count", "Total", &["Instance"]),
            ("HttpResponseTime", "Seconds", "Average", &["Instance"]),
            ("Http2xx", "Count", "Total", &["Instance"]),
            ("Http4xx", "Count", "Total", &["Instance"]),
            ("Http5xx", "Count", "Total", &["Instance"]),
            ("CpuTime", "Seconds", "Total", &["Instance"]),
            ("MemoryWorkingSet", "Bytes", "Average", &["Instance"]),
            ("HealthCheckStatus", "Count", "Average", &["Instance"]),
        ],
    ),
    (
        "Microsoft.Web/serverfarms",
        &[
            ("CpuPercentage", "Percent", "Average", &["Instance"]),
            ("MemoryPercentage", "Percent", "Average", &["Instance"]),
            ("HttpQueueLength", "Count", "Average", &["Instance"]),
            ("DiskQueueLength", "Count", "Average", &["Instance"]),
        ],
    ),
    (
        "Microsoft.Storage/storageAccounts",
        &[
            ("UsedCapacity", "Bytes", "Average", &[]),
            ("Transactions", "Count", "Total", &["ResponseType", "GeoType", "ApiName", "Authentication"]),
            ("Ingress", "Bytes", "Total", &["GeoType", "ApiName", "Authentication"]),
            ("Egress", "Bytes", "Total", &["GeoType", "ApiName", "Authentication"]),
            ("SuccessServerLatency", "MilliSeconds", "Average", &["GeoType", "ApiName", "Authentication"]),
            ("SuccessE2ELatency", "MilliSeconds", "Average", &["GeoType", "ApiName", "Authentication"]),
            ("Availability", "Percent", "Average", &["GeoType", "ApiName", "Authentication"]),
        ],
    ),
    (
        "Microsoft.DBforPostgreSQL/flexibleServers",
        &[
            ("cpu_percent", "Percent", "Average", &[]),
            ("memory_percent", "Percent", "Average", &[]),
            ("storage_percent", "Percent", "Average", &[]),
            ("storage_used", "Bytes", "Average", &[]),
            ("active_connections", "Count", "Average", &[]),
            ("connections_failed", "Count", "Total", &[]),
            ("connections_succeeded", "Count", "Total", &[]),
            ("iops", "Count", "Average", &[]),
            ("is_db_alive", "Count", "Maximum", &[]),
        ],
    ),
    (
        "Microsoft.KeyVault/vaults",
        &[
            ("ServiceApiHit", "Count", "Count", &["ActivityType", "ActivityName"]),
            (
                "ServiceApiLatency",
                "MilliSeconds",
                "Average",
                &["ActivityType", "ActivityName", "StatusCode", "StatusCodeClass"],
            ),
            (
                "ServiceApiResult",
                "Count",
                "Count",
                &["ActivityType", "ActivityName", "StatusCode", "StatusCodeClass"],
            ),
            ("SaturationShoebox", "Percent", "Average", &["ActivityType", "ActivityName", "TransactionType"]),
            (
                "Availability",
                "Percent",
                "Average",
                &["ActivityType", "ActivityName", "StatusCode", "StatusCodeClass"],
            ),
        ],
    ),
    (
        "Microsoft.ServiceBus/namespaces",
        &[
            ("IncomingRequests", "Count", "Total", &["EntityName"]),
            ("SuccessfulRequests", "Count", "Total", &["EntityName", "OperationResult"]),
            ("ServerErrors", "Count", "Total", &["EntityName", "OperationResult"]),
            ("ThrottledRequests", "Count", "Total", &["EntityName"]),
            ("IncomingMessages", "Count", "Total", &["EntityName"]),
            ("OutgoingMessages", "Count", "Total", &["EntityName"]),
            ("ActiveMessages", "Count", "Average", &["EntityName"]),
            ("DeadletteredMessages", "Count", "Average", &["EntityName"]),
        ],
    ),
    (
        "Microsoft.DocumentDB/databaseAccounts",
        &[
            (
                "TotalRequests",
                "Count",
                "Count",
                &["DatabaseName", "CollectionName", "Region", "StatusCode", "OperationType"],
            ),
            (
                "TotalRequestUnits",
                "Count",
                "Total",
                &["DatabaseName", "CollectionName", "Region", "StatusCode", "OperationType"],
            ),
            (
                "NormalizedRUConsumption",
                "Percent",
                "Maximum",
                &["CollectionName", "DatabaseName", "Region", "PartitionKeyRangeId"],
            ),
            ("DataUsage", "Bytes", "Total", &["CollectionName", "DatabaseName", "Region"]),
            ("ServiceAvailability", "Percent", "Average", &[]),
        ],
    ),
    (
        "Microsoft.Cache/redisEnterprise",
        &[
            ("percentProcessorTime", "Percent", "Maximum", &["InstanceId"]),
            ("usedmemorypercentage", "Percent", "Maximum", &["InstanceId"]),
            ("usedmemory", "Bytes", "Maximum", &[]),
            ("connectedclients", "Count", "Maximum", &["InstanceId"]),
            ("cachehits", "Count", "Total", &[]),
            ("cachemisses", "Count", "Total", &[]),
            ("evictedkeys", "Count", "Total", &[]),
        ],
    ),
    (
        "Microsoft.ContainerRegistry/registries",
        &[
            ("StorageUsed", "Bytes", "Average", &["Geolocation"]),
            ("TotalPullCount", "Count", "Average", &[]),
            ("SuccessfulPullCount", "Count", "Average", &[]),
            ("TotalPushCount", "Count", "Average", &[]),
            ("SuccessfulPushCount", "Count", "Average", &[]),
        ],
    ),
    (
        "Microsoft.CognitiveServices/accounts",
        &[
            ("AzureOpenAIRequests", "Count", "Total", &["ModelDeploymentName", "ModelName", "StatusCode"]),
            ("ProcessedPromptTokens", "Count", "Total", &["ModelDeploymentName", "ModelName"]),
            ("GeneratedTokens", "Count", "Total", &["ModelDeploymentName", "ModelName"]),
            ("TokenTransaction", "Count", "Total", &["ModelDeploymentName", "ModelName"]),
            ("TotalCalls", "Count", "Total", &["ApiName", "OperationName", "Region"]),
            ("TotalErrors", "Count", "Total", &["ApiName", "OperationName", "Region"]),
        ],
    ),
];

const AGGREGATIONS: [&str; 5] = ["Average", "Minimum", "Maximum", "Total", "Count"];
const GRAINS: [&str; 8] = ["PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT6H", "PT12H", "P1D"];

/// The metrics of a type; none where they are not known here.
fn of(kind: &str) -> &'static [Metric] {
    METRICS.iter().find(|(known, _)| known.eq_ignore_ascii_case(kind)).map_or(&[], |(_, metrics)| *metrics)
}

/// `GET …/providers/Microsoft.Insights/metricDefinitions` and `…/metricNamespaces`; `None` for anything else.
pub(in crate::world) fn serve(_world: &World, resource: &Resource, part: &str) -> Option<Response> {
    let kind = resource.kind.as_str();
    let base = format!("{}/providers/microsoft.insights", resource.id);
    let value: Vec<Value> = if part.eq_ignore_ascii_case("metricDefinitions") {
        of(kind).iter().map(|metric| definition(resource, &base, metric)).collect()
    } else if part.eq_ignore_ascii_case("metricNamespaces") {
        let own = json!({"id": format!("{base}/metricNamespaces/{kind}"), "type": "Microsoft.Insights/metricNamespaces",
            "name": kind, "classification": "Platform", "properties": {"metricNamespaceName": kind}});
        if of(kind).is_empty() { Vec::new() } else { vec![own] }
    } else {
        return None;
    };
    Some(Response::json(200, &json!({"value": value})))
}

fn definition(resource: &Resource, base: &str, metric: &Metric) -> Value {
    let (name, unit, usual, dimensions) = *metric;
    let named = |name: &str| json!({"value": name, "localizedValue": name});
    let grains: Vec<Value> =
        GRAINS.iter().map(|grain| json!({"timeGrain": grain, "retention": "P93D"})).collect();
    json!({
        "id": format!("{base}/metricdefinitions/{name}"),
        "resourceId": resource.id.to_string(),
        "namespace": resource.kind,
        "name": named(name),
        "isDimensionRequired": false,
        "unit": unit,
        "primaryAggregationType": usual,
        "supportedAggregationTypes": AGGREGATIONS,
        "metricAvailabilities": grains,
        "dimensions": dimensions.iter().map(|name| named(name)).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::world::testing::{Lab, rg};

    #[test]
    fn a_resource_tells_its_metrics() {
        let mut lab = Lab::new(0.0);
        let vault = rg("Microsoft.KeyVault/vaults/kv-metrics");
        let body = json!({"location": "westeurope", "properties": {"tenantId": "11111111-1111-1111-1111-111111111111",
            "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": true}});
        lab.put(&vault, body).ok(200);
        let shown = lab.get(&format!("{vault}/providers/Microsoft.Insights/metricDefinitions")).ok(200).json;
        assert_eq!(shown["value"][0]["name"]["value"], "ServiceApiHit");
        let namespaces =
            lab.get(&format!("{vault}/providers/microsoft.insights/metricNamespaces")).ok(200).json;
        assert_eq!(namespaces["value"][0]["name"], "Microsoft.KeyVault/vaults");
        lab.get(&format!("{vault}x/providers/Microsoft.Insights/metricDefinitions"))
            .refused(404, "ResourceNotFound");
    }
}
