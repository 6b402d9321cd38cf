//! `landfall show`: the application after the environment's overlay, each value with where it came from.

use serde_json::json;

use crate::cli::{DirArgs, Global};
use crate::failure::{Exit, Failure};
use crate::project::Project;
use crate::ui::Ui;

/// Prints the App.
pub fn run(global: &Global, args: &DirArgs, ui: &Ui) -> Result<Exit, Failure> {
    let project = Project::find(global, args.dir.as_deref())?;
    let app = project.app(global, ui)?;
    if ui.json {
        let values: Vec<_> = landfall_manifest::show::values(&app)
            .iter()
            .map(|shown| json!({"path": shown.path, "value": shown.value, "origin": shown.origin}))
            .collect();
        ui.document(&json!({"schema": 1, "app": app, "values": values}));
    } else {
        ui.out(&landfall_manifest::show::text(&app));
    }
    Ok(Exit::Done)
}
