//! Azure Monitor's resources, and budgets. In reading order:
//!
//! - [`action_groups`]: who is told; [`alerts`]: on what; [`autoscale`]: what is scaled by it.
//! - [`components`]: Application Insights; [`collected`]: tests, workbooks, rules of what is collected.
//! - [`diagnostics`]: where logs and metrics of a resource go, and which it has.
//! - [`metrics`]: which a resource has; [`activity`]: the log of changes.
//! - [`budgets`]: of Cost Management.

mod action_groups;
mod activity;
mod alerts;
mod autoscale;
mod budgets;
mod collected;
mod components;
pub(super) mod diagnostics;
pub(super) mod metrics;

use serde_json::Value;

use super::arm::kind::{Depth, Kind, Names, Place, Rules, Signs};
use super::arm::refusal::Refusal;
use super::arm::resources::at_once;
use super::arm::take;

const GROUP: &str = "Microsoft.Insights/actionGroups";
const SETTING: &str = "Microsoft.Insights/diagnosticSettings";
const WORKSPACE: &str = "Microsoft.OperationalInsights/workspaces";

const fn row(name: &'static str, place: Place, create: u16, rules: &'static dyn Rules) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: Names {
            length: (1, 260),
            signs: Signs::Any,
            global: false,
            refusal: ("BadRequest", "The name '{name}' is invalid."),
        },
        place,
        seconds: [0.0, 0.0, 0.0],
        replies: at_once(create, 200),
        busy: "Conflict",
        computed: &[],
        spelling: &[],
        rules,
    }
}

pub(super) static KINDS: &[Kind] = &[
    row(GROUP, Place::Free, 201, &action_groups::Groups),
    row("Microsoft.Insights/metricAlerts", Place::Free, 200, &alerts::MetricAlerts),
    row("Microsoft.Insights/scheduledQueryRules", Place::Regional, 201, &alerts::QueryRules),
    row("Microsoft.Insights/activityLogAlerts", Place::Free, 201, &alerts::ActivityLogAlerts),
    row("Microsoft.Insights/autoscalesettings", Place::Regional, 201, &autoscale::Autoscale),
    Kind {
        computed: &[
            "properties.InstrumentationKey",
            "properties.AppId",
            "properties.ApplicationId",
            "properties.ConnectionString",
            "properties.CreationDate",
            "properties.TenantId",
            "properties.Name",
        ],
        ..row("Microsoft.Insights/components", Place::Regional, 200, &components::Components)
    },
    row(SETTING, Place::Parent, 200, &diagnostics::Settings),
    row("Microsoft.Insights/webtests", Place::Regional, 200, &collected::WebTests),
    row("Microsoft.Insights/workbooks", Place::Regional, 201, &collected::Workbooks),
    row("Microsoft.Insights/dataCollectionEndpoints", Place::Regional, 201, &collected::Endpoints),
    row("Microsoft.Insights/dataCollectionRules", Place::Regional, 201, &collected::CollectionRules),
    row("Microsoft.Consumption/budgets", Place::Free, 201, &budgets::Budgets),
];

fn bad(message: impl std::fmt::Display) -> Refusal {
    Refusal::bad("BadRequest", message.to_string())
}

fn hidden(body: &mut Value) {
    take(body, "properties.provisioningState");
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::world::testing::{Lab, SUB, rg};

    #[test]
    fn alerts_and_groups_have_rules() {
        let mut lab = Lab::new(0.0);
        let group = rg("Microsoft.Insights/actionGroups/g");
        let body = |short: &str| json!({"location": "Global", "properties": {"groupShortName": short, "emailReceivers": [{"name": "me", "emailAddress": "a@b.c"}]}});
        lab.put(&group, body("much too long a name")).refused(400, "BadRequest");
        lab.put(&group, body("ops")).ok(201);
        let vnet = rg("Microsoft.Network/virtualNetworks/v1");
        lab.put(&vnet, json!({"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}})).ok(201);
        let alert = |more: Value| {
            let mut body = json!({"location": "global", "properties": {"severity": 2, "scopes": [vnet], "evaluationFrequency": "PT1M",
                "windowSize": "PT5M", "actions": [{"actionGroupId": group}], "criteria": {
                "odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria", "allOf": [{"name": "c", "metricName": "m", "operator": "GreaterThan", "threshold": 1, "timeAggregation": "Average"}]}}});
            crate::world::arm::merge(&mut body["properties"], &more);
            body
        };
        let path = rg("Microsoft.Insights/metricAlerts/a");
        lab.put(&path, alert(json!({"severity": 9}))).refused(400, "BadRequest");
        lab.put(&path, alert(json!({"windowSize": "PT7M"}))).refused(400, "BadRequest");
        lab.put(&path, alert(json!({"scopes": [rg("Microsoft.Network/virtualNetworks/none")]})))
            .refused(404, "ResourceNotFound");
        lab.put(
            &path,
            alert(json!({"actions": [{"actionGroupId": rg("Microsoft.Insights/actionGroups/none")}]})),
        )
        .refused(400, "BadRequest");
        lab.put(&path, alert(json!({}))).ok(200);
    }

    #[test]
    fn components_and_settings_need_their_workspace() {
        let mut lab = Lab::new(0.0);
        let path = rg("Microsoft.Insights/components/c");
        let workspace = rg("Microsoft.OperationalInsights/workspaces/work1");
        lab.put(&path, json!({"location": "westeurope", "properties": {"Application_Type": "web"}}))
            .refused(400, "BadRequest");
        let body = json!({"location": "westeurope", "kind": "web", "properties": {"Application_Type": "web", "WorkspaceResourceId": workspace}});
        lab.put(&path, body.clone()).refused(400, "BadRequest");
        lab.put(&workspace, json!({"location": "westeurope", "properties": {}}));
        let made = lab.put(&path, body).ok(200).json;
        assert!(made["properties"]["ConnectionString"].as_str().unwrap().starts_with("InstrumentationKey="));
        let setting = |name: &str| format!("{path}/providers/Microsoft.Insights/diagnosticSettings/{name}");
        let logs = json!({"properties": {"logs": [{"categoryGroup": "allLogs", "enabled": true}]}});
        lab.put(&setting("s"), logs.clone()).refused(400, "BadRequest");
        let mut whole = logs;
        whole["properties"]["workspaceId"] = json!(workspace);
        lab.put(&setting("s"), whole.clone()).ok(200);
        lab.put(&setting("t"), whole).refused(409, "Conflict");
    }

    #[test]
    fn budgets_begin_on_the_first_and_tell_somebody() {
        let mut lab = Lab::new(0.0);
        let path = format!("{SUB}/providers/Microsoft.Consumption/budgets/b");
        let budget = |amount: i32, start: &str| {
            json!({"properties": {"category": "Cost", "amount": amount, "timeGrain": "Monthly",
                "timePeriod": {"startDate": start}, "notifications": {"n": {"enabled": true, "operator": "GreaterThan",
                "threshold": 80, "contactEmails": ["a@b.c"]}}}})
        };
        lab.put(&path, budget(0, "2026-11-01T00:00:00Z")).refused(400, "400");
        lab.put(&path, budget(100, "2026-11-05T00:00:00Z")).refused(400, "400");
        let made = lab.put(&path, budget(100, "2026-11-01T00:00:00Z")).ok(201).json;
        let mut again = budget(200, "2026-11-01T00:00:00Z");
        again["eTag"] = json!("\"other\"");
        lab.put(&path, again.clone()).refused(412, "412");
        again["eTag"] = made["eTag"].clone();
        lab.put(&path, again).ok(200);
    }
}
