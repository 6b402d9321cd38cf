//! The blueprint: every Azure resource an App consists of.
//!
//! A pure function from [`landfall_manifest::App`] to a graph of ARM resources with their names, scopes and
//! whole bodies. What only a deployment can tell (an identity's principal, a registry's address, the image
//! that was built) stands in a body as an [`Expression`].
//!
//! This room does *not* know what is live, how a request is sent, what anything costs, or which rules a house
//! has; it knows what Azure's types look like and what an application needs of them.
//!
//! In reading order:
//! - [`services`]: one file per Azure service, and the list of them in creation order;
//! - [`name`] and [`region`]: what resources are called, by Azure's rules for each type;
//! - [`role`]: the built-in roles and what each kind of use needs;
//! - [`resource`], [`Resources`], [`address`], [`body`], [`expression`]: what a blueprint is made of;
//! - [`picture`]: a blueprint as a tree, a graph and a drawing;
//! - [`template`]: a blueprint as ARM JSON with ARM's expression strings;
//! - [`codes`]: what can stand between an App and its blueprint.

pub mod address;
pub mod body;
pub mod codes;
pub mod expression;
pub mod name;
pub mod picture;
pub mod region;
pub mod resource;
mod resources;
pub mod role;
pub mod services;
pub mod template;

use std::collections::BTreeMap;

use landfall_manifest::App;

pub use address::{Address, NotAnAddress};
pub use body::{Body, Lookup, Object, Unresolved, object};
pub use expression::Expression;
pub use resource::Resource;
pub use resources::Resources;

/// The subscription that ids carry while none is known.
pub const NO_SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";
/// The tag that says which application a resource belongs to.
pub const TAG_APP: &str = "landfall-app";
/// The tag that says which environment of it.
pub const TAG_ENV: &str = "landfall-env";

/// The resources of one application in one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Blueprint {
    /// The application's name.
    pub app: String,
    /// The environment's name.
    pub environment: String,
    /// The subscription's id; [`NO_SUBSCRIPTION`] while none is known.
    pub subscription: String,
    /// Azure's name of the region.
    pub region: String,
    /// The vault that holds the secrets of the services.
    pub secrets: Address,
    /// The registry that built images are pushed to; none when nothing is built and none is declared.
    pub images: Option<Address>,
    /// Services whose resources are here and whose code nothing here brings there, each with what is missing.
    pub not_deployed: BTreeMap<String, String>,
    /// Everything, each after what it depends on.
    pub resources: Resources,
}

impl Blueprint {
    /// The resource of an address.
    pub fn get(&self, address: &Address) -> Option<&Resource> {
        self.resources.get(address)
    }

    /// The resource group that all else lies in.
    pub fn resource_group(&self) -> &Resource {
        // `services::all` begins with it.
        &self.resources[0]
    }

    /// The vault that holds the secrets of the services.
    pub fn vault(&self) -> Option<&Resource> {
        self.get(&self.secrets)
    }

    /// The registry that built images are pushed to.
    pub fn registry(&self) -> Option<&Resource> {
        self.get(self.images.as_ref()?)
    }

    /// The resource that stands for a service, whatever it runs on; none for one on Kubernetes.
    pub fn service(&self, service: &str) -> Option<&Resource> {
        services::host::ALL.iter().find_map(|platform| self.get(&(platform.address)(service)?))
    }
}

/// Why an App has no blueprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// Stable code, `LF15…`; [`codes`] has its page.
    pub code: &'static str,
    /// Dotted path in the manifest to underline: `region`, `service.web`, `resource.store.containers`.
    pub path: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// The resources that `app` takes, or everything that stands in the way.
///
/// # Errors
/// A region that Azure does not have, a name that no rule-conforming form can be found for, a `body` that
/// rewrites what ties resources together.
pub fn blueprint(app: &App) -> Result<Blueprint, Vec<Problem>> {
    services::all(app)
}
