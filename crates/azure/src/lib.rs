//! What Azure is, as seen from outside: ids, errors, sign-in, and the clients of ARM, Key Vault and the registry.
//!
//! This room turns a wish ("put this body at that id") into requests and tells what came of them. It knows
//! nothing of applications, manifests, plans or journals, and it repeats no request that changes something: who
//! calls it keeps the record and decides about a second try. Local Azure is only another [`Cloud`].
//!
//! In reading order:
//!
//! - [`id`]: resource ids, compared as Azure compares them.
//! - [`cloud`]: where Azure is; the one HTTP client that all the rest uses.
//! - [`mod@credential`]: ways to sign in, and who signed in.
//! - [`request`]: an ARM request as a value, built without a network.
//! - [`error`]: what Azure says when it refuses, with a class for machines and a remedy for people.
//! - [`throttle`]: the budget of requests that the whole process shares.
//! - [`clock`]: time, passed in.
//! - [`operation`]: long-running operations; what an answer means.
//! - [`arm`]: the client of ARM.
//! - [`preflight`]: questions asked before the first write.
//! - [`vault`]: Key Vault secrets.
//! - [`registry`]: images, over the OCI distribution API.

pub mod arm;
pub mod clock;
pub mod cloud;
pub mod credential;
pub mod error;
pub mod id;
pub mod operation;
pub mod preflight;
pub mod registry;
pub mod request;
mod retry_after;
pub mod throttle;
pub mod vault;

pub use arm::{Arm, ArmOptions};
pub use clock::{Clock, SystemClock};
pub use cloud::Cloud;
pub use credential::{Caller, Credential, Federation, Login, credential};
pub use error::{Class, Detail, Error};
pub use id::ResourceId;
pub use operation::{Begun, Followed, Tracking};
pub use preflight::{
    Availability, DeletedVault, GlobalName, Permissions, Provider, Registration, Subscription,
};
pub use registry::{Blob, Progress, Push, Registry};
pub use request::Method;
pub use throttle::Throttle;
pub use vault::{DeletedSecret, SecretVersion, Vault};
