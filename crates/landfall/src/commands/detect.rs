//! `landfall detect`: what the source is, and why.

use landfall_build::Application;
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
        return Err(Failure::failed(format!(
            "{} holds nothing that Landfall knows how to build",
            folder.display()
        ))
        .help("name a prebuilt image in the manifest: `image = \"registry/repository:tag\"`"));
    }
    for application in &applications {
        print(application, &folder, ui);
    }
    Ok(Exit::Done)
}

/// `Python 3.12, FastAPI`: an application in a few words.
pub fn describe(application: &Application) -> String {
    let Application { language, version, framework, .. } = application;
    let version = version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    let framework = framework.as_deref().map(|framework| format!(", {framework}")).unwrap_or_default();
    format!("{language}{version}{framework}")
}

fn print(application: &Application, folder: &std::path::Path, ui: &Ui) {
    let dir = application.dir.strip_prefix(folder).unwrap_or(&application.dir);
    let dir = if dir.as_os_str().is_empty() { std::path::Path::new(".") } else { dir };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
    let sure = (application.confidence.clamp(0.0, 1.0) * 100.0).round() as u8;
    ui.out(&format!("{}  {}  ({sure} % sure)", ui.bold(&dir.display().to_string()), describe(application)));
    let steps =
        [("install", &application.install), ("build", &application.build), ("start", &application.start)];
    for (step, command) in steps {
        if let Some(command) = command {
            ui.out(&format!("  {step:<8} {}", command.join(" ")));
        }
    }
    if let Some(port) = application.port {
        ui.out(&format!("  {:<8} {port}", "port"));
    }
    for evidence in &application.evidence {
        let line = evidence.line.map(|line| format!(":{line}")).unwrap_or_default();
        ui.out(&format!("  {:<8} {}{line}: {}", "because", evidence.file, evidence.says));
    }
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
