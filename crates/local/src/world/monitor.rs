//! Azure Monitor's resources and budgets: action groups, alerts, autoscale, Application Insights, diagnostic settings.

use serde_json::{Value, json};

use super::arm::id::Id;
use super::arm::kind::{Change, Depth, Kind, Names, Place, Rules, Signs};
use super::arm::refusal::Refusal;
use super::arm::resources::at_once;
use super::arm::{Resource, default, put, take};
use super::checks::{between, list, named, one_of, text};
use super::{World, chance};

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
    row(GROUP, Place::Free, 201, &Groups),
    row("Microsoft.Insights/metricAlerts", Place::Free, 200, &MetricAlerts),
    row("Microsoft.Insights/scheduledQueryRules", Place::Regional, 201, &QueryRules),
    row("Microsoft.Insights/autoscalesettings", Place::Regional, 201, &Autoscale),
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
        ..row("Microsoft.Insights/components", Place::Regional, 200, &Components)
    },
    row(SETTING, Place::Parent, 200, &Settings),
    row("Microsoft.Consumption/budgets", Place::Free, 201, &Budgets),
];

fn bad(message: impl std::fmt::Display) -> Refusal {
    Refusal::bad("BadRequest", message.to_string())
}

fn hidden(body: &mut Value) {
    take(body, "properties.provisioningState");
}

#[derive(Debug)]
struct Groups;

impl Rules for Groups {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        let location = text(body, "location").to_owned();
        if ![
            "global",
            "northcentralus",
            "swedencentral",
            "germanywestcentral",
            "southcentralus",
            "northeurope",
        ]
        .contains(&location.as_str())
        {
            return Err(Refusal::bad(
                "LocationNotAvailableForResourceType",
                format!(
                    "The provided location '{location}' is not available for resource type '{GROUP}'. List of available regions for the resource type is 'global,swedencentral,germanywestcentral,northcentralus,southcentralus'."
                ),
            ));
        }
        let short = text(body, "properties.groupShortName");
        if short.is_empty() || short.chars().count() > 12 {
            return Err(bad(format!("The property groupShortName '{short}' must have 1 to 12 characters.")));
        }
        for receiver in list(body, "properties.emailReceivers") {
            if text(receiver, "name").is_empty() || !text(receiver, "emailAddress").contains('@') {
                return Err(bad(format!(
                    "The email receiver '{}' needs a name and a valid emailAddress.",
                    text(receiver, "name")
                )));
            }
        }
        for receiver in list(body, "properties.webhookReceivers") {
            if !text(receiver, "serviceUri").starts_with("http") {
                return Err(bad(format!(
                    "The webhook receiver '{}' needs a valid serviceUri.",
                    text(receiver, "name")
                )));
            }
        }
        default(body, "properties.enabled", json!(true));
        for name in [
            "emailReceivers",
            "smsReceivers",
            "webhookReceivers",
            "itsmReceivers",
            "azureAppPushReceivers",
            "automationRunbookReceivers",
            "voiceReceivers",
            "logicAppReceivers",
            "azureFunctionReceivers",
            "armRoleReceivers",
            "eventHubReceivers",
        ] {
            default(body, &format!("properties.{name}"), json!([]));
        }
        put(body, "location", json!(if location == "global" { "Global" } else { &location }));
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        hidden(body);
    }
}

/// Refuses an alert that names an action group that is not there.
fn check_actions<'a>(world: &World, ids: impl Iterator<Item = &'a str>) -> Result<(), Refusal> {
    for id in ids {
        if named(world, id, GROUP).is_none() {
            return Err(bad(format!("The action group '{id}' was not found.")));
        }
    }
    Ok(())
}

fn check_times(body: &Value, names: [&str; 2], known: &[&str]) -> Result<(), Refusal> {
    for name in names {
        let sent = text(body, &format!("properties.{name}"));
        if !known.contains(&sent) {
            return Err(bad(format!(
                "The value '{sent}' of {name} is invalid: one of {} is.",
                known.join(", ")
            )));
        }
    }
    let seconds =
        |name: &str| super::control::seconds_of(text(body, &format!("properties.{name}"))).unwrap_or(0.0);
    if seconds(names[0]) > seconds(names[1]) {
        return Err(bad(format!("{} must not be longer than {}.", names[0], names[1])));
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

#[derive(Debug)]
struct MetricAlerts;

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
        check_times(
            body,
            ["evaluationFrequency", "windowSize"],
            &["PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT6H", "PT12H", "P1D"],
        )?;
        let criteria = &body["properties"]["criteria"];
        if criteria["odata.type"].as_str().is_none_or(str::is_empty) {
            return Err(bad("The criteria of a metric alert name their 'odata.type'."));
        }
        if list(criteria, "allOf").is_empty() && criteria["webTestId"].is_null() {
            return Err(bad("The criteria of a metric alert have at least one condition."));
        }
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
struct QueryRules;

impl Rules for QueryRules {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        severity(body)?;
        check_scopes(world, body)?;
        check_times(
            body,
            ["evaluationFrequency", "windowSize"],
            &[
                "PT1M", "PT5M", "PT10M", "PT15M", "PT30M", "PT45M", "PT1H", "PT2H", "PT3H", "PT4H", "PT5H",
                "PT6H", "P1D", "P2D",
            ],
        )?;
        let conditions = list(body, "properties.criteria.allOf");
        if conditions.is_empty() || conditions.iter().any(|it| text(it, "query").is_empty()) {
            return Err(bad("A query rule has one condition at least, each with its query."));
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
struct Autoscale;

impl Rules for Autoscale {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        let target = text(body, "properties.targetResourceUri").to_owned();
        if Id::parse(&target).and_then(|id| world.arm.find(&id.key())).is_none() {
            return Err(Refusal::missing(
                "ResourceNotFound",
                format!("The target resource '{target}' of the autoscale setting was not found."),
            ));
        }
        let other = world.arm.of_kind("Microsoft.Insights/autoscalesettings").find(|other| {
            other.id.key() != change.id.key()
                && text(&other.body, "properties.targetResourceUri").eq_ignore_ascii_case(&target)
        });
        if let Some(other) = other {
            return Err(Refusal::conflict(
                "AutoscaleSettingExists",
                format!("The target resource has the autoscale setting '{}' already.", other.id.name()),
            ));
        }
        let profiles = list(body, "properties.profiles");
        if profiles.is_empty() || profiles.len() > 20 {
            return Err(bad("An autoscale setting has 1 to 20 profiles."));
        }
        for profile in profiles {
            let number = |name: &str| {
                let value = &profile["capacity"][name];
                value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
            };
            match (number("minimum"), number("default"), number("maximum")) {
                (Some(least), Some(usual), Some(most)) if least <= usual && usual <= most => {}
                _ => {
                    return Err(bad(format!(
                        "The capacity of profile '{}' must have minimum <= default <= maximum.",
                        text(profile, "name")
                    )));
                }
            }
            if list(profile, "rules").len() > 10 {
                return Err(bad("A profile has 10 rules at most."));
            }
        }
        default(body, "properties.enabled", json!(true));
        put(body, "properties.name", json!(change.id.name()));
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        hidden(body);
    }
}

#[derive(Debug)]
struct Components;

impl Rules for Components {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        let near = text(body, "location").to_owned();
        let workspace = text(body, "properties.WorkspaceResourceId").to_owned();
        if workspace.is_empty() {
            return Err(bad(
                "Classic Application Insights is retired: a component needs WorkspaceResourceId.",
            ));
        }
        if named(world, &workspace, WORKSPACE).is_none() {
            return Err(bad(format!("The workspace '{workspace}' of the component was not found.")));
        }
        default(body, "kind", json!("web"));
        default(body, "properties.Application_Type", json!("web"));
        one_of(body, "properties.Application_Type", &["web", "other"], |value| {
            bad(format!("The Application_Type '{value}' is invalid."))
        })?;
        between(body, "properties.RetentionInDays", 30..=730, |value| {
            bad(format!("The retention {value} is invalid."))
        })?;
        let key = chance::fixed_uuid(world.config.seed, &format!("instrumentation {}", change.id.key()));
        let app = chance::fixed_uuid(world.config.seed, &format!("application {}", change.id.key()));
        for (name, value) in [
            ("InstrumentationKey", json!(key)),
            ("AppId", json!(app)),
            ("ApplicationId", json!(change.id.name())),
            ("Name", json!(change.id.name())),
            ("TenantId", json!(world.config.subscription)),
            ("CreationDate", json!(super::arm::stamp(world.now))),
            ("RetentionInDays", json!(90)),
            ("IngestionMode", json!("LogAnalytics")),
            ("publicNetworkAccessForIngestion", json!("Enabled")),
            ("publicNetworkAccessForQuery", json!("Enabled")),
            (
                "ConnectionString",
                json!(format!(
                    "InstrumentationKey={key};IngestionEndpoint=https://{near}-1.in.applicationinsights.azure.com/;LiveEndpoint=https://{near}.livediagnostics.monitor.azure.com/;ApplicationId={app}"
                )),
            ),
        ] {
            default(body, &format!("properties.{name}"), value);
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Settings;

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

#[derive(Debug)]
struct Budgets;

impl Rules for Budgets {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        let refuse = |why: String| Err(Refusal::bad("400", why));
        let body = &mut change.body;
        if let (Some(current), Some(sent)) = (&change.current, change.sent["eTag"].as_str())
            && sent.trim_matches('"') != current.etag.trim_matches('"')
        {
            return Err(Refusal::new(412, "412", "The eTag of the budget has changed since it was read."));
        }
        take(body, "eTag");
        if !body["properties"]["amount"].as_f64().is_some_and(|amount| amount > 0.0) {
            return refuse(format!(
                "The amount {} of the budget must be greater than 0.",
                body["properties"]["amount"]
            ));
        }
        one_of(body, "properties.category", &["Cost", "ReservationUtilization"], |value| {
            Refusal::bad("400", format!("The category '{value}' is invalid."))
        })?;
        one_of(
            body,
            "properties.timeGrain",
            &["Monthly", "Quarterly", "Annually", "BillingMonth", "BillingQuarter", "BillingAnnual"],
            |value| Refusal::bad("400", format!("The time grain '{value}' is invalid.")),
        )?;
        if text(body, "properties.timeGrain").is_empty() {
            return refuse("The time grain of the budget is missing.".into());
        }
        let start = text(body, "properties.timePeriod.startDate");
        if start.get(8..10) != Some("01") {
            return refuse(format!("The start date '{start}' must be the first of a month."));
        }
        let end = text(body, "properties.timePeriod.endDate");
        if !end.is_empty() && end <= start {
            return refuse(format!("The end date '{end}' must be after the start date."));
        }
        let none = serde_json::Map::new();
        let notifications = body["properties"]["notifications"].as_object().unwrap_or(&none);
        if notifications.len() > 5 {
            return refuse("A budget has 5 notifications at most.".into());
        }
        for (name, notification) in notifications {
            if !notification["threshold"]
                .as_f64()
                .is_some_and(|threshold| (0.01..=1000.0).contains(&threshold))
            {
                return refuse(format!(
                    "The threshold of notification '{name}' must be between 0.01 and 1000."
                ));
            }
            let someone = ["contactEmails", "contactGroups", "contactRoles"]
                .iter()
                .any(|to| !list(notification, to).is_empty());
            if !someone {
                return refuse(format!(
                    "The notification '{name}' tells nobody: contactEmails, contactRoles or contactGroups."
                ));
            }
        }
        default(body, "properties.currentSpend", json!({"amount": 0.0, "unit": "EUR"}));
        Ok(())
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        hidden(body);
        body["eTag"] = json!(resource.etag);
    }
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
                "odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria", "allOf": [{"name": "c"}]}}});
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
