//! `[insights]`: what is recorded, how much of it and for how long.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::codes;
use crate::fields::{Default, EVERY, Field, Type};
use crate::rules::{Fault, Rule};
use crate::sense::{Sense, entries};
use crate::tree::Node;
use crate::units::{Days, Duration, Per};

/// What is recorded, how much of it and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Insights {
    /// Whether there is an Application Insights for what the services report.
    pub enabled: bool,
    /// How long logs and telemetry are kept.
    pub retention: Days,
    /// How much of the telemetry is sent.
    pub sampling: Sampling,
    /// Whether a service may report with the connection string alone.
    pub keys: bool,
    /// Whether the usual alerts are there without being written.
    pub alerts: bool,
    /// Whether there is a workbook with the usual charts.
    pub dashboard: bool,
    /// Which logs of Azure's own services are kept.
    pub logs: Logs,
    /// Tests from outside.
    pub availability: Availability,
}

/// How much of the telemetry is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// So many of a hundred.
    Share(u8),
    /// At most so many a second.
    Rate(u32),
}

/// Which logs of Azure's own services are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Logs {
    /// None.
    None,
    /// Who did what.
    Audit,
    /// All that there are.
    All,
}

/// Tests from outside: whether each public service answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Availability {
    /// Whether they are made.
    pub enabled: bool,
    /// How often, from each place.
    pub every: Duration,
    /// The places, by Azure's names of them; empty: five around the region.
    #[serde(default)]
    pub from: Vec<String>,
}

impl Sampling {
    /// Of `10%` or `5/second`; what is wrong with it otherwise.
    pub(crate) fn parse(text: &str) -> Result<Sampling, String> {
        const FORM: &str = "a share such as \"10%\", or so many a second: \"5/second\"";
        if let Some(share) = text.trim().strip_suffix('%') {
            let share = share.trim().parse::<u8>().ok().filter(|share| (1..=100).contains(share));
            return share.map(Sampling::Share).ok_or_else(|| "from \"1%\" to \"100%\"".to_owned());
        }
        let load = crate::units::Load::parse(text).ok().filter(|load| load.per == Per::Second);
        let rate = load.and_then(|load| u32::try_from(load.count).ok()).filter(|rate| *rate > 0);
        rate.map(Sampling::Rate).ok_or_else(|| FORM.to_owned())
    }
}

impl std::fmt::Display for Sampling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Sampling::Share(share) => write!(f, "{share}%"),
            Sampling::Rate(rate) => write!(f, "{rate}/second"),
        }
    }
}

impl Serialize for Sampling {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sampling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sampling, D::Error> {
        Sampling::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// How much of the telemetry is sent.
static SAMPLING: Rule = Rule {
    pattern: Some("^([1-9][0-9]?|100)%$|^[1-9][0-9]*/second$"),
    length: 2..20,
    check: |text| match Sampling::parse(text) {
        Ok(_) => Ok(()),
        Err(help) => Err(Fault {
            code: codes::NO_UNIT,
            message: "this is not a part of the telemetry".to_owned(),
            help: Some(help),
        }),
    },
};

/// The times for which Application Insights keeps telemetry.
const KEPT: &[u32] = &[30, 60, 90, 120, 180, 270, 365, 550, 730];

/// How often a test from outside can be made, in seconds.
const EVERY_SECONDS: &[u64] = &[300, 600, 900];

/// Azure's places for tests from outside, with where they are.
pub const PLACES: &[(&str, &str)] = &[
    ("emea-nl-ams-azr", "West Europe"),
    ("emea-gb-db3-azr", "North Europe"),
    ("emea-ru-msa-edge", "UK South"),
    ("emea-se-sto-edge", "UK West"),
    ("emea-fr-pra-edge", "France Central"),
    ("emea-ch-zrh-edge", "France South"),
    ("us-va-ash-azr", "East US"),
    ("us-fl-mia-edge", "Central US"),
    ("us-il-ch1-azr", "North Central US"),
    ("us-tx-sn1-azr", "South Central US"),
    ("us-ca-sjc-azr", "West US"),
    ("latam-br-gru-edge", "Brazil South"),
    ("apac-sg-sin-azr", "Southeast Asia"),
    ("apac-hk-hkn-azr", "East Asia"),
    ("apac-jp-kaw-edge", "Japan East"),
    ("emea-au-syd-edge", "Australia East"),
];

static PLACE: Rule = Rule {
    pattern: None,
    length: 1..60,
    check: |text| match PLACES.iter().any(|(id, _)| *id == text) {
        true => Ok(()),
        false => {
            let named = PLACES
                .iter()
                .find(|(_, name)| name.replace(' ', "").eq_ignore_ascii_case(&text.replace(' ', "")));
            let help = match named {
                Some((id, _)) => format!("write \"{id}\""),
                None => {
                    let all: Vec<String> =
                        PLACES.iter().map(|(id, name)| format!("`{id}` ({name})")).collect();
                    crate::suggest::did_you_mean(text, PLACES.iter().map(|(id, _)| *id))
                        .unwrap_or_else(|| format!("there are {}", crate::suggest::enumerate(&all, "and")))
                }
            };
            let message = format!("Azure makes no tests from `{}`", crate::rules::short(text));
            Err(Fault { code: codes::NOT_A_CHOICE, message, help: Some(help) })
        }
    },
};

pub(crate) const FIELDS: &[Field] = &[
    Field {
        path: "insights",
        of: EVERY,
        kind: Type::Table,
        doc: "What is recorded of the application, how much of it and for how long.",
        default: Default::Fields("the defaults of its fields"),
        azure: &["Microsoft.OperationalInsights/workspaces", "Microsoft.Insights/components"],
        example: "{ sampling = \"10%\" }",
    },
    Field {
        path: "insights.enabled",
        of: EVERY,
        kind: Type::Boolean,
        doc: "Whether there is an Application Insights for what the services report. They find it by \
              `APPLICATIONINSIGHTS_CONNECTION_STRING`.",
        default: Default::Tiers(
            ["false", "true", "true"],
            "trying out needs no telemetry, a release is judged by it",
        ),
        azure: &["Microsoft.Insights/components"],
        example: "true",
    },
    Field {
        path: "insights.retention",
        of: EVERY,
        kind: Type::Days { min: 30, max: 730 },
        doc: "How long logs and telemetry are kept.",
        default: Default::Tiers(
            ["\"30d\"", "\"30d\"", "\"90d\""],
            "30 days are in the price of ingestion; production keeps a quarter, so that an incident can be compared \
             with the one before",
        ),
        azure: &["workspaces.properties.retentionInDays", "components.properties.RetentionInDays"],
        example: "\"90d\"",
    },
    Field {
        path: "insights.sampling",
        of: EVERY,
        kind: Type::Text(&SAMPLING),
        doc: "How much of the telemetry is sent: a share, or so many traces a second.",
        default: Default::Tiers(
            ["\"100%\"", "\"100%\"", "\"5/second\""],
            "all of it while there is little; in production as much as shows what happens, whatever the load",
        ),
        azure: &[
            "env OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG",
            "components.properties.SamplingPercentage",
        ],
        example: "\"10%\"",
    },
    Field {
        path: "insights.keys",
        of: EVERY,
        kind: Type::Boolean,
        doc: "Whether a service may report with the connection string alone. Without, it signs in with its identity, \
              which its SDK must be told to do.",
        default: Default::Same(
            "true",
            "many SDKs know nothing else, and who has the key can report, not read",
        ),
        azure: &["components.properties.DisableLocalAuth"],
        example: "false",
    },
    Field {
        path: "insights.alerts",
        of: EVERY,
        kind: Type::Boolean,
        doc: "Whether the usual alerts are there without being written: errors, slowness, load, full disks, secrets \
              about to expire.",
        default: Default::Tiers(["false", "false", "true"], "production is watched from the first day"),
        azure: &["Microsoft.Insights/metricAlerts", "Microsoft.Insights/scheduledQueryRules"],
        example: "true",
    },
    Field {
        path: "insights.dashboard",
        of: EVERY,
        kind: Type::Boolean,
        doc: "Whether there is a workbook with requests, failures, latency, dependencies, errors and cost.",
        default: Default::Tiers(["false", "true", "true"], "where people look first"),
        azure: &["Microsoft.Insights/workbooks"],
        example: "true",
    },
    Field {
        path: "insights.logs",
        of: EVERY,
        kind: Type::Choice(&[
            ("none", "none"),
            ("audit", "who did what: access to secrets, sign-ins, changes"),
            ("all", "all that there are"),
        ]),
        doc: "Which logs of Azure's own services (vaults, databases, registries, gateways) are kept with the others.",
        default: Default::Tiers(
            ["\"none\"", "\"audit\"", "\"all\""],
            "an incident in production is traced to its cause",
        ),
        azure: &["Microsoft.Insights/diagnosticSettings"],
        example: "\"all\"",
    },
    Field {
        path: "insights.availability",
        of: EVERY,
        kind: Type::Table,
        doc: "Tests from outside: whether each public service answers. A service with an `allow` list is left out: \
              Azure's tests come from anywhere.",
        default: Default::Fields("the defaults of its fields"),
        azure: &["Microsoft.Insights/webtests"],
        example: "{ enabled = true, every = \"5m\" }",
    },
    Field {
        path: "insights.availability.enabled",
        of: EVERY,
        kind: Type::Boolean,
        doc: "Whether they are made.",
        default: Default::Same("false", "each costs a little and wakes a service that sleeps"),
        azure: &["Microsoft.Insights/webtests"],
        example: "true",
    },
    Field {
        path: "insights.availability.every",
        of: EVERY,
        kind: Type::Text(&crate::rules::DURATION),
        doc: "How often, from each place: every 5, 10 or 15 minutes.",
        default: Default::Same("\"5m\"", "the shortest that Azure offers"),
        azure: &["properties.Frequency"],
        example: "\"5m\"",
    },
    Field {
        path: "insights.availability.from",
        of: EVERY,
        kind: Type::List(&Type::Text(&PLACE)),
        doc: "The places the tests come from, by Azure's names of them.",
        default: Default::Absent("five places, so that one of them alone is no alarm"),
        azure: &["properties.Locations"],
        example: "[\"emea-nl-ams-azr\", \"us-va-ash-azr\"]",
    },
];

pub(crate) fn check(sense: &mut Sense<'_>) {
    let Some(insights) = sense.root.get("insights").and_then(Node::table) else { return };
    if let Some(node) = insights.get("retention")
        && let Some(days) = node.text().and_then(|text| Days::parse(text).ok())
        && !KEPT.contains(&days.0)
    {
        let nearest = KEPT.iter().copied().find(|kept| *kept >= days.0).unwrap_or(730);
        let diagnostic =
            sense.problem(codes::INSIGHTS, &node.span, format!("telemetry is not kept for {days}")).help(
                format!("write \"{nearest}d\"; there are 30, 60, 90, 120, 180, 270, 365, 550 and 730 days"),
            );
        sense.report(diagnostic);
    }
    let Some(availability) = insights.get("availability").and_then(Node::table) else { return };
    if let Some(node) = availability.get("every")
        && let Some(every) = node.text().and_then(|text| Duration::parse(text).ok())
        && !EVERY_SECONDS.contains(&every.seconds)
    {
        let diagnostic = sense
            .problem(codes::INSIGHTS, &node.span, format!("Azure does not test every {every}"))
            .help("write \"5m\", \"10m\" or \"15m\"");
        sense.report(diagnostic);
    }
    let enabled = availability.get("enabled").filter(|node| node.boolean() == Some(true));
    if let Some(node) = enabled.filter(|node| node.is_written()) {
        if insights.get("enabled").and_then(Node::boolean) == Some(false) {
            let diagnostic = sense
                .problem(codes::INSIGHTS, &node.span, "tests from outside belong to an Application Insights")
                .help("write `enabled = true` in `[insights]`");
            sense.report(diagnostic);
        }
        for (name, _, service) in entries(sense.root, "service") {
            let ingress = service.get("ingress").and_then(Node::table);
            let Some(allow) = ingress.and_then(|ingress| ingress.get("allow")) else { continue };
            if allow.list().is_some_and(|list| !list.is_empty()) {
                let diagnostic = sense
                    .problem(
                        codes::INSIGHTS,
                        &allow.key,
                        format!("`allow` shuts Azure's tests out of `{name}`, so none is made"),
                    )
                    .related(node.span.clone(), "tests from outside")
                    .help("watch `error_rate` and `replicas` instead, which are seen from inside")
                    .warning();
                sense.report(diagnostic);
            }
        }
    }
}
