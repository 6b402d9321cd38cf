//! From a checked and filled tree to the App.
//!
//! Everything here may rely on the checks before it: a `None` means that one of them let something through.

use std::collections::BTreeMap;

use crate::app::{
    Access, AccessTier, App, Host, Ingress, Lifecycle, Probes, QueueScale, Registry, RegistrySku,
    Replication, Resource, ResourceKind, Scale, Service, Source, Storage, Vault, VaultSku,
};
use crate::diagnostic::Place;
use crate::fields;
use crate::load::Environment;
use crate::origin::{Entry, Origin, Origins};
use crate::resolve::{cpu_of, memory_of};
use crate::template;
use crate::tree::{Layer, Node, Table, Value};
use crate::units::Days;

/// The App that `root` says in `environment`.
pub(crate) fn build(place: Place<'_>, root: &Table, environment: &Environment) -> Option<App> {
    Some(App {
        name: text(root, "app")?,
        environment: environment.name.clone(),
        tier: environment.tier,
        subscription: text(&environment.own, "subscription"),
        region: text(root, "region")?,
        naming: text(root, "naming")?,
        tags: texts_by_name(root, "tags")?,
        services: named(root, "service", service)?,
        resources: named(root, "resource", resource)?,
        origins: origins(place, root, environment),
    })
}

fn service(table: &Table) -> Option<Service> {
    let port = match table.get("port") {
        Some(node) => Some(u16::try_from(node.integer()?).ok()?),
        None => None,
    };
    let source = match text(table, "image") {
        Some(image) => Source::Image(image),
        None => Source::Folder(text(table, "source")?),
    };
    Some(Service {
        host: match text(table, "host")?.as_str() {
            "container-apps" => Host::ContainerApps,
            _ => return None,
        },
        source,
        port,
        command: optional(table, "command", texts)?,
        cpu: cpu_of(table.get("cpu")?)?,
        memory: memory_of(table.get("memory")?)?,
        scale: scale(table.get("scale")?.table()?)?,
        probes: probes(table),
        ingress: match port {
            Some(_) => Some(ingress(table.get("ingress")?.table()?)?),
            None => None,
        },
        uses: by_name(table, "uses", |node| Access::from_word(node.text()?))?,
        env: by_name(table, "env", |node| Some(template::parse(node.text()?).template()))?,
        secrets: texts_by_name(table, "secrets")?,
        singleton: table.get("singleton")?.boolean()?,
    })
}

fn scale(table: &Table) -> Option<Scale> {
    Some(Scale {
        min: number(table, "min")??,
        max: number(table, "max")??,
        http: number(table, "http")?,
        cpu: number(table, "cpu")?,
        memory: number(table, "memory")?,
        queue: match table.get("queue") {
            Some(node) => {
                let queue = node.table()?;
                Some(QueueScale { resource: text(queue, "resource")?, messages: number(queue, "messages")?? })
            }
            None => None,
        },
    })
}

fn probes(service: &Table) -> Probes {
    let Some(table) = service.get("probes").and_then(Node::table) else { return Probes::default() };
    Probes { live: text(table, "live"), ready: text(table, "ready"), start: text(table, "start") }
}

fn ingress(table: &Table) -> Option<Ingress> {
    Some(Ingress {
        public: table.get("public")?.boolean()?,
        domains: texts(table.get("domains")?)?,
        allow: texts(table.get("allow")?)?,
        cors: texts(table.get("cors")?)?,
        affinity: table.get("affinity")?.boolean()?,
    })
}

fn resource(table: &Table) -> Option<Resource> {
    let sku = text(table, "sku");
    let kind = match text(table, "type")?.as_str() {
        "vault" => ResourceKind::Vault(Vault {
            sku: match sku?.as_str() {
                "standard" => VaultSku::Standard,
                "premium" => VaultSku::Premium,
                _ => return None,
            },
            purge_protection: table.get("purge_protection")?.boolean()?,
            soft_delete: days(table.get("soft_delete")?)?,
        }),
        "registry" => ResourceKind::Registry(Registry {
            sku: match sku?.as_str() {
                "basic" => RegistrySku::Basic,
                "standard" => RegistrySku::Standard,
                "premium" => RegistrySku::Premium,
                _ => return None,
            },
        }),
        "storage" => ResourceKind::Storage(Storage {
            replication: replication(&text(table, "replication")?)?,
            access: match text(table, "access")?.as_str() {
                "hot" => AccessTier::Hot,
                "cool" => AccessTier::Cool,
                "cold" => AccessTier::Cold,
                _ => return None,
            },
            containers: texts(table.get("containers")?)?,
            soft_delete: days(table.get("soft_delete")?)?,
            versioning: table.get("versioning")?.boolean()?,
            lifecycle: table.get("lifecycle")?.list()?.iter().map(lifecycle).collect::<Option<_>>()?,
        }),
        _ => return None,
    };
    Some(Resource { kind, body: optional(table, "body", json)? })
}

/// The redundancy of that word.
pub(crate) fn replication(word: &str) -> Option<Replication> {
    Some(match word {
        "lrs" => Replication::Lrs,
        "zrs" => Replication::Zrs,
        "grs" => Replication::Grs,
        "ragrs" => Replication::Ragrs,
        "gzrs" => Replication::Gzrs,
        "ragzrs" => Replication::Ragzrs,
        _ => return None,
    })
}

fn lifecycle(node: &Node) -> Option<Lifecycle> {
    let table = node.table()?;
    Some(Lifecycle {
        containers: optional(table, "containers", texts)?.unwrap_or_default(),
        cool: optional(table, "cool", days)?,
        archive: optional(table, "archive", days)?,
        delete: optional(table, "delete", days)?,
    })
}

fn text(table: &Table, key: &str) -> Option<String> {
    table.get(key)?.text().map(str::to_owned)
}

fn texts(node: &Node) -> Option<Vec<String>> {
    node.list()?.iter().map(|node| node.text().map(str::to_owned)).collect()
}

fn days(node: &Node) -> Option<Days> {
    Days::parse(node.text()?).ok()
}

/// `Some(None)` when nothing is there, `None` when what is there is no such number.
fn number<N: TryFrom<i64>>(table: &Table, key: &str) -> Option<Option<N>> {
    optional(table, key, |node| N::try_from(node.integer()?).ok())
}

/// `Some(None)` when nothing is there, `None` when `read` cannot read what is.
fn optional<T>(table: &Table, key: &str, read: impl Fn(&Node) -> Option<T>) -> Option<Option<T>> {
    match table.get(key) {
        Some(node) => read(node).map(Some),
        None => Some(None),
    }
}

fn by_name<T>(table: &Table, key: &str, read: impl Fn(&Node) -> Option<T>) -> Option<BTreeMap<String, T>> {
    let Some(node) = table.get(key) else { return Some(BTreeMap::new()) };
    node.table()?.iter().map(|(name, node)| Some((name.clone(), read(node)?))).collect()
}

fn texts_by_name(table: &Table, key: &str) -> Option<BTreeMap<String, String>> {
    by_name(table, key, |node| node.text().map(str::to_owned))
}

fn named<T>(root: &Table, key: &str, read: impl Fn(&Table) -> Option<T>) -> Option<BTreeMap<String, T>> {
    by_name(root, key, |node| read(node.table()?))
}

/// The JSON of a checked value.
fn json(node: &Node) -> Option<serde_json::Value> {
    Some(match &node.value {
        Value::Text(text) => text.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => serde_json::Number::from_f64(*number)?.into(),
        Value::Boolean(yes) => (*yes).into(),
        Value::List(items) => items.iter().map(json).collect::<Option<Vec<_>>>()?.into(),
        Value::Table(table) => {
            let entries = table.iter().map(|(key, node)| Some((key.clone(), json(node)?)));
            serde_json::Value::Object(entries.collect::<Option<_>>()?)
        }
        Value::Date | Value::Broken => return None,
    })
}

/// Where each value came from.
fn origins(place: Place<'_>, root: &Table, environment: &Environment) -> Origins {
    let mut origins = Origins::default();
    collect(place, root, "", &mut origins);
    let mut own = environment.own.clone();
    own.entry("tier".to_owned()).or_insert_with(|| {
        let word = Value::Text(environment.tier.as_str().to_owned());
        Node::default(word, None, "the environment's own name")
    });
    collect(place, &own, &fields::join("environment", &environment.name), &mut origins);
    origins
}

fn collect(place: Place<'_>, table: &Table, path: &str, origins: &mut Origins) {
    for (key, node) in table {
        let path = fields::join(path, &bare(key));
        let written = match &node.value {
            // Of a table its name is meant, not the brackets around it.
            Value::Table(_) => node.key.clone(),
            _ => node.span.clone(),
        };
        let origin = match &node.layer {
            Layer::Default { tier, why } => Origin::Default { tier: *tier, why: why.clone() },
            Layer::Base | Layer::Environment(_) => Origin::Written {
                file: place.file.to_owned(),
                line: place.position(written.start).0,
                span: written,
                environment: match &node.layer {
                    Layer::Environment(name) => Some(name.clone()),
                    _ => None,
                },
            },
        };
        let value = match &node.value {
            Value::Table(table) if !table.is_empty() => None,
            _ => Some(toml(node)),
        };
        origins.insert(path.clone(), Entry { origin, value });
        if let Value::Table(inner) = &node.value {
            collect(place, inner, &path, origins);
        }
    }
}

/// A value as one line of TOML.
fn toml(node: &Node) -> String {
    match &node.value {
        Value::Text(text) => quoted(text),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Boolean(yes) => yes.to_string(),
        Value::Date | Value::Broken => String::new(),
        Value::List(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Table(table) if table.is_empty() => "{}".to_owned(),
        Value::Table(table) => {
            let entries: Vec<String> =
                table.iter().map(|(key, node)| format!("{} = {}", bare(key), toml(node))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// A key, in quotes where it needs them.
pub(crate) fn bare(key: &str) -> String {
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare { key.to_owned() } else { quoted(key) }
}

/// A text in TOML's quotes, on one line.
pub(crate) fn quoted(text: &str) -> String {
    // JSON's escapes are TOML's, but for the one control character that JSON leaves alone.
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}
