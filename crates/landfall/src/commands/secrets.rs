//! `landfall secrets`: values into the vault, names out of it.

use std::io::Read as _;

use landfall_deploy::{Site, secrets};
use landfall_manifest::App;
use secrecy::SecretString;
use serde_json::json;

use crate::cli::{Global, SecretsCommand};
use crate::commands::support::{self, Run};
use crate::commands::up;
use crate::failure::{Exit, Failure};
use crate::project::Project;
use crate::target;
use crate::ui::Ui;

/// The largest value that Key Vault takes (learn: key-vault/secrets/about-secrets).
const VALUE_MAX: usize = 25 * 1024;

/// Sets or lists.
pub async fn run(global: &Global, command: &SecretsCommand, ui: &Ui) -> Result<Exit, Failure> {
    let project = Project::find(global, None)?;
    let app = project.app(global, ui)?;
    match command {
        SecretsCommand::Set { name, no_release, patience } => {
            set(global, &project, &app, name, *no_release, patience.wait, ui).await
        }
        SecretsCommand::List => list(global, &project, &app, ui).await,
    }
}

async fn set(
    global: &Global,
    project: &Project,
    app: &App,
    name: &str,
    no_release: bool,
    wait: std::time::Duration,
    ui: &Ui,
) -> Result<Exit, Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.is_empty() || name.len() > 127 || !name.chars().all(plain) {
        return Err(Failure::usage(format!("`{name}` is no name of a secret"))
            .help("Key Vault takes 1 to 127 letters, digits and hyphens"));
    }
    let users: Vec<&str> = app
        .services
        .iter()
        .filter(|(_, service)| service.secret_names().any(|secret| secret == name))
        .map(|(service, _)| service.as_str())
        .collect();
    let value = read_value(name, ui)?;
    let site = target::site(global, project, app, ui).await?;
    let blueprint = support::blueprint(project, app, &site.target.subscription)?;
    let lease = site.lease("landfall secrets set", wait).await.map_err(target::failure)?;
    up::settle(&site, &lease, &ui.for_one_document()).await?;
    let vault = blueprint
        .vault()
        .cloned()
        .ok_or_else(|| Failure::failed("this application has no vault: it has no service"))?;

    // A secret can be set before the first deployment: then the vault is made for it.
    let mut survey = site
        .survey(blueprint.clone(), std::collections::BTreeMap::new(), &Default::default())
        .await
        .map_err(target::failure)?;
    support::refuse_second_copy(&survey)?;
    survey.restrict(std::slice::from_ref(&vault.address));
    if !survey.live.resources.contains_key(&vault.address) {
        let mut consent = landfall_deploy::Consent::default();
        up::ask(&survey, &mut consent, ui)?;
        carry_out(&site, &lease, "secrets set", &survey, &consent, ui).await?;
    }

    let set = secrets::set(&site.target, &vault, name, &value).await.map_err(target::failure)?;
    if !ui.json {
        ui.out(&format!("{name} is set (version {})", set.version.version));
        if set.granted {
            ui.note(&format!("you now have the role Key Vault Secrets Officer on {}", vault.name));
        }
    }
    let run = match (users.is_empty(), no_release) {
        (true, _) => {
            ui.note("no service uses it yet; name it under `secrets` of one");
            None
        }
        (false, true) => None,
        (false, false) => release(&site, &lease, project, app, blueprint, name, ui).await?,
    };
    if ui.json {
        ui.document(&json!({"schema": 1, "name": name, "version": set.version.version, "services": users,
            "run": run}));
    }
    Ok(Exit::Done)
}

/// What names a secret: a container app, a job, the settings of an application and of its slots.
fn readers(blueprint: &landfall_blueprint::Blueprint, name: &str) -> Vec<landfall_blueprint::Address> {
    fn names(body: &landfall_blueprint::Body, secret: &str) -> bool {
        let mut found = Vec::new();
        body.expressions(&mut found);
        found.into_iter().any(|expression| match expression {
            landfall_blueprint::Expression::SecretUri { secret: named, .. } => named == secret,
            landfall_blueprint::Expression::Concat { of } => of.iter().any(|piece| names(piece, secret)),
            _ => false,
        })
    }
    let reads = blueprint.resources.iter().filter(|resource| names(&resource.body, name));
    reads.map(|resource| resource.address.clone()).collect()
}

/// Brings the new version to the deployed services that use it: a new revision of each, with the image it has.
/// Returns the run that did it, when there was anything to do.
async fn release(
    site: &Site,
    lease: &landfall_engine::Lease,
    project: &Project,
    app: &App,
    blueprint: landfall_blueprint::Blueprint,
    name: &str,
    ui: &Ui,
) -> Result<Option<String>, Failure> {
    let builds = support::builds(project, app).await?;
    let mut survey = site.survey(blueprint, builds, &Default::default()).await.map_err(target::failure)?;
    let deployed: Vec<_> = readers(&survey.blueprint, name)
        .into_iter()
        .filter(|address| survey.live.resources.contains_key(address))
        .collect();
    if deployed.is_empty() {
        ui.note("the services that use it are not deployed yet; `landfall up` brings it to them");
        return Ok(None);
    }
    survey.restrict(&deployed);
    if !survey.plan.missing_secrets.is_empty() {
        let names: Vec<&str> =
            survey.plan.missing_secrets.iter().map(|missing| missing.secret.as_str()).collect();
        ui.note(&format!("not released yet: {} has no value either", names.join(", ")));
        return Ok(None);
    }
    if survey.plan.is_empty() {
        return Ok(None);
    }
    carry_out(site, lease, "secrets set", &survey, &landfall_deploy::Consent::default(), ui).await.map(Some)
}

async fn carry_out(
    site: &Site,
    lease: &landfall_engine::Lease,
    title: &str,
    survey: &landfall_deploy::Survey,
    consent: &landfall_deploy::Consent,
    ui: &Ui,
) -> Result<String, Failure> {
    let preflight = landfall_deploy::preflight::preflight(&site.target, survey, consent)
        .await
        .map_err(target::failure)?;
    support::refuse_obstacles(&preflight)?;
    let run = Run::start(&ui.for_one_document());
    let report =
        site.apply(lease, title, survey, &preflight, consent, run.watch()).await.map_err(target::failure);
    run.finish().await;
    let report = report?;
    match report.outcome() {
        Some(landfall_engine::Outcome::Done) => Ok(report.summary.id.to_string()),
        outcome => Err(support::unsuccessful(outcome.unwrap_or(landfall_engine::Outcome::Failed), &report)),
    }
}

/// The value from standard input: without echo on a terminal, else all of it less one last line end.
fn read_value(name: &str, ui: &Ui) -> Result<SecretString, Failure> {
    let text = if ui.interactive {
        rpassword::prompt_password(format!("Value of {name}: ")).map_err(|error| match error.kind() {
            std::io::ErrorKind::Interrupted => {
                Failure::new(Exit::Interrupted, "interrupted; nothing was set")
            }
            _ => Failure::failed("cannot read the value").because(error),
        })?
    } else {
        piped_value()?
    };
    if text.is_empty() {
        return Err(Failure::usage("the value is empty")
            .help(format!("give it on standard input: `landfall secrets set {name} < FILE`")));
    }
    if text.len() > VALUE_MAX {
        return Err(Failure::usage(format!("the value is longer than Key Vault's {VALUE_MAX} bytes")));
    }
    Ok(SecretString::from(text))
}

/// All of standard input, less one line end, which editors and `echo` put there.
fn piped_value() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(VALUE_MAX as u64 + 2)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::failed("cannot read the value from standard input").because(error))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::usage("the value on standard input is not UTF-8 text"))?;
    let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    Ok(line.map_or(text.clone(), str::to_owned))
}

async fn list(global: &Global, project: &Project, app: &App, ui: &Ui) -> Result<Exit, Failure> {
    let site = target::site(global, project, app, ui).await?;
    let blueprint = support::blueprint(project, app, &site.target.subscription)?;
    let vault = blueprint.vault().ok_or_else(|| Failure::failed("this application has no vault"))?;
    let there = site
        .target
        .arm
        .get(&vault.id(), vault.api_version)
        .await
        .map_err(|error| Failure::failed("cannot read the vault").because(error))?;
    let secrets = match there {
        Some(_) => secrets::list(&site.target, vault).await.map_err(target::failure)?,
        None => Vec::new(),
    };
    if ui.json {
        let rows: Vec<_> = secrets
            .iter()
            .map(|secret| {
                json!({"name": secret.name, "version": secret.version, "enabled": secret.enabled,
                "created": secret.created, "updated": secret.updated, "expires": secret.expires})
            })
            .collect();
        ui.document(&json!({"schema": 1, "vault": vault.name, "secrets": rows}));
        return Ok(Exit::Done);
    }
    if secrets.is_empty() {
        ui.out(&format!("the vault {} holds no secret", vault.name));
    }
    for secret in &secrets {
        let updated = secret.updated.map(|at| at.to_string()).unwrap_or_default();
        let off = if secret.enabled { "" } else { "  disabled" };
        ui.out(&format!("{}  {}  {updated}{off}", secret.name, secret.version));
    }
    Ok(Exit::Done)
}
