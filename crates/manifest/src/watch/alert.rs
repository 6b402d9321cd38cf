//! `[[alert]]`: conditions to be told about.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::condition::{self, Condition};
use super::metric::{self, Metric};
use crate::codes;
use crate::fields::{Default, EVERY, Field, Type};
use crate::rules;
use crate::sense::{Sense, entries, names};
use crate::suggest;
use crate::tree::{Node, Table, Value};

/// A condition to be told about.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Alert {
    /// What it is called; made of what it is about where nobody said.
    pub name: String,
    /// When it rings.
    pub when: Condition,
    /// The service it is about.
    pub service: Option<String>,
    /// The resource it is about.
    pub resource: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// Who is told, by name in [`crate::App::contacts`]; empty: everyone.
    #[serde(default)]
    pub contacts: Vec<String>,
    /// What the one who is told should know.
    pub note: Option<String>,
}

impl Alert {
    /// What it is about.
    pub fn subject(&self) -> Subject<'_> {
        match (&self.service, &self.resource) {
            (Some(service), _) => Subject::Service(service),
            (None, Some(resource)) => Subject::Resource(resource),
            (None, None) => Subject::App,
        }
    }
}

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// All of it.
    App,
    /// A service, by name.
    Service(&'a str),
    /// A resource, by name.
    Resource(&'a str),
}

/// How bad something is: 0 is the worst, 4 is for the record, as Azure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Severity(pub u8);

impl Severity {
    /// The words for 0 to 4.
    pub const WORDS: [&'static str; 5] = ["critical", "error", "warning", "info", "verbose"];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        Severity::WORDS[usize::from(self.0.min(4))]
    }

    /// Of `critical`, `sev1` or `1`.
    pub(crate) fn from_word(word: &str) -> Option<Severity> {
        let plain = word.trim().to_lowercase();
        let digit = plain.strip_prefix("sev").unwrap_or(&plain).trim();
        let number = digit.parse::<u8>().ok().filter(|number| *number <= 4);
        let named = Severity::WORDS.iter().position(|known| *known == plain);
        number.or(named.and_then(|place| u8::try_from(place).ok())).map(Severity)
    }
}

pub(crate) const FIELDS: &[Field] = &[
    Field {
        path: "alert",
        of: EVERY,
        kind: Type::Tables,
        doc: "Conditions to be told about, each an `[[alert]]`. `insights.alerts` adds the usual ones.",
        default: Default::Absent("the usual ones, where `insights.alerts` is on"),
        azure: &["Microsoft.Insights/metricAlerts", "Microsoft.Insights/scheduledQueryRules"],
        example: "[{ when = \"error_rate > 5% for 5m\", severity = 1 }]",
    },
    Field {
        path: "alert[].name",
        of: EVERY,
        kind: Type::Text(&rules::LABEL),
        doc: "What it is called.",
        default: Default::Absent("made of what it is about, such as `api-error-rate`"),
        azure: &["name"],
        example: "\"api-is-slow\"",
    },
    Field {
        path: "alert[].when",
        of: EVERY,
        kind: Type::Condition,
        doc: "When it rings: `METRIC OP VALUE`, then `for` how long it has to last and `over` (or `in`) which time it \
              is looked at, as in `error_rate > 5% for 5m` or `requests_failed > 10 in 5m`.",
        default: Default::Required,
        azure: &["properties.criteria", "properties.windowSize", "properties.evaluationFrequency"],
        example: "\"latency_p95 > 3s for 10m\"",
    },
    Field {
        path: "alert[].service",
        of: EVERY,
        kind: Type::Text(&rules::ANY),
        doc: "The service it is about.",
        default: Default::Absent("the whole application, or the only one that has such a metric"),
        azure: &["properties.scopes"],
        example: "\"api\"",
    },
    Field {
        path: "alert[].resource",
        of: EVERY,
        kind: Type::Text(&rules::ANY),
        doc: "The resource it is about.",
        default: Default::Absent("the whole application, or the only one that has such a metric"),
        azure: &["properties.scopes"],
        example: "\"db\"",
    },
    Field {
        path: "alert[].severity",
        of: EVERY,
        kind: Type::Severity,
        doc: "How bad it is: 0 to 4, or \"critical\", \"error\", \"warning\", \"info\", \"verbose\".",
        default: Default::Same("2", "worth a look, not worth a night"),
        azure: &["properties.severity"],
        example: "1",
    },
    Field {
        path: "alert[].contacts",
        of: EVERY,
        kind: Type::List(&Type::Text(&rules::ANY)),
        doc: "Who is told.",
        default: Default::Absent("every `[contact.NAME]`"),
        azure: &["properties.actions"],
        example: "[\"ops\"]",
    },
    Field {
        path: "alert[].note",
        of: EVERY,
        kind: Type::Text(&rules::NOTE),
        doc: "What the one who is told should know: what it means, where to look.",
        default: Default::Absent("the condition in words"),
        azure: &["properties.description"],
        example: "\"Is TOPdesk up? See the runbook.\"",
    },
];

/// `service` or `resource`, and its name.
pub(super) type Owner = (&'static str, String);

/// Fills in what an alert leaves out and the rest of the manifest tells: whose metric it is, and its name.
pub(crate) fn settle(root: &mut Table) {
    let Some(alerts) = root.get("alert").and_then(Node::list) else { return };
    let settled: Vec<Option<(Option<Owner>, Option<String>)>> = alerts
        .iter()
        .map(|alert| {
            let table = alert.table()?;
            let when = condition::parse(table.get("when")?.text()?).ok()?;
            let said = ["service", "resource"].iter().any(|key| table.contains_key(*key));
            let only = (!said && !when.metric.is_of_app()).then(|| only_one(root, when.metric)).flatten();
            let text = |key: &str| table.get(key).and_then(Node::text).map(str::to_owned);
            let subject =
                text("service").or(text("resource")).or(only.as_ref().map(|(_, name)| name.clone()));
            let name = (!table.contains_key("name")).then(|| usual_name(subject.as_deref(), &when));
            Some((only, name))
        })
        .collect();
    let Some(alerts) = root.get_mut("alert").and_then(Node::list_mut) else { return };
    for (alert, settled) in alerts.iter_mut().zip(settled) {
        let (Some(table), Some((only, name))) = (alert.table_mut(), settled) else { continue };
        if let Some((key, subject)) = only {
            let node = Node::default(Value::Text(subject), None, "the only one that has such a metric");
            table.insert(key.to_owned(), node);
        }
        if let Some(name) = name {
            table.insert("name".to_owned(), Node::default(Value::Text(name), None, "what it is about"));
        }
    }
}

/// The name of an alert that nobody named: `api-error-rate`, `dependency-failures-openai`.
pub(crate) fn usual_name(subject: Option<&str>, when: &Condition) -> String {
    let parts = [subject, Some(when.metric.as_str()), when.name.as_deref()];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    rules::fitting_name(&parts.join("-"), rules::LABEL_MAX)
}

/// The only thing in the manifest that has a metric.
fn only_one(root: &Table, metric: Metric) -> Option<Owner> {
    let mut having = having(root, metric);
    (having.len() == 1).then(|| having.remove(0))
}

/// What in the manifest has a metric.
fn having(root: &Table, metric: Metric) -> Vec<Owner> {
    let services = entries(root, "service").filter(|(_, _, service)| service_has(service, metric));
    let services = services.map(|(name, _, _)| ("service", name.to_owned()));
    let resources = entries(root, "resource").filter(|(_, _, resource)| {
        resource.get("type").and_then(Node::text).is_some_and(|kind| metric.is_of_type(kind))
    });
    services.chain(resources.map(|(name, _, _)| ("resource", name.to_owned()))).collect()
}

pub(super) fn host_of(service: &Table) -> &str {
    service.get("host").and_then(Node::text).unwrap_or("container-apps")
}

/// Whether a service can be asked for a metric.
pub(super) fn service_has(service: &Table, metric: Metric) -> bool {
    metric.is_of_host(host_of(service)) && (!metric.word().of.port || service.contains_key("port"))
}

/// What alerts say about what else there is.
pub(crate) fn check(sense: &mut Sense<'_>) {
    let alerts = sense.root.get("alert").and_then(Node::list).unwrap_or_default();
    let mut seen: BTreeMap<&str, &Node> = BTreeMap::new();
    for alert in alerts {
        let Some(table) = alert.table() else { continue };
        let Some(when) = table.get("when") else {
            sense.missing(
                &alert.span,
                "the alert does not say when it rings",
                "write `when = \"error_rate > 5% for 5m\"`",
            );
            continue;
        };
        contacts(sense, table);
        if let Some(condition) = when.text().and_then(|text| condition::parse(text).ok()) {
            subject(sense, alert, table, when, &condition);
        }
        let Some(name) = table.get("name") else { continue };
        let Some(text) = name.text() else { continue };
        match seen.get(text) {
            Some(first) => {
                let span = if name.is_written() { &name.span } else { &when.span };
                let diagnostic = sense
                    .problem(codes::ALERT, span, format!("a second alert is called `{text}`"))
                    .related(first.span.clone(), "the first")
                    .help("give one of them a `name` of its own");
                sense.report(diagnostic);
            }
            None => {
                seen.insert(text, if name.is_written() { name } else { when });
            }
        }
    }
}

fn contacts(sense: &mut Sense<'_>, table: &Table) {
    for node in table.get("contacts").and_then(Node::list).unwrap_or_default() {
        super::contact::known(sense, node);
    }
}

/// Whether what is watched is there and can be asked for the metric.
fn subject(sense: &mut Sense<'_>, alert: &Node, table: &Table, when: &Node, condition: &Condition) {
    let metric = condition.metric;
    match (table.get("service"), table.get("resource")) {
        (Some(service), Some(resource)) => {
            let (first, second) = if service.span.start < resource.span.start {
                (service, resource)
            } else {
                (resource, service)
            };
            let diagnostic = sense
                .problem(codes::ALERT, &second.key, "an alert is about a service or about a resource")
                .related(first.key.clone(), "the other one")
                .help("keep one of them, or write two alerts");
            sense.report(diagnostic);
        }
        (Some(node), None) => {
            let Some(name) = node.text() else { return };
            let found = sense.root.get("service").and_then(Node::table).and_then(|all| all.get(name));
            match found {
                None => sense.dangling_service(&node.span, name),
                Some(service) => {
                    let Some(service) = service.table() else { return };
                    if !service_has(service, metric) {
                        let port = metric.is_of_host(host_of(service));
                        let what = match port {
                            true => format!("service `{name}` has no `port`, so it has no `{metric}`"),
                            false => format!("a service on {} has no `{metric}`", host_of(service)),
                        };
                        let has = metric::WORDS.iter().filter(|word| service_has(service, word.metric));
                        no_metric(sense, node, when, what, has.map(|word| word.name).collect());
                    }
                }
            }
        }
        (None, Some(node)) => {
            let Some(name) = node.text() else { return };
            match sense.find_resource(name) {
                crate::sense::Found::Nothing => sense.dangling_resource(codes::DANGLING, &node.span, name),
                crate::sense::Found::Broken => {}
                crate::sense::Found::Kind(kind) => {
                    if !metric.is_of_type(kind.name) {
                        let what = format!("a {} has no `{metric}`", kind.name);
                        let has = metric::WORDS.iter().filter(|word| word.metric.is_of_type(kind.name));
                        no_metric(sense, node, when, what, has.map(|word| word.name).collect());
                    }
                }
            }
        }
        (None, None) if !metric.is_of_app() && !sense.lost => {
            let having = having(sense.root, metric);
            let help = match having.as_slice() {
                [] => "nothing in the manifest has it".to_owned(),
                some => {
                    let some: Vec<String> =
                        some.iter().map(|(key, name)| format!("`{key} = \"{name}\"`")).collect();
                    format!("write {}", suggest::enumerate(&some, "or"))
                }
            };
            let span = if alert.is_written() { &when.span } else { &alert.span };
            let diagnostic = sense
                .problem(codes::ALERT, span, format!("it does not say whose `{metric}` is meant"))
                .help(help);
            sense.report(diagnostic);
        }
        (None, None) => {}
    }
}

fn no_metric(sense: &mut Sense<'_>, subject: &Node, when: &Node, what: String, has: Vec<&'static str>) {
    let help = match has.as_slice() {
        [] => "it has nothing that can be watched".to_owned(),
        has => {
            let has: Vec<String> = has.iter().map(|word| format!("`{word}`")).collect();
            format!("it has {}", suggest::enumerate(&has, "and"))
        }
    };
    let span = if when.is_written() { &when.span } else { &subject.span };
    let mut diagnostic = sense.problem(codes::ALERT, span, what).help(help);
    if subject.is_written() {
        diagnostic = diagnostic.related(subject.span.clone(), "whose it would be");
    }
    sense.report(diagnostic);
}

impl Sense<'_> {
    /// Reports the name of a service that is none.
    pub fn dangling_service(&mut self, span: &std::ops::Range<usize>, name: &str) {
        if self.lost {
            return;
        }
        let help = suggest::or_all(name, names(self.root, "service"));
        let message = format!("there is no service `{}`", rules::short(name));
        let diagnostic = self.problem(codes::DANGLING, span, message).maybe_help(help);
        self.report(diagnostic);
    }
}
