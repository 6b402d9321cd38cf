//! Container registries.

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::codes;
use crate::fields::{Default, Field, Type};
use crate::rules;
use crate::sense::Sense;
use crate::service::Access;
use crate::tree::{Node, Table};
use crate::units::Days;

/// A container registry.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Registry {
    /// Its size and abilities.
    pub sku: RegistrySku,
    /// Whether its data is spread over the zones of its region.
    pub zones: bool,
    /// Further regions that it can be pulled from.
    pub replicas: Vec<String>,
    /// How long images without a tag stay; `None`: for ever.
    pub retention: Option<Days>,
}

/// A container registry's SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RegistrySku {
    /// 10 GiB included.
    Basic,
    /// 100 GiB included.
    Standard,
    /// 500 GiB included, private endpoints, replication.
    Premium,
}

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "registry",
    doc: "a container registry",
    attributes: &[
        ("name", "its name in Azure"),
        ("id", "its resource id"),
        ("region", "where it is"),
        ("server", "its login server, such as `crhello.azurecr.io`"),
    ],
    access: &[(Access::Pull, "pull images (AcrPull)"), (Access::Push, "pull and push images (AcrPush)")],
    fields: FIELDS,
    check,
};

const OF: &[&str] = &["registry"];

const FIELDS: &[Field] = &[
    Field {
        path: "resource.*.sku",
        of: &["registry"],
        kind: Type::Choice(&[
            ("basic", "10 GiB included"),
            ("standard", "100 GiB included"),
            ("premium", "500 GiB included, private endpoints, replication"),
        ]),
        doc: "The registry's SKU.",
        default: Default::Tiers(
            ["\"basic\"", "\"basic\"", "\"standard\""],
            "the cheapest holds the images of a small application; production pulls in parallel",
        ),
        azure: &["sku.name"],
        example: "\"basic\"",
    },
    Field {
        path: "resource.*.zones",
        of: OF,
        kind: Type::Boolean,
        doc: "Whether its data is spread over the zones of its region. With premium, and settled when it is made.",
        default: Default::Same("false", "it comes with premium"),
        azure: &["properties.zoneRedundancy"],
        example: "true",
    },
    Field {
        path: "resource.*.replicas",
        of: OF,
        kind: Type::List(&Type::Text(&rules::REGION)),
        doc: "Further regions that it can be pulled from. With premium.",
        default: Default::Same("[]", "every region costs as much as the first"),
        azure: &["Microsoft.ContainerRegistry/registries/replications"],
        example: "[\"southeastasia\"]",
    },
    Field {
        path: "resource.*.retention",
        of: OF,
        kind: Type::Days { min: 0, max: 365 },
        doc: "How long images without a tag stay. With premium.",
        default: Default::Absent("for ever"),
        azure: &["properties.policies.retentionPolicy"],
        example: "\"30d\"",
    },
    Field {
        path: "resource.*.trust",
        of: OF,
        kind: Type::Boolean,
        doc: "Content trust (Docker Notary): can no longer be turned on, so only `false` is taken.",
        default: Default::Absent("off"),
        azure: &["properties.policies.trustPolicy"],
        example: "false",
    },
    Field {
        path: "resource.*.quarantine",
        of: OF,
        kind: Type::Boolean,
        doc: "Quarantine of pushed images: a preview that nothing of Azure's lets images out of, so only `false` is taken.",
        default: Default::Absent("off"),
        azure: &["properties.policies.quarantinePolicy"],
        example: "false",
    },
];

fn check(sense: &mut Sense<'_>, _: &str, _: &Node, registry: &Table) {
    let sku = registry.get("sku").and_then(|node| Some((node, node.text()?)));
    if let Some((sku, word)) = sku.filter(|(_, word)| *word != "premium") {
        let zones = registry.get("zones").filter(|node| node.boolean() == Some(true));
        let replicas =
            registry.get("replicas").filter(|node| node.list().is_some_and(|list| !list.is_empty()));
        let lacks = [
            (zones, "zone redundancy"),
            (replicas, "replicas in other regions"),
            (registry.get("retention"), "retention of untagged images"),
        ];
        for (field, what) in lacks {
            let Some(field) = field else { continue };
            sense.lacks(sku, field, format!("a {word} registry has no {what}"), "write `sku = \"premium\"`");
        }
    }
    let on = |key: &str| registry.get(key).filter(|node| node.boolean() == Some(true));
    if let Some(trust) = on("trust") {
        let diagnostic = sense
            .problem(codes::RETIRED, &trust.span, "content trust cannot be turned on since 2026-05-31")
            .help("sign images with Notary Project (`notation`), and let admission check the signatures");
        sense.report(diagnostic);
    }
    if let Some(quarantine) = on("quarantine") {
        let diagnostic = sense
            .problem(
                codes::RETIRED,
                &quarantine.span,
                "quarantined images are let out by nobody: the preview ended without a service that does",
            )
            .help("scan images before they are pushed");
        sense.report(diagnostic);
    }
    sense.twice(registry, "replicas", "the region");
    let home = sense.root.get("region").and_then(Node::text);
    for node in registry.get("replicas").and_then(Node::list).unwrap_or_default() {
        if node.text().is_some() && node.text() == home {
            let diagnostic = sense
                .problem(codes::TWICE, &node.span, "the registry is in this region already")
                .help("leave it out");
            sense.report(diagnostic);
        }
    }
    sense.reachable(registry, "premium", "a registry of this SKU has no private endpoint: it stays reachable from the internet, by identity only");
}
