//! Docker Compose: `compose.yaml`, `docker-compose.yml`.
//!
//! Files given together are merged as Compose merges them, `include` and `extends` are followed, `${NAME}` is filled in
//! from `.env`. Containers of well-known images become resources. Services that only run under a profile stay behind.

mod fill;
mod ports;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use landfall_manifest::write::{distinct_names, fits};
use landfall_manifest::{NewJob, NewProbes, NewResource, NewService, NewValue};

use crate::draft::{Draft, Place, enumerate, short};
use crate::image::{self, Becomes};
use crate::tree::{Entry, Node, Value};
use crate::variables::{self, Peer, Peers, Variable};
use crate::{File, Format, command, dockerfile, dotenv, language, path, secret, size, yaml};

use fill::{Filled, fill};

/// Longest chain of `extends`.
const EXTENDS_MAX: usize = 16;

/// The files of variables, Dockerfiles, and Compose files that these refer to.
pub(crate) fn wanted(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| is_compose(&file.path)) {
        found.push(path::beside(&file.path, ".env"));
        let Ok(root) = yaml::read(0, &file.text) else { continue };
        found.extend(references(&file.path, &root));
        for entry in services(&root) {
            let texts = env_files(&entry.node).into_iter().map(|(text, _)| path::beside(&file.path, &text));
            found.extend(texts);
            found.extend(dockerfile_of(&file.path, &entry.node));
        }
    }
    found
}

fn is_compose(file: &str) -> bool {
    Format::of(file) == Some(Format::Compose) || file.ends_with(".yml") || file.ends_with(".yaml")
}

/// The Compose files that one refers to.
fn references(file: &str, root: &Node) -> Vec<String> {
    let includes = root.get("include").map(Node::items).unwrap_or_default().iter().flat_map(|item| {
        let paths = item.get("path").unwrap_or(item);
        paths.texts().into_iter().map(str::to_owned).collect::<Vec<_>>()
    });
    let extends = services(root).iter().filter_map(|entry| {
        let file = entry.node.get("extends")?.get("file")?.text()?;
        Some(file.to_owned())
    });
    includes.chain(extends).map(|path| path::beside(file, &path)).collect()
}

fn services(root: &Node) -> &[Entry] {
    root.get("services").map(Node::entries).unwrap_or_default()
}

fn env_files(service: &Node) -> Vec<(String, usize)> {
    let items = service.get("env_file").map(Node::items).unwrap_or_default();
    let text = |item: &Node| item.get("path").unwrap_or(item).text().map(|text| (text.to_owned(), item.line));
    items.iter().filter_map(text).collect()
}

fn context(service: &Node) -> Option<&str> {
    let build = service.get("build")?;
    build.text().or_else(|| build.get("context").map_or(Some("."), Node::text))
}

fn dockerfile_of(file: &str, service: &Node) -> Option<String> {
    let context = path::beside(file, context(service)?);
    let dockerfile = service.get("build").and_then(|build| build.get("dockerfile")).and_then(Node::text);
    Some(path::join(&context, dockerfile.unwrap_or("Dockerfile")))
}

/// Reads the files into the draft.
pub(crate) fn import(files: &[File], draft: &mut Draft) {
    let mut roots: BTreeMap<&str, Node> = BTreeMap::new();
    for (number, file) in files.iter().enumerate().filter(|(_, file)| is_compose(&file.path)) {
        match yaml::read(number, &file.text) {
            Ok(root) => {
                roots.insert(&file.path, root);
            }
            Err((line, message)) => draft.problem(&file.path, line, message),
        }
    }
    if !draft.problems.is_empty() {
        return;
    }
    let referred: BTreeSet<String> = roots.iter().flat_map(|(file, root)| references(file, root)).collect();
    let mut mains: Vec<&File> = files
        .iter()
        .filter(|file| roots.contains_key(&*file.path) && !referred.contains(&file.path))
        .collect();
    if mains.is_empty() {
        mains.extend(files.iter().find(|file| roots.contains_key(&*file.path)));
    }
    let Some(first) = mains.first() else { return };
    let dot_env = path::beside(&first.path, ".env");
    let values = files
        .iter()
        .find(|file| file.path == dot_env)
        .map(|file| dotenv::values(&file.text))
        .unwrap_or_default();
    let mut project = Project { files, roots, values, services: Vec::new(), waited: BTreeSet::new(), draft };
    let mut seen = BTreeSet::new();
    for main in &mains {
        project.add_file(&main.path, &mut seen);
    }
    if let Some(name) = project.roots.get(&*first.path).and_then(|root| root.get("name")).and_then(Node::text)
    {
        name.clone_into(&mut project.draft.app.name);
    }
    if project.services.is_empty() {
        project.draft.problem(&first.path, 1, "there are no `services`");
        return;
    }
    project.write();
}

struct Project<'a> {
    files: &'a [File],
    roots: BTreeMap<&'a str, Node>,
    /// What `${NAME}` is filled in from.
    values: BTreeMap<String, String>,
    /// Merged, in the order of the files.
    services: Vec<(String, Node)>,
    /// Those that others wait for until they are done.
    waited: BTreeSet<String>,
    draft: &'a mut Draft,
}

/// A container that stays a service.
struct Running {
    key: String,
    node: Node,
    service: NewService,
    variables: Vec<Variable>,
}

impl Project<'_> {
    fn place(&self, node: &Node) -> (String, usize) {
        let file = self.files.get(node.file).map_or("", |file| file.path.as_str());
        (file.to_owned(), node.line)
    }

    fn remark(&mut self, node: &Node, text: impl Into<String>) {
        let (file, line) = self.place(node);
        self.draft.remark(Place { file: &file, line }, text);
    }

    /// A text with `${NAME}` filled in.
    fn filled(&self, node: &Node) -> Option<Filled> {
        node.text().map(|text| fill(text, &self.values))
    }

    /// A text that is fully known and holds no secret.
    fn plain(&mut self, node: &Node, what: &str) -> Option<String> {
        let filled = self.filled(node)?;
        if filled.is_secret || secret::is_text(&filled.text) {
            self.remark(node, format!("{what} holds what looks like a secret: left out"));
            return None;
        }
        if !filled.missing.is_empty() {
            let names: Vec<String> = filled.missing.iter().map(|name| format!("`{}`", short(name))).collect();
            self.remark(
                node,
                format!("{what} needs {}, which `.env` does not have: left out", enumerate(&names)),
            );
            return None;
        }
        Some(filled.text)
    }

    /// Merges a file's services, after those that it includes.
    fn add_file(&mut self, file: &str, seen: &mut BTreeSet<String>) {
        if !seen.insert(file.to_owned()) {
            return;
        }
        let Some(root) = self.roots.get(file).cloned() else { return };
        for item in root.get("include").map(Node::items).unwrap_or_default() {
            for included in item.get("path").unwrap_or(item).texts() {
                let included = path::beside(file, included);
                match self.roots.contains_key(&*included) {
                    true => self.add_file(&included, seen),
                    false => {
                        self.remark(item, format!("the included file `{}` is not here", short(&included)))
                    }
                }
            }
        }
        for entry in services(&root) {
            let node = self.extended(file, &entry.key, &entry.node, 0);
            match self.services.iter_mut().find(|(name, _)| *name == entry.key) {
                Some((_, known)) => *known = merged(known, &node, ""),
                None => self.services.push((entry.key.clone(), node)),
            }
        }
        self.top_level(&root);
    }

    /// A service with what it extends.
    fn extended(&mut self, file: &str, name: &str, node: &Node, depth: usize) -> Node {
        let Some(extends) = node.get("extends") else { return node.clone() };
        let base_name =
            extends.text().or_else(|| extends.get("service").and_then(Node::text)).unwrap_or(name);
        let base_file = extends.get("file").and_then(Node::text).map(|path| path::beside(file, path));
        let base_file = base_file.as_deref().unwrap_or(file);
        let base = self
            .roots
            .get(base_file)
            .and_then(|root| services(root).iter().find(|entry| entry.key == base_name))
            .map(|entry| entry.node.clone());
        let is_itself = base_file == file && base_name == name;
        match base {
            Some(base) if depth < EXTENDS_MAX && !is_itself => {
                let base = self.extended(base_file, base_name, &base, depth + 1);
                merged(&base, node, "")
            }
            _ => {
                let text = format!("`{}` extends `{}`, which is not here", short(name), short(base_name));
                self.remark(extends, text);
                node.clone()
            }
        }
    }

    /// What stands beside the services.
    fn top_level(&mut self, root: &Node) {
        if let Some(networks) = root.get("networks").filter(|networks| networks.entries().len() > 1) {
            self.remark(
                networks,
                "`networks` keep containers apart; the services of an application reach each other",
            );
        }
        for entry in root.get("configs").map(Node::entries).unwrap_or_default() {
            let text = format!("config `{}` is a file: put it into the image", short(&entry.key));
            self.remark(&entry.node, text);
        }
    }

    /// Turns the merged services into the draft's services and resources.
    fn write(&mut self) {
        let all = std::mem::take(&mut self.services);
        self.waited = all.iter().filter_map(|(_, node)| node.get("depends_on")).flat_map(waits_for).collect();
        let (mut running, mut replaced, mut peers) = (Vec::new(), Vec::new(), Peers::new());
        for (key, node) in all {
            if let Some(profiles) = node.get("profiles").filter(|profiles| !profiles.texts().is_empty()) {
                let names: Vec<String> =
                    profiles.texts().iter().map(|name| format!("`{}`", short(name))).collect();
                let text = format!("`{}` runs only under the profile {}", short(&key), enumerate(&names));
                self.remark(profiles, text);
                peers.insert(key, Peer::Gone);
                continue;
            }
            let image = node.get("image").and_then(|image| self.filled(image)).map(|filled| filled.text);
            // What is built is the user's own, whatever the image is called.
            let becomes = image.as_deref().filter(|_| context(&node).is_none()).and_then(image::becomes);
            match becomes {
                Some(Becomes::Resource { kind, version, mind }) if language::has_type(kind) => {
                    replaced.push((key, node, kind, version, mind));
                }
                Some(Becomes::Resource { kind, mind, .. }) => {
                    let text = format!(
                        "`{}` becomes a resource of type `{kind}`, once the manifest has it; {mind}",
                        short(&key)
                    );
                    self.remark(&node, text);
                    peers.insert(key, Peer::Gone);
                }
                None if context(&node).is_none()
                    && image.as_deref().is_some_and(|image| is_proxy(image, &node)) =>
                {
                    let text = format!(
                        "`{}` passes requests on: the ingress takes its place, by `ingress.domains`",
                        short(&key)
                    );
                    self.remark(&node, text);
                    peers.insert(key, Peer::Gone);
                }
                Some(Becomes::Nothing(why)) => {
                    self.remark(&node, format!("`{}`: {why}", short(&key)));
                    peers.insert(key, Peer::Gone);
                }
                None => running.push((key, node)),
            }
        }
        let names = distinct_names(replaced.iter().map(|(key, ..)| key.as_str()), "resource");
        for ((key, node, kind, version, mind), name) in replaced.into_iter().zip(names) {
            self.resource(&mut peers, key, &node, kind, version, mind, name);
        }
        let names = distinct_names(running.iter().map(|(key, _)| key.as_str()), "web");
        let mut services: Vec<Running> = Vec::new();
        for ((key, node), name) in running.into_iter().zip(names) {
            let service = self.service(&key, &node, name);
            let variables = self.variables(&key, &node);
            services.push(Running { key, node, service, variables });
        }
        assign_addressed_ports(&mut services);
        for running in &services {
            let peer = Peer::Service(running.service.name.clone(), running.service.port);
            for alias in aliases(&running.key, &running.node) {
                peers.entry(alias).or_insert_with(|| peer.clone());
            }
        }
        let (jobs, services): (Vec<Running>, Vec<Running>) = services
            .into_iter()
            .partition(|running| self.waited.contains(&running.key) && running.service.port.is_none());
        for running in services {
            self.finish(running, &peers);
        }
        for job in jobs {
            self.job(job, &peers);
        }
    }

    /// A container that others wait for until it is done: before each release in the image of one of them; or a job of its
    /// own, when none of them has that image.
    fn job(&mut self, job: Running, peers: &Peers) {
        let Running { key, node, mut service, variables } = job;
        let main = self
            .draft
            .app
            .services
            .iter()
            .find(|main| main.image == service.image && main.source == service.source);
        let text = match (main.map(|main| main.name.clone()), service.command.take().or(service.args.take()))
        {
            (Some(main), Some(command)) => {
                self.draft.app.before.push(NewJob {
                    name: service.name.clone(),
                    service: main.clone(),
                    command,
                });
                format!(
                    "`{}` runs before each release, in the image and with the variables of `{main}`",
                    short(&key)
                )
            }
            (_, command) if language::has_host("container-job") => {
                service.command = command;
                service.host = Some("container-job".to_owned());
                variables::settle(self.draft, &mut service, variables, peers);
                self.draft.app.services.push(service);
                format!("`{}` becomes a job: start it before a release", short(&key))
            }
            _ => format!("`{}` runs once and ends: run it by hand before a release", short(&key)),
        };
        self.remark(&node, text);
    }

    #[allow(clippy::too_many_arguments)]
    fn resource(
        &mut self,
        peers: &mut Peers,
        key: String,
        node: &Node,
        kind: &'static str,
        version: Option<String>,
        mind: &str,
        name: String,
    ) {
        let image = node.get("image").and_then(|image| self.filled(image)).filter(|filled| !filled.is_secret);
        let image = image.map(|filled| filled.text);
        let mut fields: Vec<(String, NewValue)> =
            version.map(|version| ("version".to_owned(), NewValue::Text(version))).into_iter().collect();
        if kind == "postgres" {
            let named = pairs(node.get("environment")).into_iter().find(|(name, _)| name == "POSTGRES_DB");
            let database =
                named.and_then(|(_, value)| self.filled(&value)).filter(|filled| !filled.is_secret);
            let database = database.filter(|filled| filled.missing.is_empty() && !filled.text.is_empty());
            fields.extend(database.map(|filled| ("databases".to_owned(), NewValue::List(vec![filled.text]))));
        }
        self.remark(node, format!("`{}` becomes the resource `{name}`: {mind}", short(&key)));
        for alias in aliases(&key, node) {
            peers.entry(alias).or_insert_with(|| Peer::Resource(name.clone(), kind));
        }
        let comment = format!("Was the container `{}` of {}", short(&key), short(&image.unwrap_or_default()));
        self.draft.app.resources.push(NewResource { name, kind: kind.to_owned(), fields, comment });
    }

    /// All but its variables.
    fn service(&mut self, key: &str, node: &Node, name: String) -> NewService {
        let mut service = NewService { name, source: ".".to_owned(), ..NewService::default() };
        self.source(key, node, &mut service);
        self.port(key, node, &mut service);
        self.command(key, node, &mut service);
        self.size_and_scale(key, node, &mut service);
        self.health(key, node, &mut service);
        self.rest(key, node);
        service
    }

    fn source(&mut self, key: &str, node: &Node, service: &mut NewService) {
        let (file, _) = self.place(node);
        let key = short(key);
        if let Some(build) = node.get("build") {
            let context_node = build.get("context").unwrap_or(build);
            let context = match context_node.text() {
                Some(_) => self.plain(context_node, &format!("the build context of `{key}`")),
                None => Some(".".to_owned()),
            };
            // A repository elsewhere is no folder.
            let context = context.filter(|context| !context.contains("://") && !context.starts_with("git@"));
            let source = context.map(|context| path::beside(&file, &context));
            match source.filter(|source| fits::source(source)) {
                Some(source) => {
                    service.kind = format!("Compose's `{key}`, built from {source}");
                    service.source = source;
                }
                None => {
                    service.kind = format!("Compose's `{key}`");
                    self.remark(
                        build,
                        format!("`{key}` is built from no folder beside the manifest: name its `source`"),
                    );
                }
            }
            let odd: Vec<String> = build
                .entries()
                .iter()
                .filter(|entry| {
                    entry.key != "context"
                        && !(entry.key == "dockerfile" && entry.node.text() == Some("Dockerfile"))
                })
                .map(|entry| format!("`{}`", short(&entry.key)))
                .collect();
            if !odd.is_empty() {
                let text = format!(
                    "`{key}`: built with {}; Landfall builds from the source as it finds it",
                    enumerate(&odd)
                );
                self.remark(build, text);
            }
        } else if let Some(image) = node.get("image") {
            service.kind = format!("Compose's `{key}`");
            let Some(text) = self.plain(image, &format!("the image of `{key}`")) else {
                self.remark(
                    image,
                    format!("`{key}` has no image that is known: name its `image` or `source`"),
                );
                return;
            };
            let has_version =
                text.contains('@') || text.rsplit('/').next().is_some_and(|last| last.contains(':'));
            let full = if has_version { text } else { format!("{text}:latest") };
            if !has_version {
                self.remark(
                    image,
                    format!("the image of `{key}` has no tag: `latest` is whatever it is on the day"),
                );
            }
            match fits::image(&full) {
                true => service.image = Some(full),
                false => self.remark(
                    image,
                    format!("`{}` is no image's name: name the `image` of `{key}`", short(&full)),
                ),
            }
        } else {
            service.kind = format!("Compose's `{key}`");
            self.remark(node, format!("`{key}` has neither `build` nor `image`: name its `source`"));
        }
    }

    fn port(&mut self, key: &str, node: &Node, service: &mut NewService) {
        let key = short(key);
        let mut found = Vec::new();
        for item in node.get("ports").map(Node::items).unwrap_or_default() {
            let read = match item.map() {
                Some(_) => ports::long(item),
                None => self
                    .filled(item)
                    .filter(|filled| filled.missing.is_empty())
                    .and_then(|f| ports::short(&f.text)),
            };
            match read {
                Some(port) if port.is_tcp => found.push((item, port)),
                Some(port) => {
                    self.remark(
                        item,
                        format!("`{key}` listens on UDP port {}: the ingress carries HTTP", port.container),
                    );
                }
                None => self.remark(item, format!("this is no port of `{key}` that can be read")),
            }
        }
        // The first one that others than this machine reach is what the service is for.
        let best = found.iter().position(|(_, port)| !port.is_loopback).unwrap_or(0);
        if let Some((item, port)) = found.get(best).cloned() {
            service.port = Some(port.container);
            if port.is_loopback {
                service.ingress.public = Some(false);
                let text = format!("`{key}` is published to this machine only: `ingress.public` is false");
                self.remark(item, text);
            }
            for (item, other) in found.iter().filter(|(_, other)| other.container != port.container) {
                let text = format!(
                    "`{key}` listens on {} too: a service has one port, {}",
                    other.container, port.container
                );
                self.remark(item, text);
            }
            return;
        }
        let exposed = node.get("expose").map(Node::items).unwrap_or_default();
        let exposed =
            exposed.iter().find_map(|item| ports::short(&self.filled(item)?.text)).map(|port| port.container);
        let (file, _) = self.place(node);
        let by_dockerfile = || {
            let path = dockerfile_of(&file, node)?;
            self.files.iter().find(|file| file.path == path).and_then(|file| dockerfile::port(&file.text))
        };
        if let Some(port) = exposed.or_else(by_dockerfile) {
            service.port = Some(port);
            service.ingress.public = Some(false);
        }
    }

    fn command(&mut self, key: &str, node: &Node, service: &mut NewService) {
        let key = short(key);
        let entrypoint = node.get("entrypoint");
        if entrypoint.is_none() && node.get("command").is_none() {
            return;
        }
        let mut words = Vec::new();
        for part in [entrypoint, node.get("command")].into_iter().flatten() {
            let filled: Vec<Filled> = part.items().iter().filter_map(|item| self.filled(item)).collect();
            let missing = filled.iter().any(|filled| !filled.missing.is_empty());
            let texts: Vec<String> = filled.iter().map(|filled| filled.text.clone()).collect();
            let line = match part.text() {
                Some(_) => {
                    texts.first().and_then(|line| command::from_shell(line, service.port)).map(|c| c.words)
                }
                None => Some(texts.iter().map(|word| port_in(word, service.port)).collect()),
            };
            if filled.iter().any(|filled| filled.is_secret)
                || line.as_deref().is_some_and(secret::is_in_command)
            {
                let text = format!(
                    "the command of `{key}` holds what looks like a secret: left out; let it read a variable"
                );
                self.remark(part, text);
                return;
            }
            match line {
                Some(line) if !missing => words.extend(line),
                _ => {
                    self.remark(
                        part,
                        format!("the command of `{key}` cannot be read as it stands: write its `command`"),
                    );
                    return;
                }
            }
        }
        if words.first().is_none_or(|word| word.trim().is_empty()) {
            return;
        }
        // Compose's command is what the image's own entry point is given.
        if service.image.is_some() && entrypoint.is_none() {
            service.args = Some(words);
            return;
        }
        service.command = Some(words);
    }

    fn size_and_scale(&mut self, key: &str, node: &Node, service: &mut NewService) {
        let key = short(key);
        let deploy = node.get("deploy");
        let resources = deploy.and_then(|deploy| deploy.get("resources"));
        let bound =
            resources.and_then(|resources| resources.get("limits").or_else(|| resources.get("reservations")));
        let cpus = bound.and_then(|bound| bound.get("cpus")).or_else(|| node.get("cpus"));
        let memory = bound.and_then(|bound| bound.get("memory")).or_else(|| node.get("mem_limit"));
        let vcpus =
            cpus.and_then(|node| self.filled(node)).and_then(|filled| filled.text.parse::<f64>().ok());
        let bytes = memory.and_then(|node| self.filled(node)).and_then(|filled| size::bytes(&filled.text));
        if let Some(place) = cpus.or(memory) {
            let fitting = (vcpus.is_some() || bytes.is_some()).then(|| size::fitting(vcpus, bytes));
            match fitting {
                Some(Some(cpu)) => service.cpu = Some(cpu),
                _ => self.remark(
                    place,
                    format!("the size of `{key}` is none that a replica can have: name its `cpu`"),
                ),
            }
        }
        let replicas = deploy.and_then(|deploy| deploy.get("replicas")).or_else(|| node.get("scale"));
        if let Some(place) = replicas {
            let number = self.filled(place).and_then(|filled| filled.text.parse::<u32>().ok());
            match number.filter(|number| (1..=1000).contains(number)) {
                Some(number) => service.replicas = (Some(number), Some(number)),
                None => self
                    .remark(place, format!("`{key}` cannot have that number of replicas: name its `scale`")),
            }
        }
        for entry in deploy.map(Node::entries).unwrap_or_default() {
            if !["replicas", "resources", "restart_policy", "labels", "mode"].contains(&&*entry.key) {
                self.remark(
                    &entry.node,
                    format!("`deploy.{}` of `{key}` is left to Azure", short(&entry.key)),
                );
            }
        }
        if let Some(devices) = resources.and_then(|r| r.get("reservations")).and_then(|r| r.get("devices")) {
            self.remark(
                devices,
                format!(
                    "`{key}` asks for devices, such as a GPU: Container Apps has them in workload profiles"
                ),
            );
        }
    }

    fn health(&mut self, key: &str, node: &Node, service: &mut NewService) {
        let key = short(key);
        let Some(check) = node.get("healthcheck") else { return };
        if check.get("disable").and_then(Node::boolean) == Some(true) {
            return;
        }
        let Some(test) = check.get("test") else { return };
        let line: Vec<String> =
            test.items().iter().filter_map(|item| self.filled(item)).map(|filled| filled.text).collect();
        let path = line.iter().find_map(|word| probe_path(word));
        match path.filter(|path| fits::path(path) && !secret::is_text(path)) {
            Some(path) if service.port.is_some() => {
                service.probes = NewProbes { ready: Some(path), ..NewProbes::default() };
            }
            _ if line.first().is_some_and(|word| word == "NONE") => {}
            _ => self.remark(
                test,
                format!("the health check of `{key}` is no HTTP request to its port: its port is probed"),
            ),
        }
    }

    /// Every key that has not been looked at by now.
    fn rest(&mut self, name: &str, node: &Node) {
        let key = short(name);
        for entry in node.entries() {
            let what = match &*entry.key {
                field
                    if field.starts_with("x-")
                        || READ_ELSEWHERE.contains(&field)
                        || HOLDS_ANYWAY.contains(&field) =>
                {
                    continue;
                }
                _ if entry.node.is_null() => continue,
                "restart" if entry.node.text() == Some("no") && !self.waited.contains(name) => {
                    "it runs once: a service of Container Apps is started again when it ends".to_owned()
                }
                "restart" => continue,
                // Services start in any order, and come back until what they need is there.
                "depends_on" => continue,
                "volumes" => volumes(&entry.node),
                "labels" => match entry
                    .node
                    .entries()
                    .iter()
                    .map(|e| e.key.as_str())
                    .chain(entry.node.texts())
                    .any(|l| l.starts_with("traefik."))
                {
                    true => "its routing by labels becomes `ingress.domains`".to_owned(),
                    false => continue,
                },
                "configs" => "its config files have to be in the image".to_owned(),
                "network_mode" => {
                    "it uses a network of its own choice; in Azure services reach each other by address"
                        .to_owned()
                }
                "privileged" | "cap_add" | "devices" | "pid" | "ipc" | "sysctls" | "security_opt" => {
                    "rights on the machine are not to be had in Azure".to_owned()
                }
                "develop" => "it is for a developer's machine".to_owned(),
                _ => "it has no counterpart".to_owned(),
            };
            self.remark(&entry.node, format!("`{}` of `{key}`: {what}", short(&entry.key)));
        }
    }

    /// The variables of a service: its files', then its own.
    fn variables(&mut self, key: &str, node: &Node) -> Vec<Variable> {
        let (own_file, _) = self.place(node);
        let mut found = Vec::new();
        for (named, line) in env_files(node) {
            let path = path::beside(&own_file, &fill(&named, &self.values).text);
            match self.files.iter().find(|file| file.path == path) {
                Some(file) => found.extend(variables::of_file(file, self.draft)),
                None => {
                    let text = format!("`{}` is not here, with variables of `{}`", short(&named), short(key));
                    self.draft.remark(Place { file: &own_file, line }, text);
                }
            }
        }
        for (name, value) in pairs(node.get("environment")) {
            let (file, line) = self.place(&value);
            let variable = match value.text() {
                None => {
                    Variable { value: self.values.get(&name).cloned(), is_secret: false, name, file, line }
                }
                Some(text) => {
                    let filled = fill(text, &self.values);
                    // What a missing value would make is not known, but that it is a secret may be.
                    let value = filled.missing.is_empty().then_some(filled.text);
                    Variable { is_secret: filled.is_secret, value, name, file, line }
                }
            };
            found.push(variable);
        }
        for item in node.get("secrets").map(Node::items).unwrap_or_default() {
            let Some(source) = item.get("source").unwrap_or(item).text() else { continue };
            let (file, line) = self.place(item);
            let name = source.to_ascii_uppercase().replace(['-', '.'], "_");
            let text = format!(
                "secret `{}` was a file, /run/secrets/{}: it is the variable `{}` of `{}` now",
                short(source),
                short(source),
                short(&name),
                short(key)
            );
            self.draft.remark(Place { file: &file, line }, text);
            found.push(Variable { name, value: None, is_secret: true, file, line });
        }
        found
    }

    fn finish(&mut self, running: Running, peers: &Peers) {
        let Running { key, node, mut service, variables } = running;
        variables::settle(self.draft, &mut service, variables, peers);
        let depends = node.get("depends_on").into_iter().chain(node.get("links"));
        let depends: Vec<String> = depends
            .flat_map(|node| {
                let keys = node.entries().iter().map(|entry| entry.key.clone());
                keys.chain(node.texts().into_iter().map(str::to_owned)).collect::<Vec<_>>()
            })
            .collect();
        for name in depends {
            let name = name.split(':').next().unwrap_or_default();
            if let Some(Peer::Resource(resource, kind)) = peers.get(name) {
                variables::uses(&mut service, resource, kind);
            }
        }
        if service.port.is_none() && service.probes != NewProbes::default() {
            service.probes = NewProbes::default();
            self.remark(&node, format!("`{}` has no port, so nothing probes it", short(&key)));
        }
        self.draft.app.services.push(service);
    }
}

/// Keys of a service that other functions read.
const READ_ELSEWHERE: &[&str] = &[
    "image",
    "build",
    "command",
    "entrypoint",
    "ports",
    "expose",
    "environment",
    "env_file",
    "healthcheck",
    "deploy",
    "scale",
    "profiles",
    "extends",
    "secrets",
    "cpus",
    "mem_limit",
    "links",
];

/// Keys of a service whose purpose holds in Azure without being said, or has none there.
const HOLDS_ANYWAY: &[&str] = &[
    "container_name",
    "hostname",
    "networks",
    "init",
    "tty",
    "stdin_open",
    "logging",
    "platform",
    "pull_policy",
    "mem_reservation",
    "memswap_limit",
    "cpu_shares",
    "attach",
    "annotations",
    "stop_grace_period",
    "stop_signal",
];

/// Whether a web server from the registry only passes requests on: it is given a configuration and no content.
fn is_proxy(image: &str, node: &Node) -> bool {
    let repository = image.split(['@', ':']).next().unwrap_or(image);
    let is_server =
        ["nginx", "nginx-unprivileged", "caddy", "httpd", "openresty"].contains(&path::name(repository));
    let volumes = node.get("volumes").map(Node::items).unwrap_or_default();
    let sources = volumes.iter().filter_map(|item| item.get("source").unwrap_or(item).text());
    is_server && sources.into_iter().any(|source| source.contains("conf") || source.contains("Caddyfile"))
}

/// The port that others address a service by is its port, if it names none itself.
fn assign_addressed_ports(services: &mut [Running]) {
    let mut addressed: BTreeMap<String, u16> = BTreeMap::new();
    for variable in services.iter().flat_map(|running| &running.variables) {
        for (host, port) in variables::addressed_ports(variable.value.as_deref().unwrap_or_default()) {
            addressed.entry(host).or_insert(port);
        }
    }
    for running in services.iter_mut().filter(|running| running.service.port.is_none()) {
        let port =
            aliases(&running.key, &running.node).into_iter().find_map(|alias| addressed.get(&alias).copied());
        if let Some(port) = port.filter(|port| *port > 0) {
            running.service.port = Some(port);
            running.service.ingress.public = Some(false);
        }
    }
}

/// The host names of a container.
fn aliases(key: &str, node: &Node) -> Vec<String> {
    let mut names = vec![key.to_owned()];
    for name in ["container_name", "hostname"] {
        names.extend(node.get(name).and_then(Node::text).map(str::to_owned));
    }
    for network in node.get("networks").map(Node::entries).unwrap_or_default() {
        names.extend(
            network.node.get("aliases").map(Node::texts).unwrap_or_default().into_iter().map(str::to_owned),
        );
    }
    names
}

/// `NAME: value` or `- NAME=value`, with the value's place; of a name alone the value is nothing.
fn pairs(node: Option<&Node>) -> Vec<(String, Rc<Node>)> {
    let Some(node) = node else { return Vec::new() };
    let from_map = node.entries().iter().map(|entry| (entry.key.clone(), Rc::new(entry.node.clone())));
    let from_list = node.list().unwrap_or_default().iter().filter_map(|item| {
        let text = item.text()?;
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Value::Scalar(value.to_owned())),
            None => (text, Value::Null),
        };
        Some((name.to_owned(), Rc::new(Node { file: item.file, line: item.line, value })))
    });
    from_map.chain(from_list).collect()
}

/// Two definitions of one thing, as Compose merges them: maps by key, lists joined, everything else replaced.
fn merged(base: &Node, over: &Node, key: &str) -> Node {
    if matches!(key, "command" | "entrypoint" | "test") || over.is_null() {
        return if over.is_null() { base.clone() } else { over.clone() };
    }
    if matches!(key, "environment" | "labels" | "depends_on" | "args")
        && (base.list().is_some() || over.list().is_some())
        && key != "depends_on"
    {
        let as_map = |node: &Node| {
            let entries = pairs(Some(node)).into_iter().map(|(key, node)| Entry {
                key,
                line: node.line,
                node: (*node).clone(),
            });
            Node { value: Value::Map(Rc::new(entries.collect())), ..node.clone() }
        };
        return merged(&as_map(base), &as_map(over), "");
    }
    match (&base.value, &over.value) {
        (Value::Map(_), Value::Map(new)) => {
            let mut entries = base.entries().to_vec();
            let mut at: BTreeMap<String, usize> =
                entries.iter().enumerate().map(|(at, entry)| (entry.key.clone(), at)).collect();
            for entry in new.iter().filter(|entry| entry.key != "extends") {
                match at.get(&entry.key) {
                    Some(known) => {
                        entries[*known].node = merged(&entries[*known].node, &entry.node, &entry.key)
                    }
                    None => {
                        at.insert(entry.key.clone(), entries.len());
                        entries.push(entry.clone());
                    }
                }
            }
            Node { value: Value::Map(Rc::new(entries)), ..over.clone() }
        }
        (Value::List(old), Value::List(new)) => {
            let items = old.iter().chain(new.iter()).cloned().collect();
            Node { value: Value::List(Rc::new(items)), ..over.clone() }
        }
        _ => over.clone(),
    }
}

/// A word of a command with the port filled in: Compose leaves `$$PORT` to a shell inside of the container.
fn port_in(word: &str, port: Option<u16>) -> String {
    port.map_or_else(|| word.to_owned(), |port| command::with_port(word, port))
}

/// The path of a request to the container itself.
fn probe_path(text: &str) -> Option<String> {
    let from = text
        .find("http://")
        .map(|at| &text[at + 7..])
        .or_else(|| text.find("https://").map(|at| &text[at + 8..]))?;
    let url = from.split([' ', '"', '\'', ')', ';', '|']).next()?;
    let path = url.find('/').map_or("/", |at| &url[at..]);
    Some(path.split(['#', '?']).next().unwrap_or("/").to_owned())
}

/// What a service waits for to be done.
fn waits_for(depends: &Node) -> Vec<String> {
    let is_done = |entry: &&Entry| {
        entry.node.get("condition").and_then(Node::text) == Some("service_completed_successfully")
    };
    depends.entries().iter().filter(is_done).map(|entry| entry.key.clone()).collect()
}

/// What is said about volumes.
fn volumes(node: &Node) -> String {
    let source = |item: &Node| match item.map() {
        Some(_) => item.get("source").and_then(Node::text).unwrap_or("a nameless one").to_owned(),
        None => item.text().unwrap_or_default().split(':').next().unwrap_or_default().to_owned(),
    };
    let sources: BTreeSet<String> =
        node.items().iter().map(source).filter(|source| !source.is_empty()).collect();
    if sources.iter().any(|source| source.ends_with("docker.sock")) {
        return "it steers the machine's containers, which Azure does not let it".to_owned();
    }
    let (folders, named): (Vec<&String>, Vec<&String>) =
        sources.iter().partition(|source| source.starts_with(['.', '/', '~', '$']));
    let list = |names: &[&String]| {
        enumerate(&names.iter().map(|name| format!("`{}`", short(name))).collect::<Vec<_>>())
    };
    match (folders.as_slice(), named.as_slice()) {
        ([], []) => "what it writes is gone when a replica stops".to_owned(),
        (folders, []) => format!("{} must be in the image", list(folders)),
        ([], named) => format!(
            "what it writes to {} is gone when a replica stops: keep it in `type = \"storage\"`",
            list(named)
        ),
        (folders, named) => format!(
            "{} must be in the image; what it writes to {} is gone when a replica stops: keep it in `type = \"storage\"`",
            list(folders),
            list(named)
        ),
    }
}
