//! Where Azure has what a condition measures: a metric of a resource, or a query over the logs.
//!
//! The rows name metrics by Azure's reference of supported metrics. What no metric has (shares, percentiles, what one
//! service of several reports) is asked of the logs.

use landfall_manifest::{Comparison, Condition, Metric, Subject, Unit};

use crate::address::Address;
use crate::body::Body;
use crate::expression::Expression;
use crate::resource::Resource;
use crate::services::{Draft, diagnostic, insights, webtest};

/// What an alert looks at.
pub(super) enum Signal {
    /// A metric of a resource.
    Metric(Reading),
    /// A query over the logs whose one row has the number as `value`.
    Query(String),
}

/// A metric of a resource.
pub(super) struct Reading {
    /// The resource that has it.
    pub of: Address,
    /// Azure's type of that resource.
    pub namespace: &'static str,
    /// Azure's name of the metric.
    pub name: &'static str,
    /// How the samples of a window become one number.
    pub aggregation: &'static str,
    /// Only of these.
    pub dimensions: Vec<(&'static str, String)>,
    /// The number that it is compared with, in the metric's own unit.
    pub threshold: f64,
    /// The shortest time between two samples, in seconds.
    pub grain: u64,
}

/// A metric by Azure's reference.
struct Platform {
    of: &'static str,
    metric: Metric,
    name: &'static str,
    aggregation: &'static str,
    scale: Scale,
    /// A dimension and its value, or `*` for the name in the condition.
    dimension: Option<(&'static str, &'static str)>,
    grain: u64,
}

/// How the manifest's number becomes the metric's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scale {
    AsWritten,
    Milliseconds,
    Seconds,
    /// A share of the connections that the server allows.
    Connections,
}

const MINUTE: u64 = 60;

const fn row(of: &'static str, metric: Metric, name: &'static str, aggregation: &'static str) -> Platform {
    Platform { of, metric, name, aggregation, scale: Scale::AsWritten, dimension: None, grain: MINUTE }
}

const fn timed(row: Platform, scale: Scale) -> Platform {
    Platform { scale, ..row }
}

const fn only(row: Platform, dimension: &'static str, value: &'static str) -> Platform {
    Platform { dimension: Some((dimension, value)), ..row }
}

const fn every(row: Platform, grain: u64) -> Platform {
    Platform { grain, ..row }
}

const APP: &str = "Microsoft.App/containerApps";
const SITE: &str = "Microsoft.Web/sites";
const PLAN: &str = "Microsoft.Web/serverfarms";
const POSTGRES: &str = "Microsoft.DBforPostgreSQL/flexibleServers";
const REDIS: &str = "Microsoft.Cache/redisEnterprise";
const BUS: &str = "Microsoft.ServiceBus/namespaces";
const COSMOS: &str = "Microsoft.DocumentDB/databaseAccounts";
const MODELS: &str = "Microsoft.CognitiveServices/accounts";
const STORAGE: &str = "Microsoft.Storage/storageAccounts";
const VAULT: &str = "Microsoft.KeyVault/vaults";
const CLUSTER: &str = "Microsoft.ContainerService/managedClusters";

/// Averages where a load is meant, totals where things are counted. `Level` stands for the least or the greatest
/// sample, whichever has to pass the threshold for all of them to have done so.
const LEVEL: &str = "Level";

const PLATFORM: &[Platform] = &[
    row(APP, Metric::Cpu, "CpuPercentage", "Average"),
    row(APP, Metric::Memory, "MemoryPercentage", "Average"),
    row(APP, Metric::Replicas, "Replicas", LEVEL),
    // Each replica reports how often it was started again since it began: adding the samples up would count one
    // start once a minute.
    row(APP, Metric::Restarts, "RestartCount", "Maximum"),
    row(APP, Metric::Requests, "Requests", "Total"),
    only(row(APP, Metric::RequestsFailed, "Requests", "Total"), "statusCodeCategory", "5xx"),
    timed(row(APP, Metric::Latency, "ResponseTime", "Average"), Scale::Milliseconds),
    row(SITE, Metric::Requests, "Requests", "Total"),
    row(SITE, Metric::RequestsFailed, "Http5xx", "Total"),
    timed(row(SITE, Metric::Latency, "HttpResponseTime", "Average"), Scale::Seconds),
    row(SITE, Metric::Health, "HealthCheckStatus", "Average"),
    row(PLAN, Metric::Cpu, "CpuPercentage", "Average"),
    row(PLAN, Metric::Memory, "MemoryPercentage", "Average"),
    row(POSTGRES, Metric::Cpu, "cpu_percent", "Average"),
    row(POSTGRES, Metric::Memory, "memory_percent", "Average"),
    row(POSTGRES, Metric::Storage, "storage_percent", "Average"),
    timed(row(POSTGRES, Metric::Connections, "active_connections", "Average"), Scale::Connections),
    timed(
        row(POSTGRES, Metric::ReplicationLag, "physical_replication_delay_in_seconds", "Maximum"),
        Scale::Seconds,
    ),
    every(row(REDIS, Metric::Cpu, "percentProcessorTime", "Maximum"), 5 * MINUTE),
    every(row(REDIS, Metric::Memory, "usedmemorypercentage", "Maximum"), 5 * MINUTE),
    every(row(REDIS, Metric::Connections, "connectedclients", "Maximum"), 5 * MINUTE),
    only(row(BUS, Metric::QueueLength, "ActiveMessages", LEVEL), "EntityName", "*"),
    only(row(BUS, Metric::DeadLetters, "DeadletteredMessages", LEVEL), "EntityName", "*"),
    row(BUS, Metric::Throttled, "ThrottledRequests", "Total"),
    row(BUS, Metric::RequestsFailed, "ServerErrors", "Total"),
    only(row(COSMOS, Metric::Throttled, "TotalRequests", "Count"), "StatusCode", "429"),
    every(row(COSMOS, Metric::Availability, "ServiceAvailability", "Average"), 60 * MINUTE),
    row(MODELS, Metric::Requests, "AzureOpenAIRequests", "Total"),
    only(row(MODELS, Metric::Throttled, "AzureOpenAIRequests", "Total"), "StatusCode", "429"),
    row(MODELS, Metric::Availability, "AzureOpenAIAvailabilityRate", "Average"),
    row(STORAGE, Metric::Availability, "Availability", "Average"),
    timed(row(STORAGE, Metric::Latency, "SuccessE2ELatency", "Average"), Scale::Milliseconds),
    row(VAULT, Metric::Availability, "Availability", "Average"),
    timed(row(VAULT, Metric::Latency, "ServiceApiLatency", "Average"), Scale::Milliseconds),
    row(CLUSTER, Metric::NodeCpu, "node_cpu_usage_percentage", "Average"),
    row(CLUSTER, Metric::NodeMemory, "node_memory_working_set_percentage", "Average"),
];

/// Where Azure has what a condition measures, or why it has not.
pub(super) fn find(draft: &Draft<'_>, subject: Subject<'_>, when: &Condition) -> Result<Signal, String> {
    let candidates = resources(draft, subject);
    let metric = when.metric;
    for resource in &candidates {
        let row = PLATFORM
            .iter()
            .find(|row| row.metric == metric && row.of.eq_ignore_ascii_case(resource.resource_type));
        if let Some(row) = row {
            return reading(resource, row, when).map(Signal::Metric);
        }
    }
    match metric {
        Metric::Availability => tested(draft, subject, when).map(Signal::Metric),
        Metric::SecretExpiry => expiry(draft, &candidates, when).map(Signal::Query),
        Metric::Restarts | Metric::Replicas => Ok(Signal::Query(pods(subject, metric))),
        _ => reported(draft, subject, when).map(Signal::Query),
    }
}

/// The resources that stand for what an alert is about: those that the manifest's table asks for, and what they run on.
fn resources<'d>(draft: &'d Draft<'_>, subject: Subject<'_>) -> Vec<&'d Resource> {
    let from = match subject {
        Subject::Service(name) => format!("service.{name}"),
        Subject::Resource(name) => format!("resource.{name}"),
        Subject::App => {
            return draft.resources.iter().filter(|resource| resource.resource_type == CLUSTER).collect();
        }
    };
    let own: Vec<&Resource> = draft.resources.iter().filter(|resource| resource.from == from).collect();
    let plans = own.iter().filter_map(|resource| match resource.body.at("properties.serverFarmId")? {
        Body::Expression(Expression::Id { of }) => draft.get(of),
        _ => None,
    });
    let plans: Vec<&Resource> = plans.collect();
    own.into_iter().chain(plans).collect()
}

fn reading(resource: &Resource, row: &Platform, when: &Condition) -> Result<Reading, String> {
    let threshold = match row.scale {
        Scale::AsWritten if when.metric == Metric::Connections && when.value.unit == Unit::Percent => {
            return Err("Azure does not say how many connections it allows, so no share of them can be told"
                .to_owned());
        }
        Scale::AsWritten => when.value.number(),
        Scale::Milliseconds => when.value.base(),
        Scale::Seconds => when.value.base() / 1000.0,
        Scale::Connections if when.value.unit == Unit::Percent => {
            let sku = resource.body.at("sku.name").and_then(Body::as_str).unwrap_or_default();
            let most =
                connections(sku).ok_or_else(|| format!("how many connections {sku} allows is not known"))?;
            (f64::from(most) * when.value.number() / 100.0).floor()
        }
        Scale::Connections => when.value.number(),
    };
    let aggregation = match row.aggregation {
        LEVEL if when.lasting.is_none() && when.over.is_some() => "Average",
        LEVEL if when.comparison.is_above() => "Minimum",
        LEVEL => "Maximum",
        aggregation => aggregation,
    };
    let dimensions = match (row.dimension, &when.name) {
        (Some((dimension, "*")), Some(name)) => vec![(dimension, name.clone())],
        (Some((_, "*")), None) | (None, _) => Vec::new(),
        (Some((dimension, value)), _) => vec![(dimension, value.to_owned())],
    };
    Ok(Reading {
        of: resource.address.clone(),
        namespace: row.of,
        name: row.name,
        aggregation,
        dimensions,
        threshold,
        grain: row.grain,
    })
}

/// How many connections a PostgreSQL server allows by default, by its memory: Azure's table of limits.
fn connections(sku: &str) -> Option<u32> {
    let name = sku.strip_prefix("Standard_").unwrap_or(sku).to_uppercase();
    let cores: u32 =
        name.chars().skip(1).take_while(char::is_ascii_digit).collect::<String>().parse().ok()?;
    let by_cores = |two: u32| {
        Some(match cores {
            2 => two,
            4 => two.saturating_mul(2).min(3437),
            8 => two.saturating_mul(4).min(5000),
            _ => 5000,
        })
    };
    match (name.chars().next()?, name.as_str()) {
        (_, "B1MS") => Some(50),
        (_, "B2S") => Some(429),
        // Four gibibytes of memory to a core, and twice that in the memory-optimised.
        ('B' | 'D', _) => by_cores(859),
        ('E', _) => by_cores(1718),
        _ => None,
    }
}

/// The tests from outside.
fn tested(draft: &Draft<'_>, subject: Subject<'_>, when: &Condition) -> Result<Reading, String> {
    const NO_TEST: &str = "no test from outside is made: `insights.availability.enabled` is off, or the service is not \
                           open to everyone";
    let tested =
        |name: &str| draft.app.services.get(name).is_some_and(|service| webtest::is_tested(draft, service));
    let names: Vec<String> = match subject {
        Subject::Service(name) if tested(name) => vec![webtest::name(draft, name)],
        Subject::App if draft.app.services.keys().any(|name| tested(name)) => Vec::new(),
        _ => return Err(NO_TEST.to_owned()),
    };
    Ok(Reading {
        of: insights::address(),
        namespace: "microsoft.insights/components",
        name: "availabilityResults/availabilityPercentage",
        aggregation: "Average",
        dimensions: names.into_iter().map(|name| ("availabilityResult/name", name)).collect(),
        threshold: when.value.number(),
        grain: MINUTE,
    })
}

/// Days before its end at which Azure notes in a vault's log that a secret is about to expire.
const NEAR_EXPIRY_DAYS: f64 = 30.0;

fn expiry(draft: &Draft<'_>, vaults: &[&Resource], when: &Condition) -> Result<String, String> {
    let Some(vault) = vaults.iter().find(|resource| resource.resource_type == VAULT) else {
        return Err("there is no vault".to_owned());
    };
    if !diagnostic::is_logged(draft, VAULT) {
        return Err("it is read from the vault's log, which `insights.logs` does not keep".to_owned());
    }
    if when.comparison != Comparison::Below || when.value.number() != NEAR_EXPIRY_DAYS {
        return Err(
            "Azure notes it 30 days before the end and at no other time: write `secret_expiry < 30d`"
                .to_owned(),
        );
    }
    Ok(format!(
        "AzureDiagnostics\n| where ResourceProvider == \"MICROSOFT.KEYVAULT\" and Resource =~ {}\n\
         | where OperationName in (\"SecretNearExpiryEventGridNotification\", \"SecretExpiredEventGridNotification\")\n\
         | summarize value = count()",
        text(&vault.name)
    ))
}

/// Pods of a cluster, as Container Insights counts them.
fn pods(subject: Subject<'_>, metric: Metric) -> String {
    let of = match subject {
        Subject::Service(name) => format!("| where Name startswith {}\n", text(&format!("{name}-"))),
        _ => String::new(),
    };
    match metric {
        Metric::Restarts => format!(
            "KubePodInventory\n{of}| summarize most = max(ContainerRestartCount), least = min(ContainerRestartCount) by ContainerID\n\
             | summarize value = sum(most - least)"
        ),
        _ => format!(
            "KubePodInventory\n{of}| where PodStatus == \"Running\"\n\
             | summarize running = dcount(PodUid) by bin(TimeGenerated, 1m)\n| summarize value = max(running)"
        ),
    }
}

/// What the services report of themselves.
fn reported(draft: &Draft<'_>, subject: Subject<'_>, when: &Condition) -> Result<String, String> {
    if !insights::is_enabled(draft) {
        return Err("services report it to Application Insights, and `insights.enabled` is off".to_owned());
    }
    let role = match subject {
        Subject::Service(name) => format!("| where AppRoleName == {}\n", text(name)),
        _ => String::new(),
    };
    let named = |column: &str| match &when.name {
        Some(name) => format!("| where {column} has {}\n", text(name)),
        None => String::new(),
    };
    let percentile = |table: &str, filter: &str, percent: u32| {
        format!("{table}\n{role}{filter}| summarize value = percentile(DurationMs, {percent})")
    };
    // A sampled item stands for `ItemCount` of its kind.
    let share = |table: &str, filter: &str, what: &str| {
        format!(
            "{table}\n{role}{filter}| summarize counted = sumif(ItemCount, {what}), total = sum(ItemCount)\n\
             | where total > 0\n| project value = 100.0 * counted / total"
        )
    };
    let dependency = match &when.name {
        Some(name) => {
            let name = text(name);
            format!(
                "| where Target contains {name} or Name contains {name} or DependencyType contains {name}\n"
            )
        }
        None => String::new(),
    };
    Ok(match when.metric {
        Metric::ErrorRate => share("AppRequests", "", "toint(ResultCode) >= 500"),
        Metric::ClientErrorRate => share("AppRequests", "", "toint(ResultCode) between (400 .. 499)"),
        Metric::Requests => format!("AppRequests\n{role}| summarize value = sum(ItemCount)"),
        Metric::RequestsFailed => {
            format!("AppRequests\n{role}| where toint(ResultCode) >= 500\n| summarize value = sum(ItemCount)")
        }
        Metric::Latency => {
            format!("AppRequests\n{role}| summarize value = sum(DurationMs * ItemCount) / sum(ItemCount)")
        }
        Metric::LatencyP50 => percentile("AppRequests", "", 50),
        Metric::LatencyP95 => percentile("AppRequests", "", 95),
        Metric::LatencyP99 => percentile("AppRequests", "", 99),
        Metric::Exceptions => {
            format!("AppExceptions\n{role}{}| summarize value = sum(ItemCount)", named("ExceptionType"))
        }
        Metric::LogErrors => format!(
            "AppTraces\n{role}| where SeverityLevel >= 3\n{}| summarize value = sum(ItemCount)",
            named("Message")
        ),
        Metric::DependencyFailures => format!(
            "AppDependencies\n{role}{dependency}| where Success == false\n| summarize value = sum(ItemCount)"
        ),
        Metric::DependencyErrorRate => share("AppDependencies", &dependency, "Success == false"),
        Metric::DependencyLatencyP95 => percentile("AppDependencies", &dependency, 95),
        Metric::Custom => {
            let name = text(when.name.as_deref().unwrap_or_default());
            let value = if when.sum { "sum(Sum)" } else { "sum(Sum) / sum(ItemCount)" };
            format!("AppMetrics\n{role}| where Name == {name}\n| summarize value = {value}")
        }
        metric => return Err(format!("Azure has no `{metric}` of it")),
    })
}

/// A text in a query's quotes.
fn text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The number that a query's result is compared with: times in milliseconds, as the tables have them.
pub(super) fn threshold(when: &Condition) -> f64 {
    match when.metric {
        // The notes of what expires are counted.
        Metric::SecretExpiry => 0.0,
        // A measurement of the application's own is in the unit it has chosen, which the manifest's number is in too.
        Metric::Custom => when.value.number(),
        _ => when.value.base(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_allow_what_azure_says() {
        for (sku, most) in [
            ("Standard_B1ms", 50),
            ("Standard_B2s", 429),
            ("Standard_B2ms", 859),
            ("Standard_D2ds_v5", 859),
            ("Standard_D4ds_v5", 1718),
            ("Standard_D8ds_v5", 3436),
            ("Standard_D16ds_v5", 5000),
            ("Standard_E2ds_v5", 1718),
            ("Standard_E8ds_v5", 5000),
        ] {
            assert_eq!(connections(sku), Some(most), "{sku}");
        }
        assert_eq!(connections("Custom"), None);
    }

    #[test]
    fn texts_stay_within_their_quotes() {
        assert_eq!(text("a\"b\\c"), "\"a\\\"b\\\\c\"");
    }
}
