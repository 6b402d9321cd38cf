//! What the manifest's own rules refuse: a model that is retired, a version that is not offered, a host that lacks
//! something. It is left out and listed in the manifest's words, so that what was imported always loads.

use landfall_manifest::write::distinct_names;
use landfall_manifest::{Diagnostic, NewApp, NewIngress, NewProbes, NewService, NewValue, load, write_new};

use crate::draft::{Imported, Remark};

/// Most rounds: leaving one thing out may make another senseless, but not for long.
const ROUNDS_MAX: usize = 8;

/// Leaves out what is refused.
pub(crate) fn accept(imported: &mut Imported) {
    for _ in 0..ROUNDS_MAX {
        let text = write_new(&imported.app);
        let loaded = load("landfall.toml", &text, None);
        let errors: Vec<&Diagnostic> =
            loaded.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
        if errors.is_empty() {
            return;
        }
        let mut is_changed = false;
        for error in errors {
            let Some((table, key)) = place(&text, error.line) else { continue };
            if without(&mut imported.app, &table, &key) {
                is_changed = true;
                let help = error.help.as_deref().map(|help| format!("; {help}")).unwrap_or_default();
                let what =
                    if key.is_empty() { table.join(".") } else { format!("{}.{key}", table.join(".")) };
                let text = format!("`{what}` is left out: {}{help}", error.message);
                let remark = Remark { file: "landfall.toml".to_owned(), line: 1, text };
                imported.app.notes.push(remark.to_string());
                imported.remarks.push(remark);
            }
        }
        if !is_changed {
            return;
        }
    }
}

/// The table that a line stands in, and its key; no key for the table's own line.
fn place(text: &str, line: usize) -> Option<(Vec<String>, String)> {
    let lines: Vec<&str> = text.lines().take(line).collect();
    let header = lines.iter().rev().find_map(|line| line.strip_prefix('[')?.strip_suffix(']'))?;
    let header = header.trim_matches(['[', ']']);
    let table = header.split('.').map(|part| part.trim_matches('"').to_owned()).collect();
    let last = lines.last()?;
    let key = if last.starts_with('[') { "" } else { last.split_once('=')?.0.trim().trim_matches('"') };
    Some((table, key.to_owned()))
}

/// Takes a field out; says whether it was there.
fn without(app: &mut NewApp, table: &[String], key: &str) -> bool {
    let table: Vec<&str> = table.iter().map(String::as_str).collect();
    match table.as_slice() {
        ["service", name, rest @ ..] => {
            let names = distinct_names(app.services.iter().map(|service| service.name.as_str()), "web");
            let Some(at) = names.iter().position(|known| known == name) else { return false };
            match rest {
                [] => without_field(&mut app.services[at], key),
                ["env"] => taken(&mut app.services[at].env, key),
                ["secrets"] => taken(&mut app.services[at].secrets, key),
                _ => false,
            }
        }
        ["resource", name, rest @ ..] => {
            let names =
                distinct_names(app.resources.iter().map(|resource| resource.name.as_str()), "resource");
            let Some(at) = names.iter().position(|known| known == name) else { return false };
            let fields = &mut app.resources[at].fields;
            match rest {
                [] => taken(fields, key),
                [field, entry] => {
                    let named = fields.iter_mut().find(|(known, _)| known == field).map(|(_, value)| value);
                    let Some(NewValue::Named(entries)) = named else { return false };
                    if key.is_empty() {
                        return taken(entries, entry);
                    }
                    let inner = entries.iter_mut().find(|(known, _)| known == entry).map(|(_, inner)| inner);
                    // A model's version says nothing of another model.
                    inner.is_some_and(|inner| {
                        let is_taken = taken(inner, key);
                        if key == "model" {
                            taken(inner, "version");
                        }
                        is_taken
                    })
                }
                _ => false,
            }
        }
        ["release", "before"] => app.before.pop().is_some(),
        _ => false,
    }
}

fn taken<T>(entries: &mut Vec<(String, T)>, key: &str) -> bool {
    let before = entries.len();
    entries.retain(|(known, _)| known != key);
    entries.len() < before
}

fn without_field(service: &mut NewService, key: &str) -> bool {
    let empty = NewService { source: ".".to_owned(), name: service.name.clone(), ..NewService::default() };
    let before = service.clone();
    match key {
        "port" => service.port = None,
        "image" => service.image = None,
        "source" => empty.source.clone_into(&mut service.source),
        "command" | "startup" => service.command = None,
        "args" => service.args = None,
        "runtime" => service.runtime = None,
        "schedule" => service.schedule = None,
        "cpu" => service.cpu = None,
        "singleton" => service.singleton = false,
        "scale" => (service.replicas, service.requests) = ((None, None), None),
        "probes" => service.probes = NewProbes::default(),
        "ingress" => service.ingress = NewIngress::default(),
        "uses" => service.uses.clear(),
        "env" => service.env.clear(),
        "secrets" => service.secrets.clear(),
        // What the host lacks: every service can run on the usual one.
        _ => service.host = None,
    }
    *service != before
}

#[cfg(test)]
mod tests {
    use landfall_manifest::NewResource;

    use super::*;

    #[test]
    fn what_is_refused_is_left_out_and_listed() {
        let service = NewService { name: "web".into(), source: ".".into(), ..NewService::default() };
        let broken = NewService {
            host: Some("mainframe".into()),
            env: vec![("A".into(), "${service.nothing.url}".into()), ("B".into(), "b".into())],
            ..service.clone()
        };
        let resource = NewResource {
            name: "store".into(),
            kind: "storage".into(),
            fields: vec![
                ("replication".into(), NewValue::Text("tape".into())),
                ("versioning".into(), NewValue::Boolean(true)),
            ],
            comment: String::new(),
        };
        let app = NewApp {
            name: "app".into(),
            services: vec![broken],
            resources: vec![resource],
            ..NewApp::default()
        };
        let mut imported = Imported { app, ..Imported::default() };
        accept(&mut imported);
        let text = write_new(&imported.app);
        let loaded = load("landfall.toml", &text, None);
        assert!(loaded.app.is_some(), "{text}\n{:#?}", loaded.diagnostics);
        assert_eq!(imported.remarks.len(), 3, "{:#?}", imported.remarks);
        assert!(text.contains("versioning"), "{text}");
    }
}
