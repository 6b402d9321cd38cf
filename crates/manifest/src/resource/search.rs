//! Azure AI Search.

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::codes;
use crate::fields::{Default, Field, Type};
use crate::sense::Sense;
use crate::service::Access;
use crate::tree::{Node, Table};

/// An Azure AI Search service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Search {
    /// Where it is, when not where the application is.
    pub region: Option<String>,
    /// Its size.
    pub sku: SearchSku,
    /// Copies: two for reads to go on, three for writes, too.
    pub replicas: u32,
    /// Parts of the data, each on a disk of its own.
    pub partitions: u32,
}

/// A search service's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchSku {
    /// 50 MB, shared; one in a subscription.
    Free,
    /// 15 GB.
    Basic,
    /// 160 GB a partition.
    Standard,
}

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "search",
    doc: "an Azure AI Search service",
    attributes: &[
        ("name", "its name in Azure"),
        ("id", "its resource id"),
        ("region", "where it is"),
        ("endpoint", "where it is reached, such as `https://srch-hello.search.windows.net`"),
    ],
    access: &[
        (Access::Read, "query its indexes (Search Index Data Reader)"),
        (Access::Write, "query and fill its indexes (Search Index Data Contributor)"),
    ],
    fields: FIELDS,
    check,
};

const OF: &[&str] = &["search"];

const FIELDS: &[Field] = &[
    Field {
        path: "resource.*.sku",
        of: OF,
        kind: Type::Choice(&[
            ("free", "50 MB on shared machines; one in a subscription"),
            ("basic", "15 GB, three replicas and partitions at most"),
            ("standard", "160 GB a partition, twelve replicas and partitions at most"),
        ]),
        doc: "Its size.",
        default: Default::Tiers(
            ["\"basic\"", "\"basic\"", "\"standard\""],
            "a free one is one in a subscription, and has no private endpoint",
        ),
        azure: &["sku.name"],
        example: "\"basic\"",
    },
    Field {
        path: "resource.*.replicas",
        of: OF,
        kind: Type::Integer { min: 1, max: 12 },
        doc: "Copies: with two, queries go on when one fails; with three, writes do, too.",
        default: Default::Tiers(["1", "1", "2"], "Azure's SLA for queries begins at two"),
        azure: &["properties.replicaCount"],
        example: "3",
    },
    Field {
        path: "resource.*.partitions",
        of: OF,
        kind: Type::Integer { min: 1, max: 12 },
        doc: "Parts of the data, each on a disk of its own: 1, 2, 3, 4, 6 or 12.",
        default: Default::Same("1", "one holds what most have"),
        azure: &["properties.partitionCount"],
        example: "2",
    },
];

fn check(sense: &mut Sense<'_>, name: &str, node: &Node, search: &Table) {
    let number = |key: &str| search.get(key).and_then(|node| Some((node, node.integer()?)));
    let sku = search.get("sku").and_then(|node| Some((node, node.text()?)));
    let most = match sku {
        Some((_, "free")) => 1,
        Some((_, "basic")) => 3,
        _ => 12,
    };
    for key in ["replicas", "partitions"] {
        if let (Some((node, count)), Some((sku, word))) = (number(key), sku)
            && count > most
        {
            sense.lacks(
                sku,
                node,
                format!("a {word} search service has at most {most} of them"),
                "take a greater `sku`",
            );
        }
    }
    if let Some((node, count)) = number("partitions")
        && ![1, 2, 3, 4, 6, 12].contains(&count)
    {
        let diagnostic = sense
            .problem(codes::NOT_OFFERED, &node.span, "there are 1, 2, 3, 4, 6 or 12 partitions")
            .help("take the next greater");
        sense.report(diagnostic);
    }
    if matches!(sku, Some((_, "free"))) {
        sense.reachable(search, "basic", "a free search service has no private endpoint: it stays reachable from the internet, by identity only");
    }
    sense.unused(name, node);
}
