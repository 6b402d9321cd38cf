//! What can go wrong between a folder and an image, told for the person who has to put it right.

use std::path::PathBuf;

/// Why a folder could not be looked at or turned into an image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source named in the manifest is not there.
    #[error("the source `{}` does not exist", path.display())]
    NoSource {
        /// What the manifest names.
        path: PathBuf,
    },

    /// Nothing in the folder says what kind of application it is.
    #[error("cannot tell what kind of application `{}` is", dir.display())]
    Unrecognised {
        /// The folder.
        dir: PathBuf,
        /// The files that were looked for.
        looked_for: String,
    },

    /// Two answers are possible and only the user can choose.
    #[error("{question}")]
    Ambiguous {
        /// What is undecided, in a sentence.
        question: String,
        /// The possible answers.
        choices: Vec<String>,
        /// How to decide.
        how: String,
    },

    /// The application is known, but not what to run.
    #[error("`{}` is a {language} application, but nothing says how it is started", dir.display())]
    NoStart {
        /// The folder.
        dir: PathBuf,
        /// Its language.
        language: String,
        /// Where a start command can be written.
        how: String,
    },

    /// A file of the project (`package.json`, `Cargo.toml` …) cannot be read as what it is.
    #[error("`{}` is not readable: {problem}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, as its parser says.
        problem: String,
    },

    /// A program that the build needs is not installed.
    #[error("`{tool}` is not installed, and {why}")]
    MissingTool {
        /// The program.
        tool: String,
        /// What it is needed for.
        why: String,
        /// How to get it on Debian.
        install: String,
    },

    /// A program of the build ended with an error.
    #[error("`{command}` failed ({status}){}", tail_text(tail))]
    ToolFailed {
        /// The command as one would type it.
        command: String,
        /// Its exit status in words.
        status: String,
        /// The last lines it printed.
        tail: Vec<String>,
    },

    /// A shared library that the program cannot run without is not on this machine.
    #[error("`{}` needs the library `{library}`, which is not on this machine", file.display())]
    MissingLibrary {
        /// The program or library that asks for it.
        file: PathBuf,
        /// The name it asks for.
        library: String,
    },

    /// The application is known, but the `direct` builder has no way to build it.
    #[error("{what}")]
    Unsupported {
        /// What cannot be done, in a sentence.
        what: String,
        /// What can be done instead.
        help: String,
    },

    /// A program of the build ended with an error, and the disk it works on is full. Tools die of that in odd ways
    /// (a linker by a bus error), so what they say is only the cause.
    #[error("no space left on the device of `{}`", path.display())]
    DiskFull {
        /// Where the build works.
        path: PathBuf,
        /// What the tool died of.
        source: Box<Error>,
    },

    /// The disk said no.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// A verb: read, write, copy …
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

const FULL: &str = "the disk is full: free some space and run the same command again";

impl Error {
    /// The same, or that the disk is full where it is and a tool died of it.
    pub(crate) fn or_full_disk(self, scratch: &std::path::Path) -> Error {
        // A tool takes its half-written file away when it dies, so some space is free again: less than any build needs.
        const NOTHING_LEFT: u64 = 16 * 1024 * 1024;
        let free = nix::sys::statvfs::statvfs(scratch)
            .map_or(u64::MAX, |disk| disk.blocks_available().saturating_mul(disk.fragment_size()));
        match self {
            Error::ToolFailed { .. } if free < NOTHING_LEFT => {
                Error::DiskFull { path: scratch.to_owned(), source: Box::new(self) }
            }
            other => other,
        }
    }

    /// Says what to do next, when there is something to do.
    pub fn help(&self) -> Option<String> {
        match self {
            Error::NoSource { .. } => Some("`source` is a path relative to landfall.toml".into()),
            Error::Unrecognised { looked_for, .. } => Some(format!("looked for {looked_for}")),
            Error::Ambiguous { choices, how, .. } => Some(format!("one of {}: {how}", choices.join(", "))),
            Error::NoStart { how, .. } => Some(how.clone()),
            Error::MissingTool { install, .. } => Some(install.clone()),
            Error::MissingLibrary { library, .. } => Some(format!(
                "install the package that has `{library}` (`apt-file search {library}` finds it), or link the program statically"
            )),
            Error::Unsupported { help, .. } => Some(help.clone()),
            Error::DiskFull { .. } => Some(FULL.into()),
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => Some(FULL.into()),
            Error::BadFile { .. } | Error::ToolFailed { .. } | Error::Io { .. } => None,
        }
    }

    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { doing, path, source }
    }
}

fn tail_text(tail: &[String]) -> String {
    tail.iter().fold(String::new(), |text, line| text + "\n    " + line)
}
