//! What several commands that plan and run have in common.

use std::collections::BTreeMap;

use landfall_blueprint::Blueprint;
use landfall_deploy::preflight::Preflight;
use landfall_deploy::{Build, Consent, Elsewhere, Question, Site, Survey, Watch, status};
use landfall_engine::{Cancel, Event, Outcome, Report};
use landfall_manifest::{App, Diagnostic};
use landfall_plan::Plan;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use crate::cli::ConsentArgs;
use crate::failure::{Exit, Failure};
use crate::interrupt::{self, Claim, Signals};
use crate::progress::{Progress, spent};
use crate::project::Project;
use crate::target;
use crate::ui::Ui;

/// The blueprint of `app` in `subscription`; its problems are shown in the manifest, where they come from.
pub fn blueprint(project: &Project, app: &App, subscription: &str) -> Result<Blueprint, Failure> {
    let app = App { subscription: Some(subscription.to_owned()), ..app.clone() };
    landfall_blueprint::blueprint(&app).map_err(|problems| {
        let diagnostics = problems
            .into_iter()
            .map(|problem| {
                let mut diagnostic = Diagnostic::at(
                    &app,
                    &project.file,
                    &project.text,
                    &problem.path,
                    landfall_manifest::codes::BODY,
                    problem.message,
                );
                // The blueprint's codes are its own.
                diagnostic.code = problem.code;
                match problem.help {
                    Some(help) => diagnostic.help(help),
                    None => diagnostic,
                }
            })
            .collect();
        project.refuse(diagnostics)
    })
}

/// What of `app` is built, each with the tag of its source; a source that is not there is shown in the manifest.
pub async fn builds(project: &Project, app: &App) -> Result<BTreeMap<String, Build>, Failure> {
    let missing: Vec<Diagnostic> = landfall_deploy::source::specs(app, &project.folder)
        .into_iter()
        .filter(|(_, spec)| !spec.dir.exists())
        .map(|(service, spec)| {
            Diagnostic::at(
                app,
                &project.file,
                &project.text,
                &format!("service.{service}.source"),
                landfall_manifest::codes::SOURCE,
                format!("there is no folder {}", spec.dir.display()),
            )
            .help("`source` is a path relative to landfall.toml")
        })
        .collect();
    if !missing.is_empty() {
        return Err(project.refuse(missing));
    }
    landfall_deploy::source::builds(app, &project.folder).await.map_err(target::failure)
}

/// The answers that were given on the command line.
pub fn consent(args: &ConsentArgs) -> Result<Consent, Failure> {
    let adopt = args
        .adopt
        .iter()
        .map(|address| address.parse())
        .collect::<Result<_, landfall_blueprint::NotAnAddress>>()
        .map_err(|error| Failure::usage(error.to_string()))?;
    Ok(Consent {
        data_loss: args.allow_data_loss.iter().cloned().collect(),
        soft_deleted: args.soft_deleted.map(Into::into),
        adopt,
    })
}

/// A question in a sentence.
pub fn describe(question: &Question) -> String {
    match question {
        Question::SoftDeleted(deleted) => {
            let since = deleted.deleted_at.as_deref().map(|at| format!(" since {at}")).unwrap_or_default();
            let until = deleted.purge_at.as_deref().map(|at| format!(" until {at}")).unwrap_or_default();
            let protected = if deleted.purge_protected { " and may not be purged before" } else { "" };
            format!(
                "{}: a vault named `{}` lies deleted{since} and holds the name{until}{protected}",
                deleted.address, deleted.name
            )
        }
        Question::Adopt { address, id } => {
            format!("{address}: {id} exists and does not carry this application's tags")
        }
        Question::DataLoss { address, name, how } => {
            format!("{address}: to {how} `{name}` loses the data it holds")
        }
    }
}

/// The flag that answers a question.
pub fn flag(question: &Question) -> String {
    match question {
        Question::SoftDeleted(deleted) if deleted.purge_protected => "`--soft-deleted recover`".to_owned(),
        Question::SoftDeleted(_) => "`--soft-deleted recover` or `--soft-deleted purge`".to_owned(),
        Question::Adopt { address, .. } => format!("`--adopt {address}`"),
        Question::DataLoss { name, .. } => format!("`--allow-data-loss {name}`"),
    }
}

/// Why a plan would make everything a second time, when it would.
pub fn second_copy(survey: &Survey) -> Option<(String, &'static str)> {
    let there: Vec<String> = survey
        .elsewhere
        .iter()
        .map(|Elsewhere { group, region }| format!("in the resource group {group} ({region})"))
        .collect();
    let Survey { blueprint, .. } = survey;
    (!there.is_empty()).then(|| {
        (
            format!(
                "{} in the environment {} lives {}; another region or naming would not move it, but make a second, empty one beside it",
                blueprint.app,
                blueprint.environment,
                there.join(" and ")
            ),
            "undo the change of `region` or `naming`; or `landfall destroy` with the old ones first; or keep both: give the new one an environment of its own, `[environment.NAME]`",
        )
    })
}

/// Refuses to make a second copy of what lives elsewhere.
pub fn refuse_second_copy(survey: &Survey) -> Result<(), Failure> {
    match second_copy(survey) {
        None => Ok(()),
        Some((why, help)) => Err(Failure::refused(why).help(help)),
    }
}

/// Refuses to go on when something is known to fail.
pub fn refuse_obstacles(preflight: &Preflight) -> Result<(), Failure> {
    if preflight.obstacles.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::failed("this deployment would fail; nothing was changed");
    let mut helps: Vec<&str> = Vec::new();
    for obstacle in &preflight.obstacles {
        failure.causes.push(format!("{}: {}", obstacle.subject, obstacle.message));
        if let Some(help) = obstacle.help.as_deref().filter(|help| !helps.contains(help)) {
            helps.push(help);
        }
    }
    let help = helps.join("; ");
    Err(if help.is_empty() { failure } else { failure.help(help) })
}

/// The document of `landfall plan --json`.
pub fn document(plan: &Plan) -> Value {
    let mut document = serde_json::to_value(plan).expect("a plan has string keys");
    if let Some(changes) = document["changes"].as_array_mut() {
        for change in changes {
            // Bodies are the saved plan's business; programs read the properties that change.
            if let Some(change) = change.as_object_mut() {
                change.remove("body");
            }
        }
    }
    // Rules and prices are not checked by this version; the fields say so by being empty.
    document["findings"] = json!([]);
    document["cost"] = Value::Null;
    document
}

/// The first event of a run: the plan.
pub fn planned(plan: &Plan) -> Value {
    let mut event = json!({"event": "planned"});
    if let (Some(event), Value::Object(document)) = (event.as_object_mut(), document(plan)) {
        event.extend(document);
    }
    event
}

/// A run in progress: drawn, and cancelled by Ctrl-C or SIGTERM.
pub struct Run {
    progress: Progress,
    cancel: Cancel,
    keyboard: JoinHandle<()>,
    _claim: Claim,
}

impl Run {
    /// Begins to draw and to listen for Ctrl-C.
    pub fn start(ui: &Ui) -> Run {
        let cancel = Cancel::new();
        let stop = cancel.clone();
        let claim = Claim::new();
        let progress = Progress::start(ui);
        let (ui, told) = (ui.clone(), progress.teller());
        let keyboard = tokio::spawn(async move {
            let Some(mut signals) = Signals::listen() else { return };
            signals.next().await;
            told.cancelled();
            if !ui.json && !ui.quiet {
                told.tell("cancelling: nothing new starts, what Azure has accepted is followed; again to leave at once");
            }
            stop.cancel();
            signals.next().await;
            told.clear();
            // The journal has every step.
            interrupt::leave(
                &ui,
                Some("`landfall resume` goes on with it, and so does giving the command again"),
            );
        });
        Run { progress, cancel, keyboard, _claim: claim }
    }

    /// Where the engine's events go.
    pub fn events(&self) -> UnboundedSender<Event> {
        self.progress.sender()
    }

    /// How the engine's run is watched and stopped.
    pub fn watch(&self) -> Watch {
        Watch { events: self.events(), cancel: self.cancel.clone() }
    }

    /// Ends drawing and listening.
    pub async fn finish(self) {
        self.keyboard.abort();
        self.progress.finish().await;
    }
}

/// Where the services of `blueprint` are reached: by name, and on local Azure also by plain address.
pub async fn urls(site: &Site, blueprint: &Blueprint) -> Result<Vec<(String, String)>, Failure> {
    let services = status::services(&site.target, blueprint).await.map_err(target::failure)?;
    Ok(services
        .into_iter()
        .flat_map(|service| service.urls.into_iter().map(move |url| (service.name.clone(), url)))
        .collect())
}

/// Nothing had to change.
pub async fn unchanged(site: &Site, survey: &Survey, ui: &Ui) -> Result<Exit, Failure> {
    let urls = urls(site, &survey.blueprint).await?;
    if ui.json {
        let urls: Vec<&String> = urls.iter().map(|(_, url)| url).collect();
        ui.document(
            &json!({"event": "result", "schema": 1, "outcome": "unchanged", "run": null, "urls": urls}),
        );
    } else {
        ui.out("nothing to change");
        print_urls(&urls, ui);
    }
    Ok(Exit::Done)
}

/// Prints how a run ended.
pub fn result(
    outcome: Outcome,
    report: &Report,
    urls: &[(String, String)],
    ui: &Ui,
) -> Result<Exit, Failure> {
    let run = &report.summary.id;
    if ui.json {
        let all: Vec<&String> = urls.iter().map(|(_, url)| url).collect();
        let failures: Vec<Value> = report
            .failures()
            .map(|(operation, failure)| json!({"address": operation.address, "failure": failure}))
            .collect();
        ui.document(&json!({"event": "result", "schema": 1, "outcome": word(outcome), "run": run,
            "urls": all, "failures": failures}));
        return Ok(match outcome {
            Outcome::Done => Exit::Done,
            Outcome::Failed => Exit::Failed,
            Outcome::Cancelled | Outcome::Abandoned => Exit::Interrupted,
        });
    }
    match outcome {
        Outcome::Done => {
            ui.out(&format!("done in {}", spent(report.took)));
            print_urls(urls, ui);
            Ok(Exit::Done)
        }
        outcome => Err(unsuccessful(outcome, report)),
    }
}

/// Why a run did not come to its end, each failed operation with its reason.
pub fn unsuccessful(outcome: Outcome, report: &Report) -> Failure {
    let next = match report.summary.title.as_str() {
        "destroy" => "what is deleted stays deleted; the next `landfall destroy` goes on from there",
        _ => "what was done stays; the next `landfall up` goes on from there",
    };
    let run = &report.summary.id;
    if outcome != Outcome::Failed {
        let mut failure = Failure::new(Exit::Interrupted, format!("the run {run} was cancelled")).help(next);
        failure.run = Some(run.to_string());
        return failure;
    }
    let mut failure = Failure::failed(format!("the run {run} failed"));
    failure.run = Some(run.to_string());
    let mut helps: Vec<&str> = Vec::new();
    for (operation, why) in report.failures() {
        failure.causes.push(format!("{} {}: {}", operation.kind, operation.address, why.message));
        if let Some(help) = why.help.as_deref().filter(|help| !helps.contains(help)) {
            helps.push(help);
        }
    }
    helps.push(next);
    failure.help(helps.join("\n      "))
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Failed => "failed",
        Outcome::Cancelled | Outcome::Abandoned => "cancelled",
    }
}

fn print_urls(urls: &[(String, String)], ui: &Ui) {
    for (service, url) in urls {
        ui.out(&format!("{service}  {}", ui.bold(url)));
    }
}
