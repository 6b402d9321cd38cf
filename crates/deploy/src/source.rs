//! Services that are built from source, and how an image of theirs is known.
//!
//! An image is its source: the registry holds it under a tag made of the fingerprint of everything that shapes
//! it, so whether something has to be built is asked of the registry and kept nowhere else.

use std::collections::BTreeMap;
use std::path::Path;

use landfall_blueprint::services::host;
use landfall_build::Spec;
use landfall_manifest::{App, Source};

use crate::error::Error;

/// A service that is built.
#[derive(Clone, Debug)]
pub struct Build {
    /// What the builder is told.
    pub spec: Spec,
    /// The repository in the registry: `hello/web`.
    pub repository: String,
    /// The tag by which this very source is found again.
    pub tag: String,
}

/// The services of `app` whose images are built from a folder below `project`, by name.
pub fn specs(app: &App, project: &Path) -> BTreeMap<String, Spec> {
    app.services
        .iter()
        .filter_map(|(name, service)| {
            let Source::Folder(folder) = &service.source else { return None };
            // Elsewhere no image is started: its code comes as files, or by manifests of Kubernetes.
            if host::of(&service.host).code != host::Code::Image {
                return None;
            }
            let spec = Spec {
                service: name.clone(),
                // Without `.`, which would show in every message.
                dir: project.join(folder).components().collect(),
                port: service.port,
                command: service.command.clone(),
                // Static sites carry this very program as their file server.
                static_server: std::env::current_exe().ok(),
            };
            Some((name.clone(), spec))
        })
        .collect()
}

/// The builds of `app`, each with the tag of its source as it is now.
///
/// # Errors
/// The first source that cannot be read or recognised.
pub async fn builds(app: &App, project: &Path) -> Result<BTreeMap<String, Build>, Error> {
    let mut builds = BTreeMap::new();
    for (service, spec) in specs(app, project) {
        let tag = tag(&spec).await?;
        builds.insert(service.clone(), Build { spec, repository: format!("{}/{service}", app.name), tag });
    }
    Ok(builds)
}

/// The tag by which the source is found again as it is at this moment.
///
/// # Errors
/// When it cannot be read or recognised.
pub(crate) async fn tag(spec: &Spec) -> Result<String, Error> {
    let reading = spec.clone();
    let fingerprint = tokio::task::spawn_blocking(move || landfall_build::fingerprint(&reading))
        .await
        .map_err(|_| Error::other(format!("reading the source of `{}` was cut off", spec.service)))?
        .map_err(|source| Error::Build { service: spec.service.clone(), source })?;
    // 64 bits tell the sources of one repository apart; the whole hash would only be harder to read.
    Ok(format!("source-{}", &fingerprint.as_str()[..16]))
}
