//! The sense of a manifest: what its parts say about each other, in one environment.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::app::{Access, Piece, Reference, Replication};
use crate::build;
use crate::codes;
use crate::diagnostic::{Diagnostic, Place};
use crate::kinds;
use crate::resolve;
use crate::shape;
use crate::suggest;
use crate::template;
use crate::tree::{Node, Table, Value};
use crate::units::Days;

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
    for (name, node, resource) in entries(root, "resource") {
        sense.resource(name, node, resource);
    }
    sense.homes();
    sense.found
}

/// The named tables below `key`.
fn entries<'a>(root: &'a Table, key: &str) -> impl Iterator<Item = (&'a str, &'a Node, &'a Table)> {
    let table = root.get(key).and_then(Node::table);
    table.into_iter().flatten().filter_map(|(name, node)| Some((name.as_str(), node, node.table()?)))
}

/// The names below `key`, broken ones included.
fn names<'a>(root: &'a Table, key: &str) -> impl Iterator<Item = &'a str> + Clone {
    root.get(key).and_then(Node::table).into_iter().flat_map(|table| table.keys().map(String::as_str))
}

struct Sense<'a> {
    place: Place<'a>,
    root: &'a Table,
    lost: bool,
    found: Vec<Diagnostic>,
}

impl<'a> Sense<'a> {
    fn problem(
        &self,
        code: &'static codes::Code,
        span: &Range<usize>,
        message: impl Into<String>,
    ) -> Diagnostic {
        self.place.problem(code, span.clone(), message.into())
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    fn missing(&mut self, span: &Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        if !self.lost {
            let diagnostic = self.problem(codes::MISSING, span, message).help(help);
            self.report(diagnostic);
        }
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

    fn service(&mut self, name: &str, node: &Node, service: &'a Table) {
        self.source(name, node, service);
        self.size(service);
        self.scale(service);
        self.port(service);
        self.command(service);
        self.variables(service);
        self.uses(service);
        self.references(service);
    }

    fn source(&mut self, name: &str, node: &Node, service: &Table) {
        match (service.get("source"), service.get("image")) {
            (None, None) => self.missing(
                &node.key,
                format!("service `{name}` has neither `source` nor `image`"),
                "write `source = \".\"` to build it from a folder",
            ),
            (Some(source), Some(image)) => {
                let (first, second) =
                    if source.key.start < image.key.start { (source, image) } else { (image, source) };
                let diagnostic = self
                    .problem(
                        codes::SOURCE_CONFLICT,
                        &second.key,
                        "a service has a `source` or an `image`, not both",
                    )
                    .related(first.key.clone(), "the other one")
                    .help("keep one of them");
                self.report(diagnostic);
            }
            _ => {}
        }
    }

    fn size(&mut self, service: &Table) {
        let (Some(cpu), Some(memory)) = (service.get("cpu"), service.get("memory")) else { return };
        let (Some(vcpus), Some(amount)) = (resolve::cpu_of(cpu), resolve::memory_of(memory)) else { return };
        let fitting = crate::units::Memory::for_cpu(vcpus);
        if fitting == amount {
            return;
        }
        let other = crate::units::Cpu::for_memory(amount);
        let diagnostic = self
            .problem(
                codes::CPU_MEMORY,
                &memory.span,
                format!("Azure does not pair {amount} of memory with {vcpus} vCPU"),
            )
            .related(cpu.span.clone(), format!("{vcpus} vCPU"))
            .help(format!("write `memory = \"{fitting}\"`, or `cpu = {other}`; one of the two is enough"));
        self.report(diagnostic);
    }

    fn scale(&mut self, service: &Table) {
        let Some(scale) = service.get("scale").and_then(Node::table) else { return };
        let (min, max) = (scale.get("min"), scale.get("max"));
        if let Some(singleton) = service.get("singleton").filter(|node| node.boolean() == Some(true)) {
            for (key, node) in [("min", min), ("max", max)] {
                if let Some(node) = node.filter(|node| node.integer().is_some_and(|number| number != 1)) {
                    let diagnostic = self
                        .problem(
                            codes::SINGLETON,
                            &node.span,
                            format!("a singleton has exactly one instance, so `{key}` is 1"),
                        )
                        .related(singleton.span.clone(), "a singleton")
                        .help("leave `min` and `max` out");
                    self.report(diagnostic);
                }
            }
            return;
        }
        let number = |node: Option<&Node>| node.and_then(Node::integer);
        if let (Some(min_node), Some(max_node)) = (min, max)
            && let (Some(low), Some(high)) = (number(min), number(max))
            && low > high
        {
            let diagnostic = self
                .problem(
                    codes::REPLICAS,
                    &min_node.span,
                    format!("at least {low} replicas, but at most {high}"),
                )
                .related(max_node.span.clone(), "`max`")
                .help(format!("write `max = {low}`, or lower `min`"));
            self.report(diagnostic);
        }
        let wakes = service.contains_key("port") || scale.contains_key("queue");
        if let Some(node) = min.filter(|node| node.integer() == Some(0) && node.is_written() && !wakes) {
            let diagnostic = self
                .problem(codes::NEVER_WAKES, &node.span, "nothing would wake this service once it sleeps")
                .help("write `min = 1`; with a `port`, requests wake it");
            self.report(diagnostic);
        }
        if let Some(queue) = scale.get("queue").filter(|queue| queue.table().is_some()) {
            self.queue(queue);
        }
    }

    fn queue(&mut self, queue: &Node) {
        let Some(table) = queue.table() else { return };
        for key in ["resource", "messages"] {
            if !table.contains_key(key) {
                let message = format!("`queue` needs a `{key}`");
                self.missing(&queue.key, message, "such as `queue = { resource = \"jobs\", messages = 5 }`");
            }
        }
        let Some(resource) = table.get("resource") else { return };
        let Some(name) = resource.text() else { return };
        match self.find_resource(name) {
            Found::Nothing => self.dangling_resource(codes::DANGLING, &resource.span, name),
            Found::Broken => {}
            Found::Kind(kind) => {
                let diagnostic = self
                    .problem(
                        codes::NOT_YET,
                        &resource.span,
                        format!("a {} has no queue to scale by", kind.name),
                    )
                    .help("a `service-bus` will have; it is not supported yet");
                self.report(diagnostic);
            }
        }
    }

    /// What only a service that listens can have.
    fn port(&mut self, service: &Table) {
        if service.contains_key("port") || self.lost {
            return;
        }
        let http = service.get("scale").and_then(Node::table).and_then(|scale| scale.get("http"));
        let needy = [
            ("ingress", service.get("ingress"), "ingress leads to a port"),
            ("probes", service.get("probes"), "a probe asks a port"),
            ("scale.http", http, "requests come to a port"),
        ];
        for (key, node, why) in needy {
            if let Some(node) = node.filter(|node| node.is_written()) {
                let diagnostic = self
                    .problem(codes::NEEDS_PORT, &node.key, format!("`{key}` needs a `port`: {why}"))
                    .help("say which port the service listens on, such as `port = 8000`, or leave this out");
                self.report(diagnostic);
            }
        }
    }

    fn command(&mut self, service: &Table) {
        let Some(command) = service.get("command") else { return };
        let Some(words) = command.list() else { return };
        if words.is_empty() {
            let diagnostic = self
                .problem(codes::COMMAND, &command.span, "the command is empty")
                .help("leave it out to start what the image starts by itself");
            self.report(diagnostic);
        } else if words[0].text().is_some_and(|program| program.trim().is_empty()) {
            let diagnostic = self
                .problem(codes::COMMAND, &words[0].span, "the command has no program")
                .help("write its name");
            self.report(diagnostic);
        }
    }

    fn variables(&mut self, service: &Table) {
        let env = service.get("env").and_then(Node::table);
        let secrets = service.get("secrets").and_then(Node::table);
        for (name, node) in env.into_iter().chain(secrets).flatten() {
            let set_by = match name.as_str() {
                "PORT" if service.contains_key("port") => Some("from the service's `port`"),
                "AZURE_CLIENT_ID" => Some("from the service's identity"),
                name if name.starts_with("CONTAINER_APP_") => Some("by Azure"),
                _ => None,
            };
            if let Some(set_by) = set_by {
                let diagnostic = self
                    .problem(codes::ENV_RESERVED, &node.key, format!("`{name}` is set {set_by}"))
                    .help("leave it out");
                self.report(diagnostic);
            }
        }
        for (name, secret) in secrets.into_iter().flatten() {
            if let Some(plain) = env.and_then(|env| env.get(name)) {
                let (first, second) =
                    if plain.key.start < secret.key.start { (plain, secret) } else { (secret, plain) };
                let diagnostic = self
                    .problem(
                        codes::ENV_TWICE,
                        &second.key,
                        format!("`{name}` is both in `env` and in `secrets`"),
                    )
                    .related(first.key.clone(), "the other one")
                    .help("keep one of them");
                self.report(diagnostic);
            }
        }
    }

    fn uses(&mut self, service: &Table) {
        for (name, node) in service.get("uses").and_then(Node::table).into_iter().flatten() {
            match self.find_resource(name) {
                Found::Nothing => self.dangling_resource(codes::USES_UNKNOWN, &node.key, name),
                Found::Broken => {}
                Found::Kind(kind) => {
                    let Some(access) = node.text().and_then(Access::from_word) else { continue };
                    if kind.access.iter().any(|(has, _)| *has == access) {
                        continue;
                    }
                    let words: Vec<String> =
                        kind.access.iter().map(|(has, _)| format!("\"{has}\"")).collect();
                    let diagnostic = self
                        .problem(
                            codes::ACCESS,
                            &node.span,
                            format!("a {} has no access \"{access}\"", kind.name),
                        )
                        .help(format!("it has {}", suggest::enumerate(&words, "and")));
                    self.report(diagnostic);
                }
            }
        }
    }

    fn references(&mut self, service: &Table) {
        for node in service.get("env").and_then(Node::table).into_iter().flat_map(Table::values) {
            let Some(text) = node.text() else { continue };
            for (range, piece) in template::parse(text).pieces {
                let Piece::Reference(reference) = piece else { continue };
                let span = shape::within(self.place.text, &node.span, text, &range);
                match reference {
                    Reference::ResourceAttribute { resource, attribute } => {
                        self.attribute(&span, &resource, &attribute)
                    }
                    Reference::ServiceUrl { service } => self.url(&span, &service),
                    Reference::Environment | Reference::App | Reference::Region => {}
                }
            }
        }
    }

    fn attribute(&mut self, span: &Range<usize>, resource: &str, attribute: &str) {
        match self.find_resource(resource) {
            Found::Nothing => self.dangling_resource(codes::DANGLING, span, resource),
            Found::Broken => {}
            Found::Kind(kind) => {
                let known = kind.attributes.iter().map(|(name, _)| *name);
                if known.clone().any(|name| name == attribute) {
                    return;
                }
                let message =
                    format!("a {} has no attribute `{}`", kind.name, crate::rules::short(attribute));
                let help = suggest::or_all(attribute, known);
                let diagnostic = self.problem(codes::DANGLING, span, message).maybe_help(help);
                self.report(diagnostic);
            }
        }
    }

    fn url(&mut self, span: &Range<usize>, service: &str) {
        let Some(node) = self.root.get("service").and_then(Node::table).and_then(|table| table.get(service))
        else {
            if !self.lost {
                let help = suggest::or_all(service, names(self.root, "service"));
                let message = format!("there is no service `{}`", crate::rules::short(service));
                let diagnostic = self.problem(codes::DANGLING, span, message).maybe_help(help);
                self.report(diagnostic);
            }
            return;
        };
        if node.table().is_some_and(|service| !service.contains_key("port")) && !self.lost {
            let diagnostic = self
                .problem(
                    codes::DANGLING,
                    span,
                    format!("service `{service}` has no `port`, so it has no url"),
                )
                .related(node.key.clone(), "a worker");
            self.report(diagnostic);
        }
    }

    fn dangling_resource(&mut self, code: &'static codes::Code, span: &Range<usize>, name: &str) {
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

    fn find_resource(&self, name: &str) -> Found {
        let Some(node) = self.root.get("resource").and_then(Node::table).and_then(|table| table.get(name))
        else {
            return Found::Nothing;
        };
        let kind = node.table().and_then(|table| table.get("type")).and_then(Node::text).and_then(kinds::of);
        kind.map_or(Found::Broken, Found::Kind)
    }

    /// A host name leads to one service.
    fn domains(&mut self) {
        let ingresses =
            entries(self.root, "service").filter_map(|(_, _, service)| service.get("ingress")?.table());
        let mut domains: Vec<(&str, &Node)> = ingresses
            .filter_map(|ingress| ingress.get("domains")?.list())
            .flatten()
            .filter_map(|node| Some((node.text()?, node)))
            .collect();
        domains.sort_by_key(|(_, node)| node.span.start);
        let mut seen: BTreeMap<&str, &Node> = BTreeMap::new();
        let mut twice = Vec::new();
        for (domain, node) in domains {
            match seen.get(domain) {
                None => {
                    seen.insert(domain, node);
                }
                Some(first) => twice.push((domain, *first, node)),
            }
        }
        for (domain, first, node) in twice {
            let diagnostic = self
                .problem(codes::DOMAIN_TWICE, &node.span, format!("`{domain}` is bound twice"))
                .related(first.span.clone(), "bound here already")
                .help("a host name leads to one service");
            self.report(diagnostic);
        }
    }

    fn resource(&mut self, name: &str, node: &Node, resource: &'a Table) {
        let Some(kind) = resource.get("type") else {
            let words: Vec<String> = kinds::KINDS.iter().map(|kind| format!("\"{}\"", kind.name)).collect();
            let help = format!("the types are {}", suggest::enumerate(&words, "and"));
            return self.missing(&node.key, format!("resource `{name}` has no `type`"), help);
        };
        if kind.text() == Some("storage") {
            self.storage(name, node, resource);
        }
    }

    fn storage(&mut self, name: &str, node: &Node, storage: &'a Table) {
        let containers = storage.get("containers").and_then(Node::list).unwrap_or_default();
        let mut seen: BTreeMap<&str, &Node> = BTreeMap::new();
        for node in containers {
            if let Some(first) = node.text().and_then(|text| seen.insert(text, node)) {
                let diagnostic = self
                    .problem(codes::CONTAINER, &node.span, "the container stands in the list twice")
                    .related(first.span.clone(), "here already");
                self.report(diagnostic);
            }
        }
        for rule in storage.get("lifecycle").and_then(Node::list).unwrap_or_default() {
            if let Some(table) = rule.table() {
                self.lifecycle(rule, table, storage, &seen);
            }
        }
        if !self.lost && !self.is_used(name) {
            let diagnostic = self
                .problem(codes::UNUSED, &node.key, format!("no service uses `{name}`"))
                .help(format!("give one access: `uses = {{ {name} = \"read\" }}`"))
                .warning();
            self.report(diagnostic);
        }
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

    fn lifecycle(&mut self, rule: &Node, table: &Table, storage: &Table, containers: &BTreeMap<&str, &Node>) {
        let steps = ["cool", "archive", "delete"].map(|key| (key, table.get(key)));
        if steps.iter().all(|(_, node)| node.is_none()) {
            let diagnostic = self
                .problem(codes::LIFECYCLE, &rule.span, "the rule does nothing")
                .help("say when: `cool`, `archive` or `delete`, such as `delete = \"90d\"`");
            self.report(diagnostic);
        }
        let mut earlier: Option<(&str, Days, &Node)> = None;
        for (key, node) in steps {
            let Some(node) = node else { continue };
            let Some(days) = node.text().and_then(|text| Days::parse(text).ok()) else { continue };
            if let Some((before, _, first)) = earlier.filter(|(_, before, _)| *before >= days) {
                let diagnostic = self
                    .problem(codes::LIFECYCLE, &node.span, format!("`{key}` must come later than `{before}`"))
                    .related(first.span.clone(), format!("`{before}`"));
                self.report(diagnostic);
            }
            earlier = Some((key, days, node));
        }
        let replication = storage.get("replication").and_then(Node::text).and_then(build::replication);
        if let (Some(archive), true) = (table.get("archive"), replication.is_some_and(Replication::is_zonal))
        {
            let written = storage.get("replication").filter(|node| node.is_written());
            let mut diagnostic = self
                .problem(codes::LIFECYCLE, &archive.key, "zone-redundant accounts have no archive tier")
                .help("use `cool` or `delete`, or set `replication` to \"lrs\", \"grs\" or \"ragrs\"");
            match written {
                Some(node) => diagnostic = diagnostic.related(node.span.clone(), "copies in several zones"),
                None => diagnostic = diagnostic.label("production accounts are zone-redundant by default"),
            }
            self.report(diagnostic);
        }
        let known: Vec<&str> = containers.keys().copied().collect();
        for node in table.get("containers").and_then(Node::list).unwrap_or_default() {
            let Some(name) = node.text() else { continue };
            if !known.contains(&name) && !self.lost {
                let help = suggest::or_all(name, known.iter().copied());
                let message = format!("the account has no container `{name}`");
                let diagnostic = self.problem(codes::LIFECYCLE, &node.span, message).maybe_help(help);
                self.report(diagnostic);
            }
        }
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
enum Found {
    Nothing,
    /// It is there, but its type is not known or was reported.
    Broken,
    Kind(&'static kinds::Kind),
}

/// Named values in the order of the file.
fn in_order(table: &Table) -> Vec<(&str, &Node)> {
    let mut nodes: Vec<(&str, &Node)> = table.iter().map(|(name, node)| (name.as_str(), node)).collect();
    nodes.sort_by_key(|(_, node)| node.key.start);
    nodes
}
