//! The loop around the core: performs its effects and tells it what became of them.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::clock::{Clock, SystemClock};
use crate::event::Event;
use crate::failure::Patience;
use crate::hands::Hands;
use crate::journal::{JournalError, RunId};
use crate::lease::Lease;
use crate::report::Report;

/// How a run is carried out.
#[derive(Clone)]
pub struct Options {
    /// How many operations may be at work at once.
    pub parallel: usize,
    /// How failures are borne.
    pub patience: Patience,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where chance comes from: the spread of the waits between tries.
    pub seed: u64,
}

impl Default for Options {
    /// Sixteen at once, at a cloud's pace, by the machine's clock, with a fixed seed.
    fn default() -> Self {
        Self { parallel: 16, patience: Patience::default(), clock: Arc::new(SystemClock::new()), seed: 0 }
    }
}

/// Says to a run that it shall stop: nothing new starts, what was accepted is followed to its end. Cheap to clone;
/// every clone cancels the same.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<watch::Sender<bool>>);

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

impl Cancel {
    /// One that nobody has used yet.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Cancels. Again does nothing.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Whether somebody has cancelled.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once somebody has.
    pub async fn cancelled(&self) {
        // The sender lives in `self`, so that waiting ends by a cancel alone.
        let _ = self.0.subscribe().wait_for(|cancelled| *cancelled).await;
    }
}

/// Why a run stopped without coming to its end. It can be resumed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal failed, or the lease was lost: nothing may be done that cannot be recorded.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Carries `run` out, or goes on with it from wherever its journal says it stands, to its end.
///
/// Failed operations are no error: the report tells of them. Dropping the future is like a crash: safe, and to be
/// followed by another `run`.
///
/// # Errors
/// When the journal fails or the lease is lost; the run then stops at once and can be resumed.
pub async fn run(
    lease: &Lease,
    run: &RunId,
    hands: Arc<dyn Hands>,
    options: Options,
    events: UnboundedSender<Event>,
    cancel: Cancel,
) -> Result<Report, Error> {
    let _ = (lease, run, hands, options, events, cancel);
    todo!()
}
