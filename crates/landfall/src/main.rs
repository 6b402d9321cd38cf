//! The `landfall` command: flags become settings, a room is called, what it found is printed.
//!
//! - [`cli`]: the arguments and their manual.
//! - [`ui`]: standard output and standard error, with colour, width, quiet and `--json`.
//! - [`failure`]: everything that can go wrong, as exit code, message and remedy.
//! - [`project`]: the folder of a manifest, the manifest with one environment applied.
//! - [`target`]: Azure or local Azure, and who we are there.
//! - [`progress`]: a run drawn as bars, lines or JSON lines.
//! - [`interrupt`]: Ctrl-C and SIGTERM.
//! - [`commands`]: one file per command.

mod cli;
mod commands;
mod failure;
mod interrupt;
mod progress;
mod project;
mod target;
mod ui;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = match cli::Cli::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Clap prints help and version to stdout with status 0, usage errors to stderr with status 2.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let ui = ui::Ui::new(&args.global, args.command.ends_in_a_result());
    ui::start_logging(&args.global);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return failure::Failure::failed("cannot start the asynchronous runtime")
                .because(error)
                .report(&ui);
        }
    };
    let outcome = runtime.block_on(async {
        if !args.command.listens_itself() {
            interrupt::watch(ui.clone());
        }
        commands::run(&args, &ui).await
    });
    // Threads that only wait (a build's child, a reader of standard input) must not hold the exit.
    runtime.shutdown_background();
    match outcome {
        Ok(_) if ui::lost().is_some() => {
            let failure = failure::Failure::failed("standard output does not take what was to be printed");
            ui::lost().into_iter().fold(failure, failure::Failure::because).report(&ui)
        }
        Ok(code) => code.into(),
        Err(failure) => failure.report(&ui),
    }
}
