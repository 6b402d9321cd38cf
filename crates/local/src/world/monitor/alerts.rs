//! Alerts: on metrics, on what queries find, on what the activity log says.

use serde_json::{Value, json};

use super::{GROUP, bad, hidden};
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Call, Change, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default};
use crate::world::checks::{between, list, named, text};
use crate::world::{Response, World};

/// How often a metric alert looks, and at how much. (azure/azure-monitor/alerts/alerts-types, rest/monitor/metric-alerts)
const FREQUENCIES: [&str; 7] = ["PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT6H", "P1D"];
const WINDOWS: [&str; 8] = ["PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT6H", "PT12H", "P1D"];
const QUERY_TIMES: [&str; 14] = [
    "PT1M", "PT5M", "PT10M", "PT15M", "PT30M", "PT45M", "PT1H", "PT2H", "PT3H", "PT4H", "PT5H", "PT6H",
    "P1D", "P2D",
];
const CRITERIA: [&str; 3] = [
    "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
    "Microsoft.Azure.Monitor.MultipleResourceMultipleMetricCriteria",
    "Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria",
];
const AGGREGATIONS: [&str; 5] = ["Average", "Count", "Minimum", "Maximum", "Total"];
const COUNTED: [&str; 5] = ["Count", "Average", "Minimum", "Maximum", "Total"];
const OPERATORS: [&str; 5] = ["Equals", "GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual"];

/// Refuses an alert that names an action group that is not there.
fn check_actions<'a>(world: &World, ids: impl Iterator<Item = &'a str>) -> Result<(), Refusal> {
    for id in ids {
        if named(world, id, GROUP).is_none() {
            return Err(bad(format!("The action group '{id}' was not found.")));
        }
    }
    Ok(())
}

/// Refuses times that are none of an alert's, and a frequency longer than what it looks at.
fn check_times(body: &Value, names: [(&str, &[&str]); 2]) -> Result<(), Refusal> {
    for (name, known) in names {
        let sent = text(body, &format!("properties.{name}"));
        if !known.contains(&sent) {
            return Err(bad(format!(
                "The value '{sent}' of {name} is invalid: one of {} is.",
                known.join(", ")
            )));
        }
    }
    let seconds = |name: &str| {
        crate::world::control::seconds_of(text(body, &format!("properties.{name}"))).unwrap_or(0.0)
    };
    if seconds(names[0].0) > seconds(names[1].0) {
        return Err(bad(format!("{} must not be longer than {}.", names[0].0, names[1].0)));
    }
    Ok(())
}

fn check_scopes(world: &World, body: &Value) -> Result<(), Refusal> {
    let scopes = list(body, "properties.scopes");
    if scopes.is_empty() {
        return Err(bad("An alert names the resource it watches in 'scopes'."));
    }
    for scope in scopes {
        let scope = scope.as_str().unwrap_or_default();
        let id = Id::parse(scope).ok_or_else(|| bad(format!("The scope '{scope}' is no resource id.")))?;
        let subscription = id.stretches.is_empty() && id.group.is_none();
        if !subscription && world.arm.find(&id.key()).is_none() {
            return Err(Refusal::missing(
                "ResourceNotFound",
                format!("The resource '{scope}' that the alert watches was not found."),
            ));
        }
    }
    Ok(())
}

fn severity(body: &Value) -> Result<(), Refusal> {
    between(body, "properties.severity", 0..=4, |value| {
        bad(format!("The severity {value} must be between 0 and 4."))
    })
}

/// The condition of a metric alert: of a known kind, each criterion named once with a metric and a comparison.
fn check_criteria(criteria: &mut Value) -> Result<(), Refusal> {
    let kind = criteria["odata.type"].as_str().unwrap_or_default().to_owned();
    if !CRITERIA.contains(&kind.as_str()) {
        return Err(bad(format!("The 'odata.type' '{kind}' of the criteria of a metric alert is invalid.")));
    }
    if kind.contains("Webtest") {
        return if text(criteria, "webTestId").is_empty() || text(criteria, "componentId").is_empty() {
            Err(bad("The criteria of an availability alert name webTestId and componentId."))
        } else {
            Ok(())
        };
    }
    let all = list(criteria, "allOf");
    if all.is_empty() || all.len() > 5 {
        return Err(bad("The criteria of a metric alert have one condition at least and five at most."));
    }
    let mut seen = std::collections::BTreeSet::new();
    for criterion in all {
        let name = text(criterion, "name");
        if name.is_empty() || !seen.insert(name.to_ascii_lowercase()) {
            return Err(bad(format!("The criterion name '{name}' is missing or not unique in the alert.")));
        }
        if text(criterion, "metricName").is_empty() {
            return Err(bad(format!("The criterion '{name}' names no metric.")));
        }
        let aggregation = text(criterion, "timeAggregation");
        if !AGGREGATIONS.contains(&aggregation) {
            return Err(bad(format!(
                "The timeAggregation '{aggregation}' of criterion '{name}' is invalid."
            )));
        }
        if text(criterion, "criterionType") == "DynamicThresholdCriterion" {
            let sensitivity = text(criterion, "alertSensitivity");
            if !["Low", "Medium", "High"].contains(&sensitivity) {
                return Err(bad(format!(
                    "The alertSensitivity '{sensitivity}' of criterion '{name}' is invalid."
                )));
            }
        } else {
            check_operator(criterion)?;
        }
        for dimension in list(criterion, "dimensions") {
            let told = ["Include", "Exclude"].contains(&text(dimension, "operator"));
            if text(dimension, "name").is_empty() || !told || list(dimension, "values").is_empty() {
                return Err(bad(format!(
                    "A dimension of criterion '{name}' needs a name, an operator and values."
                )));
            }
        }
    }
    Ok(())
}

/// A comparison with a number.
fn check_operator(condition: &Value) -> Result<(), Refusal> {
    let operator = text(condition, "operator");
    if !OPERATORS.contains(&operator) {
        return Err(bad(format!(
            "The operator '{operator}' of a condition is invalid: one of {} is.",
            OPERATORS.join(", ")
        )));
    }
    if condition["threshold"].is_number() {
        return Ok(());
    }
    Err(bad("A condition compares with a number in 'threshold'."))
}

#[derive(Debug)]
pub(super) struct MetricAlerts;

impl Rules for MetricAlerts {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        if !text(body, "location").eq_ignore_ascii_case("global") {
            return Err(Refusal::bad(
                "LocationNotAvailableForResourceType",
                format!(
                    "The provided location '{}' is not available for resource type 'Microsoft.Insights/metricAlerts'. List of available regions for the resource type is 'global'.",
                    text(body, "location")
                ),
            ));
        }
        if body["properties"]["severity"].is_null() {
            return Err(bad("The property 'severity' is required."));
        }
        severity(body)?;
        check_scopes(world, body)?;
        check_times(body, [("evaluationFrequency", &FREQUENCIES), ("windowSize", &WINDOWS)])?;
        check_criteria(&mut body["properties"]["criteria"])?;
        check_actions(world, list(body, "properties.actions").iter().map(|it| text(it, "actionGroupId")))?;
        default(body, "properties.enabled", json!(true));
        default(body, "properties.autoMitigate", json!(true));
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        hidden(body);
    }
}

#[derive(Debug)]
pub(super) struct QueryRules;

impl Rules for QueryRules {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        severity(body)?;
        check_scopes(world, body)?;
        check_times(body, [("evaluationFrequency", &QUERY_TIMES), ("windowSize", &QUERY_TIMES)])?;
        let conditions = list(body, "properties.criteria.allOf");
        if conditions.is_empty() {
            return Err(bad("A query rule has one condition at least."));
        }
        for condition in conditions {
            if text(condition, "query").is_empty() {
                return Err(bad("Every condition of a query rule has its query."));
            }
            let counted = text(condition, "timeAggregation");
            if !COUNTED.contains(&counted) {
                return Err(bad(format!("The timeAggregation '{counted}' of a condition is invalid.")));
            }
            if counted != "Count" && text(condition, "metricMeasureColumn").is_empty() {
                return Err(bad(format!(
                    "A condition with timeAggregation '{counted}' names its metricMeasureColumn."
                )));
            }
            check_operator(condition)?;
            let periods = &condition["failingPeriods"];
            let (least, of) =
                (periods["minFailingPeriodsToAlert"].as_i64(), periods["numberOfEvaluationPeriods"].as_i64());
            if let (Some(least), Some(of)) = (least, of)
                && !(1..=6).contains(&of) | !(1..=of).contains(&least)
            {
                return Err(bad(format!(
                    "The failing periods {least} of {of} of a condition are invalid: 1 to 6 are."
                )));
            }
        }
        check_actions(world, list(body, "properties.actions.actionGroups").iter().filter_map(Value::as_str))?;
        default(body, "properties.enabled", json!(true));
        default(body, "properties.autoMitigate", json!(true));
        default(body, "kind", json!("LogAlert"));
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        hidden(body);
    }
}

#[derive(Debug)]
pub(super) struct ActivityLogAlerts;

impl Rules for ActivityLogAlerts {
    fn provide(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        super::activity::serve(world, call)
    }

    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        if list(body, "properties.scopes").is_empty() {
            return Err(bad("An activity log alert names what it watches in 'scopes'."));
        }
        let conditions = list(body, "properties.condition.allOf");
        let categories =
            conditions.iter().filter(|it| text(it, "field").eq_ignore_ascii_case("category")).count();
        if categories != 1 {
            return Err(bad("The condition of an activity log alert has exactly one field 'category'."));
        }
        for condition in conditions {
            let empty = list(condition, "containsAny").is_empty() && list(condition, "anyOf").is_empty();
            if text(condition, "equals").is_empty() && empty {
                return Err(bad(format!(
                    "The field '{}' of a condition is compared with nothing.",
                    text(condition, "field")
                )));
            }
        }
        let groups = list(body, "properties.actions.actionGroups");
        check_actions(world, groups.iter().map(|it| text(it, "actionGroupId")))?;
        default(body, "properties.enabled", json!(true));
        default(body, "location", json!("Global"));
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        hidden(body);
    }
}
