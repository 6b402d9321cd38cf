//! What is collected and looked at: availability tests, workbooks, data collection rules and endpoints.

use serde_json::{Value, json};

use super::{WORKSPACE, bad, hidden};
use crate::world::World;
use crate::world::arm::kind::{Change, Rules};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put, stamp};
use crate::world::chance;
use crate::world::checks::{between, list, named, one_of, text};

const COMPONENT: &str = "Microsoft.Insights/components";
const ENDPOINT: &str = "Microsoft.Insights/dataCollectionEndpoints";

/// Availability tests of a component, which their tag names.
#[derive(Debug)]
pub(super) struct WebTests;

impl Rules for WebTests {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        let linked = body["tags"].as_object().into_iter().flatten().find_map(|(name, value)| {
            name.strip_prefix("hidden-link:").filter(|_| *value == "Resource").map(str::to_owned)
        });
        let linked = linked.ok_or_else(|| {
            bad("A web test names its component by the tag 'hidden-link:<component id>' with the value 'Resource'.")
        })?;
        if named(world, &linked, COMPONENT).is_none() {
            return Err(bad(format!("The component '{linked}' of the web test does not exist.")));
        }
        default(body, "properties.Kind", body["kind"].clone());
        one_of(body, "properties.Kind", &["ping", "multistep", "standard"], |value| {
            bad(format!("The kind '{value}' of a web test is invalid."))
        })?;
        let kind = text(body, "properties.Kind").to_owned();
        let past = world.now >= "2026-09-30T00:00:00Z".parse().unwrap_or(world.now);
        if change.current.is_none() && past && kind == "ping" {
            return Err(bad("URL ping tests are retired: create a standard test."));
        }
        if kind == "standard" && text(body, "properties.Request.RequestUrl").is_empty() {
            return Err(bad("The property 'Request.RequestUrl' of a standard test is required."));
        }
        default(body, "properties.SyntheticMonitorId", json!(change.id.name()));
        for (name, usual, known) in [("Frequency", 300, [300, 600, 900]), ("Timeout", 30, [30, 60, 120])] {
            let path = format!("properties.{name}");
            default(body, &path, json!(usual));
            let most = known[2];
            between(body, &path, 1..=most, |value| {
                bad(format!("The property '{name}' {value} is invalid."))
            })?;
        }
        if list(body, "properties.Locations").is_empty() {
            return Err(bad("A web test runs from one location at least."));
        }
        Ok(())
    }
}

/// Workbooks: their names are GUIDs, what they are called is in them.
#[derive(Debug)]
pub(super) struct Workbooks;

impl Rules for Workbooks {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        if uuid::Uuid::try_parse(change.id.name()).is_err() {
            return Err(bad(format!("The name '{}' of a workbook must be a GUID.", change.id.name())));
        }
        let body = &mut change.body;
        for name in ["displayName", "serializedData", "category"] {
            if text(body, &format!("properties.{name}")).is_empty() {
                return Err(bad(format!("The property '{name}' of a workbook is required.")));
            }
        }
        default(body, "kind", json!("shared"));
        default(body, "properties.version", json!("Notebook/1.0"));
        default(body, "properties.sourceId", json!("azure monitor"));
        put(body, "properties.timeModified", json!(stamp(world.now)));
        put(body, "properties.userId", json!(change.caller.object_id));
        let round =
            change.current.as_ref().and_then(|it| it.private["round"].as_u64()).unwrap_or_default() + 1;
        let revision = chance::digest(world.config.seed, &change.id.key(), round);
        put(&mut change.private, "round", json!(round));
        put(body, "properties.revision", json!(hex::encode(&revision[..16])));
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        hidden(body);
    }
}

/// Endpoints that data is sent to.
#[derive(Debug)]
pub(super) struct Endpoints;

impl Rules for Endpoints {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let near = text(&change.body, "location").to_owned();
        let hash = chance::word(world.config.seed, &change.id.key(), 4);
        let name = change.id.name().to_ascii_lowercase();
        let body = &mut change.body;
        immutable(world, &change.id.key(), "dce", body);
        for (property, kind, domain) in [
            ("configurationAccess", "handler.control", "azure.com"),
            ("logsIngestion", "ingest", "azure.com"),
            ("metricsIngestion", "metrics.ingest", "azure.com"),
        ] {
            let host = format!("https://{name}-{hash}.{near}-1.{kind}.monitor.{domain}");
            put(body, &format!("properties.{property}.endpoint"), json!(host));
        }
        default(body, "properties.networkAcls.publicNetworkAccess", json!("Enabled"));
        Ok(())
    }
}

/// Rules that say what goes where.
#[derive(Debug)]
pub(super) struct CollectionRules;

impl Rules for CollectionRules {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        let mut known = std::collections::BTreeSet::new();
        let destinations = body["properties"]["destinations"].as_object().cloned().unwrap_or_default();
        for (kind, entry) in &destinations {
            let all = match entry {
                Value::Array(all) => all.as_slice(),
                one => std::slice::from_ref(one),
            };
            for destination in all {
                known.insert(text(destination, "name").to_owned());
                let workspace = text(destination, "workspaceResourceId");
                if kind == "logAnalytics" && named(world, workspace, WORKSPACE).is_none() {
                    return Err(Refusal::bad(
                        "InvalidPayload",
                        format!(
                            "Data collection rule is invalid: the workspace '{workspace}' does not exist."
                        ),
                    ));
                }
            }
        }
        for flow in list(body, "properties.dataFlows") {
            for name in list(flow, "destinations").iter().filter_map(Value::as_str) {
                if !known.contains(name) {
                    return Err(Refusal::bad(
                        "InvalidPayload",
                        format!(
                            "Data collection rule is invalid: the destination '{name}' of a data flow is not declared."
                        ),
                    ));
                }
            }
        }
        let endpoint = text(body, "properties.dataCollectionEndpointId").to_owned();
        if !endpoint.is_empty() && named(world, &endpoint, ENDPOINT).is_none() {
            return Err(Refusal::bad(
                "InvalidPayload",
                format!("Data collection rule is invalid: the endpoint '{endpoint}' does not exist."),
            ));
        }
        immutable(world, &change.id.key(), "dcr", body);
        Ok(())
    }
}

/// The id by which agents and clients name a rule or endpoint.
fn immutable(world: &World, key: &str, prefix: &str, body: &mut Value) {
    let own = chance::fixed_uuid(world.config.seed, key).simple().to_string();
    put(body, "properties.immutableId", json!(format!("{prefix}-{own}")));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::world::testing::{Lab, rg};

    #[test]
    fn a_rule_names_destinations_that_are_there() {
        let mut lab = Lab::new(0.0);
        let workspace = rg("Microsoft.OperationalInsights/workspaces/logs");
        lab.put(&workspace, json!({"location": "westeurope", "properties": {"sku": {"name": "PerGB2018"}}}));
        let rule = rg("Microsoft.Insights/dataCollectionRules/own");
        let body = |to: &str| {
            json!({"location": "westeurope", "properties": {
                "destinations": {"logAnalytics": [{"name": "logs", "workspaceResourceId": workspace}]},
                "dataFlows": [{"streams": ["Microsoft-Syslog"], "destinations": [to]}]}})
        };
        lab.put(&rule, body("other")).refused(400, "InvalidPayload");
        let made = lab.put(&rule, body("logs")).ok(201).json;
        assert!(made["properties"]["immutableId"].as_str().unwrap().starts_with("dcr-"));
    }

    #[test]
    fn a_web_test_is_of_a_component_and_a_workbook_has_a_guid() {
        let mut lab = Lab::new(0.0);
        let component = rg("Microsoft.Insights/components/insights");
        let test = rg("Microsoft.Insights/webtests/up");
        let body = json!({"location": "westeurope", "kind": "standard", "tags": {format!("hidden-link:{component}"): "Resource"},
            "properties": {"Locations": [{"Id": "emea-nl-ams-azr"}], "Request": {"RequestUrl": "https://a.example"}}});
        lab.put(&test, body).refused(400, "BadRequest");
        let book = json!({"location": "westeurope", "properties": {"displayName": "a", "serializedData": "{}", "category": "workbook"}});
        lab.put(&rg("Microsoft.Insights/workbooks/own"), book.clone()).refused(400, "BadRequest");
        let path = rg("Microsoft.Insights/workbooks/66666666-6666-6666-6666-666666666666");
        let first = lab.put(&path, book.clone()).ok(201).json;
        let second = lab.put(&path, book).ok(200).json;
        assert_ne!(first["properties"]["revision"], second["properties"]["revision"]);
    }
}
