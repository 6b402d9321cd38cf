//! `landfall runs`: past runs, and one of them in detail.

use landfall_engine::{Journal, OperationReport, RunId, RunState, RunSummary};
use serde_json::json;

use crate::cli::{Global, RunsCommand};
use crate::failure::{Exit, Failure};
use crate::progress::spent;
use crate::project::Project;
use crate::target;
use crate::ui::Ui;

/// Lists the runs of the environment, or shows one.
pub fn run(global: &Global, command: Option<&RunsCommand>, ui: &Ui) -> Result<Exit, Failure> {
    let project = Project::find(global, None)?;
    let app = project.app(global, ui)?;
    let scope = format!("{}/{}", app.name, app.environment);
    let path = project.hidden().join(if global.local { "journal-local.db" } else { "journal.db" });
    let failed = |error: landfall_engine::JournalError| target::failure(error.into());
    let journal = Journal::open(&path).map_err(failed)?;
    let runs = journal.runs(Some(&scope)).map_err(failed)?;
    match command {
        None => list(&runs, ui),
        Some(RunsCommand::Show { id }) => {
            let id = match (id, runs.first()) {
                (Some(id), _) => RunId::new(id.clone()),
                (None, Some(last)) => last.id.clone(),
                (None, None) => {
                    return Err(Failure::failed(format!("there was no run of {scope} yet"))
                        .help("`landfall up` makes the first"));
                }
            };
            if !runs.iter().any(|run| run.id == id) {
                return Err(Failure::failed(format!("there is no run `{id}` of {scope}"))
                    .help("`landfall runs` lists those there are"));
            }
            let report = journal.report(&id).map_err(failed)?;
            if ui.json {
                let mut document = serde_json::to_value(&report).expect("a report has string keys");
                document["schema"] = json!(1);
                for operation in document["operations"].as_array_mut().into_iter().flatten() {
                    // In seconds, beside the exact milliseconds.
                    for name in ["waited", "worked"] {
                        let seconds = operation[format!("{name}Ms")].as_f64().unwrap_or(0.0) / 1000.0;
                        operation[name] = json!(seconds);
                    }
                }
                ui.document(&document);
                return Ok(Exit::Done);
            }
            ui.out(&line(&report.summary));
            ui.out(&format!(
                "took {}: {} at work, {} between tries, {} waiting for a free place",
                spent(report.took),
                spent(report.bound.work),
                spent(report.bound.retries),
                spent(report.bound.queue)
            ));
            report.operations.iter().for_each(|operation| ui.out(&operation_line(operation)));
            for (operation, failure) in report.failures() {
                ui.out(&format!("\n{} {}: {}", operation.kind, operation.address, failure.message));
            }
        }
    }
    Ok(Exit::Done)
}

fn list(runs: &[RunSummary], ui: &Ui) {
    if ui.json {
        ui.document(&json!({"schema": 1, "runs": runs}));
        return;
    }
    if runs.is_empty() {
        ui.out("there was no run yet");
    }
    runs.iter().for_each(|run| ui.out(&line(run)));
}

fn line(run: &RunSummary) -> String {
    let state = match &run.state {
        RunState::Running { holder } => format!("running, by {holder}"),
        RunState::Interrupted => "interrupted: go on with `landfall resume`".to_owned(),
        RunState::Ended { outcome, .. } => outcome.to_string(),
    };
    format!(
        "{}  {}  {}  {} of {} done  {state}",
        run.id,
        run.created.strftime("%Y-%m-%d %H:%M:%S"),
        run.title,
        run.done,
        run.operations
    )
}

fn operation_line(operation: &OperationReport) -> String {
    let OperationReport { address, kind, waited, worked, retries, critical, status, .. } = operation;
    let mark = if *critical { "*" } else { " " };
    let again = if *retries > 0 { format!(", tried {retries} times more") } else { String::new() };
    format!(
        " {mark} {kind:<9} {address:<34} {:<10} waited {:>7}  worked {:>7}{again}",
        format!("{status:?}").to_lowercase(),
        spent(*waited),
        spent(*worked)
    )
}
