//! `[release]`: how one new revision gets from nothing to all of the traffic, or back.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::app::Tier;
use crate::codes;
use crate::fields::{self, Default, EVERY, Field, Type};
use crate::rules::{self, Fault, Rule};
use crate::sense::{Sense, entries};
use crate::tree::{Node, Table, Value};
use crate::units::Duration;
use crate::watch::{Comparison, Condition, Quantity, condition, contact};

/// How a new revision takes over.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Release {
    /// The way from the old revision to the new one.
    pub strategy: Strategy,
    /// Parts of the traffic on the way to all of it; only of a canary.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What the new revision has to answer before it gets any.
    pub health: Health,
    /// What ends the release and brings the old revision back.
    pub abort: Vec<Condition>,
    /// How old and new are compared.
    pub judge: Judge,
    /// Numbers of the user's own that are looked at.
    #[serde(default)]
    pub queries: Vec<Query>,
    /// Paths that have to answer in staging before anything begins.
    #[serde(default)]
    pub smoke: Vec<String>,
    /// What runs before the new revision, in order; the first that fails ends the release.
    #[serde(default)]
    pub before: Vec<Job>,
    /// What runs after it has all of the traffic.
    #[serde(default)]
    pub after: Vec<Job>,
    /// Who has to say yes.
    pub approval: Approval,
    /// Whether what ends the release brings the old revision back by itself.
    pub rollback: bool,
    /// Revisions kept to go back to.
    pub keep: u32,
    /// Who is told how it went, by name in [`crate::App::contacts`]; empty: everyone.
    #[serde(default)]
    pub notify: Vec<String>,
}

/// The way from the old revision to the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Step by step, compared with the old one.
    Canary,
    /// Beside the old one, then all of the traffic.
    BlueGreen,
    /// Into the staging slot, then swapped.
    Slots,
    /// Replica by replica.
    Rolling,
    /// In place of the old one.
    AllAtOnce,
}

/// A part of the traffic for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Step {
    /// Of a hundred requests, those that the new revision gets.
    pub traffic: u8,
    /// How long it is watched at that.
    pub bake: Duration,
}

/// What the new revision has to answer before it gets any traffic.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Health {
    /// Where it is asked; none: its readiness probe.
    pub path: Option<String>,
    /// How often it is asked before it is given up.
    pub attempts: u32,
    /// How long between two.
    pub every: Duration,
}

/// How old and new are compared.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Judge {
    /// Of a hundred good revisions, those that may be refused by chance.
    pub false_alarm: u8,
    /// Requests of the new revision without which there is no verdict.
    pub requests: u32,
    /// What happens without a verdict.
    pub inconclusive: Inconclusive,
    /// How long a verdict is waited for.
    pub patience: Duration,
}

/// What happens when there was too little traffic for a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Inconclusive {
    /// It is waited on, up to the judge's patience, and then given up.
    Wait,
    /// Requests are made for it.
    Synthetic,
    /// It goes on.
    Promote,
    /// It is given up.
    Abort,
}

/// A number of the user's own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Query {
    /// What it is called in the release's record.
    pub name: String,
    /// A query over the logs that gives one number.
    pub kql: Option<String>,
    /// An address that answers with one number.
    pub url: Option<String>,
    /// What the number must not be.
    pub abort: Limit,
}

/// What a number must not be: `> 5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub value: Quantity,
}

/// Something that runs once, in the new image and with its service's identity and variables.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Job {
    /// What it is called.
    pub name: String,
    /// The service whose image it runs in; none: the only one.
    pub service: Option<String>,
    /// The command.
    pub command: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// Who has to say yes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Approval {
    /// Whether somebody has to.
    pub required: bool,
    /// Where it can be said.
    pub by: Vec<Approver>,
    /// How long it is waited for.
    pub within: Duration,
}

/// Where a yes can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Approver {
    /// At the terminal that runs `landfall up`.
    Terminal,
    /// By the API and the dashboard of `landfall serve`.
    Api,
    /// By the pipeline's environment.
    Pipeline,
}

impl Limit {
    fn parse(text: &str) -> Result<Limit, String> {
        // The language of conditions, less what is measured.
        let read = condition::parse(&format!("metric \"value\" {text}"));
        match read {
            Ok(Condition { comparison, value, over: None, lasting: None, .. }) => {
                Ok(Limit { comparison, value })
            }
            _ => Err("a comparison with a number, such as \"> 5\" or \"< 98%\"".to_owned()),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.comparison.as_str(), self.value)
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Limit, D::Error> {
        Limit::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

static LIMIT: Rule = Rule {
    pattern: Some("^[<>]=? ?[0-9.]+(%|ms|[smhd])?$"),
    length: 2..40,
    check: |text| match Limit::parse(text) {
        Ok(_) => Ok(()),
        Err(help) => {
            Err(Fault { code: codes::CONDITION, message: "this is no limit".to_owned(), help: Some(help) })
        }
    },
};

const APPROVERS: Type = Type::Choice(&[
    ("terminal", "at the terminal that runs `landfall up`"),
    ("api", "by the API and the dashboard of `landfall serve`"),
    ("pipeline", "by the pipeline's environment"),
]);

const PATHS: Type = Type::Text(&rules::PATH);
const TEXTS: Type = Type::Text(&rules::ANY);

const fn row(
    path: &'static str,
    kind: Type,
    doc: &'static str,
    default: Default,
    example: &'static str,
) -> Field {
    Field { path, of: EVERY, kind, doc, default, azure: &[], example }
}

const TIMEOUT: Default = Default::Same("\"10m\"", "a migration that takes longer is one to look at");

pub(crate) const FIELDS: &[Field] = &[
    row(
        "release",
        Type::Table,
        "How one new revision gets from nothing to all of the traffic, or back.",
        Default::Fields("the defaults of its fields"),
        "{ strategy = \"canary\" }",
    ),
    Field {
        path: "release.strategy",
        of: EVERY,
        kind: Type::Choice(&[
            ("canary", "step by step, compared with the old revision over the same minutes"),
            ("blue-green", "beside the old revision, then all of the traffic"),
            ("slots", "into the staging slot, warmed up, then swapped (App Service)"),
            ("rolling", "replica by replica"),
            ("all-at-once", "in place of the old revision"),
        ]),
        doc: "The way from the old revision to the new one.",
        default: Default::Tiers(
            ["\"all-at-once\"", "\"blue-green\"", "\"canary\""],
            "trying out is quick; staging rehearses; in production a bad revision meets few people and not for long",
        ),
        azure: &["properties.configuration.activeRevisionsMode", "properties.configuration.ingress.traffic"],
        example: "\"canary\"",
    },
    row(
        "release.steps",
        Type::Tables,
        "Parts of the traffic on the way to all of it, each for a time; all of it comes last by itself. Only of a canary.",
        Default::Absent("of a canary: a tenth for five minutes"),
        "[{ traffic = \"10%\", bake = \"5m\" }, { traffic = \"50%\", bake = \"10m\" }]",
    ),
    row(
        "release.steps[].traffic",
        Type::Share,
        "The part that the new revision gets.",
        Default::Required,
        "\"10%\"",
    ),
    row(
        "release.steps[].bake",
        Type::Text(&rules::DURATION),
        "How long it is watched at that.",
        Default::Same("\"5m\"", "five samples of metrics that come once a minute"),
        "\"5m\"",
    ),
    row(
        "release.health",
        Type::Table,
        "What the new revision has to answer, at an address of its own, before it gets any traffic.",
        Default::Fields("the defaults of its fields"),
        "{ path = \"/health/ready\", attempts = 10, every = \"10s\" }",
    ),
    row(
        "release.health.path",
        Type::Text(&rules::PATH),
        "Where it is asked.",
        Default::Absent("its readiness probe"),
        "\"/health/ready\"",
    ),
    row(
        "release.health.attempts",
        Type::Integer { min: 1, max: 1000 },
        "How often it is asked before it is given up.",
        Default::Same("10", "with `every` it has a hundred seconds to come up"),
        "10",
    ),
    row(
        "release.health.every",
        Type::Text(&rules::DURATION),
        "How long between two.",
        Default::Same("\"10s\"", "with `attempts` it has a hundred seconds to come up"),
        "\"10s\"",
    ),
    row(
        "release.abort",
        Type::List(&Type::Condition),
        "What ends the release, in the language of `alert.when`, looked at for the new revision alone.",
        Default::Same(
            "[\"error_rate > 5% over 10m\", \"dependency_failures > 10 in 10m\"]",
            "what no comparison with the old revision excuses",
        ),
        "[\"error_rate > 1%\", \"latency_p95 > 3s\", \"restarts > 2 in 5m\"]",
    ),
    row(
        "release.judge",
        Type::Table,
        "How the new revision is compared with the old one over the same minutes.",
        Default::Fields("the defaults of its fields"),
        "{ requests = 100, inconclusive = \"synthetic\" }",
    ),
    row(
        "release.judge.false_alarm",
        Type::Share,
        "Of good revisions, the part that may be refused by chance.",
        Default::Same("1", "one release of a hundred is made again for nothing"),
        "\"1%\"",
    ),
    row(
        "release.judge.requests",
        Type::Integer { min: 1, max: 1_000_000 },
        "Requests of the new revision without which there is no verdict.",
        Default::Same("50", "fewer cannot tell a bad revision from bad luck"),
        "100",
    ),
    row(
        "release.judge.inconclusive",
        Type::Choice(&[
            ("wait", "it is waited, up to `patience`, and then given up"),
            ("synthetic", "requests are made for it"),
            ("promote", "it goes on"),
            ("abort", "it is given up"),
        ]),
        "What happens when there was too little traffic for a verdict.",
        Default::Tiers(
            ["\"promote\"", "\"synthetic\"", "\"wait\""],
            "silence is no proof; where nobody calls, somebody has to",
        ),
        "\"synthetic\"",
    ),
    row(
        "release.judge.patience",
        Type::Text(&rules::DURATION),
        "How long a verdict is waited for.",
        Default::Same("\"1h\"", "longer than the quiet after lunch"),
        "\"1h\"",
    ),
    row(
        "release.queries",
        Type::Tables,
        "Numbers of your own that are looked at during the release.",
        Default::Absent("only what Landfall measures"),
        "[{ name = \"tickets\", kql = \"traces | count\", abort = \"< 1\" }]",
    ),
    row(
        "release.queries[].name",
        Type::Text(&rules::LABEL),
        "What it is called in the release's record.",
        Default::Required,
        "\"tickets\"",
    ),
    row(
        "release.queries[].kql",
        Type::Text(&rules::ANY),
        "A query over the logs that gives one number.",
        Default::Absent("an address is asked"),
        "\"customMetrics | where name == 'tickets' | summarize sum(value)\"",
    ),
    row(
        "release.queries[].url",
        Type::Text(&rules::HTTPS),
        "An address that answers with one number.",
        Default::Absent("the logs are asked"),
        "\"https://stats.example.com/tickets\"",
    ),
    row(
        "release.queries[].abort",
        Type::Text(&LIMIT),
        "What the number must not be.",
        Default::Required,
        "\"> 5\"",
    ),
    row(
        "release.smoke",
        Type::List(&PATHS),
        "Paths that have to answer in staging before a release to production begins.",
        Default::Absent("nothing is asked in staging"),
        "[\"/health/ready\", \"/version\"]",
    ),
    row(
        "release.before",
        Type::Tables,
        "What runs before the new revision, in order: migrations. The first that fails ends the release.",
        Default::Absent("nothing runs before"),
        "[{ name = \"migrate\", command = [\"alembic\", \"upgrade\", \"head\"] }]",
    ),
    row(
        "release.before[].name",
        Type::Text(&rules::LABEL),
        "What it is called.",
        Default::Required,
        "\"migrate\"",
    ),
    row(
        "release.before[].service",
        Type::Text(&rules::ANY),
        "The service whose image, identity and variables it has.",
        Default::Absent("the only one"),
        "\"api\"",
    ),
    row(
        "release.before[].command",
        Type::List(&TEXTS),
        "The command.",
        Default::Required,
        "[\"alembic\", \"upgrade\", \"head\"]",
    ),
    row(
        "release.before[].timeout",
        Type::Text(&rules::DURATION),
        "How long it may take.",
        TIMEOUT,
        "\"30m\"",
    ),
    row(
        "release.after",
        Type::Tables,
        "What runs after the new revision has all of the traffic, in order.",
        Default::Absent("nothing runs after"),
        "[{ name = \"warm\", command = [\"python\", \"warm.py\"] }]",
    ),
    row(
        "release.after[].name",
        Type::Text(&rules::LABEL),
        "What it is called.",
        Default::Required,
        "\"warm\"",
    ),
    row(
        "release.after[].service",
        Type::Text(&rules::ANY),
        "The service whose image, identity and variables it has.",
        Default::Absent("the only one"),
        "\"api\"",
    ),
    row(
        "release.after[].command",
        Type::List(&TEXTS),
        "The command.",
        Default::Required,
        "[\"python\", \"warm.py\"]",
    ),
    row("release.after[].timeout", Type::Text(&rules::DURATION), "How long it may take.", TIMEOUT, "\"30m\""),
    row(
        "release.approval",
        Type::Table,
        "Who has to say yes before the new revision is made.",
        Default::Fields("the defaults of its fields"),
        "{ required = true, by = [\"api\"] }",
    ),
    row(
        "release.approval.required",
        Type::Boolean,
        "Whether somebody has to.",
        Default::Tiers(["false", "false", "true"], "production changes when somebody wants it to"),
        "true",
    ),
    row(
        "release.approval.by",
        Type::List(&APPROVERS),
        "Where it can be said.",
        Default::Same("[\"terminal\", \"api\", \"pipeline\"]", "whichever runs the release"),
        "[\"api\"]",
    ),
    row(
        "release.approval.within",
        Type::Text(&rules::DURATION),
        "How long it is waited for; then the release ends.",
        Default::Same("\"24h\"", "what was tested yesterday is still what was tested"),
        "\"4h\"",
    ),
    row(
        "release.rollback",
        Type::Boolean,
        "Whether what ends the release brings the old revision back by itself.",
        Default::Same("true", "nobody has to be awake for it"),
        "false",
    ),
    row(
        "release.keep",
        Type::Integer { min: 1, max: 100 },
        "Revisions that stay to go back to.",
        Default::Same("3", "the last one, and the one before when that was bad, too"),
        "3",
    ),
    row(
        "release.notify",
        Type::List(&TEXTS),
        "Who is told how it went.",
        Default::Absent("every `[contact.NAME]`"),
        "[\"team\"]",
    ),
];

/// A canary without steps has the usual one.
pub(crate) fn settle(root: &mut Table, tier: Tier) {
    let Some(release) = root.get_mut("release").map_or_else(|| Some(None), |node| node.table_mut().map(Some))
    else {
        return;
    };
    let usual = fields::at("release.strategy", None).and_then(|field| field.default.of(tier));
    let usual = usual.map(|(word, ..)| word.trim_matches('"')).unwrap_or_default();
    let strategy = match &release {
        Some(table) if table.contains_key("strategy") => table.get("strategy").and_then(Node::text),
        _ => Some(usual),
    };
    let has_steps = release.as_ref().is_some_and(|table| table.contains_key("steps"));
    if strategy != Some("canary") || has_steps {
        return;
    }
    const WHY: &str = "few people meet a bad revision, and five minutes tell";
    let default = |value: Value| Node::default(value, None, WHY);
    let step = Table::from([
        ("traffic".to_owned(), default(Value::Integer(10))),
        ("bake".to_owned(), default(Value::Text("5m".to_owned()))),
    ]);
    let steps = default(Value::List(vec![default(Value::Table(step))]));
    let release = root
        .entry("release".to_owned())
        .or_insert_with(|| Node::default(Value::Table(Table::new()), None, "the defaults of its fields"));
    if let Some(release) = release.table_mut() {
        release.insert("steps".to_owned(), steps);
    }
}

pub(crate) fn check(sense: &mut Sense<'_>) {
    let Some(release) = sense.root.get("release").and_then(Node::table) else { return };
    strategy(sense, release);
    steps(sense, release);
    for key in ["before", "after"] {
        jobs(sense, release, key);
    }
    for query in release.get("queries").and_then(Node::list).unwrap_or_default() {
        let Some(table) = query.table() else { continue };
        for (key, example) in [("name", "name = \"tickets\""), ("abort", "abort = \"> 5\"")] {
            if !table.contains_key(key) {
                sense.missing(
                    &query.span,
                    format!("the query has no `{key}`"),
                    format!("such as `{example}`"),
                );
            }
        }
        if table.contains_key("kql") == table.contains_key("url") && !sense.lost {
            let diagnostic = sense
                .problem(codes::RELEASE, &query.span, "a query asks the logs by `kql` or an address by `url`")
                .help("write one of the two");
            sense.report(diagnostic);
        }
    }
    for node in release.get("notify").and_then(Node::list).unwrap_or_default() {
        contact::known(sense, node);
    }
}

fn strategy(sense: &mut Sense<'_>, release: &Table) {
    let Some(strategy) = release.get("strategy") else { return };
    let slots = strategy.text() == Some("slots");
    let on_app_service = entries(sense.root, "service")
        .any(|(_, _, service)| service.get("host").and_then(Node::text) == Some("app-service"));
    if slots && !on_app_service && !sense.lost {
        let diagnostic = sense
            .problem(codes::RELEASE, &strategy.span, "only App Service has slots, and no service runs there")
            .help("write \"blue-green\": beside the old revision, then all of the traffic");
        sense.report(diagnostic);
    }
    if let Some(steps) = release.get("steps").filter(|steps| steps.is_written())
        && strategy.text().is_some_and(|word| word != "canary")
    {
        let diagnostic = sense
            .problem(codes::RELEASE, &steps.key, "only a canary goes by steps")
            .related(strategy.span.clone(), "the strategy")
            .help("write `strategy = \"canary\"`, or leave `steps` out");
        sense.report(diagnostic);
    }
}

fn steps(sense: &mut Sense<'_>, release: &Table) {
    let mut earlier: Option<(i64, &Node)> = None;
    for step in release.get("steps").and_then(Node::list).unwrap_or_default() {
        let Some(table) = step.table() else { continue };
        let Some(traffic) = table.get("traffic") else {
            sense.missing(
                &step.span,
                "the step does not say how much traffic",
                "such as `traffic = \"10%\"`",
            );
            continue;
        };
        let Some(percent) = traffic.integer() else { continue };
        if percent == 100 {
            let diagnostic = sense
                .problem(codes::RELEASE, &traffic.span, "all of the traffic comes last by itself")
                .help("leave this step out");
            sense.report(diagnostic);
        }
        if let Some((before, node)) = earlier.filter(|(before, _)| *before >= percent) {
            let diagnostic = sense
                .problem(
                    codes::RELEASE,
                    &traffic.span,
                    format!("a step to {percent}% after one to {before}%"),
                )
                .related(node.span.clone(), "the step before")
                .help("each step gives the new revision more");
            sense.report(diagnostic);
        }
        earlier = Some((percent, traffic));
    }
}

fn jobs(sense: &mut Sense<'_>, release: &Table, key: &str) {
    let services = entries(sense.root, "service").count();
    let mut seen: Vec<(&str, &Node)> = Vec::new();
    for job in release.get(key).and_then(Node::list).unwrap_or_default() {
        let Some(table) = job.table() else { continue };
        for (field, example) in
            [("name", "name = \"migrate\""), ("command", "command = [\"python\", \"migrate.py\"]")]
        {
            if !table.contains_key(field) {
                sense.missing(&job.span, format!("the job has no `{field}`"), format!("such as `{example}`"));
            }
        }
        if let Some(command) = table.get("command")
            && command.list().is_some_and(|words| {
                words.first().and_then(Node::text).is_none_or(|word| word.trim().is_empty())
            })
        {
            let diagnostic =
                sense.problem(codes::COMMAND, &command.span, "the command is empty").help("write its words");
            sense.report(diagnostic);
        }
        if let Some((node, name)) = table.get("name").and_then(|node| Some((node, node.text()?))) {
            if let Some((_, first)) = seen.iter().find(|(known, _)| *known == name) {
                let diagnostic = sense
                    .problem(codes::RELEASE, &node.span, format!("two jobs are called `{name}`"))
                    .related(first.span.clone(), "the first")
                    .help("a run's record tells them apart by their names");
                sense.report(diagnostic);
            }
            seen.push((name, node));
        }
        match table.get("service") {
            Some(node) => {
                let Some(name) = node.text() else { continue };
                let there =
                    sense.root.get("service").and_then(Node::table).is_some_and(|all| all.contains_key(name));
                if !there {
                    sense.dangling_service(&node.span, name);
                }
            }
            None if services > 1 => {
                sense.missing(
                    &job.span,
                    "the job does not say in which service's image it runs",
                    "such as `service = \"api\"`",
                );
            }
            None => {}
        }
    }
}
