//! `landfall local …`: local Azure.

use std::path::PathBuf;

use landfall_local::control::{self, Launch, Stopped};
use serde_json::json;

use crate::cli::{Global, LocalCommand, LocalRunArgs, LocalStartArgs};
use crate::failure::{Exit, Failure};
use crate::project::{MANIFEST, start_folder};
use crate::target::{local_failure, start_local};
use crate::ui::Ui;

/// Starts, stops or asks the local Azure of a folder: that of the manifest above, or the working folder.
pub async fn run(global: &Global, command: &LocalCommand, ui: &Ui) -> Result<Exit, Failure> {
    match command {
        LocalCommand::Run(args) => serve(args).await,
        LocalCommand::Start(args) => start(global, args, ui).await,
        LocalCommand::Stop => stop(global, ui).await,
        LocalCommand::Status => status(global, ui).await,
        LocalCommand::Env => env(global, ui).await,
        LocalCommand::Coverage => coverage(ui),
    }
}

fn folder(global: &Global) -> Result<PathBuf, Failure> {
    let start = start_folder(global, None)?;
    let project = start.ancestors().find(|folder| folder.join(MANIFEST).is_file());
    Ok(project.map(std::path::Path::to_owned).unwrap_or(start))
}

fn launch(args: &LocalStartArgs) -> Launch {
    Launch {
        memory: args.memory,
        seed: args.seed,
        speed: args.speed,
        port: args.port,
        faults: args.faults.clone(),
        types: args.types.clone(),
    }
}

async fn serve(args: &LocalRunArgs) -> Result<Exit, Failure> {
    let options = control::run_options(args.state.clone(), launch(&args.start));
    control::run(options).await.map_err(local_failure)?;
    Ok(Exit::Done)
}

async fn start(global: &Global, args: &LocalStartArgs, ui: &Ui) -> Result<Exit, Failure> {
    let folder = folder(global)?;
    let before = control::status(&folder).await.map_err(local_failure)?;
    let status = start_local(&folder, &launch(args), ui).await?;
    if ui.json {
        ui.document(&document(&status));
    } else if before.is_some() {
        ui.out(&format!("local Azure is already running at {} (process {})", arm(&status), status.pid));
    } else {
        ui.out(&format!("local Azure is running at {}", arm(&status)));
    }
    if before.is_some() && !args.is_empty() {
        ui.warning("it was started before and stays as it is: the options given here have no effect");
        ui.hint("stop it first with `landfall local stop`");
    }
    Ok(Exit::Done)
}

async fn stop(global: &Global, ui: &Ui) -> Result<Exit, Failure> {
    let folder = folder(global)?;
    // One that does not answer has to be stopped all the same.
    let before = control::status(&folder).await.unwrap_or_default();
    let state = match before.is_some_and(|status| status.state == "memory") {
        true => "its state was in memory and is gone",
        false => "its state is kept",
    };
    let stopped = control::stop(&folder).await.map_err(local_failure)?;
    let (word, text) = match stopped {
        Stopped::Gracefully => ("stopped", format!("local Azure has stopped; {state}")),
        Stopped::Killed => ("killed", format!("local Azure did not end in time and was killed; {state}")),
        Stopped::NotRunning => ("notRunning", "local Azure was not running".to_owned()),
    };
    if ui.json {
        ui.document(&json!({"schema": 1, "stopped": word}));
    } else {
        ui.out(&text);
    }
    Ok(Exit::Done)
}

async fn status(global: &Global, ui: &Ui) -> Result<Exit, Failure> {
    let Some(status) = control::status(&folder(global)?).await.map_err(local_failure)? else {
        if ui.json {
            ui.document(&json!({"schema": 1, "running": false}));
        } else {
            ui.out("local Azure is not running");
            ui.hint("start it with `landfall local start`");
        }
        return Ok(Exit::Failed);
    };
    if ui.json {
        ui.document(&document(&status));
        return Ok(Exit::Done);
    }
    ui.out(&format!("local Azure is running (process {})", status.pid));
    for (plane, url) in &status.urls {
        ui.out(&format!("  {plane:<10} {url}"));
    }
    ui.out(&format!("  {:<10} {}", "seed", status.seed));
    ui.out(&format!("  {:<10} {}", "speed", status.speed));
    ui.out(&format!("  {:<10} {}", "runtime", status.runtime));
    ui.out(&format!("  {:<10} {}", "state", status.state));
    Ok(Exit::Done)
}

async fn env(global: &Global, ui: &Ui) -> Result<Exit, Failure> {
    let pairs = control::env(&folder(global)?).await.map_err(local_failure)?;
    if ui.json {
        let env: serde_json::Map<_, _> =
            pairs.into_iter().map(|(name, value)| (name, json!(value))).collect();
        ui.document(&json!({"schema": 1, "env": env}));
        return Ok(Exit::Done);
    }
    let exports: Vec<String> =
        pairs.iter().map(|(name, value)| format!("export {name}={}", quoted(value))).collect();
    ui.out(&exports.join("\n"));
    Ok(Exit::Done)
}

/// A word that a POSIX shell reads as it stands.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

fn document(status: &control::Status) -> serde_json::Value {
    let mut document = serde_json::to_value(status).expect("a status has string keys");
    document["schema"] = json!(1);
    document["running"] = json!(true);
    document
}

fn arm(status: &control::Status) -> &str {
    status.urls.get("arm").map_or("", String::as_str)
}

#[expect(clippy::unnecessary_wraps, reason = "every command has this shape")]
fn coverage(ui: &Ui) -> Result<Exit, Failure> {
    let rows = landfall_local::coverage();
    if ui.json {
        let types: Vec<_> = rows.iter().map(|(name, depth)| json!({"type": name, "depth": depth})).collect();
        ui.document(&json!({"schema": 1, "types": types}));
        return Ok(Exit::Done);
    }
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, depth) in &rows {
        ui.out(&format!("{name:<width$}  {depth}"));
    }
    ui.out(&format!("{:<width$}  plain life cycle: stored and returned", "any other type"));
    Ok(Exit::Done)
}
