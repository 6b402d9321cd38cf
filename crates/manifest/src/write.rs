//! A new manifest, from what was found in a folder.

use std::collections::{BTreeMap, BTreeSet};

use crate::build::{bare, quoted};
use crate::rules;
use crate::units::Cpu;

/// What is known of an application that has no manifest yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewApp {
    /// Its name, mostly that of the folder; made to fit the rule for names.
    pub name: String,
    /// Azure's name of the region; `westeurope` when not known.
    pub region: Option<String>,
    /// What was found to run.
    pub services: Vec<NewService>,
    /// What was found to be used.
    pub resources: Vec<NewResource>,
    /// What runs before each release, in order.
    pub before: Vec<NewJob>,
    /// What was seen and could not be carried over, a sentence each; written as comments.
    pub notes: Vec<String>,
}

/// One service that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewService {
    /// Its name, mostly that of its folder; made to fit the rule for names.
    pub name: String,
    /// What it runs on; `container-apps` when not known.
    pub host: Option<String>,
    /// Its folder, relative to the manifest's: `.` or `api`.
    pub source: String,
    /// The image it runs, instead of being built from its folder.
    pub image: Option<String>,
    /// The port it listens on; `None` for a worker.
    pub port: Option<u16>,
    /// What starts it, when the builder's own choice is not wanted.
    pub command: Option<Vec<String>>,
    /// What its program is given, when only that differs from what the image starts by itself.
    pub args: Option<Vec<String>>,
    /// vCPUs of one replica; the memory follows from it.
    pub cpu: Option<Cpu>,
    /// Exactly one instance, for schedulers.
    pub singleton: bool,
    /// The language and its version, for a host that brings its own: `python:3.12`.
    pub runtime: Option<String>,
    /// When it runs, for a `container-job`: five fields of cron.
    pub schedule: Option<String>,
    /// Fewest and most replicas.
    pub replicas: (Option<u32>, Option<u32>),
    /// Concurrent requests of one replica before another starts.
    pub requests: Option<u32>,
    /// The paths that tell whether it lives, is ready, and has started.
    pub probes: NewProbes,
    /// How it is reached.
    pub ingress: NewIngress,
    /// The resources it uses, each with its access.
    pub uses: BTreeMap<String, Vec<String>>,
    /// Its variables, in the order they are written; `${…}` refers as in any manifest.
    pub env: Vec<(String, String)>,
    /// Variables whose values are secrets, each with the secret's name in the vault.
    pub secrets: Vec<(String, String)>,
    /// What it is, for the comment above it: `Python 3.12, FastAPI`.
    pub kind: String,
    /// Names of environment variables it was seen to need, whose values are not known here.
    pub variables: Vec<String>,
}

/// The paths that a new service is probed at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewProbes {
    /// Fails when the process must be restarted.
    pub live: Option<String>,
    /// Fails while it should get no requests.
    pub ready: Option<String>,
    /// Succeeds once it has come up.
    pub start: Option<String>,
}

/// How a new service is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewIngress {
    /// From the internet, or from the application only; the field's default when not known.
    pub public: Option<bool>,
    /// Host names that lead to it.
    pub domains: Vec<String>,
    /// IPv4 ranges that are let in.
    pub allow: Vec<String>,
    /// Origins that may call it from a browser.
    pub cors: Vec<String>,
    /// Whether a client keeps its replica.
    pub affinity: bool,
}

/// A job that was found to run before each release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewJob {
    /// What it is called.
    pub name: String,
    /// The service whose image, identity and variables it has: its final name.
    pub service: String,
    /// The command.
    pub command: Vec<String>,
}

/// One resource that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewResource {
    /// Its name; made to fit the rule for names.
    pub name: String,
    /// The word after `type =`.
    pub kind: String,
    /// Its other fields, in the order they are written.
    pub fields: Vec<(String, NewValue)>,
    /// What it was, for the comment above it.
    pub comment: String,
}

/// The value of a resource's field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewValue {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// A list of texts.
    List(Vec<String>),
    /// A table of named tables, each with its fields.
    Named(Vec<(String, Vec<(String, NewValue)>)>),
}

/// The region when none is known.
const USUAL_REGION: &str = "westeurope";

/// Entries of `env` and `secrets` that still stand on one line.
const INLINE_MAX: usize = 2;

/// Characters of a line that is still read at one glance.
const LINE_MAX: usize = 100;

/// A commented `landfall.toml` that says what was found.
///
/// Whatever the names and folders are, the text can be loaded without a diagnostic as long as its references lead to
/// something: names are made to fit, and what cannot be said is left out. A caller that must tell what was left out
/// asks [`fits`] before.
pub fn write_new(app: &NewApp) -> String {
    let name = fitting(&app.name, 2, "app");
    let region =
        app.region.as_deref().filter(|region| crate::regions::exists(region)).unwrap_or(USUAL_REGION);
    let mut out =
        String::from("# What runs, and what it needs: `landfall explain` tells about every field.\n");
    out.push_str(&format!("app    = {}\nregion = {}\n", quoted(&name), quoted(region)));
    let services = distinct_names(app.services.iter().map(|service| service.name.as_str()), "web");
    for (service, name) in app.services.iter().zip(&services) {
        out.push('\n');
        comment(&mut out, &service.kind);
        write_service(&mut out, name, service);
    }
    if app.services.is_empty() {
        out.push_str("\n# Nothing to run was found here. A service looks like this:\n");
        out.push_str("# [service.web]\n# source = \".\"\n# port   = 8000\n");
    }
    let resources = distinct_names(app.resources.iter().map(|resource| resource.name.as_str()), "resource");
    for (resource, name) in app.resources.iter().zip(&resources) {
        out.push('\n');
        comment(&mut out, &resource.comment);
        write_resource(&mut out, name, resource);
    }
    for job in &app.before {
        out.push('\n');
        let lines = [
            ("name".to_owned(), quoted(&job.name)),
            ("service".to_owned(), quoted(&job.service)),
            ("command".to_owned(), list(&job.command)),
        ];
        write_table(&mut out, "[release.before]", &lines);
    }
    if !app.notes.is_empty() {
        out.push_str("\n# Not carried over:\n");
        for note in &app.notes {
            comment(&mut out, &format!("- {note}"));
        }
    }
    out
}

/// The names that [`write_new`] gives to services or resources of these names: each fits the rule for names and
/// differs from those before it. `otherwise` stands for a name that nothing can be made of.
pub fn distinct_names<'a>(names: impl Iterator<Item = &'a str>, otherwise: &str) -> Vec<String> {
    let mut taken = BTreeSet::new();
    names.map(|name| distinct(fitting(name, 1, otherwise), &mut taken)).collect()
}

/// What a manifest can say where, for a writer that must not lose anything unseen.
pub mod fits {
    use crate::rules;

    /// Whether `source =` can have this value.
    pub fn source(text: &str) -> bool {
        (rules::FOLDER.check)(text).is_ok()
    }

    /// Whether `image =` can have this value.
    pub fn image(text: &str) -> bool {
        (rules::IMAGE.check)(text).is_ok() && text.len() <= rules::IMAGE.length.end
    }

    /// Whether a probe can ask this path.
    pub fn path(text: &str) -> bool {
        (rules::PATH.check)(text).is_ok() && text.len() <= rules::PATH.length.end
    }

    /// Whether `ingress.domains` can have this host name.
    pub fn domain(text: &str) -> bool {
        (rules::DOMAIN.check)(text).is_ok()
    }

    /// Whether `ingress.allow` can have this range.
    pub fn range(text: &str) -> bool {
        (rules::CIDR.check)(text).is_ok()
    }

    /// Whether `ingress.cors` can have this origin.
    pub fn origin(text: &str) -> bool {
        (rules::ORIGIN.check)(text).is_ok() && text.len() <= rules::ORIGIN.length.end
    }

    /// Whether `env` or `secrets` can have this name, of a service that listens or of one that does not.
    pub fn variable(name: &str, listens: bool) -> bool {
        let is_reserved =
            name == "AZURE_CLIENT_ID" || name.starts_with("CONTAINER_APP_") || (listens && name == "PORT");
        !is_reserved && (rules::ENV.check)(name).is_ok()
    }

    /// Whether a variable can have this value: `${…}` in it refers to something.
    pub fn value(text: &str) -> bool {
        text.chars().count() <= super::VALUE_MAX && crate::template::parse(text).faults.is_empty()
    }

    /// Whether a blob container can have this name.
    pub fn container(name: &str) -> bool {
        (rules::CONTAINER.check)(name).is_ok()
    }

    /// Whether a secret can have this name.
    pub fn secret(name: &str) -> bool {
        (rules::SECRET.check)(name).is_ok()
    }
}

/// Longest value of a variable that is written; a longer one is a file in disguise.
const VALUE_MAX: usize = 10_000;

/// The hosts whose replicas have a size of their own.
const CONTAINERS: &[&str] = &["container-apps", "container-job", "kubernetes"];

fn write_service(out: &mut String, name: &str, service: &NewService) {
    let listens = service.port.is_some_and(|port| port > 0);
    let host = service.host.as_deref().unwrap_or("container-apps");
    let mut lines = vec![("host".to_owned(), quoted(host))];
    let mut line = |key: &str, value: String| lines.push((key.to_owned(), value));
    match service.image.as_deref().filter(|image| fits::image(image)) {
        Some(image) => line("image", quoted(image)),
        None if fits::source(&service.source) => line("source", quoted(&service.source)),
        None => line("source", quoted(".")),
    }
    if let Some(port) = service.port.filter(|port| *port > 0) {
        line("port", port.to_string());
    }
    if let Some(runtime) = service.runtime.as_ref().filter(|_| host == "app-service") {
        line("runtime", quoted(runtime));
    }
    if let Some(schedule) = &service.schedule {
        line("schedule", quoted(schedule));
    }
    let command =
        service.command.as_ref().filter(|words| words.first().is_some_and(|word| !word.trim().is_empty()));
    match command {
        // App Service's command is a shell's line.
        Some(words) if host == "app-service" => line("startup", quoted(&shell_line(words))),
        Some(words) if host != "static-web-app" => line("command", list(words)),
        _ => {}
    }
    if let Some(words) = service.args.as_ref().filter(|words| !words.is_empty() && CONTAINERS.contains(&host))
    {
        line("args", list(words));
    }
    if let Some(cpu) = service.cpu.filter(|cpu| cpu.is_offered() && CONTAINERS.contains(&host)) {
        line("cpu", cpu.to_string());
    }
    if service.singleton {
        line("singleton", "true".to_owned());
    }
    let tables = [
        ("scale", scale(service, listens)),
        ("probes", probes(service, listens)),
        ("ingress", ingress(service, listens)),
    ];
    for (key, entries) in tables {
        if !entries.is_empty() {
            line(key, inline(&entries));
        }
    }
    let uses: Vec<(String, String)> =
        service.uses.iter().map(|(name, access)| (name.clone(), accesses(access))).collect();
    if !uses.is_empty() {
        line("uses", inline(&uses));
    }
    let secrets: BTreeMap<&str, &str> = service
        .secrets
        .iter()
        .filter(|(name, secret)| fits::variable(name, listens) && fits::secret(secret))
        .map(|(name, secret)| (name.as_str(), secret.as_str()))
        .collect();
    let mut seen: BTreeSet<&str> = secrets.keys().copied().collect();
    let env = service
        .env
        .iter()
        .filter(|(name, value)| fits::variable(name, listens) && fits::value(value))
        .filter(|(name, _)| seen.insert(name))
        .map(|(name, value)| (name.clone(), quoted(value)))
        .collect();
    let mut written = BTreeSet::new();
    let secrets = service
        .secrets
        .iter()
        .filter(|(name, _)| secrets.contains_key(name.as_str()) && written.insert(name.as_str()))
        .map(|(name, secret)| (name.clone(), quoted(secret)))
        .collect();
    let mut below = Vec::new();
    for (key, entries) in [("env", env), ("secrets", secrets)] {
        let entries: Vec<(String, String)> = entries;
        let on_a_line = inline(&entries);
        if entries.is_empty() {
            continue;
        } else if entries.len() <= INLINE_MAX && on_a_line.len() <= LINE_MAX {
            lines.push((key.to_owned(), on_a_line));
        } else {
            below.push((key, entries));
        }
    }
    write_table(out, &format!("service.{}", bare(name)), &lines);
    if !listens && host == "container-apps" {
        out.push_str("# Without a `port` nothing reaches it: a worker.\n");
    }
    write_variables(out, service);
    for (key, entries) in below {
        out.push('\n');
        let lines: Vec<_> = entries.into_iter().map(|(name, value)| (bare(&name), value)).collect();
        write_table(out, &format!("service.{}.{key}", bare(name)), &lines);
    }
}

fn write_resource(out: &mut String, name: &str, resource: &NewResource) {
    let path = format!("resource.{}", bare(name));
    let mut lines = vec![("type".to_owned(), quoted(&resource.kind))];
    let mut below = Vec::new();
    for (key, value) in &resource.fields {
        match value {
            // Tables that say something have lines of their own.
            NewValue::Named(tables) if tables.iter().any(|(_, fields)| !fields.is_empty()) => {
                below.extend(
                    tables
                        .iter()
                        .map(|(name, fields)| (format!("{path}.{}.{}", bare(key), bare(name)), fields)),
                );
            }
            value => lines.push((bare(key), value.toml())),
        }
    }
    write_table(out, &path, &lines);
    for (path, fields) in below {
        out.push('\n');
        let lines: Vec<_> = fields.iter().map(|(key, value)| (bare(key), value.toml())).collect();
        write_table(out, &path, &lines);
    }
}

fn scale(service: &NewService, listens: bool) -> Vec<(String, String)> {
    let mut entries = Vec::new();
    let (min, max) = service.replicas;
    let min = min.filter(|min| *min <= 1000 && (*min > 0 || listens));
    let max = max.filter(|max| (1..=1000).contains(max) && min.is_none_or(|min| min <= *max));
    if service.singleton {
        return entries;
    }
    for (key, number) in [("min", min), ("max", max)] {
        entries.extend(number.map(|number| (key.to_owned(), number.to_string())));
    }
    let requests = service.requests.filter(|requests| listens && (1..=10_000).contains(requests));
    entries.extend(requests.map(|requests| ("http".to_owned(), requests.to_string())));
    entries
}

fn probes(service: &NewService, listens: bool) -> Vec<(String, String)> {
    let NewProbes { live, ready, start } = &service.probes;
    [("live", live), ("ready", ready), ("start", start)]
        .into_iter()
        .filter_map(|(key, path)| Some((key, path.as_deref().filter(|path| listens && fits::path(path))?)))
        .map(|(key, path)| (key.to_owned(), quoted(path)))
        .collect()
}

fn ingress(service: &NewService, listens: bool) -> Vec<(String, String)> {
    let NewIngress { public, domains, allow, cors, affinity } = &service.ingress;
    let mut entries = Vec::new();
    if !listens {
        return entries;
    }
    entries.extend(public.map(|public| ("public".to_owned(), public.to_string())));
    let mut list_of = |key: &str, texts: &[String], fits: fn(&str) -> bool| {
        let texts: Vec<String> = texts.iter().filter(|text| fits(text)).cloned().collect();
        if !texts.is_empty() {
            entries.push((key.to_owned(), list(&texts)));
        }
    };
    list_of("domains", domains, fits::domain);
    list_of("allow", allow, fits::range);
    list_of("cors", cors, fits::origin);
    if *affinity {
        entries.push(("affinity".to_owned(), "true".to_owned()));
    }
    entries
}

fn write_variables(out: &mut String, service: &NewService) {
    let variables: Vec<&String> =
        service.variables.iter().filter(|name| (rules::ENV.check)(name).is_ok()).collect();
    if variables.is_empty() {
        return;
    }
    out.push_str("# It reads these variables. Plain values go to `env = { NAME = \"value\" }`; secrets to\n");
    out.push_str(
        "# `secrets = { NAME = \"name-in-the-vault\" }`, with `landfall secrets set name-in-the-vault`.\n",
    );
    for variable in variables {
        out.push_str(&format!("#   {variable}\n"));
    }
}

/// A table with its values in one column.
fn write_table(out: &mut String, path: &str, lines: &[(String, String)]) {
    let width = lines.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    out.push_str(&format!("[{path}]\n"));
    for (key, value) in lines {
        out.push_str(&format!("{key:<width$} = {value}\n"));
    }
}

impl NewValue {
    fn toml(&self) -> String {
        match self {
            NewValue::Text(text) => quoted(text),
            NewValue::Integer(number) => number.to_string(),
            NewValue::Boolean(yes) => yes.to_string(),
            NewValue::List(texts) => list(texts),
            NewValue::Named(tables) => {
                let tables: Vec<(String, String)> = tables
                    .iter()
                    .map(|(name, fields)| {
                        let fields: Vec<_> =
                            fields.iter().map(|(key, value)| (key.clone(), value.toml())).collect();
                        (name.clone(), inline(&fields))
                    })
                    .collect();
                inline(&tables)
            }
        }
    }
}

/// Words as a shell takes them apart again.
fn shell_line(words: &[String]) -> String {
    let is_plain = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c))
    };
    let word = |word: &String| match is_plain(word) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// One access, or a list of them.
fn accesses(words: &[String]) -> String {
    match words {
        [word] => quoted(word),
        words => list(words),
    }
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

fn inline(entries: &[(String, String)]) -> String {
    if entries.is_empty() {
        return "{}".to_owned();
    }
    let entries: Vec<String> =
        entries.iter().map(|(key, value)| format!("{} = {value}", bare(key))).collect();
    format!("{{ {} }}", entries.join(", "))
}

/// A comment; line breaks and other control characters cannot leave it.
fn comment(out: &mut String, text: &str) {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if !text.trim().is_empty() {
        out.push_str(&format!("# {}\n", text.trim()));
    }
}

fn fitting(text: &str, min: usize, otherwise: &str) -> String {
    let name = rules::fitting_name(text, rules::NAME_MAX);
    if name.len() >= min { name } else { otherwise.to_owned() }
}

/// `name`, or with a number behind it when it is taken.
fn distinct(name: String, taken: &mut BTreeSet<String>) -> String {
    let mut candidate = name.clone();
    let mut number = 2;
    while !taken.insert(candidate.clone()) {
        let suffix = format!("-{number}");
        let room = rules::NAME_MAX - suffix.len();
        candidate = format!("{}{suffix}", name[..name.len().min(room)].trim_end_matches('-'));
        number += 1;
    }
    candidate
}
