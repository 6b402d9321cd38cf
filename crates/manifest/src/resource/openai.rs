//! Azure OpenAI: deployments of models.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::codes;
use crate::fields::{Default, Field, Type};
use crate::rules;
use crate::sense::{Sense, entries};
use crate::service::Access;
use crate::tree::{Node, Table};

/// An Azure OpenAI account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct OpenAi {
    /// Where it is, when not where the application is.
    pub region: Option<String>,
    /// Deployments by name.
    #[serde(default)]
    pub deployments: BTreeMap<String, Deployment>,
}

/// A model that can be asked under a name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Deployment {
    /// The model.
    pub model: String,
    /// Its version; `None`: the one this version of Landfall knows, or Azure's default.
    pub version: Option<String>,
    /// How it is paid for, and where it computes.
    pub sku: DeploymentSku,
    /// Thousands of tokens a minute; of a provisioned deployment its units.
    pub capacity: u32,
    /// When Azure moves it to a newer version.
    pub upgrade: Upgrade,
}

impl Deployment {
    /// The version to deploy: what is said, or the one that is known to be good; `None` leaves it to Azure.
    pub fn version(&self) -> Option<&str> {
        let known = MODELS.iter().find(|(model, _)| *model == self.model).map(|(_, version)| *version);
        self.version.as_deref().or(known)
    }
}

/// How a deployment is paid for, and where it computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeploymentSku {
    /// By token, anywhere in the world.
    GlobalStandard,
    /// By token, within the data zone (the EU, the United States).
    DataZoneStandard,
    /// By token, in the account's region.
    Standard,
    /// By unit and hour, anywhere in the world.
    GlobalProvisioned,
    /// By unit and hour, in the account's region.
    Provisioned,
}

impl DeploymentSku {
    /// Azure's word.
    pub fn azure(self) -> &'static str {
        match self {
            DeploymentSku::GlobalStandard => "GlobalStandard",
            DeploymentSku::DataZoneStandard => "DataZoneStandard",
            DeploymentSku::Standard => "Standard",
            DeploymentSku::GlobalProvisioned => "GlobalProvisionedManaged",
            DeploymentSku::Provisioned => "ProvisionedManaged",
        }
    }
}

/// When Azure moves a deployment to a newer version of its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upgrade {
    /// When the version is retired.
    OnExpiry,
    /// As soon as there is a newer default.
    OnNewDefault,
    /// Never: the deployment stops with its version.
    Never,
}

impl Upgrade {
    /// Azure's word.
    pub fn azure(self) -> &'static str {
        match self {
            Upgrade::OnExpiry => "OnceCurrentVersionExpired",
            Upgrade::OnNewDefault => "OnceNewDefaultVersionAvailable",
            Upgrade::Never => "NoAutoUpgrade",
        }
    }
}

/// Models with the version that is deployed when none is said.
const MODELS: &[(&str, &str)] = &[
    ("gpt-5", "2025-08-07"),
    ("gpt-5-mini", "2025-08-07"),
    ("gpt-5-nano", "2025-08-07"),
    ("gpt-4.1", "2025-04-14"),
    ("gpt-4.1-mini", "2025-04-14"),
    ("gpt-4.1-nano", "2025-04-14"),
    ("o3", "2025-04-16"),
    ("o4-mini", "2025-04-16"),
    ("text-embedding-ada-002", "2"),
    ("text-embedding-3-small", "1"),
    ("text-embedding-3-large", "1"),
    ("whisper", "001"),
];

/// Models that can no longer be deployed, since when, and what took their place.
const RETIRED: &[(&str, &str, &str)] = &[
    ("gpt-4o", "2026-10-01", "gpt-4.1"),
    ("gpt-4o-mini", "2026-10-01", "gpt-4.1-mini"),
    ("gpt-4", "2025-11-11", "gpt-4.1"),
    ("gpt-4-32k", "2025-06-06", "gpt-4.1"),
    ("gpt-35-turbo", "2025-11-14", "gpt-4.1-mini"),
    ("gpt-3.5-turbo", "2025-11-14", "gpt-4.1-mini"),
];

/// A deployment's name.
static DEPLOYMENT: rules::Rule = rules::Rule {
    pattern: Some("^[A-Za-z0-9][A-Za-z0-9._-]*$"),
    length: 1..64,
    check: |text| {
        let end = |c: char| c.is_ascii_alphanumeric();
        match (1..=64).contains(&text.len())
            && text.starts_with(end)
            && text.ends_with(end)
            && text.chars().all(|c| end(c) || "._-".contains(c))
        {
            true => Ok(()),
            false => rules::fault(
                codes::ENTRY_NAME,
                "a deployment has 1 to 64 letters, digits, `.`, `-` and `_`, a letter or digit at both ends",
                "such as `chat`",
            ),
        }
    },
};

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "openai",
    doc: "an Azure OpenAI account with deployments of models",
    attributes: &[
        ("name", "its name in Azure"),
        ("id", "its resource id"),
        ("region", "where it is"),
        ("endpoint", "where it is asked, such as `https://oai-hello.openai.azure.com/`"),
    ],
    access: &[(Access::Call, "ask its models (Cognitive Services OpenAI User)")],
    fields: FIELDS,
    check,
};

const OF: &[&str] = &["openai"];

const FIELDS: &[Field] = &[
    Field {
        path: "resource.*.region",
        of: &["openai", "speech", "search"],
        kind: Type::Text(&rules::REGION),
        doc: "Where it is, when the application's region does not have it, or not the model.",
        default: Default::Absent("where the application is"),
        azure: &["location"],
        example: "\"swedencentral\"",
    },
    Field {
        path: "resource.*.deployments",
        of: OF,
        kind: Type::Named(&DEPLOYMENT),
        doc: "Models that can be asked, each under the name that a client asks for.",
        default: Default::Absent("none: nothing can be asked"),
        azure: &["Microsoft.CognitiveServices/accounts/deployments"],
        example: "{ chat = { model = \"gpt-4.1\", capacity = 120 } }",
    },
    Field {
        path: "resource.*.deployments.*",
        of: OF,
        kind: Type::Table,
        doc: "A model under a name.",
        default: Default::Absent("no such deployment"),
        azure: &["Microsoft.CognitiveServices/accounts/deployments"],
        example: "{ model = \"gpt-4.1-mini\", capacity = 200 }",
    },
    Field {
        path: "resource.*.deployments.*.model",
        of: OF,
        kind: Type::Text(&rules::ANY),
        doc: "The model. Retired ones are refused, with what took their place.",
        default: Default::Same("\"gpt-4.1-mini\"", "quick, cheap and good enough for most"),
        azure: &["properties.model.name"],
        example: "\"gpt-4.1\"",
    },
    Field {
        path: "resource.*.deployments.*.version",
        of: OF,
        kind: Type::Text(&rules::ANY),
        doc: "The model's version.",
        default: Default::Absent("the one that Landfall knows of the model; of others, Azure's default"),
        azure: &["properties.model.version"],
        example: "\"2025-04-14\"",
    },
    Field {
        path: "resource.*.deployments.*.sku",
        of: OF,
        kind: Type::Choice(&[
            ("global-standard", "by token, anywhere in the world"),
            ("data-zone-standard", "by token, within the data zone: the EU, the United States"),
            ("standard", "by token, in the account's region"),
            ("global-provisioned", "by unit and hour, anywhere in the world"),
            ("provisioned", "by unit and hour, in the account's region"),
        ]),
        doc: "How it is paid for, and where it computes.",
        default: Default::Same("\"global-standard\"", "the greatest quota and the lowest price"),
        azure: &["sku.name"],
        example: "\"data-zone-standard\"",
    },
    Field {
        path: "resource.*.deployments.*.capacity",
        of: OF,
        kind: Type::Integer { min: 1, max: 1_000_000 },
        doc: "Thousands of tokens a minute (of a provisioned deployment its units). Requests a minute follow from it: \
              six for each thousand tokens of most models.",
        default: Default::Tiers(["10", "10", "120"], "a quota is shared by the whole subscription"),
        azure: &["sku.capacity"],
        example: "120",
    },
    Field {
        path: "resource.*.deployments.*.upgrade",
        of: OF,
        kind: Type::Choice(&[
            ("on-expiry", "when its version is retired"),
            ("on-new-default", "as soon as there is a newer default"),
            ("never", "never: it stops with its version"),
        ]),
        doc: "When Azure moves it to a newer version of the model.",
        default: Default::Same("\"on-expiry\"", "answers change only when they have to"),
        azure: &["properties.versionUpgradeOption"],
        example: "\"never\"",
    },
];

fn check(sense: &mut Sense<'_>, name: &str, node: &Node, account: &Table) {
    for (_, _, deployment) in entries(account, "deployments") {
        let Some((model_node, model)) = deployment.get("model").and_then(|node| Some((node, node.text()?)))
        else {
            continue;
        };
        if let Some((_, since, successor)) = RETIRED.iter().find(|(retired, _, _)| *retired == model) {
            let diagnostic = sense
                .problem(
                    codes::RETIRED,
                    &model_node.span,
                    format!("`{model}` cannot be deployed since {since}"),
                )
                .help(format!("`{successor}` took its place: `model = \"{successor}\"`"));
            sense.report(diagnostic);
        } else if model.trim().is_empty() || model.contains(char::is_whitespace) {
            let diagnostic = sense
                .problem(codes::NOT_A_CHOICE, &model_node.span, "this is no name of a model")
                .help("such as \"gpt-4.1\" or \"text-embedding-3-small\"");
            sense.report(diagnostic);
        }
    }
    sense.unused(name, node);
}
