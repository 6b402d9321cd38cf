//! `landfall apply PLAN`: a saved plan, carried out if the world has not moved.

use crate::cli::{ApplyArgs, Global};
use crate::commands::plan::{SAVED, Saved};
use crate::commands::support::{self, Run};
use crate::commands::up;
use crate::failure::{Exit, Failure};
use crate::project::Project;
use crate::target;
use crate::ui::Ui;

/// Plans again and refuses when the result is not the saved plan.
pub async fn run(global: &Global, args: &ApplyArgs, ui: &Ui) -> Result<Exit, Failure> {
    let saved = read(&args.plan)?;
    let global = Global {
        directory: Some(saved.folder.clone()),
        env: Some(saved.plan.environment.clone()),
        local: saved.local,
        ..global.clone()
    };
    let project = Project::find(&global, None)?;
    let app = project.app(&global, ui)?;
    let builds = support::builds(&project, &app).await?;
    let site = target::site(&global, &project, &app, ui).await?;
    let blueprint = support::blueprint(&project, &app, &site.target.subscription)?;
    let lease = site.lease("landfall apply", args.patience.wait).await.map_err(target::failure)?;
    up::settle(&site, &lease, ui).await?;
    let mut consent = support::consent(&args.consent)?;
    let survey = site.survey(blueprint, builds, &consent.adopt).await.map_err(target::failure)?;
    let sources_moved =
        survey.builds.iter().any(|(service, build)| saved.sources.get(service) != Some(&build.tag));
    if survey.plan != saved.plan || sources_moved {
        let what = match (sources_moved, survey.plan.basis == saved.plan.basis) {
            (true, _) => "the source has changed since the plan was made",
            (false, false) => "what is live has changed since the plan was made",
            (false, true) => "the manifest has changed since the plan was made",
        };
        return Err(Failure::refused(format!("{what}; nothing was changed"))
            .help(format!("look at the difference: `landfall plan --out {}`", args.plan.display())));
    }
    if survey.plan.is_empty() {
        return support::unchanged(&site, &survey, ui).await;
    }
    support::refuse_second_copy(&survey)?;
    up::ask(&survey, &mut consent, ui)?;
    let preflight = landfall_deploy::preflight::preflight(&site.target, &survey, &consent)
        .await
        .map_err(target::failure)?;
    support::refuse_obstacles(&preflight)?;
    let run = Run::start(ui);
    let report = site
        .apply(&lease, "apply", &survey, &preflight, &consent, run.watch())
        .await
        .map_err(target::failure);
    run.finish().await;
    up::conclude(&site, &survey, &report?, ui).await
}

fn read(path: &std::path::Path) -> Result<Saved, Failure> {
    let text = std::fs::read(path).map_err(|error| {
        Failure::usage(format!("cannot read the plan {}", path.display()))
            .because(error)
            .help("make one with `landfall plan --out FILE`")
    })?;
    let saved: Saved = serde_json::from_slice(&text).map_err(|error| {
        Failure::usage(format!("{} is not a plan that `landfall plan --out` saved", path.display()))
            .because(error)
            .help("make one with `landfall plan --out FILE`")
    })?;
    if saved.kind != SAVED || saved.schema != 1 {
        return Err(Failure::usage(format!(
            "{} was saved by another version of landfall (format {})",
            path.display(),
            saved.schema
        ))
        .help("make it anew with `landfall plan --out`"));
    }
    Ok(saved)
}
