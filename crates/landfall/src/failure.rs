//! Everything that can go wrong, for the reader: what happened, why, what to do next, and the exit code.
//!
//! This is the one place that turns errors into output.

use std::error::Error as StdError;
use std::process::ExitCode;

use landfall_manifest::Diagnostic;
use serde_json::json;

use crate::ui::Ui;

/// The exit codes of every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Something failed.
    Failed = 1,
    /// Wrong usage or a manifest with errors.
    Usage = 2,
    /// Findings, drift, or (as Terraform's) changes, where asked to judge.
    Findings = 3,
    /// Refused: consent is missing, or somebody else holds the environment.
    Refused = 4,
    /// Interrupted from the keyboard.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// The process's exit code.
    pub exit: Exit,
    /// What happened.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do next.
    pub help: Option<String>,
    /// The run that it came of.
    pub run: Option<String>,
    /// A manifest's diagnostics, already gathered, with the text they point into.
    pub diagnostics: Option<Box<(Vec<Diagnostic>, String)>>,
}

impl Failure {
    /// A failure with this exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure {
            exit,
            message: message.into(),
            causes: Vec::new(),
            help: None,
            run: None,
            diagnostics: None,
        }
    }

    /// Something failed: exit 1.
    pub fn failed(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Failed, message)
    }

    /// Wrong usage: exit 2.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, message)
    }

    /// Consent is missing: exit 4.
    pub fn refused(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Refused, message)
    }

    /// Adds an error and the chain of its sources.
    #[must_use]
    pub fn because(mut self, error: impl StdError) -> Failure {
        self.causes.push(error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Several libraries repeat their source in their own message; once is enough.
            if !self.causes.iter().any(|said| said.contains(&text)) {
                self.causes.push(text);
            }
            source = cause.source();
        }
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Failure {
        self.help = Some(help.into());
        self
    }

    /// What to do next where whoever failed knew nothing to say: by what the system said, else in general.
    fn remedy(&self) -> Option<&'static str> {
        const BY_CAUSE: &[(&str, &str)] = &[
            ("Permission denied", "make it writable for this user, or work in a copy of the folder"),
            ("Read-only file system", "work in a copy of the folder that can be written to"),
            ("No space left on device", "free some space, then give the command again"),
            ("Too many open files", "raise the limit with `ulimit -n 4096`, then give the command again"),
        ];
        let said = |text: &str| self.causes.iter().any(|cause| cause.contains(text));
        let known = BY_CAUSE.iter().find(|(text, _)| said(text)).map(|(_, help)| *help);
        known.or(match self.exit {
            Exit::Failed => {
                Some("put that right and give the command again; `-vv` tells more of what happens")
            }
            Exit::Usage => {
                Some("`landfall help` lists the commands, and `landfall help COMMAND` what one takes")
            }
            // Whoever said no, or pressed Ctrl-C, knows what they want.
            Exit::Done | Exit::Findings | Exit::Refused | Exit::Interrupted => None,
        })
    }

    /// The word for it in the last of a stream's lines.
    fn outcome(&self) -> &'static str {
        match self.exit {
            Exit::Refused => "refused",
            Exit::Interrupted => "cancelled",
            Exit::Done | Exit::Failed | Exit::Usage | Exit::Findings => "failed",
        }
    }

    /// Prints it and gives the exit code.
    pub fn report(&self, ui: &Ui) -> ExitCode {
        if let Some((diagnostics, text)) = self.diagnostics.as_deref() {
            if ui.json {
                ui.document(&json!({"schema": 1, "diagnostics": diagnostics}));
            } else {
                ui.error_text(&landfall_manifest::render(diagnostics, text, ui.color_err));
            }
            return self.exit.into();
        }
        let help = self.help.as_deref().or_else(|| self.remedy()).map(|help| ui.typed(help));
        if ui.json {
            let error = json!({"message": self.message, "causes": self.causes, "help": help,
                "exit": self.exit as u8});
            ui.document(&match ui.stream {
                true => json!({"event": "result", "schema": 1, "outcome": self.outcome(), "run": self.run,
                    "urls": [], "error": error}),
                false => json!({"schema": 1, "error": error}),
            });
        }
        ui.error(&self.message);
        for cause in &self.causes {
            ui.error_text(&format!("  because: {}", cause.trim().replace('\n', "\n           ")));
        }
        if let Some(help) = &help {
            ui.hint(help);
        }
        self.exit.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_ends_with_what_to_do_next() {
        let full = Failure::failed("cannot write plan.json")
            .because(std::io::Error::from_raw_os_error(nix::errno::Errno::ENOSPC as i32));
        assert_eq!(full.remedy(), Some("free some space, then give the command again"));
        let denied = Failure::failed("cannot make .landfall")
            .because(std::io::Error::from_raw_os_error(nix::errno::Errno::EACCES as i32));
        assert!(denied.remedy().is_some_and(|help| help.contains("writable")));
        assert!(Failure::failed("anything").remedy().is_some());
        assert!(Failure::usage("anything").remedy().is_some());
        assert_eq!(Failure::refused("the answer was no").remedy(), None);
    }

    #[test]
    fn a_streams_last_word() {
        for (exit, word) in [
            (Exit::Refused, "refused"),
            (Exit::Interrupted, "cancelled"),
            (Exit::Failed, "failed"),
            (Exit::Usage, "failed"),
        ] {
            assert_eq!(Failure::new(exit, "x").outcome(), word);
        }
    }
}
