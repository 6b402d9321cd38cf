//! `landfall status`: each service and resource as it is.

use landfall_deploy::status::{Resource, Service, resources, services};
use serde_json::json;

use crate::cli::{DirArgs, Global};
use crate::commands::support;
use crate::failure::{Exit, Failure};
use crate::project::Project;
use crate::target;
use crate::ui::Ui;

/// Prints revisions, traffic, replicas, health and addresses.
pub async fn run(global: &Global, args: &DirArgs, ui: &Ui) -> Result<Exit, Failure> {
    let project = Project::find(global, args.dir.as_deref())?;
    let app = project.app(global, ui)?;
    let site = target::site(global, &project, &app, ui).await?;
    let blueprint = support::blueprint(&project, &app, &site.target.subscription)?;
    let (services, resources) =
        tokio::try_join!(services(&site.target, &blueprint), resources(&site.target, &blueprint))
            .map_err(target::failure)?;
    let holder = site.journal.holder(&site.scope).map_err(|error| target::failure(error.into()))?;
    if ui.json {
        ui.document(&json!({"schema": 1, "app": app.name, "environment": app.environment,
            "services": services, "resources": resources, "changing": holder}));
        return Ok(Exit::Done);
    }
    if let Some(holder) = holder {
        ui.note(&format!("being changed by {holder}"));
    }
    if services.is_empty() {
        ui.out(&format!("no service of {} is deployed", site.scope));
        ui.hint("deploy with `landfall up`");
    }
    services.iter().for_each(|service| print_service(service, ui));
    print_resources(&resources, ui);
    Ok(Exit::Done)
}

fn print_service(service: &Service, ui: &Ui) {
    let state = if service.state == "Succeeded" { String::new() } else { format!("  ({})", service.state) };
    let urls = match service.urls.is_empty() {
        true => "takes no requests from outside".to_owned(),
        false => service.urls.join("  "),
    };
    ui.out(&format!("{}  {urls}{state}", ui.bold(&service.name)));
    for revision in &service.revisions {
        let label = revision.label.as_deref().map(|label| format!("  [{label}]")).unwrap_or_default();
        let replicas = crate::ui::count(usize::try_from(revision.replicas).unwrap_or(usize::MAX), "replica");
        ui.out(&format!(
            "  {}  {:>3} %  {replicas}  {}  {}{label}",
            revision.name, revision.weight, revision.health, revision.state
        ));
        ui.out(&format!("    {}", revision.image));
    }
}

fn print_resources(resources: &[Resource], ui: &Ui) {
    if resources.iter().all(|resource| resource.state == "absent") {
        return;
    }
    ui.out("");
    let address = resources.iter().map(|resource| resource.address.as_str().len()).max().unwrap_or(0);
    let name = resources.iter().map(|resource| resource.name.len()).max().unwrap_or(0);
    for resource in resources {
        ui.out(&format!(
            "  {:<address$}  {:<name$}  {}",
            resource.address.as_str(),
            resource.name,
            resource.state
        ));
    }
}
