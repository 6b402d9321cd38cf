//! The sense of a manifest: what its parts say about each other, in one environment.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::codes;
use crate::diagnostic::{Diagnostic, Place};
use crate::host;
use crate::network;
use crate::resource::{self, KINDS, Kind};
use crate::suggest;
use crate::tree::{Node, Table, Value};
use crate::{budget, recovery, release, standard, usage, watch};

/// Most tags of one resource that Azure takes, less Landfall's own two.
const TAGS_MAX: usize = 50 - 2;

/// Longest name of a storage account's tag; other resources take 512.
const STORAGE_TAG_NAME_MAX: usize = 128;

/// What one environment's tree gets wrong. With `lost`, parts of the file could not be read, so nothing is called
/// missing.
pub(crate) fn check(place: Place<'_>, root: &Table, lost: bool) -> Vec<Diagnostic> {
    let mut sense = Sense { place, root, lost, found: Vec::new() };
    sense.app();
    sense.tags();
    for (name, node, service) in entries(root, "service") {
        sense.service(name, node, service);
    }
    sense.domains();
    host::container_apps::check_environment(&mut sense);
    host::kubernetes::check_cluster(&mut sense);
    for (name, node, resource) in entries(root, "resource") {
        sense.resource(name, node, resource);
    }
    sense.homes();
    network::check::check(&mut sense);
    watch::insights::check(&mut sense);
    watch::alert::check(&mut sense);
    watch::contact::check(&mut sense);
    budget::check(&mut sense);
    usage::check(&mut sense);
    release::check(&mut sense);
    recovery::check(&mut sense);
    standard::check(&mut sense);
    sense.found
}

/// The named tables below `key`.
pub(crate) fn entries<'a>(
    root: &'a Table,
    key: &str,
) -> impl Iterator<Item = (&'a str, &'a Node, &'a Table)> {
    let table = root.get(key).and_then(Node::table);
    table.into_iter().flatten().filter_map(|(name, node)| Some((name.as_str(), node, node.table()?)))
}

/// The names below `key`, broken ones included.
pub(crate) fn names<'a>(root: &'a Table, key: &str) -> impl Iterator<Item = &'a str> + Clone {
    root.get(key).and_then(Node::table).into_iter().flat_map(|table| table.keys().map(String::as_str))
}

/// What is looked at, and what was found.
pub(crate) struct Sense<'a> {
    pub place: Place<'a>,
    /// One environment's tree, with its defaults.
    pub root: &'a Table,
    /// Parts of the file could not be read, so nothing is called missing.
    pub lost: bool,
    found: Vec<Diagnostic>,
}

impl<'a> Sense<'a> {
    pub fn problem(
        &self,
        code: &'static codes::Code,
        span: &Range<usize>,
        message: impl Into<String>,
    ) -> Diagnostic {
        self.place.problem(code, span.clone(), message.into())
    }

    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    pub fn missing(&mut self, span: &Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        if !self.lost {
            let diagnostic = self.problem(codes::MISSING, span, message).help(help);
            self.report(diagnostic);
        }
    }

    /// A `min` that exceeds its `max`.
    pub fn bounds(&mut self, table: &Table, what: &str) {
        let (Some(min), Some(max)) = (table.get("min"), table.get("max")) else { return };
        let (Some(low), Some(high)) = (min.integer(), max.integer()) else { return };
        if low <= high {
            return;
        }
        let at = if min.is_written() { min } else { max };
        let other = if min.is_written() { max } else { min };
        let message = format!("at least {low} {what}, but at most {high}");
        let mut diagnostic = self.problem(codes::REPLICAS, &at.span, message);
        if other.is_written() {
            diagnostic = diagnostic.related(other.span.clone(), "the other bound");
        }
        let help = format!("write `max = {low}`, or lower `min`");
        self.report(diagnostic.help(help));
    }

    fn app(&mut self) {
        for (key, example) in [("app", "app = \"hello\""), ("region", "region = \"westeurope\"")] {
            if !self.root.contains_key(key) {
                self.missing(
                    &(0..0),
                    format!("`{key}` is missing"),
                    format!("write `{example}` at the top of the file"),
                );
            }
        }
    }

    fn tags(&mut self) {
        let Some(tags) = self.root.get("tags").and_then(Node::table) else { return };
        if let Some((_, node)) = in_order(tags).get(TAGS_MAX) {
            let message = format!(
                "a resource has at most {TAGS_MAX} tags besides Landfall's two; there are {}",
                tags.len()
            );
            let diagnostic = self.problem(codes::TAG, &node.key, message).label("one too many");
            self.report(diagnostic);
        }
        let has_storage = entries(self.root, "resource")
            .any(|(_, _, resource)| resource.get("type").and_then(Node::text) == Some("storage"));
        let mut seen: BTreeMap<String, &Node> = BTreeMap::new();
        for (name, node) in in_order(tags) {
            if has_storage && name.chars().count() > STORAGE_TAG_NAME_MAX && name.chars().count() <= 512 {
                let message = format!(
                    "a storage account's tag has a name of at most {STORAGE_TAG_NAME_MAX} characters"
                );
                let diagnostic = self.problem(codes::TAG, &node.key, message).help("shorten it");
                self.report(diagnostic);
            }
            if let Some(first) = seen.insert(name.to_lowercase(), node) {
                let diagnostic = self
                    .problem(codes::TAG, &node.key, "two tags differ only in case, which Azure does not see")
                    .related(first.key.clone(), "the other one")
                    .help("keep one of them");
                self.report(diagnostic);
            }
        }
    }

    pub fn dangling_resource(&mut self, code: &'static codes::Code, span: &Range<usize>, name: &str) {
        if self.lost {
            return;
        }
        let help = suggest::or_all(name, names(self.root, "resource")).unwrap_or_else(|| {
            format!("declare it: `[resource.{}]` with its `type`", crate::rules::short(name))
        });
        let diagnostic = self
            .problem(code, span, format!("there is no resource `{}`", crate::rules::short(name)))
            .help(help);
        self.report(diagnostic);
    }

    pub fn find_resource(&self, name: &str) -> Found {
        let Some(node) = self.root.get("resource").and_then(Node::table).and_then(|table| table.get(name))
        else {
            return Found::Nothing;
        };
        let kind =
            node.table().and_then(|table| table.get("type")).and_then(Node::text).and_then(resource::of);
        kind.map_or(Found::Broken, Found::Kind)
    }

    fn resource(&mut self, name: &str, node: &Node, resource: &'a Table) {
        let Some(kind) = resource.get("type") else {
            let words: Vec<String> = KINDS.iter().map(|kind| format!("\"{}\"", kind.name)).collect();
            let help = format!("the types are {}", suggest::enumerate(&words, "and"));
            return self.missing(&node.key, format!("resource `{name}` has no `type`"), help);
        };
        if let Some(kind) = kind.text().and_then(resource::of) {
            (kind.check)(self, name, node, resource);
        }
    }

    /// Reports that `field`'s value does not go with what another field says.
    pub fn lacks(
        &mut self,
        because: &Node,
        field: &Node,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        // What nobody wrote has no place: then the one that was written is underlined.
        let (at, other) = if field.is_written() { (field, because) } else { (because, field) };
        let mut diagnostic = self.problem(codes::LACKS, &at.span, message).help(help);
        if other.is_written() {
            diagnostic = diagnostic.related(other.span.clone(), "this is why");
        } else {
            diagnostic = diagnostic.label("the other is a default of the environment's tier");
        }
        self.report(diagnostic);
    }

    /// As [`Sense::lacks`], of a whole table: its key is underlined.
    pub fn lacks_key(&mut self, because: &Node, field: &Node, message: &str, help: &str) {
        let mut diagnostic = self.problem(codes::LACKS, &field.key, message).help(help);
        if because.is_written() {
            diagnostic = diagnostic.related(because.span.clone(), "this is why");
        }
        self.report(diagnostic);
    }

    /// Reports what stands twice in a list of texts.
    pub fn twice(&mut self, table: &Table, key: &str, what: &str) {
        let mut seen: BTreeMap<&str, &Node> = BTreeMap::new();
        for node in table.get(key).and_then(Node::list).unwrap_or_default() {
            if let Some(first) = node.text().and_then(|text| seen.insert(text, node)) {
                let diagnostic = self
                    .problem(codes::TWICE, &node.span, format!("{what} stands in the list twice"))
                    .related(first.span.clone(), "here already");
                self.report(diagnostic);
            }
        }
    }

    /// Warns, in a private network, about an SKU without private endpoints; `wanted` is one that has them.
    pub fn reachable(&mut self, resource: &Table, wanted: &str, message: &str) {
        let network = self.root.get("network").and_then(Node::table);
        let private = network.and_then(|network| network.get("private")?.boolean()) == Some(true);
        let Some(sku) =
            resource.get("sku").filter(|sku| private && sku.text().is_some_and(|word| word != wanted))
        else {
            return;
        };
        let kind = resource.get("type").filter(|_| !sku.is_written());
        let at = kind.map_or(&sku.span, |kind| &kind.span).clone();
        let help = format!("write `sku = \"{wanted}\"` for private endpoints");
        let diagnostic = self.problem(codes::STAYS_PUBLIC, &at, message).help(help).warning();
        self.report(diagnostic);
    }

    /// Warns about a resource that no service uses.
    pub fn unused(&mut self, name: &str, node: &Node) {
        if self.lost || self.is_used(name) {
            return;
        }
        let access = match self.find_resource(name) {
            Found::Kind(kind) => kind.access.first().map_or("read", |(access, _)| access.as_str()),
            _ => "read",
        };
        let diagnostic = self
            .problem(codes::UNUSED, &node.key, format!("no service uses `{name}`"))
            .help(format!("give one access: `uses = {{ {name} = \"{access}\" }}`"))
            .warning();
        self.report(diagnostic);
    }

    fn is_used(&self, resource: &str) -> bool {
        let services = self.root.get("service").and_then(Node::table).into_iter().flat_map(Table::values);
        services.into_iter().any(|node| {
            // What a broken service uses cannot be known.
            let Some(service) = node.table() else { return true };
            let broken = |key| service.get(key).is_some_and(|node| matches!(node.value, Value::Broken));
            let used =
                service.get("uses").and_then(Node::table).is_some_and(|uses| uses.contains_key(resource));
            let env = service.get("env").and_then(Node::table).into_iter().flat_map(Table::values);
            let refers =
                env.filter_map(Node::text).any(|text| text.contains(&format!("${{resource.{resource}.")));
            used || refers || broken("uses") || broken("env")
        })
    }

    /// Secrets and images have one home each.
    fn homes(&mut self) {
        for (kind, what) in [("vault", "secrets live"), ("registry", "images are pushed")] {
            let mut of_kind: Vec<(&str, &Node)> = entries(self.root, "resource")
                .filter(|(_, _, resource)| resource.get("type").and_then(Node::text) == Some(kind))
                .map(|(name, node, _)| (name, node))
                .collect();
            of_kind.sort_by_key(|(_, node)| node.key.start);
            let mut of_kind = of_kind.into_iter();
            let Some((first_name, first)) = of_kind.next() else { continue };
            for (name, node) in of_kind {
                let message = format!(
                    "`{name}` is a second {kind} besides `{first_name}`: it would not be clear where {what}"
                );
                let diagnostic = self
                    .problem(codes::SECOND_HOME, &node.key, message)
                    .related(first.key.clone(), "the first")
                    .help(format!("keep one {kind}"));
                self.report(diagnostic);
            }
        }
    }
}

/// What a name in `uses` or in a reference leads to.
pub(crate) enum Found {
    Nothing,
    /// It is there, but its type is not known or was reported.
    Broken,
    Kind(&'static Kind),
}

/// Named values in the order of the file.
fn in_order(table: &Table) -> Vec<(&str, &Node)> {
    let mut nodes: Vec<(&str, &Node)> = table.iter().map(|(name, node)| (name.as_str(), node)).collect();
    nodes.sort_by_key(|(_, node)| node.key.start);
    nodes
}
