//! The client of ARM.

use crate::clock::Clock;
use crate::cloud::Cloud;
use crate::credential::{Caller, Credential};
use crate::error::Error;
use crate::operation::{Begun, Followed, Tracking};
use crate::request::Method;
use crate::throttle::Throttle;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// What may be chosen about a client; `ArmOptions::default()` is right for a command.
#[derive(Clone, Debug, Default)]
pub struct ArmOptions {
    /// Time; the machine's own when none is given.
    pub clock: Option<Arc<dyn Clock>>,
    /// The seed of request ids and jitter; the system's chance when none is given.
    pub seed: Option<u64>,
    /// The budget to take from. All clients of a process should share one.
    pub throttle: Option<Throttle>,
    /// Marks all requests of one run in Azure's activity log.
    pub correlation: Option<Uuid>,
    /// How long to wait between polls when Azure does not say; 5 s when none is given.
    pub poll: Option<Duration>,
}

/// The client of ARM; clones share connections, tokens and budget.
#[derive(Clone, Debug)]
pub struct Arm {}

impl Arm {
    /// A client of `cloud`'s ARM. Nothing is sent yet.
    ///
    /// # Errors
    /// When the cloud's CA cannot be used.
    pub fn new(cloud: &Cloud, credential: Credential, options: ArmOptions) -> Result<Arm, Error> {
        let _ = (cloud, credential, options);
        Ok(Arm {})
    }
    /// Reads a resource; none when it is not there (404).
    ///
    /// # Errors
    /// Any other refusal, after a few tries where trying again may help.
    pub async fn get(&self, id: &str, api_version: &str) -> Result<Option<Value>, Error> {
        let _ = (id, api_version);
        Ok(None)
    }
    /// Reads all pages of a list; none of them when the list's parent is not there.
    ///
    /// # Errors
    /// As [`Arm::get`]; also when a page points away from ARM or back to one already read.
    pub async fn list(&self, path: &str, api_version: &str) -> Result<Vec<Value>, Error> {
        let _ = (path, api_version);
        Ok(Vec::new())
    }
    /// Sends one request that changes something, once.
    ///
    /// # Errors
    /// What Azure refused, or that no answer came; then the request may have been carried out.
    pub async fn begin(
        &self,
        method: Method,
        id: &str,
        api_version: &str,
        body: Option<&Value>,
    ) -> Result<Begun, Error> {
        let _ = (method, id, api_version, body);
        Ok(Begun::Done(Value::Null))
    }
    /// Asks once how an operation is getting on.
    ///
    /// # Errors
    /// [`crate::error::Kind::Operation`] when it has ended Failed or Canceled; else that the poll itself failed.
    pub async fn follow(&self, tracking: &Tracking) -> Result<Followed, Error> {
        let _ = tracking;
        Ok(Followed::Done(Value::Null))
    }
    /// Begins and follows to the end.
    ///
    /// # Errors
    /// As [`Arm::begin`] and [`Arm::follow`].
    pub async fn finish(
        &self,
        method: Method,
        id: &str,
        api_version: &str,
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        let _ = (method, id, api_version, body);
        Ok(Value::Null)
    }
    /// An action that answers at once, such as `listKeys`.
    ///
    /// # Errors
    /// What Azure refused.
    pub async fn post(&self, id: &str, api_version: &str, body: Option<&Value>) -> Result<Value, Error> {
        let _ = (id, api_version, body);
        Ok(Value::Null)
    }
    /// Who is signed in, read from the token.
    ///
    /// # Errors
    /// When no token could be had.
    pub async fn caller(&self) -> Result<Caller, Error> {
        Err(Error::setup("not yet".into()))
    }
}
