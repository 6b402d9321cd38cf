//! One environment's tree: the base, the overlay over it, and the defaults of its tier.

use std::collections::BTreeSet;

use crate::app::Tier;
use crate::fields::{self, Default, Type};
use crate::host;
use crate::tree::{Layer, Node, Table, Value};
use crate::units::{Cpu, Memory};
use crate::{release, watch};

/// `over` merged over `base`: tables key by key, everything else replaced.
pub(crate) fn merge(base: &mut Table, over: &Table) {
    merge_at(base, over, "");
}

fn merge_at(base: &mut Table, over: &Table, path: &str) {
    if path == "service.*" {
        // Either of these pairs says the same thing in two ways; the overlay's way wins.
        replace(base, over, "source", "image");
        replace_entries(base, over, "env", "secrets");
    }
    for (key, node) in over {
        // A resource's type is the same everywhere; that an overlay says another one is reported elsewhere.
        if path == "resource.*" && key == "type" && base.contains_key(key) {
            continue;
        }
        let child = match path {
            "service" | "resource" => format!("{path}.*"),
            _ => fields::join(path, key),
        };
        match (base.get_mut(key), &node.value) {
            (Some(Node { value: Value::Table(below), .. }), Value::Table(over)) => {
                merge_at(below, over, &child)
            }
            _ => {
                base.insert(key.clone(), node.clone());
            }
        }
    }
}

fn replace(base: &mut Table, over: &Table, one: &str, other: &str) {
    for (said, gone) in [(one, other), (other, one)] {
        if over.contains_key(said) && !over.contains_key(gone) {
            base.remove(gone);
        }
    }
}

fn replace_entries(base: &mut Table, over: &Table, one: &str, other: &str) {
    for (said, gone) in [(one, other), (other, one)] {
        let names: Vec<String> =
            over.get(said).and_then(Node::table).into_iter().flat_map(Table::keys).cloned().collect();
        if let Some(table) = base.get_mut(gone).and_then(Node::table_mut) {
            table.retain(|name, _| !names.contains(name));
        }
    }
}

/// Puts in what nobody wrote.
pub(crate) fn fill(root: &mut Table, tier: Tier) {
    for service in root.get_mut("service").and_then(Node::table_mut).into_iter().flat_map(Table::values_mut) {
        if let Some(service) = service.table_mut() {
            settle(service, tier);
        }
    }
    watch::alert::settle(root);
    watch::standard::add(root, tier);
    release::settle(root, tier);
    shared(root);
    raise(root);
    fill_table(root, "", None, tier, true);
}

/// The host of a service.
pub(crate) fn host_of(service: &Table) -> &str {
    service.get("host").and_then(Node::text).unwrap_or(host::USUAL)
}

/// What services on one host share is there as soon as there is such a service.
fn shared(root: &mut Table) {
    let services = root.get("service").and_then(Node::table);
    let hosts: BTreeSet<String> = services
        .into_iter()
        .flat_map(Table::values)
        .filter_map(|node| Some(host_of(node.table()?).to_owned()))
        .collect();
    for (table, needed_by) in [("container-apps", host::ENVIRONMENT), ("kubernetes", &["kubernetes"])] {
        if needed_by.iter().any(|host| hosts.contains(*host)) {
            root.entry(table.to_owned()).or_insert_with(|| empty("services run on it"));
        }
    }
    let Some(cluster) = root.get_mut("kubernetes").and_then(Node::table_mut) else { return };
    let pools = cluster.entry("pools".to_owned()).or_insert_with(|| empty("a cluster has one pool at least"));
    let Some(pools) = pools.table_mut() else { return };
    if pools.is_empty() {
        pools.insert("system".to_owned(), empty("a cluster has one pool at least"));
    }
    if let Some(system) = pools.get_mut("system").and_then(Node::table_mut) {
        let why = "the pool called `system` holds the cluster's own parts";
        system.entry("system".to_owned()).or_insert_with(|| Node::default(Value::Boolean(true), None, why));
    }
}

fn empty(why: &str) -> Node {
    Node::default(Value::Table(Table::new()), None, why)
}

/// In a private network a resource that says no SKU has one that can be private.
fn raise(root: &mut Table) {
    let private = root.get("network").and_then(Node::table).and_then(|network| network.get("private"));
    if private.and_then(Node::boolean) != Some(true) {
        return;
    }
    let resources =
        root.get_mut("resource").and_then(Node::table_mut).into_iter().flat_map(Table::values_mut);
    for resource in resources.filter_map(Node::table_mut) {
        let kind = resource.get("type").and_then(Node::text);
        if let Some(sku) = kind.and_then(crate::network::check::private_sku) {
            const WHY: &str = "the network is private, and only this one has private endpoints";
            resource
                .entry("sku".to_owned())
                .or_insert_with(|| Node::default(Value::Text(sku.to_owned()), None, WHY));
        }
    }
}

/// The defaults of a service that depend on what it says elsewhere.
fn settle(service: &mut Table, tier: Tier) {
    let host = host_of(service).to_owned();
    match host.as_str() {
        "container-apps" | "kubernetes" => pair(service),
        "container-job" => {
            pair(service);
            trigger(service);
        }
        "app-service" => {
            put(
                service,
                "port",
                8000,
                None,
                "App Service asks a port whether the service is there, and this one",
            );
            by_size(service, tier);
        }
        _ => {}
    }
    if !host::LISTENERS.contains(&host.as_str()) {
        return;
    }
    let has_port = service.contains_key("port");
    let singleton = service.get("singleton").and_then(Node::boolean) == Some(true);
    let grows = host != "app-service" || plan_size(service, tier).is_none_or(host::app_service::Size::scales);
    let scale = service.entry("scale".to_owned()).or_insert_with(|| empty("the defaults of its fields"));
    let Some(scale) = scale.table_mut() else { return };
    let number = |scale: &Table, key: &str| scale.get(key).and_then(Node::integer);
    if singleton {
        for key in ["min", "max"] {
            put(scale, key, 1, None, "a singleton has exactly one instance");
        }
        return;
    }
    let default = |key: &str| {
        let field = fields::at(&format!("service.*.scale.{key}"), Some(&host))?;
        field.default.of(tier)?.0.parse::<i64>().ok()
    };
    let (Some(min), Some(max)) = (default("min"), default("max")) else { return };
    if let Some(written) = number(scale, "max").filter(|max| *max < min) {
        put(scale, "min", written, Some(tier), "lowered to `scale.max`");
    }
    if !has_port && !scale.contains_key("queue") && min == 0 {
        put(scale, "min", 1, None, "nothing would wake a worker that sleeps");
    }
    if !grows {
        let least = number(scale, "min").unwrap_or(min);
        put(scale, "max", least, None, "the size of its plan does not scale by itself");
    }
    if let Some(written) = number(scale, "min").filter(|min| *min > max) {
        put(scale, "max", written, Some(tier), "raised to `scale.min`");
    }
}

/// What starts a job, where that is not said in so many words.
fn trigger(service: &mut Table) {
    let queue = service.get("scale").and_then(Node::table).is_some_and(|scale| scale.contains_key("queue"));
    let (word, why) = match (service.contains_key("schedule"), queue) {
        (true, _) => ("schedule", "it has a `schedule`"),
        (false, true) => ("queue", "it has a `scale.queue`"),
        (false, false) => ("manual", "neither `schedule` nor `scale.queue` starts it"),
    };
    let word = Value::Text(word.to_owned());
    service.entry("trigger".to_owned()).or_insert_with(|| Node::default(word, None, why));
}

/// The size of the plan that a service on App Service is to have.
fn plan_size(service: &Table, tier: Tier) -> Option<&'static host::app_service::Size> {
    let said = service.get("plan").and_then(Node::table).and_then(|plan| plan.get("sku"));
    match said {
        Some(node) => host::app_service::size(node.text()?),
        None => {
            let field = fields::at("service.*.plan.sku", None)?;
            host::app_service::size(field.default.of(tier)?.0.trim_matches('"'))
        }
    }
}

/// What depends on the size of an App Service plan.
fn by_size(service: &mut Table, tier: Tier) {
    let Some(size) = plan_size(service, tier) else { return };
    put(service, "workers", i64::from(size.workers()), None, "by the size of the plan");
    if !size.is_paid() {
        let why = "a free plan is unloaded when nobody asks";
        service
            .entry("always_on".to_owned())
            .or_insert_with(|| Node::default(Value::Boolean(false), None, why));
    }
    if size.slots == 0 {
        let why = "the size of its plan has none";
        service
            .entry("slots".to_owned())
            .or_insert_with(|| Node::default(Value::List(Vec::new()), None, why));
    }
}

fn put(table: &mut Table, key: &str, number: i64, tier: Option<Tier>, why: &str) {
    table.entry(key.to_owned()).or_insert_with(|| Node::default(Value::Integer(number), tier, why));
}

/// Of cpu and memory, one decides the other.
fn pair(service: &mut Table) {
    const WHY: &str = "two gibibytes per vCPU";
    match (service.get("cpu"), service.get("memory")) {
        (Some(cpu), None) => {
            if let Some(cpu) = cpu_of(cpu) {
                let memory = Memory::for_cpu(cpu).to_string();
                service.insert("memory".to_owned(), Node::default(Value::Text(memory), None, WHY));
            }
        }
        (None, Some(memory)) => {
            if let Some(memory) = memory_of(memory) {
                let cpu = f64::from(Cpu::for_memory(memory).millicores) / 1000.0;
                service.insert("cpu".to_owned(), Node::default(Value::Float(cpu), None, WHY));
            }
        }
        _ => {}
    }
}

/// The cpu that a checked value says.
pub(crate) fn cpu_of(node: &Node) -> Option<Cpu> {
    match node.value {
        Value::Integer(number) => {
            u32::try_from(number).ok().and_then(|number| Cpu::from_vcpus(f64::from(number)))
        }
        Value::Float(number) => Cpu::from_vcpus(number),
        _ => None,
    }
}

/// The memory that a checked value says.
pub(crate) fn memory_of(node: &Node) -> Option<Memory> {
    Memory::parse(node.text()?).ok()
}

/// Puts in the defaults below `path`, which `kind` (a type of resource, a host) has.
fn fill_table(table: &mut Table, path: &str, kind: Option<&str>, tier: Tier, has_port: bool) {
    for field in fields::below(path, kind) {
        let key = fields::last(field.path);
        // Without a port there is no ingress, and no requests to scale by.
        if !has_port && ["service.*.ingress", "service.*.scale.http"].contains(&field.path) {
            continue;
        }
        match &field.kind {
            // Other environments are not part of this one.
            Type::Named(_) if field.path == "environment" => {}
            Type::Named(_) => {
                let entries =
                    table.get_mut(key).and_then(Node::table_mut).into_iter().flat_map(Table::values_mut);
                for entry in entries.filter_map(Node::table_mut) {
                    let own = fields::decides(field.path).map(|(word, usual)| {
                        entry.get(word).and_then(Node::text).or(usual).map(str::to_owned)
                    });
                    // Without its type nobody knows the fields of a resource.
                    if own == Some(None) {
                        continue;
                    }
                    let own = own.flatten();
                    // A static site is reached without a port of its own.
                    let has_port = field.path != "service"
                        || entry.contains_key("port")
                        || host_of(entry) == "static-web-app";
                    let below = format!("{}.*", field.path);
                    fill_table(entry, &below, own.as_deref().or(kind), tier, has_port);
                }
            }
            Type::Table => {
                if matches!(field.default, Default::Fields(_)) && !table.contains_key(key) {
                    let node = Node::default(Value::Table(Table::new()), None, "the defaults of its fields");
                    table.insert(key.to_owned(), node);
                }
                if let Some(inner) = table.get_mut(key).and_then(Node::table_mut) {
                    fill_table(inner, field.path, kind, tier, has_port);
                }
            }
            field_type => {
                if let Some((literal, tier, why)) =
                    field.default.of(tier).filter(|_| !table.contains_key(key))
                {
                    table.insert(key.to_owned(), default_node(literal, tier, why));
                }
                if let Type::Tables = field_type {
                    let items = table.get_mut(key).and_then(Node::list_mut).into_iter().flatten();
                    for item in items.filter_map(Node::table_mut) {
                        fill_table(item, &format!("{}[]", field.path), kind, tier, has_port);
                    }
                }
            }
        }
    }
}

/// A default's text as a value.
pub(crate) fn default_node(literal: &str, tier: Option<Tier>, why: &str) -> Node {
    let place = crate::diagnostic::Place { file: "", text: &format!("value = {literal}"), lines: &[0] };
    let mut root = crate::tree::read(&place).root;
    let mut node =
        root.remove("value").expect("a default of the table of fields is TOML, which a test holds");
    let layer = Layer::Default { tier, why: why.to_owned() };
    node.layer = layer.clone();
    if let Value::List(items) = &mut node.value {
        items.iter_mut().for_each(|item| item.layer = layer.clone());
    }
    node
}
