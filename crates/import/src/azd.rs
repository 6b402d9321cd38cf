//! The Azure Developer CLI's `azure.yaml`: its services, and the resources that `azd add` composes.
//!
//! What its infrastructure files (Bicep, Terraform) declare is not read: they say it in Azure's words, and mostly for
//! all environments at once.

use std::collections::BTreeMap;

use landfall_manifest::write::{distinct_names, fits};
use landfall_manifest::{NewResource, NewService, NewValue};

use crate::draft::{Draft, Place, enumerate, short};
use crate::tree::{Entry, Node};
use crate::variables::{self, Peer, Peers, Variable};
use crate::{File, Format, command, dockerfile, language, path, secret, yaml};

/// azd's hosts with the manifest's, and what is to be minded.
const HOSTS: &[(&str, &str, &str)] = &[
    ("containerapp", "container-apps", ""),
    ("appservice", "app-service", ""),
    ("staticwebapp", "static-web-app", ""),
    ("aks", "kubernetes", "its own Kubernetes manifests are not read"),
    (
        "function",
        "container-apps",
        "a function app becomes an ordinary service: its triggers have to be its own program's",
    ),
];

/// Types of composed resources with the manifest's, and what is to be minded.
const TYPES: &[(&str, &str, &str)] = &[
    ("db.postgres", "postgres", ""),
    ("db.redis", "redis", ""),
    ("db.cosmos", "cosmos", ""),
    ("messaging.servicebus", "service-bus", ""),
    ("storage", "storage", ""),
    ("ai.openai.model", "openai", ""),
    ("ai.search", "search", ""),
    ("keyvault", "vault", ""),
];

/// Types of composed resources that the manifest has no word for.
const WITHOUT: &[(&str, &str)] = &[
    ("db.mongo", "make an Azure DocumentDB and give its connection string as a secret"),
    ("db.mysql", "make an Azure Database for MySQL and give its address as a secret"),
    ("messaging.eventhubs", "make the event hubs by hand and give their address as a secret"),
    ("ai.project", "declare the models as `type = \"openai\"`"),
];

/// The Dockerfiles of its services.
pub(crate) fn wanted(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in mains(files) {
        let Ok(root) = yaml::read(0, &file.text) else { continue };
        found.extend(
            entries(&root, "services").iter().filter_map(|entry| dockerfile_of(&file.path, &entry.node)),
        );
    }
    found
}

fn mains(files: &[File]) -> impl Iterator<Item = &File> {
    files.iter().filter(|file| Format::of(&file.path) == Some(Format::Azd))
}

fn entries<'a>(root: &'a Node, key: &str) -> &'a [Entry] {
    root.get(key).map(Node::entries).unwrap_or_default()
}

fn dockerfile_of(file: &str, service: &Node) -> Option<String> {
    let folder = path::beside(file, service.get("project")?.text()?);
    let docker = service.get("docker").and_then(|docker| docker.get("path")).and_then(Node::text);
    Some(path::join(&folder, docker.unwrap_or("Dockerfile")))
}

/// Reads the files into the draft.
pub(crate) fn import(files: &[File], draft: &mut Draft) {
    for file in mains(files) {
        match yaml::read(0, &file.text) {
            Ok(root) => Project { files, file, root, draft }.read(),
            Err((line, message)) => draft.problem(&file.path, line, message),
        }
    }
}

struct Project<'a> {
    files: &'a [File],
    file: &'a File,
    root: Node,
    draft: &'a mut Draft,
}

impl Project<'_> {
    fn remark(&mut self, line: usize, text: impl Into<String>) {
        self.draft.remark(Place { file: &self.file.path, line }, text);
    }

    fn read(mut self) {
        if let Some(name) = self.root.get("name").and_then(Node::text) {
            name.clone_into(&mut self.draft.app.name);
        }
        let services = entries(&self.root, "services").to_vec();
        let composed = entries(&self.root, "resources").to_vec();
        if services.is_empty() && composed.is_empty() {
            self.remark(1, "there are neither `services` nor `resources`");
        }
        let mut peers = self.resources(&composed);
        let names = distinct_names(services.iter().map(|entry| entry.key.as_str()), "web");
        let mut found = Vec::new();
        for (entry, name) in services.iter().zip(names) {
            // A service and the resource of its name are one: `host.containerapp` says what it listens on.
            let host = composed.iter().find(|resource| resource.key == entry.key);
            let service = self.service(entry, host.map(|resource| &resource.node), name);
            if let Some(service) = service {
                peers.insert(entry.key.clone(), Peer::Service(service.name.clone(), service.port));
                found.push((entry, host, service));
            }
        }
        for (entry, host, mut service) in found {
            let mut variables = self.variables(&entry.node);
            variables.extend(host.map(|host| self.variables(&host.node)).unwrap_or_default());
            variables::settle(self.draft, &mut service, variables, &peers);
            for uses in
                [entry.node.get("uses"), host.and_then(|host| host.node.get("uses"))].into_iter().flatten()
            {
                self.uses(uses, &peers, &mut service);
            }
            if service.port.is_none() && service.host.as_deref() != Some("static-web-app") {
                self.draft.unknown_ports.push(service.name.clone());
            }
            self.draft.app.services.push(service);
        }
        for entry in composed.iter().filter(|entry| type_of(&entry.node).starts_with("host.")) {
            if !services.iter().any(|service| service.key == entry.key) {
                self.remark(
                    entry.line,
                    format!("`{}` is a host without a service of its name", short(&entry.key)),
                );
            }
        }
        self.rest();
    }

    /// The composed resources; where their names lead.
    fn resources(&mut self, composed: &[Entry]) -> Peers {
        let mut peers = Peers::new();
        let mut models: Vec<&Entry> = Vec::new();
        let mut found: Vec<(&Entry, &'static str, &'static str)> = Vec::new();
        for entry in composed {
            let kind = type_of(&entry.node);
            let key = short(&entry.key);
            if entry.node.get("existing").and_then(Node::boolean) == Some(true) {
                self.remark(
                    entry.line,
                    format!("`{key}` is there already and is not Landfall's: give its address as a variable"),
                );
                continue;
            }
            match TYPES.iter().find(|(azd, ..)| *azd == kind) {
                Some((_, manifest, _)) if !language::has_type(manifest) => {
                    let text = format!(
                        "`{key}` ({kind}) becomes a resource of type `{manifest}`, once the manifest has it"
                    );
                    self.remark(entry.line, text);
                    peers.insert(entry.key.clone(), Peer::Gone);
                }
                Some((_, "openai", _)) => models.push(entry),
                Some((_, manifest, mind)) => found.push((entry, manifest, mind)),
                None if kind.starts_with("host.") => {}
                None => {
                    let why = WITHOUT.iter().find(|(azd, _)| *azd == kind).map(|(_, why)| *why);
                    let why = why.unwrap_or("the manifest has no such type");
                    self.remark(entry.line, format!("`{key}` ({}): {why}", short(kind)));
                }
            }
        }
        let names = distinct_names(found.iter().map(|(entry, ..)| entry.key.as_str()), "resource");
        for ((entry, kind, mind), name) in found.into_iter().zip(names) {
            if !mind.is_empty() {
                self.remark(entry.line, format!("`{}`: {mind}", short(&entry.key)));
            }
            let fields = self.fields(kind, &entry.node);
            let comment = format!("azd's `{}` ({})", short(&entry.key), short(type_of(&entry.node)));
            peers.insert(entry.key.clone(), Peer::Resource(name.clone(), kind));
            self.draft.app.resources.push(NewResource { name, kind: kind.to_owned(), fields, comment });
        }
        self.models(&models, &mut peers);
        peers
    }

    /// All models live in one account.
    fn models(&mut self, models: &[&Entry], peers: &mut Peers) {
        if models.is_empty() {
            return;
        }
        let mut deployments = Vec::new();
        for entry in models {
            peers.insert(entry.key.clone(), Peer::Resource("openai".to_owned(), "openai"));
            let model = entry.node.get("model");
            let field = |key: &str| {
                let text = model?.get(if key == "model" { "name" } else { key })?.text()?;
                Some((key.to_owned(), NewValue::Text(text.to_owned())))
            };
            deployments
                .push((entry.key.clone(), ["model", "version"].into_iter().filter_map(field).collect()));
        }
        self.draft.app.resources.push(NewResource {
            name: "openai".to_owned(),
            kind: "openai".to_owned(),
            comment: "azd's models".to_owned(),
            fields: vec![("deployments".to_owned(), NewValue::Named(deployments))],
        });
    }

    fn fields(&mut self, kind: &str, node: &Node) -> Vec<(String, NewValue)> {
        let mut fields = Vec::new();
        for entry in node.entries() {
            let list: Vec<String> = entry.node.texts().into_iter().map(str::to_owned).collect();
            match (kind, &*entry.key) {
                (_, "type" | "uses" | "existing") => {}
                ("storage", "containers") => {
                    let (fitting, odd): (Vec<String>, Vec<String>) =
                        list.into_iter().partition(|name| fits::container(name));
                    if !fitting.is_empty() {
                        fields.push((entry.key.clone(), NewValue::List(fitting)));
                    }
                    for name in odd {
                        self.remark(entry.line, format!("`{}` is no container's name", short(&name)));
                    }
                }
                ("service-bus", "queues" | "topics") if !list.is_empty() => {
                    let named = list.into_iter().map(|name| (name, Vec::new())).collect();
                    fields.push((entry.key.clone(), NewValue::Named(named)));
                }
                (_, key) => {
                    let what: Vec<String> = list.iter().map(|name| format!("`{}`", short(name))).collect();
                    let what =
                        if what.is_empty() { String::new() } else { format!(" ({})", enumerate(&what)) };
                    self.remark(
                        entry.line,
                        format!("`{}`{what} has to be declared with the resource", short(key)),
                    );
                }
            }
        }
        fields
    }

    fn service(&mut self, entry: &Entry, composed: Option<&Node>, name: String) -> Option<NewService> {
        let node = &entry.node;
        let key = short(&entry.key);
        let host = node.get("host").and_then(Node::text).unwrap_or("containerapp");
        let Some((_, manifest, mind)) = HOSTS.iter().find(|(azd, ..)| *azd == host) else {
            self.remark(
                entry.line,
                format!("`{key}` is for the host `{}`, which the manifest does not have", short(host)),
            );
            return None;
        };
        let mut service = NewService { name, ..NewService::default() };
        let language_of = node.get("language").and_then(Node::text).unwrap_or("of any language");
        service.kind = format!("azd's `{key}`, {}, for {}", short(language_of), short(host));
        if language::has_host(manifest) {
            service.host = Some((*manifest).to_owned());
        } else {
            self.remark(
                entry.line,
                format!(
                    "`{key}` is for `{manifest}`, once the manifest has it; it is on `container-apps` now"
                ),
            );
        }
        if !mind.is_empty() {
            self.remark(entry.line, format!("`{key}`: {mind}"));
        }
        self.source(&key, node, &mut service);
        let port = composed.and_then(|node| node.get("port")).and_then(Node::port);
        service.port = port.or_else(|| {
            let path = dockerfile_of(&self.file.path, node)?;
            self.files.iter().find(|file| file.path == path).and_then(|file| dockerfile::port(&file.text))
        });
        if let Some(start) = composed.and_then(|node| node.get("startupCommand")) {
            let found = start.text().and_then(|line| command::from_shell(line, service.port));
            match found.filter(|found| !secret::is_in_command(&found.words)) {
                Some(found) => service.command = Some(found.words),
                None => self.remark(
                    start.line,
                    format!("the start command of `{key}` cannot be carried over: write its `command`"),
                ),
            }
        }
        self.other_keys(&key, node);
        if service.host.as_deref() == Some("static-web-app") {
            // Files have no port of their own.
            service.port = None;
        }
        if service.host.as_deref() == Some("app-service") {
            service.port = service.port.or(Some(PORT));
            service.runtime = runtime(node, composed);
        }
        Some(service)
    }

    fn source(&mut self, key: &str, node: &Node, service: &mut NewService) {
        service.source = ".".to_owned();
        let image = node.get("image").and_then(Node::text).filter(|image| !image.contains("${"));
        match (node.get("project").and_then(Node::text), image) {
            (Some(project), _) => {
                let source = path::beside(&self.file.path, project);
                match fits::source(&source) {
                    true => service.source = source,
                    false => self.remark(
                        node.line,
                        format!("`{key}` lies in no folder beside the manifest: name its `source`"),
                    ),
                }
            }
            (None, Some(image)) if fits::image(image) => service.image = Some(image.to_owned()),
            _ => self.remark(
                node.line,
                format!("`{key}` has neither a `project` nor an image that is known: name its `source`"),
            ),
        }
    }

    fn other_keys(&mut self, key: &str, node: &Node) {
        let reasons: BTreeMap<&str, &str> = BTreeMap::from([
            ("hooks", "scripts around its deployment have to be run by hand or by the pipeline"),
            ("docker", "Landfall builds from the source as it finds it"),
            ("k8s", "its Kubernetes manifests are not read"),
            ("dist", "the build's output is found by itself"),
            ("config", "it is the host's own configuration"),
            ("module", "its infrastructure file is not read"),
            ("resourceName", "Landfall names its resources by `naming`"),
            ("resourceGroup", "Landfall names its resources by `naming`"),
        ]);
        for entry in node.entries() {
            if ["project", "language", "host", "image", "env", "environment", "uses", "apiVersion", "dist"]
                .contains(&&*entry.key)
            {
                continue;
            }
            // Only what differs from the usual is worth a word.
            if entry.key == "docker"
                && entry.node.entries().iter().all(|e| ["path", "remoteBuild"].contains(&&*e.key))
            {
                continue;
            }
            let why = reasons.get(&*entry.key).copied().unwrap_or("it has no counterpart");
            self.remark(entry.line, format!("`{}` of `{key}`: {why}", short(&entry.key)));
        }
    }

    /// `env` as a map, or as a list of `name`, `value` and `secret`.
    fn variables(&self, node: &Node) -> Vec<Variable> {
        let Some(env) = node.get("env").or_else(|| node.get("environment")) else { return Vec::new() };
        let variable = |name: &str, value: Option<&Node>, secret: bool, line: usize| {
            let text = value.and_then(Node::text);
            // azd fills `${NAME}` in from its own environment, which is not here.
            let inner = text
                .and_then(|text| text.split_once("${"))
                .map(|(_, rest)| rest.split(['}', ':', '-']).next().unwrap_or_default());
            Variable {
                name: name.to_owned(),
                value: text.filter(|_| inner.is_none()).map(str::to_owned),
                is_secret: secret || inner.is_some_and(secret::is_name),
                file: self.file.path.clone(),
                line,
            }
        };
        let from_map =
            env.entries().iter().map(|entry| variable(&entry.key, Some(&entry.node), false, entry.line));
        let from_list = env.list().unwrap_or_default().iter().filter_map(|item| {
            let (value, secret) = (item.get("value"), item.get("secret"));
            Some(variable(item.get("name")?.text()?, value.or(secret), secret.is_some(), item.line))
        });
        from_map.chain(from_list).collect()
    }

    fn uses(&mut self, uses: &Node, peers: &Peers, service: &mut NewService) {
        for item in uses.items() {
            let name = item.text().unwrap_or_default();
            match peers.get(name) {
                Some(Peer::Resource(resource, kind)) => variables::uses(service, resource, kind),
                Some(Peer::Service(other, Some(_))) => {
                    let variable = format!("{}_BASE_URL", name.to_ascii_uppercase().replace(['-', '.'], "_"));
                    if fits::variable(&variable, true)
                        && !service.env.iter().any(|(known, _)| *known == variable)
                    {
                        service.env.push((variable, format!("${{service.{other}.url}}")));
                    }
                }
                _ => {
                    let text = format!("`{}` uses `{}`: not carried over", service.name, short(name));
                    self.remark(item.line, text);
                }
            }
        }
    }

    /// What stands beside services and resources.
    fn rest(&mut self) {
        let reasons: BTreeMap<&str, &str> = BTreeMap::from([
            ("hooks", "scripts around provisioning and deployment have to be run by hand or by the pipeline"),
            ("pipeline", "the pipeline's variables and secrets stay with the pipeline"),
            ("workflows", "`landfall up` does all steps"),
            ("state", "Landfall keeps no state elsewhere: Azure is the state"),
            ("platform", "Landfall deploys by itself"),
            ("cloud", "Landfall deploys to Azure's public cloud"),
            ("requiredVersions", "azd's versions are of no concern here"),
        ]);
        let top = self.root.entries().to_vec();
        for entry in top.iter().filter(|entry| {
            !["name", "services", "resources", "metadata", "infra", "resourceGroup"].contains(&&*entry.key)
        }) {
            let why = reasons.get(&*entry.key).copied().unwrap_or("it has no counterpart");
            self.remark(entry.line, format!("`{}`: {why}", short(&entry.key)));
        }
        let infra = self.root.get("infra");
        let (line, folder) =
            (infra.map_or(1, |node| node.line), infra.and_then(|node| node.get("path")?.text()));
        if entries(&self.root, "resources").is_empty() {
            let folder = short(folder.unwrap_or("infra"));
            let text = format!(
                "the infrastructure files in `{folder}` are not read: what they declare besides the services goes to `[resource.NAME]`"
            );
            self.remark(line, text);
        }
    }
}

/// The port that programs on App Service are asked at when nothing says otherwise.
const PORT: u16 = 8000;

/// The language and version of a service on App Service: as azd composes it, or the usual version of its language.
fn runtime(service: &Node, composed: Option<&Node>) -> Option<String> {
    let stated = composed.and_then(|node| node.get("runtime")).and_then(|runtime| {
        Some(format!("{}:{}", runtime.get("stack")?.text()?, runtime.get("version")?.text()?))
    });
    stated.or_else(|| {
        let usual = match service.get("language")?.text()? {
            "py" | "python" => "python:3.13",
            "js" | "ts" | "javascript" | "typescript" => "node:22",
            "csharp" | "fsharp" | "dotnet" => "dotnet:9.0",
            "java" => "java:21",
            _ => return None,
        };
        Some(usual.to_owned())
    })
}

fn type_of(node: &Node) -> &str {
    node.get("type").and_then(Node::text).unwrap_or_default()
}
