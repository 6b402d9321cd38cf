//! The state of a make-believe Azure: a deterministic value without sockets, threads, clock or disk.
//!
//! Everything that happens to it is an [`Input`] with a time; [`World::apply`] gives the same outcome for the
//! same seed and the same inputs, which is how the state survives a crash (the inputs are journalled by the
//! front) and how a test can live through a year in a second.

pub mod http;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use http::{Body, Method, Plane, Request, Response};

/// What a world is made with; kept with its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Chance is drawn from this and nothing else.
    pub seed: u64,
    /// Multiplies every duration and consistency delay: 1 is Azure's pace, 0 none at all.
    pub speed: f64,
    /// `localhost:PORT`, the authority of ARM and Entra.
    pub authority: String,
    /// The port that ends every suffix (`.vault.localhost:PORT`).
    pub port: u16,
    /// The one tenant.
    pub tenant: String,
    /// The one subscription.
    pub subscription: String,
    /// Application id of the principal that owns the subscription.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
}

/// Something that happens to the world.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Input {
    /// A client's request.
    Request(Request),
    /// What the runtime saw of a deployed application.
    Observed(serde_json::Value),
}
