//! The workbook: the charts that people look at first.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::address::Address;
use crate::body::object;
use crate::services::{Draft, insights, set, workspace};

/// Its address; there is one, when `insights.dashboard`.
pub fn address() -> Address {
    Address::new("workbook", "main")
}

/// The namespace of workbooks' names. Fixed forever: another one would make a second workbook.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c61_6e64_6661_6c6c_2d77_6f72_6b62_6f6f);

pub(super) fn add(draft: &mut Draft<'_>) {
    if !draft.app.insights.dashboard {
        return;
    }
    let name = Uuid::new_v5(&NAMESPACE, draft.group().to_lowercase().as_bytes()).to_string();
    let source = match insights::is_enabled(draft) {
        true => insights::address(),
        false => workspace::address(),
    };
    let source = draft.earlier(&source).id();
    let logs = draft.earlier(&workspace::address()).id();
    let content = content(draft, &logs);
    let mut workbook =
        draft.in_group(address(), "Microsoft.Insights/workbooks", "2023-06-01", name, "insights.dashboard");
    set(&mut workbook, "kind", "shared".into());
    let properties = object([
        ("displayName", format!("{} in {}", draft.app.name, draft.app.environment).into()),
        ("category", "workbook".into()),
        ("version", "Notebook/1.0".into()),
        ("sourceId", source.as_str().into()),
        ("serializedData", content.to_string().into()),
    ]);
    set(&mut workbook, "properties", properties);
    workbook.after = match insights::is_enabled(draft) {
        true => vec![workspace::address(), insights::address()],
        false => vec![workspace::address()],
    };
    draft.push(workbook);
}

fn content(draft: &Draft<'_>, logs: &str) -> Value {
    let mut items = vec![
        json!({ "type": 1, "name": "title", "content": {
            "json": format!("## {} in {}\nWritten by Landfall: a change made here is undone by the next deployment.",
                draft.app.name, draft.app.environment),
        }}),
        json!({ "type": 9, "name": "time", "content": {
            "version": "KqlParameterItem/1.0",
            "parameters": [{
                "version": "KqlParameterItem/1.0", "name": "TimeRange", "type": 4, "isRequired": true,
                "value": { "durationMs": 14_400_000 },
                "typeSettings": { "selectableValues": [
                    { "durationMs": 3_600_000 }, { "durationMs": 14_400_000 }, { "durationMs": 86_400_000 },
                    { "durationMs": 604_800_000 }, { "durationMs": 2_592_000_000_u64 },
                ]},
            }],
            "style": "pills", "queryType": 0, "resourceType": "microsoft.operationalinsights/workspaces",
        }}),
    ];
    let chart = |title: &str, shape: &str, width: u32, query: &str| {
        json!({ "type": 3, "name": title, "customWidth": width.to_string(), "content": {
            "version": "KqlItem/1.0", "title": title, "query": query, "visualization": shape, "size": 0,
            "timeContextFromParameter": "TimeRange", "queryType": 0,
            "resourceType": "microsoft.operationalinsights/workspaces", "crossComponentResources": [logs],
        }})
    };
    if insights::is_enabled(draft) {
        items.extend(CHARTS.iter().map(|(title, shape, width, query)| chart(title, shape, *width, query)));
    }
    let group = draft.group();
    items.push(json!({ "type": 1, "name": "cost", "content": {
        "json": format!("### Cost\n[What this month costs](https://portal.azure.com/#@/resource{group}/costanalysis), \
                         by resource and day."),
    }}));
    json!({
        "version": "Notebook/1.0", "items": items, "fallbackResourceIds": [logs],
        "$schema": "https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json",
    })
}

/// Title, shape, width in percent and query of each chart.
const CHARTS: &[(&str, &str, u32, &str)] = &[
    (
        "Requests a minute",
        "timechart",
        50,
        "AppRequests | summarize requests = sum(ItemCount) by bin(TimeGenerated, 1m), AppRoleName",
    ),
    (
        "Success and failure",
        "piechart",
        50,
        "AppRequests | extend outcome = case(toint(ResultCode) >= 500, \"5xx\", toint(ResultCode) >= 400, \"4xx\", \"success\") | summarize requests = sum(ItemCount) by outcome",
    ),
    (
        "Error rate (4xx, 5xx) in percent",
        "timechart",
        50,
        "AppRequests | summarize total = sum(ItemCount), failed = sumif(ItemCount, toint(ResultCode) >= 500), refused = sumif(ItemCount, toint(ResultCode) between (400 .. 499)) by bin(TimeGenerated, 5m) | project TimeGenerated, server = 100.0 * failed / total, client = 100.0 * refused / total",
    ),
    (
        "Response time in ms (p50, p95, p99)",
        "timechart",
        50,
        "AppRequests | summarize p50 = percentile(DurationMs, 50), p95 = percentile(DurationMs, 95), p99 = percentile(DurationMs, 99) by bin(TimeGenerated, 5m)",
    ),
    (
        "Response times, how often each",
        "barchart",
        50,
        "AppRequests | summarize requests = sum(ItemCount) by bucket = bin(DurationMs, 100) | order by bucket asc | take 50",
    ),
    (
        "Calls to others: p95 in ms",
        "timechart",
        50,
        "AppDependencies | summarize p95 = percentile(DurationMs, 95) by bin(TimeGenerated, 5m), Target",
    ),
    (
        "Calls to others that failed",
        "timechart",
        50,
        "AppDependencies | where Success == false | summarize failures = sum(ItemCount) by bin(TimeGenerated, 5m), Target",
    ),
    (
        "Measurements of the application's own",
        "timechart",
        50,
        "AppMetrics | where isempty(Properties[\"_MS.IsAutocollected\"]) | summarize value = sum(Sum) / sum(ItemCount) by bin(TimeGenerated, 5m), Name",
    ),
    (
        "Most frequent errors",
        "table",
        100,
        "union (AppExceptions | project TimeGenerated, AppRoleName, what = OuterMessage, ItemCount), (AppTraces | where SeverityLevel >= 3 | project TimeGenerated, AppRoleName, what = Message, ItemCount) | summarize times = sum(ItemCount), last = max(TimeGenerated) by AppRoleName, what | top 20 by times",
    ),
];
