//! Servers on loopback: one HTTPS port for all planes, chosen by host name.

pub(crate) mod client;

use std::future::Future;
use std::path::PathBuf;

use crate::{Error, Options};

/// Where a local Azure answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Address {
    /// What [`crate::control::status`] tells of it: URLs by plane, seed, speed, and the names for clients.
    pub status: crate::control::Status,
    /// `https://localhost:PORT`: ARM and Entra.
    pub arm: String,
    /// The HTTPS port.
    pub port: u16,
    /// The certificate of its CA.
    pub ca_file: PathBuf,
}

/// Serves until `stop` is done; `ready` is called once every plane answers.
///
/// # Errors
/// [`Error`] when it cannot start, or when its journal can no longer be written.
pub async fn serve(
    options: Options,
    ready: impl FnOnce(&Address),
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let _ = (options, ready, stop);
    Err(Error::Option("local Azure does not serve yet".into()))
}
