//! A new manifest, from what was found in a folder.

use std::collections::BTreeSet;

use crate::build::{bare, quoted};
use crate::rules;

/// What is known of an application that has no manifest yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewApp {
    /// Its name, mostly that of the folder; made to fit the rule for names.
    pub name: String,
    /// Azure's name of the region; `westeurope` when not known.
    pub region: Option<String>,
    /// What was found to run.
    pub services: Vec<NewService>,
    /// What was seen and could not be carried over, a sentence each; written as comments.
    pub notes: Vec<String>,
}

/// One service that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewService {
    /// Its name, mostly that of its folder; made to fit the rule for names.
    pub name: String,
    /// Its folder, relative to the manifest's: `.` or `api`.
    pub source: String,
    /// The port it listens on; `None` for a worker.
    pub port: Option<u16>,
    /// What starts it, when the builder's own choice is not wanted.
    pub command: Option<Vec<String>>,
    /// What it is, for the comment above it: `Python 3.12, FastAPI`.
    pub kind: String,
    /// Names of environment variables it was seen to need, whose values are not known here.
    pub variables: Vec<String>,
}

/// The region when none is known.
const USUAL_REGION: &str = "westeurope";

/// A small, commented `landfall.toml` that says what was found.
///
/// Whatever the names and folders are, the text can be loaded without a diagnostic: names are made to fit, and what
/// cannot be said is left out.
pub fn write_new(app: &NewApp) -> String {
    let name = fitting(&app.name, 2, "app");
    let region =
        app.region.as_deref().filter(|region| crate::regions::exists(region)).unwrap_or(USUAL_REGION);
    let mut out =
        String::from("# What runs, and what it needs: `landfall explain` tells about every field.\n");
    out.push_str(&format!("app    = {}\nregion = {}\n", quoted(&name), quoted(region)));
    let mut names = BTreeSet::new();
    for service in &app.services {
        let name = distinct(fitting(&service.name, 1, "web"), &mut names);
        out.push('\n');
        comment(&mut out, &service.kind);
        write_service(&mut out, &name, service);
    }
    if app.services.is_empty() {
        out.push_str("\n# Nothing to run was found here. A service looks like this:\n");
        out.push_str("# [service.web]\n# source = \".\"\n# port   = 8000\n");
    }
    if !app.notes.is_empty() {
        out.push_str("\n# Not carried over:\n");
        for note in &app.notes {
            comment(&mut out, &format!("- {note}"));
        }
    }
    out
}

fn write_service(out: &mut String, name: &str, service: &NewService) {
    let source = if (rules::FOLDER.check)(&service.source).is_ok() { service.source.as_str() } else { "." };
    let mut lines = vec![("host", quoted("container-apps")), ("source", quoted(source))];
    if let Some(port) = service.port.filter(|port| *port > 0) {
        lines.push(("port", port.to_string()));
    }
    let command =
        service.command.as_ref().filter(|words| words.first().is_some_and(|word| !word.trim().is_empty()));
    if let Some(words) = command {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        lines.push(("command", format!("[{}]", words.join(", "))));
    }
    let width = lines.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    out.push_str(&format!("[service.{}]\n", bare(name)));
    for (key, value) in lines {
        out.push_str(&format!("{key:<width$} = {value}\n"));
    }
    if service.port.is_none_or(|port| port == 0) {
        out.push_str("# Without a `port` nothing reaches it: a worker.\n");
    }
    let variables: Vec<&String> =
        service.variables.iter().filter(|name| (rules::ENV.check)(name).is_ok()).collect();
    if !variables.is_empty() {
        out.push_str(
            "# It reads these variables. Plain values go to `env = { NAME = \"value\" }`; secrets to\n",
        );
        out.push_str("# `secrets = { NAME = \"name-in-the-vault\" }`, with `landfall secrets set name-in-the-vault`.\n");
        for variable in variables {
            out.push_str(&format!("#   {variable}\n"));
        }
    }
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
