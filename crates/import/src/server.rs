//! A machine of one's own: systemd units, nginx's sites, crontabs and files of variables, joined into one application.
//!
//! Units become services; what nginx passes on to them gives them their domains; timers and crontabs become jobs.
//! Databases of the machine, known by the units that wait for them and by the addresses in variables, become resources.

use std::collections::{BTreeMap, BTreeSet};

use landfall_manifest::write::{distinct_names, fits};
use landfall_manifest::{NewResource, NewService};

use crate::crontab;
use crate::draft::{Draft, Place, enumerate, short};
use crate::format::{is_crontab, is_site};
use crate::image::{self, Becomes};
use crate::nginx::{self, Site, Target};
use crate::systemd::{self, Unit};
use crate::variables::{self, Peer, Peers, Variable};
use crate::{File, Format, command, language, path, secret, size};

/// The port of a service that listens on a socket, which another machine cannot reach.
const PORT: u16 = 8000;

/// The files of variables.
pub(crate) fn wanted(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| is_unit(&file.path)) {
        found.push(path::beside(&file.path, ".env"));
        for setting in Unit::read(file).all("EnvironmentFile") {
            found.push(path::beside(&file.path, path::name(&setting.value)));
        }
    }
    found
}

fn is_unit(path: &str) -> bool {
    path.ends_with(".service") || path.ends_with(".timer")
}

fn lower_name(path: &str) -> String {
    path::name(path).to_ascii_lowercase()
}

/// Reads the files into the draft.
pub(crate) fn import(files: &[File], draft: &mut Draft) {
    let units: Vec<Unit<'_>> = files.iter().filter(|file| is_unit(&file.path)).map(Unit::read).collect();
    for unit in &units {
        for line in &unit.odd {
            draft.problem(unit.path, *line, "this line is neither a section nor a setting");
        }
    }
    let sites = read_sites(files, draft);
    if !draft.problems.is_empty() {
        return;
    }
    let mut server = Server { files, units, sites, draft, peers: Peers::new(), used: BTreeSet::new() };
    server.read();
}

/// The sites of all files, each with its file.
fn read_sites<'a>(files: &'a [File], draft: &mut Draft) -> Vec<(&'a str, Site)> {
    let mut read = Vec::new();
    for file in
        files.iter().filter(|file| !is_unit(&file.path) && is_site(&file.path, &lower_name(&file.path)))
    {
        match nginx::read(&file.text) {
            Ok(directives) => read.push((file, directives)),
            Err((line, message)) => draft.problem(&file.path, line, message),
        }
    }
    let upstreams: BTreeMap<_, _> =
        read.iter().flat_map(|(_, directives)| nginx::upstreams(directives)).collect();
    let of = |(file, directives): &(&'a File, Vec<nginx::Directive>)| -> Vec<(&'a str, Site)> {
        nginx::sites(directives, &upstreams).into_iter().map(|site| (file.path.as_str(), site)).collect()
    };
    read.iter().flat_map(of).collect()
}

struct Server<'a> {
    files: &'a [File],
    units: Vec<Unit<'a>>,
    sites: Vec<(&'a str, Site)>,
    draft: &'a mut Draft,
    peers: Peers,
    /// Files of variables that some unit has.
    used: BTreeSet<String>,
}

/// A unit that becomes a service.
struct Running {
    at: usize,
    service: NewService,
    socket: Option<String>,
    is_loopback: bool,
    variables: Vec<Variable>,
}

impl Server<'_> {
    fn remark(&mut self, file: &str, line: usize, text: impl Into<String>) {
        self.draft.remark(Place { file, line }, text);
    }

    fn read(&mut self) {
        let (running, jobs) = self.sorted();
        let of_jobs: Vec<usize> = jobs.iter().map(|(at, _)| *at).collect();
        let mut folders = self.folders(&[running.clone(), of_jobs].concat());
        let job_folders = folders.split_off(running.len());
        let names = distinct_names(running.iter().map(|at| self.units[*at].name), "web");
        let mut services: Vec<Running> = Vec::new();
        for ((at, name), folder) in running.into_iter().zip(names).zip(folders) {
            let running = self.running(at, name, folder);
            services.push(running);
        }
        self.resources(&services);
        let has_sites = !self.sites.is_empty();
        self.pass_on(&mut services);
        for running in &services {
            let service = &running.service;
            if let Some(port) = service.port {
                let peer = Peer::Service(service.name.clone(), Some(port));
                self.peers.entry(format!("localhost:{port}")).or_insert(peer);
            }
        }
        let peers = self.peers.clone();
        for mut running in services {
            if running.service.port.is_some()
                && running.service.ingress.public.is_none()
                && (has_sites || running.is_loopback)
            {
                running.service.ingress.public = Some(false);
            }
            if running.service.ingress.public == Some(true) {
                running.service.ingress.public = None;
            }
            self.uses(running.at, &mut running.service);
            self.before_release(running.at, &running.service.name);
            variables::settle(self.draft, &mut running.service, running.variables, &peers);
            self.draft.app.services.push(running.service);
        }
        self.jobs(&jobs, &job_folders, &peers);
        for file in self.files.iter().filter(|file| Format::is_variables(&file.path) && !is_unit(&file.path))
        {
            if !self.used.contains(&file.path) {
                self.draft.remark(Place { file: &file.path, line: 1 }, "no unit has these variables");
            }
        }
    }

    /// Units that run, and pairs of a unit that ends and the timer that starts it.
    fn sorted(&mut self) -> (Vec<usize>, Vec<(usize, Option<usize>)>) {
        let (mut running, mut jobs) = (Vec::new(), Vec::new());
        let mut remarks: Vec<(String, usize, String)> = Vec::new();
        let timer_of = |name: &str| {
            self.units.iter().position(|timer| {
                let unit = timer
                    .last("Unit")
                    .map_or(timer.name, |setting| setting.value.trim_end_matches(".service"));
                timer.is_timer && unit.split('@').next() == Some(name)
            })
        };
        for (at, unit) in self.units.iter().enumerate().filter(|(_, unit)| !unit.is_timer) {
            let mut say = |text: String| remarks.push((unit.path.to_owned(), 1, text));
            if let Some(why) = housekeeping(unit.name) {
                say(format!("`{}`: {why}", short(unit.name)));
            } else if let Some(Becomes::Nothing(why)) = becomes(unit.name) {
                say(format!("`{}`: {why}", short(unit.name)));
            } else if matches!(becomes(unit.name), Some(Becomes::Resource { .. })) {
                // It is found again by those who use it.
            } else if let Some(timer) = timer_of(unit.name) {
                jobs.push((at, Some(timer)));
            } else if unit.last("Type").is_some_and(|kind| kind.value == "oneshot") {
                jobs.push((at, None));
            } else {
                running.push(at);
            }
        }
        for timer in self.units.iter().filter(|unit| unit.is_timer) {
            let unit =
                timer.last("Unit").map_or(timer.name, |setting| setting.value.trim_end_matches(".service"));
            if !self.units.iter().any(|service| !service.is_timer && service.name == unit) {
                let why = housekeeping(timer.name).unwrap_or("the unit that it starts is not here");
                remarks.push((timer.path.to_owned(), 1, format!("timer `{}`: {why}", short(timer.name))));
            }
        }
        for (file, line, text) in remarks {
            self.remark(&file, line, text);
        }
        (running, jobs)
    }

    /// The folder of each unit within the application's: where they differ, what differs.
    fn folders(&self, running: &[usize]) -> Vec<String> {
        let folder = |at: &usize| {
            let setting = self.units[*at].last("WorkingDirectory");
            let path =
                setting.map_or("", |setting| setting.value.trim_start_matches('-').trim_end_matches('/'));
            // Releases are links to one and the same.
            path.trim_end_matches("/current").split('/').map(str::to_owned).collect::<Vec<_>>()
        };
        let folders: Vec<Vec<String>> = running.iter().map(folder).collect();
        let common = (0..).take_while(|at| {
            folders.first().is_some_and(|first| {
                first.get(*at).is_some() && folders.iter().all(|other| other.get(*at) == first.get(*at))
            })
        });
        let common = common.count();
        let rest = |folder: &Vec<String>| match folder.get(common..).unwrap_or_default() {
            [] => ".".to_owned(),
            rest => rest.join("/"),
        };
        // With nothing in common but the root, the folders say nothing of a project's.
        let say_nothing = common <= 1 || folders.iter().any(|folder| folder.len() <= 1);
        folders.iter().map(|folder| if say_nothing { ".".to_owned() } else { rest(folder) }).collect()
    }

    fn running(&mut self, at: usize, name: String, folder: String) -> Running {
        let unit = &self.units[at];
        let (path, label) = (unit.path.to_owned(), short(unit.name));
        let mut service = NewService { name, kind: format!("systemd's `{label}`"), ..NewService::default() };
        service.source = if fits::source(&folder) { folder } else { ".".to_owned() };
        let mut said: Vec<(usize, String)> = Vec::new();
        let (mut socket, mut is_loopback) = (None, false);
        let environment = unit.environment();
        let port_of_variables =
            environment.iter().find(|(name, ..)| name == "PORT").and_then(|(_, value, _)| value.parse().ok());
        match unit.last("ExecStart") {
            None => said.push((1, format!("`{label}` starts nothing: write its `command`"))),
            Some(setting) => {
                let line = systemd::without_signs(&setting.value);
                let words = shlex::split(line).unwrap_or_default();
                service.port = command::port(&words).or(port_of_variables);
                socket = words.iter().find_map(|word| Some(word.split_once("unix:")?.1.to_owned()));
                if socket.is_some() {
                    service.port = service.port.or(Some(PORT));
                }
                is_loopback =
                    words.iter().any(|word| word.contains("127.0.0.1") || word.contains("localhost"));
                let is_template = line.contains("%i") || line.contains("%I");
                match command::from_shell(line, service.port) {
                    Some(found) if secret::is_in_command(&found.words) => said.push((
                        setting.line,
                        format!("the command of `{label}` holds what looks like a secret: left out; let it read a variable"),
                    )),
                    Some(mut found) if !is_template => {
                        for change in command::adapted(&mut found.words) {
                            said.push((setting.line, format!("`{label}`: {change}")));
                        }
                        for word in &mut found.words {
                            if let Some(socket) = word.find("unix:") {
                                word.replace_range(socket.., &format!("0.0.0.0:{}", service.port.unwrap_or(PORT)));
                                said.push((setting.line, format!("`{label}` listens on a port instead of a socket")));
                            }
                        }
                        if found.by_shell {
                            said.push((setting.line, format!("`{label}` needs a shell (`sh`) in its image")));
                        }
                        service.command = Some(found.words);
                    }
                    Some(_) => said.push((
                        setting.line,
                        format!("`{label}` is a template, one process for each `%i`: replicas take their place; write its `command`"),
                    )),
                    None => said.push((setting.line, format!("the command of `{label}` cannot be read: write its `command`"))),
                }
            }
        }
        let number = |key: &str, text: &str| -> Option<f64> {
            match key {
                "MemoryMax" | "MemoryLimit" | "MemoryHigh" => size::bytes(text),
                _ => text.trim_end_matches('%').parse::<f64>().ok().map(|share| share / 100.0),
            }
        };
        let memory = ["MemoryMax", "MemoryLimit", "MemoryHigh"]
            .iter()
            .find_map(|key| number(key, &unit.last(key)?.value));
        let cpu = unit.last("CPUQuota").and_then(|setting| number("CPUQuota", &setting.value));
        if memory.is_some() || cpu.is_some() {
            service.cpu = size::fitting(cpu, memory);
        }
        said.extend(other_settings(unit, &label));
        for (line, text) in said {
            self.remark(&path, line, text);
        }
        let variables = self.variables(at, &environment);
        Running { at, service, socket, is_loopback, variables }
    }

    /// The variables of a unit: its files', then its own.
    fn variables(&mut self, at: usize, environment: &[(String, String, usize)]) -> Vec<Variable> {
        let unit = &self.units[at];
        let (unit_path, label) = (unit.path.to_owned(), short(unit.name));
        let wanted: Vec<(String, usize)> = unit
            .all("EnvironmentFile")
            .into_iter()
            .map(|setting| (setting.value.trim_start_matches('-').to_owned(), setting.line))
            .collect();
        let mut found = Vec::new();
        let files = self.files;
        for (wanted, line) in &wanted {
            match file_like(files, wanted) {
                Some(file) => {
                    self.used.insert(file.path.clone());
                    found.extend(variables::of_file(file, self.draft));
                }
                None => {
                    let text = format!("`{}`, the variables of `{label}`, is not here", short(wanted));
                    self.remark(&unit_path, *line, text);
                }
            }
        }
        if wanted.is_empty() {
            found.extend(self.own_variables());
        }
        found.extend(environment.iter().map(|(name, value, line)| Variable {
            name: name.clone(),
            value: Some(value.clone()),
            is_secret: false,
            file: unit_path.clone(),
            line: *line,
        }));
        found.retain(|variable| !["PATH", "PYTHONPATH", "VIRTUAL_ENV", "HOME"].contains(&&*variable.name));
        found
    }

    /// The variables of a `.env`, which many programs read from their folder by themselves.
    fn own_variables(&mut self) -> Vec<Variable> {
        let files = self.files.iter().filter(|file| path::name(&file.path) == ".env");
        let Some(file) = files.min_by_key(|file| file.path.len()) else { return Vec::new() };
        self.used.insert(file.path.clone());
        variables::of_file(file, self.draft)
    }

    /// Databases and the like on this machine, by who waits for them and by addresses.
    fn resources(&mut self, services: &[Running]) {
        let mut found: BTreeMap<&'static str, (String, usize, &'static str)> = BTreeMap::new();
        for unit in &self.units {
            for setting in ["After", "Requires", "Wants", "BindsTo"].iter().flat_map(|key| unit.all(key)) {
                for name in setting.value.split_whitespace() {
                    if let Some(Becomes::Resource { kind, mind, .. }) =
                        becomes(name.trim_end_matches(".service"))
                    {
                        found.entry(kind).or_insert((unit.path.to_owned(), setting.line, mind));
                    }
                }
            }
            if let Some(Becomes::Resource { kind, mind, .. }) = becomes(unit.name) {
                found.entry(kind).or_insert((unit.path.to_owned(), 1, mind));
            }
        }
        for variable in services.iter().flat_map(|running| &running.variables) {
            for port in variables::local_ports(variable.value.as_deref().unwrap_or_default()) {
                if let Some((_, name)) = STORES.iter().find(|(known, _)| *known == port)
                    && let Some(Becomes::Resource { kind, mind, .. }) = image::becomes(name)
                {
                    found.entry(kind).or_insert((variable.file.clone(), variable.line, mind));
                }
            }
        }
        for (kind, (file, line, mind)) in found {
            let name = match kind {
                "postgres" => "db",
                "redis" => "cache",
                "service-bus" => "queue",
                _ => "store",
            };
            let is_known = language::has_type(kind);
            for (port, image) in STORES {
                if matches!(image::becomes(image), Some(Becomes::Resource { kind: other, .. }) if other == kind)
                {
                    let peer = if is_known { Peer::Resource(name.to_owned(), kind) } else { Peer::Gone };
                    self.peers.insert(format!("localhost:{port}"), peer);
                }
            }
            if is_known {
                self.remark(
                    &file,
                    line,
                    format!("the machine's own server becomes the resource `{name}`: {mind}"),
                );
                self.draft.app.resources.push(NewResource {
                    name: name.to_owned(),
                    kind: kind.to_owned(),
                    comment: "Was a server of the machine's own".to_owned(),
                    ..NewResource::default()
                });
            } else {
                let text = format!(
                    "the machine's own server becomes a resource of type `{kind}`, once the manifest has it; {mind}"
                );
                self.remark(&file, line, text);
            }
        }
    }

    /// What runs before each start, migrations mostly, runs before each release.
    fn before_release(&mut self, at: usize, service: &str) {
        let unit = &self.units[at];
        let (path, label) = (unit.path, short(unit.name));
        let commands: Vec<(usize, String)> = unit
            .all("ExecStartPre")
            .into_iter()
            .filter(|setting| !prepares_machine(&setting.value))
            .map(|setting| (setting.line, systemd::without_signs(&setting.value).to_owned()))
            .collect();
        for (line, command) in commands {
            let place = Place { file: path, line };
            self.draft.before_release(place, &name_of(&command), service, &command);
            self.draft
                .remark(place, format!("`{label}`: what ran before each start runs before each release"));
        }
    }

    /// What a unit waits for it uses.
    fn uses(&mut self, at: usize, service: &mut NewService) {
        let unit = &self.units[at];
        for setting in ["After", "Requires", "Wants", "BindsTo"].iter().flat_map(|key| unit.all(key)) {
            for name in setting.value.split_whitespace() {
                let Some(Becomes::Resource { kind, .. }) = becomes(name.trim_end_matches(".service")) else {
                    continue;
                };
                let resource = self.draft.app.resources.iter().find(|resource| resource.kind == kind);
                if let Some(resource) = resource {
                    variables::uses(service, &resource.name, kind);
                }
            }
        }
    }

    /// What nginx's sites say of the services behind them.
    fn pass_on(&mut self, services: &mut [Running]) {
        let sites = std::mem::take(&mut self.sites);
        let is_single = services.len() == 1;
        for (file, site) in &sites {
            if site.is_redirect {
                let is_other_host = site.names.iter().any(|(name, _)| name.starts_with("www."));
                if is_other_host
                    && !sites.iter().any(|(_, other)| !other.is_redirect && same_names(other, site))
                {
                    self.remark(
                        file,
                        site.line,
                        "this site sends to another address: let the application do so",
                    );
                }
                continue;
            }
            let main = site.routes.iter().find(|route| route.path == "/").or_else(|| site.routes.first());
            let main_at = main.and_then(|route| behind(&route.targets, services, is_single));
            for route in &site.routes {
                match behind(&route.targets, services, is_single) {
                    Some(at) => {
                        let running = &mut services[at];
                        running.service.ingress.public = Some(true);
                        running.service.ingress.affinity |= route.is_sticky;
                        if running.service.port.is_none() {
                            running.service.port = route.targets.iter().find_map(|target| match target {
                                Target::Port(port) => Some(*port),
                                _ => None,
                            });
                        }
                        if main_at != Some(at) {
                            let text = format!(
                                "`{}` goes to `{}`, which has an address of its own: call it there, or give it a domain",
                                short(&route.path),
                                running.service.name
                            );
                            self.remark(file, route.line, text);
                        }
                    }
                    None => {
                        let text = match route.targets.first() {
                            Some(Target::Elsewhere(host)) => {
                                format!("`{}` goes to `{}`, another machine", short(&route.path), short(host))
                            }
                            _ => {
                                format!("`{}` goes to something that no unit here starts", short(&route.path))
                            }
                        };
                        self.remark(file, route.line, text);
                    }
                }
            }
            let service = main_at.map(|at| &mut services[at].service);
            self.site(file, site, service);
        }
    }

    /// A site's domains, ranges and origins, and what else it asks for.
    fn site(&mut self, file: &str, site: &Site, service: Option<&mut NewService>) {
        let mut nowhere = NewService::default();
        let has_service = service.is_some();
        let service = service.unwrap_or(&mut nowhere);
        for (name, line) in &site.names {
            let bare = name.trim_start_matches('.').to_ascii_lowercase();
            if ["_", "localhost", ""].contains(&&*bare) || bare.parse::<std::net::IpAddr>().is_ok() {
                continue;
            }
            match fits::domain(&bare) && has_service {
                true if !service.ingress.domains.contains(&bare) => service.ingress.domains.push(bare),
                true => {}
                false => {
                    self.remark(file, *line, format!("`{}` cannot be a domain of a service", short(name)))
                }
            }
        }
        for (range, line) in &site.allow {
            let full = if range.contains('/') { range.clone() } else { format!("{range}/32") };
            match site.denies_all && fits::range(&full) && has_service {
                true if !service.ingress.allow.contains(&full) => service.ingress.allow.push(full),
                true => {}
                false => self.remark(
                    file,
                    *line,
                    format!("`allow {}` is no range that the ingress takes", short(range)),
                ),
            }
        }
        for (origin, line) in &site.origins {
            match fits::origin(origin) && has_service {
                true if !service.ingress.cors.contains(origin) => service.ingress.cors.push(origin.clone()),
                true => {}
                false => self.remark(
                    file,
                    *line,
                    "the origin that is allowed is not a fixed one: name it in `ingress.cors`",
                ),
            }
        }
        if site.routes.is_empty() {
            let names: Vec<String> =
                site.names.iter().map(|(name, _)| format!("`{}`", short(name))).collect();
            let text = format!(
                "the site {} serves files by itself: build them as a service of its own",
                enumerate(&names)
            );
            self.remark(file, site.line, text);
        }
        let mut said = BTreeSet::new();
        for (what, line) in &site.other {
            let why = match what.as_str() {
                _ if site.routes.is_empty() && ["root", "alias", "error_page"].contains(&what.as_str()) => {
                    continue;
                }
                "root" | "alias" => "static files are served by the application, or by a static web app",
                "limit_req" | "limit_conn" | "limit_rate" => {
                    "limits of requests are a gateway's or the application's"
                }
                "add_header" | "more_set_headers" => "headers of answers are the application's",
                "client_max_body_size" => "the size of requests is the application's to limit",
                "proxy_read_timeout" => "the ingress waits 240 seconds for an answer",
                "auth_basic" | "auth_request" | "ssl_client_certificate" => {
                    "who may come in is the application's to ask"
                }
                "uwsgi_pass" => {
                    "the ingress speaks HTTP: let the program listen by HTTP (`http = 0.0.0.0:8000` of uWSGI)"
                }
                "fastcgi_pass" => "the ingress speaks HTTP: PHP needs a web server in its image",
                "proxy_cache" | "proxy_cache_valid" | "proxy_cache_key" => "the ingress keeps no copies",
                "include" => "the included file is not read",
                what if what.contains("_set_header ") => "the ingress sets no headers of one's own",
                "deny" => "single addresses cannot be refused, only all that are not in `ingress.allow`",
                _ => "it has no counterpart at the ingress",
            };
            // `proxy_cache` and its settings are one thing to read about.
            if said.insert(what.split("_cache").next().unwrap_or(what)) {
                self.remark(file, *line, format!("`{}`: {why}", short(what)));
            }
        }
    }

    /// Timers, units that end, and crontabs.
    fn jobs(&mut self, jobs: &[(usize, Option<usize>)], folders: &[String], peers: &Peers) {
        let mut found: Vec<Job> = Vec::new();
        for ((at, timer), source) in jobs.iter().zip(folders) {
            let unit = &self.units[*at];
            let label = short(unit.name);
            let mut schedule = None;
            let mut place = (unit.path.to_owned(), 1);
            if let Some(timer) = timer.map(|timer| &self.units[timer]) {
                let setting = timer.last("OnCalendar").or_else(|| timer.last("OnUnitActiveSec"));
                place = (timer.path.to_owned(), setting.map_or(1, |setting| setting.line));
                schedule = setting.and_then(|setting| match &*setting.key {
                    "OnCalendar" => systemd::cron(&setting.value),
                    _ => systemd::every(&setting.value),
                });
                if schedule.is_none() {
                    let text = format!("when `{label}` runs cannot be said in cron's five fields");
                    self.remark(&place.0, place.1, text);
                    continue;
                }
            }
            let unit = &self.units[*at];
            let line = unit
                .last("ExecStart")
                .map(|setting| systemd::without_signs(&setting.value).to_owned())
                .unwrap_or_default();
            let environment = unit.environment();
            let name = unit.name.to_owned();
            let variables = self.variables(*at, &environment);
            let source = source.clone();
            found.push(Job { name, line, schedule, source, file: place.0, at: place.1, variables });
        }
        for file in self
            .files
            .iter()
            .filter(|file| is_crontab(&file.path, &lower_name(&file.path)) && !is_unit(&file.path))
        {
            let read = crontab::read(&file.text, crontab::has_user(&file.path));
            for line in read.odd {
                self.remark(&file.path, line, "this line is neither a job nor a variable");
            }
            let own = ["MAILTO", "PATH", "SHELL", "HOME", "LOGNAME", "CRON_TZ", "TZ"];
            for (name, _, line) in
                read.variables.iter().filter(|(name, ..)| name == "CRON_TZ" || name == "TZ")
            {
                self.remark(&file.path, *line, format!("`{name}`: schedules are in UTC"));
            }
            for job in read.jobs {
                if let Some(why) = housekeeping(&job.command) {
                    self.remark(&file.path, job.line, format!("this job: {why}"));
                    continue;
                }
                let Some(schedule) = job.schedule else {
                    self.remark(
                        &file.path,
                        job.line,
                        "a job at the machine's start has no counterpart: make it a service",
                    );
                    continue;
                };
                let mut all = self.own_variables();
                let variables = read.variables.iter().filter(|(name, ..)| !own.contains(&&**name));
                let variables = variables.map(|(name, value, line)| Variable {
                    name: name.clone(),
                    value: Some(value.clone()),
                    is_secret: false,
                    file: file.path.clone(),
                    line: *line,
                });
                all.extend(variables);
                found.push(Job {
                    name: name_of(&job.command),
                    line: job.command,
                    schedule: Some(schedule),
                    source: ".".to_owned(),
                    file: file.path.clone(),
                    at: job.line,
                    variables: all,
                });
            }
        }
        let taken: Vec<String> = self.draft.app.services.iter().map(|service| service.name.clone()).collect();
        let names = taken.iter().map(String::as_str).chain(found.iter().map(|job| job.name.as_str()));
        let names = distinct_names(names, "job").split_off(taken.len());
        for (job, name) in found.into_iter().zip(names) {
            self.job(job, name, peers);
        }
    }

    fn job(&mut self, job: Job, name: String, peers: &Peers) {
        let Job { line, schedule, source, file, at, variables, .. } = job;
        let place = Place { file: &file, line: at };
        let Some(schedule) = schedule.filter(|_| language::has_host("container-job")) else {
            let text = match language::has_host("container-job") {
                true => format!(
                    "`{name}` runs once and ends, started by hand or at boot: run it before a release"
                ),
                false => format!(
                    "`{name}` runs on a schedule and becomes a `container-job`, once the manifest has it"
                ),
            };
            self.draft.remark(place, text);
            return;
        };
        let mut service = NewService {
            kind: format!("Ran on the machine's schedule ({})", path::name(&file)),
            host: Some("container-job".to_owned()),
            source: if fits::source(&source) { source } else { ".".to_owned() },
            schedule: Some(schedule),
            ..NewService::default()
        };
        match command::from_shell(&line, None) {
            Some(found) if !secret::is_in_command(&found.words) => {
                let mut words = found.words;
                for change in command::adapted(&mut words) {
                    self.draft.remark(place, format!("`{name}`: {change}"));
                }
                if found.by_shell {
                    self.draft.remark(place, format!("`{name}` needs a shell (`sh`) in its image"));
                }
                service.command = Some(words);
            }
            Some(_) => {
                let text = format!(
                    "the command of `{name}` holds what looks like a secret: left out; let it read a variable"
                );
                self.draft.remark(place, text);
            }
            None => self
                .draft
                .remark(place, format!("the command of `{name}` cannot be read: write its `command`")),
        }
        service.name = name;
        variables::settle(self.draft, &mut service, variables, peers);
        self.draft.app.services.push(service);
    }
}

/// The file that stands for a path of the old machine: the one whose path ends as much like it as possible.
fn file_like<'a>(files: &'a [File], wanted: &str) -> Option<&'a File> {
    let same = |file: &&File| {
        let pairs = file.path.rsplit('/').zip(wanted.rsplit('/'));
        pairs.take_while(|(ours, theirs)| ours == theirs).count()
    };
    files.iter().filter(|file| !is_unit(&file.path)).max_by_key(same).filter(|file| same(file) > 0)
}

/// Something that runs at times.
struct Job {
    name: String,
    line: String,
    /// `None` when nothing here says when.
    schedule: Option<String>,
    source: String,
    file: String,
    at: usize,
    variables: Vec<Variable>,
}

/// Ports of stores on a machine, with an image of the same store.
const STORES: &[(u16, &str)] = &[
    (5432, "postgres"),
    (6432, "postgres"),
    (6379, "redis"),
    (5672, "rabbitmq"),
    (9000, "minio"),
    (10000, "azurite"),
];

/// What becomes of a unit by its name: `postgresql@16-main`, `redis-server`.
fn becomes(name: &str) -> Option<Becomes> {
    let name = name.split('@').next().unwrap_or(name);
    image::becomes(name.trim_end_matches("-server"))
}

/// Why something of a machine's own needs no counterpart.
fn housekeeping(text: &str) -> Option<&'static str> {
    const KNOWN: &[(&[&str], &str)] = &[
        (&["certbot", "acme.sh", "letsencrypt"], "Azure renews its certificates by itself"),
        (&["logrotate", "journalctl --vacuum"], "logs go to Log Analytics, which keeps them for a set time"),
        (
            &["pg_dump", "pg_basebackup", "mysqldump", "redis-cli bgsave"],
            "Azure makes the backups of its databases",
        ),
        (&["apt-get", "apt ", "unattended-upgrade", "dnf ", "yum "], "Azure keeps its machines up to date"),
        (&["nginx", "haproxy", "apache2", "httpd", "caddy", "php-fpm"], "the ingress takes its place"),
        (
            &["fail2ban", "ufw", "iptables", "sshd"],
            "there is no machine to guard: who may come in says `ingress.allow`",
        ),
    ];
    KNOWN.iter().find(|(words, _)| words.iter().any(|word| text.contains(word))).map(|(_, why)| *why)
}

/// The service behind a route.
fn behind(targets: &[Target], services: &[Running], is_single: bool) -> Option<usize> {
    let found = services.iter().position(|running| {
        targets.iter().any(|target| match target {
            Target::Port(port) => running.service.port == Some(*port) && running.socket.is_none(),
            Target::Socket(socket) => {
                running.socket.as_deref().is_some_and(|own| own.trim_end_matches(':') == socket)
            }
            Target::Elsewhere(_) => false,
        })
    });
    let is_local = targets.iter().any(|target| !matches!(target, Target::Elsewhere(_)));
    // The one program there is, whose port its command does not tell.
    found.or_else(|| (is_single && is_local && services[0].service.port.is_none()).then_some(0))
}

fn same_names(one: &Site, other: &Site) -> bool {
    one.names.iter().any(|(name, _)| other.names.iter().any(|(same, _)| same == name))
}

/// A name for a job, from its command: `python manage.py clearsessions` is `clearsessions`. Arguments of other programs
/// are no part of it; who knows what they are.
fn name_of(command: &str) -> String {
    const RUNNERS: &[&str] = &[
        "python", "python3", "node", "php", "ruby", "perl", "sh", "bash", "sudo", "nice", "bundle", "exec",
        "npm", "run", "uv",
    ];
    const TOOLS: &[&str] = &["manage.py", "artisan", "rails", "rake", "flask", "django-admin", "console"];
    let command = command.split("&&").last().unwrap_or(command);
    let mut words = command.split_whitespace().filter(|word| !word.starts_with('-')).map(path::name);
    let mut word = words.by_ref().find(|word| !RUNNERS.contains(word)).unwrap_or("job");
    if TOOLS.contains(&word) {
        word = words.next().unwrap_or(word);
    }
    word.split('.').next().unwrap_or(word).to_owned()
}

/// Whether a command before the start makes the machine ready, instead of the application: folders, rights, waiting.
fn prepares_machine(command: &str) -> bool {
    let program = systemd::without_signs(command).split_whitespace().next().unwrap_or_default();
    ["mkdir", "chown", "chmod", "rm", "test", "sleep", "install", "touch", "ln", "sh", "bash", "nginx"]
        .contains(&path::name(program))
}

/// Settings of a unit that are neither read nor hold anyway, with their lines.
fn other_settings(unit: &Unit<'_>, label: &str) -> Vec<(usize, String)> {
    const READ: &[&str] = &[
        "ExecStart",
        "Environment",
        "EnvironmentFile",
        "WorkingDirectory",
        "MemoryMax",
        "MemoryLimit",
        "MemoryHigh",
        "CPUQuota",
        "Description",
        "Documentation",
        "After",
        "Before",
        "Requires",
        "Wants",
        "BindsTo",
        "PartOf",
        "WantedBy",
        "RequiredBy",
        "Alias",
        "Also",
        "Restart",
        "RestartSec",
        "StartLimitIntervalSec",
        "StartLimitInterval",
        "StartLimitBurst",
        "User",
        "Group",
        "DynamicUser",
        "StandardOutput",
        "StandardError",
        "SyslogIdentifier",
        "LimitNOFILE",
        "LimitNPROC",
        "TasksMax",
        "Nice",
        "KillMode",
        "KillSignal",
        "TimeoutStopSec",
        "TimeoutStartSec",
        "TimeoutSec",
        "RuntimeDirectory",
        "UMask",
        "SupplementaryGroups",
        "RuntimeDirectoryMode",
        "OOMScoreAdjust",
        "SendSIGKILL",
        "Slice",
        "DefaultDependencies",
        "ExecReload",
        "PIDFile",
    ];
    let mut said = Vec::new();
    let mut walls = 0;
    let mut first_wall = 1;
    for setting in unit.settings().iter().filter(|setting| !setting.key.starts_with("X-")) {
        let key = setting.key.as_str();
        let why = match key {
            "Type" => match setting.value.as_str() {
                "simple" | "exec" | "notify" | "notify-reload" | "idle" => continue,
                _ => "Azure starts a program in the foreground",
            },
            key if READ.contains(&key) => continue,
            key if [
                "Protect",
                "Private",
                "Restrict",
                "NoNew",
                "Capabilit",
                "Ambient",
                "SystemCall",
                "ReadWrite",
                "ReadOnly",
                "Lock",
                "Memory",
                "Inaccessible",
                "Remove",
            ]
            .iter()
            .any(|start| key.starts_with(start)) =>
            {
                if walls == 0 {
                    first_wall = setting.line;
                }
                walls += 1;
                continue;
            }
            "ExecStartPre" if !prepares_machine(&setting.value) => continue,
            "ExecStartPre" | "ExecStartPost" | "ExecCondition" => {
                "what runs beside the start belongs into the image"
            }
            "ExecStop" | "ExecStopPost" => "Azure ends a replica with SIGTERM",
            "StateDirectory" | "CacheDirectory" | "LogsDirectory" => {
                "what it writes is gone when a replica stops"
            }
            "LoadCredential" | "LoadCredentialEncrypted" | "SetCredential" => "credentials become `secrets`",
            "WatchdogSec" => "`probes.live` takes the watchdog's place",
            _ => "it has no counterpart",
        };
        said.push((setting.line, format!("`{}` of `{label}`: {why}", short(key))));
    }
    if walls > 0 {
        said.push((
            first_wall,
            format!("{walls} settings that wall `{label}` off: a container is walled off by itself"),
        ));
    }
    said
}
