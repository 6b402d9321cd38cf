//! `landfall blueprint`: every Azure resource the application takes.

use landfall_blueprint::picture::{self, Ink};
use landfall_blueprint::{Blueprint, NO_SUBSCRIPTION, template};

use crate::cli::{BlueprintArgs, BlueprintFormat, Global};
use crate::commands::support;
use crate::failure::{Exit, Failure};
use crate::project::Project;
use crate::ui::Ui;

/// Prints the resources: a line each, or in the format that was asked for.
pub fn run(global: &Global, args: &BlueprintArgs, ui: &Ui) -> Result<Exit, Failure> {
    let project = Project::find(global, args.dir.as_deref())?;
    let app = project.app(global, ui)?;
    let subscription = app
        .subscription
        .clone()
        .or_else(|| std::env::var("AZURE_SUBSCRIPTION_ID").ok().filter(|id| !id.is_empty()))
        .unwrap_or_else(|| NO_SUBSCRIPTION.to_owned());
    let blueprint = support::blueprint(&project, &app, &subscription)?;
    let format = args.format.or(ui.json.then_some(BlueprintFormat::Json));
    let text = match format {
        None => lines(&blueprint),
        Some(BlueprintFormat::Json) => {
            serde_json::to_string_pretty(&template::template(&blueprint)).expect("bodies have string keys")
        }
        Some(BlueprintFormat::Svg) => picture::svg(&blueprint),
        Some(BlueprintFormat::Dot) => picture::dot(&blueprint),
        Some(BlueprintFormat::Tree) => {
            // A file keeps the text only.
            let ink = if ui.color_out && args.output.is_none() { Ink::Color } else { Ink::Plain };
            picture::tree(&blueprint, ink)
        }
    };
    let Some(file) = &args.output else {
        ui.out(&text);
        return Ok(Exit::Done);
    };
    let text = if text.ends_with('\n') { text } else { text + "\n" };
    std::fs::write(file, text)
        .map_err(|error| Failure::failed(format!("cannot write {}", file.display())).because(error))?;
    ui.note(&format!("wrote {}", file.display()));
    Ok(Exit::Done)
}

/// A line for each resource.
fn lines(blueprint: &Blueprint) -> String {
    let address = blueprint.resources.iter().map(|r| r.address.as_str().len()).max().unwrap_or(0);
    let name = blueprint.resources.iter().map(|r| r.name.len()).max().unwrap_or(0);
    let lines = blueprint.resources.iter().map(|resource| {
        let (own, kind) = (resource.address.as_str(), resource.resource_type);
        format!("{own:<address$}  {:<name$}  {kind}", resource.name)
    });
    lines.collect::<Vec<_>>().join("\n")
}
