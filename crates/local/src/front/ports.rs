//! Which ports a state folder's local Azure has, so that its URLs are the same after a restart.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::listen::bind;
use crate::Error;
use crate::control::write_private;

/// Below the range that systems take outgoing ports from, so that nobody else gets one by chance while local Azure
/// is stopped.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// `ports.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ports {
    https: Option<u16>,
    identity: Option<u16>,
    /// By app id, lower case.
    #[serde(default)]
    apps: BTreeMap<String, u16>,
    #[serde(skip)]
    file: PathBuf,
}

impl Ports {
    /// Those of a folder, or none yet. A file that cannot be read is as good as none: the ports are only kept for
    /// convenience.
    pub(crate) fn of(folder: &Path) -> Ports {
        let file = folder.join("ports.json");
        let read = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ports { file, ..read.unwrap_or_default() }
    }

    /// The HTTPS port: the one asked for, else the one of before, else a free one.
    pub(crate) async fn https(&mut self, wanted: Option<u16>) -> Result<Vec<TcpListener>, Error> {
        let fixed = wanted.or(self.https).filter(|port| *port != 0);
        let listeners = match fixed {
            Some(port) => bind(port).await.map_err(|source| match source.kind() {
                std::io::ErrorKind::AddrInUse => Error::PortInUse { port, remembered: wanted.is_none() },
                _ => Error::Network { action: format!("cannot listen on port {port}"), source },
            })?,
            None => free(&self.file).await?,
        };
        self.https = Some(port(&listeners)?);
        self.keep();
        Ok(listeners)
    }

    /// The port of the identity endpoint: the one of before when it is free.
    pub(crate) async fn identity(&mut self) -> Result<Vec<TcpListener>, Error> {
        let listeners = again(self.identity, &(&self.file, "identity")).await?;
        self.identity = Some(port(&listeners)?);
        self.keep();
        Ok(listeners)
    }

    /// The port of an app: the one of before when it is free.
    pub(crate) async fn app(&mut self, id: &str) -> Result<(u16, Vec<TcpListener>), Error> {
        let listeners = again(self.apps.get(id).copied(), &(&self.file, id)).await?;
        let port = port(&listeners)?;
        if self.apps.insert(id.to_owned(), port) != Some(port) {
            self.keep();
        }
        Ok((port, listeners))
    }

    fn keep(&self) {
        let text = serde_json::to_vec_pretty(self).expect("ports are JSON");
        if let Err(error) = write_private(&self.file, &text) {
            tracing::warn!(error = %error, "ports will not be the same after a restart");
        }
    }
}

/// The port that listeners are bound to.
pub(crate) fn port(listeners: &[TcpListener]) -> Result<u16, Error> {
    let address = listeners.first().map(TcpListener::local_addr).transpose();
    match address {
        Ok(address) => Ok(address.map_or(0, |address| address.port())),
        Err(source) => Err(Error::Network { action: "a listener has no address".into(), source }),
    }
}

async fn again(before: Option<u16>, key: &impl Hash) -> Result<Vec<TcpListener>, Error> {
    if let Some(port) = before
        && let Ok(listeners) = bind(port).await
    {
        return Ok(listeners);
    }
    free(key).await
}

/// A free port, the same for the same key when it can be.
async fn free(key: &impl Hash) -> Result<Vec<TcpListener>, Error> {
    const TRIES: u16 = 200;
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let start = u16::try_from(hasher.finish() % u64::from(COUNT)).unwrap_or(0);
    for step in 0..TRIES {
        if let Ok(listeners) = bind(FIRST + (start + step * 7) % COUNT).await {
            return Ok(listeners);
        }
    }
    bind(0).await.map_err(|source| Error::Network { action: "cannot listen on loopback".into(), source })
}
