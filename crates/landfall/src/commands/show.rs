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
    let values = landfall_manifest::show(&app);
    if ui.json {
        let values: Vec<_> = values
            .iter()
            .map(|shown| json!({"path": shown.path, "value": shown.value, "origin": shown.origin.to_string()}))
            .collect();
        ui.document(&json!({"schema": 1, "app": app, "values": values}));
        return Ok(Exit::Done);
    }
    let path = values.iter().map(|shown| shown.path.len()).max().unwrap_or(0);
    let value = values.iter().map(|shown| shown.value.len()).filter(|length| *length < 40).max().unwrap_or(0);
    for shown in &values {
        ui.out(&format!("{:<path$}  {:<value$}  {}", shown.path, shown.value, shown.origin));
    }
    Ok(Exit::Done)
}
