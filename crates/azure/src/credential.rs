//! Ways to sign in, and who signed in.

use crate::cloud::Cloud;
use crate::error::Error;
use azure_core::credentials::TokenCredential;
use secrecy::SecretString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// A way to sign in.
#[derive(Clone, Debug, Default)]
pub enum Login {
    /// The first that works, in this order: the environment's variables, the platform's identity endpoint, the
    /// Azure CLI, the Azure Developer CLI.
    #[default]
    Auto,
    /// Who is signed in to `az`.
    Cli,
    /// A service principal by its secret.
    Secret {
        /// The tenant's id or domain.
        tenant: String,
        /// The application's (client) id.
        client: String,
        /// Its secret.
        secret: SecretString,
    },
    /// A service principal that trusts another issuer's token (workload identity federation).
    Federated {
        /// The tenant's id or domain.
        tenant: String,
        /// The application's (client) id.
        client: String,
        /// Where that token comes from.
        assertion: Federation,
    },
    /// The identity of the machine or service this runs on.
    ManagedIdentity {
        /// The client id of a user-assigned identity; none means the system-assigned one.
        client: Option<String>,
    },
    /// A service principal named by `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET` or
    /// `AZURE_FEDERATED_TOKEN_FILE`.
    Environment,
}

/// Where the token of a federated sign-in comes from.
#[derive(Clone, Debug)]
pub enum Federation {
    /// A file that the platform keeps fresh, read anew for each sign-in.
    File(PathBuf),
    /// The token itself.
    Token(SecretString),
    /// GitHub Actions' own endpoint, from `ACTIONS_ID_TOKEN_REQUEST_URL` and `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
    GitHubActions,
}

/// Gives tokens; clones share what was fetched.
#[derive(Clone)]
pub struct Credential(Arc<dyn TokenCredential>);

impl Credential {
    /// Wraps any of `azure_identity`'s credentials, or one of the caller's own.
    pub fn new(inner: Arc<dyn TokenCredential>) -> Credential {
        Credential(inner)
    }
    /// A token for `scope`.
    ///
    /// # Errors
    /// When no token could be had; the message says what was tried.
    pub async fn token(&self, scope: &str) -> Result<SecretString, Error> {
        let _ = scope;
        Err(Error::setup("not yet".into()))
    }
    /// Who the tokens speak for, read from the token for `scope`.
    ///
    /// # Errors
    /// When no token could be had, or it is not readable.
    pub async fn caller(&self, scope: &str) -> Result<Caller, Error> {
        let _ = scope;
        Err(Error::setup("not yet".into()))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential")
    }
}

/// Who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The object id of the user or service principal, which role assignments name.
    pub object_id: String,
    /// The application that was signed in with.
    pub client_id: Option<String>,
    /// The tenant's id.
    pub tenant: String,
    /// A name for people: a user's principal name or an application's name.
    pub name: Option<String>,
    /// Whether it is a user, who may be asked for a second factor, or a service principal.
    pub is_user: bool,
}

/// A credential for `cloud`. Nothing is fetched yet.
///
/// # Errors
/// When the way to sign in lacks something, said in full.
pub fn credential(cloud: &Cloud, login: Login) -> Result<Credential, Error> {
    let _ = (cloud, login);
    Err(Error::setup("not yet".into()))
}
