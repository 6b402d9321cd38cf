//! Apps of all shapes, generated, for the tests of this room and of `plan`.

use std::collections::BTreeMap;

use landfall_manifest::*;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

pub const SUBSCRIPTION: &str = "11111111-2222-3333-4444-555555555555";

/// Any App that the manifest could give, with references only to what is there.
pub fn any_app() -> impl Strategy<Value = App> {
    let resources = btree_map(name(), any_resource(), 0..4);
    (name(), "[a-z]{2,8}", any_tier(), any_region(), any_naming(), any_tags(), resources).prop_flat_map(
        |(name, environment, tier, region, naming, tags, resources)| {
            let kinds: Vec<(String, ResourceKind)> =
                resources.iter().map(|(name, resource)| (name.clone(), resource.kind.clone())).collect();
            (btree_map(self::name(), any_service(kinds), 0..4), option::of(Just(SUBSCRIPTION))).prop_map(
                move |(mut services, subscription)| {
                    let urls: Vec<String> =
                        services.iter().filter(|(_, s)| s.port.is_some()).map(|(n, _)| n.clone()).collect();
                    // Every service learns every other's address, both ways.
                    for service in services.values_mut() {
                        for url in &urls {
                            let pieces = vec![
                                Piece::Reference(Reference::ServiceUrl { service: url.clone() }),
                                Piece::Text("/v1".to_owned()),
                            ];
                            let variable = format!("{}_URL", url.to_uppercase().replace('-', "_"));
                            service.env.insert(variable, Template(pieces));
                        }
                    }
                    // More than one vault or registry takes one called `main`.
                    let mut resources = resources.clone();
                    for kind in ["vault", "registry"] {
                        let several: Vec<String> = resources
                            .iter()
                            .filter(|(_, r)| r.kind.as_str() == kind)
                            .map(|(name, _)| name.clone())
                            .collect();
                        for name in several.iter().skip(1) {
                            resources.remove(name);
                            for service in services.values_mut() {
                                service.uses.remove(name);
                                service.env.retain(|_, template| !mentions(template, name));
                            }
                        }
                    }
                    App {
                        name: name.clone(),
                        environment: environment.clone(),
                        tier,
                        subscription: subscription.map(str::to_owned),
                        region: region.clone(),
                        naming: naming.clone(),
                        tags: tags.clone(),
                        services,
                        resources,
                        ..usual()
                    }
                },
            )
        },
    )
}

/// An App of the language's defaults, with a service and a resource of each type. What is generated is laid over it, so
/// that a new field of the language needs no word here.
fn usual() -> App {
    let kinds = resource::KINDS.iter().map(|kind| format!("[resource.{0}]\ntype = \"{0}\"\n", kind.name));
    let text = format!(
        "app = \"usual\"\nregion = \"westeurope\"\n[service.web]\nimage = \"nginx:1\"\n{}",
        kinds.collect::<String>()
    );
    let loaded = load("landfall.toml", &text, None);
    loaded.app.unwrap_or_else(|| panic!("{text}{:#?}", loaded.diagnostics))
}

fn usual_kind(kind: &str) -> ResourceKind {
    usual().resources[kind].kind.clone()
}

fn mentions(template: &Template, name: &str) -> bool {
    template.0.iter().any(|piece| {
        matches!(piece, Piece::Reference(Reference::ResourceAttribute { resource, .. }) if resource == name)
    })
}

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9]{0,11}(-[a-z0-9]{1,6})?"
}

fn any_tier() -> impl Strategy<Value = Tier> {
    select(Tier::ALL.to_vec())
}

fn any_region() -> impl Strategy<Value = String> {
    select(vec!["westeurope", "australiaeast", "germanywestcentral", "eastus2"]).prop_map(str::to_owned)
}

fn any_naming() -> impl Strategy<Value = String> {
    select(vec!["{type}-{app}-{env}-{region}", "{app}-{env}-{type}", "corp-{type}-{env}-{app}"])
        .prop_map(str::to_owned)
}

fn any_tags() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map("[a-z][a-zA-Z -]{0,12}", "[ -~]{0,20}", 0..3)
}

#[allow(clippy::needless_update, unused_variables, reason = "a type may grow fields")]
fn any_resource() -> impl Strategy<Value = Resource> {
    let vault = (any::<bool>(), any::<bool>(), 7u32..=90).prop_map(|(premium, purge_protection, days)| {
        let sku = if premium { VaultSku::Premium } else { VaultSku::Standard };
        let ResourceKind::Vault(usual) = usual_kind("vault") else { unreachable!("a vault") };
        ResourceKind::Vault(Vault { sku, purge_protection, soft_delete: Days(days), ..usual })
    });
    let registry =
        select(vec![RegistrySku::Basic, RegistrySku::Standard, RegistrySku::Premium]).prop_map(|sku| {
            let ResourceKind::Registry(usual) = usual_kind("registry") else { unreachable!("a registry") };
            ResourceKind::Registry(Registry { sku, ..usual })
        });
    let written = (select(WRITTEN.to_vec()), any_tier()).prop_map(|(text, tier)| written(text, tier));
    prop_oneof![1 => vault, 1 => registry, 1 => any_storage(), 3 => written]
        .prop_map(|kind| Resource { kind, body: None })
}

/// Resources as somebody would write them, so that defaults and units are read as the manifest reads them.
const WRITTEN: &[&str] = &[
    "type = \"registry\"\nsku = \"premium\"\nzones = true\nreplicas = [\"southeastasia\"]\nretention = \"30d\"",
    "type = \"postgres\"\nsku = \"B1ms\"\nha = \"none\"\nallow = [\"203.0.113.0/24\"]",
    "type = \"postgres\"\nsku = \"D4ds_v5\"\nversion = \"15\"\nstorage = \"256Gi\"\nha = \"zone\"\nreplicas = 2\n\
     databases = [\"app\", \"audit\"]\npooler = { min = 10, idle = \"600s\" }\nparameters = { work_mem = \"8192\" }",
    "type = \"redis\"",
    "type = \"redis\"\nsku = \"M20\"\nclustering = \"oss\"\npersistence = \"aof\"\nmodules = [\"json\"]",
    "type = \"service-bus\"\nsku = \"basic\"\nqueues = { jobs = { lock = \"5m\", max_delivery = 5 } }",
    "type = \"service-bus\"\nsku = \"premium\"\nunits = 2\nqueues = { jobs = { sessions = true, duplicate_window = \"10m\" } }\n\
     topics = { events = { subscriptions = { audit = { dead_letter = false } } } }",
    "type = \"cosmos\"\ncapacity = \"serverless\"\ndatabases = { app = { containers = { users = { partition = [\"/tenantId\", \"/id\"], unique = [\"/email\"] } } } }",
    "type = \"cosmos\"\ncapacity = \"provisioned\"\nregions = [\"northeurope\"]\nbackup = \"periodic\"\nconsistency = \"bounded-staleness\"\n\
     databases = { app = { autoscale = 4000, containers = { states = { ttl = \"90d\", throughput = 400 } } } }",
    "type = \"openai\"\ndeployments = { chat = { model = \"gpt-4.1\", capacity = 120 }, embed = { model = \"text-embedding-3-small\" } }",
    "type = \"openai\"\nregion = \"swedencentral\"\ndeployments = { other = { model = \"my-model\", sku = \"provisioned\" } }",
    "type = \"speech\"",
    "type = \"communication\"\nemail = \"azure\"",
    "type = \"communication\"\ndata = \"uk\"",
    "type = \"app-config\"\nkeys = { \"api:page size\" = \"50\" }\nfeatures = { multi-region = true }",
    "type = \"search\"\nregion = \"northeurope\"",
    "type = \"load-test\"\ndescription = \"Monday morning\"",
    "type = \"storage\"\nversioning = true\nsoft_delete = \"14d\"\nrestore = \"7d\"\ntables = [\"states\"]\nqueues = [\"jobs\"]\n\
     shares = { media = { quota = \"1Ti\" } }\nsas = \"15m\"",
];

/// A resource of a manifest.
pub fn written(text: &str, tier: Tier) -> ResourceKind {
    let text = format!("app = \"hello\"\nregion = \"westeurope\"\n[resource.x]\n{text}\n");
    let loaded = load("landfall.toml", &text, Some(tier.as_str()));
    let mut app = loaded.app.unwrap_or_else(|| panic!("{text}{:#?}", loaded.diagnostics));
    app.resources.remove("x").unwrap().kind
}

#[allow(clippy::needless_update, unused_variables, reason = "the type may grow fields")]
fn any_storage() -> impl Strategy<Value = ResourceKind> {
    let replications = vec![
        Replication::Lrs,
        Replication::Zrs,
        Replication::Grs,
        Replication::Ragrs,
        Replication::Gzrs,
        Replication::Ragzrs,
    ];
    let containers = subsequence(vec!["files", "transcripts", "a-b", "logs2"], 0..=4)
        .prop_map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let tiers = vec![AccessTier::Hot, AccessTier::Cool, AccessTier::Cold];
    (select(replications), select(tiers), containers, 1u32..=365, any::<bool>(), any_lifecycle()).prop_map(
        |(replication, access, containers, days, versioning, mut lifecycle)| {
            for rule in &mut lifecycle {
                rule.containers.retain(|container| containers.contains(container));
                rule.archive = rule.archive.filter(|_| !replication.is_zonal());
                if rule.cool.is_none() && rule.archive.is_none() {
                    rule.delete.get_or_insert(Days(400));
                }
            }
            let ResourceKind::Storage(usual) = usual_kind("storage") else { unreachable!("an account") };
            ResourceKind::Storage(Storage {
                replication,
                access,
                containers,
                soft_delete: Days(days),
                versioning,
                lifecycle,
                ..usual
            })
        },
    )
}

fn any_lifecycle() -> impl Strategy<Value = Vec<Lifecycle>> {
    let rule = (option::of(0u32..100), option::of(100u32..200), option::of(200u32..900), any::<bool>())
        .prop_map(|(cool, archive, delete, some)| Lifecycle {
            containers: if some { vec!["files".to_owned()] } else { Vec::new() },
            cool: cool.map(Days),
            cold: None,
            archive: archive.map(Days),
            delete: delete.map(Days),
        });
    vec(rule, 0..3)
}

#[allow(clippy::needless_update, unused_variables, reason = "services may grow fields")]
fn any_service(kinds: Vec<(String, ResourceKind)>) -> impl Strategy<Value = Service> {
    let built = any::<bool>();
    let port = option::of(1024u16..);
    let size = select(vec![(250, 512), (500, 1024), (1000, 2048), (1750, 3584), (4000, 8192)]);
    (
        built,
        port,
        size,
        option::of(vec("[ -~]{1,8}", 1..4)),
        any_scale(),
        (any_probes(), any_ingress()),
        any_uses(&kinds),
        (any_env(kinds), any_secrets()),
    )
        .prop_map(
            |(built, port, (cpu, memory), command, scale, (probes, ingress), uses, (env, secrets))| {
                let scale = Some(Scale { http: scale.http.filter(|_| port.is_some()), ..scale });
                Service {
                    host: Host::default(),
                    source: match built {
                        true => Source::Folder(".".to_owned()),
                        false => Source::Image("docker.io/library/nginx:1.29".to_owned()),
                    },
                    port,
                    command,
                    args: Vec::new(),
                    cpu: Some(Cpu { millicores: cpu }),
                    memory: Some(Memory { mebibytes: memory }),
                    scale,
                    probes: port.map(|_| probes).unwrap_or_default(),
                    ingress: port.map(|_| ingress),
                    uses,
                    env,
                    secrets,
                    singleton: false,
                    ..usual().services["web"].clone()
                }
            },
        )
}

fn any_scale() -> impl Strategy<Value = Scale> {
    (0u32..4, 0u32..6, option::of(1u32..500), option::of(1u8..=100), option::of(1u8..=100)).prop_map(
        |(min, more, http, cpu, memory)| Scale {
            min,
            max: (min + more).max(1),
            http,
            cpu,
            memory,
            ..Scale::default()
        },
    )
}

fn any_probes() -> impl Strategy<Value = Probes> {
    let path = || option::of("/[a-z]{0,8}");
    (path(), path(), path()).prop_map(|(live, ready, start)| Probes { live, ready, start })
}

fn any_ingress() -> impl Strategy<Value = Ingress> {
    let some = |all: Vec<&'static str>| {
        let most = all.len();
        subsequence(all, 0..=most).prop_map(|some| some.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    (
        any::<bool>(),
        some(vec!["talenti.app", "www.talenti.app"]),
        some(vec!["203.0.113.0/24", "198.51.100.7/32"]),
        some(vec!["https://talenti.app", "*"]),
        any::<bool>(),
    )
        .prop_map(|(public, domains, allow, cors, affinity)| Ingress {
            public,
            domains,
            allow,
            cors,
            affinity,
        })
}

fn any_uses(kinds: &[(String, ResourceKind)]) -> impl Strategy<Value = BTreeMap<String, Accesses>> + use<> {
    let offers: Vec<(String, Vec<Access>)> = kinds
        .iter()
        .map(|(name, kind)| (name.clone(), kind.facts().access.iter().map(|(access, _)| *access).collect()))
        .collect();
    let most = offers.len();
    subsequence(offers, 0..=most).prop_flat_map(|chosen| {
        let each: Vec<_> = chosen
            .into_iter()
            .filter(|(_, accesses)| !accesses.is_empty())
            .map(|(name, accesses)| (Just(name), some_of(accesses)))
            .collect();
        each.prop_map(|pairs| pairs.into_iter().collect())
    })
}

fn some_of(accesses: Vec<Access>) -> impl Strategy<Value = Accesses> {
    let most = accesses.len();
    subsequence(accesses, 1..=most).prop_map(|some| some.into_iter().collect())
}

fn any_env(kinds: Vec<(String, ResourceKind)>) -> impl Strategy<Value = BTreeMap<String, Template>> {
    let mut references = vec![Reference::App, Reference::Environment, Reference::Region];
    for (name, kind) in &kinds {
        for (attribute, _) in kind.facts().attributes {
            references.push(Reference::ResourceAttribute {
                resource: name.clone(),
                attribute: (*attribute).to_owned(),
            });
        }
    }
    let piece = prop_oneof![
        "[ -~]{0,10}".prop_map(Piece::Text),
        "\\[[ -~]{0,10}\\]".prop_map(Piece::Text),
        select(references).prop_map(Piece::Reference),
    ];
    btree_map("[A-Z][A-Z_]{0,10}", vec(piece, 0..4).prop_map(Template), 0..4)
}

fn any_secrets() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map("SECRET_[A-Z]{1,6}", "[a-zA-Z][a-zA-Z0-9-]{0,12}", 0..3)
}
