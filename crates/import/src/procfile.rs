//! Heroku's `Procfile`: a name and a command a line; and `.env` beside it.

use landfall_manifest::NewService;
use landfall_manifest::write::distinct_names;

use crate::draft::{Draft, Place, short};
use crate::variables::{self, Peers};
use crate::{File, Format, command, path, secret};

/// The port of a process named `web` whose command does not name one.
pub(crate) const PORT: u16 = 8000;

/// The variables beside it.
pub(crate) fn wanted(files: &[File]) -> Vec<String> {
    mains(files).map(|file| path::beside(&file.path, ".env")).collect()
}

fn mains(files: &[File]) -> impl Iterator<Item = &File> {
    files.iter().filter(|file| Format::of(&file.path) == Some(Format::Procfile))
}

/// Reads the files into the draft.
pub(crate) fn import(files: &[File], draft: &mut Draft) {
    for file in mains(files) {
        let mut processes = Vec::new();
        for (at, line) in file.text.lines().enumerate() {
            let place = Place { file: &file.path, line: at + 1 };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match line.split_once(':').map(|(name, command)| (name.trim(), command.trim())) {
                Some((name, command)) if is_name(name) && !command.is_empty() => {
                    processes.push((name, command, place));
                }
                _ => draft.remark(place, "this line is no `name: command`"),
            }
        }
        if processes.is_empty() {
            draft.problem(&file.path, 1, "there is no process: a line is `name: command`");
            return;
        }
        let names = distinct_names(processes.iter().map(|(name, ..)| *name), "web");
        for ((process, line, place), name) in processes.iter().copied().zip(names) {
            if process == "release" {
                continue;
            }
            let mut service = service(draft, process, line, place, name);
            service.source = path::beside(&file.path, ".");
            let variables = variables::beside(files, &file.path, draft);
            variables::settle(draft, &mut service, variables, &Peers::new());
            draft.app.services.push(service);
        }
        for (_, line, place) in processes.iter().filter(|(process, ..)| *process == "release") {
            let main = draft
                .app
                .services
                .iter()
                .find(|service| service.port.is_some())
                .or(draft.app.services.first());
            let main = main.map(|service| service.name.clone()).unwrap_or_default();
            draft.before_release(*place, "release", &main, line);
        }
    }
}

/// One process as a service.
fn service(draft: &mut Draft, process: &str, line: &str, place: Place<'_>, name: String) -> NewService {
    let mut service =
        NewService { name, kind: format!("The Procfile's `{process}`"), ..NewService::default() };
    if process == "web" || line.contains("$PORT") || line.contains("${PORT") {
        let words = shlex::split(line).unwrap_or_default();
        service.port = Some(command::port(&words).unwrap_or(PORT));
    }
    // A second scheduler would do everything twice.
    service.singleton = ["clock", "scheduler", "cron", "beat"].contains(&process);
    match command::from_shell(line, service.port) {
        Some(found) if secret::is_in_command(&found.words) => {
            let text = format!(
                "the command of `{process}` holds what looks like a secret: left out; let it read a variable"
            );
            draft.remark(place, text);
        }
        Some(mut found) => {
            for change in command::adapted(&mut found.words) {
                draft.remark(place, format!("`{process}`: {change}"));
            }
            if found.by_shell {
                draft.remark(place, format!("`{process}` needs a shell (`sh`) in its image"));
            }
            service.command = Some(found.words);
        }
        None => draft.remark(
            place,
            format!("the command of `{}` cannot be read: write its `command`", short(process)),
        ),
    }
    service
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}
