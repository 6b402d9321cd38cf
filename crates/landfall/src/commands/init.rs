//! `landfall init`: looks at a folder, or at another tool's files, and writes `landfall.toml`.

mod files;

use std::path::Path;

use landfall_build::{Application, Kind};
use landfall_import::{Format, Imported, Remark, Secret};
use landfall_manifest::{NewApp, NewService};
use serde_json::json;

use crate::cli::{Global, InitArgs};
use crate::commands::detect::{build_failure, describe};
use crate::failure::{Exit, Failure};
use crate::project::{MANIFEST, start_folder};
use crate::ui::{Ui, count};

use files::Found;

/// The region when neither the user nor a file names one.
const USUAL_REGION: &str = "westeurope";

/// The port of something that listens on one that is not known.
const USUAL_PORT: u16 = 8000;

/// Writes the manifest and says what it was made from.
pub fn run(global: &Global, args: &InitArgs, ui: &Ui) -> Result<Exit, Failure> {
    let folder = start_folder(global, args.dir.as_deref())?;
    let path = folder.join(MANIFEST);
    if path.exists() && !args.force {
        return Err(Failure::refused(format!("{} is there already", path.display()))
            .help("change it by hand, or replace it with `landfall init --force`"));
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // As every path of the command line: seen from `-C`, or from the working folder.
    let base = start_folder(global, None)?;
    let found = files::find(&folder, &base, &args.from)?;
    let (mut imported, applications) = match &found {
        Some(found) => {
            let mut imported = landfall_import::import(found.format, &name, &found.files)
                .map_err(|problems| refused(&problems))?;
            let applications = complete(&folder, found.format, &mut imported);
            (imported, applications)
        }
        None => {
            let applications = landfall_build::detect(&folder).map_err(build_failure)?;
            let services = applications.iter().map(|found| service(found, &folder)).collect();
            let app = NewApp { name, services, ..NewApp::default() };
            (Imported { app, ..Imported::default() }, applications)
        }
    };
    if let Some(name) = &args.app {
        name.clone_into(&mut imported.app.name);
    }
    let region = args.region.clone().or(imported.app.region.take());
    imported.app.region = Some(region.unwrap_or_else(|| USUAL_REGION.to_owned()));
    let text = landfall_manifest::write_new(&imported.app);
    let loaded = landfall_manifest::load(MANIFEST, &text, None);
    if loaded.app.is_none() {
        let mut failure = Failure::usage("the manifest would have errors; nothing was written");
        failure.diagnostics = Some(Box::new((loaded.diagnostics, text)));
        return Err(failure);
    }
    std::fs::write(&path, &text)
        .map_err(|error| Failure::failed(format!("cannot write {}", path.display())).because(error))?;
    if ui.json {
        ui.document(&document(&path, found.as_ref(), &imported, &applications));
    } else {
        print(&path, found.as_ref(), &imported, &applications, ui);
    }
    Ok(Exit::Done)
}

/// Every mistake of the files at once.
fn refused(problems: &[landfall_import::Problem]) -> Failure {
    let message =
        format!("the files to import have {}; nothing was written", count(problems.len(), "mistake"));
    let mut failure = Failure::usage(message)
        .help("put them right, or write a manifest from the source alone in another folder");
    failure.causes = problems.iter().map(ToString::to_string).collect();
    failure
}

/// What the source says of services whose files leave it open: what they are, and where they listen.
fn complete(folder: &Path, format: Format, imported: &mut Imported) -> Vec<Application> {
    let mut applications = Vec::new();
    let mut missing = Vec::new();
    for service in imported.app.services.iter_mut().filter(|service| service.image.is_none()) {
        let source = folder.join(&service.source);
        if !source.is_dir() {
            missing.push((service.name.clone(), service.source.clone()));
            // Folders of a server are where a release was put, not where its source is.
            if format == Format::Server {
                ".".clone_into(&mut service.source);
            }
            continue;
        }
        // A folder that the builder cannot read is told about when it is built.
        let Ok(found) = landfall_build::detect(&source) else { continue };
        let Some(application) =
            found.into_iter().find(|found| found.dir.canonicalize().ok() == source.canonicalize().ok())
        else {
            continue;
        };
        service.kind = format!("{}: {}", service.kind, describe(&application));
        if service.port.is_none() && imported.unknown_ports.contains(&service.name) {
            service.port = port(&application);
        }
        if !applications.contains(&application) {
            applications.push(application);
        }
    }
    for (name, source) in missing {
        let text = match format {
            Format::Server => {
                format!("`{name}`: there is no folder `{source}` here, so its source is this one")
            }
            _ => format!("`{name}`: there is no folder `{source}` here"),
        };
        imported.app.notes.push(format!("{MANIFEST}: {text}"));
        imported.remarks.push(Remark { file: MANIFEST.to_owned(), line: 1, text });
    }
    applications
}

fn service(found: &Application, folder: &Path) -> NewService {
    let dir = found.dir.strip_prefix(folder).unwrap_or(&found.dir).display().to_string();
    let dir = dir.trim_start_matches("./");
    NewService {
        name: match dir {
            "" | "." => "web".to_owned(),
            dir => dir.rsplit('/').next().unwrap_or(dir).to_owned(),
        },
        source: if dir.is_empty() { ".".to_owned() } else { dir.to_owned() },
        port: port(found),
        // The builder finds the start command again; only what differs from it belongs in the manifest.
        command: None,
        kind: describe(found),
        ..NewService::default()
    }
}

fn port(found: &Application) -> Option<u16> {
    match found.kind {
        Kind::Script => None,
        Kind::Static | Kind::Server => Some(found.port.unwrap_or(USUAL_PORT)),
    }
}

fn print(path: &Path, found: Option<&Found>, imported: &Imported, applications: &[Application], ui: &Ui) {
    ui.out(&format!("wrote {}", path.display()));
    let Imported { app, remarks, secrets, unknown_ports: _ } = imported;
    let Some(found) = found else {
        for application in applications {
            ui.note(&describe(application));
        }
        if applications.is_empty() {
            ui.warning("nothing here is known how to build; name a service in the manifest before deploying");
        }
        ui.hint("look at it, then `landfall up --local`");
        return;
    };
    let from = found.files.first().map_or("", |file| file.path.as_str());
    ui.note(&format!(
        "from {from} ({}): {}, {}",
        found.format.label(),
        count(app.services.len(), "service"),
        count(app.resources.len(), "resource")
    ));
    if app.services.is_empty() {
        ui.warning("nothing to run was found; name a service in the manifest before deploying");
    }
    for other in &found.passed_over {
        ui.note(&format!("not looked at: {other}; `landfall init --from {other} --force` reads it instead"));
    }
    if !remarks.is_empty() {
        ui.warning(&format!(
            "not carried over, or not as it was ({}); the manifest ends with the same list:",
            remarks.len()
        ));
        for remark in remarks {
            ui.note(&format!("  {remark}"));
        }
    }
    if !secrets.is_empty() {
        ui.warning(&format!("{} to set; no value was taken over:", count(secrets.len(), "secret")));
        for Secret { name, variables, note, file: _, line: _ } in secrets {
            let note = note.as_deref().map(|note| format!("; {note}")).unwrap_or_default();
            ui.note(&format!("  `landfall secrets set {name}` for {}{note}", variables.join(", ")));
        }
    }
    ui.hint("look at it, then `landfall up --local`");
}

fn document(
    path: &Path,
    found: Option<&Found>,
    imported: &Imported,
    applications: &[Application],
) -> serde_json::Value {
    let from = found.map(|found| {
        let files: Vec<&str> = found.files.iter().map(|file| file.path.as_str()).collect();
        json!({"format": found.format, "files": files, "passedOver": found.passed_over})
    });
    let Imported { app, remarks, secrets, unknown_ports: _ } = imported;
    let services: Vec<&str> = app.services.iter().map(|service| service.name.as_str()).collect();
    let resources: Vec<&str> = app.resources.iter().map(|resource| resource.name.as_str()).collect();
    json!({
        "schema": 1,
        "file": path,
        "from": from,
        "services": services,
        "resources": resources,
        "applications": applications,
        "notCarriedOver": remarks,
        "secrets": secrets,
    })
}
