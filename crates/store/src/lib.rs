//! What must survive: work that waits, records of what was done, and blobs.
//!
//! One interface, two engines behind it. Embedded, there is nothing to set up: a SQLite file and a folder. For several
//! replicas that share the work: PostgreSQL, and Azure Blob Storage. Nothing distributed is written here; leases and
//! ordering come from those engines.
//!
//! - [`queue`]: [`Queue`], items with a key that are claimed under a lease, finished, tried again, or buried
//! - [`records`]: [`Records`], JSON documents with a version, written only by who has seen the latest
//! - [`blobs`]: [`Blobs`], bytes by name, on disk or in Azure
//! - [`sqlite`], [`postgres`]: the engines of the first two
//!
//! The room knows no clock: every call that depends on time is told the time. It knows nothing of what items,
//! records and blobs mean.

pub mod blobs;
pub mod postgres;
pub mod queue;
pub mod records;
pub mod sqlite;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use blobs::Blobs;
pub use queue::{Claim, Counts, Item, NewItem, Put, Queue, State};
pub use records::{Record, Records, Version};
use secrecy::{ExposeSecret, SecretString};

/// A queue and records that live in one engine.
#[derive(Clone)]
pub struct Store {
    /// Work that waits.
    pub queue: Arc<dyn Queue>,
    /// What was done.
    pub records: Arc<dyn Records>,
}

/// Where a queue and records live.
#[derive(Clone, Debug)]
pub enum Place {
    /// A SQLite file, made when it is missing; for one process.
    Sqlite(PathBuf),
    /// A PostgreSQL database by its URL, for any number of processes. The URL may hold a password.
    Postgres(SecretString),
}

impl Place {
    /// Reads `sqlite:PATH`, `postgres://…` or `postgresql://…`.
    ///
    /// # Errors
    /// What the text should have been, without showing it: it may hold a password.
    pub fn parse(text: &str) -> Result<Place, String> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err("`sqlite:` names no file; write sqlite:PATH".into());
            }
            return Ok(Place::Sqlite(path.into()));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return match url::Url::parse(text) {
                Ok(url) if url.host_str().is_some() || url.query().is_some() => {
                    Ok(Place::Postgres(text.into()))
                }
                _ => Err(
                    "the PostgreSQL URL cannot be read; write postgres://USER:PASSWORD@HOST:PORT/DATABASE"
                        .into(),
                ),
            };
        }
        Err("a store is sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE".into())
    }
}

impl Store {
    /// Opens the store, and makes what is missing in it.
    ///
    /// # Errors
    /// When the file cannot be opened or is none of ours, or the database cannot be reached.
    pub async fn open(place: &Place) -> Result<Store, Error> {
        match place {
            Place::Sqlite(path) => {
                let sqlite = Arc::new(sqlite::Sqlite::open(path)?);
                Ok(Store { queue: sqlite.clone(), records: sqlite })
            }
            Place::Postgres(url) => {
                let postgres = Arc::new(postgres::Postgres::connect(url.expose_secret()).await?);
                Ok(Store { queue: postgres.clone(), records: postgres })
            }
        }
    }
}

/// What can go wrong in a store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lease ended and somebody else may have the item now: whatever was under way must stop.
    #[error("the claim on `{key}` was lost: its lease ended before the work did")]
    Lost {
        /// The item's key.
        key: String,
    },
    /// Somebody else wrote the record in between.
    #[error("record `{id}` was changed by somebody else")]
    Conflict {
        /// The record's id.
        id: String,
    },
    /// The engine refused or could not be reached.
    #[error("{what}: {source}")]
    Engine {
        /// What was being done.
        what: String,
        /// What the engine said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A name that no engine could hold.
    #[error("`{name}` is no name for a blob: {why}")]
    Name {
        /// The name.
        name: String,
        /// The rule it breaks.
        why: &'static str,
    },
}

impl Error {
    pub(crate) fn engine(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::Engine { what: what.into(), source: source.into() }
    }
}

/// Makes a folder and those above it that are missing; it is durable when this returns.
pub(crate) fn make_folder(folder: &Path) -> std::io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new(""));
    make_folder(above)?;
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made?,
    }
    // A name is on the disk once the folder that holds it is.
    std::fs::File::open(if above.as_os_str().is_empty() { Path::new(".") } else { above })?.sync_all()
}

/// A reason as every engine can hold it. It may quote what a service said, and PostgreSQL takes no NUL in a text.
pub(crate) fn reason(why: &str) -> String {
    why.replace('\0', "\u{fffd}")
}
