//! `landfall destroy`: everything the manifest made, taken away again.

use landfall_deploy::Question;
use landfall_deploy::destroy::{self, Ruin};
use landfall_engine::Outcome;
use serde_json::json;

use crate::cli::{DestroyArgs, Global};
use crate::commands::support::{self, Run};
use crate::commands::up;
use crate::failure::{Exit, Failure};
use crate::project::Project;
use crate::target;
use crate::ui::{Ui, count};

/// Asks and deletes.
pub async fn run(global: &Global, args: &DestroyArgs, ui: &Ui) -> Result<Exit, Failure> {
    let project = Project::find(global, args.dir.as_deref())?;
    let app = project.app(global, ui)?;
    let site = target::site(global, &project, &app, ui).await?;
    let blueprint = support::blueprint(&project, &app, &site.target.subscription)?;
    let lease = site.lease("landfall destroy", args.patience.wait).await.map_err(target::failure)?;
    up::settle(&site, &lease, ui).await?;
    let ruin = destroy::read(&site.target, &blueprint).await.map_err(target::failure)?;
    if ruin.is_empty() {
        if ui.json {
            ui.document(
                &json!({"event": "result", "schema": 1, "outcome": "unchanged", "run": null, "urls": []}),
            );
        } else {
            ui.out(&format!("nothing of {} is there to destroy", site.scope));
        }
        return Ok(Exit::Done);
    }
    show(&ruin, args.purge, &site.scope, ui);
    consent(&ruin, args, ui)?;
    if !ui.confirm(&format!("Delete {}?", count(total(&ruin), "resource")))? {
        return Err(Failure::refused("nothing was deleted: the answer was no"));
    }
    let graph = destroy::graph(&ruin, args.purge)
        .map_err(|error| Failure::failed("the resources make no sound graph").because(error))?;
    let run = Run::start(ui);
    let report = site
        .run(&lease, "destroy", &serde_json::Value::Null, &graph, run.watch())
        .await
        .map_err(target::failure);
    run.finish().await;
    let report = report?;
    let outcome = report.outcome().unwrap_or(Outcome::Failed);
    let exit = support::result(outcome, &report, &[], ui)?;
    if outcome == Outcome::Done && !args.purge && !ui.json {
        for vault in ruin.vaults() {
            ui.note(&format!(
                "the vault's name `{}` stays taken until its soft delete ends; `landfall up` can recover or purge it",
                vault.name
            ));
        }
    }
    Ok(exit)
}

fn total(ruin: &Ruin) -> usize {
    ruin.resources.len() + usize::from(ruin.group.is_some() && ruin.foreign.is_empty())
}

fn show(ruin: &Ruin, purge: bool, scope: &str, ui: &Ui) {
    if ui.json {
        let resources: Vec<_> = ruin
            .resources
            .iter()
            .map(|doomed| {
                json!({"address": doomed.address, "type": doomed.resource_type, "name": doomed.name,
                    "id": doomed.id, "action": "delete"})
            })
            .chain(ruin.group.iter().filter(|_| ruin.foreign.is_empty()).map(|(address, id, _)| {
                json!({"address": address, "type": "Microsoft.Resources/resourceGroups",
                    "name": id.rsplit('/').next(), "id": id, "action": "delete"})
            }))
            .collect();
        ui.document(&json!({"event": "planned", "schema": 1, "changes": resources, "foreign": ruin.foreign,
            "purge": purge}));
        return;
    }
    if ui.quiet {
        return;
    }
    ui.out(&format!("{} would lose:", ui.bold(scope)));
    for doomed in &ruin.resources {
        ui.out(&format!("  - {:<32} {}", doomed.address, doomed.name));
    }
    match (&ruin.group, ruin.foreign.is_empty()) {
        (Some((address, id, _)), true) => {
            ui.out(&format!("  - {:<32} {}", address.as_str(), id.rsplit('/').next().unwrap_or_default()));
        }
        (_, false) => {
            ui.out(&format!(
                "the resource group stays, for {} in it that this application did not make:",
                count(ruin.foreign.len(), "resource")
            ));
            for id in &ruin.foreign {
                ui.out(&format!("    {}", id.rsplit('/').next().unwrap_or_default()));
            }
        }
        (None, true) => {}
    }
}

/// Data is let go of by name only.
fn consent(ruin: &Ruin, args: &DestroyArgs, ui: &Ui) -> Result<(), Failure> {
    let given = landfall_deploy::Consent {
        data_loss: args.allow_data_loss.iter().cloned().collect(),
        ..landfall_deploy::Consent::default()
    };
    let how = |purge: bool| if purge { "purge" } else { "delete" };
    let open: Vec<Question> = ruin
        .losses(args.purge)
        .into_iter()
        .filter(|doomed| !given.allows_loss(&doomed.address, &doomed.name))
        .map(|doomed| Question::DataLoss {
            address: doomed.address.clone(),
            name: doomed.name.clone(),
            how: how(doomed.resource_type == "Microsoft.KeyVault/vaults"),
        })
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    if !ui.interactive {
        let mut failure =
            Failure::refused("data would be lost, which only you can decide; nothing was deleted");
        failure.causes = open.iter().map(support::describe).collect();
        let flags: Vec<String> = open.iter().map(support::flag).collect();
        return Err(failure.help(format!("decide beforehand: {}", flags.join(" "))));
    }
    for question in &open {
        ui.note(&support::describe(question));
        if let Question::DataLoss { name, .. } = question {
            let answer = ui.ask(&format!("Type `{name}` to let go of what it holds: "))?;
            if answer.trim() != name {
                return Err(Failure::refused("nothing was deleted: the name was not typed"));
            }
        }
    }
    Ok(())
}
