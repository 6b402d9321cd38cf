//! PostgreSQL servers (Azure Database for PostgreSQL, flexible server).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Kind, duration, one_of_words, size};
use crate::codes;
use crate::fields::{Default, Field, Type};
use crate::rules;
use crate::sense::Sense;
use crate::service::Access;
use crate::suggest;
use crate::tree::{Node, Table};
use crate::units::{Days, Duration, Size};

/// A PostgreSQL server with its databases.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Postgres {
    /// The major version: `17`.
    pub version: String,
    /// The size without Azure's `Standard_`: `B2ms`, `D4ds_v5`.
    pub sku: String,
    /// The disk.
    pub storage: Size,
    /// Whether the disk grows before it is full.
    pub autogrow: bool,
    /// Whether a standby takes over, and where it stands.
    pub ha: Standby,
    /// What is kept to restore from.
    pub backup: PostgresBackup,
    /// The connection pooler in front; `None`: none.
    pub pooler: Option<Pooler>,
    /// Server parameters by name.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Databases; the first is what services find in their environment.
    pub databases: Vec<String>,
    /// Read replicas in the same region.
    pub replicas: u32,
    /// Address ranges let in from outside, where the server is not in a network.
    pub allow: Vec<String>,
}

impl Postgres {
    /// The tier of the size.
    pub fn tier(&self) -> PostgresTier {
        tier(&self.sku).unwrap_or(PostgresTier::GeneralPurpose)
    }
}

/// A family of sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostgresTier {
    /// Shared processors, for what is mostly idle.
    Burstable,
    /// Four gibibytes of memory per core.
    GeneralPurpose,
    /// Eight gibibytes of memory per core.
    MemoryOptimized,
}

impl PostgresTier {
    /// Azure's word.
    pub fn azure(self) -> &'static str {
        match self {
            PostgresTier::Burstable => "Burstable",
            PostgresTier::GeneralPurpose => "GeneralPurpose",
            PostgresTier::MemoryOptimized => "MemoryOptimized",
        }
    }
}

/// Where a standby stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standby {
    /// There is none.
    None,
    /// In another zone.
    Zone,
    /// In the same zone.
    SameZone,
}

/// What is kept to restore from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct PostgresBackup {
    /// How far back: 7 to 35 days.
    pub days: Days,
    /// Whether copies are kept in the paired region.
    pub geo: bool,
}

/// PgBouncer, on port 6432 of the same host.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Pooler {
    /// For how long a client keeps a connection to the server.
    pub mode: PoolMode,
    /// Connections to the server per user and database.
    pub size: u32,
    /// Of these, kept open without clients.
    pub min: u32,
    /// How long an unused connection to the server stays open.
    pub idle: Duration,
}

/// For how long a client keeps a connection to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PoolMode {
    /// Until it disconnects.
    Session,
    /// For a transaction.
    Transaction,
    /// For a statement.
    Statement,
}

impl PoolMode {
    /// PgBouncer's word.
    pub fn as_str(self) -> &'static str {
        match self {
            PoolMode::Session => "session",
            PoolMode::Transaction => "transaction",
            PoolMode::Statement => "statement",
        }
    }
}

/// Series of sizes with a `#` for the cores, their tier, and how many cores they come with
/// (learn.microsoft.com/azure/postgresql/flexible-server/concepts-compute).
const SERIES: &[(&str, PostgresTier, &[u32])] = &[
    ("B#ms", PostgresTier::Burstable, &[1, 2, 4, 8, 12, 16, 20]),
    ("B#s", PostgresTier::Burstable, &[2]),
    ("D#s_v3", PostgresTier::GeneralPurpose, &[2, 4, 8, 16, 32, 48, 64]),
    ("D#ds_v4", PostgresTier::GeneralPurpose, &[2, 4, 8, 16, 32, 48, 64]),
    ("D#ds_v5", PostgresTier::GeneralPurpose, &[2, 4, 8, 16, 32, 48, 64, 96]),
    ("D#ads_v5", PostgresTier::GeneralPurpose, &[2, 4, 8, 16, 32, 48, 64, 96]),
    ("D#ds_v6", PostgresTier::GeneralPurpose, &[2, 4, 8, 16, 32, 48, 64, 96]),
    ("D#ads_v6", PostgresTier::GeneralPurpose, &[2, 4, 8, 16, 32, 48, 64, 96]),
    ("E#s_v3", PostgresTier::MemoryOptimized, &[2, 4, 8, 16, 20, 32, 48, 64]),
    ("E#ds_v4", PostgresTier::MemoryOptimized, &[2, 4, 8, 16, 20, 32, 48, 64]),
    ("E#ds_v5", PostgresTier::MemoryOptimized, &[2, 4, 8, 16, 20, 32, 48, 64, 96]),
    ("E#ads_v5", PostgresTier::MemoryOptimized, &[2, 4, 8, 16, 20, 32, 48, 64, 96]),
    ("E#ds_v6", PostgresTier::MemoryOptimized, &[2, 4, 8, 16, 20, 32, 48, 64, 96]),
    ("E#ads_v6", PostgresTier::MemoryOptimized, &[2, 4, 8, 16, 20, 32, 48, 64, 96]),
];

/// Sizes of the disk, in gibibytes.
const DISKS: &[u64] = &[32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384];

fn skus() -> impl Iterator<Item = (String, PostgresTier)> {
    SERIES.iter().flat_map(|(series, tier, cores)| {
        cores.iter().map(move |cores| (series.replace('#', &cores.to_string()), *tier))
    })
}

fn tier(sku: &str) -> Option<PostgresTier> {
    skus().find(|(known, _)| known == sku).map(|(_, tier)| tier)
}

/// A size of a server.
static SKU: rules::Rule = rules::Rule {
    pattern: Some("^[BDE][0-9]+[a-z]+(_v[0-9])?$"),
    length: 3..20,
    check: |text| {
        let known: Vec<String> = skus().map(|(sku, _)| sku).collect();
        let usual = "such as \"B2ms\", \"D4ds_v5\" or \"E8ds_v5\"";
        one_of_words("size of a PostgreSQL server", text.trim_start_matches("Standard_"), text, &known, usual)
    },
};

/// A database's name.
static DATABASE: rules::Rule = rules::Rule {
    pattern: Some("^[A-Za-z_][A-Za-z0-9_-]{0,62}$"),
    length: 1..63,
    check: |text| {
        let well_formed = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.len() <= 63
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        match (
            well_formed,
            ["postgres", "azure_maintenance", "azure_sys", "template0", "template1"].contains(&text),
        ) {
            (true, false) => Ok(()),
            (true, true) => rules::fault(
                codes::ENTRY_NAME,
                format!("the database `{text}` is the server's own"),
                "leave it out, or choose another name",
            ),
            (false, _) => rules::fault(
                codes::ENTRY_NAME,
                "a database's name begins with a letter or `_` and has letters, digits, `_` and `-`, 63 at most",
                "such as \"app\"",
            ),
        }
    },
};

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "postgres",
    doc: "a PostgreSQL server",
    attributes: &[
        ("name", "its name in Azure"),
        ("id", "its resource id"),
        ("region", "where it is"),
        ("host", "its host name, such as `psql-hello.postgres.database.azure.com`"),
        ("port", "5432, or the pooler's 6432"),
        ("database", "the first of its databases"),
    ],
    access: &[(
        Access::Write,
        "sign in as a Microsoft Entra administrator of the server: what is finer is for GRANT to say, in the database",
    )],
    fields: FIELDS,
    check,
};

const OF: &[&str] = &["postgres"];

const FIELDS: &[Field] = &[
    Field {
        path: "resource.*.version",
        of: OF,
        kind: Type::Choice(&[
            ("18", "PostgreSQL 18"),
            ("17", "PostgreSQL 17"),
            ("16", "PostgreSQL 16"),
            ("15", "PostgreSQL 15"),
            ("14", "PostgreSQL 14"),
        ]),
        doc: "The major version.",
        default: Default::Same("\"17\"", "a version that extensions and drivers have caught up with"),
        azure: &["properties.version"],
        example: "\"16\"",
    },
    Field {
        path: "resource.*.sku",
        of: OF,
        kind: Type::Text(&SKU),
        doc: "The size, without Azure's `Standard_`: B is burstable, D has four and E eight gibibytes of memory per \
              core.",
        default: Default::Tiers(
            ["\"B2ms\"", "\"D2ds_v5\"", "\"D4ds_v5\""],
            "burstable to try out; staging is of production's kind, so that it shows what production will do",
        ),
        azure: &["sku.name", "sku.tier"],
        example: "\"D4ds_v5\"",
    },
    Field {
        path: "resource.*.storage",
        of: OF,
        kind: Type::Text(&rules::SIZE),
        doc: "The disk: 32Gi to 16Ti, each twice the one before. It can grow, and never shrinks.",
        default: Default::Tiers(["\"32Gi\"", "\"32Gi\"", "\"128Gi\""], "larger disks are faster"),
        azure: &["properties.storage.storageSizeGB"],
        example: "\"256Gi\"",
    },
    Field {
        path: "resource.*.autogrow",
        of: OF,
        kind: Type::Boolean,
        doc: "Whether the disk grows before it is full.",
        default: Default::Same("true", "a full disk makes the server read-only"),
        azure: &["properties.storage.autoGrow"],
        example: "true",
    },
    Field {
        path: "resource.*.ha",
        of: OF,
        kind: Type::Choice(&[
            ("none", "no standby: a failed server is restarted within minutes"),
            ("zone", "a standby in another zone takes over without loss"),
            ("same-zone", "a standby in the same zone takes over without loss"),
        ]),
        doc: "Whether a standby takes over, and where it stands. Burstable servers have none.",
        default: Default::Tiers(
            ["\"none\"", "\"none\"", "\"zone\""],
            "a standby costs as much as the server; production survives the loss of a zone",
        ),
        azure: &["properties.highAvailability.mode"],
        example: "\"zone\"",
    },
    Field {
        path: "resource.*.backup",
        of: OF,
        kind: Type::Table,
        doc: "What is kept to restore from, to any second.",
        default: Default::Fields("the defaults of its fields"),
        azure: &["properties.backup"],
        example: "{ days = \"35d\", geo = true }",
    },
    Field {
        path: "resource.*.backup.days",
        of: OF,
        kind: Type::Days { min: 7, max: 35 },
        doc: "How far back.",
        default: Default::Tiers(
            ["\"7d\"", "\"7d\"", "\"35d\""],
            "the shortest that Azure has, and the longest",
        ),
        azure: &["properties.backup.backupRetentionDays"],
        example: "\"35d\"",
    },
    Field {
        path: "resource.*.backup.geo",
        of: OF,
        kind: Type::Boolean,
        doc: "Whether copies are kept in the paired region. Settled when the server is made.",
        default: Default::Tiers(["false", "false", "true"], "production survives the loss of its region"),
        azure: &["properties.backup.geoRedundantBackup"],
        example: "true",
    },
    Field {
        path: "resource.*.pooler",
        of: OF,
        kind: Type::Table,
        doc: "The connection pooler (PgBouncer) in front of the server, on port 6432. Burstable servers have none.",
        default: Default::Absent("services connect to the server itself"),
        azure: &["configurations/pgbouncer.enabled"],
        example: "{ mode = \"transaction\", size = 50, min = 10, idle = \"10m\" }",
    },
    Field {
        path: "resource.*.pooler.mode",
        of: OF,
        kind: Type::Choice(&[
            ("transaction", "a client has a connection for a transaction"),
            ("session", "a client has a connection until it disconnects"),
            ("statement", "a client has a connection for a statement"),
        ]),
        doc: "For how long a client keeps a connection to the server.",
        default: Default::Same("\"transaction\"", "many idle clients share few connections"),
        azure: &["configurations/pgbouncer.pool_mode"],
        example: "\"session\"",
    },
    Field {
        path: "resource.*.pooler.size",
        of: OF,
        kind: Type::Integer { min: 1, max: 4950 },
        doc: "Connections to the server per user and database.",
        default: Default::Same("50", "what Azure sets"),
        azure: &["configurations/pgbouncer.default_pool_size"],
        example: "50",
    },
    Field {
        path: "resource.*.pooler.min",
        of: OF,
        kind: Type::Integer { min: 0, max: 4950 },
        doc: "Of these, kept open without clients.",
        default: Default::Same("0", "nobody waits for them"),
        azure: &["configurations/pgbouncer.min_pool_size"],
        example: "10",
    },
    Field {
        path: "resource.*.pooler.idle",
        of: OF,
        kind: Type::Text(&rules::DURATION),
        doc: "How long an unused connection to the server stays open.",
        default: Default::Same("\"10m\"", "what PgBouncer sets"),
        azure: &["configurations/pgbouncer.server_idle_timeout"],
        example: "\"600s\"",
    },
    Field {
        path: "resource.*.parameters",
        of: OF,
        kind: Type::Map(&rules::ANY, &Type::Text(&rules::ANY)),
        doc: "Server parameters by name, as PostgreSQL writes them.",
        default: Default::Absent("Azure's values"),
        azure: &["configurations"],
        example: "{ \"azure.extensions\" = \"pgcrypto,vector\", log_min_duration_statement = \"1000\" }",
    },
    Field {
        path: "resource.*.databases",
        of: OF,
        kind: Type::List(&Type::Text(&DATABASE)),
        doc: "Databases, in UTF-8. The first is what services find in their environment.",
        default: Default::Same("[\"app\"]", "one of the application's own"),
        azure: &["databases"],
        example: "[\"talenti\"]",
    },
    Field {
        path: "resource.*.replicas",
        of: OF,
        kind: Type::Integer { min: 0, max: 5 },
        doc: "Read replicas in the same region. Burstable servers have none.",
        default: Default::Same("0", "each costs as much as the server"),
        azure: &["properties.createMode", "properties.sourceServerResourceId"],
        example: "2",
    },
    Field {
        path: "resource.*.allow",
        of: OF,
        kind: Type::List(&Type::Text(&rules::CIDR)),
        doc: "IPv4 ranges that are let in from outside. Azure's own addresses are; a server in a network lets in \
              that network alone.",
        default: Default::Same("[]", "nobody outside of Azure connects"),
        azure: &["firewallRules"],
        example: "[\"203.0.113.0/24\"]",
    },
];

fn check(sense: &mut Sense<'_>, name: &str, node: &Node, server: &Table) {
    let sku = server.get("sku").and_then(|node| Some((node, tier(node.text()?)?)));
    if let Some((sku_node, PostgresTier::Burstable)) = sku {
        let ha = server.get("ha").filter(|node| node.text().is_some_and(|word| word != "none"));
        let replicas = server.get("replicas").filter(|node| node.integer().is_some_and(|number| number > 0));
        let lacks = [
            (ha, "have no standby", "write `ha = \"none\"`"),
            (server.get("pooler"), "have no pooler", "leave `pooler` out"),
            (replicas, "have no read replicas", "leave `replicas` out"),
        ];
        for (field, what, help) in lacks {
            let Some(field) = field else { continue };
            sense.lacks(
                sku_node,
                field,
                format!("burstable servers {what}"),
                format!("{help}, or take a `sku` such as \"D2ds_v5\""),
            );
        }
    }
    if let Some((disk, gibibytes)) = server.get("storage").and_then(|node| Some((node, size(node)?)))
        && !(DISKS.contains(&gibibytes.gibibytes()) && gibibytes.mebibytes.is_multiple_of(1024))
    {
        let next = DISKS.iter().find(|size| **size >= gibibytes.gibibytes()).unwrap_or(&16_384);
        let next = Size { mebibytes: next * 1024 };
        let diagnostic = sense
            .problem(codes::NOT_OFFERED, &disk.span, format!("Azure has no disks of {gibibytes}"))
            .help(format!("write \"{next}\""));
        sense.report(diagnostic);
    }
    if let Some(pooler) = server.get("pooler").and_then(Node::table) {
        let number = |key: &str| pooler.get(key).and_then(|node| Some((node, node.integer()?)));
        if let (Some((size_node, size)), Some((min_node, min))) = (number("size"), number("min"))
            && min > size
        {
            let diagnostic = sense
                .problem(
                    codes::NOT_OFFERED,
                    &min_node.span,
                    format!("{min} connections are kept, but there are {size} at most"),
                )
                .related(size_node.span.clone(), "`size`")
                .help("lower `min`, or raise `size`");
            sense.report(diagnostic);
        }
        if let Some((node, idle)) = pooler.get("idle").and_then(|node| Some((node, duration(node)?)))
            && idle.seconds > 3600
        {
            let diagnostic = sense
                .problem(codes::OUT_OF_RANGE, &node.span, "`idle` is an hour at most")
                .help("such as \"10m\"");
            sense.report(diagnostic);
        }
    }
    for (key, parameter) in server.get("parameters").and_then(Node::table).into_iter().flatten() {
        if key.starts_with("pgbouncer.") {
            let known = ["enabled", "pool_mode", "default_pool_size", "min_pool_size", "server_idle_timeout"];
            let own = known.iter().any(|own| key.strip_prefix("pgbouncer.") == Some(own));
            if own || !server.contains_key("pooler") {
                let diagnostic = sense
                    .problem(
                        codes::NOT_OFFERED,
                        &parameter.key,
                        format!("`{}` is for `pooler` to say", rules::short(key)),
                    )
                    .help("such as `pooler = { mode = \"transaction\", size = 50 }`");
                sense.report(diagnostic);
            }
        } else if !key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.')
            || key.is_empty()
        {
            let help =
                suggest::or_all(&key.to_lowercase(), ["max_connections", "work_mem", "azure.extensions"]);
            let diagnostic = sense
                .problem(
                    codes::ENTRY_NAME,
                    &parameter.key,
                    format!("`{}` is no parameter of PostgreSQL", rules::short(key)),
                )
                .maybe_help(
                    help.or_else(|| Some("parameters are lower-case words joined by `_`".to_owned())),
                );
            sense.report(diagnostic);
        }
    }
    sense.twice(server, "databases", "the database");
    sense.unused(name, node);
}
