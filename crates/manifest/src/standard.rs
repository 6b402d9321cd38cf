//! `[standard]`: which rules apply, and which do not for now.

use serde::{Deserialize, Serialize};

use crate::codes;
use crate::fields::{Default, EVERY, Field, Type};
use crate::rules;
use crate::sense::Sense;
use crate::tree::Node;
use crate::units::Date;

/// Which rules apply.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Standard {
    /// The set of rules.
    pub profile: Profile,
    /// What a finding has to be to stop a deployment.
    pub stops: Stops,
    /// Files with rules of the house's own, relative to the manifest's folder.
    #[serde(default)]
    pub rules: Vec<String>,
    /// Rules that do not apply for now.
    #[serde(default)]
    pub waive: Vec<Waiver>,
}

/// A set of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// What every reviewer would say.
    Baseline,
    /// The house standard for App Service.
    #[serde(rename = "app-service-14b")]
    AppService14b,
    /// For Container Apps.
    ContainerApps,
    /// For clusters.
    Aks,
}

/// What a finding has to be to stop a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stops {
    /// None does.
    Nothing,
    /// An error.
    Errors,
    /// A warning, too.
    Warnings,
}

/// A rule that does not apply for now.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Waiver {
    /// The rule's id.
    pub rule: String,
    /// What it does not apply to; none: nothing of it.
    pub of: Option<String>,
    /// Why not.
    pub why: String,
    /// The last day on which it does not. Whoever asks compares it with today: this room has no clock.
    pub until: Date,
}

pub(crate) const FIELDS: &[Field] = &[
    Field {
        path: "standard",
        of: EVERY,
        kind: Type::Table,
        doc: "Which rules apply, and which do not for now.",
        default: Default::Fields("the defaults of its fields"),
        azure: &[],
        example: "{ profile = \"container-apps\" }",
    },
    Field {
        path: "standard.profile",
        of: EVERY,
        kind: Type::Choice(&[
            ("baseline", "what every reviewer would say"),
            ("app-service-14b", "the house standard for App Service, with the baseline"),
            ("container-apps", "for Container Apps, with the baseline"),
            ("aks", "for clusters, with the baseline"),
        ]),
        doc: "The set of rules.",
        default: Default::Same("\"baseline\"", "what holds for everybody"),
        azure: &[],
        example: "\"container-apps\"",
    },
    Field {
        path: "standard.stops",
        of: EVERY,
        kind: Type::Choice(&[
            ("nothing", "findings are told and nothing else"),
            ("errors", "an error stops a deployment"),
            ("warnings", "a warning does, too"),
        ]),
        doc: "What a finding has to be to stop a deployment.",
        default: Default::Tiers(
            ["\"nothing\"", "\"errors\"", "\"errors\""],
            "one may try out what one would not let run",
        ),
        azure: &[],
        example: "\"warnings\"",
    },
    Field {
        path: "standard.rules",
        of: EVERY,
        kind: Type::List(&Type::Text(&rules::FOLDER)),
        doc: "Files with rules of the house's own, relative to the manifest's folder.",
        default: Default::Absent("none but Landfall's"),
        azure: &[],
        example: "[\"rules/house.toml\"]",
    },
    Field {
        path: "standard.waive",
        of: EVERY,
        kind: Type::Tables,
        doc: "Rules that do not apply for now, each with its reason and its end.",
        default: Default::Absent("all rules apply"),
        azure: &[],
        example: "[{ rule = \"LFS1001\", why = \"moves to the private network\", until = \"2027-03-31\" }]",
    },
    Field {
        path: "standard.waive[].rule",
        of: EVERY,
        kind: Type::Text(&rules::RULE_ID),
        doc: "The rule's id.",
        default: Default::Required,
        azure: &[],
        example: "\"LFS1001\"",
    },
    Field {
        path: "standard.waive[].of",
        of: EVERY,
        kind: Type::Text(&rules::NOTE),
        doc: "What it does not apply to: an address such as `storage.store`, or a place such as `service.web`.",
        default: Default::Absent("nothing of the application"),
        azure: &[],
        example: "\"storage.store\"",
    },
    Field {
        path: "standard.waive[].why",
        of: EVERY,
        kind: Type::Text(&rules::REASON),
        doc: "Why it does not apply.",
        default: Default::Required,
        azure: &[],
        example: "\"moves to the private network with release 3\"",
    },
    Field {
        path: "standard.waive[].until",
        of: EVERY,
        kind: Type::Text(&rules::DATE),
        doc: "The last day on which it does not apply. From the next day on it is an error that it is still here.",
        default: Default::Required,
        azure: &[],
        example: "\"2027-03-31\"",
    },
];

pub(crate) fn check(sense: &mut Sense<'_>) {
    let Some(standard) = sense.root.get("standard").and_then(Node::table) else { return };
    let mut seen: Vec<((&str, Option<&str>), &Node)> = Vec::new();
    for waiver in standard.get("waive").and_then(Node::list).unwrap_or_default() {
        let Some(table) = waiver.table() else { continue };
        for (key, example) in [
            ("rule", "rule = \"LFS1001\""),
            ("why", "why = \"moves to the private network\""),
            ("until", "until = \"2027-03-31\""),
        ] {
            if !table.contains_key(key) {
                sense.missing(
                    &waiver.span,
                    format!("the waiver has no `{key}`"),
                    format!("such as `{example}`"),
                );
            }
        }
        let Some(rule) = table.get("rule") else { continue };
        let text = |key: &str| table.get(key).and_then(Node::text);
        let Some(id) = rule.text() else { continue };
        let key = (id, text("of"));
        if let Some((_, first)) = seen.iter().find(|(known, _)| *known == key) {
            let diagnostic = sense
                .problem(codes::WAIVER, &rule.span, format!("`{id}` is waived twice"))
                .related(first.span.clone(), "here already")
                .help("keep the one that ends first");
            sense.report(diagnostic);
        }
        seen.push((key, rule));
    }
}
