//! What a service runs on, as the rest of a blueprint needs to know it.
//!
//! To add a host: write its file in this folder with a [`Platform`], and name it in [`of`] and [`ALL`].

use landfall_manifest::Host;

use crate::address::Address;
use crate::body::Body;
use crate::services::{Draft, app_service, container_app, container_job, kubernetes, static_web_app};

/// What a host is to its services.
pub struct Platform {
    /// The address of the ARM resource that stands for a service; none where a service is no resource of Azure's.
    pub address: fn(&str) -> Option<Address>,
    /// Where a service is reached, as far as it is reached at all.
    pub url: fn(&Draft<'_>, &str) -> Option<Body>,
    /// What brings the application's code there.
    pub code: Code,
}

/// How the application's code comes to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// As an image that Landfall builds from `source`, or one that exists; the resource's body names it.
    Image,
    /// As an image that Landfall builds from `source`, which nothing in the blueprint starts yet.
    Manifests,
    /// As a package of files, which this version does not bring there.
    Package,
}

/// Every host's.
pub const ALL: &[&Platform] = &[
    &container_app::PLATFORM,
    &container_job::PLATFORM,
    &app_service::PLATFORM,
    &static_web_app::PLATFORM,
    &kubernetes::PLATFORM,
];

/// What a host is.
pub fn of(host: &Host) -> &'static Platform {
    match host {
        Host::ContainerApps(_) => &container_app::PLATFORM,
        Host::ContainerJob(_) => &container_job::PLATFORM,
        Host::AppService(_) => &app_service::PLATFORM,
        Host::StaticWebApp(_) => &static_web_app::PLATFORM,
        Host::Kubernetes(_) => &kubernetes::PLATFORM,
    }
}

/// Where a service is reached, whatever it runs on.
pub fn url(draft: &Draft<'_>, service: &str) -> Option<Body> {
    let found = draft.app.services.get(service)?;
    (of(&found.host).url)(draft, service)
}
