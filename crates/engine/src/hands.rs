//! Who carries an operation out, and what they are told.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use crate::clock::Clock;
use crate::event::{Event, What};
use crate::failure::Failure;
use crate::graph::{Operation, OperationKey};
use crate::journal::RunId;

/// Carries operations out.
///
/// Both methods may be cut off at any await when the process ends or the run's future is dropped; the next
/// `begin` of the same operation then has to come to the same end.
#[async_trait]
pub trait Hands: Send + Sync {
    /// Starts `operation`. It is in the journal as begun; when it has been begun before, and how that went is not
    /// known or was a failure, [`Context::again`] says so, and a look at the world should come first.
    async fn begin(&self, operation: &Operation, context: &Context) -> Result<Step, Failure>;

    /// Looks once after an operation that was accepted with `token`; called again after the time it answers with.
    /// A failure is taken as one of looking, and followed up by another look, unless it is fatal or says that
    /// the operation is [over](Failure::over).
    async fn follow(&self, operation: &Operation, token: &Value, context: &Context) -> Result<Step, Failure>;
}

/// Where an operation stands after its hands have moved.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// It is done; this is its output, journalled and given to those that need it. No secret.
    Done(Value),
    /// The other side is at it. `follow` is called with `token` when `after` has passed.
    Accepted {
        /// What it takes to find the operation again, from another process if need be. Journalled; no secret.
        token: Value,
        /// When to look.
        after: Duration,
    },
}

/// Outputs of what is done, shared by all contexts of a run.
pub(crate) type Outputs = Arc<RwLock<BTreeMap<OperationKey, Arc<Value>>>>;

/// What hands are told besides the operation, and how they tell of progress.
#[derive(Clone)]
pub struct Context {
    pub(crate) run: RunId,
    pub(crate) scope: Arc<str>,
    pub(crate) key: OperationKey,
    pub(crate) subject: String,
    pub(crate) kind: String,
    pub(crate) attempt: u32,
    pub(crate) fence: u64,
    pub(crate) outputs: Outputs,
    pub(crate) events: UnboundedSender<Event>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Context {
    /// The run.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// What the run is about.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// How often the operation has been begun, this time included, over all processes that ran it.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether it was begun before: it may have taken effect, so look first.
    pub fn again(&self) -> bool {
        self.attempt > 1
    }

    /// The output of an operation that is done. An operation may count on those that it needs, directly or not.
    pub fn output(&self, key: &OperationKey) -> Option<Arc<Value>> {
        self.outputs.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// The same for every begin of this operation in this run, and for no other: what a service that takes an
    /// idempotency key should be given.
    pub fn idempotency_key(&self) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{}/{}", self.run, self.key).as_bytes())
    }

    /// The lease's fencing token: a later holder's is greater.
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// Tells watchers what the operation is at; `fraction` is how much is done, 0 to 1, where known. Not journalled.
    pub fn report(&self, text: impl Into<String>, fraction: Option<f32>) {
        let what = What::Progressed { text: text.into(), fraction };
        // A run goes on when nobody watches.
        let _ = self.events.send(Event {
            at: self.clock.now(),
            run: self.run.clone(),
            operation: self.key.clone(),
            address: self.subject.clone(),
            kind: self.kind.clone(),
            what,
        });
    }
}
