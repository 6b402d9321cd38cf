//! Local Azure: a stand-in for Azure on loopback that speaks Azure's own protocols and really runs what is
//! deployed to it.
//!
//! It shares no code with the rooms it stands in for, so that a mistake cannot cancel itself out. It knows
//! nothing of manifests, plans or the engine: it sees the requests any client sends. In reading order:
//!
//! - [`world`]: the state of a make-believe Azure as a deterministic value; every rule lives there.
//! - `store`: what happened to the world, on disk before it is acknowledged; snapshots and replay.
//! - [`front`]: servers on loopback, one port for all planes, chosen by host name.
//! - `runtime`: images, processes, probes, scaling and ingress of the deployed applications.
//! - [`control`]: starting, stopping and asking a detached local Azure from another process.
//!
//! [`serve`] runs one in this process until told to stop; [`control::start`] runs one detached.

pub mod control;
pub mod front;
pub mod runtime;
mod store;
pub mod world;

use std::path::PathBuf;

pub use front::{Address, serve};

/// What a local Azure is started with.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Where its state lives.
    pub state: State,
    /// Chance is drawn from this. `None`: the state folder's own, or a new one for a new folder.
    pub seed: Option<u64>,
    /// Multiplies every duration: 1 is Azure's pace, 0 none at all. `None`: what the state folder had, else
    /// [`DEFAULT_SPEED`].
    pub speed: Option<f64>,
    /// The HTTPS port. `None`: the one the state folder had before, so that URLs stay the same; else any free one.
    pub port: Option<u16>,
    /// A JSON file with a list of faults to begin with, in the form of `POST /_local/faults`.
    pub faults: Option<PathBuf>,
    /// A folder with Azure's resource types, to check bodies against.
    pub types: Option<PathBuf>,
}

/// A deployment that takes minutes on Azure takes seconds, and is still seen to take time.
pub const DEFAULT_SPEED: f64 = 0.05;

/// Where a local Azure keeps its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// In this folder (made when missing, readable by its owner only): journal, snapshots, content, CA, logs.
    Folder(PathBuf),
    /// In memory: gone when it stops. What must be a file (the CA's certificate, content being uploaded) is put in
    /// this folder, or in a temporary one for `None`.
    Memory(Option<PathBuf>),
}

impl Options {
    /// In memory, at the default pace, on any free port.
    pub fn memory() -> Options {
        Options { state: State::Memory(None), seed: None, speed: None, port: None, faults: None, types: None }
    }

    /// In `folder`, with what that folder had before.
    pub fn folder(folder: impl Into<PathBuf>) -> Options {
        Options { state: State::Folder(folder.into()), ..Options::memory() }
    }
}

/// Why local Azure could not start, go on or be asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The HTTPS port belongs to another process.
    #[error("port {port} is in use by another program")]
    PortInUse {
        /// The port asked for or remembered.
        port: u16,
        /// True when it was remembered from an earlier start rather than asked for now.
        remembered: bool,
    },
    /// Another local Azure works on this state folder.
    #[error("local Azure is already running on {folder}{}", pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    AlreadyRunning {
        /// The state folder.
        folder: PathBuf,
        /// Its process, when it has said so.
        pid: Option<u32>,
    },
    /// No local Azure runs for this folder.
    #[error("local Azure is not running for {folder}")]
    NotRunning {
        /// The folder that was asked about.
        folder: PathBuf,
    },
    /// The state folder holds something that is not a whole state.
    #[error("the state of local Azure in {folder} is damaged: {reason}")]
    Damaged {
        /// The state folder.
        folder: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The state folder was written by another version of Landfall.
    #[error("the state of local Azure in {folder} has format {found}, this program writes {known}")]
    Format {
        /// The state folder.
        folder: PathBuf,
        /// The format found.
        found: u32,
        /// The format of this program.
        known: u32,
    },
    /// An option makes no sense.
    #[error("{0}")]
    Option(String),
    /// The detached process ended before it answered.
    #[error("local Azure did not start: {reason}")]
    Start {
        /// What it said last.
        reason: String,
        /// Where it logs.
        log: PathBuf,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {path}")]
    File {
        /// `read`, `write`, `make`.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The journal could not be written: a full disk, most often.
    #[error("cannot write the journal of local Azure")]
    Journal(#[source] rusqlite::Error),
    /// Something on loopback did not work.
    #[error("{action}")]
    Network {
        /// What was tried.
        action: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Certificates could not be made or read.
    #[error("cannot make or read the certificates: {0}")]
    Certificates(String),
}

impl Error {
    /// What to do next, when there is something.
    pub fn help(&self) -> Option<String> {
        match self {
            Error::PortInUse { remembered: true, port } => Some(format!(
                "URLs of this folder's local Azure carry port {port}: end the program that has it, or move with `landfall local start --port N`"
            )),
            Error::PortInUse { remembered: false, .. } => {
                Some("choose another with `--port N`, or leave `--port` out for any free one".into())
            }
            Error::AlreadyRunning { .. } => Some("`landfall local stop` ends it".into()),
            Error::NotRunning { .. } => Some("`landfall local start` starts it".into()),
            Error::Damaged { folder, .. } | Error::Format { folder, .. } => Some(format!(
                "move it aside and begin anew: `mv {0} {0}.damaged`, then `landfall local start`; what was deployed is deployed again by `landfall up --local`",
                folder.display()
            )),
            Error::Start { log, .. } => Some(format!("its log is {}", log.display())),
            Error::Journal(_) => Some("is the disk full? nothing that was acknowledged is lost".into()),
            Error::Option(_) | Error::File { .. } | Error::Network { .. } | Error::Certificates(_) => None,
        }
    }
}

/// Every resource type that is modelled beyond the plain life cycle that any type has, with how deep.
pub fn coverage() -> Vec<(&'static str, &'static str)> {
    use world::arm::kind::{Depth, rows};
    let mut found: Vec<_> = rows()
        .map(|kind| match kind.depth {
            Depth::Modelled => (kind.name, "modelled: rules, actions and data plane"),
            Depth::LifeCycle => (kind.name, "life cycle: names, times and locks of its own"),
        })
        .collect();
    found.sort_unstable();
    found
}
