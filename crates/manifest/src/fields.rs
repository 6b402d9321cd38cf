//! The table of fields: all that the manifest can say, once.
//!
//! The parser's checks, the defaults, the JSON Schema and `explain` are all read from here. Adding a field is
//! adding a row, its place in [`crate::app`] and the line in `build` that carries it over.

use crate::app::{Access, Tier};
use crate::rules::{self, Rule};

/// One field.
#[derive(Debug)]
pub(crate) struct Field {
    /// Dotted; `*` stands for a name of the user's own, `[]` for any element of a list of tables.
    pub path: &'static str,
    /// The type of resource that has it, where only one does.
    pub of: Option<&'static str>,
    pub kind: Type,
    /// Sentences for people.
    pub doc: &'static str,
    pub default: Default,
    /// The Azure properties it sets.
    pub azure: &'static [&'static str],
    /// A value as it would be written.
    pub example: &'static str,
}

/// What type of value a field takes.
#[derive(Debug)]
pub(crate) enum Type {
    /// A table whose keys are the fields below this one.
    Table,
    /// A table of the user's own names, each a table with the fields below `.*`.
    Named(&'static Rule),
    /// A table of the user's own names with one type of value.
    Map(&'static Rule, &'static Type),
    /// A list of one type of value.
    List(&'static Type),
    /// A list of tables with the fields below `[]`.
    Tables,
    /// A text.
    Text(&'static Rule),
    /// A text with `${…}` in it.
    Template,
    /// One of a few words.
    Choice(Choices),
    /// A whole number.
    Integer { min: i64, max: i64 },
    /// True or false.
    Boolean,
    /// A number of vCPUs.
    Cpu,
    /// An amount of memory with its unit.
    Memory,
    /// Whole days with their unit.
    Days { min: u32, max: u32 },
    /// A share in percent.
    Share,
    /// Whatever JSON can say.
    Json,
}

/// The words of a [`Type::Choice`].
#[derive(Debug)]
pub(crate) struct Choices {
    /// Each with its meaning.
    pub words: &'static [(&'static str, &'static str)],
    /// Words of the language that this version does not carry.
    pub later: &'static [&'static str],
}

/// What holds when a field is left out.
#[derive(Debug)]
pub(crate) enum Default {
    /// It cannot be left out.
    Required,
    /// Nothing, which means this.
    Absent(&'static str),
    /// The same value in every tier, and why.
    Same(&'static str, &'static str),
    /// A value for `dev`, `staging` and `prod`, and why.
    Tiers([&'static str; 3], &'static str),
}

impl Default {
    /// The default of a tier as TOML, with the tier if it differs between tiers, and why.
    pub fn of(&self, tier: Tier) -> Option<(&'static str, Option<Tier>, &'static str)> {
        match self {
            Default::Required | Default::Absent(_) => None,
            Default::Same(value, why) => Some((value, None, why)),
            Default::Tiers(values, why) => Some((values[tier as usize], Some(tier), why)),
        }
    }
}

/// The fields directly below `path` that `kind`'s type of resource has (all, when no kind is known).
pub(crate) fn below<'a>(path: &'a str, kind: Option<&'a str>) -> impl Iterator<Item = &'static Field> + 'a {
    FIELDS.iter().filter(move |field| {
        parent(field.path) == path && field.of.is_none_or(|of| kind.is_none_or(|kind| kind == of))
    })
}

/// The field at `path`.
pub(crate) fn at(path: &str, kind: Option<&str>) -> Option<&'static Field> {
    FIELDS.iter().find(|f| f.path == path && f.of.is_none_or(|of| kind.is_none_or(|kind| kind == of)))
}

/// `a.b` of `a.b.c`, and nothing of `a`.
pub(crate) fn parent(path: &str) -> &str {
    path.rfind('.').map_or("", |i| &path[..i])
}

/// `c` of `a.b.c`.
pub(crate) fn last(path: &str) -> &str {
    path.rfind('.').map_or(path, |i| &path[i + 1..])
}

/// `path` with `key` behind it.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Keys of the top level that may stand in an environment's overlay again.
pub(crate) const OVERLAID: &[&str] = &["region", "naming", "tags", "service", "resource"];

/// Tables of the language that this version does not carry, and what they will say.
pub(crate) const LATER_TABLES: &[(&str, &str)] = &[
    ("network", "address space, subnets, private endpoints"),
    ("release", "how a new revision takes over the traffic"),
    ("alert", "conditions to be told about"),
    ("contact", "who is told"),
    ("budget", "monthly limit"),
    ("usage", "the load that a quote assumes"),
    ("recovery", "second region, backups, drills"),
    ("standard", "which rules apply"),
];

const TEXT_LIST: Type = Type::Text(&rules::ANY);
const ACCESS: Type = Type::Choice(Choices { words: &access_words(), later: &["call", "send", "receive"] });

const fn access_words() -> [(&'static str, &'static str); Access::ALL.len()] {
    [
        ("read", "read what is in it"),
        ("write", "read, write and delete what is in it"),
        ("pull", "pull images"),
        ("push", "pull and push images"),
    ]
}

/// All of them, each table before its fields.
pub(crate) static FIELDS: &[Field] = &[
    Field {
        path: "app",
        of: None,
        kind: Type::Text(&rules::APP),
        doc: "The application's name. It is part of the name of every Azure resource.",
        default: Default::Required,
        azure: &["name", "tags.landfall-app"],
        example: "\"hello\"",
    },
    Field {
        path: "region",
        of: None,
        kind: Type::Text(&rules::REGION),
        doc: "Where everything runs: Azure's name of a region.",
        default: Default::Required,
        azure: &["location"],
        example: "\"westeurope\"",
    },
    Field {
        path: "naming",
        of: None,
        kind: Type::Text(&rules::NAMING),
        doc: "The pattern of Azure names. Names that must be short, globally unique or without hyphens are derived \
              from it and stay the same on every run.",
        default: Default::Same(
            "\"{type}-{app}-{env}-{region}\"",
            "a name tells what a thing is, whose it is and where",
        ),
        azure: &["name"],
        example: "\"{type}-{app}-{env}-{region}\"",
    },
    Field {
        path: "tags",
        of: None,
        kind: Type::Map(&rules::TAG_NAME, &Type::Text(&rules::TAG_VALUE)),
        doc: "Tags of every Azure resource, besides Landfall's own `landfall-app` and `landfall-env`.",
        default: Default::Absent("only Landfall's own tags"),
        azure: &["tags"],
        example: "{ team = \"payments\", \"cost-centre\" = \"4711\" }",
    },
    Field {
        path: "service",
        of: None,
        kind: Type::Named(&rules::SERVICE),
        doc: "What runs, each under a name: `[service.web]`.",
        default: Default::Absent("nothing runs"),
        azure: &[],
        example: "",
    },
    Field {
        path: "service.*",
        of: None,
        kind: Type::Table,
        doc: "A service: something that runs. One with a `port` is reached by HTTP; one without is a worker.",
        default: Default::Absent("no such service"),
        azure: &["Microsoft.App/containerApps", "Microsoft.ManagedIdentity/userAssignedIdentities"],
        example: "",
    },
    Field {
        path: "service.*.host",
        of: None,
        kind: Type::Choice(Choices {
            words: &[(
                "container-apps",
                "Azure Container Apps: containers that scale to zero and have revisions",
            )],
            later: &["app-service", "static-web-app", "kubernetes", "container-job"],
        }),
        doc: "What the service runs on.",
        default: Default::Same(
            "\"container-apps\"",
            "it runs any container and costs nothing while it sleeps",
        ),
        azure: &[],
        example: "\"container-apps\"",
    },
    Field {
        path: "service.*.source",
        of: None,
        kind: Type::Text(&rules::FOLDER),
        doc: "The folder that the service is built from, relative to the manifest's. Either `source` or `image` is \
              required.",
        default: Default::Absent("the service runs an `image` that exists"),
        azure: &["properties.template.containers[].image"],
        example: "\".\"",
    },
    Field {
        path: "service.*.image",
        of: None,
        kind: Type::Text(&rules::IMAGE),
        doc: "An image that exists, with a tag or a digest.",
        default: Default::Absent("the service is built from `source`"),
        azure: &["properties.template.containers[].image"],
        example: "\"mcr.microsoft.com/k8se/quickstart:latest\"",
    },
    Field {
        path: "service.*.port",
        of: None,
        kind: Type::Integer { min: 1, max: 65535 },
        doc: "The port the service listens on. It gets the same number in the variable `PORT`.",
        default: Default::Absent("nothing listens: a worker, which has no ingress"),
        azure: &["properties.configuration.ingress.targetPort"],
        example: "8000",
    },
    Field {
        path: "service.*.command",
        of: None,
        kind: Type::List(&TEXT_LIST),
        doc: "The program and its arguments, when the image's own are not wanted. There is no shell in between.",
        default: Default::Absent("what the image starts by itself"),
        azure: &["properties.template.containers[].command"],
        example: "[\"uvicorn\", \"server:app\", \"--port\", \"8000\"]",
    },
    Field {
        path: "service.*.cpu",
        of: None,
        kind: Type::Cpu,
        doc: "vCPUs of one replica: 0.25 to 4 in steps of 0.25. Memory is two gibibytes per vCPU, so one of the two \
              is enough.",
        default: Default::Tiers(
            ["0.25", "0.5", "1.0"],
            "the smallest to try out, half of production to rehearse",
        ),
        azure: &["properties.template.containers[].resources.cpu"],
        example: "0.5",
    },
    Field {
        path: "service.*.memory",
        of: None,
        kind: Type::Memory,
        doc: "Memory of one replica: two gibibytes per vCPU.",
        default: Default::Tiers(["\"0.5Gi\"", "\"1Gi\"", "\"2Gi\""], "what Azure pairs with the cpu"),
        azure: &["properties.template.containers[].resources.memory"],
        example: "\"1Gi\"",
    },
    Field {
        path: "service.*.scale",
        of: None,
        kind: Type::Table,
        doc: "How many replicas run, and what makes them more.",
        default: Default::Absent("the defaults of its fields"),
        azure: &["properties.template.scale"],
        example: "{ min = 2, max = 10, http = 100 }",
    },
    Field {
        path: "service.*.scale.min",
        of: None,
        kind: Type::Integer { min: 0, max: 1000 },
        doc: "Replicas kept even without load. 0 lets a service with a port sleep until the next request; a worker \
              has at least 1 unless a queue wakes it.",
        default: Default::Tiers(
            ["0", "1", "2"],
            "trying out costs nothing at night, staging has no cold start, production survives the loss of a replica",
        ),
        azure: &["properties.template.scale.minReplicas"],
        example: "2",
    },
    Field {
        path: "service.*.scale.max",
        of: None,
        kind: Type::Integer { min: 1, max: 1000 },
        doc: "Replicas never exceeded: the bound of what a burst can cost.",
        default: Default::Tiers(["3", "3", "10"], "room for a burst, with an end to its cost"),
        azure: &["properties.template.scale.maxReplicas"],
        example: "10",
    },
    Field {
        path: "service.*.scale.http",
        of: None,
        kind: Type::Integer { min: 1, max: 10_000 },
        doc: "Concurrent requests of one replica before another starts. Only for a service with a port.",
        default: Default::Same("100", "an ordinary web framework answers a hundred requests at a time"),
        azure: &["properties.template.scale.rules[http].http.metadata.concurrentRequests"],
        example: "100",
    },
    Field {
        path: "service.*.scale.cpu",
        of: None,
        kind: Type::Share,
        doc: "Use of the processor, in percent, above which another replica starts.",
        default: Default::Absent("the processor's load makes no replicas"),
        azure: &["properties.template.scale.rules[cpu].custom"],
        example: "70",
    },
    Field {
        path: "service.*.scale.memory",
        of: None,
        kind: Type::Share,
        doc: "Use of memory, in percent, above which another replica starts.",
        default: Default::Absent("memory makes no replicas"),
        azure: &["properties.template.scale.rules[memory].custom"],
        example: "80",
    },
    Field {
        path: "service.*.scale.queue",
        of: None,
        kind: Type::Table,
        doc: "A queue whose waiting messages make replicas start, even from zero. Queues come with the resource type \
              `service-bus`, which is not supported yet.",
        default: Default::Absent("no queue makes replicas"),
        azure: &["properties.template.scale.rules[queue].custom"],
        example: "{ resource = \"jobs\", messages = 5 }",
    },
    Field {
        path: "service.*.scale.queue.resource",
        of: None,
        kind: Type::Text(&rules::ANY),
        doc: "The resource that holds the queue.",
        default: Default::Required,
        azure: &["properties.template.scale.rules[queue].custom.metadata"],
        example: "\"jobs\"",
    },
    Field {
        path: "service.*.scale.queue.messages",
        of: None,
        kind: Type::Integer { min: 1, max: 100_000 },
        doc: "Waiting messages per replica.",
        default: Default::Required,
        azure: &["properties.template.scale.rules[queue].custom.metadata"],
        example: "5",
    },
    Field {
        path: "service.*.probes",
        of: None,
        kind: Type::Table,
        doc: "HTTP paths on the service's port that tell how it is. Where none is given, the port itself is probed: \
              it must accept a connection.",
        default: Default::Absent("the port itself is probed"),
        azure: &["properties.template.containers[].probes"],
        example: "{ live = \"/health/live\", ready = \"/health/ready\" }",
    },
    Field {
        path: "service.*.probes.live",
        of: None,
        kind: Type::Text(&rules::PATH),
        doc: "Fails when the process must be restarted.",
        default: Default::Absent("the port is probed"),
        azure: &["properties.template.containers[].probes[Liveness].httpGet.path"],
        example: "\"/health/live\"",
    },
    Field {
        path: "service.*.probes.ready",
        of: None,
        kind: Type::Text(&rules::PATH),
        doc: "Fails while the replica should get no requests.",
        default: Default::Absent("the port is probed"),
        azure: &["properties.template.containers[].probes[Readiness].httpGet.path"],
        example: "\"/health/ready\"",
    },
    Field {
        path: "service.*.probes.start",
        of: None,
        kind: Type::Text(&rules::PATH),
        doc: "Succeeds once the process has come up; the other probes begin then.",
        default: Default::Absent("the port is probed"),
        azure: &["properties.template.containers[].probes[Startup].httpGet.path"],
        example: "\"/health/live\"",
    },
    Field {
        path: "service.*.ingress",
        of: None,
        kind: Type::Table,
        doc: "How a service with a port is reached.",
        default: Default::Absent("public, when the service has a port"),
        azure: &["properties.configuration.ingress"],
        example: "{ public = false }",
    },
    Field {
        path: "service.*.ingress.public",
        of: None,
        kind: Type::Boolean,
        doc: "From the internet (true), or only from the application's own environment (false).",
        default: Default::Same("true", "who names a port mostly wants to be called"),
        azure: &["properties.configuration.ingress.external"],
        example: "true",
    },
    Field {
        path: "service.*.ingress.domains",
        of: None,
        kind: Type::List(&Type::Text(&rules::DOMAIN)),
        doc: "Host names of your own that lead here.",
        default: Default::Same("[]", "Azure's generated host name always leads here"),
        azure: &["properties.configuration.ingress.customDomains"],
        example: "[\"www.example.com\"]",
    },
    Field {
        path: "service.*.ingress.allow",
        of: None,
        kind: Type::List(&Type::Text(&rules::CIDR)),
        doc: "IPv4 ranges that are let in; everyone else is refused.",
        default: Default::Same("[]", "everyone is let in"),
        azure: &["properties.configuration.ingress.ipSecurityRestrictions"],
        example: "[\"203.0.113.0/24\"]",
    },
    Field {
        path: "service.*.ingress.cors",
        of: None,
        kind: Type::List(&Type::Text(&rules::ORIGIN)),
        doc: "Origins whose pages may call the service from a browser.",
        default: Default::Same("[]", "no CORS headers are added"),
        azure: &["properties.configuration.ingress.corsPolicy.allowedOrigins"],
        example: "[\"https://www.example.com\"]",
    },
    Field {
        path: "service.*.ingress.affinity",
        of: None,
        kind: Type::Boolean,
        doc: "Whether a client's requests keep going to the same replica.",
        default: Default::Same("false", "a service that keeps no state in its replicas can lose one"),
        azure: &["properties.configuration.ingress.stickySessions.affinity"],
        example: "false",
    },
    Field {
        path: "service.*.uses",
        of: None,
        kind: Type::Map(&rules::ANY, &ACCESS),
        doc: "The resources it reaches and what it may do there. It is the only way to reach one: the service's \
              identity gets the least role for that access, and the usual connection variables are set.",
        default: Default::Absent("it reaches no resource"),
        azure: &["Microsoft.Authorization/roleAssignments", "properties.template.containers[].env"],
        example: "{ store = \"write\" }",
    },
    Field {
        path: "service.*.env",
        of: None,
        kind: Type::Map(&rules::ENV, &Type::Template),
        doc: "Environment variables. `${…}` in a value refers to `resource.X.attr`, `service.X.url`, `env`, `app` or \
              `region`; `$${` is a literal `${`.",
        default: Default::Absent("only the variables that Landfall sets"),
        azure: &["properties.template.containers[].env[].value"],
        example: "{ LOG_LEVEL = \"INFO\", STAGE = \"${env}\" }",
    },
    Field {
        path: "service.*.secrets",
        of: None,
        kind: Type::Map(&rules::ENV, &Type::Text(&rules::SECRET)),
        doc: "Environment variables whose values live in Key Vault, each with the secret's name there. Values come \
              from `landfall secrets set`, never from the manifest.",
        default: Default::Absent("no secrets"),
        azure: &["properties.configuration.secrets", "properties.template.containers[].env[].secretRef"],
        example: "{ DATABASE_URL = \"database-url\" }",
    },
    Field {
        path: "service.*.singleton",
        of: None,
        kind: Type::Boolean,
        doc: "Exactly one instance, for schedulers and the like.",
        default: Default::Same("false", "most services may run several times"),
        azure: &["properties.template.scale"],
        example: "true",
    },
    Field {
        path: "resource",
        of: None,
        kind: Type::Named(&rules::RESOURCE),
        doc: "What is used, each under a name: `[resource.store]`.",
        default: Default::Absent(
            "only what Landfall makes by itself: a vault, and a registry if something is built",
        ),
        azure: &[],
        example: "",
    },
    Field {
        path: "resource.*",
        of: None,
        kind: Type::Table,
        doc: "A resource: something that services use.",
        default: Default::Absent("no such resource"),
        azure: &[],
        example: "",
    },
    Field {
        path: "resource.*.type",
        of: None,
        kind: Type::Choice(Choices {
            words: &[
                ("vault", "a Key Vault for secrets"),
                ("registry", "a container registry"),
                ("storage", "a storage account with blob containers"),
            ],
            later: crate::kinds::LATER,
        }),
        doc: "What it is.",
        default: Default::Required,
        azure: &[],
        example: "\"storage\"",
    },
    Field {
        path: "resource.*.body",
        of: None,
        kind: Type::Json,
        doc: "Anything else, in Azure's own words: merged over the body that Landfall sends.",
        default: Default::Absent("the body is Landfall's"),
        azure: &["properties", "sku", "kind"],
        example: "{ properties = { publicNetworkAccess = \"Disabled\" } }",
    },
    Field {
        path: "resource.*.sku",
        of: Some("vault"),
        kind: Type::Choice(Choices {
            words: &[("standard", "keys in software"), ("premium", "keys in hardware security modules")],
            later: &[],
        }),
        doc: "The vault's SKU.",
        default: Default::Same("\"standard\"", "secrets do not need hardware"),
        azure: &["properties.sku.name"],
        example: "\"standard\"",
    },
    Field {
        path: "resource.*.purge_protection",
        of: Some("vault"),
        kind: Type::Boolean,
        doc: "Nobody, not even its owner, can purge what was deleted before its time is over. Once on, it stays on.",
        default: Default::Tiers(
            ["false", "false", "true"],
            "production keeps what was deleted; elsewhere a name should be free again at once",
        ),
        azure: &["properties.enablePurgeProtection"],
        example: "true",
    },
    Field {
        path: "resource.*.soft_delete",
        of: Some("vault"),
        kind: Type::Days { min: 7, max: 90 },
        doc: "How long deleted secrets, and the deleted vault itself, can be recovered. Fixed once the vault exists.",
        default: Default::Tiers(
            ["\"7d\"", "\"7d\"", "\"90d\""],
            "the shortest that Azure has, and the longest",
        ),
        azure: &["properties.softDeleteRetentionInDays"],
        example: "\"90d\"",
    },
    Field {
        path: "resource.*.sku",
        of: Some("registry"),
        kind: Type::Choice(Choices {
            words: &[
                ("basic", "10 GiB included"),
                ("standard", "100 GiB included"),
                ("premium", "500 GiB included, private endpoints, replication"),
            ],
            later: &[],
        }),
        doc: "The registry's SKU.",
        default: Default::Tiers(
            ["\"basic\"", "\"basic\"", "\"standard\""],
            "the cheapest holds the images of a small application; production pulls in parallel",
        ),
        azure: &["sku.name"],
        example: "\"basic\"",
    },
    Field {
        path: "resource.*.replication",
        of: Some("storage"),
        kind: Type::Choice(Choices {
            words: &[
                ("lrs", "three copies in one data centre"),
                ("zrs", "copies in three zones"),
                ("grs", "three copies here, three in the paired region"),
                ("ragrs", "as `grs`, and the second region can be read"),
                ("gzrs", "copies in three zones, three more in the paired region"),
                ("ragzrs", "as `gzrs`, and the second region can be read"),
            ],
            later: &[],
        }),
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
        of: Some("storage"),
        kind: Type::Choice(Choices {
            words: &[
                ("hot", "read often"),
                ("cool", "kept at least 30 days, cheaper to keep, dearer to read"),
                ("cold", "kept at least 90 days, cheaper still to keep"),
            ],
            later: &[],
        }),
        doc: "The tier that blobs are written to.",
        default: Default::Same("\"hot\"", "the only tier without a charge for deleting early"),
        azure: &["properties.accessTier"],
        example: "\"cool\"",
    },
    Field {
        path: "resource.*.containers",
        of: Some("storage"),
        kind: Type::List(&Type::Text(&rules::CONTAINER)),
        doc: "Blob containers. None of them is public.",
        default: Default::Same("[]", "services make their own"),
        azure: &["Microsoft.Storage/storageAccounts/blobServices/containers"],
        example: "[\"transcripts\"]",
    },
    Field {
        path: "resource.*.soft_delete",
        of: Some("storage"),
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
        of: Some("storage"),
        kind: Type::Boolean,
        doc: "Whether an overwritten blob keeps its earlier content.",
        default: Default::Same("false", "every version is paid for"),
        azure: &["blobServices.properties.isVersioningEnabled"],
        example: "true",
    },
    Field {
        path: "resource.*.lifecycle",
        of: Some("storage"),
        kind: Type::Tables,
        doc: "What happens to blobs as they age, rule by rule.",
        default: Default::Same("[]", "blobs stay until somebody deletes them"),
        azure: &["Microsoft.Storage/storageAccounts/managementPolicies"],
        example: "[{ containers = [\"transcripts\"], delete = \"90d\" }]",
    },
    Field {
        path: "resource.*.lifecycle[].containers",
        of: Some("storage"),
        kind: Type::List(&Type::Text(&rules::CONTAINER)),
        doc: "The containers the rule is for.",
        default: Default::Absent("all of them"),
        azure: &["policy.rules[].definition.filters.prefixMatch"],
        example: "[\"transcripts\"]",
    },
    Field {
        path: "resource.*.lifecycle[].cool",
        of: Some("storage"),
        kind: Type::Days { min: 0, max: 99_999 },
        doc: "Moved to the cool tier that long after the last change.",
        default: Default::Absent("not moved"),
        azure: &["policy.rules[].definition.actions.baseBlob.tierToCool"],
        example: "\"30d\"",
    },
    Field {
        path: "resource.*.lifecycle[].archive",
        of: Some("storage"),
        kind: Type::Days { min: 0, max: 99_999 },
        doc: "Moved to the archive tier that long after the last change. Zone-redundant accounts have none.",
        default: Default::Absent("not moved"),
        azure: &["policy.rules[].definition.actions.baseBlob.tierToArchive"],
        example: "\"90d\"",
    },
    Field {
        path: "resource.*.lifecycle[].delete",
        of: Some("storage"),
        kind: Type::Days { min: 1, max: 99_999 },
        doc: "Deleted that long after the last change.",
        default: Default::Absent("not deleted"),
        azure: &["policy.rules[].definition.actions.baseBlob.delete"],
        example: "\"365d\"",
    },
    Field {
        path: "environment",
        of: None,
        kind: Type::Named(&rules::ENVIRONMENT),
        doc: "Environments, each under a name: `[environment.prod]`. Without any, there are `dev`, `staging` and \
              `prod`; with some, there are those and `dev`.",
        default: Default::Absent("`dev`, `staging` and `prod`, all as the base says"),
        azure: &[],
        example: "",
    },
    Field {
        path: "environment.*",
        of: None,
        kind: Type::Table,
        doc: "What differs in this environment: `region`, `naming`, `tags`, `service` and `resource` again, merged \
              over the base key by key. Lists and plain values replace the base's.",
        default: Default::Absent("nothing differs"),
        azure: &["tags.landfall-env"],
        example: "",
    },
    Field {
        path: "environment.*.tier",
        of: None,
        kind: Type::Choice(Choices {
            words: &[
                ("dev", "cheap, and gone when not used"),
                ("staging", "like production, but smaller"),
                ("prod", "carries users: redundant and protected"),
            ],
            later: &[],
        }),
        doc: "How careful the defaults are. Required unless the environment's name is that of a tier.",
        default: Default::Absent("the tier of the environment's own name"),
        azure: &[],
        example: "\"prod\"",
    },
    Field {
        path: "environment.*.subscription",
        of: None,
        kind: Type::Text(&rules::SUBSCRIPTION),
        doc: "The id of the Azure subscription it lives in.",
        default: Default::Absent("the subscription that you are signed in to"),
        azure: &["id"],
        example: "\"00000000-0000-0000-0000-000000000000\"",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::diagnostic::{Place, line_starts};
    use crate::{kinds, shape, tree};

    /// The codes that a value of a field gets where it would be written.
    fn codes_of(field: &Field, value: &str) -> Vec<String> {
        let kind = field.of.unwrap_or("vault");
        let statement = match field.path.split_once("[].") {
            Some((list, key)) => format!("{} = [{{ {key} = {value} }}]", list.replace('*', "x")),
            None => format!("{} = {value}", field.path.replace('*', "x")),
        };
        let kind = match field.path.starts_with("resource.*.") && last(field.path) != "type" {
            true => format!("resource.x.type = \"{kind}\"\n"),
            false => String::new(),
        };
        let text = format!("{kind}{statement}\n");
        let lines = line_starts(&text);
        let place = Place { file: "landfall.toml", text: &text, lines: &lines };
        let mut read = tree::read(&place);
        let found = read.diagnostics.into_iter().chain(shape::check(place, &mut read.root));
        found.map(|diagnostic| format!("{text}{}: {}", diagnostic.code, diagnostic.message)).collect()
    }

    #[test]
    fn defaults_and_examples_pass_the_checks_of_their_own_fields() {
        for field in FIELDS {
            let defaults =
                Tier::ALL.iter().filter_map(|tier| field.default.of(*tier)).map(|(value, _, _)| value);
            let examples = Some(field.example).filter(|example| !example.is_empty());
            for value in defaults.chain(examples) {
                assert_eq!(codes_of(field, value), Vec::<String>::new(), "{}", field.path);
            }
        }
    }

    #[test]
    fn values_of_another_type_do_not_pass() {
        for field in FIELDS {
            assert_ne!(codes_of(field, "2026-01-01"), Vec::<String>::new(), "{}", field.path);
        }
    }

    #[test]
    fn every_row_is_reached_and_described() {
        let mut seen = BTreeSet::new();
        for field in FIELDS {
            assert!(seen.insert((field.path, field.of)), "{} stands twice", field.path);
            let parent = parent(field.path);
            let known =
                parent.is_empty() || seen.iter().any(|(path, _)| *path == parent.trim_end_matches("[]"));
            assert!(known, "{} stands before its table", field.path);
            assert!(field.doc.ends_with('.'), "{} has a sentence", field.path);
            assert!(field.of.is_none_or(|of| kinds::of(of).is_some()), "{}", field.path);
            // A table says in its fields what it sets.
            let says =
                !field.azure.is_empty() || !field.example.is_empty() || !matches!(field.kind, Type::Text(_));
            assert!(says, "{}", field.path);
        }
    }

    #[test]
    fn words_are_those_of_the_types() {
        let words = |path: &str| -> Vec<&str> {
            match &at(path, None).unwrap().kind {
                Type::Choice(choices) => choices.words.iter().map(|(word, _)| *word).collect(),
                kind => panic!("{path} is {kind:?}"),
            }
        };
        assert_eq!(words("resource.*.type"), kinds::KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>());
        assert_eq!(words("environment.*.tier"), Tier::ALL.map(Tier::as_str));
        assert_eq!(access_words().map(|(word, _)| word), Access::ALL.map(Access::as_str));
    }
}
