//! Redis: Azure Managed Redis, which took the place of Azure Cache for Redis.

use serde::{Deserialize, Serialize};

use super::{Kind, one_of_words};
use crate::codes;
use crate::fields::{Default, Field, Type};
use crate::rules;
use crate::sense::Sense;
use crate::service::Access;
use crate::tree::{Node, Table};

/// A cache of Azure Managed Redis. It has one database, on port 10000, with TLS only.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Redis {
    /// The size: `B5`, `M20`, `X10`, `A250`.
    pub sku: String,
    /// Whether there is a replica that takes over.
    pub ha: bool,
    /// How clients see the shards.
    pub clustering: Clustering,
    /// What makes room when the memory is full.
    pub eviction: Eviction,
    /// What is written to disk, to be there after a failure.
    pub persistence: Persistence,
    /// What it can do besides Redis itself.
    pub modules: Vec<RedisModule>,
}

impl Redis {
    /// Azure's name of the SKU.
    pub fn azure_sku(&self) -> String {
        let family = FAMILIES.iter().find(|(letter, ..)| self.sku.starts_with(*letter));
        format!("{}_{}", family.map_or("Balanced", |(_, family, _)| family), self.sku)
    }
}

/// How clients see the shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clustering {
    /// One endpoint; a proxy finds the shard.
    Enterprise,
    /// Clients find the shards, as with Redis Cluster.
    Oss,
    /// One shard.
    None,
}

impl Clustering {
    /// Azure's word.
    pub fn azure(self) -> &'static str {
        match self {
            Clustering::Enterprise => "EnterpriseCluster",
            Clustering::Oss => "OSSCluster",
            Clustering::None => "NoCluster",
        }
    }
}

/// What makes room when the memory is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Eviction {
    /// Keys with a time to live, the least recently used first.
    VolatileLru,
    /// Keys with a time to live, the least often used first.
    VolatileLfu,
    /// Keys with a time to live, the soonest over first.
    VolatileTtl,
    /// Keys with a time to live, any.
    VolatileRandom,
    /// Any keys, the least recently used first.
    AllkeysLru,
    /// Any keys, the least often used first.
    AllkeysLfu,
    /// Any keys.
    AllkeysRandom,
    /// Nothing: writes are refused.
    Never,
}

impl Eviction {
    /// Azure's word.
    pub fn azure(self) -> &'static str {
        match self {
            Eviction::VolatileLru => "VolatileLRU",
            Eviction::VolatileLfu => "VolatileLFU",
            Eviction::VolatileTtl => "VolatileTTL",
            Eviction::VolatileRandom => "VolatileRandom",
            Eviction::AllkeysLru => "AllKeysLRU",
            Eviction::AllkeysLfu => "AllKeysLFU",
            Eviction::AllkeysRandom => "AllKeysRandom",
            Eviction::Never => "NoEviction",
        }
    }
}

/// What is written to disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Persistence {
    /// Nothing.
    #[serde(rename = "none")]
    None,
    /// A snapshot every hour.
    #[serde(rename = "rdb-1h")]
    Rdb1h,
    /// A snapshot every six hours.
    #[serde(rename = "rdb-6h")]
    Rdb6h,
    /// A snapshot every twelve hours.
    #[serde(rename = "rdb-12h")]
    Rdb12h,
    /// Every write, once a second.
    #[serde(rename = "aof")]
    Aof,
}

/// What a cache can do besides Redis itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RedisModule {
    /// Secondary indexes, text and vector search.
    Search,
    /// JSON documents.
    Json,
    /// Probabilistic sets.
    Bloom,
    /// Time series.
    Timeseries,
}

impl RedisModule {
    /// Azure's word.
    pub fn azure(self) -> &'static str {
        match self {
            RedisModule::Search => "RediSearch",
            RedisModule::Json => "RedisJSON",
            RedisModule::Bloom => "RedisBloom",
            RedisModule::Timeseries => "RedisTimeSeries",
        }
    }
}

/// Families by the letter of their sizes, with their sizes.
const FAMILIES: &[(char, &str, &[u32])] = &[
    ('B', "Balanced", &[0, 1, 3, 5, 10, 20, 50, 100, 150, 250, 350, 500, 700, 1000]),
    ('M', "MemoryOptimized", &[10, 20, 50, 100, 150, 250, 350, 500, 700, 1000, 1500, 2000]),
    ('X', "ComputeOptimized", &[3, 5, 10, 20, 50, 100, 150, 250, 350, 500, 700]),
    ('A', "FlashOptimized", &[250, 500, 700, 1000, 1500, 2000, 4500]),
];

/// A cache of at most this many gibibytes can have a single shard.
const ONE_SHARD_MAX: u32 = 25;

/// A size of a cache.
static SKU: rules::Rule = rules::Rule {
    pattern: Some("^[BMXA][0-9]+$"),
    length: 2..6,
    check: |text| {
        let known: Vec<String> = FAMILIES
            .iter()
            .flat_map(|(letter, _, sizes)| sizes.iter().map(move |size| format!("{letter}{size}")))
            .collect();
        let classic = ["C", "P"]
            .iter()
            .any(|letter| text.strip_prefix(letter).is_some_and(|n| n.parse::<u8>().is_ok()))
            || ["basic", "standard", "premium"].contains(&text.to_lowercase().as_str());
        if classic {
            return rules::fault(
                codes::RETIRED,
                format!(
                    "`{}` is a size of Azure Cache for Redis, which can no longer be created",
                    rules::short(text)
                ),
                "Azure Managed Redis took its place: \"B1\" for a gibibyte, \"B5\" for what P1 held, \"B10\" for P2",
            );
        }
        let bare = text.rsplit('_').next().unwrap_or(text);
        one_of_words("size of a managed Redis", bare, text, &known, "such as \"B1\", \"B5\" or \"M20\"")
    },
};

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "redis",
    doc: "a cache of Azure Managed Redis: one database, on port 10000, TLS only",
    attributes: &[
        ("name", "its name in Azure"),
        ("id", "its resource id"),
        ("region", "where it is"),
        ("host", "its host name, such as `redis-hello.westeurope.redis.azure.net`"),
        ("port", "10000"),
    ],
    access: &[(
        Access::Write,
        "read and write everything in it, signed in by Microsoft Entra (the access policy `default`)",
    )],
    fields: FIELDS,
    check,
};

const OF: &[&str] = &["redis"];

const FIELDS: &[Field] = &[
    Field {
        path: "resource.*.sku",
        of: OF,
        kind: Type::Text(&SKU),
        doc: "The size in gibibytes behind the letter of its family: B is balanced, M has more memory, X more \
              processor, A keeps part of the data on flash.",
        default: Default::Tiers(
            ["\"B0\"", "\"B1\"", "\"B5\""],
            "the smallest to try out; 6 GiB hold sessions and queues of a company's application",
        ),
        azure: &["sku.name"],
        example: "\"B5\"",
    },
    Field {
        path: "resource.*.ha",
        of: OF,
        kind: Type::Boolean,
        doc: "Whether a replica, in another zone where the region has zones, takes over. Once on, it stays on.",
        default: Default::Tiers(
            ["false", "false", "true"],
            "a replica doubles the price; production survives the loss of a node",
        ),
        azure: &["properties.highAvailability"],
        example: "true",
    },
    Field {
        path: "resource.*.clustering",
        of: OF,
        kind: Type::Choice(&[
            ("enterprise", "one endpoint, behind which a proxy finds the shard: any client works"),
            ("oss", "clients find the shards, as with Redis Cluster: the fastest"),
            ("none", "one shard: keys of one command need no hash tag; 25 GiB at most"),
        ]),
        doc: "How clients see the shards. Fixed once the cache exists.",
        default: Default::Same("\"enterprise\"", "any client works"),
        azure: &["properties.clusteringPolicy"],
        example: "\"oss\"",
    },
    Field {
        path: "resource.*.eviction",
        of: OF,
        kind: Type::Choice(&[
            ("volatile-lru", "keys with a time to live, the least recently used first"),
            ("volatile-lfu", "keys with a time to live, the least often used first"),
            ("volatile-ttl", "keys with a time to live, the soonest over first"),
            ("volatile-random", "keys with a time to live, any"),
            ("allkeys-lru", "any keys, the least recently used first"),
            ("allkeys-lfu", "any keys, the least often used first"),
            ("allkeys-random", "any keys"),
            ("never", "nothing: writes are refused"),
        ]),
        doc: "What makes room when the memory is full.",
        default: Default::Same(
            "\"volatile-lru\"",
            "what has no time to live, such as a queue, is never thrown away",
        ),
        azure: &["properties.evictionPolicy"],
        example: "\"allkeys-lru\"",
    },
    Field {
        path: "resource.*.persistence",
        of: OF,
        kind: Type::Choice(&[
            ("none", "nothing"),
            ("rdb-1h", "a snapshot every hour"),
            ("rdb-6h", "a snapshot every six hours"),
            ("rdb-12h", "a snapshot every twelve hours"),
            ("aof", "every write, once a second"),
        ]),
        doc: "What is written to disk, to be there after a failure.",
        default: Default::Tiers(
            ["\"none\"", "\"none\"", "\"rdb-1h\""],
            "production comes back with its sessions",
        ),
        azure: &["properties.persistence"],
        example: "\"rdb-12h\"",
    },
    Field {
        path: "resource.*.modules",
        of: OF,
        kind: Type::List(&Type::Choice(&[
            ("search", "secondary indexes, text and vector search (RediSearch)"),
            ("json", "JSON documents (RedisJSON)"),
            ("bloom", "probabilistic sets (RedisBloom)"),
            ("timeseries", "time series (RedisTimeSeries)"),
        ])),
        doc: "What it can do besides Redis itself. Fixed once the cache exists.",
        default: Default::Same("[]", "Redis itself is enough for most"),
        azure: &["properties.modules"],
        example: "[\"json\"]",
    },
];

fn check(sense: &mut Sense<'_>, name: &str, node: &Node, cache: &Table) {
    let text = |key: &str| cache.get(key).and_then(|node| Some((node, node.text()?)));
    let modules = cache.get("modules").and_then(Node::list).unwrap_or_default();
    let search = modules.iter().find(|module| module.text() == Some("search"));
    if let (Some(search), Some((eviction, word))) = (search, text("eviction"))
        && word != "never"
    {
        sense.lacks(
            search,
            eviction,
            "an index does not go with eviction",
            "write `eviction = \"never\"`, or leave the module `search` out",
        );
    }
    if let (Some(search), Some((clustering, "oss"))) = (search, text("clustering")) {
        sense.lacks(
            search,
            clustering,
            "an index needs the proxy in front of the shards",
            "write `clustering = \"enterprise\"`",
        );
    }
    if let (Some((sku, size)), Some((clustering, "none"))) = (text("sku"), text("clustering"))
        && size[1..].parse::<u32>().is_ok_and(|gibibytes| gibibytes > ONE_SHARD_MAX)
    {
        sense.lacks(
            sku,
            clustering,
            format!("one shard holds {ONE_SHARD_MAX} GiB at most"),
            "write `clustering = \"enterprise\"`, or take a smaller `sku`",
        );
    }
    if let (Some((sku, size)), Some((persistence, word))) = (text("sku"), text("persistence"))
        && size.starts_with('A')
        && word == "aof"
    {
        sense.lacks(
            sku,
            persistence,
            "flash optimised caches write snapshots only",
            "write `persistence = \"rdb-1h\"`",
        );
    }
    sense.twice(cache, "modules", "the module");
    sense.unused(name, node);
}
