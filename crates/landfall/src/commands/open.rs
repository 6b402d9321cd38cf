//! `landfall open`: a service in the browser.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::cli::Global;
use crate::commands::support;
use crate::failure::{Exit, Failure};
use crate::project::Project;
use crate::target;
use crate::ui::Ui;

/// Opens the service's address, or prints it where there is no browser to open.
pub async fn run(global: &Global, service: Option<&str>, print: bool, ui: &Ui) -> Result<Exit, Failure> {
    let project = Project::find(global, None)?;
    let app = project.app(global, ui)?;
    let site = target::site(global, &project, &app, ui).await?;
    let blueprint = support::blueprint(&project, &app, &site.target.subscription)?;
    let mut urls = support::urls(&site, &blueprint).await?;
    if let Some(wanted) = service {
        if !app.services.contains_key(wanted) {
            let known: Vec<&str> = app.services.keys().map(String::as_str).collect();
            return Err(Failure::usage(format!("there is no service `{wanted}`"))
                .help(format!("the services are: {}", known.join(", "))));
        }
        urls.retain(|(name, _)| name == wanted);
    }
    // A plain address opens everywhere; names under `.localhost` and a certificate of our own do not.
    let best = urls.iter().find(|(_, url)| url.starts_with("http://")).or(urls.first());
    let Some((name, url)) = best else {
        return Err(
            Failure::failed("no service with an address is deployed").help("deploy with `landfall up`")
        );
    };
    let several = urls.iter().any(|(other, _)| other != name);
    if several && service.is_none() {
        return Err(Failure::usage("several services have an address")
            .help(format!("name one: `landfall open {name}`")));
    }
    if ui.json {
        ui.document(&json!({"schema": 1, "service": name, "url": url}));
        return Ok(Exit::Done);
    }
    ui.out(url);
    if !print {
        browse(url, ui);
    }
    Ok(Exit::Done)
}

/// Starts the desktop's browser; without one the printed address is all there is to do.
fn browse(url: &str, ui: &Ui) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started = Command::new(program)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if started.is_err() {
        ui.note(&format!("there is no `{program}` to open a browser with"));
    }
}
