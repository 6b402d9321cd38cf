//! `[usage]`: the load that a quote assumes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::codes;
use crate::fields::{Default, EVERY, Field, Type};
use crate::rules::{self, Fault, Rule};
use crate::sense::{Found, Sense};
use crate::tree::Node;
use crate::units::{Load, Size};

/// The load that a quote assumes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Usage {
    /// The quiet month, as a share of what is expected.
    pub low: Factor,
    /// The busy month, as a share of what is expected.
    pub high: Factor,
    /// What logs and telemetry come to in a month.
    pub logs: Option<Size>,
    /// What goes out to the internet in a month.
    pub outbound: Option<Size>,
    /// Services, by name.
    #[serde(default)]
    pub service: BTreeMap<String, ServiceUsage>,
    /// Resources, by name.
    #[serde(default)]
    pub resource: BTreeMap<String, ResourceUsage>,
}

/// A share that may be more than all: `200%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Factor {
    /// Of a hundred.
    pub percent: u32,
}

/// The load of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct ServiceUsage {
    /// How often it is called; of a job: how often it runs.
    pub requests: Option<Load>,
    /// How long one call, or one run, takes, in milliseconds where that matters.
    pub takes: Option<Span>,
    /// How many calls a replica works on at a time.
    pub concurrency: Option<u32>,
    /// The hours of a day in which it is awake, for those that never sleep by themselves.
    pub awake: Option<u32>,
}

/// The load of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct ResourceUsage {
    /// What lies in it.
    pub stored: Option<Size>,
    /// What is written into it in a month.
    pub written: Option<Size>,
    /// What is read out of it in a month.
    pub read: Option<Size>,
    /// Calls, messages, operations.
    pub operations: Option<Load>,
    /// Tokens that models read.
    pub input_tokens: Option<Load>,
    /// Tokens that models write.
    pub output_tokens: Option<Load>,
}

/// A short span of time, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// 1500 is a second and a half.
    pub milliseconds: u64,
}

impl Factor {
    fn parse(text: &str) -> Result<Factor, String> {
        let percent = text.trim().strip_suffix('%').and_then(|text| text.trim().parse::<u32>().ok());
        let percent = percent.filter(|percent| (1..=10_000).contains(percent));
        percent
            .map(|percent| Factor { percent })
            .ok_or_else(|| "a share such as \"50%\" or \"200%\"".to_owned())
    }
}

impl std::fmt::Display for Factor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}%", self.percent)
    }
}

impl Span {
    fn parse(text: &str) -> Result<Span, String> {
        const FORM: &str = "a whole number and its unit, such as \"200ms\", \"3s\" or \"5m\"";
        let milliseconds = match text.strip_suffix("ms") {
            Some(number) => number.trim().parse::<u64>().ok().filter(|number| *number <= 86_400_000),
            None => {
                return crate::units::Duration::parse(text)
                    .map(|it| Span { milliseconds: it.seconds * 1000 });
            }
        };
        milliseconds.map(|milliseconds| Span { milliseconds }).ok_or_else(|| FORM.to_owned())
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.milliseconds.is_multiple_of(1000) {
            true => write!(f, "{}", crate::units::Duration { seconds: self.milliseconds / 1000 }),
            false => write!(f, "{}ms", self.milliseconds),
        }
    }
}

crate::units::written_as_text!(Factor, Span);

static FACTOR: Rule = Rule {
    pattern: Some("^[1-9][0-9]{0,4}%$"),
    length: 2..10,
    check: |text| quantity("a share of what is expected", Factor::parse(text)),
};

static SPAN: Rule = Rule {
    pattern: Some("^[0-9]+(ms|[smhdw])$"),
    length: 2..20,
    check: |text| quantity("a span of time", Span::parse(text)),
};

fn quantity<T>(what: &str, read: Result<T, String>) -> Result<(), Fault> {
    let fault = |help| Fault {
        code: codes::NO_UNIT,
        message: format!("this is not {what} that can be read"),
        help: Some(help),
    };
    read.map(|_| ()).map_err(fault)
}

const fn row(
    path: &'static str,
    kind: Type,
    doc: &'static str,
    absent: &'static str,
    example: &'static str,
) -> Field {
    Field { path, of: EVERY, kind, doc, default: Default::Absent(absent), azure: &[], example }
}

const UNKNOWN: &str = "not known: the quote says so";

pub(crate) const FIELDS: &[Field] = &[
    Field {
        path: "usage",
        of: EVERY,
        kind: Type::Table,
        doc: "The load that a quote assumes. It deploys nothing.",
        default: Default::Fields("what is not said is not known, and the quote says so"),
        azure: &[],
        example: "{ logs = \"5Gi\" }",
    },
    Field {
        path: "usage.low",
        of: EVERY,
        kind: Type::Text(&FACTOR),
        doc: "The quiet month, as a share of what is expected.",
        default: Default::Same("\"50%\"", "a quote is a range"),
        azure: &[],
        example: "\"20%\"",
    },
    Field {
        path: "usage.high",
        of: EVERY,
        kind: Type::Text(&FACTOR),
        doc: "The busy month, as a share of what is expected.",
        default: Default::Same("\"200%\"", "a quote is a range"),
        azure: &[],
        example: "\"300%\"",
    },
    row(
        "usage.logs",
        Type::Text(&rules::SIZE),
        "What logs and telemetry come to in a month.",
        UNKNOWN,
        "\"5Gi\"",
    ),
    row(
        "usage.outbound",
        Type::Text(&rules::SIZE),
        "What goes out to the internet in a month.",
        UNKNOWN,
        "\"100Gi\"",
    ),
    row(
        "usage.service",
        Type::Named(&rules::SERVICE),
        "The load of services, each under its name.",
        UNKNOWN,
        "",
    ),
    row("usage.service.*", Type::Table, "The load of a service.", UNKNOWN, ""),
    row(
        "usage.service.*.requests",
        Type::Text(&rules::LOAD),
        "How often it is called; of a job: how often it runs.",
        UNKNOWN,
        "\"10k/month\"",
    ),
    row(
        "usage.service.*.takes",
        Type::Text(&SPAN),
        "How long one call, or one run, takes.",
        UNKNOWN,
        "\"200ms\"",
    ),
    row(
        "usage.service.*.concurrency",
        Type::Integer { min: 1, max: 10_000 },
        "How many calls a replica works on at a time.",
        "as many as `scale.http` lets it",
        "10",
    ),
    row(
        "usage.service.*.awake",
        Type::Integer { min: 0, max: 24 },
        "The hours of a day in which it is awake, for a service that is stopped by schedule.",
        "all of them, or as its load wakes it",
        "10",
    ),
    row(
        "usage.resource",
        Type::Named(&rules::RESOURCE),
        "The load of resources, each under its name.",
        UNKNOWN,
        "",
    ),
    row("usage.resource.*", Type::Table, "The load of a resource.", UNKNOWN, ""),
    row("usage.resource.*.stored", Type::Text(&rules::SIZE), "What lies in it.", UNKNOWN, "\"50Gi\""),
    row(
        "usage.resource.*.written",
        Type::Text(&rules::SIZE),
        "What is written into it in a month.",
        UNKNOWN,
        "\"10Gi\"",
    ),
    row(
        "usage.resource.*.read",
        Type::Text(&rules::SIZE),
        "What is read out of it in a month.",
        UNKNOWN,
        "\"10Gi\"",
    ),
    row(
        "usage.resource.*.operations",
        Type::Text(&rules::LOAD),
        "Calls, messages or operations.",
        UNKNOWN,
        "\"1M/month\"",
    ),
    row(
        "usage.resource.*.input_tokens",
        Type::Text(&rules::LOAD),
        "Tokens that models read.",
        UNKNOWN,
        "\"20M/month\"",
    ),
    row(
        "usage.resource.*.output_tokens",
        Type::Text(&rules::LOAD),
        "Tokens that models write.",
        UNKNOWN,
        "\"5M/month\"",
    ),
];

pub(crate) fn check(sense: &mut Sense<'_>) {
    let Some(usage) = sense.root.get("usage").and_then(Node::table) else { return };
    let factor = |key: &str| {
        let node = usage.get(key)?;
        Some((node, Factor::parse(node.text()?).ok()?))
    };
    if let (Some((low_node, low)), Some((high_node, high))) = (factor("low"), factor("high"))
        && low > high
    {
        let span = if low_node.is_written() { &low_node.span } else { &high_node.span };
        let diagnostic = sense
            .problem(
                codes::USAGE,
                span,
                format!("the quiet month, {low}, is busier than the busy one, {high}"),
            )
            .help("`low` is at most `high`");
        sense.report(diagnostic);
    }
    for (name, node) in usage.get("service").and_then(Node::table).into_iter().flatten() {
        let there = sense.root.get("service").and_then(Node::table).is_some_and(|all| all.contains_key(name));
        if !there {
            sense.dangling_service(&node.key, name);
        }
    }
    for (name, node) in usage.get("resource").and_then(Node::table).into_iter().flatten() {
        if let Found::Nothing = sense.find_resource(name) {
            sense.dangling_resource(codes::DANGLING, &node.key, name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_was_read() {
        for text in ["200ms", "1500ms", "3s", "5m"] {
            assert_eq!(Span::parse(text).map(|it| it.to_string()).as_deref(), Ok(text));
        }
        assert_eq!(Span::parse("1000ms").map(|it| it.to_string()).as_deref(), Ok("1s"));
        assert!(Span::parse("200").is_err() && Span::parse("0.2s").is_err() && Span::parse("-5ms").is_err());
        for text in ["1%", "50%", "200%"] {
            assert_eq!(Factor::parse(text).map(|it| it.to_string()).as_deref(), Ok(text));
        }
        assert!(Factor::parse("0%").is_err() && Factor::parse("2").is_err());
    }
}
