//! Storage accounts with their blob containers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Kind, duration, size};
use crate::codes;
use crate::fields::{Default, Field, Type};
use crate::rules;
use crate::sense::{Sense, entries};
use crate::service::Access;
use crate::suggest;
use crate::tree::{Node, Table};
use crate::units::{Days, Duration, Size};

/// A storage account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Storage {
    /// How many copies, and where.
    pub replication: Replication,
    /// The tier blobs are written to.
    pub access: AccessTier,
    /// Blob containers, none of them public.
    pub containers: Vec<String>,
    /// How long deleted blobs and containers can be recovered: 1 to 365 days.
    pub soft_delete: Days,
    /// Whether an overwritten blob keeps its earlier content.
    pub versioning: bool,
    /// To any second of how many days blobs can be put back; `None`: to none.
    pub restore: Option<Days>,
    /// What happens to blobs as they age.
    pub lifecycle: Vec<Lifecycle>,
    /// File shares by name.
    #[serde(default)]
    pub shares: BTreeMap<String, Share>,
    /// Tables.
    pub tables: Vec<String>,
    /// Queues.
    pub queues: Vec<String>,
    /// The longest that a shared access signature may live; `None`: no limit.
    pub sas: Option<Duration>,
}

/// A file share.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Share {
    /// How much it holds at most.
    pub quota: Size,
    /// What it is paid for.
    pub tier: ShareTier,
}

/// What a file share is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ShareTier {
    /// Mostly transactions.
    Transactions,
    /// Both.
    Hot,
    /// Mostly what is kept.
    Cool,
}

impl ShareTier {
    /// Azure's word.
    pub fn azure(self) -> &'static str {
        match self {
            ShareTier::Transactions => "TransactionOptimized",
            ShareTier::Hot => "Hot",
            ShareTier::Cool => "Cool",
        }
    }
}

/// A storage account's redundancy; its SKU is `Standard_` and this in capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Replication {
    /// Three copies in one data centre.
    Lrs,
    /// Copies in three zones.
    Zrs,
    /// Three copies here, three in the paired region.
    Grs,
    /// As `grs`, and the second region can be read.
    Ragrs,
    /// Copies in three zones, three more in the paired region.
    Gzrs,
    /// As `gzrs`, and the second region can be read.
    Ragzrs,
}

impl Replication {
    /// The redundancy of that word.
    fn from_word(word: &str) -> Option<Replication> {
        serde_json::from_value(word.into()).ok()
    }

    /// Azure's name of the SKU.
    pub fn sku(self) -> &'static str {
        match self {
            Replication::Lrs => "Standard_LRS",
            Replication::Zrs => "Standard_ZRS",
            Replication::Grs => "Standard_GRS",
            Replication::Ragrs => "Standard_RAGRS",
            Replication::Gzrs => "Standard_GZRS",
            Replication::Ragzrs => "Standard_RAGZRS",
        }
    }

    /// Whether the copies are spread over zones; such accounts have no archive tier.
    pub fn is_zonal(self) -> bool {
        matches!(self, Replication::Zrs | Replication::Gzrs | Replication::Ragzrs)
    }
}

/// The tier that blobs are written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessTier {
    /// Read often.
    Hot,
    /// Kept at least 30 days.
    Cool,
    /// Kept at least 90 days.
    Cold,
}

impl AccessTier {
    /// Azure's spelling.
    pub fn azure(self) -> &'static str {
        match self {
            AccessTier::Hot => "Hot",
            AccessTier::Cool => "Cool",
            AccessTier::Cold => "Cold",
        }
    }
}

/// What happens to blobs as they age, counted from their last change.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Lifecycle {
    /// The containers it is for; empty: all.
    #[serde(default)]
    pub containers: Vec<String>,
    /// Moved to the cool tier after.
    pub cool: Option<Days>,
    /// Moved to the cold tier after.
    pub cold: Option<Days>,
    /// Moved to the archive tier after.
    pub archive: Option<Days>,
    /// Deleted after.
    pub delete: Option<Days>,
}

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "storage",
    doc: "a storage account with blob containers",
    attributes: &[
        ("name", "its name in Azure"),
        ("id", "its resource id"),
        ("region", "where it is"),
        ("endpoint", "where its blobs are reached, such as `https://sthello.blob.core.windows.net/`"),
        ("queues", "where its queues are reached, such as `https://sthello.queue.core.windows.net/`"),
        ("tables", "where its tables are reached, such as `https://sthello.table.core.windows.net/`"),
        ("files", "where its shares are reached, such as `https://sthello.file.core.windows.net/`"),
    ],
    access: &[
        (Access::Read, "read blobs, and the tables and shares that are declared (Data Reader of each)"),
        (
            Access::Write,
            "read, write and delete blobs, and in the tables and shares that are declared (Data Contributor)",
        ),
        (Access::Send, "put messages into its queues (Storage Queue Data Message Sender)"),
        (Access::Receive, "take messages out of its queues (Storage Queue Data Message Processor)"),
    ],
    fields: FIELDS,
    check,
};

const FIELDS: &[Field] = &[
    Field {
        path: "resource.*.replication",
        of: &["storage"],
        kind: Type::Choice(&[
            ("lrs", "three copies in one data centre"),
            ("zrs", "copies in three zones"),
            ("grs", "three copies here, three in the paired region"),
            ("ragrs", "as `grs`, and the second region can be read"),
            ("gzrs", "copies in three zones, three more in the paired region"),
            ("ragzrs", "as `gzrs`, and the second region can be read"),
        ]),
        doc: "How many copies there are, and where.",
        default: Default::Tiers(
            ["\"lrs\"", "\"lrs\"", "\"zrs\""],
            "production survives the loss of a data centre",
        ),
        azure: &["sku.name"],
        example: "\"zrs\"",
    },
    Field {
        path: "resource.*.access",
        of: &["storage"],
        kind: Type::Choice(&[
            ("hot", "read often"),
            ("cool", "kept at least 30 days, cheaper to keep, dearer to read"),
            ("cold", "kept at least 90 days, cheaper still to keep"),
        ]),
        doc: "The tier that blobs are written to.",
        default: Default::Same("\"hot\"", "the only tier without a charge for deleting early"),
        azure: &["properties.accessTier"],
        example: "\"cool\"",
    },
    Field {
        path: "resource.*.containers",
        of: &["storage"],
        kind: Type::List(&Type::Text(&rules::CONTAINER)),
        doc: "Blob containers. None of them is public.",
        default: Default::Same("[]", "services make their own"),
        azure: &["Microsoft.Storage/storageAccounts/blobServices/containers"],
        example: "[\"transcripts\"]",
    },
    Field {
        path: "resource.*.soft_delete",
        of: &["storage"],
        kind: Type::Days { min: 1, max: 365 },
        doc: "How long deleted blobs and containers can be recovered.",
        default: Default::Tiers(["\"7d\"", "\"7d\"", "\"30d\""], "time to notice a mistake"),
        azure: &[
            "blobServices.properties.deleteRetentionPolicy.days",
            "blobServices.properties.containerDeleteRetentionPolicy.days",
        ],
        example: "\"30d\"",
    },
    Field {
        path: "resource.*.versioning",
        of: &["storage"],
        kind: Type::Boolean,
        doc: "Whether an overwritten blob keeps its earlier content.",
        default: Default::Same("false", "every version is paid for"),
        azure: &["blobServices.properties.isVersioningEnabled"],
        example: "true",
    },
    Field {
        path: "resource.*.restore",
        of: &["storage"],
        kind: Type::Days { min: 1, max: 364 },
        doc: "To any second of how many days the blobs can be put back. Takes `versioning` and a longer `soft_delete`.",
        default: Default::Absent("to none: single blobs are recovered by soft delete"),
        azure: &["blobServices.properties.restorePolicy", "blobServices.properties.changeFeed"],
        example: "\"7d\"",
    },
    Field {
        path: "resource.*.lifecycle",
        of: &["storage"],
        kind: Type::Tables,
        doc: "What happens to blobs as they age, rule by rule.",
        default: Default::Same("[]", "blobs stay until somebody deletes them"),
        azure: &["Microsoft.Storage/storageAccounts/managementPolicies"],
        example: "[{ containers = [\"transcripts\"], delete = \"90d\" }]",
    },
    Field {
        path: "resource.*.lifecycle[].containers",
        of: &["storage"],
        kind: Type::List(&Type::Text(&rules::CONTAINER)),
        doc: "The containers the rule is for.",
        default: Default::Absent("all of them"),
        azure: &["policy.rules[].definition.filters.prefixMatch"],
        example: "[\"transcripts\"]",
    },
    Field {
        path: "resource.*.lifecycle[].cool",
        of: &["storage"],
        kind: Type::Days { min: 0, max: 99_999 },
        doc: "Moved to the cool tier that long after the last change.",
        default: Default::Absent("not moved"),
        azure: &["policy.rules[].definition.actions.baseBlob.tierToCool"],
        example: "\"30d\"",
    },
    Field {
        path: "resource.*.lifecycle[].cold",
        of: &["storage"],
        kind: Type::Days { min: 0, max: 99_999 },
        doc: "Moved to the cold tier that long after the last change.",
        default: Default::Absent("not moved"),
        azure: &["policy.rules[].definition.actions.baseBlob.tierToCold"],
        example: "\"60d\"",
    },
    Field {
        path: "resource.*.lifecycle[].archive",
        of: &["storage"],
        kind: Type::Days { min: 0, max: 99_999 },
        doc: "Moved to the archive tier that long after the last change. Zone-redundant accounts have none.",
        default: Default::Absent("not moved"),
        azure: &["policy.rules[].definition.actions.baseBlob.tierToArchive"],
        example: "\"90d\"",
    },
    Field {
        path: "resource.*.lifecycle[].delete",
        of: &["storage"],
        kind: Type::Days { min: 1, max: 99_999 },
        doc: "Deleted that long after the last change.",
        default: Default::Absent("not deleted"),
        azure: &["policy.rules[].definition.actions.baseBlob.delete"],
        example: "\"365d\"",
    },
    Field {
        path: "resource.*.shares",
        of: &["storage"],
        kind: Type::Named(&rules::CONTAINER),
        doc: "File shares, each under a name.",
        default: Default::Absent("no shares"),
        azure: &["Microsoft.Storage/storageAccounts/fileServices/shares"],
        example: "{ media = { quota = \"100Gi\" } }",
    },
    Field {
        path: "resource.*.shares.*",
        of: &["storage"],
        kind: Type::Table,
        doc: "A file share.",
        default: Default::Absent("no such share"),
        azure: &["Microsoft.Storage/storageAccounts/fileServices/shares"],
        example: "{ quota = \"100Gi\" }",
    },
    Field {
        path: "resource.*.shares.*.quota",
        of: &["storage"],
        kind: Type::Text(&rules::SIZE),
        doc: "How much it holds at most: up to 100Ti, in whole gibibytes.",
        default: Default::Same("\"100Gi\"", "only what is stored is paid for"),
        azure: &["properties.shareQuota"],
        example: "\"1Ti\"",
    },
    Field {
        path: "resource.*.shares.*.tier",
        of: &["storage"],
        kind: Type::Choice(&[
            ("transactions", "cheap to use, dear to keep"),
            ("hot", "both in the middle"),
            ("cool", "cheap to keep, dear to use"),
        ]),
        doc: "What is paid for most.",
        default: Default::Same("\"transactions\"", "what Azure sets"),
        azure: &["properties.accessTier"],
        example: "\"hot\"",
    },
    Field {
        path: "resource.*.tables",
        of: &["storage"],
        kind: Type::List(&Type::Text(&rules::TABLE)),
        doc: "Tables.",
        default: Default::Same("[]", "services make their own"),
        azure: &["Microsoft.Storage/storageAccounts/tableServices/tables"],
        example: "[\"deployments\"]",
    },
    Field {
        path: "resource.*.queues",
        of: &["storage"],
        kind: Type::List(&Type::Text(&rules::CONTAINER)),
        doc: "Queues.",
        default: Default::Same("[]", "services make their own"),
        azure: &["Microsoft.Storage/storageAccounts/queueServices/queues"],
        example: "[\"jobs\"]",
    },
    Field {
        path: "resource.*.sas",
        of: &["storage"],
        kind: Type::Text(&rules::DURATION),
        doc: "The longest that a shared access signature may live. Services that use the account may then sign them, \
              with a key that Azure gives their identity: there are no account keys.",
        default: Default::Absent("services sign none"),
        azure: &["properties.sasPolicy"],
        example: "\"15m\"",
    },
];

fn check(sense: &mut Sense<'_>, name: &str, node: &Node, storage: &Table) {
    let containers = storage.get("containers").and_then(Node::list).unwrap_or_default();
    let mut seen: BTreeMap<&str, &Node> = BTreeMap::new();
    for node in containers {
        if let Some(first) = node.text().and_then(|text| seen.insert(text, node)) {
            let diagnostic = sense
                .problem(codes::CONTAINER, &node.span, "the container stands in the list twice")
                .related(first.span.clone(), "here already");
            sense.report(diagnostic);
        }
    }
    for (key, what) in [("tables", "the table"), ("queues", "the queue")] {
        sense.twice(storage, key, what);
    }
    for (_, _, share) in entries(storage, "shares") {
        if let Some((node, quota)) = share.get("quota").and_then(|node| Some((node, size(node)?)))
            && !(quota.mebibytes.is_multiple_of(1024) && quota.gibibytes() <= 102_400)
        {
            let diagnostic = sense
                .problem(codes::NOT_OFFERED, &node.span, "a share holds whole gibibytes, 100Ti at most")
                .help("such as \"100Gi\"");
            sense.report(diagnostic);
        }
    }
    restore(sense, storage);
    if let Some((node, time)) = storage.get("sas").and_then(|node| Some((node, duration(node)?)))
        && !(60..=7 * 86_400).contains(&time.seconds)
    {
        let message = "a signature by an identity lives a minute to seven days";
        let diagnostic = sense.problem(codes::OUT_OF_RANGE, &node.span, message).help("such as \"15m\"");
        sense.report(diagnostic);
    }
    for rule in storage.get("lifecycle").and_then(Node::list).unwrap_or_default() {
        if let Some(table) = rule.table() {
            lifecycle(sense, rule, table, storage, &seen);
        }
    }
    sense.unused(name, node);
}

/// Putting blobs back takes all of their versions, and what was deleted meanwhile.
fn restore(sense: &mut Sense<'_>, storage: &Table) {
    let Some(restore) = storage.get("restore") else { return };
    if let Some(versioning) = storage.get("versioning").filter(|node| node.boolean() == Some(false)) {
        sense.lacks(
            versioning,
            restore,
            "blobs are put back from their versions",
            "write `versioning = true`",
        );
    }
    let days = |node: &Node| node.text().and_then(|text| Days::parse(text).ok());
    if let (Some(kept_node), Some(back)) = (storage.get("soft_delete"), days(restore))
        && let Some(kept) = days(kept_node)
        && kept <= back
    {
        let help = format!("write `soft_delete = \"{}d\"` or more", back.0 + 1);
        sense.lacks(kept_node, restore, "what was deleted is kept for longer than blobs are put back", help);
    }
}

fn lifecycle(
    sense: &mut Sense<'_>,
    rule: &Node,
    table: &Table,
    storage: &Table,
    containers: &BTreeMap<&str, &Node>,
) {
    let steps = ["cool", "cold", "archive", "delete"].map(|key| (key, table.get(key)));
    if steps.iter().all(|(_, node)| node.is_none()) {
        let diagnostic = sense
            .problem(codes::LIFECYCLE, &rule.span, "the rule does nothing")
            .help("say when: `cool`, `cold`, `archive` or `delete`, such as `delete = \"90d\"`");
        sense.report(diagnostic);
    }
    let mut earlier: Option<(&str, Days, &Node)> = None;
    for (key, node) in steps {
        let Some(node) = node else { continue };
        let Some(days) = node.text().and_then(|text| Days::parse(text).ok()) else { continue };
        if let Some((before, _, first)) = earlier.filter(|(_, before, _)| *before >= days) {
            let diagnostic = sense
                .problem(codes::LIFECYCLE, &node.span, format!("`{key}` must come later than `{before}`"))
                .related(first.span.clone(), format!("`{before}`"));
            sense.report(diagnostic);
        }
        earlier = Some((key, days, node));
    }
    let replication = storage.get("replication").and_then(Node::text).and_then(Replication::from_word);
    if let (Some(archive), true) = (table.get("archive"), replication.is_some_and(Replication::is_zonal)) {
        let written = storage.get("replication").filter(|node| node.is_written());
        let mut diagnostic = sense
            .problem(codes::LIFECYCLE, &archive.key, "zone-redundant accounts have no archive tier")
            .help("use `cool` or `delete`, or set `replication` to \"lrs\", \"grs\" or \"ragrs\"");
        match written {
            Some(node) => diagnostic = diagnostic.related(node.span.clone(), "copies in several zones"),
            None => diagnostic = diagnostic.label("production accounts are zone-redundant by default"),
        }
        sense.report(diagnostic);
    }
    let known: Vec<&str> = containers.keys().copied().collect();
    for node in table.get("containers").and_then(Node::list).unwrap_or_default() {
        let Some(name) = node.text() else { continue };
        if !known.contains(&name) && !sense.lost {
            let help = suggest::or_all(name, known.iter().copied());
            let message = format!("the account has no container `{name}`");
            let diagnostic = sense.problem(codes::LIFECYCLE, &node.span, message).maybe_help(help);
            sense.report(diagnostic);
        }
    }
}
