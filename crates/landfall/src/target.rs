//! Azure or local Azure, and who we are there.

use std::path::Path;

use landfall_azure::{Cloud, Login};
use landfall_deploy::{Site, Target};
use landfall_local::control::{self, Launch, Started};
use landfall_manifest::App;
use secrecy::SecretString;

use crate::cli::Global;
use crate::failure::{Exit, Failure};
use crate::project::Project;
use crate::ui::Ui;

/// The site of a project: its target, and the journal of what was done there.
pub async fn site(global: &Global, project: &Project, app: &App, ui: &Ui) -> Result<Site, Failure> {
    let target = if global.local { local(&project.folder, ui).await? } else { azure(app).await? };
    let hidden = project.hidden();
    // Local Azure and Azure are two worlds: what was done in one says nothing about the other.
    let journal = hidden.join(if global.local { "journal-local.db" } else { "journal.db" });
    Site::open(target, &app.name, &app.environment, &journal, hidden.join("build")).map_err(failure)
}

/// Azure, signed in to as the environment allows.
async fn azure(app: &App) -> Result<Target, Failure> {
    let wanted = app
        .subscription
        .clone()
        .or_else(|| std::env::var("AZURE_SUBSCRIPTION_ID").ok().filter(|id| !id.is_empty()));
    Target::connect(Cloud::public(), Login::Auto, wanted.as_deref(), 1.0).await.map_err(failure)
}

/// The local Azure of a folder, started where it is not running.
async fn local(folder: &Path, ui: &Ui) -> Result<Target, Failure> {
    let status = start_local(folder, &Launch::default(), ui).await?;
    let env = |name: &str| -> Result<String, Failure> {
        status
            .env
            .get(name)
            .cloned()
            .ok_or_else(|| Failure::failed(format!("local Azure does not say its {name}")).help(RESTART))
    };
    let mut cloud = Cloud::custom("local Azure", &env("ARM_URL")?, &env("AUTH_URL")?).map_err(|error| {
        Failure::failed("local Azure gives an address that cannot be used").because(error)
    })?;
    cloud.keyvault_suffix = env("KEYVAULT_SUFFIX")?;
    cloud.acr_suffix = env("ACR_SUFFIX")?;
    cloud.blob_suffix = env("BLOB_SUFFIX")?;
    cloud.ca = Some(env("CA_FILE")?.into());
    cloud.unreachable =
        Some("is it still running? `landfall local status` tells, `landfall local start` starts it".into());
    let login = Login::Secret {
        tenant: env("TENANT_ID")?,
        client: env("CLIENT_ID")?,
        secret: SecretString::from(env("CLIENT_SECRET")?),
    };
    Target::connect(cloud, login, Some(&env("SUBSCRIPTION_ID")?), status.speed).await.map_err(failure)
}

const RESTART: &str = "stop it with `landfall local stop`; the next command starts it anew";

/// Starts the local Azure of `folder`, or finds it running.
pub async fn start_local(folder: &Path, launch: &Launch, ui: &Ui) -> Result<control::Status, Failure> {
    let exe = std::env::current_exe()
        .map_err(|error| Failure::failed("cannot find this program's own file").because(error))?;
    let started = control::start(folder, &exe, launch).await.map_err(local_failure)?;
    if let Started::Now(status) = &started {
        ui.note(&format!(
            "started local Azure at {} (process {}, {})",
            status.urls.get("arm").map_or("", String::as_str),
            status.pid,
            status.runtime
        ));
    }
    Ok(started.status().clone())
}

/// What local Azure says, with what to do next.
pub fn local_failure(error: landfall_local::Error) -> Failure {
    let help = error.help();
    let mut failure = Failure::failed(error.to_string());
    if let Some(source) = std::error::Error::source(&error) {
        failure.causes.push(source.to_string());
    }
    failure.help = help;
    failure
}

/// What deploying says, with the exit code it asks for.
pub fn failure(error: landfall_deploy::Error) -> Failure {
    let exit = match &error {
        landfall_deploy::Error::Lease(landfall_engine::LeaseError::Held { .. }) => Exit::Refused,
        _ => Exit::Failed,
    };
    let help = error.help();
    let mut failure = Failure::new(exit, error.to_string());
    if let Some(source) = std::error::Error::source(&error) {
        failure = failure.because(source);
    }
    failure.help = help;
    failure
}
