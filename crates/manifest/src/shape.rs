//! The shape of a manifest: every key known, every value of its type and within its bounds.
//!
//! What is wrong is reported and marked as broken in the tree, so that later steps say nothing more about it.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::codes;
use crate::diagnostic::{Diagnostic, Place};
use crate::fields::{self, Type};
use crate::host;
use crate::resource as types;
use crate::rules::{self, Fault, Rule};
use crate::service::Access;
use crate::suggest;
use crate::template;
use crate::tree::{Node, Table, Value};
use crate::units::{Cpu, Days, Memory};
use crate::watch::{Severity, condition};

/// Checks the base and every environment's overlay.
pub(crate) fn check(place: Place<'_>, root: &mut Table) -> Vec<Diagnostic> {
    let (kinds, hosts) = (deciding(root, "resource"), deciding(root, "service"));
    let mut shape = Shape { place, kinds, hosts, found: Vec::new() };
    shape.table(root, "", None);
    shape.found
}

/// What decides the fields of each entry of `named`, by name: the base's word, or the overlay's where the base has
/// none.
fn deciding(root: &Table, named: &str) -> BTreeMap<String, String> {
    let Some((key, usual)) = fields::decides(named) else { return BTreeMap::new() };
    let overlays = root.get("environment").and_then(Node::table).into_iter().flat_map(|t| t.values());
    let layers = std::iter::once(root).chain(overlays.filter_map(Node::table));
    let entries: Vec<(&String, &Node)> =
        layers.filter_map(|layer| layer.get(named)?.table()).flatten().collect();
    let said = entries.iter().filter_map(|(name, node)| Some((*name, node.table()?.get(key)?.text()?)));
    let usual = entries.iter().filter_map(|(name, node)| node.table().and(usual).map(|usual| (*name, usual)));
    let mut words = BTreeMap::new();
    for (name, word) in said.chain(usual) {
        words.entry(name.clone()).or_insert_with(|| word.to_owned());
    }
    words
}

struct Shape<'a> {
    place: Place<'a>,
    /// The types of resources.
    kinds: BTreeMap<String, String>,
    /// The hosts of services.
    hosts: BTreeMap<String, String>,
    found: Vec<Diagnostic>,
}

/// What a resource's type lets its fields be.
#[derive(Clone, Copy)]
enum Kind<'a> {
    Known(&'a str),
    /// The type is missing or misspelt: only what all types share can be judged.
    Unknown,
}

impl Shape<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    fn count(&self, code: &'static codes::Code) -> usize {
        self.found.iter().filter(|diagnostic| diagnostic.code == code.id).count()
    }

    fn fault(&mut self, span: Range<usize>, fault: Fault) {
        let diagnostic = self.place.problem(fault.code, span, fault.message).maybe_help(fault.help);
        self.report(diagnostic);
    }

    /// The fields of a table; `pattern` is the table's path in the table of fields.
    fn table(&mut self, table: &mut Table, pattern: &str, kind: Option<Kind<'_>>) {
        let mut meant = Vec::new();
        table.retain(|key, node| {
            let plain = !key.contains(['.', '*', '[']);
            let path = overlaid(&fields::join(pattern, key));
            let known = match kind {
                Some(Kind::Known(kind)) => fields::at(&path, Some(kind)),
                _ => fields::at(&path, None),
            };
            match (known.filter(|_| plain), kind) {
                (Some(field), _) => {
                    // A field that one row describes is the same wherever it is a service's at all.
                    let alike = path.starts_with("service.*")
                        && fields::all().filter(|f| f.path == path).count() == 1;
                    let undecided = matches!(kind, Some(Kind::Unknown)) && !field.of.is_empty() && !alike;
                    if !undecided {
                        self.value(node, &field.kind, field.path, shown(field.path), kind);
                    }
                    true
                }
                // Without a type nobody can tell which keys it would have.
                (None, Some(Kind::Unknown)) => false,
                (None, kind) => {
                    meant.extend(self.unknown(key, node, pattern, kind).map(|meant| (meant, node.clone())));
                    false
                }
            }
        });
        for (key, node) in meant {
            self.take_for(table, key, node, pattern, kind);
        }
    }

    /// A misspelt key is taken for the one it was meant to be: this one is not called missing as well, and what
    /// stands in a misspelt table is checked in the same go.
    fn take_for(
        &mut self,
        table: &mut Table,
        key: &str,
        mut node: Node,
        pattern: &str,
        kind: Option<Kind<'_>>,
    ) {
        let field = fields::at(&overlaid(&fields::join(pattern, key)), None);
        let field = field.filter(|field| matches!(field.kind, Type::Table | Type::Named(_) | Type::Map(..)));
        let field = field.filter(|_| node.table().is_some());
        match field {
            Some(field) => self.value(&mut node, &field.kind, field.path, shown(field.path), kind),
            None => node.value = Value::Broken,
        }
        match (table.get_mut(key), node.value) {
            (None, value) => {
                table.insert(key.to_owned(), Node { value, ..node });
            }
            (Some(Node { value: Value::Table(there), .. }), Value::Table(misspelt)) => {
                for (key, node) in misspelt {
                    there.entry(key).or_insert(node);
                }
            }
            _ => {}
        }
    }

    /// A value, which messages call `name`; `of` is the type of resource, or the host, that it belongs to.
    fn value(&mut self, node: &mut Node, kind: &Type, path: &str, name: &str, of: Option<Kind<'_>>) {
        if matches!(node.value, Value::Broken) {
            return;
        }
        let before = self.found.len();
        match (kind, &mut node.value) {
            (Type::Table, Value::Table(table)) => return self.table(table, path, of),
            (Type::Named(rule), Value::Table(table)) => return self.named(table, rule, path, of),
            (Type::Map(rule, inner), Value::Table(table)) => {
                for (key, node) in table {
                    self.key(key, node, rule);
                    if path == "service.*.uses" && self.no_access(key, node) {
                        continue;
                    }
                    self.value(node, inner, path, &format!("{name}.{}", rules::short(key)), of);
                }
                return;
            }
            (Type::List(inner), Value::List(items)) => {
                return items.iter_mut().for_each(|item| self.value(item, inner, path, name, of));
            }
            (Type::OneOrMany(inner), Value::List(items)) => {
                return items.iter_mut().for_each(|item| self.value(item, inner, path, name, of));
            }
            (Type::OneOrMany(inner), _) => return self.value(node, inner, path, name, of),
            (Type::Tables, Value::List(items)) => {
                for item in items {
                    match &mut item.value {
                        Value::Table(table) => {
                            let before = self.count(codes::UNKNOWN_KEY);
                            self.table(table, &format!("{path}[]"), of);
                            // Whether the rest makes sense depends on what the misspelt key was meant to say.
                            if self.count(codes::UNKNOWN_KEY) > before {
                                item.value = Value::Broken;
                            }
                        }
                        Value::Broken => {}
                        _ => {
                            self.wrong_type(item, "a list of tables", name, None);
                            item.value = Value::Broken;
                        }
                    }
                }
                return;
            }
            (Type::Text(rule), Value::Text(text)) => {
                let length = text.chars().count();
                if let Err(fault) = (rule.check)(text) {
                    self.fault(node.span.clone(), fault);
                } else if length > rule.length.end {
                    let message =
                        format!("`{name}` has at most {} characters, not {length}", rule.length.end);
                    let diagnostic = self.place.problem(codes::OUT_OF_RANGE, node.span.clone(), message);
                    self.report(diagnostic);
                }
            }
            (Type::Template, Value::Text(text)) => {
                for (range, fault) in template::parse(text).faults {
                    let span = within(self.place.text, &node.span, text, &range);
                    self.fault(span, fault);
                }
            }
            (Type::Condition, Value::Text(text)) => {
                for (range, fault) in condition::parse(text).err().into_iter().flatten() {
                    let span = within(self.place.text, &node.span, text, &range);
                    self.fault(span, fault);
                }
            }
            (Type::Severity, Value::Integer(_) | Value::Text(_)) => self.severity(node),
            (Type::Choice(words), Value::Text(text)) => self.choice(&node.span, text, words, path),
            (Type::Integer { min, max }, Value::Integer(number)) => {
                if !(*min..=*max).contains(number) {
                    let message = format!("`{}` is from {min} to {max}", fields::last(path));
                    let diagnostic = self.place.problem(codes::OUT_OF_RANGE, node.span.clone(), message);
                    self.report(diagnostic);
                }
            }
            (Type::Boolean, Value::Boolean(_)) => {}
            (Type::Cpu, Value::Integer(_) | Value::Float(_)) => self.cpu(node),
            (Type::Memory, Value::Text(text)) => match Memory::parse(text) {
                Ok(_) => {}
                Err(help) => self.no_unit(&node.span, path, help),
            },
            (Type::Memory, Value::Integer(number)) => {
                let help = format!("write \"{number}Gi\" or \"{number}Mi\"");
                self.no_unit(&node.span, path, help);
            }
            (Type::Days { min, max }, Value::Text(text)) => match Days::parse(text) {
                Ok(days) if (*min..=*max).contains(&days.0) => {}
                Ok(_) => {
                    let message = format!("`{}` is from {min} to {max} days", fields::last(path));
                    let diagnostic = self.place.problem(codes::OUT_OF_RANGE, node.span.clone(), message);
                    self.report(diagnostic);
                }
                Err(help) => self.no_unit(&node.span, path, help),
            },
            (Type::Days { .. }, Value::Integer(number)) => {
                let help = format!("a unit is missing: \"{number}d\"");
                self.no_unit(&node.span, path, help);
            }
            (Type::Share, Value::Integer(_) | Value::Text(_)) => self.share(node, path),
            (Type::Json, Value::Table(table)) => self.body(table),
            (kind, value) => {
                let help = hint(kind, value);
                self.wrong_type(node, expects(kind), name, help);
            }
        }
        if self.found.len() > before {
            node.value = Value::Broken;
        }
    }

    /// A table of the user's own names.
    fn named(&mut self, table: &mut Table, rule: &'static Rule, path: &str, of: Option<Kind<'_>>) {
        for (name, node) in table {
            self.key(name, node, rule);
            if matches!(node.value, Value::Broken) {
                continue;
            }
            let child = format!("{path}.*");
            let Value::Table(fields) = &mut node.value else {
                let help = format!("write `[{path}.{}]` and its fields below", rules::short(name));
                self.wrong_type(node, "a table", &format!("{path}.{}", rules::short(name)), Some(help));
                node.value = Value::Broken;
                continue;
            };
            match path {
                "resource" => {
                    let kind = self.kinds.get(name).cloned();
                    match kind.as_deref() {
                        Some(kind) if types::of(kind).is_some() => {
                            self.table(fields, &child, Some(Kind::Known(kind)));
                        }
                        _ => self.table(fields, &child, Some(Kind::Unknown)),
                    }
                }
                "service" => {
                    let usual = fields::decides("service").and_then(|(_, usual)| usual);
                    let host = self.hosts.get(name).cloned();
                    let host = host.as_deref().or(usual).and_then(host::of).map(|kind| kind.name);
                    self.table(fields, &child, Some(host.map_or(Kind::Unknown, Kind::Known)));
                }
                _ => self.table(fields, &child, of),
            }
        }
    }

    fn key(&mut self, key: &str, node: &Node, rule: &Rule) {
        if let Err(fault) = (rule.check)(key) {
            self.fault(node.key.clone(), fault);
        }
    }

    fn choice(&mut self, span: &Range<usize>, text: &str, words: &[(&str, &str)], path: &str) {
        if words.iter().any(|(word, _)| *word == text) {
            return;
        }
        let key = fields::last(path);
        let key = if key == "uses" { "access" } else { key };
        let all = words.iter().map(|(word, _)| *word);
        let near = suggest::nearest(text, all.clone());
        let help = match near {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None => suggest::or_all(text, all),
        };
        let message = format!("`{}` is no {key} that Landfall knows", rules::short(text));
        let diagnostic = self.place.problem(codes::NOT_A_CHOICE, span.clone(), message).maybe_help(help);
        self.report(diagnostic);
    }

    /// Reports a word of `uses` that no resource knows, with the words of this one.
    fn no_access(&mut self, resource: &str, node: &mut Node) -> bool {
        if let Value::List(items) = &mut node.value {
            items.iter_mut().for_each(|item| {
                self.no_access(resource, item);
            });
            return false;
        }
        let Some(word) = node.text() else { return false };
        let kind = self.kinds.get(resource).and_then(|kind| types::of(kind));
        let Some(kind) = kind.filter(|_| Access::from_word(word).is_none()) else { return false };
        let message = format!("a {} has no access \"{}\"", kind.name, rules::short(word));
        let words = kind.access.iter().map(|(access, _)| access.as_str());
        let help = suggest::or_all(word, words);
        let diagnostic = self.place.problem(codes::ACCESS, node.span.clone(), message).maybe_help(help);
        self.report(diagnostic);
        node.value = Value::Broken;
        true
    }

    /// Which numbers are offered depends on the host, and is judged with it.
    fn cpu(&mut self, node: &Node) {
        let number = match node.value {
            Value::Integer(number) => number as f64,
            Value::Float(number) => number,
            _ => f64::NAN,
        };
        if Cpu::from_vcpus(number).is_some() {
            return;
        }
        let message = "this is no number of vCPUs".to_owned();
        let diagnostic =
            self.place.problem(codes::CPU_MEMORY, node.span.clone(), message).help("such as 0.5");
        self.report(diagnostic);
    }

    /// A word stands for its number.
    fn severity(&mut self, node: &mut Node) {
        let severity = match &node.value {
            Value::Integer(number) => Severity::from_word(&number.to_string()),
            Value::Text(text) => Severity::from_word(text),
            _ => None,
        };
        if let Some(severity) = severity {
            node.value = Value::Integer(severity.0.into());
            return;
        }
        let words: Vec<String> = Severity::WORDS.iter().map(|word| format!("\"{word}\"")).collect();
        let help = node.text().and_then(|text| suggest::did_you_mean(text, Severity::WORDS));
        let help = help.unwrap_or_else(|| {
            format!("0 is the worst, 4 is for the record: {}", suggest::enumerate(&words, "and"))
        });
        let message = "a severity is from 0 to 4".to_owned();
        let diagnostic = self.place.problem(codes::OUT_OF_RANGE, node.span.clone(), message).help(help);
        self.report(diagnostic);
    }

    fn share(&mut self, node: &mut Node, path: &str) {
        let number = match &node.value {
            Value::Integer(number) => Some(*number),
            Value::Text(text) => text.trim().strip_suffix('%').and_then(|text| text.trim().parse().ok()),
            _ => None,
        };
        match number {
            Some(1..=100) => node.value = Value::Integer(number.unwrap_or_default()),
            Some(_) => {
                let message = format!("`{}` is from 1 to 100 percent", fields::last(path));
                let diagnostic = self.place.problem(codes::OUT_OF_RANGE, node.span.clone(), message);
                self.report(diagnostic);
            }
            None => self.no_unit(&node.span.clone(), path, "percent, such as 70 or \"70%\"".to_owned()),
        }
    }

    fn no_unit(&mut self, span: &Range<usize>, path: &str, help: String) {
        let message = format!("`{}` is not a quantity that can be read", fields::last(path));
        let diagnostic = self.place.problem(codes::NO_UNIT, span.clone(), message).help(help);
        self.report(diagnostic);
    }

    fn wrong_type(&mut self, node: &Node, expected: &str, name: &str, help: Option<String>) {
        let message = format!("`{name}` takes {expected}, not {}", node.value.describe());
        let diagnostic = self.place.problem(codes::WRONG_TYPE, node.span.clone(), message).maybe_help(help);
        self.report(diagnostic);
    }

    /// What is Landfall's own in a body, and what JSON cannot say.
    fn body(&mut self, table: &Table) {
        for (key, node) in table {
            if ["id", "name", "type", "apiVersion"].contains(&key.as_str()) {
                let message = format!("`{key}` is not for `body`: it tells which resource it is");
                let help = "leave it out; `landfall blueprint` prints what Landfall sends";
                let diagnostic = self.place.problem(codes::BODY, node.key.clone(), message).help(help);
                self.report(diagnostic);
            }
            self.json(node);
        }
    }

    fn json(&mut self, node: &Node) {
        let what = match &node.value {
            Value::Date => "a date",
            Value::Float(number) if !number.is_finite() => "an infinite number",
            Value::List(items) => return items.iter().for_each(|item| self.json(item)),
            Value::Table(table) => return table.values().for_each(|node| self.json(node)),
            _ => return,
        };
        let diagnostic = self
            .place
            .problem(codes::BODY, node.span.clone(), format!("JSON has no way to write {what}"))
            .help("write a text, as Azure does");
        self.report(diagnostic);
    }

    /// Reports an unknown key, and gives the one it was probably meant to be.
    fn unknown(
        &mut self,
        key: &str,
        node: &Node,
        pattern: &str,
        kind: Option<Kind<'_>>,
    ) -> Option<&'static str> {
        let of = match kind {
            Some(Kind::Known(kind)) => Some(kind),
            _ => None,
        };
        let known = fields::at(&fields::join(pattern, key), None).filter(|_| !key.contains('.'));
        let other_host = pattern.starts_with("service.*") && known.is_some_and(|field| !field.of.is_empty());
        let whose = match (pattern, of) {
            ("", _) => "the manifest".to_owned(),
            ("resource.*", Some(kind)) => format!("a {kind}"),
            (_, Some(host)) if other_host => format!("a service on {host}"),
            (pattern, _) => noun(pattern),
        };
        let message = format!("{whose} has no key `{}`", rules::short(key));
        let meant = meant(key, pattern, of);
        let help =
            meant.map(|meant| format!("did you mean `{meant}`?")).or_else(|| unknown_help(key, pattern, of));
        let diagnostic = self.place.problem(codes::UNKNOWN_KEY, node.key.clone(), message).maybe_help(help);
        self.report(diagnostic);
        meant
    }
}

/// The path in the table of fields of a field that stands in an overlay.
fn overlaid(path: &str) -> String {
    match path.strip_prefix("environment.*.") {
        Some(rest) if fields::OVERLAID.contains(&rest) => rest.to_owned(),
        _ => path.to_owned(),
    }
}

/// What people write for something that has another name here.
const SYNONYMS: &[(&str, &str, &str)] = &[
    ("", "name", "app"),
    ("", "location", "region"),
    ("", "services", "service"),
    ("", "resources", "resource"),
    ("", "environments", "environment"),
    ("service.*", "environment", "env"),
    ("service.*", "variables", "env"),
    ("service.*", "vars", "env"),
    ("service.*", "cmd", "command"),
    ("service.*", "start", "command"),
    ("service.*", "entrypoint", "command"),
    ("service.*", "build", "source"),
    ("service.*", "path", "source"),
    ("service.*", "dir", "source"),
    ("service.*", "folder", "source"),
    ("service.*", "replicas", "scale"),
    ("service.*", "health", "probes"),
    ("service.*", "depends_on", "uses"),
    ("service.*.probes", "liveness", "live"),
    ("service.*.probes", "readiness", "ready"),
    ("service.*.probes", "startup", "start"),
    ("service.*.ingress", "external", "public"),
    ("service.*.ingress", "hosts", "domains"),
    ("", "alerts", "alert"),
    ("", "contacts", "contact"),
    ("", "monitoring", "insights"),
    ("", "observability", "insights"),
    ("", "disaster_recovery", "recovery"),
    ("", "standards", "standard"),
    ("alert[]", "condition", "when"),
    ("alert[]", "if", "when"),
    ("alert[]", "sev", "severity"),
    ("alert[]", "notify", "contacts"),
    ("alert[]", "contact", "contacts"),
    ("alert[]", "description", "note"),
    ("contact.*", "mail", "email"),
    ("contact.*", "phone", "voice"),
    ("contact.*", "url", "webhook"),
    ("insights", "days", "retention"),
    ("budget", "limit", "amount"),
    ("budget", "start", "from"),
    ("budget", "end", "to"),
    ("budget", "until", "to"),
    ("release", "canary", "steps"),
    ("release", "jobs", "before"),
    ("release.steps[]", "weight", "traffic"),
    ("release.steps[]", "wait", "bake"),
    ("release.steps[]", "for", "bake"),
    ("standard.waive[]", "reason", "why"),
    ("standard.waive[]", "id", "rule"),
    ("standard.waive[]", "expires", "until"),
    ("resource.*", "kind", "type"),
    ("resource.*", "retention", "soft_delete"),
];

/// The keys that a table may have.
fn siblings(pattern: &str, kind: Option<&str>) -> Vec<&'static str> {
    let overlaid = if pattern == "environment.*" { fields::OVERLAID } else { &[] };
    let own = fields::all().filter(|f| fields::parent(f.path) == pattern && f.is_of(kind));
    own.map(|field| fields::last(field.path)).chain(overlaid.iter().copied()).collect()
}

/// The key that `key` was probably meant to be.
fn meant(key: &str, pattern: &str, kind: Option<&str>) -> Option<&'static str> {
    if pattern == "environment.*" && key == "app" {
        return None;
    }
    let synonym =
        SYNONYMS.iter().find(|(at, said, _)| *at == pattern && *said == key).map(|(_, _, meant)| *meant);
    synonym.or_else(|| suggest::nearest(key, siblings(pattern, kind)))
}

/// What to do about an unknown key that resembles none of the known ones.
fn unknown_help(key: &str, pattern: &str, kind: Option<&str>) -> Option<String> {
    if pattern == "environment.*" && key == "app" {
        return Some("the application has the same name in every environment".to_owned());
    }
    // The same key somewhere else: `min` belongs to `scale`, `containers` to another type.
    let elsewhere = fields::all().find(|field| {
        fields::last(field.path) == key
            && (fields::parent(field.path).starts_with(pattern)
                || pattern.starts_with(fields::parent(field.path)))
    });
    if let Some(field) = elsewhere {
        return Some(match (field.of, fields::parent(field.path)) {
            ([_, ..], parent) if kind.is_some() && parent == pattern && parent.starts_with("service.*") => {
                format!("`{key}` is for services on {}", suggest::enumerate(&quoted(field.of), "and"))
            }
            ([of, ..], _) if kind.is_some() && !pattern.starts_with("service.*") => {
                format!("`{key}` is a field of a {of}")
            }
            (_, "") => format!("`{key}` belongs to the top of the file, before the first `[table]`"),
            (_, parent) => format!("`{key}` belongs to `{}`", shown(parent)),
        });
    }
    let keys: Vec<String> = siblings(pattern, kind).iter().map(|key| format!("`{key}`")).collect();
    (!keys.is_empty()).then(|| format!("there are {}", suggest::enumerate(&keys, "and")))
}

fn quoted(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| format!("`{word}`")).collect()
}

/// What a table of the manifest is, in words.
fn noun(pattern: &str) -> String {
    match pattern {
        "service.*" => "a service".to_owned(),
        "resource.*" => "a resource".to_owned(),
        "environment.*" => "an environment".to_owned(),
        "resource.*.lifecycle[]" => "a lifecycle rule".to_owned(),
        "alert[]" => "an alert".to_owned(),
        "contact.*" => "a contact".to_owned(),
        "release.steps[]" => "a step".to_owned(),
        "release.before[]" | "release.after[]" => "a job".to_owned(),
        "release.queries[]" => "a query".to_owned(),
        "standard.waive[]" => "a waiver".to_owned(),
        pattern => format!("`{}`", shown(pattern)),
    }
}

/// A path as people would say it: without the names of their own.
fn shown(path: &str) -> &str {
    ["service.*.", "resource.*.", "environment.*.", "contact.*.", "alert[]."]
        .iter()
        .find_map(|prefix| path.strip_prefix(prefix))
        .unwrap_or(path)
        .trim_end_matches("[]")
        .trim_end_matches(".*")
}

/// What a type of value is called, with its article.
pub(crate) fn expects(kind: &Type) -> &'static str {
    match kind {
        Type::Table | Type::Named(_) | Type::Map(..) | Type::Json => "a table",
        Type::List(_) => "a list of texts",
        Type::OneOrMany(inner) => expects(inner),
        Type::Tables => "a list of tables",
        Type::Text(_) | Type::Template | Type::Choice(_) => "a text",
        Type::Condition => "a condition such as \"error_rate > 5% for 5m\"",
        Type::Severity => "a severity from 0 to 4",
        Type::Integer { .. } => "a whole number",
        Type::Boolean => "true or false",
        Type::Cpu => "a number of vCPUs",
        Type::Memory => "an amount of memory such as \"2Gi\"",
        Type::Days { .. } => "a time such as \"7d\"",
        Type::Share => "a share in percent such as 70",
    }
}

/// How to write what was probably meant.
fn hint(kind: &Type, value: &Value) -> Option<String> {
    match (kind, value) {
        (Type::OneOrMany(inner), value) => hint(inner, value),
        (Type::Text(_) | Type::Template | Type::Choice(_), Value::Integer(number)) => {
            Some(format!("write it in quotes: \"{number}\""))
        }
        (Type::Text(_) | Type::Template | Type::Choice(_), Value::Float(number)) => {
            Some(format!("write it in quotes: \"{number}\""))
        }
        (Type::Text(_) | Type::Template | Type::Choice(_), Value::Boolean(yes)) => {
            Some(format!("write it in quotes: \"{yes}\""))
        }
        (Type::Integer { .. } | Type::Share, Value::Text(text)) if text.trim().parse::<i64>().is_ok() => {
            Some(format!("write it without quotes: {}", text.trim()))
        }
        (Type::Cpu, Value::Text(text)) => match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Some(format!("write it without quotes: {number}")),
            _ => text
                .trim()
                .strip_suffix('m')
                .and_then(|text| text.parse::<u32>().ok())
                .map(|millicores| format!("in vCPUs that is {}", f64::from(millicores) / 1000.0)),
        },
        (Type::Boolean, Value::Text(text)) => match text.to_lowercase().as_str() {
            "true" | "yes" | "on" => Some("write true, without quotes".to_owned()),
            "false" | "no" | "off" => Some("write false, without quotes".to_owned()),
            _ => None,
        },
        (Type::Boolean, Value::Integer(number @ 0..=1)) => Some(format!("write {}", *number == 1)),
        (Type::List(_), Value::Text(text)) => {
            let words: Vec<String> =
                text.split_whitespace().map(|word| format!("\"{}\"", word.replace('"', ""))).collect();
            (!words.is_empty() && text.len() < 200).then(|| format!("write [{}]", words.join(", ")))
        }
        (Type::Share, Value::Float(number)) if *number > 0.0 && *number <= 1.0 => {
            Some(format!("in percent that is {}", (number * 100.0).round()))
        }
        _ => None,
    }
}

/// The place in the file of `range` of the text `decoded` that was written at `span`.
pub(crate) fn within(file: &str, span: &Range<usize>, decoded: &str, range: &Range<usize>) -> Range<usize> {
    let raw = file.get(span.clone()).unwrap_or_default();
    // Without escapes the text stands in the file as it is, behind its quotes.
    match raw.find(decoded).filter(|_| !decoded.is_empty()) {
        Some(at) => span.start + at + range.start..span.start + at + range.end,
        None => span.clone(),
    }
}
