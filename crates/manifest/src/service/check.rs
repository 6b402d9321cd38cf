//! What the parts of a service say about each other, and about what else the manifest has.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::app::{Piece, Reference};
use crate::codes;
use crate::host;
use crate::resolve;
use crate::sense::{Found, Sense, entries, names};
use crate::service::Access;
use crate::shape;
use crate::suggest;
use crate::template;
use crate::tree::{Node, Table};
use crate::units::{Cpu, Memory};

impl<'a> Sense<'a> {
    pub fn service(&mut self, name: &str, node: &Node, service: &'a Table) {
        self.source(name, node, service);
        self.scale(service);
        self.port(service);
        self.command(service);
        self.variables(service);
        self.uses(service);
        self.references(service);
        if let Some(kind) = host::of(resolve::host_of(service)) {
            (kind.check)(self, name, node, service);
        }
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

    /// Reports a cpu, a memory or a pair of them that is not billed by use on Container Apps.
    pub fn offered_size(&mut self, service: &Table) {
        let (Some(cpu), Some(memory)) = (service.get("cpu"), service.get("memory")) else { return };
        let (Some(vcpus), Some(amount)) = (resolve::cpu_of(cpu), resolve::memory_of(memory)) else { return };
        let (fitting, other) = (Memory::for_cpu(vcpus), Cpu::for_memory(amount));
        let has_memory = other.is_offered() && Memory::for_cpu(other) == amount;
        if !vcpus.is_offered() && cpu.is_written() {
            let nearest = (f64::from(vcpus.millicores) / 250.0).round().clamp(1.0, 16.0) * 0.25;
            let message = "a replica has 0.25 to 4 vCPU, in steps of 0.25";
            let help = format!("the nearest is {nearest}");
            let diagnostic = self.problem(codes::CPU_MEMORY, &cpu.span, message).help(help);
            self.report(diagnostic);
        }
        if !has_memory && memory.is_written() {
            let steps = (f64::from(amount.mebibytes) / 512.0).round().clamp(1.0, 16.0);
            let message = "a replica has 0.5Gi to 8Gi of memory, in steps of 0.5Gi";
            let help = format!("the nearest is \"{}Gi\"", steps / 2.0);
            let diagnostic = self.problem(codes::CPU_MEMORY, &memory.span, message).help(help);
            self.report(diagnostic);
        }
        if fitting == amount || !vcpus.is_offered() || !has_memory {
            return;
        }
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
        self.times(scale);
        let sleeps = resolve::host_of(service) == "container-apps";
        let wakes = !sleeps || service.contains_key("port") || scale.contains_key("queue");
        if let Some(node) = min.filter(|node| node.integer() == Some(0) && node.is_written() && !wakes) {
            let diagnostic = self
                .problem(codes::NEVER_WAKES, &node.span, "nothing would wake this service once it sleeps")
                .help("write `min = 1`; with a `port`, requests wake it");
            self.report(diagnostic);
        }
        if let Some(queue) = scale.get("queue").filter(|queue| queue.table().is_some()) {
            self.queue(service, queue);
        }
    }

    /// Loads that make instances come lie above those that make them go, and times have bounds.
    fn times(&mut self, scale: &Table) {
        let down = scale.get("down").and_then(Node::table);
        for key in ["cpu", "memory"] {
            let (Some(up), Some(down)) = (scale.get(key), down.and_then(|down| down.get(key))) else {
                continue;
            };
            if up.integer().zip(down.integer()).is_some_and(|(up, down)| down >= up) {
                let at = if down.is_written() { down } else { up };
                let message = format!("`down.{key}` must lie below `{key}`, or instances would come and go");
                let diagnostic = self.problem(codes::OUT_OF_RANGE, &at.span, message);
                self.report(diagnostic);
            }
        }
        for node in scale.get("schedule").and_then(Node::list).unwrap_or_default() {
            let Some(time) = node.table() else { continue };
            for key in ["from", "to", "min", "max"] {
                if !time.contains_key(key) {
                    let message = format!("the time has no `{key}`");
                    self.missing(
                        &node.span,
                        message,
                        "such as `{ from = \"08:00\", to = \"18:00\", min = 3, max = 6 }`",
                    );
                }
            }
            self.bounds(time, "instances");
            let (from, to) = (time.get("from"), time.get("to"));
            if let (Some(from), Some(to)) = (from, to)
                && from.text().zip(to.text()).is_some_and(|(from, to)| from >= to)
            {
                let diagnostic = self
                    .problem(codes::SCHEDULE, &to.span, "the time ends before it begins")
                    .related(from.span.clone(), "it begins")
                    .help("write two times: one up to 23:59, one from 00:00");
                self.report(diagnostic);
            }
        }
    }

    fn queue(&mut self, service: &Table, queue: &Node) {
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
            Found::Kind(kind) if ["service-bus", "storage"].contains(&kind.name) => {
                self.which_queue(table, resource, name);
                let uses = service.get("uses").and_then(Node::table).and_then(|uses| uses.get(name));
                let words = uses.map(|node| node.list().unwrap_or(std::slice::from_ref(node)));
                let receives = words.is_some_and(|words| words.iter().any(|w| w.text() == Some("receive")));
                if !receives && !self.lost {
                    let message =
                        format!("the service is to be scaled by `{name}`, but does not receive from it");
                    let help = format!("write `uses = {{ {name} = \"receive\" }}`");
                    let diagnostic = self.problem(codes::QUEUE, &resource.span, message).help(help);
                    self.report(diagnostic);
                }
            }
            Found::Kind(kind) => {
                let message = format!("a {} has no queue to scale by", kind.name);
                let help = "queues are in a `service-bus` or a `storage` account";
                let diagnostic = self.problem(codes::QUEUE, &resource.span, message).help(help);
                self.report(diagnostic);
            }
        }
    }

    /// Whether it is clear which queue of a resource is meant.
    fn which_queue(&mut self, queue: &Table, resource: &Node, name: &str) {
        let Some(declared) =
            self.root.get("resource").and_then(Node::table).and_then(|all| all.get(name)?.table())
        else {
            return;
        };
        let mut known: Vec<String> = declared
            .get("queues")
            .map(|queues| match queues.list() {
                Some(list) => list.iter().filter_map(Node::text).map(str::to_owned).collect(),
                None => queues.table().into_iter().flat_map(Table::keys).cloned().collect(),
            })
            .unwrap_or_default();
        for (topic, _, table) in entries(declared, "topics") {
            known.extend(names(table, "subscriptions").map(|subscription| format!("{topic}/{subscription}")));
        }
        let words = || known.iter().map(String::as_str);
        let (span, message, help) = match queue.get("name").map(|node| (node, node.text())) {
            Some((node, Some(said))) if !known.iter().any(|known| known == said) => {
                let message = format!("`{name}` has no queue `{}`", crate::rules::short(said));
                (&node.span, message, suggest::or_all(said, words()))
            }
            None if known.is_empty() => {
                let message = format!("`{name}` has no queue to scale by");
                (&resource.span, message, Some("declare one in its `queues`".to_owned()))
            }
            None if known.len() > 1 => {
                let all: Vec<String> = words().map(|word| format!("\"{word}\"")).collect();
                let help = format!("name one with `name`: there are {}", suggest::enumerate(&all, "and"));
                (&resource.span, format!("`{name}` has {} queues", known.len()), Some(help))
            }
            _ => return,
        };
        let diagnostic = self.problem(codes::QUEUE, span, message).maybe_help(help);
        self.report(diagnostic);
    }

    /// What only a service that listens can have.
    fn port(&mut self, service: &Table) {
        if service.contains_key("port") || self.lost || resolve::host_of(service) == "static-web-app" {
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
        let host = resolve::host_of(service).to_owned();
        let env = service.get("env").and_then(Node::table);
        let secrets = service.get("secrets").and_then(Node::table);
        for (name, node) in env.into_iter().chain(secrets).flatten() {
            let set_by = match name.as_str() {
                "PORT" if service.contains_key("port") => Some("from the service's `port`"),
                "AZURE_CLIENT_ID" if host != "static-web-app" => Some("from the service's identity"),
                name if name.starts_with("CONTAINER_APP_") && host::ENVIRONMENT.contains(&host.as_str()) => {
                    Some("by Azure")
                }
                _ => None,
            };
            if let Some(set_by) = set_by {
                let diagnostic = self
                    .problem(codes::ENV_RESERVED, &node.key, format!("`{name}` is set {set_by}"))
                    .help("leave it out");
                self.report(diagnostic);
            }
        }
        let hyphen = env.into_iter().chain(secrets).flatten().find(|(name, _)| name.contains('-'));
        if let Some((name, node)) = hyphen.filter(|_| host == "app-service") {
            let diagnostic = self
                .problem(codes::ENV_NAME, &node.key, "App Service takes no hyphens in a variable's name")
                .help(format!("write `{}`", name.replace('-', "_")));
            self.report(diagnostic);
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
                    let words: Vec<String> =
                        kind.access.iter().map(|(has, _)| format!("\"{has}\"")).collect();
                    let has = format!("it has {}", suggest::enumerate(&words, "and"));
                    if node.list().is_some_and(<[Node]>::is_empty) {
                        let message = format!("`{name}` is used, but for no access");
                        let diagnostic = self.problem(codes::ACCESS, &node.span, message).help(has);
                        self.report(diagnostic);
                        continue;
                    }
                    for node in node.list().unwrap_or(std::slice::from_ref(node)) {
                        let Some(access) = node.text().and_then(Access::from_word) else { continue };
                        if kind.access.iter().any(|(has, _)| *has == access) {
                            continue;
                        }
                        let message = format!("a {} has no access \"{access}\"", kind.name);
                        let diagnostic = self.problem(codes::ACCESS, &node.span, message).help(&has);
                        self.report(diagnostic);
                    }
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
        let silent =
            |service: &Table| !service.contains_key("port") && resolve::host_of(service) != "static-web-app";
        if node.table().is_some_and(silent) && !self.lost {
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

    /// A host name leads to one service.
    pub fn domains(&mut self) {
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
}
