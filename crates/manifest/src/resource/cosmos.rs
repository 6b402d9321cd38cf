//! Cosmos DB for NoSQL: databases with containers of JSON documents.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Kind, duration};
use crate::codes;
use crate::fields::{Default, Field, Type};
use crate::rules;
use crate::sense::{Sense, entries};
use crate::service::Access;
use crate::tree::{Node, Table};
use crate::units::Duration;

/// A Cosmos DB account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Cosmos {
    /// Paid for by request, or by throughput.
    pub capacity: Capacity,
    /// How far readers may lag behind.
    pub consistency: Consistency,
    /// What is kept to restore from.
    pub backup: CosmosBackup,
    /// Whether the copies of a region are spread over its zones.
    pub zones: bool,
    /// Further regions, in the order in which they take over.
    pub regions: Vec<String>,
    /// Databases by name.
    #[serde(default)]
    pub databases: BTreeMap<String, CosmosDatabase>,
}

/// What an account is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Capacity {
    /// Requests.
    Serverless,
    /// Throughput, whether used or not.
    Provisioned,
}

/// How far readers may lag behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// Not at all.
    Strong,
    /// By a bounded number of writes and time.
    BoundedStaleness,
    /// A client sees what it wrote.
    Session,
    /// In order.
    ConsistentPrefix,
    /// Some time.
    Eventual,
}

impl Consistency {
    /// Azure's word.
    pub fn azure(self) -> &'static str {
        match self {
            Consistency::Strong => "Strong",
            Consistency::BoundedStaleness => "BoundedStaleness",
            Consistency::Session => "Session",
            Consistency::ConsistentPrefix => "ConsistentPrefix",
            Consistency::Eventual => "Eventual",
        }
    }
}

/// What is kept to restore from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum CosmosBackup {
    /// A copy every four hours, of the last eight.
    #[serde(rename = "periodic")]
    Periodic,
    /// Any second of a week.
    #[serde(rename = "continuous-7d")]
    Continuous7d,
    /// Any second of thirty days.
    #[serde(rename = "continuous-30d")]
    Continuous30d,
}

/// A database.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct CosmosDatabase {
    /// Request units a second that its containers share.
    pub throughput: Option<u32>,
    /// The most that its containers' shared throughput scales to.
    pub autoscale: Option<u32>,
    /// Containers by name.
    #[serde(default)]
    pub containers: BTreeMap<String, CosmosContainer>,
}

/// A container of documents.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct CosmosContainer {
    /// The paths whose values decide where a document lies.
    pub partition: Vec<String>,
    /// After which time a document is gone; `None`: it stays, and cannot say otherwise itself.
    pub ttl: Option<Duration>,
    /// Paths whose values are unique within a partition.
    pub unique: Vec<String>,
    /// Request units a second.
    pub throughput: Option<u32>,
    /// The most that its throughput scales to.
    pub autoscale: Option<u32>,
}

/// A database's or container's name.
static NAME: rules::Rule = rules::Rule {
    pattern: Some("^[^/\\\\#?]+$"),
    length: 1..255,
    check: |text| {
        let well_formed = (1..=255).contains(&text.chars().count())
            && !text.chars().any(|c| "/\\#?".contains(c) || c.is_control())
            && !text.ends_with(' ');
        match well_formed {
            true => Ok(()),
            false => rules::fault(
                codes::ENTRY_NAME,
                "a database or container has 1 to 255 characters without `/`, `\\`, `#` and `?`",
                "such as `deployments`",
            ),
        }
    },
};

/// A path in a document.
static PATH: rules::Rule = rules::Rule {
    pattern: Some("^/.+$"),
    length: 2..255,
    check: |text| match text.starts_with('/') && text.len() > 1 && !text.ends_with('/') {
        true => Ok(()),
        false => rules::fault(
            codes::ENTRY_NAME,
            "a path in a document begins with `/`, such as \"/tenantId\"",
            format!("write \"/{}\"", rules::short(text.trim_matches('/').trim_start_matches("$."))),
        ),
    },
};

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "cosmos",
    doc: "a Cosmos DB account (NoSQL)",
    attributes: &[
        ("name", "its name in Azure"),
        ("id", "its resource id"),
        ("region", "where it is"),
        ("endpoint", "where it is reached, such as `https://cosmos-hello.documents.azure.com:443/`"),
    ],
    access: &[
        (Access::Read, "read documents (Cosmos DB Built-in Data Reader)"),
        (Access::Write, "read and write documents (Cosmos DB Built-in Data Contributor)"),
    ],
    fields: FIELDS,
    check,
};

const OF: &[&str] = &["cosmos"];
const UNITS: Type = Type::Integer { min: 400, max: 1_000_000 };
const SCALED: Type = Type::Integer { min: 1000, max: 1_000_000 };

const FIELDS: &[Field] = &[
    Field {
        path: "resource.*.capacity",
        of: OF,
        kind: Type::Choice(&[
            ("serverless", "paid for by request; one region"),
            ("provisioned", "paid for by throughput, whether used or not"),
        ]),
        doc: "What it is paid for. Fixed once it exists.",
        default: Default::Tiers(
            ["\"serverless\"", "\"serverless\"", "\"provisioned\""],
            "what is tried out is mostly idle; production has several regions and a steady load",
        ),
        azure: &["properties.capabilities"],
        example: "\"serverless\"",
    },
    Field {
        path: "resource.*.consistency",
        of: OF,
        kind: Type::Choice(&[
            ("strong", "every reader sees the last write"),
            ("bounded-staleness", "readers lag by at most so many writes and seconds"),
            ("session", "a client sees what it wrote"),
            ("consistent-prefix", "readers see writes in order"),
            ("eventual", "readers see writes some time"),
        ]),
        doc: "How far readers may lag behind writers.",
        default: Default::Same(
            "\"session\"",
            "what most applications expect, at half the price of stronger ones",
        ),
        azure: &["properties.consistencyPolicy.defaultConsistencyLevel"],
        example: "\"strong\"",
    },
    Field {
        path: "resource.*.backup",
        of: OF,
        kind: Type::Choice(&[
            ("periodic", "a copy every four hours, of the last eight; restored by Azure's support"),
            ("continuous-7d", "any second of the last week"),
            ("continuous-30d", "any second of the last thirty days"),
        ]),
        doc: "What is kept to restore from.",
        default: Default::Tiers(
            ["\"continuous-7d\"", "\"continuous-7d\"", "\"continuous-30d\""],
            "a week costs nothing; production notices later",
        ),
        azure: &["properties.backupPolicy"],
        example: "\"continuous-30d\"",
    },
    Field {
        path: "resource.*.zones",
        of: OF,
        kind: Type::Boolean,
        doc: "Whether the copies of a region are spread over its zones.",
        default: Default::Tiers(["false", "false", "true"], "production survives the loss of a zone"),
        azure: &["properties.locations[].isZoneRedundant"],
        example: "true",
    },
    Field {
        path: "resource.*.regions",
        of: OF,
        kind: Type::List(&Type::Text(&rules::REGION)),
        doc: "Further regions, in the order in which they take over.",
        default: Default::Same("[]", "every region costs as much as the first"),
        azure: &["properties.locations"],
        example: "[\"northeurope\"]",
    },
    Field {
        path: "resource.*.databases",
        of: OF,
        kind: Type::Named(&NAME),
        doc: "Databases, each under a name. The only one is what services find in their environment.",
        default: Default::Absent("none"),
        azure: &["Microsoft.DocumentDB/databaseAccounts/sqlDatabases"],
        example: "{ deployments = { containers = { states = { partition = [\"/projectId\"] } } } }",
    },
    Field {
        path: "resource.*.databases.*",
        of: OF,
        kind: Type::Table,
        doc: "A database.",
        default: Default::Absent("no such database"),
        azure: &["Microsoft.DocumentDB/databaseAccounts/sqlDatabases"],
        example: "{ throughput = 400 }",
    },
    Field {
        path: "resource.*.databases.*.throughput",
        of: OF,
        kind: UNITS,
        doc: "Request units a second that its containers share, in hundreds.",
        default: Default::Absent("its containers have their own"),
        azure: &["properties.options.throughput"],
        example: "400",
    },
    Field {
        path: "resource.*.databases.*.autoscale",
        of: OF,
        kind: SCALED,
        doc: "The most that its containers' shared throughput scales to, in thousands; a tenth of it is the least.",
        default: Default::Absent("it does not scale"),
        azure: &["properties.options.autoscaleSettings.maxThroughput"],
        example: "4000",
    },
    Field {
        path: "resource.*.databases.*.containers",
        of: OF,
        kind: Type::Named(&NAME),
        doc: "Containers of documents, each under a name.",
        default: Default::Absent("none"),
        azure: &["Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers"],
        example: "{ states = { partition = [\"/projectId\"], ttl = \"90d\" } }",
    },
    Field {
        path: "resource.*.databases.*.containers.*",
        of: OF,
        kind: Type::Table,
        doc: "A container of documents.",
        default: Default::Absent("no such container"),
        azure: &["Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers"],
        example: "{ partition = [\"/projectId\"] }",
    },
    Field {
        path: "resource.*.databases.*.containers.*.partition",
        of: OF,
        kind: Type::List(&Type::Text(&PATH)),
        doc: "The path whose values decide where a document lies; up to three, from the widest to the narrowest. Fixed once it exists.",
        default: Default::Same("[\"/id\"]", "every document by itself spreads evenly"),
        azure: &["properties.resource.partitionKey"],
        example: "[\"/tenantId\", \"/userId\"]",
    },
    Field {
        path: "resource.*.databases.*.containers.*.ttl",
        of: OF,
        kind: Type::Text(&rules::DURATION),
        doc: "After which time without a change a document is gone.",
        default: Default::Absent("documents stay"),
        azure: &["properties.resource.defaultTtl"],
        example: "\"90d\"",
    },
    Field {
        path: "resource.*.databases.*.containers.*.unique",
        of: OF,
        kind: Type::List(&Type::Text(&PATH)),
        doc: "Paths whose values are unique within a partition. Fixed once it exists.",
        default: Default::Same("[]", "only the id is unique"),
        azure: &["properties.resource.uniqueKeyPolicy"],
        example: "[\"/email\"]",
    },
    Field {
        path: "resource.*.databases.*.containers.*.throughput",
        of: OF,
        kind: UNITS,
        doc: "Request units a second, in hundreds.",
        default: Default::Absent("its share of the database's, or 400"),
        azure: &["properties.options.throughput"],
        example: "400",
    },
    Field {
        path: "resource.*.databases.*.containers.*.autoscale",
        of: OF,
        kind: SCALED,
        doc: "The most that its throughput scales to, in thousands; a tenth of it is the least.",
        default: Default::Absent("it does not scale"),
        azure: &["properties.options.autoscaleSettings.maxThroughput"],
        example: "4000",
    },
];

fn check(sense: &mut Sense<'_>, name: &str, node: &Node, account: &Table) {
    let capacity = account.get("capacity").filter(|node| node.text() == Some("serverless"));
    let regions = account.get("regions").filter(|node| node.list().is_some_and(|list| !list.is_empty()));
    if let (Some(serverless), Some(regions)) = (capacity, regions) {
        let help = "write `capacity = \"provisioned\"`";
        sense.lacks(serverless, regions, "a serverless account has one region", help);
    }
    for (_, _, database) in entries(account, "databases") {
        throughput(sense, capacity, database);
        for (_, _, container) in entries(database, "containers") {
            throughput(sense, capacity, container);
            sense.twice(container, "partition", "the path");
            if let Some(node) = container.get("partition")
                && let Some(paths) = node.list()
                && !(1..=3).contains(&paths.len())
            {
                let diagnostic = sense
                    .problem(
                        codes::NOT_OFFERED,
                        &node.span,
                        "a container is parted by one path, or by up to three",
                    )
                    .help("such as `partition = [\"/tenantId\"]`");
                sense.report(diagnostic);
            }
            if let Some((node, time)) = container.get("ttl").and_then(|node| Some((node, duration(node)?)))
                && time.seconds == 0
            {
                let diagnostic = sense
                    .problem(codes::OUT_OF_RANGE, &node.span, "a document stays for a second at least")
                    .help("leave `ttl` out for documents to stay");
                sense.report(diagnostic);
            }
        }
    }
    sense.unused(name, node);
}

fn throughput(sense: &mut Sense<'_>, serverless: Option<&Node>, table: &Table) {
    let (fixed, scaled) = (table.get("throughput"), table.get("autoscale"));
    if let (Some(fixed), Some(scaled)) = (fixed, scaled) {
        sense.lacks(
            fixed,
            scaled,
            "throughput is fixed, or it scales",
            "keep one of `throughput` and `autoscale`",
        );
        return;
    }
    for (node, step) in [(fixed, 100), (scaled, 1000)] {
        let Some(node) = node else { continue };
        if let Some(serverless) = serverless {
            sense.lacks(
                serverless,
                node,
                "a serverless account has no throughput to set",
                "leave it out, or write `capacity = \"provisioned\"`",
            );
        } else if let Some(units) = node.integer().filter(|units| units % step != 0) {
            let next = (units / step + 1) * step;
            let diagnostic = sense
                .problem(codes::NOT_OFFERED, &node.span, format!("throughput comes in steps of {step}"))
                .help(format!("the next is {next}"));
            sense.report(diagnostic);
        }
    }
}
