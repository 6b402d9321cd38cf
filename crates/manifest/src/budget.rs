//! `[budget]`: what a month may cost, and who is told on the way there.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::codes;
use crate::fields::{Default, EVERY, Field, Type};
use crate::rules::{self, Fault, Rule};
use crate::sense::Sense;
use crate::tree::Node;
use crate::units::{Money, Month};
use crate::watch::contact;

/// What a month may cost.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Budget {
    /// For a month.
    pub amount: Money,
    /// The first month. Azure begins a budget with the first of a month and takes none that is long past.
    pub from: Month,
    /// The last month; none: ten years.
    pub to: Option<Month>,
    /// When somebody is told.
    pub thresholds: Vec<Threshold>,
    /// Who is told, by name in [`crate::App::contacts`]; empty: everyone.
    #[serde(default)]
    pub contacts: Vec<String>,
}

/// A part of a budget at which somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold {
    /// Of what Azure expects for the whole month, and not of what is spent.
    pub forecast: bool,
    /// Of a hundred.
    pub percent: u16,
}

impl Threshold {
    fn parse(text: &str) -> Result<Threshold, String> {
        let text = text.trim();
        let (forecast, share) = match text.strip_prefix("forecast") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let percent = share.trim().strip_suffix('%').and_then(|share| share.trim().parse::<u16>().ok());
        match percent.filter(|percent| (1..=1000).contains(percent)) {
            Some(percent) => Ok(Threshold { forecast, percent }),
            None => {
                Err("such as \"80%\" of what is spent, or \"forecast 100%\" of what is expected".to_owned())
            }
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}%", if self.forecast { "forecast " } else { "" }, self.percent)
    }
}

impl Serialize for Threshold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Threshold, D::Error> {
        Threshold::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

static THRESHOLD: Rule = Rule {
    pattern: Some("^(forecast )?[1-9][0-9]{0,3}%$"),
    length: 2..20,
    check: |text| match Threshold::parse(text) {
        Ok(_) => Ok(()),
        Err(help) => Err(Fault {
            code: codes::NO_UNIT,
            message: "this is not a part of a budget".to_owned(),
            help: Some(help),
        }),
    },
};

/// Most thresholds of one budget that Azure takes.
const THRESHOLDS_MAX: usize = 5;

pub(crate) const FIELDS: &[Field] = &[
    Field {
        path: "budget",
        of: EVERY,
        kind: Type::Table,
        doc: "What a month may cost. Azure tells when it is about to be passed; nothing is stopped.",
        default: Default::Absent("no budget"),
        azure: &["Microsoft.Consumption/budgets"],
        example: "{ amount = \"2000 USD\", from = \"2026-11\" }",
    },
    Field {
        path: "budget.amount",
        of: EVERY,
        kind: Type::Text(&rules::MONEY),
        doc: "For a month, in the currency that the subscription is billed in.",
        default: Default::Required,
        azure: &["properties.amount"],
        example: "\"2000 USD\"",
    },
    Field {
        path: "budget.from",
        of: EVERY,
        kind: Type::Text(&rules::MONTH),
        doc: "The first month. It stays as it is once the budget is there; Azure takes no new one that is long past.",
        default: Default::Required,
        azure: &["properties.timePeriod.startDate"],
        example: "\"2026-11\"",
    },
    Field {
        path: "budget.to",
        of: EVERY,
        kind: Type::Text(&rules::MONTH),
        doc: "The last month.",
        default: Default::Absent("ten years after the first, as Azure has it"),
        azure: &["properties.timePeriod.endDate"],
        example: "\"2030-12\"",
    },
    Field {
        path: "budget.thresholds",
        of: EVERY,
        kind: Type::List(&Type::Text(&THRESHOLD)),
        doc: "When somebody is told: a part of what is spent, or `forecast` and a part of what Azure expects for the \
              month. At most five.",
        default: Default::Same(
            "[\"80%\", \"100%\", \"forecast 100%\"]",
            "in time to do something, when it has happened, and before it does",
        ),
        azure: &["properties.notifications"],
        example: "[\"80%\", \"forecast 100%\"]",
    },
    Field {
        path: "budget.contacts",
        of: EVERY,
        kind: Type::List(&Type::Text(&rules::ANY)),
        doc: "Who is told.",
        default: Default::Absent("every `[contact.NAME]`; without any, the owners of the resource group"),
        azure: &["properties.notifications.*.contactEmails", "properties.notifications.*.contactGroups"],
        example: "[\"finance\"]",
    },
];

pub(crate) fn check(sense: &mut Sense<'_>) {
    let Some(node) = sense.root.get("budget") else { return };
    let Some(budget) = node.table() else { return };
    for (key, example) in [("amount", "\"2000 USD\""), ("from", "\"2026-11\"")] {
        if !budget.contains_key(key) {
            sense.missing(
                &node.key,
                format!("the budget has no `{key}`"),
                format!("such as `{key} = {example}`"),
            );
        }
    }
    if let Some(amount) = budget.get("amount")
        && amount.text().and_then(|text| Money::parse(text).ok()).is_some_and(|money| money.cents < 100)
    {
        let diagnostic = sense
            .problem(codes::BUDGET, &amount.span, "a budget of less than one is none")
            .help("leave `[budget]` out for no budget");
        sense.report(diagnostic);
    }
    let month = |key: &str| {
        let node = budget.get(key)?;
        Some((node, Month::parse(node.text()?).ok()?))
    };
    // Azure counts nothing before the service began.
    const FIRST: Month = Month { year: 2017, month: 6 };
    if let Some((node, _)) = month("from").filter(|(_, month)| *month < FIRST) {
        let diagnostic = sense
            .problem(codes::BUDGET, &node.span, format!("Azure has budgets since {FIRST}"))
            .help("write the month in which this one begins");
        sense.report(diagnostic);
    }
    if let (Some((from_node, from)), Some((to_node, to))) = (month("from"), month("to"))
        && to < from
    {
        let diagnostic = sense
            .problem(codes::BUDGET, &to_node.span, "the budget ends before it begins")
            .related(from_node.span.clone(), "it begins")
            .help("leave `to` out: it then lasts ten years");
        sense.report(diagnostic);
    }
    let thresholds = budget.get("thresholds").and_then(Node::list).unwrap_or_default();
    if let Some(sixth) = thresholds.get(THRESHOLDS_MAX) {
        let diagnostic = sense
            .problem(codes::BUDGET, &sixth.span, format!("a budget has at most {THRESHOLDS_MAX} thresholds"))
            .help("leave one out");
        sense.report(diagnostic);
    }
    let mut seen: Vec<(Threshold, &Node)> = Vec::new();
    for node in thresholds {
        let Some(threshold) = node.text().and_then(|text| Threshold::parse(text).ok()) else { continue };
        if let Some((_, first)) = seen.iter().find(|(known, _)| *known == threshold) {
            let diagnostic = sense
                .problem(codes::BUDGET, &node.span, "the threshold stands in the list twice")
                .related(first.span.clone(), "here already");
            sense.report(diagnostic);
        }
        seen.push((threshold, node));
    }
    for node in budget.get("contacts").and_then(Node::list).unwrap_or_default() {
        contact::known(sense, node);
    }
}
