//! `landfall resume`: goes on with a run that was interrupted.

use serde_json::json;

use crate::cli::{Global, ResumeArgs};
use crate::commands::support::{self, Run};
use crate::failure::{Exit, Failure};
use crate::project::Project;
use crate::target;
use crate::ui::Ui;
use landfall_engine::Outcome;

/// Goes on from the journal, with the plan as it was.
pub async fn run(global: &Global, args: &ResumeArgs, ui: &Ui) -> Result<Exit, Failure> {
    let project = Project::find(global, args.dir.as_deref())?;
    let app = project.app(global, ui)?;
    let site = target::site(global, &project, &app, ui).await?;
    let lease = site.lease("landfall resume", args.patience.wait).await.map_err(target::failure)?;
    let Some(unfinished) = site.unfinished().map_err(target::failure)? else {
        if ui.json {
            ui.document(
                &json!({"event": "result", "schema": 1, "outcome": "unchanged", "run": null, "urls": []}),
            );
        } else {
            ui.out("no run was interrupted: there is nothing to go on with");
        }
        return Ok(Exit::Done);
    };
    ui.note(&format!("going on with the run {} ({})", unfinished.id, unfinished.title));
    let run = Run::start(ui);
    let report = site.go_on(&lease, &unfinished.id, run.watch()).await.map_err(target::failure);
    run.finish().await;
    let report = report?;
    let outcome = report.outcome().unwrap_or(Outcome::Failed);
    let urls = match outcome {
        Outcome::Done => {
            let blueprint = support::blueprint(&project, &app, &site.target.subscription)?;
            support::urls(&site, &blueprint).await?
        }
        Outcome::Failed | Outcome::Cancelled | Outcome::Abandoned => Vec::new(),
    };
    support::result(outcome, &report, &urls, ui)
}
