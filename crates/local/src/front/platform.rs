//! The world and its contents as the runtime of applications sees them: the other side of its narrow trait.

use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::doors::{self, Door};
use super::host::Host;
use super::identity::Passes;
use super::router::chain;
use crate::runtime::{Identity, Manifest, Platform, Pull, Refusal};
use crate::world::container_apps::{self, Desired, Login, Observation};
use crate::world::registry::{self, Deed};
use crate::world::{Input, Plane, World, http::Segment};

/// [`Platform`] over the host.
#[derive(Debug)]
pub(crate) struct FrontPlatform {
    host: Arc<Host>,
    passes: Arc<Passes>,
    /// `http://127.0.0.1:PORT/msi/token`.
    endpoint: String,
    /// The version of the world that [`Platform::desired`] last told of.
    told: AtomicU64,
}

impl FrontPlatform {
    pub(crate) fn new(host: Arc<Host>, passes: Arc<Passes>, endpoint: String) -> FrontPlatform {
        FrontPlatform { host, passes, endpoint, told: AtomicU64::new(0) }
    }

    /// What is found in a registry of this world, when the app may pull from it now.
    fn pull<R>(
        &self,
        pull: &Pull,
        find: impl FnOnce(&World, &str) -> Option<R>,
        missing: impl FnOnce() -> Refusal,
    ) -> Result<R, Refusal> {
        let Door::Plane(Plane::Registry { name }) = doors::door(&pull.server) else {
            return Err(Refusal {
                message: format!(
                    "Get https://{}/v2/: the registry cannot be reached from local Azure",
                    pull.server
                ),
                lasting: true,
            });
        };
        self.host.read(|world| {
            may_pull(world, pull, &name)?;
            find(world, &name).ok_or_else(missing)
        })
    }
}

impl Platform for FrontPlatform {
    fn desired(&self) -> Desired {
        // The version first: a change in between is told once more.
        let version = *self.host.changes().borrow();
        self.told.store(version, Ordering::SeqCst);
        self.host.read(container_apps::desired)
    }

    fn changed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            let mut changes = self.host.changes();
            let told = self.told.load(Ordering::SeqCst);
            // The sender lives as long as the host, which this holds.
            let _ = changes.wait_for(|version| *version != told).await;
        })
    }

    fn followed(&self) {
        self.host.followed(self.told.load(Ordering::SeqCst));
    }

    fn observe(&self, observation: Observation) {
        // What was seen is true whether or not the disk has room for it: tried until it is kept.
        let mut wait = Duration::from_millis(50);
        while let Err(error) = self.host.apply(Input::Observed(observation.clone())) {
            tracing::error!(error = chain(&error), "what the runtime saw cannot be kept");
            std::thread::sleep(wait);
            wait = (wait * 2).min(Duration::from_secs(5));
        }
    }

    fn manifest(&self, pull: &Pull) -> Result<Manifest, Refusal> {
        let find = |world: &World, name: &str| {
            let (digest, manifest) = world.registries.manifest(name, &pull.repository, &pull.reference)?;
            Some(Manifest {
                bytes: manifest.bytes.clone(),
                media_type: manifest.media_type.clone(),
                digest: digest.to_owned(),
            })
        };
        self.pull(pull, find, || Refusal {
            message: format!(
                "MANIFEST_UNKNOWN: manifest tagged by \"{}\" is not found in {}/{}",
                pull.reference, pull.server, pull.repository
            ),
            lasting: true,
        })
    }

    fn blob(&self, pull: &Pull, digest: &str) -> Result<Box<dyn Read + Send>, Refusal> {
        let find = |world: &World, name: &str| {
            world.registries.blob(name, &pull.repository, digest).map(<[Segment]>::to_vec)
        };
        let segments = self.pull(pull, find, || Refusal {
            message: format!("BLOB_UNKNOWN: blob {digest} unknown to registry"),
            lasting: true,
        })?;
        Ok(Box::new(self.host.contents.reader(&segments)))
    }

    fn identity(&self, app: &str) -> Option<Identity> {
        let has = self.host.read(|world| container_apps::has_identity(world, app));
        has.then(|| Identity { endpoint: self.endpoint.clone(), header: self.passes.issue(app) })
    }
}

/// Whether the app may pull from a registry now, by the entry it has for it.
fn may_pull(world: &World, pull: &Pull, name: &str) -> Result<(), Refusal> {
    let refusal = |message: String, lasting| Err(Refusal { message, lasting });
    let Some(resource) = registry::resource(world, name) else {
        return refuse_unknown(&pull.server);
    };
    let unauthorized = |why: &str| {
        format!(
            "UNAUTHORIZED: authentication required, visit https://aka.ms/acr/authorization for more information. ({why})"
        )
    };
    match container_apps::registry_login(world, &pull.app, &pull.server) {
        Some(Login::Identity { principal: Some(principal), .. }) => {
            if registry::may(world, &principal, Deed::Pull, &resource.id.to_string()) {
                Ok(())
            } else {
                refusal(unauthorized("the identity has no AcrPull role on the registry yet"), false)
            }
        }
        Some(Login::Identity { principal: None, id }) => {
            refusal(unauthorized(&format!("the app has no identity {id}")), true)
        }
        Some(Login::Password { username, password: Some(password) })
            if registry::admin(world, name, &username, &password.0) =>
        {
            Ok(())
        }
        Some(Login::Password { .. }) => refusal(unauthorized("user name or password is wrong"), true),
        None if resource.properties()["anonymousPullEnabled"] == true => Ok(()),
        None => refusal(unauthorized("the app has no entry in `registries` for this server"), true),
    }
}

fn refuse_unknown(server: &str) -> Result<(), Refusal> {
    Err(Refusal {
        message: format!("Get https://{server}/v2/: dial tcp: lookup {server}: no such host"),
        lasting: true,
    })
}
