//! `landfall detect`: what the source is, and why.

use serde_json::json;

use crate::cli::{DirArgs, Global};
use crate::failure::{Exit, Failure};
use crate::project::start_folder;
use crate::ui::Ui;

/// Prints every application found, the likeliest first.
pub fn run(global: &Global, args: &DirArgs, ui: &Ui) -> Result<Exit, Failure> {
    let folder = start_folder(global, args.dir.as_deref())?;
    let applications = landfall_build::detect(&folder).map_err(build_failure)?;
    if ui.json {
        ui.document(&json!({"schema": 1, "applications": applications}));
        return Ok(Exit::Done);
    }
    if applications.is_empty() {
        return Err(Failure::failed(format!("{} holds nothing that Landfall knows how to build", folder.display()))
            .help("name a prebuilt image in the manifest: `image = \"registry/repository:tag\"`"));
    }
    for application in &applications {
        ui.out(&application.to_string());
    }
    Ok(Exit::Done)
}

/// What the builder says, with what to do next.
pub fn build_failure(error: landfall_build::Error) -> Failure {
    let help = error.help();
    let mut failure = Failure::failed(error.to_string());
    if let Some(source) = std::error::Error::source(&error) {
        failure = failure.because(source);
    }
    failure.help = help;
    failure
}
