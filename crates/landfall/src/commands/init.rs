//! `landfall init`: looks at a folder and writes `landfall.toml`.

use landfall_build::{Application, Kind};
use landfall_manifest::{NewApp, NewService};
use serde_json::json;

use crate::cli::{Global, InitArgs};
use crate::commands::detect::build_failure;
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
    let name = match &args.app {
        Some(name) => name.clone(),
        None => folder_name(&folder),
    };
    let services: Vec<NewService> = applications.iter().map(|found| service(found, &folder)).collect();
    let text = landfall_manifest::write_new(&NewApp { name, region: args.region.clone(), services });
    let loaded = landfall_manifest::load(MANIFEST, &text, None);
    if loaded.app.is_none() {
        let mut failure = Failure::usage("the manifest would have errors; nothing was written");
        failure.diagnostics = Some((loaded.diagnostics, text));
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
        ui.note(&application.to_string());
    }
    if applications.is_empty() {
        ui.warning("nothing here is known how to build; the manifest names a public image to replace");
    }
    ui.hint("look at it, then `landfall up --local`");
    Ok(Exit::Done)
}

fn service(found: &Application, folder: &std::path::Path) -> NewService {
    let dir = found.dir.strip_prefix(folder).unwrap_or(&found.dir).display().to_string();
    let name = match dir.as_str() {
        "" | "." => "web".to_owned(),
        dir => identifier(dir.rsplit('/').next().unwrap_or("web"), "web"),
    };
    NewService {
        name,
        source: if dir.is_empty() { ".".to_owned() } else { dir },
        port: match found.kind {
            Kind::Script => None,
            Kind::Static | Kind::Server => Some(found.port.unwrap_or(8000)),
        },
        // The builder finds the start command again; only what differs from it belongs in the manifest.
        command: None,
        about: found.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

/// The folder's name as an application's name.
fn folder_name(folder: &std::path::Path) -> String {
    identifier(&folder.file_name().unwrap_or_default().to_string_lossy(), "app")
}

/// Lower-case letters, digits and single hyphens, beginning with a letter; `otherwise` when nothing is left.
fn identifier(text: &str, otherwise: &str) -> String {
    let mut name = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase()).trim_end_matches('-');
    let name: String = name.chars().take(20).collect();
    if name.is_empty() { otherwise.to_owned() } else { name.trim_end_matches('-').to_owned() }
}
