//! `landfall plan`: the difference between the manifest and what is live.

use landfall_deploy::Survey;
use landfall_plan::Plan;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cli::{Global, PlanArgs};
use crate::commands::{support, up};
use crate::failure::{Exit, Failure};
use crate::project::Project;
use crate::target;
use crate::ui::Ui;

/// The kind of a saved plan.
pub const SAVED: &str = "landfall plan";

/// A plan that `landfall apply` carries out, with what it must know of where it came from.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    /// [`SAVED`]: says what the file is. It comes first, since the builder knows saved plans by it and leaves them
    /// out of the source they may lie in.
    pub kind: String,
    /// The version of this form: 1.
    pub schema: u32,
    /// The manifest's folder.
    pub folder: std::path::PathBuf,
    /// Whether it is for local Azure.
    pub local: bool,
    /// The tags of the sources it was made with, by service.
    pub sources: std::collections::BTreeMap<String, String>,
    /// The plan.
    pub plan: Plan,
}

/// Plans and prints.
pub async fn run(global: &Global, args: &PlanArgs, ui: &Ui) -> Result<Exit, Failure> {
    let project = Project::find(global, args.dir.as_deref())?;
    let app = project.app(global, ui)?;
    let builds = support::builds(&project, &app).await?;
    let site = target::site(global, &project, &app, ui).await?;
    let blueprint = support::blueprint(&project, &app, &site.target.subscription)?;
    let consent = support::consent(&args.consent)?;
    let survey = site.survey(blueprint, builds, &consent.adopt).await.map_err(target::failure)?;
    if ui.json {
        let mut document = support::document(&survey.plan);
        document["notDeployed"] = json!(survey.blueprint.not_deployed);
        document["questions"] = landfall_deploy::consent::questions(&survey.plan, &consent)
            .iter()
            .map(|question| json!({"says": support::describe(question), "flag": support::flag(question)}))
            .collect();
        ui.document(&document);
    } else {
        // The plan is what was asked for, also with `--quiet`.
        match survey.plan.is_empty() {
            true => ui.out("nothing to change"),
            false => up::show(&survey, &Ui { quiet: false, ..ui.clone() }),
        }
        up::left_out(&survey.blueprint, ui);
        if let Some((why, help)) = support::second_copy(&survey) {
            ui.warning(&why);
            ui.hint(help);
        }
        for question in landfall_deploy::consent::questions(&survey.plan, &consent) {
            ui.warning(&support::describe(&question));
            ui.hint(&format!("`landfall up` will ask; decide beforehand with {}", support::flag(&question)));
        }
    }
    if let Some(path) = &args.out {
        save(global, &project, &survey, path)?;
        ui.note(&format!("saved; carry it out with `landfall apply {}`", path.display()));
    }
    Ok(match args.detailed_exitcode && !survey.plan.is_empty() {
        // As Terraform's: 2 means that there is something to change.
        true => Exit::Usage,
        false => Exit::Done,
    })
}

fn save(global: &Global, project: &Project, survey: &Survey, path: &std::path::Path) -> Result<(), Failure> {
    let saved = Saved {
        kind: SAVED.to_owned(),
        schema: 1,
        folder: project.folder.clone(),
        local: global.local,
        sources: survey.builds.iter().map(|(service, build)| (service.clone(), build.tag.clone())).collect(),
        plan: survey.plan.clone(),
    };
    let text = serde_json::to_vec_pretty(&saved).expect("a plan has string keys");
    std::fs::write(path, text)
        .map_err(|error| Failure::failed(format!("cannot write {}", path.display())).because(error))
}
