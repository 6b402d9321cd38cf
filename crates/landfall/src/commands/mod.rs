//! One file per command, and the one list that names them.

mod apply;
mod blueprint;
mod build;
mod completions;
mod destroy;
mod detect;
mod explain;
mod init;
mod local;
mod logs;
mod open;
mod plan;
mod resume;
mod runs;
mod schema;
mod secrets;
mod show;
mod status;
mod support;
mod up;

use crate::cli::{Cli, Command};
use crate::failure::{Exit, Failure};
use crate::ui::Ui;

/// Runs the command that was asked for.
pub async fn run(cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let global = &cli.global;
    match &cli.command {
        Command::Init(args) => init::run(global, args, ui),
        Command::Show(args) => show::run(global, args, ui),
        Command::Explain { field } => explain::run(field, ui),
        Command::Schema => schema::run(ui),
        Command::Blueprint(args) => blueprint::run(global, args, ui),
        Command::Detect(args) => detect::run(global, args, ui),
        Command::Build(args) => build::run(global, args, ui),
        Command::Plan(args) => plan::run(global, args, ui).await,
        Command::Apply(args) => apply::run(global, args, ui).await,
        Command::Up(args) => up::run(global, args, ui).await,
        Command::Resume(args) => resume::run(global, args, ui).await,
        Command::Runs { command } => runs::run(global, command.as_ref(), ui),
        Command::Status(args) => status::run(global, args, ui).await,
        Command::Logs(args) => logs::run(global, args, ui).await,
        Command::Open { service, print } => open::run(global, service.as_deref(), *print, ui).await,
        Command::Secrets { command } => secrets::run(global, command, ui).await,
        Command::Destroy(args) => destroy::run(global, args, ui).await,
        Command::Local { command } => local::run(global, command, ui).await,
        Command::Completions { shell } => completions::run(*shell, ui),
        Command::Static { root, spa } => build::serve_static(root, *spa).await,
    }
}
