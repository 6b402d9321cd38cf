//! `landfall init`: looks at a folder and writes `landfall.toml`.

use landfall_build::{Application, Kind};
use landfall_manifest::{NewApp, NewService};
use serde_json::json;

use crate::cli::{Global, InitArgs};
use crate::commands::detect::{build_failure, describe};
use crate::failure::{Exit, Failure};
use crate::project::{MANIFEST, start_folder};
use crate::ui::Ui;

/// Writes the manifest and says what it was made from.
pub fn run(global: &Global, args: &InitArgs, ui: &Ui) -> Result<Exit, Failure> {
    let folder = start_folder(global, args.dir.as_deref())?;
    let path = folder.join(MANIFEST);
    if path.exists() && !args.force {
        return Err(Failure::refused(format!("{} is there already", path.display()))
            .help("change it by hand, or replace it with `landfall init --force`"));
    }
    let applications = landfall_build::detect(&folder).map_err(build_failure)?;
    let name = args
        .app
        .clone()
        .unwrap_or_else(|| folder.file_name().unwrap_or_default().to_string_lossy().into_owned());
    let services: Vec<NewService> = applications.iter().map(|found| service(found, &folder)).collect();
    let app = NewApp { name, region: Some(args.region.clone()), services, notes: Vec::new() };
    let text = landfall_manifest::write_new(&app);
    let loaded = landfall_manifest::load(MANIFEST, &text, None);
    if loaded.app.is_none() {
        let mut failure = Failure::usage("the manifest would have errors; nothing was written");
        failure.diagnostics = Some(Box::new((loaded.diagnostics, text)));
        return Err(failure);
    }
    std::fs::write(&path, &text)
        .map_err(|error| Failure::failed(format!("cannot write {}", path.display())).because(error))?;
    if ui.json {
        ui.document(&json!({"schema": 1, "file": path, "applications": applications}));
        return Ok(Exit::Done);
    }
    ui.out(&format!("wrote {}", path.display()));
    for application in &applications {
        ui.note(&describe(application));
    }
    if applications.is_empty() {
        ui.warning("nothing here is known how to build; name a service in the manifest before deploying");
    }
    ui.hint("look at it, then `landfall up --local`");
    Ok(Exit::Done)
}

fn service(found: &Application, folder: &std::path::Path) -> NewService {
    let dir = found.dir.strip_prefix(folder).unwrap_or(&found.dir).display().to_string();
    let dir = dir.trim_start_matches("./");
    NewService {
        name: match dir {
            "" | "." => "web".to_owned(),
            dir => dir.rsplit('/').next().unwrap_or(dir).to_owned(),
        },
        source: if dir.is_empty() { ".".to_owned() } else { dir.to_owned() },
        port: match found.kind {
            Kind::Script => None,
            Kind::Static | Kind::Server => Some(found.port.unwrap_or(8000)),
        },
        // The builder finds the start command again; only what differs from it belongs in the manifest.
        command: None,
        kind: describe(found),
        variables: Vec::new(),
    }
}
