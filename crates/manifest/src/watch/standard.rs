//! The alerts that nobody has to write: what every production service and resource of a kind is watched for.
//!
//! Figures are those on which the documents that house standards are made of agree; where they differ, the stricter
//! one. An alert of the manifest's own about the same metric of the same thing takes the place of one of these.

use std::collections::BTreeSet;

use super::alert::{Owner, host_of, service_has, usual_name};
use super::condition;
use super::metric::Metric;
use crate::app::Tier;
use crate::fields;
use crate::sense::entries;
use crate::tree::{Node, Table, Value};

/// An alert for all services or resources that have its metric.
struct Usual {
    when: &'static str,
    severity: i64,
    why: &'static str,
}

const fn usual(when: &'static str, severity: i64, why: &'static str) -> Usual {
    Usual { when, severity, why }
}

/// For services, whatever they run on.
const SERVICES: &[Usual] = &[
    usual("error_rate > 5% for 5m", 1, "one request of twenty fails"),
    usual("latency_p95 > 5s for 5m", 2, "people stop waiting"),
    usual("cpu > 80% for 15m", 2, "no room for the next burst"),
    usual("memory > 85% for 15m", 2, "the next step is the end of the process"),
    usual("restarts > 3 in 5m", 2, "it does not come up, or dies again and again"),
    usual("health < 100% for 5m", 0, "an instance does not answer its health check"),
];

/// For resources, by type.
const RESOURCES: &[(&str, Usual)] = &[
    ("postgres", usual("connections > 80% for 5m", 1, "the next service that starts finds none left")),
    ("postgres", usual("cpu > 80% for 15m", 2, "no room for the next burst")),
    ("postgres", usual("storage > 85% for 15m", 2, "a full disk makes the server read-only")),
    ("redis", usual("memory > 80% for 15m", 2, "keys are evicted before their time")),
    ("service-bus", usual("dead_letters > 0 for 5m", 2, "a message that nobody could handle")),
    ("openai", usual("availability < 99% for 15m", 2, "the model does not answer")),
    ("vault", usual("secret_expiry < 30d", 2, "time left to make a new one")),
];

/// For the nodes of a cluster.
const CLUSTER: &[Usual] = &[
    usual("node_cpu > 80% for 15m", 2, "no room for the next pod"),
    usual("node_memory > 80% for 15m", 2, "the next step is eviction"),
];

/// Adds what is missing of them, when `insights.alerts` is on.
pub(crate) fn add(root: &mut Table, tier: Tier) {
    if !is_on(root, "alerts", tier) {
        return;
    }
    let written = covered(root);
    let has_insights = is_on(root, "enabled", tier);
    let mut wanted: Vec<(Option<Owner>, &Usual)> = Vec::new();
    for (name, _, service) in entries(root, "service") {
        for usual in SERVICES {
            let Ok(condition) = condition::parse(usual.when) else { continue };
            let reported = matches!(condition.metric, Metric::ErrorRate | Metric::LatencyP95);
            if service_has(service, condition.metric) && (has_insights || !reported) {
                wanted.push((Some(("service", name.to_owned())), usual));
            }
        }
    }
    for (name, _, resource) in entries(root, "resource") {
        let kind = resource.get("type").and_then(Node::text).unwrap_or_default();
        for (_, usual) in RESOURCES.iter().filter(|(of, _)| *of == kind) {
            wanted.push((Some(("resource", name.to_owned())), usual));
        }
    }
    if entries(root, "service").any(|(_, _, service)| host_of(service) == "kubernetes") {
        wanted.extend(CLUSTER.iter().map(|usual| (None, usual)));
    }
    let mut missing = Vec::new();
    for (subject, usual) in wanted {
        let Ok(condition) = condition::parse(usual.when) else { continue };
        let key = (subject.clone().map(|(_, name)| name), condition.metric);
        let name = usual_name(key.0.as_deref(), &condition);
        if !written.contains(&key) && !named(root, &name) {
            missing.push(node(subject, usual, name, tier));
        }
    }
    if missing.is_empty() {
        return;
    }
    let alerts = root
        .entry("alert".to_owned())
        .or_insert_with(|| Node::default(Value::List(Vec::new()), Some(tier), "`insights.alerts` is on"));
    if let Some(alerts) = alerts.list_mut() {
        alerts.extend(missing);
    }
}

/// Whether a switch of `[insights]` is on, whoever says so.
pub(super) fn is_on(root: &Table, key: &str, tier: Tier) -> bool {
    let insights = root.get("insights");
    let written = insights.and_then(Node::table).and_then(|table| table.get(key));
    match (insights.map(|node| &node.value), written) {
        (_, Some(node)) => node.boolean() == Some(true),
        // What a broken table says cannot be known.
        (Some(Value::Broken), None) => false,
        _ => {
            let field = fields::at(&format!("insights.{key}"), None);
            field.and_then(|field| field.default.of(tier)).is_some_and(|(value, _, _)| value == "true")
        }
    }
}

/// What is watched already: of whom, and for what.
fn covered(root: &Table) -> BTreeSet<(Option<String>, Metric)> {
    let alerts = root.get("alert").and_then(Node::list).unwrap_or_default();
    let each = alerts.iter().filter_map(|alert| {
        let table = alert.table()?;
        let when = condition::parse(table.get("when")?.text()?).ok()?;
        let subject = table.get("service").or(table.get("resource")).and_then(Node::text);
        Some((subject.map(str::to_owned), when.metric))
    });
    each.collect()
}

fn named(root: &Table, name: &str) -> bool {
    let alerts = root.get("alert").and_then(Node::list).unwrap_or_default();
    alerts.iter().any(|alert| alert.table().and_then(|table| table.get("name")?.text()) == Some(name))
}

fn node(subject: Option<Owner>, usual: &Usual, name: String, tier: Tier) -> Node {
    let default = |value: Value| Node::default(value, Some(tier), usual.why);
    let mut table = Table::new();
    table.insert("name".to_owned(), default(Value::Text(name)));
    table.insert("when".to_owned(), default(Value::Text(usual.when.to_owned())));
    table.insert("severity".to_owned(), default(Value::Integer(usual.severity)));
    if let Some((key, name)) = subject {
        table.insert(key.to_owned(), default(Value::Text(name)));
    }
    default(Value::Table(table))
}
