//! What the runtime needs from the rest of local Azure: one narrow trait, so that it is tested alone.

use std::io::Read;
use std::pin::Pin;

use crate::world::container_apps::{Desired, Observation};

/// The rest of local Azure, as the runtime sees it. The front implements it over the world and its store.
///
/// Methods may block for a moment (a lock, the journal): the runtime calls them from threads that may.
pub trait Platform: Send + Sync + 'static {
    /// What should run now, with secrets as they resolve now.
    fn desired(&self) -> Desired;

    /// Completes when what [`Platform::desired`] returns may have changed since the last call of it. May complete
    /// without reason; the runtime also asks by itself about once a second while something waits.
    fn changed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// What [`Platform::desired`] returned last is what the ingress does from now on.
    fn followed(&self) {}

    /// Tells the world what was seen. In order; must be durable when it returns.
    fn observe(&self, observation: Observation);

    /// The manifest `pull` names, when its app may pull it now.
    fn manifest(&self, pull: &Pull) -> Result<Manifest, Refusal>;

    /// Opens a blob of the repository `pull` names, under the same condition.
    fn blob(&self, pull: &Pull, digest: &str) -> Result<Box<dyn Read + Send>, Refusal>;

    /// Where the app's processes get tokens: `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`; `None`: no identity.
    fn identity(&self, app: &str) -> Option<Identity>;
}

/// An image wanted for an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// The app's id, lower case: its `registries` entry says with which identity or password.
    pub app: String,
    /// `name.azurecr.localhost:8443`, as written in the image's reference.
    pub server: String,
    /// `folder/name`.
    pub repository: String,
    /// Tag, or `sha256:…` digest.
    pub reference: String,
}

/// A manifest's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// As pushed.
    pub bytes: Vec<u8>,
    /// As pushed.
    pub media_type: String,
    /// `sha256:…` of the bytes.
    pub digest: String,
}

/// A pull that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The registry's words: `UNAUTHORIZED: authentication required, …`, `MANIFEST_UNKNOWN: …`.
    pub message: String,
    /// Time will not help: there is no such image or registry. A role may still take effect.
    pub lasting: bool,
}

/// The managed-identity endpoint for one app.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// `http://127.0.0.1:PORT/msi/token`.
    pub endpoint: String,
    /// What requests to it must carry.
    pub header: String,
}

impl Identity {
    /// What tells a program of it, by the names of today and of before.
    pub fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("IDENTITY_ENDPOINT", self.endpoint.clone()),
            ("IDENTITY_HEADER", self.header.clone()),
            ("MSI_ENDPOINT", self.endpoint.clone()),
            ("MSI_SECRET", self.header.clone()),
        ]
    }
}
