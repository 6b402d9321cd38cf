//! `landfall up`: plan, ask, build, apply, release.

use std::collections::BTreeMap;

use landfall_blueprint::Blueprint;
use landfall_deploy::consent::questions;
use landfall_deploy::preflight::Preflight;
use landfall_deploy::{Build, Consent, Question, Site, SoftDeletedChoice, Survey};
use landfall_engine::{Lease, Outcome, Report};
use landfall_plan::{Detail, Summary};

use crate::cli::{Global, SoftDeleted, UpArgs};
use crate::commands::support::{self, Run};
use crate::failure::{Exit, Failure};
use crate::project::Project;
use crate::target;
use crate::ui::{Ui, count};

/// The main job.
pub async fn run(global: &Global, args: &UpArgs, ui: &Ui) -> Result<Exit, Failure> {
    let project = Project::find(global, args.dir.as_deref())?;
    let app = project.app(global, ui)?;
    // Source that cannot be built is told before anything is started or signed in to.
    let builds = support::builds(&project, &app).await?;
    let site = target::site(global, &project, &app, ui).await?;
    let blueprint = support::blueprint(&project, &app, &site.target.subscription)?;
    let lease = site.lease("landfall up", args.patience.wait).await.map_err(target::failure)?;
    let consent = support::consent(&args.consent)?;
    site.intend(&lease, true).map_err(target::failure)?;
    let outcome = deploy(global, &site, &lease, blueprint, builds, consent, ui).await;
    // Whatever it came to was told; only a crash leaves the intent behind.
    site.intend(&lease, false).map_err(target::failure)?;
    outcome
}

/// Everything after the environment is ours.
async fn deploy(
    global: &Global,
    site: &Site,
    lease: &Lease,
    blueprint: Blueprint,
    builds: BTreeMap<String, Build>,
    mut consent: Consent,
    ui: &Ui,
) -> Result<Exit, Failure> {
    settle(site, lease, ui).await?;
    let mut survey =
        site.survey(blueprint.clone(), builds.clone(), &consent.adopt).await.map_err(target::failure)?;
    show(&survey, ui);
    if survey.plan.is_empty() {
        return support::unchanged(site, &survey, ui).await;
    }
    support::refuse_second_copy(&survey)?;
    ask(&survey, &mut consent, ui)?;
    let mut checked = preflight(site, &survey, &consent).await?;
    if !agreed(&survey, global.local, ui)? {
        return Err(Failure::refused("nothing was changed: the answer was no"));
    }
    if recover_first(site, lease, &survey, &consent, ui).await? {
        survey = site.survey(blueprint, builds, &consent.adopt).await.map_err(target::failure)?;
        checked = preflight(site, &survey, &consent).await?;
    }
    let run = Run::start(ui);
    let report =
        site.apply(lease, "up", &survey, &checked, &consent, run.watch()).await.map_err(target::failure);
    run.finish().await;
    conclude(site, &survey, &report?, ui).await
}

/// Whether the plan may be carried out. What is only made or changed on local Azure costs nothing and loses nothing,
/// so nobody is asked.
fn agreed(survey: &Survey, local: bool, ui: &Ui) -> Result<bool, Failure> {
    let Summary { create, update, replace, delete, adopt, none: _ } = survey.plan.summary();
    if local && replace + delete + adopt == 0 {
        return Ok(true);
    }
    ui.confirm(&format!("Make {}?", count(create + update + replace + delete + adopt, "change")))
}

/// What is known to fail is refused before the first write.
async fn preflight(site: &Site, survey: &Survey, consent: &Consent) -> Result<Preflight, Failure> {
    let found = landfall_deploy::preflight::preflight(&site.target, survey, consent)
        .await
        .map_err(target::failure)?;
    support::refuse_obstacles(&found)?;
    Ok(found)
}

/// Brings deleted vaults back in a run of their own; true when there were any. Which secrets they hold, and so
/// what the services refer to, shows only then.
async fn recover_first(
    site: &Site,
    lease: &Lease,
    survey: &Survey,
    consent: &Consent,
    ui: &Ui,
) -> Result<bool, Failure> {
    if consent.soft_deleted != Some(SoftDeletedChoice::Recover) || survey.plan.soft_deleted.is_empty() {
        return Ok(false);
    }
    let mut first = survey.clone();
    let vaults: Vec<_> = survey.plan.soft_deleted.iter().map(|deleted| deleted.address.clone()).collect();
    first.restrict(&vaults);
    let checked = preflight(site, &first, consent).await?;
    let run = Run::start(ui);
    let report = site
        .apply(lease, "up: recover", &first, &checked, consent, run.watch())
        .await
        .map_err(target::failure);
    run.finish().await;
    let report = report?;
    match report.outcome() {
        Some(Outcome::Done) => Ok(true),
        outcome => Err(support::unsuccessful(outcome.unwrap_or(Outcome::Failed), &report)),
    }
}

/// Ends what an interrupted run had under way, so that the plan sees a world at rest.
pub async fn settle(site: &Site, lease: &Lease, ui: &Ui) -> Result<(), Failure> {
    let Some(unfinished) = site.unfinished().map_err(target::failure)? else { return Ok(()) };
    ui.note(&format!(
        "the run {} was interrupted; following what Azure had accepted, then planning anew",
        unfinished.id
    ));
    let run = Run::start(ui);
    let report = site.settle(lease, &unfinished.id, run.events()).await.map_err(target::failure);
    run.finish().await;
    report.map(|_| ())
}

/// The plan on one screen.
pub fn show(survey: &Survey, ui: &Ui) {
    if ui.json {
        ui.document(&support::planned(&survey.plan));
    } else if !ui.quiet && !survey.plan.is_empty() {
        let detail = if ui.verbose > 0 { Detail::Properties } else { Detail::Resources };
        ui.out(&landfall_plan::render(&survey.plan, detail, ui.color_out));
    }
}

/// Asks what only a person can decide; without a terminal every open question is named with its flag.
pub fn ask(survey: &Survey, consent: &mut Consent, ui: &Ui) -> Result<(), Failure> {
    let open = questions(&survey.plan, consent);
    if open.is_empty() {
        return Ok(());
    }
    if !ui.interactive {
        let mut failure = Failure::refused("this needs a decision that only you can make");
        failure.causes = open.iter().map(support::describe).collect();
        let flags: Vec<String> = open.iter().map(support::flag).collect();
        return Err(failure.help(format!("decide beforehand: {}", flags.join(" "))));
    }
    for question in &open {
        ui.note(&support::describe(question));
        match question {
            Question::SoftDeleted(deleted) => {
                let ways = if deleted.purge_protected { "recover" } else { "recover/purge" };
                let answer = ui.ask(&format!("What should become of it? [{ways}] "))?;
                consent.soft_deleted = match answer.trim() {
                    "recover" => Some(SoftDeletedChoice::Recover),
                    "purge" if !deleted.purge_protected => Some(SoftDeletedChoice::Purge),
                    _ => return Err(Failure::refused("nothing was changed: the name stays taken")),
                };
            }
            Question::Adopt { address, .. } => {
                if !ui.confirm(&format!("Take over {address}?"))? {
                    return Err(Failure::refused("nothing was changed: the resource stays as it is"));
                }
                consent.adopt.insert(address.clone());
            }
            Question::DataLoss { name, .. } => {
                let answer = ui.ask(&format!("Type `{name}` to let go of what it holds: "))?;
                if answer.trim() != name {
                    return Err(Failure::refused("nothing was changed: the name was not typed"));
                }
                consent.data_loss.insert(name.clone());
            }
        }
    }
    Ok(())
}

/// Says of which services something is left to others.
pub fn left_out(blueprint: &Blueprint, ui: &Ui) {
    for (service, what) in &blueprint.not_deployed {
        ui.note(&format!("service {service}: {what}, its resources are made"));
    }
}

/// How the run ended, and where the services are.
pub async fn conclude(site: &Site, survey: &Survey, report: &Report, ui: &Ui) -> Result<Exit, Failure> {
    let outcome = report.outcome().unwrap_or(Outcome::Failed);
    let urls = match outcome {
        Outcome::Done => support::urls(site, &survey.blueprint).await?,
        Outcome::Failed | Outcome::Cancelled | Outcome::Abandoned => Vec::new(),
    };
    if outcome == Outcome::Done {
        left_out(&survey.blueprint, ui);
    }
    support::result(outcome, report, &urls, ui)
}

impl From<SoftDeleted> for SoftDeletedChoice {
    fn from(choice: SoftDeleted) -> SoftDeletedChoice {
        match choice {
            SoftDeleted::Recover => SoftDeletedChoice::Recover,
            SoftDeleted::Purge => SoftDeletedChoice::Purge,
        }
    }
}
