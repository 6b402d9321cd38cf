//! Virtual networks: where the parts of an application meet without the internet between them.

use crate::address::Address;
use crate::services::Draft;

/// What a subnet is for. Azure gives most of its services a subnet of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The infrastructure of a Container Apps environment.
    ContainerApps,
    /// The outbound side of App Service apps.
    AppService,
    /// PostgreSQL servers.
    Postgres,
    /// The nodes of a Kubernetes cluster.
    Kubernetes,
    /// Private endpoints.
    PrivateEndpoints,
}

/// The subnet for a purpose; none when the application has no network of its own.
pub fn subnet(_draft: &Draft<'_>, _purpose: Purpose) -> Option<Address> {
    None
}

/// Whether resources are reached through private endpoints only.
pub fn is_private(_draft: &Draft<'_>) -> bool {
    false
}
