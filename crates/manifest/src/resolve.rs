//! One environment's tree: the base, the overlay over it, and the defaults of its tier.

use crate::app::Tier;
use crate::fields::{self, Default, Type};
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
    fill_table(root, "", None, tier, true);
}

/// The defaults of a service that depend on what it says elsewhere.
fn settle(service: &mut Table, tier: Tier) {
    pair(service);
    let has_port = service.contains_key("port");
    let singleton = service.get("singleton").and_then(Node::boolean) == Some(true);
    let scale = service
        .entry("scale".to_owned())
        .or_insert_with(|| Node::default(Value::Table(Table::new()), None, "the defaults of its fields"));
    let Some(scale) = scale.table_mut() else { return };
    let number = |scale: &Table, key: &str| scale.get(key).and_then(Node::integer);
    if singleton {
        for key in ["min", "max"] {
            put(scale, key, 1, None, "a singleton has exactly one instance");
        }
        return;
    }
    let default = |key: &str| {
        let field = fields::at(&format!("service.*.scale.{key}"), None)?;
        field.default.of(tier)?.0.parse::<i64>().ok()
    };
    let (Some(min), Some(max)) = (default("min"), default("max")) else { return };
    if let Some(written) = number(scale, "max").filter(|max| *max < min) {
        put(scale, "min", written, Some(tier), "lowered to `scale.max`");
    }
    if !has_port && !scale.contains_key("queue") && min == 0 {
        put(scale, "min", 1, None, "nothing would wake a worker that sleeps");
    }
    if let Some(written) = number(scale, "min").filter(|min| *min > max) {
        put(scale, "max", written, Some(tier), "raised to `scale.min`");
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
                    let has_port = field.path != "service" || entry.contains_key("port");
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
