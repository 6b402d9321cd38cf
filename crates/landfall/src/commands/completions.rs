//! `landfall completions SHELL`: a script that completes commands.

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::failure::{Exit, Failure};
use crate::ui::Ui;

/// Prints the script.
#[expect(clippy::unnecessary_wraps, reason = "every command has this shape")]
pub fn run(shell: clap_complete::Shell, ui: &Ui) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "landfall", &mut script);
    ui.out(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
