//! fly.io's `fly.toml`.

use std::collections::BTreeMap;

use landfall_manifest::write::{distinct_names, fits};
use landfall_manifest::{NewProbes, NewService};

use crate::draft::{Draft, Place, enumerate, short};
use crate::tree::{Entry, Node};
use crate::variables::{self, Peers, Variable};
use crate::{File, Format, command, dockerfile, path, secret, size, toml};

/// The port fly.io assumes when `internal_port` is left out.
const PORT: u16 = 8080;

/// fly.io's regions with the nearest of Azure's.
const REGIONS: &[(&str, &str)] = &[
    ("ams", "westeurope"),
    ("arn", "swedencentral"),
    ("atl", "eastus"),
    ("bog", "eastus2"),
    ("bom", "centralindia"),
    ("bos", "eastus"),
    ("cdg", "francecentral"),
    ("den", "westus3"),
    ("dfw", "southcentralus"),
    ("ewr", "eastus"),
    ("fra", "germanywestcentral"),
    ("gdl", "mexicocentral"),
    ("gig", "brazilsouth"),
    ("gru", "brazilsouth"),
    ("hkg", "eastasia"),
    ("iad", "eastus"),
    ("jnb", "southafricanorth"),
    ("lax", "westus2"),
    ("lhr", "uksouth"),
    ("mad", "spaincentral"),
    ("mia", "eastus2"),
    ("nrt", "japaneast"),
    ("ord", "northcentralus"),
    ("otp", "polandcentral"),
    ("phx", "westus3"),
    ("qro", "mexicocentral"),
    ("scl", "chilecentral"),
    ("sea", "westus2"),
    ("sin", "southeastasia"),
    ("sjc", "westus2"),
    ("syd", "australiaeast"),
    ("waw", "polandcentral"),
    ("yul", "canadaeast"),
    ("yyz", "canadacentral"),
];

/// The Dockerfile.
pub(crate) fn wanted(files: &[File]) -> Vec<String> {
    let of = |file: &File| {
        let root = toml::read(&file.text).ok()?;
        let build = root.get("build");
        let name =
            build.and_then(|build| build.get("dockerfile")).and_then(Node::text).unwrap_or("Dockerfile");
        Some(path::beside(&file.path, name))
    };
    mains(files).filter_map(of).collect()
}

fn mains(files: &[File]) -> impl Iterator<Item = &File> {
    files.iter().filter(|file| Format::of(&file.path) == Some(Format::Fly))
}

/// Reads the file into the draft. Of several, each is an application of its own; they become services of one.
pub(crate) fn import(files: &[File], draft: &mut Draft) {
    for file in mains(files) {
        match toml::read(&file.text) {
            Ok(root) => {
                if let Some(name) = root.get("app").and_then(Node::text) {
                    name.clone_into(&mut draft.app.name);
                }
                App { files, file, root, draft }.read();
            }
            Err(wrong) => {
                for (line, message) in wrong {
                    draft.problem(&file.path, line, message);
                }
            }
        }
    }
}

struct App<'a> {
    files: &'a [File],
    file: &'a File,
    root: Node,
    draft: &'a mut Draft,
}

/// A process of the application with what the file says of it.
struct Process {
    name: String,
    line: usize,
    command: Option<String>,
}

impl App<'_> {
    fn remark(&mut self, line: usize, text: impl Into<String>) {
        self.draft.remark(Place { file: &self.file.path, line }, text);
    }

    fn read(mut self) {
        self.region();
        let processes = self.processes();
        let fitting = distinct_names(processes.iter().map(|process| process.name.as_str()), "web");
        let is_one = processes.len() == 1;
        for (process, name) in processes.iter().zip(fitting) {
            let mut service = NewService {
                name,
                kind: format!("fly.io's `{}`", short(&process.name)),
                ..NewService::default()
            };
            self.source(&mut service);
            self.http(process, is_one, &mut service);
            self.size(process, is_one, &mut service);
            self.command(process, &mut service);
            let variables = self.variables();
            variables::settle(self.draft, &mut service, variables, &Peers::new());
            self.draft.app.services.push(service);
        }
        self.rest();
    }

    fn region(&mut self) {
        let Some(node) = self.root.get("primary_region") else { return };
        let (line, text) = (node.line, node.text().unwrap_or_default().to_owned());
        match REGIONS.iter().find(|(fly, _)| *fly == text) {
            Some((_, azure)) => self.draft.app.region = Some((*azure).to_owned()),
            None => self
                .remark(line, format!("region `{}` has no neighbour in Azure that is known", short(&text))),
        }
    }

    /// `[processes]`, or the one that is there without it.
    fn processes(&self) -> Vec<Process> {
        let named = self.root.get("processes").map(Node::entries).unwrap_or_default();
        let of = |entry: &Entry| Process {
            // fly.io's name for the first one says nothing.
            name: if entry.key == "app" { "web".to_owned() } else { entry.key.clone() },
            line: entry.line,
            command: entry.node.text().map(str::to_owned).filter(|text| !text.trim().is_empty()),
        };
        match named.is_empty() {
            true => {
                let command = self.root.get("experimental").and_then(|node| node.get("cmd"));
                let command = command.map(|node| node.texts().join(" "));
                vec![Process { name: "web".to_owned(), line: 1, command }]
            }
            false => named.iter().map(of).collect(),
        }
    }

    fn source(&mut self, service: &mut NewService) {
        service.source = path::beside(&self.file.path, ".");
        let Some(build) = self.root.get("build").cloned() else { return };
        if let Some(image) = build.get("image") {
            match image.text().filter(|text| fits::image(text)) {
                Some(text) => service.image = Some(text.to_owned()),
                None => self.remark(image.line, "the image needs a tag: name the `image`"),
            }
        }
        let odd: Vec<String> = build
            .entries()
            .iter()
            .filter(|entry| {
                entry.key != "image"
                    && !(entry.key == "dockerfile" && entry.node.text() == Some("Dockerfile"))
            })
            .map(|entry| format!("`build.{}`", short(&entry.key)))
            .collect();
        if !odd.is_empty() {
            let text = format!("{}: Landfall builds from the source as it finds it", enumerate(&odd));
            self.remark(build.line, text);
        }
    }

    /// Whether a section that names processes is for this one.
    fn is_for(section: &Node, process: &Process, is_one: bool) -> bool {
        let names = section.get("processes").map(Node::texts).unwrap_or_default();
        let own = if process.name == "web" { ["web", "app"] } else { [process.name.as_str(); 2] };
        match names.is_empty() {
            true => is_one || process.name == "web",
            false => names.iter().any(|name| own.contains(name)),
        }
    }

    fn http(&mut self, process: &Process, is_one: bool, service: &mut NewService) {
        let mut checks: Vec<Node> = Vec::new();
        if let Some(http) =
            self.root.get("http_service").cloned().filter(|http| Self::is_for(http, process, is_one))
        {
            service.port = Some(http.get("internal_port").and_then(Node::port).unwrap_or(PORT));
            self.autoscale(&http, service);
            self.concurrency(&http, service);
            checks.extend(
                http.get("checks")
                    .or_else(|| http.get("http_checks"))
                    .map(Node::items)
                    .unwrap_or_default()
                    .to_vec(),
            );
            for entry in http.entries() {
                if !HTTP_READ.contains(&&*entry.key) {
                    self.remark(
                        entry.line,
                        format!("`http_service.{}` has no counterpart", short(&entry.key)),
                    );
                }
            }
        }
        let sections: Vec<Node> = self.root.get("services").map(Node::items).unwrap_or_default().to_vec();
        for section in sections.iter().filter(|section| Self::is_for(section, process, is_one)) {
            self.service(section, process, service, &mut checks);
        }
        for check in &checks {
            self.check(check, service);
        }
        let named: Vec<Entry> = self.root.get("checks").map(Node::entries).unwrap_or_default().to_vec();
        for entry in named.iter().filter(|entry| Self::is_for(&entry.node, process, is_one)) {
            let is_http = entry.node.get("type").and_then(Node::text) == Some("http");
            let port = entry.node.get("port").and_then(Node::port);
            match is_http && (port.is_none() || port == service.port) {
                true => self.check(&entry.node, service),
                false => {
                    let text = format!(
                        "check `{}` asks another port than the service's, or not by HTTP",
                        short(&entry.key)
                    );
                    self.remark(entry.line, text);
                }
            }
        }
        if service.port.is_none()
            && self.root.get("http_service").is_none()
            && sections.is_empty()
            && let Some(port) = self.port_of_dockerfile()
        {
            service.port = Some(port);
            service.ingress.public = Some(false);
        }
    }

    fn port_of_dockerfile(&self) -> Option<u16> {
        let path = path::beside(&self.file.path, "Dockerfile");
        self.files.iter().find(|file| file.path == path).and_then(|file| dockerfile::port(&file.text))
    }

    /// A section of `[[services]]`: what is left of the time before `[http_service]`, and what is not HTTP.
    fn service(
        &mut self,
        section: &Node,
        process: &Process,
        service: &mut NewService,
        checks: &mut Vec<Node>,
    ) {
        let port = section.get("internal_port").and_then(Node::port).unwrap_or(PORT);
        if section.get("protocol").and_then(Node::text) == Some("udp") {
            self.remark(
                section.line,
                format!("port {port} of `{}` is UDP: the ingress carries HTTP", short(&process.name)),
            );
            return;
        }
        let ports = section.get("ports").map(Node::items).unwrap_or_default();
        let is_http = ports.iter().any(|port| {
            let handlers = port.get("handlers").map(Node::texts).unwrap_or_default();
            handlers.contains(&"http")
        });
        if !is_http {
            let text = format!(
                "port {port} of `{}` is TCP without HTTP: the ingress carries HTTP",
                short(&process.name)
            );
            self.remark(section.line, text);
            return;
        }
        if service.port.is_some_and(|known| known != port) {
            self.remark(
                section.line,
                format!("`{}` listens on {port} too: a service has one port", short(&process.name)),
            );
            return;
        }
        service.port = Some(port);
        self.autoscale(section, service);
        self.concurrency(section, service);
        checks.extend(section.get("http_checks").map(Node::items).unwrap_or_default().to_vec());
    }

    fn autoscale(&mut self, section: &Node, service: &mut NewService) {
        let sleeps = section.get("auto_stop_machines").and_then(Node::text);
        let min = section
            .get("min_machines_running")
            .and_then(Node::integer)
            .and_then(|min| u32::try_from(min).ok());
        service.replicas.0 = match (min, sleeps) {
            (Some(min), _) => Some(min.min(1000)),
            // Machines that are never stopped.
            (None, None | Some("false" | "off")) => Some(1),
            (None, Some(_)) => Some(0),
        };
    }

    fn concurrency(&mut self, section: &Node, service: &mut NewService) {
        let Some(concurrency) = section.get("concurrency") else { return };
        let limit =
            ["soft_limit", "hard_limit"].iter().find_map(|key| concurrency.get(key).and_then(Node::integer));
        if concurrency.get("type").and_then(Node::text) == Some("connections") {
            let text =
                "concurrency counts connections there and requests here: see whether `scale.http` fits";
            self.remark(concurrency.line, text);
        }
        service.requests =
            limit.and_then(|limit| u32::try_from(limit).ok()).filter(|limit| (1..=10_000).contains(limit));
    }

    fn check(&mut self, check: &Node, service: &mut NewService) {
        let path = check.get("path").and_then(Node::text).unwrap_or("/");
        let path = path.split(['?', '#']).next().unwrap_or("/").to_owned();
        if service.probes.ready.is_some() {
            self.remark(check.line, "a service is asked at one path whether it is ready: the first check's");
        } else if fits::path(&path) && !secret::is_text(&path) {
            service.probes = NewProbes { ready: Some(path), ..NewProbes::default() };
        } else {
            self.remark(check.line, "no probe can ask the path of this check");
        }
        if let Some(headers) = check.get("headers").filter(|headers| !headers.entries().is_empty()) {
            self.remark(headers.line, "a probe sends no headers of its own");
        }
    }

    fn size(&mut self, process: &Process, is_one: bool, service: &mut NewService) {
        let sections: Vec<Node> = self.root.get("vm").map(Node::items).unwrap_or_default().to_vec();
        let Some(vm) =
            sections.iter().find(|vm| vm.get("processes").is_none() || Self::is_for(vm, process, is_one))
        else {
            return;
        };
        let preset = vm.get("size").and_then(Node::text).unwrap_or("shared-cpu-1x");
        let (cpus, memory) = preset_of(preset).unwrap_or((1.0, 256.0));
        let shared = !preset.starts_with("performance")
            && vm.get("cpu_kind").and_then(Node::text) != Some("performance");
        let cpus = vm.get("cpus").and_then(|node| node.text()?.parse().ok()).unwrap_or(cpus);
        // A number alone is in megabytes.
        let stated = vm.get("memory").or_else(|| vm.get("memory_mb")).and_then(Node::text);
        let stated = stated.and_then(|text| {
            size::bytes(&if text.parse::<f64>().is_ok() { format!("{text}mb") } else { text.to_owned() })
        });
        let memory = stated.unwrap_or(memory * 1024.0 * 1024.0);
        // A shared vCPU is a sixteenth of one; a quarter is the smallest that Azure has.
        let vcpus = if shared { cpus / 16.0 } else { cpus };
        match size::fitting(Some(vcpus), Some(memory)) {
            Some(cpu) => service.cpu = Some(cpu),
            None => self.remark(
                vm.line,
                format!("no replica has the size of `{}`: name its `cpu`", short(&process.name)),
            ),
        }
        if vm.get("gpu_kind").is_some() || vm.get("gpus").is_some() {
            self.remark(vm.line, "a GPU: Container Apps has them in workload profiles");
        }
    }

    fn command(&mut self, process: &Process, service: &mut NewService) {
        let Some(line) = &process.command else { return };
        let label = short(&process.name);
        match command::from_shell(line, service.port) {
            Some(found) if secret::is_in_command(&found.words) => {
                let text = format!(
                    "the command of `{label}` holds what looks like a secret: left out; let it read a variable"
                );
                self.remark(process.line, text);
            }
            Some(found) => {
                if found.by_shell {
                    self.remark(process.line, format!("`{label}` needs a shell (`sh`) in its image"));
                }
                service.command = Some(found.words);
            }
            None => self.remark(
                process.line,
                format!("the command of `{label}` cannot be read: write its `command`"),
            ),
        }
    }

    fn variables(&self) -> Vec<Variable> {
        let entries = self.root.get("env").map(Node::entries).unwrap_or_default();
        let variable = |entry: &Entry| Variable {
            name: entry.key.clone(),
            value: entry.node.text().map(str::to_owned),
            is_secret: false,
            file: self.file.path.clone(),
            line: entry.line,
        };
        entries.iter().map(variable).collect()
    }

    /// What no service has.
    fn rest(&mut self) {
        let reasons: BTreeMap<&str, &str> = BTreeMap::from([
            ("mounts", "what a replica writes is gone when it stops: keep it in `type = \"storage\"`"),
            ("statics", "static files are served by the application, or by a static web app"),
            ("files", "files have to be in the image; secrets among them become variables"),
            ("metrics", "Azure Monitor collects metrics"),
            ("kill_signal", "Azure ends a replica with SIGTERM"),
            ("kill_timeout", "Azure gives a replica 30 seconds to end"),
            ("swap_size_mb", "a replica has no swap"),
            ("restart", "a replica that ends is started again"),
        ]);
        const READ: &[&str] = &[
            "app",
            "primary_region",
            "processes",
            "build",
            "http_service",
            "services",
            "checks",
            "env",
            "vm",
        ];
        let entries: Vec<Entry> = self.root.entries().to_vec();
        for entry in entries.iter().filter(|entry| !READ.contains(&&*entry.key)) {
            match &*entry.key {
                "deploy" => self.deploy(&entry.node),
                "experimental" if entry.node.entries().iter().all(|entry| entry.key == "cmd") => {}
                key => {
                    let why = reasons.get(key).copied().unwrap_or("it has no counterpart");
                    self.remark(entry.node.line.max(1), format!("`{}`: {why}", short(key)));
                }
            }
        }
        if !self.draft.app.services.is_empty() {
            let text =
                "secrets set with `fly secrets set` are not in the file: `fly secrets list` names them";
            self.remark(1, text);
        }
    }

    fn deploy(&mut self, deploy: &Node) {
        for entry in deploy.entries() {
            let text = match &*entry.key {
                "release_command" => {
                    let main = self
                        .draft
                        .app
                        .services
                        .first()
                        .map(|service| service.name.clone())
                        .unwrap_or_default();
                    let place = Place { file: &self.file.path, line: entry.line };
                    let line = entry.node.text().unwrap_or_default();
                    self.draft.before_release(place, "release", &main, line);
                    continue;
                }
                "strategy" => {
                    "`deploy.strategy`: a release moves the traffic once the new revision is ready".to_owned()
                }
                key => format!("`deploy.{}` has no counterpart", short(key)),
            };
            self.remark(entry.line, text);
        }
    }
}

/// Keys of `[http_service]` that are read, or that hold anyway.
const HTTP_READ: &[&str] = &[
    "internal_port",
    "processes",
    "auto_stop_machines",
    "auto_start_machines",
    "min_machines_running",
    "concurrency",
    "checks",
    "http_checks",
    "force_https",
];

/// vCPUs and megabytes of a preset.
fn preset_of(size: &str) -> Option<(f64, f64)> {
    let (kind, count) = size.rsplit_once('-')?;
    let count: f64 = count.strip_suffix('x')?.parse().ok()?;
    match kind {
        "shared-cpu" => Some((count, 256.0 * count)),
        "performance" => Some((count, 2048.0 * count)),
        _ => None,
    }
}
