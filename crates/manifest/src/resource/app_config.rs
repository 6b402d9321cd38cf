//! App Configuration: settings and feature flags that change while the application runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::fields::{Default, Field, Type};
use crate::rules;
use crate::sense::Sense;
use crate::service::Access;
use crate::tree::{Node, Table};
use crate::units::Days;

/// An App Configuration store.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct AppConfig {
    /// What it can do.
    pub sku: AppConfigSku,
    /// How long a deleted store can be recovered; the free and developer ones are gone at once.
    pub soft_delete: Days,
    /// Settings by key.
    #[serde(default)]
    pub keys: BTreeMap<String, String>,
    /// Feature flags by name, and whether they are on.
    #[serde(default)]
    pub features: BTreeMap<String, bool>,
}

/// What a store can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AppConfigSku {
    /// A thousand requests a day; one in a subscription and region.
    Free,
    /// Like standard for one developer, without an SLA.
    Developer,
    /// Soft delete and thirty thousand requests an hour.
    Standard,
    /// No limit of requests, replicas included.
    Premium,
}

impl AppConfigSku {
    /// Azure's word.
    pub fn azure(self) -> &'static str {
        match self {
            AppConfigSku::Free => "free",
            AppConfigSku::Developer => "developer",
            AppConfigSku::Standard => "standard",
            AppConfigSku::Premium => "premium",
        }
    }
}

/// A key of a setting, or the name of a flag.
static KEY: rules::Rule = rules::Rule {
    pattern: Some("^[^%]+$"),
    length: 1..1000,
    check: |text| {
        let well_formed = !text.is_empty() && ![".", ".."].contains(&text) && !text.contains('%');
        match well_formed && !text.chars().any(char::is_control) {
            true => Ok(()),
            false => rules::fault(
                crate::codes::ENTRY_NAME,
                "a key has at least one character, no `%`, and is neither `.` nor `..`",
                "such as `api:page-size`",
            ),
        }
    },
};

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "app-config",
    doc: "an App Configuration store of settings and feature flags",
    attributes: &[
        ("name", "its name in Azure"),
        ("id", "its resource id"),
        ("region", "where it is"),
        ("endpoint", "where it is reached, such as `https://appcs-hello.azconfig.io`"),
    ],
    access: &[
        (Access::Read, "read settings and flags (App Configuration Data Reader)"),
        (Access::Write, "read and write settings and flags (App Configuration Data Owner)"),
    ],
    fields: FIELDS,
    check,
};

const OF: &[&str] = &["app-config"];

const FIELDS: &[Field] = &[
    Field {
        path: "resource.*.sku",
        of: OF,
        kind: Type::Choice(&[
            ("free", "a thousand requests a day; one in a subscription and region"),
            ("developer", "like standard for one developer, without an SLA"),
            ("standard", "soft delete and thirty thousand requests an hour"),
            ("premium", "no limit of requests"),
        ]),
        doc: "What it can do.",
        default: Default::Tiers(
            ["\"developer\"", "\"standard\"", "\"standard\""],
            "an SLA where somebody relies on it",
        ),
        azure: &["sku.name"],
        example: "\"standard\"",
    },
    Field {
        path: "resource.*.soft_delete",
        of: OF,
        kind: Type::Days { min: 1, max: 7 },
        doc: "How long a deleted store can be recovered, with standard and premium. Fixed once it exists.",
        default: Default::Tiers(
            ["\"1d\"", "\"1d\"", "\"7d\""],
            "the shortest that Azure has, and the longest",
        ),
        azure: &["properties.softDeleteRetentionInDays"],
        example: "\"7d\"",
    },
    Field {
        path: "resource.*.keys",
        of: OF,
        kind: Type::Map(&KEY, &Type::Text(&rules::ANY)),
        doc: "Settings by key. Whoever deploys them needs App Configuration Data Owner: Azure writes them in their name. \
              No secrets: these belong into a vault.",
        default: Default::Absent("settings are set elsewhere"),
        azure: &["keyValues"],
        example: "{ \"api:page-size\" = \"50\" }",
    },
    Field {
        path: "resource.*.features",
        of: OF,
        kind: Type::Map(&KEY, &Type::Boolean),
        doc: "Feature flags by name, and whether they are on.",
        default: Default::Absent("flags are set elsewhere"),
        azure: &["keyValues"],
        example: "{ multi-region = false }",
    },
];

fn check(sense: &mut Sense<'_>, name: &str, node: &Node, store: &Table) {
    let flags = store.get("features").and_then(Node::table);
    for (flag, node) in flags.into_iter().flatten() {
        if flag.contains([':', '/']) {
            let diagnostic = sense
                .problem(crate::codes::ENTRY_NAME, &node.key, "a feature flag's name has no `:` and no `/`")
                .help("such as `multi-region`");
            sense.report(diagnostic);
        }
    }
    if store.get("sku").and_then(Node::text) == Some("free") {
        sense.reachable(
            store,
            "standard",
            "a free store has no private endpoint: it stays reachable from the internet, by identity only",
        );
    }
    sense.unused(name, node);
}
