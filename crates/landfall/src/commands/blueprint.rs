//! `landfall blueprint`: every Azure resource the application takes.

use crate::cli::{DirArgs, Global};
use crate::commands::support;
use crate::failure::{Exit, Failure};
use crate::project::Project;
use crate::ui::Ui;

/// Prints the resources: as an array of ARM bodies with `--json`, else a line each.
pub fn run(global: &Global, args: &DirArgs, ui: &Ui) -> Result<Exit, Failure> {
    let project = Project::find(global, args.dir.as_deref())?;
    let app = project.app(global, ui)?;
    let subscription = app
        .subscription
        .clone()
        .or_else(|| std::env::var("AZURE_SUBSCRIPTION_ID").ok().filter(|id| !id.is_empty()))
        .unwrap_or_else(|| landfall_blueprint::NO_SUBSCRIPTION.to_owned());
    let blueprint = support::blueprint(&project, &app, &subscription)?;
    if ui.json {
        ui.out(
            &serde_json::to_string_pretty(&landfall_blueprint::template::template(&blueprint))
                .expect("bodies have string keys"),
        );
        return Ok(Exit::Done);
    }
    let address = blueprint.resources.iter().map(|r| r.address.as_str().len()).max().unwrap_or(0);
    let name = blueprint.resources.iter().map(|r| r.name.len()).max().unwrap_or(0);
    for resource in &blueprint.resources {
        ui.out(&format!(
            "{:<address$}  {:<name$}  {}",
            resource.address.as_str(),
            resource.name,
            resource.resource_type
        ));
    }
    Ok(Exit::Done)
}
