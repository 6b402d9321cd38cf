//! What can go wrong on the way from a plan to Azure.

use landfall_engine::{JournalError, LeaseError};

/// Why surveying or deploying did not work. Failures of single operations are in the run's report instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Azure refused, or did not answer.
    #[error("cannot {doing}")]
    Azure {
        /// What was tried: `read containerApp.web`.
        doing: String,
        /// What Azure said.
        source: landfall_azure::Error,
    },
    /// The source could not be read or recognised.
    #[error("cannot build the service `{service}`")]
    Build {
        /// The service.
        service: String,
        /// Why.
        source: landfall_build::Error,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Somebody else is changing the same environment.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Said in full.
    #[error("{message}")]
    Other {
        /// What happened.
        message: String,
        /// What to do next.
        help: Option<String>,
    },
}

impl Error {
    /// Wraps what Azure said with what was tried.
    pub fn azure(doing: impl Into<String>) -> impl FnOnce(landfall_azure::Error) -> Error {
        move |source| Error::Azure { doing: doing.into(), source }
    }

    /// An error said in full.
    pub fn other(message: impl Into<String>) -> Error {
        Error::Other { message: message.into(), help: None }
    }

    /// What to do next, when there is something to say.
    pub fn help(&self) -> Option<String> {
        match self {
            Error::Azure { source, .. } => source.remedy().map(str::to_owned),
            Error::Build { source, .. } => source.help(),
            Error::Journal(error) | Error::Lease(LeaseError::Journal(error)) => error.help(),
            Error::Lease(LeaseError::Held { .. }) => {
                Some("wait until it has ended, or let this command wait with `--wait 10m`".to_owned())
            }
            Error::Other { help, .. } => help.clone(),
        }
    }
}
