//! Runs what is deployed: images, processes, probes, scaling and ingress.
//!
//! It knows nothing of ARM, tokens or roles: it is told what should run ([`Desired`](crate::world::container_apps::Desired))
//! through one trait, [`Platform`], and reports what it sees.

mod platform;

pub use platform::{Identity, Manifest, Platform, Pull, Refusal};
