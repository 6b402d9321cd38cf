//! Jobs of Azure Container Apps: containers that run to their end.

use serde::{Deserialize, Serialize};

use super::{Kind, container_apps};
use crate::codes;
use crate::fields::{Default, Field, Type};
use crate::rules::{self, Fault, Rule};
use crate::sense::Sense;
use crate::tree::{Node, Table};
use crate::units::Duration;

/// What only a job has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ContainerJob {
    /// What starts it.
    pub trigger: Trigger,
    /// When, as cron writes it; `Some` exactly when the trigger is a schedule.
    pub schedule: Option<String>,
    /// How long a replica may run.
    pub timeout: Duration,
    /// How often a replica that fails is started again.
    pub retries: u32,
    /// How many replicas an execution has.
    pub parallel: u32,
    /// The workload profile its replicas run on.
    pub profile: String,
}

/// What starts a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// Somebody.
    Manual,
    /// The clock.
    Schedule,
    /// Messages that wait.
    Queue,
}

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "container-job",
    doc: "a job of Azure Container Apps: containers that run to their end, by the clock, a queue or by hand",
    runs: true,
    fields: FIELDS,
    check,
};

/// A schedule in cron's five fields.
static CRON: Rule = Rule { pattern: Some("^\\S+ +\\S+ +\\S+ +\\S+ +\\S+$"), length: 9..100, check: cron };

/// The fields of a schedule: what each counts, and from where to where.
const CRON_FIELDS: [(&str, u32, u32); 5] = [
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
];

fn cron(text: &str) -> Result<(), Fault> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.len() != CRON_FIELDS.len() {
        return rules::fault(
            codes::SCHEDULE,
            format!("a schedule has five fields, this one has {}", words.len()),
            "minute, hour, day of the month, month, day of the week: `0 2 * * *` is two at night, UTC",
        );
    }
    for (word, (what, min, max)) in words.iter().zip(CRON_FIELDS) {
        if let Err(why) = word.split(',').try_for_each(|part| cron_part(part, min, max)) {
            return rules::fault(
                codes::SCHEDULE,
                format!("the {what} `{}` {why}", rules::short(word)),
                format!("`*`, a number from {min} to {max}, a range, a list, or a step such as `*/5`"),
            );
        }
    }
    Ok(())
}

fn cron_part(part: &str, min: u32, max: u32) -> Result<(), String> {
    let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
    if let Some(step) = step
        && !step.parse::<u32>().is_ok_and(|step| (1..=max.max(1)).contains(&step))
    {
        return Err("has a step that cannot be".to_owned());
    }
    if range == "*" {
        return Ok(());
    }
    let number = |text: &str| {
        let number = text.parse::<u32>().map_err(|_| "cannot be read".to_owned())?;
        match (min..=max).contains(&number) {
            true => Ok(number),
            false => Err(format!("is not from {min} to {max}")),
        }
    };
    match range.split_once('-') {
        None => number(range).map(|_| ()),
        Some((from, to)) => match number(from)? <= number(to)? {
            true => Ok(()),
            false => Err("ends before it begins".to_owned()),
        },
    }
}

const HERE: &[&str] = &["container-job"];

const FIELDS: &[Field] = &[
    Field {
        path: "service.*.trigger",
        of: HERE,
        kind: Type::Choice(&[
            ("manual", "somebody, or a pipeline"),
            ("schedule", "the clock, as `schedule` says"),
            ("queue", "messages that wait, as `scale.queue` says"),
        ]),
        doc: "What starts it.",
        default: Default::Absent(
            "what else is said decides: `schedule`, `scale.queue`, or nothing of the two",
        ),
        azure: &["properties.configuration.triggerType"],
        example: "\"manual\"",
    },
    Field {
        path: "service.*.schedule",
        of: HERE,
        kind: Type::Text(&CRON),
        doc: "When it starts, in cron's five fields and in UTC.",
        default: Default::Absent("the clock does not start it"),
        azure: &["properties.configuration.scheduleTriggerConfig.cronExpression"],
        example: "\"0 2 * * *\"",
    },
    Field {
        path: "service.*.timeout",
        of: HERE,
        kind: Type::Text(&rules::DURATION),
        doc: "How long a replica may run before it is stopped.",
        default: Default::Same("\"30m\"", "long enough for a migration, short enough to notice what hangs"),
        azure: &["properties.configuration.replicaTimeout"],
        example: "\"30m\"",
    },
    Field {
        path: "service.*.retries",
        of: HERE,
        kind: Type::Integer { min: 0, max: 10 },
        doc: "How often a replica that fails is started again.",
        default: Default::Same(
            "1",
            "a passing fault gets a second chance; work that cannot be repeated sets 0",
        ),
        azure: &["properties.configuration.replicaRetryLimit"],
        example: "3",
    },
    Field {
        path: "service.*.parallel",
        of: HERE,
        kind: Type::Integer { min: 1, max: 300 },
        doc: "How many replicas an execution has; all of them have to succeed.",
        default: Default::Same("1", "most jobs are one piece of work"),
        azure: &[
            "properties.configuration.*TriggerConfig.parallelism",
            "properties.configuration.*TriggerConfig.replicaCompletionCount",
        ],
        example: "1",
    },
];

fn check(sense: &mut Sense<'_>, name: &str, node: &Node, service: &Table) {
    container_apps::size(sense, service);
    container_apps::profile(sense, service);
    let said = |key: &str| service.get(key).and_then(Node::text);
    let schedule = service.get("schedule");
    let queue = service.get("scale").and_then(Node::table).and_then(|scale| scale.get("queue"));
    match (said("trigger"), service.get("trigger")) {
        (Some("schedule"), Some(trigger)) if schedule.is_none() => {
            sense.missing(
                &trigger.span,
                "the clock needs a `schedule`",
                "such as `schedule = \"0 2 * * *\"`",
            );
        }
        (Some("queue"), Some(trigger)) if queue.is_none() => {
            sense.missing(
                &trigger.span,
                "a queue that starts the job is missing",
                "such as `scale = { queue = { resource = \"jobs\", messages = 5 } }`",
            );
        }
        _ => {}
    }
    let other = match said("trigger") {
        Some("schedule") => queue,
        Some("queue") => schedule,
        Some("manual") => schedule.or(queue),
        _ => None,
    };
    if let Some(other) = other {
        let diagnostic = sense
            .problem(codes::SCHEDULE, &other.key, format!("one thing starts `{name}`, and this is a second"))
            .related(service.get("trigger").map_or(node.key.clone(), |node| node.span.clone()), "the trigger")
            .help("keep one of `schedule` and `scale.queue`");
        sense.report(diagnostic);
    }
    let parallel = service.get("parallel");
    let singleton = service.get("singleton").filter(|node| node.boolean() == Some(true));
    if let (Some(singleton), Some(parallel)) = (singleton, parallel)
        && parallel.integer().is_some_and(|number| number != 1)
    {
        let diagnostic = sense
            .problem(
                codes::SINGLETON,
                &parallel.span,
                "a singleton has exactly one replica, so `parallel` is 1",
            )
            .related(singleton.span.clone(), "a singleton")
            .help("leave `parallel` out");
        sense.report(diagnostic);
    }
    let timeout = service.get("timeout");
    if let (Some(node), Some(seconds)) = (
        timeout,
        said("timeout").and_then(|text| Duration::parse(text).ok()).map(|duration| duration.seconds),
    ) && !(1..=86_400 * 7).contains(&seconds)
    {
        let diagnostic =
            sense.problem(codes::OUT_OF_RANGE, &node.span, "`timeout` is from 1 second to 7 days");
        sense.report(diagnostic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_those_of_cron() {
        for fine in ["0 2 * * *", "*/5 * * * *", "0 9-17 * * 1-5", "0,30 0 1 1 0", "15 3 1-31/2 * 7"] {
            assert!(cron(fine).is_ok(), "{fine}");
        }
        for wrong in
            ["", "@daily", "0 2 * *", "60 * * * *", "* * 0 * *", "*/0 * * * *", "5-1 * * * *", "a * * * *"]
        {
            assert!(cron(wrong).is_err(), "{wrong}");
        }
    }
}
