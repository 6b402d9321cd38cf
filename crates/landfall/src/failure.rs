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
        let help = self.help.as_deref().map(|help| ui.typed(help));
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
        if let Some(help) = &self.help {
            ui.hint(help);
        }
        self.exit.into()
    }
}
