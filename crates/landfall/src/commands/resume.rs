//! `landfall resume`: goes on with a run that was interrupted.

use serde_json::json;

use crate::cli::{ConsentArgs, Global, ResumeArgs, UpArgs};
use crate::commands::support::{self, Run};
use crate::commands::up;
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
    let up =
        UpArgs { dir: args.dir.clone(), consent: ConsentArgs::default(), patience: args.patience.clone() };
    let Some(unfinished) = site.unfinished().map_err(target::failure)? else {
        if site.intended().map_err(target::failure)? {
            // An `up` was interrupted before its run began.
            drop(lease);
            ui.note("an `up` was interrupted before it began; planning anew");
            return up::run(global, &up, ui).await;
        }
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
    let watch = run.watch();
    let report = site.go_on(&lease, &unfinished.id, watch.clone()).await.map_err(target::failure);
    let asked_to_stop = watch.cancel.is_cancelled();
    drop(watch);
    run.finish().await;
    let report = report?;
    let outcome = report.outcome().unwrap_or(Outcome::Failed);
    if outcome == Outcome::Cancelled && !asked_to_stop && unfinished.title.starts_with("up") {
        // An `up` was winding it down, to plan anew, when it was interrupted itself: that is what is gone on with.
        drop(lease);
        ui.note("that run had been wound down for a new plan; planning anew");
        let up = UpArgs {
            dir: args.dir.clone(),
            consent: ConsentArgs::default(),
            patience: args.patience.clone(),
        };
        return up::run(global, &up, ui).await;
    }
    let urls = match outcome {
        Outcome::Done => {
            let blueprint = support::blueprint(&project, &app, &site.target.subscription)?;
            support::urls(&site, &blueprint).await?
        }
        Outcome::Failed | Outcome::Cancelled | Outcome::Abandoned => Vec::new(),
    };
    support::result(outcome, &report, &urls, ui)
}
